"""The chaos run: a seeded tenant scanned once calmly and once with every fault there is; both must find the same, once.

    .venv/bin/python tests/bench/chaos.py [--mailboxes 300] [--mails 6] [--seed 4]

Prints requests, requests a mail, faults by kind, violations of Microsoft's limits and whether the findings agree; ends with 1 where they
do not. Waits are asked for and not slept, so that the run takes minutes and not hours.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import sqlalchemy as sa
from graph.contract import contract, tokens_for
from graph.tenants import mail
from tenant_service import EXTRA, KEY

from connectors.faketenant.faults import Chaos, Plan
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeUser, Tenant
from connectors.graph import GraphClient, Patience
from connectors.m365_mail import M365Mail
from connectors.m365_people import M365People
from scanner.app import rules_folder, start_of
from scanner.policy import load_policy
from scanner.rulebook import load_rulebook
from scanner.service import Service
from scanner.store import Store
from scanner.work import WorkerPool


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

        tenant.announce(FakeUser(address, f"Staff {number:04}", job_title="Teacher"), fill)
    return tenant, planted


def run(
    tenant: Tenant, plan: Plan, folder: Path, rounds: int
) -> tuple[Counter[tuple[str, str]], int, list[str], float]:
    database = f"sqlite:///{folder / 'store.db'}"
    started = time.monotonic()
    with FakeTenant(tenant, plan) as fake:
        waits: list[float] = []
        client = GraphClient(
            tokens_for(fake),
            graph_url=fake.url,
            ca_file=fake.ca_file,
            patience=Patience(attempts=10, first_wait=0.0, longest_backoff=0.0),
            wait=waits.append,
        )
        people = M365People(client, EXTRA)
        rules = rules_folder(None)
        store = Store.open(database, KEY.subkey("audit"))
        with WorkerPool(start_of(rules, "base", people.load(), KEY), 2) as pool:
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
                clock=lambda: datetime.now(UTC),
            )
            for _ in range(rounds):
                tally = service.round()
                if not tally.unfinished and not tally.parked:
                    break
        store.close()
        violations = list(fake.violations)
        requests = len(fake.graph())
        invalid = contract().violations(fake.exchanges)
        violations += [f"not by the contract: {said}" for said in invalid[:5]]
    engine = sa.create_engine(database)
    with engine.connect() as connection:
        query = sa.text(
            "select f.key, m.mailbox from finding f join appearance a on a.finding_id = f.id join message m on m.id = a.message_id"
        )
        found = Counter((row.key, row.mailbox) for row in connection.execute(query))
    engine.dispose()
    return found, requests, violations, time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mailboxes", type=int, default=300)
    parser.add_argument("--mails", type=int, default=6)
    parser.add_argument("--seed", type=int, default=4)
    given = parser.parse_args()
    total = given.mailboxes * given.mails
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        tenant, planted = tenant_of(given.mailboxes, given.mails, given.seed)
        calm, requests, violations, seconds = run(tenant, Plan(), Path(one), 1)
        print(
            f"calm:  {len(calm)} findings ({planted} planted), {requests} requests for {total} mails, {seconds:.0f} s"
        )
        chaos = Chaos(given.seed)
        tenant, _ = tenant_of(given.mailboxes, given.mails, given.seed)
        wild, requests, more, seconds = run(tenant, chaos, Path(two), 6)
        print(f"chaos: {len(wild)} findings, {requests} requests, {sum(chaos.struck.values())} faults, {seconds:.0f} s")
        print("  " + ", ".join(f"{name} {number}" for name, number in sorted(chaos.struck.items())))
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
