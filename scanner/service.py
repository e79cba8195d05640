"""The running service: rounds over the mailboxes, fresh people, notices, and what the triage page asks of it.

Built by `scanner.app`, which alone knows the connectors; here they are only their ports.
"""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event
from typing import Protocol, get_args

from scanner import correlate, notify
from scanner.errors import ConnectorError, MailwardenError
from scanner.evidence import FingerprintKey
from scanner.exemptions import Exemptions
from scanner.governance import Leave, NotAuthorisedError, leave, may_read
from scanner.inspection import Regime, Silence, nearness
from scanner.keys import RootKey
from scanner.model import Envelope, Finding, PastFact, People, PersonRole, Problem, Severity, Verdict
from scanner.pipeline import Pipeline, Tally, parked_as
from scanner.policy import Policy
from scanner.ports import ItemRef, RawItem, Sender, Source, SpooledItem
from scanner.rule_sets import Change
from scanner.rulebook import Rulebook
from scanner.soundness import leaves
from scanner.store import Appearance, Committed, RunCounts, Store
from scanner.web import Explained, RevealResult, WebServices
from scanner.work import WorkerPool
from scanner.work_queue import Job
from scanner.worker import Companion

log = logging.getLogger("mailwarden.service")
# A mailbox that was out of reach is tried again after this time: scopes and licences change without telling us.
RETEST_AFTER = timedelta(days=1)
# Under which name a source is set aside that every mailbox refuses.
_EVERYBODY = "every mailbox"


class Directory(Protocol):
    """Where the people come from."""

    def load(self) -> People: ...

    def mailbox_ids(self) -> Mapping[str, str]: ...


