"""Signs of the smaller breaches, from word lists: lures for log-ins, commitments by mail, demands for an answer at night, private
errands, gossip, links to AI services and to private clouds.

What the user sees: the kind of sign. What it means depends on whose words they are, when they were sent and on the policy.
Words: `rules/lists/conduct_signs.yml`.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from detectors.wording import LISTS, SignsDetector, WordList, read_list

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


class ConductSigns(SignsDetector):
    """Signs of smaller breaches, from a telling phrase or several signs of one kind."""

    labels: ClassVar[tuple[str, ...]] = LABELS
    files: ClassVar[tuple[Path, ...]] = (LISTS / "conduct_signs.yml",)
    near: ClassVar[int] = 800
    _words = WordList(read_list("conduct_signs", LABELS, _WEIGHTS))
    wake: ClassVar[tuple[str, ...]] = _words.wake

    def sure(self, strong: int, signs: int) -> float | None:
        if strong:
            return 0.9 if strong > 1 else 0.85 if signs else 0.78
        return 0.6 if signs > 2 else None
