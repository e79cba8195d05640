"""The gate: one Hyperscan pass over a text says which detectors need to look at it, and where (D6).

All wake expressions of all detectors are one multi-pattern database, matched without regard to case on UTF-8. The gate
may wake a detector in vain, never fail to wake it: what wakes is looked at again by the detector itself.

Word boundaries at the ends of an expression are taken off before Hyperscan compiles it and checked afterwards, because
they make up most of the time of compilation (5,000 words: 7 s with them, under 2 s without) and a worker must be ready
in three seconds. Words of up to three letters keep theirs: there are few of them, and without boundaries they fire at
every turn of a text ("TH" as an acronym: 28 times a mail). What several detectors wait for is compiled once.

Phrases (`base.Phrase`), and expressions that are one plain word, are looked for in a second pass over the words of the text,
with one blank between two: there they are literals, a border is a blank, and some 30,000 of them cost less than the
thousand expressions of the first pass (decision 0004).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import hyperscan
import numpy

from detectors.base import Phrase, Waking, as_words
from scanner.errors import ConfigError

# `\b` is ASCII here as in Hyperscan without HS_FLAG_UCP.
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
# Repetition, or notation that Python does not share: such an expression keeps its boundaries in Hyperscan.
_ENDLESS = re.compile(r"[*+{]|\\[pPXRQE]|\[\[:|\(\?<")
_PLAIN = re.compile(r"[A-Za-z0-9]+")
_ONE_WORD = re.compile(r"(\\b)?([A-Za-z]+)(\\b)?")
_BLANK = ord(" ")
# How the expressions are compiled. `_FORMAT` grows with whatever else changes what is kept of them.
_MODE = hyperscan.HS_MODE_BLOCK
_FLAGS = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_UTF8
_FORMAT = 2
_SHORT = re.compile(r"\\b[A-Za-z0-9]{1,3}\\b|\\b[A-Za-z0-9]{1,2}")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One wake expression of one detector behind a compiled expression that others may share."""

    detector: str
    index: int
    # The match must not be followed by a word character.
    closed: bool
    # The match must not be preceded by one.
    opened: bool


