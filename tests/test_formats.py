"""Formats that are older or rarer than the usual ones, made here byte by byte where no program writes them any more."""

from __future__ import annotations

import binascii
import io
import random
import struct
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import py7zr
import pytest
import rars

from scanner.extract import Limits, Reading, open_item, read
from scanner.extract.archives import rar_rounds
from scanner.extract.binary_office import _slides_text, _word_shown
from scanner.extract.mail_stores import as_mail
from scanner.extract.tnef import unpacked_rtf
from scanner.model import Address, Blob, Body, Envelope, Recipient
from scanner.ports import RawItem

EVAL = Path(__file__).resolve().parent.parent.parent / "shared" / "eval"
LIMITS = Limits()


def document(data: bytes, limits: Limits = LIMITS) -> Reading:
    return read(Envelope(source="document", kind="document", blobs=(Blob("f", "", data),)), limits)


def mail(data: bytes) -> Reading:
    ((_, envelope),) = list(open_item(RawItem(data, "message/rfc822"), LIMITS))
    return read(envelope, LIMITS)


# --- Word and PowerPoint before 2007 ---


def test_marks_of_a_word_text_become_what_they_stand_for() -> None:
    raw = (
        'Name\x07Born\x07\x07Tamsin\x074/10/2017\x07\x07See \x13 HYPERLINK "x" \x14the page\x15 now\x0bnext\x1ehyphen\r'
    )
    assert _word_shown(raw) == "Name\tBorn\nTamsin\t4/10/2017\nSee the page now\nnext-hyphen\n"


def record(kind: int, body: bytes, version: int = 0) -> bytes:
    return struct.pack("<HHI", version, kind, len(body)) + body


def test_slides_give_their_text_once_and_no_placeholders() -> None:
    inner = record(0x0FA0, "Trip list".encode("utf-16-le")) + record(0x0FA8, b"Click to edit Master title style")
    stream = record(0x03EE, inner + record(0x0FA8, b"Bryn Calloway"), 0x0F) + record(
        0x0FA0, "Trip list".encode("utf-16-le")
    )
    text, is_whole = _slides_text(stream)
    assert (text.split("\n"), is_whole) == (["Trip list", "Bryn Calloway"], True)


def test_slides_whose_last_record_runs_past_the_end_are_not_whole() -> None:
    stream = record(0x0FA8, b"Trip list") + record(0x0FA8, b"Bryn Calloway")[:-3]
    assert _slides_text(stream) == ("Trip list", False)


def test_pictures_and_objects_beyond_the_limits_are_said() -> None:
    from scanner.extract.binary_office import _inside, _object, _pictures

    picture = b"\x89PNG\r\n\x1a\n" + b"IEND\xaeB`\x82"
    assert [one.trouble for one in _pictures(picture * 200) if one.trouble] == []
    assert [one.trouble.kind for one in _pictures(picture * 201) if one.trouble] == ["too_many_parts"]
    names = [["Other", str(number)] for number in range(5)]
    few = SimpleNamespace(listdir=lambda **_: names)
    assert [one.trouble.kind for one in _inside(few, Limits(max_parts=1)) if one.trouble] == ["too_many_parts"]
    assert not list(_inside(few, Limits(max_parts=2)))
    packed = bytes(4) + zlib.compress(bytes(100))
    assert len(_object(packed, True, Limits(max_part_bytes=100))) == 100
    with pytest.raises(Exception, match="too_large"):
        _object(packed, True, Limits(max_part_bytes=99))


def test_a_winmail_with_more_properties_than_are_read_is_not_wholly_read() -> None:
    many = struct.pack("<I", 10_001) + struct.pack("<HHI", 0x0003, 0x3000, 1) * 10_001
    reading = document(tnef(attribute(0x0002800C, b"Dear Tamsin\0"), attribute(0x00069003, many)))
    assert [(problem.kind, problem.read) for problem in reading.problems] == [("corrupt", "part")]
    assert "Dear Tamsin" in reading.parts[1].text


def test_records_nested_without_end_are_refused() -> None:
    body = b""
    for _ in range(200):
        body = record(0x03EE, body, 0x0F)
    with pytest.raises(Exception, match="too_deep"):
        _slides_text(body)


# --- TNEF and compressed RTF ---


