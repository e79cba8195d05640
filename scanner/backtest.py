"""What another rule set would have done with past messages, from what the store still knows of them: facts, not text.

An answer is yes, no, or "cannot tell" where the facts do not hold what a condition asks for (an address, a file's name, the
exact distance between two hits). "Cannot tell" is counted and never taken for either of the others.

What the scanner looks for only where a rule in force could use it (names, `Detectors.on_demand`) is among the facts so far as it was
looked for: a changed rule that asks for it in other mail than before finds too little here, unless that mail is read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from math import sqrt
from typing import get_args

from scanner.conditions import (
    All,
    AnyOf,
    Attachments,
    AudienceHas,
    Condition,
    DirectionIs,
    FileIs,
    HasLabels,
    HasSegment,
    Near,
    NoneOf,
    PolicySays,
    ProtectionIs,
    RecipientRole,
    Recipients,
    SenderRole,
    Sent,
    SubjectIs,
    Thread,
)
from scanner.exemptions import Exemption
from scanner.inspection import FACTS_KEPT, Regime
from scanner.model import AddressKind, Direction, Fact, PersonRole, SegmentOwner
from scanner.policy import DATA_TOPICS, FOR_EVERYBODY, Policy
from scanner.rulebook import Rule, Rulebook
from scanner.soundness import implies, leaves
from scanner.store import PastFinding, PastMessage, Said, Store

Truth = bool | None
LOOK_AT = 20
# The length of a hit is not kept; hardly one is longer.
_LONGEST_HIT = 80


@dataclass(slots=True)
class Memory:
    """One message as its facts show it to the conditions of one owner's words, under a pack where one is given."""

    message: PastMessage
    owner: SegmentOwner
    direction: Direction
    # All hits in the order of the text, and the places of those that are looked at: distances run over all of them.
    line: tuple[Fact, ...]
    places: tuple[int, ...]
    marks: Mapping[str, Fact] | None  # None where the facts are older than the marks
    files: tuple[Fact, ...]
    cut: bool
    policy: Policy | None = None
    outsiders: frozenset[AddressKind] = frozenset()

    @property
    def hits(self) -> list[Fact]:
        return [self.line[place] for place in self.places]

    def kind(self, kind: str) -> str:
        return "outside" if kind in self.outsiders else kind

    def recipients(self, kind: str = "", *, visible: bool = False) -> int:
        """How many recipients are of the kind, or of any."""
        facts = [
            fact
            for label, fact in (self.marks or {}).items()
            if label.startswith("@recipients:") and kind in ("", self.kind(label.removeprefix("@recipients:")))
        ]
        return sum((fact.row or 0) if visible else fact.distance for fact in facts)


def remember(message: PastMessage, policy: Policy | None = None) -> Callable[[SegmentOwner, str], Memory]:
    """The memories of a message by owner and topic, made when they are asked for.

    A pack may take people of ours or trusted ones for outsiders, and internal mail for mail that went out (`outsiders`,
    `internal_mail`): what was kept by the directory's own words is turned over to the pack's here.
    """
    marks = {fact.label: fact for fact in message.facts if fact.label.startswith("@")}
    files = tuple(fact for fact in message.facts if fact.label.startswith("@file:"))
    line = tuple(fact for fact in message.facts if not fact.label.startswith("@"))
    kept: dict[tuple[SegmentOwner, frozenset[AddressKind]], Memory] = {}

    def of(owner: SegmentOwner, topic: str = "") -> Memory:
        outsiders: frozenset[AddressKind] = frozenset()
        if policy is not None:
            outsiders = policy.outsiders(topic, message.direction)
        if (owner, outsiders) not in kept:
            places = [place for place, fact in enumerate(line) if fact.owner == owner]
            heading = message.direction
            if policy is not None and "ours" in outsiders:
                heading = "outbound"
                if policy.words["internal_mail"] == "attachments":
                    places = [place for place in places if line[place].part_kind == "attachment"]
            known = marks if "@envelope" in marks else None
            kept[owner, outsiders] = Memory(
                message, owner, heading, line, tuple(places), known, files, len(line) >= FACTS_KEPT, policy, outsiders
            )
        return kept[owner, outsiders]

    return of


