"""Which messages may belong together (D22): keyed fingerprints of addresses, times and two flags, for some days."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from scanner.model import Trail
from scanner.store.rows import Linked
from scanner.store.tables import MESSAGE, TRAIL


def write(connection: sa.Connection, message_id: int, trail: Trail | None, sent_at: datetime | None) -> None:
    """The trail of a message as its last verdict has it."""
    connection.execute(sa.delete(TRAIL).where(TRAIL.c.message_id == message_id))
    if trail is not None and sent_at is not None and trail.recipients:
        common = {
            "message_id": message_id,
            "sender": trail.sender,
            "sent_at": sent_at,
            "locks": trail.locks,
            "may_hold_key": trail.may_hold_key,
            "heated": trail.heated,
        }
        connection.execute(sa.insert(TRAIL), [{**common, "recipient": one} for one in trail.recipients])


def of_message(connection: sa.Connection, source: str, mailbox: str, provider_id: str) -> tuple[Trail, datetime] | None:
    query = (
        sa.select(TRAIL)
        .join(MESSAGE, MESSAGE.c.id == TRAIL.c.message_id)
        .where(MESSAGE.c.source == source, MESSAGE.c.mailbox == mailbox, MESSAGE.c.provider_id == provider_id)
        .order_by(TRAIL.c.id)
    )
    found = connection.execute(query).all()
    if not found:
        return None
    first = found[0]
    recipients = tuple(row.recipient for row in found)
    return Trail(first.sender, recipients, first.locks, first.may_hold_key), first.sent_at


def near(
    connection: sa.Connection,
    source: str,
    mailbox: str,
    trail: Trail,
    sent_at: datetime,
    window: timedelta,
    *,
    locked: bool,
) -> list[Linked]:
    """Messages of one mailbox by the same sender to one of the same recipients; those with a closed lock, or with what may
    be a key.
    """
    query = (
        sa.select(MESSAGE.c.folder, MESSAGE.c.provider_id, MESSAGE.c.internet_id, TRAIL.c.sent_at, TRAIL.c.recipient)
        .join(MESSAGE, MESSAGE.c.id == TRAIL.c.message_id)
        .where(
            MESSAGE.c.source == source,
            MESSAGE.c.mailbox == mailbox,
            TRAIL.c.sender == trail.sender,
            TRAIL.c.recipient.in_(trail.recipients),
            TRAIL.c.sent_at.between(sent_at - window, sent_at + window),
            TRAIL.c.locks > 0 if locked else TRAIL.c.may_hold_key.is_(True),
        )
        .order_by(MESSAGE.c.id)
        .limit(200)
    )
    found = {row.provider_id: row for row in connection.execute(query)}
    return [Linked(row.provider_id, row.folder, row.internet_id, row.recipient, row.sent_at) for row in found.values()]


def heated(connection: sa.Connection, trail: Trail, since: datetime, sent_at: datetime) -> dict[str, set[str]]:
    """For each recipient the content hashes of the sender's heated messages since then and before `sent_at`. The copies of one
    message in several mailboxes are one.
    """
    query = (
        sa.select(TRAIL.c.recipient, MESSAGE.c.content_hash)
        .join(MESSAGE, MESSAGE.c.id == TRAIL.c.message_id)
        .where(
            TRAIL.c.sender == trail.sender,
            TRAIL.c.recipient.in_(trail.recipients),
            TRAIL.c.heated.is_(True),
            TRAIL.c.sent_at >= since,
            TRAIL.c.sent_at < sent_at,
        )
        .limit(1_000)
    )
    found: dict[str, set[str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.recipient, set()).add(row.content_hash)
    return found


def forget(connection: sa.Connection, before: datetime, heated_before: datetime) -> None:
    connection.execute(
        sa.delete(TRAIL).where(
            sa.or_(
                sa.and_(TRAIL.c.heated.is_(False), TRAIL.c.sent_at < before),
                TRAIL.c.sent_at < heated_before,
            )
        )
    )
