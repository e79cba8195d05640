"""The heart: envelope -> parts -> segments -> hits -> rules -> evidence -> Verdict. No network, no store, no clock of its own.

`scan FILE`, the scheduled service, the rules' examples and the benchmark all call `inspect`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import sys
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from email.utils import parseaddr
from itertools import product

from scanner.conditions import OpenedLock, Scene, opened_reason
from scanner.directory import Directory
from scanner.evidence import FingerprintKey, evidence_of, fact_of, places_words
from scanner.exemptions import Exemptions
from scanner.extract import Limits, may_hold_key, normalise, read
from scanner.labels import OF_A_PERSON, label_title
from scanner.model import (
    MOST_TARGETS,
    PROBLEMS_THAT_LEAVE_COMPLETE,
    SEVERITIES,
    Address,
    AddressKind,
    Blob,
    Body,
    Direction,
    Envelope,
    Evidence,
    Fact,
    Finding,
    Hit,
    Part,
    PastFact,
    PersonRole,
    Problem,
    ProblemKind,
    Reached,
    Recipient,
    RecipientKind,
    SegmentOwner,
    Severity,
    Spread,
    SpreadAct,
    Tie,
    Ties,
    Trail,
    Verdict,
    Versions,
    is_heated,
)
from scanner.policy import DATA_TOPICS, FOR_EVERYBODY, Policy, for_examples
from scanner.ports import Detectors, Message, NameBudget, NamesNear
from scanner.routing import Line, route
from scanner.rulebook import Example, Rule, Rulebook
from scanner.sketch import handed_on, passed_on, sketch

NAME_CHARACTERS = 60_000  # what the name recogniser may read of one message (D6): about a second of spaCy
FACTS_KEPT = 500
_FEW_AFTER, _DIRECTLY_AFTER = 5, 40  # hits and characters in which the name follows that a number belongs to
_OCR_TRUST = 0.9  # of a hit in a text that was recognised in a picture: a letter or a digit may be wrong
_CACHE_TEXTS = 4_000
_CACHE_LONGEST = 100_000
_WITHHELD = "[name withheld]"
_PEOPLE = frozenset({"person", "staff_name", "pupil"})
# What these show is where somebody writes amiss, and no data subject is counted, even where a name is part of it.
_OF_NOBODY = frozenset({"chain_mail", "language", "conduct"})
# What stays of a withheld name: an ending such as .docx, and not whatever stands behind the last dot.
_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}\Z")
_SPACE = re.compile(r"\s+")
# In a file name these stand for spaces; the replacement keeps the length, so that offsets stay true.
_NAME_SPACES = str.maketrans("_+", "  ")


@dataclass(frozen=True, slots=True)
class Regime:
    """What a message is judged by: the rules, the policy pack in force, and who is told."""

    rulebook: Rulebook
    policy: Policy
    routing: tuple[Line, ...]
    exemptions: Exemptions = field(default_factory=Exemptions)

    @property
    def rules_version(self) -> str:
        """Changes with the rules and with what is forgiven."""
        if not self.exemptions.version:
            return self.rulebook.version
        return hashlib.sha256(f"{self.rulebook.version} {self.exemptions.version}".encode()).hexdigest()[:12]


class HitCache:
    """Hits of texts seen before: the same words are looked at once in a run (D9). Lives and dies with the worker."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[Hit, ...]] = OrderedDict()

    def get(self, key: Hashable) -> tuple[Hit, ...] | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Hashable, hits: tuple[Hit, ...]) -> None:
        self._kept[key] = hits
        if len(self._kept) > _CACHE_TEXTS:
            self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Instruments:
    """What inspecting needs besides people and rules: detectors, limits, the fingerprint key, and a cache.

    `as_outbound`: the message counts as outbound from ours to untrusted outsiders (contract section 2).
    `deep` runs names everywhere instead of only where a rule could use them.
    """

    detectors: Detectors
    limits: Limits
    key: FingerprintKey
    cache: HitCache = field(default_factory=HitCache)
    as_outbound: bool = False
    deep: bool = False
    # The "spread" subkey; without one nothing is kept that would recognise a passed-on text again.
    spread_key: FingerprintKey | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """Why a rule did not speak about one owner's words."""

    rule: str
    owner: SegmentOwner
    reason: str
    # How near it came: of `needed` conditions so many hold, and what the others want.
    met: int = 0
    needed: int = 1
    missing: tuple[str, ...] = ()
    # Which share is there of what few mails have: 0 where only such conditions hold as hold for any mail.
    told: float = 0.0


def nearness(silence: Silence) -> tuple[float, float, int, str]:
    """The key that puts the nearest miss first: what is there of the telling conditions, then how many hold of all."""
    return (-silence.told, -silence.met / max(silence.needed, 1), silence.needed, silence.rule)


def _no_announcement(path: str) -> None:
    """Outside a worker nobody listens for the part that is about to be opened."""