def holds(condition: Condition, memory: Memory, given: frozenset[Condition] = frozenset()) -> Truth:
    """Whether the condition held; None where the facts cannot tell. `given`: conditions that are known to hold."""
    if condition in given or any(implies(known, condition) for known in given):
        return True
    match condition:
        case All():
            return _every(holds(item, memory, given) for item in condition.items)
        case AnyOf():
            return _some(holds(item, memory, given) for item in condition.items)
        case NoneOf():
            found = _some(holds(item, memory, given) for item in condition.items)
            return None if found is None else not found
        case DirectionIs():
            return memory.direction in condition.allowed
        case HasLabels():
            return _labels(condition, memory)
        case Near():
            return _near(condition, memory)
        case Sent():
            return condition.at(memory.message.sent_at).holds
    if memory.marks is None:
        return None
    return _marked(condition, memory, memory.marks)


def _every(truths: Iterable[Truth]) -> Truth:
    unsure = False
    for truth in truths:
        if truth is False:
            return False
        unsure = unsure or truth is None
    return None if unsure else True


def _some(truths: Iterable[Truth]) -> Truth:
    unsure = False
    for truth in truths:
        if truth:
            return True
        unsure = unsure or truth is None
    return None if unsure else False


def _labels(condition: HasLabels, memory: Memory) -> Truth:
    wanted = condition.labels()
    hits = [
        fact
        for fact in memory.hits
        if fact.label in wanted
        and fact.confidence >= condition.confidence - 1e-9
        and (not condition.parts or fact.part_kind in condition.parts)
    ]
    present = {fact.label for fact in hits}
    found = (
        set(condition.all_of) <= present
        and (not condition.any_of or bool(present & set(condition.any_of)))
        and len(hits) >= condition.count
        and len({fact.subject for fact in hits if fact.subject is not None}) >= condition.subjects
        and len({(fact.label, fact.fingerprint) for fact in hits}) >= condition.distinct
    )
    if found and condition.repeated:
        times = Counter((fact.label, fact.fingerprint) for fact in hits)
        found = max(times.values()) >= condition.repeated
    return None if not found and memory.cut else found


def _near(condition: Near, memory: Memory) -> Truth:
    """Distances are kept as powers of two between neighbours, so that the least and the greatest distance are known."""
    ones = [
        place
        for place, fact in zip(memory.places, memory.hits, strict=True)
        if fact.label in condition.of and fact.confidence >= condition.of_confidence - 1e-9
    ]
    others = [
        place
        for place, fact in zip(memory.places, memory.hits, strict=True)
        if fact.label in condition.to and fact.confidence >= condition.to_confidence - 1e-9
    ]
    if not ones or not others or len(ones) < condition.count or len(others) < condition.to_count:
        return None if memory.cut else False
    if condition.sentences is not None:
        return None  # the facts do not keep where sentences end
    if condition.to_count > 1 and any(memory.line[place].part_kind not in ("subject", "body") for place in others):
        return None  # how many lie in one and the same file is not kept
    sure = possible = 0
    sure_people: set[int | None] = set()
    for one in ones:
        truths = [_close(memory.line, one, other, condition.within) for other in others if other != one]
        if any(truth is True for truth in truths):
            sure += 1
            sure_people.add(memory.line[one].subject)
        elif any(truth is None for truth in truths):
            possible += 1
    if sure >= condition.count and len(sure_people - {None}) >= (condition.subjects if condition.subjects > 1 else 0):
        return True
    return None if possible or memory.cut or sure >= condition.count else False


