"""A mail from its bytes: headers, bodies and attachments (RFC 5322, RFC 2045 to 2049, RFC 2231).

The bytes are cut along the MIME boundaries and never rebuilt, so that an attached mail keeps the bytes it came with and
its signature could still be checked. Mails are written by every program there ever was: nothing here refuses one.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from scanner.extract.limits import Limits
from scanner.extract.normal import clean, decode
from scanner.extract.sniff import MBOX_SEPARATOR
from scanner.model import Address, Blob, Body, Envelope, Problem, ProblemKind, Recipient, RecipientKind

_MAX_HEADER_BYTES = 1_000_000
_MAX_HEADERS = 2_000
# RFC 2047 encoded word; the payload may hold spaces, which the RFC forbids and mailers write.
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,70})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)[ \t\r\n]+(=\?)")
# An unquoted value runs to the next semicolon, spaces and all: that is how mailers write file names.
_PARAMETER = re.compile(
    r";\s*([!#-&*+\-.0-9A-Z^-~]{1,80})\s*=\s*(\"(?:[^\"\\]|\\.)*\"?|[^;]*)", re.DOTALL | re.IGNORECASE
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_ADDRESS_MARK = re.compile(r'["\\(),:;<>\[\]]')
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,998}>")
_UU_BEGIN = re.compile(rb"(?:\A|\n)begin [0-7]{3,4} ([^\r\n]{1,200})\r?\n")
_UU_LINE = re.compile(rb"[ -`]{1,90}\r?")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]")


@dataclass(frozen=True, slots=True)
class _Entity:
    """One MIME entity: its headers (names in lower case), and the bytes of its body still in transfer encoding."""

    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


@dataclass(slots=True)
class _Found:
    """What the walk through the MIME tree has gathered so far."""

    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)
    extras: list[Blob] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    bytes_decoded: int = 0


def parse_message(data: bytes, limits: Limits, source: str = "mime") -> Envelope:
    """The envelope of one mail, with or without a leading mbox `From ` line. Never raises; what is lost is a Problem."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    data = data.lstrip(b"\r\n \t") if data[:1] in b"\r\n \t" else data
    if data.startswith((b"From ", b">From ")):
        data = data[data.find(b"\n") + 1 :]
        # mboxrd: the writer of the mbox has put `>` before every line that starts with `From `.
        if b"\n>From " in data:
            data = data.replace(b"\n>From ", b"\nFrom ")
    root = _entity(data)
    found = _Found()
    _walk(root, 0, found, limits, "text/plain")
    headers = tuple((name, decode_header(value)) for name, value in root.headers)
    by_name: dict[str, str] = {}
    for name, value in root.headers:
        by_name.setdefault(name.lower(), value)
    recipients: list[Recipient] = []
    kinds: tuple[RecipientKind, ...] = ("to", "cc", "bcc")
    for kind in kinds:
        for name, value in root.headers:
            if name.lower() == kind:
                recipients.extend(Recipient(kind, one.address, one.name) for one in addresses(value))
    senders = addresses(by_name.get("sender", ""))
    authors = addresses(by_name.get("from", ""))
    internet_id = by_name.get("message-id", "").strip()
    bodies = []
    if found.plain:
        bodies.append(Body("text/plain", "\n".join(found.plain)))
    if found.html:
        bodies.append(Body("text/html", "\n".join(found.html)))
    return Envelope(
        source=source,
        internet_id=internet_id,
        thread_id=_thread_of(by_name) or internet_id,
        sent_at=_date_of(by_name.get("date", "")),
        sender=senders[0] if senders else None,
        from_=authors[0] if authors else None,
        reply_to=addresses(by_name.get("reply-to", "")),
        recipients=tuple(recipients),
        headers=headers,
        subject=clean(decode_header(by_name.get("subject", ""))).strip(),
        bodies=tuple(bodies),
        blobs=(*found.blobs, *found.extras),
        problems=tuple(found.problems),
    )


def messages_in(data: bytes) -> Iterator[bytes]:
    """The messages of an mbox (RFC 4155), one after the other, each with its own `From ` line."""
    start = 0
    for separator in MBOX_SEPARATOR.finditer(data):
        yield data[start : separator.start() + 1]
        start = data.index(b"From ", separator.start())
    yield data[start:]


# --- the MIME tree --------------------------------------------------------------------------------------------------


