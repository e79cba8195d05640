"""Payment card numbers."""

from __future__ import annotations

import re

from detectors.base import WRONG, Ladder, PatternDetector, Reading, all_equal, digits_of


def _scheme(digits: str) -> str:
    """The card scheme by its published number ranges (ISO/IEC 7812 issuer numbers), empty where there is none."""
    length, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    if digits[0] == "4" and length in (13, 16, 19):
        return "Visa"
    if (51 <= two <= 55 or 2221 <= four <= 2720) and length == 16:
        return "Mastercard"
    if two in (34, 37) and length == 15:
        return "American Express"
    if (two in (36, 38, 39) or 300 <= three <= 305) and 14 <= length <= 19:
        return "Diners"
    if (four == 6011 or two == 65 or 644 <= three <= 649) and 16 <= length <= 19:
        return "Discover"
    if (3528 <= four <= 3589 and 16 <= length <= 19) or (four in (1800, 2131) and length == 15):
        return "JCB"
    if two == 62 and 16 <= length <= 19:
        return "UnionPay"
    if (two in (50, 56, 57, 58) or digits[0] == "6") and 12 <= length <= 19:
        return "Maestro"
    return ""


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B: double every second digit from the right, the sum of all digits ends in 0."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


class PaymentCard(PatternDetector):
    """A debit or credit card number: twelve to nineteen digits of a known card scheme whose check digit is right.

    Often mistaken for one: tracking numbers, serial numbers and bar codes, of which one in ten passes the check.
    """

    labels = ("payment_card",)
    wake = (
        r"\b\d{4}[ .-]?\d{4}[ .-]?\d{4}[ .-]?\d",
        r"\b\d{4}[ .-]?\d{6}[ .-]?\d{4}",
        r"\b\d{12}",
    )
    patterns = (
        r"(?<![\w.-])\d{4}([ .-]?)\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?(?!\w)(?![.-]\d)",
        r"(?<![\w.-])\d{4}([ .-]?)\d{6}\1\d{4,5}(?!\w)(?![.-]\d)",
        r"(?<![\w.-])\d{12,19}(?!\w)(?![.-]\d)",
    )
    context = (
        *("card", "card number", "card no", "credit card", "debit card", "visa", "mastercard", "amex", "maestro"),
        *(
            "american express",
            "expiry",
            "expires",
            "exp date",
            "cvv",
            "cvc",
            "security code",
            "long number",
            "valid from",
        ),
        *("cardholder", "name on card", "payment card", "purchasing card", "p-card", "barclaycard"),
    )
    headings = ("card", "cardnumber", "cardno", "creditcard", "debitcard", "paymentcard", "pan")
    against = (
        *(
            "tracking",
            "tracking number",
            "tracking no",
            "parcel",
            "order",
            "order number",
            "isbn",
            "barcode",
            "bar code",
        ),
        *("imei", "serial", "serial number", "serial no", "meter", "mpan", "reference", "ref", "dbs", "uan", "ean"),
        *("library card", "gift card", "loyalty card", "membership", "asset", "policy number", "licence key", "id"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        digits = digits_of(match.group())
        if all_equal(digits):
            return None
        scheme = _scheme(digits)
        if not scheme:
            return None
        if not luhn(digits):
            return Reading(digits, WRONG, ("check digit wrong",))
        # Maestro takes nearly every number that begins with 6: the scheme alone says little.
        alone = 0.4 if scheme == "Maestro" else 0.65 if match.group() != digits else 0.6
        return Reading(digits, Ladder(alone, 0.85, 0.95), (f"{scheme} number", "check digit valid"))
