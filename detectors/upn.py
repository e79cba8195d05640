"""Unique pupil numbers."""

from __future__ import annotations

import re

from detectors.base import STRONG, WRONG, PatternDetector, Reading, all_equal

# Government Data Standards Catalogue, Unique Pupil Number 2.0: no I, O or S; a letter's place is its value.
_ALPHABET = "ABCDEFGHJKLMNPQRTUVWXYZ"


def _spans(*spans: tuple[int, int]) -> frozenset[int]:
    return frozenset(number for first, last in spans for number in range(first, last + 1))


# Local authority codes: Arbor help 1530 with the Welsh ones, and those that DfE has issued since (838-840, 940-943).
_AUTHORITIES = _spans(
    *((1, 5), (201, 213), (301, 320), (330, 336), (340, 344), (350, 359), (370, 373), (380, 384), (390, 394)),
    *((420, 420), (660, 681), (701, 708), (800, 803), (805, 808), (810, 813), (815, 816), (820, 823), (825, 826)),
    *((830, 831), (835, 841), (845, 846), (850, 852), (855, 857), (860, 861), (865, 896), (908, 909), (916, 916)),
    *((919, 919), (921, 921), (925, 926), (928, 929), (931, 931), (933, 933), (935, 938), (940, 943)),
)


class UniquePupilNumber(PatternDetector):
    """A unique pupil number (UPN): a check letter, the authority, the school, the year and a serial number.

    Its check letter makes it nearly certain even alone. The abbreviation UPN also means the log-in name in Microsoft
    products, which is not a pupil's number.
    """

    labels = ("upn",)
    wake = (r"\b[a-z][ -]?\d{3}[ -]?\d{4}[ -]?\d{2}[ -]?\d{2}[0-9a-z]",)
    patterns = (r"(?<![A-Za-z0-9])[A-Za-z][ -]?\d{3}[ -]?\d{4}[ -]?\d{2}[ -]?\d{2}[0-9A-Za-z](?![A-Za-z0-9])",)
    context = (
        *("upn", "upns", "unique pupil number", "former upn", "pupil", "pupils", "student", "reg group", "year group"),
        *("admission number", "admission no", "ctf", "census", "school census", "tutor group"),
    )
    headings = ("upn", "formerupn", "uniquepupilnumber", "pupilupn", "previousupn")

    def read(self, match: re.Match[str]) -> Reading | None:
        value = re.sub(r"[ -]", "", match.group()).upper()
        if all_equal(value[1:12]):
            return None
        wrong = _fault(value)
        if wrong:
            return Reading(value, WRONG, (wrong,))
        kind = "temporary number" if value[12].isalpha() else "check letter valid"
        return Reading(value, STRONG, (kind, "local authority valid"))


def _fault(value: str) -> str:
    """What is wrong with a thirteen-character UPN, empty where nothing is."""
    if value[0] not in _ALPHABET or (value[12].isalpha() and value[12] not in _ALPHABET):
        return "a letter that is never used"
    values = [_ALPHABET.index(each) if each.isalpha() else int(each) for each in value[1:]]
    if sum(place * number for place, number in enumerate(values, start=2)) % 23 != _ALPHABET.index(value[0]):
        return "check letter wrong"
    return "" if int(value[1:4]) in _AUTHORITIES else "no such local authority"
