"""The closed list of conditions that a rule may use. No code and no expressions: every key is one class in this file.

A condition is asked about a `Scene`: one message as seen through the words of one owner (the sender's own, quoted, forwarded).
It answers with the hits that support it, so that a finding can show its evidence, or with the reason why it stayed false.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from fnmatch import fnmatchcase
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from scanner.directory import Directory
from scanner.model import (
    AddressKind,
    Direction,
    Envelope,
    Fact,
    Grade,
    Hit,
    ItemKind,
    Part,
    PersonRole,
    SegmentOwner,
    Share,
)
from scanner.ports import SENTENCE_END, NamesNear
from scanner.yaml_source import Node, Reader

PART_KINDS = ("subject", "body", "attachment", "document", "headers")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HIGH = 0.75  # contract section 3: from here on a hit alone is enough for a rule of the base policy
MAX_NESTING = 8
_LOCKABLE = ("attachment", "document", "body")
SHARED_WITH = ("anyone", "organisation", *get_args(AddressKind))
_NAMES = frozenset({"person", "staff_name"})
# What a policy pack can say of one message; `scanner.policy.facts_of` works them out, a rule asks with the key `policy`.
POLICY_FACTS: dict[str, str] = {
    "in_reply_window": "it was sent in the hours in which the pack lets nobody expect an answer",
    "in_working_hours": "it was sent in hours that the pack does not leave to personal use",
    "over_bulk_limit": "it goes to more people than the pack's bulk_limit",
    "large_transfer": "its files are larger together than the pack's large_transfer_mb",
    "disclaimer_missing": "it leaves us without any of the pack's disclaimer phrases",
    "weak_lock": "a part has a weak lock that the pack does not count as protection",
    "locked_part": "a part has a lock that the pack counts as protection",
    "contact_covered": "a recipient is one of those to whom the pack's contact_details forbid private details",
    "broadcast_granted": "the sender holds a broadcast grant on record",
    "auction_granted": "the sender holds an auction grant on record",
    "business_granted": "the sender holds a business grant on record",
    "contract_granted": "the sender holds a contract grant on record",
    "education_granted": "the sender holds an education grant on record",
    "transfer_granted": "every outside recipient is covered by a transfer grant of the sender",
    "report": "it goes to nobody but those whose job it is to look into such mail: IT security, dpo, hr, dsl, head, investigator, "
    "by role or by job title",
}
_COMPANY = 50  # how many neighbours of one hit are looked at: more add nothing to a finding, and the cost stays linear


@dataclass(frozen=True, slots=True)
class OpenedLock:
    """A lock that a word at hand has opened: the locked part, the part in which the word stood, and whose word it was.

    `by` is `message` for a word of this message, `companion` for a word of this message that opened a file of another one,
    `another` for a word of another message that opened a file of this one, `guess` for a word that anybody would try first.
    """

    part: str
    where: str
    by: str
    mechanism: str


OPENED_BY = ("message", "companion", "another", "guess")


@dataclass(frozen=True, slots=True)
class Scene:
    """What the conditions of one rule look at. `hits` are already narrowed to the owner whose words are judged."""

    envelope: Envelope
    direction: Direction
    owner: SegmentOwner
    hits: tuple[Hit, ...]
    parts: tuple[Part, ...]
    directory: Directory
    as_outbound: bool = False
    # Kinds of address that the policy pack treats like outsiders for the rule's topic, and what it says of the message.
    outsiders: frozenset[AddressKind] = frozenset()
    policy: frozenset[str] = frozenset()
    opened: tuple[OpenedLock, ...] = ()

    labels: frozenset[str] = field(init=False, repr=False, compare=False)
    # The kinds of recipient. For a document, those who can open it; where nobody says who can, an outsider might.
    audience: frozenset[AddressKind] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", frozenset(hit.label for hit in self.hits))
        object.__setattr__(self, "audience", self._audience())

    def recipient_kind(self, address: str) -> AddressKind:
        """As the directory says, except that a person of ours on a listed webmail address is no outsider."""
        if self.as_outbound:
            return "outside"
        kind: AddressKind = "ours" if self.directory.person(address) is not None else self.directory.kind(address)
        return "outside" if kind in self.outsiders else kind

    def facts(self) -> tuple[Fact, ...]:
        """What envelope and files say, as facts that the store may keep, so that a changed rule can be tried on them.

        Their labels begin with @; counts stand in `distance`. No address, no name and no text is among them.
        """
        kinds = [self.recipient_kind(item.address) for item in self.envelope.recipients]
        visible = Counter(
            self.recipient_kind(item.address) for item in self.envelope.recipients if item.kind in ("to", "cc")
        )
        found = [_fact("@envelope")]
        found += [_fact(f"@recipients:{kind}", number, visible[kind]) for kind, number in Counter(kinds).items()]
        found += [_fact(f"@audience:{kind}") for kind in sorted(self.audience)]
        origin = self.directory.person(self.envelope.from_.address) if self.envelope.from_ else None
        if origin is not None:
            found.append(_fact(f"@sender_role:{origin.role}"))
        if self.envelope.sender is not None:
            pressed = self.directory.person(self.envelope.sender.address)
            found.append(_fact(f"@pressed_by:{pressed.role if pressed is not None else ''}"))
        found += [_fact(f"@policy:{said}") for said in sorted(self.policy)]
        for role in (*get_args(PersonRole), "contact"):
            if RecipientRole((role,)).ask(self).holds:
                found.append(_fact(f"@recipient_role:{role}"))
        if SubjectIs().ask(self).holds:
            found.append(_fact("@subject:empty"))
        for name, holds in (("reply", Thread(reply=True)), ("forward", Thread(forward=True))):
            if holds.ask(self).holds:
                found.append(_fact(f"@thread:{name}"))
        found.append(_fact("@thread:depth", Thread.before(self.envelope)))
        found += [_fact(f"@segment:{owner}") for owner in _MARKED if HasSegment((owner,)).ask(self).holds]
        files = [part for part in self.parts if part.kind in ("attachment", "document")]
        found.append(_fact("@attachments", sum(Attachments.counts(part) for part in files)))
        for part in files[:_COMPANY]:
            if not part.inline:
                found.append(_fact(f"@file:{part.media_type}"[:100], min(part.size, 2**31 - 1), int(part.disguised)))
        for grade in sorted({part.protection.grade for part in self.parts if part.kind in _LOCKABLE}):
            found.append(_fact(f"@protection:{grade}"))
        return tuple(found)

    def _audience(self) -> frozenset[AddressKind]:
        kinds = frozenset(self.recipient_kind(item.address) for item in self.envelope.recipients)
        if self.envelope.audience is not None:
            return kinds | {self.share_kind(share) for share in self.envelope.audience} or frozenset({"ours"})
        return kinds or frozenset({"outside"})

    def share_kind(self, share: Share) -> AddressKind:
        """A link for anyone, and a person nobody can name, is an outsider; a group that could not be resolved is taken for
        one of ours, because every file of a SharePoint site is open to the site's own groups.
        """
        if share.scope in ("organisation", "unknown") and not self.as_outbound:
            return "ours"
        return self.recipient_kind(share.address) if share.address else "outside"


@dataclass(frozen=True, slots=True)
class Answer:
    """True or false, the hits that speak for it, and in words why (true) or what was missing (false)."""

    holds: bool
    hits: tuple[Hit, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Distance:
    """Of `needed` conditions `met` hold; `missing` says what the others want.

    `telling` of them ask for what few mails have, and `told` is how much of that is there: one for each that holds, half where what
    it asks for was seen and does not suffice. That a mail goes outside, or names somebody, is no sign of any one rule.
    """

    met: int
    needed: int
    missing: tuple[str, ...] = ()
    told: float = 0.0
    telling: int = 0


class Condition(ABC):
    @abstractmethod
    def ask(self, scene: Scene) -> Answer: ...

    def labels(self) -> frozenset[str]:
        """The labels this condition names, for `rules check` and to know around what names matter."""
        return frozenset()

    def needs(self) -> frozenset[str]:
        """Labels of which at least one must be there for it to hold; empty where nothing certain can be said."""
        return frozenset()

    def names_near(self) -> tuple[NamesNear, ...]:
        """Around which hits a person's name matters to this condition."""
        return ()

    def missing(self, scene: Scene) -> Distance:
        """How far it is from holding, and what is missing; for people, so that it may cost more than `ask`."""
        answer = self.ask(scene)
        return Distance(1, 1) if answer.holds else Distance(0, 1, (answer.reason,))

    def possible(self, scene: Scene) -> bool:
        """False where envelope and directory alone already say that it cannot hold, whatever the text has."""
        return True

    def useful(self, scene: Scene) -> frozenset[str] | None:
        """The labels whose hits can still matter to it, as far as envelope and directory say; None where it is not possible."""
        return self.labels() if self.possible(scene) else None

    def named_kinds(self) -> frozenset[str]:
        """The kinds of item that this condition asks for by name."""
        return frozenset()


