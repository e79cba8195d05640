"""Office Open XML (ECMA-376): letters, slides and workbooks with everything in them that holds words.

Not only what a page shows: headers, footnotes, comments, text boxes, deleted text that is only marked so, notes under
slides, hidden sheets. python-docx parses the XML; its document API is passed by because it refuses templates and files
with macros and knows none of these places.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from functools import partial
from typing import Any
from xml.etree.ElementTree import ParseError

import openpyxl
from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from docx.oxml import parse_xml
from openpyxl.utils.exceptions import InvalidFileException

from scanner.errors import UnreadablePart
from scanner.extract.archives import lock as zip_lock
from scanner.extract.archives import open_zip, unpack
from scanner.extract.content import Child, Content, Sheets, Trouble
from scanner.extract.limits import Limits
from scanner.extract.normal import clean
from scanner.extract.sniff import DOCX, XLSX
from scanner.model import UNPROTECTED, Protection, Table

# Parts of a package without words of the writer.
_NO_WORDS = re.compile(
    r"(?:^|/)(?:styles|stylesWithEffects|settings|webSettings|fontTable|numbering|presProps|viewProps|tableStyles|theme\d*|calcChain|metadata"
    r"|sharedStrings|printerSettings\d*|workbook|presentation|commentAuthors|authors|people|itemProps\d*|docMetadata|LabelInfo"
    r"|commentsExtended|commentsIds|commentsExtensible|persons?|app|core|thumbnail)\.(?:xml|bin)$|/_rels/|^_rels/|\[Content_Types\]|^customXml/|/theme/"
    r"|/slideLayouts/|/slideMasters/|/notesMasters/|/handoutMasters/|^xl/worksheets/sheet|^xl/persons/|/tags/|/changesInfos/|/revisionInfo"
)
# Parts that are read as XML or hold no words: relationships, previews, fonts, printer settings, programs.
_PACKAGES_OWN = re.compile(
    r"\.(?:xml|rels|vml|emf|wmf|emz|wmz|odttf|fntdata|psmdcp|sigs|key|glb|svg)$|(?:printerSettings|vbaProject|vbaProjectSignature"
    r"|vbaProjectSignatureAgile|vbaProjectSignatureV3|activeX|thumbnail)[^/]{0,40}$|^docProps/",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")
_LOCKS = re.compile(
    rb"<(?:\w{1,20}:)?(sheetProtection|workbookProtection|fileSharing|documentProtection|writeProtection|modifyVerifier)\b([^>]{0,4000})>"
)
_ATTRIBUTE = re.compile(rb"([\w:]{1,60})\s*=\s*[\"']([^\"']{0,2000})[\"']")
# lxml's own errors come as SyntaxError (XMLSyntaxError) without importing it here.
_XML_ERRORS = (SyntaxError, ParseError, DefusedXmlException, ValueError, LookupError, TypeError)
_WORKBOOK_ERRORS = (
    *_XML_ERRORS,
    KeyError,
    AttributeError,
    zipfile.BadZipFile,
    OSError,
    InvalidFileException,
    EOFError,
    ArithmeticError,
)
_MAX_XML_DEPTH = 256
_STRICT = b"http://purl.oclc.org/ooxml/"
_NAMESPACES = (
    (_STRICT + b"spreadsheetml/main", b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"),
    (_STRICT + b"officeDocument/relationships", b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"),
    (_STRICT + b"drawingml/main", b"http://schemas.openxmlformats.org/drawingml/2006/main"),
)


def lock(data: bytes, kind: str) -> Protection:
    """Sheet, structure and editing protection. None of them encrypts: the package stays a readable zip."""
    try:
        with open_zip(data) as package:
            return _lock(package, kind, Limits())
    except UnreadablePart as error:
        return Protection("unknown", "Office package, cannot be read", False, (error.detail,))


def _lock(package: zipfile.ZipFile, kind: str, limits: Limits) -> Protection:
    if kind == XLSX:
        places = [name for name in package.NameToInfo if name == "xl/workbook.xml" or name.startswith("xl/worksheets/")]
    else:
        places = [name for name in ("word/settings.xml", "ppt/presentation.xml") if name in package.NameToInfo]
    found: list[str] = []
    for name in places[: limits.max_parts]:
        if name.endswith(".xml"):
            for match in _LOCKS.finditer(unpack(package, package.NameToInfo[name], limits)):
                attributes = {key.rpartition(b":")[2]: value for key, value in _ATTRIBUTE.findall(match.group(2))}
                if _locks_something(match.group(1), attributes):
                    found.append(_LOCK_NAMES[match.group(1)])
    if not found:
        return UNPROTECTED
    return Protection(
        "weak", " and ".join(dict.fromkeys(found)), True, ("nothing is encrypted", "every program can read it")
    )


_LOCK_NAMES = {
    b"sheetProtection": "sheet protection",
    b"workbookProtection": "workbook structure protection",
    b"fileSharing": "write reservation",
    b"documentProtection": "editing protection",
    b"writeProtection": "write reservation",
    b"modifyVerifier": "write reservation",
}


def _locks_something(element: bytes, attributes: dict[bytes, bytes]) -> bool:
    """openpyxl and others write these elements empty; only a switched-on one locks (ECMA-376 part 1, 18.2.29, 18.3.1.85)."""
    on = {key for key, value in attributes.items() if value in (b"1", b"true", b"on")}
    if element == b"sheetProtection":
        return b"sheet" in on
    if element == b"workbookProtection":
        return bool(on & {b"lockStructure", b"lockWindows", b"lockRevision"})
    if element == b"documentProtection":
        return b"enforcement" in on
    return bool(attributes.keys() & {b"reservationPassword", b"hashValue", b"hash", b"hashData"})


# --- the words of an XML part ---------------------------------------------------------------------------------------


class _Flow:
    """Text and tables of WordprocessingML or DrawingML parts, in document order. The two share their local names."""

    def __init__(self, limits: Limits) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._limits = limits
        self.tables: list[Table] = []

    def add(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self._length += len(text)

    @property
    def is_full(self) -> bool:
        return self._length > self._limits.max_text_chars

    def text(self) -> str:
        return "".join(self._pieces)

    def part(self, xml: bytes) -> None:
        try:
            root = parse_xml(xml)
        except _XML_ERRORS as error:
            raise UnreadablePart("corrupt", f"XML part: {type(error).__name__}") from None
        self.blocks(root, 0)

    def blocks(self, element: Any, depth: int) -> None:
        """Paragraphs and tables below an element."""
        for child in element:
            if self.is_full or depth > _MAX_XML_DEPTH:
                return
            name = _local(child)
            if name == "p":
                self.add(clean("".join(_words(child))).rstrip(" ") + "\n")
            elif name == "tbl":
                self.table(child)
            elif name in ("text", "v", "t", "Text") and child.text and not len(child):
                # Comments of slides and sheets, values of charts: text without a paragraph.
                self.add(clean(child.text).strip() + "\n")
            elif name == "Fallback":
                continue  # says again what Choice has said
            else:
                self.blocks(child, depth + 1)

    def table(self, element: Any) -> None:
        rows: list[tuple[tuple[int, int], ...]] = []
        for row in element.iter("{*}tr"):
            # A table within a cell is read as that cell's text, not as rows of this one.
            if next(row.iterancestors("{*}tbl"), None) is not element:
                continue
            spans = []
            for number, cell in enumerate(child for child in _through_wrappers(row) if _local(child) == "tc"):
                if number:
                    self.add("\t")
                start = self._length
                self.add(" ".join(clean("".join(_words(cell, between=" "))).split()))
                spans.append((start, self._length))
            self.add("\n")
            if spans:
                rows.append(tuple(spans))
        if rows:
            self.tables.append(Table(tuple(rows)))


def _local(element: Any) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _through_wrappers(row: Any) -> Iterator[Any]:
    """Cells of a row, also those inside content controls and tracked insertions."""
    for child in row:
        if _local(child) in ("sdt", "sdtContent", "ins", "del", "customXml"):
            yield from _through_wrappers(child)
        else:
            yield child


_BREAKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}


def _words(element: Any, between: str = "\n", depth: int = 0) -> Iterator[str]:
    """Text below a paragraph or cell: runs, breaks, deleted text and text boxes; `between` parts paragraphs."""
    if depth > _MAX_XML_DEPTH:
        return
    for child in element:
        name = _local(child)
        if name in ("t", "delText"):
            if child.text:
                yield child.text
        elif name in _BREAKS:
            yield _BREAKS[name]
        elif name in ("Fallback", "instrText", "pPr", "rPr", "tblPr", "tcPr", "sectPr"):
            continue
        else:
            is_block = name in ("p", "tc", "tr")
            is_box = name == "txbxContent"
            if is_box:
                yield between
            yield from _words(child, between, depth + 1)
            if is_block or is_box:
                yield between


# --- the three kinds of package -------------------------------------------------------------------------------------


def read_document(data: bytes, claimed: str, limits: Limits) -> Content:
    """A letter: the text first, then headers, footers, notes, comments and whatever else holds words."""
    order = ("word/document", "word/header", "word/footer", "word/footnotes", "word/endnotes", "word/comments", "word/")
    return _read_package(data, limits, DOCX, order)


def read_slides(data: bytes, claimed: str, limits: Limits) -> Content:
    """Slides in their numbers' order, then the notes under them, comments, charts and diagrams."""
    return _read_package(data, limits, "", ("ppt/slides/", "ppt/notesSlides/", "ppt/comments/", "ppt/"))


