"""Locks, graded from bytes: an open file is never called locked, a lock that anyone opens is never called strong."""

from __future__ import annotations

import csv
import io
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import openpyxl
import pytest
from asn1crypto import algos, cms
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.workbook.protection import WorkbookProtection
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

from scanner.extract import Limits, grade, open_item, read
from scanner.extract.archives import foreign_lock
from scanner.model import Blob, Body, Envelope
from scanner.ports import RawItem

EVAL = Path(__file__).resolve().parent.parent.parent / "shared" / "eval"


class _Nothing(str):
    """An empty password that was given: pypdf takes a false one for none, and the user's in its place."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


def pdf(user: str | None = None, owner: str | None = None, algorithm: str = "AES-256") -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawString(72, 700, "Words of the plan for the autumn term")
    canvas.save()
    if user is None and owner is None:
        return buffer.getvalue()
    writer = PdfWriter(clone_from=PdfReader(buffer))
    writer.encrypt(user or "", owner or user, algorithm=algorithm)
    locked = io.BytesIO()
    writer.write(locked)
    return locked.getvalue()


def workbook(change: Callable[[openpyxl.Workbook], None] = lambda book: None) -> bytes:
    book = openpyxl.Workbook()
    book.active["A1"] = "cell words"
    change(book)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def zip_with_flags(*entries: tuple[str, int, int, bytes]) -> bytes:
    """A zip whose entries claim flags, method and extra field: the directory is all that a lock is judged by."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, _, _, extra in entries:
            info = zipfile.ZipInfo(name)
            info.extra = extra
            archive.writestr(info, b"some content")
    data = bytearray(buffer.getvalue())
    position = 0
    for _, flags, method, _ in entries:
        position = data.index(b"PK\x01\x02", position)
        struct.pack_into("<HH", data, position + 8, flags, method)
        position += 4
    return bytes(data)


AES_256 = b"\x01\x99\x07\x00\x02\x00AE\x03\x08\x00"


@pytest.mark.parametrize(
    ("data", "expected", "mechanism", "readable"),
    [
        (pdf(), "none", "", True),
        (pdf(owner="o"), "weak", "pdf owner password only, AES-256", True),
        (pdf(owner="o", algorithm="RC4-128"), "weak", "pdf owner password only, RC4-128", True),
        (pdf(user="u", algorithm="RC4-40"), "weak", "pdf user password, RC4-40", False),
        (pdf(user="u", algorithm="RC4-128"), "strong", "pdf user password, RC4-128", False),
        (pdf(user="u", algorithm="AES-128"), "strong", "pdf user password, AES-128", False),
        (pdf(user="u"), "strong", "pdf user password, AES-256", False),
        (pdf(user="u", owner=_Nothing()), "weak", "pdf user password, empty owner password, AES-256", True),
        (pdf(user="", owner=""), "weak", "pdf owner password only, AES-256", True),
        (b"%PDF-1.7\nbroken", "unknown", "pdf, cannot be read", False),
    ],
)
def test_pdf(data: bytes, expected: str, mechanism: str, readable: bool) -> None:
    kind, protection = grade(data, "report.docx")
    assert kind == "application/pdf"
    assert (protection.grade, protection.mechanism, protection.readable_without_password) == (
        expected,
        mechanism,
        readable,
    )


def test_owner_password_pdf_is_read_and_a_locked_one_is_a_problem() -> None:
    open_one = read(Envelope(source="document", kind="document", blobs=(Blob("a.pdf", "", pdf(owner="o")),)), Limits())
    assert "plan for the autumn term" in open_one.parts[0].text
    assert (open_one.parts[0].protection.grade, open_one.problems) == ("weak", ())
    locked = read(Envelope(source="document", kind="document", blobs=(Blob("a.pdf", "", pdf(user="u")),)), Limits())
    assert ([problem.kind for problem in locked.problems], locked.parts[0].read) == (["encrypted"], "none")


def test_an_empty_protection_element_locks_nothing() -> None:
    def empty(book: openpyxl.Workbook) -> None:
        book.security = WorkbookProtection()

    assert b"workbookProtection" in zipfile.ZipFile(io.BytesIO(workbook(empty))).read("xl/workbook.xml")
    assert grade(workbook(empty))[1].grade == "none"
    assert grade(workbook())[1].grade == "none"


def test_a_sheet_protection_that_is_switched_off_locks_nothing() -> None:
    def rewritten(attributes: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(workbook())) as old, zipfile.ZipFile(buffer, "w") as new:
            for name in old.namelist():
                new.writestr(
                    name, old.read(name).replace(b"</sheetData>", b"</sheetData><sheetProtection " + attributes + b"/>")
                )
        return buffer.getvalue()

    assert grade(rewritten(b'sheet="0" objects="1" password="CC1A"'))[1].grade == "none"
    assert grade(rewritten(b'sheet="1"'))[1].grade == "weak"


