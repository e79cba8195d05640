"""Whether a condition makes sense at all: whether it can ever hold, whether another one says it already, what it costs.

Everything here is careful in one direction: what is called impossible surely is, what is called implied surely is; a
condition about which nothing certain can be said is let pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
    KindIs,
    LockOpened,
    Near,
    NoneOf,
    PolicySays,
    ProtectionIs,
    RecipientIs,
    RecipientRole,
    Recipients,
    SenderIs,
    SenderRole,
    Sent,
)

MAX_LEAVES = 150
MAX_LABELS = 1_000
MAX_WAYS = 400

# One way in which a condition can hold: conditions that must hold, and conditions that must not.
_Way = tuple[tuple[Condition, ...], tuple[Condition, ...]]
# A stored document has neither sender nor recipients.
_OF_MESSAGES = (RecipientIs, RecipientRole, SenderIs, SenderRole)


class TooManyWays(Exception):
    """Lists of alternatives inside lists of alternatives multiply."""


def too_dear(condition: Condition) -> str | None:
    """Why the condition costs too much, in words, or None."""
    number = sum(1 for _ in leaves(condition))
    if number > MAX_LEAVES:
        return f"costs too much: {number} conditions, at most {MAX_LEAVES} are allowed in a rule"
    named = sum(len(leaf.labels()) for leaf in leaves(condition))
    if named > MAX_LABELS:
        return f"costs too much: it names {named} labels, at most {MAX_LABELS} are allowed in a rule"
    return None


def impossible(condition: Condition) -> str | None:
    """Why the condition can never hold, in words, or None where it may."""
    reason = None
    try:
        for way in _ways(condition):
            reason = _clash(way)
            if reason is None:
                return None
    except TooManyWays:
        return f"costs too much: its alternatives combine in more than {MAX_WAYS} ways"
    return f"can never match: {reason}" if reason else None


def implies(strict: Condition, loose: Condition) -> bool:
    """Whether `loose` surely holds wherever `strict` does."""
    if strict == loose:
        return True
    if isinstance(loose, All):
        return all(implies(strict, item) for item in loose.items)
    if isinstance(strict, AnyOf):
        return all(implies(item, loose) for item in strict.items)
    if isinstance(loose, AnyOf) and any(implies(strict, item) for item in loose.items):
        return True
    if isinstance(strict, All):
        return any(implies(item, loose) for item in strict.items)
    if isinstance(strict, NoneOf) and isinstance(loose, NoneOf):
        return all(any(implies(item, other) for other in strict.items) for item in loose.items)
    return _leaf_implies(strict, loose)


# --- ways -------------------------------------------------------------------------------------------------------------


def leaves(condition: Condition) -> Iterator[Condition]:
    """Every single condition in it, whatever it stands in."""
    if isinstance(condition, All | AnyOf | NoneOf):
        for item in condition.items:
            yield from leaves(item)
    else:
        yield condition


def _ways(condition: Condition) -> list[_Way]:
    if isinstance(condition, All):
        found: list[_Way] = [((), ())]
        for item in condition.items:
            found = [(a + c, b + d) for a, b in found for c, d in _ways(item)]
            if len(found) > MAX_WAYS:
                raise TooManyWays
        return found
    if isinstance(condition, AnyOf):
        found = [way for item in condition.items for way in _ways(item)]
        if len(found) > MAX_WAYS:
            raise TooManyWays
        return found
    if isinstance(condition, NoneOf):
        return [((), condition.items)]
    return [((condition,), ())]


def _clash(way: _Way) -> str | None:
    """Why not all of this can hold at once, or None."""
    wanted, refused = way
    for no in refused:
        if any(implies(yes, no) for yes in wanted):
            return "`none` excludes what another condition demands"
    directions = {"outbound", "internal", "inbound", "stored"}
    for item in wanted:
        if isinstance(item, DirectionIs):
            directions &= set(item.allowed)
    for item in refused:
        if isinstance(item, DirectionIs):
            directions -= set(item.allowed)
    if not directions:
        return "no direction is left"
    if directions == {"stored"} and any(
        isinstance(item, _OF_MESSAGES) or (isinstance(item, Recipients) and item.at_least) for item in wanted
    ):
        return "a stored document has neither sender nor recipients"
    for item in wanted:
        if isinstance(item, AudienceHas) and directions == {"internal"} and "ours" not in item.kinds:
            return "internal mail has no recipient who is not ours"
        if isinstance(item, HasLabels) and item.parts:
            if item.parts == ("document",) and "stored" not in directions:
                return "only what is stored has a part of the kind document"
            if directions == {"stored"} and not {"document", "attachment"} & set(item.parts):
                return "a stored document has neither subject nor body"
            if set(item.parts) <= {"attachment"} and any(
                isinstance(other, Attachments) and other.at_most == 0 for other in wanted
            ):
                return "without an attachment nothing is found in one"
        elsewhere = isinstance(item, Recipients) and item.kind in ("outside", "trusted", "protected") and item.at_least
        if elsewhere and directions == {"internal"}:
            return "internal mail has no recipient who is not ours"
    return _ranges(wanted)


def _ranges(wanted: Sequence[Condition]) -> str | None:
    """Numbers, roles, days and truths that leave nothing between them."""
    low: dict[object, int] = {}
    high: dict[object, int] = {}
    roles: set[str] | None = None
    days: set[str] | None = None
    truths: dict[str, bool] = {}
    for item in wanted:
        if isinstance(item, Recipients | Attachments):
            kind: object = (item.kind, item.visible) if isinstance(item, Recipients) else "attachments"
            low[kind] = max(low.get(kind, 0), item.at_least)
            high[kind] = min(high.get(kind, item.at_most), item.at_most)
        elif isinstance(item, SenderRole):
            roles = set(item.roles) if roles is None else roles & set(item.roles)
        elif isinstance(item, Sent) and item.days:
            days = set(item.days) if days is None else days & set(item.days)
        for name in ("empty", "reply", "forward", "disguised"):
            # Of several files one may be disguised and another not; the others speak of the message as a whole.
            value = getattr(item, name, None) if not isinstance(item, FileIs) else None
            if isinstance(value, bool) and truths.setdefault(name, value) is not value:
                return f"`{name}` cannot be both true and false"
    for kind, least in low.items():
        if least > high[kind]:
            return f"at least {least} and at most {high[kind]} cannot both be"
    if roles is not None and not roles:
        return "no role of the sender is left"
    if days is not None and not days:
        return "no day of the week is left"
    if truths.get("reply") and truths.get("forward"):
        return "a message that is passed on is no answer"
    return None


# --- implication of single conditions ---------------------------------------------------------------------------------


def _leaf_implies(strict: Condition, loose: Condition) -> bool:
    match strict, loose:
        case DirectionIs(), DirectionIs():
            return set(strict.allowed) <= set(loose.allowed)
        case AudienceHas(), AudienceHas():
            return set(strict.kinds) <= set(loose.kinds)
        case SenderRole(), SenderRole():
            return set(strict.roles) <= set(loose.roles)
        case RecipientRole(), RecipientRole():
            return set(strict.roles) <= set(loose.roles)
        case HasSegment(), HasSegment():
            return set(strict.owners) <= set(loose.owners)
        case ProtectionIs(), ProtectionIs():
            return set(strict.grades) <= set(loose.grades)
        case LockOpened(), LockOpened():
            return set(strict.by) <= set(loose.by)
        case Recipients(), Recipients():
            same = (strict.kind, strict.visible) == (loose.kind, loose.visible)
            return same and strict.at_least >= loose.at_least and strict.at_most <= loose.at_most
        case Attachments(), Attachments():
            return strict.at_least >= loose.at_least and strict.at_most <= loose.at_most
        case HasLabels(), HasLabels():
            return _labels_imply(strict, loose)
        case Near(), Near():
            return (
                set(strict.of) <= set(loose.of)
                and set(strict.to) <= set(loose.to)
                and strict.within <= loose.within
                and strict.of_confidence >= loose.of_confidence
                and strict.to_confidence >= loose.to_confidence
                and strict.subjects >= loose.subjects
                and strict.count >= loose.count
                and strict.to_count >= loose.to_count
                and (loose.sentences is None or (strict.sentences is not None and strict.sentences <= loose.sentences))
            )
        case PolicySays(), PolicySays():
            return set(strict.facts) <= set(loose.facts)
        case KindIs(), KindIs():
            return set(strict.kinds) <= set(loose.kinds)
    return False


def _labels_imply(strict: HasLabels, loose: HasLabels) -> bool:
    named = strict.labels()
    if loose.all_of:
        return (
            not loose.any_of
            and set(loose.all_of) <= set(strict.all_of)
            and _no_looser(strict, loose)
            and loose.count <= len(loose.all_of)
            and not (loose.subjects or loose.distinct or loose.repeated)
        )
    return named <= set(loose.any_of) and _no_looser(strict, loose)


def _no_looser(strict: HasLabels, loose: HasLabels) -> bool:
    return (
        strict.confidence >= loose.confidence
        and max(strict.count, len(strict.all_of)) >= loose.count
        and strict.subjects >= loose.subjects
        and strict.distinct >= loose.distinct
        and strict.repeated >= loose.repeated
        and (not loose.parts or (bool(strict.parts) and set(strict.parts) <= set(loose.parts)))
    )
