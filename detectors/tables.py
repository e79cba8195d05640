"""Where in a table a span lies and what stands above it: a column heading is context for every cell beneath."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from detectors.base import heading_key
from scanner.model import Table

# The heading row is looked for among the first rows that hold anything (reference uk-personal-data, section 4.1).
_ROWS_TO_LOOK_AT = 10
_LONGEST_HEADING = 40


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is not empty. `heading` is the text above its column, empty where the table has no heading row."""

    table: int
    row: int
    column: int
    start: int
    end: int
    heading: str = ""
    is_heading: bool = False


@dataclass(frozen=True, slots=True)
class Headings:
    """The heading row of one table: its number and the heading of each column as written."""

    row: int
    texts: tuple[str, ...]


class TableMap:
    """Finds the cell at a position of the text; built once for a text, linear in its cells."""

    def __init__(self, text: str, tables: Sequence[Table]) -> None:
        self.headings: tuple[Headings | None, ...] = tuple(_headings(text, table) for table in tables)
        cells: list[Cell] = []
        for number, (table, headings) in enumerate(zip(tables, self.headings, strict=True)):
            for row_number, row in enumerate(table.rows):
                for column, (start, end) in enumerate(row):
                    if start >= end:
                        continue
                    heading, is_heading = "", False
                    if headings is not None:
                        is_heading = row_number == headings.row
                        if row_number > headings.row and column < len(headings.texts):
                            heading = headings.texts[column]
                    cells.append(Cell(number, row_number, column, start, end, heading, is_heading))
        cells.sort(key=lambda cell: (cell.start, cell.end))
        self.cells: tuple[Cell, ...] = tuple(cells)
        self._starts = [cell.start for cell in cells]

    def at(self, position: int) -> Cell | None:
        """The cell that holds the character at `position`."""
        place = bisect_right(self._starts, position) - 1
        if place < 0:
            return None
        cell = self.cells[place]
        return cell if cell.start <= position < cell.end else None

    def beside(self, cell: Cell) -> Cell | None:
        """The cell before `cell` in the same row, where a form has the name of the field."""
        place = bisect_right(self._starts, cell.start) - 2
        if place < 0:
            return None
        before = self.cells[place]
        return before if (before.table, before.row) == (cell.table, cell.row) else None

    def beneath(self, keys: frozenset[str]) -> Iterator[Cell]:
        """Every cell whose column heading, compared by its key, is one of `keys`."""
        for cell in self.cells:
            if cell.heading and heading_key(cell.heading) in keys:
                yield cell


def _headings(text: str, table: Table) -> Headings | None:
    """The first row of at least two short cells without numbers; a table whose first rows are all data has none."""
    looked_at = 0
    for number, row in enumerate(table.rows):
        texts = tuple(" ".join(text[start : min(end, start + 200)].split()) for start, end in row)
        filled = [cell for cell in texts if cell]
        if not filled:
            continue
        looked_at += 1
        if looked_at > _ROWS_TO_LOOK_AT:
            return None
        if len(filled) >= 2 and all(_may_head(cell) for cell in filled):
            return Headings(number, texts)
    return None


def _may_head(cell: str) -> bool:
    digits = sum(character.isdigit() for character in cell)
    return len(cell) <= _LONGEST_HEADING and digits <= 2 and any(character.isalpha() for character in cell)


# --- what a heading means -------------------------------------------------------------------------------------------

