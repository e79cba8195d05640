"""A message addressed to everybody: an all-staff or all-parents group, or a long list of recipients."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import ClassVar

from detectors.base import MessageDetector
from detectors.work_content import listed_words
from scanner.model import Hit, Recipient
from scanner.ports import Message

# Fewer may be a department or a year team; the largest team of a primary school stays below it.
MANY = 12
_EVERYBODY = re.compile(
    r"(?:all|every(?:one|body)|whole)(?:[._ -]?(?:at|of|the|in))?[._ -]?(?:staff|users?|teachers|employees|colleagues|trust|school|academy|"
    r"parents|carers|families|pupils|students|governors|people|mail|year\d{0,2}|[a-z]{2,5})?|"
    r"(?:staff|teachers|parents|pupils|students|users)[._ -]?(?:all|everyone|list)|(?:distribution|global)[._ -]?list",
    re.IGNORECASE,
)
_REPLY = re.compile(r"\s*(?:re|aw|sv)\s*:", re.IGNORECASE)
_FORWARD = re.compile(r"\s*(?:fwd?|fw)\s*:", re.IGNORECASE)
_FORWARD_MARK = re.compile(r"\b(?:fwd?|fw|wg|tr)\s*:", re.IGNORECASE)
_FROM_LINE = re.compile(r"^[ \t>|]{0,20}from:[^\n]{0,300}$", re.IGNORECASE | re.MULTILINE)
_TO_LINE = re.compile(r"^[ \t>|]{0,20}(?:to|cc):[^\n]{0,2000}$", re.IGNORECASE | re.MULTILINE)
_STACK_READ = 100_000
_FEW_WORDS = 45
# Growth to fewer than so many is a conversation that takes one more in.
_CROWD = 5
_REPLY_WORDS = 25
# What everybody may need in a reply: a correction, a place, a time.
_NEEDED = re.compile(
    r"\b(?:correction|corrected|update|updated|cancelled|postponed|moved|room|hall|tomorrow|today|monday|tuesday|wednesday|thursday|"
    r"friday|attached|deadline|please note|all staff|everyone (?:must|should|needs)|\d{1,2}[.:]\d\d|"
    # an organiser tells everybody what they need do
    r"(?:nobody|no[ -]?one|everybody|everyone|you)(?: all)? (?:has|have|needs?)(?: not)? to|if you (?:want|would like|need|are coming)|"
    r"tick the box)\b",
    re.IGNORECASE,
)


def _small_talk(message: Message) -> bool:
    # The subject is among one's own words, and another's in a reply.
    said = message.own_words().replace(message.envelope.subject, "", 1)
    return len(said.split()) <= _REPLY_WORDS and not _NEEDED.search(said)


def _all_user_group(message: Message) -> Recipient | None:
    for recipient in message.envelope.recipients:
        name = recipient.name.strip()
        if message.directory.kind(recipient.address) == "ours" and (
            _EVERYBODY.fullmatch(recipient.address.partition("@")[0]) or (name and _EVERYBODY.match(name))
        ):
            return recipient
    return None


class BulkMail(MessageDetector):
    """A message to an all-user group, or to twelve and more people, by somebody with no standing leave to broadcast."""

    labels: ClassVar[tuple[str, ...]] = ("broadcast", "broadcast_reply", "passed_on_lightly")

    def detect(self, message: Message) -> Iterable[Hit]:
        envelope = message.envelope
        origin = envelope.from_ or envelope.sender
        if origin is None or message.direction not in ("outbound", "internal"):
            return
        if _FORWARD.match(envelope.subject) and len(message.own_words().split()) <= _FEW_WORDS:
            yield Hit("passed_on_lightly", 0, 0, "", 0.8, ("forwarded with few words of one's own",), part="headers")
        sent = envelope.sent_at.date() if envelope.sent_at else None
        for grant in message.directory.people.grants:
            lasts = grant.until is None or sent is None or sent <= grant.until
            if grant.kind == "broadcast" and grant.who.lower() == origin.address and lasts:
                return
        group = _all_user_group(message)
        if group is not None:
            reasons = ("sent to an all-user group", "no standing leave to broadcast")
            yield Hit("broadcast", 0, 0, group.address, 0.9, reasons, part="headers")
            if _REPLY.match(envelope.subject) and _small_talk(message):
                reasons = ("a short reply to everybody", "nothing in it that everybody needs")
                yield Hit("broadcast_reply", 0, 0, "", 0.8, reasons, part="headers")
        elif len(envelope.recipients) >= MANY:
            reasons = (f"sent to {len(envelope.recipients)} people", "no standing leave to broadcast")
            yield Hit("broadcast", 0, 0, str(len(envelope.recipients)), 0.8, reasons, part="headers")


# What makes a mail to everybody the sender's own affair, by kind; two kinds are needed, and nothing of the school's in it.
_OWN_LIFE = tuple(
    re.compile(expression, re.IGNORECASE)
    for expression in (
        # kin and belongings
        r"\b(?:my|our|her|his)(?: [a-z]{3,10})? (?:niece|nephew|sister|brother|mum|dad|mother|father|husband|wife|partner|daughter|son|"
        r"cousin|friend|mates?|neighbours?|in-laws|house|bungalow|flat|caravan|garden|shed|loft|car|bike|dog|cat|puppy|kitten|church|band|"
        r"choir|club|allotment|lodger|wedding|birthday)\b|"
        r"\b(?:friend|mate|chum|pal|cousin|neighbour)s? of (?:mine|ours)\b"
        r"|\bat (?:mine|my place|our place|my house|ours)\b|\bI am running\b",
        # something offered, sold, collected or asked for
        r"\b(?:spare|tickets?|for sale|going (?:cheap|free|spare)|first refusal|cost price|half price|on the market|"
        r"bring a (?:friend|bottle)|"
        r"new faces|all welcome|any amount|every penny|not a penny|sponsor\w*|donat\w+|a head|winner|the pot|prize|purse|launching|range|"
        r"join (?:us|me)|come along|sign up|vote|polling day|lend|borrow|swap|adopt|for free|free to|offers|o\.?n\.?o|collect from|deposit|"
        r"(?:a )?(?:fiver|tenner|quid)|raffle|give it a home|a case|want in|shout if|interested|any takers|first come)\b|£ ?\d",
        # leisure, faith, politics, the house
        r"\b(?:fantasy|league|lottery|marathon|10k|fun run|theatre|playhouse|concert|gig|cinema|festival|film|knit\w*|crochet|choir|quiz|"
        r"football|rugby|cricket|darts|match|holiday|villa|cottage|pub|party|prosecco|gin|wine|nibbles|barbecue|bbq|curry|yoga|pilates|zumba|"
        r"slimming|hospice|church|chapel|methodist|parish|mosque|temple|village hall|tories|labour|lib dems?|reform|brexit|councillor|"
        r"election|petition|recipe|baking|sofa|wardrobe|cot|pram|buggy|bungalow|beds?|garden|plants|eggs|honey|candles|jewellery|make-?up|"
        r"beauty|skincare|tattoo|horoscope|netflix|strictly|bake off|eurovision|puppy|puppies|"
        r"kittens?|rioja|beer|whisky|cider|cosmetics|perfume|slippers|handbags?|trainers|concert|cruise)\b",
        # showing round
        r"\b(?:meet|say hello to|pictures? of|pictures on|photos of|weeks old|adorable|so proud|look who|new arrival)\b",
        # banter and complaint
        r"\b(?:whoever|some of us|you know who you are|own up|just saying|hear hear|haha|lo+l|hands off|rant over|sick (?:and tired|of)|"
        r"for the love of|do ?n['’]?t let|pls stop|please stop|stop (?:turning|moving|using|leaving|taking|stealing|eating))\b",
    )
)
_SCHOOL_MATTER = re.compile(
    r"\b(?:school|academy|trust|pta|ptfa|pupils?|students?|parents?|families|governors?|year \d{1,2}|y\d{1,2}|form|tutor\w*|class(?:es)?|"
    r"lesson|period \d|cover|duty|assembly|library|canteen|reception|in the office|timetable|briefing|staff (?:meeting|training|survey|"
    r"social|party|do|wellbeing|well-being|association)|inset|cpd|leaving|collection|card for|lost property|handed in|contractors?|fire|"
    r"alarm|first aid|union|wellbeing|occupational|portal|deadline|system|network|password|"
    # a class goes out; an outing of friends has no such words
    r"(?:the|this|our|school|field) (?:visits?|trips?|coach(?:es)?|minibus)|packed lunch(?:es)?|risk assessments?|residential)\b",
    re.IGNORECASE,
)
# Somebody has died, is ill or will be away: colleagues are told so, and no reader takes it for junk.
_GRAVE = re.compile(
    r"\b(?:died|dying|passed away|passed on peacefully|bereave\w*|funeral|condolences?|compassionate leave|in (?:the )?hospital|"
    r"intensive care|a stroke|heart attack|an operation|surgery|diagnos\w+|(?:is|was|am|are|been|taken|fallen|very|seriously) "
    r"(?:ill|unwell|poorly)|off sick|sick leave|miscarriage|(?:is|am|are|will be|be) (?:absent|away from work|off work))\b",
    re.IGNORECASE,
)
_MOST_OWN_WORDS = 150


class OwnAffairToAll(MessageDetector):
    """A member of staff writes to everybody about an affair of their own: two kinds of private words and nothing of the school's."""

    labels: ClassVar[tuple[str, ...]] = ("own_affair_to_all",)

    def detect(self, message: Message) -> Iterable[Hit]:
        if message.direction not in ("outbound", "internal"):
            return
        if _all_user_group(message) is None and len(message.envelope.recipients) < MANY:
            return
        said = message.own_words()
        if len(said.split()) > _MOST_OWN_WORDS or _SCHOOL_MATTER.search(said) or listed_words("work").search(said):
            return
        if _GRAVE.search(said):
            return
        kinds = sum(kind.search(said) is not None for kind in _OWN_LIFE)
        if kinds >= 2:
            reasons = (
                "an affair of the sender's own",
                f"{kinds} kinds of private words",
                "nothing of the school's business",
            )
            yield Hit("own_affair_to_all", 0, 0, "", 0.8, reasons, part="headers")


