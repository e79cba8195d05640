"""Children whom a text marks as pupils: by a class, a year, an age, a word such as "pupil", or because the records know them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from detectors.analysis import is_forename
from detectors.base import Context, TextDetector, Waking
from detectors.names import TITLES
from detectors.person import looks_like_name
from scanner.model import Hit

_CAPITALISED = r"[A-ZÀ-ÖØ-Þ][^\W\d_]{1,20}(?:['’-][^\W\d_]{1,20}){0,2}"
_NAME = rf"(?:{_CAPITALISED}(?: {_CAPITALISED}){{0,2}}(?: [A-Z]\b\.?)?|[A-Z]{{2,3}}\b|[A-Z]\. ?[A-Z]\.)"
# Year, class or age as people write them beside a name.
_YEAR = r"(?:[Yy](?:(?:ea)?r)?\.? ?(?:1[0-3]|[1-9])(?:[A-Z]{1,2}|[a-z])?|Y(?:EA)?R ?(?:1[0-3]|[1-9]))"
_CLASS = (
    r"(?:(?:1[0-3]|[1-9])[A-Z]{1,3}\d?|P[1-7]|S[1-6]|[Rr]eception|[Nn]ursery|[Ss]ixth [Ff]orm"
    r"|(?:my|your|our|his|her) (?:class|form|tutor group|group|set))"
)
_AGE = (
    r"(?:(?:aged? |age: ?)(?:1\d|[2-9])|(?:1\d|[2-9]) ?(?:yrs?|years?)(?:[ -]old)?|(?:1\d|[2-9])[ -]year[ -]old"
    r"|(?<=\()(?:1\d|[3-9])(?=[,)]))"
)
_MARK = rf"(?:{_YEAR}|{_CLASS}|{_AGE})(?![\w/])"
_AFTER = re.compile(
    rf"(?<![\w.'’@/-])(?P<name>{_NAME})"
    rf"(?P<link> ?[,(:–-] ?\(?| (?:(?:is |was |who is |who's |now |currently )*(?:in|from|of|an?|the) )?)"
    rf"(?:class |form |tutor group )?(?P<mark>{_MARK})"
)
_BEFORE = re.compile(
    rf"(?<![\w'’-])(?:{_MARK}|(?i:pupil|student|boy|girl|lad|lass|child|learner|starter|tutee|mentee))"
    rf"(?: (?i:pupil|student|boy|girl|lad|lass|child|learner))?(?: (?:you|we|I|who|that)(?: [a-z'’]{{1,12}}){{1,4}})?"
    rf"(?P<link>,| is| was| called| named| concerned(?: is| was)|:)?"
    rf" \(?(?P<name>{_CAPITALISED}(?: {_CAPITALISED})?)(?![\w'’])"
)
# Proves less than a class does.
_YEAR_ONLY = re.compile(rf"{_YEAR}|P[1-7]|S[1-6]")
# Forenames that are words, too, and begin no heading about a year ("Autumn, Year 9").
_FLOWERS = frozenset(
    "poppy daisy lily holly ivy ruby rose jasmine heather olive violet pearl amber jade robin jack harry".split()
)
# Why a name is taken for a person's that is also why it is a child's: the records, or a mother, tutor or home of its own.
_TOLD_BY = ("known pupil", "somebody's family")
# Of one text: no register is longer, and what follows belongs to no rule any more.
_MOST = 5_000
# Short capitals of a school's own speech that stand before a year and are nobody's initials.
_NO_INITIALS = frozenset(
    (
        "TA TAS LSA HLTA PE RE RS IT ICT DT PP SEN FSM EAL HI VI ASD TT HW CW SL HT AHT DHT SLT HOD HOY KS EYFS MA EN SC UK US "
        "EU PA TV AM PM OK RIP FAO FYI NB PS RIP CE BBC ICO NHS LA LEA DFE DSL MFL PSHE EHC SALT EP CPD NQT ECT PPA CCF DOE IGR "
        "CAT KS1 KS2 KS3 KS4 KS5 GCSE ALL NO OF IN TO OR AND THE FOR"
    ).split()
)


class Pupil(TextDetector):
    """A child who can be told apart: a name or initials with a class, a year or an age, or after a word such as "pupil".

    Beside such a child a word that proves little elsewhere says something about somebody. Often mistaken for one: a subject
    or a lesson before a year group, a member of staff who teaches it.
    """

    labels = ("pupil",)
    wake = (
        r"\by(?:ea)?r?\.? ?(?:1[0-3]|[1-9])[a-z]{0,2}\b",
        r"\b(?:1[0-3]|[1-9])[a-z]{1,3}\d?\b",
        r"\b(?:p[1-7]|s[1-6])\b",
        r"\bage(?:d|:)? ?\d",
        r"\d ?(?:yrs?|years?)(?:[ -]old)?\b",
        r"[a-z] \(\d{1,2}[,)]",
        r"\b(?:pupil|student|boy|girl|lad|lass|child|learner|starter|tutee|mentee|reception|nursery|sixth form)\b",
        r"\b(?:my|your|our|his|her) (?:class|form|tutor group|group|set)\b",
    )
    stage = 4

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterable[Hit]:
        found: dict[int, Hit] = {}
        for hit in (*_marked_after(text), *_marked_before(text)):
            found.setdefault(hit.start, hit)
            if len(found) >= _MOST:
                if context.budget is not None:
                    context.budget.texts_cut += 1
                break
        return found.values()


class PupilOfRecord(TextDetector):
    """A pupil whom the records know, or somebody of whom a mother, a tutor or a home is spoken."""

    labels = ("pupil",)
    wake = ()
    stage = 4

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterable[Hit]:
        for hit in context.hits:
            if hit.label == "person" and hit.reasons and hit.reasons[0].startswith(_TOLD_BY):
                yield Hit("pupil", hit.start, hit.end, hit.value, 0.9, hit.reasons, row=hit.row)


def _marked_after(text: str) -> Iterator[Hit]:
    """ "Ellis Thwaite yr 11", "Kacper Z (Yr 9)", "ET in y11", "Ava Bragg, aged 4"."""
    for match in _AFTER.finditer(text):
        name, start = match["name"], match.start("name")
        words = name.split()
        # "Yesterday Callum in 9B": the sentence's first word is not part of the name.
        while len(words) > 1 and not looks_like_name(words[0]):
            words = words[1:]
        name = " ".join(words)
        start = match.end("name") - len(name)
        bare = match["link"] == " "
        if not looks_like_name(name, of_a_person=True) or not _is_name(name, mark=match["mark"], bare=bare):
            continue
        yield Hit("pupil", start, match.end("name"), name.rstrip("."), 0.8, ("a name with a class, year or age",))


def _marked_before(text: str) -> Iterator[Hit]:
    """ "Year 8 pupil Tom Vale", "the child was Ava Bragg"."""
    for match in _BEFORE.finditer(text):
        if looks_like_name(match["name"]) and _is_name(
            match["name"], mark="" if match["link"] else "year 1", bare=True
        ):
            yield Hit("pupil", *match.span("name"), match["name"], 0.8, ("a name after the word for a pupil",))


def _is_name(name: str, *, mark: str, bare: bool) -> bool:
    """Initials, or a forename that the list knows; a name of two words also without one, where a class or an age follows
    ("Aurelio Vane (9B)", and not "Sports Day, Year 5").
    """
    letters = name.replace(".", "").replace(" ", "")
    exact = _YEAR_ONLY.fullmatch(mark) is None and not mark.isdigit()
    if letters.isupper() and len(letters) <= 3:
        return letters not in _NO_INITIALS and (exact or not bare)
    words = name.lower().split()
    if words[0].rstrip(".") in TITLES:
        return False
    known = any(is_forename(word) for word in words)
    return known or (len(words) > 1 and exact) or (words[0] in _FLOWERS and not bare)
