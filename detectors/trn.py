"""Teacher reference numbers."""

from __future__ import annotations

import re

from detectors.base import SHAPE, PatternDetector, Reading, all_equal, digits_of


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