def _entity(data: bytes) -> _Entity:
    """Split an entity into headers and body at the first empty line, or at the first line that can be no header."""
    if data.startswith((b"\n", b"\r\n")):
        return _Entity((), data[1:] if data[:1] == b"\n" else data[2:])
    ends = ((data.find(mark, 0, _MAX_HEADER_BYTES), len(mark)) for mark in (b"\n\n", b"\n\r\n", b"\r\r"))
    end, width = min(((at, width) for at, width in ends if at >= 0), default=(-1, 0))
    head, body = (data[:end], data[end + width :]) if end >= 0 else (data[:_MAX_HEADER_BYTES], data[_MAX_HEADER_BYTES:])
    text = head.decode("ascii") if head.isascii() else decode(head)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    headers: list[tuple[str, str]] = []
    name = ""
    value: list[str] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line[:1] in (" ", "\t"):
            value.append(line)
            continue
        if name:
            headers.append((name, "\n".join(value).strip()))
            name = ""
        key, colon, rest = line.partition(":")
        key = key.rstrip()
        if not colon or not key or " " in key or "\t" in key:
            if line.startswith((">From ", "From ")):
                continue
            if not line:
                continue
            # The empty line is missing: from here on it is body.
            left = "\n".join(lines[number:]).encode("utf-8", "surrogateescape")
            body = left + b"\n\n" + body
            break
        if len(headers) >= _MAX_HEADERS:
            continue
        name, value = key, [rest]
    if name:
        headers.append((name, "\n".join(value).strip()))
    return _Entity(tuple(headers), body)


def _walk(entity: _Entity, depth: int, found: _Found, limits: Limits, default: str) -> None:
    raw_type = entity.get("content-type")
    kind, parameters = content_type(raw_type) if raw_type else (default, {})
    if "/" not in kind:
        kind = default
    disposition, disposition_parameters = content_type(entity.get("content-disposition"))
    if kind.startswith("multipart/"):
        boundary = parameters.get("boundary", "")
        pieces = _pieces(entity.body, boundary) if boundary else None
        if pieces is not None:
            if depth >= limits.max_depth:
                _trouble(found, "too_deep", f"MIME parts more than {limits.max_depth} deep")
                return
            preamble, parts, epilogue = pieces
            inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            for part in parts:
                if len(found.blobs) >= limits.max_parts:
                    _trouble(found, "too_many_parts", f"more than {limits.max_parts} attachments")
                    break
                _walk(_entity(part), depth + 1, found, limits, inner)
            _hidden(preamble, "preamble.txt", 200, found, limits)
            _hidden(epilogue, "epilogue.txt", 1, found, limits)
            return
        kind = "text/plain"
    data = _decoded(entity, found, limits)
    if data is None:
        return
    name = file_name(disposition_parameters) or file_name(parameters, "name")
    charset = parameters.get("charset", "")
    if kind in ("text/plain", "text/html") and disposition != "attachment" and not name:
        if kind == "text/plain" and b"\nend" in data and _UU_BEGIN.search(data):
            data = _without_uuencoded(data, found, limits)
        (found.plain if kind == "text/plain" else found.html).append(decode(data, charset))
        return
    found.blobs.append(
        Blob(
            name=name,
            claimed_type=f"{kind}; charset={charset}" if charset and kind.startswith("text/") else kind,
            data=data,
            inline=disposition == "inline" or (not disposition and bool(entity.get("content-id"))),
            content_id=entity.get("content-id").strip("<> "),
        )
    )


def _pieces(body: bytes, boundary: str) -> tuple[bytes, list[bytes], bytes] | None:
    """Preamble, parts and epilogue of a multipart body; None when the boundary never occurs (RFC 2046 section 5.1)."""
    mark = b"--" + boundary.rstrip().encode("utf-8", "surrogateescape")
    starts: list[tuple[int, int]] = []
    epilogue = b""
    position = body.find(mark)
    while position >= 0:
        after = position + len(mark)
        line_end = body.find(b"\n", after)
        if line_end < 0:
            line_end = len(body)
        rest = body[after : min(line_end, after + 200)].strip()
        if (position == 0 or body[position - 1 : position] in (b"\n", b"\r")) and rest in (b"", b"--"):
            starts.append((position, min(line_end + 1, len(body))))
            if rest == b"--":
                epilogue = body[line_end + 1 :]
                break
        position = body.find(mark, after)
    if not starts:
        return None
    closed = bool(epilogue) or body[starts[-1][0] + len(mark) :][:2] == b"--"
    ends = [start for start, _ in starts[1:]] if closed else [*(start for start, _ in starts[1:]), len(body)]
    parts = []
    for (_, begin), end in zip(starts, ends, strict=False):
        part = body[begin:end]
        # The line break before a boundary belongs to the boundary.
        if end < len(body):
            part = part[:-2] if part.endswith(b"\r\n") else part[:-1]
        parts.append(part)
    return body[: starts[0][0]], parts, epilogue


