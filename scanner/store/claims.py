"""Whose turn a mailbox is, and mailboxes set aside."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from scanner.store.rows import Parked
from scanner.store.tables import CLAIM, PARKED, insert


def claim(connection: sa.Connection, source: str, mailbox: str, owner: str, now: datetime, lasts: timedelta) -> bool:
    held = {"owner": owner, "until": now + lasts}
    taken = connection.execute(
        insert(connection, CLAIM)
        .values(source=source, mailbox=mailbox, **held)
        .on_conflict_do_update(
            index_elements=["source", "mailbox"],
            set_=held,
            where=sa.or_(CLAIM.c.owner == owner, CLAIM.c.until <= now),
        )
        .returning(CLAIM.c.owner)
    )
    return taken.one_or_none() is not None


def release(connection: sa.Connection, source: str, mailbox: str, owner: str) -> None:
    connection.execute(
        sa.delete(CLAIM).where(CLAIM.c.source == source, CLAIM.c.mailbox == mailbox, CLAIM.c.owner == owner)
    )


def park(connection: sa.Connection, mailbox: str, reason: str, now: datetime) -> None:
    connection.execute(
        insert(connection, PARKED)
        .values(mailbox=mailbox, reason=reason, since=now)
        .on_conflict_do_update(index_elements=["mailbox"], set_={"reason": reason})
    )


def unpark(connection: sa.Connection, mailbox: str) -> None:
    connection.execute(sa.delete(PARKED).where(PARKED.c.mailbox == mailbox))


def parked(connection: sa.Connection) -> list[Parked]:
    return [
        Parked(row.mailbox, row.reason, row.since)
        for row in connection.execute(sa.select(PARKED).order_by(PARKED.c.mailbox))
    ]