def attribute(identifier: int, value: bytes, level: int = 1) -> bytes:
    return struct.pack("<BII", level, identifier, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def tnef(*attributes: bytes) -> bytes:
    return struct.pack("<IH", 0x223E9F78, 1) + b"".join(attributes)


def test_a_winmail_gives_its_body_and_its_files() -> None:
    data = tnef(
        attribute(0x0002800C, b"Dear Tamsin\0"),
        attribute(0x00069002, bytes(14), 2),
        attribute(0x00018010, b"list.txt\0", 2),
        attribute(0x0006800F, b"Bryn Calloway", 2),
    )
    reading = document(data)
    assert [(part.path, part.text) for part in reading.parts] == [
        ("document", ""),
        ("document/body.txt", "Dear Tamsin"),
        ("document/list.txt", "Bryn Calloway"),
    ]
    assert not reading.problems


def test_a_winmail_that_breaks_off_is_read_so_far_and_said() -> None:
    reading = document(tnef(attribute(0x0002800C, b"Dear Tamsin\0")) + attribute(0x0006800F, b"x" * 50)[:20])
    assert [(problem.kind, problem.read) for problem in reading.problems] == [("corrupt", "part")]
    assert "Dear Tamsin" in reading.parts[1].text


def test_compressed_rtf_of_the_specification() -> None:
    """MS-OXRTFCP 4.1.1.1: the first example, with its own dictionary references."""
    packed = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert unpacked_rtf(packed, LIMITS) == (b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n", True)
    assert [unpacked_rtf(packed[:end], LIMITS)[1] for end in (20, 30, 40)] == [False, False, False]
    with pytest.raises(Exception, match="corrupt"):
        unpacked_rtf(b"short", LIMITS)
    # A size that is too small keeps nothing back, in either form; one that is too large is no reason to wait for more.
    small = packed[:4] + struct.pack("<I", 5) + packed[8:]
    assert unpacked_rtf(small, LIMITS) == unpacked_rtf(packed, LIMITS)
    stored = struct.pack("<IIII", 30, 4, 0x414C454D, 0) + b"{\\rtf1 hello world}"
    assert unpacked_rtf(stored, LIMITS) == (b"{\\rtf1 hello world}", True)
    with pytest.raises(Exception, match="too_large"):
        unpacked_rtf(small, Limits(max_part_bytes=20))


# --- mails inside other things ---


def test_a_message_written_as_a_mail_keeps_everything() -> None:
    envelope = Envelope(
        source="msg",
        subject="Größe: a\r\nX-Injected: no",
        from_=Address("jane@elt.example", 'Jane "J" <Smith>'),
        recipients=(Recipient("to", "sam@elt.example", "Sam Lee"), Recipient("cc", "pat@gmail.com")),
        bodies=(Body("text/plain", "plain words"), Body("text/html", "<p>other words</p>")),
        blobs=(Blob("añb.txt", "text/plain", b"file words"),),
    )
    ((_, again),) = list(open_item(RawItem(as_mail(envelope), "message/rfc822"), LIMITS))
    assert again.from_ == Address("jane@elt.example", "Jane J Smith")
    assert [one.address for one in again.recipients] == ["sam@elt.example", "pat@gmail.com"]
    assert again.subject == "Größe: a X-Injected: no"
    assert not again.header("X-Injected")
    assert [body.text.strip() for body in again.bodies] == ["plain words", "<p>other words</p>"]
    assert [(blob.name, blob.data) for blob in again.blobs] == [("añb.txt", b"file words")]


HEAD = b"From: jane@elt.example\nTo: sam@elt.example\nSubject: List\n"


def test_a_file_written_into_the_text_is_an_attachment() -> None:
    lines = b"".join(binascii.b2a_uu(chunk) for chunk in (b"Bryn Calloway", b", Tamsin Oakley"))
    reading = mail(HEAD + b"\nHello\nbegin 644 list.txt\n" + lines + b"`\nend\nBye\n")
    assert [(part.path, part.text) for part in reading.parts[1:]] == [
        ("body", "Hello\nBye"),
        ("attachment/1/list.txt", "Bryn Calloway, Tamsin Oakley"),
    ]


def test_a_sentence_that_begins_with_begin_is_no_file() -> None:
    reading = mail(HEAD + b"\nbegin 644 the count of the long lorries that are parked outside\nthis is said, 12\nend\n")
    assert len(reading.parts) == 2
    assert "lorries" in reading.parts[1].text


def test_one_piece_of_a_mail_sent_in_pieces_says_so() -> None:
    head = HEAD + b'Content-Type: message/partial; id="1@elt.example"; number=2; total=3\nMIME-Version: 1.0\n'
    reading = mail(head + b"\nhalf a list: Bryn Calloway\n")
    assert [(problem.kind, problem.read) for problem in reading.problems] == [("unsupported", "part")]
    assert "Bryn Calloway" in reading.parts[-1].text


# --- packages ---


def test_a_text_imported_into_a_letter_is_read() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr("word/document.xml", "<w:document xmlns:w='x'><w:body><w:altChunk/></w:body></w:document>")
        package.writestr("word/chunk.html", "<html><body><p>Bryn Calloway</p></body></html>")
    assert "Bryn Calloway" in [part.text for part in document(buffer.getvalue()).parts]


def test_a_strict_workbook_is_read() -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["Name", "Born"])
    book.active.append(["Bryn Calloway", "12/09/2017"])
    usual = io.BytesIO()
    book.save(usual)
    strict = io.BytesIO()
    with zipfile.ZipFile(usual) as source, zipfile.ZipFile(strict, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            data = data.replace(
                b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
                b"http://purl.oclc.org/ooxml/spreadsheetml/main",
            )
            data = data.replace(
                b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
                b"http://purl.oclc.org/ooxml/officeDocument/relationships",
            )
            target.writestr(info.filename, data)
    assert "Bryn Calloway\t12/09/2017" in document(strict.getvalue()).parts[0].text


# --- archives that are not zip ---


def seven_zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(data, name.replace("__", "."))
    return buffer.getvalue()


def test_a_seven_zip_is_opened() -> None:
    reading = document(seven_zipped(a__txt=b"Bryn Calloway", b__txt=b"Tamsin Oakley"))
    assert [part.text for part in reading.parts[1:]] == ["Bryn Calloway", "Tamsin Oakley"]
    assert not reading.problems


def test_a_seven_zip_bomb_is_too_large_before_it_is_unpacked() -> None:
    reading = document(seven_zipped(zeros=bytes(3_000_000)), Limits(max_total_bytes=1_000_000))
    assert [problem.kind for problem in reading.problems] == ["too_large"]


def rarred(version: str, files: dict[str, bytes], **options: object) -> bytes:
    """A RAR archive as the library itself writes it, from RAR 1.5 to 7."""
    builder = rars.RarBuilder(version, **options)
    for name, data in files.items():
        builder.add_bytes(data, name)
    return bytes(builder.to_bytes())


@pytest.mark.parametrize("version", ["rar15", "rar20", "rar29", "rar50", "rar70"])
@pytest.mark.parametrize("solid", [False, True])
def test_a_rar_of_any_age_is_opened(version: str, solid: bool) -> None:
    reading = document(rarred(version, {"a.txt": b"first words", "b/c.txt": b"more words" * 50}, solid=solid))
    assert {part.path: part.text[:11] for part in reading.parts[1:]} == {
        "document/a.txt": "first words",
        "document/b/c.txt": "more wordsm",
    }
    assert not reading.problems


def test_a_rar_bomb_is_too_large_before_it_is_unpacked() -> None:
    for solid in (False, True):
        data = rarred("rar50", {"a": bytes(3_000_000), "b": bytes(3_000_000)}, solid=solid)
        reading = document(data, Limits(max_part_bytes=1_000_000))
        assert {problem.kind for problem in reading.problems} == {"too_large"}
        assert len(reading.parts) == 3


def test_of_a_solid_rar_everything_before_the_damage_is_read() -> None:
    files = {f"{number}.txt": random.Random(number).randbytes(3_000).hex().encode() for number in range(9)}
    data = bytearray(rarred("rar50", files, solid=True))
    data[len(data) * 2 // 3] ^= 0xFF
    reading = document(bytes(data))
    states = [part.read for part in reading.parts[1:]]
    assert states[:4] == ["all"] * 4
    assert "none" in states
    assert {problem.kind for problem in reading.problems} == {"corrupt"}
    assert {problem.part for problem in reading.problems} == {p.path for p in reading.parts if p.read == "none"}


@pytest.fixture(scope="module")
def rar_files() -> dict[str, bytes]:
    import tarfile

    archive = EVAL / "documents" / "rar.tar.xz"
    if not archive.is_file():
        pytest.skip(f"no RAR files beside the repository ({archive.name} under shared/eval/documents)")
    with tarfile.open(archive) as opened:
        return {
            Path(one.name).name: file.read()
            for one in opened.getmembers()
            if one.isfile() and (file := opened.extractfile(one)) is not None
        }


def test_rar_archives_are_opened_or_say_why_not(rar_files: dict[str, bytes]) -> None:
    for name, data in rar_files.items():
        reading = document(data)
        kinds = {problem.kind for problem in reading.problems}
        if "psw" in name and "nopsw" not in name:
            # Some open with "password", one asks for more rounds than are tried.
            assert kinds in ({"encrypted"}, {"encrypted", "budget"}) or reading.opened, name
        elif "vols" in name or name == "rar3-old.rar":
            assert kinds == {"unsupported"}, name
        elif name == "rar2-unix-owner.rar":
            assert kinds == {"corrupt"}, name  # a block that RAR wrote on Unix until 2001
        else:
            assert not kinds, name
            assert len(reading.parts) > 1, name


def test_a_link_out_of_a_rar_leads_nowhere(rar_files: dict[str, bytes]) -> None:
    parts = document(rar_files["rar5-evil-symlink-traversal.rar"]).parts
    assert [part.path for part in parts] == ["document", "document/up", "document/up/pwned.txt"]


def noted(*words: str, files: tuple[bytes, ...] = (), magic: str = "e4525c7b8cd8a74daeb15378d02996d3") -> bytes:
    """What a section looks like from far: words as UTF-16 or Latin text between bytes that are none, and files behind a GUID."""
    noise = random.Random(7)
    data = bytes.fromhex(magic) + noise.randbytes(300)
    for number, word in enumerate(words):
        data += b"\x00\x01" + word.encode("cp1252" if number % 2 else "utf-16-le") + b"\x00\x02" + noise.randbytes(80)
    for file in files:
        data += bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac") + struct.pack("<QIQ", len(file), 0, 0) + file
    return data


def test_a_notebook_gives_its_words_and_files_and_says_that_it_is_read_in_part() -> None:
    words = ("Bryn Maple was born on 3 March 2015", "Seen by the nurse, née Oak", "943 476 5919")
    reading = document(noted(*words, files=(b"From the file that was put in", b"", zipped_words())))
    assert reading.parts[0].media_type == "application/onenote"
    for word in words:
        assert word in reading.parts[0].text
    assert len(reading.parts[0].text.split("\n")) < 12  # noise hardly ever reads like writing
    assert [part.text for part in reading.parts if part.path == "document/file 1"] == ["From the file that was put in"]
    assert "document/file 2/a.txt" in [part.path for part in reading.parts]
    assert [(one.part, one.kind, one.read) for one in reading.problems] == [("document", "unsupported", "part")]


def test_a_cyrillic_note_is_read_and_a_cut_off_one_survives() -> None:
    whole = noted("Спроба записати щось довше", files=(b"words " * 40,))
    assert "Спроба записати щось довше" in document(whole).parts[0].text
    for cut in range(16, len(whole), 37):
        assert {one.kind for one in document(whole[:cut]).problems} <= {"unsupported"}


def zipped_words() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "words")
    return buffer.getvalue()


def test_an_odd_packed_object_is_refused() -> None:
    from scanner.extract.binary_office import _object

    assert _object(struct.pack("<I", 3) + zlib.compress(b"abc"), True, LIMITS) == b"abc"
    with pytest.raises(Exception, match="corrupt"):
        _object(b"\0\0\0\0nothing packed", True, LIMITS)


def test_a_rar_that_cannot_be_opened_survives_a_password() -> None:
    """Found by fuzzing: the package handed the password to an archive that was not there."""
    data = b"Rar!\x1a\x07\x07\x00r!\x1a\x07\x07\x00\xcf\x90s\xed\xed\xed\xcd\xec\x00\x00\x00O\xfd\x00\x00"
    assert {problem.kind for problem in document(data).problems} <= {"encrypted", "corrupt"}


def test_a_lock_that_an_attacker_made_dear_is_not_tried() -> None:
    """Found by fuzzing: 159 bytes that made every try cost fourteen seconds. No clock: it would take minutes."""
    data = b"Rar!\x1a\x07\x01\x00\xffOOOO\x84\x00\x00\x00\x00" + b"\x18" * 140
    assert rar_rounds(data) >= 24
    assert sorted(problem.kind for problem in document(data).problems) == ["budget", "encrypted"]
