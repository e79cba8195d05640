"""Mail that was judged before, fetched and judged once more: by exceptions that came later, and by a rule set that is not in force.

The mail is fetched under the same leave as in a round (Never 1), and nothing of a second look is committed but the excuse itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from scanner import correlate
from scanner.backtest import Comparison, Look
from scanner.errors import ConnectorError
from scanner.exemptions import Exemption
from scanner.model import Finding, SegmentOwner, Verdict
from scanner.ports import SpooledItem
from scanner.service import Service, Services
from scanner.store import WAITING, CaseDetail, CaseRow, Said
from scanner.work import WorkerPool

_PAGE = 200
_UNJUDGED: tuple[int | None, Said] = (None, "unjudged")


@dataclass(frozen=True, slots=True)
class Asked:
    """A waiting case of a rule that an exception names. `by`: for the key of each finding the exception that excuses it,
    empty where the case stays as it is; `because` says why.
    """

    case: CaseRow
    by: Mapping[str, str]
    because: str


def excusable(services: Services, exemptions: Sequence[Exemption], record: Callable[[int], None]) -> Iterator[Asked]:
    """Each waiting case that the exceptions may speak of, judged again under the set in force. Changes nothing.

    `record` is handed the case's number before each fetch of its message.
    """
    rules = {rule for item in exemptions for rule in item.rules}
    store = services.each[0].store
    waiting = [row for row in _waiting(services) if row.rule in rules]
    for row in waiting:
        detail = store.case(row.id)
        if detail is not None:
            yield _asked(services, detail, {item.id for item in exemptions}, record)


def _waiting(services: Services) -> Iterator[CaseRow]:
    for state in WAITING:
        after: int | None = None
        while rows := services.each[0].store.cases(state=state, order="newest", after=after, limit=_PAGE):
            yield from rows
            after = rows[-1].id


def _asked(services: Services, detail: CaseDetail, names: set[str], record: Callable[[int], None]) -> Asked:
    because = "its message is in no mailbox that we know of any more"
    for place in detail.appearances:
        service = services.owner(place)
        leave = service.permit(place.mailbox)
        if leave.nothing:
            because = leave.because
            continue
        record(detail.case.id)
        try:
            fetched = service.fetch(place)
        except ConnectorError as error:
            because = f"its message could not be fetched (status {error.status})"
            continue
        try:
            beside = service.beside(place) if leave.topics is None else []
            outcomes = service.pool.judge(fetched, only_topics=leave.topics, companions=beside)
        finally:
            if isinstance(fetched, SpooledItem):
                fetched.close()
        findings = (finding for outcome in outcomes for finding in _told_of(service, outcome.verdict))
        now = {finding.key: finding.exempted_by for finding in findings}
        by = {finding.key: now.get(finding.key) or "" for finding in detail.findings}
        if set(by.values()) <= names:
            return Asked(detail.case, by, f"excused by {', '.join(sorted(set(by.values())))}")
        return Asked(detail.case, {}, "not every finding of it is excused")
    return Asked(detail.case, {}, because)


def _told_of(service: Service, verdict: Verdict) -> tuple[Finding, ...]:
    """The findings as in a round (D22): some rules wait for who wrote to whom before."""
    return correlate.settled(verdict, service.past_of(verdict)).findings


def read_again(
    service: Service, before: WorkerPool, after: WorkerPool, mailboxes: Sequence[str], oldest: datetime
) -> Comparison:
    """Two rule sets over the mail of some mailboxes since `oldest`. Commits nothing.

    Raises NotAuthorisedError where the policy in force does not let a mailbox be read now, and ConnectorError.
    """
    found = Comparison(read_again=True)
    for mailbox in mailboxes:
        for ref, fetched, topics in service.mail().fetched_again(mailbox, oldest):
            if fetched is None:
                found.unread += 1
                continue
            sides = []
            for pool in (before, after):
                outcomes = pool.judge(fetched, only_topics=topics)
                sent = outcomes[0].verdict.sent_at if outcomes else None
                sides.append([finding for outcome in outcomes for finding in _told_of(service, outcome.verdict)])
            if sent is not None and sent < oldest:
                continue  # the listing did not say how old it is
            found.messages += 1
            _count(service, found, mailbox, ref.internet_id, *sides)
    return found


def _count(
    service: Service, found: Comparison, mailbox: str, internet_id: str, before: list[Finding], after: list[Finding]
) -> None:
    old, new = _told(before), _told(after)
    excused = {(finding.topic, finding.owner) for finding in after if finding.exempted_by}
    judged: Mapping[str, tuple[int | None, Said]] = service.store.said_of([finding.key for finding in old.values()])
    for place, finding in old.items():
        case_id, said = judged.get(finding.key, _UNJUDGED)
        change = "kept" if place in new else "excused" if place in excused else "dropped"
        found.counts[finding.topic, change, said] += 1
        if change != "kept" and said == "confirmed":
            lost = "lost" if change == "dropped" else change
            found.note(Look(lost, finding.topic, said, case_id, 0, mailbox, internet_id))
    for place, finding in new.items():
        if place not in old:
            found.counts[finding.topic, "added", "unjudged"] += 1
            found.note(Look("added", finding.topic, "unjudged", None, 0, mailbox, internet_id))


def _told(findings: list[Finding]) -> dict[tuple[str, SegmentOwner], Finding]:
    """Those that somebody would be told of."""
    return {(item.topic, item.owner): item for item in findings if not item.shadow and item.exempted_by is None}