def inspect(
    envelope: Envelope,
    directory: Directory,
    regime: Regime,
    instruments: Instruments,
    *,
    opening: Callable[[str], None] = _no_announcement,
    set_aside: Mapping[str, ProblemKind] | None = None,
    silences: list[Silence] | None = None,
    today: date = date.max,
    only_topics: frozenset[str] | None = None,
    companions: Sequence[Envelope] = (),
) -> Verdict:
    """The verdict on one message or document. Deterministic for the same input; `elapsed_ms` is left to the caller.

    `today` decides which exceptions still count; there is no clock in here, and without a day none does.
    `only_topics`: all that an authorisation covers; nothing else is judged and no fact is kept. `companions` are other
    messages of the same sender to the same recipient (D22): their locked files are tried with words of this one, and the locked
    files of this one with words of theirs; nothing else of them is looked at.
    """
    direction = directory.direction(envelope)
    if instruments.as_outbound and envelope.kind != "document":
        direction = "outbound"
    judged_topics, not_judged = _judged_topics(regime.policy.unbound(envelope, directory), only_topics)
    if _is_sealed(envelope, directory, regime.policy):
        return _sealed(envelope, direction, regime, instruments)
    reading = read(envelope, instruments.limits, opening, set_aside or {}, companions, _guessable(directory, envelope))
    budget = NameBudget(NAME_CHARACTERS)
    paths = dict.fromkeys([*(part.path for part in reading.parts), *(problem.part for problem in reading.problems)])
    shown, name_hits = _withhold_names(list(paths), directory, instruments, budget)
    originals = {new: old for old, new in shown.items()}
    parts = tuple(replace(part, path=shown.get(part.path, part.path)) for part in reading.parts)

    hits = list(name_hits)
    said = regime.policy.facts(envelope, direction, parts, directory)
    unread = Scene(envelope, direction, "sender", (), parts, directory, instruments.as_outbound, policy=said)
    names_near, wanted = None, None
    if not instruments.deep:
        names_near, wanted = _useful(envelope, direction, parts, directory, regime, instruments)
    for part in parts:
        if part.text:
            opening(originals.get(part.path, part.path))  # a detector may meet its end here too
            hits.extend(_content_hits(part, directory, instruments, names_near, wanted, budget))
    message = Message(envelope, direction, parts, tuple(hits), directory)
    hits = _subject_with_body(hits, message, instruments, budget)
    message = replace(message, hits=tuple(hits))
    hits.extend(instruments.detectors.message(message))
    hits = _number_subjects(_discount(hits, envelope, directory))

    problems = [replace(problem, part=shown.get(problem.part, problem.part)) for problem in reading.problems]
    if budget.windows_dropped:
        detail = f"{budget.windows_dropped} windows were not searched for names"
        problems.append(Problem("body", "names", "budget", "part", detail))
    if budget.texts_cut:
        detail = f"{budget.texts_cut} word lists or patterns were looked for in a part of a text only"
        problems.append(Problem("body", "words", "budget", "part", detail))

    content_hash = _content_hash(envelope, parts)
    opened = tuple(
        OpenedLock(shown.get(one.part, one.part), shown.get(one.where, one.where), one.origin, one.mechanism)
        for one in reading.opened
    )
    later = [lock.part for lock in opened if lock.by == "another"]
    locks = sum(problem.kind == "encrypted" for problem in problems) + len(later)
    findings = _judge(
        envelope,
        direction,
        parts,
        hits,
        opened,
        directory,
        regime,
        instruments,
        content_hash,
        silences,
        today,
        judged_topics,
        said,
    )
    return Verdict(
        message_id=envelope.internet_id,
        direction=direction,
        findings=tuple(finding for finding in findings if not finding.past),
        problems=tuple(problems),
        complete=all(problem.kind in PROBLEMS_THAT_LEAVE_COMPLETE for problem in problems),
        unread_protected=sum(problem.kind == "encrypted" for problem in problems),
        # Of the message as it was sent: what another one's word has opened is no fact for a rule that is tried on it later.
        facts=(*_facts([hit for hit in hits if not _lies_in(hit.part, later)], instruments.key), *unread.facts())
        if only_topics is None
        else (),
        versions=Versions(regime.rules_version, regime.policy.version, instruments.detectors.version),
        content_hash=content_hash,
        sent_at=envelope.sent_at,
        parts=len(parts),
        sender=_sender(envelope, directory, instruments.key),
        trail=_trail(envelope, direction, parts, locks, findings, instruments.key) if only_topics is None else None,
        spread=_spread(envelope, direction, parts, hits, directory, instruments.spread_key)
        if only_topics is None
        else None,
        opens=tuple(sorted({one.companion - 1 for one in reading.opened if one.companion})),
        ties=_ties(envelope, parts, hits, directory, instruments.key) if only_topics is None else None,
        pending=tuple(finding for finding in findings if finding.past),
        not_judged=not_judged,
    )


def _judged_topics(unbound: PersonRole | None, only_topics: frozenset[str] | None) -> tuple[frozenset[str] | None, str]:
    """The topics that are judged, None for all, and why not the others: `unbound` is a sender's role that the policy is not for."""
    if unbound is not None:
        topics = FOR_EVERYBODY if only_topics is None else FOR_EVERYBODY & only_topics
        return topics, f"the policy does not bind the sender ({unbound})"
    if only_topics is not None:
        listed = ", ".join(sorted(only_topics)) or "nothing"
        return only_topics, f"no authorisation in force covers more than {listed}"
    return None, ""


def _trail(
    envelope: Envelope,
    direction: Direction,
    parts: tuple[Part, ...],
    locks: int,
    findings: tuple[Finding, ...],
    key: FingerprintKey,
) -> Trail | None:
    """What links this message with others (D22): a closed lock in it, a word like a password, or language towards somebody."""
    if envelope.from_ is None or not envelope.recipients:
        return None
    ours = direction != "inbound"
    locks = locks if ours else 0
    holds = ours and may_hold_key((part.path, part.text) for part in parts if part.kind in ("subject", "body"))
    heated = len(envelope.recipients) <= MOST_TARGETS and any(is_heated(finding) for finding in findings)
    if not locks and not holds and not heated:
        return None
    recipients = sorted({key.fingerprint("recipient", item.address) for item in envelope.recipients[:50]})
    return Trail(key.fingerprint("sender", envelope.from_.address), tuple(recipients), locks, holds, heated)


