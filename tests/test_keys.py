"""A lock with the key beside it: what opens is read, what stays closed is said, and a word is kept nowhere."""

from __future__ import annotations

import io

import olefile
import py7zr
import pytest
import pyzipper
import rars
from docx import Document
from msoffcrypto.method.ecma376_agile import ECMA376Agile, ECMA376AgileEncryptionInfo
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from scanner.extract import Limits, Reading, may_hold_key, read
from scanner.extract.keys import guesses, words_in
from scanner.model import Blob, Body, Envelope

LIMITS = Limits()
SECRET = "Plover-Quay-19"
WORDS = b"Notes of the review meeting"


def zipped(password: str, *, aes: bool = True, name: str = "notes.txt", data: bytes = WORDS) -> bytes:
    buffer = io.BytesIO()
    encryption = {"encryption": pyzipper.WZ_AES} if aes else {}
    with pyzipper.AESZipFile(buffer, "w", compression=pyzipper.ZIP_DEFLATED, **encryption) as archive:
        archive.setpassword(password.encode())
        archive.writestr(name, data)
    return buffer.getvalue()


def seven_zipped(password: str, *, names_too: bool = False) -> bytes:
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w", password=password, header_encryption=names_too) as archive:
        archive.writestr(WORDS, "notes.txt")
    return buffer.getvalue()


def rarred(password: str, version: str, *, names_too: bool = False) -> bytes:
    builder = rars.RarBuilder(version, password=password, encrypt_headers=names_too)
    builder.add_bytes(WORDS, "notes.txt")
    return bytes(builder.to_bytes())


def printed(password: str) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, encrypt=StandardEncryption(password, ownerPassword="another", strength=128))
    canvas.drawString(72, 700, WORDS.decode())
    canvas.save()
    return buffer.getvalue()


def lettered(password: str, rounds: int = 100) -> bytes:
    """A .docx under Office's agile lock, with few rounds so that it is quick."""
    plain = io.BytesIO()
    document = Document()
    document.add_paragraph(WORDS.decode())
    document.save(plain)
    plain.seek(0)
    return bytes(ECMA376Agile.encrypt(password, plain, spin_count=rounds))


def flipped(data: bytes, at: int) -> bytes:
    """One byte of the file turned over: the lock still takes its word, what lies behind it is spoilt."""
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def end_of_package(data: bytes) -> int:
    """Where the last block of an encrypted Office package lies in the file, in which its zip's directory ends."""
    with olefile.OleFileIO(data) as ole:
        package = ole.openstream("EncryptedPackage").read()
    return data.index(package[-64:]) + 40


def message(body: str, *blobs: Blob, subject: str = "Review") -> Envelope:
    return Envelope(source="mime", subject=subject, bodies=(Body("text/plain", body),), blobs=blobs)


def text_of(reading: Reading) -> str:
    return "\n".join(part.text for part in reading.parts if part.path.startswith("attachment/"))


LOCKED = {
    "zip, AES": zipped(SECRET),
    "7z": seven_zipped(SECRET),
    "7z, names too": seven_zipped(SECRET, names_too=True),
    "rar 4": rarred(SECRET, "rar40"),
    "rar 5": rarred(SECRET, "rar50"),
    "rar 5, names too": rarred(SECRET, "rar50", names_too=True),
    "pdf": printed(SECRET),
    "docx": lettered(SECRET),
}


@pytest.mark.parametrize("kind", LOCKED)
def test_without_the_word_it_stays_closed_and_is_counted(kind: str) -> None:
    reading = read(message("I will ring you with the password.", Blob("f", "", LOCKED[kind])), LIMITS)
    assert {problem.kind for problem in reading.problems} == {"encrypted"}
    assert not reading.opened
    assert "review meeting" not in text_of(reading)


@pytest.mark.parametrize("kind", LOCKED)
def test_with_the_word_in_the_body_it_is_read(kind: str) -> None:
    reading = read(message(f"The password is {SECRET}.", Blob("f", "", LOCKED[kind])), LIMITS)
    assert not reading.problems
    assert [(one.part, one.where, one.origin) for one in reading.opened] == [("attachment/1/f", "body", "message")]
    assert "review meeting" in text_of(reading)
    assert SECRET not in repr(reading.opened)


def test_a_lock_that_takes_the_word_but_holds_rubble_is_a_problem_and_not_read() -> None:
    data = lettered(SECRET)
    reading = read(message(f"The password is {SECRET}.", Blob("f", "", flipped(data, end_of_package(data)))), LIMITS)
    assert [(one.part, one.kind, one.read) for one in reading.problems] == [("attachment/1/f", "corrupt", "none")]
    assert "the password fits" in reading.problems[0].detail
    assert [part.read for part in reading.parts if part.path == "attachment/1/f"] == ["none"]
    assert [one.where for one in reading.opened] == ["body"]  # who has the mail has the word, whatever it opens