def _close(facts: tuple[Fact, ...], one: int, other: int, within: int) -> Truth:
    first, last = sorted((one, other))
    a, b = facts[first], facts[last]
    if a.part_kind != b.part_kind:
        return False
    if a.row is not None or b.row is not None:
        return None if a.row == b.row else False
    least = greatest = 0
    restarts = False
    for fact in facts[first + 1 : last + 1]:
        if fact.part_kind != a.part_kind or fact.row is not None:
            return None
        # Zero is also what the first hit of a further attachment has.
        restarts = restarts or (fact.distance == 0 and a.part_kind not in ("subject", "body"))
        least += (1 << fact.distance) >> 1
        greatest += (1 << fact.distance) + _LONGEST_HIT
        if least > within:
            return False
    return None if restarts or greatest > within else True


def _marked(condition: Condition, memory: Memory, marks: Mapping[str, Fact]) -> Truth:
    match condition:
        case AudienceHas():
            return any(
                memory.kind(label.removeprefix("@audience:")) in condition.kinds
                for label in marks
                if label.startswith("@audience:")
            )
        case Recipients():
            number = memory.recipients(condition.kind, visible=condition.visible)
            return condition.at_least <= number <= condition.at_most
        case PolicySays():
            return _some(_policy_says(fact, memory, marks) for fact in condition.facts)
        case SubjectIs():
            return ("@subject:empty" in marks) is condition.empty
        case SenderRole():
            return any(f"@sender_role:{role}" in marks for role in condition.roles)
        case RecipientRole():
            return any(f"@recipient_role:{role}" in marks for role in condition.roles)
        case HasSegment():
            return any(f"@segment:{owner}" in marks for owner in condition.owners)
        case ProtectionIs():
            return any(f"@protection:{grade}" in marks for grade in condition.grades)
        case Attachments():
            number = marks["@attachments"].distance if "@attachments" in marks else 0
            return condition.at_least <= number <= condition.at_most
        case Thread():
            return (
                (condition.reply is None or ("@thread:reply" in marks) is condition.reply)
                and (condition.forward is None or ("@thread:forward" in marks) is condition.forward)
                and marks["@thread:depth"].distance >= condition.depth
            )
        case FileIs():
            return _some(_file(condition, fact) for fact in memory.files)
    return None


def _policy_says(fact: str, memory: Memory, marks: Mapping[str, Fact]) -> Truth:
    """What the pack in force then said is known; what another pack would say only where the facts are enough for it."""
    policy, message = memory.policy, memory.message
    kept = f"@policy:{fact}" in marks
    if policy is None or message.policy_version == policy.version:
        return kept if policy is not None else None
    if fact.endswith("_granted") or fact == "report":
        return kept  # said by people and not by packs
    local = policy.local(message.sent_at) if message.sent_at is not None else None
    match fact:
        case "in_reply_window":
            return local is not None and policy.reply_window is not None and policy.reply_window.holds(local)
        case "in_working_hours":
            return local is not None and policy.is_working_time(local)
        case "over_bulk_limit":
            return memory.recipients() > policy.bulk_limit
        case "disclaimer_missing" if message.direction != "outbound" or not policy.disclaimer:
            return False
        case "weak_lock" if "@protection:weak" not in marks:
            return False
        case "locked_part" if not any(f"@protection:{grade}" in marks for grade in policy.protected_grades):
            return False
        case "contact_covered" if not {"@recipient_role:pupil", "@recipient_role:contact"} & marks.keys():
            return False
    return None


def _file(condition: FileIs, fact: Fact) -> Truth:
    if condition.disguised is not None and bool(fact.row) is not condition.disguised:
        return False
    if (condition.above and fact.distance <= condition.above) or (condition.below and fact.distance >= condition.below):
        return False
    by_type = any(fnmatchcase(fact.label.removeprefix("@file:").lower(), wanted) for wanted in condition.types)
    if condition.types and not condition.extensions and not by_type:
        return False
    return None if condition.names or (condition.extensions and not by_type) else True