def test_sheet_and_structure_protection_are_weak_and_read() -> None:
    def sheet(book: openpyxl.Workbook) -> None:
        book.active.protection.sheet = True

    def structure(book: openpyxl.Workbook) -> None:
        book.security = WorkbookProtection(lockStructure=True)

    for change, mechanism in ((sheet, "sheet protection"), (structure, "workbook structure protection")):
        protection = grade(workbook(change))[1]
        assert (protection.grade, protection.mechanism, protection.readable_without_password) == (
            "weak",
            mechanism,
            True,
        )
        reading = read(
            Envelope(source="document", kind="document", blobs=(Blob("a.xlsx", "", workbook(change)),)), Limits()
        )
        assert "cell words" in reading.parts[0].text


_RAR_FILE = bytes(17) + bytes([29]) + bytes(7)


def _rar5(*headers: bytes) -> bytes:
    return b"Rar!\x1a\x07\x01\x00" + b"".join(bytes(4) + bytes([len(one)]) + one for one in headers) + bytes(4)


def _rar(*headers: tuple[int, int, bytes]) -> bytes:
    """RAR 4 with these headers: type, flags and what follows."""
    data = b"Rar!\x1a\x07\x00"
    for kind, flags, rest in headers:
        data += struct.pack("<HBHH", 0, kind, flags, 7 + len(rest)) + rest
    return data


@pytest.mark.parametrize(
    ("data", "expected", "readable"),
    [
        (_rar((0x73, 0x0101, bytes(6)), (0x74, 0x8002, _RAR_FILE)), "none", True),  # the first part
        (_rar((0x73, 0x0001, bytes(6)), (0x74, 0x8003, _RAR_FILE)), "unknown", False),
        (_rar((0x73, 0x0001, bytes(6)), (0x74, 0x8007, _RAR_FILE)), "strong", False),
        # What begins here and goes on in the next part is judged by its own header.
        (_rar((0x73, 0x0001, bytes(6)), (0x74, 0x8000, _RAR_FILE), (0x74, 0x8002, _RAR_FILE)), "none", True),
        # RAR 5, whose archive header says that it is a part; a later one has a number.
        (_rar5(b"\x01\x00\x01", b"\x02\x00", b"\x05\x00"), "none", True),
        (_rar5(b"\x01\x00\x03\x00", b"\x02\x00", b"\x05\x00"), "none", True),
        (_rar5(b"\x01\x00\x03\x01", b"\x02\x00", b"\x05\x00"), "unknown", False),
        (_rar5(b"\x01\x00\x03\x01", b"\x02\x01\x02\x01\x01", b"\x05\x00"), "strong", False),
    ],
)  # fmt: skip
def test_a_later_part_of_a_rar_set_is_judged_by_its_lock_or_not_at_all(
    data: bytes, expected: str, readable: bool
) -> None:
    lock = foreign_lock(data)
    assert (lock.grade, lock.readable_without_password) == (expected, readable)


@pytest.mark.parametrize(
    ("entries", "expected", "readable"),
    [
        ((("a.txt", 0, 0, b""),), "none", True),
        ((("a.txt", 1, 0, b""), ("b.txt", 0, 0, b"")), "none", True),
        ((("a.txt", 1, 0, b""), ("b.txt", 1, 99, AES_256)), "weak", False),
        ((("a.txt", 1, 0, b""),), "weak", False),
        ((("a.txt", 0x41, 0, b""),), "unknown", False),
        ((("a.txt", 1, 99, AES_256),), "strong", False),
    ],
)
def test_zip_is_as_its_weakest_entry(
    entries: tuple[tuple[str, int, int, bytes], ...], expected: str, readable: bool
) -> None:
    protection = grade(zip_with_flags(*entries))[1]
    assert (protection.grade, protection.readable_without_password) == (expected, readable)


def test_locked_entries_are_parts_and_their_names_are_read() -> None:
    data = zip_with_flags(("SEN list.csv", 1, 0, b""), ("plan.csv", 1, 99, AES_256))
    reading = read(Envelope(source="mime", blobs=(Blob("x.zip", "", data),)), Limits())
    assert [(one.path, one.read, one.protection.mechanism) for one in reading.parts] == [
        ("attachment/1/x.zip", "all", "ZipCrypto"),
        ("attachment/1/x.zip/SEN list.csv", "none", "ZipCrypto"),
        ("attachment/1/x.zip/plan.csv", "none", "zip AES-256"),
    ]
    assert reading.parts[0].text == "SEN list.csv\nplan.csv"
    assert [problem.kind for problem in reading.problems] == ["encrypted", "encrypted"]


