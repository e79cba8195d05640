"""International bank account numbers."""

from __future__ import annotations

import re

from detectors.base import WRONG, Ladder, PatternDetector, Reading

# SWIFT IBAN Registry: length by country.
_LENGTHS = {
    entry[:2]: int(entry[2:])
    for entry in (
        "AD24 AE23 AT20 BE16 BG22 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GI23 GR27 HR21 HU28 IE22 IS26 IT27 "
        "LI21 LT20 LU20 LV21 MC27 MT31 NL18 NO15 PK24 PL28 PT25 RO24 SA24 SE24 SI19 SK24 SM27 TR26 UA29"
    ).split()
}
_UK = re.compile(r"GB\d{2}[A-Z]{4}\d{14}\Z")


class Iban(PatternDetector):
    """An international bank account number (IBAN) with the right length for its country and the right check digits."""

    labels = ("iban",)
    wake = (r"\b[a-z]{2}\d{2}[ -]?[a-z0-9]{4}[ -]?[a-z0-9]{4}[ -]?[a-z0-9]{3}",)
    patterns = (r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}[ -]?(?:[A-Za-z0-9]{4}[ -]?){2,6}[A-Za-z0-9]{1,4}(?![A-Za-z0-9])",)
    context = (
        "iban",
        "ibans",
        "international bank account number",
        "swift",
        "bic",
        "bank",
        "account",
        "transfer",
        "payee",
    )
    headings = ("iban", "ibannumber", "bankaccount", "accountiban")

    def read(self, match: re.Match[str]) -> Reading | None:
        written = match.group()
        value = re.sub(r"[ -]", "", written).upper()
        length = _LENGTHS.get(value[:2])
        if length is None:
            return None
        if len(value) > length:
            # Words that follow the number in groups of four are taken off again; a run that is too long stays wrong.
            kept = _leading(written, length)
            if kept is None:
                return Reading(value, WRONG, ("too long",)) if written.isalnum() else None
            value = kept
        if len(value) != length:
            return Reading(value, WRONG, ("too short",)) if value.startswith("GB") and len(value) >= 18 else None
        if value.startswith("GB") and not _UK.match(value):
            return None
        # ISO 13616: move the first four characters to the end, read letters as 10 to 35; the number is 1 modulo 97.
        if int("".join(str(int(each, 36)) for each in value[4:] + value[:4])) % 97 != 1:
            return Reading(value, WRONG, ("check digits wrong",))
        return Reading(value, Ladder(0.74, 0.9, 0.95), ("check digits valid", f"length right for {value[:2]}"))


def _leading(written: str, length: int) -> str | None:
    """The first `length` letters and digits, where they end at a space or dash."""
    kept = ""
    for place, character in enumerate(written):
        if character in " -":
            continue
        kept += character
        if len(kept) == length:
            return kept.upper() if written[place + 1 : place + 2] in (" ", "-") else None
    return None
