"""The composition root: builds the real things from settings and hands each what it needs. Only here and in the worker are
detectors built, only here connectors.
"""

from __future__ import annotations

import logging
import os
import pwd
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import uvicorn
from rich.console import Console

from connectors.contacts_csv import read_contacts
from connectors.entra import (
    ClientSecret,
    Credential,
    EntraTokens,
    FederatedToken,
    ManagedIdentity,
    PemCertificate,
    PfxCertificate,
)
from connectors.files import FileSource, shown_path
from connectors.graph import GraphClient
from connectors.m365_doctor import Check, examine, examine_sender
from connectors.m365_files import M365Files
from connectors.m365_mail import M365Mail
from connectors.m365_notices import M365Notices
from connectors.m365_people import M365People
from connectors.m365_push import M365Push
from connectors.m365_settings import GAPS, M365Settings
from connectors.people_file import load_people
from connectors.smtp import SmtpNotices, SmtpServer
from scanner import correlate, schedule
from scanner import demo as demo_module
from scanner.backtest import Comparison, Labelled, RuleRecord, compare, differing, rule_records
from scanner.clauses import unfounded
from scanner.contacts import Difference, difference, load_contacts, save_contacts
from scanner.directory import Directory
from scanner.errors import ConfigError, ConfigErrors, MailwardenError
from scanner.exemptions import Exemptions, load_exemptions
from scanner.extract import Limits, normalise
from scanner.governance import check, draw
from scanner.inspection import Regime, nearness
from scanner.keys import RootKey, create_root_key, load_root_key
from scanner.model import Authorisation, AuthorisationKind, Envelope, People, ProblemKind
from scanner.patterns import load_patterns
from scanner.pipeline import Tally
from scanner.policy import Policy, differences, load_policy, pack_text, packs
from scanner.ports import Detectors, ItemRef, OwnPattern, RawItem, Sender
from scanner.report import Line, Waiting
from scanner.routing import load_routing
from scanner.rule_sets import Change, InForce, RuleSets, content_version
from scanner.rulebook import TOPICS, load_rulebook, schema
from scanner.second_look import Asked, excusable, read_again
from scanner.service import Further, Service, Services
from scanner.settings import NoticeApp, Row, Settings, Tenant, describe, each_tenant, read_secret, store_url
from scanner.settings import load as load_settings
from scanner.store import AccountRole, CaseCounts, DecisionRefused, Parked, Run, Store
from scanner.web import create_app, hash_password, new_totp_secret
from scanner.work import WorkerPool
from scanner.work_queue import Job, WorkQueue
from scanner.worker import Companion, Outcome, Proved, Start, Worker, WorkerLimits

_HERE = Path(__file__).resolve().parent
log = logging.getLogger("mailwarden.app")


def rules_folder(given: Path | None) -> Path:
    """The rules to use: the given folder, else the shipped one (beside the package in a checkout, inside it in a wheel)."""
    if given is not None:
        if not given.is_dir():
            raise MailwardenError(f"--rules: {given} is not a folder")
        return given.resolve()
    return next(folder for folder in (_HERE.parent / "rules", _HERE / "rules") if (folder / "detect").is_dir())


def start_of(
    rules: Path,
    policy: str,
    people: People,
    key: RootKey,
    *,
    as_outbound: bool = False,
    limits: Limits | None = None,
    worker: WorkerLimits | None = None,
) -> Start:
    """The first frame for a worker. Of the root key it gets two subkeys alone: for fingerprints, and for what is passed on."""
    worker_limits = worker or WorkerLimits()
    return Start(
        rules_dir=str(rules),
        policy=policy,
        people=people,
        limits=limits or Limits(),
        key_number=key.number,
        key=key.subkey("evidence"),
        address_space_bytes=worker_limits.address_space_bytes,
        cpu_seconds=worker_limits.cpu_seconds,
        as_outbound=as_outbound,
        spread_key=key.subkey("spread"),
        kept_dir=str(_cache("compiled")),
    )


@cache
def _built(own: tuple[OwnPattern, ...] = ()) -> Detectors:
    """All detectors, for commands that need no worker: texts that the operator typed or piped in."""
    import detectors  # importing it loads every engine, which only these commands should pay for

    return detectors.load(own=own)


# --- proving --------------------------------------------------------------------------------------------------------


