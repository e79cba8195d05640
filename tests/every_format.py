"""A file of every format that the reader knows, made here, with a word of its own in each place where somebody's words can stand.

`FILES` maps the name of each file to its bytes and to the words that must come out of it. No word stands twice.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage

import docx
import openpyxl
import py7zr
import rars
from openpyxl.comments import Comment
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from PIL import Image, ImageDraw, ImageFont
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import Text
from pypdf.generic import ArrayObject, DictionaryObject, FloatObject, NameObject, StreamObject, TextStringObject
from reportlab.pdfgen.canvas import Canvas


@dataclass(frozen=True)
class Made:
    """A file, the words in it, and its media type by bytes."""

    data: bytes
    words: tuple[str, ...]
    media_type: str


def zipped(files: Mapping[str, str | bytes], mimetype: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if mimetype:
            archive.writestr(zipfile.ZipInfo("mimetype"), mimetype)
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def changed(package: bytes, changes: Mapping[str, tuple[bytes, bytes]], added: Mapping[str, str]) -> bytes:
    """The package with one stretch of some parts replaced, and further parts."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        parts: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    for name, (old, new) in changes.items():
        content = parts[name]
        assert isinstance(content, bytes)
        assert old in content, name
        parts[name] = content.replace(old, new, 1)
    return zipped(parts | added)


# --- Word -----------------------------------------------------------------------------------------------------------

_W = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:v="urn:schemas-microsoft-com:vml"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    ' xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    ' xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
)
_CHART = (
    '<c:chartSpace xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><c:chart><c:title><a:p><a:r><a:t>InChartTitle</a:t></a:r></a:p>'
    "</c:title><c:ser><c:strCache><c:pt><c:v>InChartSeries</c:v></c:pt></c:strCache></c:ser></c:chart></c:chartSpace>"
)
_DIAGRAM = (
    '<d:dataModel xmlns:d="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><d:t><a:p><a:r><a:t>InDiagram</a:t></a:r></a:p></d:t></d:dataModel>'
)
_BOX = "<w:txbxContent><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:txbxContent>"
_PLACES = f"""
<w:p><w:del><w:r><w:delText>InDeleted</w:delText></w:r></w:del><w:ins><w:r><w:t>InInserted</w:t></w:r></w:ins>
<w:r><w:rPr><w:vanish/></w:rPr><w:t>InHidden</w:t></w:r><w:moveFrom><w:r><w:t>InMovedFrom</w:t></w:r></w:moveFrom></w:p>
<w:sdt><w:sdtPr><w:dropDownList><w:listItem w:displayText="InDropDown"/></w:dropDownList></w:sdtPr>
<w:sdtContent><w:p><w:r><w:t>InControl</w:t></w:r></w:p></w:sdtContent></w:sdt>
<w:p><w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wp:inline><wp:docPr id="1"
name="n" descr="InAltText" title="InAltTitle"/><a:graphic><a:graphicData><wps:wsp>
<wps:txbx>{_BOX.format("InTextBox")}</wps:txbx></wps:wsp></a:graphicData></a:graphic></wp:inline>
</w:drawing></mc:Choice><mc:Fallback/></mc:AlternateContent></w:r></w:p>
<w:p><w:r><w:pict><v:shape alt="InVmlAlt"><v:textbox>{_BOX.format("InVmlBox")}</v:textbox>
<v:textpath string="InWordArt"/></v:shape></w:pict></w:r></w:p>
<w:p><w:fldSimple w:instr=" AUTHOR "><w:r><w:t>InField</w:t></w:r></w:fldSimple>
<w:hyperlink><w:r><w:t>InLink</w:t></w:r></w:hyperlink></w:p>
<w:sectPr"""


def _notes(kind: str, word: str, attributes: str = "") -> str:
    root = "comments" if kind == "comment" else f"{kind}s"
    return (
        f"<w:{root} {_W}><w:{kind} w:id='1' {attributes}><w:p><w:r><w:t>{word}</w:t></w:r></w:p></w:{kind}></w:{root}>"
    )


