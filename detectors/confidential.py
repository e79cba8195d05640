"""Markings and plainly confidential business: tender figures, settlements, unannounced plans, privileged advice.

What the user sees: whether a text is marked, or speaks of business an organisation keeps to itself. Every mail ends with a
promise of confidence, so boilerplate, policies and promises lower it. Words: `rules/lists/confidential.yml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from detectors.base import Context, TextDetector, Waking
from detectors.wording import LISTS, Match, WordList, read_list, sentence_around
from scanner.model import Hit

LABELS = ("confidential",)
_WEIGHTS = ("marking", "business", "soft", "against")
_NEAR = 400


class Confidential(TextDetector):
    """A marking, a confidential matter, or both together."""

    labels: ClassVar[tuple[str, ...]] = LABELS
    files: ClassVar[tuple[Path, ...]] = (LISTS / "confidential.yml",)
    _words = WordList(read_list("confidential", LABELS, _WEIGHTS))
    wake: ClassVar[tuple[str, ...]] = _words.wake

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterator[Hit]:
        matches = self._words.matches(text, wakings, context.budget)
        against = [match for match in matches if match.entry.weight == "against"]
        matters = [match for match in matches if match.entry.weight != "against"]
        last = -1
        for position, match in enumerate(matters):
            heads = text[match.start : match.end].lower() == "confidential" and _stands_alone(text, match)
            if match.start < last or (match.entry.weight == "soft" and not heads):
                continue
            last = match.end
            company = {other.entry.weight for other in _around(matters, position)}
            reasons = ["a protective marking" if heads else match.entry.means]
            if match.entry.weight == "marking" or heads:
                alone = _stands_alone(text, match)
                confidence = 0.92 if "business" in company else 0.85 if "soft" in company else 0.78 if alone else 0.6
                if "marking" in company:
                    confidence = max(confidence, 0.8)
                if alone:
                    reasons.append("on a line of its own")
            else:
                confidence = 0.92 if "marking" in company else 0.76 if company else 0.6
            reasons.extend(f"beside {words}" for words in sorted(_says(matters, position)))
            low, high = sentence_around(text, match.start, match.end)
            if any(other.start < high and low < other.end for other in against):
                confidence *= 0.5
                reasons.append("a promise, a policy or boilerplate")
            yield Hit(
                "confidential",
                match.start,
                match.end,
                text[match.start : match.end],
                round(confidence, 3),
                tuple(reasons),
            )


def _around(matches: list[Match], position: int) -> Iterator[Match]:
    """Other entries within 400 characters; at most ten to either side, so that cost stays linear."""
    match = matches[position]
    for other in matches[max(0, position - 10) : position + 11]:
        apart = other.end <= match.start or match.end <= other.start
        if (
            apart
            and other.entry is not match.entry
            and match.start - _NEAR < other.end
            and other.start < match.end + _NEAR
        ):
            yield other


def _says(matches: list[Match], position: int) -> set[str]:
    return {other.entry.means for other in _around(matches, position)}


def _stands_alone(text: str, match: Match) -> bool:
    """A marking heads a paper: it has its line to itself, is in capitals, or opens the text before a colon or dash."""
    line = text[text.rfind("\n", 0, match.start) + 1 : match.start]
    after = text[match.end : match.end + 60].split("\n", 1)[0].strip()
    words = text[match.start : match.end]
    if not line.strip(" \t>*#-[(") and (after.strip(" ])*-–:.") == "" or after[:1] in ":-–—"):
        return True
    return words.isupper() and len(words) > 8
