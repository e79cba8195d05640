"""Whether words stand in a report, in quotation marks, or after a colon that gives the floor to somebody else (D8).

Segments tell quoted and forwarded mail from the sender's own; inside the sender's own text these signs tell it. Nobody answers for
what he quotes, and a report of somebody's words to those who must hear it is no offence.
"""

from __future__ import annotations

import re

# Words that a colon introduces as somebody else's, whoever they speak to. "I said:" introduces one's own.
_INTRODUCED = re.compile(
    r"\b(?:(?<!\bI )(?<!\bwe )(?:said|says|wrote|writes|texted|messaged|posted|shouted|shouts|screamed|reads|replied|typed|put|"
    r"told (?:him|her|them|us|me))\b"
    r"|(?:texts?|messages?|words?|comments?|notes?|things|e-?mails?|posts?) (?:like|such as|used|were|was|read|reads|from|sent|by)\b"
    r"|(?:transcript|voicemail|recording|graffiti|screenshots?|verbatim|quote)\b)[^.!?\n:]{0,60}:\s[^\n]{0,300}\Z"
    r"|\b(?:when|if) (?:someone|somebody|people|anyone|others|they|he|she|a pupil) "
    r"(?:says?|said|calls?|called|tells?|told)\b[^.!?\n]{0,60}\Z",
    re.I,
)
_REPORT_TEXT = re.compile(
    r"\b(?:CPOMS|MyConcern|DSL|safeguarding|disclosure|disclosed|incident (?:report|form|log)|"
    r"behaviour (?:log|report|incident)|statements?|"
    r"hearing|allegations?|complainant|witness(?:es|ed)?|investigat(?:ion|ing|or)|grievance|disciplinary|"
    r"for (?:your|the) (?:log|record|file)|"
    r"word for word|verbatim|logged|reporting|exclu(?:ded|sion)|transcript|anti-bullying|sanction)\b",
    re.I,
)
CHALLENGE = re.compile(
    r"\b(?:challenge[ds]?|unacceptable|stereotyp\w{1,5}|prejudice|must (?:not|never)|should never|"
    r"never acceptable|not (?:acceptable|ok|okay|tolerated?)|"
    r"is wrong|are wrong|wrong to|racism|homophobi\w{1,2}|transphobi\w{1,2}|sexism|discriminat\w{2,5}|"
    r"harassment|equality|hate crime|zero tolerance|"
    r"nobody should|no one should|offensive|report (?:it|any)|misconception|myth|proscribed|banned words|"
    r"filter list|word ?list|block ?list)\b",
    re.I,
)
# "I am not racist, but": meant all the same.
EXCUSE = re.compile(r"\bnot (?:a )?(?:racist|sexist|homophobic|transphobic|prejudiced|being \w+),? but\b", re.I)
_NOT_SAID = re.compile(
    r"\b(?:never|do(?:es)? not|don['’]t|doesn['’]t|must(?: not|n['’]t)|should(?: not|n['’]t)|nobody|no one)(?: ever| should| may)?"
    r" (?:say|says|call|calls|tell|tells|use|uses|think|thinks|believe|believes)\b",
    re.I,
)
LESSON = re.compile(
    r"\b(?:novels?|poems?|poets?|plays?|playwright|Shakespeare\w{0,3}|act (?:\d|[IVX]+)|scenes?|chapters?|"
    r"characters?|protagonist|narrator|set text|"
    r"extract|lyrics|essay|quotations?|lessons?|homework|worksheet|propaganda|museum|segregation|"
    r"apartheid|slave trade|civil rights|Holocaust|"
    r"biology|anatomy|reproduc\w{1,8}|RSE|RSHE|PSHE|sex education|puberty|contracepti\w{1,4}|breeding|breeds|vets?|pupp(?:y|ies)|kennels?|"
    r"species|birds?|"
    r"(?:blue|great|coal|marsh|willow|bearded|crested|long-tailed) tits?|pheasants?|sparrows?|finch(?:es)?|robins|nest(?:s|ing)?|"
    r"reservoir|hatch(?:ed|ing)|survey|etymology|"
    r"condoms?|the pill|vulva|vagina|penis|testicles|ovar(?:y|ies)|menstrua\w{1,4}|periods|ejaculat\w{1,3}|intercourse|sexual health|STIs?|"
    r"slides|parents['’]? talk|e-?safety|online safety|what does the law|under 18|awareness (?:week|month|day)|"
    r"dictionary|Middle English|Chaucer\w{0,3}|Steinbeck|GCSE|A[- ]level|mark scheme|revis(?:ion|e)|vocab(?:ulary)?|translat\w{1,5}|"
    r"(?:word|term) for|(?:in|the) (?:French|German|Spanish|Polish|Latin|Italian|Dutch|Danish|Swedish|"
    r"Norwegian)|textbook|literature|film studies|rehearsal|"
    r"song|album|title|script|costumes?|stage|drama)\b",
    re.I,
)
# How the reasons of a hit begin that say it is not the writer's own, or not meant.
NOT_MEANT = ("quot", "in quot", "reported", "talk of", "said ", "denied", "capitalised", "clinical", "laughing")
QUOTES = {'"': '"', "“": "”", "‘": "’", "«": "»", "„": "“"}