def letter() -> Made:
    document = docx.Document()
    section = document.sections[0]
    section.different_first_page_header_footer = True
    section.header.paragraphs[0].text = "InHeader"
    section.footer.paragraphs[0].text = "InFooter"
    section.first_page_header.paragraphs[0].text = "InFirstHeader"
    document.add_paragraph("InBody")
    cell = document.add_table(1, 1).cell(0, 0)
    cell.text = "InCell"
    cell.add_table(1, 1).cell(0, 0).text = "InNestedCell"
    document.core_properties.author = "InAuthor"
    document.core_properties.comments = "InPropertyComments"
    buffer = io.BytesIO()
    document.save(buffer)
    with zipfile.ZipFile(buffer) as package:
        opening = re.search(rb"<w:document[^>]*>", package.read("word/document.xml"))
    assert opening is not None
    plain = changed(buffer.getvalue(), {"word/document.xml": (b"<w:sectPr", _PLACES.encode())}, {})
    data = changed(
        plain,
        {
            "word/document.xml": (opening.group(), f"<w:document {_W}>".encode()),
            "word/settings.xml": (b"</w:settings>", b'<w:docVars><w:docVar w:val="InVariable"/></w:docVars></w:settings>'),
            "docProps/app.xml": (b"</Properties>", b"<Manager>InManager</Manager></Properties>"),
        },
        {
            "word/footnotes.xml": _notes("footnote", "InFootnote"),
            "word/endnotes.xml": _notes("endnote", "InEndnote"),
            "word/comments.xml": _notes("comment", "InComment", 'w:author="Ann InCommentator"'),
            "word/charts/chart1.xml": _CHART,
            "word/diagrams/data1.xml": _DIAGRAM,
            "word/afchunk.htm": "<p>InAltChunk</p>",
            "word/embeddings/list.csv": "a,InEmbedded",
            "docProps/custom.xml": '<Properties><property name="InPropertyName"><lpwstr>InPropertyValue</lpwstr></property></Properties>',
        },
    )  # fmt: skip
    words = (*re.findall(r"\bIn[A-Z]\w+", _PLACES + _CHART + _DIAGRAM), "InHeader", "InFooter", "InFirstHeader", "InBody", "InCell",
             "InNestedCell", "InAuthor", "InPropertyComments", "InVariable", "InManager", "InFootnote", "InEndnote", "InComment",
             "InCommentator", "InAltChunk", "InEmbedded", "InPropertyName", "InPropertyValue")  # fmt: skip
    return Made(data, words, "application/vnd.openxmlformats-officedocument.wordprocessingml.document")


def _retyped(made: Made, old: str, new: str) -> Made:
    return Made(
        changed(made.data, {"[Content_Types].xml": (old.encode(), new.encode())}, {}), made.words, made.media_type
    )


# --- Excel ----------------------------------------------------------------------------------------------------------

_X = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_SHEET_PARTS = {
    "xl/externalLinks/externalLink1.xml": f'<externalLink {_X}><externalBook><sheetNames><sheetName val="InOtherSheet"/></sheetNames>'
    "<sheetDataSet><sheetData><row><cell><v>InOtherCell</v></cell></row></sheetData></sheetDataSet></externalBook></externalLink>",
    "xl/pivotCache/pivotCacheDefinition1.xml": f'<pivotCacheDefinition {_X}><cacheFields><cacheField name="InPivotField"><sharedItems>'
    '<s v="InPivotShared"/></sharedItems></cacheField><cacheField name="b"/></cacheFields></pivotCacheDefinition>',
    "xl/pivotCache/pivotCacheRecords1.xml": f'<pivotCacheRecords {_X}><r><x v="0"/><s v="InPivotRecord"/></r></pivotCacheRecords>',
    "xl/drawings/drawing9.xml": '<x:wsDr xmlns:x="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><x:cNvPr id="2" descr="InPictureAlt"/><a:p><a:r><a:t>InShape</a:t>'
    "</a:r></a:p></x:wsDr>",
    "xl/threadedComments/threadedComment1.xml": '<ThreadedComments xmlns="http://schemas.microsoft.com/office/spreadsheetml/2018/'
    'threadedcomments"><threadedComment><text>InThread</text></threadedComment></ThreadedComments>',
    "xl/persons/person.xml": '<personList><person displayName="Ann InPerson"/></personList>',
    "xl/revisions/revisionLog1.xml": f"<revisions {_X}><oc><is><t>InFormerValue</t></is></oc></revisions>",
    "xl/charts/chart9.xml": _CHART,
}  # fmt: skip


