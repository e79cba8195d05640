"""Papers of people who came from abroad: residence permits and the references of the Home Office."""

from __future__ import annotations

import re

from detectors.base import Ladder, PatternDetector, Reading, all_equal, digits_of

_PERMIT = Ladder(0.45, 0.8, 0.95)
_REFERENCE = Ladder(0.0, 0.55, 0.85)


class ResidencePermit(PatternDetector):
    """The number of a biometric residence permit or card, or a Home Office reference: share code, GWF, UAN or CAS number.

    It opens somebody's immigration record, and says where they stand in it. Cards ran out at the end of 2024, but copies
    lie in staff files. Often mistaken for one: part numbers of two letters and seven digits, and passports of other
    countries; the references count only beside words that name them.
    """

    labels = ("brp", "immigration_reference")
    wake = (
        *(r"\b[a-z]{2}[x\d]\d{6}", r"\bbrps?\b", r"residence permit", r"\bshare ?codes?\b", r"\bgwf ?\d", r"\buan\b"),
        *(r"\bcas (?:no|number|ref)", r"confirmation of acceptance", r"home office", r"right to work", r"\bevisas?\b"),
    )
    reach = 340
    patterns = (
        # GOV.UK, right to work checks: two letters, then X or a digit, then six digits.
        r"(?<![A-Za-z0-9])(?P<permit>[A-Z]{2}[X\d]\d{6})(?![A-Za-z0-9])",
        r"(?<![A-Za-z0-9])(?P<gwf>GWF ?\d{9})(?![A-Za-z0-9])",
        r"(?<![\w-])(?P<uan>\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4})(?![\w-])",
        # GOV.UK, share codes: nine letters and digits, W for work, R for rent, S for other purposes first.
        r"(?<![A-Za-z0-9])(?P<share>[WRS][A-Z0-9]{2} ?[A-Z0-9]{3} ?[A-Z0-9]{3})(?![A-Za-z0-9])",
        # Two figures of the year in which it was given, then letters and digits, fourteen in all.
        r"(?<![A-Za-z0-9])(?P<cas>[A-Z]\d[A-Z][A-Z0-9]\d{2}[A-Z]\d{5}[A-Z]\d|E4G[A-Z0-9]{11})(?![A-Za-z0-9])",
    )
    context = (
        *(
            "brp",
            "brp number",
            "brp card",
            "residence permit",
            "biometric residence permit",
            "residence card",
            "share code",
        ),
        *(
            "sharecode",
            "right to work",
            "home office",
            "home office reference",
            "immigration",
            "visa",
            "leave to remain",
        ),
        *("evisa", "e-visa", "gwf", "uan", "unique application number", "cas", "cas number", "sponsor licence", "ukvi"),
        *("confirmation of acceptance for studies", "settled status", "pre-settled status"),
    )
    headings = ("brp", "brpnumber", "residencepermit", "sharecode", "visanumber", "gwf", "uan", "casnumber", "rtwcode")
    against = (
        *(
            "part number",
            "part no",
            "part",
            "order",
            "order number",
            "invoice",
            "serial",
            "serial number",
            "model",
            "sku",
        ),
        *(
            "asset",
            "asset number",
            "passport",
            "passport number",
            "flight",
            "booking reference",
            "postcode",
            "card number",
        ),
    )

    def read(self, match: re.Match[str]) -> Reading | None:
        value = re.sub(r"[ -]", "", match.group())
        if all_equal(digits_of(value) or "0"):
            return None
        if match.lastgroup == "permit":
            return Reading(
                value, _PERMIT if value[2] == "X" else _PERMIT._replace(alone=0.25), ("shape of a permit",), "brp"
            )
        if match.lastgroup == "share" and not (any(map(str.isdigit, value)) and any(map(str.isalpha, value[1:]))):
            return None
        ladder = _PERMIT if match.lastgroup == "gwf" else _REFERENCE
        return Reading(value, ladder, ("shape of a Home Office reference",), "immigration_reference")
