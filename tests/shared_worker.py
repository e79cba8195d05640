"""A further worker over a fake tenant, as a script that a test may kill: it says which mailbox it has begun and ended."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Event

from scanner.work_queue import Job, WorkQueue
from tests.tenant_service import service

NAME = "mail-test"
STALLED_AFTER = 2.0

if __name__ == "__main__":
    url, ca_file, tenant_id, client_id, secret, database = sys.argv[1:7]
    with service(url, Path(ca_file), tenant_id, client_id, secret, database, page_size=2) as running:

        def read(job: Job) -> None:
            print(f"begun {job.mailbox}", flush=True)
            running.read(job)
            print(f"ended {job.mailbox}", flush=True)

        WorkQueue(database, STALLED_AFTER).take(NAME, read, 1, Event(), lambda: False)
