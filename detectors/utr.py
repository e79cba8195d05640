"""Unique taxpayer references."""

from __future__ import annotations

import re

from detectors.base import WRONG, Ladder, PatternDetector, Reading, all_equal, digits_of

# Sage help, Unique Taxpayer Reference: weights on digits two to ten; the sum modulo 11 picks the first digit.
_WEIGHTS = (6, 7, 8, 9, 10, 5, 4, 3, 2)
_CHECK = "21987654321"


class UniqueTaxpayerReference(PatternDetector):
    """A unique taxpayer reference (UTR) of somebody who files a self-assessment: ten digits, perhaps with a K.

    Ten digits pass the check by chance in one case of ten, so it counts only beside tax words.
    """

    labels = ("utr",)
    wake = (r"\butrs?\b", r"tax ?payer", r"self[ -]assessment", r"tax (?:reference|ref|return)", r"\bhmrc\b")
    reach = 340
    patterns = (r"(?<![\w+])(?<!\d[-.])(?:[Kk] ?)?\d{5} ?\d{5}(?: ?[Kk])?(?!\w)(?!-\d)",)
    context = (
        *("utr", "utrs", "utr number", "unique taxpayer reference", "unique tax reference", "taxpayer reference"),
        *("tax reference", "tax ref", "self assessment", "self-assessment", "tax return", "hmrc"),
    )
    headings = ("utr", "utrnumber", "uniquetaxpayerreference", "taxreference", "taxref")
    against = (
        "nhs",
        "nhs number",
        "uln",
        "tel",
        "telephone",
        "phone",
        "mobile",
        "order",
        "order number",
        "invoice",
        "vat",
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        digits = digits_of(match.group())
        if all_equal(digits):
            return None
        total = sum(int(digit) * weight for digit, weight in zip(digits[1:], _WEIGHTS, strict=True))
        if _CHECK[total % 11] != digits[0]:
            return Reading(digits, WRONG, ("check digit wrong",))
        return Reading(digits, Ladder(0.2, 0.85, 0.95), ("check digit valid",))