# A mail to more people says nothing about who writes to whom.
MOST_TIES = 30
# Where files leave the office for good, as `personal_address_emptying` sees it, and how sure it has to be.
_TAKEN_HOME = frozenset({"address_self", "address_household", "address_disposable"})
_TAKEN_HOME_FROM = 0.6
# So sure is the sign of a leaver only where the directory gives the day.
_LEAVING_FROM = 0.85


def _ties(
    envelope: Envelope, parts: tuple[Part, ...], hits: Sequence[Hit], directory: Directory, key: FingerprintKey
) -> Ties | None:
    """Who writes to whom (D22), as the past is asked and told."""
    if envelope.from_ is None or not envelope.recipients or len(envelope.recipients) > MOST_TIES:
        return None
    to = {}
    for item in envelope.recipients:
        person = directory.person(item.address)
        stranger = directory.kind(item.address) == "outside" and person is None
        contact = directory.contact(item.address)
        name = person.name if person is not None else contact.name if contact is not None else item.name
        twins = directory.namesakes(name, item.address) if name else ()
        address = _known_as(item.address, directory, key)
        to[address] = Tie(
            address,
            not directory.is_ours(item),
            tuple(_known_as(other, directory, key) for other in twins),
            tuple(key.fingerprint(label, item.address) for label in _PRIVATE_LABELS) if stranger else (),
        )
    taken_home = any(hit.label in _TAKEN_HOME and hit.confidence >= _TAKEN_HOME_FROM for hit in hits)
    files = sum(part.kind == "attachment" and part.path.count("/") == 2 and not part.inline for part in parts)
    thread = key.fingerprint("thread", envelope.thread_id) if envelope.thread_id else ""
    sender = _known_as(envelope.from_.address, directory, key)
    leaving = any(hit.label == "leaver_taking" and hit.confidence >= _LEAVING_FROM for hit in hits)
    return Ties(sender, thread, tuple(to.values()), files if taken_home else 0, leaving)


_PRIVATE_LABELS = ("address_self", "address_household", "address_colleague")
REACHED_KEPT = 200
# A text to so many at once is remembered as one that was forwarded is.
SEVERAL = 5
_DEEPEST = 50
_FORWARDED_BY = re.compile(r"^[ \t>|*]{0,20}from:", re.IGNORECASE | re.MULTILINE)
_FORWARD = re.compile(r"\b(?:fwd?|wg|tr)\s*:", re.IGNORECASE)


def _spread(
    envelope: Envelope,
    direction: Direction,
    parts: tuple[Part, ...],
    hits: list[Hit],
    directory: Directory,
    key: FingerprintKey | None,
) -> Spread | None:
    """What recognises a passed-on text again (D22), where the message holds one or may be a further copy."""
    if key is None or envelope.from_ is None or not envelope.recipients:
        return None
    words = passed_on(parts, hits)
    signed = bool(words)
    body = next((part for part in parts if part.kind == "body"), None)
    headers = len(_FORWARDED_BY.findall(body.text)) if body is not None else 0
    owners = {segment.owner for segment in body.segments} if body is not None else set()
    depth = min(
        _DEEPEST, max(headers, len(_FORWARD.findall(envelope.subject)), int(bool({"forwarded", "quoted"} & owners)))
    )
    if direction == "inbound":
        act: SpreadAct = "received"
    elif "forwarded" in owners or _FORWARD.search(envelope.subject):
        act = "passed"
    else:
        act = "replied" if "quoted" in owners else "started"
    if not words and ("forwarded" in owners or act == "passed" or len(envelope.recipients) >= SEVERAL):
        words = handed_on(parts)  # one more copy, perhaps, of what shows its signs in others
    if not words:
        return None
    reached = [
        Reached(_known_as(item.address, directory, key), not directory.is_ours(item))
        for item in envelope.recipients[:REACHED_KEPT]
    ]
    sender = _known_as(envelope.from_.address, directory, key)
    return Spread(sketch(words, key.secret), sender, tuple(dict.fromkeys(reached)), depth, act, signed)


def _known_as(address: str, directory: Directory, key: FingerprintKey) -> str:
    """One fingerprint for all work addresses of a person."""
    person = directory.person(address)
    return key.fingerprint("address", person.email if person is not None else address)


def _guessable(directory: Directory, envelope: Envelope) -> tuple[str, ...]:
    """Names that people take for passwords: the schools', the organisation's, the sender's own."""
    people = directory.people
    own = (envelope.from_.name,) if envelope.from_ else ()
    return tuple(name for name in (*people.schools, people.organisation, *own) if name)


def _useful(
    envelope: Envelope,
    direction: Direction,
    parts: tuple[Part, ...],
    directory: Directory,
    regime: Regime,
    instruments: Instruments,
) -> tuple[tuple[NamesNear, ...], frozenset[str]]:
    """Around which hits names matter to some rule, and which of the dear labels do, also where the policy judges internal mail
    as if it went out.
    """
    ways: dict[tuple[Direction, frozenset[AddressKind]], None] = {(direction, frozenset()): None}
    for topic in DATA_TOPICS:
        outsiders = regime.policy.outsiders(topic, direction)
        if outsiders:
            ways["outbound" if "ours" in outsiders else direction, outsiders] = None
    scenes = [
        Scene(envelope, heading, "sender", (), parts, directory, instruments.as_outbound, outsiders)
        for heading, outsiders in ways
    ]
    dear = instruments.detectors.on_demand
    excused = regime.exemptions.labels() & dear
    return regime.rulebook.names_near(scenes), regime.rulebook.useful(dear, scenes) | excused


