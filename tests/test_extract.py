"""Reading: what goes in comes out as parts with the right paths, or as a problem of the right kind."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import docx
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, StreamObject
from reportlab.pdfgen.canvas import Canvas
from ruamel.yaml import YAML

from scanner.extract import EXECUTABLES, Limits, Reading, markup, normalise, open_item, pdf, read
from scanner.extract.mail import addresses, content_type, decode_header, parse_message
from scanner.extract.markup import html_text
from scanner.extract.normal import decode
from scanner.extract.sniff import is_disguised, media_type
from scanner.model import PROBLEMS_THAT_LEAVE_COMPLETE, Address, Blob, Body, Envelope, Part
from scanner.ports import RawItem

EVAL = Path(__file__).resolve().parent.parent.parent / "shared" / "eval"
LIMITS = Limits()


def document(data: bytes, name: str = "", claimed: str = "", limits: Limits = LIMITS) -> Reading:
    return read(Envelope(source="document", kind="document", blobs=(Blob(name, claimed, data),)), limits)


def mail(data: bytes, limits: Limits = LIMITS) -> Reading:
    ((_, envelope),) = list(open_item(RawItem(data, "message/rfc822"), limits))
    return read(envelope, limits)


def part(reading: Reading, path: str) -> Part:
    return next(one for one in reading.parts if one.path == path)


def kinds(reading: Reading) -> list[str]:
    return [problem.kind for problem in reading.problems]


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return buffer.getvalue()


def letter(*paragraphs: str) -> bytes:
    written = docx.Document()
    for text in paragraphs:
        written.add_paragraph(text)
    buffer = io.BytesIO()
    written.save(buffer)
    return buffer.getvalue()


SIMPLE = b"From: Ann Wren <ann@elt.example>\nTo: bob@other.example\nSubject: Trip\nMessage-ID: <1@x>\n\nHello Bob\n"


# --- one item ------------------------------------------------------------------------------------------------------


def test_a_text_that_only_mentions_headers_is_a_document() -> None:
    ((member, envelope),) = list(open_item(RawItem(b"Dear all,\n\nSubject: the trip\nTo: everyone\n", ""), LIMITS))
    assert (member, envelope.source) == ("", "document")


def test_a_file_with_one_from_line_is_one_message() -> None:
    item = RawItem(b"From ann@elt.example Mon Oct  5 10:00:00 2026\n" + SIMPLE + b"\n>From here on it rains.\n", "")
    ((member, envelope),) = list(open_item(item, LIMITS))
    assert member == ""
    assert envelope.subject == "Trip"
    assert envelope.bodies[0].text.endswith("\nFrom here on it rains.\n")


def test_a_mailbox_file_gives_its_messages_one_by_one() -> None:
    one = b"From a@b.example Mon Oct  5 10:00:00 2026\n" + SIMPLE
    found = list(open_item(RawItem(one + b"\n" + one + b"\nFrom the start this is body text\n\n" + one, ""), LIMITS))
    assert [member for member, _ in found] == ["!/1", "!/2", "!/3"]
    assert "this is body text" in found[1][1].bodies[0].text


@pytest.mark.parametrize("line_break", [b"\n", b"\r\n"])
def test_a_mail_gives_subject_body_and_addresses(line_break: bytes) -> None:
    ((_, envelope),) = list(open_item(RawItem(SIMPLE.replace(b"\n", line_break), ""), LIMITS))
    assert envelope.from_ == Address("ann@elt.example", "Ann Wren")
    assert [(one.kind, one.address) for one in envelope.recipients] == [("to", "bob@other.example")]
    assert envelope.internet_id == "<1@x>"
    reading = read(envelope, LIMITS)
    assert [(one.path, one.text.strip()) for one in reading.parts] == [("subject", "Trip"), ("body", "Hello Bob")]
    assert not reading.problems


def test_parts_are_announced_and_a_part_set_aside_is_not_opened() -> None:
    envelope = Envelope(
        source="mime",
        subject="s",
        bodies=(Body("text/plain", "b"),),
        blobs=(Blob("a.txt", "", b"x"), Blob("b.txt", "", b"y")),
    )
    seen: list[str] = []
    reading = read(envelope, LIMITS, seen.append, {"attachment/1/a.txt": "timed_out"})
    assert seen == ["subject", "body", "attachment/2/b.txt"]
    assert [(problem.part, problem.kind, problem.read) for problem in reading.problems] == [
        ("attachment/1/a.txt", "timed_out", "none")
    ]
    assert part(reading, "attachment/1/a.txt").read == "none"
    assert part(reading, "attachment/2/b.txt").text == "y"


def test_a_body_set_aside_is_not_opened() -> None:
    envelope = Envelope(source="mime", subject="s", bodies=(Body("text/plain", "b"),))
    seen: list[str] = []
    reading = read(envelope, LIMITS, seen.append, {"body": "crashed"})
    assert (seen, kinds(reading), part(reading, "body").text) == (["subject"], ["crashed"], "")


# --- MIME ----------------------------------------------------------------------------------------------------------

MIXED = b"""From: ann@elt.example
To: bob@other.example
Subject: =?utf-8?q?R=C3=A9sultats?= =?utf-8?b?IC0gWTEx?=
Content-Type: multipart/mixed; boundary="outer"

