"""Files made to hurt: each is read, or is a problem of the right kind, in bounded time, memory and disk."""

from __future__ import annotations

import base64
import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner.extract import Limits, Reading, open_item, read
from scanner.extract.mail import parse_message
from scanner.extract.sniff import is_disguised, media_type
from scanner.model import Blob, Body, Envelope
from scanner.ports import RawItem

LIMITS = Limits(ocr_pages=0)
HEAD = b"From: a@elt.example\r\nTo: b@elt.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n"


def document(data: bytes, limits: Limits = LIMITS) -> Reading:
    return read(Envelope(source="document", kind="document", blobs=(Blob("f", "", data),)), limits)


def kinds(reading: Reading) -> set[str]:
    return {problem.kind for problem in reading.problems}


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


# --- bombs ---


def test_a_gigabyte_of_zeros_is_too_large_and_never_in_memory() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [packer.compress(bytes(1 << 20)) for _ in range(1024)]
    bomb = b"".join([*pieces, packer.flush()])
    tracemalloc.start()
    try:
        assert kinds(document(bomb)) == {"too_large"}
        assert tracemalloc.get_traced_memory()[1] < 3 * LIMITS.max_part_bytes
    finally:
        tracemalloc.stop()


def test_a_flat_bomb_that_lies_about_its_size_gives_no_byte_more() -> None:
    data = bytearray(zipped({"a.txt": bytes(5_000_000)}))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(mark) + offset, 10)
    reading = document(bytes(data))
    assert sum(part.size for part in reading.parts[1:]) <= 10
    assert kinds(reading) <= {"corrupt"}


def test_overlapping_entries_end_at_the_limit_of_the_message() -> None:
    """The idea of the "better zip bomb": many directory entries that all point at the same packed bytes."""
    kernel = zlib.compress(bytes(1_000_000), 9)[2:-4]
    local = struct.pack(
        "<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 0, zlib.crc32(bytes(1_000_000)), len(kernel), 1_000_000, 1, 0
    )
    body = local + b"a" + kernel
    entry = struct.pack(
        "<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, zlib.crc32(bytes(1_000_000)), len(kernel), 1_000_000,
        1, 0, 0, 0, 0, 0, 0,
    ) + b"a"  # fmt: skip
    number = 500
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, number, number, len(entry) * number, len(body), 0)
    reading = document(body + entry * number + end, Limits(max_total_bytes=20_000_000))
    assert kinds(reading) & {"too_large", "corrupt"}
    assert sum(part.size for part in reading.parts if part.read == "all") <= 21_000_000


def test_an_archive_that_holds_itself_ends_at_the_depth() -> None:
    """What a quine does: every level opens into another one. Sixty levels stand for all."""
    nest = b"core"
    for level in range(60):
        nest = zipped({f"{level}.zip": nest})
    assert kinds(document(nest)) == {"too_deep"}


def test_packed_in_packed_in_packed_ends_at_the_depth() -> None:
    data = b"core"
    for _ in range(60):
        data = gzip.compress(data)
    assert kinds(document(data)) == {"too_deep"}


@pytest.mark.parametrize(
    "bomb",
    [
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>',
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://outside.example/x.dtd"><a/>',
    ],
    ids=["laughs", "file", "elsewhere"],
)
def test_xml_entities_are_not_followed(bomb: bytes) -> None:
    reading = document(bomb)
    assert "root:" not in "".join(part.text for part in reading.parts)
    assert kinds(reading) <= {"corrupt"}
    letter = zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": bomb})
    assert "root:" not in "".join(part.text for part in document(letter).parts)


# --- numbers and depth ---


def test_a_hundred_thousand_attachments_end_at_the_limit() -> None:
    part = b"--b\r\nContent-Disposition: attachment; filename=a\r\n\r\nx\r\n"
    envelope = parse_message(
        HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + part * 100_000 + b"--b--", LIMITS
    )
    reading = read(envelope, LIMITS)
    assert kinds(reading) == {"too_many_parts"}
    assert len(reading.parts) <= LIMITS.max_parts + 2


def test_a_deep_mime_nest_ends_at_the_depth() -> None:
    body = b"x"
    for level in range(300):
        body = b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n%s\r\n--b%d--\r\n' % (
            level,
            level,
            body,
            level,
        )
    assert "too_deep" in kinds(read(parse_message(HEAD + body, LIMITS), LIMITS))


def test_mails_in_mails_end_at_the_depth() -> None:
    message = HEAD + b"\r\nx"
    for _ in range(60):
        message = HEAD + b"Content-Type: message/rfc822\r\n\r\n" + message
    assert "too_deep" in kinds(read(parse_message(message, LIMITS), LIMITS))


@pytest.mark.parametrize(
    "body",
    [
        "<div>" * 200_000,
        "<table><tr><td>" * 50_000,
        "> " * 200_000,
        ">" * 400_000,
        "On " * 100_000,
        "wrote:\n" * 60_000,
        "-" * 400_000,
        "a@" * 150_000,
        "((((((((((" * 30_000,
        "\n".join("x" for _ in range(150_000)),
        "password " * 50_000,
    ],
    ids=range(11),
)
def test_bait_for_slow_expressions_costs_no_more_than_its_length(body: str) -> None:
    """No clock: the test would hang, and a hang is a failure of the whole run."""
    for kind in ("text/plain", "text/html"):
        reading = read(Envelope(source="mime", bodies=(Body(kind, body),), subject=body[:1_000]), LIMITS)
        assert len(reading.parts) == 2