def _cache(what: str) -> Path:
    """Where it is remembered which sets have proved themselves (`proved`), and what a start need not compile (`compiled`)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mailwarden" / what


def ensure_proved(worker: Worker, rules: Path, say: Callable[[str], None]) -> None:
    """A rule that fails its own examples cannot be loaded (Never 7). Once for each version of rules, lists and detectors."""
    stamp = _cache("proved") / worker.ready().proof
    if stamp.is_file():
        return
    say("Checking the rules against their own examples (once for each version of the set) …")
    proved = worker.prove(_cast(rules))
    if proved.failures:
        raise ConfigErrors(
            [
                ConfigError(
                    item.place,
                    f"rule {item.rule} {'misses' if item.must_flag else 'flags'} its own example: {item.why}",
                )
                for item in proved.failures
            ]
        )
    try:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
    except OSError:
        say("The proof could not be remembered (no writable cache folder), so it will be made again at the next start.")


def _cast(rules: Path) -> People:
    return load_people(rules / "examples.people.yml", shown=f"{rules.name}/examples.people.yml")


def check_rules(given: Path | None, policy: str) -> str:
    """Load everything a rule set consists of. Raises ConfigErrors with every mistake; says in one line what is there."""
    rules = rules_folder(given)
    labels = _built(load_patterns(rules)).labels
    rulebook = load_rulebook(rules, labels)
    exemptions = load_exemptions(rules, rulebook, labels)
    pack = load_policy(rules, policy, rulebook)
    load_routing(rules)
    _cast(rules)
    examples = sum(len(rule.examples) for rule in rulebook.rules)
    sentences = [
        f"{len(rulebook.rules)} rules with {examples} examples: no mistakes found; `rules test` plays the examples",
        f"under the policy {pack.slug} {pack.applying(rulebook)}",
    ]
    sentences += _ended(exemptions)
    shadows = [rule.id for rule in rulebook.rules if rule.state == "shadow"]
    if shadows:
        sentences.append(f"in shadow, telling nobody: {', '.join(shadows)}")
    return "\n".join(sentences)


def backtest(config: Path | None, new: Path, against: Path | None, days: int | None, policy: str) -> Comparison:
    """The new rules against the store's past messages and what the reviewers said of them. Changes nothing.

    `policy`: the pack that both sets are judged under; the one of the settings where it is empty.
    """
    settings = load_settings(config)
    slug = policy or settings.policy
    check_rules(new, slug)
    before = _regime(rules_folder(against or settings.rules_dir), slug)
    after = _regime(rules_folder(new), slug)
    store = _store(settings)
    try:
        since = _now() - timedelta(days=days) if days is not None else None
        with store.past(since) as messages:
            return compare(before, after, messages, _now().date())
    finally:
        store.close()


def backtest_again(
    config: Path | None, new: Path, against: Path | None, mailboxes: Sequence[str], days: int, why: str,
    say: Callable[[str], None],
) -> Comparison:  # fmt: skip
    """Both sets over the mail of some mailboxes of the last days, fetched anew. Recorded; commits no finding.

    Raises NotAuthorisedError where the policy in force does not let a mailbox be read now.
    """
    settings = load_settings(config)
    if len(why.strip()) < 8:
        raise MailwardenError("--why: say in at least eight characters why mail is read again")
    folder = rules_folder(new)
    wanted = [mailbox.strip().lower() for mailbox in mailboxes]
    with _services(settings, say) as services:
        services.refresh_people()
        by_service: dict[int, list[str]] = {}
        for mailbox in wanted:
            number = next((n for n, each in enumerate(services.each) if each.reads(mailbox)), None)
            if number is None:
                raise MailwardenError(f"--reread: {mailbox} is no mailbox in scope")
            by_service.setdefault(number, []).append(mailbox)
        found = Comparison(read_again=True)
        for number, some in by_service.items():
            service = services.each[number]
            slug = service.policy.slug
            _prove_set(folder, (slug,), say)
            for mailbox in some:
                service.store.record(
                    actor=_actor(), action="rules tried on mail", object=f"mailbox/{mailbox}", reason=why, now=_now()
                )
            with ExitStack() as stack:
                before = stack.enter_context(service.pool.beside(rules_folder(against))) if against else service.pool
                after = stack.enter_context(service.pool.beside(folder))
                part = read_again(service, before, after, some, _now() - timedelta(days=days))
            old = _regime(rules_folder(against), slug) if against else service.regime()
            found.add(replace(part, changed=differing(old, _regime(folder, slug))))
        return found


def excuse_cases(
    config: Path | None, only: Sequence[str], why: str, say: Callable[[str], None], *, dry_run: bool
) -> Iterator[Asked]:
    """Applies the exceptions of the set in force that may reach open cases; each case with its answer. `dry_run` excuses none,
    but reads the mail all the same: each fetch is recorded first.
    """
    settings = load_settings(config)
    if len(why.strip()) < 8:
        raise MailwardenError("--why: say in at least eight characters why the mail of open cases is read again")
    with _services(settings, say) as services:
        services.refresh_people()
        all_ = services.each[0].exemptions.items
        chosen = [item for item in all_ if item.counts_on(_now().date()) and item.open_cases]
        if only:
            unknown = sorted(set(only) - {item.id for item in chosen})
            if unknown:
                known = ", ".join(item.id for item in chosen) or "none"
                raise MailwardenError(
                    f"no live exception {', '.join(unknown)} with open_cases: true (there are: {known})"
                )
            chosen = [item for item in chosen if item.id in only]
        reasons = {item.id: item.reason for item in chosen}

        def record(case_id: int) -> None:
            services.each[0].store.record(
                actor=_actor(), action="exceptions tried on mail", object=f"case/{case_id}", reason=why, now=_now()
            )

        for asked in excusable(services, chosen, record):
            if asked.by and not dry_run:
                names = sorted(set(asked.by.values()))
                note = f"{why.strip()} ({'; '.join(f'exception {name}: {reasons[name]}' for name in names)})"
                try:
                    services.each[0].store.excuse_case(
                        asked.case.id, by=asked.by, actor=_actor(), note=note, now=_now()
                    )
                except DecisionRefused as refused:
                    asked = replace(asked, by={}, because=str(refused))
            yield asked


def _regime(folder: Path, slug: str) -> Regime:
    rulebook = load_rulebook(folder)
    policy = load_policy(folder, slug, rulebook)
    return Regime(rulebook, policy, load_routing(folder), load_exemptions(folder, rulebook))


def feedback_table(config: Path | None) -> list[RuleRecord]:
    """Per rule its cases, what the reviewers said, and a suggestion."""
    settings = load_settings(config)
    store = _store(settings)
    try:
        regime = _regime(rules_folder(settings.rules_dir), settings.policy)
        return rule_records(store, regime.rulebook, regime.policy)
    finally:
        store.close()


def _store(settings: Settings) -> Store:
    key = load_root_key(settings.root_key_file, settings.root_key_number)
    return Store.open(store_url(settings), key.subkey("audit"))


def backtest_labelled(
    folder: Path, new: Path, against: Path | None, policy: str, say: Callable[[str], None]
) -> tuple[list[tuple[Labelled, Labelled]], list[str]]:
    """Both sets over a labelled corpus (contract section 6): a pair for each topic, and the files whose outcome differs."""
    labels = folder / "labels.jsonl"
    if not labels.exists():
        raise MailwardenError(f"there is no labels.jsonl in {folder}")
    try:
        entries = [msgspec.json.decode(line) for line in labels.read_bytes().splitlines() if line.strip()]
        expect = {str(entry["file"]): frozenset(entry.get("expect", ())) for entry in entries}
        allow = {str(entry["file"]): frozenset(entry.get("allow", ())) for entry in entries}
    except (OSError, msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            str(labels), f"is not a list of labels, one JSON object a line with the key file: {error}"
        ) from error
    people = folder / "people.yaml"
    outcomes = []
    for rules in (against, new):
        job = FileScan(
            [folder / name for name in expect], people if people.is_file() else None, policy, rules, False, 1, False
        )
        found: dict[str, frozenset[str]] = {}
        with scanning(job, say) as lines:
            for line in lines:
                if isinstance(line, str):
                    raise MailwardenError(line)
                name = str(Path(line.path.partition("!/")[0]).relative_to(folder))
                found[name] = found.get(name, frozenset()) | {item.topic for item in line.found}
        outcomes.append(found)
    topics = sorted(set().union(*expect.values(), *(topics for found in outcomes for topics in found.values())))
    pairs = []
    for topic in topics:
        sides = []
        for found in outcomes:
            seen = {name for name, names in found.items() if topic in names}
            wanted = {name for name, names in expect.items() if topic in names}
            allowed = {name for name, names in allow.items() if topic in names}
            sides.append(Labelled(topic, len(seen & wanted), len(wanted - seen), len(seen - wanted - allowed)))
        pairs.append((sides[0], sides[1]))
    changed = sorted(name for name in expect if outcomes[0].get(name) != outcomes[1].get(name))
    return pairs, changed


def explain(
    mail: Path,
    people: Path | None,
    policy: str,
    given: Path | None,
    *,
    as_outbound: bool,
    say: Callable[[str], None],
    only: Sequence[str] = (),
) -> Iterator[Line]:
    """Each message of the file with its verdict and why every other rule stayed quiet, the nearest miss first.

    Raises MailwardenError where `only` names a rule that is not there.
    """
    known = [rule.id for rule in load_rulebook(rules_folder(given)).rules]
    if unknown := sorted(set(only) - set(known)):
        raise MailwardenError(f"there is no rule {', '.join(unknown)} (the rules are: {', '.join(sorted(known))})")
    job = FileScan([mail], people, policy, given, as_outbound, 1, True)
    with scanning(job, say) as lines:
        for line in lines:
            if isinstance(line, str):
                raise MailwardenError(line)
            yield replace(line, silences=tuple(sorted(line.silences, key=nearness)))


def rule_schema() -> dict[str, Any]:
    """What a rule file may look like, for editors."""
    return schema()


def test_rules(given: Path | None, only: tuple[str, ...]) -> Proved:
    """Run the rules' examples in a worker."""
    rules = rules_folder(given)
    with Worker(start_of(rules, "base", People(), RootKey.random())) as worker:
        worker.ready()
        if only:
            known = {path.stem for path in (rules / "detect").glob("*.yml")}
            unknown = sorted(set(only) - known)
            if unknown:
                raise MailwardenError(f"no rule {', '.join(unknown)} (known: {', '.join(sorted(known))})")
        return worker.prove(_cast(rules), only)