class Push(Protocol):
    """Where wake-ups come from."""

    def notified(self, body: bytes) -> bool: ...

    def woken(self) -> set[str]: ...

    def renew(self, mailboxes: Sequence[str]) -> int: ...

    def needs_renewal(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Further:
    """A source beside the mail: files, mailbox settings. `places` are what it covers besides the mailboxes; `every` is the
    least time between two rounds over it. `without` says what goes unseen where every mailbox refuses it.
    """

    source: Source
    places: Callable[[], Sequence[str]] = tuple
    of_mailboxes: bool = True
    every: timedelta = timedelta(hours=1)
    without: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """One tenant's scanning. `wanted` says which mailboxes are in scope; `stop` ends after the page in hand.

    `look_back`: mail older than this is left out of a folder's first round, and counted as left out; zero takes all.
    `further`: sources beside the mail. `tenant` and `slot`: its name and its place among several in one store.
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
    exemptions: Exemptions = field(default_factory=Exemptions)
    rules_notice: str = ""
    rule_changes: Callable[[], list[Change]] = list
    wanted: Callable[[str], bool] = lambda address: True
    look_back: timedelta = timedelta(0)
    keep_clean: timedelta = timedelta(days=14)
    stop: Event = field(default_factory=Event)
    sealed_folders: frozenset[str] = frozenset()
    on_result: Callable[[Committed], None] | None = None
    further: tuple[Further, ...] = ()
    tenant: str = ""
    slot: int = 0
    # What else of the settings decides which mail is read and how, in one text.
    bounds: str = ""
    push: Push | None = None
    # Whether what is added to the directory (people.yaml, imported contacts) has changed since it was last read.
    has_news: Callable[[], bool] = lambda: False
    # What nobody looks at, in sentences for the coverage page.
    gaps: tuple[str, ...] = ()
    # Has mailboxes read by this process and others; the names of those that nobody could read to the end. None: by this one alone.
    share: Callable[[Sequence[Job]], Sequence[str]] | None = None
    _last: dict[str, datetime] = field(default_factory=dict)

    def refresh_people(self) -> People:
        """Read the directory and hand the snapshot to the workers. Raises ConnectorError; the old one then stays."""
        people = self.directory.load()
        if people.version != self.store.people_version(self.slot):
            self.store.save_people(people, key=self.key.subkey("contacts"), now=self.clock(), slot=self.slot)
        self.pool.new_people(people)
        return people

    def remember_people(self) -> bool:
        """Hand the last saved snapshot to the workers; False where there is none yet."""
        people = self.store.load_people(key=self.key.subkey("contacts"), slot=self.slot)
        if people is not None:
            self.pool.new_people(people)
        return people is not None

    def round(self, progress: Callable[[Tally], None] | None = None) -> Tally:
        """One pass over every mailbox in scope, then the notices. Its counts are kept, whatever happens."""
        started = self.store.start_run(self.clock())
        tally = Tally()
        error = ""
        try:
            if self.has_news():
                self.refresh_people()
            mailboxes = self._mailboxes()
            self._mail_round(mailboxes, tally, started, progress)
            for other in self.further:
                self._round_of(other, tally)
            self.tell()
        except ConnectorError as failure:
            error = f"the tenant could not be reached (status {failure.status}, {failure.code or 'no code'})"
            raise
        except Exception as failure:
            error = f"the round broke off ({type(failure).__name__})"
            raise
        finally:
            counts = RunCounts(
                mailboxes=tally.mailboxes,
                messages=tally.messages,
                new_cases=tally.new_cases,
                problems=tally.incomplete,
                failures=len(tally.parked) + len(tally.unfinished) + len(tally.refused),
                unchanged=tally.unchanged,
                not_judged=tally.not_judged,
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

    def _mail_round(
        self,
        mailboxes: Sequence[str],
        tally: Tally,
        run: int = 0,
        progress: Callable[[Tally], None] | None = None,
    ) -> None:
        """Every mailbox once, here or wherever somebody takes it; what it came to is added to the tally, whatever happens."""
        if self.share is None:
            found = self._pipeline(self.source, self.look_back).round(mailboxes, progress)
            self._unpark(self.source, mailboxes, found)
            tally.add(found)
            return
        wanted = [mailbox for mailbox in mailboxes if not self.permit(mailbox).nothing]
        unread: Sequence[str] = wanted
        try:
            unread = self.share([Job(self.slot, mailbox, run) for mailbox in wanted])
        finally:
            # A reader elsewhere says only that it did not come to the end; leave that has lapsed since is seen here.
            tally.refused += [mailbox for mailbox in mailboxes if mailbox not in wanted]
            tally.refused += [mailbox for mailbox in unread if self.permit(mailbox).nothing]
            tally.unfinished += [mailbox for mailbox in unread if mailbox not in tally.refused]
            if run:
                counts = self.store.run_counts(run)
                tally.mailboxes, tally.messages = counts.mailboxes, counts.messages
                tally.new_cases, tally.incomplete = counts.new_cases, counts.problems
                tally.unchanged, tally.not_judged = counts.unchanged, counts.not_judged
            places = {parked_as(self.source, mailbox) for mailbox in wanted}
            tally.parked = [item.mailbox for item in self.store.parked() if item.mailbox in places]
            for name in tally.parked:
                self._last[f"tried {name}"] = self.clock()

    def read(self, job: Job) -> None:
        """One mailbox of a shared round; what it came to is added to the round's counts.

        Raises NotAuthorisedError where the policy in force no longer lets it be read, and ConnectorError where it was not read to
        the end for another reason, also because of a stop signal.
        """
        tally = self._pipeline(self.source, self.look_back).mailbox(job.mailbox)
        self._unpark(self.source, [job.mailbox], tally)
        if job.run:
            done = 0 if tally.unfinished or tally.refused else tally.mailboxes
            counts = RunCounts(
                mailboxes=done,
                messages=tally.messages,
                new_cases=tally.new_cases,
                problems=tally.incomplete,
                unchanged=tally.unchanged,
                not_judged=tally.not_judged,
            )
            self.store.add_to_run(job.run, counts)
        if tally.refused:
            raise NotAuthorisedError("the policy in force no longer lets the mailbox be read")
        if tally.unfinished:
            raise ConnectorError("the mailbox was not read to the end", permanent=False)

    def regime(self) -> Regime:
        """What mail is judged by at present."""
        return Regime(self.rulebook, self.policy, (), self.exemptions)

    def reads(self, mailbox: str) -> bool:
        """Whether the mailbox is one of this tenant's and in scope."""
        return self.wanted(mailbox) and any(mailbox == known.lower() for known in self.directory.mailbox_ids())

    def mail(self) -> Pipeline:
        """The way to the mailboxes, for whoever wants to look at mail again."""
        return self._pipeline(self.source, self.look_back)

    def _pipeline(self, source: Source, look_back: timedelta) -> Pipeline:
        """Whatever the source and the occasion, leave is asked for before each message (Never 1)."""
        return Pipeline(
            source, self.pool, self.store, self.clock, self.stop, look_back, self.on_result,
            permit=self.permit, weigh=self.weigh, sealed_folders=self.sealed_folders,
        )  # fmt: skip

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
        if set(self.policy.covers) == set(get_args(PersonRole)):
            return {}  # the policy is for everybody: no need to unseal who is who
        people = self.store.load_people(key=self.key.subkey("contacts"), slot=self.slot)
        return {} if people is None else {person.email.lower(): person.role for person in people.people}

    def wake(self) -> Tally:
        """A pass over the mailboxes that Graph named since the last one, and the notices. Nothing where it named none."""
        tally = Tally()
        woken = self.push.woken() if self.push is not None else set()
        if self.push is not None and self.push.needs_renewal():
            self.renew_push()
        mailboxes = [mailbox for mailbox in self._mailboxes() if mailbox in woken] if woken else []
        if mailboxes:
            self._mail_round(mailboxes, tally)
            self.tell()
        return tally

    def renew_push(self) -> None:
        """Keep the subscriptions; where that fails the mailboxes are polled as ever."""
        if self.push is None:
            return
        try:
            self.push.renew(self._mailboxes())
        except ConnectorError as error:
            log.warning("subscriptions not renewed status=%s code=%s", error.status, error.code)

    def _round_of(self, other: Further, tally: Tally) -> None:
        """One pass over a further source. What fails there leaves the mail's round as it is."""
        due = self._last.get(other.source.name)
        everybody = parked_as(other.source, _EVERYBODY)
        if self.stop.is_set() or (due is not None and self.clock() - due < other.every):
            return
        if everybody in self._parked_now():
            return
        try:
            places = [*(self._mailboxes(other.source) if other.of_mailboxes else ()), *self._places(other)]
        except ConnectorError as error:
            tally.unfinished.append(other.source.name)
            log.warning("%s not read status=%s code=%s", other.source.name, error.status, error.code)
            return
        found = self._pipeline(other.source, timedelta(0)).round(places)
        if len(found.denied) > 1 and {parked_as(other.source, place) for place in places} == set(found.parked):
            # Nobody let us in: that is one permission that is not there, and not as many mailboxes that were not scanned.
            for name in found.denied:
                self.store.unpark_mailbox(name)
            self.store.park_mailbox(everybody, other.without or "refused (403) for every mailbox", self.clock())
            found.gaps.append(other.without or f"{everybody}: refused (403)")
            found.parked = [*(name for name in found.parked if name not in found.denied), everybody]
            log.warning("%s refused for all %d mailboxes", other.source.name, len(found.denied))
        self._unpark(other.source, [*places, _EVERYBODY], found)
        found.mailboxes = 0  # they were counted with the mail
        tally.add(found)
        self._last[other.source.name] = self.clock()

    def _places(self, other: Further) -> list[str]:
        resting = self._parked_now()
        return [place for place in other.places() if parked_as(other.source, place) not in resting]

    def _unpark(self, source: Source, places: Sequence[str], tally: Tally) -> None:
        for name in tally.parked:
            self._last[f"tried {name}"] = self.clock()
        known = {parked_as(source, place) for place in places}
        for parked in self.store.parked():
            if parked.mailbox in known and parked.mailbox not in tally.parked:
                self.store.unpark_mailbox(parked.mailbox)

    def _parked_now(self) -> set[str]:
        """What was found out of reach within the last day. The store knows since when; when it was last tried is known here."""
        now = self.clock()
        return {
            item.mailbox
            for item in self.store.parked()
            if now - max(item.since, self._last.get(f"tried {item.mailbox}", item.since)) < RETEST_AFTER
        }

    def _mailboxes(self, source: Source | None = None) -> list[str]:
        """Those in scope, without the ones that were out of reach within the last day."""
        resting = self._parked_now()
        source = source or self.source
        roles = self._roles()
        return sorted(
            address
            for address in self.directory.mailbox_ids()
            if self.wanted(address)
            and parked_as(source, address) not in resting
            and roles.get(address.lower(), self.policy.covers[0]) in self.policy.covers
        )

    def clear(self) -> None:
        """Forget the facts of clean messages, and the cases, whose time is over."""
        now = self.clock()
        self.store.forget_trails(now - correlate.WINDOW, now - correlate.PATTERN)
        self.store.forget_habits((now - correlate.TIES_KEPT).date())
        self.store.forget_outbreaks(now - correlate.OUTBREAK_KEPT, now - correlate.UNSIGNED_KEPT)
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
        fetched = self.fetch(appearance)
        try:
            beside = self.beside(appearance)
            with self.pool.worker() as worker:
                shown = worker.reveal(fetched, beside)
        finally:
            if isinstance(fetched, SpooledItem):
                fetched.close()
        given = may_read(self.policy, self.store.authorisations(), appearance.mailbox, shown.private, self.clock())
        if given.nothing:
            withheld = Problem("document", "reveal", "skipped", "none", given.because)
            return RevealResult((), (), (withheld,), frozenset(shown.parties))
        return RevealResult(shown.headings, shown.parts, shown.problems, frozenset(shown.parties))

    def fetch(self, appearance: Appearance) -> Envelope | RawItem | SpooledItem:
        """The message again, from where it lies. Raises ConnectorError; also where its source was switched off since."""
        ref = ItemRef(appearance.mailbox, appearance.folder, appearance.provider_id, appearance.internet_id)
        sources = (self.source, *(other.source for other in self.further))
        for source in sources:
            if source.name == appearance.source:
                return source.fetch(ref)
        raise ConnectorError(f"{appearance.source} is switched off in the settings", permanent=True, status=404)

    def beside(self, appearance: Appearance) -> list[Companion]:
        """The messages whose words may open a lock of this one, as long as it is known which they are (D22)."""
        known = self.store.trail(appearance.source, appearance.mailbox, appearance.provider_id)
        if known is None or not known[0].locks:
            return []
        trail, sent_at = known
        here = correlate.Met(trail.sender, frozenset(trail.recipients), sent_at)
        linked = self.store.linked(
            appearance.source, appearance.mailbox, trail, sent_at, correlate.WINDOW, locked=False
        )
        others = [
            (item, correlate.Met(trail.sender, frozenset({item.recipient}), item.sent_at))
            for item in linked
            if item.provider_id != appearance.provider_id
        ]
        found = []
        for item in correlate.nearest(here, others):
            place = replace(appearance, folder=item.folder, provider_id=item.provider_id, internet_id=item.internet_id)
            with contextlib.suppress(ConnectorError):  # one that is gone keeps no other from its key
                found.append(Companion.of(self.fetch(place)))
        return [companion for companion in found if companion is not None]

    def explain(self, appearance: Appearance) -> Explained:
        """Fetch a message again and judge it with reasons for every rule, the nearest miss first. Nothing is kept.

        Raises NotAuthorisedError, before anything is fetched, where the policy in force lets nothing be judged there now.
        """
        given = self.permit(appearance.mailbox)
        if given.nothing:
            raise NotAuthorisedError(given.because)
        fetched = self.fetch(appearance)
        try:
            beside = self.beside(appearance) if given.topics is None else []
            outcomes = self.pool.judge(fetched, explain=True, only_topics=given.topics, companions=beside)
        finally:
            if isinstance(fetched, SpooledItem):
                fetched.close()
        findings: list[Finding] = []
        silences = [item for outcome in outcomes for item in outcome.silences]
        for outcome in outcomes:
            facts = self.past_of(outcome.verdict)
            findings += correlate.settled(outcome.verdict, facts).findings
            silences += [self._waits(one, needs) for one, needs in correlate.unsettled(outcome.verdict, facts)]
        silences.sort(key=nearness)
        return Explained(
            tuple(findings),
            tuple(silences),
            frozenset(who for outcome in outcomes for who in outcome.parties),
            next((outcome.verdict.not_judged for outcome in outcomes if outcome.verdict.not_judged), ""),
        )

    def past_of(self, verdict: Verdict) -> frozenset[PastFact]:
        """What the store knows of the messages before one that is judged again; nothing for one without a date or a sender."""
        if verdict.ties is None or verdict.sent_at is None:
            return frozenset()
        return correlate.facts_of(verdict, self.store.before(verdict.ties, verdict.sent_at, correlate.EMPTYING_WITHIN))

    def _waits(self, one: Finding, needs: tuple[str, ...]) -> Silence:
        """A rule whose conditions hold in the message, and which the past has not let speak."""
        rule = self.rulebook.rule(one.rule)
        held = sum(1 for _ in leaves(rule.when)) if rule is not None else 1
        missing = tuple(f"waits for the past to show: {need}" for need in needs)
        return Silence(one.rule, one.owner, missing[0], held, held + len(missing), missing, 1.0)

    def web_services(self) -> WebServices:
        return WebServices(
            store=self.store,
            clock=self.clock,
            session_key=self.key.subkey("web"),
            public_url=self.public_url,
            reveal=self.reveal,
            explain=self.explain,
            rulebook=self.rulebook,
            policy=self.policy,
            rules_notice=self.rules_notice,
            exemptions=self.exemptions,
            rule_changes=self.rule_changes,
            policy_title=self.policy.title,
            clauses=self.policy.wording(),
            may_reveal=frozenset(self.policy.may_reveal),
            must_pursue=self.policy.words["pursue"] == "must",
            gaps=(*self.gaps, *self.policy.left_out()),
            known_as=self.known_as,
        )

    def known_as(self, fingerprints: Collection[str]) -> Mapping[str, str]:
        """The names of our people behind fingerprints of a passed-on mail."""
        people = self.store.load_people(key=self.key.subkey("contacts"), slot=self.slot)
        key = FingerprintKey(self.key.number, self.key.subkey("spread"))
        every = {key.fingerprint("address", person.email): person.name for person in people.people} if people else {}
        return {wanted: every[wanted] for wanted in fingerprints if wanted in every}


@dataclass(slots=True)
class Services:
    """Every tenant of an installation: each with its own sign-in, people, workers and policy pack, over one store.

    `renewed` gives the same tenants under a rule set that was changed meanwhile; the same tuple where none was.
    """

    each: tuple[Service, ...]
    renewed: Callable[[tuple[Service, ...]], tuple[Service, ...]] = lambda each: each
    has_other_rules: Callable[[], bool] = lambda: False

    @property
    def stop(self) -> Event:
        return self.each[0].stop

    def refresh_people(self) -> None:
        """Read every directory. A tenant that cannot be read keeps its old snapshot, and the others go on; where none has a
        snapshot yet the first failure is raised.
        """
        failures = []
        for service in self.each:
            try:
                service.refresh_people()
            except ConnectorError as error:
                log.error("tenant %s: people not read status=%s code=%s", service.tenant, error.status, error.code)
                if not service.remember_people():
                    failures.append(error)
        if len(failures) == len(self.each):
            raise failures[0]

    def run_once(self, advance: Callable[[int], None]) -> Tally:
        self.refresh_people()
        return self.round(lambda tally: advance(tally.mailboxes))

    def round(self, progress: Callable[[Tally], None] | None = None) -> Tally:
        """One round for each tenant in turn. One that is out of reach leaves the others alone."""
        self.refresh_rules()
        total = Tally()
        failures = []
        for service in self.each:
            try:
                total.add(service.round(progress))
            except ConnectorError as error:
                failures.append(error)
                total.unfinished.append(service.tenant)
        if failures and len(failures) == len(self.each):
            raise failures[0]
        return total

    def refresh_rules(self) -> None:
        """Take up a changed rule set between two rounds. Where that fails the one in force stays, and the round goes on."""
        try:
            self.each = self.renewed(self.each)
        except MailwardenError as error:
            log.error("rules not looked at again: %s", error)
            notice = f"The rules were not looked at again: {str(error).splitlines()[0]}"
            self.each = tuple(replace(service, rules_notice=notice) for service in self.each)

    def read(self, job: Job) -> None:
        """A mailbox that somebody shared out: these settings list the tenants in the same order."""
        self.each[job.tenant].read(job)

    def work_name(self) -> str:
        """Changes with all that mail is read and judged by: a worker with other rules, settings, tenants or root key takes no job
        of it.
        """
        key = self.each[0].key
        check = FingerprintKey(key.number, key.subkey("evidence")).fingerprint("shared work", "the same key")
        parts = [check]
        for place, service in enumerate(self.each):
            parts += [str(place), service.tenant, str(service.pool.versions()), service.bounds]
        return "mail-" + hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    def clear(self) -> None:
        self.each[0].clear()

    def wake(self) -> None:
        self.refresh_rules()
        for service in self.each:
            service.wake()

    def renew_push(self) -> None:
        for service in self.each:
            service.renew_push()

    def notified(self, body: bytes) -> bool:
        return sum(service.push.notified(body) for service in self.each if service.push is not None) > 0

    def reveal(self, appearance: Appearance) -> RevealResult:
        return self.owner(appearance).reveal(appearance)

    def explain(self, appearance: Appearance) -> Explained:
        return self.owner(appearance).explain(appearance)

    def owner(self, appearance: Appearance) -> Service:
        """The tenant that the mailbox belongs to: the one whose directory lists it, else the first."""
        return next((s for s in self.each if appearance.mailbox in s.directory.mailbox_ids()), self.each[0])

    def web_services(self) -> WebServices:
        """The page of one installation; the clauses of every pack in force can be read on it."""
        pages = [service.web_services() for service in self.each]
        clauses = {key: says for page in pages for key, says in page.clauses.items()}
        titles = " · ".join(dict.fromkeys(page.policy_title for page in pages))
        has_push = any(service.push is not None for service in self.each)
        return replace(
            pages[0],
            reveal=self.reveal,
            explain=self.explain,
            policy_title=titles,
            clauses=clauses,
            may_reveal=frozenset.intersection(*(page.may_reveal for page in pages)),
            must_pursue=any(page.must_pursue for page in pages),
            notified=self.notified if has_push else None,
            gaps=tuple(dict.fromkeys(gap for page in pages for gap in page.gaps)),
            policies=tuple((service.tenant, service.policy) for service in self.each) if len(self.each) > 1 else (),
        )


def months_before(moment: datetime, months: int) -> datetime:
    """The same day so many months earlier, or the last day of that month where it has none such."""
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
