"""One message from claimed to committed, one folder from cursor to cursor.

The cursor of a page and everything that was found in it are committed together (Never 3): after a crash the same page comes
again, and what is already there changes nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile
from threading import Event

from scanner import correlate
from scanner.errors import ConnectorError
from scanner.governance import Leave, NotAuthorisedError
from scanner.model import PROBLEMS_THAT_LEAVE_COMPLETE, Envelope, PastFact, Problem, ProblemKind, Verdict, Versions
from scanner.ports import Folder, ItemRef, Page, RawItem, Source, SpooledItem
from scanner.store import Committed, Store
from scanner.work import WorkerPool
from scanner.worker import Companion

log = logging.getLogger("mailwarden.pipeline")


@dataclass(slots=True)
class Tally:
    """Counts of one round."""

    mailboxes: int = 0
    folders: int = 0
    messages: int = 0
    unchanged: int = 0
    findings: int = 0
    new_cases: int = 0
    incomplete: int = 0
    # By the policy's or somebody's decision: no finding of theirs means that they are clean.
    not_judged: int = 0
    parked: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    # Mailboxes that the policy in force does not let us read, or no longer.
    refused: list[str] = field(default_factory=list)
    # Those of `parked` that answered 403: a scope that leaves them out, or a permission that nobody gave.
    denied: list[str] = field(default_factory=list)
    # What nobody looked at as a whole, in sentences.
    gaps: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        for name in (
            "mailboxes",
            "folders",
            "messages",
            "unchanged",
            "findings",
            "new_cases",
            "incomplete",
            "not_judged",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.parked += other.parked
        self.unfinished += other.unfinished
        self.refused += other.refused
        self.denied += other.denied
        self.gaps += other.gaps


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Pulls from a source, has workers judge, commits. `clock` gives the time in UTC; `stop` ends after the page in hand.
    `look_back` bounds a folder's first round (zero: everything); `on_result` hears of each message once it is committed.
    """

    source: Source
    pool: WorkerPool
    store: Store
    clock: Callable[[], datetime]
    stop: Event
    look_back: timedelta = timedelta(0)
    on_result: Callable[[Committed], None] | None = None
    # What may be judged in a mailbox at this moment; asked before each message (Never 1).
    permit: Callable[[str], Leave] | None = None
    # What the policy makes of a verdict in the light of what came before.
    weigh: Callable[[Verdict, Sequence[Verdict]], Verdict] | None = None
    # Folders whose messages are counted and never fetched, by name.
    sealed_folders: frozenset[str] = frozenset()

    def round(self, mailboxes: Sequence[str], progress: Callable[[Tally], None] | None = None) -> Tally:
        """Every folder of every mailbox from its cursor on. A mailbox that is out of reach is parked, the others go on."""
        total = Tally()
        with ThreadPoolExecutor(self.pool.size) as threads:
            for tally in threads.map(self.mailbox, mailboxes):
                total.add(tally)
                if progress is not None:
                    progress(total)
        return total

    def mailbox(self, mailbox: str) -> Tally:
        tally = Tally()
        if self.stop.is_set():
            tally.unfinished.append(mailbox)
            return tally
        tally.mailboxes = 1
        try:
            self._leave(mailbox)
            for folder in self.source.folders(mailbox):
                try:
                    self._folder(folder, tally)
                except ConnectorError as error:
                    if error.code.lower() != "errorfoldernotfound":
                        raise
                    # Deleted since it was listed; should it come back, it is read from its beginning.
                    self.store.drop_cursor(self.source.name, mailbox, folder.id)
        except NotAuthorisedError as refusal:
            tally.refused.append(mailbox)
            log.warning("mailbox refused: %s", refusal)
        except ConnectorError as error:
            # A 401 is about the sign-in and not about the mailbox: the next round tries again.
            if error.permanent and error.status in (403, 404):
                self.store.park_mailbox(parked_as(self.source, mailbox), str(error), self.clock())
                tally.parked.append(parked_as(self.source, mailbox))
                if error.status == 403:
                    tally.denied.append(parked_as(self.source, mailbox))
                log.warning("mailbox parked status=%s code=%s", error.status, error.code)
            else:
                tally.unfinished.append(mailbox)
                log.warning("mailbox not finished status=%s code=%s", error.status, error.code)
        return tally

    def fetched_again(
        self, mailbox: str, oldest: datetime
    ) -> Iterator[tuple[ItemRef, Envelope | RawItem | SpooledItem | None, frozenset[str] | None]]:
        """Every message of a mailbox from `oldest` on, fetched under the same leave as ever and committed nowhere: with the
        topics that may be judged, None for all. None in place of a message that could not be fetched.

        Raises NotAuthorisedError as soon as nothing may be read any more, and ConnectorError.
        """
        self._leave(mailbox)
        for folder in self.source.folders(mailbox):
            if folder.name.casefold() in self.sealed_folders:
                continue
            for page in self.source.changes(folder, None):
                for ref in page.items:
                    sent_at = ref.envelope.sent_at if ref.envelope is not None else None
                    if self.stop.is_set() or (sent_at is not None and sent_at < oldest):
                        continue
                    topics = self._leave(mailbox)
                    try:
                        fetched = self.source.fetch(ref)
                    except ConnectorError as error:
                        if not error.permanent:
                            raise
                        if error.status != 404:
                            yield ref, None, topics
                        continue
                    try:
                        yield ref, fetched, topics
                    finally:
                        if isinstance(fetched, SpooledItem):
                            fetched.close()

    def _leave(self, mailbox: str) -> frozenset[str] | None:
        """The topics that may be judged now, None for all. Raises NotAuthorisedError where nothing may."""
        if self.permit is None:
            return None
        leave = self.permit(mailbox)
        if leave.nothing:
            raise NotAuthorisedError(leave.because)
        return leave.topics

    def _folder(self, folder: Folder, tally: Tally) -> None:
        tally.folders += 1
        cursor = self.store.cursor(self.source.name, folder.mailbox, folder.id)
        oldest = self.clock() - self.look_back if cursor is None and self.look_back else None
        for page in self.source.changes(folder, cursor):
            if self.stop.is_set():
                tally.unfinished.append(folder.mailbox)
                return
            self._page(folder, page, oldest, tally)

    def _page(self, folder: Folder, page: Page, oldest: datetime | None, tally: Tally) -> None:
        seen = self.store.seen(self.source.name, folder.mailbox, [ref.id for ref in page.items], self.pool.versions())
        # What is said to have left this folder before anybody looked at it may only have moved, and may never be named again
        # (microsoft-graph-docs#21752): it is looked for, and a message that is really gone costs one request.
        fresh = {ref.id: ref for ref in page.items if ref.id not in seen}
        tally.unchanged += len(page.items) - len(fresh)
        results: list[Committed] = []
        for ref in fresh.values():
            done = self._message(folder, ref, oldest)
            if done is not None:
                if self.weigh is not None:
                    done = replace(done, verdict=self.weigh(done.verdict, [item.verdict for item in results]))
                results.append(done)
        again = self._met(folder, results)
        results = [one for one in results if one.provider_id not in again] + list(again.values())
        results = [self._in_pattern(result, results) for result in results]
        cases = self.store.commit_page(
            source=self.source.name,
            mailbox=folder.mailbox,
            folder=folder.id,
            token=page.token,
            results=results,
            now=self.clock(),
        )
        if self.on_result is not None:
            for result in results:
                self.on_result(result)
        tally.messages += sum(result.provider_id in fresh for result in results)
        tally.new_cases += len(cases)
        tally.findings += sum(len(result.verdict.findings) for result in results)
        tally.incomplete += sum(not result.verdict.complete for result in results)
        tally.not_judged += sum(bool(result.verdict.not_judged) for result in results)

    # --- what only several messages show (D22) ---

    def _met(self, folder: Folder, results: list[Committed]) -> dict[str, Committed]:
        """Messages judged again because another one, of this page or an earlier one, has come to lie beside them: first those
        that may hold a key with the locked ones, then the locked ones that a word of those has opened. By provider id.
        """
        again: dict[str, Committed] = {}
        opened_by: dict[str, tuple[ItemRef, list[ItemRef]]] = {}
        here = {result.provider_id: result for result in results}

        def with_locked(key: ItemRef, locked: list[ItemRef]) -> None:
            judged, opened = self._judged_again(key, here.get(key.id), locked, results)
            if judged is not None:
                again[key.id] = judged
            for other in opened:
                opened_by.setdefault(other.id, (other, []))[1].append(key)

        for result in results:
            trail = result.verdict.trail
            if trail is not None and trail.may_hold_key:
                with_locked(_ref(result), self._beside(folder, results, result, locked=True))
            if trail is not None and trail.locks:
                for key in self._beside(folder, results, result, locked=False):
                    if key.id not in here:
                        with_locked(key, [_ref(result)])
        for other, openers in opened_by.values():
            locked = here.get(other.id)
            # One of the two is of this page; what lies near it is near the other one.
            near = self._beside(folder, results, locked or here[openers[0].id], locked=False)
            beside = correlate.beside(openers, near)
            judged, _ = self._judged_again(other, again.get(other.id, locked), beside, results)
            if judged is not None:
                again[other.id] = judged
        return again

    def _in_pattern(self, one: Committed, page: list[Committed]) -> Committed:
        """The message with its severity as the same sender's other ones to the same people make it: those sent before it, or
        else those sent after it that an earlier page brought, for a first reading goes from the newest to the oldest.
        """
        trail, at = one.verdict.trail, one.verdict.sent_at
        if trail is None or not trail.heated or at is None:
            return one
        earlier = self.store.heated(trail, at - correlate.PATTERN, at)
        later = self.store.heated(trail, at, at + correlate.PATTERN)
        for other in page:
            beside, when = other.verdict.trail, other.verdict.sent_at
            if beside is None or when is None or not beside.heated or beside.sender != trail.sender:
                continue
            for recipient in beside.recipients:
                if at - correlate.PATTERN <= when < at:
                    earlier.setdefault(recipient, set()).add(other.verdict.content_hash)
                elif at <= when < at + correlate.PATTERN and recipient in later:
                    later[recipient].add(other.verdict.content_hash)
        own = {one.verdict.content_hash}  # copies of it in other mailboxes
        others = max(
            (len(known.get(recipient, own) - own) for known in (earlier, later) for recipient in trail.recipients),
            default=0,
        )
        return replace(one, verdict=correlate.with_pattern(one.verdict, others))

    def _beside(self, folder: Folder, results: list[Committed], one: Committed, *, locked: bool) -> list[ItemRef]:
        here = correlate.met(one.verdict.trail, one.verdict.sent_at) if one.verdict.trail is not None else None
        if one.verdict.trail is None or here is None:
            return []
        found: dict[str, tuple[ItemRef, correlate.Met]] = {}
        stored = self.store.linked(
            self.source.name, folder.mailbox, one.verdict.trail, here.sent_at, correlate.WINDOW, locked=locked
        )
        for item in stored:
            other = correlate.Met(here.sender, frozenset({item.recipient}), item.sent_at)
            found[item.provider_id] = (ItemRef(folder.mailbox, item.folder, item.provider_id, item.internet_id), other)
        for result in results:
            trail = result.verdict.trail
            beside = correlate.met(trail, result.verdict.sent_at) if trail is not None else None
            if trail is not None and beside is not None and (trail.locks if locked else trail.may_hold_key):
                found[result.provider_id] = (_ref(result), beside)
        found.pop(one.provider_id, None)
        return correlate.nearest(here, found.values())

    def _judged_again(
        self, one: ItemRef, before: Committed | None, others: list[ItemRef], page: list[Committed]
    ) -> tuple[Committed | None, list[ItemRef]]:
        """The message with the others beside it, where that says more than `before` (None: it was judged in an earlier page);
        and those of the others whose locks a word of it opened. What cannot be fetched now stays as it was.
        """
        if not others or self._leave(one.mailbox) is not None:
            return None, []  # not everything may be judged any more
        try:
            fetched = self.source.fetch(one)
        except ConnectorError as error:
            if not error.permanent:
                raise
            return None, []
        try:
            beside = [(other, companion) for other in others if (companion := self._companion(other)) is not None]
            companions = [companion for _, companion in beside]
            outcome = self.pool.judge_beside(fetched, "", companions) if beside else None
        finally:
            if isinstance(fetched, SpooledItem):
                fetched.close()
        if outcome is None:
            return None, []
        opened = [beside[number][0] for number in outcome.verdict.opens]
        verdict = self._settled(outcome.verdict)
        if self.weigh is not None:
            above = takewhile(lambda other: other.provider_id != one.id, page)
            verdict = self.weigh(verdict, [other.verdict for other in above])
        if before is not None and not correlate.better(before.verdict, verdict):
            return None, opened
        if before is None and (not verdict.findings or self._reads_less(one, verdict)):
            return None, opened
        return Committed(one.id, one.internet_id, one.mailbox, one.folder, verdict, again=True), opened

    def _reads_less(self, one: ItemRef, verdict: Verdict) -> bool:
        """Whether the store has a whole reading of the message and this one is none."""
        return not verdict.complete and self.store.was_complete(self.source.name, one.mailbox, one.id)

    def _settled(self, verdict: Verdict) -> Verdict:
        """The verdict in the light of who wrote to whom before."""
        facts: frozenset[PastFact] = frozenset()
        if verdict.ties is not None and verdict.sent_at is not None and (verdict.pending or verdict.findings):
            seen = self.store.before(verdict.ties, verdict.sent_at, correlate.EMPTYING_WITHIN)
            facts = correlate.facts_of(verdict, seen)
        return correlate.settled(verdict, facts)

    def _companion(self, other: ItemRef) -> Companion | None:
        """None for one that is gone, cannot be had or is too big: the others are tried without it."""
        try:
            return Companion.of(self.source.fetch(other))
        except ConnectorError as error:
            if not error.permanent:
                raise
            return None

    def _message(self, folder: Folder, ref: ItemRef, oldest: datetime | None) -> Committed | None:
        sent_at = ref.envelope.sent_at if ref.envelope is not None else None
        topics = self._leave(folder.mailbox)
        if folder.name.casefold() in self.sealed_folders:
            verdict = _unread(ref, "skipped", "protected folder: sealed, not read")
        elif oldest is not None and sent_at is not None and sent_at < oldest:
            verdict = _unread(ref, "skipped", f"older than the look-back of {self.look_back.days} days")
        else:
            judged = self._verdict(ref, topics)
            if judged is None:
                return None
            verdict = self._settled(judged)
        log.info(
            "message parts=%d findings=%d problems=%d complete=%s ms=%.0f",
            verdict.parts, len(verdict.findings), len(verdict.problems), verdict.complete, verdict.elapsed_ms,
        )  # fmt: skip
        return Committed(ref.id, ref.internet_id or verdict.message_id, folder.mailbox, folder.id, verdict)

    def _verdict(self, ref: ItemRef, topics: frozenset[str] | None) -> Verdict | None:
        try:
            fetched = self.source.fetch(ref)
        except ConnectorError as error:
            if not error.permanent:
                raise  # the page comes again; its cursor was not saved
            if error.status == 404:
                return None  # moved or deleted meanwhile: the delta of the other folder tells
            return _unread(ref, "unavailable", f"could not be fetched (status {error.status})")
        try:
            outcomes = self.pool.judge(fetched, only_topics=topics)
        finally:
            if isinstance(fetched, SpooledItem):
                fetched.close()
        if not outcomes:
            return _unread(ref, "corrupt", "held no message")
        return outcomes[0].verdict


def _ref(one: Committed) -> ItemRef:
    return ItemRef(one.mailbox, one.folder, one.provider_id, one.internet_id)


def parked_as(source: Source, mailbox: str) -> str:
    """Under which name a mailbox is set aside: files or settings that are out of reach say nothing about the mail."""
    return mailbox if source.name == "m365_mail" else f"{mailbox} ({source.name})"


def _unread(ref: ItemRef, kind: ProblemKind, detail: str) -> Verdict:
    """The verdict on a message that no worker saw: nothing found, and said to be incomplete."""
    return Verdict(
        message_id=ref.internet_id,
        direction="inbound",
        findings=(),
        problems=(Problem("document", "fetch", kind, "none", detail),),
        complete=kind in PROBLEMS_THAT_LEAVE_COMPLETE,
        unread_protected=0,
        facts=(),
        versions=Versions("", "", ""),
        content_hash=hashlib.sha256(f"unread {ref.mailbox} {ref.id}".encode()).hexdigest()[:32],
        not_judged=detail if kind == "skipped" else "",
    )