class Gate:
    """Built once from the wake expressions of each detector; `scan` may be called any number of times.

    Compiling thousands of expressions takes more than a second. In the folder `kept` the database may lie as it was made for
    the same expressions before; where it does not, `made` has its name and its bytes for whoever may write there.

    Raises ConfigError, naming detector and expression, where an expression cannot be compiled.
    """

    def __init__(self, wakes: Mapping[str, Sequence[str]], kept: Path | None = None) -> None:
        shared: dict[str, list[_Entry]] = {}
        phrases: dict[str, list[tuple[str, int]]] = {}
        for name, wake in wakes.items():
            for index, expression in enumerate(wake):
                phrase = _as_phrase(expression)
                if phrase is not None:
                    phrases.setdefault(phrase, []).append((name, index))
                    continue
                core, opened, closed = _without_boundaries(expression)
                if not core:
                    raise ConfigError(f"detectors/{name}", f"wake expression {index} is empty")
                shared.setdefault(core, []).append(_Entry(name, index, closed, opened))
        self._cores = tuple(shared)
        self._entries = tuple(tuple(entries) for entries in shared.values())
        self._waiting = tuple(tuple(waiting) for waiting in phrases.values())
        # A plain word's beginning is known from its end.
        self._lengths = tuple(len(core) if _PLAIN.fullmatch(core) else 0 for core in shared)
        # Nothing of it counts within a word: most that fires in vain does so there.
        self._closed = tuple(all(entry.closed for entry in entries) for entries in self._entries)
        self.made: tuple[str, bytes] | None = None
        known_by = "\0".join([metadata.version("hyperscan"), f"{_FORMAT} {_MODE} {int(_FLAGS)}", *shared, "", *phrases])
        name = hashlib.sha256(known_by.encode("utf-8", "surrogatepass")).hexdigest()
        databases = _kept(kept / name) if kept is not None else None
        if databases is None:
            places = [f"detectors/{entries[0].detector}" for entries in self._entries]
            databases = (
                _compile([core.encode() for core in shared], places, _FLAGS),
                _compile([each.encode() for each in phrases], [f"detectors/{one[0][0]}" for one in self._waiting], 0),
            )
            self.made = (name, _dump(databases))
        self._in_text, self._in_words = databases
        self._scratch = hyperscan.Scratch(self._in_text) if self._in_text is not None else None
        self._scratch_of_words = hyperscan.Scratch(self._in_words) if self._in_words is not None else None

    def scan(self, text: str) -> dict[str, list[Waking]]:
        """The wakings in `text` for each detector that woke, ordered by end. Cost is linear in the text."""
        woken: dict[str, list[Waking]] = {}
        if text:
            self._scan_text(text, woken)
            self._scan_words(text, woken)
        return woken

    def _scan_words(self, text: str, woken: dict[str, list[Waking]]) -> None:
        if self._in_words is None:
            return
        data = as_words(text)
        seen: list[tuple[int, int]] = []

        def note(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            seen.append((end, number))

        words = b" %b " % b" ".join(data.split())
        self._in_words.scan(words, match_event_handler=note, scratch=self._scratch_of_words)
        if not seen:
            return
        # The words and one blank after each: all that stands in `words` after its first blank, at its place in the text.
        signs = numpy.frombuffer(data, numpy.uint8) != _BLANK
        kept = signs.copy()
        kept[1:] |= signs[:-1]
        places = numpy.flatnonzero(kept).tolist()
        touched: dict[str, None] = {}
        for end, number in sorted(seen):
            at = places[end - (3 if words[end - 1] == _BLANK else 2)] + 1
            for detector, index in self._waiting[number]:
                touched[detector] = None
                woken.setdefault(detector, []).append(Waking(index, at))
        for detector in touched:
            woken[detector].sort(key=_by_end)

    def _scan_text(self, text: str, woken: dict[str, list[Waking]]) -> None:
        if self._in_text is None:
            return
        data = text.encode("utf-8", "replace")
        seen: list[tuple[int, int]] = []

        def note(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            seen.append((end, number))

        self._in_text.scan(data, match_event_handler=note, scratch=self._scratch)
        if not seen:
            return
        seen = sorted(set(seen))
        positions = None if text.isascii() else _code_points(data, seen)
        ends_word = data + b" "
        starts_word = b" " + data
        for place, (end, number) in enumerate(seen):
            within = ends_word[end] in _WORD
            if within and self._closed[number]:
                continue
            at = end if positions is None else positions[place]
            begins: bool | None = None
            for entry in self._entries[number]:
                if within and entry.closed:
                    continue
                if entry.opened:
                    if begins is None:
                        begins = self._begins(number, starts_word, end, text, at)
                    if not begins:
                        continue
                woken.setdefault(entry.detector, []).append(Waking(entry.index, at))

    def _begins(self, number: int, starts_word: bytes, end: int, text: str, at: int) -> bool:
        """Whether what expression `number` matched up to `end` begins at a word boundary; `starts_word` is shifted by one."""
        length = self._lengths[number]
        if length:
            return starts_word[end - length] not in _WORD
        # Without repetition no expression matches more characters than it has itself.
        core = self._cores[number]
        verify = _backwards(core)
        return verify is None or verify.search(text, max(0, at - len(core)), at) is not None


class Finder:
    """Where each of many expressions matches in a text, start and end, in one pass whose cost is linear in the text.

    Raises ConfigError with the place of an expression that Hyperscan refuses: what it takes, it runs in linear time.
    """

    def __init__(self, expressions: Sequence[str], places: Sequence[str]) -> None:
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        data = [expression.encode() for expression in expressions]
        try:
            _build_with_starts(self._database, data)
        except hyperscan.error as error:
            for expression, place in zip(data, places, strict=True):
                try:
                    _build_with_starts(hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK), [expression])
                except hyperscan.error as alone:
                    raise ConfigError(
                        place, f"{expression.decode()!r} cannot be run in linear time: {alone}"
                    ) from alone
            raise ConfigError(places[0], f"these expressions are too large together: {error}") from error
        self._scratch = hyperscan.Scratch(self._database)

    def find(self, text: str) -> list[tuple[int, int, int]]:
        """(number of the expression, start, end) in code points: from each start the longest match, none inside another."""
        data = text.encode("utf-8", "replace")
        longest: dict[tuple[int, int], int] = {}

        def note(number: int, start: int, end: int, _flags: int, _context: object) -> None:
            if end > longest.get((number, start), 0):
                longest[number, start] = end

        self._database.scan(data, match_event_handler=note, scratch=self._scratch)
        if not longest:
            return []
        found = sorted((number, start, end) for (number, start), end in longest.items())
        apart: list[tuple[int, int, int]] = []
        for number, start, end in found:
            if not apart or apart[-1][0] != number or start >= apart[-1][2]:
                apart.append((number, start, end))
        if text.isascii():
            return apart
        bounds = sorted({(at, 0) for _, start, end in apart for at in (start, end)})
        places = dict(zip((at for at, _ in bounds), _code_points(data, bounds), strict=True))
        return [(number, places[start], places[end]) for number, start, end in apart]


def _build_with_starts(database: hyperscan.Database, expressions: Sequence[bytes]) -> None:
    flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_SOM_LEFTMOST
    database.compile(
        expressions=list(expressions),
        ids=list(range(len(expressions))),
        elements=len(expressions),
        flags=[flags] * len(expressions),
    )


def _by_end(waking: Waking) -> int:
    return waking.end


def _as_phrase(expression: str) -> str | None:
    """What to look for in the words of a text; None where only the text itself will do."""
    if isinstance(expression, Phrase):
        return expression
    word = _ONE_WORD.fullmatch(expression)
    return f"{' ' if word[1] else ''}{word[2].lower()}{' ' if word[3] else ''}" if word else None


def _without_boundaries(expression: str) -> tuple[str, bool, bool]:
    """The expression without `\\b` at either end, and which ends may be checked for it afterwards.

    A short word keeps them. An expression with alternatives at top level is only widened: its ends belong to different
    alternatives. One with
    repetition keeps its boundaries: a run of digits would end a match without them at every place.
    """
    if _ENDLESS.search(expression) or _SHORT.fullmatch(expression):
        return expression, False, False
    core, opened, closed = expression, False, False
    if core.startswith(r"\b"):
        core, opened = core[2:], True
    if core.endswith(r"\b") and (len(core) - len(core[:-1].rstrip("\\"))) == 2:
        core, closed = core[:-2], True
    if (opened or closed) and _has_top_level_alternative(core):
        opened = closed = False
    return core, opened, closed


def _has_top_level_alternative(expression: str) -> bool:
    depth, in_class, escaped = 0, False, False
    for character in expression:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "|" and depth == 0:
            return True
    return False


@cache
def _backwards(core: str) -> re.Pattern[str] | None:
    """The expression for Python, anchored at the end that Hyperscan reported, where it surely is short enough."""
    try:
        return re.compile(rf"(?<![A-Za-z0-9_])(?:{core})\Z", re.IGNORECASE)
    except re.error:
        return None


# The database for texts and that for words; None where nothing is looked for.
_Databases = tuple[hyperscan.Database | None, hyperscan.Database | None]
_LENGTH = 8


def _dump(databases: _Databases) -> bytes:
    """Both, each behind its length."""
    dumps = [hyperscan.dumpb(one) if one is not None else b"" for one in databases]
    return b"".join(len(dump).to_bytes(_LENGTH) + dump for dump in dumps)


def _kept(path: Path) -> _Databases | None:
    """Databases that were made before; None where there are none, or where they were made for another processor."""
    try:
        data = path.read_bytes()
        border = _LENGTH + int.from_bytes(data[:_LENGTH])
        second = border + _LENGTH
        if len(data) < second or len(data) != second + int.from_bytes(data[border:second]):
            return None
        return _load(data[_LENGTH:border]), _load(data[second:])
    except (OSError, hyperscan.error):
        return None


def _load(dump: bytes) -> hyperscan.Database | None:
    return hyperscan.loadb(dump, mode=_MODE) if dump else None


def _compile(expressions: Sequence[bytes], places: Sequence[str], flags: int) -> hyperscan.Database | None:
    if not expressions:
        return None
    database = hyperscan.Database(mode=_MODE)
    try:
        _build(database, expressions, flags)
    except hyperscan.error as error:
        raise _first_bad(expressions, places, flags) from error
    return database


def _build(database: hyperscan.Database, expressions: Sequence[bytes], flags: int) -> None:
    database.compile(
        expressions=list(expressions),
        ids=list(range(len(expressions))),
        elements=len(expressions),
        flags=[flags] * len(expressions),
    )


def _first_bad(expressions: Sequence[bytes], places: Sequence[str], flags: int) -> ConfigError:
    """This binding does not say which expression was refused: ask for each alone, once, on the way down."""
    for expression, place in zip(expressions, places, strict=True):
        try:
            _build(hyperscan.Database(mode=_MODE), [expression], flags)
        except hyperscan.error as error:
            return ConfigError(
                place, f"wake expression {expression.decode()!r} cannot be matched by Hyperscan: {error}"
            )
    return ConfigError("detectors", "the wake expressions cannot be compiled together")


def _code_points(data: bytes, seen: Sequence[tuple[int, int]]) -> list[int]:
    """The byte ends in `seen` (sorted) as code point offsets; one walk over the text."""
    positions: list[int] = []
    at_byte = at_point = 0
    for end, _ in seen:
        if end != at_byte:
            at_point += len(data[at_byte:end].decode("utf-8", "replace"))
            at_byte = end
        positions.append(at_point)
    return positions
