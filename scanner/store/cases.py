"""Cases: opened by findings, listed, looked into, and decided by people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from scanner import audit
from scanner.model import SEVERITIES, CaseState, Direction, Evidence, Finding, Problem, Route, Severity
from scanner.store.rows import (
    Action,
    Appearance,
    Audience,
    CaseCounts,
    CaseDetail,
    CaseRow,
    Decision,
    DecisionRefused,
    Order,
)
from scanner.store.tables import APPEARANCE, CASE, DECISION, FINDING, MESSAGE, NOTICE, PROBLEM

# From which states a step leads on, and where to.
STEPS: dict[Action, tuple[frozenset[CaseState], CaseState]] = {
    "confirm": (frozenset({"new", "open"}), "confirmed"),
    "false_alarm": (frozenset({"new", "open"}), "false_alarm"),
    "close": (frozenset({"confirmed", "false_alarm"}), "closed"),
    "reopen": (frozenset({"confirmed", "false_alarm", "excused", "closed"}), "open"),
}
WAITING: tuple[CaseState, ...] = ("new", "open")
# Who reopens a case when a scan finds something further in its mail.
MAILWARDEN = "mailwarden"
NOBODY = Route("dpo", "", "no route was given; an admin must name somebody", fallback=True)
IN_WORDS: dict[str, str] = {
    "new": "new",
    "open": "open",
    "confirmed": "confirmed",
    "false_alarm": "a false alarm",
    "excused": "excused",
    "closed": "closed",
}


# --- the pipeline's side --------------------------------------------------------------------------------------------


def place(
    connection: sa.Connection,
    content: str,
    finding: Finding,
    direction: Direction,
    sent_at: datetime | None,
    now: datetime,
    audit_key: bytes,
    *,
    copies: bool = False,
) -> tuple[int, bool]:
    """The case of this message, topic and route (D5), opened with its notice where there is none; and whether it is new.

    `copies`: the message is a further copy of what the case is about, a text that goes round.
    """
    route = _route(finding)
    found = connection.execute(
        sa.select(CASE)
        .where(
            CASE.c.content_hash == content,
            CASE.c.topic == finding.topic,
            CASE.c.route_role == route.role,
            CASE.c.route_person == route.person,
        )
        .with_for_update()
    ).one_or_none()
    headline = _headline(finding)
    if found is None:
        case_id = connection.execute(
            sa.insert(CASE)
            .values(
                content_hash=content,
                topic=finding.topic,
                route_role=route.role,
                route_person=route.person,
                route_because=route.because,
                route_fallback=route.fallback,
                labels=_labels(finding, ()),
                state="new",
                direction=direction,
                sent_at=sent_at,
                opened=now,
                changed=now,
                **headline,
            )
            .returning(CASE.c.id)
        ).scalar_one()
        if route.person:
            connection.execute(
                sa.insert(NOTICE).values(case_id=case_id, state="pending", attempts=0, due=now, changed=now)
            )
        return int(case_id), True
    changes: dict[str, Any] = {
        "labels": _labels(finding, found.labels),
        "subjects": max(found.subjects, finding.subjects),
    }
    if (headline["rank"], finding.confidence) > (found.rank, found.confidence):
        changes |= headline | {"subjects": changes["subjects"]}
    connection.execute(sa.update(CASE).where(CASE.c.id == found.id).values(changed=now, **changes))
    if found.state in ("closed", "excused") or (found.state == "false_alarm" and not copies):
        # Somebody judged less than what is known now: silence would pass it off as clean. A text that was judged harmless
        # stays so in a further copy.
        what = "The same text went on" if copies else "A further finding in the same message"
        note = f"{what}: rule {finding.rule}."
        _step(connection, found.id, found.state, "open", MAILWARDEN, "reopen", note, now, audit_key)
    return int(found.id), False


def write_finding(
    connection: sa.Connection, finding_id: int | None, case_id: int | None, finding: Finding, now: datetime
) -> int:
    """Writes a finding, or one that is known and has ceased to be exempted or in shadow; returns its id."""
    values = {
        "case_id": case_id,
        "rule": finding.rule,
        "rule_version": finding.rule_version,
        "title": finding.title,
        "topic": finding.topic,
        "category": finding.category,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "owner": finding.owner,
        "subjects": finding.subjects,
        "evidence": [asdict(line) for line in finding.evidence],
        "reasons": list(finding.reasons),
        "clauses": list(finding.clauses),
        "exempted_by": finding.exempted_by,
        "route": asdict(_route(finding)),
        "advice": finding.advice,
        "shadow": finding.shadow,
        "found_at": now,
    }
    if finding_id is not None:
        connection.execute(sa.update(FINDING).where(FINDING.c.id == finding_id).values(**values))
        return finding_id
    return int(
        connection.execute(sa.insert(FINDING).values(key=finding.key, **values).returning(FINDING.c.id)).scalar_one()
    )


def _route(finding: Finding) -> Route:
    route = finding.route or NOBODY
    return Route(route.role, route.person.strip().lower(), route.because, route.fallback)


def _headline(finding: Finding) -> dict[str, Any]:
    return {
        "category": finding.category,
        "severity": finding.severity,
        "rank": SEVERITIES.index(finding.severity),
        "confidence": finding.confidence,
        "title": finding.title,
        "rule": finding.rule,
        "why": finding.reasons[0] if finding.reasons else "",
        "subjects": finding.subjects,
    }


def _labels(finding: Finding, known: list[str] | tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys([*known, *(line.label for line in finding.evidence)]))


# --- what came before -----------------------------------------------------------------------------------------------


def last_word_is(action: Action) -> sa.ColumnElement[bool]:
    """Of DECISION joined to CASE: the row with the reviewers' last word on the case, where it is this one."""
    judged = DECISION.alias("judged")
    last = (
        sa.select(sa.func.max(judged.c.id))
        .where(judged.c.case_id == CASE.c.id, judged.c.action.in_(("confirm", "false_alarm", "reopen")))
        .scalar_subquery()
    )
    return sa.and_(DECISION.c.id == last, DECISION.c.action == action)


