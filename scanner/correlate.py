"""What only several messages show (D22): a locked file, and its password in another message to the same recipient.

Messages are met through keyed fingerprints of their addresses and their times; no text is kept. Where two belong
together, the one that may hold the password is judged once more with the locked one beside it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from scanner.model import Trail, Verdict

# A password that comes later than this, or came earlier, is no longer sent with its file.
WINDOW = timedelta(days=14)
# So many locked messages are tried with one message's words, the nearest in time first.
MOST_COMPANIONS = 5

Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class Met:
    """Where a message stands among others: whose it is, to whom, and when."""

    sender: str
    recipients: frozenset[str]
    sent_at: datetime


def met(trail: Trail, sent_at: datetime | None) -> Met | None:
    """None for a message without a date: nobody could say what lies near it."""
    if sent_at is None:
        return None
    return Met(trail.sender, frozenset(trail.recipients), sent_at)


def nearest(one: Met, others: Iterable[tuple[Place, Met]]) -> list[Place]:
    """Those of `others` by the same sender, to one of the same recipients, within the window; the nearest first."""
    near = [
        (abs(other.sent_at - one.sent_at), number, place)
        for number, (place, other) in enumerate(others)
        if other.sender == one.sender
        and other.recipients & one.recipients
        and abs(other.sent_at - one.sent_at) <= WINDOW
    ]
    return [place for _, _, place in sorted(near, key=lambda item: item[:2])[:MOST_COMPANIONS]]


def better(before: Verdict, after: Verdict) -> bool:
    """Did judging again bring something? A verdict that only lost something on the way is not taken."""
    return after.complete >= before.complete and len(after.findings) > len(before.findings)


class Locks:
    """The messages with closed locks of one run over files, in a temporary SQLite that is gone with the process."""

    def __init__(self) -> None:
        # An empty name: SQLite keeps it in memory, and in an unnamed file that it has already deleted when it grows.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("CREATE TABLE lock (sender TEXT, recipient TEXT, sent_at REAL, path TEXT, member TEXT)")
        self._database.execute("CREATE INDEX lock_pair ON lock (sender, recipient, sent_at)")

    def close(self) -> None:
        self._database.close()

    def add(self, path: str, member: str, verdict: Verdict) -> None:
        """Remember a message, if it has a lock that stayed closed and a date."""
        trail = verdict.trail
        if trail is None or not trail.locks or verdict.sent_at is None:
            return
        moment = verdict.sent_at.timestamp()
        self._database.executemany(
            "INSERT INTO lock VALUES (?, ?, ?, ?, ?)",
            [(trail.sender, recipient, moment, path, member) for recipient in trail.recipients],
        )

    def near(self, path: str, member: str, verdict: Verdict) -> Sequence[tuple[str, str]]:
        """Path and member of the locked messages that a word of this one might open, the nearest in time first."""
        trail = verdict.trail
        here = met(trail, verdict.sent_at) if trail is not None else None
        if trail is None or here is None:
            return ()
        moment, window = here.sent_at.timestamp(), WINDOW.total_seconds()
        found: dict[tuple[str, str], Met] = {}
        for recipient in trail.recipients:
            rows = self._database.execute(
                "SELECT path, member, sent_at FROM lock WHERE sender = ? AND recipient = ? AND sent_at BETWEEN ? AND ?",
                (trail.sender, recipient, moment - window, moment + window),
            )
            for other, other_member, sent_at in rows:
                if (other, other_member) != (path, member):
                    when = datetime.fromtimestamp(sent_at, UTC)
                    found[(other, other_member)] = Met(trail.sender, frozenset({recipient}), when)
        return nearest(here, found.items())