def _hidden(data: bytes, name: str, least: int, found: _Found, limits: Limits) -> None:
    """Text before or after the parts, which mail programs do not show: it left the house all the same."""
    kept = data.strip()
    if len(kept) >= least and len(found.extras) < 10 and len(kept) <= limits.max_part_bytes:
        found.extras.append(Blob(name=name, claimed_type="text/plain", data=kept))


def _decoded(entity: _Entity, found: _Found, limits: Limits) -> bytes | None:
    body = entity.body
    # Transfer encodings only ever shrink, base64 by a quarter: this asks before the work is done.
    encoding = entity.get("content-transfer-encoding").partition(";")[0].strip().lower()
    size = len(body) * 3 // 4 if encoding == "base64" else len(body)
    if size > limits.max_part_bytes or found.bytes_decoded + size > limits.max_total_bytes:
        _trouble(found, "too_large", f"a MIME part of about {size} bytes")
        return None
    if encoding == "base64":
        data = _base64(body)
    elif encoding == "quoted-printable":
        data = binascii.a2b_qp(body)
    elif encoding in ("x-uuencode", "uuencode", "uue", "x-uue"):
        data = _uudecode(body)
    else:
        data = body
    found.bytes_decoded += len(data)
    return data


def _base64(body: bytes) -> bytes:
    try:
        return binascii.a2b_base64(body)
    except binascii.Error:
        pass  # cut off or spoilt: take what whole groups there are
    kept = _NOT_BASE64.sub(b"", body).replace(b"=", b"")
    if len(kept) % 4 == 1:
        kept = kept[:-1]
    return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))


def _uudecode(body: bytes) -> bytes:
    start = body.find(b"begin ")
    if start < 0:
        return body
    pieces = []
    for line in body[start:].split(b"\n")[1:]:
        if line.strip() == b"end":
            break
        try:
            pieces.append(binascii.a2b_uu(line.rstrip(b"\r")))
        except binascii.Error:
            # Some encoders write the length byte wrong: take as many characters as it says there are bytes for.
            length = ((line[0] - 32 & 63) * 4 + 5) // 3 if line else 0
            try:
                pieces.append(binascii.a2b_uu(line[:length]))
            except binascii.Error:
                return body
    return b"".join(pieces)


def _without_uuencoded(data: bytes, found: _Found, limits: Limits) -> bytes:
    """Files written into the text the way it was done before MIME become attachments; the text around them stays."""
    kept = []
    position = 0
    for begin in _UU_BEGIN.finditer(data):
        if begin.start() < position or len(found.blobs) >= limits.max_parts:
            continue
        end = data.find(b"\nend", begin.end() - 1)
        lines = data[begin.end() : end if end >= 0 else begin.end()].splitlines()
        # The length byte and the number of characters agree: it is no sentence that happens to begin with "begin".
        if end < 0 or not lines or not all(_UU_LINE.fullmatch(line) for line in lines[:3]):
            continue
        kept.append(data[position : begin.start()])
        position = end + 4
        file = _uudecode(data[begin.start() : position].lstrip(b"\r\n"))
        found.blobs.append(Blob(decode(begin.group(1)).strip(), "application/octet-stream", file))
    kept.append(data[position:])
    return b"".join(kept)


def _trouble(found: _Found, kind: ProblemKind, detail: str) -> None:
    if all(problem.kind != kind for problem in found.problems):
        found.problems.append(Problem("attachment", "mail", kind, "none", detail))


# --- headers --------------------------------------------------------------------------------------------------------


def decode_header(value: str) -> str:
    """A header's text: unfolded, encoded words decoded (RFC 2047). Unknown charsets fall back, nothing raises."""
    if "=?" in value:
        value = _ENCODED_WORD.sub(_decode_word, _BETWEEN_WORDS.sub(r"\1\2", value))
    if "\n" in value or "\r" in value:
        value = " ".join(line.strip() for line in value.splitlines())
    return value


def _decode_word(match: re.Match[str]) -> str:
    charset, encoding, payload = match.groups()
    raw = payload.encode("utf-8", "surrogateescape")
    # RFC 2231 section 5 allows a language after the charset: utf-8*en.
    data = _base64(raw) if encoding in "bB" else binascii.a2b_qp(raw, header=True)
    return decode(data, charset.partition("*")[0])


