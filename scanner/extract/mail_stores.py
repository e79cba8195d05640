"""Outlook's own files: messages (.msg, .oft; MS-OXMSG), a compound file of properties, and stores (.pst) by libpff.

A message inside one of these is written as a mail of its own, so that it is read as any other mail is.
"""

from __future__ import annotations

import io
import re
import struct
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any
from urllib.parse import quote

import olefile

from scanner.errors import UnreadablePart, fault_of
from scanner.extract.content import Child, Content
from scanner.extract.legacy import OLE_ERRORS
from scanner.extract.limits import Limits
from scanner.extract.mail import parse_message
from scanner.extract.normal import clean, decode
from scanner.extract.texts import read_rtf
from scanner.extract.tnef import unpacked_rtf
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
            blobs.append(_attachment(ole, [*path, name], limits, depth, problems))
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
    if not bodies and (packed := _binary(ole, path, _RTF)):
        try:
            unpacked, is_whole = unpacked_rtf(packed, limits)
            if not is_whole:
                problems.append(Problem("body", "mail", "corrupt", "part", "compressed RTF breaks off"))
            rtf = read_rtf(unpacked, "", limits)
            bodies.append(Body("text/plain", rtf.text))
            problems.extend(Problem("body", "mail", one.kind, one.read, one.detail) for one in rtf.troubles)
        except UnreadablePart as error:
            problems.append(Problem("body", "mail", error.kind, "none", error.detail))  # type: ignore[arg-type]
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


def _attachment(ole: Any, path: list[str], limits: Limits, depth: int, problems: list[Problem]) -> Blob:
    name = _string(ole, path, _LONG_NAME) or _string(ole, path, _FILE_NAME) or _string(ole, path, _NAME)
    data = _binary(ole, path, _DATA)
    inner = [*path, f"__substg1.0_{_DATA}000D"]
    if data is None and ole.exists([*inner, "__properties_version1.0"]):
        if depth >= limits.max_depth:
            problems.append(Problem("attachment", "mail", "too_deep", "none", "messages inside each other"))
        else:
            return Blob(clean(name) or "message", "message/rfc822", as_mail(_envelope(ole, inner, limits, depth + 1)))
    elif data is None and ole.exists(inner):
        problems.append(Problem("attachment", "mail", "unsupported", "none", "object inside an Outlook message"))
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


# --- messages written as mails --------------------------------------------------------------------------------------

_BREAKS = re.compile(r"[\r\n]+")
_BOUNDARY = "=_a_part_of_a_message_in_an_outlook_file"
_NOT_IN_NAMES = str.maketrans('"<>,;:()', "        ")
_FILE_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,100}")


def as_mail(envelope: Envelope) -> bytes:
    """A mail with the same words, people and files, each part in base64 so that nothing in it can be taken for a mark."""
    heads = (
        ("Subject", _encoded(envelope.subject)),
        ("From", _shown(envelope.from_) if envelope.from_ else ""),
        ("To", ", ".join(_shown(one) for one in envelope.recipients if one.kind == "to")),
        ("Cc", ", ".join(_shown(one) for one in envelope.recipients if one.kind == "cc")),
        ("Date", format_datetime(envelope.sent_at) if envelope.sent_at else ""),
        ("Message-ID", envelope.internet_id),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/mixed; boundary="{_BOUNDARY}"'),
    )
    lines = [f"{name}: {_BREAKS.sub(' ', value)}" for name, value in heads if value]
    for body in envelope.bodies:
        lines += _written(f"{body.media_type}; charset=utf-8", "inline", body.text.encode("utf-8", "replace"))
    for blob in envelope.blobs:
        kind = blob.claimed_type if _FILE_TYPE.fullmatch(blob.claimed_type.lower()) else "application/octet-stream"
        name = quote(_BREAKS.sub(" ", blob.name) or "unnamed")
        lines += _written(kind, f"attachment; filename*=utf-8''{name}", blob.data)
    lines += [f"--{_BOUNDARY}--", ""]
    return "\r\n".join(lines).encode("utf-8", "replace")


def _written(kind: str, disposition: str, data: bytes) -> list[str]:
    return [
        *("", f"--{_BOUNDARY}", f"Content-Type: {kind}", f"Content-Disposition: {disposition}"),
        *("Content-Transfer-Encoding: base64", "", b64encode(data).decode("ascii")),
    ]


def _encoded(text: str) -> str:
    """RFC 2047, in one word however long: only this program reads it."""
    return text if text.isascii() else f"=?utf-8?b?{b64encode(text.encode('utf-8', 'replace')).decode('ascii')}?="


def _shown(one: Address | Recipient) -> str:
    name = " ".join(one.name.translate(_NOT_IN_NAMES).split())
    return f"{_encoded(name)} <{one.address}>" if name else one.address


# --- stores ---------------------------------------------------------------------------------------------------------

_STORE_ERRORS = (OSError, ValueError, TypeError, AttributeError, IndexError, RuntimeError, MemoryError, OverflowError)
_MAX_FOLDER_DEPTH = 50


