"""Past messages as rules can be tried on them again: facts, what was found, and what the reviewers said (D10)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

import sqlalchemy as sa

from scanner.model import Direction, Fact, SegmentOwner
from scanner.store.messages import VALUES_A_STATEMENT
from scanner.store.tables import APPEARANCE, CASE, DECISION, FACT, FINDING, MESSAGE

Said = Literal["confirmed", "false_alarm", "unjudged"]
_JUDGING = ("confirm", "false_alarm")
_AT_A_TIME = 2_000


@dataclass(frozen=True, slots=True)
class PastFinding:
    """What was found then. `outcome` is the reviewers' last word on its case."""

    rule: str
    rule_version: str
    topic: str
    owner: SegmentOwner
    case_id: int | None
    shadow: bool
    excused: bool
    outcome: Said


@dataclass(frozen=True, slots=True)
class PastMessage:
    """One stored message. `facts` are in the order of its text."""

    id: int
    mailbox: str
    direction: Direction
    sent_at: datetime | None
    rules_version: str
    facts: tuple[Fact, ...]
    findings: tuple[PastFinding, ...]
    policy_version: str = ""
    # The same for every copy of a message.
    content_hash: str = ""


def past(connection: sa.Connection, since: datetime | None, judged_only: bool = False) -> Iterator[PastMessage]:
    """Messages whose facts are still kept, oldest first; read in portions, so that any number can be."""
    said = _outcomes(connection)
    wanted = sa.exists().where(FACT.c.message_id == MESSAGE.c.id)
    query = sa.select(
        MESSAGE.c.id,
        MESSAGE.c.mailbox,
        MESSAGE.c.direction,
        MESSAGE.c.sent_at,
        MESSAGE.c.rules_version,
        MESSAGE.c.policy_version,
        MESSAGE.c.content_hash,
    ).where(wanted)
    if judged_only:
        seen = (
            sa.select(APPEARANCE.c.message_id)
            .join(FINDING, FINDING.c.id == APPEARANCE.c.finding_id)
            .where(FINDING.c.case_id.in_(sa.select(DECISION.c.case_id).where(DECISION.c.action.in_(_JUDGING))))
        )
        query = query.where(MESSAGE.c.id.in_(seen))
    if since is not None:
        query = query.where(MESSAGE.c.committed_at >= since)
    last = 0
    while True:
        rows = connection.execute(query.where(MESSAGE.c.id > last).order_by(MESSAGE.c.id).limit(_AT_A_TIME)).all()
        if not rows:
            return
        first, last = rows[0].id, rows[-1].id
        facts = _facts(connection, first, last)
        findings = _findings(connection, first, last, said)
        for row in rows:
            yield PastMessage(
                row.id,
                row.mailbox,
                row.direction,
                row.sent_at,
                row.rules_version,
                facts.get(row.id, ()),
                findings.get(row.id, ()),
                row.policy_version,
                row.content_hash,
            )


def shadow_counts(connection: sa.Connection) -> dict[str, int]:
    """How many findings each rule made that nobody was told of."""
    query = (
        sa.select(FINDING.c.rule, sa.func.count().label("findings")).where(FINDING.c.shadow).group_by(FINDING.c.rule)
    )
    return {row.rule: row.findings for row in connection.execute(query)}


def excused_counts(connection: sa.Connection) -> dict[str, int]:
    query = (
        sa.select(FINDING.c.exempted_by, sa.func.count().label("findings"))
        .where(FINDING.c.exempted_by.is_not(None))
        .group_by(FINDING.c.exempted_by)
    )
    return {row.exempted_by: row.findings for row in connection.execute(query)}


def said_of(connection: sa.Connection, keys: Collection[str]) -> dict[str, tuple[int, Said]]:
    said = _outcomes(connection)
    query = sa.select(FINDING.c.key, FINDING.c.case_id).where(FINDING.c.case_id.is_not(None))
    found = {}
    listed = list(keys)
    for first in range(0, len(listed), VALUES_A_STATEMENT):
        for row in connection.execute(query.where(FINDING.c.key.in_(listed[first : first + VALUES_A_STATEMENT]))):
            found[row.key] = (row.case_id, said.get(row.case_id, "unjudged"))
    return found


def _outcomes(connection: sa.Connection) -> dict[int, Said]:
    """The last verdict on each case that has one; a closed case keeps what was said before."""
    query = (
        sa.select(DECISION.c.case_id, DECISION.c.action)
        .where(DECISION.c.action.in_(("confirm", "false_alarm", "reopen")))
        .order_by(DECISION.c.id)
    )
    words: dict[str, Said] = {"confirm": "confirmed", "false_alarm": "false_alarm", "reopen": "unjudged"}
    found = {row.case_id: words[row.action] for row in connection.execute(query)}
    return {case_id: outcome for case_id, outcome in found.items() if outcome != "unjudged"}


def _facts(connection: sa.Connection, first: int, last: int) -> dict[int, tuple[Fact, ...]]:
    columns = (
        FACT.c.message_id,
        FACT.c.label,
        FACT.c.part_kind,
        FACT.c.owner,
        FACT.c.row,
        FACT.c.distance,
        FACT.c.confidence,
        FACT.c.subject,
        FACT.c.fingerprint,
    )
    query = sa.select(*columns).where(FACT.c.message_id.between(first, last)).order_by(FACT.c.message_id, FACT.c.id)
    rows = connection.execute(query)
    return {
        message_id: tuple(Fact(*row[1:]) for row in group)
        for message_id, group in groupby(rows, key=lambda row: row[0])
    }


def _findings(
    connection: sa.Connection, first: int, last: int, said: dict[int, Said]
) -> dict[int, tuple[PastFinding, ...]]:
    query = (
        sa.select(
            APPEARANCE.c.message_id,
            FINDING.c.rule,
            FINDING.c.rule_version,
            FINDING.c.topic,
            FINDING.c.owner,
            FINDING.c.case_id,
            FINDING.c.shadow,
            FINDING.c.exempted_by.is_not(None).label("excused"),
        )
        .join(FINDING, FINDING.c.id == APPEARANCE.c.finding_id)
        .where(APPEARANCE.c.message_id.between(first, last))
        .order_by(APPEARANCE.c.message_id)
    )
    return {
        message_id: tuple(
            PastFinding(
                row.rule,
                row.rule_version,
                row.topic,
                row.owner,
                row.case_id,
                row.shadow,
                bool(row.excused),
                said.get(row.case_id, "unjudged"),
            )
            for row in group
        )
        for message_id, group in groupby(connection.execute(query), key=lambda row: row[0])
    }


def cases_of_rule(connection: sa.Connection) -> dict[str, int]:
    """How many cases each rule leads."""
    query = sa.select(CASE.c.rule, sa.func.count().label("cases")).group_by(CASE.c.rule)
    return {row.rule: row.cases for row in connection.execute(query)}