_PRIVATE = re.compile(r"\s*(?:(?:re|fwd?)\s*:\s*){0,5}[\[(]?(?:private|personal)\b[\])]?", re.IGNORECASE)


def is_private(envelope: Envelope) -> bool:
    """Whether the sender marked it private: Sensitivity header (RFC 2156 section 5.3.4), or first word of the subject."""
    return envelope.header("Sensitivity").strip().lower() in ("private", "personal") or bool(
        _PRIVATE.match(envelope.subject)
    )


def _sender(envelope: Envelope, directory: Directory, key: FingerprintKey) -> str:
    """Whose doing it was: who pressed the button (Sender), not whose name it went out under."""
    origin = envelope.sender or envelope.from_
    if origin is None or not directory.is_ours(origin):
        return ""
    person = directory.person(origin.address)
    return key.fingerprint("sender", person.email.lower() if person is not None else origin.address)


def _is_sealed(envelope: Envelope, directory: Directory, policy: Policy) -> bool:
    """A union, whistle-blowing line, occupational health or legal adviser is a party (Never 6)."""
    listed = (envelope.from_, envelope.sender, *envelope.reply_to, *envelope.recipients)
    return any(
        item is not None and (directory.kind(item.address) == "protected" or policy.seals(item.address))
        for item in listed
    )


def _sealed(envelope: Envelope, direction: Direction, regime: Regime, instruments: Instruments) -> Verdict:
    """Counted, and nothing else: no part was opened."""
    why = "protected correspondence: sealed, not read"
    return Verdict(
        message_id="",
        direction=direction,
        findings=(),
        problems=(Problem("document", "seal", "skipped", "none", why),),
        complete=True,
        unread_protected=0,
        facts=(),
        versions=Versions(regime.rules_version, regime.policy.version, instruments.detectors.version),
        content_hash=hashlib.sha256(f"sealed {envelope.internet_id}".encode()).hexdigest()[:32],
        sent_at=envelope.sent_at,
        not_judged=why,
    )


# --- seeing ---------------------------------------------------------------------------------------------------------


def _content_hits(
    part: Part,
    directory: Directory,
    instruments: Instruments,
    names_near: tuple[NamesNear, ...] | None,
    wanted: frozenset[str] | None,
    budget: NameBudget,
) -> Iterable[Hit]:
    others = tuple(
        (segment.start, segment.end) for segment in part.segments if segment.owner not in ("sender", "forwarded")
    )
    key = (
        hashlib.sha256(part.text.encode("utf-8", "surrogatepass")).digest(),
        others,
        names_near,
        wanted,
        directory.people.version,
    )
    can_be_kept = len(part.text) <= _CACHE_LONGEST and not part.tables
    found = instruments.cache.get(key) if can_be_kept else None
    if found is None:
        left_out = (budget.windows_dropped, budget.texts_cut)
        found = tuple(
            instruments.detectors.content(
                part.text,
                part.tables,
                people=directory.people,
                names_near=names_near,
                budget=budget,
                others=others,
                wanted=wanted,
            )
        )
        if can_be_kept and (budget.windows_dropped, budget.texts_cut) == left_out:
            instruments.cache.put(key, found)
    for hit in found:
        hit = replace(hit, part=part.path, owner=part.owner_at(hit.start))
        if part.by_ocr:
            hit = replace(hit, confidence=hit.confidence * _OCR_TRUST, reasons=(*hit.reasons, "read by OCR"))
        yield hit


# What is private in a subject on its own and may be school business once the body is read with it.
_READ_WITH_BODY = frozenset({"private_errand"})
_BODY_BESIDE = 2_000


def _subject_with_body(
    hits: Sequence[Hit], message: Message, instruments: Instruments, budget: NameBudget
) -> list[Hit]:
    """The hits with those of `_READ_WITH_BODY` in the subject no surer than the same words with the body below them."""
    if not any(hit.part == "subject" and hit.label in _READ_WITH_BODY for hit in hits):
        return list(hits)
    text = message.own_words()[: len(message.envelope.subject) + _BODY_BESIDE]
    together = {
        (hit.label, hit.start): hit
        for hit in instruments.detectors.content(
            text, people=message.directory.people, names_near=(), budget=budget, wanted=frozenset()
        )
    }
    found = []
    for hit in hits:
        beside = together.get((hit.label, hit.start)) if hit.part == "subject" else None
        if hit.label in _READ_WITH_BODY and beside is not None and beside.confidence < hit.confidence:
            hit = replace(hit, confidence=beside.confidence, reasons=beside.reasons)
        found.append(hit)
    return found


