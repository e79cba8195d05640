"""OpenDocument files, made here entry by entry, and one that LibreOffice itself locked."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import zipfile
import zlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from scanner.extract import Limits, Reading, grade, read
from scanner.model import Blob, Body, Envelope

LIMITS = Limits(ocr_pages=0)
SECRET = "Plover-Quay-19"
SAMPLE = Path(__file__).parent / "samples" / "libreoffice_locked.odt"
NAMES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0"'
)
LETTER = (
    "<text:h>Review</text:h><text:p>First<text:tab/>line<text:line-break/>broken <text:span>here</text:span></text:p>"
    "<text:p>Noted<office:annotation><dc:creator>Ann Wren</dc:creator><text:p>a comment</text:p></office:annotation></text:p>"
    "<text:p>Foot<text:note><text:note-body><text:p>a footnote</text:p></text:note-body></text:note></text:p>"
)
SHEETS = (
    '<table:table table:name="Class 4B"><table:table-row>'
    "<table:table-cell><text:p>Name</text:p></table:table-cell>"
    '<table:table-cell table:number-columns-repeated="2"/>'
    "<table:table-cell><text:p>Born</text:p></table:table-cell>"
    '<table:table-cell table:number-columns-repeated="16380"/></table:table-row>'
    "<table:table-row><table:table-cell><text:p>Bryn Maple</text:p></table:table-cell><table:covered-table-cell/><table:table-cell/>"
    "<table:table-cell><text:p>3 March</text:p><text:p>2015</text:p></table:table-cell></table:table-row></table:table>"
    '<table:table table:name="Hidden" table:style-name="off"><table:table-row>'
    '<table:table-cell table:number-columns-repeated="2"><text:p>kept</text:p></table:table-cell></table:table-row></table:table>'
)
META = (
    "<office:meta><meta:initial-creator>Ann Wren</meta:initial-creator><dc:title>Trip review</dc:title></office:meta>"
)


def xml(body: str) -> bytes:
    return f'<?xml version="1.0"?><office:document-content {NAMES}>{body}</office:document-content>'.encode()


def package(entries: dict[str, bytes], kind: str = "text") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def plain(body: str, kind: str = "text", **more: bytes) -> bytes:
    return package({"content.xml": xml(body), "meta.xml": xml(META), **more}, kind)


def manifest(entries: str) -> bytes:
    names = 'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" xmlns:loext="urn:example:loext"'
    return f'<?xml version="1.0"?><manifest:manifest {names}>{entries}</manifest:manifest>'.encode()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def entry(name: str, size: int, cipher: str, nonce: bytes, derivation: str, salt: bytes) -> str:
    return (
        f'<manifest:file-entry manifest:full-path="{name}" manifest:size="{size}"><manifest:encryption-data>'
        f'<manifest:algorithm manifest:algorithm-name="{cipher}" manifest:initialisation-vector="{encoded(nonce)}"/>'
        '<manifest:start-key-generation manifest:start-key-generation-name="http://www.w3.org/2000/09/xmldsig#sha256"/>'
        f'<manifest:key-derivation {derivation} manifest:key-size="32" manifest:salt="{encoded(salt)}"/>'
        "</manifest:encryption-data></manifest:file-entry>"
    )


def locked(password: str, rounds: int = 1_000) -> bytes:
    """As ODF 1.2 part 3 says: each entry deflated, then AES-256-CBC with a key of its own."""
    start = hashlib.sha256(password.encode()).digest()
    files, described = {}, ""
    for number, (name, data) in enumerate({"content.xml": xml(LETTER), "meta.xml": xml(META)}.items()):
        salt, nonce = bytes([number]) * 16, bytes([number + 9]) * 16
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush()
        packed += bytes(15 - len(packed) % 16) + bytes([16 - len(packed) % 16])
        key = hashlib.pbkdf2_hmac("sha1", start, salt, rounds, 32)
        encryptor = Cipher(algorithms.AES(key), modes.CBC(nonce)).encryptor()
        files[name] = encryptor.update(packed)
        derivation = f'manifest:key-derivation-name="PBKDF2" manifest:iteration-count="{rounds}"'
        described += entry(name, len(data), "http://www.w3.org/2001/04/xmlenc#aes256-cbc", nonce, derivation, salt)
    return package(files | {"META-INF/manifest.xml": manifest(described)})


def wholly_locked(password: str, *, nonce_before: bool, memory: int = 64) -> bytes:
    """As LibreOffice 24 does it: the whole package inside another, AES-256-GCM with a key by Argon2id."""
    salt, nonce = b"s" * 16, b"n" * 12
    start = hashlib.sha256(password.encode()).digest()
    key = Argon2id(salt=salt, length=32, iterations=1, lanes=1, memory_cost=64).derive(start)
    inner = plain(LETTER)
    sealed = AESGCM(key).encrypt(nonce, inner, None)
    derivation = (
        'manifest:key-derivation-name="urn:example:argon2id" loext:argon2-iterations="1" '
        f'loext:argon2-memory="{memory}" loext:argon2-lanes="1"'
    )
    described = entry(
        "encrypted-package", len(inner), "http://www.w3.org/2009/xmlenc11#aes256-gcm", nonce, derivation, salt
    )
    return package({"encrypted-package": nonce * nonce_before + sealed, "META-INF/manifest.xml": manifest(described)})


def reading(data: bytes, words: str = "As promised.") -> Reading:
    return read(Envelope("mime", bodies=(Body("text/plain", words),), blobs=(Blob("f", "", data),)), LIMITS)


def texts(found: Reading) -> dict[str, str]:
    return {part.path.removeprefix("attachment/1/"): part.text for part in found.parts}


def test_a_letter_with_notes_comments_and_its_author() -> None:
    found = texts(reading(plain(LETTER, **{"styles.xml": xml("<text:p>Running header</text:p>")})))
    assert "Review\nFirst\tline\nbroken here\n" in found["f"]
    for words in ("a comment", "a footnote", "Running header"):
        assert words in found["f"]
    assert found["f/properties"] == "Author: Ann Wren\nTitle: Trip review"


def test_sheets_keep_row_and_column() -> None:
    part = reading(plain(SHEETS, "spreadsheet")).parts[1]
    assert "Class 4B\nName\t\t\tBorn\nBryn Maple\t\t\t3 March 2015\nHidden\nkept\tkept" in part.text
    cells = [[part.text[start:end] for start, end in row] for row in part.tables[0].rows]
    assert cells[:2] == [["Name", "", "", "Born"], ["Bryn Maple", "", "", "3 March 2015"]]


LOCKED = {
    "entry by entry": locked(SECRET),
    "as a whole": wholly_locked(SECRET, nonce_before=False),
    "as a whole, nonce before": wholly_locked(SECRET, nonce_before=True),
    "by LibreOffice": SAMPLE.read_bytes(),
}


@pytest.mark.parametrize("how", LOCKED)
def test_locked_is_strong_and_opens_with_the_right_word_alone(how: str) -> None:
    kind, protection = grade(LOCKED[how])
    assert kind.startswith("application/vnd.oasis.opendocument")
    assert (protection.grade, protection.readable_without_password) == ("strong", False)
    closed = reading(LOCKED[how], "The password is Plover-Quay-20.")
    assert not closed.opened
    assert [problem.kind for problem in closed.problems] == ["encrypted"]
    opened = reading(LOCKED[how], f"The password is {SECRET}.")
    assert [(one.part, one.where, one.origin) for one in opened.opened] == [("attachment/1/f", "body", "message")]
    assert not opened.problems
    assert "Review" in texts(opened)["f/opened"]


@pytest.mark.parametrize(
    "data", [locked(SECRET)[:-200], locked(SECRET, rounds=1).replace(b"PBKDF2", b"PBKDF9"), plain("<unclosed>")]
)
def test_damaged_documents_are_problems_that_somebody_foresaw(data: bytes) -> None:
    found = reading(data, f"The password is {SECRET}.")
    assert found.problems
    assert not {problem.kind for problem in found.problems} & {"crashed"}


def test_a_whole_package_whose_beginning_alone_is_sound_is_not_read() -> None:
    """Only the beginning proves the password; what follows does not unpack."""
    salt, nonce = b"s" * 16, b"n" * 16
    packer = zlib.compressobj(0, zlib.DEFLATED, -15)
    packed = packer.compress(package({"content.xml": os.urandom(90_000)})) + packer.flush(zlib.Z_FULL_FLUSH)
    packed += b"\xff" * (64 - len(packed) % 16)
    key = hashlib.pbkdf2_hmac("sha1", hashlib.sha256(SECRET.encode()).digest(), salt, 10, 32)
    sealed = Cipher(algorithms.AES(key), modes.CBC(nonce)).encryptor().update(packed)
    derivation = 'manifest:key-derivation-name="PBKDF2" manifest:iteration-count="10"'
    described = entry(
        "encrypted-package", 200_000, "http://www.w3.org/2001/04/xmlenc#aes256-cbc", nonce, derivation, salt
    )
    data = package({"encrypted-package": sealed, "META-INF/manifest.xml": manifest(described)})
    found = reading(data, f"The password is {SECRET}.")
    assert [(problem.part, problem.kind, problem.read) for problem in found.problems] == [
        ("attachment/1/f", "corrupt", "none")
    ]
    assert {part.path: part.read for part in found.parts}["attachment/1/f"] == "none"


def test_a_lock_that_asks_for_a_gigabyte_is_not_tried() -> None:
    found = reading(wholly_locked(SECRET, nonce_before=False, memory=1 << 30), f"The password is {SECRET}.")
    assert not found.opened
    assert [problem.kind for problem in found.problems] == ["encrypted"]
