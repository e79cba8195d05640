"""Outlook messages (.msg, MS-OXMSG): a compound file of properties."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import olefile

from scanner.errors import UnreadablePart
from scanner.extract.content import Child, Content
from scanner.extract.legacy import OLE_ERRORS
from scanner.extract.limits import Limits
from scanner.extract.mail import parse_message
from scanner.extract.normal import clean, decode
from scanner.model import Address, Blob, Body, Envelope, Problem, Recipient, RecipientKind

# Property tags of MS-OXPROPS, as they stand in the names of the streams.
_SUBJECT, _BODY, _HTML, _RTF, _HEADERS = "0037", "1000", "1013", "1009", "007D"
_SENDER_NAME, _SENDER_ADDRESS, _SENDER_SMTP, _SENT_FOR_SMTP = "0C1A", "0C1F", "5D01", "5D02"
_NAME, _ADDRESS, _SMTP = "3001", "3003", "39FE"
_FILE_NAME, _LONG_NAME, _DATA, _MIME_TYPE, _CONTENT_ID = "3704", "3707", "3701", "370E", "3712"
_MESSAGE_ID = "1035"
_RECIPIENT_TYPE, _SUBMIT_TIME, _DELIVERY_TIME = 0x0C150003, 0x00390040, 0x0E060040
_KINDS: dict[int, RecipientKind] = {1: "to", 2: "cc", 3: "bcc"}


def outlook_envelope(data: bytes, limits: Limits) -> Envelope | None:
    """The message of a .msg file, or None where it cannot be read as one (it is then a document that cannot be read)."""
    try:
        with olefile.OleFileIO(data) as ole:
            return _envelope(ole, [], limits, 0)
    except OLE_ERRORS:
        return None


def read_outlook_message(data: bytes, claimed: str, limits: Limits) -> Content:
    """A .msg inside something else: its words as one text, its attachments as children."""
    envelope = outlook_envelope(data, limits)
    if envelope is None:
        raise UnreadablePart("corrupt", "Outlook message")
    return Content(children=_as_children(envelope))


def _as_children(envelope: Envelope) -> list[Child]:
    lines = [f"Subject: {envelope.subject}"]
    if envelope.from_:
        lines.append(f"From: {envelope.from_.name} <{envelope.from_.address}>")
    lines.extend(f"{one.kind.title()}: {one.name} <{one.address}>" for one in envelope.recipients)
    heading = "\n".join(lines).encode()
    texts = [("headers.txt", "text/plain", heading)]
    texts += [("body", body.media_type, body.text.encode("utf-8", "replace")) for body in envelope.bodies]
    files = [(name, f"{kind}; charset=utf-8", data) for name, kind, data in texts]
    files += [(blob.name, blob.claimed_type, blob.data) for blob in envelope.blobs]
    return [Child(name, partial(bytes, data), len(data), kind) for name, kind, data in files]


def _envelope(ole: Any, path: list[str], limits: Limits, depth: int) -> Envelope:
    below = [
        entry
        for entry in ole.listdir(streams=True, storages=True)
        if entry[: len(path)] == path and len(entry) == len(path) + 1
    ]
    storages = sorted(entry[-1] for entry in below)
    headers = _string(ole, path, _HEADERS)
    known = parse_message(headers.encode("utf-8", "replace"), limits) if headers.strip() else None
    recipients = []
    blobs: list[Blob] = []
    problems: list[Problem] = []
    for name in storages:
        if name.startswith("__recip_version1.0"):
            where = [*path, name]
            address = _string(ole, where, _SMTP) or _string(ole, where, _ADDRESS)
            kind = _KINDS.get(_integer(ole, where, _RECIPIENT_TYPE), "to")
            if address:
                recipients.append(Recipient(kind, address.strip().lower(), clean(_string(ole, where, _NAME))))
        elif name.startswith("__attach_version1.0"):
            if len(blobs) >= limits.max_parts:
                problems.append(
                    Problem("attachment", "mail", "too_many_parts", "none", f"more than {limits.max_parts} attachments")
                )
                break
            blobs.append(_attachment(ole, [*path, name], limits, problems))
    address = (
        _string(ole, path, _SENDER_SMTP) or _string(ole, path, _SENT_FOR_SMTP) or _string(ole, path, _SENDER_ADDRESS)
    )
    author = Address(address.strip().lower(), clean(_string(ole, path, _SENDER_NAME))) if address else None
    if known is not None and known.from_ is not None and (author is None or "@" not in author.address):
        author = known.from_
    bodies = []
    if text := _string(ole, path, _BODY):
        bodies.append(Body("text/plain", text))
    if html := _binary(ole, path, _HTML):
        bodies.append(Body("text/html", decode(html)))
    elif html_text := _string(ole, path, _HTML):
        bodies.append(Body("text/html", html_text))
    if not bodies and _binary(ole, path, _RTF):
        problems.append(Problem("body", "mail", "unsupported", "none", "compressed RTF body"))
    return Envelope(
        source="msg",
        internet_id=_string(ole, path, _MESSAGE_ID) or (known.internet_id if known else ""),
        thread_id=known.thread_id if known else "",
        sent_at=(known.sent_at if known else None) or _time(ole, path),
        from_=author,
        recipients=tuple(recipients) or (known.recipients if known else ()),
        headers=known.headers if known else (),
        subject=clean(_string(ole, path, _SUBJECT)).strip(),
        bodies=tuple(bodies),
        blobs=tuple(blobs),
        problems=tuple(problems),
    )


def _attachment(ole: Any, path: list[str], limits: Limits, problems: list[Problem]) -> Blob:
    name = _string(ole, path, _LONG_NAME) or _string(ole, path, _FILE_NAME) or _string(ole, path, _NAME)
    data = _binary(ole, path, _DATA)
    if data is None and ole.exists([*path, f"__substg1.0_{_DATA}000D"]):
        # A message or object in a storage of its own, which is no file that could be handed on.
        problems.append(Problem("attachment", "mail", "unsupported", "none", "message inside an Outlook message"))
    if data is not None and len(data) > limits.max_part_bytes:
        problems.append(Problem("attachment", "mail", "too_large", "none", f"{len(data)} bytes"))
        data = None
    content_id = _string(ole, path, _CONTENT_ID)
    return Blob(clean(name), _string(ole, path, _MIME_TYPE), data or b"", bool(content_id), content_id)


def _stream(ole: Any, path: list[str], name: str) -> bytes | None:
    where = [*path, name]
    return bytes(ole.openstream(where).read()) if ole.exists(where) else None


def _string(ole: Any, path: list[str], tag: str) -> str:
    """A string property, Unicode (001F) or in the writer's code page (001E)."""
    wide = _stream(ole, path, f"__substg1.0_{tag}001F")
    if wide is not None:
        return wide.decode("utf-16-le", "replace").rstrip("\x00")
    narrow = _stream(ole, path, f"__substg1.0_{tag}001E")
    return decode(narrow).rstrip("\x00") if narrow is not None else ""


def _binary(ole: Any, path: list[str], tag: str) -> bytes | None:
    return _stream(ole, path, f"__substg1.0_{tag}0102")


def _fixed(ole: Any, path: list[str], tag: int) -> bytes:
    """MS-OXMSG section 2.4.2: 16 bytes a property, tag first, value in the last eight."""
    stream = _stream(ole, path, "__properties_version1.0") or b""
    wanted = struct.pack("<I", tag)
    for start in (32, 24, 8):
        for position in range(start, len(stream) - 15, 16):
            if stream[position : position + 4] == wanted:
                return stream[position + 8 : position + 16]
    return b""


def _integer(ole: Any, path: list[str], tag: int) -> int:
    value = _fixed(ole, path, tag)
    return int(struct.unpack("<I", value[:4])[0]) if value else 0


def _time(ole: Any, path: list[str]) -> datetime | None:
    value = _fixed(ole, path, _SUBMIT_TIME) or _fixed(ole, path, _DELIVERY_TIME)
    if not value:
        return None
    try:
        return datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=struct.unpack("<Q", value)[0] // 10)
    except OverflowError:
        return None