def workbook() -> Made:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "InSheetName"
    sheet["A1"], sheet["A5"], sheet["F1"] = "InCell", "InHiddenRow", "InHiddenColumn"
    sheet["A1"].comment = Comment("InComment", "Ann InNoteAuthor")
    sheet.row_dimensions[5].hidden = True
    sheet.column_dimensions["F"].hidden = True
    sheet.oddHeader.left.text, sheet.oddFooter.right.text, sheet.firstHeader.left.text = (
        "InHead",
        "InFoot",
        "InFirstHead",
    )
    choices = DataValidation(type="list", formula1='"InChoice,b"', prompt="InPrompt", error="InError")
    choices.add("B1")
    sheet.add_data_validation(choices)
    for title, state in (("h", "hidden"), ("v", "veryHidden")):
        other = book.create_sheet(title)
        other["A1"] = f"In{state[0].upper()}{state[1:]}Sheet"
        other.sheet_state = state
    book.create_chartsheet("InChartSheet")
    book.defined_names["n"] = DefinedName("n", attr_text='"InDefinedName"')
    book.properties.creator = "InAuthor"
    buffer = io.BytesIO()
    book.save(buffer)
    data = changed(buffer.getvalue(), {}, _SHEET_PARTS)
    words = (*re.findall(r"\bIn[A-Z]\w+", "".join(_SHEET_PARTS.values())), "InSheetName", "InCell", "InHiddenRow", "InHiddenColumn",
             "InComment", "InNoteAuthor", "InHead", "InFoot", "InFirstHead", "InChoice", "InPrompt", "InError", "InHiddenSheet",
             "InVeryHiddenSheet", "InChartSheet", "InDefinedName", "InAuthor")  # fmt: skip
    return Made(data, words, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")


# --- PowerPoint, OpenDocument ----------------------------------------------------------------------------------------

_P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'


def _shape(word: str) -> str:
    return f"<p:sp><p:txBody><a:p><a:r><a:t>{word}</a:t></a:r></a:p></p:txBody></p:sp>"


def slides() -> Made:
    kind = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    table = "<a:tbl><a:tr><a:tc><a:txBody><a:p><a:r><a:t>InTable</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl>"
    picture = '<p:pic><p:cNvPr id="4" descr="InAltText"/></p:pic>'
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        f'<Override PartName="/ppt/presentation.xml" ContentType="{kind}.main+xml"/></Types>',
        "ppt/presentation.xml": f"<p:presentation {_P}/>",
        "ppt/slides/slide1.xml": f"<p:sld {_P}>{_shape('InText')}<p:grpSp>{_shape('InGroup')}</p:grpSp>{table}{picture}</p:sld>",
        "ppt/slides/slide2.xml": f'<p:sld {_P} show="0">{_shape("InHiddenSlide")}</p:sld>',
        "ppt/notesSlides/notesSlide1.xml": f"<p:notes {_P}>{_shape('InNotes')}</p:notes>",
        "ppt/comments/comment1.xml": f"<p:cmLst {_P}><p:cm><p:text>InComment</p:text></p:cm></p:cmLst>",
        "ppt/comments/modernComment_1.xml": f"<cmLst {_P}><a:p><a:r><a:t>InModernComment</a:t></a:r></a:p></cmLst>",
        "ppt/commentAuthors.xml": f'<p:cmAuthorLst {_P}><p:cmAuthor id="0" name="Ann InCommentator"/></p:cmAuthorLst>',
        "ppt/charts/chart1.xml": _CHART,
        "ppt/diagrams/data1.xml": _DIAGRAM,
        "ppt/tags/tag1.xml": f'<p:tagLst {_P}><p:tag name="a" val="InTag"/></p:tagLst>',
        "docProps/core.xml": '<c xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator>InAuthor</dc:creator></c>',
    }
    return Made(zipped(parts), tuple(re.findall(r"\bIn[A-Z]\w+", "".join(parts.values()))), kind)


