"""The running service: rounds over the mailboxes, fresh people, notices, and what the triage page asks of it.

Built by `scanner.app`, which alone knows the connectors; here they are only their ports.
"""

from __future__ import annotations

import calendar
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event
from typing import Protocol

from scanner import notify
from scanner.errors import ConnectorError
from scanner.governance import Leave, leave, may_read
from scanner.keys import RootKey
from scanner.model import People, PersonRole, Problem, Severity, Verdict
from scanner.pipeline import Pipeline, Tally
from scanner.policy import Policy
from scanner.ports import ItemRef, Sender, Source
from scanner.store import Appearance, Committed, RunCounts, Store
from scanner.web import RevealResult, WebServices
from scanner.work import WorkerPool

log = logging.getLogger("mailwarden.service")
# A mailbox that was out of reach is tried again after this time: scopes and licences change without telling us.
RETEST_AFTER = timedelta(days=1)


class Directory(Protocol):
    """Where the people come from."""

    def load(self) -> People: ...

    def mailbox_ids(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class Service:
    """One tenant's scanning. `wanted` says which mailboxes are in scope; `stop` ends after the page in hand.

    `look_back`: mail older than this is left out of a folder's first round, and counted as left out; zero takes all.
    `keep_clean`: how long facts about clean messages are kept (D10).
    """

    store: Store
    key: RootKey
    source: Source
    directory: Directory
    pool: WorkerPool
    policy: Policy
    sender: Sender | None
    public_url: str
    clock: Callable[[], datetime]
    wanted: Callable[[str], bool] = lambda address: True
    look_back: timedelta = timedelta(0)
    keep_clean: timedelta = timedelta(days=14)
    stop: Event = field(default_factory=Event)
    sealed_folders: frozenset[str] = frozenset()
    on_result: Callable[[Committed], None] | None = None

    def refresh_people(self) -> People:
        """Read the directory and hand the snapshot to the workers. Raises ConnectorError; the old one then stays."""
        people = self.directory.load()
        if people.version != self.store.people_version():
            self.store.save_people(people, key=self.key.subkey("contacts"), now=self.clock())
        self.pool.new_people(people)
        return people

    def remember_people(self) -> bool:
        """Hand the last saved snapshot to the workers; False where there is none yet."""
        people = self.store.load_people(key=self.key.subkey("contacts"))
        if people is not None:
            self.pool.new_people(people)
        return people is not None

    def round(self, progress: Callable[[Tally], None] | None = None) -> Tally:
        """One pass over every mailbox in scope, then the notices. Its counts are kept, whatever happens."""
        started = self.store.start_run(self.clock())
        tally = Tally()
        error = ""
        try:
            pipeline = Pipeline(
                self.source, self.pool, self.store, self.clock, self.stop, self.look_back, self.on_result,
                permit=self.permit, weigh=self.weigh, sealed_folders=self.sealed_folders,
            )  # fmt: skip
            mailboxes = self._mailboxes()
            tally = pipeline.round(mailboxes, progress)
            for parked in self.store.parked():
                if parked.mailbox in mailboxes and parked.mailbox not in tally.parked:
                    self.store.unpark_mailbox(parked.mailbox)
            self.tell()
        except ConnectorError as failure:
            error = f"the tenant could not be reached (status {failure.status}, {failure.code or 'no code'})"
            raise
        finally:
            counts = RunCounts(
                mailboxes=tally.mailboxes,
                messages=tally.messages,
                new_cases=tally.new_cases,
                problems=tally.incomplete,
                failures=len(tally.parked) + len(tally.unfinished) + len(tally.refused),
            )
            if tally.refused and not error:
                error = f"{len(tally.refused)} mailboxes were not read: the policy in force asks for an authorisation that lives"
            self.store.finish_run(started, counts=counts, now=self.clock(), error=error)
        log.info(
            "round mailboxes=%d messages=%d unchanged=%d new_cases=%d incomplete=%d parked=%d unfinished=%d",
            tally.mailboxes, tally.messages, tally.unchanged, tally.new_cases, tally.incomplete, len(tally.parked),
            len(tally.unfinished),
        )  # fmt: skip
        return tally

    def permit(self, mailbox: str) -> Leave:
        """What the policy and the authorisations on record allow for a mailbox at this moment."""
        return leave(self.policy, self.store.authorisations(), mailbox, self.clock())

    def weigh(self, verdict: Verdict, same_page: Sequence[Verdict]) -> Verdict:
        """The policy's patterns and repeats: what one message alone does not show. `same_page` is not stored yet."""
        if not verdict.sender or not (self.policy.patterns or self.policy.repeats):
            return verdict
        sent = verdict.sent_at or self.clock()

        def confirmed(severity: Severity, months: int) -> int:
            since = months_before(sent, months) if months else None
            return self.store.confirmed(verdict.sender, severity, since)

        findings = []
        for finding in verdict.findings:
            pattern = self.policy.patterns.get(finding.topic)
            if pattern is not None:
                since = sent - timedelta(days=pattern.days)
                before = self.store.found_before(verdict.sender, finding.topic, since)
                before += sum(
                    item.sender == verdict.sender and any(each.topic == finding.topic for each in item.findings)
                    for item in same_page
                )
                if before + 1 >= pattern.times:
                    reason = f"the message is number {before + 1} of its kind within {pattern.days} days"
                    finding = replace(finding, shadow=False, reasons=(*finding.reasons, reason))
            if not finding.shadow and finding.exempted_by is None:
                severity, why = self.policy.after_repeat(finding.severity, confirmed)
                if why:
                    finding = replace(finding, severity=severity, reasons=(*finding.reasons, why))
            findings.append(finding)
        return replace(verdict, findings=tuple(findings))

    def _roles(self) -> Mapping[str, PersonRole]:
        people = self.store.load_people(key=self.key.subkey("contacts"))
        return {} if people is None else {person.email.lower(): person.role for person in people.people}

    def _mailboxes(self) -> list[str]:
        """Those in scope, without the ones that were out of reach within the last day."""
        resting = {item.mailbox for item in self.store.parked() if self.clock() - item.since < RETEST_AFTER}
        roles = self._roles()
        return sorted(
            address
            for address in self.directory.mailbox_ids()
            if self.wanted(address)
            and address not in resting
            and roles.get(address.lower(), self.policy.covers[0]) in self.policy.covers
        )

    def clear(self) -> None:
        """Forget the facts of clean messages, and the cases, whose time is over."""
        now = self.clock()
        log.info("facts of %d clean messages forgotten", self.store.forget_clean(now - self.keep_clean))
        before = {severity: months_before(now, months) for severity, months in self.policy.retention.items()}
        log.info("%d cases forgotten", self.store.forget_cases(before))

    def tell(self) -> None:
        """Send what waits to be sent, each notice once."""
        if self.sender is not None and not self.policy.holds_notices(self.clock()):
            told = notify.send_pending(self.store, self.sender, public_url=self.public_url, clock=self.clock)
            log.info("notices sent=%d unsure=%d failed=%d", told.sent, told.unsure, told.failed)

    def reveal(self, appearance: Appearance) -> RevealResult:
        """Fetch a message again and have a worker read it, for one pair of eyes. Nothing of it is kept."""
        ref = ItemRef(appearance.mailbox, appearance.folder, appearance.provider_id, appearance.internet_id)
        fetched = self.source.fetch(ref)
        with self.pool.worker() as worker:
            shown = worker.reveal(fetched)
        given = may_read(self.policy, self.store.authorisations(), appearance.mailbox, shown.private, self.clock())
        if given.nothing:
            withheld = Problem("document", "reveal", "skipped", "none", given.because)
            return RevealResult(shown.headings[:0], (), (withheld,), frozenset(shown.parties))
        return RevealResult(shown.headings, shown.parts, shown.problems, frozenset(shown.parties))

    def web_services(self) -> WebServices:
        return WebServices(
            store=self.store,
            clock=self.clock,
            session_key=self.key.subkey("web"),
            public_url=self.public_url,
            reveal=self.reveal,
            policy_title=self.policy.title,
            clauses=self.policy.wording(),
            may_reveal=frozenset(self.policy.may_reveal),
            must_pursue=self.policy.words["pursue"] == "must",
        )


def months_before(moment: datetime, months: int) -> datetime:
    """The same day so many months earlier, or the last day of that month where it has none such."""
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
