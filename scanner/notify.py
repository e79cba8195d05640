"""Tells people that a case waits for them: how many, the rules' titles, and the link. Nothing that was found (Never 4).

All new cases of one person that a round takes make one message. What the sender is not sure of is never sent again
by itself: a notice twice is a nuisance, and nobody reads the tenth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from scanner.errors import ConnectorError
from scanner.ports import Notice, Sender

MAX_LISTED = 10
MAX_TITLE = 120


class Pending(Protocol):
    """One row of the outbox: a new case for one person. `title` is the rule's title."""

    @property
    def id(self) -> int: ...
    @property
    def case_id(self) -> int: ...
    @property
    def person(self) -> str: ...
    @property
    def title(self) -> str: ...


class Outbox(Protocol):
    """The store's side: what it hands out, no other process gets; each is reported back with its outcome."""

    def pending_notices(self, limit: int, *, now: datetime) -> Sequence[Pending]: ...

    def notice_sent(self, notice_id: int, outcome: Literal["sent", "unsure", "failed"], now: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class Told:
    """What one round did, counted in cases. `nobody`: cases whose route names no person, which `failed` includes."""

    sent: int = 0
    unsure: int = 0
    failed: int = 0
    nobody: int = 0


def send_pending(
    outbox: Outbox, sender: Sender, *, public_url: str, clock: Callable[[], datetime], limit: int = 200
) -> Told:
    """Sends what is due, at most `limit` cases, one message for each person. Never raises ConnectorError."""
    by_person: dict[str, list[Pending]] = {}
    for row in outbox.pending_notices(limit, now=clock()):
        by_person.setdefault(row.person.strip().lower(), []).append(row)
    counts = {"sent": 0, "unsure": 0, "failed": 0}
    for person, rows in by_person.items():
        outcome: Literal["sent", "unsure", "failed"] = "failed"
        if person:
            try:
                outcome = sender.send(notice_for(person, rows, public_url))
            except ConnectorError:
                outcome = "failed"
        for row in rows:
            outbox.notice_sent(row.id, outcome, clock())
        counts[outcome] += len(rows)
    return Told(**counts, nobody=len(by_person.get("", [])))


def notice_for(person: str, rows: Sequence[Pending], public_url: str) -> Notice:
    """The neutral notice. Titles are the rules' own; each is one line, whatever the rule file holds."""
    base = public_url.rstrip("/")
    number = len(rows)
    lines = [
        "A case is waiting for you in Mailwarden:"
        if number == 1
        else f"{number} cases are waiting for you in Mailwarden:",
        "",
    ]
    for row in rows[:MAX_LISTED]:
        lines += [f"- {_one_line(row.title)}", f"  {base}/cases/{row.case_id}"]
    if number > MAX_LISTED:
        lines += [f"- and {number - MAX_LISTED} more:", f"  {base}/cases?state=new"]
    lines += [
        "",
        "Please sign in to see what it is about and to decide. For privacy, this message says no more than that.",
        "Please do not forward it.",
    ]
    subject = "Mailwarden: 1 case for you" if number == 1 else f"Mailwarden: {number} cases for you"
    return Notice(to=person, subject=subject, text="\n".join(lines) + "\n")


def _one_line(title: str) -> str:
    words = " ".join(title.split())
    return words if len(words) <= MAX_TITLE else words[: MAX_TITLE - 1].rstrip() + "…"
