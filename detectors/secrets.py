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

from detectors.base import Context, TextDetector, Waking, heading_key
from detectors.tables import TableMap
from detectors.wording import sentence_around
from scanner.model import Hit

_KEY = (
    r"(?:pass[ -]?(?:words?|codes?|phrases?)|passwd|pwd|p/w|pw|pass|pin(?: code| number)?|"
    r"(?:wi-?fi|network|security|access|encryption|master|licen[cs]e|wpa2?|pre-?shared)(?:[ -]key| code)|"
    r"api[ _-]?(?:key|token|secret)|(?:access|auth|bearer|secret|client|account|storage)[ _-]?(?:token|key|secret)|"
    r"(?:recovery|backup|back-up|unlock|door|gate|alarm|safe|padlock|keypad|log-?in|verification|"
    r"activation|2fa|mfa|one[ -]time|authenticator|sms)[ -](?:pass)?(?:codes?|keys?)|(?:safe|lock|padlock|"
    r"key ?safe|door)(?:['’]s)? combination|otp)"
)
_LINK = (
    r"(?:['’]s(?=[ \t])|[ \t]*(?:=|:|->|→|–|—)|[ \t]+(?:is|are|was|will be|has been (?:re)?set to|is (?:re)?set to|(?:re)?set to|"
    r"changed to|remains|stays|would be|should be|-))"
)
# Figures in groups are one value: "482 913", "2-8-5-1".
_VALUE = (
    r"(?:(?P<grouped>\d{2,4}[ -]\d{2,4}(?:[ -]\d{2,4})?(?![\w-])|\d(?:[ -]\d){3,7}(?![\w-]))|"
    r"[\"“'‘](?P<quoted>[^\"”'’\n]{3,64})[\"”'’]|(?P<bare>[^\s<>\"“”]{3,80}))"
)
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
# The user's name and then the value, with no more than a mark between them.
_WITH_USER = re.compile(
    r"\b(?:log-?in|log ?on|user ?(?:name|id)?|account|sims|arbor|bromcom|cpoms|credentials?|cctv|router|admin)\b"
    r"(?: (?:log-?in|user|account|details|is|are|as))?[: \t]{1,3}[\w.@+-]{2,40}[ \t]*[ ,:/][ \t]*(?P<bare>[^\s/\"“”]{7,40})",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"\b(?:wi-?fi|ssid|wireless|network)\b[^.\n]{0,60}?(?:\b(?:and |then )?(?:the )?key(?: is|:)?|/)[ \t]*(?P<bare>[^\s/\"“”]{8,40})",
    re.IGNORECASE,
)
_PIN = re.compile(
    r"\b(?:pin|passcode|unlocks? with|opens? with)(?: (?:no\.?|number|code))?[ \t]+(?P<bare>\d{4,8})(?![\w-]|[.,]\d)",
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
    r"[\d.,]+%.*|[*•xX.?_\-#…]+|[<\[{(].*|.*[>\]}]|(?:your|my|the|our|new|old|temp)[_-]?(?:pass)?(?:word|code|"
    r"key)?|(?:pass|user)(?:word|name)s?|"
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
    r"portal|systems?|wi-?fi|network|admin(?:istrator)?|root|servers?|laptops?|computers?|ipad|tablet|sims|arbor|"
    r"bromcom|cpoms|e-?mail|mailbox|router|"
    r"firewall|teams|web ?site|app|console|ssh|vpn|database|api|token|alarm|door|gate|safe|pc|screen|copier|printer|"
    r"as me|credentials?|domain|dashboard)\b",
    re.IGNORECASE,
)