# --- policy packs ---------------------------------------------------------------------------------------------------


def policy_packs(given: Path | None) -> list[tuple[Policy, str]]:
    """Every pack, loaded and checked, and how many rules apply under it."""
    rules = rules_folder(given)
    rulebook = load_rulebook(rules)
    loaded = [load_policy(rules, slug, rulebook) for slug in packs(rules)]
    return [(pack, pack.applying(rulebook)) for pack in loaded]


def policy_coverage(given: Path | None, slug: str) -> tuple[Policy, list[str]]:
    """A pack, and sentences about answers of its register that do not hold."""
    rules = rules_folder(given)
    rulebook = load_rulebook(rules)
    policy = load_policy(rules, slug, rulebook)
    return policy, unfounded(policy.register, policy.off, rulebook)


def policy_differences(given: Path | None, one: str, other: str) -> list[tuple[str, str, str]]:
    """(what, value in the one, value in the other) wherever two packs differ."""
    rules = rules_folder(given)
    rulebook = load_rulebook(rules)
    return differences(load_policy(rules, one, rulebook), load_policy(rules, other, rulebook), rulebook)


def new_policy(given: Path | None, slug: str, answers: Mapping[str, str]) -> Path:
    """Writes a pack made from base and the answers into the rules folder, and loads it once to be sure.

    Raises MailwardenError where the slug cannot be one, is taken, or the pack would be refused.
    """
    rules = rules_folder(given)
    path = rules / "policies" / f"{slug}.yml"
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", slug):
        raise MailwardenError(f"{slug!r} cannot be a pack's name: lower-case letters, digits, - and _, a letter first")
    if path.exists():
        raise MailwardenError(f"there is a pack {slug!r} already: {path}")
    path.write_text(pack_text(rules, answers), "utf-8")
    try:
        load_policy(rules, slug, load_rulebook(rules))
    except MailwardenError:
        path.unlink()
        raise
    return path


# --- authorisations -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Governing:
    """What `authorise` works with: the policy in force, the store, and who is who as far as it is known."""

    policy: Policy
    store: Store
    directory: Directory | None


@contextmanager
def governing(config: Path | None, slug: str = "", *, reading: bool = False) -> Iterator[Governing]:
    """Opens the store of the settings; no tenant is needed. `slug`: the pack, where tenants have packs of their own.

    `reading`: nothing is recorded, so that no database and no key is made where there is none.
    """
    settings = load_settings(config)
    rules = rules_folder(settings.rules_dir)
    policy = load_policy(rules, slug or settings.policy, load_rulebook(rules))
    if reading:
        _existing_store(settings)
    elif not settings.root_key_file.exists():
        create_root_key(settings.root_key_file)
    key = load_root_key(settings.root_key_file, settings.root_key_number)
    store = Store.open(store_url(settings), key.subkey("audit"))
    try:
        people = store.load_people(key=key.subkey("contacts"))
        if people is None and settings.people_file is not None:
            people = load_people(settings.people_file)
        yield Governing(policy, store, Directory(people) if people is not None else None)
    finally:
        store.close()


def authorise(
    here: Governing,
    *,
    kind: AuthorisationKind,
    purpose: str,
    scope: Sequence[str],
    approver: str,
    approver_role: str,
    grounds: str = "",
    topics: Sequence[str] = (),
    start: date | None = None,
    until: date | None = None,
    seed: str = "",
    frame: str = "",
    frame_size: int = 0,
) -> Authorisation:
    """Records an authorisation that the policy in force can give. Raises NotAuthorisedError with every reason against it."""
    now = _now()
    begins = start or now.date()
    unknown = sorted(set(topics) - set(TOPICS))
    if unknown:
        raise MailwardenError(f"--topic: there is no topic {', '.join(unknown)} (allowed: {', '.join(TOPICS)})")
    given = Authorisation(
        id=0,
        policy=here.policy.slug,
        kind=kind,
        purpose=purpose.strip(),
        scope=tuple(sorted({mailbox.strip().lower() for mailbox in scope if mailbox.strip()})),
        topics=tuple(sorted(set(topics))),
        approver=approver.strip(),
        approver_role=approver_role,
        grounds=grounds.strip(),
        start=begins,
        review=begins + timedelta(days=here.policy.review_days) if here.policy.review_days else None,
        end=until,
        recorded_at=now,
        recorded_by=_actor(),
        seed=seed,
        frame=frame,
        frame_size=frame_size,
    )
    check(here.policy, given, here.directory)
    return replace(given, id=here.store.authorise(given))


def authorise_sample(here: Governing, *, size: int, seed: str, purpose: str, approver: str, approver_role: str,
                     until: date | None) -> Authorisation:  # fmt: skip
    """Draws mailboxes from all people with an account of ours whom the policy binds, and records the draw."""
    if here.directory is None:
        raise MailwardenError(
            "a sample needs the people of the tenant: let the service read the directory once, or set people_file"
        )
    frame = [
        person.email
        for person in here.directory.people.people
        if person.role in here.policy.covers and here.directory.kind(person.email) == "ours"
    ]
    drawn, mark = draw(frame, size, seed)
    return authorise(
        here, kind="sample", purpose=purpose, scope=drawn, approver=approver, approver_role=approver_role, until=until,
        seed=seed, frame=mark, frame_size=len(frame),
    )  # fmt: skip


def end_authorisation(here: Governing, number: int, reason: str) -> None:
    here.store.end_authorisation(number, actor=_actor(), reason=reason, now=_now())


