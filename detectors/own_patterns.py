"""What admins taught the scanner to see: their own numbers, names and words, from `rules/patterns/` (see its README).

All expressions and words of all patterns are among the gate's: five hundred more of them cost the pass that every text gets
anyway, and a text in which none ends never comes here. Where something ended, only that is looked at again.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from detectors.base import Context, TextDetector, Waking
from detectors.gate import Finder
from detectors.wording import MORE_BLANKS
from scanner.errors import ConfigError
from scanner.model import Hit
from scanner.ports import OwnPattern

MOST_PER_LABEL = 300
MOST_LOOKED_AT = 10_000  # ends of a list's words in one text, most of them pieces of longer words
LONGEST = 200
_NEAR = 60
# Hyperscan has no other escapes for these; letters, digits and what is left need none.
_SPECIAL = re.compile(r"([^\w\s])", re.ASCII)


def own_patterns(patterns: Sequence[OwnPattern], taken: frozenset[str]) -> TextDetector:
    """One detector for all of them. Raises ConfigError for a label that is taken, and for what cannot run linearly."""
    for pattern in patterns:
        if pattern.label in taken:
            raise ConfigError(pattern.place, f"the label {pattern.label!r} is already given by a detector")
    expressions = [(pattern, expression) for pattern in patterns for expression in pattern.expressions]
    words = [(pattern, word) for pattern in patterns for word in pattern.words]
    finder = Finder([one for _, one in expressions], [each.place for each, _ in expressions]) if expressions else None
    phrases = [(pattern, phrase) for pattern in patterns for phrase in pattern.near]
    around = (
        Finder([_literal(phrase) for _, phrase in phrases], [each.place for each, _ in phrases]) if phrases else None
    )
    known = {pattern.label: frozenset(map(_plain, pattern.known)) for pattern in patterns}

    class OwnPatterns(TextDetector):
        """A pattern or word that the organisation's own admin described."""

        labels = tuple(pattern.label for pattern in patterns)
        # In brackets an expression keeps its word boundaries in the gate. Words first: their number is their index.
        wake = (*(_literal(word) for _, word in words), *(f"(?:{one})" for _, one in expressions))

        def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterator[Hit]:
            found: list[tuple[OwnPattern, int, int]] = []
            looked_at: Counter[str] = Counter()
            cut_short = False
            for waking in wakings:
                pattern, word = words[waking.index] if waking.index < len(words) else (None, "")
                if pattern is None:
                    continue
                if looked_at[pattern.label] >= MOST_LOOKED_AT:
                    cut_short = True
                    continue
                looked_at[pattern.label] += 1
                start = _begin(word, text, waking.end)
                if start is not None:
                    found.append((pattern, start, waking.end))
            if finder is not None and any(waking.index >= len(words) for waking in wakings):
                found += [(expressions[number][0], start, end) for number, start, end in finder.find(text)]
            cut_short = cut_short or any(end - start > LONGEST for _, start, end in found)
            if cut_short and context.budget is not None:
                context.budget.texts_cut += 1
            if not found:
                return
            ends: dict[str, list[int]] = {}
            for number, _, end in around.find(text) if around is not None else ():
                ends.setdefault(phrases[number][0].label, []).append(end)
            for places in ends.values():
                places.sort()
            given: dict[str, int] = {}
            for pattern, start, end in found:
                if end - start > LONGEST or given.get(pattern.label, 0) >= MOST_PER_LABEL:
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
    return rf"[\s\-{MORE_BLANKS}]{{1,3}}".join("".join(map(_letter, word)) for word in words.split())


def _letter(one: str) -> str:
    """Hyperscan knows the two cases of ASCII letters alone."""
    other = one.swapcase()
    if one.isascii() or len(other) != 1 or other == one:
        return _SPECIAL.sub(r"\\\1", one)
    return f"(?:{one}|{other})"


def _begin(word: str, text: str, end: int) -> int | None:
    """Where the word that ends at `end` begins; None where it is a piece of a longer one."""
    longest = len(word) + 2 * word.count(" ")
    match = _backwards(word).search(text, max(0, end - longest), end)
    if match is None or (word[-1:].isalnum() and text[end : end + 1].isalnum()):
        return None
    start = match.start()
    return None if word[:1].isalnum() and text[max(0, start - 1) : start].isalnum() else start


@cache
def _backwards(word: str) -> re.Pattern[str]:
    return re.compile(_literal(word) + r"\Z", re.IGNORECASE)


def _plain(value: str) -> str:
    return "".join(character for character in value.casefold() if character.isalnum())
