"""Text cleaned once at the edge: bytes to characters, and characters to the few that patterns need to know.

Offsets of a found value must still point into what the user gave, so `Normalised.original` translates back.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

from scanner.model import Normalised, rewrite

# Unicode Zs and the line breaks other than LF (UAX #14), dashes (Pd plus the minus sign), typographic quotes.
_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_BREAKS = "\x0b\x85\u2028\u2029"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d"
_APOSTROPHES = "\u2018\u2019\u201b\u02bc\uff07"
_QUOTES = "\u201c\u201d\u201f\uff02"
# Characters that show nothing: soft hyphen, zero-width marks, joiners, bidirectional controls, BOM, NUL.
_INVISIBLE = "\x00\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064"
_INVISIBLE += "\u2066\u2067\u2068\u2069\ufeff"
_LIGATURES = {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl"}

_REPLACEMENTS: dict[str, str] = {
    **dict.fromkeys(_SPACES, " "),
    **dict.fromkeys(_BREAKS, "\n"),
    **dict.fromkeys(_DASHES, "-"),
    **dict.fromkeys(_APOSTROPHES, "'"),
    **dict.fromkeys(_QUOTES, '"'),
    **dict.fromkeys(_INVISIBLE, ""),
    **_LIGATURES,
    # Full-width forms of ASCII (U+FF01 to U+FF5E): digits and letters typed with an East Asian keyboard.
    **{chr(0xFF01 + i): chr(0x21 + i) for i in range(94) if chr(0xFF01 + i) not in _DASHES + _APOSTROPHES + _QUOTES},
    "\r\n": "\n",
    "\r": "\n",
}
_CHARACTERS = "".join(re.escape(key) for key in _REPLACEMENTS if len(key) == 1)
_TO_REPLACE = re.compile(f"\r\n|[{_CHARACTERS}]")


def normalise(text: str) -> Normalised:
    """Spaces to ' ', line breaks to LF, dashes to '-', quotes to ASCII; drops characters that show nothing."""
    if text.isascii() and "\r" not in text and "\x00" not in text and "\x0b" not in text:
        return Normalised(text)
    if _TO_REPLACE.search(text) is None:
        return Normalised(text)
    return rewrite(text, ((*match.span(), _REPLACEMENTS[match.group()]) for match in _TO_REPLACE.finditer(text)))


def clean(text: str) -> str:
    """The normalised text alone, for where nobody asks for offsets."""
    if text.isascii() and "\r" not in text and "\x00" not in text and "\x0b" not in text:
        return text
    return _TO_REPLACE.sub(lambda match: _REPLACEMENTS[match.group()], text.replace("\r\n", "\n"))


# --- bytes to characters --------------------------------------------------------------------------------------------

# What mail programs mean by these labels (WHATWG Encoding, section 4.2); Python takes them more narrowly.
_WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "latin-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
}
# Codecs of Python that are no charset of a mail, or can be made to run slowly.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ASCII_COMPATIBLE = frozenset({"", "us-ascii", "ascii", "utf-8", "iso-8859-1", "windows-1252"})
_KNOWN: dict[str, str | None] = {}


def charset_of(label: str) -> str | None:
    """The Python codec for a charset label as mails write it, or None when there is none."""
    if label in _KNOWN:
        return _KNOWN[label]
    codec: str | None
    try:
        info = codecs.lookup(label.strip().strip("\"'").lower()) if len(label) < 60 else None
    except (LookupError, ValueError):
        info = None
    # `_is_text_encoding` keeps out base64, zip and the like, which are codecs of Python but no charsets.
    if info is None or info.name in _NO_CHARSETS or not getattr(info, "_is_text_encoding", True):
        codec = None
    else:
        codec = _WIDER.get(info.name, info.name)
    if len(_KNOWN) < 500:
        _KNOWN[label] = codec
    return codec


def decode(data: bytes, charset: str = "") -> str:
    """Text of `data`; never raises. A wrong or missing label falls back to UTF-8, UTF-16 by its zeros, then cp1252."""
    if charset.lower() in _ASCII_COMPATIBLE and data.isascii() and b"\x00" not in data:
        return data.decode("ascii")
    for bom, codec in _BOMS:
        if data.startswith(bom):
            return data.decode(codec, "replace")
    declared = charset_of(charset) if charset else None
    if declared and declared != "cp1252":
        try:
            return data.decode(declared)
        except (UnicodeError, ValueError):
            pass  # the label was wrong: what follows does not believe it
    head = data[:2000]
    if head.count(0) > len(head) // 4:
        return data.decode("utf-16-le" if head[1::2].count(0) >= head[::2].count(0) else "utf-16-be", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass  # not UTF-8, or not all of it: judged below
    # A broken byte or two in long UTF-8 text does not make it cp1252.
    lenient = data.decode("utf-8", "replace")
    if lenient.count("\ufffd") * 20 < sum(1 for c in lenient[:20_000] if c > "\x7f") + 1:
        return lenient
    return data.decode("cp1252", "replace")


def plain_name(name: str) -> str:
    """A file name safe to be one piece of a part's path: no separators, no control or invisible characters."""
    kept = "".join(
        "_" if c in "/\\" else c for c in clean(name) if c in " " or unicodedata.category(c)[0] != "C"
    ).strip()
    return kept[:200]
