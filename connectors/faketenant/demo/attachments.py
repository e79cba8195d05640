"""The files that hang on the demo mails, made from their description in the data.

Each maker gives the same bytes for the same description, on any day and machine: office files are packed again with one
fixed time stamp, since the libraries write the present one. What cannot be made twice alike, because real encryption
draws random numbers, lies ready in `locked/`.
"""

from __future__ import annotations

import csv
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import docx
import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from scanner.errors import ConfigError

LOCKED = Path(__file__).parent / "locked"
# DOS time in ZIP headers starts in 1980 (APPNOTE 4.4.6); term begins here.
STAMP = (2026, 9, 1, 8, 0, 0)
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".eml": "message/rfc822",
    ".exe": "application/x-msdownload",
    ".ics": "text/calendar",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".txt": "text/plain",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
}


def media_type(name: str) -> str:
    """What a mail program would claim for a file of that name."""
    return MEDIA_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")


def make(item: Mapping[str, Any], place: str, mail: Callable[[str], bytes]) -> bytes:
    """The bytes of one described attachment.

    `item` holds `name` and one of `rows`, `sheets`, `paragraphs`, `text`, `pdf_lines`, `zip`, `mail`, `locked`, `stub`;
    beside it `table` (docx), `hidden` (sheet names), `protect` (sheets), `zipcrypto` (a password), `cut` (bytes lost).
    `mail` turns the id of another demo mail into its bytes. Raises ConfigError naming `place` when it is none of these.
    """
    data = _whole(item, place, mail)
    cut = item.get("cut", 0)
    return data[: len(data) - cut] if cut else data


def _whole(item: Mapping[str, Any], place: str, mail: Callable[[str], bytes]) -> bytes:
    suffix = Path(item["name"]).suffix.lower()
    match item:
        case {"locked": str(file)}:
            return (LOCKED / file).read_bytes()
        case {"stub": "exe"}:
            # The DOS header's first and last fields and nothing behind them: recognised as a program, unable to run.
            return b"MZ" + bytes(58) + struct.pack("<I", 64) + b"This stub of the demo tenant holds no program.\r\n"
        case {"stub": "noise"}:
            return _noise(6000)
        case {"mail": str(other)}:
            return mail(other)
        case {"zip": list(members)}:
            files = [(member["name"], make(member, place, mail)) for member in members]
            return _zipcrypto(files, item["zipcrypto"]) if "zipcrypto" in item else _zip(files)
        case {"pdf_lines": list(lines)}:
            return _pdf(lines)
        case {"rows": list(rows)} if suffix == ".csv":
            return _csv(rows)
        case {"rows": list(rows)}:
            return _xlsx({"Sheet1": rows}, (), item.get("protect", False))
        case {"sheets": dict(sheets)}:
            return _xlsx(sheets, item.get("hidden", ()), item.get("protect", False))
        case {"paragraphs": list(paragraphs)}:
            return _docx(paragraphs, item.get("table", []))
        case {"text": str(text)}:
            return text.encode()
    raise ConfigError(
        place, f"attachment {item.get('name')!r} has no known content (allowed: rows, sheets, paragraphs, …)"
    )