# --- a changed set ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Look:
    """A message that deserves a look: its case, or where it lies, and what would change."""

    change: str
    topic: str
    said: Said
    case_id: int | None
    message_id: int
    mailbox: str
    # Where it was read again: the Message-ID, for there is no number of the store.
    internet_id: str = ""


@dataclass(slots=True)
class Comparison:
    """Counts of (topic, what changes, what the reviewers said). What changes: kept, dropped, added, cannot tell."""

    messages: int = 0
    # Fetched and judged anew instead of asked of the store; `unread` could not be fetched.
    read_again: bool = False
    unread: int = 0
    changed: tuple[str, ...] = ()
    counts: Counter[tuple[str, str, Said]] = field(default_factory=Counter)
    # Where nothing was found, and it cannot be told whether something would be.
    untold_silence: int = 0
    look: list[Look] = field(default_factory=list)
    # A mail that lies in many mailboxes is one mail, and counted once: by case, or by content where there is none.
    counted: set[tuple[int | str, str, SegmentOwner]] = field(default_factory=set, repr=False)

    def number(self, change: str, said: Said | None = None) -> int:
        return sum(n for (_, what, word), n in self.counts.items() if what == change and said in (None, word))

    def add(self, other: Comparison) -> None:
        self.messages += other.messages
        self.unread += other.unread
        self.untold_silence += other.untold_silence
        self.changed = tuple(sorted({*self.changed, *other.changed}))
        self.counts += other.counts
        for look in reversed(other.look):
            self.note(look)

    def note(self, look: Look) -> None:
        """Confirmed breaches that would be lost come before what would be new."""
        if look.change != "added":
            self.look.insert(0, look)
            del self.look[LOOK_AT:]
        elif len(self.look) < LOOK_AT:
            self.look.append(look)

    def words(self) -> str:
        """The answer in one sentence."""
        if not self.changed and not self.read_again:
            return "The two sets decide alike: no rule differs."

        def share(change: str, said: Said) -> str:
            total = sum(self.number(what, said) for what in ("kept", "dropped", "excused", "cannot tell"))
            return f"{self.number(change, said)} of {total}"

        parts = [
            f"drops {share('dropped', 'false_alarm')} false alarms",
            f"loses {share('dropped', 'confirmed')} confirmed",
            f"drops {share('dropped', 'unjudged')} that nobody judged",
            f"adds {self.number('added')} unseen",
        ]
        excused = self.number("excused")
        if excused:
            parts.append(f"excuses {excused}, {self.number('excused', 'confirmed')} confirmed ones among them")
        what = "messages read again" if self.read_again else "stored messages"
        sentence = f"On {self.messages:,} {what} the new set " + ", ".join(parts)
        untold = self.number("cannot tell")
        if untold or self.untold_silence:
            sentence += (
                f"; cannot tell for {untold:,} findings and {self.untold_silence:,} messages without one, "
                "because the change needs their text"
            )
        if self.unread:
            sentence += f"; {self.unread:,} more could not be fetched"
        return sentence + (f": look at these {len(self.look)}." if self.look else ".")


def differing(old: Regime, new: Regime) -> tuple[str, ...]:
    """Ids of rules that were changed, added or taken away, or of which the packs or the exceptions think differently."""
    before = {rule.id: rule for rule in old.rulebook.rules}
    after = {rule.id: rule for rule in new.rulebook.rules}
    excused = {rule for item in {*old.exemptions.items} ^ {*new.exemptions.items} for rule in item.rules}
    found = {
        name
        for name in before.keys() | after.keys()
        if name in excused
        or _wording(old, before.get(name)) != _wording(new, after.get(name))
        or (name in before and name in after and _pack(old.policy, before[name]) != _pack(new.policy, before[name]))
    }
    return tuple(sorted(found))


