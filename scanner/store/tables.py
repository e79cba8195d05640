"""The tables. `migrations/` makes them; a test compares the two. What a column may hold is said where it is not plain."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

METADATA = sa.MetaData()


class UtcTime(sa.types.TypeDecorator[datetime]):
    """A point in time: zone demanded on the way in, UTC on the way out. SQLite keeps it as UTC without a zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the store takes only times with a zone")
        plain = value.astimezone(UTC)
        return plain.replace(tzinfo=None) if dialect.name == "sqlite" else plain

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def plain(text: str) -> str:
    """The text without what a database refuses: NUL (PostgreSQL) and lone surrogates (UTF-8) become U+FFFD."""
    return (
        text.replace("\0", "\ufffd").encode("utf-8", "replace").decode() if not text.isascii() or "\0" in text else text
    )


class Words(sa.types.TypeDecorator[str]):
    """Text that a stranger may have chosen, such as a Message-ID or the name of a part: it can never fail a commit."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else plain(value)


def insert(connection: sa.Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT; both dialects say it in the same words."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def _to(name: str, table: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, sa.ForeignKey(f"{table}.id"), nullable=nullable)


CURSOR = sa.Table(
    "cursor",
    METADATA,
    sa.Column("source", Words, primary_key=True),
    sa.Column("mailbox", Words, primary_key=True),
    sa.Column("folder", Words, primary_key=True),
    sa.Column("token", Words, nullable=False),
    sa.Column("saved_at", UtcTime, nullable=False),
)

# Ids and facts only (D10). `day` and `coverage` say where the message stands in the ledger.
MESSAGE = sa.Table(
    "message",
    METADATA,
    _id(),
    sa.Column("source", Words, nullable=False),
    sa.Column("mailbox", Words, nullable=False),
    sa.Column("provider_id", Words, nullable=False),
    sa.Column("folder", Words, nullable=False),
    sa.Column("internet_id", Words, nullable=False),
    sa.Column("content_hash", Words, nullable=False),
    sa.Column("direction", Words, nullable=False),
    sa.Column("sent_at", UtcTime),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("unread_protected", sa.Integer, nullable=False),
    sa.Column("parts", sa.Integer, nullable=False),
    sa.Column("elapsed_ms", sa.Float, nullable=False),
    sa.Column("rules_version", Words, nullable=False),
    sa.Column("policy_version", Words, nullable=False),
    sa.Column("detectors_version", Words, nullable=False),
    sa.Column("committed_at", UtcTime, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("coverage", Words, nullable=False),
    # A keyed fingerprint of who sent it, where that is one of ours.
    sa.Column("sender", Words, nullable=False, server_default=""),
    sa.UniqueConstraint("source", "mailbox", "provider_id", name="message_place"),
    sa.Index("message_committed_at", "committed_at"),
    sa.Index("message_coverage", "coverage"),
    sa.Index("message_sender", "sender", "sent_at"),
    sa.Index("message_content", "content_hash"),
)

FACT = sa.Table(
    "fact",
    METADATA,
    _id(),
    _to("message_id", "message"),
    sa.Column("label", Words, nullable=False),
    sa.Column("part_kind", Words, nullable=False),
    sa.Column("owner", Words, nullable=False),
    sa.Column("row", sa.Integer),
    sa.Column("distance", sa.Integer, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("subject", sa.Integer),
    sa.Column("fingerprint", Words, nullable=False),
    sa.Index("fact_message", "message_id"),
    sa.Index("fact_fingerprint", "fingerprint"),
)

# What may belong together with what (D22): a row for each recipient.
TRAIL = sa.Table(
    "trail",
    METADATA,
    _id(),
    _to("message_id", "message"),
    sa.Column("sender", Words, nullable=False),
    sa.Column("recipient", Words, nullable=False),
    sa.Column("sent_at", UtcTime, nullable=False),
    sa.Column("locks", sa.Integer, nullable=False),
    sa.Column("may_hold_key", sa.Boolean, nullable=False),
    sa.Column("heated", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("trail_pair", "sender", "recipient", "sent_at"),
    sa.Index("trail_message", "message_id"),
)

# A message that passes a chain letter on, or received one: which outbreak it belongs to, and the keyed sketch of the passage.
SPREAD = sa.Table(
    "spread",
    METADATA,
    _id(),
    _to("message_id", "message"),
    sa.Column("outbreak", Words, nullable=False),
    sa.Column("copy_of", Words, nullable=False),
    sa.Column("sketch", sa.LargeBinary, nullable=False),
    sa.Column("sender", Words, nullable=False),
    sa.Column("act", Words, nullable=False),
    sa.Column("signed", sa.Boolean, nullable=False),
    sa.Column("accused", sa.Boolean, nullable=False),
    sa.Column("depth", sa.Integer, nullable=False),
    sa.Column("sent_at", UtcTime, nullable=False),
    sa.UniqueConstraint("message_id", name="spread_of_message"),
    sa.Index("spread_outbreak", "outbreak", "sent_at"),
    sa.Index("spread_sent_at", "sent_at"),
)
SPREAD_REACH = sa.Table(
    "spread_reach",
    METADATA,
    sa.Column("spread_id", sa.Integer, sa.ForeignKey("spread.id"), primary_key=True),
    sa.Column("address", Words, primary_key=True),
    sa.Column("outside", sa.Boolean, nullable=False),
)
SPREAD_BAND = sa.Table(
    "spread_band",
    METADATA,
    sa.Column("band", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("spread_id", sa.Integer, sa.ForeignKey("spread.id"), primary_key=True),
    sa.Index("spread_band_of", "spread_id"),
)

# Who writes to whom (D22): a row for each day on which it happened; one with an empty address counts all mail of the sender,
# and the files that went to a private address.
TIE = sa.Table(
    "tie",
    METADATA,
    sa.Column("sender", Words, primary_key=True),
    sa.Column("address", Words, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("messages", sa.Integer, nullable=False),
    sa.Column("files", sa.Integer, nullable=False),
    sa.Index("tie_day", "day"),
)
THREAD_PARTY = sa.Table(
    "thread_party",
    METADATA,
    sa.Column("thread", Words, primary_key=True),
    sa.Column("address", Words, primary_key=True),
    sa.Column("day", sa.Date, nullable=False),
    sa.Index("thread_party_day", "day"),
)

PROBLEM = sa.Table(
    "problem",
    METADATA,
    _id(),
    _to("message_id", "message"),
    sa.Column("part", Words, nullable=False),
    sa.Column("stage", Words, nullable=False),
    sa.Column("kind", Words, nullable=False),
    sa.Column("read", Words, nullable=False),
    sa.Column("detail", Words, nullable=False),
    sa.Index("problem_message", "message_id"),
    sa.Index("problem_kind", "kind", "id"),
)

# What the list shows is kept in the row itself: one index, one table, whatever the number of cases.
CASE = sa.Table(
    "cases",
    METADATA,
    _id(),
    sa.Column("content_hash", Words, nullable=False),
    sa.Column("topic", Words, nullable=False),
    sa.Column("route_role", Words, nullable=False),
    sa.Column("route_person", Words, nullable=False),
    sa.Column("route_because", Words, nullable=False),
    sa.Column("route_fallback", sa.Boolean, nullable=False),
    sa.Column("category", Words, nullable=False),
    sa.Column("severity", Words, nullable=False),
    sa.Column("rank", sa.SmallInteger, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("title", Words, nullable=False),
    sa.Column("rule", Words, nullable=False),
    sa.Column("why", Words, nullable=False),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("subjects", sa.Integer, nullable=False),
    sa.Column("state", Words, nullable=False),
    sa.Column("direction", Words, nullable=False),
    sa.Column("sent_at", UtcTime),
    sa.Column("opened", UtcTime, nullable=False),
    sa.Column("changed", UtcTime, nullable=False),
    sa.UniqueConstraint("content_hash", "topic", "route_role", "route_person", name="case_of_message"),
    sa.Index("case_rank", "rank", "id"),
    sa.Index("case_state", "state", "id"),
    sa.Index("case_state_rank", "state", "rank", "id"),
    sa.Index("case_topic", "topic", "id"),
    sa.Index("case_person", "route_person", "id"),
    sa.Index("case_role", "route_role", "id"),
    sa.Index("case_counting", "state", "severity", "topic", "route_role", "route_person", "route_fallback"),
)

# A finding that is exempted or in shadow has no case.
FINDING = sa.Table(
    "finding",
    METADATA,
    _id(),
    sa.Column("key", Words, nullable=False),
    _to("case_id", "cases", nullable=True),
    sa.Column("rule", Words, nullable=False),
    sa.Column("rule_version", Words, nullable=False),
    sa.Column("title", Words, nullable=False),
    sa.Column("topic", Words, nullable=False),
    sa.Column("category", Words, nullable=False),
    sa.Column("severity", Words, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("owner", Words, nullable=False),
    sa.Column("subjects", sa.Integer, nullable=False),
    sa.Column("evidence", sa.JSON, nullable=False),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("clauses", sa.JSON, nullable=False),
    sa.Column("exempted_by", Words),
    sa.Column("route", sa.JSON(none_as_null=True)),
    sa.Column("advice", Words, nullable=False),
    sa.Column("shadow", sa.Boolean, nullable=False),
    sa.Column("found_at", UtcTime, nullable=False),
    sa.UniqueConstraint("key", name="finding_key"),
    sa.Index("finding_case", "case_id"),
)

APPEARANCE = sa.Table(
    "appearance",
    METADATA,
    sa.Column("finding_id", sa.Integer, sa.ForeignKey("finding.id"), primary_key=True),
    sa.Column("message_id", sa.Integer, sa.ForeignKey("message.id"), primary_key=True),
    sa.Column("seen_at", UtcTime, nullable=False),
    sa.Index("appearance_message", "message_id"),
)

DECISION = sa.Table(
    "decision",
    METADATA,
    _id(),
    _to("case_id", "cases"),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", Words, nullable=False),
    sa.Column("action", Words, nullable=False),
    sa.Column("note", Words, nullable=False),
    sa.Index("decision_case", "case_id"),
)

NOTICE = sa.Table(
    "notice",
    METADATA,
    _id(),
    _to("case_id", "cases"),
    sa.Column("state", Words, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due", UtcTime, nullable=False),
    sa.Column("changed", UtcTime, nullable=False),
    sa.UniqueConstraint("case_id", name="notice_once"),
    sa.Index("notice_due", "state", "due"),
)

COVERAGE = sa.Table(
    "coverage",
    METADATA,
    sa.Column("mailbox", Words, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("state", Words, primary_key=True),
    sa.Column("messages", sa.Integer, nullable=False),
    sa.Index("coverage_day", "day"),
)
COVERAGE_WHY = sa.Table(
    "coverage_why",
    METADATA,
    sa.Column("mailbox", Words, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("kind", Words, primary_key=True),
    sa.Column("messages", sa.Integer, nullable=False),
    sa.Index("coverage_why_day", "day"),
)

CLAIM = sa.Table(
    "claim",
    METADATA,
    sa.Column("source", Words, primary_key=True),
    sa.Column("mailbox", Words, primary_key=True),
    sa.Column("owner", Words, nullable=False),
    sa.Column("until", UtcTime, nullable=False),
)
PARKED = sa.Table(
    "parked",
    METADATA,
    sa.Column("mailbox", Words, primary_key=True),
    sa.Column("reason", Words, nullable=False),
    sa.Column("since", UtcTime, nullable=False),
)

ACCOUNT = sa.Table(
    "account",
    METADATA,
    sa.Column("name", Words, primary_key=True),
    sa.Column("password_hash", Words, nullable=False),
    sa.Column("totp_secret", Words),
    sa.Column("roles", sa.JSON, nullable=False),
    sa.Column("email", Words, nullable=False),
    sa.Column("failed_attempts", sa.Integer, nullable=False),
    sa.Column("locked_until", UtcTime),
    sa.Column("last_sign_in", UtcTime),
)

RUN = sa.Table(
    "run",
    METADATA,
    _id(),
    sa.Column("started", UtcTime, nullable=False),
    sa.Column("finished", UtcTime),
    sa.Column("mailboxes", sa.Integer, nullable=False),
    sa.Column("messages", sa.Integer, nullable=False),
    sa.Column("new_cases", sa.Integer, nullable=False),
    sa.Column("problems", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("unchanged", sa.Integer, nullable=False, server_default="0"),
    sa.Column("not_judged", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", Words, nullable=False),
)

# One row a tenant: its snapshot, encrypted as a whole (D16).
PEOPLE = sa.Table(
    "people",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", Words, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("saved_at", UtcTime, nullable=False),
)

# Leave to look (Never 1). `scope` and `topics` are lists of addresses and of topics.
AUTHORISATION = sa.Table(
    "authorisation",
    METADATA,
    _id(),
    sa.Column("policy", Words, nullable=False),
    sa.Column("kind", Words, nullable=False),
    sa.Column("purpose", Words, nullable=False),
    sa.Column("scope", sa.JSON, nullable=False),
    sa.Column("topics", sa.JSON, nullable=False),
    sa.Column("approver", Words, nullable=False),
    sa.Column("approver_role", Words, nullable=False),
    sa.Column("grounds", Words, nullable=False),
    sa.Column("start", sa.Date, nullable=False),
    sa.Column("review", sa.Date),
    sa.Column("end", sa.Date),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("recorded_by", Words, nullable=False),
    sa.Column("ended_at", UtcTime),
    sa.Column("seed", Words, nullable=False),
    sa.Column("frame", Words, nullable=False),
    sa.Column("frame_size", sa.Integer, nullable=False),
)
