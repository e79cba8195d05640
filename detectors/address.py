"""Street addresses."""

from __future__ import annotations

import re

from detectors.base import Ladder, PatternDetector, Reading
from detectors.postcode import AREAS, SHAPE

_STREETS = (
    "Road|Rd|Street|St|Lane|Ln|Close|Cl|Avenue|Ave|Drive|Dr|Crescent|Cres|Court|Ct|Gardens|Gdns|Grove|Place|Pl|Terrace|Way|Mews|Hill"
    "|Park|View|Rise|Walk|Row|Square|Green|Parade|Croft|Fold|Meadow|Meadows|Vale|Wynd|Brae|Parc|Heol"
)
_POSTCODE = re.compile(SHAPE, re.IGNORECASE)
_NAME = r"[A-Z][A-Za-z'’-]{1,20}"
_FLAT = r"(?i:flat|apartment|apt\.?|studio|unit|caravan|room) ?\d{1,4}[A-Za-z]?(?: {0,2}[,\n] {0,2}| {1,2})"
_NUMBER = r"\d{1,4}(?:-\d{1,4})?[A-Za-z]?,? {1,2}"
# Words that end the name of a house; with a street after it no number is needed.
_HOUSES = "Cottage|House|Farm|Lodge|Bungalow|Barn|Mill|Forge|Hall|Manor|Villa|Croft|Court|Rectory|Vicarage|Stables|Schoolhouse|Gatehouse"
# Up to two lines or pieces between commas: village, town, county.
_TOWN = rf"(?:(?:, ?| ?\n){_NAME}(?: [A-Za-z][A-Za-z'’-]{{1,20}}){{0,3}}){{0,3}}"
_THEN_POSTCODE = rf"(?:,? {{0,2}}|,? ?\n)(?P<code>{SHAPE})(?!\w)"
_NUMBERED, _NAMED = "house number and street", "name of a house and street"
_START = r"(?<![\w/.:£$-])"
# What stands before the address of a person's home: "aged 4, of 31 Beck Street", "lives 14 Tannery Row".
_HOME = re.compile(
    r"(?:\baged? \d{1,2}\)?,? (?:of|from|at)|\b[A-Z][a-z'’-]{1,20}\)?,? of|\b(?:lives?|living|lived|resides?|residing|resident)"
    r"(?: (?:at|in|on|with [^.\n]{1,20} at))?|\bhome(?: address)?:?(?: is)?) {1,2}\Z"
)
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
    wake = (
        rf"\b\d{{1,4}}[a-z]?,? {{1,2}}[a-z][a-z'-]{{1,20}} (?:[a-z'-]{{1,20}} ){{0,2}}(?:{_STREETS})\b",
        rf"(?:{_HOUSES}), ?[a-z][a-z'-]{{1,20}} (?:[a-z'-]{{1,20}} )?(?:{_STREETS})\b",
        r"\b[a-z]{1,2}\d[a-z\d]? {0,2}\d[abd-hjlnp-uw-z]{2}\b",
    )
    reach = 200
    patterns = (
        rf"(?<![\w/.:£$-])(?:Flat \d{{1,4}}[A-Za-z]?,? )?\d{{1,4}}(?:-\d{{1,4}})?[A-Za-z]?,? {{1,2}}(?P<street>[A-Z][A-Za-z'’-]{{1,20}})"
        rf"(?: [A-Z][A-Za-z'’-]{{1,20}}){{0,2}} (?:{_STREETS})\b(?P<tail>(?:[,.]? {{0,2}}\n?[^\d\n]{{0,40}}){{0,3}}?{SHAPE})?",
        # A number or flat, a name, perhaps a town, and a postcode: an address whatever the street is called.
        rf"{_START}(?:{_FLAT}(?:{_NUMBER})?|{_NUMBER})(?P<name>{_NAME})(?: {_NAME}){{0,3}}{_TOWN}{_THEN_POSTCODE}",
        # The name of a house and a street.
        rf"{_START}(?P<house>(?:The )?(?:{_NAME} ){{0,2}}(?:{_HOUSES})), ?{_NAME}(?: {_NAME}){{0,2}} (?:{_STREETS})\b"
        rf"(?:{_TOWN}{_THEN_POSTCODE})?",
        rf"{_START}(?P<villa>{_NAME}), ?{_NAME}(?: {_NAME}){{0,2}} (?:{_STREETS})\b{_TOWN}{_THEN_POSTCODE}",
        # All in small letters, as typed on a telephone.
        rf"{_START}(?:flat \d{{1,4}}[a-z]?,? )?\d{{1,4}}(?:-\d{{1,4}})?[a-z]?,? (?P<small>[a-z]{{2,20}})(?: [a-z]{{2,20}})?"
        rf" (?:{_STREETS.lower()})\b(?:(?:, ?| ?\n)[a-z]{{2,20}}(?: [a-z]{{2,20}}){{0,2}}){{0,3}}"
        rf"(?:(?:,? {{0,2}}|,? ?\n)(?P<lower>(?i:{SHAPE}))(?!\w))?",
    )
    context = (
        *("address", "home address", "lives at", "living at", "live at", "resides at", "moved to", "moving to"),
        *(
            "lives",
            "lives in",
            "living in",
            "lived at",
            "is living at",
            "home is",
            "now at",
            "staying at",
            "based at home",
        ),
        *("his house", "her house", "their house", "new house", "home visit", "dropped home", "deliver to", "lives on"),
    )
    headings = ("address", "homeaddress", "address1", "addressline1", "street", "parentaddress", "postaladdress")
    against = (
        *(
            "page",
            "pages",
            "year",
            "section",
            "chapter",
            "exercise",
            "lesson",
            "school",
            "academy",
            "college",
            "office",
        ),
        *("centre", "hospital", "clinic", "surgery", "venue", "depot", "shop", "store", "warehouse", "church", "hotel"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        groups = match.groupdict()
        first = groups.get("street") or groups.get("name") or groups.get("villa") or ""
        if first in _NOT_A_STREET:
            return None
        value = " ".join(match.group().split())
        home = _HOME.search(match.string, max(0, match.start() - 50), match.start()) is not None
        code = _POSTCODE.search(groups.get("tail") or groups.get("code") or groups.get("lower") or "")
        if code is not None and re.sub(r"[\d].*", "", code.group().upper()) in AREAS:
            return Reading(
                value, Ladder(0.75, 0.85, 0.95), (_NAMED if groups.get("house") else _NUMBERED, "postcode after it")
            )
        if groups.get("name") or groups.get("villa"):
            return None
        if groups.get("small"):
            return Reading(value, Ladder(0.0, 0.5, 0.75), ("house number and street in small letters",))
        alone = 0.75 if home else 0.5
        return Reading(value, Ladder(alone, max(alone, 0.75), 0.85), (_NAMED if groups.get("house") else _NUMBERED,))