def _wording(regime: Regime, rule: Rule | None) -> tuple[object, ...] | None:
    """What of a rule decides whether it fires; a new title or example changes no verdict. None for one that does not run."""
    if rule is None or not rule.runs or rule.id in regime.policy.off:
        return None
    return (rule.topic, rule.state, rule.owners, rule.when)


def _pack(policy: Policy, rule: Rule) -> tuple[object, ...]:
    """What a pack has to say about the rule's findings, beyond switching it off."""
    said: list[object] = [policy.covers, policy.excused_by(rule.topic), rule.topic in policy.patterns]
    if rule.topic in DATA_TOPICS:
        said += [policy.words["trusted_recipients"], policy.words["internal_mail"]]
    if any(isinstance(leaf, PolicySays) for leaf in leaves(rule.when)):
        said += [policy.time_zone, policy.reply_window, policy.personal_hours, policy.bulk_limit, policy.disclaimer]
        said += [policy.protected_grades, policy.contact_details]
    return tuple(said)


def compare(old: Regime, new: Regime, messages: Iterable[PastMessage], today: date = date.max) -> Comparison:
    """What the new set would have found under its pack, beside what was found. Shadow findings count as found by nobody.

    `today` says which exceptions count, as in `inspect`.
    """
    changed = differing(old, new)
    found = Comparison(changed=changed)
    before = {rule.id: rule for rule in old.rulebook.rules}
    after = {rule.id: rule for rule in new.rulebook.rules}
    touched = {rule.topic for book in (before, after) for rule in (book.get(name) for name in changed) if rule}
    asked = [
        rule
        for rule in new.rulebook.rules
        if rule.topic in touched and rule.state == "on" and rule.id not in new.policy.off
    ]
    same_pack = {rule.id for rule in asked if rule.id in before and _pack(old.policy, rule) == _pack(new.policy, rule)}
    stricter = {
        rule.id
        for rule in asked
        if rule.id in changed
        and rule.id in same_pack
        and (old_rule := before.get(rule.id)) is not None
        and old_rule.state == "on"
        and old_rule.id not in old.policy.off
        and set(rule.owners) <= set(old_rule.owners)
        and implies(rule.when, old_rule.when)
    }
    fresh = [item for item in new.exemptions.items if item.counts_on(today) and item not in old.exemptions.items]
    for message in messages:
        found.messages += 1
        if not changed:
            continue
        past = {(item.topic, item.owner): item for item in message.findings if not (item.shadow or item.excused)}
        memories = remember(message, new.policy)
        outcome: dict[tuple[str, SegmentOwner], str] = {}
        for rule in asked:
            for owner in rule.owners:
                place = (rule.topic, owner)
                if outcome.get(place) == "found":
                    continue
                if past.get(place) is None and (rule.id not in changed or rule.id in stricter):
                    # Nothing was found then: the same wording, or a stricter one, finds nothing now.
                    outcome.setdefault(place, "nothing")
                    continue
                memory = memories(owner, rule.topic)
                old_rule = before.get(rule.id) if rule.id in same_pack else None
                truth = _every(
                    (_bound(new.policy, rule.topic, memory), _fires(rule, old_rule, past.get(place), memory))
                )
                what = (
                    _excused(rule, old.policy, new.policy, fresh, memory, past.get(place)) if truth else _UNSURE[truth]
                )
                outcome[place] = max(outcome.get(place, "nothing"), what, key=_RANK.index)
        excused = {(item.topic, item.owner) for item in message.findings if item.excused}
        for place in (outcome.keys() | {place for place in past if place[0] in touched}) - excused:
            _count(found, message, place, past.get(place), outcome.get(place, "nothing"))
        # Why it was excused then is not kept, so that nobody can tell whether it still would be.
        for item in message.findings:
            if item.excused and not item.shadow and set(changed) & {item.rule} and item.rule not in same_pack:
                found.counts[item.topic, "cannot tell", item.outcome] += 1
    return found