# Nearly every mail has these.
_IN_ANY_MAIL = frozenset({"person", "staff_name", "email", "phone"})


class SeenCondition(Condition):
    """A condition on what was seen in the words and files: what holds of it tells one mail from another."""

    def missing(self, scene: Scene) -> Distance:
        answer = self.ask(scene)
        named = self.labels()
        telling = not named or not named <= _IN_ANY_MAIL
        if answer.holds:
            return Distance(1, 1, (), float(telling), int(telling))
        some = any(hit.label in named - _IN_ANY_MAIL for hit in scene.hits)
        return Distance(0, 1, (answer.reason,), 0.5 if some else 0.0, int(telling))


class EnvelopeCondition(Condition):
    """A condition that looks at the envelope alone: what it says before reading is what it says after."""

    def possible(self, scene: Scene) -> bool:
        return self.ask(scene).holds


def _fact(label: str, number: int = 0, row: int | None = None) -> Fact:
    return Fact(label, "headers", "sender", row, number, 1.0, None, "")


def _listed(words: Sequence[str]) -> str:
    return " or ".join(words)


@dataclass(frozen=True, slots=True)
class DirectionIs(EnvelopeCondition):
    """direction: the message goes outbound, internal or inbound, or is a stored document."""

    allowed: tuple[str, ...]

    def ask(self, scene: Scene) -> Answer:
        if scene.direction in self.allowed:
            return Answer(True)
        return Answer(False, reason=f"the direction is {scene.direction}, not {_listed(self.allowed)}")


@dataclass(frozen=True, slots=True)
class AudienceHas(EnvelopeCondition):
    """audience: at least one recipient is ours, trusted, protected or outside."""

    kinds: tuple[str, ...]

    def ask(self, scene: Scene) -> Answer:
        if scene.audience & set(self.kinds):
            return Answer(True)
        return Answer(False, reason=f"no recipient is {_listed(self.kinds)}")


@dataclass(frozen=True, slots=True)
class HasLabels(SeenCondition):
    """labels: hits of these labels, with a least confidence, count and number of data subjects, in these kinds of part."""

    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    confidence: float = HIGH
    count: int = 1
    subjects: int = 0
    distinct: int = 0
    parts: tuple[str, ...] = ()
    repeated: int = 0

    def ask(self, scene: Scene) -> Answer:
        wanted = frozenset(self.any_of + self.all_of)
        hits = tuple(
            hit
            for hit in scene.hits
            if hit.label in wanted
            and hit.confidence >= self.confidence
            and (not self.parts or hit.part.partition("/")[0] in self.parts)
        )
        present = {hit.label for hit in hits}
        missing = [label for label in self.all_of if label not in present]
        if missing:
            return Answer(False, reason=f"no {missing[0]} of confidence {self.confidence:g} or more")
        if self.any_of and not present & set(self.any_of):
            return Answer(False, reason=f"no {_listed(self.any_of)} of confidence {self.confidence:g} or more")
        if len(hits) < self.count:
            return Answer(False, reason=f"{len(hits)} hits, {self.count} needed")
        subjects = len({hit.subject for hit in hits if hit.subject is not None})
        if subjects < self.subjects:
            return Answer(False, reason=f"about {subjects} people, {self.subjects} needed")
        distinct = len({(hit.label, hit.value) for hit in hits})
        if distinct < self.distinct:
            return Answer(False, reason=f"{distinct} different values, {self.distinct} needed")
        if self.repeated:
            times = Counter((hit.label, hit.value) for hit in hits).most_common(1)
            if not times or times[0][1] < self.repeated:
                return Answer(
                    False,
                    reason=f"no value comes more than {times[0][1] if times else 0} times, {self.repeated} needed",
                )
        return Answer(True, hits)

    def labels(self) -> frozenset[str]:
        return frozenset(self.any_of + self.all_of)

    def needs(self) -> frozenset[str]:
        return frozenset(self.all_of[:1] or self.any_of)


