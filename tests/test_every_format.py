"""Every format: each place where words can stand is read, and whatever is damaged is a part or a problem, never silence."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from every_format import FILES, PICTURES, changed
from test_extract import accounted_for

from scanner.extract import Limits, Reading, open_item, read
from scanner.extract.reading import _READERS
from scanner.extract.sniff import ODF
from scanner.model import Blob, Body, Envelope, Part
from scanner.ports import RawItem

LIMITS = Limits(ocr_pages=0)
# Read elsewhere: locks and seals (test_protection), an Outlook store and notebooks (test_formats), which no program here writes.
ELSEWHERE = {
    "application/pkcs7-mime", "application/pgp-keys", "application/pgp-signature", "application/pgp-encrypted",
    "application/x-microsoft-rpmsg-message", "application/x-age-encryption", "application/x-ooxml-encrypted",
    "application/vnd.ms-outlook-pst", "application/onenote", "application/x-ole-storage", "message/partial", "text/x-script",
}  # fmt: skip


def document(data: bytes, name: str) -> Reading:
    """As a file that somebody attached: mails and stores are opened inside it, too."""
    return read(Envelope("mime", bodies=(Body("text/plain", "See attached."),), blobs=(Blob(name, "", data),)), LIMITS)


def shown(reading: Reading) -> str:
    return "\n".join(f"{part.path}\n{part.text}" for part in reading.parts)


def test_every_reader_has_a_file_here_or_is_tried_elsewhere() -> None:
    here = {made.media_type for made in FILES.values()}
    known = {kind for kind in _READERS if kind not in ELSEWHERE}
    assert known <= here
    assert {kind for kind in here if kind.startswith(ODF)} == {
        f"{ODF}.{name}" for name in ("text", "spreadsheet", "presentation")
    }
    assert not ELSEWHERE & here
    assert set(_READERS) >= ELSEWHERE


@pytest.mark.parametrize("name", FILES)
def test_each_place_with_words_is_read(name: str) -> None:
    made = FILES[name]
    reading = document(made.data, name)
    assert reading.parts[1].media_type == made.media_type
    found = shown(reading)
    assert [word for word in made.words if word not in found] == []
    assert not reading.problems
    assert {part.read for part in reading.parts} == {"all"}


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".eml", ".msg", ".oft", ".mbox"))])
def test_a_mail_alone_says_the_same(name: str) -> None:
    made = FILES[name]
    found = ""
    for _, envelope in open_item(RawItem(made.data, name), LIMITS):
        who = [envelope.from_.name if envelope.from_ else "", *(one.name for one in envelope.recipients)]
        found += shown(read(envelope, LIMITS)) + " ".join(who)
    assert [word for word in made.words if word not in found] == []


@pytest.mark.parametrize("name", PICTURES)
def test_words_in_pictures_are_read(name: str) -> None:
    reading = read(Envelope("document", kind="document", blobs=(Blob(name, "", PICTURES[name]()),)), Limits())
    assert not reading.problems
    assert "Tamsin Calloway" in reading.parts[0].text
    assert ("Bryn Calloway" in reading.parts[0].text) == name.endswith(".tiff")  # it has pages


# --- nothing silent -------------------------------------------------------------------------------------------------------


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Cut off, or with some bytes replaced, or with a stretch taken out."""
    if not data:
        return data
    at = chance.randrange(len(data))
    match chance.randrange(4):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + data[at + chance.randrange(1, 64) :]
        case _:
            spoilt = bytearray(data)
            for _ in range(chance.choice((1, 1, 4, 16))):
                spoilt[chance.randrange(len(data))] = chance.randrange(256)
            return bytes(spoilt)


@pytest.mark.parametrize("name", FILES)
def test_parts_in_are_parts_accounted_for_whatever_the_damage(name: str) -> None:
    """Each part is read, or has a problem that somebody foresaw; parts that went away are missing from no list in silence."""
    chance = random.Random(name)
    for _ in range(30):
        reading = document(damaged(FILES[name].data, chance), name)
        accounted_for(reading)
        assert reading.parts[1].path == f"attachment/1/{name}"
        assert [one for one in reading.problems if one.kind == "crashed"] == []
        assert {one.part for one in reading.problems} <= {part.path for part in reading.parts}


def test_damaged_properties_keep_no_embedded_file_from_being_read() -> None:
    data = changed(FILES["letter.docx"].data, {"docProps/core.xml": (b"</cp:coreProperties>", b"</broken>")}, {})
    reading = document(data, "letter.docx")
    assert "InEmbedded" in shown(reading)
    assert [(one.part, one.kind) for one in reading.problems] == [("attachment/1/letter.docx/properties", "corrupt")]


SPOILT = {
    "zip": ("files.zip", b"InFile"),
    "7z": ("files.7z", b""),
    "RAR 5": ("files 5.rar", b"InFile"),
    "RAR 4": ("files 4.rar", b"InFile"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_spoilt_content_of_an_archive_is_said(kind: str) -> None:
    """The list of its files is whole, what lies behind one of them is not: the checksum tells."""
    name, content = SPOILT[kind]
    data = FILES[name].data
    at = data.index(content) if content and content in data else 34
    spoilt = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
    reading = document(spoilt, name)
    assert "InFile" not in shown(reading)
    assert {one.kind for one in reading.problems} == {"corrupt"}
    assert all(part.read != "all" for part in reading.parts if part.path in {one.part for one in reading.problems})


def test_the_property_can_fail() -> None:
    """What the tests above look for is noticed: a part that is not read and has no problem, and one that is there twice."""
    whole = document(FILES["files.zip"].data, "files.zip")
    accounted_for(whole)
    for spoilt in (
        Reading((*whole.parts[:-1], _unread(whole.parts[-1])), ()),
        Reading((*whole.parts, whole.parts[-1]), ()),
    ):
        with pytest.raises(AssertionError):
            accounted_for(spoilt)


def _unread(part: Part) -> Part:
    return replace(part, read="none", text="")
