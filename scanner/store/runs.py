"""Rounds: when they began and ended, and what they did."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from scanner.store.rows import Run, RunCounts
from scanner.store.tables import RUN


def start(connection: sa.Connection, now: datetime) -> int:
    begun = sa.insert(RUN).values(started=now, error="", **asdict(RunCounts())).returning(RUN.c.id)
    return int(connection.execute(begun).scalar_one())


def finish(connection: sa.Connection, run_id: int, counts: RunCounts, now: datetime, error: str) -> None:
    connection.execute(sa.update(RUN).where(RUN.c.id == run_id).values(finished=now, error=error, **asdict(counts)))


def add(connection: sa.Connection, run_id: int, counts: RunCounts) -> None:
    """Several processes add to one round: in the database, and not in anybody's memory."""
    more = {name: RUN.c[name] + number for name, number in asdict(counts).items()}
    connection.execute(sa.update(RUN).where(RUN.c.id == run_id).values(**more))


def of(connection: sa.Connection, run_id: int) -> RunCounts:
    return _counts(connection.execute(sa.select(RUN).where(RUN.c.id == run_id)).one())


def last(connection: sa.Connection) -> Run | None:
    row = connection.execute(sa.select(RUN).order_by(RUN.c.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return Run(row.id, row.started, row.finished, _counts(row), row.error)


def _counts(row: sa.Row[Any]) -> RunCounts:
    return RunCounts(**{each.name: getattr(row, each.name) for each in fields(RunCounts)})
