"""What admins taught the scanner to see: their own numbers, names and words, from `rules/patterns/` (see its README).

All expressions and words of all patterns are one Hyperscan database of their own, so that a hundred more of them cost one
pass over the text and no more.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from detectors.base import Context, TextDetector, Waking
from detectors.gate import Finder
from scanner.errors import ConfigError
from scanner.model import Hit
from scanner.ports import OwnPattern

MOST_PER_LABEL = 300
LONGEST = 200
_NEAR = 60
# Hyperscan has no other escapes for these; letters, digits and what is left need none.
_SPECIAL = re.compile(r"([^\w\s])", re.ASCII)


def own_patterns(patterns: Sequence[OwnPattern], taken: frozenset[str]) -> TextDetector:
    """One detector for all of them. Raises ConfigError for a label that is taken, and for what cannot run linearly."""
    for pattern in patterns:
        if pattern.label in taken:
            raise ConfigError(pattern.place, f"the label {pattern.label!r} is already given by a detector")
    expressions: list[str] = []
    owners: list[tuple[OwnPattern, bool, bool]] = []
    for pattern in patterns:
        for expression in pattern.expressions:
            expressions.append(expression)
            owners.append((pattern, False, False))
        for word in pattern.words:
            expressions.append(_literal(word))
            owners.append((pattern, word[:1].isalnum(), word[-1:].isalnum()))
    finder = Finder(expressions, [owner.place for owner, _, _ in owners])
    phrases = [(pattern, phrase) for pattern in patterns for phrase in pattern.near]
    around = (
        Finder([_literal(phrase) for _, phrase in phrases], [each.place for each, _ in phrases]) if phrases else None
    )
    known = {pattern.label: frozenset(map(_plain, pattern.known)) for pattern in patterns}

    class OwnPatterns(TextDetector):
        """A pattern or word that the organisation's own admin described."""

        labels = tuple(pattern.label for pattern in patterns)
        wake = ()

        def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterator[Hit]:
            found = finder.find(text)
            if not found:
                return
            ends: dict[str, list[int]] = {}
            for number, _, end in around.find(text) if around is not None else ():
                ends.setdefault(phrases[number][0].label, []).append(end)
            for places in ends.values():
                places.sort()
            given: dict[str, int] = {}
            for number, start, end in found:
                pattern, opened, closed = owners[number]
                if end - start > LONGEST or given.get(pattern.label, 0) >= MOST_PER_LABEL:
                    continue
                if (opened and text[start - 1 : start].isalnum()) or (closed and text[end : end + 1].isalnum()):
                    continue
                value = text[start:end]
                if _plain(value) in known[pattern.label]:
                    continue
                places = ends.get(pattern.label, [])
                first = bisect_left(places, start - _NEAR)
                near = first < len(places) and places[first] <= end + _NEAR
                given[pattern.label] = given.get(pattern.label, 0) + 1
                reasons = (pattern.says, *(("one of its phrases nearby",) if near else ()))
                yield Hit(
                    pattern.label, start, end, value, pattern.near_confidence if near else pattern.confidence, reasons
                )

    return OwnPatterns()


def _literal(words: str) -> str:
    """Plain words as an expression; blanks stand for any white space or hyphens between them."""
    return r"[\s\-]{1,3}".join(_SPECIAL.sub(r"\\\1", word) for word in words.split())


def _plain(value: str) -> str:
    return "".join(character for character in value.casefold() if character.isalnum())
