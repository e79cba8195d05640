"""Builds the real service over a running fake tenant; run as a script it does rounds until somebody kills it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from connectors.entra import ClientSecret, EntraTokens
from connectors.graph import GraphClient
from connectors.m365_mail import M365Mail
from connectors.m365_people import M365People
from scanner.app import rules_folder, start_of
from scanner.keys import RootKey
from scanner.model import People, Person
from scanner.policy import load_policy
from scanner.rulebook import load_rulebook
from scanner.service import Service
from scanner.store import Store
from scanner.work import WorkerPool

KEY = RootKey(bytes(range(32)))
EXTRA = People(
    organisation="Example Learning Trust",
    domains=("elt.example",),
    roles={"dpo": {"": "dpo@elt.example"}, "headteacher": {"": "head@elt.example"}},
    people=(Person("head@elt.example", "Hilary Moss", "staff"),),
)


@contextmanager
def service(
    url: str, ca_file: Path, tenant_id: str, client_id: str, secret: str, database: str, page_size: int = 10
) -> Iterator[Service]:
    tokens = EntraTokens(
        tenant_id=tenant_id,
        client_id=client_id,
        credential=ClientSecret(secret),
        authority=url,
        graph_url=url,
        ca_file=ca_file,
    )
    client = GraphClient(tokens, graph_url=url, ca_file=ca_file)
    directory = M365People(client, EXTRA)
    rules = rules_folder(None)
    store = Store.open(database, KEY.subkey("audit"))
    with WorkerPool(start_of(rules, "base", directory.load(), KEY), 1) as pool:
        yield Service(
            store=store,
            key=KEY,
            source=M365Mail(client, mailbox_ids=directory.mailbox_ids, page_size=page_size),
            directory=directory,
            pool=pool,
            policy=load_policy(rules, "base"),
            rulebook=load_rulebook(rules),
            sender=None,
            public_url="http://127.0.0.1:1",
            clock=lambda: datetime.now(UTC),
        )
    store.close()


if __name__ == "__main__":
    url, ca_file, tenant_id, client_id, secret, database = sys.argv[1:7]
    with service(url, Path(ca_file), tenant_id, client_id, secret, database, page_size=2) as running:
        running.round()
    print("finished", flush=True)
