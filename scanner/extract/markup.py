"""Text of HTML and XML, in reading order, with lines and cells kept apart.

What a reader of the mail would not see (display:none, size 0, white on white) is kept: it left the house all the same.
Scripts and style sheets are dropped; their text is nobody's words.
"""

from __future__ import annotations

import html
import re

import defusedxml.ElementTree  # type: ignore[import-untyped]
from selectolax.lexbor import LexborHTMLParser

from scanner.errors import UnreadablePart, fault_of
from scanner.extract.normal import clean, decode

# Marks put into the source, whose own white space has become single spaces, and taken out of the text again. White space
# is what HTML leaves where it stands, even between the rows of a table; other characters would move in front of it.
_CELL, _ROW, _SOFT, _HARD, _PARAGRAPH = "\t", "\f", "\n", "\n\n\n", "\n\n\n\n\n\n"
# So many line feeds between two words make an empty line, fewer a line break.
_EMPTY_LINE = 6
_QUOTE, _UNQUOTE = "\x1c", "\x1d"
_BLOCKS = (
    "address|article|aside|blockquote|body|center|dd|details|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|header"
    "|hr|li|main|menu|nav|option|section|summary|tbody|tfoot|thead|title"
)
_BREAK = re.compile(
    rf"<(/?)(br|t[dhr]|p|h[1-6]|ul|ol|table|pre|{_BLOCKS})(?=[\s>/])( class=[\"']?MsoNormal)?", re.IGNORECASE
)
_BLOCKQUOTE = re.compile(r"<blockquote([^>]{0,2000})>|</blockquote\s*>", re.IGNORECASE)
_IS_QUOTE = re.compile(r"cite|gmail_quote|border-left|yahoo_quoted", re.IGNORECASE)
_MARKS = re.compile("[\x1c\x1d]")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_SPACES = re.compile(r"  +")
_WHITE = re.compile(r" ?[\n\t\f][ \n\t\f]*")
_MANY_LINES = re.compile("\n{3,}")
_TAG = re.compile(r"<[^<>]*>")
_NESTING = re.compile(
    r"<(/?)(?!(?:p|li|t[dhr]|br|hr|img|input|meta|link|option|dd|dt|tbody|thead|wbr|col|area|base)[\s>/])[a-z]",
    re.IGNORECASE,
)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_IMAGE_TEXT = re.compile(r"<img\b[^<>]{0,4000}?\balt=", re.IGNORECASE)
# Fields of a form that somebody filled in; buttons and what a program keeps in hidden ones are nobody's words.
_FILLED_IN = re.compile(r"<input\b[^<>]{0,4000}?\bvalue=", re.IGNORECASE)
_NOT_FILLED_IN = frozenset({"hidden", "submit", "button", "image", "reset", "checkbox", "radio"})
# HTML5 tree building looks through the open elements at every tag, so its cost is depth times tags.
_MAX_NESTING = 1_000
# Attributes of an XML element that make it a record of its own.
_RECORD = 3


def html_text(source: str) -> str:
    """The text of an HTML document or fragment, normalised; lines of cited `blockquote`s begin with `> `.

    Cells are parted by a tab, rows and blocks by a line break, paragraphs by an empty line.
    """
    if _MARKS.search(source):
        source = _MARKS.sub(" ", source)
    has_pre = "<pre" in source or "<PRE" in source
    source = _spaces_with_pre(source) if has_pre else _SPACE.sub(" ", source)
    quotes = "blockquote" in source or "BLOCKQUOTE" in source
    if quotes:
        source = _BLOCKQUOTE.sub(_mark_quote, source)
    source = _BREAK.sub(_mark_break, source)
    text = _stripped(source) if _too_nested(source) else _parsed(source)
    text = _SPACES.sub(" ", clean(text))
    text = _WHITE.sub(_unmark, text)
    if quotes:
        text = _MANY_LINES.sub("\n\n", _prefix_quotes(text))
    return text.strip()


def _mark_break(match: re.Match[str]) -> str:
    closing, name, outlook = match.groups()
    name = name.lower()
    if name in ("td", "th"):
        return match.group() if closing else _CELL + match.group()
    if name == "tr":
        return match.group() if closing else _ROW + match.group()
    if name == "br":
        return _HARD + match.group()
    if name == "p" or (name[0] == "h" and name[1:].isdigit()):
        # Outlook's paragraphs have no space between them; an empty one of them is the empty line.
        return (_HARD if outlook else _PARAGRAPH) + match.group() if not closing else _SOFT + match.group()
    return (_PARAGRAPH if name == "blockquote" else _SOFT) + match.group()


def _unmark(match: re.Match[str]) -> str:
    run = match.group()
    if _ROW in run:
        # What stands before the first row mark are empty cells of the row above; the first cell needs no tab.
        return "\n" + _CELL * (run.rpartition(_ROW)[2].count(_CELL) - 1)
    if _CELL in run:
        return _CELL * run.count(_CELL)
    return "\n\n" if run.count("\n") >= _EMPTY_LINE else "\n"


