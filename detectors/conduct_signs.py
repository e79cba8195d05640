"""Signs of the smaller breaches, from word lists: lures for log-ins, commitments by mail, demands for an answer at night, private
errands, gossip, links to AI services and to private clouds.

What the user sees: the kind of sign. What it means depends on whose words they are, when they were sent and on the policy.
Words: `rules/lists/conduct_signs.yml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from detectors.base import Context, TextDetector, Waking
from detectors.wording import LISTS, Match, WordList, read_list
from scanner.model import Hit

LABELS = (
    "phishing_lure",
    "commitment",
    "reply_demand",
    "private_errand",
    "gossip",
    "ai_link",
    "cloud_link",
    "school_records",
)
_WEIGHTS = ("strong", "sign", "against")
_NEAR = 800


class ConductSigns(TextDetector):
    """Signs of smaller breaches, from a telling phrase or several signs of one kind."""

    labels: ClassVar[tuple[str, ...]] = LABELS
    files: ClassVar[tuple[Path, ...]] = (LISTS / "conduct_signs.yml",)
    _words = WordList(read_list("conduct_signs", LABELS, _WEIGHTS))
    wake: ClassVar[tuple[str, ...]] = _words.wake

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterator[Hit]:
        matches = self._words.matches(text, wakings)
        for label in LABELS:
            group: list[Match] = []
            for match in matches:
                if match.entry.label != label:
                    continue
                if group and match.start - group[-1].end > _NEAR:
                    yield from _judged(text, label, group)
                    group = []
                group.append(match)
            yield from _judged(text, label, group)


def _judged(text: str, label: str, group: list[Match]) -> Iterator[Hit]:
    strong = {match.entry.pattern for match in group if match.entry.weight == "strong"}
    signs = {text[match.start : match.end].lower() for match in group if match.entry.weight == "sign"}
    against = next((match.entry.means for match in group if match.entry.weight == "against"), None)
    if strong:
        confidence = 0.9 if len(strong) > 1 else 0.85 if signs else 0.78
    elif len(signs) > 2:
        confidence = 0.6
    else:
        return
    counted = f"{len(strong)} telling phrases, {len(signs)} signs"
    if against:
        confidence *= 0.55
    last = -1
    for match in group:
        if match.entry.weight == "against" or match.start < last or (strong and match.entry.weight == "sign"):
            continue
        last = match.end
        reasons = (match.entry.means, counted) + ((against,) if against else ())
        yield Hit(label, match.start, match.end, text[match.start : match.end], round(confidence, 3), reasons)
