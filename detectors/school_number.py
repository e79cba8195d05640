"""Numbers of schools: public, but of the shape of personal ones."""

from __future__ import annotations

import re

from detectors.base import Ladder, PatternDetector, Reading, digits_of


class SchoolNumber(PatternDetector):
    """A school's URN (six digits) or its LAESTAB or DfE number (seven): public, never personal.

    They are recognised so that a report can say what a number is; no rule of the base policy uses them.
    """

    labels = ("urn_school", "laestab")
    wake = (
        r"\burns?\b",
        r"\bla ?estab\b",
        r"establishment (?:number|no)",
        r"\bdfe (?:number|no)\b",
        r"unique reference",
    )
    reach = 340
    patterns = (
        r"(?<![\w+./-])(?P<urn>\d{6})(?![\w/])(?![.-]\d)",
        r"(?<![\w+./-])(?P<laestab>\d{3}[/ -]?\d{4})(?![\w/])(?![.-]\d)",
    )
    context = (
        *("urn", "urns", "school urn", "unique reference number", "laestab", "la estab", "establishment number"),
        *("establishment no", "dfe number", "dfe no", "urn_school"),
    )
    headings = ("urn", "schoolurn", "laestab", "dfenumber", "estab", "establishmentnumber")
    against = ("trn", "teacher reference", "order", "invoice", "sort code", "phone", "tel", "date of birth", "dob")

    def read(self, match: re.Match[str]) -> Reading | None:
        label = "urn_school" if match.groupdict().get("urn") else "laestab"
        return Reading(digits_of(match.group()), Ladder(0.0, 0.4, 0.6), ("a school's number",), label)
