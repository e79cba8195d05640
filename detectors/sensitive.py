"""Special-category, criminal-offence, children's-services and pay vocabulary (UK GDPR articles 9 and 10).

What the user sees: the kind of sensitive fact and how surely the words state it about one person. Whether that person is
identifiable is the rule's question (`near`). Words: `rules/lists/sensitive.yml`; traps: reference uk-personal-data, section 3.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
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
    r"\[[^\]\n]{0,20}(?:name|class|reason|date|school)[^\]\n]{0,10}\]|"
    r"\b(?:blank (?:form|copy|template)|template|appendix [A-Z\d]|specimen|dummy|fictional|fictitious|made[- ]up|invented|"
    r"anonymised|case stud(?:y|ies)|vignettes?|scenarios?|hypothetical|(?:child|pupil|parent|student) [A-Z]\b(?!['’.\w])|"
    r"for example|^example:|worksheet|show your working|"
    r"e\.g\.|such as|"
    r"(?:chapter|scene) (?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|[IVX]{1,4})|"
    r"act (?:one|two|three|four|five|[1-5]|[IV]{1,3})|"
    r"(?:book|film|play|theatre) reviews?|the (?:bit|part|scene) where|plays? the (?:part|role|lead)|"
    r"play(?:s|ed|ing)? (?:the|a|an) (?:[a-z]{2,15} ){1,4}in (?:the|our|a|this|that) (?:play|show|film|musical|production|panto)|"
    r"(?:play|novel|film|story|poem|musical|book|show|drama)(?: is| was|,)? (?:about|tells|set in)|"
    r"awareness (?:week|day|month)|model polic(?:y|ies)|terms and conditions)",
    re.IGNORECASE,
)
# Set texts and their people: what befalls them befell nobody.
_TAUGHT = re.compile(
    r"\b(?:Hamlet|Macbeth|Othello|King Lear|Romeo|Juliet|Ophelia|Prospero|Shylock|Blood Brothers|Inspector Calls|Mice and Men|Jekyll|"
    r"Christmas Carol|Scrooge|Lord of the Flies|Animal Farm|Curious Incident|Frankenstein|Jane Eyre|Wuthering Heights|Great Expectations|"
    r"Oliver Twist|Noughts (?:and|&) Crosses|Private Peaceful|Mockingbird|Gatsby|Handmaid['’]s Tale|Death of a Salesman|Streetcar|"
    r"Never Let Me Go|Boy in the Striped|Goodnight Mister Tom|Queen Victoria|Henry VIII|Anne Frank|Julius Caesar)\b"
)
# What a course, talk or book is about is nobody's: "runs the course on county lines". "His" or a name before the word undo it.
_ABOUT = re.compile(
    r"\b(?:courses?|training|talks?|sessions?|workshops?|webinars?|assembl(?:y|ies)|lectures?|seminars?|"
    r"briefings?|modules?|books?|twilights?|insets?|inputs?|e-?learning|"
    r"letters?|forms?|flyers?|pages?|notices?"
    r"|articles?|podcasts?|resources?|leaflets?|posters?|presentations?|lessons?|careers?|charity|"
    r"charities) (?:on|about|around|covering|in|for)"
    r"(?: (?!his\b|her\b|their\b|him\b|she\b|he\b)[a-z\d][\w'-]{0,20},?){0,8} \Z"
)
_AND = re.compile(r"(?:,| and| or| &|/){1,2} ?")
# A place that is visited, a cause that is served, a course by its name: "sit in at the magistrates' court", "union rep training".
_VISITED = re.compile(
    r"\b(?:visit(?:s|ed|ing)?(?: to| at)?|(?:sit|sitting) in (?:at|on)|tour of|trip to|(?:work|works|working|"
    r"volunteers?|volunteering|placement|job|career)"
    r" (?:at|for|with|in)|teach(?:es|ing)?|lectures? (?:on|in)|speciali[sz]es in|"
    r"sponsored|swim for|run for|raising (?:money )?for|in aid of|proceeds to)(?: the| a| our|"
    r" local)?(?: [A-Z][a-z]+)? \Z"
)
_COURSE_AFTER = re.compile(
    r" (?:training|courses?|workshops?|awareness|conference|polic(?:y|ies)|leaflets?|booklets?|posters?|webinar|"
    r"guidance|pack|handbook|e-?learning|"
    r"charity|appeal|fundraiser|research|support group|campaign|networks?)\b"
)
# Speech of newspapers, agencies and newsletters: what they print of somebody is public. Each alternative is one mark.
_PRESS = re.compile(
    r"(?P<paper>\b(?:Reuters|Associated Press|AFP|Interfax|Xinhua|Ananova|BBC|CNN|Sky News|ITV News|The Guardian|Guardian|"
    r"(?:Daily|Electronic|Sunday) Telegraph|Scotsman|Daily (?:Mail|Mirror|Express)|Washington Post|New York Times|The Times|"
    r"The Independent|Tribune|Herald|Gazette|Chronicle|Shimbun|The Register|Slashdot|boingboing|newsisfree|CNET|Salon|Wired|"
    r"Lockergnome|Yahoo! Groups|news ?agency|newspaper|magazine|television reported|press release)\b|\(AP\)|\(PA\))|"
    r"(?P<says>\b(?:told reporters|spokes(?:man|woman|person)|correspondent|reporter|journalist|columnist|according to|"
    r"said (?:on |last )?(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|yesterday|today)|said in a statement|"
    r"officials? said|police said|has (?:said|claimed) that|executive editor|editor-in-chief)\b)|"
    r"(?P<line>(?-i:^[ >|]{0,4}By [A-Z][A-Za-z]{1,15}(?: [A-Z][\w.'’-]{1,20}){1,2}[ \r]*$)|"
    r"\d{2}:\d{2} (?:GMT|BST|EST|PST|PT|ET)\b|Forwarded-by:|"
    r"\(Filed: |(?-i:^[ >|]{0,4}[A-Z]{4,20}(?:, [A-Z][a-z.]{2,20})? (?:--|–|—|\([A-Z]{2,9}\))))|"
    r"(?P<link>https?://|www\.)|"
    r"(?P<issue>\bISSN\b|©|\bcopyright \(?c?\)? ?\d{4}|\ball rights reserved|\bunsubscrib|"
    r"\bsubscribers?\b|\bread (?:the )?(?:full|more|whole)\b|"
    r"\bour readers\b|\bsponsor(?:ed by)?\b)",
    re.IGNORECASE | re.MULTILINE,
)
_PRESS_REACH = 1_500
_LONGEST_MARK = 120
# Words of our own that no newspaper would use of the person: they outweigh the marks of one.
_OURS = re.compile(
    r"\b(?:Y(?:ea)?r?\.? ?(?:1[0-3]|[1-9])\b|(?:1[0-3]|[7-9])[A-Z]{1,2}\d?\b|our (?:pupil|student|child|teacher|TA|SENCO|head)|"
    r"head of year|form tutor|tutor group|CPOMS|EHCP|SENCO|DSL|TAs?\b|in (?:my|our) (?:class|form|school)|the school|lesson)",
    re.IGNORECASE,
)
# What makes an everyday wording a fact of a school's own: a pupil, a class, a school's people.
_SCHOOL = re.compile(
    r"\b(?:Y(?:ea)?r?s?\.? ?(?:1[0-3]|[1-9])s?\b|(?-i:(?:1[0-3]|[7-9])[A-Z]{1,2}\d?|[1-6][ABCEFHJLMNPRSTW])\b|pupils?|SENCO|SENDCO|CPOMS|"
    r"EHCP|(?-i:DSL|IEP|LSA|TAs?|FSM|SATs)\b|head of year|headteacher|(?:form|class) (?:tutor|teacher)|"
    r"(?:in|at|to|from|off|our|the|primary|high|secondary) school|in (?:my|our|her|his) class|reception class|nursery|"
    r"(?:our|the) (?:[a-z]+ )?(?:finance officer|site manager|cleaner|cook|caretaker|bursar|school secretary|"
    r"receptionist|lunchtime supervisor|"
    r"midday supervisor|teaching assistant|cover supervisor|learning mentor|librarian|exams officer)|"
    r"safeguarding lead|GCSEs?|attendance|half[- ]term|lessons?|playground|class ?room)\b",
    re.IGNORECASE,
)
_SCHOOL_REACH = 400
_LONG_AGO = re.compile(
    r"\b(?:1[0-8]\d\d|19[0-2]\d)\b|\b(?:Victorian|Tudor|medieval|nineteenth|eighteenth|19th|18th)[ -]century\b"
)
_DENIED = re.compile(
    r"\b(?:no|not|nor|without|nil|none|neither|isn['’]t|hasn['’]t|n/a)\b[^.!?,;:\n]{0,25}\Z", re.IGNORECASE
)
_COMPANY = 150


class SensitiveWords(TextDetector):
    """Sensitive vocabulary with the person, company and generic talk around it weighed in."""

    labels: ClassVar[tuple[str, ...]] = LABELS
    files: ClassVar[tuple[Path, ...]] = (LISTS / "sensitive.yml",)
    _words = WordList(read_list("sensitive", LABELS, ("strong", "everyday", "needs_company")))
    wake: ClassVar[tuple[str, ...]] = _words.wake

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterator[Hit]:
        matches = _outermost(self._words.matches(text, wakings, context.budget))
        if not matches:
            return
        rows = [row for table in context.tables for row in table.rows if row]
        bounds = sorted((row[0][0], row[-1][1]) for row in rows)
        # A heading "Case studies" may stand over real children; a form or an example says what it is.
        opening = _NOBODY.search(text, 0, 200)
        nobody_meant = opening is not None and not opening.group().lower().startswith("case")
        press = _Press(text)
        judged: dict[tuple[int, int], _Around] = {}
        about_end = -1
        for position, match in enumerate(matches):
            if _in_an_address(text, match) or _in_a_title(text, match) or _of_a_thing(text, match):
                continue
            if text[match.start].isupper() and _QUOTED_TITLE.search(text, max(0, match.start - 80), match.start):
                continue
            low, high = _row_around(bounds, match.start) or sentence_around(text, match.start, match.end)
            around = judged.get((low, high))
            if around is None:
                around = judged[low, high] = _Around(text, low, high)
            somebody = around.somebody
            company = _company(matches, position, low, high)
            reasons = [match.entry.means]
            if match.entry.weight == "strong":
                confidence = 0.88 if somebody else 0.75
            elif match.entry.weight == "everyday" and (
                around.at_school or (company and company.entry.weight == "strong")
            ):
                confidence = 0.82 if somebody else 0.7
                reasons.append(
                    "at a school or in a family" if around.at_school else f"beside {company and company.entry.means}"
                )
            elif match.entry.weight == "everyday":
                # Said of anybody anywhere it is gossip, news or a novel; of a pupil it is a fact (the rules ask for one).
                confidence = 0.65 if somebody else 0.5
                reasons.append("nothing near speaks of a school or family")
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
            if around.nobody or (nobody_meant and not _tabular(bounds, match.start)):
                confidence *= 0.45
                reasons.append("an example or form, nobody in particular")
            elif not somebody and around.generic:
                confidence *= 0.5
                reasons.append("general talk: policy, training, numbers or advert")
            # What is no more than a note is not worth asking whether a newspaper said it.
            asked = confidence >= 0.5 and not _tabular(bounds, match.start)
            if asked and press.printed(match.start) and not _OURS.search(text, low, high):
                confidence *= 0.6
                reasons.append("among words of the press or a newsletter")
            listed = about_end >= low and _AND.fullmatch(text[about_end : match.start][:8]) is not None
            visited = _VISITED.search(text, max(low, match.start - 60), match.start) or _COURSE_AFTER.match(
                text, match.end
            )
            if listed or visited or _ABOUT.search(text, max(low, match.start - 130), match.start):
                about_end = match.end
                confidence *= 0.5
                reasons.append("what a course, talk or book is about")
            if around.long_ago:
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


class _Around:
    """What the sentence or row about a match says, each thing looked for when it is first asked for."""

    def __init__(self, text: str, low: int, high: int) -> None:
        self._text, self._low, self._high = text, low, high

    @cached_property
    def somebody(self) -> bool:
        return has_somebody(self._text, self._low, self._high)

    @cached_property
    def generic(self) -> bool:
        return _GENERIC.search(self._text, self._low, self._high) is not None

    @cached_property
    def nobody(self) -> bool:
        return any(each.search(self._text, self._low, self._high) for each in (_NOBODY, _TAUGHT))

    @cached_property
    def long_ago(self) -> bool:
        return _LONG_AGO.search(self._text, self._low, self._high) is not None

    @cached_property
    def at_school(self) -> bool:
        return _SCHOOL.search(self._text, max(0, self._low - _SCHOOL_REACH), self._high + _SCHOOL_REACH) is not None


class _Press:
    """The marks of the press in a text, looked for only about the places that are asked for, and once."""

    def __init__(self, text: str) -> None:
        self._text = text
        # Place, kind and words of the marks that begin in each piece of the text.
        self._pieces: dict[int, list[tuple[int, str, str]]] = {}

    def printed(self, position: int) -> bool:
        """Two kinds of marks near, one of them of a newspaper's own; or three different marks of a newsletter.

        A link and "newsletter" stand under many a signature and prove nothing.
        """
        low, high = max(0, position - _PRESS_REACH), position + _PRESS_REACH
        marks = [mark for piece in range(low // _PRESS_REACH, high // _PRESS_REACH + 1) for mark in self._marks(piece)]
        near = [mark for mark in marks if low <= mark[0] < high][:200]
        kinds = {kind for _, kind, _ in near}
        if len(kinds) >= 2 and kinds & {"paper", "says", "line"}:
            return True
        said = {words for _, kind, words in near if kind in ("paper", "says", "line")}
        return len(said) >= 2 or len({words for _, kind, words in near if kind == "issue"}) >= 3

    def _marks(self, piece: int) -> list[tuple[int, str, str]]:
        if piece not in self._pieces:
            low, high = piece * _PRESS_REACH, (piece + 1) * _PRESS_REACH
            found = _PRESS.finditer(self._text, low, high + _LONGEST_MARK)
            self._pieces[piece] = [
                (match.start(), match.lastgroup or "", match.group().lower()) for match in found if match.start() < high
            ]
        return self._pieces[piece]


def _in_an_address(text: str, match: Match) -> bool:
    """Part of a host name, path or mail address: example.net, /court/, union@…"""
    before, after = text[max(0, match.start - 2) : match.start], text[match.end : match.end + 2]
    joined = len(before) == 2 and before[1] in "./@_" and before[0].isalnum()
    return joined or after[:1] in ("@", "_") or (len(after) == 2 and after[0] in "./" and after[1].isalpha())


_TITLE_BEFORE = re.compile(
    r"\b(?:Foundation|Society|Association|Charity|Trust|Fund|Centre|Center|Institute|Campaign|Council)(?: (?:for|of|against|with|and|the|"
    r"[A-Z][a-z]{2,15})){1,7} \Z"
)
_TITLE_AFTER = re.compile(
    r" (?:UK|Foundation|Society|Association|Trust|Care|Research|Action|Network|Awareness|Week|Month|Day|Centre|Charity|Nurses)\b"
)


def _in_a_title(text: str, match: Match) -> bool:
    """Part of an organisation's or an event's name: Foundation for Children with Diabetes, Epilepsy Society."""
    if not text[match.start].isupper():
        return False
    after = _TITLE_AFTER.match(text, match.end) is not None
    return after or _TITLE_BEFORE.search(text, max(0, match.start - 80), match.start) is not None


_THING_AFTER = re.compile(
    r" (?:(?:primary|high|secondary|infant|junior|independent|voluntary) )?(?:schools?|church|chapel|academy|colleges?|"
    r"diocese|cathedral|services?|charit(?:y|ies)|hospitals?|trust|centres?|festivals?|music|art|history|studies|"
    r"ethos|values|tradition|cuisine|food|cooking|dance|literature|culture|"
    r"calendar|holidays?|bank|restaurants?|lessons?|teachers? (?:of|for)|GCSE|A-?level)\b",
    re.IGNORECASE,
)
_QUOTED_TITLE = re.compile(
    r"[\"“‘'](?:[A-Z][\w'’-]*|a|an|and|for|in|of|on|the|to|with|my|is)"
    r"(?: (?:[A-Z][\w'’-]*|a|an|and|for|in|of|on|the|to|with|my|is)){0,8} ?\Z"
)
_INSTITUTION = re.compile(r"(?:\bSt\.? [A-Z][a-z]+(?:['’]s)?|\b[A-Z][a-z]+(?:['’]s)?(?: House| Hill| Lodge)?) \Z")
_FEELING = re.compile(
    r" (?:to (?:hear|see|read|learn|find|think|say|watch|be told)|about the (?:weather|result|match|game|score))\b"
)


def _of_a_thing(text: str, match: Match) -> bool:
    """Belief or origin of an institution or a dish, a house's name, forebears, and a figure of speech: "a Catholic school",
    "St Luke's hospice", "great-grandfather's death", "depressed to hear".
    """
    if match.entry.label in ("religion", "ethnicity"):
        return _THING_AFTER.match(text, match.end) is not None
    if match.entry.label != "health":
        return (
            text[max(0, match.start - 12) : match.start]
            .lower()
            .endswith(("great-", "great ", "great-grand", "great grand"))
        )
    named = text[match.start : match.end].lower() in ("hospice", "hospital")
    return (named and _INSTITUTION.search(text, max(0, match.start - 40), match.start) is not None) or (
        _FEELING.match(text, match.end) is not None
    )


def _outermost(matches: list[Match]) -> list[Match]:
    """Matches of a label that lie inside another of the same label are the same words seen twice: of two the one that tells
    more is kept, of equal ones the longer.
    """
    kept: list[Match] = []
    latest: dict[str, int] = {}
    for match in matches:
        place = latest.get(match.entry.label, -1)
        if place < 0 or match.start >= kept[place].end:
            latest[match.entry.label] = len(kept)
            kept.append(match)
        elif _TELLS[match.entry.weight] > _TELLS[kept[place].entry.weight]:
            kept[place] = match
        elif match.end > kept[place].end and _TELLS[match.entry.weight] == _TELLS[kept[place].entry.weight]:
            latest[match.entry.label] = len(kept)
            kept.append(match)
    return sorted(kept, key=lambda match: match.start)


_TELLS = {"strong": 2, "everyday": 1, "needs_company": 0}


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
