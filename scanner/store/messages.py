"""Messages and what was seen in them: cursors, facts, problems, findings, the coverage ledger; and the one commit."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from scanner.model import Cursor, Problem, ProblemKind, Verdict, Versions
from scanner.store import cases, habits, outbreaks, trails
from scanner.store.database import take_turns
from scanner.store.rows import LEFT_ALONE, Committed, CoverageRow, ProblemRow
from scanner.store.tables import (
    APPEARANCE,
    COVERAGE,
    COVERAGE_WHY,
    CURSOR,
    FACT,
    FINDING,
    MESSAGE,
    PROBLEM,
    insert,
    plain,
)

# SQLite allows at least 32,766 values in a statement since 3.32, older builds 999.
VALUES_A_STATEMENT = 500
# A Message-ID fits a header line (RFC 5322 section 2.1.1: 998 characters); a longer one is an attack on the store.
MAX_INTERNET_ID = 998


def cursor(connection: sa.Connection, source: str, mailbox: str, folder: str) -> Cursor | None:
    row = connection.execute(sa.select(CURSOR).where(_folder(source, mailbox, folder))).one_or_none()
    return Cursor(row.source, row.mailbox, row.folder, row.token, row.saved_at) if row else None


def drop_cursor(connection: sa.Connection, source: str, mailbox: str, folder: str) -> None:
    connection.execute(sa.delete(CURSOR).where(_folder(source, mailbox, folder)))


def seen(
    connection: sa.Connection, source: str, mailbox: str, provider_ids: Collection[str], versions: Versions
) -> set[str]:
    found: set[str] = set()
    for some in _some(provider_ids):
        found.update(
            connection.execute(
                sa.select(MESSAGE.c.provider_id).where(
                    MESSAGE.c.source == source,
                    MESSAGE.c.mailbox == mailbox,
                    MESSAGE.c.provider_id.in_(some),
                    MESSAGE.c.rules_version == versions.rules,
                    MESSAGE.c.policy_version == versions.policy,
                    MESSAGE.c.detectors_version == versions.detectors,
                )
            ).scalars()
        )
    return found


def was_complete(connection: sa.Connection, source: str, mailbox: str, provider_id: str) -> bool:
    query = sa.select(MESSAGE.c.complete).where(
        MESSAGE.c.source == source, MESSAGE.c.mailbox == mailbox, MESSAGE.c.provider_id == plain(provider_id)
    )
    return bool(connection.execute(query).scalar_one_or_none())


def commit_page(
    connection: sa.Connection,
    *,
    source: str,
    mailbox: str,
    folder: str,
    token: str,
    results: Sequence[Committed],
    now: datetime,
    audit_key: bytes,
) -> list[int]:
    """One page, whole or not at all: the caller's transaction ends after it. Returns the ids of new cases."""
    take_turns(connection)
    # A page may name an item twice; what it said last counts.
    latest = {(result.mailbox, plain(result.provider_id)): result for result in results}
    known = _known(connection, source, latest)
    ledger = _Ledger()
    opened: list[int] = []
    for place, result in latest.items():
        before = known.get(place)
        if before is not None and not result.again and _same(before, result.verdict):
            if before.folder != result.folder:
                connection.execute(sa.update(MESSAGE).where(MESSAGE.c.id == before.id).values(folder=result.folder))
            continue
        message_id = _write_message(connection, source, result, before, ledger, now)
        outbreak = _write_spread(connection, message_id, result.verdict, now)
        opened += _write_findings(connection, source, message_id, result, outbreak, now, audit_key)
    ledger.write(connection)
    saved = {"token": token, "saved_at": now}
    connection.execute(
        insert(connection, CURSOR)
        .values(source=source, mailbox=mailbox, folder=folder, **saved)
        .on_conflict_do_update(index_elements=["source", "mailbox", "folder"], set_=saved)
    )
    return opened


def forget_clean(connection: sa.Connection, before: datetime) -> int:
    flagged = sa.exists().where(APPEARANCE.c.message_id == MESSAGE.c.id)
    clean = sa.select(MESSAGE.c.id).where(MESSAGE.c.committed_at < before, ~flagged)
    return connection.execute(sa.delete(FACT).where(FACT.c.message_id.in_(clean))).rowcount