def confirmed(connection: sa.Connection, sender: str, severity: Severity, since: datetime | None) -> int:
    """A case counts from its confirmation on, and no more once it is reopened or judged a false alarm.

    It counts for those whose message had been seen by then: who passed the text on later was judged by nobody.
    """
    if not sender:
        return 0
    query = (
        sa.select(sa.func.count(sa.distinct(CASE.c.id)))
        .join(FINDING, FINDING.c.case_id == CASE.c.id)
        .join(APPEARANCE, APPEARANCE.c.finding_id == FINDING.c.id)
        .join(MESSAGE, MESSAGE.c.id == APPEARANCE.c.message_id)
        .join(DECISION, last_word_is("confirm"))
        .where(MESSAGE.c.sender == sender, CASE.c.severity == severity, APPEARANCE.c.seen_at <= DECISION.c.at)
    )
    if since is not None:
        query = query.where(CASE.c.sent_at >= since)
    return int(connection.execute(query).scalar_one())


def found_before(connection: sa.Connection, sender: str, topic: str, since: datetime) -> int:
    if not sender:
        return 0
    query = (
        sa.select(sa.func.count(sa.distinct(MESSAGE.c.content_hash)))
        .join(APPEARANCE, APPEARANCE.c.message_id == MESSAGE.c.id)
        .join(FINDING, FINDING.c.id == APPEARANCE.c.finding_id)
        .where(
            MESSAGE.c.sender == sender,
            MESSAGE.c.sent_at >= since,
            FINDING.c.topic == topic,
            FINDING.c.exempted_by.is_(None),
        )
    )
    return int(connection.execute(query).scalar_one())


