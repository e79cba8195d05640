"""UK postcodes."""

from __future__ import annotations

import re

from detectors.base import Ladder, PatternDetector, Reading

# Royal Mail postcode areas, with BF and BX; a shape without a real area is not a postcode.
AREAS = frozenset(
    (
        "AB AL B BA BB BD BF BH BL BN BR BS BT BX CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX "
        "FK FY G GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN "
        "NP NR NW OL OX PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB "
        "W WA WC WD WF WN WR WS WV YO ZE"
    ).split()
)
# Outward code, up to two spaces, inward code; the last two letters are never C I K M O V (Royal Mail, PAF digest).
SHAPE = r"[A-Z]{1,2}\d[A-Z\d]? {0,2}\d[ABD-HJLNP-UW-Z]{2}"


class Postcode(PatternDetector):
    """A full UK postcode: about fifteen homes, so personal together with anything else about a household.

    Often mistaken for one: product codes and room numbers; only real postcode areas count, and small letters only
    beside words such as "postcode" or "address".
    """

    labels = ("postcode",)
    wake = (
        r"\b[a-z]{1,2}\d[a-z\d]? {0,2}\d[abd-hjlnp-uw-z]{2}\b",
        r"\bgir ?0aa\b",
        r"\bbfpo ?\d{1,4}\b",
        r"\b(?:ascn|sthl|tdcu|fiqq|bbnd|biqq|siqq|pcrn|tkca) ?1zz\b",
    )
    patterns = (
        rf"(?<![\w-])(?i:{SHAPE})(?![\w-])",
        # Royal Mail: overseas territories.
        r"(?<![\w-])(?:GIR ?0AA|BFPO ?\d{1,4}|(?:ASCN|STHL|TDCU|FIQQ|BBND|BIQQ|SIQQ|PCRN|TKCA) ?1ZZ)(?!\w)",
    )
    context = (
        *("postcode", "post code", "postal code", "address", "home address", "lives at", "living at", "live at"),
        *("moved to", "resides at", "flat", "road", "street", "lane", "avenue", "close", "drive", "crescent"),
    )
    headings = ("postcode", "postalcode", "homepostcode", "address", "homeaddress", "parentpostcode")
    against = ("part number", "part no", "part", "product code", "model", "room", "serial", "sku", "item", "order")

    def read(self, match: re.Match[str]) -> Reading | None:
        written = match.group()
        compact = written.replace(" ", "").upper()
        if compact.startswith(("BFPO", "GIR")) or (compact.endswith("1ZZ") and len(compact) == 7):
            return Reading(compact, Ladder(0.6, 0.75, 0.85), ("special postcode",))
        area = re.match(r"[A-Z]+", compact)
        if area is None or area.group() not in AREAS:
            return None
        value = f"{compact[:-3]} {compact[-3:]}"
        if written != written.upper():
            lower = written == written.lower() and " " in written
            return Reading(value, Ladder(0.0, 0.55, 0.75) if lower else Ladder(0.3, 0.55, 0.75), ("real area",))
        return Reading(value, Ladder(0.6, 0.75, 0.9), ("real area",))