def store_messages(
    data: bytes, name: str, limits: Limits, skip: int, opening: Callable[[str], None]
) -> Iterator[tuple[str, Envelope]]:
    """The messages of an Outlook store as `("!/1", envelope)` and on. A store that cannot be opened is one document
    with a problem.
    """
    number = 0
    try:
        store = _opened_store(data)
        for message in _messages_below(store.get_root_folder(), 0):
            number += 1
            if number <= skip:
                continue
            opening(f"!/{number}")
            yield f"!/{number}", _stored(message, limits)
    except _STORE_ERRORS as error:
        detail = f"Outlook store breaks off: {fault_of(error)}"
        problem = Problem("document", "mail", "corrupt", "part" if number else "none", detail)
        yield (f"!/{number + 1}" if number else ""), Envelope(source="document", kind="document", problems=(problem,))
        return
    if not number:
        yield "", Envelope(source="document", kind="document")


def read_outlook_store(data: bytes, claimed: str, limits: Limits) -> Content:
    """An Outlook store inside something else: each message a mail."""
    content = Content()
    try:
        store = _opened_store(data)
        content.children = _as_mails(store, content, limits)
    except _STORE_ERRORS as error:
        raise UnreadablePart("corrupt", f"Outlook store: {fault_of(error)}") from None
    return content


def _as_mails(store: Any, content: Content, limits: Limits) -> Iterator[Child]:
    try:
        for number, message in enumerate(_messages_below(store.get_root_folder(), 0), 1):
            yield Child(f"{number}.eml", partial(_mail_of, message, limits), 0, "message/rfc822")
    except _STORE_ERRORS as error:
        raise UnreadablePart("corrupt", f"Outlook store breaks off: {fault_of(error)}") from None


def _mail_of(message: Any, limits: Limits) -> bytes:
    return as_mail(_stored(message, limits))


def _opened_store(data: bytes) -> Any:
    import pypff  # loads libpff, which only a store should pay for

    store = pypff.file()
    store.open_file_object(io.BytesIO(data))
    return store


def _messages_below(folder: Any, depth: int) -> Iterator[Any]:
    if depth > _MAX_FOLDER_DEPTH:
        raise ValueError("folders nested too deeply")
    for number in range(folder.get_number_of_sub_messages()):
        yield folder.get_sub_message(number)
    for number in range(folder.get_number_of_sub_folders()):
        yield from _messages_below(folder.get_sub_folder(number), depth + 1)


def _stored(message: Any, limits: Limits) -> Envelope:
    """One message of a store. What libpff cannot give of it is a problem of that part."""
    problems: list[Problem] = []

    def ask(name: str, part: str) -> Any:
        try:
            return getattr(message, name)()
        except _STORE_ERRORS as error:
            # libpff raises where a property is simply not there.
            if "missing" not in str(error).lower() and "unable to retrieve" not in str(error).lower():
                problems.append(Problem(part, "mail", "corrupt", "part", f"Outlook store: {fault_of(error)}"))
            return None

    headers = ask("get_transport_headers", "headers") or ""
    known = parse_message(str(headers).encode("utf-8", "replace"), limits) if str(headers).strip() else None
    bodies = []
    if plain := ask("get_plain_text_body", "body"):
        bodies.append(Body("text/plain", decode(plain) if isinstance(plain, bytes) else str(plain)))
    if html := ask("get_html_body", "body"):
        bodies.append(Body("text/html", decode(html) if isinstance(html, bytes) else str(html)))
    if not bodies and (rtf := ask("get_rtf_body", "body")):
        bodies.append(Body("text/plain", read_rtf(bytes(rtf), "", limits).text))
    blobs = []
    for number in range(ask("get_number_of_attachments", "attachment") or 0):
        try:
            blobs.append(_stored_file(message.get_attachment(number), number, limits))
        except (*_STORE_ERRORS, UnreadablePart) as error:
            problems.append(Problem("attachment", "mail", "corrupt", "none", f"Outlook store: {fault_of(error)}"))
    sender = known.from_ if known else None
    return Envelope(
        source="pst",
        internet_id=known.internet_id if known else "",
        thread_id=known.thread_id if known else "",
        sent_at=(known.sent_at if known else None) or _when(ask("get_client_submit_time", "headers")),
        from_=sender or Address("", clean(str(ask("get_sender_name", "headers") or ""))),
        recipients=known.recipients if known else (),
        headers=known.headers if known else (),
        subject=clean(str(ask("get_subject", "subject") or "")).lstrip("\x01").strip(),
        bodies=tuple(bodies),
        blobs=tuple(blobs),
        problems=tuple(problems),
    )


def _when(value: Any) -> datetime | None:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None


def _stored_file(attachment: Any, number: int, limits: Limits) -> Blob:
    size = attachment.get_size()
    if size > limits.max_part_bytes:
        raise UnreadablePart("too_large", f"{size} bytes")
    name = str(attachment.get_name() or "") if hasattr(attachment, "get_name") else ""
    return Blob(clean(name) or f"attachment {number + 1}", "", bytes(attachment.read_buffer(size)) if size else b"")