# What becomes of a place in a message: of several rules the strongest word counts.
_RANK = ("nothing", "excused", "cannot tell", "found")
_UNSURE: Mapping[Truth, str] = {False: "nothing", None: "cannot tell"}


def _bound(policy: Policy, topic: str, memory: Memory) -> Truth:
    """Whether the pack is for the sender, or the topic for everybody (`Policy.unbound`)."""
    if topic in FOR_EVERYBODY or len(policy.covers) == len(get_args(PersonRole)):
        return True
    if memory.marks is None:
        return None
    pressed = [label.partition(":")[2] for label in memory.marks if label.startswith("@pressed_by:")]
    roles = pressed or [label.partition(":")[2] for label in memory.marks if label.startswith("@sender_role:")]
    return not roles or not roles[0] or roles[0] in policy.covers


def _excused(
    rule: Rule, old: Policy, new: Policy, fresh: Sequence[Exemption], memory: Memory, past: PastFinding | None
) -> str:
    """Of a rule that fires: found, excused, or cannot tell."""
    reasons = new.excused_by(rule.topic)
    if past is not None and old.authorities == new.authorities:
        reasons -= old.excused_by(rule.topic)  # what was found then was not excused for these
    truths: list[Truth] = [holds(item.matches, memory) for item in fresh if rule.id in item.rules]
    for reason in reasons:
        known = memory.marks is not None and reason != "addresses"
        truths.append(_policy_says(reason, memory, memory.marks or {}) if known else None)
    if past is None and rule.topic in new.patterns:
        truths.append(None)  # a single message is kept in shadow, and how many there were is not asked here
    truth = _some(truths)
    return "excused" if truth else "cannot tell" if truth is None else "found"


def _fires(rule: Rule, old: Rule | None, past: PastFinding | None, memory: Memory) -> Truth:
    if memory.owner != "sender" and not memory.places:
        return False
    if rule.past:
        return None  # what came before the message is not asked here
    given: frozenset[Condition] = frozenset()
    if past is not None and old is not None and past.rule == old.id and past.rule_version == old.version:
        # It led the finding, so each of its conditions held then.
        given = frozenset(old.when.items if isinstance(old.when, All) else (old.when,))
    return holds(rule.when, memory, given)


def _count(
    found: Comparison, message: PastMessage, place: tuple[str, SegmentOwner], past: PastFinding | None, what: str
) -> None:
    if past is None and what in ("nothing", "excused"):
        return
    topic = place[0]
    once = (
        past.case_id if past is not None and past.case_id is not None else message.content_hash or -message.id,
        *place,
    )
    if once in found.counted:
        return
    found.counted.add(once)
    if past is None:
        if what == "cannot tell":
            found.untold_silence += 1
        else:
            found.counts[topic, "added", "unjudged"] += 1
            found.note(Look("added", topic, "unjudged", None, message.id, message.mailbox))
        return
    change = {"nothing": "dropped", "found": "kept"}.get(what, what)
    found.counts[topic, change, past.outcome] += 1
    if change in ("dropped", "excused") and past.outcome == "confirmed":
        lost = "lost" if change == "dropped" else "excused"
        found.note(Look(lost, topic, past.outcome, past.case_id, message.id, message.mailbox))


@dataclass(frozen=True, slots=True)
class Labelled:
    """One topic of a labelled folder under one rule set: expected and found, expected and missed, found and not allowed."""

    topic: str
    found: int
    missed: int
    false_alarms: int


# --- feedback -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Precision:
    """How often the reviewers agreed with a rule, with Wilson's 95 % interval."""

    rule: str
    confirmed: int
    false_alarms: int
    low: float
    high: float
    suggestion: str = ""

    @property
    def judged(self) -> int:
        return self.confirmed + self.false_alarms


LEAST_JUDGED = 10
_STEPS = (0.8, 0.85, 0.9, 0.95)


