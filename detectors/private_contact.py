"""A member of staff gives a private number, address or social account: the detail together with words that make it theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from detectors.base import MessageDetector
from detectors.names import is_private_provider, likeness
from detectors.wording import sentence_around
from scanner.model import Hit, Person
from scanner.ports import Message

_NEAR = 120
# Who gives an account away does so in a letter, and not in a book.
_READ = 10_000
# "my own mobile", "ring me at home", "add me on Instagram": the words that make a detail the writer's private one.
_MINE = re.compile(
    r"\b(?:my (?:own |personal |private |home |new )?(?:mobile|number|phone|cell|landline|home number|whats ?app|e-?mail|gmail|hotmail|"
    r"insta(?:gram)?|snap(?:chat)?|facebook|tik ?tok|discord|address)"
    r"|(?:text|ring|call|phone|message|whats ?app|dm|e-?mail|reach|write to|get|catch|add|follow|find|snap) (?:me|us) (?:on|at|by|via)"
    r"|i am|i'm|mine is|at home|that(?:'s| is) (?:the|my) (?:private|personal|own)|private (?:one|number|line)"
    r"|it(?:'s| is) my own (?:phone|number|mobile))\b|\bhome (?=\(?0)",
    re.IGNORECASE,
)
_SERVICE = (
    r"(?:whats ?app|insta(?:gram)?|snap ?(?:chat)?|facebook|fb|tik ?tok|discord|telegram|signal|messenger|be ?real|twitch|steam|x ?box|"
    r"play ?station|psn|ps[45]|switch|roblox|minecraft|fortnite|strava|threads|twitter|blue ?sky|linked ?in|you ?tube|reddit|pinterest|"
    r"kik|skype|face ?time)"
)
# A name as accounts have it: marked with @ or #, or with a line, dot or digit among its letters.
_MARKED = r"(?:(?<![\w.@])@[\w.]{3,30}|\b[A-Za-z][\w.]{2,24}#\d{3,5}\b)"
_HANDLE = (
    rf"(?:{_MARKED}|(?<![\w.@/])[a-z](?=[a-z]{{0,24}}(?:[_\d]|\.[a-z]))(?!\w{{0,30}}\.(?:com|uk|org|net|gg|co|example)\b)"
    r"[\w.]{3,28}+(?![\w@/]))"
)
_ACCOUNT = re.compile(
    rf"\b{_SERVICE}(?:['’]s)?\b[^\n]{{0,60}}?{_MARKED}"
    rf"|{_MARKED}[^\n]{{0,40}}?\b{_SERVICE}\b"
    rf"|\b(?:i am|i['’]?m|im|me|mine|my)\b[^\n.]{{0,40}}?{_HANDLE}[^\n.]{{0,25}}?\b{_SERVICE}\b"
    rf"|\b(?:i am|i['’]?m|im|me|mine|my|i['’]?ve|i['’]?ll|hmu|hit me up|add|better|easier|find|look for|try)\b"
    rf"[^\n]{{0,60}}?\b{_SERVICE}(?:['’]s)?\b[^\n]{{0,40}}?{_HANDLE}"
    rf"|\b{_SERVICE}\b[^\n]{{0,30}}?\b(?:gamer ?tag|handle|user ?name|tag|friend code|nickname|profile)(?:['’]s| is|:| =)? [\w.@#]{{3,30}}"
    r"|\b(?:save|add|keep|lost|here['’]?s|take|ask [a-z ]{2,20} for)\b[^\n.?!]{0,15}\bmy (?:own |other |personal |new )?"
    r"(?:number|mobile|digits|mob|cell)\b"
    r"|\bmy (?:own |other |personal |private )?(?:number|mobile|digits)(?:['’]s| is| has| hasn['’]?t)? "
    r"(?:on|in|at|under|the same|below|changed|written|still|always)\b"
    r"|\b(?:whats ?app|skype|face ?time|snap ?chat|dm|friend|friending|request) me\b|\bput your number in(?:to)? my phone\b"
    r"|\b(?:come|pop|call|bring [a-z ]{2,20}) (?:round |over )?(?:to|at) (?:the|my|our) (?:house|flat|home|place)\b"
    r"|\bfollow(?:ing)? (?:me|my (?:own|personal|private|training))\b"
    r"|\bmy (?:own|personal|private) (?:insta\w*|snap\w*|facebook|strava|discord|account)\b"
    r"|\b(?:text|ring|message|phone|call) me\b[^\n.?!]{0,40}\b(?:home safe|any ?time|same number|on a text|at night|tonight|other phone)\b"
    # written out, so that no machine reads it
    r"|[\w.]{2,30} ?(?:\(at\)|\[at\]|\bat\b) ?(?:gmail|googlemail|hotmail|outlook|icloud|yahoo|live|aol|btinternet|sky|proton|protonmail)"
    r" ?(?:\bdot\b|\(dot\)|\[dot\]|\.) ?(?:com|co|net|me|uk)\b"
    rf"|\b{_SERVICE}(?:['’]s)?(?: is)? (?:better|easier|best|quicker|fine)\b[^\n]{{0,30}}?{_HANDLE}"
    rf"|\bmy (?:own |private |personal )?{_SERVICE}(?: (?:name|handle|account|tag|id|user ?name|code))?(?:['’]s| is|:) [\w.@#]{{3,30}}"
    rf"|\b(?:add|follow|find|message|dm|ask|snap|friend|catch|try|get|ping) me (?:back |up )?(?:on|at|via|over on) (?:my )?{_SERVICE}\b"
    rf"|\b(?:i am|i['’]m|im|you['’]ll find me|you can (?:find|add|follow|message) me) (?:also |usually |mostly )?on {_SERVICE}\b"
    rf"|\b(?:join|add you to|set up|made|started|our|my|i['’]?ve|i have|i run|run)\b[^\n.]{{0,30}}\b(?:private )?"
    rf"(?:{_SERVICE}[^\n.]{{0,15}}\b"
    rf"(?:group|server|channel|chat)|(?:group|server|channel|chat)[^\n.]{{0,10}}\b{_SERVICE})\b",
    re.IGNORECASE,
)
# Beside a number, in a signature as well: it is the writer's own and not the school's.
_OWN_NUMBER = re.compile(
    r"\((?:own|private|personal|home|mine)\)|\b(?:my own|own|private|personal|home) (?:mobile|mob|phone|number|no|line|cell|tel)\b"
    r"|\b(?:mobile|mob|phone|number|tel|cell|m|t)\.? ?[(\[,-]? ?(?:own|private|personal|home|not school)\b",
    re.IGNORECASE,
)
# In the sentence of a number: the writer speaks of themselves. A mobile is then theirs; a fixed line must be at home.
_SELF = re.compile(r"\b(?:i|i['’]?m|i['’]?ll|i['’]?ve|me|my|mine|us|we|our)\b", re.IGNORECASE)
_AT_HOME = re.compile(
    r"\b(?:home|house|husband|wife|partner|my own|private|personal|evenings?|weekends?|after (?:six|seven|eight|nine|\d))\b",
    re.IGNORECASE,
)
# The school's own, or somebody else's: these take the meaning away.
_NOT_MINE = re.compile(
    r"\b(?:school|trip|office|work|department|reception|trust|academy|club|duty)(?:'s)? (?:trip )?"
    r"(?:mobile|phone|number|line|e-?mail|landline)"
    r"|\b(?:your|his|her|their) (?:own |new |home )?(?:mobile|number|phone|e-?mail|contact)",
    re.IGNORECASE,
)
# The school's own, or somebody else's: these take the meaning away.
_NOT_MINE = re.compile(
    r"\b(?:school|trip|office|work|department|reception|trust|academy|club|duty)(?:'s)? (?:trip )?"
    r"(?:mobile|phone|number|line|e-?mail|landline)"
    r"|\b(?:your|his|her|their|whose) (?:own |new |home |work )?(?:mobile|number|phone|e-?mail|contact|line)\b"
    r"|\b(?:firm|company|surgery|clinic|gp|doctor|hospital|helpline|charity|council|provider|centre|service|hotel|coach(?:es)?|bus|driver|"
    r"venue|museum|farm|hostel|garage|shop|consultant|therapist|nurse)(?:['’]s)?\b[^.\n]{0,30}\b(?:number|phone|mobile|line|is on|are on)\b"
    r"|\b(?:number|phone|mobile|line) (?:for|of) (?:the|your|his|her|their)\b"
    r"|\b(?:have|got|reach(?:ed)?|ring|rang|called?|try|tried|contact) (?:you|her|him|them)[^.\n]{0,20}\b(?:on|at)\b"
    r"|\bext(?:ension)?\b|\bswitchboard\b|\bdirect (?:line|dial)\b",
    re.IGNORECASE,
)
# The account is the school's, or a lesson speaks of what strangers write.
_OFFICIAL = re.compile(
    rf"\b(?:school|academy|trust|department|club|team|official|our|pta)(?:['’]s)?(?: [a-z]+)? {_SERVICE}\b(?! group)"
    rf"|\b{_SERVICE} (?:page|account|feed|channel) (?:of the|for the) |[\x22“]\s?(?:add|follow|message|dm) me\b"
    r"|\b(?:someone|somebody|a stranger|anyone|people) (?:writes?|says?|sends?|asks?)\b",
    re.IGNORECASE,
)


def _to_pupil_or_parent(message: Message) -> bool:
    """Only pupils, parents and carers matter here: between adults a private number is nobody's business."""
    for item in message.envelope.recipients:
        person = message.directory.person(item.address)
        if (person is not None and person.role == "pupil") or message.directory.contact(item.address) is not None:
            return True
        if message.directory.stands_for(item):
            return True
    return False