@dataclass(frozen=True, slots=True)
class Near(SeenCondition):
    """near: a hit of one list stands in the same table row, or within so many characters and ends of sentences, of a hit of
    the other list.
    """

    of: tuple[str, ...]
    to: tuple[str, ...]
    within: int = 300
    of_confidence: float = 0.5
    to_confidence: float = HIGH
    subjects: int = 1
    count: int = 1
    to_count: int = 1
    # How many ends of sentences may stand between the two; no limit where it is None.
    sentences: int | None = None

    def ask(self, scene: Scene) -> Answer:
        texts = {} if self.sentences is None else {part.path: part.text for part in scene.parts}
        support: dict[int, Hit] = {}
        pairs = 0
        by_part: dict[str, list[Hit]] = {}
        for hit in scene.hits:
            if hit.label in self.of or hit.label in self.to:
                by_part.setdefault(hit.part, []).append(hit)
        for hits in by_part.values():
            hits.sort(key=lambda hit: hit.start)
            others = [hit for hit in hits if hit.label in self.to and hit.confidence >= self.to_confidence]
            if len(others) < self.to_count:
                continue
            loose = [other for other in others if other.row is None]
            by_row: dict[tuple[int, int], list[Hit]] = {}
            for other in others:
                if other.row is not None:
                    by_row.setdefault(other.row, []).append(other)
            first = 0
            for hit in (hit for hit in hits if hit.label in self.of and hit.confidence >= self.of_confidence):
                if hit.row is not None:
                    found = [other for other in by_row.get(hit.row, ())[:_COMPANY] if other is not hit]
                else:
                    while first < len(loose) - 1 and loose[first].end + self.within < hit.start:
                        first += 1
                    found = []
                    for other in loose[first : first + _COMPANY]:
                        if other.start > hit.end + self.within:
                            break
                        if other.end + self.within >= hit.start and other is not hit:
                            text = texts.get(hit.part, "")
                            if self.sentences is None or _sentence_ends(text, hit, other) <= self.sentences:
                                found.append(other)
                if found:
                    pairs += 1
                    support[id(hit)] = hit
                    support.update({id(other): other for other in found})
        hits_found = tuple(support.values())
        people = {hit.subject for hit in hits_found if hit.label in self.of and hit.subject is not None}
        if pairs < self.count or not hits_found:
            return Answer(False, reason=f"no {_listed(self.of)} within {self.within} characters of {_listed(self.to)}")
        if len(people) < self.subjects and self.subjects > 1:
            return Answer(False, reason=f"about {len(people)} people, {self.subjects} needed")
        return Answer(True, hits_found)

    def labels(self) -> frozenset[str]:
        return frozenset(self.of + self.to)

    def needs(self) -> frozenset[str]:
        return frozenset(self.of)

    def names_near(self) -> tuple[NamesNear, ...]:
        if _NAMES & set(self.of):
            labels, confidence, count = frozenset(self.to) - _NAMES, self.to_confidence, self.to_count
            return (NamesNear(labels, confidence, count, self.within, self.sentences),)
        if _NAMES & set(self.to):
            labels = frozenset(self.of) - _NAMES
            return (NamesNear(labels, self.of_confidence, within=self.within, sentences=self.sentences),)
        return ()


def _sentence_ends(text: str, one: Hit, other: Hit) -> int:
    low, high = (one.end, other.start) if one.start <= other.start else (other.end, one.start)
    return sum(1 for _ in SENTENCE_END.finditer(text, low, high)) if low < high else 0


@dataclass(frozen=True, slots=True)
class ProtectionIs(SeenCondition):
    """protection: some part's lock has one of these grades (none, signed, weak, strong, unknown)."""

    grades: tuple[str, ...]

    def ask(self, scene: Scene) -> Answer:
        for part in scene.parts:
            if part.protection.grade in self.grades and part.kind in _LOCKABLE:
                mark = Hit("protection", 0, 0, "", 0.9, (part.protection.mechanism,), part=part.path)
                return Answer(True, (mark,))
        return Answer(False, reason=f"no part is protected as {_listed(self.grades)}")


@dataclass(frozen=True, slots=True)
class LockOpened(SeenCondition):
    """opened: a lock was opened by a word of this message, on this one's file or another's, by another's word, or by a guess."""

    by: tuple[str, ...]

    def ask(self, scene: Scene) -> Answer:
        marks = []
        for lock in scene.opened:
            if lock.by in self.by:
                why = opened_reason(lock.by, scene.envelope)
                # The finding points at the word, where there is one: that is what should not have been sent.
                reasons = (f"{lock.mechanism} {why}" if lock.mechanism else why,)
                marks.append(Hit("file_password", 0, 0, "", 0.97, reasons, part=lock.where or lock.part))
        if marks:
            return Answer(True, tuple(marks))
        return Answer(False, reason="no lock was opened by what lies beside it")


def opened_reason(by: str, envelope: Envelope) -> str:
    """By what a lock was opened, as `OpenedLock.by` says it, in words."""
    if by == "message" and envelope.kind == "document":
        return "opens with a word of the same file or of its name"
    return _OPENED_REASONS[by]


_OPENED_REASONS = {
    "message": "opens with a word of the same message",
    "companion": "of another message to the same recipient opens with a word of this one",
    "another": "opens with a word of another message to the same recipient",
    "guess": "opens with a password that anybody would try first",
}


@dataclass(frozen=True, slots=True)
class FileIs(SeenCondition):
    """file: some attachment or document is of one of these types (media types by bytes, * allowed), extensions or names."""

    types: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    disguised: bool | None = None
    above: int = 0
    names: tuple[str, ...] = ()
    below: int = 0

    def ask(self, scene: Scene) -> Answer:
        for part in scene.parts:
            if part.kind not in ("attachment", "document") or part.inline:
                continue
            name = part.name.lower()
            by_type = any(fnmatchcase(part.media_type.lower(), wanted) for wanted in self.types)
            by_name = any(name.endswith("." + wanted.lower().lstrip(".")) for wanted in self.extensions)
            if (self.types or self.extensions) and not (by_type or by_name):
                continue
            if self.names and not any(fnmatchcase(name, wanted.lower()) for wanted in self.names):
                continue
            if self.disguised is not None and part.disguised is not self.disguised:
                continue
            if part.size <= self.above and self.above:
                continue
            if self.below and part.size >= self.below:
                continue
            why = f"a file of type {part.media_type}" + (", disguised" if part.disguised else "")
            return Answer(True, (Hit("file", 0, 0, "", 0.9, (why,), part=part.path),))
        wanted = _listed([*self.types, *self.extensions, *self.names]) or "of the size that the rule asks for"
        return Answer(False, reason=f"no file is {wanted}")