def wilson(right: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval for a share (Wilson 1927): sensible for small numbers, where the normal one is not."""
    if not total:
        return 0.0, 1.0
    share = right / total
    middle = share + z * z / (2 * total)
    width = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max((middle - width) / (1 + z * z / total), 0.0), min((middle + width) / (1 + z * z / total), 1.0)


def feedback(rulebook: Rulebook, policy: Policy | None, messages: Iterable[PastMessage]) -> list[Precision]:
    """Per rule the reviewers' verdicts, worst first, with a suggestion where one costs no confirmed case. Applies nothing."""
    # A case is judged once, on however many messages it appeared.
    judged: dict[str, dict[int, tuple[PastMessage, PastFinding]]] = {}
    for message in messages:
        for item in message.findings:
            if item.outcome != "unjudged" and item.case_id is not None:
                judged.setdefault(item.rule, {}).setdefault(item.case_id, (message, item))
    rows = []
    for rule_id, cases in judged.items():
        confirmed = sum(item.outcome == "confirmed" for _, item in cases.values())
        low, high = wilson(confirmed, len(cases))
        rule = rulebook.rule(rule_id)
        suggestion = _suggest(rule, policy, list(cases.values())) if rule is not None else ""
        rows.append(Precision(rule_id, confirmed, len(cases) - confirmed, low, high, suggestion))
    return sorted(rows, key=lambda row: (row.confirmed / row.judged, row.rule))


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """One rule as an admin should see it: its state, what it did, and how right the reviewers found it."""

    rule: str
    title: str
    state: str
    cases: int
    in_shadow: int
    precision: Precision | None


def rule_records(store: Store, rulebook: Rulebook, policy: Policy | None) -> list[RuleRecord]:
    """Every rule of the set, the least precise first, then those that nobody judged yet."""
    with store.past(judged_only=True) as messages:
        judged = {row.rule: row for row in feedback(rulebook, policy, messages)}
    cases, shadows = store.rule_counts()
    records = [
        RuleRecord(rule.id, rule.title, rule.state, cases.get(rule.id, 0), shadows.get(rule.id, 0), judged.get(rule.id))
        for rule in rulebook.rules
    ]

    def worst_first(record: RuleRecord) -> tuple[bool, float, str]:
        known = record.precision
        return (known is None, known.confirmed / known.judged if known else 1.0, record.rule)

    return sorted(records, key=worst_first)


def _suggest(rule: Rule, policy: Policy | None, cases: list[tuple[PastMessage, PastFinding]]) -> str:
    """The least confidence that drops most false alarms and surely loses no confirmed case."""
    if len(cases) < LEAST_JUDGED:
        return ""
    best = ""
    most = 0
    confirmed = sum(item.outcome == "confirmed" for _, item in cases)
    for step in _STEPS:
        stricter = raised(rule.when, step)
        if stricter == rule.when:
            continue
        dropped = lost = 0
        for message, item in cases:
            unchanged = frozenset(rule.when.items if isinstance(rule.when, All) else ())
            truth = holds(stricter, remember(message, policy)(item.owner, rule.topic), unchanged)
            dropped += item.outcome == "false_alarm" and truth is False
            lost += item.outcome == "confirmed" and truth is not True
        if not lost and dropped > most:
            most = dropped
            false = len(cases) - confirmed
            best = (
                f"raise confidence to {step:g}: loses none of {confirmed} confirmed, drops {dropped} of {false} false"
            )
    return best


def raised(condition: Condition, confidence: float) -> Condition:
    """The same condition with at least this confidence for every label that it asks for; exclusions stay as they are."""
    match condition:
        case All() | AnyOf():
            return replace(condition, items=tuple(raised(item, confidence) for item in condition.items))
        case HasLabels():
            return replace(condition, confidence=max(condition.confidence, confidence))
        case Near():
            return replace(condition, to_confidence=max(condition.to_confidence, confidence))
    return condition
