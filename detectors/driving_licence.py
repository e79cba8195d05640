"""Driving licences of Great Britain and Northern Ireland."""

from __future__ import annotations

import re

from detectors.base import WRONG, Ladder, PatternDetector, Reading, all_equal

_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class DrivingLicence(PatternDetector):
    """The driver number of a British driving licence: surname, birth date and initials in sixteen characters.

    The birth date in it must be a real one. The algorithm of the last letters is not public. In Northern Ireland it is
    eight digits, which count only straight beside words that name the licence: account and company numbers look the same.
    """

    labels = ("driving_licence",)
    wake = (
        r"\b[a-z][a-z9]{4} ?\d{6} ?[a-z][a-z9][0-9a-z] ?[a-z]{2}",
        r"driv(?:ing|er'?s?) licen[cs]e",
        r"driver number",
        r"\bdva\b",
    )
    reach = 120
    patterns = (
        r"(?<![A-Za-z0-9])(?P<surname>[A-Za-z]{1,5}9{0,4}) ?(?P<born>\d{6}) ?[A-Za-z][A-Za-z9][0-9A-Za-z] ?[A-Za-z]{2}"
        r"(?: ?\d{2})?(?![A-Za-z0-9])",
        r"(?<![\w+/.-])(?P<northern>\d{8})(?![\w/])(?![.-]\d)",
    )
    context = (
        *("driving licence", "driving license", "driver number", "driver's licence", "licence", "license", "dvla"),
        *("licence number", "licence no", "minibus", "driver", "d1"),
    )
    headings = (
        "drivinglicence",
        "drivinglicense",
        "licencenumber",
        "licenceno",
        "drivinglicencenumber",
        "drivernumber",
    )
    against = (
        *(
            "account",
            "account number",
            "account no",
            "company number",
            "ukprn",
            "order",
            "order number",
            "invoice",
            "phone",
        ),
        *(
            "tel",
            "telephone",
            "mobile",
            "policy number",
            "software licence",
            "licence key",
            "premises licence",
            "tv licence",
        ),
        *("sort code", "dob", "date of birth", "operator licence", "consignment"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        if match.lastgroup == "northern":
            if all_equal(match.group()):
                return None
            return Reading(match.group(), Ladder(0.0, 0.0, 0.75), ("eight digits, as in Northern Ireland",))
        if len(match["surname"]) != 5:
            return None
        value = match.group().replace(" ", "").upper()
        born = match["born"]
        # Decade, month (50 added for women), day, last figure of the year (GOV.UK, driver number).
        month, day = int(born[1:3]), int(born[3:5])
        month -= 50 if month > 50 else 0
        if not (1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]):
            return Reading(value, WRONG, ("no such birth date",))
        return Reading(value, Ladder(0.7, 0.85, 0.95), ("birth date in it valid",))
