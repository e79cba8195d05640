"""Where in a table a span lies and what stands above it: a column heading is context for every cell beneath."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from detectors.base import heading_key
from scanner.model import Table

# The heading row is looked for among the first rows that hold anything (reference uk-personal-data, section 4.1).
_ROWS_TO_LOOK_AT = 10
_LONGEST_HEADING = 40
_MOST_HEADINGS = 100
# So many rows tell what stands in a column; where a third of its cells say the same as its heading, that is a cell, too.
_COMPARED_ROWS = 30
_LEAST_TURNED, _MOST_TURNED = 6, 100


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
        self.headings: tuple[Headings | None, ...] = tuple(headings_of(text, table) for table in tables)
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


def turned(table: Table) -> Table | None:
    """The table with rows for columns; None where it has fewer than 6 columns, or more columns or rows than 100."""
    width = max((len(row) for row in table.rows), default=0)
    if not _LEAST_TURNED <= width <= _MOST_TURNED or not 1 < len(table.rows) <= _MOST_TURNED:
        return None
    return Table(
        tuple(tuple(row[column] if column < len(row) else (0, 0) for row in table.rows) for column in range(width))
    )


def headings_of(text: str, table: Table) -> Headings | None:
    """Of the first rows the one with the most known headings; where none has two, the first row of at least two short cells
    without numbers. A table whose first rows are all data has none.

    Over the headings proper there is often a line that spans them ("Pupil", "Contact 1"), which knows fewer. A row that is
    known only by words in its cells ("Mum Ann", "Year seven") is data where the rows around it have such words, too, or where
    rows as full stand above it.
    """
    looked_at, most = 0, 1
    first = best = None
    data = False
    widths: list[int] = []
    for number, row in enumerate(table.rows):
        texts = tuple(" ".join(text[start : min(end, start + 200)].split()) for start, end in row)
        filled = [cell for cell in texts if cell]
        if not filled:
            continue
        looked_at += 1
        if looked_at > _ROWS_TO_LOOK_AT:
            break
        above = sum(width >= len(filled) for width in widths)
        widths.append(len(filled))
        if len(filled) < 2 or sum(_may_head(cell) for cell in filled) * 2 < len(filled):
            continue
        known = [group for cell in filled[:_MOST_HEADINGS] if _may_head(cell) and (group := group_of(cell))]
        printed = sum(is_known_heading(cell) for cell in filled[:_MOST_HEADINGS])
        if known and (_said_again(text, table, number, texts) > printed or (not printed and above > 1)):
            data = True
            continue
        if first is None and not data and all(_may_head(cell) for cell in filled):
            first = Headings(number, texts)
        if len(known) > most and len(set(known)) > 1:
            best, most = Headings(number, texts), len(known)
    return best or first


def _said_again(text: str, table: Table, number: int, texts: tuple[str, ...]) -> int:
    """The number of cells of a row that are known by a word and stand among cells that mean the same."""
    again = 0
    low = max(0, number - _COMPARED_ROWS // 2)
    for column, cell in enumerate(texts[:_MOST_HEADINGS]):
        if not cell or is_known_heading(cell) or not (group := group_of(cell)):
            continue
        others = [
            text[start : min(end, start + _LONGEST_HEADING)]
            for row_number, row in enumerate(table.rows[low : low + _COMPARED_ROWS], low)
            if row_number != number and column < len(row)
            for start, end in (row[column],)
            if start < end
        ]
        again += len(others) > 1 and sum(group_of(other) == group for other in others) * 3 >= len(others)
    return again


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
        "staffcode employeeid salary contract qts startdate absence bankaccount sortcode accountnumber fte "
        "grosspay netpay taxcode payscale pension"
    ),
    # What an organisation prints of its people on its own pages: beside a name no news of anybody.
    "post": "jobtitle department post role team position responsibility",
}
GROUP_OF = {key: group for group, keys in _GROUPS.items() for key in keys.split()}
_ALSO_FORENAMES = frozenset({"mark"})
_SAID_AS = {"name": "names"}


# For headings that no program prints: what one word of a short heading makes of it, the first line that has it.
_WORDS = {
    "login": "username login logon password pw pwd passcode pin",
    "status": (
        "sen send senco ehcp ehc fsm ever6 lac cla medical medication dietary diet allergy allergies allergic health inhaler epipen "
        "safeguarding concern concerns disability diagnosis needs eal premium religion ethnicity meals"
    ),
    "record": (
        "attendance attend attended behaviour behavior detention detentions exclusion exclusions suspension suspensions sanction "
        "sanctions incident incidents grade grades result results score scores mark marks ks1 ks2 ks3 sats progress target predicted "
        "absence absences sickness reading phonics spelling test mock assessment arrangements"
    ),
    "contact": (
        "address addr addr1 postcode phone telephone tel mobile cell email contact parent parents carer carers guardian mother father "
        "mum mums dad dads emergency salutation"
    ),
    "personal": "dob birth birthday born gender sex nationality ethnic ethnicity language age",
    "class": "form tutor reg registration year yr class",
    "staff": "salary gross net pay tax pension contract fte wage wages spine",
    "post": "post role job title department",
}
_GROUP_OF_WORD = {word: group for group, words in _WORDS.items() for word in words.split()}
_OF_PEOPLE = frozenset(
    "pupil pupils student students child childs children kid kids learner employee staff candidate participant patient applicant member "
    "volunteer passenger tutee".split()
)
_OF_NAMES = frozenset("surname surnames forename forenames firstname firstnames lastname fullname".split())
_KINDS_OF_NAMES = _OF_PEOPLE | frozenset(
    "full first last legal preferred sur fore family given middle chosen known".split()
)
_NUMBERS = frozenset("no number num nr id ref reference code".split())
_NUMBERED = _OF_PEOPLE | frozenset(
    "cand adm admission exam ni nino insurance nhs dbs payroll emp person passport trn upn uln uci mis licence".split()
)
_MOST_WORDS = 5
_HEADING_WORD = re.compile(r"[A-Z]+(?![a-z])\d?|[A-Z]?[a-z]+\d?|\d+")


@lru_cache(maxsize=4_096)
def group_of(heading: str) -> str:
    """The group of a column heading (name, identity, personal, class, contact, status, record, login, staff, post), or empty."""
    return _known_group(heading) or _group_by_words(heading)


def is_known_heading(heading: str) -> bool:
    """Whether the whole of it is a heading that programs print, so that no word of it tells anything of anybody."""
    key = heading_key(heading)
    return key in GROUP_OF and key not in _ALSO_FORENAMES


def column_reason(heading: str) -> str:
    """A reason that tells a column by its heading: as written where it is a known one, else by what it means. What was taken
    for a heading may be a cell, and no cell is ever shown.
    """
    group = group_of(heading)
    if is_known_heading(heading):
        return f"column '{heading}' ({group})"
    return f"a column of {_SAID_AS.get(group, group)}" if group else "a column"


def _known_group(heading: str) -> str:
    key = heading_key(heading)
    return GROUP_OF.get(key) or GROUP_OF.get(key.rstrip("0123456789"), "")


def _group_by_words(heading: str) -> str:
    """ "PupilForename", "Emp. No.", "Mum's mobile", "% Attend": by the words of a heading that is in no list as a whole."""
    words = [word.lower() for word in _HEADING_WORD.findall(heading.replace("'", "").replace("’", ""))]
    if not 1 <= len(words) <= _MOST_WORDS:
        return ""
    said = set(words)
    if said & _NUMBERS and said & _NUMBERED:
        return "identity"
    for word in words:
        if word in _GROUP_OF_WORD and not (word == "title" and len(words) == 1):
            return _GROUP_OF_WORD[word]
    if (
        said & _OF_NAMES
        or (said & {"name", "names"} and said & _KINDS_OF_NAMES)
        or (len(words) == 1 and said & _OF_PEOPLE)
    ):
        return "name"
    return ""


# --- tables written as plain text -------------------------------------------------------------------------------------

# What stands behind the label is cut out by hand: an expression would try every length of the blanks at its end.
_LABELLED = re.compile(r"^[ \t>*•-]{0,6}(?P<label>[A-Za-z][^\n:]{0,38}?) ?:", re.MULTILINE)
_LONGEST_VALUE = 200
_LEAST_RECORDS = 3
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
                if columns and _is_heading_line(
                    line.split(candidate), group_of if candidate in "\t|" else _known_group
                ):
                    delimiter, rows = candidate, [_cells(line, start, candidate)]
                    break
        start += len(line)
    if delimiter:
        tables.append(Table(tuple(rows)))
    return tuple(table for table in tables if len(table.rows) >= 2)


def _is_heading_line(cells: Sequence[str], group: Callable[[str], str]) -> bool:
    """Short cells, at least two of them headings of different groups. Prose has commas, too: there only what a program prints
    counts as a heading.
    """
    if any(len(cell) > _LONGEST_HEADING + 2 for cell in cells):
        return False
    return len({group(cell.strip()) for cell in cells[:_MOST_HEADINGS]} - {""}) >= 2


def _cells(line: str, start: int, delimiter: str) -> tuple[tuple[int, int], ...]:
    cells: list[tuple[int, int]] = []
    for cell in line.split(delimiter):
        stripped = cell.strip()
        first = start + len(cell) - len(cell.lstrip()) if stripped else start
        cells.append((first, first + len(stripped)))
        start += len(cell) + 1
    return tuple(cells)


def records(text: str) -> tuple[Table, ...]:
    """Blocks of labelled lines that come again and again ("Name: …", "Form: …", an XML export read as text), as one table.

    A block begins where the label comes again with which the first one began: the first that is a heading of a name or of a
    number of somebody's. The labels of the first block that has each are the headings.
    """
    if text.count(":") < 2 * _LEAST_RECORDS:
        return ()
    columns: dict[str, int] = {}
    heads: list[tuple[int, int]] = []
    rows: list[dict[int, tuple[int, int]]] = []
    first = ""
    for match in _LABELLED.finditer(text):
        key = heading_key(match["label"])
        group = group_of(match["label"])
        if not group:
            continue
        line_end = text.find("\n", match.end())
        rest = text[match.end() : line_end if line_end >= 0 else len(text)]
        value = rest.strip(" \t\r")
        if len(value) > _LONGEST_VALUE:
            continue
        start = match.end() + (len(rest) - len(rest.lstrip(" \t\r")) if value else 0)
        if len(rows) >= _MOST_ROWS:
            break
        if not first and group in ("name", "identity"):
            first = key
        if not first:
            continue
        if key == first:
            rows.append({})
        if key not in columns:
            columns[key] = len(heads)
            heads.append(match.span("label"))
        # What comes twice in a block is of somebody else: a parent's surname below the pupil's.
        rows[-1].setdefault(columns[key], (start, start + len(value)))
    if len(rows) < _LEAST_RECORDS or len({group_of(text[start:end]) for start, end in heads}) < 2:
        return ()
    table = [tuple(heads)]
    for row in rows:
        cells: list[tuple[int, int]] = []
        place = row[0][0] if 0 in row else 0
        for column in range(len(heads)):
            start, end = row.get(column, (place, place))
            # A row is a stretch of the text: what stands in another order in this block is left out of it.
            if start < place:
                start = end = place
            cells.append((start, end))
            place = end
        table.append(tuple(cells))
    return (Table(tuple(table)),)
