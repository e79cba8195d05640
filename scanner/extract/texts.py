"""Plain text and its kin: HTML, XML, tables parted by commas or tabs, calendars, cards, RTF."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import quopri
import re

from scanner.errors import UnreadablePart
from scanner.extract import portals
from scanner.extract.content import Child, Content, Sheets, Trouble
from scanner.extract.limits import Limits
from scanner.extract.markup import html_file_text, xml_text
from scanner.extract.normal import charset_of, clean, decode
from scanner.extract.sniff import delimiter_of

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)


def _charset(claimed: str) -> str:
    match = _CHARSET.search(claimed[:500])
    return match.group(1) if match else ""


def read_nothing(data: bytes, claimed: str, limits: Limits) -> Content:
    """An empty file is read: there is nothing in it."""
    return Content()


def read_plain(data: bytes, claimed: str, limits: Limits) -> Content:
    return Content(decode(data, _charset(claimed)))


# RFC 8259 section 7: what a program need not have written as itself.
_JSON_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|([nrtbf/\"\\]))")
_JSON_SIGNS = {"n": "\n", "r": "\n", "t": "\t", "b": "", "f": "\n"}


def read_json(data: bytes, claimed: str, limits: Limits) -> Content:
    """JSON as it stands, escapes undone: many programs write every letter with an accent as one."""
    text = _JSON_ESCAPED.sub(_json_character, decode(data, _charset(claimed)))
    return Content(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _json_character(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else _JSON_SIGNS.get(match[2], match[2])


def read_fragment(data: bytes, claimed: str, limits: Limits) -> Content:
    """A piece of a mail that was sent in pieces (RFC 2046 section 5.2.2): its words are read, the whole is not here."""
    content = Content(decode(data, _charset(claimed)))
    content.missed(Trouble("unsupported", "one piece of a mail that was sent in several", "part"))
    return content


def read_html(data: bytes, claimed: str, limits: Limits) -> Content:
    """A page; of one that carries a sealed message to a service only what stands around the seal is read."""
    content = Content(html_file_text(data, _charset(claimed)))
    lock = portals.wrapper(data.decode("latin-1"))
    if lock is not None:
        content.protection = lock
        content.missed(Trouble("encrypted", lock.mechanism, "part"))
    return content


# XML 1.0, section 4.3.3.
_XML_ENCODING = re.compile(
    rb"\s{0,20}<\?xml\b[^>]{0,200}?\bencoding\s{0,9}=\s{0,9}[\"']([A-Za-z][\w.-]{1,39})", re.ASCII
)


def read_xml(data: bytes, claimed: str, limits: Limits) -> Content:
    """An XML document; of one that is broken the bytes as they stand, said so."""
    try:
        return Content(xml_text(data, limits.max_text_chars))
    except UnreadablePart as error:
        if error.kind != "corrupt":
            raise
        declared = _XML_ENCODING.match(data[:300])
        text = decode(data, _charset(claimed) or (declared[1].decode("ascii") if declared else ""))
        content = Content(clean(text[: limits.max_text_chars]))
        content.missed(Trouble("corrupt", str(error), "part"))
        if len(text) > limits.max_text_chars:
            content.missed(Trouble("too_large", f"text read to {limits.max_text_chars} characters", "part"))
        return content


def read_table(data: bytes, claimed: str, limits: Limits) -> Content:
    """CSV or TSV (RFC 4180) as a table; a row the csv module refuses makes the rest plain text."""
    text = clean(decode(data, _charset(claimed)))
    delimiter = delimiter_of(text, claimed.partition(";")[0].strip().lower()) or ","
    sheets = Sheets(limits.max_cells, limits.max_text_chars)
    try:
        sheets.add(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error:
        return Content(text)
    table_text, tables = sheets.finish()
    content = Content(table_text, tables)
    if sheets.full:
        content.missed(Trouble("too_large", f"table read to {limits.max_cells} cells", "part"))
    return content


# Folded lines of RFC 5545 section 3.1 and RFC 6350 section 3.2.
_FOLD = re.compile(r"\r?\n[ \t]")
_ESCAPED = re.compile(r"\\([nN,;\\])")


# A value that is a file, and one that is written as quoted-printable, which vCard 2.1 allows.
_INLINE = re.compile(
    r"^([A-Za-z-]{1,40})(;[^:\n]{0,1000}?ENCODING=(?:BASE64|b)\b[^:\n]{0,1000})?:([A-Za-z0-9+/=]{1,})\r?$",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTED = re.compile(
    r"^([^:\n]{1,500};ENCODING=QUOTED-PRINTABLE[^:\n]{0,500}):((?:[^\n]{0,1000}=\r?\n){0,1000}[^\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
_FILE_NAME = re.compile(r"(?:X-FILENAME|FILENAME)=\"?([^;:\"]{1,200})", re.IGNORECASE)
_VCARD_CHARSET = re.compile(r";CHARSET=([\w.:-]{2,40})", re.IGNORECASE)


def read_properties(data: bytes, claimed: str, limits: Limits) -> Content:
    """iCalendar and vCard: lines unfolded, escapes undone; parameters stay, they name people. Files inside are children."""
    source = decode(data, _charset(claimed))
    if "quoted-printable" in source.lower():
        source = _QUOTED.sub(_unquoted, source)
    files: list[Child] = []

    def taken(match: re.Match[str]) -> str:
        name, parameters, value = match.groups()
        if parameters is None:
            return match.group()
        named = _FILE_NAME.search(parameters)
        files.append(Child(named[1] if named else name.lower(), lambda: _from_base64(value), len(value) * 3 // 4))
        return f"{name}:"

    text = _INLINE.sub(taken, _FOLD.sub("", source))
    shown = _ESCAPED.sub(lambda match: "\n" if match.group(1) in "nN" else match.group(1), text)
    return Content(shown, children=files)


def _unquoted(match: re.Match[str]) -> str:
    given = _VCARD_CHARSET.search(match[1])
    value = quopri.decodestring(match[2].encode("utf-8", "replace"))
    return f"{match[1]}:" + decode(value, given[1] if given else "").replace("\r\n", " ").replace("\n", " ")


def _from_base64(value: str) -> bytes:
    try:
        return base64.b64decode(value)
    except binascii.Error:
        raise UnreadablePart("corrupt", "a file in a calendar or card") from None


# --- RTF (specification 1.9.1) --------------------------------------------------------------------------------------

_RTF_TOKEN = re.compile(
    r"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\(.)|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.DOTALL
)
_RTF_SKIPPED = frozenset(
    "fonttbl colortbl stylesheet listtable listoverridetable rsidtbl themedata colorschememapping datastore latentstyles pict "
    "generator xmlnstbl mmathpr sp fldinst filetbl revtbl bkmkstart bkmkend blipuid nonshppict panose falt wgrffmtfilter".split()
)
# Destinations that older readers may ignore and that hold the writer's words all the same.
_RTF_SHOWN = frozenset({"shpinst", "shptxt", "annotation", "footnote", "atnauthor", "docvar", "ud"})
_RTF_BREAKS = {
    "par": "\n",
    "line": "\n",
    "row": "\n",
    "page": "\n",
    "sect": "\n",
    "cell": "\t",
    "nestcell": "\t",
    "tab": "\t",
}
_RTF_SIGNS = {
    "endash": "-",
    "emdash": "-",
    "lquote": "'",
    "rquote": "'",
    "ldblquote": '"',
    "rdblquote": '"',
    "bullet": "*",
}
_MAX_RTF_DEPTH = 10_000


def read_rtf(data: bytes, claimed: str, limits: Limits) -> Content:
    """The text of an RTF file in one pass over its tokens; embedded objects are a problem, pictures are left out."""
    source = data.decode("latin-1")
    codec = "cp1252"
    pieces: list[str] = []
    # For each open group: is its text skipped, and how many characters stand in for a \u.
    stack: list[tuple[bool, int]] = []
    skipped, fallback = False, 1
    to_drop = 0
    high = bytearray()
    opened = False
    has_object = False

    def flush() -> None:
        if high:
            pieces.append(bytes(high).decode(codec, "replace"))
            high.clear()

    for match in _RTF_TOKEN.finditer(source):
        word, number, octet, symbol, brace, text = match.groups()
        if octet is not None:
            if to_drop:
                to_drop -= 1
            elif not skipped:
                high.append(int(octet, 16))
            opened = False
            continue
        flush()
        if brace == "{":
            if len(stack) >= _MAX_RTF_DEPTH:
                raise UnreadablePart("too_deep", "RTF groups nested too deeply")
            stack.append((skipped, fallback))
            opened = True
            continue
        if brace == "}":
            if stack:
                skipped, fallback = stack.pop()
            to_drop = 0
        elif word is not None:
            if word in _RTF_SKIPPED and opened:
                skipped = True
            elif word in _RTF_SHOWN:
                skipped = False
            elif word in ("objdata", "objemb"):
                has_object = True
                skipped = skipped or word == "objdata"
            elif word == "bin":
                # Raw bytes follow; the pattern would take them for text, so what is left is not read.
                raise UnreadablePart("unsupported", "RTF with raw binary data")
            elif word == "ansicpg" and number:
                codec = charset_of(f"cp{number}") or codec
            elif word == "uc" and number:
                fallback = max(0, min(int(number), 20))
            elif word == "u" and number:
                if not skipped:
                    pieces.append(_rtf_character(int(number)))
                to_drop = fallback
            elif not skipped and word in _RTF_BREAKS:
                pieces.append(_RTF_BREAKS[word])
            elif not skipped and word in _RTF_SIGNS:
                pieces.append(_RTF_SIGNS[word])
        elif symbol is not None:
            if symbol == "*" and opened:
                # A destination older readers may ignore: its text is not the document's.
                skipped = True
                continue
            if not skipped:
                pieces.append({"~": " ", "_": "-", "-": "", "\n": "\n", "\r": "\n"}.get(symbol, symbol))
        elif text is not None:
            if to_drop:
                text, to_drop = text[to_drop:], max(0, to_drop - len(text))
            if not skipped:
                pieces.append(text)
        opened = False
    flush()
    content = Content("".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    if has_object:
        content.missed(Trouble("unsupported", "an object embedded in RTF was not read", "part"))
    return content


def _rtf_character(number: int) -> str:
    return chr(number & 0xFFFF)
