"""The three rungs of a detector. Take the lowest one that works.

`PatternDetector`: patterns, a check and context words; runs as a presidio recogniser.
`TextDetector`: one method on one text, for what a pattern cannot say.
`MessageDetector`: the whole message: sender, recipients, subject, parts and the content hits in them.

A detector is one file in this folder and is found by walking; its cases lie in `tests/cases/` under the same stem.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

from scanner.model import Hit, People, Table
from scanner.ports import Message, NameBudget


@dataclass(frozen=True, slots=True)
class Waking:
    """The gate saw expression number `index` of this detector end at code point `end` of the text."""

    index: int
    end: int


@dataclass(frozen=True, slots=True)
class Context:
    """What surrounds a text: the tables in it, who is known, and the hits of the detectors that ran before.

    `names` are the spans that the name recogniser took for persons, raw, in the windows it was allowed to read.
    """

    tables: tuple[Table, ...] = ()
    people: People | None = None
    hits: tuple[Hit, ...] = ()
    names: tuple[tuple[int, int], ...] = ()
    # Where others wrote: quoted mail, signatures, disclaimers. Filled where the text is a part of a message.
    others: tuple[tuple[int, int], ...] = ()
    # Where a detector says that it did not read all of the text.
    budget: NameBudget | None = None
    # The labels that a rule could use, for those detectors that cost much; None is all.
    wanted: frozenset[str] | None = None


class Phrase(str):
    """A wake expression that is plain words, as `as_words` writes them; a blank at either end is the border of a word.

    It is looked for in the words of the text instead of the text itself, where it needs no expression at all: thousands of
    them compile in the time of a hundred expressions, and several words together fire far less often than one.
    """

    __slots__ = ()


_AS_WORD = (
    bytes(
        ord("0")
        if character in "0123456789"
        else ord(character)
        if character.isalnum() or character == "_"
        else ord(" ")
        for character in map(str.lower, map(chr, range(128)))
    )
    + b" " * 128
)
# Letters that Python takes for `i`, `s` and `k` where case does not count.
_CASE_ALIKE = (("\u0130", "i"), ("\u0131", "i"), ("\u017f", "s"), ("\u212a", "k"))


def as_words(text: str) -> bytes:
    """ASCII letters in lower case, every digit as 0, all else a blank: exactly one byte for each code point of `text`.

    What is a letter elsewhere is a blank here too, so that a word border in the text is one here as well, though not always
    the other way round.
    """
    if not text.isascii():
        for letter, plain in _CASE_ALIKE:
            text = text.replace(letter, plain)
    return text.encode("ascii", "replace").translate(_AS_WORD)


class TextDetector(ABC):
    """Sees one text. `wake` holds Hyperscan expressions and phrases; where none fires the detector is not called at all."""

    labels: ClassVar[tuple[str, ...]]
    # Case-insensitive, matched on UTF-8 (a `Phrase`: on the words); an empty tuple means: call me for every text (must then be
    # very cheap).
    wake: ClassVar[tuple[str, ...]]
    # Detectors of a later stage see the hits of the earlier ones in `Context.hits`: 1 patterns and words, 2 whole
    # sentences, 3 names, 4 shapes.
    stage: ClassVar[int] = 1
    # Data files that the detector reads: their bytes are part of the detectors' version.
    files: ClassVar[tuple[Path, ...]] = ()
    # So dear that it looks for what `Context.wanted` says alone.
    on_demand: ClassVar[bool] = False

    @abstractmethod
    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterable[Hit]:
        """Hits with `part` left empty, offsets in code points of `text`. Cost must be linear in the text."""


class MessageDetector(ABC):
    """Sees a whole message. A hit about the envelope has part `headers` (a recipient, the sender) or `subject`."""

    labels: ClassVar[tuple[str, ...]]

    @abstractmethod
    def detect(self, message: Message) -> Iterable[Hit]: ...


class Ladder(NamedTuple):
    """How sure a match is: with nothing around it, with a phrase within 300 characters, with one within 40 or a heading.

    Bands (contract section 3): below 0.5 a note, below 0.75 medium, from there reportable. A rung of 0.2 or less gives
    no hit at all. The order of the rungs follows Purview: check alone is middling, check and context are high.
    """

    alone: float
    far: float
    near: float


# A check letter, mod 97 or strict prefix rules: rare by chance.
STRONG = Ladder(0.7, 0.85, 0.95)
# A check digit: one random number in ten or eleven passes.
CHECKED = Ladder(0.5, 0.85, 0.95)
# No check exists: only the words around it tell what it is.
SHAPE = Ladder(0.0, 0.55, 0.85)
# The words say what it should be, the check says that it is not: a typing error, a note for the reader.
WRONG = Ladder(0.0, 0.3, 0.4)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a pattern detector makes of one match before anybody looked around it."""

    value: str = field(repr=False)
    ladder: Ladder
    reasons: tuple[str, ...] = ()
    # The detector's first label where it is left empty.
    label: str = ""


class PatternDetector(ABC):
    """Patterns, a check and context words; runs as a presidio recogniser on windows of at most 2 kB around its wakings.

    `patterns` are Python regular expressions (case-sensitive unless they say `(?i:…)`), of linear time and at most 64
    characters of match. `context` holds phrases in lower case, matched as whole words with any white space between, on
    both sides of the match. `headings` are column headings in lower case without spaces and punctuation. `against` are
    phrases that, standing just before the value and nearer than any phrase of `context`, say that it is something else.
    """

    labels: ClassVar[tuple[str, ...]]
    wake: ClassVar[tuple[str, ...]]
    stage: ClassVar[int] = 1
    files: ClassVar[tuple[Path, ...]] = ()
    patterns: ClassVar[tuple[str, ...]]
    context: ClassVar[tuple[str, ...]] = ()
    headings: ClassVar[tuple[str, ...]] = ()
    against: ClassVar[tuple[str, ...]] = ()
    # How far from the end of a waking a match may lie: its own length where the value wakes, more where a phrase does.
    reach: ClassVar[int] = 64

    @abstractmethod
    def read(self, match: re.Match[str]) -> Reading | None:
        """The match in canonical form with its ladder, or None where it cannot be such a value at all."""


def digits_of(text: str) -> str:
    """The ASCII digits of `text`, everything else left out."""
    return "".join(character for character in text if "0" <= character <= "9")


def all_equal(digits: str) -> bool:
    """0000000000 and its like pass most checks and are never issued (reference uk-personal-data, rule 5)."""
    return len(set(digits)) == 1


def heading_key(text: str) -> str:
    """A column heading as it is compared: lower case, letters and digits only."""
    return "".join(character for character in text.lower() if character.isalnum())
