"""Bulk: class lists, exports and sheets about many people, recognised by their shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from detectors.base import Context, TextDetector, Waking
from detectors.person import GRADED_LINE, looks_like_name, name_lists
from detectors.tables import Headings, TableMap, group_of
from scanner.model import Hit, Table

_LEAST_ROWS = 5
_FEW_ROWS = 2


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
    cells = TableMap(text, tables)
    for number, (table, headings) in enumerate(zip(tables, cells.headings, strict=True)):
        if headings is None:
            continue
        groups = {column: group_of(heading) for column, heading in enumerate(headings.texts)}
        present = sorted(set(groups.values()) - {""})
        if len(present) < 2 or not {"name", "identity"} & set(present):
            continue
        people = _people(text, table, headings, groups)
        if people < _FEW_ROWS:
            continue
        confidence = 0.9 if people >= _LEAST_ROWS else 0.6
        reasons = (f"{people} rows about people", *(_reason(headings, groups, group) for group in present))
        start = min(cell[0] for cell in table.rows[headings.row] if cell[0] < cell[1])
        end = max(cell[1] for row in table.rows for cell in row if cell[0] < cell[1])
        yield Hit("class_list", start, end, f"{people} rows", confidence, reasons, row=(number, headings.row))


def _people(text: str, table: Table, headings: Headings, groups: dict[int, str]) -> int:
    """Rows below the headings with a name, or with a number where the list has pupil numbers instead of names."""
    names = [column for column, group in groups.items() if group == "name"]
    numbers = [column for column, group in groups.items() if group == "identity"]
    rows = 0
    for row in table.rows[headings.row + 1 :]:
        named = any(_cell(text, row, column, looks_like_name) for column in names)
        numbered = any(_cell(text, row, column, _has_digits) for column in numbers)
        rows += named or (numbered and not names)
    return rows


def _cell(text: str, row: tuple[tuple[int, int], ...], column: int, test: Callable[[str], bool]) -> bool:
    if column >= len(row):
        return False
    start, end = row[column]
    return end - start <= 60 and test(text[start:end])


def _has_digits(cell: str) -> bool:
    return sum(character.isdigit() for character in cell) >= 4


def _reason(headings: Headings, groups: dict[int, str], group: str) -> str:
    heading = next(headings.texts[column] for column, each in groups.items() if each == group)
    return f"column '{heading}' ({group})"