_LAUGHTER = re.compile(
    "[\U0001f602\U0001f923\U0001f606\U0001f639\U0001f605\U0001f604\U0001f61d\U0001f92a\U0001f601\U0001f600]"
    r"|\b(?:ha){2,6}h?\b|\blo{1,5}l\b|\b(?:lmao|rofl|hilarious|giggles?|chuckles?|funn(?:y|ies|iest)|jokes?|memes?|cartoons?|tickled me)\b"
    r"|\b(?:made|makes|make) (?:me|you|us|him|her) (?:laugh|smile|cry)|\bcracked? (?:me|us) up\b"
    r"|\b(?:to a t|spot on|so true|so us|so me)\b",
    re.IGNORECASE,
)
SEVERAL = 3


class PicturesRound(MessageDetector):
    """Pictures or clips sent to several people with little more than a laugh: the picture is the joke, and nobody reads it."""

    labels: ClassVar[tuple[str, ...]] = ("pictures_round",)

    def detect(self, message: Message) -> Iterable[Hit]:
        if message.direction not in ("outbound", "internal") or len(message.envelope.recipients) < SEVERAL:
            return
        pictures = [
            part for part in message.parts
            if part.kind == "attachment" and not part.inline and part.media_type.startswith(("image/", "video/"))
        ]  # fmt: skip
        files = sum(part.kind == "attachment" and not part.inline for part in message.parts)
        said = message.own_words()
        if pictures and files == len(pictures) and len(said.split()) <= _FEW_WORDS and _LAUGHTER.search(said):
            reasons = (f"{len(pictures)} picture(s) sent round", "few words and a laugh")
            yield Hit("pictures_round", 0, 0, "", 0.8, reasons, part="headers")