_O = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "text", "table", "style", "presentation", "meta")
) + (
    ' xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"'
)
_ODF = {
    "text": "<office:text><text:tracked-changes><text:deletion><text:p>InDeleted</text:p></text:deletion></text:tracked-changes>"
    "<text:p>InBody<text:note><text:note-body><text:p>InNote</text:p></text:note-body></text:note><office:annotation>"
    "<dc:creator>InAnnotator</dc:creator><text:p>InComment</text:p></office:annotation></text:p><text:h>InHeading</text:h>"
    "<text:p><draw:frame><draw:text-box><text:p>InBox</text:p></draw:text-box><svg:title>InAltTitle</svg:title><svg:desc>InAltText"
    '</svg:desc></draw:frame></text:p><text:section text:display="none"><text:p>InHiddenSection</text:p></text:section>'
    '<text:p><text:hidden-text text:string-value="InHiddenText"/></text:p></office:text>',
    "spreadsheet": '<office:spreadsheet><table:table table:name="InSheetName"><table:shapes><draw:frame><draw:text-box>'
    "<text:p>InBox</text:p></draw:text-box></draw:frame></table:shapes><table:table-row><table:table-cell><text:p>InCell</text:p><office:annotation><text:p>"
    'InComment</text:p></office:annotation></table:table-cell></table:table-row><table:table-row table:visibility="collapse">'
    "<table:table-cell><text:p>InHiddenRow</text:p></table:table-cell></table:table-row></table:table><table:tracked-changes>"
    "<table:change-track-table-cell><text:p>InFormerValue</text:p></table:change-track-table-cell></table:tracked-changes>"
    "</office:spreadsheet>",
    "presentation": "<office:presentation><presentation:footer-decl>InDeckFooter</presentation:footer-decl><draw:page><draw:frame>"
    "<draw:text-box><text:p>InText</text:p></draw:text-box></draw:frame><presentation:notes><draw:frame><draw:text-box><text:p>InNotes"
    "</text:p></draw:text-box></draw:frame></presentation:notes><office:annotation><text:p>InComment</text:p></office:annotation>"
    "</draw:page></office:presentation>",
}  # fmt: skip


def open_document(kind: str) -> Made:
    styles = (
        "<style:header><text:p>InHeader</text:p></style:header><style:footer><text:p>InFooter</text:p></style:footer>"
    )
    meta = '<dc:creator>InAuthor</dc:creator><meta:user-defined meta:name="Pupil">InOwnProperty</meta:user-defined>'
    parts = {
        "content.xml": f"<office:document-content {_O}><office:body>{_ODF[kind]}</office:body></office:document-content>",
        "styles.xml": f"<office:document-styles {_O}>{styles}</office:document-styles>",
        "meta.xml": f"<office:document-meta {_O}><office:meta>{meta}</office:meta></office:document-meta>",
    }
    media_type = f"application/vnd.oasis.opendocument.{kind}"
    return Made(zipped(parts, media_type), tuple(re.findall(r"\bIn[A-Z]\w+", "".join(parts.values()))), media_type)


# --- compound files: Office before 2007, Outlook ----------------------------------------------------------------------


