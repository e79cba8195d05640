"""Is it work? Several signs together: documents attached, school words, personal or confidential data, forwarded work mail."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

from detectors.base import MessageDetector
from detectors.names import disposable_domains, fold, is_private_provider, own_domain, read_data
from detectors.names import words as name_words
from detectors.relations import pupils_first_names, pupils_of, staff_first_names
from scanner.errors import ConfigError
from scanner.model import Hit, Part
from scanner.ports import Message

_DOCUMENTS = (
    "application/vnd.openxmlformats", "application/vnd.ms-", "application/msword", "application/pdf", "application/zip",
    "text/", "application/vnd.oasis", "application/rtf", "message/rfc822",
)  # fmt: skip
_TELLING = frozenset(
    {"person", "staff_name", "class_list", "nino", "nhs", "upn", "uln", "health", "sen", "safeguarding", "behaviour", "payroll",
     "care_status", "confidential"}
)  # fmt: skip
# What nobody has of themselves alone: a list, a school record.
_ABOUT_OTHERS = frozenset(
    {"class_list", "upn", "uln", "sen", "safeguarding", "behaviour", "care_status", "confidential"}
)
_CONTENT_READ = 20_000
# Why it went that way: the writer says that it stands in for the work account, or that work goes on at home.
_INSTEAD = re.compile(
    r"\b(?:using|use|used|sending|sent|writing|write|it['’]s|this is)[^.\n]{0,25}"
    r"\b(?:this one|my (?:own|home|private|personal|phone) ?(?:e-?mail|mail|account|one|phone|laptop)?|from home|from my phone)\b"
    r"|\b(?:school|work|office|teams|outlook|the (?:vpn|system|server|network))(?:['’]s)? ?"
    r"(?:mail|e-?mail|account|one|system|laptop)?[^.\n]{0,12}"
    r"\b(?:down|full|blocked|slow|not working|won['’]?t (?:load|open|work|let)|will not (?:load|open)|logged me out|locked me out)\b"
    r"|\b(?:can['’]?t|cannot|could ?n['’]?t) (?:get (?:on|into|onto)|log (?:in|on)|reach|open)[^.\n]{0,20}"
    r"\b(?:vpn|system|account|mail|teams|drive|work)\b"
    r"|\b(?:drafted|typed|finished|wrote|did|done|worked on|written|working on)\b[^.\n]{0,20}"
    r"\b(?:at home|last night|over the weekend|on (?:sunday|saturday)|on my (?:own )?laptop|tonight|this evening)\b"
    r"|\b(?:to|will) (?:finish|mark|read|do|type|write|print|check|moderate)[^.\n]{0,30}"
    r"\b(?:at home|tonight|this evening|over the weekend|on the train|by monday|on sunday)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"[^\W\d_][\w'’-]*")
# A class, a year or a mark: 10B, 9K, Y5, Year 8 and the like.
_CLASS = re.compile(
    r"\b(?:(?:year|yr|y) ?(?:1[0-3]|[1-9])[a-z]?|(?:1[0-3]|[7-9])[A-HJ-NP-Z]{1,2}\d?)\b(?! ?(?:am|pm|GB|MB|mm|cm|kg|p\b))"
)


@cache
def listed_words(group: str) -> re.Pattern[str]:
    """The words of `work_words.yml`: `work` or `private`."""
    listed = read_data("work_words.yml").get(group)
    if not isinstance(listed, list) or not listed:
        raise ConfigError("rules/lists/work_words.yml", f"needs the key {group}: a list of words")
    terms = sorted((str(term) for term in listed), key=len, reverse=True)
    expressions = [term[:-1] + r"\w*" if term.endswith("*") else term for term in terms]
    return re.compile(r"\b(?:" + "|".join(expressions) + r")\b", re.IGNORECASE)


def _private_parties(message: Message) -> bool:
    """Somebody outside writes or is written to at a private address: only then does the question arise."""
    origin = message.envelope.from_
    outside = [origin.address] if origin is not None and message.direction == "inbound" else []
    outside += [
        item.address for item in message.envelope.recipients if message.directory.kind(item.address) == "outside"
    ]
    directory = message.directory
    own = directory.person(origin.address) if origin is not None else None
    return any(
        directory.private_owner(address) is not None
        or is_private_provider(address.rpartition("@")[2])
        or address.rpartition("@")[2].lower() in disposable_domains()
        or (own is not None and own_domain(address, own.name))
        for address in outside
    )


class WorkContent(MessageDetector):
    """A message from or to a private address carries the trust's work and not only private matters."""

    labels = ("work_content",)

    def detect(self, message: Message) -> Iterable[Hit]:
        if not _private_parties(message):
            return
        texts = [part.text[:_CONTENT_READ] for part in message.parts if part.kind in ("subject", "body")]
        names = " ".join(part.name.replace("_", " ") for part in message.parts if part.name)
        words = {match.group().casefold() for text in (*texts, names) for match in listed_words("work").finditer(text)}
        private = {match.group().casefold() for text in texts for match in listed_words("private").finditer(text)}
        documents = [
            part for part in message.parts
            if part.kind == "attachment" and not part.inline and part.media_type.startswith(_DOCUMENTS)
        ]  # fmt: skip
        attached_words = {
            match.group().casefold()
            for part in documents
            for match in listed_words("work").finditer(part.text[:_CONTENT_READ])
        }
        classes = any(_CLASS.search(text) for text in (*texts, names))
        pupils = _pupils_named(message)
        telling = {hit.label for hit in message.hits if hit.label in _TELLING and hit.confidence >= 0.5}
        forwarded = any(segment.owner == "forwarded" for part in message.parts for segment in part.segments)
        signs: list[tuple[float, str]] = []
        if documents:
            signs.append((0.55 if not private else 0.3, "documents attached"))
        if words or attached_words:
            number = len(words | attached_words)
            signs.append((min(0.4 + 0.2 * number, 0.8), f"{number} words of school business"))
        if telling - {"person", "staff_name"} or (telling and documents):
            signs.append((0.7, "personal or confidential data"))
        if pupils:
            signs.append((0.8, f"{pupils} of our pupils by name"))
        elif _first_names(message, pupils_first_names(message.directory)) > 1:
            signs.append((0.6, "several of our pupils by first name"))
        colleagues = _first_names(message, staff_first_names(message.directory))
        if colleagues:
            signs.append((0.5 if colleagues > 1 else 0.35, "colleagues by first name"))
        if classes and not pupils:
            signs.append((0.5, "a class or year group"))
        if any(_INSTEAD.search(text) for text in texts):
            signs.append((0.45, "it stands in for the work account"))
        if forwarded:
            signs.append((0.4, "a forwarded message"))
        doubt = 1.0
        for weight, _ in signs:
            doubt *= 1.0 - weight
        confidence = 1.0 - doubt
        if _own_papers(message, documents, texts, names) and not pupils and not telling & _ABOUT_OTHERS:
            confidence -= 0.4  # one's own payslip is nobody's work
        elif private and len(words) < 4 * len(private) and not pupils and not telling & _ABOUT_OTHERS:
            confidence -= 0.2 * min(len(private), 2)
        if _to_hr_alone(message) and not pupils and _MY.search(message.own_words()[:2_000]):
            confidence -= 0.3  # one's own pay, leave or contract is one's own affair
        if signs and confidence > 0.2:
            reasons = tuple(reason for _, reason in signs)
            yield Hit("work_content", 0, 0, "", round(min(confidence, 0.95), 2), reasons, part="headers")


