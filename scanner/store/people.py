"""The snapshot of who is who, for the service and its web page to share; never in clear (D16)."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from scanner.keys import WrongKey, seal, unseal
from scanner.model import People
from scanner.store.rows import StoreError
from scanner.store.tables import PEOPLE, insert

PLACE = "people"


def save(connection: sa.Connection, snapshot: People, key: bytes, now: datetime, slot: int) -> None:
    kept = {
        "version": snapshot.version,
        "sealed": seal(key, msgspec.json.encode(snapshot), PLACE),
        "saved_at": now,
    }
    connection.execute(
        insert(connection, PEOPLE).values(id=slot + 1, **kept).on_conflict_do_update(index_elements=["id"], set_=kept)
    )


def load(connection: sa.Connection, key: bytes, slot: int) -> People | None:
    sealed = connection.execute(sa.select(PEOPLE.c.sealed).where(PEOPLE.c.id == slot + 1)).scalar_one_or_none()
    if sealed is None:
        return None
    try:
        return msgspec.json.decode(unseal(key, sealed, PLACE), type=People)
    except (WrongKey, msgspec.MsgspecError) as error:
        raise StoreError(
            "the stored people snapshot does not open with this root key; read the people again"
        ) from error


def version(connection: sa.Connection, slot: int) -> str | None:
    found: str | None = connection.execute(
        sa.select(PEOPLE.c.version).where(PEOPLE.c.id == slot + 1)
    ).scalar_one_or_none()
    return found
