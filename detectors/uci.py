"""Unique candidate identifiers of the examination boards."""

from __future__ import annotations

import re

from detectors.base import WRONG, Ladder, PatternDetector, Reading

# WJEC, Unique Candidate Identifiers: weights 16 to 5, modulo 17, the remainder picks a letter.
_LETTERS = "ABCDEFGHKLMRTVWXY"


class UniqueCandidateIdentifier(PatternDetector):
    """A unique candidate identifier (UCI), under which examination boards keep a candidate's entries and results.

    Thirteen characters: centre, board, year, candidate and a check letter. Stock and asset codes look alike.
    """

    labels = ("uci",)
    wake = (r"\b\d{5}[0-9a-z]\d{2}\d{4}[a-z]",)
    patterns = (r"(?<![A-Za-z0-9])\d{5}[0-9A-Za-z]\d{6}[A-Za-z](?![A-Za-z0-9])",)
    context = (
        *("uci", "ucis", "unique candidate identifier", "candidate", "candidates", "candidate number", "exam entry"),
        *("exam entries", "statement of entry", "jcq", "access arrangements", "results", "awarding body", "gcse"),
    )
    headings = ("uci", "ucinumber", "uniquecandidateidentifier", "candidateuci")

    def read(self, match: re.Match[str]) -> Reading | None:
        value = match.group().upper()
        body = [int(each) if each.isdigit() else ord(each) - ord("A") + 1 for each in value[:12]]
        remainder = sum(number * weight for number, weight in zip(body, range(16, 4, -1), strict=True)) % 17
        if _LETTERS[remainder] != value[12]:
            return Reading(value, WRONG, ("check letter wrong",))
        return Reading(value, Ladder(0.65, 0.85, 0.95), ("check letter valid",))
