"""National Insurance numbers."""

from __future__ import annotations

import re

from detectors.base import SHAPE, STRONG, WRONG, Ladder, PatternDetector, Reading, digits_of

# HMRC National Insurance Manual NIM39110: letters and prefixes that are never issued.
_NEVER_FIRST = frozenset("DFIQUV")
_NEVER_SECOND = frozenset("DFIQUVO")
_NEVER_PREFIX = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})
# NIM39110, numbers that look alike: administrative prefixes, not National Insurance numbers of a person.
_ADMINISTRATIVE = frozenset({"OO", "CR", "FY", "MW", "NC", "PP"})


class NationalInsuranceNumber(PatternDetector):
    """A National Insurance number: two letters, six digits and a letter A to D, as HMRC issues them.

    Often mistaken for one: part numbers and flight numbers. The form without its last letter counts only beside words
    that name it. There is no check digit.
    """

    labels = ("nino", "temporary_nino")
    wake = (
        r"(?:\b|_)[a-z]{2}[ .-]{0,2}\d{2}[ .-]{0,2}\d{2}[ .-]{0,2}\d{2}",
        r"\b[a-z]{2}[ -]?\d{3}[ -]\d{3}[ -]?[a-d]\b",
        r"\b\d{2} ?[a-z] ?\d ?\d{2} ?\d{2}\b",
    )
    patterns = (
        r"(?<![A-Za-z0-9])(?P<prefix>[A-Za-z]{2})[ -]{0,2}\d{2}[ -]{0,2}\d{2}[ -]{0,2}\d{2}"
        r"(?:[ -]{0,2}(?P<suffix>[A-Za-z]))?(?![A-Za-z0-9])",
        # Grouped otherwise than HMRC does, or with dots: "AB 123 456 C", "AB.12.34.56.C".
        r"(?<![A-Za-z0-9])(?P<thirds>[A-Za-z]{2})[ -]?\d{3}[ -]\d{3}[ -]?(?P<last>[A-Da-d])(?![A-Za-z0-9])",
        r"(?<![A-Za-z0-9.])(?P<dotted>[A-Za-z]{2})\.\d{2}\.\d{2}\.\d{2}\.(?P<end>[A-Da-d])(?![A-Za-z0-9])",
        # NIM39110: the temporary reference of somebody without a number, "11 a1 11 11".
        r"(?<![\w/.-])(?P<temporary>\d{2} ?[A-Za-z] ?\d ?\d{2} ?\d{2})(?![\w/-])",
    )
    context = (
        *("national insurance", "national insurance number", "ni number", "ni no", "ni num", "nino", "nic", "ni"),
        *("payroll", "p45", "p60", "hmrc", "starter checklist", "tax code", "payslip", "n.i. number", "n.i. no"),
    )
    headings = ("nino", "ni", "ninumber", "nino", "nationalinsurance", "nationalinsurancenumber", "nationalinsuranceno")
    against = (
        *("part number", "part no", "part", "model", "serial", "serial number", "order number", "order no", "order"),
        *("flight", "product code", "product", "registration number", "invoice", "sku", "catalogue number", "room"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        if match.lastgroup == "temporary":
            compact = match.group().replace(" ", "").upper()
            return Reading(compact, Ladder(0.0, 0.4, 0.8), ("shape of a temporary reference",), "temporary_nino")
        groups = match.groupdict()
        prefix = (groups.get("prefix") or groups.get("thirds") or groups.get("dotted") or "").upper()
        suffix = (groups.get("suffix") or groups.get("last") or groups.get("end") or "").upper()
        number = digits_of(match.group())
        value = prefix + number + suffix
        if (
            prefix[0] in _NEVER_FIRST
            or prefix[1] in _NEVER_SECOND
            or prefix in _NEVER_PREFIX | _ADMINISTRATIVE
            or suffix not in ("", "A", "B", "C", "D")
        ):
            return Reading(value, WRONG, ("a prefix or suffix that is never issued",))
        if not suffix:
            return Reading(value, SHAPE, ("prefix valid", "last letter missing"))
        if groups.get("prefix") is None:
            return Reading(value, Ladder(0.4, 0.8, 0.9), ("prefix valid", "unusual groups"))
        # "Ab 10 20 30 a" turns up in prose; a number that somebody wrote down is all of one case.
        if match.group() not in (match.group().upper(), match.group().lower()):
            return Reading(value, Ladder(0.3, 0.6, 0.85), ("prefix valid", "mixed case"))
        if match.group() == match.group().lower() and " " in match.group():
            return Reading(value, Ladder(0.4, 0.8, 0.95), ("prefix valid",))
        return Reading(value, STRONG, ("prefix valid",))