def is_report(text: str) -> bool:
    """Whether the text has the vocabulary of logs, disclosures, hearings and statements."""
    return _REPORT_TEXT.search(text) is not None


def is_challenged(text: str, start: int, end: int) -> bool:
    """Whether the sentence says that such words are wrong, or that nobody uses them."""
    said = CHALLENGE.search(text, start, end) or _NOT_SAID.search(text, start, end)
    return said is not None and EXCUSE.search(text, start, end) is None


def is_lesson(text: str, to_you: bool) -> bool:
    """One word of a lesson will do where nobody is addressed; else two different ones."""
    words = {match[0].lower() for match in LESSON.finditer(text)}
    return len(words) > 1 or (bool(words) and not to_you)


def introduced(text: str, start: int) -> bool:
    """Whether what begins at `start` is introduced as somebody else's words, in the same paragraph, at most 300 characters before."""
    return _INTRODUCED.search(text[max(0, start - 300, text.rfind("\n\n", 0, start)) : start]) is not None


def in_quotes(text: str, start: int, end: int) -> bool:
    """Whether a quotation opened at most 200 characters before, in the same paragraph, and closes after."""
    low = max(0, start - 200, text.rfind("\n\n", 0, start))
    head = text[low:start]
    tail = text[end : end + 200].split("\n\n", 1)[0]
    for opening, closing in QUOTES.items():
        if opening == closing:
            if head.count(opening) % 2 == 1 and closing in tail:
                return True
        elif head.rfind(opening) > head.rfind(closing) and closing in tail:
            return True
    # A single straight quote opens after a blank and closes before a blank or a stop; else it is an apostrophe.
    opened = [match.start() for match in re.finditer(r"(?<![^\s(:])'(?=\w|\Z)", head)]
    return (
        bool(opened)
        and not re.search(r"\w[.,!?]?'(?=[\s.,;:)!?]|\Z)", head[opened[-1] + 1 :])
        and bool(re.search(r"[\w.,!?]'(?=[\s.,;:)!?]|\Z)", tail) or tail.startswith("'"))
    )


_QUOTED = re.compile(r"\"[^\"\n]{1,400}\"|“[^”\n]{1,400}”|‘[^’\n]{1,400}’(?!\w)|«[^»\n]{1,400}»|„[^“”\n]{1,400}[“”]")


def mostly_quoted(text: str, start: int, end: int) -> bool:
    """Whether at least half of `text[start:end]` stands in quotation marks, or all of it between a pair opened before."""
    inside = sum(match.end() - match.start() for match in _QUOTED.finditer(text, start, end))
    return 2 * inside >= end - start or in_quotes(text, start, end)