@dataclass(frozen=True, slots=True)
class Recipients(EnvelopeCondition):
    """recipients: at least or at most so many recipients, of one kind or of any."""

    at_least: int = 0
    at_most: int = 1_000_000
    kind: str = ""
    visible: bool = False

    def ask(self, scene: Scene) -> Answer:
        number = sum(
            (not self.kind or scene.recipient_kind(item.address) == self.kind)
            and (not self.visible or item.kind in ("to", "cc"))
            for item in scene.envelope.recipients
        )
        if self.at_least <= number <= self.at_most:
            return Answer(True)
        wanted = f"at least {self.at_least}" if number < self.at_least else f"at most {self.at_most}"
        return Answer(
            False,
            reason=f"{number} {'recipient' if number == 1 else 'recipients'}{f' ({self.kind})' if self.kind else ''}, {wanted} wanted",
        )


@dataclass(frozen=True, slots=True)
class SubjectIs(EnvelopeCondition):
    """subject: the subject line says nothing (empty, or only Re:, Fw: and the like)."""

    empty: bool = True

    def ask(self, scene: Scene) -> Answer:
        words = scene.envelope.subject.strip()
        while True:
            head, colon, rest = words.partition(":")
            if not colon or head.strip().lower() not in ("re", "fw", "fwd", "aw", "wg", "tr"):
                break
            words = rest.strip()
        if (not words) is self.empty:
            reason = "the subject line is empty" if self.empty else ""
            marks = (Hit("subject_line", 0, 0, "", 0.9, (reason,), part="subject"),) if self.empty else ()
            return Answer(True, marks)
        return Answer(False, reason="the subject line says something" if self.empty else "the subject line is empty")


@dataclass(frozen=True, slots=True)
class SenderRole(EnvelopeCondition):
    """sender_role: the sender is staff, pupil, governor, contractor or a shared mailbox in the directory."""

    roles: tuple[str, ...]

    def ask(self, scene: Scene) -> Answer:
        origin = scene.envelope.from_
        person = scene.directory.person(origin.address) if origin else None
        if person is not None and person.role in self.roles:
            return Answer(True)
        return Answer(False, reason=f"the sender is not {_listed(self.roles)}")


@dataclass(frozen=True, slots=True)
class RecipientRole(EnvelopeCondition):
    """recipient_role: some recipient is staff, pupil, governor, contractor, shared, or a parent or carer (`contact`); a
    group of ours that is named for pupils or for parents counts as one of them.
    """

    roles: tuple[str, ...]

    def ask(self, scene: Scene) -> Answer:
        for item in scene.envelope.recipients:
            person = scene.directory.person(item.address)
            if person is not None and person.role in self.roles:
                return Answer(True)
            if scene.directory.stands_for(item) in self.roles:
                return Answer(True)
            if "contact" in self.roles and scene.directory.contact(item.address) is not None:
                return Answer(True)
        return Answer(False, reason=f"no recipient is {_listed(self.roles)}")


@dataclass(frozen=True, slots=True)
class Who:
    """A group of people: by address, by school, by job title, by a route role that they hold. One that fits any of the lists
    given belongs to it.
    """

    addresses: tuple[str, ...] = ()
    schools: tuple[str, ...] = ()
    job_titles: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()

    def has(self, address: str, directory: Directory) -> bool:
        """Addresses allow `*`; a job title fits where the person's holds it as whole words."""
        if any(fnmatchcase(address.lower(), wanted.lower()) for wanted in self.addresses):
            return True
        if any(address.lower() in directory.holders(role) for role in self.holders):
            return True
        person = directory.person(address)
        if person is None:
            return False
        title = f" {person.job_title.casefold()} "
        return person.school in self.schools or any(f" {wanted.casefold()} " in title for wanted in self.job_titles)

    @property
    def shown(self) -> str:
        return _listed([*self.addresses, *self.schools, *self.job_titles, *self.holders])


@dataclass(frozen=True, slots=True)
class SenderIs(EnvelopeCondition):
    """sender: the sender belongs to a group, by address, school or job title."""

    who: Who

    def ask(self, scene: Scene) -> Answer:
        origin = scene.envelope.from_
        if origin is not None and self.who.has(origin.address, scene.directory):
            return Answer(True)
        return Answer(False, reason=f"the sender is not one of {self.who.shown}")


@dataclass(frozen=True, slots=True)
class RecipientIs(EnvelopeCondition):
    """recipient: some recipient, or with `every` each of them, belongs to a group, by address, school or job title."""

    who: Who
    every: bool = False

    def ask(self, scene: Scene) -> Answer:
        found = [self.who.has(item.address, scene.directory) for item in scene.envelope.recipients]
        if found and (all(found) if self.every else any(found)):
            return Answer(True)
        return Answer(False, reason=f"{'not every' if self.every else 'no'} recipient is one of {self.who.shown}")


@dataclass(frozen=True, slots=True)
class Sent(EnvelopeCondition):
    """sent: it was sent on one of these days, and between these times of the day, by the clock of a time zone."""

    days: tuple[str, ...] = ()
    after: time | None = None
    before: time | None = None
    zone: str = "Europe/London"

    def ask(self, scene: Scene) -> Answer:
        return self.at(scene.envelope.sent_at)

    def at(self, sent_at: datetime | None) -> Answer:
        if sent_at is None:
            return Answer(False, reason="it is not known when it was sent")
        local = sent_at.astimezone(ZoneInfo(self.zone))
        if self.days and WEEKDAYS[local.weekday()] not in self.days:
            return Answer(False, reason=f"it was sent on {WEEKDAYS[local.weekday()]}, not {_listed(self.days)}")
        start, end, clock = self.after or time.min, self.before or time.max, local.time()
        # A window that ends before it begins goes over midnight.
        inside = start <= clock < end if start < end else (clock >= start or clock < end)
        if not inside:
            return Answer(False, reason=f"it was sent at {clock:%H:%M}, not between {start:%H:%M} and {end:%H:%M}")
        return Answer(True)