def _too_nested(source: str) -> bool:
    if source.count("<") < _MAX_NESTING:
        return False
    depth = 0
    for match in _NESTING.finditer(source):
        depth += -1 if match.group(1) else 1
        if depth > _MAX_NESTING:
            return True
        depth = max(depth, 0)
    return False


def _parsed(source: str) -> str:
    tree = LexborHTMLParser(source)
    tree.strip_tags(["script", "style"])
    if _IMAGE_TEXT.search(source):
        for image in tree.css("img[alt]"):
            said = (image.attributes.get("alt") or "").strip()
            if said:
                image.insert_before(f" {said} ")
    if _FILLED_IN.search(source):
        for field in tree.css("input[value]"):
            said = (field.attributes.get("value") or "").strip()
            if said and (field.attributes.get("type") or "").lower() not in _NOT_FILLED_IN:
                field.insert_before(f" {said} ")
    root = tree.root
    return root.text(deep=True, separator="") if root is not None else ""


def _stripped(source: str) -> str:
    """The text of markup too deeply nested to build a tree of: tags cut out, entities decoded; linear."""
    lower = source.lower()
    pieces = []
    done = 0
    for match in re.finditer(r"<(script|style)[\s>]", lower):
        if match.start() < done:
            continue
        pieces.append(source[done : match.start()])
        end = lower.find(f"</{match.group(1)}", match.end())
        done = len(source) if end < 0 else end
    pieces.append(source[done:])
    return html.unescape(_TAG.sub("", "".join(pieces)))


def _spaces_with_pre(source: str) -> str:
    """White space to single spaces, but line breaks inside `pre` stay breaks."""
    pieces = []
    done = 0
    lower = source.lower()
    while (start := lower.find("<pre", done)) >= 0:
        end = lower.find("</pre", start)
        end = len(source) if end < 0 else end
        pieces.append(_SPACE.sub(" ", source[done:start]))
        lines = source[start:end].replace("\r\n", "\n").split("\n")
        pieces.append(_HARD.join(_SPACE.sub(" ", line) for line in lines))
        done = end
    pieces.append(_SPACE.sub(" ", source[done:]))
    return "".join(pieces)


def _mark_quote(match: re.Match[str]) -> str:
    attributes = match.group(1)
    if attributes is None:
        return _UNQUOTE + match.group()
    # A blockquote without a sign of citing is an indent: Outlook and Apple Mail make those.
    return match.group() + (_QUOTE if _IS_QUOTE.search(attributes) else "")


def _prefix_quotes(text: str) -> str:
    """Write cited blocks the way plain mails do. An end without a cited start belongs to an indent."""
    lines = []
    open_quotes = 0
    for line in text.split("\n"):
        if _QUOTE in line or _UNQUOTE in line:
            depth = open_quotes
            for mark in _MARKS.findall(line):
                open_quotes = open_quotes + 1 if mark == _QUOTE else max(0, open_quotes - 1)
                depth = max(depth, open_quotes)
            line = _MARKS.sub("", line).strip()
        else:
            depth = open_quotes
        lines.append("> " * min(depth, 20) + line if depth and line else line)
    return "\n".join(lines)


def html_file_text(data: bytes, charset: str = "") -> str:
    """Text of an HTML file: the charset is the BOM's, the given one, or what its own `meta` says."""
    declared = _META_CHARSET.search(data[:4096])
    return html_text(decode(data, charset or (declared.group(1).decode("ascii") if declared else "")))


def xml_text(data: bytes, max_chars: int) -> str:
    """All character data and attribute values of an XML document, an element a line; of an element with three attributes or
    more, which is a record, each attribute a line.

    Entities and external references are refused (defusedxml). Raises UnreadablePart("corrupt").
    """
    lines: list[str] = []
    length = 0
    try:
        root = defusedxml.ElementTree.fromstring(data)
    except (defusedxml.ElementTree.ParseError, defusedxml.DefusedXmlException, ValueError, LookupError) as error:
        raise UnreadablePart("corrupt", f"XML: {fault_of(error)}") from None
    for element in root.iter():
        words = [value for value in element.attrib.values() if value.strip()]
        if len(element.attrib) >= _RECORD:
            lines.extend(
                f"{name.rpartition('}')[2]}: {value}" for name, value in element.attrib.items() if value.strip()
            )
            length += sum(map(len, element.attrib)) + sum(map(len, words)) + 3 * len(words)
            words = []
        if element.text and element.text.strip():
            words.append(element.text.strip())
        if words:
            name = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
            lines.append(f"{name}: {' '.join(words)}" if name else " ".join(words))
            length += len(lines[-1]) + 1
        if element.tail and element.tail.strip():
            lines.append(element.tail.strip())
            length += len(lines[-1]) + 1
        if length > max_chars:
            raise UnreadablePart("too_large", f"more than {max_chars} characters of XML text")
    return clean("\n".join(lines))
