"""Memory of the fetching process over a mailbox of 200,000 mails, some with attachments of 100 MB.

    .venv/bin/python tests/bench/memory.py [--mails 200000] [--large 5] [--megabytes 100]

The fake tenant runs in a process of its own. Every mail is walked and fetched; large ones are read to their end as a worker's pipe would.
Prints the peak of resident memory (ru_maxrss) and ends with 1 above 500 MB.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from graph.tenants import JO, mail

from connectors.entra import ClientSecret, EntraTokens
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeUser, Tenant
from connectors.graph import GraphClient
from connectors.m365_mail import M365Mail
from scanner.ports import RawItem, SpooledItem

LIMIT_MB = 500


def serve(mails: int, large: int, megabytes: int) -> None:
    """Until standard input closes."""
    tenant = Tenant()
    tenant.add_user(FakeUser(JO, "Jo Reed"))
    small = [mail(number) for number in range(20)]
    for number in range(mails):
        tenant.deliver(JO, "inbox", small[number % len(small)])
    big = mail(99, attached=b"x" * (megabytes * 1024 * 1024)) if large else b""
    for _ in range(large):
        tenant.deliver(JO, "inbox", big)
    with FakeTenant(tenant) as fake:
        fake.records = False
        fake.limits.requests_per_window = 10**9  # the walk is measured here, not the pace
        print(json.dumps([fake.url, str(fake.ca_file), fake.tenant_id, fake.client_id, fake.client_secret]), flush=True)
        sys.stdin.read()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mails", type=int, default=200_000)
    parser.add_argument("--large", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--serve", action="store_true")
    given = parser.parse_args()
    if given.serve:
        serve(given.mails, given.large, given.megabytes)
        return 0
    options = ["--mails", str(given.mails), "--large", str(given.large), "--megabytes", str(given.megabytes)]
    with subprocess.Popen(
        [sys.executable, __file__, "--serve", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url, ca_file, tenant_id, client_id, secret = json.loads(server.stdout.readline())
        tokens = EntraTokens(
            tenant_id=tenant_id,
            client_id=client_id,
            credential=ClientSecret(secret),
            authority=url,
            graph_url=url,
            ca_file=Path(ca_file),
        )
        client = GraphClient(tokens, graph_url=url, ca_file=Path(ca_file))
        source = M365Mail(client, page_size=250)
        started = time.monotonic()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        seen = spooled = longest = 0
        inbox = next(folder for folder in source.folders(JO) if folder.kind == "inbox")
        for page in source.changes(inbox, None):
            for ref in page.items:
                seen += 1
                item = source.fetch(ref)
                if isinstance(item, SpooledItem):
                    spooled += 1
                    item.file.seek(0)
                    while piece := item.file.read(1 << 20):
                        longest += len(piece)
                    item.close()
                elif isinstance(item, RawItem):
                    longest += len(item.data)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        assert server.stdin is not None
        server.stdin.close()
    print(
        f"{seen} mails, {spooled} of them streamed to disk ({longest / 2**20:.0f} MB), {client.sent_requests} requests, "
        f"{time.monotonic() - started:.0f} s; peak {peak:.0f} MB ({before:.0f} MB before), limit {LIMIT_MB} MB"
    )
    return 0 if peak < LIMIT_MB and seen == given.mails + given.large and spooled == given.large else 1


if __name__ == "__main__":
    sys.exit(main())
