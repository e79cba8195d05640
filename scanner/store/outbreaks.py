"""How a passed-on text went round (D22): which messages hold the same one, and who sent it to whom. Keyed numbers, no text.

An outbreak goes by the content hash of the message it was first seen in. A copy joins it when its sketch shares a band and
agrees with that of a message in it; where it is plainly the text of two outbreaks they become one. A band is kept for the first
few messages that have it: a thousand true copies are found through those, and no lookup reads more rows because of them.

A copy in which no sign is seen belongs to an outbreak as well, and never joins two. What was handed on without a sign is kept for
some days: a copy with a sign may follow.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from scanner.model import Spread
from scanner.sketch import SAME, agreement, bands
from scanner.store.rows import Passing
from scanner.store.tables import APPEARANCE, FINDING, SPREAD, SPREAD_BAND, SPREAD_REACH, insert

# How many messages may stand under one band, and how many of them are compared with a newcomer.
KEPT_A_BAND = 4
MOST_COMPARED = 64
# One copy that lies between two texts must not make them one: only one that agrees with both so far.
ONE_TEXT = 0.5
# A case shows this many passings; an outbreak beyond it has long become a matter for a notice to everybody.
MOST_PASSINGS = 2_000


def join(
    connection: sa.Connection, message_id: int, content_hash: str, spread: Spread, sent_at: datetime, *, accused: bool
) -> str:
    """Writes the message and returns the outbreak that it belongs to, which may be its own.

    `accused`: a finding says that the sender took part; a report to the IT department is none.
    """
    forget_message(connection, message_id)
    found = alike(connection, spread.sketch)
    outbreak = max(found, key=lambda name: found[name], default=content_hash)
    one_text = [name for name, agreed in found.items() if agreed >= ONE_TEXT]
    if spread.signed and len(one_text) > 1:  # the best match is among them
        connection.execute(sa.update(SPREAD).where(SPREAD.c.outbreak.in_(one_text)).values(outbreak=outbreak))
    spread_id = int(
        connection.execute(
            sa.insert(SPREAD)
            .values(
                message_id=message_id,
                outbreak=outbreak,
                copy_of=content_hash,
                sketch=spread.sketch,
                sender=spread.sender,
                act=spread.act,
                signed=spread.signed,
                accused=accused,
                depth=spread.depth,
                sent_at=sent_at,
            )
            .returning(SPREAD.c.id)
        ).scalar_one()
    )
    if spread.reached:
        rows = [{"spread_id": spread_id, "address": one.address, "outside": one.outside} for one in spread.reached]
        connection.execute(insert(connection, SPREAD_REACH).on_conflict_do_nothing(), rows)
    under = bands(spread.sketch)
    query = (
        sa.select(SPREAD_BAND.c.band)
        .where(SPREAD_BAND.c.band.in_(under))
        .group_by(SPREAD_BAND.c.band)
        .having(sa.func.count() >= KEPT_A_BAND)
    )
    full = set(connection.execute(query).scalars())
    free = [{"band": band, "spread_id": spread_id} for band in dict.fromkeys(under) if band not in full]
    if free:
        connection.execute(sa.insert(SPREAD_BAND), free)
    return outbreak


def alike(connection: sa.Connection, sketch: bytes) -> dict[str, float]:
    """The outbreaks with a message of the same text and how far the nearest agrees: those with a sign first, then in the order
    in which they were seen.
    """
    query = (
        sa.select(SPREAD.c.id, SPREAD.c.outbreak, SPREAD.c.sketch, SPREAD.c.signed)
        .where(
            SPREAD.c.id.in_(sa.select(SPREAD_BAND.c.spread_id).where(SPREAD_BAND.c.band.in_(bands(sketch))).distinct())
        )
        .order_by(SPREAD.c.signed.desc(), SPREAD.c.id)
        .limit(MOST_COMPARED)
    )
    found: dict[str, float] = {}
    for row in connection.execute(query):
        agreed = agreement(row.sketch, sketch)
        if agreed >= max(SAME, found.get(row.outbreak, 0.0)):
            found[row.outbreak] = agreed
    return found


def of_case(connection: sa.Connection, case_id: int) -> list[Passing]:
    """Every passing of the outbreaks that the messages of a case belong to, oldest first; copies of one mail once."""
    mine = (
        sa.select(SPREAD.c.outbreak)
        .join(APPEARANCE, APPEARANCE.c.message_id == SPREAD.c.message_id)
        .join(FINDING, FINDING.c.id == APPEARANCE.c.finding_id)
        .where(FINDING.c.case_id == case_id)
    )
    query = sa.select(SPREAD).where(SPREAD.c.outbreak.in_(mine)).order_by(SPREAD.c.sent_at, SPREAD.c.id)
    rows = {row.copy_of: row for row in reversed(connection.execute(query.limit(MOST_PASSINGS)).all())}
    kept = sorted(rows.values(), key=lambda row: (row.sent_at, row.id))
    reached: dict[int, list[tuple[str, bool]]] = {row.id: [] for row in kept}
    ids = list(reached)
    for start in range(0, len(ids), 500):
        some = sa.select(SPREAD_REACH).where(SPREAD_REACH.c.spread_id.in_(ids[start : start + 500]))
        for item in connection.execute(some.order_by(SPREAD_REACH.c.address)):
            reached[item.spread_id].append((item.address, item.outside))
    return [
        Passing(
            row.sender, tuple(reached[row.id]), row.sent_at, row.act, row.depth, accused=row.accused, signed=row.signed
        )
        for row in kept
    ]


def forget_message(connection: sa.Connection, message_id: int) -> None:
    _delete(connection, connection.execute(sa.select(SPREAD.c.id).where(SPREAD.c.message_id == message_id)).scalars())


def forget(connection: sa.Connection, before: datetime, unsigned_before: datetime) -> None:
    """Outbreaks whose last passing was sent before that time; those of which no copy has a sign, before another."""
    last = sa.select(SPREAD.c.outbreak).group_by(SPREAD.c.outbreak)
    signed = sa.func.sum(sa.case((SPREAD.c.signed, 1), else_=0))
    for over in (
        last.having(sa.func.max(SPREAD.c.sent_at) < before),
        last.having(sa.func.max(SPREAD.c.sent_at) < unsigned_before, signed == 0),
    ):
        _delete(connection, connection.execute(sa.select(SPREAD.c.id).where(SPREAD.c.outbreak.in_(over))).scalars())


def _delete(connection: sa.Connection, ids: Iterable[int]) -> None:
    gone = list(ids)
    for start in range(0, len(gone), 500):
        some = gone[start : start + 500]
        for table in (SPREAD_BAND, SPREAD_REACH):
            connection.execute(sa.delete(table).where(table.c.spread_id.in_(some)))
        connection.execute(sa.delete(SPREAD).where(SPREAD.c.id.in_(some)))
