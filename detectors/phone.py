"""Telephone numbers."""

from __future__ import annotations

import re

import phonenumbers

from detectors.base import Ladder, PatternDetector, Reading, all_equal, digits_of

# Ofcom, telephone numbers for drama: reserved and never anybody's, so libphonenumber calls them invalid; our own texts
# and tests use them, and a real number has the same shape.
_DRAMA = re.compile(r"(?:7700900\d{3}|1632960\d{3}|1154960\d{3}|2890180\d{3})\Z")


class Phone(PatternDetector):
    """A telephone number of the United Kingdom, as libphonenumber knows its ranges.

    A mobile number is nearly always a person's; area, 03 and 08 numbers are often an organisation's switchboard and
    count for less. Order numbers and identifiers of ten digits do not begin with 0 and are not taken for one.
    """

    labels = ("phone",)
    wake = (
        r"(?:\+44|\b0044|\(?0)[ ().-]{0,4}[1-9](?:[ ().-]{0,3}\d){8,9}",
        r"\b0[1-9]\d{2,3} ?/ ?\d{3} ?\d{3}",
        r"\b[1-37]\d{3} ?\d{6}\b",
    )
    patterns = (
        r"(?<![\w.+/-])(?<!\d )(?:\+44|0044|\(?0(?=[1-9(]))(?:[ ().-]{0,4}\d){9,11}(?:(?: ?x ?| ?ext\.? ?)\d{2,5})?(?![\w/])(?![.-]\d)",
        # The code of an area or network parted by a slash, as on the Continent; a date has no such group.
        r"(?<![\w.+/-])0[1-9]\d{2,3} ?/ ?\d{3} ?\d{3,4}(?![\w/])(?![.-]\d)",
        # A spreadsheet takes the first nought away; only a heading or a word tells it from other ten digits.
        r"(?<![\w+./-])(?<!\d )(?P<short>7\d{3} ?\d{6})(?![\w/])(?![.-]\d)",
        r"(?<![^\t\n|;,])(?P<cell>[1-3]\d{3} ?\d{6})(?![^\t\n\r|;,])",
    )
    context = (
        *("tel", "tel no", "telephone", "telephone number", "phone", "phone number", "mobile", "mob", "mobile number"),
        *("cell", "call", "ring", "text", "whatsapp", "contact", "contact number", "emergency contact", "home number"),
        *(
            "number is",
            "reach me",
            "reach her",
            "reach him",
            "landline",
            "fax",
            "t:",
            "m:",
            "mum",
            "dad",
            "mother",
            "father",
        ),
    )
    headings = (
        *(
            "phone",
            "telephone",
            "tel",
            "mobile",
            "mobilephone",
            "mobilenumber",
            "homephone",
            "hometelephone",
            "contactnumber",
        ),
        *(
            "phonenumber",
            "telephonenumber",
            "emergencycontact",
            "emergencynumber",
            "contact",
            "parentmobile",
            "workphone",
        ),
        *("parentphone", "mobileno", "telno", "contactno", "emergencyphone", "landline"),
    )
    against = (
        *(
            "nhs number",
            "nhs no",
            "uln",
            "utr",
            "order",
            "order number",
            "invoice",
            "invoice number",
            "reference",
            "ref",
        ),
        *("isbn", "account number", "serial", "serial number", "barcode", "bar code", "tracking number", "version"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        written = re.split(r" ?(?:x|ext)", match.group(), maxsplit=1)[0]
        digits = digits_of(written)
        national = digits.removeprefix("00").removeprefix("44").removeprefix("0") if not digits.startswith("0") else ""
        national = national or digits.removeprefix("0044").removeprefix("0").removeprefix("0")
        if all_equal(national) or len(national) not in (9, 10):
            return None
        if not _DRAMA.match(national):
            try:
                number = phonenumbers.parse("+44" + national)
            except phonenumbers.NumberParseException:
                return None
            if not phonenumbers.is_valid_number(number):
                return None
        if match.groupdict().get("short") or match.groupdict().get("cell"):
            return Reading("0" + national, Ladder(0.0, 0.0, 0.8), ("first nought left out",))
        if national[0] == "7":
            return Reading("0" + national, Ladder(0.65, 0.8, 0.9), ("mobile number",))
        if national[0] in "12":
            return Reading("0" + national, Ladder(0.5, 0.65, 0.75), ("landline number",))
        return Reading("0" + national, Ladder(0.3, 0.5, 0.6), ("organisation's or service number",))
