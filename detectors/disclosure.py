"""A child's own words that point at harm: to themselves, at home, or by somebody who seeks contact.

What the user sees: that a pupil may have disclosed something, never the words. It accuses nobody; it takes the mail to the
person who must look. Stories, lessons and the large words of everyday ("I am dying of boredom") lower it.
Kinds of harm after Keeping Children Safe in Education, part one. Words: `rules/lists/disclosure.yml`.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from detectors.wording import LISTS, SignsDetector, WordList, read_list

LABELS = ("disclosure",)


class Disclosure(SignsDetector):
    """A disclosure, from a telling phrase or three signs near each other."""

    labels: ClassVar[tuple[str, ...]] = LABELS
    files: ClassVar[tuple[Path, ...]] = (LISTS / "disclosure.yml",)
    near: ClassVar[int] = 400
    _words = WordList(read_list("disclosure", LABELS, ("strong", "sign", "against")))
    wake: ClassVar[tuple[str, ...]] = _words.wake

    def sure(self, strong: int, signs: int) -> float | None:
        if strong:
            return 0.9 if strong > 1 else 0.85 if signs else 0.78
        return 0.6 if signs > 2 else None