# What an employer hands to somebody about themselves.
_OWN_PAPER = re.compile(
    r"\b(?:pay ?slips?|p45|p60|p11d|pension (?:statement|forecast)|(?:student )?loan statement|tax code|contract of employment|"
    r"offer letter|cv|curriculum vitae|fit note|sick note|annual leave (?:card|balance)|mileage claim|dbs certificate)\b",
    re.IGNORECASE,
)


def _own_papers(message: Message, documents: list[Part], texts: list[str], names: str) -> bool:
    """A paper that people get about themselves, and nobody besides the sender is named in it."""
    if message.direction == "inbound" or not any(_OWN_PAPER.search(text) for text in (*texts, names)):
        return False
    origin = message.envelope.from_
    sender = message.directory.person(origin.address) if origin is not None else None
    own = set(name_words(sender.name if sender is not None else origin.name if origin is not None else ""))
    attached = {part.path for part in documents}
    named = [hit for hit in message.hits if hit.label in ("person", "staff_name") and hit.part in {"body", *attached}]
    return all(own & set(name_words(hit.value)) for hit in named if hit.owner == "sender")


def _pupils_named(message: Message) -> int:
    """How many pupils of the records stand in the sender's words or the attached texts with their full name."""
    directory = message.directory
    known = pupils_of(directory)
    if not known:
        return 0
    found: set[str] = set()
    texts = [message.own_words()[:_CONTENT_READ]]
    texts += [part.text[:_CONTENT_READ] for part in message.parts if part.kind == "attachment"]
    for text in texts:
        pair = _NAME.findall(fold(text))
        pair = [word.removesuffix("'s").removesuffix("’s") for word in pair]
        found.update({f"{one} {other}" for one, other in pairwise(pair)} & known)
    return len(found)


_MY = re.compile(r"\b(?:my|mine|me)\b", re.IGNORECASE)
_WRITTEN_NAME = re.compile(r"\b[^\W\d_a-z][^\W\d_]{1,20}\b")


def _first_names(message: Message, known: frozenset[str]) -> int:
    """How many first names of these, that nobody who reads or writes the mail bears, are written in it as names are."""
    listed = [message.envelope.from_, *message.envelope.recipients]
    own = {word for item in listed if item is not None for word in _NAME.findall(fold(item.name))}
    written = {fold(match.group()) for match in _WRITTEN_NAME.finditer(message.own_words()[:_CONTENT_READ])}
    return len((written & known) - own)


def _to_hr_alone(message: Message) -> bool:
    holder = message.directory.holder("hr")
    return bool(message.envelope.recipients) and all(
        item.address == holder or item.address.partition("@")[0] in ("hr", "payroll", "people", "humanresources")
        for item in message.envelope.recipients
    )