@dataclass(frozen=True, slots=True)
class Thread(EnvelopeCondition):
    """thread: it answers or passes on another message, or stands so deep in a conversation (RFC 5322 section 3.6.4)."""

    reply: bool | None = None
    forward: bool | None = None
    depth: int = 0

    def ask(self, scene: Scene) -> Answer:
        envelope = scene.envelope
        head = envelope.subject.strip().partition(":")[0].strip().lower()
        before = self.before(envelope)
        forward = head in ("fw", "fwd", "wg", "tr")
        reply = not forward and (before > 0 or head in ("re", "aw"))
        if self.reply is not None and reply is not self.reply:
            return Answer(False, reason="it is no answer to another message" if self.reply else "it is an answer")
        if self.forward is not None and forward is not self.forward:
            return Answer(False, reason="it is not passed on" if self.forward else "it is passed on")
        if before < self.depth:
            return Answer(False, reason=f"{before} messages stand before it in the conversation, {self.depth} needed")
        return Answer(True)

    @staticmethod
    def before(envelope: Envelope) -> int:
        """How many messages stand before it, as its headers say."""
        return len(envelope.header("References").split()) or int(bool(envelope.header("In-Reply-To").strip()))


@dataclass(frozen=True, slots=True)
class HasSegment(Condition):
    """segment: some part holds words that are quoted, forwarded, a signature, a disclaimer or a banner."""

    owners: tuple[str, ...]

    def ask(self, scene: Scene) -> Answer:
        if any(segment.owner in self.owners for part in scene.parts for segment in part.segments):
            return Answer(True)
        return Answer(False, reason=f"no part holds {_listed(self.owners)} words")


@dataclass(frozen=True, slots=True)
class Attachments(Condition):
    """attachments: at least or at most so many attached files, pictures inside the text not counted."""

    at_least: int = 0
    at_most: int = 1_000_000

    def ask(self, scene: Scene) -> Answer:
        number = sum(self.counts(part) for part in scene.parts)
        if self.at_least <= number <= self.at_most:
            return Answer(True)
        return Answer(False, reason=f"{number} attachments")

    @staticmethod
    def counts(part: Part) -> bool:
        return part.kind == "attachment" and not part.inline and not part.depth


@dataclass(frozen=True, slots=True)
class PolicySays(Condition):
    """policy: the policy pack in force says one of these things of the message."""

    facts: tuple[str, ...]

    def ask(self, scene: Scene) -> Answer:
        if scene.policy & set(self.facts):
            return Answer(True)
        return Answer(False, reason=f"the policy does not say: {_listed([POLICY_FACTS[fact] for fact in self.facts])}")


@dataclass(frozen=True, slots=True)
class KindIs(EnvelopeCondition):
    """kind: a message, a document, an automatic reply or a mailbox rule."""

    kinds: tuple[str, ...]

    def ask(self, scene: Scene) -> Answer:
        if scene.envelope.kind in self.kinds:
            return Answer(True)
        return Answer(False, reason=f"it is no {_listed(self.kinds).replace('_', ' ')}")

    def named_kinds(self) -> frozenset[str]:
        return frozenset(self.kinds)


@dataclass(frozen=True, slots=True)
class Sharing(EnvelopeCondition):
    """sharing: somebody of these can open the document; a link that has run out counts no more at the source."""

    who: tuple[str, ...]
    edit: bool | None = None
    ends: bool | None = None

    def ask(self, scene: Scene) -> Answer:
        for share in scene.envelope.audience or ():
            named = {share.scope, scene.share_kind(share)} - {"person", "unknown"}
            if (
                named & set(self.who)
                and self.edit in (None, share.may_edit)
                and self.ends in (None, share.until is not None)
            ):
                return Answer(True)
        return Answer(False, reason=f"it is not open to {_listed(self.who)}")


@dataclass(frozen=True, slots=True)
class All(Condition):
    """all: every condition of the list holds."""

    items: tuple[Condition, ...]

    def ask(self, scene: Scene) -> Answer:
        hits: list[Hit] = []
        for item in self.items:
            answer = item.ask(scene)
            if not answer.holds:
                return answer
            hits.extend(answer.hits)
        return Answer(True, tuple(hits))

    def labels(self) -> frozenset[str]:
        return frozenset().union(*(item.labels() for item in self.items))

    def names_near(self) -> tuple[NamesNear, ...]:
        return tuple(need for item in self.items for need in item.names_near())

    def possible(self, scene: Scene) -> bool:
        return all(item.possible(scene) for item in self.items)

    def useful(self, scene: Scene) -> frozenset[str] | None:
        found: frozenset[str] = frozenset()
        for item in self.items:
            labels = item.useful(scene)
            if labels is None:
                return None
            found |= labels
        return found

    def needs(self) -> frozenset[str]:
        return next((found for item in self.items if (found := item.needs())), frozenset())

    def missing(self, scene: Scene) -> Distance:
        steps = [item.missing(scene) for item in self.items]
        return Distance(
            sum(step.met for step in steps),
            sum(step.needed for step in steps),
            tuple(reason for step in steps for reason in step.missing),
            sum(step.told for step in steps),
            sum(step.telling for step in steps),
        )

    def named_kinds(self) -> frozenset[str]:
        return frozenset().union(*(item.named_kinds() for item in self.items))


@dataclass(frozen=True, slots=True)
class AnyOf(Condition):
    """any: at least one condition of the list holds; the evidence of all that hold is kept."""

    items: tuple[Condition, ...]

    def ask(self, scene: Scene) -> Answer:
        answers = [item.ask(scene) for item in self.items]
        holding = [answer for answer in answers if answer.holds]
        if holding:
            return Answer(True, tuple(hit for answer in holding for hit in answer.hits))
        return Answer(False, reason="; or ".join(dict.fromkeys(answer.reason for answer in answers if answer.reason)))

    labels = All.labels
    names_near = All.names_near
    named_kinds = All.named_kinds

    def possible(self, scene: Scene) -> bool:
        return any(item.possible(scene) for item in self.items)

    def useful(self, scene: Scene) -> frozenset[str] | None:
        each = [labels for item in self.items if (labels := item.useful(scene)) is not None]
        return frozenset().union(*each) if each else None

    def needs(self) -> frozenset[str]:
        each = [item.needs() for item in self.items]
        return frozenset().union(*each) if all(each) else frozenset()

    def missing(self, scene: Scene) -> Distance:
        """As far as its nearest branch; that branch's wishes come first."""
        steps = sorted(
            (item.missing(scene) for item in self.items),
            key=lambda step: (bool(step.missing), -step.told, step.needed - step.met),
        )
        nearest = steps[0]
        if not nearest.missing:
            return nearest
        others = tuple(reason for step in steps[1:] for reason in step.missing)
        wishes = ("; or ".join(dict.fromkeys((*nearest.missing, *others))),) if others else nearest.missing
        return Distance(nearest.met, nearest.needed, wishes, nearest.told, nearest.telling)


