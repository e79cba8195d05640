"""DBS certificate numbers."""

from __future__ import annotations

import re

from detectors.base import SHAPE, PatternDetector, Reading, all_equal, digits_of


class DbsCertificate(PatternDetector):
    """The number of a Disclosure and Barring Service certificate: twelve digits.

    Nothing in the number can be checked; bar codes and card-like numbers look alike, so it counts only beside words such
    as "DBS" or "disclosure certificate", or under such a heading.
    """

    labels = ("dbs_certificate",)
    wake = (r"\bdbs\b", r"\bcrb\b", r"barring", r"barred list", r"disclosure", r"update service")
    reach = 340
    # The second is how people write it, the third the reference of a paper form.
    patterns = (
        r"(?<![\w+.-])\d{12}(?!\w)(?!-\d)",
        r"(?<![\w+.-])\d{4} \d{4} \d{4}(?![ ]?\w*\d)",
        r"(?<![\w+.-])[Ff]\d{10,11}(?![\w-])",
    )
    context = (
        *("dbs", "dbs number", "dbs certificate", "dbs certificate number", "dbs cert", "disclosure and barring"),
        *("disclosure certificate", "disclosure number", "enhanced disclosure", "certificate number", "barred list"),
        *("update service", "crb", "crb number", "enhanced dbs", "disclosure"),
    )
    headings = (
        *(
            "dbs",
            "dbsnumber",
            "dbsno",
            "dbscertificate",
            "dbscertificatenumber",
            "dbscertificateno",
            "crb",
            "crbnumber",
        ),
        *("disclosurenumber", "certificatenumber", "dbsdisclosurenumber"),
    )
    against = (
        *("order", "order number", "invoice", "tel", "telephone", "phone", "mobile", "barcode", "bar code", "tracking"),
        *("tracking number", "parcel", "account number", "card number", "serial number", "meter"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        digits = digits_of(match.group())
        if all_equal(digits):
            return None
        if match.group()[0] in "Ff":
            return Reading("F" + digits, SHAPE, ("reference of a form",))
        return Reading(digits, SHAPE, ("twelve digits",))
