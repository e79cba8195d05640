"""Police National Computer identifiers."""

from __future__ import annotations

import re

from detectors.base import STRONG, WRONG, PatternDetector, Reading

_LETTERS = "ZABCDEFGHJKLMNPQRTUVWXY"


class PncId(PatternDetector):
    """A Police National Computer identifier: year, seven digits and a check letter. It says that somebody has a record."""

    labels = ("pnc_id",)
    wake = (r"\b(?:\d{2})?\d{2}/\d{7}[a-z]",)
    patterns = (r"(?<![\w/-])(?P<year>(?:19|20)?\d{2})/(?P<serial>\d{7})(?P<letter>[A-Za-z])(?![\w/-])",)
    context = (
        "pnc",
        "pnc id",
        "pnc number",
        "police national computer",
        "police",
        "offence",
        "custody",
        "arrest",
        "caution",
    )
    headings = ("pnc", "pncid", "pncnumber", "pncno")

    def read(self, match: re.Match[str]) -> Reading | None:
        value = match.group().upper()
        # ministryofjustice/hmpps-person-record: two-figure year and serial as one number, modulo 23.
        if _LETTERS[int(match["year"][-2:] + match["serial"]) % 23] != match["letter"].upper():
            return Reading(value, WRONG, ("check letter wrong",))
        return Reading(value, STRONG, ("check letter valid",))