def review_authorisation(here: Governing, number: int, reason: str) -> date:
    """Lets one run on until its next review; raises MailwardenError where the policy asks for none."""
    if not here.policy.review_days:
        raise MailwardenError(f"policy {here.policy.slug} asks for no review")
    until = _now().date() + timedelta(days=here.policy.review_days)
    here.store.review_authorisation(number, until=until, actor=_actor(), reason=reason, now=_now())
    return until


# --- files ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileScan:
    """What `scan` was asked to do."""

    paths: Sequence[Path]
    people: Path | None
    policy: str
    rules: Path | None
    as_outbound: bool
    jobs: int
    explain: bool


def detect(name: str, text: str, *, by_line: bool) -> Iterator[dict[str, Any]]:
    """Raw hits of the content detectors over plain text (contract section 3). Offsets count code points of `text`."""
    built = _built()
    pieces = text.split("\n") if by_line else [text]
    for number, piece in enumerate(pieces, 1):
        normal = normalise(piece)
        for hit in built.content(normal.text, names_near=None):
            start, end = normal.original(hit.start, hit.end)
            line = number if by_line else piece.count("\n", 0, start) + 1
            yield {
                "path": name,
                "line": line,
                "label": hit.label,
                "start": start,
                "end": end,
                "confidence": round(hit.confidence, 2),
                "reasons": list(hit.reasons),
            }


def protection_of(paths: Sequence[Path]) -> Iterator[tuple[Path, dict[str, Any] | str]]:
    """Contract section 4 for each file, or a sentence why there is no answer."""
    with Worker(start_of(rules_folder(None), "base", People(), RootKey.random())) as worker:
        for path in paths:
            try:
                data = path.read_bytes()
            except OSError as error:
                yield path, f"cannot be read: {error.strerror}"
                continue
            media_type, protection = worker.grade(data, path.name)
            yield (
                path,
                {
                    "path": str(path),
                    "type": media_type,
                    "protection": protection.grade,
                    "mechanism": protection.mechanism,
                    "readable_without_password": protection.readable_without_password,
                    "reasons": list(protection.reasons),
                },
            )


@contextmanager
def scanning(job: FileScan, say: Callable[[str], None]) -> Iterator[Iterator[Line | str]]:
    """Lines of a scan as they finish, and a sentence for each argument that is missing or unreadable.

    The workers end with the context.
    """
    rules = rules_folder(job.rules)
    people = load_people(job.people) if job.people is not None else People()
    if job.people is not None and not people.domains:
        raise ConfigError(
            str(job.people), "names no domains: without them nobody is ours and everything would look inbound"
        )
    start = start_of(rules, job.policy, people, RootKey.random(), as_outbound=job.as_outbound)
    with WorkerPool(start, job.jobs) as pool:
        with pool.worker() as worker:
            ensure_proved(worker, rules, say)
        source = FileSource([str(path) for path in job.paths], leave_out=str(job.people or ""))
        yield _lines(source, pool, job.explain)


def _lines(source: FileSource, pool: WorkerPool, explain: bool) -> Iterator[Line | str]:
    yield from source.check()

    def items() -> Iterator[tuple[str, Callable[[], RawItem | Envelope]]]:
        for folder in source.folders():
            for page in source.changes(folder, None):
                for ref in page.items:
                    yield ref.id, partial(source.fetch, ref)

    trails, habits, heated = correlate.Trails(), correlate.Habits(), correlate.Heated()
    # What may hold the key of another message's file, has a lock, asks for the past or may be part of a pattern waits until all
    # have been read: the other message may come last.
    waiting: dict[tuple[str, str], Outcome] = {}
    occurrences: list[tuple[str, str]] = []  # a file that is named twice is told of twice
    for path, outcomes in pool.judge_all(items(), explain=explain):
        if isinstance(outcomes, Exception):
            yield f"{shown_path(path)}: {outcomes}"
            continue
        for outcome in outcomes:
            trails.add(path, outcome.member, outcome.verdict)
            habits.add(outcome.verdict)
            heated.add(outcome.verdict)
            if outcome.verdict.trail is not None or outcome.verdict.pending:
                waiting[path, outcome.member] = outcome
                occurrences.append((path, outcome.member))
            else:
                file = Path(path)
                empty = not outcome.member and file.is_file() and file.stat().st_size == 0
                yield Line(path + outcome.member, outcome.verdict, outcome.silences, empty)
    opened_by: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for place, outcome in waiting.items():
        if outcome.verdict.trail is not None and outcome.verdict.trail.may_hold_key:
            near = trails.near(*place, outcome.verdict, locked=True)
            waiting[place], opened = _judged_beside(source, pool, place, outcome, near, explain)
            for other in opened:
                opened_by.setdefault(other, []).append(place)
    for place, openers in opened_by.items():
        near = trails.near(*place, waiting[place].verdict, locked=False)
        beside = correlate.beside(openers, near)
        waiting[place], _ = _judged_beside(source, pool, place, waiting[place], beside, explain)
    for path, member in occurrences:
        outcome = waiting[path, member]
        facts = correlate.facts_of(outcome.verdict, habits.seen(outcome.verdict))
        verdict = correlate.settled(outcome.verdict, facts)
        still = correlate.unsettled(outcome.verdict, facts) if explain else ()
        waiting_rules = tuple(Waiting(one.rule, one.owner, one.topic, needs) for one, needs in still)
        verdict = correlate.with_pattern(verdict, heated.before(verdict))
        yield Line(path + member, verdict, outcome.silences, waiting=waiting_rules)
    trails.close()
    habits.close()


def _judged_beside(
    source: FileSource,
    pool: WorkerPool,
    place: tuple[str, str],
    outcome: Outcome,
    near: Sequence[tuple[str, str]],
    explain: bool,
) -> tuple[Outcome, list[tuple[str, str]]]:
    """The message judged once more with the others beside it, as it was where that shows nothing more; and those of them
    whose locks a word of it opened.
    """
    try:
        read = [(other, Companion.of(source.fetch(ItemRef("", "", other[0])), other[1])) for other in near]
        beside = [(other, companion) for other, companion in read if companion is not None]
        if not beside:
            return outcome, []
        path, member = place
        companions = [companion for _, companion in beside]
        again = pool.judge_beside(source.fetch(ItemRef("", "", path)), member, companions, explain=explain)
    except MailwardenError:
        return outcome, []  # a file went away meanwhile: what was seen the first time stands
    if again is None:
        return outcome, []
    opened = [beside[number][0] for number in again.verdict.opens]
    return again if correlate.better(outcome.verdict, again.verdict) else outcome, opened


# --- the demo -------------------------------------------------------------------------------------------------------