_HEADER_LINE = re.compile(
    r"^[ \t>|*]{0,20}(from|to|cc|sent|date|subject|bcc|importance|attachments)\*?:\*?([^\n]*)$", re.IGNORECASE
)
_MOST_TO_LINES = 40


def _entries(text: str) -> int:
    """How many people a To or Cc line names."""
    if ";" in text:
        return sum(1 for one in text.split(";") if one.strip())
    return text.count("@") or (1 + text.count(",") if text.strip() else 0)


def _reached(text: str) -> list[int]:
    """How many people each forwarded mail in the text went to, the latest first, by the headers that it drags along."""
    counts: list[int] = []
    listing = 0  # lines of a recipients' list that may still go on
    for line in text.split("\n"):
        header = _HEADER_LINE.match(line)
        if header is None:
            listing = listing - 1 if line.strip(" \t>|") else 0
            if listing > 0 and counts and re.match(r"[ \t>|]{0,20}\S", line):
                counts[-1] += _entries(line)
            continue
        name = header.group(1).lower()
        if name == "from":
            counts.append(0)
        listing = _MOST_TO_LINES if name in ("to", "cc") else 0
        if listing and counts:
            counts[-1] += _entries(header.group(2))
    return counts


def _growth(counts: Sequence[int], now: int) -> str:
    """From the oldest header to the mail itself, in words, where each went to more people than the one before; else empty."""
    course = [*(count for count in reversed(counts) if count), now]
    grows = all(after > before for before, after in pairwise(course))
    if len(course) < 3 or not grows or course[-1] < 2 * course[0] or course[-1] < _CROWD:
        return ""
    return "more people at each hop: " + ", ".join(map(str, course[-6:]))