def _read_package(data: bytes, limits: Limits, kind: str, order: tuple[str, ...]) -> Content:
    package = open_zip(data)
    content = Content(protection=_lock(package, kind, limits))
    flow = _Flow(limits)
    budget = limits.max_total_bytes
    names = _with_words(package, order)
    if not names:
        raise UnreadablePart("corrupt", "Office package without content")
    broken = 0
    for name in names:
        info = package.NameToInfo[name]
        budget -= info.file_size
        if budget < 0 or flow.is_full:
            content.missed(Trouble("too_large", "Office package read in part", "part"))
            break
        try:
            flow.part(unpack(package, info, limits))
        except UnreadablePart as error:
            broken += 1
            content.missed(Trouble(error.kind, error.detail, "part"))  # type: ignore[arg-type]
    if broken == len(names):
        raise UnreadablePart("corrupt", "Office package: no part of it can be read")
    content.text, content.tables = flow.text(), tuple(flow.tables)
    content.children = _embedded(package, limits)
    return content


def _with_words(package: zipfile.ZipFile, order: tuple[str, ...]) -> list[str]:
    def place(name: str) -> tuple[int, int, str]:
        number = _NUMBER.search(name.rpartition("/")[2])
        rank = next((index for index, prefix in enumerate(order) if name.startswith(prefix)), len(order))
        return rank, int(number.group()[:9]) if number else 0, name

    return sorted(
        (name for name in package.NameToInfo if name.endswith(".xml") and not _NO_WORDS.search(name)), key=place
    )


