"""Vehicle registration marks."""

from __future__ import annotations

import re

from detectors.base import SHAPE, Ladder, PatternDetector, Reading


class RegistrationMark(PatternDetector):
    """The registration mark of a vehicle, in capitals and beside words such as "registration" or "number plate".

    Often mistaken for one: a postcode district and the next word ("SE10 and"), rooms and dates.
    """

    labels = ("vrn",)
    wake = (
        *(r"\breg(?:istration)?s?\b", r"\bvrn\b", r"number ?plate", r"car park", r"\bv5c?\b", r"\bmot\b", r"\bvehicle"),
        *(r"\bparked\b", r"\bcar\b"),
    )
    reach = 340
    patterns = (
        r"(?<![\w-])(?P<age>[A-HJ-PR-Y][A-HJ-PR-Z](?P<id>\d{2}) ?[A-HJ-PR-Z]{3})(?![\w-])",
        r"(?<![\w-])[A-HJ-NP-TV-Y]\d{1,3} ?[A-HJ-PR-Y]{3}(?![\w-])",
        r"(?<![\w-])[A-HJ-PR-Y]{3} ?\d{1,3}[A-HJ-NPR-TV-Y](?![\w-])",
        # Northern Ireland: a letter and the two of a county, which have an I or a Z.
        # Without a sign of its age, as on old and on cherished marks.
        r"(?<![\w-])(?P<dateless>[A-HJ-PR-Y]{1,3} \d{1,4}|\d{1,4} [A-HJ-PR-Y]{2,3})(?![\w-])",
        r"(?<![\w-])[A-HJ-PR-Z](?:I[ABGJLWZ]|[JOUX]I|[A-HJ-PR-Z]Z) ?\d{1,4}(?![\w-])",
    )
    context = (
        *("registration", "registration number", "registration mark", "reg", "reg no", "reg number", "car reg", "vrn"),
        *("vehicle reg", "number plate", "numberplate", "v5c", "vehicle registration", "vehicle", "car park permit"),
    )
    headings = (
        "reg",
        "registration",
        "vrn",
        "carreg",
        "carregistration",
        "vehiclereg",
        "vehicleregistration",
        "numberplate",
    )
    against = (
        "room",
        "form",
        "flight",
        "order",
        "postcode",
        "year",
        "reg group",
        "registration group",
        "class",
        "course",
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        value = match.group().replace(" ", "")
        identifier = match.groupdict().get("id")
        # DVLA INF104: age identifiers in use run 02 to 29 for March and 51 to 79 for September.
        if identifier and not (2 <= int(identifier) <= 29 or 51 <= int(identifier) <= 79):
            return None
        if match.lastgroup == "dateless":
            return Reading(value, Ladder(0.0, 0.0, 0.6), ("shape of a mark without a year",))
        return Reading(value, SHAPE, ("shape of a registration mark",))