def content_info(kind: str, content: object) -> bytes:
    return bytes(cms.ContentInfo({"content_type": kind, "content": content}).dump())


def enveloped(cipher: str) -> bytes:
    parameters = {"rc2": {"iv": bytes(8)}}.get(cipher, bytes(16))
    return content_info(
        "enveloped_data",
        {
            "version": "v0",
            "recipient_infos": [],
            "encrypted_content_info": {
                "content_type": "data",
                "content_encryption_algorithm": {"algorithm": cipher, "parameters": parameters},
                "encrypted_content": bytes(32),
            },
        },
    )


def opaque(inner: bytes) -> bytes:
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": "sha256"})],
            "encap_content_info": {"content_type": "data", "content": inner},
            "signer_infos": [],
        }
    )
    return content_info("signed_data", signed)


def test_smime_is_decided_by_its_content_and_not_by_its_name() -> None:
    assert grade(enveloped("aes256_cbc"), "smime.p7m")[1].grade == "strong"
    assert grade(enveloped("des"), "smime.p7m")[1].grade == "weak"
    kind, protection = grade(opaque(b"x"), "smime.p7m")
    assert (kind, protection.grade, protection.readable_without_password) == ("application/pkcs7-mime", "signed", True)


def test_compressed_data_is_no_lock() -> None:
    data = content_info(
        "compressed_data",
        {
            "version": "v0",
            "compression_algorithm": {"algorithm": "zlib"},
            "encap_content_info": {
                "content_type": "data",
                "content": zlib.compress(b"Content-Type: text/plain\n\npacked words"),
            },
        },
    )
    assert grade(data)[1].grade == "none"
    reading = read(Envelope(source="mime", blobs=(Blob("smime.p7z", "", data),)), Limits())
    assert reading.parts[-1].text == "packed words"


def test_an_opaque_signature_is_unwrapped_and_its_words_are_the_senders() -> None:
    inner = b"Content-Type: text/plain\r\n\r\nHer date of birth is 3 March 2015.\r\n"
    data = b"From: a@b.example\nTo: c@d.example\nContent-Type: application/pkcs7-mime; name=smime.p7m; smime-type=enveloped-data\n"
    data += b"Content-Disposition: attachment; filename=smime.p7m\nContent-Transfer-Encoding: base64\n\n"
    import base64

    data += base64.encodebytes(opaque(inner))
    ((_, envelope),) = list(open_item(RawItem(data, ""), Limits()))
    reading = read(envelope, Limits())
    found = {one.path: one for one in reading.parts}
    assert found["attachment/1/smime.p7m"].protection.grade == "signed"
    body = found["attachment/1/smime.p7m/body"]
    assert (body.text.strip(), {segment.owner for segment in body.segments}) == (
        "Her date of birth is 3 March 2015.",
        {"sender"},
    )
    assert not reading.problems
    assert grade(data)[1].grade == "signed"


def armour(packets: bytes) -> bytes:
    import base64

    return (
        b"-----BEGIN PGP MESSAGE-----\nVersion: 1\n\n"
        + base64.encodebytes(packets)
        + b"=abcd\n-----END PGP MESSAGE-----\n"
    )


def packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body


LITERAL = packet(11, b"b\x00" + bytes(4) + b"open words")


@pytest.mark.parametrize(
    ("packets", "expected"),
    [
        (LITERAL, "none"),
        (packet(8, b"\x02" + zlib.compress(LITERAL)), "none"),
        (packet(4, bytes(13)) + LITERAL + packet(2, bytes(20)), "signed"),
        (packet(1, bytes(20)) + packet(18, bytes(40)), "strong"),
        (packet(3, bytes(10)) + packet(9, bytes(40)), "strong"),
        (packet(8, b"\x02" + zlib.compress(packet(18, bytes(10)))), "strong"),
    ],
)
def test_openpgp_is_decided_by_its_packets(packets: bytes, expected: str) -> None:
    assert grade(armour(packets))[1].grade == expected
    body = "Hello\n\n" + armour(packets).decode()
    from scanner.model import Body

    reading = read(Envelope(source="mime", bodies=(Body("text/plain", body),)), Limits())
    assert ("open words" in reading.parts[0].text) is (expected != "strong")
    assert [problem.kind for problem in reading.problems] == (["encrypted"] if expected == "strong" else [])


