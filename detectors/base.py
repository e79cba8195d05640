"""The three rungs of a detector. Take the lowest one that works.

`PatternDetector`: patterns, a check and context words; runs as a presidio recogniser.
`TextDetector`: one method on one text, for what a pattern cannot say.
`MessageDetector`: the whole message: sender, recipients, subject, parts and the content hits in them.

A detector is one file in this folder and is found by walking; its cases lie in `tests/cases/` under the same stem.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from scanner.model import Hit, People, Table
from scanner.ports import Message


@dataclass(frozen=True, slots=True)
class Waking:
    """The gate saw expression number `index` of this detector end at code point `end` of the text."""

    index: int
    end: int


@dataclass(frozen=True, slots=True)
class Context:
    """What surrounds a text: the tables in it, who is known, and the hits of the detectors that ran before."""

    tables: tuple[Table, ...] = ()
    people: People | None = None
    hits: tuple[Hit, ...] = ()


class TextDetector(ABC):
    """Sees one text. `wake` holds Hyperscan expressions; where none fires the detector is not called at all."""

    labels: ClassVar[tuple[str, ...]]
    # Case-insensitive, matched on UTF-8; an empty tuple means: call me for every text (must then be very cheap).
    wake: ClassVar[tuple[str, ...]]
    # Detectors of a later stage see the hits of the earlier ones in `Context.hits`: 1 patterns and words, 2 names, 3 shapes.
    stage: ClassVar[int] = 1

    @abstractmethod
    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterable[Hit]:
        """Hits with `part` left empty, offsets in code points of `text`. Cost must be linear in the text."""


class MessageDetector(ABC):
    """Sees a whole message. A hit about the envelope has part `headers` (a recipient, the sender) or `subject`."""

    labels: ClassVar[tuple[str, ...]]

    @abstractmethod
    def detect(self, message: Message) -> Iterable[Hit]: ...