def test_one_spoilt_entry_behind_the_right_word_is_said() -> None:
    """The smaller entry proves the word, the other one's bytes are not what was locked."""
    buffer = io.BytesIO()
    with pyzipper.AESZipFile(buffer, "w", encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(SECRET.encode())
        archive.writestr("notes.txt", WORDS)
        archive.writestr("longer.txt", WORDS * 2)
    data = buffer.getvalue()
    spoilt = flipped(data, data.index(b"longer.txt") + 60)
    reading = read(message(f"The password is {SECRET}.", Blob("f", "", spoilt)), LIMITS)
    assert [(one.part, one.kind) for one in reading.problems] == [("attachment/1/f/longer.txt", "corrupt")]
    assert "review meeting" in text_of(reading)


@pytest.mark.parametrize(
    ("envelope", "where"),
    [
        (message("As promised.", Blob("f.zip", "", zipped(SECRET)), subject=f"Notes, pw {SECRET}"), "subject"),
        (message("As promised.", Blob(f"notes (password {SECRET}).zip", "", zipped(SECRET))), "attachment/1/"),
        (
            message(
                "As promised.",
                Blob("f.zip", "", zipped(SECRET)),
                Blob("readme.txt", "", f"open it with\n{SECRET}".encode()),
            ),
            "attachment/2/",
        ),
        (message('It opens with "three blind mice".', Blob("f.zip", "", zipped("three blind mice"))), "body"),
        (message("The password is: threeblindmice", Blob("f.zip", "", zipped("threeblindmice"))), "body"),
    ],
)
def test_the_word_may_stand_anywhere_in_the_message(envelope: Envelope, where: str) -> None:
    reading = read(envelope, LIMITS)
    assert [one.where.startswith(where) for one in reading.opened] == [True], reading.problems


def test_a_locked_file_in_a_locked_file() -> None:
    outer = zipped(SECRET, name="inner.zip", data=zipped("Second-Key-22"))
    reading = read(message(f"Password {SECRET}, then Second-Key-22", Blob("f.zip", "", outer)), LIMITS)
    assert len(reading.opened) == 2
    assert "review meeting" in text_of(reading)


def test_a_word_that_anybody_would_try_is_a_guess() -> None:
    reading = read(message("As promised.", Blob("f.zip", "", zipped("Password1"))), LIMITS)
    assert [(one.where, one.origin) for one in reading.opened] == [("", "guess")]
    born = read(message("For Bryn, born 4/10/2017.", Blob("f.zip", "", zipped("04102017"))), LIMITS)
    assert [one.origin for one in born.opened] == ["guess"]
    school = read(message("As promised.", Blob("f.zip", "", zipped("northfield1"))), LIMITS, guessable=("northfield",))
    assert [one.origin for one in school.opened] == ["guess"]


def test_trying_ends_when_it_has_cost_enough() -> None:
    body = "\n".join(f"The code is Word-{number}x" for number in range(300)) + f"\nThe password is {SECRET}"
    poor = read(message(body, Blob("f.zip", "", zipped(SECRET))), Limits(key_milliseconds=0))
    assert not poor.opened
    assert [problem.kind for problem in poor.problems] == ["encrypted"]


def test_a_lock_that_hides_its_price_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ECMA376AgileEncryptionInfo.toEncryptionDescriptor
    monkeypatch.setattr(
        ECMA376AgileEncryptionInfo,
        "toEncryptionDescriptor",
        lambda self: (
            plain(self)
            .replace("<encryption ", '<encryption spinCount="1" ')
            .replace('spinCount="100"', 'spinCount="9999999"')
        ),
    )
    data = lettered(SECRET)
    assert data.count(b"spinCount") == 2
    for words in (f"The password is {SECRET}.", "Password1"):
        reading = read(message(words, Blob("f", "", data)), LIMITS)
        assert sorted(one.kind for one in reading.problems) == ["budget", "encrypted"]
        assert not reading.opened


def test_a_file_is_announced_before_words_are_tried_and_one_set_aside_is_not_tried() -> None:
    seen: list[str] = []
    envelope = message(f"The password is {SECRET}.", Blob("f", "", zipped(SECRET)), Blob("last.txt", "", b"words"))
    assert read(envelope, LIMITS, seen.append).opened
    assert seen[seen.index("attachment/2/last.txt") + 1] == "attachment/1/f"
    aside = read(envelope, LIMITS, set_aside={"attachment/1/f": "timed_out"})
    assert not aside.opened
    assert [one.kind for one in aside.problems] == ["timed_out"]
    later = message(SECRET, subject="Re: Review")
    assert not read(later, LIMITS, set_aside={"companion/1/attachment/1/f": "timed_out"}, companions=(envelope,)).opened


def test_the_word_of_one_message_opens_the_file_of_another() -> None:
    earlier = message("As promised.", Blob("f.zip", "", zipped(SECRET)))
    later = message(SECRET, subject="Re: Review")
    reading = read(later, LIMITS, companions=(earlier,))
    assert [one.origin for one in reading.opened] == ["companion"]
    assert [part.path for part in reading.parts] == ["subject", "body"]  # nothing else of the other one
    assert not read(message("See you on Friday."), LIMITS, companions=(earlier,)).opened


@pytest.mark.parametrize(
    "text",
    [
        "Thank you, see you on Friday at the usual place.",
        "Please keep your password safe and tell nobody.",
        "The office opens on Monday.",
        "Ring me on 01632 960420.",
        "www.northfield2.elt.example",
    ],
)
def test_plain_mail_holds_no_key(text: str) -> None:
    assert not may_hold_key([("body", text)])


@pytest.mark.parametrize(
    "text", [SECRET, f"you need this for yesterday's file: {SECRET}, it opens with that", "password:\nHedgehog4M"]
)
def test_what_looks_like_a_key_is_noticed(text: str) -> None:
    assert may_hold_key([("body", text)])


def test_what_is_told_comes_first() -> None:
    words = words_in([("body", "Dear Sandra99, see room 12b.\nThe password is Oct!Audit26.")])
    assert words[0].value in ("Oct!Audit26", "Oct!Audit26.")
    assert "Oct!Audit26" not in repr(words)
    assert all(word.origin == "guess" for word in guesses([], ["plan.zip"]))
