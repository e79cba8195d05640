"""What another rule set would have done with past messages, from what the store still knows of them: facts, not text.

An answer is yes, no, or "cannot tell" where the facts do not hold what a condition asks for (an address, a file's name, the
exact distance between two hits). "Cannot tell" is counted and never taken for either of the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from math import sqrt

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
    ProtectionIs,
    RecipientRole,
    Recipients,
    SenderRole,
    Sent,
    SubjectIs,
    Thread,
)
from scanner.inspection import FACTS_KEPT
from scanner.model import Fact, SegmentOwner
from scanner.rulebook import Rule, Rulebook
from scanner.soundness import implies
from scanner.store import PastFinding, PastMessage, Said, Store

Truth = bool | None
LOOK_AT = 20
# The length of a hit is not kept; hardly one is longer.
_LONGEST_HIT = 80


@dataclass(slots=True)
class Memory:
    """One message as its facts show it to the conditions of one owner's words."""

    message: PastMessage
    owner: SegmentOwner
    hits: tuple[Fact, ...]
    marks: Mapping[str, Fact] | None  # None where the facts are older than the marks
    files: tuple[Fact, ...]
    cut: bool


def remember(message: PastMessage) -> Callable[[SegmentOwner], Memory]:
    """The memories of a message, made when they are asked for."""
    marks = {fact.label: fact for fact in message.facts if fact.label.startswith("@")}
    files = tuple(fact for fact in message.facts if fact.label.startswith("@file:"))
    kept: dict[SegmentOwner, Memory] = {}

    def of(owner: SegmentOwner) -> Memory:
        if owner not in kept:
            hits = tuple(fact for fact in message.facts if not fact.label.startswith("@"))
            own = tuple(fact for fact in hits if fact.owner == owner)
            known = marks if "@envelope" in marks else None
            kept[owner] = Memory(message, owner, own, known, files, len(hits) >= FACTS_KEPT)
        return kept[owner]

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
            return memory.message.direction in condition.allowed
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
        for place, fact in enumerate(memory.hits)
        if fact.label in condition.of and fact.confidence >= condition.of_confidence - 1e-9
    ]
    others = [
        place
        for place, fact in enumerate(memory.hits)
        if fact.label in condition.to and fact.confidence >= condition.to_confidence - 1e-9
    ]
    if not ones or not others or len(ones) < condition.count or len(others) < condition.to_count:
        return None if memory.cut else False
    if condition.sentences is not None:
        return None  # the facts do not keep where sentences end
    if condition.to_count > 1 and any(memory.hits[place].part_kind not in ("subject", "body") for place in others):
        return None  # how many lie in one and the same file is not kept
    sure = possible = 0
    sure_people: set[int | None] = set()
    for one in ones:
        truths = [_close(memory.hits, one, other, condition.within) for other in others if other != one]
        if any(truth is True for truth in truths):
            sure += 1
            sure_people.add(memory.hits[one].subject)
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
            return any(f"@audience:{kind}" in marks for kind in condition.kinds)
        case Recipients():
            facts = [fact for label, fact in marks.items() if label.startswith("@recipients:" + condition.kind)]
            number = sum((fact.row or 0) if condition.visible else fact.distance for fact in facts)
            return condition.at_least <= number <= condition.at_most
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


@dataclass(slots=True)
class Comparison:
    """Counts of (topic, what changes, what the reviewers said). What changes: kept, dropped, added, cannot tell."""

    messages: int = 0
    changed: tuple[str, ...] = ()
    counts: Counter[tuple[str, str, Said]] = field(default_factory=Counter)
    # Where nothing was found, and it cannot be told whether something would be.
    untold_silence: int = 0
    look: list[Look] = field(default_factory=list)

    def number(self, change: str, said: Said | None = None) -> int:
        return sum(n for (_, what, word), n in self.counts.items() if what == change and said in (None, word))

    def words(self) -> str:
        """The answer in one sentence."""
        if not self.changed:
            return "The two sets decide alike: no rule differs."

        def of(change: str, said: Said) -> str:
            total = sum(self.number(what, said) for what in ("kept", "dropped", "cannot tell"))
            return f"{self.number(change, said)} of {total}"

        parts = [
            f"drops {of('dropped', 'false_alarm')} false alarms",
            f"loses {of('dropped', 'confirmed')} confirmed",
            f"drops {of('dropped', 'unjudged')} that nobody judged",
            f"adds {self.number('added')} unseen",
        ]
        sentence = f"On {self.messages:,} stored messages the new set " + ", ".join(parts)
        untold = self.number("cannot tell")
        if untold or self.untold_silence:
            sentence += (
                f"; cannot tell for {untold:,} findings and {self.untold_silence:,} messages without one, "
                "because the change needs their text"
            )
        return sentence + (f": look at these {len(self.look)}." if self.look else ".")


