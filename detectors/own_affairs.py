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
from detectors.wording import LISTS, WordList, read_list, weigh_signs
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
        yield from weigh_signs(text, matches, _NEAR, _sure)


def _sure(strong: int, signs: int) -> float | None:
    if strong:
        return 0.9 if strong > 1 else 0.82 if signs > 1 else 0.76
    return None if signs < 2 else 0.55 if signs == 2 else 0.65
