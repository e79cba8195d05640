"""Special-category, criminal-offence, children's-services and pay vocabulary (UK GDPR articles 9 and 10).

What the user sees: the kind of sensitive fact and how surely the words state it about one person. Whether that person is
identifiable is the rule's question (`near`). Words: `rules/lists/sensitive.yml`; traps: reference uk-personal-data, section 3.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from detectors.base import Context, TextDetector, Waking
from detectors.wording import LISTS, Match, WordList, has_somebody, read_list, sentence_around
from scanner.model import Hit

LABELS = (
    "health",
    "sen",
    "safeguarding",
    "ethnicity",
    "religion",
    "sexual_orientation",
    "union",
    "criminal",
    "care_status",
    "behaviour",
    "payroll",
)

# Speaks of everybody and nobody: what a policy, a form, a course or an advert says.
_GENERIC = re.compile(
    r"\b(?:polic(?:y|ies)|procedures?|guidance|statutory|legislation|act \d{4}|KCSIE|training|course|workshop|webinar|INSET|CPD|"
    r"awareness|assembly|leaflet|poster|newsletter|website|resources?|charity|fundrais\w{1,6}|in aid of|campaign|"
    r"vacanc(?:y|ies)|applicants?|we are recruiting|job description|person specification|post ?holder|salary range|closing date|"
    r"all (?:pupils|students|children|staff|schools|parents)|any (?:pupil|student|child|member of staff|parent)|every (?:pupil|child)|"
    r"each (?:pupil|child)|(?:pupils|students|children|staff|young people|families|those|people) "
    r"(?:with|who|on|in|from|aged|may|can|must|should)|"
    r"a (?:pupil|child|student|member of staff) (?:with|who|may|must|should|can)|"
    r"per ?cent|\d%|number of (?:pupils|children|students)|cohort|nationally|national average|statistics?|survey|research|study|"
    r"lessons?|homework|essay|curriculum|syllabus|topic|unit|chapter|novel|play|protagonist|character|film|museum|exhibition)\b",
    re.IGNORECASE,
)
# Says outright that nobody real is meant; stronger than a pronoun in the sentence.
_NOBODY = re.compile(
    r"\b(?:blank (?:form|copy|template)|template|appendix [A-Z\d]|specimen|dummy|fictional|fictitious|made[- ]up|invented|"
    r"anonymised|case stud(?:y|ies)|vignettes?|scenarios?|hypothetical|(?:child|pupil|parent|student) [A-Z]\b(?!['’.\w])|"
    r"for example|e\.g\.|such as|awareness (?:week|day|month)|model polic(?:y|ies)|terms and conditions)",
    re.IGNORECASE,
)
_LONG_AGO = re.compile(
    r"\b(?:1[0-8]\d\d|19[0-2]\d)\b|\b(?:Victorian|Tudor|medieval|nineteenth|eighteenth|19th|18th)[ -]century\b"
)
_DENIED = re.compile(
    r"\b(?:no|not|nor|without|nil|none|neither|isn['’]t|hasn['’]t|n/a)\b[^.!?\n]{0,25}\Z", re.IGNORECASE
)
_COMPANY = 150


class SensitiveWords(TextDetector):
    """Sensitive vocabulary with the person, company and generic talk around it weighed in."""

    labels: ClassVar[tuple[str, ...]] = LABELS
    files: ClassVar[tuple[Path, ...]] = (LISTS / "sensitive.yml",)
    _words = WordList(read_list("sensitive", LABELS, ("strong", "needs_company")))
    wake: ClassVar[tuple[str, ...]] = _words.wake

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterator[Hit]:
        matches = _outermost(self._words.matches(text, wakings))
        rows = [row for table in context.tables for row in table.rows if row]
        bounds = sorted((row[0][0], row[-1][1]) for row in rows)
        nobody_meant = _NOBODY.search(text, 0, 200) is not None
        judged: dict[tuple[int, int], tuple[bool, bool, bool, bool]] = {}
        for position, match in enumerate(matches):
            low, high = _row_around(bounds, match.start) or sentence_around(text, match.start, match.end)
            if (low, high) not in judged:
                judged[low, high] = (
                    has_somebody(text, low, high),
                    _GENERIC.search(text, low, high) is not None,
                    _NOBODY.search(text, low, high) is not None,
                    _LONG_AGO.search(text, low, high) is not None,
                )
            somebody, generic, nobody, long_ago = judged[low, high]
            company = _company(matches, position, low, high)
            reasons = [match.entry.means]
            if match.entry.weight == "strong":
                confidence = 0.88 if somebody else 0.75
            elif company:
                sure = company.entry.weight == "strong"
                confidence = (
                    (0.78 if sure else 0.6)
                    if somebody
                    else (0.6 if sure else 0.5 if _tabular(bounds, match.start) else 0.45)
                )
                reasons.append(f"beside {company.entry.means}")
            else:
                confidence = 0.4 if somebody else 0.25
                reasons.append("ambiguous, no other sensitive word near")
            if somebody:
                reasons.append("speaks of one person")
            if nobody or (nobody_meant and not _tabular(bounds, match.start)):
                confidence *= 0.45
                reasons.append("an example or form, nobody in particular")
            elif generic and not somebody:
                confidence *= 0.5
                reasons.append("general talk: policy, training, numbers or advert")
            if long_ago:
                confidence *= 0.5
                reasons.append("of long ago")
            if _DENIED.search(text, max(low, match.start - 32), match.start):
                confidence *= 0.8
                reasons.append("denied")
            yield Hit(
                match.entry.label,
                match.start,
                match.end,
                text[match.start : match.end],
                round(confidence, 3),
                tuple(reasons),
            )


def _outermost(matches: list[Match]) -> list[Match]:
    """Matches of a label that lie inside a longer one of the same label are the same words seen twice."""
    kept: list[Match] = []
    reach: dict[str, int] = {}
    for match in matches:
        if match.end > reach.get(match.entry.label, -1):
            kept.append(match)
            reach[match.entry.label] = match.end
    return kept


def _company(matches: list[Match], position: int, low: int, high: int) -> Match | None:
    """Another entry, by other words, in the same sentence or row, or a strong one within 150 characters; the strong first."""
    match = matches[position]
    weak: Match | None = None
    # A handful of neighbours says enough, and keeps the cost of a text made of such words linear.
    for other in matches[max(0, position - 8) : position + 9]:
        apart = other.entry is not match.entry and (other.end <= match.start or match.end <= other.start)
        if not apart:
            continue
        inside = low <= other.start < high
        if other.entry.weight == "strong":
            if inside or (other.start < match.end + _COMPANY and other.end > match.start - _COMPANY):
                return other
        elif inside and weak is None:
            weak = other
    return weak


def _row_around(bounds: list[tuple[int, int]], position: int) -> tuple[int, int] | None:
    index = bisect_right(bounds, (position, 1 << 60)) - 1
    if index >= 0 and bounds[index][0] <= position < bounds[index][1]:
        return bounds[index]
    return None


def _tabular(bounds: list[tuple[int, int]], position: int) -> bool:
    return _row_around(bounds, position) is not None
