"""Opening a database: the two dialects' manners, and the schema brought up to date or refused.

SQLite runs in WAL mode (readers never wait for the writer) and every writing transaction takes the write lock at its
start, so that two processes wait for each other instead of failing half-way (https://sqlite.org/isolation.html).
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from scanner.store.rows import StoreError
from scanner.store.tables import plain

# The newest migration; a database that stands here needs no look at the migrations.
SCHEMA = "0008_run_counts"
MIGRATIONS = Path(__file__).parent / "migrations"
SQLITE_WAIT_SECONDS = 30
# Any fixed numbers; PostgreSQL's advisory locks know nothing of tables (documentation section 13.3.5).
MIGRATION_LOCK = 7_031_001
COMMIT_LOCK = 7_031_002


def connect(url: str) -> tuple[sa.Engine, sa.Engine]:
    """Two views of one connection pool, for reading and for writing, on an up-to-date schema."""
    address = _address(url)
    shown = address.render_as_string(hide_password=True)
    if address.drivername == "sqlite":
        _create_private(Path(address.database or ""), shown)
        connect_args: dict[str, Any] = {"timeout": SQLITE_WAIT_SECONDS, "check_same_thread": False}
    else:
        connect_args = {"connect_timeout": 10, "application_name": "mailwarden"}
    reading = sa.create_engine(
        address, connect_args=connect_args, pool_pre_ping=address.drivername != "sqlite", json_serializer=_as_json
    )
    if address.drivername == "sqlite":
        sa.event.listen(reading, "connect", _prepare_sqlite)
        sa.event.listen(reading, "begin", _begin_sqlite)
    writing = reading.execution_options(writes=True)
    try:
        _bring_up_to_date(writing, shown)
    except sa.exc.DBAPIError as error:
        reading.dispose()
        # The driver's first line says what is wrong and where; it holds no password.
        said = (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]
        raise StoreError(f"store.url {shown}: the database cannot be opened: {said}") from error
    except StoreError:
        reading.dispose()
        raise
    return reading, writing


def take_turns(connection: sa.Connection) -> None:
    """Lets one process at a time commit a page, as SQLite does anyway: copies of a mail then never race or deadlock."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(COMMIT_LOCK)))


def _address(url: str) -> sa.URL:
    try:
        address = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise StoreError(
            "store.url: is not a database address (allowed: sqlite:///path, postgresql+psycopg://…)"
        ) from error
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    if address.drivername not in ("sqlite", "postgresql+psycopg"):
        raise StoreError(
            f"store.url: {address.drivername!r} is not supported (allowed: sqlite:///path, postgresql+psycopg://…)"
        )
    if address.drivername == "sqlite" and address.database in (None, "", ":memory:"):
        raise StoreError(
            "store.url: SQLite needs a file (sqlite:///path), because other processes must see the same database"
        )
    return address


def _create_private(path: Path, shown: str) -> None:
    """Makes the file, if need be, with a mode that SQLite would not give it; its WAL files take over that mode.

    The file appears under its name closed and whole: closing a descriptor of a database file would drop the locks that
    other connections of this process hold on it (https://sqlite.org/howtocorrupt.html section 2.2).
    """
    try:
        if not path.exists():
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            os.close(handle)
            try:
                with contextlib.suppress(FileExistsError):
                    os.link(name, path)
            finally:
                os.unlink(name)
    except OSError as error:
        raise StoreError(f"store.url {shown}: the database file cannot be made: {error.strerror}") from error


def _prepare_sqlite(driver_connection: Any, _record: object) -> None:
    driver_connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver's guess
    cursor = driver_connection.cursor()
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # a notice that was sent must not be forgotten by a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    """The mode stays with the file. The switch needs the file alone, and SQLite does not wait for that by itself."""
    give_up = time.monotonic() + SQLITE_WAIT_SECONDS
    while cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            if cursor.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
                raise StoreError(
                    "store.url: this file system cannot hold an SQLite database that several processes share"
                )
        except sqlite3.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _as_json(value: object) -> str:
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: object) -> object:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    return value


def _bring_up_to_date(writing: sa.Engine, shown: str) -> None:
    with writing.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        standing = _standing(connection)
        if standing == SCHEMA:
            return
        # Alembic takes a quarter of a second to import; only a new or an old database needs it.
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if standing is not None and standing not in known:
            raise StoreError(
                f"store.url {shown}: the schema {standing!r} is not known to this version, which knows up to {SCHEMA!r}. "
                "It was written by a newer Mailwarden: start that one, or restore a backup from before the update"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, SCHEMA)


def _standing(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    versions = sa.table("alembic_version", sa.column("version_num", sa.Text))
    found: str | None = connection.execute(sa.select(versions.c.version_num)).scalar_one_or_none()
    return found