# A value that is handed over without a word for it: "user is coverstaff and it's Bramble-Otter-77".
_HANDED = re.compile(
    r"(?:\b(?:it['’]?s|is|are|and|then|with|by|use|using|try|put|enter|type|typing|was|be|password|(?:changed|set|"
    r"reset)(?: (?:it|this|that))? to)|[:=/,>(-])"
    r"[ \t]+"
    r"(?P<bare>[A-Za-z0-9!$?#%&*^~+@_.-]{7,40})(?![\w/])"
)
_HANDED_AT = re.compile(
    r"\b(?:user ?(?:name|id)?s?|log(?:s|ged|ging)?[ -]?(?:in|on|into|ins?)|sign(?:s|ed)?[ -]?in|ssid|credentials?|who you are|"
    r"(?:domain|staff|admin|guest|service|test|shared|my|his|her|their|your|the) account|admin|wi-?fi|vpn|mailbox|"
    r"(?:usual|same|temporary) one|use (?:mine|ours|his|hers)|ask(?:s|ed)? (?:you )?for)\b",
    re.IGNORECASE,
)
_SPELT = re.compile(
    r"\b(?:capital [A-Z]\b|all (?:lower|upper)[ -]?case|no spaces|case[ -]sensitive|(?:upper|lower)[ -]case [A-Za-z]\b|exclamation mark at)"
)
# "Door key 12 345" is a label on a key: figures in groups open a lock where a code or combination is named.
_LOCK = re.compile(
    r"(?:safe|lock|padlock|key ?safe|door|gate|alarm|otp|2fa|mfa)\b(?!(?:['’]s)?[ -]keys?\b)", re.IGNORECASE
)
# To pin something up: an order, a wish or a person before the word, and no word for what it opens.
_TO_PIN = re.compile(
    r"\b(?:please|to|and|can|could|will|would|I|you|we|they|must|let['’]s|just|then)[ \t]+\Z", re.IGNORECASE
)
# A course, a form and a room are called by such values too.
_NAMED_SO = re.compile(
    r"\b(?:course|form|room|module|unit|class|group|quiz|folder|file|title|paper|model)\b[^.;\n]{0,30}\Z", re.IGNORECASE
)
_HAND_REACH = 160
# What heads a column of secrets, as a key.
_COLUMN = re.compile(
    r"(?:initial|temp|temporary|new|old|default|first|start|starting|email|network|wifi|portal|login|logon|user|"
    r"pupil|parent|student|staff|admin|door|"
    r"copier|sims|arbor|google|microsoft|office|teams|system|your|their|my|account|access|current|reset)*"
    r"(?:passwords?|passwd|pwd?s?|passcodes?|passphrases?|pins?|pincodes?|pinnumbers?|wifikey|secrets?|logincode|accesscodes?)"
)
_NOT_YET = frozenset(
    (
        *"yes no set reset done changed sent issued required expired never unset default same n/a none tbc new ok".split(),
        "to follow",
        "to be set",
        "to be sent",
        "to be issued",
        "as above",
        "as before",
        "as usual",
        "see below",
        "see above",
        "in person",
        "by phone",
        "on paper",
        "sent separately",
        "not set",
        "not known",
        "not yet",
        "ask office",
        "given out",
        "own choice",
    )
)

# No honest text tells more secrets than this; the rest is left out, and said so.
_MOST = 1_000
# The last expressions of `Secrets.wake`: no word says that a secret stands there.
_BARE = 3


class _Found(NamedTuple):
    start: int
    end: int
    confidence: float
    reason: str


