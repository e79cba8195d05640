"""Candidate numbers of public examinations."""

from __future__ import annotations

import re

from detectors.base import Ladder, PatternDetector, Reading, all_equal


class CandidateNumber(PatternDetector):
    """The four-figure number under which a school enters a candidate for an examination.

    Every school uses the same numbers, so it says who is meant only together with the school or a name. Often mistaken
    for one: years, room and paper numbers; it counts only beside words that name it, or under such a heading. The centre
    number (five digits) is a school's and never personal.
    """

    labels = ("candidate_number",)
    wake = (r"\bcand(?:idate)?s?\b", r"\bexam(?:ination)? (?:no|number)\b")
    reach = 120
    # JCQ, instructions for conducting examinations: four digits, 0001 to 9999.
    # "23456/0147" is the centre and the candidate, as on an entry.
    patterns = (
        r"(?<![\w£.,/:-])\d{4}(?![\w/:%]|[.,-]\d)",
        r"(?<![\w£.,/:-])[1-9]\d{4} ?[/:-] ?(?P<candidate>\d{4})(?![\w/:%]|[.,-]\d)",
    )
    context = (
        *(
            "candidate number",
            "candidate numbers",
            "candidate no",
            "candidate no.",
            "candidate nos",
            "cand no",
            "cand. no",
        ),
        *("cand no.", "candidate", "cand", "cand number", "exam number", "exam no", "examination number"),
    )
    headings = ("candidatenumber", "candidateno", "candno", "candnumber", "examnumber", "examno", "candidate", "cand")
    against = (
        *(
            "centre",
            "centre number",
            "centre no",
            "paper",
            "unit",
            "component",
            "code",
            "in",
            "since",
            "summer",
            "june",
        ),
        *("january", "november", "may", "room", "specification", "entry code", "ext", "extension", "year", "of"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        digits = match.groupdict().get("candidate") or match.group()
        if all_equal(digits):
            return None
        if match.lastgroup == "candidate":
            return Reading(digits, Ladder(0.0, 0.0, 0.75), ("centre and candidate number",))
        if 1990 <= int(digits) <= 2039:
            return Reading(digits, Ladder(0.0, 0.0, 0.4), ("four digits that may be a year",))
        return Reading(digits, Ladder(0.0, 0.0, 0.65), ("four digits",))
