"""Teacher reference numbers, and the registration numbers of the other teaching councils."""

from __future__ import annotations

import re

from detectors.base import SHAPE, Ladder, PatternDetector, Reading, all_equal, digits_of


class TeacherReferenceNumber(PatternDetector):
    """A teacher reference number (TRN): seven digits, also written RP99/12345, formerly QTS, GTC or DfES number.

    Nothing in the number can be checked, and a school's DfE number has seven digits too; it counts only beside words
    that name it.
    """

    labels = ("trn",)
    wake = (
        r"\btrns?\b",
        r"teachers?'? (?:reference|ref|pension)",
        r"\bqts\b",
        r"\bgtc\b",
        r"\bdfe?e?s? (?:number|no)\b",
    )
    reach = 340
    patterns = (
        r"(?<![A-Za-z0-9/])[Rr][Pp]\d{2}/?\d{5}(?![A-Za-z0-9/])",
        r"(?<![\w/.-])\d{2}/\d{5}(?![\w/])(?!-\d)",
        r"(?<![\w/+.-])\d{7}(?![\w/])(?![.-]\d)",
    )
    context = (
        *("trn", "trns", "teacher reference", "teacher reference number", "teacher ref", "qts", "qts number"),
        *("teachers' pension", "teachers pension", "gtc number", "dfes number", "qualified teacher status"),
    )
    headings = ("trn", "teacherreference", "teacherreferencenumber", "teacherrefno", "qtsnumber", "teachernumber")
    against = (
        *("laestab", "establishment", "establishment number", "dfe number", "dfe no", "school number", "urn", "order"),
        *("order number", "invoice", "tel", "telephone", "phone", "ext", "reference", "ref", "ticket", "serial", "job"),
        *("budget", "purchase order", "po number", "vacancy", "payroll number", "staff number"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        digits = digits_of(match.group())
        if all_equal(digits):
            return None
        return Reading(digits, SHAPE, ("seven digits",))


class TeacherRegistration(PatternDetector):
    """The number under which one of the other teaching councils keeps a teacher: GTC Scotland (six digits, HESA Student
    record, Teacher reference number), the Education Workforce Council in Wales and GTCNI (seven).

    Nothing in it can be checked; dates, school numbers and extensions look the same, so it counts only beside the council's
    name.
    """

    labels = ("teacher_registration",)
    wake = (r"\bgtc", r"general teaching council", r"\bewc\b", r"education workforce council", r"registered teacher")
    reach = 120
    patterns = (
        r"(?<![\w/+.-])\d{6,7}(?![\w/])(?![.-]\d)",
        r"(?<![\w/.-])\d{2}/\d{4,5}(?![\w/])(?!-\d)",
    )
    context = (
        *(
            "gtcs",
            "gtcs number",
            "gtcs registration",
            "gtc scotland",
            "general teaching council",
            "gtcni",
            "gtcw",
            "gtc",
        ),
        *(
            "gtc number",
            "gtc registration number",
            "ewc",
            "ewc number",
            "ewc registration",
            "education workforce council",
        ),
        *("registered teacher", "gtcs reg", "gtcs no", "ewc no", "ewc reg"),
    )
    headings = ("gtcs", "gtcsnumber", "gtcsno", "gtcsregistration", "ewc", "ewcnumber", "ewcno", "gtcni", "gtcninumber")
    against = (
        *(
            "urn",
            "laestab",
            "dfe number",
            "dfe no",
            "establishment number",
            "tel",
            "telephone",
            "phone",
            "ext",
            "order",
        ),
        *(
            "order number",
            "invoice",
            "reference",
            "ref",
            "dob",
            "date of birth",
            "sort code",
            "fax",
            "seed",
            "seed code",
        ),
        *("trn", "budget", "purchase order", "vacancy", "job", "ticket", "charity number", "scottish charity"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        digits = digits_of(match.group())
        if all_equal(digits):
            return None
        return Reading(digits, Ladder(0.0, 0.45, 0.8), ("number of a teaching council",))