def coverage(connection: sa.Connection, since: date) -> list[CoverageRow]:
    states: dict[tuple[date, str], Counter[str]] = {}
    for row in connection.execute(sa.select(COVERAGE).where(COVERAGE.c.day >= since)):
        states.setdefault((row.day, row.mailbox), Counter())[row.state] = row.messages
    why: dict[tuple[date, str], dict[str, int]] = {}
    for row in connection.execute(
        sa.select(COVERAGE_WHY).where(COVERAGE_WHY.c.day >= since, COVERAGE_WHY.c.messages > 0)
    ):
        why.setdefault((row.day, row.mailbox), {})[row.kind] = row.messages
    newest_first = sorted(states, key=lambda place: (-place[0].toordinal(), place[1]))
    return [
        CoverageRow(
            mailbox=mailbox,
            day=day,
            seen=states[day, mailbox].total(),
            read=states[day, mailbox]["read"],
            partly=states[day, mailbox]["partly"],
            locked=states[day, mailbox]["locked"],
            not_read=states[day, mailbox]["not_read"],
            not_judged=states[day, mailbox]["not_judged"],
            why=dict(sorted(why.get((day, mailbox), {}).items())),
        )
        for day, mailbox in newest_first
    ]


def problems(
    connection: sa.Connection, *, kind: ProblemKind | None, mailbox: str | None, after: int | None, limit: int
) -> list[ProblemRow]:
    query = (
        sa.select(
            PROBLEM,
            MESSAGE.c.source,
            MESSAGE.c.mailbox,
            MESSAGE.c.folder,
            MESSAGE.c.provider_id,
            MESSAGE.c.committed_at,
        )
        .join(MESSAGE, MESSAGE.c.id == PROBLEM.c.message_id)
        .where(PROBLEM.c.kind == kind if kind else PROBLEM.c.kind != "skipped")
        .order_by(PROBLEM.c.id.desc())
        .limit(limit)
    )
    if mailbox is not None:
        query = query.where(MESSAGE.c.mailbox == mailbox)
    if after is not None:
        query = query.where(PROBLEM.c.id < after)
    return [
        ProblemRow(
            id=row.id,
            source=row.source,
            mailbox=row.mailbox,
            folder=row.folder,
            provider_id=row.provider_id,
            part=row.part,
            stage=row.stage,
            kind=row.kind,
            read=row.read,
            detail=row.detail,
            seen_at=row.committed_at,
        )
        for row in connection.execute(query)
    ]


def problem_counts(connection: sa.Connection) -> dict[ProblemKind, int]:
    query = (
        sa.select(PROBLEM.c.kind, sa.func.count().label("problems")).group_by(PROBLEM.c.kind).order_by(PROBLEM.c.kind)
    )
    return {row.kind: row.problems for row in connection.execute(query)}


def with_problems(connection: sa.Connection) -> int:
    query = sa.select(sa.func.count()).where(MESSAGE.c.coverage.in_(("partly", "locked", "not_read")))
    return int(connection.execute(query).scalar_one())


def not_judged(connection: sa.Connection) -> int:
    query = sa.select(sa.func.count()).where(MESSAGE.c.coverage == "not_judged")
    return int(connection.execute(query).scalar_one())


def coverage_state(verdict: Verdict) -> str:
    """Where a message stands in the ledger. A verdict without a part says that not even its headers were read."""
    if not verdict.complete:
        return "partly" if verdict.parts else "not_read"
    if verdict.unread_protected:
        return "locked"
    return "not_judged" if verdict.not_judged else "read"


class _Ledger:
    """The changes of one page to the coverage ledger, written in one order so that two writers cannot lock crosswise."""

    def __init__(self) -> None:
        self.states: Counter[tuple[str, date, str]] = Counter()
        self.kinds: Counter[tuple[str, date, str]] = Counter()

    def count(self, mailbox: str, day: date, state: str, kinds: Iterable[str], by: int) -> None:
        self.states[mailbox, day, state] += by
        for kind in set(kinds):
            self.kinds[mailbox, day, kind] += by

    def write(self, connection: sa.Connection) -> None:
        for table, what, changes in ((COVERAGE, "state", self.states), (COVERAGE_WHY, "kind", self.kinds)):
            for (mailbox, day, name), by in sorted(changes.items()):
                if by:
                    connection.execute(
                        insert(connection, table)
                        .values({"mailbox": mailbox, "day": day, what: name, "messages": by})
                        .on_conflict_do_update(
                            index_elements=["mailbox", "day", what], set_={"messages": table.c.messages + by}
                        )
                    )