class Secrets(TextDetector):
    """A password, key or code that stands in the text, told apart by what it opens."""

    labels: ClassVar[tuple[str, ...]] = ("password", "file_password", "login_secret")
    wake: ClassVar[tuple[str, ...]] = (
        r"\bpass",
        r"\bpwd\b",
        r"\bp/?w\b",
        r"\bpin\b",
        r"\bkey\b",
        r"[_ -]key\b",
        r"api[ _-]?(?:key|token|secret)",
        r"\btoken\b",
        r"\bsecret\b",
        r"\bcodes?\b",
        r"\bkeys\b",
        r"accesskey",
        r"accountkey",
        r"AKIA[0-9A-Z]{8}",
        r"gh[pousr]_[a-z0-9]{8}",
        r"xox[abprs]-",
        r"\buser(?:name|id)?s?\b",
        r"\blog(?:s|ged|ging)?[ -]?(?:in|on|into|ins?)\b",
        r"\bssid\b",
        r"\baccount\b",
        r"who you are",
        r"\buse (?:mine|ours|his|hers)\b",
        r"sign(?:s|ed)?[ -]?in\b",
        r"\bwi-?fi\b",
        r"\bcombination\b",
        r"\botp\b",
        r"\b(?:sims|arbor|bromcom|cpoms|cctv|router|mailbox)\b",
        r"\bAIza",
        r"\bsk[_-][a-z0-9]",
        r"glpat-",
        r"PRIVATE KEY",
        r"\beyJ[a-z0-9_-]{10}",
        r"://[^\s:/@]{1,40}:[^\s:/@]{3,60}@",
        r"(?:opens?|unlocks?|log(?:ged)? (?:in|on)|sign(?:ed)? in) with\b",
        r"credentials?",
        r"[a-z0-9_.@] ?/ ?[^\s/]{6}",
        r"^\s{0,20}[^\s/:@<>]{8,40}[ \t]*\r?\n",
        r"^\s{0,20}[^\s/:@<>]{8,40}[ \t]*$",
    )

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterator[Hit]:
        seen: set[int] = set()
        bare = len(self.wake) - _BARE
        named = [waking for waking in wakings if waking.index < bare]
        found = chain(
            (one for low, high in _stretches(text, named) for one in _named(text, low, high)),
            (one for low, high in _stretches(text, named) for one in _handed(text, low, high)),
            (one for low, high in _stretches(text, wakings) for one in _unnamed(text, low, high)),
            _in_columns(text, context),
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
        kind = "grouped" if match["grouped"] else "quoted" if match["quoted"] else "bare"
        start, end = _trimmed(text, *match.span(kind), quoted=kind == "quoted")
        told = (
            0.85
            if kind == "grouped"
            else 0.0
            if "combination" in match[0][: match.start("link") - match.start()].lower()
            and not any(character.isdigit() for character in text[start:end])
            else _plausible(
                text, start, end, kind == "quoted", match["link"].strip() in ("=", ":", "->", "→", "–", "—"), match[0]
            )
        )
        if told:
            yield _Found(start, end, told, "a value is given for it")
    for match in (*_WITH_USER.finditer(text, low, high), *_NETWORK.finditer(text, low, high)):
        start, end = _trimmed(text, *match.span("bare"), quoted=False)
        value = text[start:end]
        network = match.re is _NETWORK and (_shape(value) >= 2 or (value.isalpha() and "key" in match[0].lower()))
        if (
            (network or len(_made_up(value).strip("-")) > 0)
            and value.lower() not in _NO_VALUE
            and not _PLACEHOLDER.fullmatch(value)
        ):
            yield _Found(start, end, 0.88, "a value stands beside a user or network")
    for match in _PIN.finditer(text, low, high):
        verb = match[0][:4].lower() == "pin " and _TO_PIN.search(text, max(0, match.start() - 12), match.start())
        if not verb and not 1990 <= int(match["bare"]) <= 2039:
            yield _Found(*match.span("bare"), 0.8, "a value stands beside it")
    for match in _BESIDE.finditer(text, low, high):
        if match["grouped"]:
            if _LOCK.match(match[0]):
                yield _Found(*match.span("grouped"), 0.8, "a value stands beside it")
            continue
        kind = "quoted" if match["quoted"] else "bare"
        start, end = _trimmed(text, *match.span(kind), quoted=kind == "quoted")
        if kind == "quoted" or _shape(text[start:end]) >= 2:
            told = _plausible(text, start, end, kind == "quoted", False, match[0])
            if told:
                yield _Found(start, end, min(told, 0.88), "a value stands beside it")
    for match in _LATER.finditer(text, low, high):
        if match["grouped"]:
            continue
        start, end = _trimmed(text, *match.span("quoted" if match["quoted"] else "bare"), quoted=bool(match["quoted"]))
        if _shape(text[start:end]) >= 2 and not _PLACEHOLDER.fullmatch(text[start:end]):
            yield _Found(start, end, 0.9, "a value is given for it")


def _unnamed(text: str, low: int, high: int) -> Iterator[_Found]:
    """Values that only their place tells: alone in the message, or behind a user name and a slash."""
    if low == 0 and (lone := _LONE.match(text)):
        start, end = _trimmed(text, *lone.span("bare"), quoted=False)
        if _shape(text[start:end]) >= 3 and not _PLACEHOLDER.fullmatch(text[start:end]):
            yield _Found(start, end, 0.6, "a line that is nothing but such a value")
    for match in (*_PAIR.finditer(text, low, high), *_INLINE.finditer(text, low, high)):
        start, end = _trimmed(text, *match.span("bare"), quoted=False)
        # A slash inside a line of base64 looks the same: signatures and keys are made of such lines.
        in_code = _BASE64_LINE.match(text, text.rfind("\n", 0, start) + 1) is not None
        if _shape(text[start:end]) >= 3 and not in_code and not _PLACEHOLDER.fullmatch(text[start:end]):
            yield _Found(start, end, 0.85, "user name / password")


def _handed(text: str, low: int, high: int) -> Iterator[_Found]:
    """Values that look like nothing else than a secret, where somebody is told how to log in."""
    for match in _HANDED.finditer(text, low, high):
        start, end = _trimmed(text, *match.span("bare"), quoted=False)
        signs = _made_up(text[start:end])
        if not signs or _PLACEHOLDER.fullmatch(text[start:end]):
            continue
        reach = (max(0, start - _HAND_REACH), min(len(text), end + _HAND_REACH))
        if signs == "-" and _SPELT.search(text, end, reach[1]) is None:
            # Rooms, models and papers have a hyphen too: it must be several words, and the same sentence speak of the log-in.
            if len(re.findall(r"[-_]", text[start:end])) < 2:
                continue
            first, _ = sentence_around(text, start, end)
            if _NAMED_SO.search(text, max(first, start - 60), start):
                continue
            reach = (max(first, reach[0]), start)
        if _HANDED_AT.search(text, *reach):
            yield _Found(start, end, 0.86, "a value is handed over to log in with")


_NAME_OF_A_FILE = re.compile(r".*\.[A-Za-z]{2,5}\Z")


def _made_up(value: str) -> str:
    """The signs in a value of small letters, capitals and at least two digits that nobody writes but as a password; empty where
    it has none of these, or the form of an address, a file's name or a paper of a year.
    """
    digits = sum(character.isdigit() for character in value)
    signs = {character for character in value[1:] if not character.isalnum()} - {"."}
    if len(value) < 8 or digits < 2 or not signs or ("@" in value and "." in value.rpartition("@")[2]):
        return ""
    if not re.search(r"[a-z]{3}", value) or not any(map(str.isupper, value)) or _NAME_OF_A_FILE.fullmatch(value):
        return ""
    if signs <= {"-", "_"}:
        return "" if re.search(r"(?<!\d)(?:19|20)\d\d(?!\d)", value) else "-"
    return "".join(sorted(signs))


def _in_columns(text: str, context: Context) -> Iterator[_Found]:
    """The cells beneath a heading such as "Initial pw"."""
    if not context.tables:
        return
    for cell in TableMap(text, context.tables).cells:
        if not cell.heading or cell.is_heading or not _COLUMN.fullmatch(heading_key(cell.heading)):
            continue
        value = text[cell.start : cell.end]
        if len(value) > 64 or _PLACEHOLDER.fullmatch(value) or value.lower() in _NOT_YET or value.lower() in _NO_VALUE:
            continue
        pin = "pin" in heading_key(cell.heading) or "code" in heading_key(cell.heading)
        if value.isdigit():
            sure = 0.85 if 4 <= len(value) <= 12 and (pin or len(value) >= 6) else 0.0
        else:
            sure = (
                0.9
                if _shape(value) >= 2 and " " not in value
                else 0.8
                if len(value) >= 6 and value.count(" ") <= 3
                else 0.0
            )
        if sure:
            yield _Found(cell.start, cell.end, sure, f"column '{cell.heading}'")


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