# --- names ---


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\x.exe",
        "a/../../b",
        "C:\\x",
        "x\x00.txt",
        "\u202etxt.exe",
        ".",
        "a" * 5_000,
    ],
)
def test_a_name_leads_nowhere(name: str) -> None:
    tape = io.BytesIO()
    with tarfile.open(fileobj=tape, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = 4
        archive.addfile(info, io.BytesIO(b"text"))
    for data in (zipped({name: b"text"}), tape.getvalue()):
        for part in document(data).parts:
            assert not part.path.startswith("/")
            assert not any(c < " " for c in part.path)


def test_links_in_a_tar_are_not_followed() -> None:
    tape = io.BytesIO()
    with tarfile.open(fileobj=tape, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("link" + kind.decode())
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    reading = document(tape.getvalue())
    assert len(reading.parts) == 1
    assert "root:" not in reading.parts[0].text


# --- what says one thing and is another ---


def test_disguises_and_files_that_are_two_things() -> None:
    program = b"MZ\x90\x00" + bytes(200)
    letter = zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<a/>"})
    assert is_disguised("report.pdf", "application/pdf", media_type(program))
    assert is_disguised("old.doc", "application/msword", media_type(letter))
    assert is_disguised("photo.jpg", "image/jpeg", media_type(zipped({"a": b"x"})))
    # A PDF whose header comes late, and one with an archive behind it: told by what a reader would open.
    assert media_type(b"junk\n%PDF-1.4\n") == "application/pdf"
    both = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n" + zipped({"a.txt": b"Bryn Calloway"})
    reading = document(both)
    assert reading.parts[0].media_type == "application/pdf"
    assert reading.parts[0].disguised
    assert "Bryn Calloway" in [part.text for part in reading.parts]
    plain = document(b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\nPK\x05\x06 is said here")
    assert not plain.parts[0].disguised
    image = b"\x89PNG\r\n\x1a\n" + bytes(300) + zipped({"a.txt": b"Bryn Calloway"})
    assert "Bryn Calloway" in [part.text for part in document(image).parts]


# --- nothing silent ---

LEAVES = st.sampled_from(
    [
        ("text/plain", b"some words"),
        ("application/octet-stream", bytes(range(256)) * 4),
        ("application/pdf", b"%PDF-1.4 cut off"),
        ("application/zip", zipped({"a.txt": b"x"})[:60]),
        ("application/zip", zipped({"a.txt": b"x", "b.bin": b"\x00\x01\x02" * 50})),
        ("application/gzip", gzip.compress(b"words")),
        ("image/png", b"\x89PNG\r\n\x1a\n" + bytes(30)),
        ("text/html", b"<p>words</p>"),
        ("application/x-empty", b""),
    ]
)


def written(tree: object, level: int = 0) -> tuple[bytes, int]:
    """A MIME entity for the tree, and how many leaves it has."""
    if isinstance(tree, tuple):
        kind, data = tree
        encoded = base64.encodebytes(data)
        return (
            f"Content-Type: {kind}\r\nContent-Disposition: attachment; filename=f\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
            + encoded,
            1,
        )
    assert isinstance(tree, list)
    pieces = [written(one, level + 1) for one in tree]
    mark = f"=_{level}".encode()
    body = b"".join(b"--" + mark + b"\r\n" + piece + b"\r\n" for piece, _ in pieces)
    head = b'Content-Type: multipart/mixed; boundary="' + mark + b'"\r\n\r\n'
    return head + body + b"--" + mark + b"--\r\n", sum(number for _, number in pieces)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.recursive(LEAVES, lambda inner: st.lists(inner, min_size=1, max_size=4), max_leaves=12),
        min_size=1,
        max_size=5,
    )
)
def test_parts_in_are_parts_accounted_for(tree: list[object]) -> None:
    entity, leaves = written(tree)
    ((_, envelope),) = list(open_item(RawItem(HEAD + entity, "message/rfc822"), LIMITS))
    reading = read(envelope, LIMITS)
    top = [part for part in reading.parts if part.path.count("/") == 2]
    assert len(top) == leaves  # each leaf is a part
    assert len({part.path for part in reading.parts}) == len(reading.parts)
    troubled: dict[str, list[str]] = {}
    for problem in reading.problems:
        troubled.setdefault(problem.part, []).append(problem.read)
    for part in reading.parts:
        # Exactly one state: read without a word, or with problems that say how far.
        states = [state for state in troubled.get(part.path, []) if state != "all"]
        assert (part.read == "all") or states, part.path
    assert set(troubled) <= {part.path for part in reading.parts}


MAGICS = (
    b"", b"PK\x03\x04", b"%PDF-1.4\n", b"7z\xbc\xaf\x27\x1c\x00\x04", b"Rar!\x1a\x07\x01\x00", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"\x78\x9f\x3e\x22", b"{\\rtf1", b"II*\x00", b"!BDN", b"\x1f\x8b\x08",
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2_000), st.sampled_from(MAGICS))
def test_any_bytes_are_a_part_or_a_problem_that_somebody_foresaw(data: bytes, magic: bytes) -> None:
    reading = document(magic + data)
    assert reading.parts
    assert "crashed" not in kinds(reading), reading.problems