def _withhold_names(
    paths: Sequence[str], directory: Directory, instruments: Instruments, budget: NameBudget
) -> tuple[dict[str, str], list[Hit]]:
    """Where a file's name itself holds a hit, the name is not shown: old path -> path to show, and the hits.

    Every path to show is a part's own, as every old path is: what stands in two files is never taken for one.
    """
    shown: dict[str, str] = {}
    told: dict[str, tuple[Hit, ...]] = {}
    hits: list[Hit] = []
    taken = set(paths)
    for path in paths:
        components = path.split("/")
        first_name = {"attachment": 2, "document": 1}.get(components[0], len(components))
        changed = False
        for position, component in enumerate(components):
            # The numbers of attachments and of mails in a mailbox; so short a number names nobody.
            if position < first_name or (component.isdigit() and len(component) < 5):
                continue
            ending = _ENDING.search(component)
            if component not in told:
                words = (component[: ending.start()] if ending else component).translate(_NAME_SPACES)
                # A name is no sentence: nothing that reads whole ones is asked about it.
                found = instruments.detectors.content(
                    words, people=directory.people, names_near=None, budget=budget, wanted=frozenset()
                )
                told[component] = tuple(hit for hit in found if hit.confidence >= 0.5)
            if told[component]:
                components[position] = _WITHHELD + (ending.group() if ending else "")
                changed = True
        if changed:
            wanted = new = "/".join(components)
            number = 1
            while new in taken:
                number += 1
                new = f"{wanted}~{number}"
            taken.add(new)
            shown[path] = new
            own = path.split("/")[-1]
            hits.extend(
                replace(hit, part=new, reasons=(*hit.reasons, "in the file's name")) for hit in told.get(own, ())
            )
    return shown, hits


def _discount(hits: list[Hit], envelope: Envelope, directory: Directory) -> list[Hit]:
    """Leave out what is nobody's secret: the sender's and recipients' own names and addresses, and what the organisation
    publishes.
    """
    listed = [item for item in (envelope.from_, envelope.sender, *envelope.recipients) if item is not None]
    own_names: set[str] = set()
    for item in listed:
        person = directory.person(item.address) or directory.private_owner(item.address)
        contact = directory.contact(item.address)
        for name in (item.name, person.name if person else "", contact.name if contact else ""):
            if name and "@" not in name:
                own_names.add(_SPACE.sub(" ", name).strip().casefold())
    own_names |= _own_children(envelope, directory)
    own_addresses = {item.address for item in listed}
    published = {_squeeze(value) for value in directory.people.published}
    kept = []
    for hit in hits:
        if hit.label in _PEOPLE:
            name = _SPACE.sub(" ", hit.value).strip().casefold()
            if _is_one_of(name, own_names):
                continue
            known = directory.person_named(name)
            if known is not None and known.role in ("staff", "governor", "contractor"):
                if hit.label == "pupil":
                    continue
                hit = replace(hit, label="staff_name")
        elif (hit.label == "email" and hit.value.lower() in own_addresses) or (
            published and _squeeze(hit.value) in published
        ):
            continue
        kept.append(hit)
    return kept


def _own_children(envelope: Envelope, directory: Directory) -> set[str]:
    """The names of the children of whom every outside recipient is a parent or carer by the records: what a school tells a
    family of its own child is no disclosure. Of a mail to two families nothing is anybody's own.
    """
    families = [
        {_SPACE.sub(" ", pupil.name).strip().casefold() for pupil in contact.pupils} if contact else set()
        for contact in (directory.contact(item.address) for item in envelope.recipients if not directory.is_ours(item))
    ]
    return set.intersection(*families) if families else set()


def _is_one_of(name: str, own_names: set[str]) -> bool:
    """The whole name, a single word that is the first or last word of one of them, or initial and surname."""
    if name in own_names:
        return True
    words = name.replace(".", " ").split()
    if len(words) == 2 and len(words[0]) == 1:
        # "D Ewart" under her own mail.
        return any(own[:1] == words[0] and own.split(" ")[-1] == words[1] for own in own_names)
    return " " not in name and any(name in (own.split(" ")[0], own.split(" ")[-1]) for own in own_names)


def _squeeze(value: str) -> str:
    return re.sub(r"[\W_]+", "", value).casefold()


def _number_subjects(hits: list[Hit]) -> list[Hit]:
    """Count people, not hits: the same name is one data subject, a first name joins the full name that begins with it,
    and an identifier belongs to the person in its row, to the nearest name before it, or, where there is none, to the name that
    follows at once; else its value stands for a person.
    """
    numbers: dict[str, int] = {}
    full_by_word: dict[str, str] = {}
    for hit in hits:
        if hit.label in _PEOPLE:
            name = _SPACE.sub(" ", hit.value).strip().casefold()
            words = name.split(" ")
            if len(words) > 1:
                full_by_word.setdefault(words[0], name)
                full_by_word.setdefault(words[-1], name)

    def person_number(value: str) -> int:
        name = _SPACE.sub(" ", value).strip().casefold()
        name = full_by_word.get(name, name)
        return numbers.setdefault(f"person\0{name}", len(numbers) + 1)

    ordered = sorted(range(len(hits)), key=lambda index: (hits[index].part, hits[index].start))
    in_row: dict[tuple[str, tuple[int, int]], int] = {}
    for index in ordered:
        hit = hits[index]
        if hit.label in _PEOPLE:
            hits[index] = replace(hit, subject=person_number(hit.value))
            if hit.row is not None:
                in_row.setdefault((hit.part, hit.row), hits[index].subject or 0)
    last: tuple[str, int, int] | None = None
    for place, index in enumerate(ordered):
        hit = hits[index]
        if hit.subject is not None:
            last = (hit.part, hit.end, hit.subject)
        elif hit.row is not None and (hit.part, hit.row) in in_row:
            hits[index] = replace(hit, subject=in_row[(hit.part, hit.row)])
        elif hit.row is None and last is not None and last[0] == hit.part and hit.start - last[1] <= 300:
            hits[index] = replace(hit, subject=last[2])
        elif hit.row is None and (after := _named_after(hits, ordered[place : place + _FEW_AFTER])) is not None:
            hits[index] = replace(hit, subject=after)
        elif hit.value:
            row = f"{hit.part}\0{hit.row}" if hit.row is not None else f"{hit.label}\0{_squeeze(hit.value)}"
            hits[index] = replace(hit, subject=numbers.setdefault(row, len(numbers) + 1))
    return hits