def forget(connection: sa.Connection, before: Mapping[Severity, datetime]) -> int:
    done = 0
    for severity, moment in before.items():
        old = sa.select(CASE.c.id).where(
            CASE.c.severity == severity, CASE.c.state.in_(("closed", "excused", "false_alarm")), CASE.c.changed < moment
        )
        findings = sa.select(FINDING.c.id).where(FINDING.c.case_id.in_(old))
        connection.execute(sa.delete(APPEARANCE).where(APPEARANCE.c.finding_id.in_(findings)))
        connection.execute(sa.delete(FINDING).where(FINDING.c.case_id.in_(old)))
        connection.execute(sa.delete(DECISION).where(DECISION.c.case_id.in_(old)))
        connection.execute(sa.delete(NOTICE).where(NOTICE.c.case_id.in_(old)))
        done += connection.execute(sa.delete(CASE).where(CASE.c.id.in_(old))).rowcount
    return done


# --- the list -------------------------------------------------------------------------------------------------------


def places(connection: sa.Connection, case_ids: Sequence[int]) -> dict[int, tuple[str, int]]:
    """For each case the mailbox in which its message was seen first, and in how many mailboxes it lies."""
    lying = (
        sa.select(
            FINDING.c.case_id,
            sa.func.min(MESSAGE.c.id).label("first"),
            sa.func.count(sa.distinct(MESSAGE.c.mailbox)).label("number"),
        )
        .join(APPEARANCE, APPEARANCE.c.finding_id == FINDING.c.id)
        .join(MESSAGE, MESSAGE.c.id == APPEARANCE.c.message_id)
        .where(FINDING.c.case_id.in_(case_ids))
        .group_by(FINDING.c.case_id)
        .subquery()
    )
    rows = connection.execute(
        sa.select(lying.c.case_id, MESSAGE.c.mailbox, lying.c.number).join(MESSAGE, MESSAGE.c.id == lying.c.first)
    )
    return {row.case_id: (row.mailbox, row.number) for row in rows}


def page(
    connection: sa.Connection,
    *,
    route_role: str | None,
    person: str | None,
    state: CaseState | None,
    topic: str | None,
    severity: Severity | None,
    audience: Audience | None,
    order: Order,
    after: int | None,
    limit: int,
) -> list[CaseRow]:
    query = sa.select(CASE).limit(limit)
    wanted = (
        (CASE.c.route_role, route_role),
        (CASE.c.route_person, person.strip().lower() if person is not None else None),
        (CASE.c.state, state),
        (CASE.c.topic, topic),
        (CASE.c.rank, SEVERITIES.index(severity) if severity is not None else None),
    )
    for column, value in wanted:
        if value is not None:
            query = query.where(column == value)
    if audience is not None:
        query = query.where(_for(audience))
    # Ids grow with time, so that the newest case has the highest; pages go on from the last case shown.
    if order == "newest":
        query = query.order_by(CASE.c.id.desc())
        if after is not None:
            query = query.where(CASE.c.id < after)
    else:
        query = query.order_by(CASE.c.rank.desc(), CASE.c.id.desc())
        if after is not None:
            rank = sa.select(CASE.c.rank).where(CASE.c.id == after).scalar_subquery()
            query = query.where(sa.tuple_(CASE.c.rank, CASE.c.id) < sa.tuple_(rank, sa.literal(after)))
    return [_row(row) for row in connection.execute(query)]


def counts(connection: sa.Connection, audience: Audience | None) -> CaseCounts:
    columns = (CASE.c.state, CASE.c.severity, CASE.c.topic, CASE.c.route_role)
    query = sa.select(*columns, sa.func.count()).group_by(*columns)
    if audience is not None:
        query = query.where(_for(audience))
    states: Counter[CaseState] = Counter()
    severities: Counter[Severity] = Counter()
    topics: Counter[str] = Counter()
    roles: Counter[str] = Counter()
    for state, severity, topic, role, number in connection.execute(query):
        states[state] += number
        if state in WAITING:
            severities[severity] += number
            topics[topic] += number
            roles[role] += number
    return CaseCounts(dict(states), dict(severities), dict(topics), dict(roles))


