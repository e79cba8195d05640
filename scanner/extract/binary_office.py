"""Words of the Office formats before 2007, and what lies in their storages: MS-DOC, MS-PPT, MS-XLS by xlrd, MS-OLEDS.

Only what the text needs is followed: the piece table of a letter, the text atoms of slides, the cells of a workbook.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import olefile

from scanner.errors import UnreadablePart, fault_of
from scanner.extract import legacy
from scanner.extract.content import Child, Content, Sheets, Trouble, in_turn
from scanner.extract.limits import Limits
from scanner.extract.normal import charset_of, clean
from scanner.extract.office import PROGRAMS

_ERRORS = legacy.OLE_ERRORS
_MAX_DEPTH = 64
# MS-PPT 2.13.24: atoms that hold text, and the mark of a record that holds records.
_TEXT_CHARS, _TEXT_BYTES, _CSTRING, _CONTAINER = 0x0FA0, 0x0FA8, 0x0FBA, 0x0F
_EMBEDDED = 0x1011
# What the program itself writes where a title would go.
_PLACEHOLDERS = re.compile(r"^(?:Click to edit.*|(?:Second|Third|Fourth|Fifth) level)$\n?", re.MULTILINE)
# MS-DOC 2.4.1 and 2.8.1: what stands for something else than a letter.
_WORD_MARKS = {
    0x07: "\t", 0x0B: "\n", 0x0C: "\n", 0x0D: "\n", 0x1E: "-", 0x1F: "", 0x01: "", 0x02: "", 0x05: "", 0x08: "", 0x00: "",
}  # fmt: skip
# A field is its code, a mark, its result, a mark: only the result is on the page.
_FIELD_CODE = re.compile("\x13[^\x13\x14\x15]*\x14|\x13[^\x13\x14\x15]*\x15|[\x14\x15]")
_PNG_END = b"IEND\xaeB`\x82"
_MAX_PICTURES = 200
_BLANK = " \r\n\t\x0b*"


def read_legacy(data: bytes, claimed: str, limits: Limits) -> Content:
    """A .doc, .xls or .ppt: `encrypted` where locked, else its words, its pictures and what is embedded."""
    protection = legacy.lock(data)
    if not protection.readable_without_password or "default password" in protection.mechanism:
        return legacy.read_locked(data, claimed, limits)
    content = Content(protection=protection)
    try:
        ole = olefile.OleFileIO(data)
        if ole.exists("WordDocument"):
            content.text, is_whole = _word_text(ole, [])
            if not is_whole:
                content.missed(Trouble("corrupt", "a piece of the text lies beyond the end", "part"))
        elif ole.exists("PowerPoint Document"):
            content.text, is_whole = _slides_text(ole.openstream("PowerPoint Document").read())
            if not is_whole:
                content.missed(Trouble("corrupt", "a record of the presentation runs past its end", "part"))
        else:
            _add_sheets(data, content, limits)
        content.children = in_turn(("properties", _properties(ole)), ("embedded files", _inside(ole, limits)))
    except UnreadablePart:
        raise
    except _ERRORS as error:
        raise UnreadablePart("corrupt", f"Office format before 2007: {fault_of(error)}") from None
    return content


def read_storage(data: bytes, claimed: str, limits: Limits) -> Content:
    """A compound file of no known kind, such as an embedded object: what can be found in its storages."""
    protection = legacy.lock(data)
    if not protection.readable_without_password:
        return legacy.read_locked(data, claimed, limits)
    content = Content(protection=protection)
    try:
        children = list(_inside(olefile.OleFileIO(data), limits))
    except _ERRORS as error:
        raise UnreadablePart("corrupt", f"compound file: {fault_of(error)}") from None
    if not children:
        raise UnreadablePart("unsupported", "compound file of an unknown program")
    content.children = children
    return content


# --- letters --------------------------------------------------------------------------------------------------------


def _word_text(ole: Any, where: list[str]) -> tuple[str, bool]:
    """MS-DOC 2.4.1: the pieces of the text in order, headers, notes, comments and text boxes among them; and whether all of
    them are there.
    """
    main = ole.openstream([*where, "WordDocument"]).read()
    version, flags = struct.unpack_from("<H", main, 2)[0], struct.unpack_from("<H", main, 0x0A)[0]
    if version < 0x00C1:
        # Word 6 and 95: the text lies in one run, in the writer's code page.
        first, last = struct.unpack_from("<II", main, 0x18)
        return _word_shown(main[first:last].decode("cp1252", "replace")), last <= len(main)
    table = ole.openstream([*where, "1Table" if flags & 0x0200 else "0Table"]).read()
    start, length = struct.unpack_from("<II", main, 0x01A2)
    pieces = list(_pieces(main, table[start : start + length]))
    return _word_shown("".join(text for text, _ in pieces)), all(is_whole for _, is_whole in pieces)


def _pieces(main: bytes, clx: bytes) -> Iterator[tuple[str, bool]]:
    """MS-DOC 2.9.38 and 2.9.177: the piece table says where each stretch of text lies, and in one or two bytes a letter."""
    position = 0
    while position < len(clx) and clx[position] == 0x01:
        position += 3 + struct.unpack_from("<H", clx, position + 1)[0]
    if position >= len(clx) or clx[position] != 0x02:
        raise UnreadablePart("corrupt", "Word document without a piece table")
    size = struct.unpack_from("<I", clx, position + 1)[0]
    plc = clx[position + 5 : position + 5 + size]
    count = (len(plc) - 4) // 12
    places = struct.unpack_from(f"<{count + 1}I", plc)
    for number in range(count):
        letters = places[number + 1] - places[number]
        where = struct.unpack_from("<I", plc, 4 * (count + 1) + 8 * number + 2)[0]
        if letters < 0 or letters > len(main):
            yield "", False
            continue
        if where & 0x40000000:
            where, width, codec = (where & 0x3FFFFFFF) // 2, 1, "cp1252"
        else:
            width, codec = 2, "utf-16-le"
        stretch = main[where : where + width * letters]
        yield stretch.decode(codec, "replace"), len(stretch) == width * letters


def _word_shown(text: str) -> str:
    for _ in range(5):  # fields may lie in fields
        shorter = _FIELD_CODE.sub("", text)
        if shorter == text:
            break
        text = shorter
    # Each cell ends with a mark, and so does the row behind its last cell.
    return text.replace("\x07\x07", "\n").translate(_WORD_MARKS)


# --- slides ---------------------------------------------------------------------------------------------------------


def _slides_text(stream: bytes) -> tuple[str, bool]:
    """MS-PPT 2.3.1: records of eight bytes' header; the text atoms in the order they lie in, and whether none was cut off."""
    found: list[str] = []
    is_whole = True
    stack = [(0, len(stream))]
    while stack:
        position, end = stack.pop()
        while position + 8 <= end:
            version, kind, length = struct.unpack_from("<HHI", stream, position)
            body, following = position + 8, position + 8 + length
            if following > end:
                is_whole = False
                break
            if version & 0x0F == _CONTAINER:
                if len(stack) >= _MAX_DEPTH:
                    raise UnreadablePart("too_deep", "records of a presentation nested too deeply")
                stack.append((following, end))
                position, end = body, following
                continue
            if kind in (_TEXT_CHARS, _CSTRING):
                text = stream[body:following].decode("utf-16-le", "replace")
                found.append("" if text.startswith("___PPT") else text)
            elif kind == _TEXT_BYTES:
                found.append(stream[body:following].decode("latin-1"))
            position = following
    # The same words stand in the outline and on the slide.
    lines = (_PLACEHOLDERS.sub("", text.replace("\r", "\n").replace("\x0b", "\n")) for text in found)
    return "\n".join(dict.fromkeys(text.strip("\n") for text in lines if text.strip(_BLANK))), is_whole


