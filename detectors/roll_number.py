"""Roll numbers of building society accounts."""

from __future__ import annotations

import re

from detectors.base import Ladder, PatternDetector, Reading, all_equal, digits_of


class RollNumber(PatternDetector):
    """The roll number under which a building society keeps an account: letters and digits of no common form.

    With sort code and account number it is all that is needed to pay in. It is taken only straight after its name; honours
    boards and school registers have roll numbers of their own, which are short.
    """

    labels = ("roll_number",)
    wake = (r"\broll (?:no|number|ref)",)
    reach = 60
    patterns = (
        r"(?<!\w)(?i:roll (?:no|number|ref(?:erence)?))[.:# ]{0,4}"
        r"(?P<number>(?=[A-Z0-9./-]{0,10}\d)[A-Z0-9][A-Z0-9./ -]{5,20}[A-Z0-9])(?![\w/])",
    )
    context = (
        *(
            "building society",
            "account",
            "account number",
            "sort code",
            "bank",
            "bank details",
            "bacs",
            "salary",
            "payee",
        ),
        *("nationwide", "yorkshire", "skipton", "leeds", "coventry", "savings", "mortgage"),
    )
    headings = ("rollnumber", "rollno", "buildingsocietyroll", "buildingsocietyrollnumber")
    against = ("pupil", "register", "admission", "school")

    def read(self, match: re.Match[str]) -> Reading | None:
        value = re.sub(r"[\s./-]", "", match["number"])
        digits = digits_of(value)
        if len(digits) < 6 or all_equal(digits):
            return None
        return Reading(value, Ladder(0.5, 0.75, 0.85), ("after its name",))
