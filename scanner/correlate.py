"""What only several messages show (D22): a locked file and its password in another message to the same recipient, the same
person written to in such a way again and again, and how a text that goes round went from one to the other.

Messages are met through keyed fingerprints of their addresses and their times; no text is kept. Where a lock and a key may
belong together, the message that may hold the key is judged once more with the locked one beside it; and where a word of it
does open the lock, the locked one is judged once more too, with what lay behind the lock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from scanner.model import SEVERITIES, Finding, PastFact, Severity, SpreadAct, Trail, Verdict, is_heated
from scanner.store import Passing, Seen, SeenRecipient

# A password that comes later than this, or came earlier, is no longer sent with its file.
WINDOW = timedelta(days=14)
# So many locked messages are tried with one message's words, the nearest in time first.
MOST_COMPANIONS = 5
# Language towards the same person counts as one pattern within so long, and from so many messages on.
PATTERN = timedelta(days=90)
REPEATED = 3
# An outbreak is forgotten so long after its last passing; chain letters come back after holidays.
OUTBREAK_KEPT = timedelta(days=180)
# A text in which nobody saw a sign is kept for so long: a copy with a sign may come.
UNSIGNED_KEPT = timedelta(days=7)
# One that was passed on within this time is still growing.
GROWING = timedelta(days=3)

Place = TypeVar("Place")
_HIGHER: dict[Severity, Severity] = {"minor": "moderate", "moderate": "severe", "severe": "severe"}


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


def beside(openers: Iterable[Place], near: Iterable[Place]) -> list[Place]:
    """With which messages a locked one is judged again: those whose words opened it, and then the nearest."""
    return list(dict.fromkeys([*openers, *near]))[:MOST_COMPANIONS]


def better(before: Verdict, after: Verdict) -> bool:
    """Did judging again bring something? A verdict that lost something on the way is not taken, whatever else it found."""
    old, new = (
        [(item.topic, item.owner) for item in verdict.findings if not item.shadow and item.exempted_by is None]
        for verdict in (before, after)
    )
    if not set(old) <= set(new) or after.complete < before.complete:
        return False
    return after.unread_protected < before.unread_protected or len(new) > len(old)


class Trails:
    """The messages of one run over files that have a closed lock or may hold a key, in a temporary SQLite that is gone with
    the process.
    """

    def __init__(self) -> None:
        # An empty name: SQLite keeps it in memory, and in an unnamed file that it has already deleted when it grows.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute(
            "CREATE TABLE trail (sender TEXT, recipient TEXT, sent_at REAL, path TEXT, member TEXT, locks INT, may_hold_key INT)"
        )
        self._database.execute("CREATE INDEX trail_pair ON trail (sender, recipient, sent_at)")

    def close(self) -> None:
        self._database.close()

    def add(self, path: str, member: str, verdict: Verdict) -> None:
        """Remember a message, if it may belong to another one and has a date."""
        trail = verdict.trail
        if trail is None or verdict.sent_at is None:
            return
        moment = verdict.sent_at.timestamp()
        self._database.executemany(
            "INSERT INTO trail VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (trail.sender, recipient, moment, path, member, trail.locks > 0, trail.may_hold_key)
                for recipient in trail.recipients
            ],
        )

    def near(self, path: str, member: str, verdict: Verdict, *, locked: bool) -> list[tuple[str, str]]:
        """Path and member of the messages whose locks a word of this one might open (`locked`), or whose words might open a
        lock of this one; the nearest in time first.
        """
        trail = verdict.trail
        here = met(trail, verdict.sent_at) if trail is not None else None
        if trail is None or here is None:
            return []
        moment, window = here.sent_at.timestamp(), WINDOW.total_seconds()
        found: dict[tuple[str, str], Met] = {}
        for recipient in trail.recipients:
            rows = self._database.execute(
                "SELECT path, member, sent_at FROM trail WHERE sender = ? AND recipient = ? AND sent_at BETWEEN ? AND ?"
                " AND (CASE WHEN ? THEN locks ELSE may_hold_key END)",
                (trail.sender, recipient, moment - window, moment + window, locked),
            )
            for other, other_member, sent_at in rows:
                if (other, other_member) != (path, member):
                    when = datetime.fromtimestamp(sent_at, UTC)
                    found[(other, other_member)] = Met(trail.sender, frozenset({recipient}), when)
        return nearest(here, found.items())


# --- who wrote to whom ----------------------------------------------------------------------------------------------

# Who writes to whom is kept for so long.
TIES_KEPT = timedelta(days=180)
# A sender of whom less is known has no habits yet that a message could break.
KNOWN_SENDER = 20
KNOWN_FOR = timedelta(days=14)
# Somebody writes to the twin by habit.
HABIT = 5
# So many files to private addresses within a month are a mailbox on its way out.
EMPTYING = 25
EMPTYING_WITHIN = timedelta(days=30)
# Of somebody who is about to leave fewer are enough.
EMPTYING_WHEN_LEAVING = 8
SAID: dict[PastFact, str] = {
    "first_time": "the sender never wrote to this recipient before",
    "twin": "the sender usually writes to somebody else of that first name",
    "outside_thread": "the recipient had no part in the conversation so far",
    "known_self": "the address was confirmed before as a private one of our staff",
    "emptying": "many files went to private addresses within a month",
    "unknown_sender": "nobody here wrote to this sender or heard from them before",
}
# A new reader is worth saying where something is found about people.
_WORTH_SAYING = frozenset({"personal_data", "confidential_info", "misdirected_mail"})


def past_of(seen: Seen, *, leaving: bool = False) -> frozenset[PastFact]:
    """What the messages before say of a message, by the counts that the store gives. `leaving`: see `Ties`."""
    facts: set[PastFact] = set()
    settled_in = seen.sent >= KNOWN_SENDER and seen.known_for >= KNOWN_FOR
    for one in seen.recipients:
        new = one.written == 0 and one.heard == 0
        if new and one.outside and settled_in:
            facts.add("first_time")
        if one.written <= 1 and one.heard == 0 and one.twin >= HABIT:
            facts.add("twin")
        if one.outside and seen.in_thread >= 2 and not one.in_thread:
            facts.add("outside_thread")
        if one.confirmed:
            facts.add("known_self")
    if seen.files >= (EMPTYING_WHEN_LEAVING if leaving else EMPTYING):
        facts.add("emptying")
    heard_of = seen.sent or any(one.written or one.heard for one in seen.recipients)
    if not heard_of and seen.readers_known_for >= KNOWN_FOR:
        facts.add("unknown_sender")
    return frozenset(facts)


def facts_of(verdict: Verdict, seen: Seen | None) -> frozenset[PastFact]:
    """What the past says of a message; nothing where nobody can say what came before."""
    if seen is None:
        return frozenset()
    return past_of(seen, leaving=verdict.ties is not None and verdict.ties.leaving)


def unsettled(verdict: Verdict, facts: frozenset[PastFact]) -> tuple[tuple[Finding, tuple[str, ...]], ...]:
    """The findings that go on waiting although the message says all that they ask of it, each with what the past does not show."""
    return tuple(
        (one, tuple(SAID[fact] for fact in one.past if fact not in facts))
        for one in verdict.pending
        if not set(one.past) <= facts
    )


def settled(verdict: Verdict, facts: frozenset[PastFact]) -> Verdict:
    """The verdict with what was waiting for the past: one finding a topic and owner (D5), with the higher of two severities."""
    findings = list(verdict.findings)
    for new in verdict.pending:
        if not set(new.past) <= facts:
            continue
        said = (*new.reasons, *(SAID[fact] for fact in new.past))
        if "emptying" in new.past and verdict.ties is not None and verdict.ties.leaving:
            said += ("the directory says that the sender is about to leave",)
        place = next(
            (
                number
                for number, old in enumerate(findings)
                if (old.topic, old.owner, old.shadow, old.exempted_by)
                == (new.topic, new.owner, new.shadow, new.exempted_by)
            ),
            None,
        )
        if place is None:
            findings.append(replace(new, reasons=said, past=()))
            continue
        old = findings[place]
        higher = max(old.severity, new.severity, key=SEVERITIES.index)
        findings[place] = replace(old, severity=higher, reasons=tuple(dict.fromkeys((*old.reasons, *said)))[:20])
    for number, old in enumerate(findings):
        if old.topic in _WORTH_SAYING:
            said = tuple(SAID[fact] for fact in ("first_time", "outside_thread") if fact in facts)
            findings[number] = replace(old, reasons=tuple(dict.fromkeys((*old.reasons, *said)))[:20])
    return replace(verdict, findings=tuple(findings), pending=())


class Habits:
    """Who wrote to whom in one run over files, in a temporary SQLite that is gone with the process."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("CREATE TABLE tie (sender TEXT, address TEXT, day INTEGER)")
        self._database.execute("CREATE INDEX tie_pair ON tie (sender, address, day)")
        self._database.execute("CREATE TABLE sent (sender TEXT, day INTEGER, files INTEGER)")
        self._database.execute("CREATE INDEX sent_by ON sent (sender, day)")
        self._database.execute("CREATE TABLE met (content TEXT PRIMARY KEY)")
        self._database.execute("CREATE TABLE thread (thread TEXT, address TEXT, day INTEGER)")
        self._database.execute("CREATE INDEX thread_of ON thread (thread, day)")

    def close(self) -> None:
        self._database.close()

    def add(self, verdict: Verdict) -> None:
        ties = verdict.ties
        if ties is None or verdict.sent_at is None:
            return
        new = self._database.execute("INSERT OR IGNORE INTO met VALUES (?)", (verdict.content_hash,)).rowcount
        if verdict.content_hash and not new:
            return  # a copy of one that was counted
        day = verdict.sent_at.astimezone(UTC).toordinal()
        self._database.execute("INSERT INTO sent VALUES (?, ?, ?)", (ties.sender, day, ties.files))
        self._database.executemany(
            "INSERT INTO tie VALUES (?, ?, ?)", [(ties.sender, one.address, day) for one in ties.to]
        )
        if ties.thread:
            parties = {ties.sender, *(one.address for one in ties.to)}
            self._database.executemany(
                "INSERT INTO thread VALUES (?, ?, ?)", [(ties.thread, one, day) for one in parties]
            )

    def seen(self, verdict: Verdict) -> Seen | None:
        """What came before the day of the message, as the store counts it; None for one without a date or a sender."""
        ties = verdict.ties
        if ties is None or verdict.sent_at is None:
            return None
        now = verdict.sent_at.astimezone(UTC).toordinal()

        def count(sender: str, address: str) -> int:
            query = "SELECT count(*) FROM tie WHERE sender = ? AND address = ? AND day < ?"
            return int(self._database.execute(query, (sender, address, now)).fetchone()[0])

        query = "SELECT count(*), min(day) FROM sent WHERE sender = ? AND day < ?"
        sent, first = self._database.execute(query, (ties.sender, now)).fetchone()
        query = "SELECT total(files) FROM sent WHERE sender = ? AND day BETWEEN ? AND ?"
        since = now - EMPTYING_WITHIN.days
        files = int(self._database.execute(query, (ties.sender, since, now - 1)).fetchone()[0])
        query = "SELECT DISTINCT address FROM thread WHERE thread = ? AND day < ?"
        parties = {row[0] for row in self._database.execute(query, (ties.thread, now))} if ties.thread else set()
        recipients = tuple(
            SeenRecipient(
                outside=one.outside,
                written=count(ties.sender, one.address),
                heard=count(one.address, ties.sender),
                twin=max((count(ties.sender, other) for other in one.twins), default=0),
                in_thread=one.address in parties,
                confirmed=False,  # nobody decides on a scan of files
            )
            for one in ties.to
        )
        query = "SELECT min(day) FROM sent WHERE sender = ? AND day < ?"
        first_days = [self._database.execute(query, (one.address, now)).fetchone()[0] for one in ties.to]
        read_since = min((each for each in first_days if each is not None), default=now)
        return Seen(
            sent,
            timedelta(days=now - first) if sent else timedelta(0),
            files,
            len(parties),
            recipients,
            timedelta(days=now - read_since),
        )