def differing(old: Rulebook, new: Rulebook) -> tuple[str, ...]:
    """Ids of rules that were changed, added or taken away."""
    before = {rule.id: rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    both = before.keys() | after.keys()
    return tuple(sorted(name for name in both if _wording(before.get(name)) != _wording(after.get(name))))


def _wording(rule: Rule | None) -> tuple[object, ...] | None:
    """What of a rule decides whether it fires; a new title or example changes no verdict."""
    return None if rule is None else (rule.topic, rule.state, rule.owners, rule.when)


def compare(old: Rulebook, new: Rulebook, messages: Iterable[PastMessage]) -> Comparison:
    """What the new set would have found, beside what was found. Shadow findings count as found by nobody."""
    changed = differing(old, new)
    found = Comparison(changed=changed)
    before = {rule.id: rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    touched = {rule.topic for book in (before, after) for rule in (book.get(name) for name in changed) if rule}
    asked = [rule for rule in new.rules if rule.topic in touched and rule.state == "on"]
    stricter = {
        rule.id
        for rule in asked
        if rule.id in changed
        and (old_rule := before.get(rule.id)) is not None
        and old_rule.state == "on"
        and set(rule.owners) <= set(old_rule.owners)
        and implies(rule.when, old_rule.when)
    }
    for message in messages:
        found.messages += 1
        if not changed:
            continue
        past = {(item.topic, item.owner): item for item in message.findings if not (item.shadow or item.excused)}
        memories = remember(message)
        outcome: dict[tuple[str, SegmentOwner], Truth] = {}
        for rule in asked:
            for owner in rule.owners:
                place = (rule.topic, owner)
                if outcome.get(place) is True:
                    continue
                if past.get(place) is None and (rule.id not in changed or rule.id in stricter):
                    # Nothing was found then: the same wording, or a stricter one, finds nothing now.
                    outcome.setdefault(place, False)
                    continue
                truth = _fires(rule, before.get(rule.id), past.get(place), memories(owner))
                outcome[place] = _some((outcome.get(place, False), truth))
        excused = {(item.topic, item.owner) for item in message.findings if item.excused}
        for place in (outcome.keys() | {place for place in past if place[0] in touched}) - excused:
            _count(found, message, place[0], past.get(place), outcome.get(place, False))
    return found


def _fires(rule: Rule, old: Rule | None, past: PastFinding | None, memory: Memory) -> Truth:
    if memory.owner != "sender" and not memory.hits:
        return False
    given: frozenset[Condition] = frozenset()
    if past is not None and old is not None and past.rule == old.id and past.rule_version == old.version:
        # It led the finding, so each of its conditions held then.
        given = frozenset(old.when.items if isinstance(old.when, All) else (old.when,))
    return holds(rule.when, memory, given)


def _count(found: Comparison, message: PastMessage, topic: str, past: PastFinding | None, truth: Truth) -> None:
    if past is None:
        if truth is None:
            found.untold_silence += 1
        elif truth:
            found.counts[topic, "added", "unjudged"] += 1
            _note(found, Look("added", topic, "unjudged", None, message.id, message.mailbox))
        return
    change = "cannot tell" if truth is None else "kept" if truth else "dropped"
    found.counts[topic, change, past.outcome] += 1
    if change == "dropped" and past.outcome == "confirmed":
        _note(found, Look("lost", topic, past.outcome, past.case_id, message.id, message.mailbox))


def _note(found: Comparison, look: Look) -> None:
    """Confirmed breaches that would be lost come before what would be new."""
    if look.change == "lost":
        found.look.insert(0, look)
        del found.look[LOOK_AT:]
    elif len(found.look) < LOOK_AT:
        found.look.append(look)


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


def feedback(rulebook: Rulebook, messages: Iterable[PastMessage]) -> list[Precision]:
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
        suggestion = _suggest(rule, list(cases.values())) if rule is not None else ""
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


def rule_records(store: Store, rulebook: Rulebook) -> list[RuleRecord]:
    """Every rule of the set, the least precise first, then those that nobody judged yet."""
    with store.past(judged_only=True) as messages:
        judged = {row.rule: row for row in feedback(rulebook, messages)}
    cases, shadows = store.rule_counts()
    records = [
        RuleRecord(rule.id, rule.title, rule.state, cases.get(rule.id, 0), shadows.get(rule.id, 0), judged.get(rule.id))
        for rule in rulebook.rules
    ]

    def worst_first(record: RuleRecord) -> tuple[bool, float, str]:
        known = record.precision
        return (known is None, known.confirmed / known.judged if known else 1.0, record.rule)

    return sorted(records, key=worst_first)


def _suggest(rule: Rule, cases: list[tuple[PastMessage, PastFinding]]) -> str:
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
            truth = holds(stricter, remember(message)(item.owner), unchanged)
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