def _embedded(package: zipfile.ZipFile, limits: Limits) -> Iterator[Child]:
    """Files, pictures and imported texts inside the package: all of it that is neither the package's own XML nor known to
    hold no words. Thumbnails and vector previews repeat what has been read.
    """
    for name, info in package.NameToInfo.items():
        if not info.filename.endswith("/") and not _PACKAGES_OWN.search(name):
            folder = name.partition("/")[2] or name
            yield Child(folder, partial(unpack, package, info, limits), info.file_size, claimed_type="image/embedded")


def read_workbook(data: bytes, claimed: str, limits: Limits) -> Content:
    """All sheets, hidden ones too, as tables of values; then comments, text boxes, headers."""
    package = open_zip(data)
    if sum(info.file_size for info in package.infolist()) > limits.max_total_bytes:
        raise UnreadablePart("too_large", f"workbook unpacks to more than {limits.max_total_bytes} bytes")
    if "xl/workbook.xml" in package.NameToInfo:
        workbook = unpack(package, package.NameToInfo["xl/workbook.xml"], limits)
        if _STRICT in workbook:
            data = _transitional(package, limits)
            package = open_zip(data)
    content = Content(protection=_lock(package, XLSX, limits))
    sheets = Sheets(limits.max_cells, limits.max_text_chars)
    with warnings.catch_warnings():
        # openpyxl warns of what it would lose on saving; nothing is saved here.
        warnings.simplefilter("ignore")
        _add_sheets(data, sheets, content)
    flow = _Flow(limits)
    for name in _with_words(package, ("xl/comments", "xl/threadedComments", "xl/drawings/", "xl/")):
        try:
            flow.part(unpack(package, package.NameToInfo[name], limits))
        except UnreadablePart as error:
            content.missed(Trouble(error.kind, error.detail, "part"))  # type: ignore[arg-type]
    sheets.heading(flow.text())
    if sheets.full:
        content.missed(Trouble("too_large", f"workbook read to {limits.max_cells} cells", "part"))
    content.text, content.tables = sheets.finish()
    content.children = _embedded(package, limits)
    return content