--outer
Content-Type: multipart/alternative; boundary=outer-inner

--outer-inner
Content-Type: text/plain; charset=windows-1252
Content-Transfer-Encoding: quoted-printable

Caf=E9
--outer-inner
Content-Type: text/html; charset=utf-8

<p>Caf&eacute;</p><p>only here</p>
--outer-inner--
--outer
Content-Type: text/csv; name*0*=utf-8''M%C3%A4rz; name*1=.csv
Content-Disposition: attachment
Content-Transfer-Encoding: base64

bmFtZSxib3JuLHllYXIKSm8sMjAxNSw2CkFsLDIwMTQsNwo=
--outer
Content-Type: message/rfc822
Content-Disposition: attachment; filename="old.eml"

From: cat@other.example
To: ann@elt.example
Subject: Inner
Content-Type: multipart/mixed; boundary=deep

--deep

Inner words
--deep
Content-Type: text/plain; name=n.txt

note
--deep--
--outer--
"""


def test_paths_count_attachments_and_follow_attached_mails() -> None:
    reading = mail(MIXED)
    assert [one.path for one in reading.parts] == [
        "subject",
        "body",
        "attachment/1/März.csv",
        "attachment/2/old.eml",
        "attachment/2/old.eml/subject",
        "attachment/2/old.eml/body",
        "attachment/2/old.eml/attachment/1/n.txt",
    ]
    assert part(reading, "subject").text == "Résultats - Y11"
    body = part(reading, "body").text
    assert "Café" in body
    assert "only here" in body
    table = part(reading, "attachment/1/März.csv")
    assert [[table.text[a:b] for a, b in row] for row in table.tables[0].rows] == [
        ["name", "born", "year"],
        ["Jo", "2015", "6"],
        ["Al", "2014", "7"],
    ]
    assert {s.owner for s in part(reading, "attachment/2/old.eml/body").segments} == {"forwarded"}
    assert not reading.problems


@pytest.mark.parametrize("line_break", [b"\n", b"\r\n"])
def test_an_attachment_keeps_exactly_its_bytes(line_break: bytes) -> None:
    data = (
        SIMPLE.partition(b"Message-ID")[0]
        + b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: a/b; name=x\n\nabc\n\n--b--\n"
    )
    envelope = parse_message(data.replace(b"\n", line_break), LIMITS)
    assert [blob.data for blob in envelope.blobs] == [b"abc" + line_break]


def test_words_that_only_the_plain_variant_has_are_kept() -> None:
    envelope = Envelope(
        source="mime", bodies=(Body("text/plain", "Hello\nCode AB 12"), Body("text/html", "<p>Hello</p><p>extra</p>"))
    )
    text = part(read(envelope, LIMITS), "body").text
    assert "extra" in text
    assert "Code AB 12" in text
    assert text.count("Hello") == 1


def test_links_that_a_program_wrote_into_the_plain_variant_are_no_extra_words() -> None:
    envelope = Envelope(
        source="mime",
        bodies=(
            Body("text/plain", "See page<https://a.example/x?y=1>\n[cid:img]"),
            Body("text/html", "<p>See page</p><b>now</b>"),
        ),
    )
    assert part(read(envelope, LIMITS), "body").text == "See page\nnow"


def test_a_mail_without_empty_line_keeps_its_text() -> None:
    envelope = parse_message(b"From: a@b.example\nSubject: x\nThis line is no header\nMore\n", LIMITS)
    assert envelope.bodies[0].text.startswith("This line is no header\nMore")


def test_text_before_and_after_the_parts_is_not_lost() -> None:
    data = (
        SIMPLE.replace(b"Message-ID: <1@x>", b"Content-Type: multipart/mixed; boundary=b")
        + b"--b\n\nbody\n--b--\nhidden words\n"
    )
    reading = mail(data)
    assert any("hidden words" in one.text for one in reading.parts)


def test_a_boundary_that_never_comes_leaves_the_text() -> None:
    data = SIMPLE.replace(b"Message-ID: <1@x>", b"Content-Type: multipart/mixed; boundary=zzz")
    assert part(mail(data), "body").text.strip() == "Hello Bob"


def test_a_signed_mail_is_read_and_its_signature_is_a_part() -> None:
    data = SIMPLE.replace(b"Message-ID: <1@x>", b"Content-Type: multipart/signed; boundary=b") + (
        b"--b\n\nsigned words\n--b\nContent-Type: application/pgp-signature; name=s.asc\n\n-----BEGIN PGP SIGNATURE-----\n\nxx\n--b--\n"
    )
    reading = mail(data)
    assert part(reading, "body").text.strip() == "signed words"
    assert part(reading, "attachment/1/s.asc").protection.grade == "signed"
    assert not reading.problems


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("=?bogus?q?a=20b?=", "a b"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?= b", "a b"),
        ("=?utf-8?b?broken", "=?utf-8?b?broken"),
        ("folded\n value", "folded value"),
    ],
)
def test_header_decoding(value: str, expected: str) -> None:
    assert decode_header(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("undisclosed-recipients:;", []),
        ("no address here", []),
        ("Bob@X.Example", [("bob@x.example", "")]),
        ('"Smith, Jo" <jo@x.example>, al@x.example', [("jo@x.example", "Smith, Jo"), ("al@x.example", "")]),
        ("jo@x.example (Jo Smith)", [("jo@x.example", "Jo Smith")]),
        ("Team: a@x.example, B <b@x.example>;", [("a@x.example", ""), ("b@x.example", "B")]),
        ("=?utf-8?q?Se=C3=A1n?= <s@x.example>", [("s@x.example", "Seán")]),
    ],
)
def test_address_headers(value: str, expected: list[tuple[str, str]]) -> None:
    assert [(one.address, one.name) for one in addresses(value)] == expected


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ('attachment; filename="a;b.txt"', "a;b.txt"),
        ("attachment; filename=My File.doc", "My File.doc"),
        ("attachment; filename*=utf-8''%e2%82%ac.txt", "€.txt"),
        ("attachment; filename*0=one; filename*1=two.txt", "onetwo.txt"),
        (r'attachment; filename="a\"b.txt"', 'a"b.txt'),
    ],
)
def test_file_names(value: str, name: str) -> None:
    assert content_type(value)[1]["filename"] == name


# --- text ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("NO<b>W</b> here", "NOW here"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<table><tr><td>a</td><td><p>b</p></td></tr><tr><td></td><td>d</td></tr></table>", "a\tb\n\td"),
        ("<style>p{}</style><script>x()</script>seen<span style='display:none'> hidden</span>", "seen hidden"),
        ("a&nbsp;&amp;&#8211;&lt;b", "a &-<b"),
        ("<blockquote type=cite>old</blockquote>new", "> old\n\nnew"),
        ("<blockquote style='margin:0 0 0 40px'>indented</blockquote>", "indented"),
        ("<img src=x alt='Class 4M'> list", "Class 4M list"),
    ],
)
def test_html_to_text(source: str, text: str) -> None:
    assert html_text(source) == text


def test_deeply_nested_html_is_read_all_the_same() -> None:
    assert html_text("<div><table>" * 50_000 + "word &amp; more<script>no</script>") == "word & more"


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        (b"caf\xc3\xa9", "us-ascii", "café"),
        (b"caf\xe9", "utf-8", "café"),
        (b"caf\xe9", "no-such-charset", "café"),
        (b"\xef\xbb\xbfx", "", "x"),
        ("né".encode("utf-16"), "", "né"),
        ("plain wide text".encode("utf-16-le"), "", "plain wide text"),
        (b"a\x93b\x94", "iso-8859-1", "a\u201cb\u201d"),
        (b"+ADw-", "utf-7", "<"),
        (b"abc", "unicode_escape", "abc"),
    ],
)
def test_bytes_to_text(data: bytes, charset: str, text: str) -> None:
    assert decode(data, charset) == text


def test_normalising_leaves_plain_text_alone() -> None:
    found = normalise("plain text, nothing - to do")
    assert found.text == "plain text, nothing - to do"
    assert found.original(6, 10) == (6, 10)


def test_normalising_and_the_way_back() -> None:
    source = "A\u00adB\u00a012\u202f34 \u2013 o\ufb03ce\r\nx\u200b"
    found = normalise(source)
    assert found.text == "AB 12 34 - office\nx"
    start = found.text.index("12 34")
    assert source[slice(*found.original(start, start + 5))] == "12\u202f34"
    start = found.text.index("office")
    assert source[slice(*found.original(start, start + 6))] == "o\ufb03ce"


@given(st.text(alphabet=st.sampled_from("ab1 \r\n\u00a0\u2013\u00ad\u200b\ufb01é\x00")), st.data())
def test_offsets_of_normalised_text_point_at_the_same_characters(source: str, data: st.DataObject) -> None:
    found = normalise(source)
    if found.text:
        start = data.draw(st.integers(0, len(found.text) - 1))
        first, last = found.original(start, start + 1)
        assert 0 <= first < last <= len(source)
        assert found.text[start] in normalise(source[first:last]).text
    first, last = found.original(0, len(found.text))
    assert normalise(source[first:last]).text == found.text


# --- documents -----------------------------------------------------------------------------------------------------


def test_a_letter_with_tables_headers_and_hidden_places() -> None:
    written = docx.Document()
    written.sections[0].header.paragraphs[0].text = "In the header"
    written.add_paragraph("First\tline")
    table = written.add_table(rows=2, cols=2)
    for (row, column), text in {(0, 0): "Name", (0, 1): "Born", (1, 0): "Jo\u00a0Finch", (1, 1): "2015"}.items():
        table.cell(row, column).text = text
    written.add_paragraph("After the table")
    buffer = io.BytesIO()
    written.save(buffer)
    found = document(buffer.getvalue()).parts[0]
    assert found.text.index("First\tline") < found.text.index("Name\tBorn") < found.text.index("After the table")
    assert "In the header" in found.text
    assert [[found.text[a:b] for a, b in row] for row in found.tables[0].rows] == [
        ["Name", "Born"],
        ["Jo Finch", "2015"],
    ]


def test_a_workbook_with_a_hidden_sheet() -> None:
    book = openpyxl.Workbook()
    book.active.append(["Name", "Number"])
    book.active.append(["Jo", 4857773456.0])
    hidden = book.create_sheet("Kept back")
    hidden.append(["secret", None, "cell"])
    hidden.sheet_state = "hidden"
    buffer = io.BytesIO()
    book.save(buffer)
    found = document(buffer.getvalue()).parts[0]
    assert "Jo\t4857773456\n" in found.text
    assert [(table.name, table.hidden) for table in found.tables] == [("Sheet", False), ("Kept back", True)]
    assert [found.text[a:b] for a, b in found.tables[1].rows[0]] == ["secret", "", "cell"]
    assert found.protection.grade == "none"


def test_who_wrote_a_pdf_is_a_part_of_its_own() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.setAuthor("Ann Wren")
    canvas.setTitle("Review of Jo Birch.docx")
    canvas.drawString(72, 700, "Words of the plan")
    canvas.save()
    parts = {part.path: part.text for part in document(buffer.getvalue()).parts}
    assert parts["document/properties"] == "Author: Ann Wren\nTitle: Review of Jo Birch.docx"
    assert "Ann Wren" not in parts["document"]


def test_a_pdf_with_text_and_one_that_is_only_a_picture(pdf_with: Callable[..., bytes]) -> None:
    assert (
        "Annual review of the reading scheme" in document(pdf_with("Annual review of the reading scheme")).parts[0].text
    )
    off = document(pdf_with("", picture=True), limits=Limits(ocr_pages=0))
    assert [(problem.kind, problem.read) for problem in off.problems] == [("skipped", "none")]
    on = document(pdf_with("", picture=True))
    assert [one.path for one in on.parts] == ["document", "document/page 1"]  # the page is a part of its own
    assert not on.problems
    assert not document(pdf_with("")).problems  # an empty page hides nothing


@pytest.fixture
def pdf_with() -> Callable[..., bytes]:
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    def build(text: str, picture: bool = False) -> bytes:
        buffer = io.BytesIO()
        canvas = Canvas(buffer)
        canvas.drawString(72, 700, text)
        if picture:
            canvas.drawImage(ImageReader(Image.new("L", (900, 1200), 200)), 0, 0, 500, 700)
        canvas.save()
        return buffer.getvalue()

    return build


@pytest.mark.parametrize(("kept", "read"), [(0.0, "none"), (0.9, "part")])
def test_a_damaged_page_of_a_pdf_is_said(kept: float, read: str) -> None:
    """PDFium leaves out what it cannot unpack and says nothing of it."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pageCompression=1)
    for line in range(60):
        canvas.drawString(72, 750 - 12 * line, f"Line {line * 7919 % 1000} of the plan")
    canvas.save()
    whole = buffer.getvalue()
    assert not document(whole).problems
    start, end = whole.index(b"stream") + 7, whole.index(b"endstream")
    # Reportlab writes ASCII85; any of its letters in another one's place is damage to what lies beneath.
    spoilt = bytearray(whole)
    at = start + 4 + int((end - start - 20) * kept)
    spoilt[at] = ord("A") if spoilt[at] != ord("A") else ord("B")
    reading = document(bytes(spoilt))
    assert [(one.kind, one.read) for one in reading.problems] == [("corrupt", read)]
    assert reading.parts[0].read == read