def _csv(rows: list[list[Any]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def _xlsx(sheets: Mapping[str, list[list[Any]]], hidden: tuple[str, ...] | list[str], protect: bool) -> bytes:
    book = openpyxl.Workbook()
    for empty in list(book.worksheets):
        book.remove(empty)
    for title, rows in sheets.items():
        sheet: Worksheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
        if title in hidden:
            sheet.sheet_state = "hidden"
        if protect:
            # A protected sheet still opens for everybody: it only stops typing into cells (ECMA-376 part 1, 18.3.1.85).
            sheet.protection.sheet = True
            sheet.protection.password = "autumn"  # noqa: S105 - the password of a made-up sheet
    out = io.BytesIO()
    book.save(out)
    return _repack(out.getvalue())


def _docx(paragraphs: list[str], table: list[list[str]]) -> bytes:
    document = docx.Document()
    for paragraph in paragraphs:
        if paragraph.startswith("# "):
            document.add_heading(paragraph[2:], level=1)
        else:
            document.add_paragraph(paragraph)
    if table:
        grid = document.add_table(rows=0, cols=len(table[0]))
        for row in table:
            for cell, value in zip(grid.add_row().cells, row, strict=True):
                cell.text = str(value)
    out = io.BytesIO()
    document.save(out)
    return _repack(out.getvalue())


def _repack(data: bytes) -> bytes:
    """The same OOXML package with fixed time stamps, in the archive and in its core properties."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    stamp = b"%d-%02d-%02dT%02d:%02d:%02dZ" % STAMP
    return _zip(
        [
            (name, re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp, body) if name == "docProps/core.xml" else body)
            for name, body in files
        ]
    )


def _zip(files: list[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in files:
            entry = zipfile.ZipInfo(name, STAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, body)
    return out.getvalue()


def _zipcrypto(files: list[tuple[str, bytes]], password: str) -> bytes:
    """An archive under the old stream cipher (APPNOTE 6.1), stored without compression; `zipfile` cannot write one."""
    body, directory = b"", b""
    date = (STAMP[0] - 1980) << 9 | STAMP[1] << 5 | STAMP[2]
    time = STAMP[3] << 11 | STAMP[4] << 5 | STAMP[5] // 2
    for name, data in files:
        crc = zlib.crc32(data)
        # The twelfth header byte lets a reader check the password: the high byte of the CRC (APPNOTE 6.1.6).
        sealed = _old_cipher(bytes(range(11)) + bytes([crc >> 24]) + data, password.encode())
        encoded = name.encode()
        common = struct.pack("<HHHHHIIIHH", 20, 1, 0, time, date, crc, len(sealed), len(data), len(encoded), 0)
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, len(body))
        directory += encoded
        body += b"PK\x03\x04" + common + encoded + sealed
    end = struct.pack("<HHHHIIH", 0, 0, len(files), len(files), len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


_CRC_TABLE = [zlib.crc32(bytes([n]), 0xFFFFFFFF) ^ 0xFFFFFFFF for n in range(256)]


def _old_cipher(plain: bytes, password: bytes) -> bytes:
    keys = [0x12345678, 0x23456789, 0x34567890]

    def step(byte: int) -> None:
        keys[0] = keys[0] >> 8 ^ _CRC_TABLE[(keys[0] ^ byte) & 0xFF]
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = keys[2] >> 8 ^ _CRC_TABLE[(keys[2] ^ keys[1] >> 24) & 0xFF]

    for byte in password:
        step(byte)
    sealed = bytearray()
    for byte in plain:
        mixed = (keys[2] | 2) & 0xFFFF
        sealed.append(byte ^ (mixed * (mixed ^ 1) >> 8 & 0xFF))
        step(byte)
    return bytes(sealed)


def _pdf(lines: list[str]) -> bytes:
    """One page of 11 point Helvetica (ISO 32000-1, 7.5): five objects and a cross-reference table."""
    shown = []
    for line in lines:
        escaped = re.sub(r"([\\()])", r"\\\1", line)
        shown.append(f"({escaped}) Tj T*")
    content = ("BT /F1 11 Tf 14 TL 56 790 Td\n" + "\n".join(shown) + "\nET").encode("cp1252")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return (
        out
        + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
        + table
        + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    )


def _noise(size: int) -> bytes:
    """Bytes of no known type: a linear congruential sequence (Knuth's MMIX constants), high byte only."""
    state, out = 20260901, bytearray()
    for _ in range(size):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append(state >> 56)
    return bytes(out)


def logo() -> bytes:
    """The trust's badge: a 32 by 32 pixel PNG of two colours (ISO/IEC 15948)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(
        b"\x00"
        + b"".join(b"\x1f\x5c\x4d" if (x - 16) ** 2 + (y - 16) ** 2 < 200 else b"\xf4\xf1\xe6" for x in range(32))
        for y in range(32)
    )
    header = struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
