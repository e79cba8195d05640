"""Disclosed passwords, keys and codes.

What the user sees: that a secret stands in the text, and what for. `password` is any disclosed secret; over the same words
stands also `file_password` where it is said to open a file or document, else `login_secret`, because the two are different
breaches. Talk about passwords is no hit: a value must stand there and look like one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import ClassVar, NamedTuple

from detectors.base import Context, TextDetector, Waking
from detectors.tables import TableMap
from detectors.wording import sentence_around
from scanner.model import Hit

_KEY = (
    r"(?:pass[ -]?(?:words?|codes?|phrases?)|passwd|pwd|p/w|pw|pass|pin(?: code| number)?|"
    r"(?:wi-?fi|network|security|access|encryption|master|licen[cs]e|wpa2?|pre-?shared)(?:[ -]key| code)|"
    r"api[ _-]?(?:key|token|secret)|(?:access|auth|bearer|secret|client|account|storage)[ _-]?(?:token|key|secret)|"
    r"(?:recovery|backup|back-up|unlock|door|gate|alarm|safe|log-?in|verification|activation)[ -](?:codes?|keys?))"
)
_LINK = (
    r"(?:['’]s(?=[ \t])|[ \t]*(?:=|:|->|→|–|—)|[ \t]+(?:is|are|was|will be|has been (?:re)?set to|is (?:re)?set to|(?:re)?set to|"
    r"changed to|remains|stays|would be|should be|-))"
)
_VALUE = r"(?:[\"“'‘](?P<quoted>[^\"”'’\n]{3,64})[\"”'’]|(?P<bare>[^\s<>\"“”]{3,80}))"
_STATED = re.compile(
    rf"\b{_KEY}(?:[ \t]+(?:for|to|of|on|in)[ \t]+[^\n:=.]{{1,60}}?)?(?P<link>{_LINK})[ \t]*"
    rf"(?:(?:now|still|just|simply|currently|always|again|as follows)\b)?[: \t]*(?:\r?\n[ \t]*){{0,2}}{_VALUE}",
    re.IGNORECASE,
)
# "password Larch41" and "opens with Larch41": no link, so the value must look the part by itself.
_BESIDE = re.compile(
    rf"\b(?:{_KEY}|(?:opens?|unlocks?|log(?:ged)? (?:in|on)|sign(?:ed)? in) with)[ \t]+{_VALUE}", re.IGNORECASE
)
# "the password is how we call the hall, no spaces: Oakhall22": explained first, given last.
_LATER = re.compile(rf"\b{_KEY}[ \t]+(?:is|will be|was)[^\n:]{{1,160}}:[ \t]*{_VALUE}[ \t]*(?:\r?\n|\Z)", re.IGNORECASE)
_INLINE = re.compile(
    r"\b(?:use|using|as|with|log-?in|is|details|account)[: \t]+[\w.@+-]{3,40}[ \t]*/[ \t]*(?P<bare>[^\s/]{6,32})(?=[\s.,;)]|\Z)",
    re.IGNORECASE,
)
# "use mine, rgosal then Heron!1977": no word says password, but a log-in is spoken of, a name stands there and then a value.
_USER_THEN = re.compile(
    r"\b(?:user(?:[ ]?name| ?id)?|log(?:s|ged|ging)?[ -]?(?:in|on|into)|logins?|sign(?:s|ed)?[ -]?(?:in|on|into)|accounts?|uid|credentials|"
    r"use (?:mine|my|ours|his|hers|this one|the (?:old|admin|staff|shared|supply|generic))|put|type|enter|ask(?:s|ed)? (?:who|for))\b"
    r"[^\n]{0,60}?(?<![\w.@/-])[\w.@+-]{3,40}(?:[ \t]*[,;:|][ \t]*|[ \t]+)(?:and|then|with|followed by|&|\+|plus|pass|pw)"
    r"(?:[ \t]+(?:then|it['’]?s|its|it is|the|put|type|enter|as|use|with))*[ \t:]+(?P<bare>[^\s<>\"“”]{7,40})",
    re.IGNORECASE,
)
_SECRET_HEADING = re.compile(
    r"(?:(?:initial|temp(?:orary)?|new|current|default|log-?in|first|start(?:er|ing)?|your|their|my|network|e-?mail|pupil|student|user|account)"
    r"[ _-]?){0,2}(?:pass[ _-]?(?:words?|codes?|phrases?)|passwd|pwd|pw|p/w|pin(?:[ _-]?(?:code|number))?|secret|picture password)"
    r"(?:[ _-]?\(?(?:initial|temp(?:orary)?|new|default|first log-?in)\)?)?",
    re.IGNORECASE,
)
# A message that is nothing but a secret: what it opens was in another one.
_LONE = re.compile(r"\A\s{0,20}(?P<bare>[^\s/:@<>]{8,40})[ \t]*(?:\r?\n|\Z)")
_BASE64_LINE = re.compile(r"[A-Za-z0-9+/=]{20,80}[ \t]*\r?(?:\n|\Z)")
_PAIR = re.compile(
    r"^[ \t>*-]*(?:(?:log-?in|user(?:name)?|account|credentials?|details|id)[ \t]*[:=]?[ \t]*)?[\w.@+-]{2,40}"
    r"[ \t]*/[ \t]*(?P<bare>[^\s/]{6,32})[ \t]*\r?$",
    re.IGNORECASE | re.MULTILINE,
)
_SHAPES = re.compile(
    r"(?P<private>-----BEGIN (?:[A-Z]{2,10} )?PRIVATE KEY-----)"
    r"|(?<!\w)(?P<token>AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,60}|xox[abprs]-[A-Za-z0-9-]{10,80}|AIza[\w-]{35}|"
    r"sk[_-][A-Za-z0-9_-]{20,80}|glpat-[\w-]{20}|eyJ[\w-]{15,200}\.eyJ[\w-]{10,400}\.[\w-]{10,200})(?!\w)"
    r"|\b[a-z][a-z0-9+]{2,12}://[^\s:/@]{1,40}:(?P<url>[^\s:/@]{3,60})@[\w.-]{3,80}"
    r"|\b(?:AccountKey|SharedAccessKey|Password|Pwd)=(?P<connection>[^\s;\"']{6,100});",
)
_PLACEHOLDER = re.compile(
    r"[\d.,]+%.*|[*•xX.?_\-#…]+|[<\[{(].*|.*[>\]}]|(?:your|my|the|our|new|old|temp)[_-]?(?:pass)?(?:word|code|key)?|(?:pass|user)(?:word|name)s?|"
    r"example\w*|n/?a|tbc|tba|none|blank|https?:.*|www\..*|[\w.+-]+@[\w.-]+",
    re.IGNORECASE,
)
_NO_VALUE = frozenset(
    """
    the a an this that your my our his her their its it not no now in on at by to for from with as and or but if so too very never always
    only just being been both either any all some sent given shared set secure safe strong weak wrong incorrect correct right invalid
    valid required needed necessary old new same different separate below above following attached enclosed ready temporary lost
    forgotten mandatory optional available yours mine ours here there important essential enough protected encrypted stored known
    unknown unique secret confidential private case sensitive long short simple complex good bad easy hard written held kept made
    due going coming what which who when where how why because until unless about per via then still also up out over under again
    later today tomorrow separately soon already working fine okay ok really quite rather more less better worse best worst
    stupid silly guessable visible hidden missing empty blank broken public personal exactly probably something anything nothing
    """.split()
)
_ADVICE = re.compile(
    r"(?<![.@\w/])(?:e\.g\.|for example|for instance|such as|like this|instead of|rather than|avoid|never use|don['’]?t use|do not use|"
    r"weak|strong passwords?|at least \w+ characters|minimum|polic(?:y|ies)|guidance|phishing|scam|example(?!\.)|"
    r"dummy|sample|made[- ]up|fictional|training|lesson|homework|quiz|worksheet|"
    r"most common|top (?:ten|10|twenty|20)|worst passwords?|three random words|"
    r"was (?:breached|leaked|guessed)|novel|film|used to be)\b",
    re.IGNORECASE,
)
_FILE = re.compile(
    r"\b(?:files?|documents?|attach(?:ed|ment|ments)|spreadsheets?|workbooks?|pdfs?|zip(?:ped)?|archive|folder|open(?:s|ed|ing)?|unlocks?|"
    r"encrypt(?:ed|ion)?|protected|sheet|report|letter|list|docx?|xlsx?|pptx?|minutes|papers|form|register|7z)\b",
    re.IGNORECASE,
)
_LOGIN = re.compile(
    r"\b(?:log(?:ged|ging)?[ -]?(?:in|on|into)|logins?|sign(?:ed|ing)?[ -]?in(?:to)?|user ?names?|user ?id|users?|accounts?|"
    r"portal|systems?|wi-?fi|network|admin(?:istrator)?|root|servers?|laptops?|computers?|ipad|tablet|sims|arbor|bromcom|cpoms|e-?mail|mailbox|router|"
    r"firewall|teams|web ?site|app|console|ssh|vpn|database|api|token|alarm|door|gate|safe|pc|screen|copier|printer|"
    r"as me|credentials?|domain|dashboard)\b",
    re.IGNORECASE,
)


# No honest text tells more secrets than this; the rest is left out, and said so.
_MOST = 1_000
# The last expressions of `Secrets.wake`: no word says that a secret stands there.
_BARE = 4


class _Found(NamedTuple):
    start: int
    end: int
    confidence: float
    reason: str


class Secrets(TextDetector):
    """A password, key or code that stands in the text, told apart by what it opens."""

    labels: ClassVar[tuple[str, ...]] = ("password", "file_password", "login_secret")
    wake: ClassVar[tuple[str, ...]] = (
        r"\bpass", r"\bpwd\b", r"\bp/?w\b", r"\bpin\b", r"\bkey\b", r"[_ -]key\b", r"api[ _-]?(?:key|token|secret)", r"\btoken\b",
        r"\bsecret\b", r"\bcodes?\b",
        r"\bkeys\b", r"accesskey", r"accountkey", r"AKIA[0-9A-Z]{8}", r"gh[pousr]_[a-z0-9]{8}", r"xox[abprs]-",
        r"\bAIza", r"\bsk[_-][a-z0-9]", r"glpat-", r"PRIVATE KEY", r"\beyJ[a-z0-9_-]{10}", r"://[^\s:/@]{1,40}:[^\s:/@]{3,60}@",
        r"(?:opens?|unlocks?|log(?:ged)? (?:in|on)|sign(?:ed)? in) with\b", r"credentials?",
        r"\b(?:and|then|with|plus|by)\b[^\n]{0,30}[ :][^\s/:@<>]{4,30}[0-9]",
        r"[a-z0-9_.@] ?/ ?[^\s/]{6}", r"^\s{0,20}[^\s/:@<>]{8,40}[ \t]*\r?\n", r"^\s{0,20}[^\s/:@<>]{8,40}[ \t]*$",
    )  # fmt: skip

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterator[Hit]:
        seen: set[int] = set()
        bare = len(self.wake) - _BARE
        named = [waking for waking in wakings if waking.index < bare]
        found = chain(
            (one for low, high in _stretches(text, named) for one in _named(text, low, high)),
            (one for low, high in _stretches(text, wakings) for one in _unnamed(text, low, high)),
            _in_tables(text, context),
        )
        for one in found:
            if len(seen) >= _MOST:
                if context.budget is not None:
                    context.budget.texts_cut += 1
                return
            if one.start not in seen:
                seen.add(one.start)
                yield from _hits(text, one)


def _stretches(text: str, wakings: Sequence[Waking]) -> Iterator[tuple[int, int]]:
    """Stretches of text around the wakings, joined where they touch, so that nothing is read twice."""
    first = last = -1
    for waking in wakings:
        low, high = max(0, waking.end - 120), min(len(text), waking.end + 240)
        if first < 0:
            first, last = low, high
        elif low <= last:
            last = max(last, high)
        else:
            yield first, last
            first, last = low, high
    if first >= 0:
        yield first, last


def _named(text: str, low: int, high: int) -> Iterator[_Found]:
    """Values that a word beside them, or their own shape, says are secrets."""
    for match in _SHAPES.finditer(text, low, high):
        kind = match.lastgroup or "token"
        start, end = match.span(kind)
        words = {
            "private": "a private key",
            "token": "an access token by its shape",
            "url": "user and password in a link",
        }
        if kind not in ("url", "connection") or not _PLACEHOLDER.fullmatch(match[kind]):
            yield _Found(start, end, 0.93, words.get(kind, "password in a connection string"))
    for match in _STATED.finditer(text, low, high):
        kind = "quoted" if match["quoted"] else "bare"
        start, end = _trimmed(text, *match.span(kind), quoted=kind == "quoted")
        told = _plausible(
            text, start, end, kind == "quoted", match["link"].strip() in ("=", ":", "->", "→", "–", "—"), match[0]
        )
        if told:
            yield _Found(start, end, told, "a value is given for it")
    for match in _BESIDE.finditer(text, low, high):
        kind = "quoted" if match["quoted"] else "bare"
        start, end = _trimmed(text, *match.span(kind), quoted=kind == "quoted")
        if kind == "quoted" or _shape(text[start:end]) >= 2:
            told = _plausible(text, start, end, kind == "quoted", False, match[0])
            if told:
                yield _Found(start, end, min(told, 0.88), "a value stands beside it")
    for match in _LATER.finditer(text, low, high):
        start, end = _trimmed(text, *match.span("quoted" if match["quoted"] else "bare"), quoted=bool(match["quoted"]))
        if _shape(text[start:end]) >= 2 and not _PLACEHOLDER.fullmatch(text[start:end]):
            yield _Found(start, end, 0.9, "a value is given for it")


def _unnamed(text: str, low: int, high: int) -> Iterator[_Found]:
    """Values that only their place tells: alone in the message, or behind a user name and a slash."""
    if low == 0 and (lone := _LONE.match(text)):
        start, end = _trimmed(text, *lone.span("bare"), quoted=False)
        if _shape(text[start:end]) >= 3 and not _PLACEHOLDER.fullmatch(text[start:end]):
            yield _Found(start, end, 0.6, "a line that is nothing but such a value")
    for match in _USER_THEN.finditer(text, low, high):
        start, end = _trimmed(text, *match.span("bare"), quoted=False)
        value = text[start:end]
        if _shape(value) >= 3 and any(map(str.islower, value)) and not _PLACEHOLDER.fullmatch(value):
            yield _Found(start, end, 0.86, "a user name, then a value")
    for match in (*_PAIR.finditer(text, low, high), *_INLINE.finditer(text, low, high)):
        start, end = _trimmed(text, *match.span("bare"), quoted=False)
        # A slash inside a line of base64 looks the same: signatures and keys are made of such lines.
        in_code = _BASE64_LINE.match(text, text.rfind("\n", 0, start) + 1) is not None
        if _shape(text[start:end]) >= 3 and not in_code and not _PLACEHOLDER.fullmatch(text[start:end]):
            yield _Found(start, end, 0.85, "user name / password")


def _in_tables(text: str, context: Context) -> Iterator[_Found]:
    """The values below a column that is headed as one of passwords."""
    if not context.tables:
        return
    for cell in TableMap(text, context.tables).cells:
        value = text[cell.start : cell.end]
        if not cell.heading or not _SECRET_HEADING.fullmatch(cell.heading.strip(" :*")):
            continue
        filler = _PLACEHOLDER.fullmatch(value) or value.lower() in _NO_VALUE
        if (
            4 <= len(value) <= 64
            and not filler
            and (" " not in value or _shape(value) >= 2)
            and not _SECRET_HEADING.fullmatch(value)
        ):
            yield _Found(cell.start, cell.end, 0.88, "a column of passwords")


def _trimmed(text: str, start: int, end: int, *, quoted: bool) -> tuple[int, int]:
    while not quoted and end > start and text[end - 1] in ".,;:)'’":
        end -= 1
    while not quoted and start < end and text[start] in "('‘":
        start += 1
    return start, end


def _shape(value: str) -> int:
    """How many kinds of character make it unlike a word: capitals inside, digits, signs."""
    letters = any(character.isalpha() for character in value)
    inner_capital = any(character.isupper() for character in value[1:]) and any(
        character.islower() for character in value
    )
    digit = any(character.isdigit() for character in value)
    sign = any(not character.isalnum() and character not in "'’" for character in value)
    return (
        letters
        + inner_capital
        + digit
        + (sign and (digit or inner_capital or value.count("-") > 1 or "!" in value[1:]))
    )


def _plausible(text: str, start: int, end: int, quoted: bool, assigned: bool, whole: str) -> float:
    """Confidence that `text[start:end]` is a value and not the next word of the sentence; 0 where it is none."""
    value = text[start:end]
    plain = value.lower()
    if len(value) < 3 or _PLACEHOLDER.fullmatch(value) or (plain in _NO_VALUE and not quoted):
        return 0.0
    pin = re.match(r"(?:pin|.{0,20}code)", whole, re.IGNORECASE) is not None
    if value.isdigit():
        return 0.9 if (pin and 4 <= len(value) <= 12) or len(value) >= 5 or quoted else 0.78 if len(value) == 4 else 0.0
    if re.match(r"(?:pass\b|key\b)", whole, re.IGNORECASE) and _shape(value) < 2 and not quoted:
        return 0.0  # "pass: …" and "key: …" head many lists
    if _shape(value) >= 2:
        return 0.93
    if quoted:
        return 0.88 if " " not in value or len(value.split()) <= 5 else 0.0
    if not value.replace("-", "").isalpha() or re.search(r"(?:ed|ing|ly|tion|able|ible|ful)\Z", plain):
        return 0.0
    if pin and not value.isupper():
        return 0.0
    rest = text[end : end + 40].split("\n", 1)[0].strip(" .!,;)\r")
    if rest:
        # A plain word with more words after it is the sentence going on, unless a new clause begins.
        following = re.match(
            r"[.!,;)\s]*(?:and|thanks|ta|cheers|please|all|[-–(])", text[end : end + 20], re.IGNORECASE
        )
        return 0.8 if (value[0].isupper() or assigned) and (following or text[end : end + 1] in ".,;!") else 0.0
    return 0.85 if assigned or value[0].isupper() else 0.78


def _hits(text: str, found: _Found) -> Iterator[Hit]:
    low, high = sentence_around(text, found.start, found.end)
    low, high = max(low, found.start - 160), min(high, found.end + 160)
    confidence, reasons = found.confidence, [found.reason]
    if _ADVICE.search(text, low, high):
        confidence *= 0.45
        reasons.append("advice or example, not a live secret")
    value = text[found.start : found.end]
    wider = (max(0, found.start - 200), min(len(text), found.end + 120))
    file, login = len(_FILE.findall(text, low, high)), len(_LOGIN.findall(text, low, high))
    if not file and not login:
        file, login = len(_FILE.findall(text, *wider)), len(_LOGIN.findall(text, *wider))
        far = True
    else:
        far = False
    yield Hit(
        "password",
        found.start,
        found.end,
        value,
        round(confidence, 3),
        (*reasons, "opens a file" if file > login else "log-in"),
    )
    if file > login:
        yield Hit("file_password", found.start, found.end, value, round(confidence, 3), (*reasons, "opens a file"))
    else:
        sure = confidence if login and not far else min(confidence, 0.8)
        why = "log-in" if login else "said of no file"
        yield Hit("login_secret", found.start, found.end, value, round(sure, 3), (*reasons, why))