def _folder(source: str, mailbox: str, folder: str) -> sa.ColumnElement[bool]:
    return sa.and_(CURSOR.c.source == source, CURSOR.c.mailbox == mailbox, CURSOR.c.folder == folder)


def _some(ids: Iterable[str]) -> Iterable[list[str]]:
    rest = iter(ids)
    while some := list(islice(rest, VALUES_A_STATEMENT)):
        yield some


def _known(
    connection: sa.Connection, source: str, latest: Collection[tuple[str, str]]
) -> dict[tuple[str, str], sa.Row[Any]]:
    """The stored messages among those of a page."""
    by_mailbox: dict[str, list[str]] = {}
    for mailbox, provider_id in latest:
        by_mailbox.setdefault(mailbox, []).append(provider_id)
    known: dict[tuple[str, str], sa.Row[Any]] = {}
    for mailbox, provider_ids in by_mailbox.items():
        for some in _some(provider_ids):
            rows = connection.execute(
                sa.select(MESSAGE).where(
                    MESSAGE.c.source == source, MESSAGE.c.mailbox == mailbox, MESSAGE.c.provider_id.in_(some)
                )
            )
            known.update({(mailbox, row.provider_id): row for row in rows})
    return known


def _same(before: sa.Row[Any], verdict: Verdict) -> bool:
    """Whether the store already has this verdict: the same bytes judged by the same rules, policy and detectors.

    One that was read further this time, or less far, is not the same.
    """
    versions = Versions(before.rules_version, before.policy_version, before.detectors_version)
    as_complete = before.coverage == coverage_state(verdict) and before.parts == verdict.parts
    return before.content_hash == verdict.content_hash and versions == verdict.versions and as_complete


def _moment(sent_at: datetime | None) -> datetime | None:
    """A Date header can say anything; what no calendar holds in UTC is kept as unknown."""
    if sent_at is None:
        return None
    try:
        return sent_at.astimezone(UTC) if sent_at.tzinfo else sent_at.replace(tzinfo=UTC)
    except OverflowError:
        return None


def _is_copy(connection: sa.Connection, message_id: int, verdict: Verdict) -> bool:
    """Whether the same message is known already, from another mailbox or folder."""
    query = sa.select(MESSAGE.c.id).where(
        MESSAGE.c.content_hash == verdict.content_hash, MESSAGE.c.content_hash != "", MESSAGE.c.id != message_id
    )
    return connection.execute(query.limit(1)).first() is not None


def _write_message(
    connection: sa.Connection,
    source: str,
    result: Committed,
    before: sa.Row[Any] | None,
    ledger: _Ledger,
    now: datetime,
) -> int:
    verdict = result.verdict
    state = coverage_state(verdict)
    problems = _with_why_not_judged(verdict)
    kinds = [_ledger_kind(problem.stage, problem.kind, problem.detail) for problem in problems]
    day = before.day if before is not None else now.astimezone(UTC).date()
    values = {
        "folder": result.folder,
        "internet_id": result.internet_id[:MAX_INTERNET_ID],
        "content_hash": verdict.content_hash,
        "direction": verdict.direction,
        "sent_at": _moment(verdict.sent_at),
        "complete": verdict.complete,
        "unread_protected": verdict.unread_protected,
        "parts": verdict.parts,
        "elapsed_ms": verdict.elapsed_ms,
        "sender": verdict.sender,
        "rules_version": verdict.versions.rules,
        "policy_version": verdict.versions.policy,
        "detectors_version": verdict.versions.detectors,
        "committed_at": now,
        "coverage": state,
    }
    if before is None:
        place = {"source": source, "mailbox": result.mailbox, "provider_id": result.provider_id, "day": day}
        message_id = int(
            connection.execute(sa.insert(MESSAGE).values(**place, **values).returning(MESSAGE.c.id)).scalar_one()
        )
    else:
        message_id = before.id
        connection.execute(sa.update(MESSAGE).where(MESSAGE.c.id == message_id).values(**values))
        had = sa.select(PROBLEM.c.stage, PROBLEM.c.kind, PROBLEM.c.detail).where(PROBLEM.c.message_id == message_id)
        old = [_ledger_kind(row.stage, row.kind, row.detail) for row in connection.execute(had)]
        ledger.count(result.mailbox, day, before.coverage, old, -1)
        for table in (FACT, PROBLEM):
            connection.execute(sa.delete(table).where(table.c.message_id == message_id))
    ledger.count(result.mailbox, day, state, kinds, +1)
    trails.write(connection, message_id, verdict.trail, _moment(verdict.sent_at))
    sent_at = _moment(verdict.sent_at)
    if (
        before is None
        and verdict.ties is not None
        and sent_at is not None
        and not _is_copy(connection, message_id, verdict)
    ):
        habits.write(connection, verdict.ties, sent_at)
    if verdict.facts:
        connection.execute(
            sa.insert(FACT),
            [
                {
                    "message_id": message_id,
                    "label": fact.label,
                    "part_kind": fact.part_kind,
                    "owner": fact.owner,
                    "row": fact.row,
                    "distance": fact.distance,
                    "confidence": fact.confidence,
                    "subject": fact.subject,
                    "fingerprint": fact.fingerprint,
                }
                for fact in verdict.facts
            ],
        )
    if problems:
        connection.execute(
            sa.insert(PROBLEM),
            [
                {
                    "message_id": message_id,
                    "part": problem.part,
                    "stage": problem.stage,
                    "kind": problem.kind,
                    "read": problem.read,
                    "detail": problem.detail,
                }
                for problem in problems
            ],
        )
    return message_id