@dataclass(frozen=True, slots=True)
class NoneOf(Condition):
    """none: no condition of the list holds."""

    items: tuple[Condition, ...]

    def ask(self, scene: Scene) -> Answer:
        for item in self.items:
            answer = item.ask(scene)
            if answer.holds:
                return Answer(False, reason=f"excluded because {_says(item, answer.hits)}")
        return Answer(True)

    labels = All.labels


def _says(condition: Condition, hits: Sequence[Hit]) -> str:
    """What holds, in the words of the documentation, and which labels speak for it."""
    if isinstance(condition, PolicySays):
        return _listed([POLICY_FACTS[fact] for fact in condition.facts])
    name = (type(condition).__doc__ or "").partition(":")[0]
    seen = sorted({hit.label for hit in hits} & condition.labels())
    says = KEYS[name].says.partition("; ")[0] if name in KEYS else name
    return says + (f" ({', '.join(seen)})" if seen else "")


# --- reading conditions from YAML -----------------------------------------------------------------------------------


Shape = Mapping[str, Any]
"""What a value may look like, in the words of JSON Schema (draft 2020-12)."""

TRUTH: Shape = {"type": "boolean"}
TEXTS: Shape = {
    "oneOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
    ]
}
NESTED: Shape = {"type": "array", "items": {"$ref": "#/$defs/condition"}, "minItems": 1}
CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"


def words(allowed: Iterable[str]) -> Shape:
    """One of the words, or a list of them."""
    one = {"enum": list(allowed)}
    return {"oneOf": [one, {"type": "array", "items": one, "minItems": 1}]}


def whole(low: int = 0, high: int = 1_000_000) -> Shape:
    return {"type": "integer", "minimum": low, "maximum": high}


SURENESS: Shape = {"type": "number", "minimum": 0, "maximum": 1}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a condition: what it means, and what its value may look like."""

    says: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the condition language: how it is read, one sentence for the documentation, and its shape for editors.

    One with `settings` is a mapping of these; any other has `shape`.
    """

    read: Callable[[Reader, Node, int], Condition]
    says: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    shape: Shape = field(default_factory=lambda: TEXTS)
    needed: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        if not self.settings:
            return {"description": self.says, **self.shape}
        found: dict[str, Any] = {
            "description": self.says,
            "type": "object",
            "properties": {
                name: {"description": setting.says, **setting.shape} for name, setting in self.settings.items()
            },
            "additionalProperties": False,
            "minProperties": 1,
        }
        return {**found, "required": list(self.needed)} if self.needed else found


def _direction(reader: Reader, node: Node, depth: int) -> Condition:
    return DirectionIs(reader.choices(node, get_args(Direction)))


def _audience(reader: Reader, node: Node, depth: int) -> Condition:
    return AudienceHas(reader.choices(node, get_args(AddressKind)))


def _labels(reader: Reader, node: Node, depth: int) -> Condition:
    found = reader.mapping(node, tuple(KEYS["labels"].settings))
    condition = HasLabels(
        any_of=reader.texts(found.get("any")),
        all_of=reader.texts(found.get("all")),
        confidence=reader.number(found.get("confidence"), HIGH, 0.0, 1.0),
        count=reader.count(found.get("count"), 1),
        subjects=reader.count(found.get("subjects"), 0, 0),
        distinct=reader.count(found.get("distinct"), 0, 0),
        parts=reader.choices(found["parts"], PART_KINDS) if "parts" in found else (),
        repeated=reader.count(found.get("repeated"), 0, 2),
    )
    if isinstance(node.value, dict) and not condition.labels():
        reader.wrong(node, "names no label: give any: […] or all: […]")
    return condition


def _near(reader: Reader, node: Node, depth: int) -> Condition:
    found = reader.mapping(node, tuple(KEYS["near"].settings), needed=("of", "to"))
    for side in ("of", "to"):
        if side in found and not tuple(reader.items(found[side])):
            reader.wrong(found[side], f"can never hold: {side} names no label")
    return Near(
        of=reader.texts(found.get("of")),
        to=reader.texts(found.get("to")),
        within=reader.count(found.get("within"), 300, 1, 2000),
        of_confidence=reader.number(found.get("of_confidence"), 0.5, 0.0, 1.0),
        to_confidence=reader.number(found.get("to_confidence"), HIGH, 0.0, 1.0),
        subjects=reader.count(found.get("subjects"), 1),
        count=reader.count(found.get("count"), 1),
        to_count=reader.count(found.get("to_count"), 1),
        sentences=reader.count(found["sentences"], 0, 0) if "sentences" in found else None,
    )


def _protection(reader: Reader, node: Node, depth: int) -> Condition:
    found = reader.mapping(node, tuple(KEYS["protection"].settings), needed=("grades",))
    return ProtectionIs(reader.choices(found.get("grades"), get_args(Grade)))


def _opened(reader: Reader, node: Node, depth: int) -> Condition:
    return LockOpened(reader.choices(node, OPENED_BY))


def _file(reader: Reader, node: Node, depth: int) -> Condition:
    found = reader.mapping(node, tuple(KEYS["file"].settings))
    if not found:
        reader.wrong(node, f"needs at least one of {', '.join(KEYS['file'].settings)}")
    condition = FileIs(
        types=reader.texts(found.get("types")),
        extensions=reader.texts(found.get("extensions")),
        disguised=reader.flag(found["disguised"], False) if "disguised" in found else None,
        above=reader.count(found.get("above"), 0, 0, 10**12),
        names=reader.texts(found.get("names")),
        below=reader.count(found.get("below"), 0, 1, 10**12),
    )
    if condition.below and condition.below <= condition.above + 1:
        reader.wrong(node, "can never hold: nothing is both above and below these sizes")
    return condition


def _recipients(reader: Reader, node: Node, depth: int) -> Condition:
    found = reader.mapping(node, tuple(KEYS["recipients"].settings))
    condition = Recipients(
        at_least=reader.count(found.get("at_least"), 0, 0),
        at_most=reader.count(found.get("at_most"), 1_000_000, 0),
        kind=reader.choice(found.get("kind"), get_args(AddressKind), ""),
        visible=reader.flag(found.get("visible"), False),
    )
    if isinstance(node.value, dict) and not {"at_least", "at_most"} & set(found):
        reader.wrong(node, "would always hold: give at_least or at_most")
    if condition.at_least > condition.at_most:
        reader.wrong(node, "can never hold: at_least is above at_most")
    return condition