def test_rights_management_is_judged_by_what_is_in_the_package() -> None:
    stub = b"\x76\xe8\x04\x60\xc4\x11\xe3\x86" + bytes(40)
    protection = grade(stub, "message.rpmsg")[1]
    assert (protection.grade, protection.readable_without_password) == ("unknown", False)


def rar5(*blocks: bytes) -> bytes:
    return b"Rar!\x1a\x07\x01\x00" + b"".join(bytes(4) + bytes([len(block)]) + block for block in blocks)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (rar5(b"\x01\x00\x00", b"\x02\x00\x00\x00\x00", b"\x05\x00\x00"), "none"),
        (rar5(b"\x02\x01\x03\x00\x02\x01\x00"), "strong"),
        (rar5(b"\x04\x00\x00"), "strong"),
        (rar5(b"\x02\x01\x03\x00\x02\x01\x00", b"\x02\x00\x00\x00\x00"), "none"),
        (b"Rar!\x1a\x07\x01\x00\x00\x00\x00\x00\xff\xff", "unknown"),
    ],
)
def test_rar5(data: bytes, expected: str) -> None:
    assert foreign_lock(data).grade == expected


@given(
    st.binary(max_size=300),
    st.sampled_from(
        [
            b"%PDF-1.4\n",
            b"PK\x03\x04",
            b"Rar!\x1a\x07\x01\x00",
            b"Rar!\x1a\x07\x00",
            b"7z\xbc\xaf\x27\x1c\x00\x04",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            b"-----BEGIN PGP MESSAGE-----\n\n",
            b"\x76\xe8\x04\x60\xc4\x11\xe3\x86",
            b"0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07",
        ]
    ),
)
@settings(max_examples=200, deadline=None)
def test_any_bytes_get_a_grade(noise: bytes, magic: bytes) -> None:
    _, protection = grade(magic + noise)
    assert protection.grade in ("none", "signed", "weak", "strong", "unknown")


# --- material that others have written -----------------------------------------------------------------------------


def state_of(data: bytes) -> str:
    protection = grade(data)[1]
    if not protection.readable_without_password:
        return "encrypted"
    return "opens-no-password" if protection.grade == "weak" else "plain"