# --- workbooks ------------------------------------------------------------------------------------------------------


def _add_sheets(data: bytes, content: Content, limits: Limits) -> None:
    import xlrd  # only a workbook of that time should pay for it
    from xlrd.compdoc import CompDocError

    try:
        book = xlrd.open_workbook(file_contents=data, logfile=io.StringIO())
    except (xlrd.XLRDError, CompDocError, AssertionError, NotImplementedError, UnicodeError, *_ERRORS) as error:
        raise UnreadablePart("corrupt", f"workbook before 2007: {fault_of(error)}") from None
    sheets = Sheets(limits.max_cells, limits.max_text_chars)
    for sheet in book.sheets():
        sheets.heading(clean(sheet.name))
        sheets.add(_sheet_rows(book, sheet), clean(sheet.name), sheet.visibility != 0)
        notes = (note.text for note in getattr(sheet, "cell_note_map", {}).values())
        sheets.heading("\n".join(clean(note) for note in notes if note))
    if sheets.full:
        content.missed(Trouble("too_large", f"workbook read to {limits.max_cells} cells", "part"))
    content.text, content.tables = sheets.finish()


def _sheet_rows(book: Any, sheet: Any) -> Iterator[list[str]]:
    for number in range(sheet.nrows):
        cells = [_cell(book, cell) for cell in sheet.row(number)]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield cells


