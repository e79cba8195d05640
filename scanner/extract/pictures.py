"""Pictures and recordings: text in pictures is read where that is on; only what cannot hold a text counts as skipped."""

from __future__ import annotations

import struct

from scanner.errors import UnreadablePart
from scanner.extract import ocr
from scanner.extract.content import Content, Trouble
from scanner.extract.limits import Account, Limits

# Logos, icons and tracking pixels are smaller than this; a photographed page is not.
_TINY_SIDE = 64
_SMALL_PIXELS = 20_000
_BANNER_PIXELS = 120_000
# Two seconds of speech at the lowest rate in use (32 kbit/s).
_SHORT_RECORDING_BYTES = 8_000


def read_picture(data: bytes, kind: str, inline: bool, limits: Limits, account: Account) -> Content:
    """The text in a picture, marked as read by OCR. Logos and tracking pixels are `skipped`, and so is every picture where
    the policy has switched this off.
    """
    width, height = picture_size(data, kind)
    known = width > 0 and height > 0
    is_small = known and (min(width, height) <= _TINY_SIDE or width * height <= _SMALL_PIXELS)
    is_banner = known and inline and width * height <= _BANNER_PIXELS
    content = Content()
    size = f"{width} x {height} pixels" if known else f"{len(data)} bytes"
    if is_small or is_banner:
        content.missed(Trouble("skipped", f"small picture, {size}"))
        return content
    if not limits.ocr_pages:
        content.missed(Trouble("skipped", f"picture, {size}: reading text in pictures is switched off"))
        return content
    pages: list[ocr.Page] = []
    try:
        pages.extend(ocr.read_pictures(data, limits, account))
    except UnreadablePart as error:
        content.missed(Trouble(error.kind, error.detail, "part" if pages else "none"))  # type: ignore[arg-type]
    content.text = "\n".join(page.text for page in pages if page.text)
    content.by_ocr = bool(content.text)
    return content


def read_recording(data: bytes) -> Content:
    """No text, and a problem: `skipped` when too short to hold a word, else `unsupported`."""
    content = Content()
    if len(data) < _SHORT_RECORDING_BYTES:
        content.missed(Trouble("skipped", f"sound of {len(data)} bytes, too short for speech"))
    else:
        content.missed(Trouble("unsupported", "recording: speech in it was not read"))
    return content


def picture_size(data: bytes, kind: str) -> tuple[int, int]:
    """Width and height in pixels from the header, or (0, 0) where it does not say."""
    try:
        if kind == "image/png":
            return struct.unpack(">II", data[16:24])
        if kind == "image/gif":
            return struct.unpack("<HH", data[6:10])
        if kind == "image/bmp":
            width, height = struct.unpack("<ii", data[18:26])
            return abs(width), abs(height)
        if kind == "image/jpeg":
            return _jpeg_size(data)
    except struct.error:
        pass  # cut off: the size stays unknown, and an unknown size is never called small
    return 0, 0


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """ITU T.81 annex B: segments until a start-of-frame marker."""
    position = 2
    while position + 9 < len(data):
        if data[position] != 0xFF:
            return 0, 0
        marker = data[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD8:
            position += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if length < 2:
            return 0, 0
        position += 2 + length
    return 0, 0
