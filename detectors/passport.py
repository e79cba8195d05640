"""Passports and other travel documents."""

from __future__ import annotations

import re

from detectors.base import SHAPE, Ladder, PatternDetector, Reading, all_equal, digits_of

# ICAO Doc 9303 part 4, second line of the machine readable zone: number, its check digit, nationality, birth date, its
# check digit, sex, expiry, its check digit, 14 optional characters, two check digits.
_ZONE = re.compile(
    r"(?P<number>[0-9A-Z<]{9})(?P<c1>\d)(?P<nation>[A-Z]{1,3}<{0,2})(?P<born>\d{6})(?P<c2>\d)[MFX<](?P<expiry>\d{6})(?P<c3>\d)"
)
# Part 5: of a card, the first line has kind, state and number, the second birth date, sex, expiry and nationality.
_CARD = re.compile(
    r"[ACI][A-Z0-9<][A-Z<]{3}(?P<number>[A-Z0-9<]{9})(?P<c1>\d)[A-Z0-9<]{15}\s{1,2}"
    r"(?P<born>\d{6})(?P<c2>\d)[MFX<](?P<expiry>\d{6})(?P<c3>\d)"
)
_CHECKED_FIELDS = (("number", "c1"), ("born", "c2"), ("expiry", "c3"))


class Passport(PatternDetector):
    """The number of a UK passport: nine digits beside words that name it, or the machine readable lines of its page.

    Two letters and seven digits are a residence permit, not a passport. Nine digits alone are nothing in particular; passports
    of before 1988 have one letter and six digits. `passport` is the same of another country, where letters and digits have no
    form of their own and count only straight beside the word, and the machine readable lines of any card.
    """

    labels = ("uk_passport", "passport")
    wake = (r"passport", r"[0-9a-z<]{9}\d[a-z<]{3}\d{7}[mfx<]\d{7}", r"\b\d{7}[mfx<]\d{7}[a-z<]{3}")
    reach = 340
    patterns = (
        r"(?<![A-Z0-9<])[0-9A-Z<]{9}\d[A-Z<]{3}\d{7}[MFX<]\d{7}[0-9A-Z<]{14}[0-9<]\d(?![A-Z0-9<])",
        r"(?<![A-Z0-9<])[ACI][A-Z0-9<][A-Z<]{3}[A-Z0-9<]{9}\d[A-Z0-9<]{15}\s{1,2}\d{7}[MFX<]\d{7}[A-Z<]{3}",
        r"(?<![\w+.-])\d{9}(?!\w)(?!-\d)",
        r"(?<![\w+.-])\d{3} \d{3} \d{3}(?! ?\w*\d)",
        r"(?<![\w/+.-])(?P<old>[A-Z] ?\d{6}|\d{6} ?[A-Z])(?![\w/-])",
        r"(?<![\w/+.-])(?P<foreign>[A-Z]{1,3} ?\d{6,8}|\d{2}[A-Z]{2}\d{5}|[A-Z]{2}\d[A-Z0-9]{5}\d|[A-Z]\d[A-Z]\d[A-Z0-9]{4}\d)(?![\w/-])",
    )
    context = (
        "passport",
        "passport number",
        "passport no",
        "passport num",
        "uk passport",
        "british passport",
        "passports",
        "travel document",
        "passport details",
    )
    headings = ("passport", "passportno", "passportnumber", "ukpassport", "ukpassportnumber", "passportnum")
    against = (
        *(
            "tel",
            "telephone",
            "phone",
            "order",
            "order number",
            "invoice",
            "vat",
            "account",
            "booking",
            "reference",
            "ref",
        ),
        *("flight", "urn", "company number", "policy number", "booking reference", "postcode", "brp", "permit"),
        *(
            "residence permit",
            "room",
            "visa",
            "confirmation",
            "ni number",
            "nino",
            "national insurance",
            "part",
            "part number",
            "serial",
        ),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        zone = _ZONE.match(match.group()) or _CARD.match(match.group())
        if zone is not None:
            if any(_check_digit(zone[field]) != int(zone[check]) for field, check in _CHECKED_FIELDS):
                return None
            label = "uk_passport" if zone.groupdict().get("nation") == "GBR" else "passport"
            why = ("machine readable zone", "check digits valid")
            return Reading(zone["number"].rstrip("<"), Ladder(0.9, 0.95, 0.95), why, label)
        digits = match.group().replace(" ", "")
        if all_equal(digits_of(digits)):
            return None
        if match.lastgroup == "old":
            return Reading(digits, Ladder(0.0, 0.0, 0.8), ("a letter and six digits",))
        if match.lastgroup == "foreign":
            return Reading(digits, Ladder(0.0, 0.0, 0.78), ("letters and digits",), "passport")
        return Reading(digits, SHAPE, ("nine digits",))


def _check_digit(field: str) -> int:
    """ICAO Doc 9303 part 3: weights 7, 3, 1; letters 10 to 35, the filler 0; modulo 10."""
    values = (0 if each == "<" else int(each, 36) for each in field)
    return sum(value * (7, 3, 1)[place % 3] for place, value in enumerate(values)) % 10