def _cell(book: Any, cell: Any) -> str:
    """xlrd's kinds of cell: 1 text, 2 number, 3 date, 4 truth value, 5 error, others empty."""
    if cell.ctype == 1:
        return clean(str(cell.value))
    if cell.ctype == 3:
        import xlrd

        try:
            return str(xlrd.xldate_as_datetime(cell.value, book.datemode).strftime("%d/%m/%Y"))
        except (ValueError, OverflowError):
            return str(cell.value)
    if cell.ctype == 2:
        return str(int(cell.value)) if cell.value == int(cell.value) and abs(cell.value) < 1e15 else str(cell.value)
    return ("FALSE", "TRUE")[bool(cell.value)] if cell.ctype == 4 else ""


# --- what lies inside -----------------------------------------------------------------------------------------------


def _inside(ole: Any, limits: Limits) -> Iterator[Child]:
    """Files and documents embedded in storages, and the pictures among the data."""
    entries = ole.listdir(streams=True, storages=False)
    most = limits.max_parts * 4
    for entry in entries[:most]:
        *where, name = entry
        if name == "\x01Ole10Native":
            yield _package(ole.openstream(entry).read())
        elif name == "Package" or name.upper() == "CONTENTS":
            yield Child("embedded", partial(_stream, ole, entry), ole.get_size(entry))
        elif where and name == "WordDocument":
            yield Child("embedded letter", partial(_words_of, ole, where), claimed_type="text/plain")
        elif where and name in ("Workbook", "Book"):
            trouble = Trouble("unsupported", "workbook embedded in an Office file before 2007")
            yield Child("embedded workbook", None, ole.get_size(entry), trouble=trouble)
        elif name in ("Data", "Pictures"):
            yield from _pictures(ole.openstream(entry).read())
        elif name in ("Workbook", "Book"):
            yield from _pictures(_drawings(ole.openstream(entry).read()))
        elif name == "PowerPoint Document":
            yield from _objects(ole.openstream(entry).read(), limits)
    if len(entries) > most:
        trouble = Trouble("too_many_parts", f"{most} of {len(entries)} entries of a compound file read")
        yield Child("further entries", None, trouble=trouble)


# MS-OLEPS 2.25.1: the same as in the formats after it.
_NAMING = {
    "author": "Author", "last_saved_by": "Last changed by", "title": "Title", "subject": "Subject", "keywords": "Keywords",
    "comments": "Comments", "manager": "Manager",
}  # fmt: skip


