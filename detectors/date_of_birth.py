"""Dates of birth."""

from __future__ import annotations

import re
from datetime import date, timedelta

from detectors.base import Ladder, PatternDetector, Reading

_MONTHS = {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "may": 5,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
    "ion": 1,
    "chw": 2,
    "maw": 3,
    "ebr": 4,
    "mai": 5,
    "meh": 6,
    "gor": 7,
    "aws": 8,
    "med": 9,
    "hyd": 10,
    "tac": 11,
    "rha": 12,
}
_MONTH = (
    r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?|ionawr|chwefror|mawrth|ebrill|mai|mehefin|gorffennaf|awst|medi|hydref|tachwedd|rhagfyr)"
)
_AGE = r"(?P<age>(?i:aged?):? ?\d{1,2},? ?[(,]? ?)?"
_DAY = r"(?P<day>[0-3]?\d)"
_YEAR = r"(?P<year>(?:19|20)\d\d|'?\d\d)"
_FULL_YEAR = r"(?P<year>(?:19|20)\d\d)"
_MIDNIGHT = r"(?:[T ]00:00(?::00)?)?"
_FREE = r"(?<![\w/.-])"
# What follows a birth date in a life that has ended: "… and died in 1945", "… – 6 June 1968".
_DEAD = (
    r"(?![^\n.]{0,60}\b(?:died|dies|death|killed|murdered|executed|was shot)\b)"
    r"(?! ?[-–—] ?(?:\d{1,2} [A-Z][a-z]{2,8} )?(?:1[89]|20)\d\d\b)"
)
_EDGE = rf"(?![\w/])(?![.-]\d){_DEAD}"
# No clock (D2): somebody who is the subject of a school's mail was born between these years.
_BORN_FROM, _BORN_TO = 1920, 2035
# Born before: neither pupil nor parent nor staff; mostly somebody of whom a lesson or a talk tells.
_OLD = 1948
# Day 0 of Excel's 1900 date system, which counts a 29 February 1900 that never was.
_EXCEL_BEGINS = date(1899, 12, 30)


class DateOfBirth(PatternDetector):
    """A date of birth: a date that the words beside it or the column heading call one.

    A date alone is never taken for a date of birth, whatever its year; deadlines, terms and trips are full of dates.
    """

    labels = ("date_of_birth",)
    wake = (r"\bd\.? ?o\.? ?b\b", r"birth", r"\bborn\b", r"\baged?:? ?\d{1,2}\b", r"dyddiad geni")
    reach = 110
    patterns = (
        rf"{_FREE}{_AGE}{_FREE}{_DAY} ?(?P<gap>[/.-]) ?(?P<month>[01]?\d) ?(?P=gap) ?{_YEAR}{_EDGE}",
        rf"{_FREE}{_AGE}{_FREE}{_DAY}(?:st|nd|rd|th)?(?: of)?[ -]{{0,2}}(?P<month>{_MONTH})[ ,.-]{{0,3}}{_YEAR}{_EDGE}",
        rf"{_FREE}{_AGE}(?<!\w)(?P<month>{_MONTH}) {_DAY}(?:st|nd|rd|th)?,? {_FULL_YEAR}{_EDGE}",
        rf"{_FREE}{_AGE}{_FREE}{_FULL_YEAR}(?P<gap>[/.-]?)(?P<month>[01]\d)(?P=gap)(?P<day>[0-3]\d){_MIDNIGHT}{_EDGE}",
        rf"{_FREE}{_AGE}{_FREE}(?P<day>[0-3]\d)(?P<gap> ?)(?P<month>[01]\d)(?P=gap)(?P<year>(?:19|20)?\d\d){_EDGE}",
        # A spreadsheet's own number of a day, in a cell by itself.
        r"(?<![^\t\n|;,])(?P<serial>\d{4,5})(?![^\t\n\r|;,])",
        rf"(?i:born in) (?P<month>{_MONTH}) {_FULL_YEAR}(?!\w)",
    )
    context = (
        *("dob", "d.o.b", "d.o.b.", "d o b", "date of birth", "birth date", "birthdate", "born", "born on", "birthday"),
        *("dyddiad geni", "d/o/b"),
    )
    headings = ("dob", "dateofbirth", "birthdate", "birthday", "born", "dobdate", "pupildob", "studentdob")
    against = (
        *(
            "deadline",
            "closing date",
            "due",
            "due by",
            "start date",
            "valid from",
            "expiry",
            "expires",
            "joined",
            "issued",
        ),
        *("meeting", "on site from", "leaving date", "admission date", "admitted", "date of admission", "left", "died"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        groups = match.groupdict()
        if groups.get("serial"):
            born = _EXCEL_BEGINS + timedelta(days=int(groups["serial"]))
            if not _BORN_FROM <= born.year <= _BORN_TO:
                return None
            return Reading(born.isoformat(), Ladder(0.0, 0.0, 0.8), ("a spreadsheet's number of a day",))
        month = groups["month"]
        number = int(month) if month.isdigit() else _MONTHS[month[:3].lower()]
        day = int(groups.get("day") or 1)
        year = _full_year(groups["year"].lstrip("'"))
        if not (1 <= number <= 12 and 1 <= day <= 31 and _BORN_FROM <= year <= _BORN_TO):
            return None
        value = f"{year:04}-{number:02}-{day:02}"
        if groups.get("age") or match.group().lower().startswith("born in"):
            return Reading(value, Ladder(0.85, 0.85, 0.95), ("age beside the date",))
        if year < _OLD:
            return Reading(value, Ladder(0.0, 0.0, 0.6), ("possible date", "of somebody past working age"))
        # Runs of digits without any mark between are dates only where the column or phrase is quite near.
        return Reading(value, Ladder(0.0, 0.0, 0.85), ("possible date",))


def _full_year(year: str) -> int:
    """A two-figure year as people write birth years: up to 35 in this century."""
    if len(year) == 4:
        return int(year)
    return 2000 + int(year) if int(year) <= _BORN_TO - 2000 else 1900 + int(year)
