"""The audit trail: every human act, in a chain that shows when a row was changed, taken out or put in.

Each row carries an HMAC-SHA-256 (RFC 2104) over its own words and the mark of the row before. One further row, the
head, seals how many rows there are and the last mark, so that cutting rows off at the end shows as well. Without the
key nobody can mend a chain after a change. `record` is the only way in; the schema refuses UPDATE and DELETE.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

METADATA = sa.MetaData()
# Times are kept as the text that was sealed: a database that rounded or shifted them would break every mark.
ENTRIES = sa.Table(
    "audit",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("object", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("mark", sa.Text, nullable=False),
    sa.Index("audit_object", "object", "id"),
)
HEAD = sa.Table(
    "audit_head",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("entries", sa.Integer, nullable=False),
    sa.Column("mark", sa.Text, nullable=False),
    sa.Column("seal", sa.Text, nullable=False),
)
START = "0" * 64
MAX_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act: who did what to which thing, when and why."""

    id: int
    at: datetime
    actor: str
    action: str
    object: str
    reason: str


@dataclass(frozen=True, slots=True)
class AuditFault:
    """The first place where the chain does not hold. `id` is the row, 0 for the head."""

    id: int
    what: str


def record(
    connection: sa.Connection,
    *,
    key: bytes,
    actor: str,
    action: str,
    object: str,  # noqa: A002 the word of the audit trail
    reason: str,
    now: datetime,
) -> int:
    """Appends one act within the caller's transaction and returns its id.

    Raises ValueError for a nameless actor, an empty action, a text over 2,000 characters, or a time without a zone.
    """
    if not actor.strip() or not action.strip():
        raise ValueError("an audited act has an actor and an action")
    if now.tzinfo is None:
        raise ValueError("an audited act has a time with a zone")
    if max(len(actor), len(action), len(object), len(reason)) > MAX_TEXT:
        raise ValueError(f"each text of an audited act has at most {MAX_TEXT:,} characters")
    # The lock on the head makes writers take turns; SQLite already lets only one write.
    head = connection.execute(sa.select(HEAD).where(HEAD.c.id == 1).with_for_update()).one_or_none()
    number = (head.entries if head else 0) + 1
    at = now.astimezone(UTC).isoformat(timespec="microseconds")
    mark = _mark(key, head.mark if head else START, number, at, actor, action, object, reason)
    connection.execute(
        sa.insert(ENTRIES).values(id=number, at=at, actor=actor, action=action, object=object, reason=reason, mark=mark)
    )
    sealed = {"entries": number, "mark": mark, "seal": _seal(key, number, mark)}
    if head is None:
        connection.execute(sa.insert(HEAD).values(id=1, **sealed))
    else:
        connection.execute(sa.update(HEAD).where(HEAD.c.id == 1).values(**sealed))
    return number


def entries(
    connection: sa.Connection,
    *,
    object: str | None = None,  # noqa: A002
    after: int | None = None,
    limit: int = 100,
) -> list[AuditEntry]:
    """The acts, newest first, all or those on one object; `after` is the last id of the page before."""
    query = sa.select(ENTRIES).order_by(ENTRIES.c.id.desc()).limit(limit)
    if object is not None:
        query = query.where(ENTRIES.c.object == object)
    if after is not None:
        query = query.where(ENTRIES.c.id < after)
    return [
        AuditEntry(row.id, datetime.fromisoformat(row.at), row.actor, row.action, row.object, row.reason)
        for row in connection.execute(query)
    ]


def verify(connection: sa.Connection, *, key: bytes) -> AuditFault | None:
    """None where every row is as it was written and none is missing; else the first fault."""
    before, count = START, 0
    rows = connection.execution_options(yield_per=1_000).execute(sa.select(ENTRIES).order_by(ENTRIES.c.id))
    for row in rows:
        count += 1
        if row.id != count:
            return AuditFault(count, "this row is missing")
        expected = _mark(key, before, row.id, row.at, row.actor, row.action, row.object, row.reason)
        if not hmac.compare_digest(expected, row.mark):
            return AuditFault(row.id, "this row was changed, or sealed with another key")
        before = row.mark
    head = connection.execute(sa.select(HEAD)).one_or_none()
    if head is None:
        return AuditFault(0, "the head is missing") if count else None
    if not hmac.compare_digest(_seal(key, head.entries, head.mark), head.seal):
        return AuditFault(0, "the head was changed, or sealed with another key")
    if head.entries != count or head.mark != before:
        return AuditFault(min(head.entries, count) + 1, "rows were cut off or added at the end")
    return None


def _mark(key: bytes, before: str, number: int, *words: str) -> str:
    # JSON keeps the words apart: ("ab", "c") and ("a", "bc") must not give the same mark.
    return hmac.new(key, json.dumps([before, number, *words]).encode(), hashlib.sha256).hexdigest()


def _seal(key: bytes, count: int, mark: str) -> str:
    return hmac.new(key, json.dumps(["head", count, mark]).encode(), hashlib.sha256).hexdigest()