def _named_after(hits: Sequence[Hit], following: Sequence[int]) -> int | None:
    """The person who is named directly behind the hit of which these follow: "1000 Abernathy, Aaliyah"."""
    before = hits[following[0]] if following else None
    for index in following[1:]:
        hit = hits[index]
        if before is None or hit.part != before.part or hit.start - before.end > _DIRECTLY_AFTER:
            return None
        if hit.label in _PEOPLE:
            return hit.subject
    return None


# Breaches that consist in somebody being able to read it.
_HARMLESS_UNDER_LOCK = frozenset({"personal_data", "confidential_info", "credentials_in_mail"})

# --- deciding -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fired:
    rule: Rule
    severity: str
    hits: tuple[Hit, ...]
    # The rule's own word, before the pack's: where a pack grades everything alike, it says which of several rules leads.
    own: Severity = "minor"


def _judge(
    envelope: Envelope,
    direction: Direction,
    parts: tuple[Part, ...],
    hits: list[Hit],
    opened: tuple[OpenedLock, ...],
    directory: Directory,
    regime: Regime,
    instruments: Instruments,
    content_hash: str,
    silences: list[Silence] | None,
    today: date,
    only_topics: frozenset[str] | None,
    facts: frozenset[str],
) -> tuple[Finding, ...]:
    policy = regime.policy
    later = [lock.part for lock in opened if lock.by == "another"]
    behind = {id(hit) for hit in hits if later and _lies_in(hit.part, later)}
    scenes: dict[tuple[SegmentOwner, frozenset[AddressKind], bool | None], Scene] = {}
    fired: dict[tuple[str, SegmentOwner, bool, str | None, tuple[PastFact, ...]], list[_Fired]] = {}
    seen = frozenset(hit.label for hit in hits)
    for rule in regime.rulebook.rules:
        if not rule.runs or rule.id in policy.off or (only_topics is not None and rule.topic not in only_topics):
            continue
        if envelope.kind == "mailbox_rule" and "mailbox_rule" not in rule.when.named_kinds():
            continue  # it has no words: only a rule that asks for mailbox rules knows what it looks at
        if silences is None and rule.needs and rule.needs.isdisjoint(seen):
            continue
        outsiders = policy.outsiders(rule.topic, direction)
        # What a good lock makes harmless went out locked. Its word followed in another message, and that is the breach: what lay
        # behind the lock says how grave it is. All else of the message is judged as if the other one had never come.
        ways: tuple[tuple[bool | None, str], ...] = ((None, rule.topic),)
        if behind and rule.topic in _HARMLESS_UNDER_LOCK:
            ways = ((False, rule.topic), (True, "password_exposed"))
        for owner, (is_behind, topic) in product(rule.owners, ways):
            place = (owner, outsiders, is_behind)
            if place not in scenes:
                own = tuple(
                    hit
                    for hit in hits
                    if hit.owner == owner and (is_behind is None or (id(hit) in behind) == is_behind)
                )
                heading: Direction = direction
                if "ours" in outsiders:  # internal mail, judged as if it went out
                    heading = "outbound"
                    if policy.words["internal_mail"] == "attachments":
                        own = tuple(hit for hit in own if hit.part.startswith("attachment"))
                locks = opened if owner == "sender" else ()
                scenes[place] = Scene(
                    envelope, heading, owner, own, parts, directory, instruments.as_outbound, outsiders, facts, locks
                )
            scene = scenes[place]
            if owner != "sender" and not scene.hits:
                continue
            if silences is None and rule.needs and rule.needs.isdisjoint(scene.labels):
                continue
            answer = rule.when.ask(scene)
            if not answer.holds or ((owner != "sender" or is_behind) and not answer.hits):
                if silences is not None and not is_behind:
                    distance = rule.when.missing(scene)
                    missing = distance.missing or ("none of its words are this owner's",)
                    reason = answer.reason or missing[0]
                    told = distance.told / distance.telling if distance.telling else 0.0
                    silences.append(Silence(rule.id, owner, reason, distance.met, distance.needed, missing, told))
                continue
            severity = next((step.severity for step in rule.raises if step.when.ask(scene).holds), rule.severity)
            excuses = regime.exemptions.for_rule(rule.id, today)
            excuse = next((item.id for item in excuses if item.matches.ask(scene).holds), None)
            group = fired.setdefault((topic, owner, rule.state == "shadow", excuse, rule.past), [])
            group.append(
                _Fired(rule, policy.grade(rule.topic, severity), _with_members(answer.hits, scene.hits), severity)
            )
    texts = {part.path: part.text for part in parts}
    findings = [
        _finding(
            group,
            topic,
            owner,
            shadow,
            excuse,
            envelope,
            direction,
            directory,
            regime,
            instruments,
            content_hash,
            facts,
            opened,
            texts,
        )
        for (topic, owner, shadow, excuse, _), group in fired.items()
    ]
    return tuple(sorted(findings, key=lambda item: (-SEVERITIES.index(item.severity), item.topic, item.owner)))


