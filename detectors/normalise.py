"""A text as the detectors read it: look-alike characters, entities and wrapped numbers put right, with the way back.

Reading has already made spaces, dashes, quotes and invisible characters plain (`scanner.extract.normal`); those that reach
this place all the same, in an entity or through `Detectors.content` itself, are made so here. What is done here goes further
than a text that is shown to people may be changed:

- digits of other scripts, mathematical and circled letters become ASCII (Unicode NFKC)
- Cyrillic and Greek letters that look like Latin ones become those, but only in a word that also has Latin letters or
  digits, or in one or two letters beside digits ("АВ 12 34 56 С"): a Russian or Greek text stays what it is
- entities that an exporting program left in plain text (`&nbsp;`, `&#8209;`) become their character
- O and l or I among digits become 0 and 1, where at least seven digits stand in the same number
- a number, postcode or date that was broken over the end of a wrapped line is joined, where the whole has the shape of an
  identifier and neither side is one already; lists of numbers stay lines

Most texts need nothing of this. For them the cost is that of one character-class search, and only where they are not ASCII;
the rest is seen by the gate in its one pass (`WAKE`).
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from scanner.model import Normalised, Table, rewrite

# Letters of Cyrillic and Greek drawn like Latin ones (Unicode TR 39, confusables), in capitals and small.
_ALIKE = {
    **dict(zip("АВЕЅІЈКМНОРСТХУԚԜҮ", "ABESIJKMHOPCTXYQWY", strict=True)),
    **dict(zip("аеѕіјорсухԛԝһԁ", "aesijopcyxqwhd", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True)),
}
_LETTERS = "".join(_ALIKE)
# What has no place in a number: other spaces and dashes, marks that show nothing, digits of other scripts, styled letters.
_OTHER = (
    "\u00a0\u00ad\u034f\u061c\u1680\u180e\u2000-\u2015\u2028-\u202f\u205f-\u2064\u2066-\u2069\u2212\u3000\ufe58\ufe63\ufeff"
    "\ufe00-\ufe0f\u20e3\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u09e6-\u09ef\u0a66-\u0a6f\u0ae6-\u0aef\u0be6-\u0bef"
    "\u0c66-\u0c6f\u0e50-\u0e59\uff01-\uff5e\u24b6-\u24e9\U0001d400-\U0001d7ff"
)
_NEEDED = re.compile(f"[{_LETTERS}{_OTHER}]")
_STYLED = re.compile(rf"[{_OTHER}]|&(?:#\d{{1,6}}|#[xX][0-9A-Fa-f]{{1,5}}|[A-Za-z]{{2,8}});")
_MIXED = re.compile(rf"(?<!\w)[A-Za-z0-9_]*+[{_LETTERS}][{_LETTERS}A-Za-z0-9_]*+(?!\w)")
_BESIDE_DIGITS = re.compile(r"[ -]?\d{2}")
_AFTER_DIGITS = re.compile(r"\d[ -]?\Z")
# Digits with letters that look like one among them, in groups.
_CONFUSED = re.compile(r"(?<![\w.@/=-])(?:[0-9OoIl]{2,20}[ -]){0,6}[0-9OoIl]{3,20}(?![\w@/=])")
_ENOUGH_DIGITS = 7

# Seen by the gate: where one of these fires the text is looked at; the first is for what may be rewritten by itself.
_ENTITY, _CONFUSION, _WRAP = 0, 1, 2
WAKE = (
    r"&(?:#\d{1,6}|#x[0-9a-f]{1,5}|[a-z]{2,8});",
    r"\d[oil]\d|\bo[1-9]\d\d|\d\d[oil][ -]\d",
    r"(?:\d|\b[a-z]{2}|\d[a-z]|\d(?:st|nd|rd|th)|\d [a-z]{3,9})[ -]{0,2}\r?\n[>| \t]{0,8}"
    r"(?:\d|[a-d]\b|jan|feb|ma[ry]|apr|ju[nl]|aug|sep|oct|nov|dec)",
)

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_LINE_END = re.compile(rf"(?<=[0-9A-Za-z-]) {{0,2}}\n[>| \t]{{0,8}}(?=\d|[A-D]\b|[A-Z]{{4}} |{_MONTH} )")
_FIRST_WORD = re.compile(r"\S{1,20}")
# The run of groups that ends a line, and the one that begins the next, each with at least one digit or two capitals.
_GROUP = r"[A-Z]{0,2}\d[A-Z0-9]{0,7}"
_LEFT = re.compile(
    rf"(?<![\w./:£$€@-])(?:(?:[A-Z]{{2}} )?(?:{_GROUP}[ -]|[A-Z]{{4}} ){{0,6}}{_GROUP}-?|[A-Z]{{2}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?: of)?(?: {_MONTH})?)\Z"
)
_RIGHT = re.compile(
    rf"(?:(?:{_GROUP}|[A-Z]{{4}})(?:[ -](?:{_GROUP}|[A-Z]{{4}})){{0,6}}(?:[ -][A-D]\b)?|[A-D]|{_MONTH} (?:19|20)\d\d)(?![\w/:%@-]|[.,]\d)"
)
# What a joined number must be as a whole. Space stands for the place of the break.
_WHOLE = re.compile(
    r"\d{3}[ -]\d{3}[ -]\d{4}|\d{5} \d{5}"  # NHS, ULN; UTR
    r"|\d{4}(?:[ -]\d{4}){2,3}|\d{4}[ -]\d{6}[ -]\d{5}"  # cards, DBS
    r"|[A-Z]{2}[ -]?\d\d[ -]?\d\d[ -]?\d\d[ -]?[A-D]"  # NINO
    r"|GB\d\d ?[A-Z]{4}(?: ?\d{4}){3} ?\d\d"  # IBAN
    r"|[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}"  # postcode
    r"|0\d{2,4}[ -]\d{3,4}[ -]\d{3,4}|0\d{3,4}[ -]\d{6}|44 \d{4} \d{6}"  # telephone
    r"|[A-Z] ?\d{3} ?\d{4} ?\d\d ?\d\d[0-9A-Z]|\d{2}-\d{2}-\d{2} \d{8}"  # UPN; sort code and account
    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH} (?:19|20)\d\d"
)
_LOOK_BACK, _LOOK_ON = 48, 48
# A line that a program wrapped is about as long as its neighbours; shorter ones are lines that somebody ended.
_SHORT_LINE, _LONG_LINE, _LONGEST_LINE = 30, 60, 120
# How much a wrapped line may fall short of the one above it.
_RAGGED = 20


# Of one kind in one text; an honest megabyte in another script has fewer.
MOST_CHANGES = 100_000


@dataclass(frozen=True, slots=True)
class View:
    """The text to read, and where its characters were in the one that was given."""

    text: str = field(repr=False)
    _steps: tuple[Normalised, ...]
    # There was more to put right than MOST_CHANGES: what follows the last one is as it was.
    cut: bool = False

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the given text for a span of `text`."""
        for step in reversed(self._steps):
            start, end = step.original(start, end)
        return start, end

    def moved(self, tables: Sequence[Table]) -> tuple[Table, ...]:
        """The tables of the given text with the spans of their cells in `text`."""
        return tuple(
            Table(
                tuple(tuple((self._position(start), self._position(end)) for start, end in row) for row in table.rows)
            )
            for table in tables
        )

    def spans(self, spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        """Spans of the given text as they lie in `text`."""
        return tuple((self._position(start), self._position(end)) for start, end in spans)

    def _position(self, place: int) -> int:
        for step in self._steps:
            place = step.position(place)
        return place


def view(text: str, woken: frozenset[int], *, tabular: bool = False) -> View | None:
    """The text put right, or None where there is nothing to do. `woken`: which expressions of `WAKE` the gate saw in it.

    `tabular`: the text is that of tables, whose lines are rows and were never wrapped.
    """
    steps: list[Normalised] = []
    cut = False
    unusual = not text.isascii() and _NEEDED.search(text) is not None
    for due, changes_of in (
        (unusual or _ENTITY in woken, _styled),
        (unusual, _alike),
        (unusual or _CONFUSION in woken, _confused),
        (not tabular and (unusual or _WRAP in woken), _wrapped),
    ):
        if due:
            changes = list(islice(changes_of(text), MOST_CHANGES))
            cut = cut or len(changes) == MOST_CHANGES
            if changes:
                steps.append(rewrite(text, changes))
                text = steps[-1].text
    return View(text, tuple(steps), cut) if steps else None


def _styled(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _STYLED.finditer(text):
        found = match.group()
        if found[0] == "&":
            meant = html.unescape(found)
            if meant == found or len(meant) > 2:
                continue
            plain = "".join(map(_plain, meant))
        else:
            plain = _plain(found)
        if plain != found:
            yield *match.span(), plain


def _plain(character: str) -> str:
    """One character as a pattern knows it; itself where nothing simpler says the same."""
    if character.isascii():
        return character if character.isprintable() else " "
    kind = unicodedata.category(character)
    if kind == "Zs":
        return " "
    if kind in ("Cf", "Me") or "\ufe00" <= character <= "\ufe0f":
        return ""
    if kind in ("Zl", "Zp"):
        return "\n"
    if kind == "Pd" or character == "\u2212":
        return "-"
    if kind == "Nd":
        return str(unicodedata.decimal(character))
    simpler = unicodedata.normalize("NFKC", character)
    return simpler if len(simpler) == 1 and simpler.isascii() else character


def _alike(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _MIXED.finditer(text):
        word = match.group()
        start, end = match.span()
        if not any(character.isascii() for character in word):
            # A prefix of two letters, or the one letter that ends a number: "в 2020" is Russian.
            before_digits = len(word) == 2 and _BESIDE_DIGITS.match(text, end)
            after_digits = len(word) == 1 and _AFTER_DIGITS.search(text, max(0, start - 2), start)
            if not before_digits and not after_digits:
                continue
        yield start, end, "".join(_ALIKE.get(character, character) for character in word)


_MEANT = str.maketrans("OoIl", "0011")


def _confused(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _CONFUSED.finditer(text):
        run = match.group()
        digits = sum(character.isdigit() for character in run)
        letters = sum(character.isalpha() for character in run)
        groups = re.split("[ -]", run)
        if (
            letters
            and digits >= _ENOUGH_DIGITS
            and letters * 2 <= digits
            and all(any(character.isdigit() for character in group) for group in groups)
        ):
            yield *match.span(), run.translate(_MEANT)


def _wrapped(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _LINE_END.finditer(text):
        start, end = match.span()
        if not _was_wrapped(text, start, end):
            continue
        left = _LEFT.search(text, max(0, start - _LOOK_BACK), start)
        right = _RIGHT.match(text, end, min(len(text), end + _LOOK_ON))
        if left is None or right is None:
            continue
        # "943-476-" continues without a blank.
        between = "" if left.group().endswith("-") else " "
        if _is_whole(left.group(), between, right.group()):
            yield start, end, between


def _is_whole(left: str, between: str, right: str) -> bool:
    """Together they are one identifier, and neither is one by itself."""
    return (
        _WHOLE.fullmatch(left + between + right) is not None
        and _WHOLE.fullmatch(left) is None
        and _WHOLE.fullmatch(right) is None
    )


def _was_wrapped(text: str, start: int, end: int) -> bool:
    """The next line's first word did not fit any more: the line would have grown longer than its neighbours."""
    line_start = text.rfind("\n", max(0, start - 200), start) + 1
    line = start - line_start if line_start or start < 200 else 200
    if line < _SHORT_LINE:
        return False
    before = line_start - 1 - (text.rfind("\n", max(0, line_start - 200), line_start - 1) + 1) if line_start else 0
    stop = text.find("\n", end, end + 200)
    after = (stop if stop >= 0 else min(len(text), end + 200)) - end
    word = _FIRST_WORD.match(text, end)
    grown = line + 1 + (len(word.group()) if word else 0)
    if grown <= max(length for length in (0, before, after) if length <= _LONGEST_LINE):
        return False
    return line >= _LONG_LINE or (before >= _SHORT_LINE and abs(before - line) <= _RAGGED)
