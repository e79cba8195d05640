"""Private affairs on the organisation's mail: betting, online auctions, an own trade, adverts and campaigns, trivia for all.

What the user sees: the kind of affair. Whether it matters depends on who it goes to and how many, which is the rule's
question. School events, lessons and the school's own dealings use the same words and lower it.
Words: `rules/lists/own_affairs.yml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from detectors.wording import LISTS, SignsDetector, WordList, read_list

LABELS = (
    "gambling",
    "betting_account",
    "auction",
    "auction_account",
    "private_business",
    "advert",
    "trivia",
    "charity_event",
)
_WEIGHTS = ("strong", "sign", "part", "against")


class OwnAffairs(SignsDetector):
    """Private affairs, from a telling phrase, two signs of the same kind, or the parts that such an affair consists of."""

    labels: ClassVar[tuple[str, ...]] = LABELS
    files: ClassVar[tuple[Path, ...]] = (LISTS / "own_affairs.yml",)
    # The affair of a mail is told within a few lines; signs of a long document further apart than this are separate matters.
    near: ClassVar[int] = 600
    recipes: ClassVar[Mapping[str, tuple[frozenset[str], ...]]] = {
        "gambling": (
            frozenset({"wager", "stake"}),
            frozenset({"wager", "returns"}),
            frozenset({"stake", "returns", "event"}),
        ),
        "auction": (
            frozenset({"bidding", "lot"}),
            frozenset({"bidding", "clock", "limit"}),
            frozenset({"lot", "clock", "limit"}),
            frozenset({"offers", "sale"}),
            frozenset({"site", "dealing"}),
        ),
        "private_business": (
            frozenset({"offer", "price", "own"}),
            frozenset({"offer", "price", "aside"}),
            frozenset({"own", "price", "aside"}),
            frozenset({"trade", "price", "own"}),
            frozenset({"trade", "price", "aside"}),
            frozenset({"trade", "money", "own"}),
            frozenset({"trade", "money", "aside"}),
            frozenset({"offer", "trade", "aside"}),
            frozenset({"offer", "trade", "own"}),
            frozenset({"trade", "own", "aside"}),
        ),
    }
    _words = WordList(read_list("own_affairs", LABELS, _WEIGHTS))
    wake: ClassVar[tuple[str, ...]] = _words.wake

    def sure(self, strong: int, signs: int) -> float | None:
        if strong:
            return 0.9 if strong > 1 else 0.82 if signs > 1 else 0.76
        return None if signs < 2 else 0.55 if signs == 2 else 0.65