def _subject(reader: Reader, node: Node, depth: int) -> Condition:
    found = reader.mapping(node, tuple(KEYS["subject"].settings), needed=("empty",))
    return SubjectIs(reader.flag(found.get("empty"), True))


def _sender_role(reader: Reader, node: Node, depth: int) -> Condition:
    return SenderRole(reader.choices(node, get_args(PersonRole)))


def _recipient_role(reader: Reader, node: Node, depth: int) -> Condition:
    return RecipientRole(reader.choices(node, (*get_args(PersonRole), "contact")))


def _who(reader: Reader, node: Node, key: str) -> tuple[Who, dict[str, Node]]:
    found = reader.mapping(node, tuple(KEYS[key].settings))
    groups = ("addresses", "schools", "job_titles", "holders")
    if isinstance(node.value, dict) and not any(name in found for name in groups):
        reader.wrong(node, f"names nobody: give at least one of {', '.join(groups)}")
    for name in groups:
        if name in found and not tuple(reader.items(found[name])):
            reader.wrong(found[name], "can never hold: the list is empty")
    return Who(*(reader.texts(found.get(name)) for name in groups)), found


def _sender(reader: Reader, node: Node, depth: int) -> Condition:
    return SenderIs(_who(reader, node, "sender")[0])


def _recipient(reader: Reader, node: Node, depth: int) -> Condition:
    who, found = _who(reader, node, "recipient")
    return RecipientIs(who, reader.flag(found.get("every"), False))


def _sent(reader: Reader, node: Node, depth: int) -> Condition:
    found = reader.mapping(node, tuple(KEYS["sent"].settings))
    zone = reader.text(found.get("zone"), "Europe/London")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        reader.wrong(
            found.get("zone", node), f"{zone!r} is not a time zone of the IANA database, such as Europe/London"
        )
    condition = Sent(
        days=reader.choices(found["days"], WEEKDAYS) if "days" in found else (),
        after=_clock(reader, found.get("after")),
        before=_clock(reader, found.get("before")),
        zone=zone,
    )
    if isinstance(node.value, dict) and not {"days", "after", "before"} & set(found):
        reader.wrong(node, "would always hold: give days, after or before")
    if condition.after is not None and condition.after == condition.before:
        reader.wrong(node, "can never mean anything: after and before are the same time")
    return condition


def _clock(reader: Reader, node: Node | None) -> time | None:
    if node is None:
        return None
    if not isinstance(node.value, str) or not re.fullmatch(CLOCK, node.value):
        reader.wrong(node, "must be a time of the day in quotes, such as '18:00'")
        return None
    return time.fromisoformat(node.value)


def _thread(reader: Reader, node: Node, depth: int) -> Condition:
    found = reader.mapping(node, tuple(KEYS["thread"].settings))
    if isinstance(node.value, dict) and not found:
        reader.wrong(node, f"would always hold: give at least one of {', '.join(KEYS['thread'].settings)}")
    condition = Thread(
        reply=reader.flag(found["reply"], False) if "reply" in found else None,
        forward=reader.flag(found["forward"], False) if "forward" in found else None,
        depth=reader.count(found.get("depth"), 0, 1, 1000),
    )
    if condition.reply and condition.forward:
        reader.wrong(node, "can never hold: a message that is passed on is no answer")
    return condition


def _segment(reader: Reader, node: Node, depth: int) -> Condition:
    return HasSegment(reader.choices(node, _MARKED))


def _attachments(reader: Reader, node: Node, depth: int) -> Condition:
    found = reader.mapping(node, tuple(KEYS["attachments"].settings))
    condition = Attachments(reader.count(found.get("at_least"), 0, 0), reader.count(found.get("at_most"), 1_000_000, 0))
    if isinstance(node.value, dict) and not found:
        reader.wrong(node, "would always hold: give at_least or at_most")
    if condition.at_least > condition.at_most:
        reader.wrong(node, "can never hold: at_least is above at_most")
    return condition


def _policy(reader: Reader, node: Node, depth: int) -> Condition:
    return PolicySays(reader.choices(node, tuple(POLICY_FACTS)))


# What is in no segment is the sender's, so that `sender` would say nothing.
_MARKED = tuple(owner for owner in get_args(SegmentOwner) if owner != "sender")


def _kind(reader: Reader, node: Node, depth: int) -> Condition:
    return KindIs(reader.choices(node, get_args(ItemKind)))


def _sharing(reader: Reader, node: Node, depth: int) -> Condition:
    found = reader.mapping(node, tuple(KEYS["sharing"].settings), needed=("with",))
    return Sharing(
        who=reader.choices(found["with"], SHARED_WITH) if "with" in found else (),
        edit=reader.flag(found["edit"], False) if "edit" in found else None,
        ends=reader.flag(found["ends"], False) if "ends" in found else None,
    )


def _list_of(reader: Reader, node: Node, depth: int) -> tuple[Condition, ...]:
    items = tuple(read_condition(reader, item, depth + 1) for item in reader.items(node))
    if not items:
        reader.wrong(node, "needs a list of conditions; an empty one can never mean anything")
    return items


_WHO = {
    "addresses": Setting("addresses; * allowed, such as *@elt.example", TEXTS),
    "schools": Setting("schools as the directory writes them", TEXTS),
    "job_titles": Setting("words of the job title in the directory", TEXTS),
    "holders": Setting("route roles whose holders are meant, such as it_security, dpo", TEXTS),
}

