"""The only place that makes masks and fingerprints of found values (contract section 2, D15). Values stop here."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scanner.model import Evidence, Fact, Hit
from scanner.ports import SENTENCE_END

DOT = "•"
# What kind of thing a label is decides how much of it a mask may show. A label that is not listed shows nothing at all.
_NUMBERS = frozenset(
    "nino temporary_nino nhs chi upn uln uci candidate_number trn teacher_registration dbs_certificate utr vat uk_passport passport "
    "brp driving_licence "
    "sort_code_account iban payment_card phone vrn ip_address elector_number crime_reference pnc_id cro_number case_number "
    "social_care_id immigration_reference roll_number "
    "urn_school laestab".split()
)
_PEOPLE = frozenset({"person", "staff_name", "pupil"})
_PLACES = frozenset({"address", "postcode"})
# Standing alone: in a run of eight digits day and month could pass for a year.
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_POSTCODE_AREA = re.compile(r"\b([A-Z]{1,2})\d[A-Z\d]? ?\d[A-Z]{2}\b")
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
GROUPS_SHOWN = 40
PLACES_SHOWN = 5
# In a longer line no sentences are counted.
_LONGEST_LINE = 20_000


def mask(hit: Hit) -> str:
    """What may be shown of a hit. Dots and the last two characters of numbers, initials of a person, the year of a birth
    date, the area of a postcode, first letter and domain of an e-mail address; of everything else label and strength only.
    """
    value = hit.value
    if hit.label in _NUMBERS:
        letters = _NOT_ALPHANUMERIC.sub("", value)
        return DOT * max(len(letters) - 2, 4) + letters[-2:] if len(letters) > 4 else DOT * 6
    if hit.label in _PEOPLE:
        initials = [word[0].upper()[:1] for word in re.split(r"[\s,.'’-]+", value) if word[:1].isalpha()]
        return "".join(f"{letter}." for letter in initials[:4]) or DOT * 4
    if hit.label == "date_of_birth":
        year = _YEAR.search(value)
        return f"{DOT * 4} {year.group()}" if year else DOT * 6
    if hit.label in _PLACES:
        area = _POSTCODE_AREA.search(value.upper())
        return f"{area.group(1)}{DOT * 4}" if area else DOT * 6
    if hit.label == "email" or hit.label.startswith("address_"):
        local, at, domain = value.rpartition("@")
        return f"{local[:1]}{DOT * 4}@{domain}" if at else DOT * 6
    return f"{hit.label.replace('_', ' ')}, {strength(hit.confidence)}"


def strength(confidence: float) -> str:
    """The three bands of contract section 3 in words."""
    return "high" if confidence >= 0.75 else "medium" if confidence >= 0.5 else "low"


@dataclass(frozen=True, slots=True)
class FingerprintKey:
    """A subkey for fingerprints with its number, so that keys can rotate and old fingerprints stay readable as old."""

    number: int
    secret: bytes

    def fingerprint(self, label: str, value: str) -> str:
        """HMAC-SHA-256 over label and normalised value, first 128 bits; with its key's number in front."""
        plain = _NOT_ALPHANUMERIC.sub("", value).casefold()
        digest = hmac.new(self.secret, f"{label}\0{plain}".encode(), hashlib.sha256).hexdigest()[:32]
        return f"{self.number}:{digest}"

    def __repr__(self) -> str:
        return f"FingerprintKey(number={self.number})"


def _shows_nothing(label: str) -> bool:
    known = label in _NUMBERS | _PEOPLE | _PLACES or label in ("date_of_birth", "email")
    return not known and not label.startswith("address_")


def place_of(text: str, position: int) -> tuple[int, int]:
    """The line and the sentence of it in which a character lies, from 1; sentence 0 where the line has only one, or is too long."""
    begin, end = _line_at(text, position)
    line = text.count("\n", 0, begin) + 1
    stops = [stop for _, stop in _sentences(text, begin, end)][:-1]
    return (line, 1 + sum(stop <= position for stop in stops)) if stops else (line, 0)


def span_of(text: str, place: tuple[int, int]) -> tuple[int, int] | None:
    """Where that place begins and ends in the text; None where there is none such."""
    line, sentence = place
    begin = 0
    for _ in range(line - 1):
        begin = text.find("\n", begin) + 1
        if not begin:
            return None
    begin, end = _line_at(text, begin)
    if sentence:
        spans = _sentences(text, begin, end)
        return spans[sentence - 1] if sentence <= len(spans) else None
    return begin, end


def _line_at(text: str, position: int) -> tuple[int, int]:
    end = text.find("\n", position)
    return text.rfind("\n", 0, position) + 1, len(text) if end < 0 else end


def _sentences(text: str, begin: int, end: int) -> list[tuple[int, int]]:
    """The sentences of a line, one behind the other without a gap."""
    if end - begin > _LONGEST_LINE:
        return [(begin, end)]
    cuts = [begin, *(match.end() for match in SENTENCE_END.finditer(text, begin, end)), end]
    return list(pairwise(cuts))


def places_words(places: Iterable[tuple[int, int]]) -> str:
    """`line 3, sentence 2; line 9`: where to look, and nothing of what stands there."""
    return "; ".join(f"line {line}" + (f", sentence {sentence}" if sentence else "") for line, sentence in places)


def _places(hits: Sequence[Hit], text: str) -> tuple[tuple[int, int], ...]:
    strongest = sorted(hits, key=lambda hit: (-hit.confidence, hit.start))[:PLACES_SHOWN]
    return tuple(sorted({place_of(text, hit.start) for hit in strongest}))


def evidence_of(
    hits: Sequence[Hit], key: FingerprintKey, texts: Mapping[str, str] | None = None
) -> tuple[Evidence, ...]:
    """One line for each label and part, strongest hit first shown, ordered by part and label. No value survives.

    `texts`: of the parts by path, for the places of what a mask cannot show.
    """
    groups: dict[tuple[str, str], list[Hit]] = {}
    for hit in hits:
        groups.setdefault((hit.part, hit.label), []).append(hit)
    lines = []
    for (part, label), members in sorted(groups.items()):
        text = (texts or {}).get(part, "")
        best = max(members, key=lambda hit: hit.confidence)
        lines.append(
            Evidence(
                label=label,
                part=part,
                mask=mask(best),
                count=len({(hit.start, hit.end) for hit in members}),
                confidence=round(best.confidence, 2),
                fingerprint=key.fingerprint(label, best.value) if best.value else "",
                places=_places(members, text) if text and _shows_nothing(label) else (),
            )
        )
    return tuple(lines[:GROUPS_SHOWN])


def fact_of(hit: Hit, previous_end: int, key: FingerprintKey) -> Fact:
    """What the store may know: the distance to the hit before is kept as a power of two, never as a position."""
    gap = max(hit.start - previous_end, 0)
    return Fact(
        label=hit.label,
        part_kind=hit.part.partition("/")[0],
        owner=hit.owner,
        row=hit.row[1] if hit.row else None,
        distance=gap.bit_length(),
        confidence=round(hit.confidence, 2),
        subject=hit.subject,
        fingerprint=key.fingerprint(hit.label, hit.value) if hit.value else "",
    )