def _with_members(answered: tuple[Hit, ...], hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """With a list of people everybody who stands in it: a rule that asks for the list alone counts nobody otherwise."""
    lists = [hit for hit in answered if hit.label == "class_list"]
    if not lists:
        return answered
    spans: dict[str, list[tuple[int, int]]] = {}
    for hit in sorted(lists, key=lambda hit: (hit.start, -hit.end)):
        known = spans.setdefault(hit.part, [])
        if not known or hit.end > known[-1][1]:
            known.append((hit.start, hit.end))
    seen = {id(hit) for hit in answered}
    members = []
    for hit in hits:
        if hit.label in _PEOPLE and id(hit) not in seen and hit.part in spans:
            place = bisect_right(spans[hit.part], (hit.start, sys.maxsize)) - 1
            if place >= 0 and hit.end <= spans[hit.part][place][1]:
                members.append(hit)
    return (*answered, *members)


def _finding(
    group: list[_Fired],
    topic: str,
    owner: SegmentOwner,
    shadow: bool,
    excuse: str | None,
    envelope: Envelope,
    direction: Direction,
    directory: Directory,
    regime: Regime,
    instruments: Instruments,
    content_hash: str,
    facts: frozenset[str],
    opened: tuple[OpenedLock, ...],
    texts: Mapping[str, str],
) -> Finding:
    policy = regime.policy
    lead = min(group, key=lambda item: (-SEVERITIES.index(item.severity), -SEVERITIES.index(item.own), item.rule.id))
    hits = tuple({id(hit): hit for item in group for hit in item.hits}.values())
    evidence = evidence_of(hits, instruments.key, texts)
    severity = lead.severity
    people = 0
    if lead.rule.category not in _OF_NOBODY:
        told = [hit for hit in hits if hit.subject is not None and hit.label in OF_A_PERSON]
        # A sign in the headers is about somebody whom the words name already, where they name anybody.
        people = len({hit.subject for hit in told if hit.part != "headers"} or {hit.subject for hit in told})
    part_paths = _where(evidence, opened)
    key = hashlib.sha256("\0".join([lead.rule.id, owner, content_hash, *part_paths]).encode()).hexdigest()[:32]
    return Finding(
        key=key,
        rule=lead.rule.id,
        rule_version=lead.rule.version,
        title=lead.rule.title,
        topic=topic,
        category=lead.rule.category,
        severity=severity,  # type: ignore[arg-type]
        confidence=_confidence(hits),
        owner=owner,
        subjects=people,
        evidence=evidence,
        reasons=(*_reasons(hits, group, evidence), *_behind(hits, opened, envelope), *filter(None, (policy.remark(topic),))),
        clauses=policy.cite((item.rule.id for item in group), topic, envelope.sent_at),
        exempted_by=excuse or policy.excuse(topic, envelope, directory, facts),
        route=route(
            (*policy.routes, *regime.routing), topic, lead.rule.category, severity, direction, envelope, directory,  # type: ignore[arg-type]
            policy.titles,
        ),
        advice=" ".join(filter(None, (lead.rule.advice, policy.advice(topic)))),
        shadow=shadow or topic in policy.patterns,
        past=lead.rule.past,
    )  # fmt: skip


def _confidence(hits: Sequence[Hit]) -> float:
    """Independent kinds of evidence add up: one minus the product of the doubts, the best hit of each label counting once."""
    best: dict[str, float] = {}
    for hit in hits:
        best[hit.label] = max(best.get(hit.label, 0.0), hit.confidence)
    doubt = 1.0
    for confidence in best.values():
        doubt *= 1.0 - confidence
    return round(min(1.0 - doubt, 0.99), 2) if best else 0.9


def _reasons(hits: Sequence[Hit], group: Sequence[_Fired], evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """In words, without a value: for each label by its title how often and why it counted, and where it is to be found of what
    is judged by the whole sentence; then which rules agreed.
    """
    by_label: dict[str, list[Hit]] = {}
    for hit in hits:
        by_label.setdefault(hit.label, []).append(hit)
    reasons = []
    for label, members in by_label.items():
        best = max(members, key=lambda hit: hit.confidence)
        title = label_title(label)
        # A reason that only says the title again tells nothing.
        why = ", ".join(reason for reason in best.reasons[:4] if reason.casefold() != title.casefold())
        number = len({(hit.part, hit.start, hit.end) for hit in members})
        times = f" ({number} times)" if number > 1 else ""
        where = [f"{line.part} {places_words(line.places)}" for line in evidence if line.label == label and line.places]
        if where and label.startswith("reads_as_"):
            why = f"{why} ({'; '.join(where)})"
        reasons.append(f"{title}{times}: {why}" if why else f"{title}{times}")
    if len(group) > 1:
        reasons.append("rules that agree: " + ", ".join(sorted({item.rule.id for item in group})))
    return tuple(reasons[:20])


def _where(evidence: Sequence[Evidence], opened: Sequence[OpenedLock]) -> list[str]:
    """The parts that a finding is known by. What another message's word has opened is one only where there is nothing else:
    the finding that was there before it came is the same one.
    """
    paths = sorted({line.part for line in evidence})
    later = [lock.part for lock in opened if lock.by == "another"]
    return [path for path in paths if not _lies_in(path, later)] or paths


def _lies_in(path: str, files: Iterable[str]) -> bool:
    return any(path == file or path.startswith(file + "/") for file in files)


def _behind(hits: Sequence[Hit], opened: Sequence[OpenedLock], envelope: Envelope) -> Iterator[str]:
    """By what the locks were opened behind which it lay."""
    told = {hit.part for hit in hits if hit.label != "file_password"}
    for by in dict.fromkeys(lock.by for lock in opened):
        locks = [lock.part for lock in opened if lock.by == by]
        if any(_lies_in(part, locks) for part in told):
            yield f"lay behind a lock that {opened_reason(by, envelope)}"


def _facts(hits: Sequence[Hit], key: FingerprintKey) -> tuple[Fact, ...]:
    ordered = sorted(hits, key=lambda hit: (hit.part, hit.start))[:FACTS_KEPT]
    facts = []
    previous = ("", 0)
    for hit in ordered:
        facts.append(fact_of(hit, previous[1] if previous[0] == hit.part else hit.start, key))
        previous = (hit.part, hit.end)
    return tuple(facts)


def _content_hash(envelope: Envelope, parts: Sequence[Part]) -> str:
    """The same for every copy of a message: who wrote it, when, and what it says; not the Message-ID, not the transport.

    SHA-256 over sender, time of sending to the minute, the words of subject and body, and the bytes of each attachment. What
    an attachment holds follows from its bytes: it is the same mail whether a lock in it opened or not.
    """
    digest = hashlib.sha256()
    origin = envelope.from_.address if envelope.from_ else ""
    sent = envelope.sent_at.astimezone(UTC).strftime("%Y%m%d%H%M") if envelope.sent_at else ""
    digest.update(f"{origin}\0{sent}".encode("utf-8", "surrogatepass"))
    if envelope.audience is not None:
        # The same document before another audience is another matter.
        open_to = sorted(f"{share.scope} {share.address} {share.may_edit}" for share in envelope.audience)
        digest.update("\0".join(("", "open to", *open_to)).encode("utf-8", "surrogatepass"))
    for part in parts:
        if part.depth:
            continue
        words = " ".join(part.text.split()) if part.kind in ("subject", "body") else part.sha256
        digest.update(b"\0" + words.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


# --- proving --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Failure:
    """An example that its own rule judges wrongly."""

    rule: str
    place: str
    must_flag: bool
    why: str
    reason: str


def prove(
    directory: Directory, regime: Regime, instruments: Instruments, only: frozenset[str] | None = None
) -> tuple[int, tuple[Failure, ...]]:
    """Run every rule's examples with the default cast: (number run, the failures). Only the rule's own topic is judged."""
    failures = []
    number = 0
    instruments = replace(instruments, as_outbound=False)  # the examples say themselves who is ours
    for rule in regime.rulebook.rules:
        if only is not None and rule.id not in only:
            continue
        alone = replace(
            regime, rulebook=replace(regime.rulebook, rules=(replace(rule, state="on"),)), exemptions=Exemptions()
        )
        alone = replace(alone, policy=for_examples(rule))
        for example in rule.examples:
            number += 1
            silences: list[Silence] = []
            verdict = inspect(envelope_of(example), directory, alone, instruments, silences=silences)
            told = [finding for finding in verdict.pending if set(finding.past) <= set(example.past)]
            flagged = any(finding.rule == rule.id and not finding.exempted_by for finding in (*verdict.findings, *told))
            if flagged != example.must_flag:
                reason = next((item.reason for item in silences), "") if example.must_flag else "it was flagged"
                failures.append(Failure(rule.id, example.place, example.must_flag, example.why, reason))
    return number, tuple(failures)


def prove_patterns(
    examples: Iterable[tuple[str, bool, str, str]], detectors: Detectors
) -> tuple[int, tuple[Failure, ...]]:
    """Run the texts of admins' patterns, each (label, must match, text, place): (number run, the failures)."""
    failures = []
    number = 0
    for label, must_match, text, place in examples:
        number += 1
        found = any(hit.label == label for hit in detectors.content(normalise(text).text, names_near=()))
        if found != must_match:
            reason = "it is not found" if must_match else "it is found"
            failures.append(Failure(label, place, must_match, "its own text", reason))
    return number, tuple(failures)


def _address(text: str) -> Address:
    name, address = parseaddr(text)
    return Address(address.lower(), name)


def envelope_of(example: Example) -> Envelope:
    """An example as the envelope that a source would hand over; rows become a CSV file, which needs no library to write."""
    kinds: tuple[tuple[RecipientKind, tuple[str, ...]], ...] = (
        ("to", example.to),
        ("cc", example.cc),
        ("bcc", example.bcc),
    )
    parsed = [(kind, _address(text)) for kind, texts in kinds for text in texts]
    recipients = [Recipient(kind, address.address, address.name) for kind, address in parsed]
    blobs = []
    for attachment in example.attachments:
        if attachment.rows:
            sheet = io.StringIO()
            csv.writer(sheet).writerows(attachment.rows)
            data = sheet.getvalue().encode()
        else:
            data = attachment.data if attachment.data is not None else (attachment.text or "").encode()
        blobs.append(Blob(attachment.name, "application/octet-stream", data))
    return Envelope(
        source="example",
        internet_id=f"<{hashlib.sha256(example.place.encode()).hexdigest()[:16]}@example>",
        sent_at=example.sent or datetime(2026, 9, 7, 10, 0, tzinfo=UTC),
        from_=_address(example.from_) if example.from_ else None,
        sender=_address(example.sender) if example.sender else None,
        recipients=tuple(recipients),
        headers=(("Subject", example.subject), *example.headers) if example.kind == "message" else (),
        subject=example.subject,
        bodies=(Body("text/plain", example.body),) if example.kind != "document" else (),
        blobs=tuple(blobs),
        kind=example.kind,
        audience=example.shared,
    )
