"""The store: facts about messages, findings, cases and what people did with them, on SQLite or PostgreSQL.

`Store` is the only door. Each method is one transaction; the SQL lies in one module a noun beside this file.
Nothing here ever holds the text of a message, its subject or a found value (D10).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from scanner import audit
from scanner.audit import AuditEntry, AuditFault
from scanner.model import Authorisation, CaseState, Cursor, People, ProblemKind, Severity, Ties, Trail, Versions
from scanner.store import (
    accounts,
    authorisations,
    cases,
    claims,
    database,
    habits,
    history,
    messages,
    notices,
    outbreaks,
    people,
    runs,
    trails,
)
from scanner.store.cases import WAITING
from scanner.store.history import PastFinding, PastMessage, Said
from scanner.store.rows import (
    Account,
    AccountRole,
    Action,
    Appearance,
    Audience,
    CaseCounts,
    CaseDetail,
    CaseRow,
    Committed,
    CoverageRow,
    Decision,
    DecisionRefused,
    Linked,
    NoticeRow,
    Order,
    Outcome,
    Parked,
    Passing,
    ProblemRow,
    Run,
    RunCounts,
    Seen,
    SeenRecipient,
    StoreError,
)

__all__ = [
    "WAITING",
    "Account",
    "AccountRole",
    "Action",
    "Appearance",
    "Audience",
    "AuditEntry",
    "AuditFault",
    "CaseCounts",
    "CaseDetail",
    "CaseRow",
    "Committed",
    "CoverageRow",
    "Decision",
    "DecisionRefused",
    "Linked",
    "NoticeRow",
    "Order",
    "Outcome",
    "Parked",
    "Passing",
    "PastFinding",
    "PastMessage",
    "ProblemRow",
    "Run",
    "RunCounts",
    "Said",
    "Seen",
    "SeenRecipient",
    "Store",
    "StoreError",
]


@dataclass(frozen=True, slots=True)
class Store:
    """One database. Safe to share between threads, and between processes that each open their own.

    Every `now` must carry a time zone. Open one with `Store.open`.
    """

    reading: sa.Engine
    writing: sa.Engine
    audit_key: bytes = field(repr=False)

    @classmethod
    def open(cls, url: str, audit_key: bytes = b"") -> Store:
        """Opens `sqlite:///path` or `postgresql+psycopg://…` and brings its schema up to date.

        `audit_key` seals the audit chain: the "audit" subkey of the root key. Without one the chain shows a change
        only to somebody who noted its end. Raises StoreError for a database that cannot be opened, or whose schema is
        newer than this version knows.
        """
        reading, writing = database.connect(url)
        return cls(reading, writing, audit_key)

    def close(self) -> None:
        self.reading.dispose()

    # --- the pipeline's side ------------------------------------------------------------------------------------

    def cursor(self, source: str, mailbox: str, folder: str) -> Cursor | None:
        with self.reading.begin() as connection:
            return messages.cursor(connection, source, mailbox, folder)

    def drop_cursor(self, source: str, mailbox: str, folder: str) -> None:
        """The next round reads the folder from its beginning; what is already stored is not doubled."""
        with self.writing.begin() as connection:
            messages.drop_cursor(connection, source, mailbox, folder)

    def seen(self, source: str, mailbox: str, provider_ids: Collection[str], versions: Versions) -> set[str]:
        """Those of the ids that were committed with these versions of rules, policy and detectors."""
        with self.reading.begin() as connection:
            return messages.seen(connection, source, mailbox, provider_ids, versions)

    def commit_page(
        self, *, source: str, mailbox: str, folder: str, token: str, results: Sequence[Committed], now: datetime
    ) -> list[int]:
        """Messages, facts, findings, problems, cases, notices, coverage and the cursor of one page in one transaction.

        A repeated page or finding changes nothing (D15, Never 3). A finding whose key is known becomes a further
        appearance of the same case. Exempted and shadow findings are kept and open no case. A new finding that falls
        into a case judged a false alarm or closed reopens it. Returns the ids of new cases.
        """
        with self.writing.begin() as connection:
            return messages.commit_page(
                connection,
                source=source,
                mailbox=mailbox,
                folder=folder,
                token=token,
                results=results,
                now=now,
                audit_key=self.audit_key,
            )

    def linked(
        self, source: str, mailbox: str, trail: Trail, sent_at: datetime, window: timedelta, *, locked: bool
    ) -> list[Linked]:
        """Messages of a mailbox by the same sender to one of the same recipients within the window: those with a lock
        that stayed closed, or those with what may be a key (D22).
        """
        with self.reading.begin() as connection:
            return trails.near(connection, source, mailbox, trail, sent_at, window, locked=locked)

    def trail(self, source: str, mailbox: str, provider_id: str) -> tuple[Trail, datetime] | None:
        """What links a message with others, and when it was sent; None where nothing does, or does no more."""
        with self.reading.begin() as connection:
            return trails.of_message(connection, source, mailbox, provider_id)

    def was_complete(self, source: str, mailbox: str, provider_id: str) -> bool:
        """Whether a message is stored and was read as a whole."""
        with self.reading.begin() as connection:
            return messages.was_complete(connection, source, mailbox, provider_id)

    def heated(self, trail: Trail, since: datetime, sent_at: datetime) -> dict[str, set[str]]:
        """For each recipient of the trail the content hashes of its sender's heated messages in that time (D22)."""
        with self.reading.begin() as connection:
            return trails.heated(connection, trail, since, sent_at)

    def forget_trails(self, before: datetime, heated_before: datetime) -> None:
        """Drops what links messages that were sent before that time; heated ones are kept until `heated_before`."""
        with self.writing.begin() as connection:
            trails.forget(connection, before, heated_before)

    def before(self, ties: Ties, sent_at: datetime, files_within: timedelta) -> Seen:
        """What the messages before say of a sender, their recipients and the conversation (D22)."""
        with self.reading.begin() as connection:
            return habits.before(connection, ties, sent_at, files_within)

    def forget_habits(self, last_day: date) -> None:
        """Drops who wrote to whom before that day."""
        with self.writing.begin() as connection:
            habits.forget(connection, last_day)

    def outbreak(self, case_id: int) -> list[Passing]:
        """How the text of a case went round, oldest passing first; empty where it is no such case."""
        with self.reading.begin() as connection:
            return outbreaks.of_case(connection, case_id)

    def forget_outbreaks(self, before: datetime, unsigned_before: datetime) -> None:
        """Drops what is known of outbreaks whose last passing was sent before the first time, and of texts that were handed on
        and never showed a sign, before the second.
        """
        with self.writing.begin() as connection:
            outbreaks.forget(connection, before, unsigned_before)

    def forget_clean(self, before: datetime) -> int:
        """Drops the facts of messages without a finding that were committed before that time; returns how many rows.

        Ids, problems and coverage stay, so that the message is not scanned again and the ledger stays true (D10).
        """
        with self.writing.begin() as connection:
            return messages.forget_clean(connection, before)

    def coverage(self, since: date) -> list[CoverageRow]:
        """The ledger from that day on, newest day first, mailboxes in order (Never 2)."""
        with self.reading.begin() as connection:
            return messages.coverage(connection, since)

    def problems(
        self,
        *,
        kind: ProblemKind | None = None,
        mailbox: str | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> list[ProblemRow]:
        """What could not be read, newest first; `after` is the last id of the page before.

        Without a kind all but `skipped`, which is a choice and not a failure.
        """
        with self.reading.begin() as connection:
            return messages.problems(connection, kind=kind, mailbox=mailbox, after=after, limit=limit)

    def problem_counts(self) -> dict[ProblemKind, int]:
        """Problems by kind, `skipped` among them."""
        with self.reading.begin() as connection:
            return messages.problem_counts(connection)

    def messages_with_problems(self) -> int:
        """Messages that were not read, or not to their end, or hold locked parts: the count that is always in sight."""
        with self.reading.begin() as connection:
            return messages.with_problems(connection)

    def messages_not_judged(self) -> int:
        """Messages that were left alone by the policy's or somebody's decision, or judged for some topics alone."""
        with self.reading.begin() as connection:
            return messages.not_judged(connection)

    def claim(self, source: str, mailbox: str, owner: str, *, now: datetime, lasts: timedelta) -> bool:
        """Takes a mailbox for one process, or prolongs its own claim; False while another's has not run out."""
        with self.writing.begin() as connection:
            return claims.claim(connection, source, mailbox, owner, now, lasts)

    def release(self, source: str, mailbox: str, owner: str) -> None:
        """Gives a mailbox back. Another process's claim is left alone."""
        with self.writing.begin() as connection:
            claims.release(connection, source, mailbox, owner)

    def park_mailbox(self, mailbox: str, reason: str, now: datetime) -> None:
        """Sets a mailbox aside, visibly; a mailbox that is already parked keeps the time since when."""
        with self.writing.begin() as connection:
            claims.park(connection, mailbox, reason, now)

    def unpark_mailbox(self, mailbox: str) -> None:
        with self.writing.begin() as connection:
            claims.unpark(connection, mailbox)

    def parked(self) -> list[Parked]:
        with self.reading.begin() as connection:
            return claims.parked(connection)

    # --- notices ------------------------------------------------------------------------------------------------

    def pending_notices(self, limit: int, *, now: datetime) -> list[NoticeRow]:
        """Takes up to `limit` notices that are due; no other process gets the same ones. Oldest first.

        Report each with `notice_sent`. One that was taken and not reported within ten minutes counts as `unsure`.
        """
        with self.writing.begin() as connection:
            return notices.take(connection, limit, now)

    def notice_sent(self, notice_id: int, outcome: Outcome, now: datetime) -> None:
        """`sent` and `unsure` are never repeated; `failed` is tried again later, three times in all."""
        with self.writing.begin() as connection:
            notices.report(connection, notice_id, outcome, now)

    def notice_counts(self) -> dict[str, int]:
        """Notices by state: pending, sending, sent, unsure, failed."""
        with self.reading.begin() as connection:
            return notices.counts(connection)

    # --- trying rules ---------------------------------------------------------------------------------------------

    @contextmanager
    def past(self, since: datetime | None = None, *, judged_only: bool = False) -> Iterator[Iterator[PastMessage]]:
        """Stored messages with facts, findings and the reviewers' verdicts, oldest first, while the context lasts."""
        with self.reading.begin() as connection:
            yield history.past(connection, since, judged_only)

    def said_of(self, keys: Collection[str]) -> dict[str, tuple[int, Said]]:
        """For the findings of these keys that have a case: its number, and the reviewers' last word on it."""
        with self.reading.begin() as connection:
            return history.said_of(connection, keys)

    def excused_counts(self) -> dict[str, int]:
        """How many findings each exception, or the policy, excuses."""
        with self.reading.begin() as connection:
            return history.excused_counts(connection)

    def rule_counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """By rule: how many cases it leads, and how many findings it made in shadow."""
        with self.reading.begin() as connection:
            return history.cases_of_rule(connection), history.shadow_counts(connection)

    # --- triage -------------------------------------------------------------------------------------------------

    def cases(
        self,
        *,
        route_role: str | None = None,
        person: str | None = None,
        state: CaseState | None = None,
        topic: str | None = None,
        severity: Severity | None = None,
        audience: Audience | None = None,
        order: Order = "newest",
        after: int | None = None,
        limit: int = 50,
    ) -> list[CaseRow]:
        """One page of the list. `after` is the last case id of the page before, `audience` None shows every case."""
        with self.reading.begin() as connection:
            return cases.page(
                connection,
                route_role=route_role,
                person=person,
                state=state,
                topic=topic,
                severity=severity,
                audience=audience,
                order=order,
                after=after,
                limit=limit,
            )

    def case_places(self, case_ids: Sequence[int]) -> dict[int, tuple[str, int]]:
        """Where the message of each case was seen first, and in how many mailboxes it lies; cases whose mail is forgotten are
        left out.
        """
        with self.reading.begin() as connection:
            return cases.places(connection, case_ids)

    def case_counts(self, audience: Audience | None = None) -> CaseCounts:
        with self.reading.begin() as connection:
            return cases.counts(connection, audience)

    def case(self, case_id: int, audience: Audience | None = None) -> CaseDetail | None:
        """The whole case; None where there is none of that id, or where it is not for that audience."""
        with self.reading.begin() as connection:
            return cases.detail(connection, case_id, audience)

    def decide(self, case_id: int, *, actor: str, action: Action, note: str, now: datetime) -> CaseState:
        """Takes a step and records it in history and audit; returns the state it led to.

        new or open → confirm or false_alarm; these two → close; these three → reopen. A note may be added in every
        state and makes a new case open. Raises DecisionRefused where the step does not lead on from the state that the
        case has by then, so that the second of two reviewers learns of the first.
        """
        with self.writing.begin() as connection:
            return cases.decide(
                connection, case_id, actor=actor, action=action, note=note, now=now, audit_key=self.audit_key
            )

    def excuse_case(self, case_id: int, *, by: Mapping[str, str], actor: str, note: str, now: datetime) -> None:
        """An exception reaches a case that waits: its findings, by key, say which excuses them; audited.

        Raises DecisionRefused where somebody has decided the case meanwhile, or it holds other findings than these.
        """
        with self.writing.begin() as connection:
            cases.excuse(connection, case_id, by=by, actor=actor, note=note, now=now, audit_key=self.audit_key)

    def record_reveal(self, case_id: int, *, actor: str, reason: str, now: datetime) -> None:
        """Writes down that somebody is about to read the message; call it before the text is fetched (D19).

        Raises DecisionRefused where there is no such case or no reason.
        """
        with self.writing.begin() as connection:
            cases.record_reveal(connection, case_id, actor=actor, reason=reason, now=now, audit_key=self.audit_key)

    # --- authorisations -----------------------------------------------------------------------------------------

    def authorise(self, given: Authorisation) -> int:
        """Records leave to look and audits it; returns its number, whatever number it came with."""
        with self.writing.begin() as connection:
            number = authorisations.add(connection, given)
            audit.record(
                connection,
                key=self.audit_key,
                actor=given.recorded_by,
                action=f"{given.kind} authorised",
                object=f"authorisation/{number}",
                reason=f"approved by {given.approver} ({given.approver_role}): {given.purpose}"[: audit.MAX_TEXT],
                now=given.recorded_at,
            )
            return number

    def authorisations(self) -> list[Authorisation]:
        """All there ever were, oldest first."""
        with self.reading.begin() as connection:
            return authorisations.every(connection)

    def end_authorisation(self, number: int, *, actor: str, reason: str, now: datetime) -> None:
        """Ends one at once; audited. Raises StoreError where none of that number runs."""
        with self.writing.begin() as connection:
            authorisations.end(connection, number, now)
            self._authorisation_act(connection, "authorisation ended", number, actor, reason, now)

    def review_authorisation(self, number: int, *, until: date, actor: str, reason: str, now: datetime) -> None:
        """Sets the next review of one that runs; audited. Raises StoreError where none of that number runs."""
        with self.writing.begin() as connection:
            authorisations.review(connection, number, until)
            self._authorisation_act(connection, f"authorisation reviewed until {until}", number, actor, reason, now)

    def _authorisation_act(
        self, connection: sa.Connection, action: str, number: int, actor: str, reason: str, now: datetime
    ) -> None:
        audit.record(
            connection,
            key=self.audit_key,
            actor=actor,
            action=action,
            object=f"authorisation/{number}",
            reason=reason,
            now=now,
        )

    # --- what came before ---------------------------------------------------------------------------------------

    def confirmed(self, sender: str, severity: Severity, since: datetime | None) -> int:
        """Confirmed cases of that grade about mail of that sender (a fingerprint), sent since then."""
        with self.reading.begin() as connection:
            return cases.confirmed(connection, sender, severity, since)

    def found_before(self, sender: str, topic: str, since: datetime) -> int:
        """Messages of that sender, sent since then, with a finding of that topic, those in shadow among them."""
        with self.reading.begin() as connection:
            return cases.found_before(connection, sender, topic, since)

    def forget_cases(self, before: Mapping[Severity, datetime]) -> int:
        """Deletes cases that are done (false alarm, closed) and were last touched before the time of their grade, with their
        findings, decisions and notices; the audit trail stays. Returns how many.
        """
        with self.writing.begin() as connection:
            return cases.forget(connection, before)

    # --- audit --------------------------------------------------------------------------------------------------

    def record(self, *, actor: str, action: str, object: str, reason: str, now: datetime) -> None:  # noqa: A002 the word of the audit trail
        """Any other human act: a sign-in, a changed setting, an export."""
        with self.writing.begin() as connection:
            audit.record(
                connection, key=self.audit_key, actor=actor, action=action, object=object, reason=reason, now=now
            )

    def audit_entries(
        self,
        *,
        object: str | None = None,  # noqa: A002
        after: int | None = None,
        limit: int = 100,
    ) -> list[AuditEntry]:
        """The trail, newest first; `after` is the last id of the page before."""
        with self.reading.begin() as connection:
            return audit.entries(connection, object=object, after=after, limit=limit)

    def verify_audit(self) -> AuditFault | None:
        """None where the chain is whole; else the first place where it is not."""
        with self.reading.begin() as connection:
            return audit.verify(connection, key=self.audit_key)

    # --- accounts for local sign-in -----------------------------------------------------------------------------

    def add_account(
        self,
        name: str,
        *,
        password_hash: str,
        totp_secret: str | None,
        roles: Collection[AccountRole],
        email: str,
        actor: str,
        now: datetime,
    ) -> None:
        """A new local account; audited. Names and addresses are kept in lower case. Raises StoreError where it exists."""
        with self.writing.begin() as connection:
            accounts.add(connection, name, password_hash, totp_secret, roles, email)
            self._account_act(connection, "account added", name, actor, ", ".join(sorted(roles)), now)

    def change_password(self, name: str, *, password_hash: str, actor: str, now: datetime) -> None:
        """A new password, and the lock-out lifted; audited. Raises StoreError where there is no such account."""
        with self.writing.begin() as connection:
            accounts.change_password(connection, name, password_hash)
            self._account_act(connection, "password changed", name, actor, "", now)

    def account(self, name: str) -> Account | None:
        with self.reading.begin() as connection:
            return accounts.find(connection, name)

    def accounts(self) -> list[Account]:
        with self.reading.begin() as connection:
            return accounts.every(connection)

    def sign_in_failed(self, name: str, now: datetime) -> datetime | None:
        """Counts a wrong password; from the fifth in a row on the account is locked. Returns until when, or None."""
        with self.writing.begin() as connection:
            return accounts.failed(connection, name, now)

    def signed_in(self, name: str, now: datetime) -> None:
        """Forgets the failed attempts and records the sign-in in the audit trail."""
        with self.writing.begin() as connection:
            accounts.succeeded(connection, name, now)
            self._account_act(connection, "signed in", name, name, "", now)

    def _account_act(
        self, connection: sa.Connection, action: str, name: str, actor: str, reason: str, now: datetime
    ) -> None:
        audit.record(
            connection,
            key=self.audit_key,
            actor=actor,
            action=action,
            object=f"account/{name.strip().lower()}",
            reason=reason,
            now=now,
        )

    # --- runs and people ----------------------------------------------------------------------------------------

    def start_run(self, now: datetime) -> int:
        with self.writing.begin() as connection:
            return runs.start(connection, now)

    def finish_run(self, run_id: int, *, counts: RunCounts, now: datetime, error: str = "") -> None:
        """Ends a round. `error` is a sentence without content, empty where all went well."""
        with self.writing.begin() as connection:
            runs.finish(connection, run_id, counts, now, error)

    def add_to_run(self, run_id: int, counts: RunCounts) -> None:
        """Adds what one mailbox came to, where several processes share a round."""
        with self.writing.begin() as connection:
            runs.add(connection, run_id, counts)

    def run_counts(self, run_id: int) -> RunCounts:
        """What a round has come to so far."""
        with self.reading.begin() as connection:
            return runs.of(connection, run_id)

    def last_run(self) -> Run | None:
        with self.reading.begin() as connection:
            return runs.last(connection)

    def save_people(self, snapshot: People, *, key: bytes, now: datetime, slot: int = 0) -> None:
        """Keeps the snapshot of who is who, encrypted under the "contacts" subkey (D16), in place of the one before.

        `slot`: the place of the tenant among several.
        """
        with self.writing.begin() as connection:
            people.save(connection, snapshot, key, now, slot)

    def load_people(self, *, key: bytes, slot: int = 0) -> People | None:
        """The snapshot last saved. Raises StoreError where the key is not the one it was saved with."""
        with self.reading.begin() as connection:
            return people.load(connection, key, slot)

    def people_version(self, slot: int = 0) -> str | None:
        """The version of the snapshot last saved, without decrypting it."""
        with self.reading.begin() as connection:
            return people.version(connection, slot)