def _with_drawings(page: bytes, *drawings: tuple[str, bytes], among_themselves: bool = False) -> bytes:
    """The page with form XObjects that it need not show, each a filter and its data; each may hold all of them."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(page)))
    forms = []
    for name, data in drawings:
        form = StreamObject()
        form._data = data
        form[NameObject("/Subtype")] = NameObject("/Form")
        if name:
            form[NameObject("/Filter")] = NameObject(name)
        forms.append((writer._add_object(form), form))
    listed = DictionaryObject({NameObject(f"/X{number}"): reference for number, (reference, _) in enumerate(forms)})
    resources = DictionaryObject({NameObject("/XObject"): listed})
    for _, form in forms if among_themselves else ():
        form[NameObject("/Resources")] = resources
    for one in writer.pages:
        one["/Resources"][NameObject("/XObject")] = listed  # type: ignore[index]
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "spoilt", [("/ASCIIHexDecode", b"ZZZZZ>"), ("/ASCII85Decode", b"\xff\xfe~"), ("/FlateDecode", b"no")]
)
def test_a_spoilt_drawing_takes_no_words_from_its_page(
    pdf_with: Callable[..., bytes], spoilt: tuple[str, bytes]
) -> None:
    words = "NHS number of Tom Baker is 943 476 5919"
    reading = document(_with_drawings(pdf_with(words), spoilt))
    assert words in reading.parts[0].text
    assert [(one.kind, one.read) for one in reading.problems] == [("corrupt", "part")]
    assert not document(_with_drawings(pdf_with(words), ("", b"q Q"))).problems


def test_drawings_that_hold_one_another_are_each_looked_at_once(
    pdf_with: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    unpacks = pdf._Wholeness._unpacks
    monkeypatch.setattr(pdf._Wholeness, "_unpacks", lambda self, one: looked.append(1) or unpacks(self, one))
    packed = zlib.compress(b"q Q")
    data = _with_drawings(pdf_with("words of the plan"), *[("/FlateDecode", packed)] * 12, among_themselves=True)
    assert not document(data).problems
    assert len(looked) == 12 + 1  # and what the page itself says
    monkeypatch.setattr(pdf, "_MOST_CHECKED", 300_000)
    bombs = [("/FlateDecode", zlib.compress(bytes(200_000)))] * 3
    reading = document(_with_drawings(pdf_with("words of the plan"), *bombs))
    assert "words of the plan" in reading.parts[0].text
    assert [(one.kind, one.read) for one in reading.problems] == [("budget", "part")]


@pytest.mark.parametrize("tag", ["input", "img"])
def test_of_a_field_or_picture_only_its_own_tag_is_searched(tag: str) -> None:
    """From each tag to the end of the next thousands of characters would take seconds for a megabyte of them."""
    own = {"input": "value", "img": "alt"}[tag]
    assert html_text(f"<p>a <{tag} class=x {own}='Bryn Calloway'> b") == "a Bryn Calloway b"
    expression = {"input": markup._FILLED_IN, "img": markup._IMAGE_TEXT}[tag]
    assert expression.search(f"<{tag} class=x <{tag} {own}=") is not None
    assert expression.search(f"<{tag} class=x <b {own}=") is None


def test_an_odd_pivot_table_keeps_no_cell_from_being_read() -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["Bryn Calloway", "12/09/2017"])
    buffer = io.BytesIO()
    book.save(buffer)
    names = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    shared = '<cacheField name="Who"><sharedItems><s v="Ava Reid"/></sharedItems></cacheField>'
    rows = f'<r><x v="{"9" * 5_000}"/></r><r><x v="0"/></r>'
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(
            "xl/pivotCache/pivotCacheDefinition1.xml",
            f"<pivotCacheDefinition {names}><cacheFields>{shared}</cacheFields></pivotCacheDefinition>",
        )
        archive.writestr(
            "xl/pivotCache/pivotCacheRecords1.xml", f"<pivotCacheRecords {names}>{rows}</pivotCacheRecords>"
        )
    reading = document(buffer.getvalue())
    assert "Bryn Calloway" in reading.parts[0].text
    assert "Ava Reid" in reading.parts[0].text
    assert not reading.problems


def test_a_pdf_whose_stream_lacks_its_checksum_is_whole() -> None:
    """Some programs write it so; nothing that anybody wrote is missing."""
    stream = zlib.compress(b"BT /F1 12 Tf 72 700 Td (Words of the plan) Tj ET")[:-4]
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    data, table = b"%PDF-1.4\n", b"xref\n0 5\n0000000000 65535 f \n"
    for number, one in enumerate(objects, 1):
        table += b"%010d 00000 n \n" % len(data)
        data += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    trailer = b"trailer << /Root 1 0 R /Size 5 >>\n"
    reading = document(data + table + trailer + b"startxref\n%d\n%%%%EOF\n" % len(data))
    assert "Words of the plan" in reading.parts[0].text
    assert not reading.problems
    # Without its end the one engine refuses it; what the other one makes out is read, and the damage is said.
    cut = document(data + trailer)
    assert "Words of the plan" in cut.parts[0].text
    assert [(one.kind, one.read) for one in cut.problems] == [("corrupt", "part")]


@pytest.mark.parametrize("reached", [1, 2])
def test_what_holds_more_than_was_opened_is_not_wholly_read(reached: int) -> None:
    nested = zipped(a__txt=b"words")
    for _ in range(4):
        nested = zipped(in__zip=nested)
    reading = document(nested, limits=Limits(max_depth=reached))
    assert [(one.kind, one.part.count("/")) for one in reading.problems] == [("too_deep", reached)]
    assert [one.read for one in reading.parts] == ["all"] * reached + ["part"]
    many = document(zipped(a__txt=b"a", b__txt=b"b", c__txt=b"c"), limits=Limits(max_parts=1 + reached))
    assert [one.read for one in many.parts] == ["part"] + ["all"] * reached


def test_rich_text() -> None:
    source = rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\*\generator x;}{\b Caf\'e9}\par one\tab two \u8364?\line{\pict 00ff}end}"
    assert document(source).parts[0].text == "Café\none\ttwo €\nend"


def test_archives_open_into_parts_and_twins_keep_their_own_paths() -> None:
    inner = zipped(note__txt=b"inner words")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/list.csv", b"name,born,class\nJo,2015,4M\nAl,2014,4M\n")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a/list.csv", b"other")
        archive.writestr("in.zip", inner)
    reading = document(buffer.getvalue())
    assert [one.path for one in reading.parts] == [
        "document",
        "document/a/list.csv",
        "document/a/list.csv~2",
        "document/in.zip",
        "document/in.zip/note.txt",
    ]
    assert part(reading, "document").text == "a/list.csv\na/list.csv\nin.zip"
    assert part(reading, "document/in.zip/note.txt").depth == 2


def test_tar_and_gzip() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("../../note.txt")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"words"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    reading = document(gzip.compress(buffer.getvalue()))
    assert [one.text for one in reading.parts if one.media_type == "text/plain"] == ["words"]
    assert not reading.problems


def test_an_empty_file_is_read() -> None:
    reading = document(b"")
    assert (reading.parts[0].read, reading.parts[0].media_type, reading.problems) == ("all", "application/x-empty", ())


# --- what cannot be read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (letter("x")[:4000], "corrupt"),
        (zipped(a__txt=b"x" * 5000)[:80], "corrupt"),
        (b"%PDF-1.4\n1 0 obj\n<< /Type /Cat", "corrupt"),
        (bytes(range(256)) * 20, "unsupported"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(60), "corrupt"),
        (b"<?xml version='1.0'?><a><b></a>", "corrupt"),
        (b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "corrupt"),
    ],
)
def test_unreadable_files_are_problems_and_the_rest_is_read(data: bytes, kind: str) -> None:
    reading = read(Envelope(source="mime", blobs=(Blob("a.bin", "", data), Blob("b.txt", "", b"fine"))), LIMITS)
    assert kinds(reading) == [kind]
    assert reading.problems[0].part == "attachment/1/a.bin"
    assert part(reading, "attachment/2/b.txt").text == "fine"


def png(width: int, height: int, size: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes(size)


@pytest.mark.parametrize(
    ("data", "inline", "kind"),
    [
        (png(1, 1, 50), False, "skipped"),
        (png(90, 40, 50_000), True, "skipped"),
        (png(1200, 900, 50_000), True, "corrupt"),  # a header with noise behind it is no picture
        (png(1200, 1600, 200_000), False, "corrupt"),
        (b"ID3" + bytes(400), False, "skipped"),
        (b"ID3" + bytes(40_000), False, "unsupported"),
    ],
)
def test_pictures_and_recordings_are_skipped_only_when_they_can_hold_nothing(
    data: bytes, inline: bool, kind: str
) -> None:
    reading = read(Envelope(source="mime", blobs=(Blob("x", "", data, inline=inline),)), LIMITS)
    assert kinds(reading) == [kind]


def test_limits_of_depth_parts_size_and_text() -> None:
    nest = b"core"
    for _ in range(30):
        nest = zipped(x__zip=nest) if nest != b"core" else zipped(x__txt=nest)
    assert kinds(document(nest)) == ["too_deep"]

    many = zipped(**{f"f{number}__txt": b"x" for number in range(20)})
    reading = document(many, limits=Limits(max_parts=10))
    assert kinds(reading) == ["too_many_parts"]
    assert len(reading.parts) == 10

    reading = document(zipped(big__txt=b"0" * 100_000, small__txt=b"read"), limits=Limits(max_part_bytes=50_000))
    assert [(problem.part, problem.kind) for problem in reading.problems] == [("document/big.txt", "too_large")]
    assert part(reading, "document/small.txt").text == "read"

    reading = document(zipped(a__txt=b"0" * 40_000, b__txt=b"0" * 40_000), limits=Limits(max_total_bytes=60_000))
    assert kinds(reading) == ["too_large"]

    reading = document(b"word " * 1000, limits=Limits(max_text_chars=100))
    assert (kinds(reading), reading.parts[0].read, len(reading.parts[0].text)) == (["too_large"], "part", 100)

    assert kinds(document(gzip.compress(bytes(1_000_000)), limits=Limits(max_part_bytes=100_000))) == ["too_large"]


def test_a_zip_entry_never_unpacks_to_more_than_it_announces() -> None:
    data = bytearray(zipped(a__txt=b"0" * 1_000_000))
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    reading = document(bytes(data))
    assert all(len(one.text) <= 10 for one in reading.parts)


def test_many_attachments_and_deep_mime_are_problems() -> None:
    head = b"From: a@b.example\nTo: c@d.example\nContent-Type: multipart/mixed; boundary=b\n\n"
    many = head + b"--b\nContent-Type: text/plain; name=a\n\nx\n" * 50 + b"--b--\n"
    reading = mail(many, Limits(max_parts=10))
    assert "too_many_parts" in kinds(reading)
    deep = head
    for level in range(60):
        deep += b"--b%s\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (
            b"" if not level else b"%d" % (level - 1),
            level,
        )
    assert kinds(mail(deep)) == ["too_deep"]


def test_an_unforeseen_exception_is_a_problem_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    from scanner.extract import reading as module

    def broken(data: bytes, claimed: str, limits: Limits) -> None:
        raise ZeroDivisionError("Jo Finch, born 2015")

    monkeypatch.setitem(module._READERS, "text/plain", broken)
    found = document(b"some words")
    assert [(problem.kind, problem.detail) for problem in found.problems] == [
        ("crashed", "the reader failed: its structure makes no sense")
    ]


# --- types ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"MZ\x90\x00" + bytes(100), "application/x-msdownload"),
        (b"MZ is how the letter starts, says the teacher of the class to all\n", "text/plain"),
        (b"\x7fELF" + bytes(20), "application/x-executable"),
        (b"#!/bin/sh\nls\n", "text/x-script"),
        (b"{\\rtf1 x}", "application/rtf"),
        (b"Just words, and some more.\nAnother line, with words.\n", "text/plain"),
        (b"a,b,c\n1,2,3\n4,5,6\n", "text/csv"),
        (b"<html><body>x</body></html>", "text/html"),
        (b"<?xml version='1.0'?><a/>", "text/xml"),
        (b"BEGIN:VCALENDAR\n", "text/calendar"),
        (SIMPLE, "message/rfc822"),
        (letter("x"), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (zipped(a__txt=b"x"), "application/zip"),
    ],
)
def test_media_types_come_from_bytes(data: bytes, kind: str) -> None:
    assert media_type(data) == kind


@pytest.mark.parametrize(
    ("name", "data", "disguised"),
    [
        ("letter.docx", letter("x"), False),
        ("letter.docx", letter("x")[:4000], False),
        ("notes.txt", b"plain", False),
        ("setup.exe", b"MZ\x90\x00" + bytes(100), False),
        ("data.bin", b"MZ\x90\x00" + bytes(100), False),
        ("letter.doc", b"{\\rtf1 x}", False),
        ("report.pdf", b"MZ\x90\x00" + bytes(100), True),
        ("statement.pdf.exe", b"MZ\x90\x00" + bytes(100), True),
        ("holiday.jpg", letter("x"), True),
        ("holiday.jpg", b"%PDF-1.4\n", True),
        ("annexe\u202efdp.exe", b"MZ\x90\x00" + bytes(100), True),
    ],
)
def test_disguises(name: str, data: bytes, disguised: bool) -> None:
    assert is_disguised(name, "", media_type(data)) is disguised


def test_a_program_is_recognised_and_holds_no_words() -> None:
    found = document(b"MZ\x90\x00" + bytes(100), "picture.jpg").parts[0]
    assert (found.media_type in EXECUTABLES, found.disguised, found.read, found.text) == (True, True, "all", "")


# --- properties ----------------------------------------------------------------------------------------------------


def accounted_for(reading: Reading) -> None:
    paths = [one.path for one in reading.parts]
    assert len(paths) == len(set(paths))
    told = {problem.part for problem in reading.problems}
    for one in reading.parts:
        assert one.read == "all" or one.path in told
        assert all(0 <= a <= b <= len(one.text) for table in one.tables for row in table.rows for a, b in row)
        covered = 0
        for segment in one.segments:
            assert segment.start == covered < segment.end
            covered = segment.end
        assert covered in (0, len(one.text))


@given(
    st.binary(max_size=400),
    st.sampled_from(
        [b"", SIMPLE, MIXED, b"PK\x03\x04", b"%PDF-1.4\n", b"{\\rtf1 ", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01\x00"]
    ),
)
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_accounted_for(noise: bytes, opening: bytes) -> None:
    for _, envelope in open_item(RawItem(opening + noise, ""), LIMITS):
        accounted_for(read(envelope, LIMITS))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_files_are_read_or_accounted_for(data: st.DataObject) -> None:
    source = bytearray(data.draw(st.sampled_from([MIXED, zipped(a__txt=b"words", b__csv=b"a,b,c\n1,2,3\n4,5,6\n")])))
    for _ in range(data.draw(st.integers(1, 6))):
        source[data.draw(st.integers(0, len(source) - 1))] = data.draw(st.integers(0, 255))
    for _, envelope in open_item(RawItem(bytes(source), ""), LIMITS):
        accounted_for(read(envelope, LIMITS))


# --- material that others have written -----------------------------------------------------------------------------


def test_the_development_corpus_is_incomplete_exactly_where_its_labels_say() -> None:
    school = EVAL / "school"
    if not school.is_dir():
        pytest.skip(f"no labelled corpus beside the repository ({school.name} under shared/eval)")
    expected = set()
    found = set()
    for line in (school / "labels.jsonl").read_text().splitlines():
        label = json.loads(line)
        if not label["complete"]:
            expected.add(label["file"])
        ((_, envelope),) = list(open_item(RawItem((school / label["file"]).read_bytes(), ""), LIMITS))
        reading = read(envelope, LIMITS)
        accounted_for(reading)
        if not PROBLEMS_THAT_LEAVE_COMPLETE.issuperset(kinds(reading)):
            found.add(label["file"])
    assert found == expected


def test_samples_read_as_expected() -> None:
    """Files as programs write them, with what reading must make of them beside each (`tests/samples`)."""
    expectations = sorted((Path(__file__).parent / "samples").glob("*.expected.yml"))
    assert expectations
    for expectation in expectations:
        wanted = YAML(typ="safe").load(expectation)
        sample = expectation.parent / wanted["file"]
        ((_, envelope),) = list(open_item(RawItem(sample.read_bytes(), "", sample.name), LIMITS))
        reading = read(envelope, LIMITS)
        accounted_for(reading)
        assert {one.path: one.media_type for one in reading.parts} == wanted["parts"], sample.name
        assert [[problem.part, problem.kind] for problem in reading.problems] == wanted["problems"], sample.name
        for path, words in wanted["words"].items():
            for word in words:
                assert word in part(reading, path).text, (sample.name, path)
        for path, owners in wanted.get("owners", {}).items():
            assert [segment.owner for segment in part(reading, path).segments] == owners, sample.name


def test_broken_xml_is_read_in_the_encoding_that_it_declares_and_a_cut_is_said() -> None:
    page = "<?xml version='1.0' encoding='windows-1251'?>\n<a>Мария Петрова<b></a>".encode("cp1251")
    reading = document(page)
    assert "Мария Петрова" in reading.parts[0].text
    assert [(one.kind, one.read) for one in reading.problems] == [("corrupt", "part")]
    cut = document(b"<?xml version='1.0'?><a><b>" + b"word " * 100, limits=Limits(max_text_chars=200))
    assert {(one.kind, one.read) for one in cut.problems} == {("corrupt", "part"), ("too_large", "part")}
    assert len(cut.parts[0].text) <= 200