def _is_theirs(address: str, sender: Person, message: Message) -> bool:
    """The address is the sender's own: listed, or made from the name; no word is needed to say so."""
    listed = message.directory.private_owner(address)
    return (listed is not None and listed.email == sender.email) or likeness(address, sender.name) >= 0.78


def _digits(number: str) -> str:
    """A number as it is dialled in the country: +44 7700 900123 is 07700900123."""
    digits = "".join(character for character in number if character.isdecimal())
    return "0" + digits[2:] if digits.startswith("44") else digits


def _is_own_number(text: str, hit: Hit) -> bool:
    """The writer speaks of themselves in the sentence that gives the number."""
    first, last = sentence_around(text, hit.start, hit.end)
    said = text[first:last]
    return _SELF.search(said) is not None and (_digits(hit.value).startswith("07") or _AT_HOME.search(said) is not None)


def _clause(text: str, hit: Hit) -> str:
    """What is said of the number itself: its line, or only what follows the last comma where the writer is in that."""
    first = text.rfind("\n", 0, hit.start) + 1
    line = text[first : hit.end] + text[hit.end : hit.end + 30].partition("\n")[0]
    comma = line.rfind(",", 0, hit.start - first) + 1
    return line[comma:] if _SELF.search(line, comma, hit.start - first) else line


