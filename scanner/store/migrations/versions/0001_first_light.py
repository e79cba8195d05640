"""The first schema: cursors, messages with their facts, findings, cases, notices, coverage, audit, accounts, runs.

Spelled out and never changed: later migrations build on exactly this.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

APPEND_ONLY_SQLITE = """
CREATE TRIGGER audit_no_{verb} BEFORE {verb} ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is only appended to'); END
"""
APPEND_ONLY_POSTGRESQL = (
    """
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit trail is only appended to'; END $$
""",
    """
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()
""",
)


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "cursor",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("mailbox", sa.Text, primary_key=True),
        sa.Column("folder", sa.Text, primary_key=True),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("saved_at", time, nullable=False),
    )
    op.create_table(
        "message",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("mailbox", sa.Text, nullable=False),
        sa.Column("provider_id", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("internet_id", sa.Text, nullable=False),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("sent_at", time),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("unread_protected", sa.Integer, nullable=False),
        sa.Column("parts", sa.Integer, nullable=False),
        sa.Column("elapsed_ms", sa.Float, nullable=False),
        sa.Column("rules_version", sa.Text, nullable=False),
        sa.Column("policy_version", sa.Text, nullable=False),
        sa.Column("detectors_version", sa.Text, nullable=False),
        sa.Column("committed_at", time, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("coverage", sa.Text, nullable=False),
        sa.UniqueConstraint("source", "mailbox", "provider_id", name="message_place"),
    )
    op.create_index("message_committed_at", "message", ["committed_at"])
    op.create_index("message_coverage", "message", ["coverage"])
    op.create_table(
        "fact",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("message_id", sa.Integer, sa.ForeignKey("message.id"), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("part_kind", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("row", sa.Integer),
        sa.Column("distance", sa.Integer, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("subject", sa.Integer),
        sa.Column("fingerprint", sa.Text, nullable=False),
    )
    op.create_index("fact_message", "fact", ["message_id"])
    op.create_index("fact_fingerprint", "fact", ["fingerprint"])
    op.create_table(
        "problem",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("message_id", sa.Integer, sa.ForeignKey("message.id"), nullable=False),
        sa.Column("part", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("read", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("problem_message", "problem", ["message_id"])
    op.create_index("problem_kind", "problem", ["kind", "id"])
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("route_role", sa.Text, nullable=False),
        sa.Column("route_person", sa.Text, nullable=False),
        sa.Column("route_because", sa.Text, nullable=False),
        sa.Column("route_fallback", sa.Boolean, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("rank", sa.SmallInteger, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("subjects", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("sent_at", time),
        sa.Column("opened", time, nullable=False),
        sa.Column("changed", time, nullable=False),
        sa.UniqueConstraint("content_hash", "topic", "route_role", "route_person", name="case_of_message"),
    )
    op.create_index("case_rank", "cases", ["rank", "id"])
    op.create_index("case_state", "cases", ["state", "id"])
    op.create_index("case_state_rank", "cases", ["state", "rank", "id"])
    op.create_index("case_topic", "cases", ["topic", "id"])
    op.create_index("case_person", "cases", ["route_person", "id"])
    op.create_index("case_role", "cases", ["route_role", "id"])
    op.create_index(
        "case_counting", "cases", ["state", "severity", "topic", "route_role", "route_person", "route_fallback"]
    )
    op.create_table(
        "finding",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id")),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("rule_version", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("subjects", sa.Integer, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("clauses", sa.JSON, nullable=False),
        sa.Column("exempted_by", sa.Text),
        sa.Column("route", sa.JSON),
        sa.Column("advice", sa.Text, nullable=False),
        sa.Column("shadow", sa.Boolean, nullable=False),
        sa.Column("found_at", time, nullable=False),
        sa.UniqueConstraint("key", name="finding_key"),
    )
    op.create_index("finding_case", "finding", ["case_id"])
    op.create_table(
        "appearance",
        sa.Column("finding_id", sa.Integer, sa.ForeignKey("finding.id"), primary_key=True),
        sa.Column("message_id", sa.Integer, sa.ForeignKey("message.id"), primary_key=True),
        sa.Column("seen_at", time, nullable=False),
    )
    op.create_index("appearance_message", "appearance", ["message_id"])
    op.create_table(
        "decision",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_index("decision_case", "decision", ["case_id"])
    op.create_table(
        "notice",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", time, nullable=False),
        sa.Column("changed", time, nullable=False),
        sa.UniqueConstraint("case_id", name="notice_once"),
    )
    op.create_index("notice_due", "notice", ["state", "due"])
    op.create_table(
        "coverage",
        sa.Column("mailbox", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("state", sa.Text, primary_key=True),
        sa.Column("messages", sa.Integer, nullable=False),
    )
    op.create_index("coverage_day", "coverage", ["day"])
    op.create_table(
        "coverage_why",
        sa.Column("mailbox", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("messages", sa.Integer, nullable=False),
    )
    op.create_index("coverage_why_day", "coverage_why", ["day"])
    op.create_table(
        "claim",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("mailbox", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("until", time, nullable=False),
    )
    op.create_table(
        "parked",
        sa.Column("mailbox", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", time, nullable=False),
    )
    op.create_table(
        "account",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("totp_secret", sa.Text),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("failed_attempts", sa.Integer, nullable=False),
        sa.Column("locked_until", time),
        sa.Column("last_sign_in", time),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("started", time, nullable=False),
        sa.Column("finished", time),
        sa.Column("mailboxes", sa.Integer, nullable=False),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("new_cases", sa.Integer, nullable=False),
        sa.Column("problems", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("saved_at", time, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("object", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("mark", sa.Text, nullable=False),
    )
    op.create_index("audit_object", "audit", ["object", "id"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("mark", sa.Text, nullable=False),
        sa.Column("seal", sa.Text, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        for statement in APPEND_ONLY_POSTGRESQL:
            op.execute(statement)
    else:
        for verb in ("UPDATE", "DELETE"):
            op.execute(APPEND_ONLY_SQLITE.format(verb=verb))
