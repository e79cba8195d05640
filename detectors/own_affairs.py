"""Private affairs on the organisation's mail: betting, online auctions, an own trade, adverts and campaigns, trivia for all.

What the user sees: the kind of affair. Whether it matters depends on who it goes to and how many, which is the rule's
question. School events, lessons and the school's own dealings use the same words and lower it.
Words: `rules/lists/own_affairs.yml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from detectors.base import Context, TextDetector, Waking
from detectors.wording import LISTS, Match, WordList, read_list
from scanner.model import Hit

LABELS = ("gambling", "auction", "private_business", "advert", "trivia")
_WEIGHTS = ("strong", "sign", "against")
# The affair of a mail is told within a few lines; signs of a long document further apart than this are separate matters.
_NEAR = 600


class OwnAffairs(TextDetector):
    """Private affairs, from a telling phrase or two signs of the same kind."""

    labels: ClassVar[tuple[str, ...]] = LABELS
    files: ClassVar[tuple[Path, ...]] = (LISTS / "own_affairs.yml",)
    _words = WordList(read_list("own_affairs", LABELS, _WEIGHTS))
    wake: ClassVar[tuple[str, ...]] = _words.wake

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterator[Hit]:
        matches = self._words.matches(text, wakings, context.budget)
        for label in LABELS:
            of_label = [match for match in matches if match.entry.label == label]
            group: list[Match] = []
            for match in of_label:
                if group and match.start - group[-1].end > _NEAR:
                    yield from _judged(text, label, group)
                    group = []
                group.append(match)
            yield from _judged(text, label, group)


def _judged(text: str, label: str, group: list[Match]) -> Iterator[Hit]:
    strong = {match.entry.pattern for match in group if match.entry.weight == "strong"}
    signs = {text[match.start : match.end].lower() for match in group if match.entry.weight == "sign"}
    against = next((match.entry.means for match in group if match.entry.weight == "against"), None)
    if len(strong) > 1:
        confidence = 0.9
    elif strong:
        confidence = 0.82 if len(signs) > 1 else 0.76
    elif len(signs) > 1:
        confidence = 0.55 if len(signs) == 2 else 0.65
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
