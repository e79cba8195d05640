"""Leave to look: who gave it, for what, until when. A row is never changed but for its end and its next review."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime

import sqlalchemy as sa

from scanner.model import Authorisation
from scanner.store.rows import StoreError
from scanner.store.tables import AUTHORISATION


def add(connection: sa.Connection, given: Authorisation) -> int:
    values = {key: value for key, value in asdict(given).items() if key != "id"}
    values |= {"scope": list(given.scope), "topics": list(given.topics)}
    return int(connection.execute(sa.insert(AUTHORISATION).values(**values).returning(AUTHORISATION.c.id)).scalar_one())


def every(connection: sa.Connection) -> list[Authorisation]:
    return [
        Authorisation(**{**row._asdict(), "scope": tuple(row.scope), "topics": tuple(row.topics)})
        for row in connection.execute(sa.select(AUTHORISATION).order_by(AUTHORISATION.c.id))
    ]


def end(connection: sa.Connection, number: int, now: datetime) -> None:
    ended = connection.execute(
        sa.update(AUTHORISATION)
        .where(AUTHORISATION.c.id == number, AUTHORISATION.c.ended_at.is_(None))
        .values(ended_at=now)
    )
    if ended.rowcount != 1:
        raise StoreError(f"authorisation {number}: there is none of that number that still runs")


def review(connection: sa.Connection, number: int, until: date) -> None:
    renewed = connection.execute(
        sa.update(AUTHORISATION)
        .where(AUTHORISATION.c.id == number, AUTHORISATION.c.ended_at.is_(None))
        .values(review=until)
    )
    if renewed.rowcount != 1:
        raise StoreError(f"authorisation {number}: there is none of that number that still runs")