class PrivateContact(MessageDetector):
    """A private number, address or account of the sender's own is given in the sender's own words."""

    labels = ("private_contact",)

    def detect(self, message: Message) -> Iterable[Hit]:
        if not _to_pupil_or_parent(message):
            return
        origin = message.envelope.from_
        sender = message.directory.person(origin.address) if origin is not None else None
        published = {_digits(one) for one in message.directory.people.published}
        for part in message.parts:
            if part.kind != "body":
                continue
            for hit in message.hits:
                if hit.part != part.path or hit.owner not in ("sender", "signature"):
                    continue
                if hit.label == "phone" or (hit.label == "email" and is_private_provider(hit.value.rpartition("@")[2])):
                    around = part.text[max(0, hit.start - _NEAR) : hit.start + 40]
                    line = _clause(part.text, hit)
                    if hit.label == "phone" and _digits(hit.value) in published:
                        continue
                    # What stands below every mail must say itself that it is no number of the school's.
                    mine = _OWN_NUMBER.search(line) is not None or (
                        hit.owner == "sender"
                        and (
                            _MINE.search(around) is not None
                            or (hit.label == "phone" and _is_own_number(part.text, hit))
                            or (hit.label == "email" and sender is not None and _is_theirs(hit.value, sender, message))
                        )
                    )
                    if mine and not _NOT_MINE.search(line):
                        reason = f"a {'number' if hit.label == 'phone' else 'private address'} given as one's own"
                        yield Hit("private_contact", hit.start, hit.end, hit.value, 0.85, (reason,), part=part.path)
            for match in _ACCOUNT.finditer(part.text, 0, _READ):
                if part.owner_at(match.start()) != "sender" or _NOT_MINE.search(match.group()):
                    continue
                if not _OFFICIAL.search(part.text, max(0, match.start() - 60), match.end() + 20):
                    why = ("a private account, group or address",)
                    yield Hit("private_contact", match.start(), match.end(), match.group(), 0.8, why, part=part.path)
