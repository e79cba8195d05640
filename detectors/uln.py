"""Unique learner numbers."""

from __future__ import annotations

import re

from detectors.base import WRONG, Ladder, PatternDetector, Reading, all_equal, digits_of
from detectors.nhs import residue


class UniqueLearnerNumber(PatternDetector):
    """A unique learner number (ULN): ten digits with a check digit, given to learners from the age of fourteen.

    Often mistaken for one: NHS numbers (never both at once), tax references and telephone numbers. It counts only beside
    words such as "ULN", "learner" or "awarding body", or under such a heading.
    """

    labels = ("uln",)
    wake = (r"\buln", r"\blearner", r"\b(?:lrs|ilr|plr)\b", r"awarding (?:body|organisation)", r"apprentice")
    reach = 340
    patterns = (r"(?<![\w+])(?<!\d[-.])[1-9]\d{2}[ -]?\d{3}[ -]?\d{4}(?!\w)(?!-\d)",)
    context = (
        *("uln", "ulns", "unique learner number", "learner number", "learner no", "learner", "learners", "lrs", "ilr"),
        *("plr", "personal learning record", "apprentice", "apprenticeship", "awarding body", "awarding organisation"),
    )
    headings = ("uln", "uniquelearnernumber", "learnernumber", "learnerno", "ulnnumber")
    against = (
        *(
            "nhs",
            "nhs number",
            "nhs no",
            "tel",
            "telephone",
            "phone",
            "mobile",
            "fax",
            "order",
            "order number",
            "invoice",
        ),
        *("utr", "unique taxpayer reference", "isbn", "reference", "ref", "ticket", "account number", "account"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        digits = digits_of(match.group())
        # 9999999999 is entered where the number is not known (HESA, Unique Learner Number).
        if all_equal(digits):
            return None
        # HESA: r = sum of the first nine digits x weights 10 to 2, modulo 11; r = 0 is never issued, check = 10 - r.
        if residue(digits) != 10:
            return Reading(digits, WRONG, ("check digit wrong",))
        return Reading(digits, Ladder(0.3, 0.8, 0.95), ("check digit valid",))