@contextmanager
def demo(
    folder: Path, port: int, say: Callable[[str], None], advance: Callable[[int], None]
) -> Iterator[demo_module.DemoRun]:
    """A scanned demo tenant that stands until the context ends."""
    rules = rules_folder(None)
    with Worker(start_of(rules, "base", People(), RootKey.random())) as worker:
        ensure_proved(worker, rules, say)
    with demo_module.running(
        folder.resolve(),
        rules,
        lambda people, key: start_of(rules, "base", people, key),
        port,
        say,
        lambda tally: advance(tally.mailboxes),
    ) as result:
        yield result


def show_demo(result: demo_module.DemoRun, console: Console) -> None:
    demo_module.show(result, console)


def serve(service: Service, host: str, port: int) -> None:
    """The triage page until a stop signal."""
    uvicorn.run(
        create_app(service.web_services),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
    )


# --- the service ----------------------------------------------------------------------------------------------------


@contextmanager
def _services(settings: Settings, say: Callable[[str], None]) -> Iterator[Services]:
    """One service for each tenant over one store, as the settings describe them. Everything they hold ends with the context."""
    tenants = each_tenant(settings)
    if not tenants:
        raise ConfigError("tenant", "no tenant is configured; see deploy/mailwarden.example.yaml")
    policies = tuple(dict.fromkeys(tenant.policy or settings.policy for _, tenant in tenants))
    if not settings.root_key_file.exists():
        create_root_key(settings.root_key_file)
        say(f"A new root key was made: {settings.root_key_file}. Keep a copy apart; without it sealed data is lost.")
    watch = _Watch(settings, policies, say)
    in_force = watch.settled()
    key = load_root_key(settings.root_key_file, settings.root_key_number)
    stop = Event()
    shared = WorkQueue(store_url(settings)) if settings.scan.work == "shared" else None

    def share(jobs: Sequence[Job]) -> Sequence[str]:
        assert shared is not None
        return shared.finish(services.work_name(), jobs, services.read, settings.scan.workers, stop)

    with ExitStack() as stack:
        store = Store.open(store_url(settings), key.subkey("audit"))
        stack.callback(store.close)
        built = [
            stack.enter_context(_service(settings, prefix, tenant, store, key, stop, number, in_force))
            for number, (prefix, tenant) in enumerate(tenants)
        ]
        if shared is not None:
            built = [replace(service, share=share) for service in built]
        services = Services(tuple(built), watch.renewed, watch.has_news)
        yield services


class _Watch:
    """Notices that another rule set is to be run: the folder was changed, or a change was approved."""

    def __init__(self, settings: Settings, policies: Sequence[str], say: Callable[[str], None]) -> None:
        self._settings = settings
        self._sets = _rule_sets(settings)
        self._check = partial(_prove_set, policies=policies, say=say)
        self._say = say
        self._seen = ("", "")

    def settled(self) -> InForce:
        """The set to run. Raises ConfigError(s) where there is none that is good."""
        source = rules_folder(self._settings.rules_dir)
        seen, self._seen = self._now_seen()[0], ("", "")  # what is refused is looked at again in the next round
        found = self._sets.settle(
            source, check=self._check, four_eyes=self._settings.four_eyes, now=_now(), say=self._say
        )
        self._seen = (seen, found.version)
        for sentence in _ended(load_exemptions(found.folder, load_rulebook(found.folder))):
            self._say(sentence)
        return found

    def has_news(self) -> bool:
        """Whether another set is to be run than the one that was settled on last."""
        return self._now_seen() != self._seen

    def renewed(self, each: tuple[Service, ...]) -> tuple[Service, ...]:
        if not self.has_news():
            return each
        in_force = self.settled()
        rulebook = load_rulebook(in_force.folder)
        exemptions = load_exemptions(in_force.folder, rulebook)
        after = []
        for service in each:
            policy = load_policy(in_force.folder, service.policy.slug, rulebook)
            service.pool.new_rules(in_force.folder)
            after.append(
                replace(service, policy=policy, rulebook=rulebook, exemptions=exemptions, rules_notice=in_force.notice)
            )
        return tuple(after)

    def _now_seen(self) -> tuple[str, str]:
        current = self._sets.in_force()
        return content_version(rules_folder(self._settings.rules_dir)), current.version if current else ""


def _ended(exemptions: Exemptions) -> list[str]:
    """A sentence for each exception whose last day has passed."""
    return [
        f"{item.place}: exception {item.id} ended on {item.until} and counts no more ({item.owner})"
        for item in exemptions.expired(_now().date())
    ]


def _client(prefix: str, tenant: Tenant, stop: Event) -> tuple[EntraTokens, GraphClient]:
    authority, graph_url = tenant.addresses
    tokens = EntraTokens(
        tenant_id=tenant.tenant_id,
        client_id=tenant.client_id,
        credential=_credential(tenant, prefix),
        authority=authority,
        graph_url=graph_url,
        ca_file=tenant.ca_file,
    )
    client = GraphClient(
        tokens,
        graph_url=graph_url,
        ca_file=tenant.ca_file,
        requests_per_mailbox=tenant.requests_per_mailbox,
        requests_at_once=tenant.requests_at_once,
        wait=stop.wait,
    )
    return tokens, client


@dataclass(slots=True)
class _Added:
    """What people.yaml and the imported contacts add to a directory, read again when a file has changed. A file that cannot be
    read then leaves what it said before: somebody may be at it.
    """

    people_file: Path | None
    contacts: Path
    key: bytes = field(repr=False)
    _seen: tuple[object, ...] = ()
    _now: People = field(default_factory=People)

    def __call__(self) -> People:
        seen = tuple(_mark(file) for file in (self.people_file, self.contacts))
        if seen == self._seen:
            return self._now
        try:
            extra = load_people(self.people_file) if self.people_file else People()
            kept = load_contacts(self.contacts, self.key)
        except MailwardenError:
            if not self._seen:
                raise
            log.warning("people.yaml or the imported contacts cannot be read; what they said before stays in force")
        else:
            self._now = replace(extra, contacts=(*extra.contacts, *kept)) if kept else extra
        self._seen = seen
        return self._now


def _mark(file: Path | None) -> object:
    """Changes with the file; None where there is none."""
    try:
        found = file.stat() if file is not None else None
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found is not None else None


def _people_of(settings: Settings, tenant: Tenant, client: GraphClient, key: RootKey) -> M365People:
    added = _Added(tenant.people_file or settings.people_file, contacts_file(settings), key.subkey("contacts"))
    words = tuple((item.word, item.school) for item in tenant.schools)
    return M365People(
        client,
        added,
        school_words=words,
        exempt_groups=tenant.exempt_groups,
        protected_groups=tenant.protected_groups,
        purposes=tenant.mailbox_settings == "on",
    )


