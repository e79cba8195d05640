"""Street addresses."""

from __future__ import annotations

import re

from detectors.base import Ladder, PatternDetector, Reading
from detectors.postcode import AREAS, SHAPE

_STREETS = (
    "Road|Rd|Street|St|Lane|Ln|Close|Cl|Avenue|Ave|Drive|Dr|Crescent|Cres|Court|Ct|Gardens|Gdns|Grove|Place|Pl|Terrace|Way|Mews|Hill"
    "|Park|View|Rise|Walk|Row|Square|Green|Parade|Croft|Fold|Meadow|Meadows|Vale|Wynd|Brae|Parc|Heol"
)
_POSTCODE = re.compile(SHAPE)
_NOT_A_STREET = frozenset(
    {"Year", "Room", "Key", "Stage", "Phase", "Class", "Block", "January", "February", "March", "April", "May", "June"}
    | {"July", "August", "September", "October", "November", "December", "Minutes", "Hours", "Days", "Weeks"}
)


class Address(PatternDetector):
    """A house number with the name of a street, surer with a postcode after it or words such as "lives at" before it.

    Often mistaken for one: numbers of things in parks, courts and drives ("24 Tennis Court"); a postcode nearby or a
    word that speaks of an address decides.
    """

    labels = ("address",)
    wake = (rf"\b\d{{1,4}}[a-z]?,? {{1,2}}[a-z][a-z'-]{{1,20}} (?:[a-z'-]{{1,20}} ){{0,2}}(?:{_STREETS})\b",)
    reach = 200
    patterns = (
        rf"(?<![\w/.:£$-])(?:Flat \d{{1,4}}[A-Za-z]?,? )?\d{{1,4}}(?:-\d{{1,4}})?[A-Za-z]?,? {{1,2}}(?P<street>[A-Z][A-Za-z'’-]{{1,20}})"
        rf"(?: [A-Z][A-Za-z'’-]{{1,20}}){{0,2}} (?:{_STREETS})\b(?P<tail>(?:[,.]? {{0,2}}\n?[^\d\n]{{0,40}}){{0,3}}?{SHAPE})?",
    )
    context = (
        *("address", "home address", "lives at", "living at", "live at", "resides at", "moved to", "moving to"),
        *("his house", "her house", "their house", "new house", "home visit", "dropped home", "deliver to", "lives on"),
    )
    headings = ("address", "homeaddress", "address1", "addressline1", "street", "parentaddress", "postaladdress")
    against = ("page", "pages", "year", "section", "chapter", "exercise", "lesson")

    def read(self, match: re.Match[str]) -> Reading | None:
        if match["street"] in _NOT_A_STREET:
            return None
        value = " ".join(match.group().split())
        postcode = _POSTCODE.search(match["tail"] or "")
        if postcode is not None and re.sub(r"[\d].*", "", postcode.group()) in AREAS:
            return Reading(value, Ladder(0.75, 0.85, 0.95), ("house number and street", "postcode after it"))
        return Reading(value, Ladder(0.5, 0.75, 0.85), ("house number and street",))