def content_type(value: str) -> tuple[str, dict[str, str]]:
    """The value in lower case and its parameters by lower-case name, RFC 2231 pieces joined and decoded."""
    value = value[:20_000]
    kind = value.partition(";")[0].strip().lower()
    if ";" not in value:
        return kind, {}
    plain: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for match in _PARAMETER.finditer(value):
        name, content = match.group(1).lower(), match.group(2)
        if content.startswith('"'):
            content = _QUOTED_PAIR.sub(r"\1", content[1:].removesuffix('"'))
        content = content.strip()
        if "*" not in name:
            plain.setdefault(name, content)
            continue
        base, _, rest = name.partition("*")
        number = rest.rstrip("*")
        pieces.setdefault(base, []).append(
            (int(number) if number.isdigit() and len(number) < 5 else 0, rest.endswith("*") or not rest, content)
        )
    for base, parts in pieces.items():
        plain[base] = _rejoin(sorted(parts, key=lambda piece: piece[0]))
    return kind, plain


def _rejoin(parts: list[tuple[int, bool, str]]) -> str:
    """RFC 2231 sections 3 and 4: `charset'language'percent-encoded`, perhaps in numbered pieces."""
    charset = ""
    data = b""
    for index, (_, is_encoded, content) in enumerate(parts):
        if is_encoded:
            if index == 0 and content.count("'") >= 2:
                charset, _, content = content.split("'", 2)
            data += unquote_to_bytes(content)
        else:
            data += content.encode("utf-8", "surrogateescape")
    return decode(data, charset)


def file_name(parameters: dict[str, str], key: str = "filename") -> str:
    """The file name a part gives itself, with encoded words decoded, which RFC 2047 forbids there and Outlook writes."""
    return decode_header(parameters.get(key, "")).strip()


def addresses(value: str) -> tuple[Address, ...]:
    """The mailboxes of an address header (RFC 5322 section 3.4), groups opened; tolerant of what mailers write."""
    if not value:
        return ()
    if "\n" in value:
        value = value.replace("\n", " ")
    value = value[:200_000]
    if '"' not in value and "(" not in value and ":" not in value and ";" not in value:
        found = [_mailbox(piece) for piece in value.split(",")]
    else:
        found = [_mailbox(piece) for piece in _split_addresses(value)]
    return tuple(one for one in found if one is not None)


def _split_addresses(value: str) -> Iterator[str]:
    """Cut at commas and group marks that stand outside quotes, comments and angle brackets."""
    start = 0
    quoted = angle = False
    comment = 0
    skip = -1
    for match in _ADDRESS_MARK.finditer(value):
        position, mark = match.start(), match.group()
        if position == skip:
            continue
        if mark == "\\":
            skip = position + 1
        elif quoted:
            quoted = mark != '"'
        elif mark == '"' and not comment:
            quoted = True
        elif mark == "(":
            comment += 1
        elif mark == ")":
            comment = max(0, comment - 1)
        elif comment:
            continue
        elif mark == "<":
            angle = True
        elif mark == ">":
            angle = False
        elif mark in ",;" and not angle:
            yield value[start:position]
            start = position + 1
        elif mark == ":" and not angle:
            start = position + 1  # a group's name
    yield value[start:]


def _mailbox(piece: str) -> Address | None:
    piece = piece.strip()
    if not piece:
        return None
    opening = piece.rfind("<")
    if opening >= 0:
        address = piece[opening + 1 :].partition(">")[0]
        name = piece[:opening]
    elif "(" in piece:
        # The old form: address (Name)
        address, _, comment = piece.partition("(")
        name = comment.rstrip().removesuffix(")")
    else:
        address, name = piece, ""
    address = decode_header(address).strip().strip("'\"").lower()
    name = name.strip()
    if name.startswith('"') and name.endswith('"') and len(name) > 1:
        name = name[1:-1]
    if "\\" in name:
        name = _QUOTED_PAIR.sub(r"\1", name)
    name = clean(decode_header(name)).strip().strip('"').strip()
    if not address or (" " in address and opening < 0) or ("@" not in address and opening < 0):
        return None
    return Address(address, name)


def _date_of(value: str) -> datetime | None:
    """RFC 5322 section 3.3; a date that cannot be read is no date. Without a zone it counts as UTC."""
    if not value:
        return None
    try:
        when = parsedate_to_datetime(value[:200])
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _thread_of(by_name: dict[str, str]) -> str:
    """The first message of the thread, as far as the headers know it."""
    for name in ("references", "in-reply-to"):
        match = _MESSAGE_ID.search(by_name.get(name, ""))
        if match:
            return match.group()
    return ""