def test_every_decided_row_of_the_truth_table() -> None:
    folder = EVAL / "documents"
    if not folder.is_dir():
        pytest.skip("no documents with known locks beside the repository (shared/eval/documents)")
    wrong = []
    with (folder / "protection_truth.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for name in {row["archive"] for row in rows}:
        with tarfile.open(folder / name) as archive:
            members = {member.name: member for member in archive if member.isfile()}
            for row in (row for row in rows if row["archive"] == name):
                member = next(found for key, found in members.items() if f"/{key}".endswith(f"/{row['file']}"))
                stream_in = archive.extractfile(member)
                assert stream_in is not None
                got = state_of(stream_in.read())
                wanted = _wanted(row)
                if wanted is not None and got != wanted:
                    wrong.append((row["file"], wanted, got))
    assert not wrong


# The table tells OpenPGP messages by their names; these two names mislead. The first holds a literal packet and nothing else,
# the second a session-key packet (tag 3) and an encrypted one (tag 9).
_BY_PACKETS = {"blocks/message.ascii.asc": "plain", "messages/message.literal.nomdc.pass.cast5.asc": "encrypted"}


def _wanted(row: dict[str, str]) -> str | None:
    if row["file"] in _BY_PACKETS:
        return _BY_PACKETS[row["file"]]
    if row["state"] == "pgp-message":
        is_open = (
            any(word in row["file"] for word in ("literal", "signed", "compressed", "onepass"))
            and ".encrypted." not in row["file"]
        )
        return "plain" if is_open else "encrypted"
    return None if row["state"] == "?" else row["state"]


# --- services that keep what was written ---

SEALED = "<p>You have received a secure message.</p><form method=post action='{place}'><input type=hidden name=x value='{payload}'></form>"
PAYLOAD = "QUJD1b2xk" * 300
PORTALS = {
    "Purview message encryption (portal)": "https://outlook.office365.com/Encryption/store.ashx",
    "Proofpoint Encryption": "https://securemail.council.example/formpostdir/securereader?id=x",
    "Cisco Secure Email Encryption": "https://res.cisco.com:443/websafe/help",
    "Zix": "https://web1.zixmessagecenter.com/s/e",
}


@pytest.mark.parametrize("service", PORTALS)
def test_a_page_sealed_for_a_service_is_unknown_by_its_name(service: str) -> None:
    page = SEALED.format(place=PORTALS[service], payload=PAYLOAD).encode()
    kind, found = grade(page, "message_v4.html")
    assert kind == "text/html"
    assert (found.grade, found.readable_without_password) == ("unknown", False)
    assert found.mechanism.startswith(service)
    reading = read(
        Envelope("mime", bodies=(Body("text/plain", "See there."),), blobs=(Blob("m.html", "", page),)), Limits()
    )
    assert [(one.kind, one.read) for one in reading.problems] == [("encrypted", "part")]
    assert "secure message" in reading.parts[-1].text


@pytest.mark.parametrize(
    "page",
    [
        SEALED.format(place="https://forms.school.example/trip", payload=PAYLOAD),
        SEALED.format(place=PORTALS["Zix"], payload="short"),
        f"<p>We use Egress: <a href=https://switch.egress.com/ui/>sign in</a></p><img src='data:image/png;base64,{PAYLOAD}'>",
        "<p>Egress, Galaxkey and securedoc.html are secure message services.</p>",
    ],
)
def test_a_page_that_only_looks_like_one_is_open(page: str) -> None:
    assert grade(page.encode(), "message.html")[1].grade == "none"


NOISE = random.Random(5).randbytes(4_000)


@pytest.mark.parametrize(("name", "service"), [("letter.switch", "Egress package"), ("Letter.GXK", "Galaxkey package")])
def test_a_package_of_a_service_is_unknown_by_its_name(name: str, service: str) -> None:
    assert grade(NOISE, name)[1].mechanism == service
    assert grade(NOISE, name)[1].grade == "unknown"
    reading = read(Envelope("mime", blobs=(Blob(name, "", NOISE),)), Limits())
    assert [one.kind for one in reading.problems] == ["encrypted"]


def test_an_ending_alone_proves_nothing() -> None:
    for data in (b"Plain words, at length. " * 60, bytes(range(256)) * 4 + b"aaaa" * 300, NOISE[:100]):
        assert grade(data, "letter.switch")[1].grade == "none"
    assert grade(NOISE, "letter.bin")[1].grade == "none"


LINK = "https://reader.egress.com/remote.aspx?packageid=3f9c1d2e-0000-4aaa-8bbb-123456789abc"


def noticed(text: str, html: str = "") -> list[str]:
    bodies = (Body("text/plain", text),) if not html else (Body("text/html", html),)
    reading = read(Envelope("mime", subject="Re: x", bodies=bodies), Limits())
    return [problem.kind for problem in reading.problems]


def test_a_notice_says_that_the_message_lies_elsewhere() -> None:
    words = "This email has been sent to you securely using Egress. Click to read this secure email online."
    assert noticed(f"{words} {LINK}") == ["encrypted"]
    assert noticed("", f"<p>{words}</p><a href='{LINK}'>Read</a>") == ["encrypted"]
    safe = f"https://eur01.safelinks.protection.outlook.com/?url={quote(LINK, safe='')}&data=05"
    assert noticed("", f"<p>{words}</p><a href='{safe}'>Read</a>") == ["encrypted"]
    reading = read(Envelope("mime", bodies=(Body("text/plain", f"{words} {LINK}"),)), Limits())
    assert reading.parts[0].protection.mechanism == "Egress, notice"
    assert reading.parts[0].read == "part"
    head = "From: a@council.example\nTo: b@elt.example\nSubject: Secure message\nContent-Type: text/plain\n\n"
    kind, lock = grade(f"{head}{words} {LINK}\n".encode())
    assert (kind, lock.grade, lock.mechanism) == ("message/rfc822", "unknown", "Egress, notice")
    assert not lock.readable_without_password
    assert grade(f"{head}Did you get the message? {LINK}\n".encode())[1].grade == "none"


@pytest.mark.parametrize(
    "text",
    [
        "We now use Egress for secure email. Please read https://www.egress.com/blog/2026-guide-to-secure-email-for-schools",
        f"Did you get the message? {LINK}",
        f"Please click and read the secure email that the council sent: {LINK}\n"
        + "Jo needs a place on the trip. " * 60,
        f"I could not open it.\n\nOn 5 Oct 2026 at 10:00, Pat <p@x.example> wrote:\n> Click to read this secure email online.\n> {LINK}",
        "Send it by secure email, or open Galaxkey.",
        "Click here to read our secure email policy: https://protect-eu.mimecast.com/s/AbCdEfGhIjKlMnOpQrSt1234",
        "Read the attached.\n\nKind regards\nPat\n\nThis email was sent securely and is intended only for the addressee. "
        f"Delete it if received in error, or open {LINK}",
    ],
)
def test_who_writes_about_a_service_writes_himself(text: str) -> None:
    assert noticed(text) == []