@contextmanager
def _service(
    settings: Settings,
    prefix: str,
    tenant: Tenant,
    store: Store,
    key: RootKey,
    stop: Event,
    number: int,
    in_force: InForce,
) -> Iterator[Service]:
    rules = in_force.folder
    rulebook = load_rulebook(rules)
    slug = tenant.policy or settings.policy
    policy = load_policy(rules, slug, rulebook)
    _, client = _client(prefix, tenant, stop)
    directory = _people_of(settings, tenant, client, key)
    limits = settings.scan.limits
    worker_limits = WorkerLimits(
        wall_seconds=limits.wall_seconds,
        cpu_seconds=limits.cpu_seconds,
        rss_bytes=limits.rss_mb * 1024 * 1024,
        ocr_rss_bytes=limits.ocr_rss_mb * 1024 * 1024,
    )
    start = start_of(rules, slug, directory.extra, key, limits=_limits(settings), worker=worker_limits)
    include = {address.lower() for address in tenant.mailboxes.include}
    exclude = {address.lower() for address in tenant.mailboxes.exclude}

    def wanted(address: str) -> bool:
        address = address.lower()
        return (not include or address in include) and address not in exclude and address not in directory.exempt()

    mail = M365Mail(
        client,
        mailbox_ids=directory.mailbox_ids,
        hidden="hidden" in tenant.also_folders,
        recoverable="recoverable" in tenant.also_folders,
        leave_out=tenant.leave_out_folders,
        look_back=timedelta(days=settings.scan.look_back_days),
        clock=_now,
        drives_are_read=tenant.files != "off",
    )
    further: list[Further] = []
    if tenant.mailbox_settings == "on":
        further.append(
            Further(
                M365Settings(client, mailbox_ids=directory.mailbox_ids),
                without="inbox rules that forward outside and automatic replies: every mailbox refuses them (403); grant"
                " MailboxSettings.Read or set mailbox_settings: off",
            )
        )
    if tenant.files != "off":
        files = M365Files(
            client,
            user_ids=directory.mailbox_ids,
            leave_out=tenant.files_leave_out,
            max_bytes=tenant.files_max_bytes,
            sees_sharing=tenant.files_sharing_changes == "on",
            clock=_now,
        )
        further.append(
            Further(
                files,
                files.places if tenant.files == "all" else tuple,
                without="shared files: every OneDrive refuses them (403); grant Files.Read.All or set files: off",
            )
        )
    with WorkerPool(start, settings.scan.workers, worker_limits) as pool:
        yield Service(
            store=store,
            key=key,
            source=mail,
            directory=directory,
            pool=pool,
            policy=policy,
            rulebook=rulebook,
            exemptions=load_exemptions(rules, rulebook),
            rules_notice=in_force.notice,
            rule_changes=_rule_sets(settings).log,
            # Notices know no tenant: the first one's service sends them all.
            sender=_sender(settings, tenant, prefix, client, stop) if number == 0 else None,
            public_url=settings.public_url,
            clock=_now,
            wanted=wanted,
            look_back=timedelta(days=settings.scan.look_back_days),
            keep_clean=timedelta(days=settings.scan.keep_clean_days),
            sealed_folders=frozenset(name.casefold() for name in settings.scan.sealed_folders),
            stop=stop,
            further=tuple(further),
            tenant=tenant.label,
            slot=number,
            bounds=repr(
                (
                    tenant.tenant_id,
                    tenant.mailboxes,
                    tenant.also_folders,
                    tenant.leave_out_folders,
                    tenant.files,
                    settings.scan.look_back_days,
                    settings.scan.sealed_folders,
                    settings.scan.limits,
                )
            ),
            has_news=directory.has_news,
            gaps=_gaps(tenant),
            push=(
                M365Push(client, _push_url(settings), key.subkey("push"), mailbox_ids=directory.mailbox_ids, clock=_now)
                if settings.push.url
                else None
            ),
        )


def _gaps(tenant: Tenant) -> tuple[str, ...]:
    """What nobody looks at in a tenant: what Graph cannot show, and what its settings leave out."""
    left_out = []
    if tenant.mailbox_settings == "off":
        left_out.append("inbox rules and automatic replies: mailbox_settings is off")
    if tenant.files != "all":
        shared = "SharePoint sites" if tenant.files == "onedrive" else "shared files of OneDrive and SharePoint"
        left_out.append(f"{shared}: files is {tenant.files}")
    if tenant.files != "off" and tenant.files_leave_out:
        left_out.append(f"shared files whose names end in {', '.join(tenant.files_leave_out)}")
    if tenant.leave_out_folders:
        left_out.append(f"mail folders: {', '.join(tenant.leave_out_folders)} and what lies below them")
    if "recoverable" not in tenant.also_folders:
        left_out.append("mail that was deleted from Deleted Items: also_folders does not name recoverable")
    return (*GAPS, *left_out)


def _push_url(settings: Settings) -> str:
    return settings.push.url.rstrip("/") + "/graph/notifications"


def contacts_file(settings: Settings) -> Path:
    """Where imported contacts are kept, sealed."""
    return settings.contacts_file or settings.root_key_file.with_name("contacts.sealed")


def _rule_sets(settings: Settings) -> RuleSets:
    return RuleSets(settings.root_key_file.resolve().parent / "rule-sets", partial(_record, settings))


def _prove_set(folder: Path, policies: Sequence[str], say: Callable[[str], None]) -> None:
    """Everything that a worker would load, under each pack in use, and the examples."""
    for policy in policies:
        with Worker(start_of(folder, policy, People(), RootKey.random())) as worker:
            ensure_proved(worker, folder, say)


def propose_rules(config: Path | None, given: Path, why: str, say: Callable[[str], None]) -> str:
    """Checks, proves and keeps a changed set; it is in force at once, or where four eyes are asked for after approval."""
    settings = load_settings(config)
    folder = rules_folder(given)
    check_rules(folder, settings.policy)
    _prove_set(folder, (settings.policy,), say)
    sets = _rule_sets(settings)
    version = sets.keep(folder)
    sets.propose(version, _actor(), why, _now())
    if settings.four_eyes:
        return f"Version {version} is proposed; another person puts it in force: mailwarden rules approve {version} --why …"
    return f"Version {version} is proposed; it is in force from the next round of the service with rules_dir {folder}."


def approve_rules(config: Path | None, version: str, why: str) -> str:
    """The second pair of eyes."""
    settings = load_settings(config)
    _rule_sets(settings).approve(version, _actor(), why, _now())
    return f"Version {version} is in force from the service's next round."


def rules_log(config: Path | None) -> tuple[str, list[Change]]:
    """The version in force, and every change with who and why."""
    sets = _rule_sets(load_settings(config))
    current = sets.in_force()
    return (current.version if current else "none"), sets.log()


def _record(settings: Settings, change: Change) -> None:
    store = _store(settings)
    try:
        store.record(
            actor=change.actor, action=f"rules {change.what}", object=f"rules/{change.version}", reason=change.why,
            now=change.at,
        )  # fmt: skip
    finally:
        store.close()


def _now() -> datetime:
    return datetime.now(UTC)