def compound(streams: Mapping[str, bytes]) -> bytes:
    """A compound file (MS-CFB) with these streams; `a/b` is a stream in a storage."""
    names: list[str] = []
    for path in streams:
        for end in [index for index, letter in enumerate(path) if letter == "/"] + [len(path)]:
            if path[:end] not in names:
                names.append(path[:end])
    table: list[int] = []
    sectors = bytearray()

    def put(data: bytes) -> int:
        if not data:
            return 0xFFFFFFFE
        first = len(table)
        count = -(-len(data) // 512)
        table.extend([*range(first + 1, first + count), 0xFFFFFFFE])
        sectors.extend(data.ljust(count * 512, b"\0"))
        return first

    mini, mini_table = bytearray(), list[int]()
    places: dict[str, int] = {}
    for path, data in streams.items():
        if len(data) >= 4096:
            places[path] = put(data)
        else:
            first, count = len(mini_table), max(1, -(-len(data) // 64))
            mini_table.extend([*range(first + 1, first + count), 0xFFFFFFFE])
            mini.extend(data.ljust(count * 64, b"\0"))
            places[path] = first
    none = 0xFFFFFFFF

    def entry(name: str, kind: int, following: int, child: int, start: int, size: int) -> bytes:
        raw = name.encode("utf-16-le") + b"\0\0"
        return raw.ljust(64, b"\0") + struct.pack(
            "<HBBIII16xI16xIQ", len(raw), kind, 1, none, following, child, 0, start, size
        )

    def children(of: str) -> list[int]:
        return [number for number, name in enumerate(names, 1) if name.rpartition("/")[0] == of]

    entries = [entry("Root Entry", 5, none, children("")[0], put(bytes(mini)), len(mini))]
    for number, name in enumerate(names, 1):
        siblings = children(name.rpartition("/")[0])
        later = siblings[siblings.index(number) + 1 :]
        data = streams.get(name)
        inside = children(name) if data is None else []
        entries.append(
            entry(name.rpartition("/")[2], 1 if data is None else 2, later[0] if later else none, inside[0] if inside else none,
                  places.get(name, 0), len(data or b""))
        )  # fmt: skip
    directory = put(b"".join(entries))
    mini_at = put(struct.pack(f"<{len(mini_table)}I", *mini_table))
    count = 1
    while count * 128 < len(table) + count:
        count += 1
    own = list(range(len(table), len(table) + count))
    table.extend([0xFFFFFFFD] * count)
    sectors += struct.pack(f"<{count * 128}I", *table, *[none] * (count * 128 - len(table)))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<IIIIIIIII", 0, count, directory, 0, 4096, mini_at, -(-len(mini_table) // 128), 0xFFFFFFFE, 0)
    return head + struct.pack("<109I", *own, *[none] * (109 - count)) + bytes(sectors)


def _summary(author: bytes) -> bytes:
    """A property set (MS-OLEPS 2.21) with code page and author."""
    value = struct.pack("<II", 30, len(author) + 1) + (author + b"\0").ljust(-(-(len(author) + 1) // 4) * 4, b"\0")
    body = struct.pack("<IIII", 1, 24, 4, 32) + struct.pack("<II", 2, 1252) + value
    head = struct.pack("<HHI16xI", 0xFFFE, 0, 0x20006, 1)
    section = bytes.fromhex("e0859ff2f94f6810ab9108002b27b3d9") + struct.pack("<I", 48)
    return head + section + struct.pack("<II", len(body) + 8, 2) + body


_AUTHOR = {"\x05SummaryInformation": _summary(b"InAuthor")}


def old_letter() -> Made:
    """Word 97 (MS-DOC): one piece of text in one byte a letter."""
    text = b"InBody\rInCell\x07\x07"
    main = bytearray(0x0400)
    struct.pack_into("<HH", main, 0, 0xA5EC, 0x00C1)
    pieces = struct.pack("<IIHIH", 0, len(text), 0, 0x40000000 | (len(main) * 2), 0)
    table = b"\x02" + struct.pack("<I", len(pieces)) + pieces
    struct.pack_into("<II", main, 0x01A2, 0, len(table))
    data = compound({"WordDocument": bytes(main) + text, "0Table": table, **_AUTHOR})
    return Made(data, ("InBody", "InCell", "InAuthor"), "application/msword")


def old_slides() -> Made:
    def record(kind: int, body: bytes, version: int = 0) -> bytes:
        return struct.pack("<HHI", version, kind, len(body)) + body

    inner = record(0x0FA0, "InTitle".encode("utf-16-le")) + record(0x0FA8, b"InText")
    data = compound({"PowerPoint Document": record(0x03EE, inner, 0x0F), "Current User": bytes(40), **_AUTHOR})
    return Made(data, ("InTitle", "InText", "InAuthor"), "application/vnd.ms-powerpoint")


def old_workbook() -> Made:
    """Excel 97 (MS-XLS): a visible and a hidden sheet with a text cell each."""

    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    def cells(word: bytes) -> bytes:
        label = struct.pack("<HHHHB", 0, 0, 0, len(word), 0) + word
        return (
            record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
            + record(0x0204, label)
            + record(0x0A, b"")
        )

    sheets = [(b"InSheetName", 0, cells(b"InCell")), (b"hidden", 1, cells(b"InHiddenSheet"))]
    begin = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0)) + record(0x42, struct.pack("<H", 1200))
    place = len(begin) + sum(4 + 8 + len(name) for name, _, _ in sheets) + 4
    listed = b""
    for name, state, content in sheets:
        listed += record(0x85, struct.pack("<IBBBB", place, state, 0, len(name), 0) + name)
        place += len(content)
    stream = begin + listed + record(0x0A, b"") + b"".join(content for _, _, content in sheets)
    data = compound({"Workbook": stream.ljust(4096, b"\0"), **_AUTHOR})
    return Made(data, ("InSheetName", "InCell", "InHiddenSheet", "InAuthor"), "application/vnd.ms-excel")


def outlook(kind: str = "IPM.Note") -> Made:
    """A .msg or .oft (MS-OXMSG) with a recipient and a file."""

    def text(identifier: str, value: str) -> dict[str, bytes]:
        return {f"__substg1.0_{identifier}001F": value.encode("utf-16-le")}

    def below(storage: str, streams: Mapping[str, bytes]) -> dict[str, bytes]:
        return {f"{storage}/{name}": data for name, data in streams.items()}

    def properties(head: int, *numbers: tuple[int, int]) -> dict[str, bytes]:
        rows = b"".join(struct.pack("<IIII", tag, 6, value, 0) for tag, value in numbers)
        return {"__properties_version1.0": bytes(head) + rows}

    recipient = properties(8, (0x0C150003, 1)) | text("3001", "InRecipient") | text("39FE", "pat@x.example")
    file = properties(8, (0x37050003, 1)) | text("3707", "InFileName.txt") | {"__substg1.0_37010102": b"InFile"}
    streams = {
        **properties(32),
        **text("001A", kind), **text("0037", "InSubject"), **text("1000", "InBody"), **text("0C1A", "InSender"),
        **text("5D01", "jo@x.example"),
        **below("__recip_version1.0_#00000000", recipient),
        **below("__attach_version1.0_#00000000", file),
    }  # fmt: skip
    words = ("InSubject", "InBody", "InRecipient", "InSender", "InFileName", "InFile")
    return Made(compound(streams), words, "application/vnd.ms-outlook")


def _attribute(identifier: int, value: bytes, level: int = 1) -> bytes:
    return struct.pack("<BII", level, identifier, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def winmail() -> Made:
    data = struct.pack("<IH", 0x223E9F78, 1) + b"".join(
        (
            _attribute(0x0002800C, b"InBody\0"),
            _attribute(0x00069002, bytes(14), 2),
            _attribute(0x00018010, b"InFileName.txt\0", 2),
            _attribute(0x0006800F, b"InFile", 2),
        )
    )
    return Made(data, ("InBody", "InFileName", "InFile"), "application/ms-tnef")


# --- PDF --------------------------------------------------------------------------------------------------------------


def page() -> Made:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.setAuthor("InAuthor")
    canvas.drawString(72, 700, "InText")
    canvas.acroForm.textfield(name="InFieldName", value="InFieldValue", x=72, y=600)
    canvas.showPage()
    canvas.save()
    writer = PdfWriter(clone_from=PdfReader(buffer))
    note = Text(text="InNote", rect=(50, 550, 200, 650))
    note[NameObject("/T")] = TextStringObject("InNoteAuthor")
    writer.add_annotation(0, note)
    writer.add_attachment("a.txt", b"InAttachment")

    def stream(data: bytes) -> StreamObject:
        made = StreamObject()
        made._data = data
        return made

    held = DictionaryObject({NameObject("/F"): writer._add_object(stream(b"InPinnedFile"))})
    file = DictionaryObject({NameObject("/F"): TextStringObject("InPinnedName.txt"), NameObject("/EF"): held})
    pin = {"/Type": NameObject("/Annot"), "/Subtype": NameObject("/FileAttachment"), "/FS": file}
    pinned = DictionaryObject({NameObject(key): value for key, value in pin.items()})
    pinned[NameObject("/Rect")] = ArrayObject([FloatObject(1)] * 4)
    writer.add_annotation(0, pinned)
    answers = (
        b'<d xmlns:xfa="http://www.xfa.org/schema/xfa-data/1.0/"><xfa:datasets><n>InXfaAnswer</n></xfa:datasets></d>'
    )
    form = writer._root_object["/AcroForm"].get_object()
    form[NameObject("/XFA")] = writer._add_object(stream(answers))  # type: ignore[index]
    result = io.BytesIO()
    writer.write(result)
    words = ("InAuthor", "InText", "InFieldName", "InFieldValue", "InNote", "InNoteAuthor", "InAttachment", "InPinnedFile",
             "InPinnedName", "InXfaAnswer")  # fmt: skip
    return Made(result.getvalue(), words, "application/pdf")


# --- texts --------------------------------------------------------------------------------------------------------------

_RTF = (
    rb"{\rtf1\ansi{\info{\author InAuthor}{\doccomm InPropertyComments}}{\header InHeader\par}{\footer InFooter\par}InBody"
    rb"{\footnote InNote}{\*\atnauthor InNoteAuthor}{\*\annotation InComment}{\deleted InDeleted}{\v InHidden}"
    rb"{\field{\*\fldinst PAGE}{\fldrslt InField}}"
    rb"{\shp{\*\shpinst{\shptxt InShape\par}}}{\upr{x}{\*\ud{InUnicode}}}\trowd InCell\cell\row{\*\docvar {n}{InVariable}}}"
)
_HTML = (
    b"<html><head><title>InTitle</title></head><body>InBody<img alt='InAltText'><input value='InFilledIn'>"
    b"<textarea>InArea</textarea><table><tr><td>InCell</td></tr></table><div style='display:none'>InHidden</div>"
    b"<select><option>InOption</option></select></body></html>"
)
_ICS = (
    b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:InSummary\r\nDESCRIPTION:InDes\r\n cription\r\nLOCATION:InLocation\r\n"
    b'ATTENDEE;CN="InAttendee":mailto:a@b.example\r\nATTACH;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=a.txt:'
    + base64.b64encode(b"InAttachedFile")
    + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
_VCF = (
    b"BEGIN:VCARD\r\nVERSION:2.1\r\nFN:InName\r\nADR;HOME:;;InAddress;x\r\nNOTE;ENCODING=QUOTED-PRINTABLE:=49nQuo=\r\nted\r\nTEL:InNumber\r\n"
    b"END:VCARD\r\n"
)


def _found(data: bytes) -> tuple[str, ...]:
    return tuple(dict.fromkeys(re.findall(r"\bIn[A-Z]\w+", data.decode("latin-1"))))


# --- mails and archives ---------------------------------------------------------------------------------------------------


def message() -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "InSubject", "InSender <a@b.example>", "InRecipient <c@d.example>"
    mail["Date"], mail["Message-ID"] = "Mon, 07 Sep 2026 10:12:00 +0100", "<1@b.example>"
    mail.set_content("InBody")
    mail.add_attachment(zipped({"InEntryName.txt": "InEntry"}), "application", "zip", filename="InFileName.zip")
    return mail


_MAIL_WORDS = ("InSubject", "InBody", "InSender", "InRecipient", "InEntryName", "InEntry", "InFileName")
_TEXT = b"InFile"


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("InName.txt")
        info.size = len(_TEXT)
        archive.addfile(info, io.BytesIO(_TEXT))
    return buffer.getvalue()


def _seven_zip() -> bytes:
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w") as archive:
        archive.writestr(_TEXT, "InName.txt")
    return buffer.getvalue()


def _rar(version: str) -> bytes:
    builder = rars.RarBuilder(version)
    builder.add_bytes(_TEXT, "InName.txt")
    return bytes(builder.to_bytes())


def picture(format_: str) -> bytes:
    """Two pages of words where the format has pages, else one."""
    pages = []
    for words in ("Tamsin Calloway of the choir", "Bryn Calloway of the band"):
        image = Image.new("RGB", (1200, 300), "white")
        ImageDraw.Draw(image).text((40, 100), words, "black", font=ImageFont.load_default(56))
        pages.append(image)
    buffer = io.BytesIO()
    pages[0].save(buffer, format_, **({"save_all": True, "append_images": pages[1:]} if format_ == "TIFF" else {}))
    return buffer.getvalue()


def _texts() -> dict[str, Made]:
    xml = b'<?xml version="1.0"?><CTfile><Pupil UPN="InAttribute"><Surname>InElement</Surname><![CDATA[InCdata]]></Pupil></CTfile>'
    csv_ = b"Name,Born,Form\nInRow,2015,4M\nb,2014,4M\n"
    return {
        "letter.txt": Made("InUtf16 words".encode("utf-16"), ("InUtf16",), "text/plain"),
        "letter.md": Made(b"# InHeading\n\nInText", ("InHeading", "InText"), "text/plain"),
        "list.csv": Made(csv_, ("InRow",), "text/csv"),
        "list.tsv": Made(csv_.replace(b",", b"\t"), ("InRow",), "text/csv"),
        "page.html": Made(_HTML, _found(_HTML), "text/html"),
        "ctf.xml": Made(xml, ("InAttribute", "InElement", "InCdata"), "text/xml"),
        "data.json": Made(b'{"a": ["InValue", "InEsc\\u0061ped"]}', ("InValue", "InEscaped"), "application/json"),
        "card.vcf": Made(_VCF, ("InName", "InAddress", "InQuoted", "InNumber"), "text/vcard"),
        "event.ics": Made(
            _ICS, ("InSummary", "InDescription", "InLocation", "InAttendee", "InAttachedFile"), "text/calendar"
        ),
        "letter.rtf": Made(_RTF, _found(_RTF), "application/rtf"),
        "nothing": Made(b"", (), "application/x-empty"),
    }


def _archives() -> dict[str, Made]:
    named = ("InName", "InFile")
    mail = message().as_bytes()
    mailbox = b"".join(b"From a@b.example Mon Sep  7 10:12:00 2026\n" + mail + b"\n\n" for _ in range(2))
    msg = outlook()
    nested = EmailMessage()
    nested["From"], nested["Subject"] = "a@b.example", "outer"
    nested.set_content("outer")
    nested.add_attachment(msg.data, "application", "vnd.ms-outlook", filename="inner.msg")
    return {
        "mail.eml": Made(mail, _MAIL_WORDS, "message/rfc822"),
        "mails.mbox": Made(mailbox, _MAIL_WORDS, "application/mbox"),
        "mail in zip in mail.eml": Made(zipped({"x.eml": nested.as_bytes()}), msg.words, "application/zip"),
        "files.zip": Made(zipped({"InName.txt": _TEXT}), named, "application/zip"),
        "files.tar": Made(_tar(), named, "application/x-tar"),
        "files.tar.gz": Made(gzip.compress(_tar()), named, "application/gzip"),
        "files.tar.bz2": Made(bz2.compress(_tar()), named, "application/x-bzip2"),
        "files.tar.xz": Made(lzma.compress(_tar()), named, "application/x-xz"),
        "file.gz": Made(gzip.compress(_TEXT), ("InFile",), "application/gzip"),
        "files.7z": Made(_seven_zip(), named, "application/x-7z-compressed"),
        "files 5.rar": Made(_rar("rar50"), named, "application/vnd.rar"),
        "files 4.rar": Made(_rar("rar29"), named, "application/vnd.rar"),
    }


def every_file() -> dict[str, Made]:
    """By file name. Pictures are apart (`PICTURES`): reading them takes a second each."""
    word, sheet = letter(), workbook()
    office = "application/vnd.openxmlformats-officedocument."
    return {
        "letter.docx": word,
        "letter.docm": _retyped(word, f"{office}wordprocessingml.document.main", "application/vnd.ms-word.document.macroEnabled.main"),
        "letter.dotx": _retyped(word, f"{office}wordprocessingml.document", f"{office}wordprocessingml.template"),
        "book.xlsx": sheet,
        "book.xlsm": _retyped(sheet, f"{office}spreadsheetml.sheet.main", "application/vnd.ms-excel.sheet.macroEnabled.main"),
        "slides.pptx": slides(),
        "letter.odt": open_document("text"),
        "book.ods": open_document("spreadsheet"),
        "slides.odp": open_document("presentation"),
        "letter.doc": old_letter(),
        "book.xls": old_workbook(),
        "slides.ppt": old_slides(),
        "mail.msg": outlook(),
        "form.oft": outlook("IPM.Note.Form"),
        "winmail.dat": winmail(),
        "page.pdf": page(),
        **_texts(),
        **_archives(),
    }  # fmt: skip


PICTURES: dict[str, Callable[[], bytes]] = {
    "picture.png": lambda: picture("PNG"),
    "picture.jpeg": lambda: picture("JPEG"),
    "pages.tiff": lambda: picture("TIFF"),
    "picture.webp": lambda: picture("WEBP"),
}
FILES = every_file()
