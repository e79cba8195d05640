"""Numbers of court cases and of social care records."""

from __future__ import annotations

import re

from detectors.base import Ladder, PatternDetector, Reading, all_equal, digits_of

_COURT = Ladder(0.3, 0.7, 0.9)


class CaseNumber(PatternDetector):
    """The number of a court case, or of a child or adult in a council's social care system.

    Behind it lies a record of proceedings, or of a family. Court numbers have known shapes; numbers of Liquidlogic, Mosaic,
    Eclipse and their like are plain integers of no form, so they count only straight after a word that names them. Often
    mistaken for them: support tickets ("case 12345678") and customer numbers.
    """

    labels = ("case_number", "social_care_id")
    wake = (
        r"\b\d{2}[a-z]{2}\d{7,8}",
        r"\b[a-z]{2}\d{2}[acdfpz]\d{5}",
        r"\b[a-z]\d{2}[a-z]{2}\d{3}\b",
        *(
            r"\b(?:lcs|ehm|ics|mosaic|liquidlogic|carefirst|azeus|eclipse)\b",
            r"social care",
            r"social work",
            r"early help",
        ),
        r"children'?s services",
    )
    reach = 120
    patterns = (
        # ministryofjustice/hmpps-person-record: police force, unit and running number of the prosecution, with its year.
        r"(?<![A-Za-z0-9])(?P<urn>\d{2}[A-Z]{2}\d{7,8})(?![A-Za-z0-9])",
        # HM Courts and Tribunals Service: court, year, kind (C children, D divorce, F and P family, Z private law), number.
        r"(?<![A-Za-z0-9])(?P<family>[A-Z]{2}\d{2}[ACDFPZ]\d{5})(?![A-Za-z0-9])",
        r"(?<![A-Za-z0-9])(?P<county>[A-Z]\d{2}[A-Z]{2}\d{3})(?![A-Za-z0-9])",
        r"(?<!\w)(?i:(?:LCS|EHM|ICS|Mosaic|Liquidlogic|CareFirst|Azeus|Eclipse)(?: (?:case|client|person|child|record))?"
        r" ?(?:ID|no|number|ref(?:erence)?|record)?)[.:# ]{0,4}(?P<care>\d{4,9})(?![\w/])(?![.-]\d)",
        r"(?<!\w)(?i:(?:social care|social work|early help|children'?s services) "
        r"(?:case |client |person |child |record )?(?:ID|no|number|ref(?:erence)?))[.:# ]{0,4}(?P<council>\d{4,9})(?![\w/])",
        r"(?<!\w)(?i:(?:case|client|person|child|family|service user) (?:ID|no|number|ref(?:erence)?))[.:# ]{0,4}"
        r"(?P<client>\d{5,9})(?![\w/])(?![.-]\d)",
    )
    context = (
        *(
            "court",
            "case number",
            "case no",
            "claim number",
            "claim no",
            "case urn",
            "urn",
            "hearing",
            "cps",
            "crown court",
        ),
        *(
            "magistrates",
            "magistrates'",
            "family court",
            "county court",
            "cafcass",
            "proceedings",
            "prosecution",
            "trial",
        ),
        *("social care", "social worker", "children's services"),
    )
    headings = (
        *(
            "casenumber",
            "courtcase",
            "caseurn",
            "claimnumber",
            "lcsid",
            "lcsnumber",
            "mosaicid",
            "socialcareid",
            "ehmid",
        ),
        *("liquidlogicid", "clientid"),
    )
    against = (
        "part number",
        "part",
        "order",
        "order number",
        "invoice",
        "serial",
        "serial number",
        "model",
        "sku",
        "room",
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        kind = match.lastgroup or ""
        value = match[kind].upper()
        if all_equal(digits_of(value)):
            return None
        if kind == "client":
            # A helpdesk has cases and clients as well: the words of social care must stand near.
            return Reading(value, Ladder(0.0, 0.6, 0.75), ("number of a case or client",), "social_care_id")
        if kind in ("care", "council"):
            return Reading(value, Ladder(0.8, 0.85, 0.9), ("number after the name of a care system",), "social_care_id")
        return Reading(value, _COURT, ("shape of a court's number",), "case_number")
