"""NHS numbers and their Scottish kin, the CHI number."""

from __future__ import annotations

import re

from detectors.base import CHECKED, WRONG, Ladder, PatternDetector, Reading, all_equal, digits_of

_TEN_DIGITS = r"(?<![\w+])(?<!\d[-.])\d{3}[ -]{0,2}\d{3}[ -]{0,2}\d{4}(?![\w])(?!-\d)"
# American telephone numbers are written like this, so that words are needed.
_DOTTED = r"(?<![\w+.-])(?P<dotted>\d{3}\.\d{3}\.\d{4})(?![\w-])(?!\.\d)"
# What stands before the ten digits where they are the tail of a telephone number.
_DIALLED = re.compile(r"(?:\+44|0044|\(0\)|\+1|\b1)[ -]?\Z|\(\Z")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


# Short capitals before figures that are no part of a number: months, and names of other fields.
_WORDS = frozenset(
    (
        "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC JUNE JULY SEPT MARCH APRIL YEAR FORM ROOM PAGE UPN ULN UCI UTR TRN DBS "
        "DOB TEL EXT REF NHS CHI NINO PNC CRO FAX MOB AGE AGED AND FOR THE CALL BOX FLAT UNIT"
    ).split()
)
_NOT_OLD = re.compile(r"[A-Z]{2}\d{6}[A-D]|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|Y\d{1,2}|KS\d")


def residue(digits: str) -> int:
    """Sum of digit x weight, weights 10 to 1, modulo 11: 0 for NHS, CHI and H&C numbers, 10 for a learner's ULN.

    Source: NHS Data Dictionary, NHS NUMBER; HESA Student record, Unique Learner Number.
    """
    return sum(int(digit) * weight for digit, weight in zip(digits, range(10, 0, -1), strict=True)) % 11


def is_chi_date(digits: str) -> bool:
    """A CHI number begins with a birth date DDMMYY (NHS Data Dictionary, COMMUNITY HEALTH INDEX NUMBER)."""
    day, month = int(digits[:2]), int(digits[2:4])
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]


def _issued(digits: str) -> bool:
    """Ranges in use: 320-399 Northern Ireland, 400-499 and 600-799 England, Wales and Man, 800-859 Ireland, 900- test."""
    first = int(digits[:3])
    return 320 <= first <= 499 or 600 <= first <= 859 or first >= 900