def _for(audience: Audience) -> sa.ColumnElement[bool]:
    persons = [person.strip().lower() for person in audience.persons if person.strip()]
    mine = CASE.c.route_person.in_(persons)
    if not audience.roles and not audience.topics:
        return mine
    # A role or a topic fits every few rows of the list. SQLite would rather gather and sort all that fit (100 ms with
    # 100,000 cases, against 2): coalesce() keeps it from using those two indexes.
    role, topic = sa.func.coalesce(CASE.c.route_role, ""), sa.func.coalesce(CASE.c.topic, "")
    return sa.or_(
        mine,
        sa.and_(role.in_(audience.roles), sa.or_(sa.not_(CASE.c.route_fallback), CASE.c.route_person != "")),
        sa.and_(topic.in_(audience.topics), sa.not_(CASE.c.route_fallback)),
    )


def _row(row: sa.Row[Any]) -> CaseRow:
    return CaseRow(
        id=row.id,
        topic=row.topic,
        category=row.category,
        severity=row.severity,
        confidence=row.confidence,
        title=row.title,
        rule=row.rule,
        why=row.why,
        labels=tuple(row.labels),
        subjects=row.subjects,
        state=row.state,
        route=Route(row.route_role, row.route_person, row.route_because, row.route_fallback),
        direction=row.direction,
        sent_at=row.sent_at,
        opened=row.opened,
        changed=row.changed,
    )


# --- one case -------------------------------------------------------------------------------------------------------


def detail(connection: sa.Connection, case_id: int, audience: Audience | None) -> CaseDetail | None:
    query = sa.select(CASE).where(CASE.c.id == case_id)
    if audience is not None:
        query = query.where(_for(audience))
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    findings = [_finding(each) for each in connection.execute(sa.select(FINDING).where(FINDING.c.case_id == case_id))]
    findings.sort(key=lambda finding: (-SEVERITIES.index(finding.severity), -finding.confidence, finding.key))
    copies = connection.execute(
        sa.select(MESSAGE, sa.func.min(APPEARANCE.c.seen_at).label("seen_at"))
        .join(APPEARANCE, APPEARANCE.c.message_id == MESSAGE.c.id)
        .join(FINDING, FINDING.c.id == APPEARANCE.c.finding_id)
        .where(FINDING.c.case_id == case_id)
        .group_by(MESSAGE.c.id)
        .order_by(MESSAGE.c.id)
    ).all()
    problems = connection.execute(
        sa.select(PROBLEM)
        .where(PROBLEM.c.message_id.in_([copy.id for copy in copies]))
        .order_by(PROBLEM.c.message_id, PROBLEM.c.id)
    )
    history = connection.execute(sa.select(DECISION).where(DECISION.c.case_id == case_id).order_by(DECISION.c.id))
    return CaseDetail(
        case=_row(row),
        findings=tuple(findings),
        problems=tuple(dict.fromkeys(Problem(p.part, p.stage, p.kind, p.read, p.detail) for p in problems)),
        complete=all(copy.complete for copy in copies),
        unread_protected=max((copy.unread_protected for copy in copies), default=0),
        appearances=tuple(
            Appearance(c.source, c.mailbox, c.folder, c.provider_id, c.internet_id, c.seen_at) for c in copies
        ),
        decisions=tuple(Decision(d.id, d.at, d.actor, d.action, d.note) for d in history),
    )


def _finding(row: sa.Row[Any]) -> Finding:
    return Finding(
        key=row.key,
        rule=row.rule,
        rule_version=row.rule_version,
        title=row.title,
        topic=row.topic,
        category=row.category,
        severity=row.severity,
        confidence=row.confidence,
        owner=row.owner,
        subjects=row.subjects,
        evidence=tuple(_evidence(line) for line in row.evidence),
        reasons=tuple(row.reasons),
        clauses=tuple(row.clauses),
        exempted_by=row.exempted_by,
        route=Route(**row.route) if row.route else None,
        advice=row.advice,
        shadow=row.shadow,
    )


# --- decisions ------------------------------------------------------------------------------------------------------


