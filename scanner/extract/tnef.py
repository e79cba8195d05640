"""What Outlook wraps a mail in for other Outlooks: TNEF (MS-OXTNEF, winmail.dat) and compressed RTF (MS-OXRTFCP)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from scanner.errors import UnreadablePart, fault_of
from scanner.extract.content import Child, Content, Trouble
from scanner.extract.limits import Limits
from scanner.extract.normal import clean, decode

_SIGNATURE = 0x223E9F78
_BODY, _SUBJECT, _MESSAGE_PROPERTIES = 0x800C, 0x8004, 0x9003
_ATTACHMENT_STARTS, _ATTACHMENT_DATA, _ATTACHMENT_TITLE, _ATTACHMENT_PROPERTIES = 0x9002, 0x800F, 0x8010, 0x9005
# Property ids of MS-OXPROPS.
_P_BODY, _P_HTML, _P_RTF, _P_LONG_NAME, _P_FILE_NAME, _P_DATA, _P_TYPE = (
    0x1000,
    0x1013,
    0x1009,
    0x3707,
    0x3704,
    0x3701,
    0x370E,
)
_P_SUBJECT = 0x0037
_MAX_VALUES = 10_000


@dataclass(slots=True)
class _Attachment:
    title: str = ""
    data: bytes = field(default=b"", repr=False)
    properties: dict[int, bytes] = field(default_factory=dict, repr=False)


def read_tnef(data: bytes, claimed: str, limits: Limits) -> Content:
    """A winmail.dat: its body and its attachments as children. Where it breaks off, what came before is read."""
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != _SIGNATURE:
        raise UnreadablePart("corrupt", "TNEF")
    content = Content()
    texts: dict[int, bytes] = {}
    properties: dict[int, bytes] = {}
    attachments: list[_Attachment] = []
    try:
        for attribute, value in _attributes(data):
            if attribute == _MESSAGE_PROPERTIES:
                properties.update(_properties(value))
            elif attribute in (_BODY, _SUBJECT):
                texts[attribute] = value
            elif attribute == _ATTACHMENT_STARTS:
                attachments.append(_Attachment())
            elif attachments and attribute == _ATTACHMENT_TITLE:
                attachments[-1].title = decode(value.rstrip(b"\0"))
            elif attachments and attribute == _ATTACHMENT_DATA:
                attachments[-1].data = value
            elif attachments and attribute == _ATTACHMENT_PROPERTIES:
                attachments[-1].properties.update(_properties(value))
    except (struct.error, IndexError, ValueError) as error:
        content.missed(Trouble("corrupt", f"TNEF breaks off: {fault_of(error)}", "part"))
    content.children = [*_bodies(texts, properties, limits), *_files(attachments)]
    return content


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """MS-OXTNEF 2.1.3: level, id, length, value, checksum."""
    position = 6
    while position + 9 <= len(data):
        identifier, length = struct.unpack_from("<II", data, position + 1)
        start = position + 9
        if start + length > len(data):
            raise ValueError
        yield identifier & 0xFFFF, data[start : start + length]
        position = start + length + 2


_FIXED = {
    0x0002: 4, 0x0003: 4, 0x0004: 4, 0x000A: 4, 0x000B: 4, 0x0005: 8, 0x0006: 8, 0x0007: 8, 0x0014: 8, 0x0040: 8, 0x0048: 16,
}  # fmt: skip
_VARIABLE = frozenset({0x000D, 0x001E, 0x001F, 0x0102})


def _properties(data: bytes) -> dict[int, bytes]:
    """MS-OXTNEF 2.1.3.3: a list of MAPI properties; strings come back as UTF-8. Raises ValueError beyond the limit."""
    found: dict[int, bytes] = {}
    (count,) = struct.unpack_from("<I", data)
    position = 4
    if count > _MAX_VALUES:
        raise ValueError
    for _ in range(count):
        kind, identifier = struct.unpack_from("<HH", data, position)
        position += 4
        if identifier >= 0x8000:
            (named,) = struct.unpack_from("<I", data, position + 16)
            position += 20
            if named == 0:
                position += 4
            else:
                (length,) = struct.unpack_from("<I", data, position)
                position += 4 + length + -length % 4
        plain = kind & ~0x1000
        values = 1
        if kind & 0x1000 or plain in _VARIABLE:
            (values,) = struct.unpack_from("<I", data, position)
            position += 4
        if values > _MAX_VALUES:
            raise ValueError
        for _ in range(values):
            if plain in _VARIABLE:
                (length,) = struct.unpack_from("<I", data, position)
                value = data[position + 4 : position + 4 + length]
                position += 4 + length + -length % 4
            elif plain in _FIXED:
                value = data[position : position + _FIXED[plain]]
                position += _FIXED[plain]
            else:
                raise ValueError
            if plain == 0x001F:
                value = value.decode("utf-16-le", "replace").rstrip("\0").encode()
            elif plain == 0x001E:
                value = decode(value.rstrip(b"\0")).encode()
            elif plain == 0x000D:
                value = value[16:]  # the interface that the object has comes first
            found.setdefault(identifier, value)
    return found


def _bodies(texts: dict[int, bytes], properties: dict[int, bytes], limits: Limits) -> Iterator[Child]:
    subject = properties.get(_P_SUBJECT) or texts.get(_SUBJECT, b"").rstrip(b"\0")
    plain = properties.get(_P_BODY) or texts.get(_BODY, b"").rstrip(b"\0")
    if subject.strip():
        yield _text("subject.txt", subject, "text/plain")
    if plain.strip():
        yield _text("body.txt", plain, "text/plain")
    if html := properties.get(_P_HTML):
        yield _text("body.html", html, "text/html")
    if packed := properties.get(_P_RTF):
        try:
            rtf, is_whole = unpacked_rtf(packed, limits)
        except UnreadablePart as error:
            yield Child("body.rtf", None, len(packed), trouble=Trouble(error.kind, error.detail))  # type: ignore[arg-type]
            return
        yield Child("body.rtf", lambda: rtf, len(rtf), "application/rtf", own_words=True)
        if not is_whole:
            yield Child("rest of body.rtf", None, trouble=Trouble("corrupt", "compressed RTF breaks off", "part"))


def _text(name: str, data: bytes, kind: str) -> Child:
    return Child(name, lambda: data, len(data), kind, own_words=True)


def _files(attachments: list[_Attachment]) -> Iterator[Child]:
    for number, one in enumerate(attachments, 1):
        data = one.data or one.properties.get(_P_DATA, b"")
        name = one.properties.get(_P_LONG_NAME) or one.properties.get(_P_FILE_NAME) or one.title.encode()
        kind = one.properties.get(_P_TYPE, b"").decode("ascii", "replace")
        shown = clean(name.decode("utf-8", "replace")) or f"attachment {number}"
        yield Child(shown, lambda data=data: data, len(data), kind)  # type: ignore[misc]


# --- compressed RTF -------------------------------------------------------------------------------------------------

_PACKED, _STORED = 0x75465A4C, 0x414C454D
# MS-OXRTFCP 2.1.3.1: what the dictionary holds before the first byte.
_BEGINNING = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArial"
    rb"Times New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)


def unpacked_rtf(data: bytes, limits: Limits) -> tuple[bytes, bool]:
    """MS-OXRTFCP 2.2: LZ77 over a ring of 4,096 bytes; and whether all is there. Raises UnreadablePart."""
    if len(data) < 16:
        raise UnreadablePart("corrupt", "compressed RTF")
    _, size, kind, _ = struct.unpack_from("<IIII", data)
    if kind == _STORED:
        return data[16:], len(data) >= 16 + size
    if kind != _PACKED:
        raise UnreadablePart("corrupt", "compressed RTF")
    most = limits.max_part_bytes
    if size > most:
        raise UnreadablePart("too_large", f"compressed RTF of {size} bytes")
    ring = bytearray(4096)
    ring[: len(_BEGINNING)] = _BEGINNING
    write = len(_BEGINNING)
    result = bytearray()
    position = 16
    # The size that it gives is no limit: whoever gives too small a one would keep the rest from being read.
    while position < len(data):
        if len(result) > most:
            raise UnreadablePart("too_large", f"compressed RTF of more than {most} bytes")
        control = data[position]
        position += 1
        for bit in range(8):
            if control >> bit & 1:
                if position + 2 > len(data):
                    return bytes(result), len(result) >= size
                token = data[position] << 8 | data[position + 1]
                position += 2
                offset, length = token >> 4, (token & 15) + 2
                if offset == write:
                    return bytes(result), True
                for step in range(length):
                    byte = ring[(offset + step) % 4096]
                    result.append(byte)
                    ring[write] = byte
                    write = (write + 1) % 4096
            else:
                if position >= len(data):
                    return bytes(result), len(result) >= size
                byte = data[position]
                position += 1
                result.append(byte)
                ring[write] = byte
                write = (write + 1) % 4096
    return bytes(result), len(result) >= size
