"""Identifiers of the Police National Computer and the Criminal Records Office."""

from __future__ import annotations

import re

from detectors.base import STRONG, WRONG, Ladder, PatternDetector, Reading

_LETTERS = "ZABCDEFGHJKLMNPQRTUVWXY"


class PncId(PatternDetector):
    """A Police National Computer identifier or a Criminal Records Office number, each with a check letter.

    It says that somebody has a record, or was arrested. Often mistaken for one: case and drawing numbers with a year; the
    check letter rules out all but one in 23 of them.
    """

    labels = ("pnc_id", "cro_number")
    wake = (r"\b(?:\d{2})?\d{2}/\d{7}[a-z]", r"\b\d{1,6}/\d{2}[a-z]\b")
    patterns = (
        r"(?<![\w/-])(?P<year>(?:19|20)?\d{2})/(?P<serial>\d{7})(?P<letter>[A-Za-z])(?![\w/-])",
        r"(?<![\w/-])(?P<number>\d{1,6})/(?P<registered>\d{2})(?P<mark>[A-Z])(?![\w/-])",
    )
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
        "cro",
        "cro number",
        "cro no",
        "criminal records office",
        "criminal record",
    )
    headings = ("pnc", "pncid", "pncnumber", "pncno", "cro", "cronumber", "crono")

    def read(self, match: re.Match[str]) -> Reading | None:
        value = match.group().upper()
        if match.lastgroup == "mark":
            # The same letters, of the two-figure year and the number filled up to six digits (85227/65L).
            if _LETTERS[int(match["registered"] + match["number"].zfill(6)) % 23] != match["mark"]:
                return None
            return Reading(value, Ladder(0.3, 0.8, 0.95), ("check letter valid",), "cro_number")
        # ministryofjustice/hmpps-person-record: two-figure year and serial as one number, modulo 23.
        if _LETTERS[int(match["year"][-2:] + match["serial"]) % 23] != match["letter"].upper():
            return Reading(value, WRONG, ("check letter wrong",))
        return Reading(value, STRONG, ("check letter valid",))
