"""What the core asks of the outside: detectors, sources, senders, work. Implementations know this file, not each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, Protocol

from scanner.directory import Directory
from scanner.model import Cursor, Direction, Envelope, Hit, Part, People, Problem, Share, Table


@dataclass(frozen=True, slots=True)
class Message:
    """What a message detector sees: the envelope, the parts as read, the content hits in them, and who is who."""

    envelope: Envelope
    direction: Direction
    parts: tuple[Part, ...]
    hits: tuple[Hit, ...]
    directory: Directory

    def own_words(self) -> str:
        """The sender's own words in subject and body: no quotation, forwarded text, signature or disclaimer."""
        words = []
        for part in self.parts:
            if part.kind in ("subject", "body"):
                cut = 0
                for segment in part.segments:
                    words.append(part.text[cut : segment.start])
                    if segment.owner == "sender":
                        words.append(part.text[segment.start : segment.end])
                    cut = segment.end
                words.append(part.text[cut:])
        return "\n".join(words)


@dataclass(slots=True)
class NameBudget:
    """How many characters the name recogniser may still read in this message, and what it did so far (D6).

    `texts_cut`: texts of which a word list or pattern read only a part, because they are made of what it looks for.
    """

    characters_left: int
    characters_read: int = 0
    windows: int = 0
    windows_dropped: int = 0
    texts_cut: int = 0


# Where a sentence ends, for rules that ask how many ends stand between two hits: a full stop that belongs to no title or
# initial, an empty line, the beginning of a list item.
SENTENCE_END = re.compile(
    r"(?<!\bMr)(?<!\bDr)(?<!\bMs)(?<!\bMrs)(?<!\bSt)(?<!\b[A-Z])[.!?]{1,5}[\"'”’)\]]{0,2}(?=\s)|\n[ \t]*\r?\n|\n[ \t]*(?=[-*•#|])"
)


@dataclass(frozen=True, slots=True)
class NamesNear:
    """A person's name matters within so many characters and ends of sentences (None: any number) of hits of these labels,
    from this confidence on, where a text has so many of them.
    """

    labels: frozenset[str]
    confidence: float
    count: int = 1
    within: int = 300
    sentences: int | None = None


@dataclass(frozen=True, slots=True)
class OwnPattern:
    """What an admin taught the scanner to see (`rules/patterns/`): expressions and words that give a label of their own.

    `expressions` are in Hyperscan's syntax, `words` are matched whole and without regard to case, `known` are values that
    are nobody's secret. A match is as sure as `confidence`, or as `near_confidence` where one of the phrases `near` stands
    within 60 characters.
    """

    label: str
    place: str
    says: str
    confidence: float
    near_confidence: float
    expressions: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


class Detectors(Protocol):
    """All detectors of a process behind one door; built once by `detectors.load()`."""

    @property
    def version(self) -> str:
        """Changes with code, lists or model: a verdict says which detectors made it."""

    @property
    def labels(self) -> frozenset[str]:
        """Every label that any detector can give."""

    @property
    def on_demand(self) -> frozenset[str]:
        """Labels that cost so much that they are looked for only where a rule could use them."""

    @property
    def made(self) -> tuple[str, bytes] | None:
        """What had to be compiled and can be kept for the next start: its name and its bytes."""

    def content(
        self,
        text: str,
        tables: tuple[Table, ...] = (),
        *,
        people: People | None = None,
        names_near: tuple[NamesNear, ...] | None = None,
        budget: NameBudget | None = None,
        others: tuple[tuple[int, int], ...] = (),
        wanted: frozenset[str] | None = None,
    ) -> list[Hit]:
        """Hits in one normalised text, `part` left empty, ordered by start. `others`: spans that the sender neither wrote nor
        forwards (quoted mail, signatures, disclaimers, banners), in which no whole sentence is judged.

        `names_near`: around which hits a person's name matters; None runs names everywhere. `wanted`: of the labels
        `on_demand` those that matter, None is all; a hit of another one may still be given, and may be missing.
        """

    def message(self, message: Message) -> list[Hit]:
        """Hits that only the whole message shows: who is behind an address, signs of a chain, a wrong salutation."""


# --- sources --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Folder:
    """One place with a cursor of its own. `kind` is inbox, sentitems, … or `folder` for any other; `name` is what users see."""

    mailbox: str
    id: str
    kind: str = "folder"
    name: str = ""


@dataclass(frozen=True, slots=True)
class ItemRef:
    """A message that a source says has come or changed. `gone` means it left the folder.

    `has_attachments`: there is more to fetch than the listing held; `has_files`: files are attached to it.
    """

    mailbox: str
    folder: str
    id: str
    internet_id: str = ""
    has_attachments: bool = False
    gone: bool = False
    envelope: Envelope | None = None
    has_files: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One page of changes. Commit its items and `token` together; `last` says that the round is over."""

    items: tuple[ItemRef, ...]
    token: str
    last: bool


@dataclass(frozen=True, slots=True)
class Sharing:
    """Whose a document is, where it lies and who can open it, as the source says."""

    source: str
    owner: str
    item: str
    audience: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class RawItem:
    """Bytes for the worker to open, as they came: a MIME message (`message/rfc822`) or a file of unknown type.

    `problems`: what the source knows to be missing in it. `sharing`: a document of a drive and who can open it.
    """

    data: bytes = field(repr=False)
    claimed_type: str
    name: str = ""
    problems: tuple[Problem, ...] = ()
    sharing: Sharing | None = None


@dataclass(frozen=True, slots=True)
class SpooledItem:
    """A `RawItem` too big for memory, in a temporary file that has no name; `item.data` are the bytes before the file's.

    The bytes go from the file into the worker's pipe piece by piece. Close it when it was judged.
    """

    item: RawItem
    file: BinaryIO
    size: int

    def close(self) -> None:
        self.file.close()


class Source(Protocol):
    """Three verbs (principle 25). Errors are `ConnectorError` with the one bit that decides a retry."""

    name: str

    def check(self) -> list[str]:
        """Sentences about what does not work; an empty list means that all does."""

    def folders(self, mailbox: str) -> Iterable[Folder]: ...

    def changes(self, folder: Folder, cursor: Cursor | None) -> Iterator[Page]:
        """Pages since the cursor; all pages from the beginning where there is none or it has expired."""

    def fetch(self, ref: ItemRef) -> Envelope | RawItem | SpooledItem:
        """The message itself: an envelope when the listing held all of it, else bytes for the worker."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A neutral notice: it says that there is a case and where, never what was found."""

    to: str
    subject: str
    text: str


class Sender(Protocol):
    def send(self, notice: Notice) -> Literal["sent", "unsure"]:
        """Raises ConnectorError when it certainly was not sent; `unsure` is never repeated without a look."""
