"""Words that are too near between a member of staff and a pupil: affection, looks, meetings alone, presents, secrets.

What the user sees: that a message to a pupil reads as personal, and of which kinds its signs are, never the words. Each kind alone is
what a kind teacher may write; two of them in one message are for the person who must look (Keeping Children Safe in Education,
part four; Guidance for safer working practice, on communication with children). It accuses nobody. The rule, not this file,
asks that staff write to a pupil and nobody else reads it. Words: `rules/lists/closeness.yml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import ClassVar

from detectors.wording import LISTS, SignsDetector, WordList, read_list

LABELS = ("closeness",)
_KINDS = ("affection", "looks", "alone", "present", "secret", "troubles", "apart")


class Closeness(SignsDetector):
    """A message that is too personal, from one telling phrase or from two kinds of signs."""

    labels: ClassVar[tuple[str, ...]] = LABELS
    files: ClassVar[tuple[Path, ...]] = (LISTS / "closeness.yml",)
    near: ClassVar[int] = 1_500
    recipes: ClassVar[Mapping[str, tuple[frozenset[str], ...]]] = {
        "closeness": tuple(frozenset(pair) for pair in combinations(_KINDS, 2))
    }
    _words = WordList(read_list("closeness", LABELS, ("strong", "part", "against")))
    wake: ClassVar[tuple[str, ...]] = _words.wake

    def sure(self, strong: int, signs: int) -> float | None:
        return (0.9 if strong > 1 else 0.8) if strong else None
