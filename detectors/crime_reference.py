"""References of the police and of criminal courts that lead to an incident and the people in it."""

from __future__ import annotations

import re

from detectors.base import Ladder, PatternDetector, Reading

# No national form exists: the shapes in use, found only beside words that name them.
_NEAR_ONLY = Ladder(0.0, 0.5, 0.8)


class CrimeReference(PatternDetector):
    """A crime, incident or custody reference of the police.

    Whoever has it can ask the police about the incident, and it says that a person has to do with one. No check exists;
    invoice and purchase-order numbers look alike, so it counts only beside words such as "crime reference", "CAD" or
    "police log".
    """

    labels = ("crime_reference",)
    wake = (
        *(r"\bcrime\b", r"\bcad\b", r"\bcrns?\b", r"\bpolice\b", r"\bcustody\b", r"\bincident (?:no|number|ref|log)"),
        *(r"\boic\b", r"\boccurrence (?:no|number)"),
    )
    reach = 340
    patterns = (
        r"(?<![\w/.-])\d{7}/\d{2}(?![\w/])(?!-\d)",
        r"(?<![\w/.-])\d{2}[/*]\d{5,7}[/*]\d{2}(?![\w/])",
        r"(?<![\w/.-])\d{2}[/*]\d{5,7}(?![\w/])(?!-\d)",
        # Force code, year, running number.
        r"(?<![\w/.+-])\d{2}(?:19|2\d)\d{7}(?![\w/])(?![.-]\d)",
        r"(?<![\w/.+-])[1-9]\d{10}(?![\w/])(?![.-]\d)",
        # Control room: running number of the day and the date.
        r"(?i:(?<!\w)CAD ?(?:no\.? ?|number ?|ref\.? ?)?\d{1,5}(?:/| of )\d{1,2}[ /.-]?(?:[a-z]{3,9}|\d{1,2})[ /.-]?(?:20)?\d{2}(?!\w))",
        r"(?<![\w/.-])\d{1,5}/\d{1,2}(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)(?:20)?\d{2}(?!\w)",
        r"(?<![\w/.-])[A-Z]{2,4}[/-]\d{5,8}[/-]\d{2}(?![\w/])",
    )
    context = (
        *("crime", "crime ref", "crime reference", "crime reference number", "crime no", "crime number", "crn", "cad"),
        *("cad ref", "cad number", "incident number", "incident ref", "incident reference", "incident log", "police"),
        *("police ref", "police reference", "police log", "police incident", "log number", "custody", "custody record"),
        *("custody number", "oic", "officer in the case", "occurrence number", "nfa", "victim"),
    )
    headings = (
        "crimeref",
        "crimereference",
        "crimeno",
        "crimenumber",
        "policeref",
        "cad",
        "incidentnumber",
        "custodynumber",
    )
    against = (
        *(
            "order",
            "order number",
            "invoice",
            "invoice number",
            "po number",
            "purchase order",
            "phone",
            "tel",
            "mobile",
        ),
        *(
            "account",
            "account number",
            "charity number",
            "company number",
            "dob",
            "date of birth",
            "ticket",
            "ticket number",
        ),
        *("drawing", "file", "meter", "trn", "quote", "licence", "parking", "unit"),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        value = " ".join(match.group().split())
        if value[:3].upper() == "CAD":
            return Reading(value, Ladder(0.5, 0.75, 0.9), ("a control room's number with its date",))
        return Reading(value, _NEAR_ONLY, ("shape of a police reference",))