def _actor() -> str:
    """Who runs the command: the account of the process. LOGNAME and its like say whatever one wants them to say."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"  # a container may run under a number that has no name


def _credential(app: Tenant | NoticeApp, prefix: str) -> Credential:
    if isinstance(app, Tenant) and app.managed_identity is not None:
        return ManagedIdentity("" if app.managed_identity == "system" else app.managed_identity)
    if isinstance(app, Tenant) and app.federated_token_file is not None:
        return FederatedToken(app.federated_token_file)
    if app.certificate_file is not None:
        password = ""
        if app.certificate_password_file is not None:
            password = read_secret(app.certificate_password_file, f"{prefix}.certificate_password_file")
        if app.certificate_key_file is not None or app.certificate_file.suffix.lower() in (".pem", ".crt", ".cer"):
            return PemCertificate(app.certificate_file, app.certificate_key_file or app.certificate_file, password)
        return PfxCertificate(app.certificate_file, password)
    if app.client_secret_file is None:
        raise ConfigError(prefix, "needs certificate_file or client_secret_file")
    return ClientSecret(read_secret(app.client_secret_file, f"{prefix}.client_secret_file"))


def _limits(settings: Settings) -> Limits:
    given = settings.scan.limits
    return replace(
        Limits(),
        max_depth=given.max_depth,
        max_parts=given.max_parts,
        max_part_bytes=given.max_part_bytes,
        max_total_bytes=given.max_total_bytes,
        max_text_chars=given.max_text_chars,
        ocr_pages=given.ocr_pages,
        ocr_seconds=given.ocr_seconds,
    )


def _sender_tokens(tenant: Tenant, sender: NoticeApp) -> EntraTokens:
    """The sign-in of the registration that only sends notices."""
    authority, graph_url = tenant.addresses
    return EntraTokens(
        tenant_id=tenant.tenant_id,
        client_id=sender.client_id,
        credential=_credential(sender, "notices.app"),
        authority=authority,
        graph_url=graph_url,
        ca_file=tenant.ca_file,
    )


def _sender(settings: Settings, tenant: Tenant, prefix: str, client: GraphClient, stop: Event) -> Sender | None:
    notices = settings.notices
    if notices.via == "none":
        return None
    if notices.from_mailbox is None:
        raise ConfigError("notices.from_mailbox", "is needed: the mailbox that notices come from")
    if notices.via == "graph":
        if notices.app is None:
            return M365Notices(client, notices.from_mailbox, reader=client)
        tokens = _sender_tokens(tenant, notices.app)
        _, graph_url = tenant.addresses
        sending = GraphClient(tokens, graph_url=graph_url, ca_file=tenant.ca_file, wait=stop.wait)
        # The app that sends need not read: whether an unsure notice went out is looked up by the app that scans.
        return M365Notices(sending, notices.from_mailbox, reader=client)
    if notices.smtp_host is None:
        raise ConfigError("notices.smtp_host", "is needed when notices go out by smtp")
    password = ""
    if notices.smtp_password_file is not None:
        password = read_secret(notices.smtp_password_file, "notices.smtp_password_file")
    server = SmtpServer(
        notices.smtp_host,
        notices.smtp_port,
        notices.smtp_security,
        notices.smtp_user or "",
        password,
        notices.smtp_ca_file,
    )
    return SmtpNotices(server, notices.from_mailbox)


def run_once(config: Path | None, say: Callable[[str], None], advance: Callable[[int], None]) -> Tally:
    """Read the directory, then one round over every mailbox in scope, for each tenant."""
    with _services(load_settings(config), say) as services:
        return services.run_once(advance)


def run_service(config: Path | None, say: Callable[[str], None]) -> None:
    """Rounds, people and clearing at their times, and the triage page, until a stop signal."""
    settings = load_settings(config)
    with _services(settings, say) as services:
        services.refresh_people()
        jobs = [
            schedule.Job("mail", services.round, settings.scan.minutes * 60),
            schedule.Job("people", services.refresh_people, settings.scan.people_hours * 3600, at_once=False),
            schedule.Job("clearing", services.clear, 24 * 3600),
        ]
        if settings.push.url:
            jobs.append(schedule.Job("push", services.wake, 15, at_once=False))
            jobs.append(schedule.Job("subscriptions", services.renew_push, 6 * 3600))
        schedule.run(jobs, services.stop, lambda: serve_all(services, settings.web.host, settings.web.port))


def serve_all(services: Services, host: str, port: int) -> None:
    """The triage page over every tenant until a stop signal."""
    uvicorn.run(
        create_app(services.web_services),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
    )


def run_worker(config: Path | None, say: Callable[[str], None], stalled_after: float = 120.0) -> None:
    """Reads mailboxes that `run` on another machine shares out, until a stop signal; under the same rules alone.

    Raises ConfigError where the settings share nothing out.
    """
    settings = load_settings(config)
    if settings.scan.work != "shared":
        raise ConfigError(
            "scan.work", "is 'here', so that nothing is shared out; set it to shared here and where `run` runs"
        )
    queue = WorkQueue(store_url(settings), stalled_after)
    every = timedelta(hours=settings.scan.people_hours)
    with _services(settings, say) as services, schedule.until_signal(services.stop) as ended:
        while not ended.is_set():
            services.refresh_rules()
            services.refresh_people()
            begun, name = _now(), services.work_name()
            say(f"Taking mailboxes that are judged by the same rules ({name}).")

            def over(begun: datetime = begun) -> bool:
                """Other rules, or time to read the directory again: the mailboxes in hand are given back after their page."""
                if services.has_other_rules() or _now() - begun > every:
                    services.stop.set()
                return services.stop.is_set()

            queue.take(name, services.read, settings.scan.workers, services.stop, over)
            if not ended.is_set():
                services.stop.clear()


def run_web(config: Path | None, say: Callable[[str], None]) -> None:
    """The triage page without rounds: for a second machine, or to look at what was found."""
    settings = load_settings(config)
    with _services(settings, say) as services:
        # Nobody else looks whether the rules have changed where there are no rounds.
        jobs = [schedule.Job("rules", services.refresh_rules, 60, at_once=False)]
        schedule.run(jobs, services.stop, lambda: serve_all(services, settings.web.host, settings.web.port))


def add_account(
    config: Path | None, name: str, email: str, roles: Sequence[AccountRole], password: str, totp: bool
) -> list[str]:
    """A local account; the sentences to show once, the secret for the one-time codes among them."""
    settings = load_settings(config)
    if not settings.root_key_file.exists():
        create_root_key(settings.root_key_file)
    key = load_root_key(settings.root_key_file, settings.root_key_number)
    try:
        hashed = hash_password(password)
    except ValueError as error:
        raise MailwardenError(f"password: {error}") from error
    secret = new_totp_secret() if totp else None
    store = Store.open(store_url(settings), key.subkey("audit"))
    try:
        store.add_account(
            name, password_hash=hashed, totp_secret=secret, roles=roles, email=email, actor=_actor(), now=_now()
        )
    finally:
        store.close()
    said = [f"Account {name} was added."]
    if secret is not None:
        said.append(f"Enter this secret into an authenticator app; it is not shown again: {secret}")
    return said


def sandbox_checks() -> list[Check]:
    """The walls round a worker on this machine: what each keeps out, or that it does not stand and why."""
    with Worker(start_of(rules_folder(None), "base", People(), RootKey.random())) as worker:
        walls = worker.ready().walls
    return [
        Check("sandbox", "good", f"workers are kept from {wall.keeps_out} ({wall.note})")
        if wall.stands
        else Check(
            "sandbox",
            "note",
            f"workers are NOT kept from {wall.keeps_out}: {wall.note}",
            "run it on Linux 5.13 or later, outside a container that forbids seccomp, Landlock and namespaces",
        )
        for wall in walls
    ]


def _trusted(people_file: Path | None) -> Check:
    """Whether any outsider is trusted: with none, each referral to the authorities counts as personal data sent out."""
    name = "trusted_domains"
    try:
        known = load_people(people_file).trusted_domains if people_file else ()
    except MailwardenError as error:
        return Check(name, "bad", str(error), "mend the people file")
    if known:
        return Check(name, "good", f"{len(known)} named")
    return Check(
        name,
        "note",
        "none are named, so a referral to children's services, health or the police becomes a case",
        "name in people.yaml the domains with which an agreement protects what is sent",
    )


def doctor(config: Path | None) -> Iterator[tuple[str, list[Check]]]:
    """For each tenant its name and what was tried. A tenant whose credential cannot even be read is a check that failed."""
    settings = load_settings(config)
    if not each_tenant(settings):
        raise ConfigError("tenant", "no tenant is configured; see deploy/mailwarden.example.yaml")
    yield "this machine", sandbox_checks()
    for prefix, tenant in each_tenant(settings):
        trusted = _trusted(tenant.people_file or settings.people_file)
        try:
            credential = _credential(tenant, prefix)
            tokens, client = _client(prefix, tenant, Event())
        except ConfigError as error:
            yield tenant.label, [trusted, Check("settings", "bad", str(error), "mend the setting that is named")]
            continue
        include = {address.lower() for address in tenant.mailboxes.include}
        exclude = {address.lower() for address in tenant.mailboxes.exclude}
        yield (
            tenant.label,
            [
                trusted,
                *examine(
                    tokens,
                    client,
                    credential,
                    files=tenant.files != "off",
                    sites=tenant.files == "all",
                    mailbox_settings=tenant.mailbox_settings == "on",
                    sharing_changes=tenant.files_sharing_changes == "on",
                    sends=settings.notices.via == "graph" and settings.notices.app is None,
                    wanted=lambda address, i=include, e=exclude: (not i or address in i) and address not in e,  # type: ignore[misc]
                    groups=(*tenant.exempt_groups, *tenant.protected_groups),
                    now=_now(),
                ),
            ],
        )
    if settings.notices.via == "graph" and settings.notices.app is not None:
        _, first = each_tenant(settings)[0]
        try:
            credential = _credential(settings.notices.app, "notices.app")
            yield "notices", examine_sender(_sender_tokens(first, settings.notices.app), credential, now=_now())
        except ConfigError as error:
            yield "notices", [Check("settings", "bad", str(error), "mend the setting that is named")]


@dataclass(frozen=True, slots=True)
class Status:
    """What a look at the store says about the service: nothing is asked of the tenant."""

    runs: list[Run]
    cases: CaseCounts
    notices: dict[str, int]
    parked: list[Parked]
    incomplete: int
    not_judged: int
    problems: dict[ProblemKind, int]
    # The version of the rules in force, and what an admin should know of them: a set that waits or was refused, exceptions
    # that have ended.
    rules: str = ""
    rules_say: tuple[str, ...] = ()


def _existing_store(settings: Settings) -> str:
    """The database's URL for a command that only reads. Raises MailwardenError where there is none yet."""
    url = store_url(settings)
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        raise MailwardenError(
            f"there is no database yet at {url.removeprefix('sqlite:///')}; `mailwarden run` makes it"
        )
    return url