def _transitional(package: zipfile.ZipFile, limits: Limits) -> bytes:
    """The same workbook with the names that openpyxl knows: ISO 29500 strict differs in its namespaces."""
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as rewritten:
        for info in package.infolist():
            content = unpack(package, info, limits) if not info.filename.endswith("/") else b""
            if info.filename.endswith((".xml", ".rels")):
                for strict, usual in _NAMESPACES:
                    content = content.replace(strict, usual)
            rewritten.writestr(info.filename, content)
    return result.getvalue()


def _add_sheets(data: bytes, sheets: Sheets, content: Content) -> None:
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    except _WORKBOOK_ERRORS as error:
        raise UnreadablePart("corrupt", f"workbook: {type(error).__name__}") from None
    try:
        if not book.worksheets:
            raise UnreadablePart("unsupported", "workbook without readable sheets")
        for sheet in book.worksheets:
            sheet.reset_dimensions()
            sheets.heading(clean(sheet.title))
            try:
                sheets.add(_rows(sheet.iter_rows(values_only=True)), clean(sheet.title), sheet.sheet_state != "visible")
            except _WORKBOOK_ERRORS as error:
                content.missed(Trouble("corrupt", f"sheet: {type(error).__name__}", "part"))
    finally:
        book.close()


def _rows(values: Iterable[tuple[object, ...]]) -> Iterator[list[str]]:
    for row in values:
        cells = ["" if value is None else _shown(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield cells


def _shown(value: object) -> str:
    """A cell as a reader in the United Kingdom sees it; how it is formatted there does not matter to what it says."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, datetime):
        return value.strftime("%d/%m/%Y" if value.time() == time.min else "%d/%m/%Y %H:%M")
    if isinstance(value, date):
        return value.strftime("%d/%m/%Y")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


# --- OpenDocument ---------------------------------------------------------------------------------------------------

# content.xml holds the text, styles.xml the headers and footers (OpenDocument 1.2 part 1).
_ODF_WORDS = ("content.xml", "styles.xml")
_ODF_BREAKS = {"tab": "\t", "line-break": "\n", "s": " "}


def read_open_document(data: bytes, claimed: str, limits: Limits) -> Content:
    """Text, spreadsheet or presentation of LibreOffice and its kin; locked ones are `encrypted`."""
    package = open_zip(data)
    protection = zip_lock(data)
    content = Content(protection=protection)
    if not protection.readable_without_password:
        content.missed(Trouble("encrypted", protection.mechanism))
        return content
    pieces: list[str] = []
    names = [name for name in package.NameToInfo if name.rpartition("/")[2] in _ODF_WORDS]
    if not names:
        raise UnreadablePart("corrupt", "OpenDocument without content")
    for name in sorted(names):
        try:
            root = parse_xml(unpack(package, package.NameToInfo[name], limits))
        except _XML_ERRORS as error:
            raise UnreadablePart("corrupt", f"XML part: {type(error).__name__}") from None
        pieces.extend(_odf_lines(root))
    content.text = "".join(pieces)
    content.children = (
        Child(name, partial(unpack, package, info, limits), info.file_size, claimed_type="image/embedded")
        for name, info in package.NameToInfo.items()
        if name.startswith("Pictures/") and not info.filename.endswith("/")
    )
    return content


def _odf_lines(root: Any) -> Iterator[str]:
    is_first_cell = False
    for element in root.iter("{*}p", "{*}h", "{*}table-cell", "{*}table-row"):
        name = _local(element)
        if name == "table-row":
            yield "\n"
            is_first_cell = True
        elif name == "table-cell":
            yield "" if is_first_cell else "\t"
            is_first_cell = False
        else:
            yield "".join(_odf_words(element)) + ("" if _local(element.getparent()) == "table-cell" else "\n")


def _odf_words(element: Any, depth: int = 0) -> Iterator[str]:
    if element.text:
        yield element.text
    for child in element:
        name = _local(child)
        if name in _ODF_BREAKS:
            yield _ODF_BREAKS[name]
        elif name not in ("p", "h", "frame", "custom-shape") and depth < _MAX_XML_DEPTH:
            yield from _odf_words(child, depth + 1)
        if child.tail:
            yield child.tail
