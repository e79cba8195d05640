"""Sections of OneNote notebooks (MS-ONESTORE): the words in them as far as they lie in the open, and the files put into them.

A section keeps every change as objects that refer to each other. What somebody wrote lies in them as UTF-16 or Latin text without
any packing, and files as they are, so both are picked out without following the objects. The order of the words, and what was
deleted, cannot be told that way: the part counts as partly read.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import partial

from scanner.extract.content import Child, Content, Trouble
from scanner.extract.limits import Limits
from scanner.extract.normal import clean

# FileDataStoreObject (section 2.6.13): this GUID, the length, twelve bytes that mean nothing, the file.
_FILE = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
_FILE_HEAD = 36
# UTF-16: Latin letters with those of Central Europe, or a run of one other alphabet; noise mixes them all.
_WIDE = re.compile(
    rb"(?:[\x09\x0a\x0d\x20-\x7e\xa0-\xff]\x00|[\x00-\x7f]\x01){4,}"
    rb"|(?:[\x00-\xff]\x04|[\x20-\x40]\x00){6,}|(?:[\x00-\xff]\x06|[\x20-\x40]\x00){6,}|(?:[\x00-\xff]\x03|[\x20-\x40]\x00){6,}"
)
_NARROW = re.compile(rb"[\x09\x0a\x0d\x20-\x7e\x91-\x94\xa3\xc0-\xff]{6,}")
_WORD = re.compile(r"[^\W\d_]{2,}")
# The byte in front of a text may read as one more character of it.
_NUMBER = re.compile(r".?\d[\d /.-]{5,24}")
# Names that the program itself writes: fonts, styles, identifiers.
_PROGRAMS = re.compile(
    r"(?:calibri|cambria|arial|verdana|segoe ui|times new roman|consolas|georgia|page ?title|h[1-6]|p|cite|code|blockquote)[\w ]{0,8}$"
    r"|\{?[0-9a-f]{8}-[0-9a-f-]{27}\}?|<ifndf>.*|<resolutionid|pagedatetime$|[a-z]{2}-[a-z]{2}$",
    re.IGNORECASE,
)


def read_onenote(data: bytes, claimed: str, limits: Limits) -> Content:
    """The words a line each, repeats left out, and the files inside as children."""
    files = list(_files(data))
    open_bytes = bytearray(data)
    for start, length in files:
        open_bytes[start : start + length] = bytes(length)
    lines: dict[str, None] = {}
    left = limits.max_text_chars
    for line in _lines(bytes(open_bytes)):
        if line not in lines:
            left -= len(line) + 1
            if left < 0:
                break
            lines[line] = None
    content = Content("\n".join(lines))
    content.missed(Trouble("unsupported", "OneNote: words and files are picked out, the rest is not read", "part"))
    content.children = (
        Child(f"file {number}", partial(_piece, data, start, length), length)
        for number, (start, length) in enumerate(files, 1)
    )
    return content


def _files(data: bytes) -> Iterator[tuple[int, int]]:
    position = data.find(_FILE)
    while position >= 0:
        start = position + _FILE_HEAD
        if start > len(data):
            return
        (length,) = struct.unpack_from("<Q", data, position + len(_FILE))
        if start + length > len(data):
            length = len(data) - start  # cut off: what is there is read, and its own reader says that it is not whole
        if length:
            yield start, length
        position = data.find(_FILE, start + length)


def _piece(data: bytes, start: int, length: int) -> bytes:
    return data[start : start + length]


def _lines(data: bytes) -> Iterator[str]:
    """Runs of characters that read like writing; chance gives runs as well, but few plain letters in them."""
    found = [(match.start(), False, match.group().decode("utf-16-le", "ignore")) for match in _WIDE.finditer(data)]
    found += [(match.start(), True, match.group().decode("cp1252", "ignore")) for match in _NARROW.finditer(data)]
    for _, is_narrow, text in sorted(found):
        for line in clean(text).replace("\r", "\n").split("\n"):
            line = line.strip()
            if len(line) > 3 and _reads_like_writing(line, is_narrow) and not _PROGRAMS.match(line):
                yield line


def _reads_like_writing(line: str, is_narrow: bool) -> bool:
    if _NUMBER.fullmatch(line):
        return True
    plain = sum(one.isalnum() or one in " .,:'-@/()?!" for one in line)
    if not _WORD.search(line) or plain < 0.85 * len(line):
        return False
    # In Latin text an accent is the exception; in noise it is every other character.
    return not is_narrow or sum(one.isascii() and (one.isalpha() or one == " ") for one in line) >= 0.7 * len(line)
