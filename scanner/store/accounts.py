"""Local accounts, for evaluation and as the way in when Entra ID is down (D17)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, get_args

import sqlalchemy as sa

from scanner.store.rows import Account, AccountRole, StoreError
from scanner.store.tables import ACCOUNT, insert

# After the fifth failure in a row: 15 minutes without a try, each further failure anew (NIST SP 800-63B section 5.2.2).
FAILURES_ALLOWED = 5
LOCKED_FOR = timedelta(minutes=15)
ROLES: tuple[AccountRole, ...] = get_args(AccountRole)


def add(
    connection: sa.Connection,
    name: str,
    password_hash: str,
    totp_secret: str | None,
    roles: Collection[AccountRole],
    email: str,
) -> None:
    if not _name(name):
        raise StoreError("an account needs a name")
    unknown = sorted(set(roles) - set(ROLES))
    if unknown or not roles:
        raise StoreError(
            f"account {_name(name)}: {', '.join(unknown) or 'no role'} is not possible (allowed: {', '.join(ROLES)})"
        )
    added = connection.execute(
        insert(connection, ACCOUNT)
        .values(
            name=_name(name),
            password_hash=password_hash,
            totp_secret=totp_secret,
            roles=sorted(set(roles)),
            email=email.strip().lower(),
            failed_attempts=0,
        )
        .on_conflict_do_nothing()
        .returning(ACCOUNT.c.name)
    )
    if added.one_or_none() is None:
        raise StoreError(f"account {_name(name)}: there is one of that name already")


def change_password(connection: sa.Connection, name: str, password_hash: str) -> None:
    changed = connection.execute(
        sa.update(ACCOUNT)
        .where(ACCOUNT.c.name == _name(name))
        .values(password_hash=password_hash, failed_attempts=0, locked_until=None)
    )
    if changed.rowcount != 1:
        raise StoreError(f"account {_name(name)}: there is no such account")


def find(connection: sa.Connection, name: str) -> Account | None:
    row = connection.execute(sa.select(ACCOUNT).where(ACCOUNT.c.name == _name(name))).one_or_none()
    return _account(row) if row else None


def every(connection: sa.Connection) -> list[Account]:
    return [_account(row) for row in connection.execute(sa.select(ACCOUNT).order_by(ACCOUNT.c.name))]


def failed(connection: sa.Connection, name: str, now: datetime) -> datetime | None:
    attempts = connection.execute(
        sa.update(ACCOUNT)
        .where(ACCOUNT.c.name == _name(name))
        .values(failed_attempts=ACCOUNT.c.failed_attempts + 1)
        .returning(ACCOUNT.c.failed_attempts)
    ).scalar_one_or_none()
    if attempts is None or attempts < FAILURES_ALLOWED:
        return None
    until = now + LOCKED_FOR
    connection.execute(sa.update(ACCOUNT).where(ACCOUNT.c.name == _name(name)).values(locked_until=until))
    return until


def succeeded(connection: sa.Connection, name: str, now: datetime) -> None:
    connection.execute(
        sa.update(ACCOUNT)
        .where(ACCOUNT.c.name == _name(name))
        .values(failed_attempts=0, locked_until=None, last_sign_in=now)
    )


def _name(name: str) -> str:
    return name.strip().lower()


def _account(row: sa.Row[Any]) -> Account:
    return Account(
        name=row.name,
        password_hash=row.password_hash,
        totp_secret=row.totp_secret,
        roles=frozenset(row.roles),
        email=row.email,
        failed_attempts=row.failed_attempts,
        locked_until=row.locked_until,
        last_sign_in=row.last_sign_in,
    )
