"""The gate: one Hyperscan pass over a text says which detectors need to look at it, and where (D6).

All wake expressions of all detectors are one multi-pattern database, matched without regard to case on UTF-8. The gate
may wake a detector in vain, never fail to wake it: what wakes is looked at again by the detector itself.

Word boundaries at the ends of an expression are taken off before Hyperscan compiles it and checked afterwards, because
they make up most of the time of compilation (5,000 words: 7 s with them, under 2 s without) and a worker must be ready
in three seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import hyperscan

from detectors.base import Waking
from scanner.errors import ConfigError

# `\b` is ASCII here as in Hyperscan without HS_FLAG_UCP.
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
# Repetition, or notation that Python does not share: such an expression keeps its boundaries in Hyperscan.
_ENDLESS = re.compile(r"[*+{]|\\[pPXRQE]|\[\[:|\(\?<")


@dataclass(frozen=True, slots=True)
class _Entry:
    detector: int
    index: int
    # The match must not be followed by a word character.
    closed: bool
    # The expression whose leading boundary is to be checked backwards, empty where it has none.
    opened: str


class Gate:
    """Built once from the wake expressions of each detector; `scan` may be called any number of times.

    Raises ConfigError, naming detector and expression, where an expression cannot be compiled.
    """

    def __init__(self, wakes: Mapping[str, Sequence[str]]) -> None:
        self._detectors = tuple(wakes)
        entries: list[_Entry] = []
        expressions: list[bytes] = []
        places: list[str] = []
        for detector, (name, wake) in enumerate(wakes.items()):
            for index, expression in enumerate(wake):
                core, opened, closed = _without_boundaries(expression)
                if not core:
                    raise ConfigError(f"detectors/{name}", f"wake expression {index} is empty")
                expressions.append(core.encode())
                places.append(f"detectors/{name}")
                entries.append(_Entry(detector, index, closed, core if opened else ""))
        self._entries = tuple(entries)
        self._database = _compile(expressions, places) if expressions else None
        self._scratch = hyperscan.Scratch(self._database) if self._database is not None else None

    def scan(self, text: str) -> dict[str, list[Waking]]:
        """The wakings in `text` for each detector that woke, ordered by end. Cost is linear in the text."""
        if self._database is None or not text:
            return {}
        data = text.encode("utf-8", "replace")
        seen: list[tuple[int, int]] = []
        entries = self._entries
        length = len(data)

        def note(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            if not entries[number].closed or end >= length or data[end] not in _WORD:
                seen.append((end, number))

        self._database.scan(data, match_event_handler=note, scratch=self._scratch)
        if not seen:
            return {}
        seen.sort()
        positions = None if text.isascii() else _code_points(data, seen)
        woken: dict[str, list[Waking]] = {}
        last = (-1, -1)
        for place, (end, number) in enumerate(seen):
            if (end, number) == last:
                continue
            last = (end, number)
            entry = entries[number]
            at = end if positions is None else positions[place]
            # Without repetition no expression matches more characters than it has itself.
            verify = _backwards(entry.opened) if entry.opened else None
            if verify is None or verify.search(text, max(0, at - len(entry.opened)), at):
                woken.setdefault(self._detectors[entry.detector], []).append(Waking(entry.index, at))
        return woken


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


def _without_boundaries(expression: str) -> tuple[str, bool, bool]:
    """The expression without `\\b` at either end, and which ends may be checked for it afterwards.

    An expression with alternatives at top level is only widened: its ends belong to different alternatives. One with
    repetition keeps its boundaries: a run of digits would end a match without them at every place.
    """
    if _ENDLESS.search(expression):
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


def _compile(expressions: Sequence[bytes], places: Sequence[str]) -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        _build(database, expressions)
    except hyperscan.error as error:
        raise _first_bad(expressions, places) from error
    return database


def _build(database: hyperscan.Database, expressions: Sequence[bytes]) -> None:
    flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_UTF8
    database.compile(
        expressions=list(expressions),
        ids=list(range(len(expressions))),
        elements=len(expressions),
        flags=[flags] * len(expressions),
    )


def _first_bad(expressions: Sequence[bytes], places: Sequence[str]) -> ConfigError:
    """This binding does not say which expression was refused: ask for each alone, once, on the way down."""
    for expression, place in zip(expressions, places, strict=True):
        try:
            _build(hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK), [expression])
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
