"""`mailwarden demo`: a made-up tenant behind a real HTTPS server on this machine, scanned by the real service."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connectors.entra import ClientSecret, EntraTokens
from connectors.faketenant import demo as demo_tenant
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import Tenant
from connectors.graph import GraphClient
from connectors.m365_mail import M365Mail
from connectors.m365_notices import M365Notices
from connectors.m365_people import M365People
from connectors.people_file import load_people
from scanner import report
from scanner.keys import RootKey, create_root_key, load_root_key
from scanner.model import SEVERITIES, People
from scanner.pipeline import Tally
from scanner.policy import load_policy
from scanner.report import Line, Summary
from scanner.rulebook import load_rulebook
from scanner.service import Service
from scanner.store import CaseRow, Committed, Store
from scanner.web import hash_password
from scanner.work import WorkerPool
from scanner.worker import Start


@dataclass(slots=True)
class _Findings:
    """What was found in this run, one line for each mail however many mailboxes hold a copy."""

    lines: list[Line] = field(default_factory=list)
    summary: Summary = field(default_factory=Summary)
    seen: set[str] = field(default_factory=set)

    def take(self, result: Committed) -> None:
        if result.verdict.content_hash in self.seen:
            return
        self.seen.add(result.verdict.content_hash)
        line = Line(f"{result.mailbox} {result.internet_id}", result.verdict)
        self.summary.add(line)
        if result.verdict.findings or result.verdict.problems:
            self.lines.append(line)


@dataclass(frozen=True, slots=True)
class DemoRun:
    """A demo that was scanned: where its things lie, what the round did, and the service that still stands."""

    service: Service
    tally: Tally
    folder: Path
    notices: int
    lines: tuple[Line, ...]
    account: str
    password: str = field(repr=False)

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def database(self) -> Path:
        return self.folder / "mailwarden.db"

    def cases(self) -> list[CaseRow]:
        """All cases, severest first."""
        found: list[CaseRow] = []
        while True:
            page = self.service.store.cases(after=found[-1].id if found else None, limit=200)
            found.extend(page)
            if len(page) < 200:
                return sorted(found, key=lambda case: (-SEVERITIES.index(case.severity), case.topic, case.id))


@contextmanager
def running(
    folder: Path,
    rules: Path,
    start_of: Callable[[People, RootKey], Start],
    port: int,
    say: Callable[[str], None],
    advance: Callable[[Tally], None],
) -> Iterator[DemoRun]:
    """Start the tenant, scan it, and keep both up until the context ends. A second start finds nothing new."""
    folder.mkdir(parents=True, exist_ok=True)
    tenant_folder = folder / "tenant"
    if not (tenant_folder / "people.yaml").is_file():
        demo_tenant.build(tenant_folder)
    key_file = folder / "root.key"
    if not key_file.is_file():
        create_root_key(key_file)
    key = load_root_key(key_file)
    extra = load_people(tenant_folder / "people.yaml")
    rulebook = load_rulebook(rules)
    findings = _Findings()
    with FakeTenant(Tenant.from_folder(tenant_folder)) as fake:
        say(f"A made-up tenant, {extra.organisation}, answers like Microsoft Graph at {fake.url}")
        tokens = EntraTokens(
            tenant_id=fake.tenant_id,
            client_id=fake.client_id,
            credential=ClientSecret(fake.client_secret),
            authority=fake.url,
            graph_url=fake.url,
            ca_file=fake.ca_file,
        )
        client = GraphClient(tokens, graph_url=fake.url, ca_file=fake.ca_file)
        people_source = M365People(client, extra)
        people = people_source.load()
        store = Store.open(f"sqlite:///{folder / 'mailwarden.db'}", key.subkey("audit"))
        sender_mailbox = people.roles.get("it_security", {}).get("", "") or people.people[0].email
        with WorkerPool(start_of(people, key), 2) as pool:
            service = Service(
                store=store,
                key=key,
                source=M365Mail(client, mailbox_ids=people_source.mailbox_ids),
                directory=people_source,
                pool=pool,
                policy=load_policy(rules, "base", rulebook),
                rulebook=rulebook,
                sender=M365Notices(client, sender_mailbox),
                public_url=f"http://127.0.0.1:{port}",
                clock=lambda: datetime.now(UTC),
                on_result=findings.take,
            )
            try:
                tally = service.round(advance)
                account, password = _account(service, folder, people)
                result = DemoRun(service, tally, folder, len(fake.sent), tuple(findings.lines), account, password)
                if findings.summary.messages:
                    title = f"Mailwarden demo: {extra.organisation}"
                    page = report.as_html(findings.lines, findings.summary, title, datetime.now(UTC))
                    result.report.touch(mode=0o600)
                    result.report.write_text(page, "utf-8")
                yield result
            finally:
                store.close()


def _account(service: Service, folder: Path, people: People) -> tuple[str, str]:
    """The demo's sign-in: the data protection officer. Its made-up password lies beside the made-up data."""
    file = folder / "sign-in.txt"
    if service.store.account("dpo") is None:
        password = "-".join(secrets.token_hex(2) for _ in range(4))
        service.store.add_account(
            "dpo",
            password_hash=hash_password(password),
            totp_secret=None,
            roles=["dpo", "admin"],
            email=people.roles.get("dpo", {}).get("", "dpo@demo.example"),
            actor="demo",
            now=service.clock(),
        )
        file.touch(mode=0o600)
        file.write_text(f"dpo {password}\n", "utf-8")
    name, _, password = file.read_text("utf-8").strip().partition(" ")
    return name, password


def show(result: DemoRun, console: Console) -> None:
    """What a newcomer wants to see: what was looked at, the cases by who gets them, where the rest lies."""
    tally = result.tally
    if tally.unfinished or tally.parked:
        console.print(f"Not finished: {', '.join(sorted({*tally.unfinished, *tally.parked}))}", style="red")
    elif tally.messages == 0:
        console.print(
            f"\nNothing new: {tally.mailboxes} mailboxes with {tally.folders} folders were asked, every message in them was "
            "judged before.\n"
        )
    cases = result.cases()
    by_route: dict[str, list[CaseRow]] = {}
    for case in cases:
        by_route.setdefault(f"{case.route.role.replace('_', ' ')} · {case.route.person or 'nobody'}", []).append(case)
    for whom, rows in sorted(by_route.items(), key=lambda item: -len(item[1])):
        table = Table(
            title=f"For {whom} ({len(rows)})", title_justify="left", show_edge=False, pad_edge=False, title_style="bold"
        )
        for heading in ("case", "severity", "what", "people", "why"):
            table.add_column(heading, no_wrap=heading in ("case", "severity"))
        for case in rows[:8]:
            people = str(case.subjects) if case.subjects else ""
            table.add_row(str(case.id), case.severity, escape(case.title), people, escape(case.why))
        console.print(table)
        if len(rows) > 8:
            console.print(f"  … and {len(rows) - 8} more on the triage page", style="dim")
        console.print()
    unread = result.service.store.messages_with_problems()
    if tally.messages:
        console.print(
            f"{tally.mailboxes} mailboxes, {tally.messages} messages (each copy counts), {len(cases)} cases, "
            f"{result.notices} neutral notices sent."
        )
    console.print(
        f"{unread} messages have a part that could not be read; they are listed apart and are not called clean."
    )
    if result.report.is_file():
        console.print(f"Report:   {result.report}")
    console.print(f"Database: {result.database}")
