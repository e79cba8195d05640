"""The chaos run: a seeded tenant scanned once calmly and once with every fault there is; both must find the same, once.

    .venv/bin/python tests/bench/chaos.py [--mailboxes 300] [--mails 6] [--seed 4]

Mail, shared files and mailbox rules; when all is read, mails come, move and go, and it is read again. Prints requests, requests a mail,
faults by kind, violations of Microsoft's limits and whether the findings agree; ends with 1 where they do not. Waits and latencies pass on
a clock of their own, which client and tenant share: limits and Retry-After count, and the run takes minutes and not hours.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import sqlalchemy as sa
from graph.contract import contract, tokens_for
from graph.tenants import mail
from tenant_service import EXTRA, KEY

from connectors.faketenant.faults import Chaos, Latency, Plan
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeRule, FakeUser, Tenant
from connectors.graph import GraphClient, Patience
from connectors.m365_files import M365Files
from connectors.m365_mail import M365Mail
from connectors.m365_people import M365People
from connectors.m365_settings import M365Settings
from scanner.app import rules_folder, start_of
from scanner.policy import load_policy
from scanner.rulebook import load_rulebook
from scanner.service import Further, Service
from scanner.store import Store
from scanner.work import WorkerPool

_ROUNDS = 12
_ANYONE = {"id": "a", "roles": ["read"], "link": {"scope": "anonymous", "type": "view"}}


class Clock:
    """Seconds that pass by themselves, and at once where somebody would wait."""

    def __init__(self) -> None:
        self._skipped = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        return time.monotonic() + self._skipped

    def wait(self, seconds: float) -> None:
        with self._lock:
            self._skipped += seconds

    @property
    def skipped(self) -> float:
        return self._skipped


def breach(number: int, sender: str) -> bytes:
    text = f"letter {number}.\n\nLeila Haddad, NHS number 943 476 5919, of {sender} {number}"
    content = mail(number, sender=sender, attached=b"")
    return content.replace(f"letter {number}.".encode(), text.encode()).replace(b"Jo Reed", sender[:9].title().encode())


def tenant_of(mailboxes: int, mails: int, seed: int) -> tuple[Tenant, int]:
    """Mailboxes that are filled when they are first asked for, each the same whenever that is."""
    tenant = Tenant()
    planted = 0
    for number in range(mailboxes):
        address = f"staff{number:04}@elt.example"
        dice = random.Random(f"{seed} {number}")
        choices = [dice.random() for _ in range(mails)]
        planted += sum(choice < 0.2 for choice in choices)

        def fill(tenant: Tenant, address: str, number: int = number, choices: list[float] = choices) -> None:
            for at, choice in enumerate(choices):
                text = f"letter {at} of {address}."
                if choice < 0.2:
                    text += f"\n\nLeila Haddad, NHS number 943 476 5919, of {address} {at}"
                content = mail(number * 1000 + at, sender=address, attached=b"a,b\n" if choice > 0.7 else b"")
                content = content.replace(f"letter {number * 1000 + at}.".encode(), text.encode())
                content = content.replace(b"Jo Reed", f"Staff {number:04}".encode())
                tenant.deliver(address, "sentitems" if choice < 0.5 else "inbox/Class", content)

            if number % 15 == 3:
                to = [{"emailAddress": {"name": "X", "address": f"collector{number}@mailbox.example"}}]
                tenant.mailboxes[address].rules.append(FakeRule("all", {"forwardTo": to}))

        mailbox = {1: "none", 2: "denied"}.get(number % 50, "ok")
        blocked = number % 20 == 4
        tenant.announce(
            FakeUser(address, f"Staff {number:04}", job_title="Teacher", mailbox=mailbox, enabled=not blocked), fill
        )
        if mailbox == "ok" and number % 10 == 5:
            drive = tenant.add_drive(address)
            sheet = f"name,nhs number\nLeila Haddad,943 476 5919\nBen {number},943 476 5870\n".encode()
            tenant.put_file(drive, "lists/class.csv", sheet, _ANYONE)
            tenant.put_file(drive, "mine.csv", b"x" + sheet)
    return tenant, planted


def go_on(tenant: Tenant, mailboxes: int, seed: int) -> None:
    """What happens in a day: mails come, move and go, and a private list is shared."""
    for number in range(mailboxes):
        address = f"staff{number:04}@elt.example"
        if tenant.users[address].mailbox != "ok":
            continue
        dice = random.Random(f"{seed} later {number}")
        box = tenant.mailboxes[address]
        told = sorted(box.messages.values(), key=lambda message: message.mime)
        if dice.random() < 0.3:
            tenant.deliver(address, "sentitems", breach(number * 1000 + 900, address))
        if told and dice.random() < 0.3:
            tenant.move(address, told[0].id, "archive")
        if len(told) > 1 and dice.random() < 0.2:
            tenant.delete(address, told[1].id)
    for drive in tenant.drives.values():
        tenant.share(drive, next(item for item in drive.items.values() if item.name == "mine.csv"), _ANYONE)


Found = Counter[tuple[str, str]]


def run(
    tenant: Tenant, plan: Plan, folder: Path, later: Callable[[], None]
) -> tuple[Found, int, list[str], float, float]:
    """Findings by key and mailbox, requests, violations, seconds that passed here and on the run's own clock."""
    database = f"sqlite:///{folder / 'store.db'}"
    started = time.monotonic()
    clock = Clock()
    plan.latency = Latency(0.05, sleep=clock.wait)
    with FakeTenant(tenant, plan, clock=clock.now) as fake:
        fake.limits.frees_late = 0.02
        client = GraphClient(
            tokens_for(fake),
            graph_url=fake.url,
            ca_file=fake.ca_file,
            patience=Patience(attempts=10),
            wait=clock.wait,
            clock=clock.now,
        )
        people = M365People(client, EXTRA, purposes=True)
        rules = rules_folder(None)
        store = Store.open(database, KEY.subkey("audit"))
        with WorkerPool(start_of(rules, "base", people.load(), KEY), 2) as pool:
            now = [datetime.now(UTC)]
            service = Service(
                store=store,
                key=KEY,
                source=M365Mail(client, mailbox_ids=people.mailbox_ids, page_size=10),
                directory=people,
                pool=pool,
                policy=load_policy(rules, "base"),
                rulebook=load_rulebook(rules),
                sender=None,
                public_url="http://127.0.0.1:1",
                clock=lambda: now[0],
                further=(
                    Further(M365Settings(client, mailbox_ids=people.mailbox_ids), every=timedelta(0)),
                    Further(M365Files(client, user_ids=people.mailbox_ids), every=timedelta(0)),
                ),
            )
            for happens in (lambda: None, later):
                happens()
                left: set[str] | None = None
                for _ in range(_ROUNDS):
                    now[0] += timedelta(minutes=15)
                    unfinished = set(service.round().unfinished)
                    # Done is what was walked to its end once since the day's mail came.
                    left = unfinished if left is None else left & unfinished
                    if not left:
                        break
                else:
                    raise SystemExit(f"{len(left or ())} mailboxes were never finished in {_ROUNDS} rounds")
        store.close()
        violations = list(fake.violations)
        requests = len(fake.graph())
        violations += [f"not by the contract: {said}" for said in contract().violations(fake.exchanges)[:5]]
    engine = sa.create_engine(database)
    with engine.connect() as connection:
        query = sa.text(
            "select f.key, m.mailbox from finding f join appearance a on a.finding_id = f.id join message m on m.id = a.message_id"
        )
        found = Counter((row.key, row.mailbox) for row in connection.execute(query))
    engine.dispose()
    return found, requests, violations, time.monotonic() - started, clock.skipped


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mailboxes", type=int, default=300)
    parser.add_argument("--mails", type=int, default=6)
    parser.add_argument("--seed", type=int, default=4)
    given = parser.parse_args()
    total = given.mailboxes * given.mails
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        results = []
        chaos = Chaos(given.seed)
        for name, plan, folder in (("calm", Plan(), one), ("chaos", chaos, two)):
            tenant, planted = tenant_of(given.mailboxes, given.mails, given.seed)
            after = partial(go_on, tenant, given.mailboxes, given.seed)
            found, requests, violations, seconds, skipped = run(tenant, plan, Path(folder), after)
            print(
                f"{name}: {len(found)} findings ({planted} planted in mails at first), {requests} requests for {total} mails,"
                f" {seconds:.0f} s here, {skipped:.0f} s waited on the run's clock",
                flush=True,
            )
            results.append((found, violations))
        (calm, violations), (wild, more) = results
        print(f"{sum(chaos.struck.values())} faults: " + ", ".join(f"{n} {k}" for n, k in sorted(chaos.struck.items())))
    doubled = sum(number > 1 for number in wild.values())
    violations += more
    print(
        f"limit or contract violations: {len(violations)}; doubled: {doubled}; the same findings: {calm.keys() == wild.keys()}"
    )
    print(f"contract: {dict(contract().counts)}")
    for said in violations[:5]:
        print(f"  {said}")
    return 0 if calm.keys() == wild.keys() and not doubled and not violations and calm else 1


if __name__ == "__main__":
    sys.exit(main())