class NhsNumber(PatternDetector):
    """An NHS number (or Scottish CHI, or Northern Irish H&C number): ten digits whose check digit is right.

    Often mistaken for one: telephone numbers, order numbers and learner numbers; one ten-digit number in eleven passes
    the check by chance, so it is reported with certainty only beside words such as "NHS number", "patient" or "GP".
    """

    labels = ("nhs", "chi")
    wake = (r"\b\d{3}[ -]{0,2}\d{3}[ -]{0,2}\d{4}", r"\b\d{3}\.\d{3}\.\d{4}\b")
    # A spreadsheet takes the first nought of a CHI number away.
    patterns = (_TEN_DIGITS, _DOTTED, r"(?<![^\t\n|;,])(?P<short>[1-9]\d{8})(?![^\t\n\r|;,])")
    context = (
        *("nhs", "nhs no", "nhs number", "nhs num", "n.h.s. number", "national health service", "patient", "patients"),
        *(
            "gp",
            "surgery",
            "health visitor",
            "hospital",
            "camhs",
            "immunisation",
            "vaccination",
            "medical",
            "consultant",
        ),
        *("chi", "chi number", "community health index", "h&c", "h&c number", "health and care number", "clinic"),
        *("health record", "paediatrician", "nurse", "a&e", "prescription"),
    )
    headings = (
        *("nhs", "nhsno", "nhsnumber", "nhsnum", "chi", "chinumber", "chino", "hcnumber", "hc", "healthandcarenumber"),
        *("patientnumber", "patientno", "patientid"),
    )
    against = (
        *("order", "order number", "order no", "invoice", "invoice number", "invoice no", "isbn", "tracking number"),
        *("parcel", "tel", "telephone", "phone", "mobile", "fax", "call", "uln", "learner number", "utr"),
        *("unique learner number", "unique taxpayer reference", "reference", "reference number", "ref", "ref no"),
        *("ticket", "ticket number", "asset", "serial", "serial number", "barcode", "bar code", "job", "timestamp"),
        *("account", "account number", "po number", "purchase order", "meter", "mpan", "mprn", "booking", "version"),
        *("delivery note", "customer number", "quote", "quotation", "case number", "product code", "part number"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        digits = digits_of(match.group())
        if match.lastgroup == "short":
            digits = "0" + digits
            if residue(digits) or not is_chi_date(digits):
                return None
            return Reading(digits, Ladder(0.0, 0.0, 0.85), ("check digit valid", "first nought left out"), "chi")
        if all_equal(digits) or _DIALLED.search(match.string, max(0, match.start() - 5), match.start()):
            return None
        grouped = " " in match.group()
        if residue(digits):
            # Written in one piece, ten digits of any kind stand in many health letters: only the usual groups are a note.
            return Reading(digits, WRONG if grouped else Ladder(0.0, 0.0, 0.4), ("check digit wrong",))
        if is_chi_date(digits):
            # Every phone number and timestamp that happens to begin like a date would pass: words are needed.
            return Reading(digits, Ladder(0.3, 0.85, 0.95), ("check digit valid", "begins with a birth date"), "chi")
        if not _issued(digits):
            return Reading(digits, WRONG, ("check digit valid", "range never issued"))
        if match.lastgroup == "dotted":
            return Reading(digits, Ladder(0.0, 0.8, 0.95), ("check digit valid",))
        if "-" in match.group():
            return Reading(digits, Ladder(0.4, 0.85, 0.95), ("check digit valid",))
        alone = 0.6 if grouped else CHECKED.alone
        return Reading(digits, CHECKED._replace(alone=alone), ("check digit valid",))


class OldNhsNumber(PatternDetector):
    """An NHS number of before 1996, still found on older records and on adults' papers: letters and digits of some twenty
    forms, at most fifteen characters, most often four letters and a few digits (Vision Registration help, NHS numbers).

    None of them can be checked, so it is taken only straight beside "NHS number"; registration marks and postcodes look
    alike.
    """

    labels = ("nhs",)
    wake = (r"\bn\.?h\.?s\.? ?(?:no|num|id)",)
    patterns = (
        r"(?<![\w/-])[A-Z]{3,5} ?\d{1,4}(?:[ /]\d{1,3}){0,2}(?![\w/-])(?! \d)",
        r"(?<![\w/-])\d{1,3}[A-Z]{1,2}[ /]?\d{3,6}(?![\w/-])(?! \d)",
        r"(?<![\w/-])[A-Z]{1,2}\d{0,2}[ /]\d{3,6}(?![\w/-])(?! \d)",
    )
    context = (
        *("nhs number", "nhs no", "nhs num", "old nhs number", "old nhs no", "nhs id", "n.h.s. number", "n.h.s. no"),
        *("nhs numbers", "medical card number"),
    )
    headings = ("nhs", "nhsno", "nhsnumber", "nhsnum", "oldnhsnumber", "oldnhsno")
    against = ("postcode", "post code", "reg", "registration", "room", "class", "dob", "date of birth", "ref", "ni no")

    def read(self, match: re.Match[str]) -> Reading | None:
        written = match.group()
        letters = "".join(character for character in written if character.isalpha())
        digits = digits_of(written)
        if len(digits) < 2 or letters in _WORDS or all_equal(digits) or _NOT_OLD.fullmatch(written):
            return None
        return Reading(re.sub(r"[ /]", "", written), Ladder(0.0, 0.0, 0.75), ("form of before 1996",), "nhs")
