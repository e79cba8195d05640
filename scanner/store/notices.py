"""Outgoing notices: one for each new case, taken by one process, and sent once.

pending → sending → sent, unsure or failed. A process that dies in between leaves a notice in `sending`; nobody can
know whether it went out, so it becomes `unsure` and is left to a person.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from scanner.store.rows import NoticeRow, Outcome
from scanner.store.tables import CASE, NOTICE

TAKEN_FOR = timedelta(minutes=10)
ATTEMPTS = 3
WAIT_AFTER_FAILURE = timedelta(minutes=15)


def take(connection: sa.Connection, limit: int, now: datetime) -> list[NoticeRow]:
    connection.execute(
        sa.update(NOTICE)
        .where(NOTICE.c.state == "sending", NOTICE.c.changed < now - TAKEN_FOR)
        .values(state="unsure", changed=now)
    )
    due = (
        sa.select(NOTICE.c.id)
        .where(NOTICE.c.state == "pending", NOTICE.c.due <= now)
        .order_by(NOTICE.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = connection.execute(due).scalars().all()
    taken = (
        connection.execute(
            sa.update(NOTICE)
            .where(NOTICE.c.id.in_(ids), NOTICE.c.state == "pending")
            .values(state="sending", attempts=NOTICE.c.attempts + 1, changed=now)
            .returning(NOTICE.c.id)
        )
        .scalars()
        .all()
    )
    rows = connection.execute(
        sa.select(
            NOTICE.c.id,
            NOTICE.c.attempts,
            CASE.c.id.label("case_id"),
            CASE.c.route_role,
            CASE.c.route_person,
            CASE.c.title,
            CASE.c.severity,
        )
        .join(CASE, CASE.c.id == NOTICE.c.case_id)
        .where(NOTICE.c.id.in_(taken))
        .order_by(NOTICE.c.id)
    )
    return [
        NoticeRow(row.id, row.case_id, row.route_role, row.route_person, row.title, row.severity, row.attempts)
        for row in rows
    ]


def report(connection: sa.Connection, notice_id: int, outcome: Outcome, now: datetime) -> None:
    again = sa.and_(NOTICE.c.attempts < ATTEMPTS, sa.literal(outcome == "failed"))
    connection.execute(
        sa.update(NOTICE)
        .where(NOTICE.c.id == notice_id, NOTICE.c.state == "sending")
        .values(
            state=sa.case((again, "pending"), else_=outcome),
            due=sa.case((again, sa.literal(now + WAIT_AFTER_FAILURE, NOTICE.c.due.type)), else_=NOTICE.c.due),
            changed=now,
        )
    )


def counts(connection: sa.Connection) -> dict[str, int]:
    query = (
        sa.select(NOTICE.c.state, sa.func.count().label("notices")).group_by(NOTICE.c.state).order_by(NOTICE.c.state)
    )
    return {row.state: row.notices for row in connection.execute(query)}