class ForwardStack(MessageDetector):
    """How a mail came here: forwarded through many hands, whose names it drags along, with next to nothing added."""

    labels: ClassVar[tuple[str, ...]] = ("forward_stack",)

    def detect(self, message: Message) -> Iterable[Hit]:
        if message.direction not in ("outbound", "internal"):
            return
        body = next((part for part in message.parts if part.kind == "body"), None)
        if body is None:
            return
        text = body.text[:_STACK_READ]
        marks = len(_FORWARD_MARK.findall(message.envelope.subject))
        blocks = len(_FROM_LINE.findall(text))
        if marks < 3 and blocks < 2:
            return
        listed = sum(line.count("@") + line.count(";") for line in _TO_LINE.findall(text))
        few = len(message.own_words().split()) <= _REPLY_WORDS
        grown = _growth(_reached(text), len(message.envelope.recipients))
        signs = [
            why
            for holds, why in (
                (marks >= 3, f"{marks} marks of forwarding in the subject"),
                (blocks >= 2, f"forwarded through {blocks} hands"),
                (listed >= 4, "earlier recipients are dragged along"),
                (few, "next to no words of the sender's own"),
                (grown, grown),
            )
            if holds
        ]
        if len(signs) >= 2:
            confidence = round(0.6 + 0.1 * (min(len(signs), 4) - 1), 2)
            # It says as much of the words that are passed on as of those of whoever passes them on.
            yield Hit("forward_stack", 0, 0, "", confidence, tuple(signs), part="headers")
            if any(segment.owner == "forwarded" for segment in body.segments):
                yield Hit("forward_stack", 0, 0, "", confidence, tuple(signs), part="headers", owner="forwarded")
