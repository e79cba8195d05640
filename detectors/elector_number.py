"""Numbers on the electoral register."""

from __future__ import annotations

import re

from detectors.base import Ladder, PatternDetector, Reading


class ElectorNumber(PatternDetector):
    """A number on the electoral register: the letters of the polling district and a running number.

    With the register it leads to a name and address. Room numbers and postcode districts have the same shape, so it counts
    only within 60 characters of words such as "electoral roll", "elector number" or "nomination form".
    """

    labels = ("elector_number",)
    wake = (r"\belector", r"\bpolling (?:district|number|card)", r"\bpoll card", r"nomination (?:form|paper)")
    reach = 120
    patterns = (r"(?<![\w-])[A-Z]{2,3}\d?[ /-]?\d{1,4}(?:/\d)?(?![\w/-])",)
    context = (
        *("elector number", "elector no", "electoral number", "electoral roll", "electoral roll number", "poll card"),
        *("electoral register", "electoral registration", "nomination form", "nomination paper", "council nomination"),
        *("polling number", "polling district", "elector"),
    )
    headings = ("electornumber", "electoralnumber", "electoralrollnumber", "electorno", "pollingnumber")
    against = ("room", "postcode", "flight", "class", "form", "bus", "module", "unit", "version", "page", "item")

    def read(self, match: re.Match[str]) -> Reading | None:
        value = re.sub(r"[ /-]", "", match.group())
        return Reading(value, Ladder(0.0, 0.0, 0.75), ("shape of an elector's number",))
