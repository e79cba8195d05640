"""UK passports."""

from __future__ import annotations

import re

from detectors.base import SHAPE, Ladder, PatternDetector, Reading, all_equal

# ICAO Doc 9303 part 4, second line of the machine readable zone: number, its check digit, nationality, birth date, its
# check digit, sex, expiry, its check digit, 14 optional characters, two check digits.
_ZONE = re.compile(
    r"(?P<number>[0-9A-Z<]{9})(?P<c1>\d)(?:GBR)(?P<born>\d{6})(?P<c2>\d)[MFX<](?P<expiry>\d{6})(?P<c3>\d)"
)


class Passport(PatternDetector):
    """The number of a UK passport: nine digits beside words that name it, or the machine readable lines of its page.

    Two letters and seven digits are a residence permit, not a passport. Nine digits alone are nothing in particular.
    """

    labels = ("uk_passport",)
    wake = (r"passport", r"[0-9a-z<]{9}\dgbr\d{7}[mfx<]\d{7}")
    reach = 340
    patterns = (
        r"(?<![A-Z0-9<])[0-9A-Z<]{9}\dGBR\d{7}[MFX<]\d{7}[0-9A-Z<]{14}[0-9<]\d(?![A-Z0-9<])",
        r"(?<![\w+.-])\d{9}(?!\w)(?!-\d)",
        r"(?<![\w+.-])\d{3} \d{3} \d{3}(?! ?\w*\d)",
    )
    context = (
        "passport",
        "passport number",
        "passport no",
        "passport num",
        "uk passport",
        "british passport",
        "passports",
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
        *("flight", "urn", "company number", "policy number", "booking reference"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        zone = _ZONE.match(match.group())
        if zone is not None:
            fields = (("number", "c1"), ("born", "c2"), ("expiry", "c3"))
            if any(_check_digit(zone[field]) != int(zone[check]) for field, check in fields):
                return None
            return Reading(
                zone["number"].rstrip("<"), Ladder(0.9, 0.95, 0.95), ("machine readable zone", "check digits valid")
            )
        digits = match.group().replace(" ", "")
        if all_equal(digits):
            return None
        return Reading(digits, SHAPE, ("nine digits",))


def _check_digit(field: str) -> int:
    """ICAO Doc 9303 part 3: weights 7, 3, 1; letters 10 to 35, the filler 0; modulo 10."""
    values = (0 if each == "<" else int(each, 36) for each in field)
    return sum(value * (7, 3, 1)[place % 3] for place, value in enumerate(values)) % 10