KEYS: dict[str, Key] = {
    "direction": Key(
        _direction,
        "the message goes outbound, internal or inbound, or is stored",
        shape=words(get_args(Direction)),
    ),
    "audience": Key(
        _audience, "at least one recipient is ours, trusted, protected or outside", shape=words(get_args(AddressKind))
    ),
    "labels": Key(
        _labels,
        "hits of these labels were seen",
        {
            "any": Setting("one of these labels", TEXTS),
            "all": Setting("each of these labels", TEXTS),
            "confidence": Setting("least confidence of a hit, 0 to 1 (default 0.75)", SURENESS),
            "count": Setting("least number of hits (default 1)", whole(1)),
            "subjects": Setting("least number of different people concerned", whole()),
            "distinct": Setting("least number of different values", whole()),
            "repeated": Setting("one and the same value comes at least so often", whole(2)),
            "parts": Setting("only in these kinds of part: " + ", ".join(PART_KINDS), words(PART_KINDS)),
        },
    ),
    "near": Key(
        _near,
        "a hit of one list stands near a hit of the other",
        {
            "of": Setting("labels of the one side", TEXTS),
            "to": Setting("labels of the other side", TEXTS),
            "within": Setting(
                "characters between them (default 300); hits in a table must share the row", whole(1, 2000)
            ),
            "of_confidence": Setting("least confidence of a hit of the one side (default 0.5)", SURENESS),
            "to_confidence": Setting("least confidence of a hit of the other side (default 0.75)", SURENESS),
            "subjects": Setting("least number of different people on the first side", whole(1)),
            "count": Setting("least number of hits of the first side", whole(1)),
            "to_count": Setting("least number of hits of the other side in the part (default 1)", whole(1)),
            "sentences": Setting("at most so many ends of sentences between them (default: any number)", whole()),
        },
        needed=("of", "to"),
    ),
    "protection": Key(
        _protection,
        "some part's lock has one of these grades",
        {"grades": Setting("none, signed, weak, strong, unknown", words(get_args(Grade)))},
        needed=("grades",),
    ),
    "opened": Key(
        _opened,
        "a lock was opened by a word of this message (`message`), by a word of this message on a file of another one "
        "to the same recipient (`companion`), by a word of such another one on a file of this (`another`), or by a password "
        "that anybody would try first (`guess`)",
        shape=words(OPENED_BY),
    ),
    "file": Key(
        _file,
        "some attachment or document is such a file",
        {
            "types": Setting("media types by bytes; * allowed", TEXTS),
            "extensions": Setting("endings of the name", TEXTS),
            "names": Setting("whole names; * allowed", TEXTS),
            "disguised": Setting("true: name and bytes contradict each other", TRUTH),
            "above": Setting("larger than so many bytes", whole(0, 10**12)),
            "below": Setting("smaller than so many bytes", whole(1, 10**12)),
        },
    ),
    "attachments": Key(
        _attachments,
        "so many attached files",
        {"at_least": Setting("least number", whole()), "at_most": Setting("greatest number", whole())},
    ),
    "recipients": Key(
        _recipients,
        "so many recipients",
        {
            "at_least": Setting("least number", whole()),
            "at_most": Setting("greatest number", whole()),
            "kind": Setting("only ours, trusted, protected or outside", {"enum": list(get_args(AddressKind))}),
            "visible": Setting("true: only To and Cc", TRUTH),
        },
    ),
    "subject": Key(
        _subject,
        "the subject line is empty or not",
        {"empty": Setting("true or false", TRUTH)},
        needed=("empty",),
    ),
    "sender": Key(_sender, "the sender belongs to this group of people", _WHO),
    "recipient": Key(
        _recipient,
        "some recipient belongs to this group of people",
        {**_WHO, "every": Setting("true: each recipient does", TRUTH)},
    ),
    "sender_role": Key(
        _sender_role, "the sender is staff, pupil, governor, contractor or shared", shape=words(get_args(PersonRole))
    ),
    "recipient_role": Key(
        _recipient_role,
        "some recipient has such a role, or is a parent or carer (contact)",
        shape=words((*get_args(PersonRole), "contact")),
    ),
    "sent": Key(
        _sent,
        "it was sent in this window of time",
        {
            "days": Setting("days of the week: " + ", ".join(WEEKDAYS), words(WEEKDAYS)),
            "after": Setting(
                "from this time of the day, in quotes, such as '18:00'", {"type": "string", "pattern": f"^{CLOCK}$"}
            ),
            "before": Setting(
                "until this time; earlier than `after` means over midnight", {"type": "string", "pattern": f"^{CLOCK}$"}
            ),
            "zone": Setting("whose clock (default Europe/London)", {"type": "string", "minLength": 1}),
        },
    ),
    "thread": Key(
        _thread,
        "its place in a conversation",
        {
            "reply": Setting("true: it answers a message", TRUTH),
            "forward": Setting("true: it passes a message on", TRUTH),
            "depth": Setting("at least so many messages stand before it in the conversation", whole(1, 1000)),
        },
    ),
    "segment": Key(
        _segment,
        "some part holds words that are quoted, forwarded, a signature, a disclaimer or a banner",
        shape=words(_MARKED),
    ),
    "policy": Key(
        _policy,
        "the policy pack says one of these of the message: " + ", ".join(POLICY_FACTS),
        shape=words(tuple(POLICY_FACTS)),
    ),
    "kind": Key(_kind, "it is a message, document, automatic_reply or mailbox_rule", shape=words(get_args(ItemKind))),
    "sharing": Key(
        _sharing,
        "a document is open to somebody",
        {
            "with": Setting(
                "anyone (no sign-in), organisation (every account of ours), ours, trusted, protected or outside",
                words(SHARED_WITH),
            ),
            "edit": Setting("true: who may change it; false: who may only read it", TRUTH),
            "ends": Setting("true: a share with an end; false: one that lasts", TRUTH),
        },
        needed=("with",),
    ),
    "all": Key(
        lambda reader, node, depth: All(_list_of(reader, node, depth)),
        "every condition of the list holds",
        shape=NESTED,
    ),
    "any": Key(
        lambda reader, node, depth: AnyOf(_list_of(reader, node, depth)), "at least one condition holds", shape=NESTED
    ),
    "none": Key(
        lambda reader, node, depth: NoneOf(_list_of(reader, node, depth)),
        "no condition of the list holds",
        shape=NESTED,
    ),
}


def read_condition(reader: Reader, node: Node, depth: int = 0) -> Condition:
    """A mapping of one or more keys, all of which must hold."""
    if depth > MAX_NESTING:
        reader.wrong(node, f"conditions are nested more than {MAX_NESTING} deep")
        return All(())
    found = reader.mapping(node, tuple(KEYS))
    if isinstance(node.value, dict) and not node.value:
        reader.wrong(node, "an empty condition would always hold")
    items = tuple(KEYS[key].read(reader, value, depth) for key, value in found.items())
    return items[0] if len(items) == 1 else All(items)


def documentation() -> str:
    """The table of the condition language for `rules/README.md`, from the one list that also reads it."""
    rows = ["| condition | holds when | settings |", "|---|---|---|"]
    for name, key in KEYS.items():
        settings = "; ".join(f"`{setting}` {value.says}" for setting, value in key.settings.items())
        rows.append(f"| `{name}` | {key.says} | {settings.replace('|', '/')} |")
    return "\n".join(rows)


def schema() -> dict[str, Any]:
    """The condition language as JSON Schema, from the same list."""
    return {
        "type": "object",
        "properties": {name: key.schema() for name, key in KEYS.items()},
        "additionalProperties": False,
        "minProperties": 1,
    }
