"""VAT registration numbers."""

from __future__ import annotations

import re

from detectors.base import WRONG, Ladder, PatternDetector, Reading, all_equal, digits_of

_WEIGHTS = (8, 7, 6, 5, 4, 3, 2)


class VatNumber(PatternDetector):
    """A VAT registration number. It names a person only where the business is a sole trader's."""

    labels = ("vat",)
    wake = (r"\bvat\b", r"value added tax", r"\bgb ?\d{3} ?\d{4} ?\d{2}")
    reach = 340
    patterns = (
        r"(?<![\w+.-])(?:(?:GB|XI) ?)?\d{3} ?\d{4} ?\d{2}(?: ?\d{3})?(?![\w])(?!-\d)",
        r"(?<!\w)(?:GB ?)?(?:GD|HA)\d{3}(?!\w)",
    )
    context = (
        "vat",
        "vat no",
        "vat number",
        "vat reg",
        "vat registration",
        "vat registration number",
        "value added tax",
    )
    headings = ("vat", "vatno", "vatnumber", "vatregistration", "vatregno")
    against = (
        "tel",
        "telephone",
        "phone",
        "mobile",
        "order",
        "invoice number",
        "invoice no",
        "company number",
        "passport",
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        value = match.group().replace(" ", "").upper()
        digits = digits_of(value)
        if all_equal(digits) and len(digits) > 3:
            return None
        if len(digits) == 3:
            in_range = int(digits) < 500 if "GD" in value else int(digits) >= 500
            return Reading(
                value, Ladder(0.0, 0.7, 0.8) if in_range else WRONG, ("government or health authority form",)
            )
        if len(digits) not in (9, 12):
            return None
        # The sum with weights 8 to 2 and the two check digits is a multiple of 97, or is one with 55 added (numbers since
        # 2009). python-stdnum also takes a remainder of 55, so that half as many again pass by chance.
        total = sum(int(digit) * weight for digit, weight in zip(digits[:7], _WEIGHTS, strict=True)) + int(digits[7:9])
        if total % 97 != 0 and (total + 55) % 97 != 0:
            return Reading(value, WRONG, ("check digits wrong",))
        return Reading(value, Ladder(0.5 if value[:1].isalpha() else 0.0, 0.7, 0.85), ("check digits valid",))