# --- the same person again and again --------------------------------------------------------------------------------


def with_pattern(verdict: Verdict, others: int) -> Verdict:
    """The verdict on a heated message beside which `others` by the same sender to one of the same people were seen within
    PATTERN: what is repeated weighs more, and the reason stands on the finding. Nothing weighs less for being the only one: the
    others may not have been read yet.
    """
    if verdict.trail is None or not verdict.trail.heated or others + 1 < REPEATED:
        return verdict
    why = f"{others + 1} messages of this kind by the same sender to the same person within {PATTERN.days} days"
    findings = (
        replace(finding, severity=_HIGHER[finding.severity], reasons=(*finding.reasons, why))
        if is_heated(finding)
        else finding
        for finding in verdict.findings
    )
    return replace(verdict, findings=tuple(findings))


class Heated:
    """The heated messages of one run over files: keyed fingerprints and times, kept in memory."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, str], list[tuple[datetime, str]]] = {}

    def add(self, verdict: Verdict) -> None:
        trail = verdict.trail
        if trail is not None and trail.heated and verdict.sent_at is not None:
            for recipient in trail.recipients:
                self._sent.setdefault((trail.sender, recipient), []).append((verdict.sent_at, verdict.content_hash))

    def before(self, verdict: Verdict) -> int:
        """How many other such messages of the sender one of the same recipients got within PATTERN before this one."""
        trail, at = verdict.trail, verdict.sent_at
        if trail is None or at is None:
            return 0
        return max(
            (
                len({copy for sent, copy in self._sent.get((trail.sender, one), ()) if at - PATTERN <= sent < at})
                for one in trail.recipients
            ),
            default=0,
        )


# --- a text that goes round -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Walker:
    """Somebody an outbreak came by. `hop`: how many passings from where it was first seen here.

    `part`: `started`, `passed on`, `replied`, or `only received`, which is no fault.
    """

    address: str
    outside: bool
    hop: int
    part: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """One passing from one to another."""

    sender: str
    recipient: str
    at: datetime
    act: SpreadAct
    leaves: bool


@dataclass(frozen=True, slots=True)
class Outbreak:
    """How a text went round, as far as the mailboxes in scope show it.

    `first` is the first sender seen here; `hops` the longest way from there; `depth` the most mails that a copy says it came
    through; `leaving` the steps out of the organisation; `growing`: passed on within the last three days;
    `unsigned`: further copies in which no sign was seen, and whose senders are for nobody to judge.
    """

    first: str
    first_at: datetime
    last_at: datetime
    walkers: tuple[Walker, ...]
    steps: tuple[Step, ...]
    hops: int
    depth: int
    leaving: int
    growing: bool
    unsigned: int = 0


_PARTS: dict[SpreadAct, str] = {"started": "started", "passed": "passed on", "replied": "replied"}


def trace(passings: Sequence[Passing], now: datetime) -> Outbreak | None:
    """The way of an outbreak, None where nobody here passed it on. Passings that no finding speaks of, such as a report to the
    IT department, are no part of it.
    """
    told = [one for one in passings if one.signed]
    taken = sorted((one for one in told if one.accused or one.act == "received"), key=lambda one: one.sent_at)
    if not any(one.accused for one in taken):
        return None
    hop: dict[str, int] = {}
    outside: dict[str, bool] = {}
    seen: dict[str, datetime] = {}
    part: dict[str, str] = {}
    steps: dict[tuple[str, str], Step] = {}
    for one in taken:
        foreign = one.act == "received"
        hop.setdefault(one.sender, 0)
        outside.setdefault(one.sender, foreign)
        seen.setdefault(one.sender, one.sent_at)
        if not foreign:
            did = _PARTS[one.act]
            if did == "started" and hop[one.sender] > 0:
                did = "passed on"  # written anew, and yet it had come to them
            part.setdefault(one.sender, did)
        for recipient, is_outside in one.reached:
            if recipient == one.sender:
                continue
            outside.setdefault(recipient, is_outside)
            seen.setdefault(recipient, one.sent_at)
            hop.setdefault(recipient, hop[one.sender] + 1)
            leaves = is_outside and not foreign
            steps.setdefault((one.sender, recipient), Step(one.sender, recipient, one.sent_at, one.act, leaves))
    walkers = tuple(
        Walker(address, outside[address], hop[address], part.get(address, "only received"), seen[address])
        for address in sorted(hop, key=lambda address: (hop[address], seen[address], address))
    )
    passed = [one for one in taken if one.accused]
    return Outbreak(
        first=taken[0].sender,
        first_at=taken[0].sent_at,
        last_at=passed[-1].sent_at,
        walkers=walkers,
        steps=tuple(steps.values()),
        hops=max(hop.values()),
        depth=max(one.depth for one in taken),
        leaving=sum(step.leaves for step in steps.values()),
        growing=now - passed[-1].sent_at <= GROWING,
        unsigned=len(passings) - len(told),
    )