def decide(
    connection: sa.Connection, case_id: int, *, actor: str, action: Action, note: str, now: datetime, audit_key: bytes
) -> CaseState:
    state = _state(connection, case_id)
    if action == "note":
        if not note.strip():
            raise DecisionRefused(f"case {case_id}: a note needs words")
        leads_to: CaseState = "open" if state == "new" else state
    else:
        step = STEPS.get(action)
        if step is None:
            raise DecisionRefused(f"case {case_id}: {action!r} is not a step (allowed: note, {', '.join(STEPS)})")
        allowed_from, leads_to = step
        if state not in allowed_from:
            allowed = ", ".join(name for name, (starts, _) in STEPS.items() if state in starts)
            raise DecisionRefused(f"case {case_id}: it is {IN_WORDS[state]} by now (allowed: note, {allowed})")
    _step(connection, case_id, state, leads_to, actor, action, note, now, audit_key)
    return leads_to


def excuse(
    connection: sa.Connection,
    case_id: int,
    *,
    by: Mapping[str, str],
    actor: str,
    note: str,
    now: datetime,
    audit_key: bytes,
) -> None:
    """A waiting case is excused: each finding by the exception that `by` gives for its key. A notice that waits is not sent."""
    # A finding joins a case under this lock: none can come between the look at them and the step.
    connection.execute(sa.select(CASE.c.id).where(CASE.c.id == case_id).with_for_update())
    state = _state(connection, case_id)
    if state not in WAITING:
        raise DecisionRefused(f"case {case_id}: it is {IN_WORDS[state]} by now, and only a waiting case can be excused")
    if set(connection.execute(sa.select(FINDING.c.key).where(FINDING.c.case_id == case_id)).scalars()) != set(by):
        raise DecisionRefused(f"case {case_id}: more was found in it meanwhile")
    for key, exception in by.items():
        connection.execute(
            sa.update(FINDING).where(FINDING.c.key == key, FINDING.c.case_id == case_id).values(exempted_by=exception)
        )
    connection.execute(sa.delete(NOTICE).where(NOTICE.c.case_id == case_id, NOTICE.c.state == "pending"))
    _step(connection, case_id, state, "excused", actor, "excuse", note, now, audit_key)


def record_reveal(
    connection: sa.Connection, case_id: int, *, actor: str, reason: str, now: datetime, audit_key: bytes
) -> None:
    if not reason.strip():
        raise DecisionRefused(f"case {case_id}: reading the message needs a reason")
    state = _state(connection, case_id)
    leads_to: CaseState = "open" if state == "new" else state
    _step(connection, case_id, state, leads_to, actor, "reveal", reason, now, audit_key)


def _state(connection: sa.Connection, case_id: int) -> CaseState:
    state: CaseState | None = connection.execute(
        sa.select(CASE.c.state).where(CASE.c.id == case_id)
    ).scalar_one_or_none()
    if state is None:
        raise DecisionRefused(f"case {case_id}: there is no such case")
    return state


def _step(
    connection: sa.Connection,
    case_id: int,
    state: CaseState,
    leads_to: CaseState,
    actor: str,
    action: str,
    note: str,
    now: datetime,
    audit_key: bytes,
) -> None:
    """Moves the case, writes its history and the audit trail: all three or none.

    The case must still be in the state that was read: of two reviewers the second is told of the first.
    """
    if len(note) > audit.MAX_TEXT:
        raise DecisionRefused(f"case {case_id}: a note has at most {audit.MAX_TEXT:,} characters")
    moved = connection.execute(
        sa.update(CASE).where(CASE.c.id == case_id, CASE.c.state == state).values(state=leads_to, changed=now)
    )
    if moved.rowcount != 1:
        raise DecisionRefused(f"case {case_id}: somebody else has just decided it")
    connection.execute(sa.insert(DECISION).values(case_id=case_id, at=now, actor=actor, action=action, note=note))
    audit.record(connection, key=audit_key, actor=actor, action=action, object=f"case/{case_id}", reason=note, now=now)


def _evidence(line: Mapping[str, Any]) -> Evidence:
    """JSON has lists; what was stored before places were has none."""
    return Evidence(**{**line, "places": tuple((first, second) for first, second in line.get("places", ()))})
