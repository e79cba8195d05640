"""Bulk: class lists, exports and sheets about many people, recognised by their shape."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from detectors.base import Context, TextDetector, Waking, heading_key
from detectors.names import is_private_provider
from detectors.person import (
    FORM,
    GRADED_LINE,
    LIST_TOKENS,
    has_forename,
    in_order,
    looks_like_name,
    name_columns,
    name_lists,
)
from detectors.tables import Headings, column_reason, group_of, headings_of, turned
from scanner.model import Hit, Table

_LEAST_ROWS = 5
_FEW_ROWS = 2
_FEW_CELLS = 3
_SAMPLED_ROWS, _MOST_COLUMNS = 200, 60
_YEARS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen"
# What the cells of a column are by themselves.
_CELLS = {
    "class": re.compile(rf"(?:{FORM}|[Rr]eception|[Nn]ursery|[Yy](?:ea)?r (?:{_YEARS}))"),
    "personal": LIST_TOKENS["birth date"],
    "record": LIST_TOKENS["grade"],
    "contact": re.compile(
        r"(?:0|\+44 ?|0044 ?)[1-9](?:[ -]?\d){8,9}"
        r"|(?:[Mm]um|[Mm]other|[Dd]ad|[Ff]ather|[Nn]an|[Gg]ran(?:dma|dad)?|[Cc]arer|[Gg]uardian|[Pp]arent)\b[^\n]*"
    ),
}


class ClassList(TextDetector):
    """A table or list about several people: names or pupil numbers beside birth dates, classes, contacts, grades or status.

    Recognised by its headings even where single cells prove little. A blank form, a price list and a table of averages
    have the headings or the numbers, but not the names beneath them.
    """

    labels = ("class_list",)
    wake = ()
    stage = 4

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterable[Hit]:
        if context.tables:
            yield from _in_tables(text, context.tables)
        for each in name_lists(text):
            start, end = each.lines[0].start, each.lines[-1].end
            reasons = (f"{len(each.lines)} lines of names", f"a {each.kind} on each line")
            yield Hit("class_list", start, end, f"{len(each.lines)} names", 0.8, reasons)
        for match in GRADED_LINE.finditer(text):
            yield Hit(
                "class_list", *match.span(), "names in a line", 0.8, ("names with marks, grades or classes in a line",)
            )


def _in_tables(text: str, tables: tuple[Table, ...]) -> Iterator[Hit]:
    for number, table in enumerate(tables):
        headings = headings_of(text, table)
        found = _list_in(text, table, headings)
        upright = found is not None
        if found is None and (on_its_side := turned(table)) is not None:
            # The pupils stand across the top, what is told of them below.
            found = _list_in(text, on_its_side, headings_of(text, on_its_side))
        if found is None:
            continue
        people, why = found
        confidence = 0.9 if people >= _LEAST_ROWS else 0.6
        reasons = (f"{people} rows about people", *why)
        row = headings.row if headings is not None and upright else 0
        start = min(cell[0] for cell in chain.from_iterable(table.rows[row:]) if cell[0] < cell[1])
        end = max(cell[1] for cell in chain.from_iterable(table.rows[row:]) if cell[0] < cell[1])
        yield Hit(
            "class_list", start, end, f"{people} rows", confidence, reasons, row=(number, row) if upright else None
        )


def _list_in(text: str, table: Table, headings: Headings | None) -> tuple[int, tuple[str, ...]] | None:
    """The number of rows about people and why the table is a list of them; None where it is not."""
    names = name_columns(text, table, headings)
    first_row = names.first_row if names is not None else headings.row + 1 if headings is not None else 0
    rows = table.rows[first_row:]
    whys: dict[str, str] = {}
    if headings is not None and first_row > headings.row:
        for heading in headings.texts:
            if (group := group_of(heading)) and group not in whys:
                whys[group] = column_reason(heading)
    if names is not None and names.by_content:
        whys["name"] = "a column of names"
    numbered = (
        [column for column, heading in enumerate(headings.texts) if group_of(heading) == "identity"] if headings else []
    )
    named = names.columns if names is not None else ()
    people = sum(
        any(_cell(text, row, column, _is_name) for column in named)
        or (not named and any(_cell(text, row, column, _has_digits) for column in numbered))
        for row in rows
    )
    if people < _FEW_ROWS or not {"name", "identity"} & set(whys):
        return None
    # What a cell of a column is, where names of people stand beside it whatever is above them.
    plain = names is not None and not names.by_content and not _are_names(text, rows, named)
    for column in range(min(_MOST_COLUMNS, max(len(row) for row in rows[:_SAMPLED_ROWS]))):
        group = "" if plain or column in named else _kind_of_cells(text, rows, column)
        if group:
            whys.setdefault(group, f"a column of {group}")
    if plain and headings is not None and all(heading_key(headings.texts[column]) == "name" for column in named):
        whys.pop("class", None)  # "Name, class, price": plants
    whys.pop("post", None)
    if _is_directory(text, rows, headings):
        whys.pop("contact", None)
    if len(whys) < 2:
        return None
    return people, tuple(whys[group] for group in sorted(whys))


def _texts(text: str, rows: Sequence[tuple[tuple[int, int], ...]], column: int) -> list[str]:
    cells = [row[column] for row in rows[:_SAMPLED_ROWS] if column < len(row)]
    return [text[start:end] for start, end in cells if 0 < end - start <= 60]


def _are_names(text: str, rows: Sequence[tuple[tuple[int, int], ...]], named: Sequence[int]) -> bool:
    """Forename and surname, in one column or in two; a column of single words could be anything."""
    if len(named) > 1:
        return True
    cells = _texts(text, rows, named[0])
    known = sum(len(words) > 1 and has_forename(words) for words in (in_order(cell).split() for cell in cells))
    return known * 3 > len(cells)


def _kind_of_cells(text: str, rows: Sequence[tuple[tuple[int, int], ...]], column: int) -> str:
    cells = _texts(text, rows, column)
    if len(cells) < _FEW_CELLS:
        return ""
    for group, pattern in _CELLS.items():
        if sum(pattern.fullmatch(cell) is not None for cell in cells) * 5 > len(cells) * 3:
            return group
    return ""


def _is_directory(text: str, rows: Sequence[tuple[tuple[int, int], ...]], headings: Headings | None) -> bool:
    """Whether all that a list of names tells of how to reach them are addresses of one house, as on its own pages."""
    if headings is None:
        return False
    contacts = [column for column, heading in enumerate(headings.texts) if group_of(heading) == "contact"]
    hosts = {cell.rpartition("@")[2].lower() for column in contacts for cell in _texts(text, rows, column)}
    return (
        len(hosts) == 1
        and "@" in "".join(_texts(text, rows[:1], contacts[0]))
        and not any(map(is_private_provider, hosts))
    )


def _cell(text: str, row: tuple[tuple[int, int], ...], column: int, test: Callable[[str], bool]) -> bool:
    if column >= len(row):
        return False
    start, end = row[column]
    return 0 < end - start <= 60 and test(text[start:end])


def _is_name(cell: str) -> bool:
    return looks_like_name(in_order(cell))


def _has_digits(cell: str) -> bool:
    return sum(character.isdigit() for character in cell) >= 4