# Reference uk-personal-data, section 4.1, from the field names of SIMS, Arbor, Bromcom, iSAMS and the CTF; as keys.
_GROUPS = {
    "name": (
        "name legalsurname legalforename preferredforename chosenforename preferredsurname knownas forename surname "
        "firstname lastname fullname studentname pupilname childname childsname pupil student child learner familyname "
        "givenname givennames middlename middlenames initials employee employeename staffname candidatename "
        "nameofchild nameofpupil nameofstudent pupilsname studentsname candidate patient"
    ),
    "identity": (
        "upn formerupn uln uci candidatenumber candidateno examnumber admissionno admissionnumber adno studentid pupilid "
        "misid arborid arborstudentid simsid personid externalid isamsschoolid trn ninumber nino dbsnumber payrollnumber "
        "payrollno employeenumber"
    ),
    "personal": (
        "dob dateofbirth birthdate gender sex age nationality countryofbirth ethnicity ethnicgroup ethniccode religion "
        "firstlanguage homelanguage eal photoconsent"
    ),
    "class": (
        "year yeargroup ncyear reggroup registrationgroup reg form formgroup tutorgroup tutor house class classname "
        "teachinggroup yr set"
    ),
    "contact": (
        "address homeaddress postcode homephone mobile phone telephone parent parentcarer parentcarer1 parent1 contactname "
        "relationship parentalresponsibility priority email emailaddress salutation emergencycontact emergencynumber "
        "contact contactnumber mother father carer guardian nextofkin"
    ),
    "status": (
        "senstatus senprovision senneed sen send ehcp ehcplan fsm fsm6 ever6 pupilpremium pp ppi lac cla plac incare cin "
        "cpp cp childprotection servicechild youngcarer medicalconditions medicalcondition medical dietary allergies "
        "allergy doctor gp nhsnumber nhsno disability needs condition diagnosis medication"
    ),
    "record": (
        "attendance attendancepercent sessionsmissed attendancemarks behaviourpoints behaviour exclusions suspensions "
        "progress8 predictedgrade targetgrade currentgrade grade mark score result readingage ks2scaledscore cats cat "
        "absences lates detentions sanction effort"
    ),
    "login": (
        "username user userid userlogin login loginname logon logonname networklogin password initialpassword initialpw "
        "temppassword temporarypassword defaultpassword newpassword pw pwd passcode pin pincode"
    ),
    "staff": (
        "staffcode employeeid jobtitle salary contract qts startdate absence bankaccount sortcode accountnumber fte "
        "grosspay netpay taxcode payscale department post role pension"
    ),
}
GROUP_OF = {key: group for group, keys in _GROUPS.items() for key in keys.split()}


def group_of(heading: str) -> str:
    """The group of a column heading (name, identity, personal, class, contact, status, record, login, staff), or empty."""
    key = heading_key(heading)
    return GROUP_OF.get(key) or GROUP_OF.get(key.rstrip("0123456789"), "")


# --- tables written as plain text -------------------------------------------------------------------------------------

_DELIMITERS = ("\t", "|", ";", ",")
_MOST_ROWS = 20_000


def delimited(text: str) -> tuple[Table, ...]:
    """Tables typed or pasted into running text: a line of known headings, then lines with as many delimiters.

    Quoted cells are not understood here: a real CSV file is read as one and comes with its tables.
    """
    if text.count("\n") < 2:
        return ()
    tables: list[Table] = []
    rows: list[tuple[tuple[int, int], ...]] = []
    delimiter, columns, start = "", 0, 0
    for line in text.splitlines(keepends=True):
        if delimiter:
            if line.count(delimiter) == columns and len(rows) < _MOST_ROWS:
                rows.append(_cells(line, start, delimiter))
            elif line.strip():
                tables.append(Table(tuple(rows)))
                delimiter, rows = "", []
        if not delimiter and len(line) <= 600:
            for candidate in _DELIMITERS:
                columns = line.count(candidate)
                if columns and _is_heading_line(line.split(candidate)):
                    delimiter, rows = candidate, [_cells(line, start, candidate)]
                    break
        start += len(line)
    if delimiter:
        tables.append(Table(tuple(rows)))
    return tuple(table for table in tables if len(table.rows) >= 2)


def _is_heading_line(cells: Sequence[str]) -> bool:
    """Short cells, at least two of them headings of different groups."""
    if any(len(cell) > _LONGEST_HEADING + 2 for cell in cells):
        return False
    return len({group_of(cell) for cell in cells} - {""}) >= 2


def _cells(line: str, start: int, delimiter: str) -> tuple[tuple[int, int], ...]:
    cells: list[tuple[int, int]] = []
    for cell in line.split(delimiter):
        stripped = cell.strip()
        first = start + len(cell) - len(cell.lstrip()) if stripped else start
        cells.append((first, first + len(stripped)))
        start += len(cell) + 1
    return tuple(cells)
