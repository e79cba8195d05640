"""What a format reader hands back: text, tables, the lock, what lies inside, and what was not read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from scanner.errors import UnreadablePart
from scanner.model import UNPROTECTED, ProblemKind, Protection, ReadState, Table


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem before the reader of the message has given it a part; `detail` holds no content."""

    kind: ProblemKind
    detail: str
    read: ReadState = "none"


@dataclass(frozen=True, slots=True)
class Child:
    """Something inside a file: a member of an archive, an embedded object, the content of a signed mail.

    `unpack` gives the bytes and may raise UnreadablePart; None means that they cannot be had, and `trouble` says why.
    `own_words` is True where the sender wrote it in this very message: the content of an opaque signature.
    """

    name: str
    unpack: Callable[[], bytes] | None
    size: int = 0
    claimed_type: str = ""
    protection: Protection = UNPROTECTED
    trouble: Trouble | None = None
    own_words: bool = False


@dataclass(slots=True)
class Content:
    """One file as read. `text` is not yet normalised unless `tables` point into it."""

    text: str = ""
    tables: tuple[Table, ...] = ()
    protection: Protection = UNPROTECTED
    children: Iterable[Child] = ()
    troubles: list[Trouble] = field(default_factory=list)
    read: ReadState = "all"
    by_ocr: bool = False

    def missed(self, trouble: Trouble) -> None:
        """Record that something was left out, and that the part is therefore not wholly read."""
        self.troubles.append(trouble)
        if self.read == "all" and trouble.kind != "skipped":
            self.read = trouble.read


def in_turn(*sources: tuple[str, Iterable[Child]]) -> Iterator[Child]:
    """The children of several named sources. One that breaks off is a problem under its name, and keeps no other from being read."""
    for name, source in sources:
        try:
            yield from source
        except UnreadablePart as error:
            yield Child(name, None, trouble=Trouble(error.kind, error.detail))  # type: ignore[arg-type]


class Sheets:
    """Builds one text with cell spans from rows of cells: cells parted by a tab, rows by a line break.

    Cells must be normalised already, or the spans would not fit the text; `add` takes care of the two separators.
    """

    def __init__(self, max_cells: int, max_chars: int) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._cells_left = max_cells
        self._chars = max_chars
        self._tables: list[Table] = []
        self.full = False

    def heading(self, text: str) -> None:
        """A line of its own: a sheet's name, a comment."""
        self._append(text + "\n")

    def add(self, rows: Iterable[Iterable[str]], name: str = "", hidden: bool = False) -> None:
        """Add a table. Stops, and sets `full`, when the allowed cells or characters are used up."""
        spans: list[tuple[tuple[int, int], ...]] = []
        for row in rows:
            if self._cells_left <= 0 or self._length >= self._chars:
                self.full = True
                break
            cells: list[tuple[int, int]] = []
            for number, cell in enumerate(row):
                if number:
                    self._append("\t")
                start = self._length
                self._append(cell.replace("\t", " ").replace("\n", " "))
                cells.append((start, self._length))
            self._append("\n")
            self._cells_left -= max(1, len(cells))
            spans.append(tuple(cells))
        if spans:
            self._tables.append(Table(tuple(spans), name, hidden))

    def _append(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)

    def finish(self) -> tuple[str, tuple[Table, ...]]:
        return "".join(self._pieces), tuple(self._tables)


def tables_in(text: str) -> tuple[Table, ...]:
    """Tables in a text whose cells are parted by tabs: two or more lines in a row with the same number of cells."""
    if "\t" not in text:
        return ()
    return tuple(_tab_tables(text))


def _tab_tables(text: str) -> Iterator[Table]:
    rows: list[tuple[tuple[int, int], ...]] = []
    position = 0
    for line in text.split("\n"):
        cells = _cell_spans(line, position) if "\t" in line.strip() else ()
        if rows and len(cells) != len(rows[0]):
            if len(rows) > 1:
                yield Table(tuple(rows))
            rows = []
        if cells:
            rows.append(cells)
        position += len(line) + 1
    if len(rows) > 1:
        yield Table(tuple(rows))


def _cell_spans(line: str, position: int) -> tuple[tuple[int, int], ...]:
    spans = []
    for cell in line.split("\t"):
        lead = len(cell) - len(cell.lstrip())
        kept = cell.strip()
        spans.append((position + lead, position + lead + len(kept)) if kept else (position, position))
        position += len(cell) + 1
    return tuple(spans)
