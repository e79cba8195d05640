"""What goes into the store and what comes out of it: frozen rows, all times UTC, no text of a message in any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from scanner.errors import MailwardenError
from scanner.model import (
    CaseState,
    Direction,
    Finding,
    Problem,
    ProblemKind,
    ReadState,
    Route,
    Severity,
    SpreadAct,
    Verdict,
)

Action = Literal["confirm", "false_alarm", "note", "reopen", "close"]
Outcome = Literal["sent", "unsure", "failed"]
AccountRole = Literal["dpo", "manager", "admin"]
Order = Literal["newest", "severest"]


class StoreError(MailwardenError):
    """The database cannot be opened, or holds a schema that this version does not know."""


class DecisionRefused(MailwardenError):
    """A case cannot take this step: it does not exist, or stands where the step does not lead on."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A stored message that may belong together with another one (D22)."""

    provider_id: str
    folder: str
    internet_id: str
    recipient: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class SeenRecipient:
    """What came before between a sender and one recipient: messages to them, from them, and to the one of their first name who
    gets most; whether they had part in the conversation, and whether a reviewer confirmed the address as private to our staff.
    """

    outside: bool
    written: int
    heard: int
    twin: int
    in_thread: bool
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What came before a message: how many the sender wrote and since when, the files that went to private addresses within a
    month, how many people the conversation has, and since when mail of one of the recipients is known.
    """

    sent: int
    known_for: timedelta
    files: int
    in_thread: int
    recipients: tuple[SeenRecipient, ...]
    readers_known_for: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Passing:
    """A message with a text that goes round: who sent it to whom (keyed fingerprints, True: outside), and how.

    `accused`: a finding says that the sender took part. `signed`: a sign was seen in this copy, and not only in others.
    """

    sender: str
    reached: tuple[tuple[str, bool], ...]
    sent_at: datetime
    act: SpreadAct
    depth: int
    accused: bool
    signed: bool = True


@dataclass(frozen=True, slots=True)
class Committed:
    """One message with its verdict, on its way into the store. `again`: its bytes are known, and yet it says more now."""

    provider_id: str
    internet_id: str
    mailbox: str
    folder: str
    verdict: Verdict
    again: bool = False


@dataclass(frozen=True, slots=True)
class Audience:
    """Whose cases a list may show; a case is shown where one of the three fits.

    `persons`: routed to one of these addresses. `roles`: routed to one of these roles, unless nobody could be named
    for it, which happens when its holder is a party to the mail. `topics`: about one of these, unless the route passed
    somebody over, because the one passed over may be the reader (Never 5).
    """

    persons: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One line of the list. `title`, `rule`, `why` and `confidence` are those of the severest finding."""

    id: int
    topic: str
    category: str
    severity: Severity
    confidence: float
    title: str
    rule: str
    why: str
    labels: tuple[str, ...]
    subjects: int
    state: CaseState
    route: Route
    direction: Direction
    sent_at: datetime | None
    opened: datetime
    changed: datetime


@dataclass(frozen=True, slots=True)
class Appearance:
    """A place where the mail of a case lies: what `Source.fetch` needs to bring it again."""

    source: str
    mailbox: str
    folder: str
    provider_id: str
    internet_id: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """One step in the history of a case. `action` is an `Action`, or `reveal`."""

    id: int
    at: datetime
    actor: str
    action: str
    note: str


@dataclass(frozen=True, slots=True)
class CaseDetail:
    """A whole case. `findings` are severest first and carry route, evidence, reasons, clauses and advice.

    `problems` are those of the message, the same in every copy; `complete` and `unread_protected` are the message's.
    """

    case: CaseRow
    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    complete: bool
    unread_protected: int
    appearances: tuple[Appearance, ...]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class CaseCounts:
    """`by_state` counts every case; the other three only those that wait for somebody (new or open)."""

    by_state: Mapping[CaseState, int]
    by_severity: Mapping[Severity, int]
    by_topic: Mapping[str, int]
    by_role: Mapping[str, int]

    @property
    def waiting(self) -> int:
        return self.by_state.get("new", 0) + self.by_state.get("open", 0)

    @property
    def total(self) -> int:
        return sum(self.by_state.values())


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """One line of the page "could not scan"."""

    id: int
    source: str
    mailbox: str
    folder: str
    provider_id: str
    part: str
    stage: str
    kind: ProblemKind
    read: ReadState
    detail: str
    seen_at: datetime


# In the coverage ledger, before the reason why messages were not judged.
LEFT_ALONE = "not judged: "


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """Messages of one mailbox on the day they were first scanned (UTC); `seen` is the sum of the other five.

    `locked`: everything was read but locked parts. `partly`: something else was not read. `not_read`: nothing was.
    `not_judged`: left alone by decision, or judged for some topics alone; the policy does not bind the sender, say.
    `why`: how many of the messages had a problem of each kind; under LEFT_ALONE and a reason, how many were not judged for it.
    """

    mailbox: str
    day: date
    seen: int
    read: int
    partly: int
    locked: int
    not_read: int
    why: Mapping[str, int]
    not_judged: int = 0


@dataclass(frozen=True, slots=True)
class Parked:
    """A mailbox that is not being scanned, and why."""

    mailbox: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A notice that this process now has to send, one for each new case. `title` is the rule's."""

    id: int
    case_id: int
    role: str
    person: str
    title: str
    severity: Severity
    attempts: int


@dataclass(frozen=True, slots=True)
class Account:
    """A local account. It is locked while `locked_until` lies in the future."""

    name: str
    password_hash: str = field(repr=False)
    totp_secret: str | None = field(repr=False)
    roles: frozenset[AccountRole]
    email: str
    failed_attempts: int = 0
    locked_until: datetime | None = None
    last_sign_in: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunCounts:
    """What one round did."""

    mailboxes: int = 0
    messages: int = 0
    new_cases: int = 0
    problems: int = 0
    failures: int = 0
    unchanged: int = 0
    not_judged: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One round. `finished` is None while it runs, or where it was killed."""

    id: int
    started: datetime
    finished: datetime | None
    counts: RunCounts
    error: str