# Where a whole message is left alone by decision: sealed when it is opened, not fetched at all, or not judged.
_DECIDED_AT = frozenset({"seal", "fetch", "judge"})


def _with_why_not_judged(verdict: Verdict) -> tuple[Problem, ...]:
    """The problems, and one for the decision that kept the message from being judged, where none of them says so yet."""
    why = verdict.not_judged
    if not why or any(problem.kind == "skipped" and problem.detail == why for problem in verdict.problems):
        return verdict.problems
    return (*verdict.problems, Problem("document", "judge", "skipped", "none", why))


def _ledger_kind(stage: str, kind: str, detail: str) -> str:
    """Under what the ledger counts a problem: its kind, or for a message that was left alone the reason."""
    return f"{LEFT_ALONE}{detail}" if kind == "skipped" and stage in _DECIDED_AT else kind


# What a whole outbreak has in common: its mails are one case of these topics for each person it is routed to.
_GOES_ROUND = frozenset({"chain_mail", "junk_bulk_mail"})


def _write_spread(connection: sa.Connection, message_id: int, verdict: Verdict, now: datetime) -> str:
    """Joins the message with the other copies of what it passes on; returns the name of the outbreak, empty for none."""
    if verdict.spread is None or not verdict.content_hash:
        outbreaks.forget_message(connection, message_id)
        return ""
    accused = any(
        finding.topic in _GOES_ROUND and finding.exempted_by is None and not finding.shadow
        for finding in verdict.findings
    )
    sent_at = _moment(verdict.sent_at) or now
    return outbreaks.join(connection, message_id, verdict.content_hash, verdict.spread, sent_at, accused=accused)


def _write_findings(
    connection: sa.Connection,
    source: str,
    message_id: int,
    result: Committed,
    outbreak: str,
    now: datetime,
    audit_key: bytes,
) -> list[int]:
    """Findings by key, each at most once, with the message as an appearance. Returns the ids of new cases."""
    verdict = result.verdict
    # A message that could not be hashed is its own mail and no copy of another.
    content = (
        verdict.content_hash or hashlib.sha256(f"{source}\0{result.mailbox}\0{result.provider_id}".encode()).hexdigest()
    )
    opened: list[int] = []
    for finding in verdict.findings:
        case_wanted = finding.exempted_by is None and not finding.shadow
        row = connection.execute(
            sa.select(FINDING.c.id, FINDING.c.case_id).where(FINDING.c.key == finding.key)
        ).one_or_none()
        if row is None or (row.case_id is None and case_wanted):
            case_id = None
            if case_wanted:
                about = outbreak if outbreak and finding.topic in _GOES_ROUND else content
                case_id, is_new = cases.place(
                    connection, about, finding, verdict.direction, _moment(verdict.sent_at), now, audit_key,
                    copies=about != content,
                )  # fmt: skip
                if is_new:
                    opened.append(case_id)
            finding_id = cases.write_finding(connection, row.id if row else None, case_id, finding, now)
        else:
            finding_id = row.id
        connection.execute(
            insert(connection, APPEARANCE)
            .values(finding_id=finding_id, message_id=message_id, seen_at=now)
            .on_conflict_do_nothing()
        )
    return opened