def _properties(ole: Any) -> Iterator[Child]:
    """Who wrote it and what about, as a part of its own: see `office`."""
    try:
        known = ole.get_metadata()
    except (*_ERRORS, AttributeError) as error:
        raise UnreadablePart("corrupt", f"document properties: {fault_of(error)}") from None
    codec = charset_of(f"cp{(known.codepage or 1252) & 0xFFFF}") or "cp1252"
    lines = []
    for name, shown in _NAMING.items():
        value = getattr(known, name, None)
        text = value.decode(codec, "replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""
        text = " ".join(clean(text).replace("\0", " ").split())
        if text.isprintable() and text and text.lower() not in PROGRAMS:
            lines.append(f"{shown}: {text}")
    if lines:
        data = "\n".join(lines).encode("utf-8", "replace")
        yield Child("properties", lambda: data, len(data), "text/plain; charset=utf-8")


def _stream(ole: Any, entry: list[str]) -> bytes:
    try:
        return bytes(ole.openstream(entry).read())
    except _ERRORS as error:
        raise UnreadablePart("corrupt", f"embedded object: {fault_of(error)}") from None


def _words_of(ole: Any, where: list[str]) -> bytes:
    try:
        return _word_text(ole, where)[0].encode("utf-8", "replace")
    except _ERRORS as error:
        raise UnreadablePart("corrupt", f"embedded letter: {fault_of(error)}") from None


def _package(data: bytes) -> Child:
    """MS-OLEDS 2.3.6 and what Packager puts into it: two bytes, label, path, marks, a second path, then the file."""
    try:
        position = 6
        label_end = data.index(b"\0", position)
        path_end = data.index(b"\0", label_end + 1)
        second_length = struct.unpack_from("<I", data, path_end + 5)[0]
        position = path_end + 9 + second_length
        size = struct.unpack_from("<I", data, position)[0]
        name = data[6:label_end].decode("cp1252", "replace")
        content = data[position + 4 : position + 4 + size]
        if second_length > 4_096 or not content:
            raise ValueError
    except (ValueError, struct.error):
        return Child("embedded", lambda: data[4:], len(data))
    return Child(name, lambda: content, len(content))


def _drawings(stream: bytes) -> bytes:
    """MS-XLS 2.4.171: the drawing data of a workbook, which the records after it continue."""
    pieces = []
    position = last = 0
    while position + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, position)
        if kind == 0x00EB or (kind == 0x003C and last == 0x00EB):
            pieces.append(stream[position + 4 : position + 4 + size])
            kind = 0x00EB
        last = kind
        position += 4 + size
    return b"".join(pieces)


def _objects(stream: bytes, limits: Limits) -> Iterator[Child]:
    """MS-PPT 2.10.34: embedded objects, each a compound file, mostly packed."""
    position = 0
    mark = struct.pack("<H", _EMBEDDED)
    while (position := stream.find(mark, position + 1)) >= 0:
        head = position - 2
        if head < 0 or position + 6 > len(stream):
            continue
        version, _, length = struct.unpack_from("<HHI", stream, head)
        if version not in (0x0000, 0x0010) or length < 8 or position + 6 + length > len(stream):
            continue
        body = stream[position + 6 : position + 6 + length]
        yield Child("embedded", partial(_object, body, version == 0x0010, limits), length)


def _object(body: bytes, is_packed: bool, limits: Limits) -> bytes:
    if not is_packed:
        return body
    try:
        whole = zlib.decompressobj().decompress(body[4:], limits.max_part_bytes + 1)
    except zlib.error:
        raise UnreadablePart("corrupt", "embedded object: packed data") from None
    if len(whole) > limits.max_part_bytes:
        raise UnreadablePart("too_large", f"embedded object unpacks to more than {limits.max_part_bytes} bytes")
    return whole


def _pictures(stream: bytes) -> Iterator[Child]:
    """PNG and JPEG files among the drawing data (MS-ODRAW 2.2.23): told by how they begin."""
    position = number = 0
    while True:
        starts = [
            at
            for at in (stream.find(b"\x89PNG\r\n\x1a\n", position), stream.find(b"\xff\xd8\xff", position))
            if at >= 0
        ]
        if not starts:
            return
        if number >= _MAX_PICTURES:
            trouble = Trouble("too_many_parts", f"more than {_MAX_PICTURES} pictures in one stream")
            yield Child("further pictures", None, trouble=trouble)
            return
        start = min(starts)
        if stream[start] == 0x89:
            end = stream.find(_PNG_END, start)
            end = len(stream) if end < 0 else end + len(_PNG_END)
        else:
            following = stream.find(b"\xff\xd8\xff", start + 3)
            last = stream.rfind(b"\xff\xd9", start, following if following >= 0 else len(stream))
            end = last + 2 if last > start else len(stream)
        number += 1
        picture = stream[start:end]
        yield Child(f"picture {number}", lambda one=picture: one, len(picture), "image/embedded")  # type: ignore[misc]
        position = end