def status(config: Path | None) -> Status:
    settings = load_settings(config)
    store = Store.open(_existing_store(settings))
    try:
        return Status(
            [last] if (last := store.last_run()) is not None else [],
            store.case_counts(),
            store.notice_counts(),
            store.parked(),
            store.messages_with_problems(),
            store.messages_not_judged(),
            store.problem_counts(),
            *_rules_say(settings),
        )
    finally:
        store.close()


def _rules_say(settings: Settings) -> tuple[str, tuple[str, ...]]:
    """As far as files tell without starting a worker."""
    sets = _rule_sets(settings)
    current = sets.in_force()
    if current is None:
        lost = sets.lost()
        return "", (f"the copy of version {lost}, the set in force, was changed or taken away",) if lost else ()
    said = _ended(load_exemptions(current.folder, load_rulebook(current.folder)))
    asked = content_version(rules_folder(settings.rules_dir))
    if asked != current.version:
        refused = [change for change in sets.log() if change.what == "refused" and change.version == asked]
        why = f"was refused: {refused[-1].why}" if refused else "is not in force (not approved, or no round since)"
        said.insert(0, f"the rules folder (version {asked}) {why}")
    return current.version, tuple(said)


def import_contacts(config: Path | None, file: Path, *, dry_run: bool) -> Difference:
    """Read a CSV file of parents and carers and keep it in place of the one before; `dry_run` only says what would change."""
    settings = load_settings(config)
    if not settings.root_key_file.exists():
        create_root_key(settings.root_key_file)
    key = load_root_key(settings.root_key_file, settings.root_key_number).subkey("contacts")
    people_files = [tenant.people_file for _, tenant in each_tenant(settings) if tenant.people_file is not None]
    if settings.people_file is not None:
        people_files.append(settings.people_file)
    schools = tuple(dict.fromkeys(school for people in people_files for school in load_people(people).schools))
    contacts = read_contacts(file, schools)
    place = contacts_file(settings)
    changes = difference(load_contacts(place, key), contacts)
    if not dry_run:
        save_contacts(place, contacts, key)
        store = Store.open(
            store_url(settings), load_root_key(settings.root_key_file, settings.root_key_number).subkey("audit")
        )
        try:
            said = f"{changes.added} added, {changes.changed} changed, {changes.removed} removed"
            store.record(actor=_actor(), action="contacts imported", object="contacts", reason=said, now=_now())
        finally:
            store.close()
    return changes


def settings_table(config: Path | None) -> list[Row]:
    """Every setting with its value and where it came from, secrets hidden."""
    return describe(load_settings(config))
