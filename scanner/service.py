"""The running service: rounds over the mailboxes, fresh people, notices, and what the triage page asks of it.

Built by `scanner.app`, which alone knows the connectors; here they are only their ports.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Protocol

from scanner import notify
from scanner.errors import ConnectorError
from scanner.inspection import nearness
from scanner.keys import RootKey
from scanner.model import People
from scanner.pipeline import Pipeline, Tally
from scanner.policy import Policy
from scanner.ports import ItemRef, Sender, Source
from scanner.rule_sets import Change
from scanner.rulebook import Rulebook
from scanner.store import Appearance, Committed, RunCounts, Store
from scanner.web import Explained, RevealResult, WebServices
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
    rulebook: Rulebook
    rules_notice: str = ""
    rule_changes: Callable[[], list[Change]] = list
    wanted: Callable[[str], bool] = lambda address: True
    look_back: timedelta = timedelta(0)
    keep_clean: timedelta = timedelta(days=14)
    stop: Event = field(default_factory=Event)
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
                self.source, self.pool, self.store, self.clock, self.stop, self.look_back, self.on_result
            )
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
                failures=len(tally.parked) + len(tally.unfinished),
            )
            self.store.finish_run(started, counts=counts, now=self.clock(), error=error)
        log.info(
            "round mailboxes=%d messages=%d unchanged=%d new_cases=%d incomplete=%d parked=%d unfinished=%d",
            tally.mailboxes, tally.messages, tally.unchanged, tally.new_cases, tally.incomplete, len(tally.parked),
            len(tally.unfinished),
        )  # fmt: skip
        return tally

    def _mailboxes(self) -> list[str]:
        """Those in scope, without the ones that were out of reach within the last day."""
        resting = {item.mailbox for item in self.store.parked() if self.clock() - item.since < RETEST_AFTER}
        found = [address for address in self.directory.mailbox_ids() if self.wanted(address) and address not in resting]
        return sorted(found)

    def clear(self) -> None:
        """Forget the facts of clean messages whose time is over."""
        log.info("facts of %d clean messages forgotten", self.store.forget_clean(self.clock() - self.keep_clean))

    def tell(self) -> None:
        """Send what waits to be sent, each notice once."""
        if self.sender is not None:
            told = notify.send_pending(self.store, self.sender, public_url=self.public_url, clock=self.clock)
            log.info("notices sent=%d unsure=%d failed=%d", told.sent, told.unsure, told.failed)

    def reveal(self, appearance: Appearance) -> RevealResult:
        """Fetch a message again and have a worker read it, for one pair of eyes. Nothing of it is kept."""
        ref = ItemRef(appearance.mailbox, appearance.folder, appearance.provider_id, appearance.internet_id)
        fetched = self.source.fetch(ref)
        with self.pool.worker() as worker:
            shown = worker.reveal(fetched)
        return RevealResult(shown.headings, shown.parts, shown.problems, frozenset(shown.parties))

    def explain(self, appearance: Appearance) -> Explained:
        """Fetch a message again and judge it with reasons for every rule, the nearest miss first. Nothing is kept."""
        ref = ItemRef(appearance.mailbox, appearance.folder, appearance.provider_id, appearance.internet_id)
        outcomes = self.pool.judge(self.source.fetch(ref), explain=True)
        findings = tuple(finding for outcome in outcomes for finding in outcome.verdict.findings)
        silences = sorted((item for outcome in outcomes for item in outcome.silences), key=nearness)
        return Explained(findings, tuple(silences))

    def web_services(self) -> WebServices:
        clauses = {clause.id: clause.says for group in self.policy.clauses.values() for clause in group}
        return WebServices(
            store=self.store,
            clock=self.clock,
            session_key=self.key.subkey("web"),
            public_url=self.public_url,
            reveal=self.reveal,
            explain=self.explain,
            rulebook=self.rulebook,
            rules_notice=self.rules_notice,
            rule_changes=self.rule_changes,
            policy_title=self.policy.title,
            clauses=clauses,
        )
