"""A round shared out over PostgreSQL: each mailbox once, one reader at a time, and nothing lost or doubled where a worker dies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
import sqlalchemy as sa
from test_pipeline import OUTSIDER, mail

from connectors.faketenant.faults import Latency, Plan
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeUser, Tenant
from scanner.errors import ConfigError, MailwardenError
from scanner.work_queue import Job, WorkQueue
from tests.shared_worker import NAME, STALLED_AFTER
from tests.tenant_service import service

MAILBOXES = tuple(f"staff{number}@elt.example" for number in range(4))
EACH = 10


def never() -> bool:
    return False


@contextmanager
def taking(queue: WorkQueue, name: str, do: Callable[[Job], None]) -> Iterator[None]:
    """A further worker in a thread of this process."""
    stop = Event()
    thread = threading.Thread(target=queue.take, args=(name, do, 2, stop, never), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_every_mailbox_is_read_once_and_both_have_part_in_it(postgres_url: Callable[..., str]) -> None:
    queue = WorkQueue(postgres_url(), STALLED_AFTER)
    done: Counter[str] = Counter()
    by: set[str] = set()

    def reader(who: str) -> Callable[[Job], None]:
        def read(job: Job) -> None:
            time.sleep(0.3)
            done[job.mailbox] += 1
            by.add(who)

        return read

    wanted = [Job(0, f"m{number}") for number in range(12)]
    with taking(queue, "rules-a", reader("worker")):
        failed = queue.finish("rules-a", wanted, reader("lead"), 1, Event())
    assert failed == ()
    assert done == {job.mailbox: 1 for job in wanted}
    assert by == {"lead", "worker"}


def test_a_worker_with_other_rules_takes_nothing_and_what_waits_for_rules_of_before_is_dropped(
    postgres_url: Callable[..., str],
) -> None:
    queue = WorkQueue(postgres_url(), STALLED_AFTER)
    other: list[str] = []
    done: list[str] = []
    stopped = Event()
    stopped.set()
    queue.finish("rules-old", [Job(0, "left")], lambda job: None, 1, stopped)  # stopped before it began
    with taking(queue, "rules-b", lambda job: other.append(job.mailbox)):
        queue.finish("rules-a", [Job(0, "a"), Job(0, "b")], lambda job: done.append(job.mailbox), 1, Event())
    assert (sorted(done), other) == (["a", "b"], [])
    queue.finish("rules-old", [], lambda job: done.append(job.mailbox), 1, Event())
    assert "left" not in done


def test_a_mailbox_that_is_not_read_to_the_end_is_tried_again_and_then_named(postgres_url: Callable[..., str]) -> None:
    queue = WorkQueue(postgres_url(), STALLED_AFTER)
    tries: Counter[str] = Counter()

    def read(job: Job) -> None:
        tries[job.mailbox] += 1
        if job.mailbox == "broken" or tries[job.mailbox] == 1:
            raise MailwardenError("out of reach")

    assert queue.finish("rules-a", [Job(0, "broken"), Job(0, "shaky")], read, 2, Event()) == ("broken",)
    assert tries["shaky"] == 2
    assert tries["broken"] > 2
    # The next round begins anew, and does not name what failed in the one before.
    assert queue.finish("rules-a", [], read, 1, Event()) == ()


def test_work_is_shared_over_postgresql_alone() -> None:
    with pytest.raises(MailwardenError, match=r"store\.url"):
        WorkQueue("sqlite:///store.db")


def many_mailboxes() -> Tenant:
    tenant = Tenant()
    tenant.add_user(FakeUser("head@elt.example", "Hilary Moss"))
    for number, address in enumerate(MAILBOXES):
        tenant.add_user(FakeUser(address, f"Staff {number}", manager="head@elt.example"))
        for each in range(EACH):
            body = "Thank you, see you on Friday."
            if each % 2 == 0:
                body = f"For the form: Ron Tanner, national insurance number AB 12 3{number} 5{each} C."
            tenant.deliver(address, "sentitems", mail(number * 100 + each, address, OUTSIDER, body))
    return tenant


def rows(database: str, sql: str) -> list[tuple[object, ...]]:
    engine = sa.create_engine(database, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(sql))]


def test_two_workers_one_killed_amid_a_mailbox_lose_nothing_and_double_nothing(
    postgres_url: Callable[..., str],
) -> None:
    database = postgres_url()
    plan = Plan()
    plan.latency = Latency(0.05, spread=0.1)
    script = Path(__file__).with_name("shared_worker.py")
    environment = os.environ | {"PYTHONPATH": str(script.parents[1])}
    with FakeTenant(many_mailboxes(), plan) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        command = [sys.executable, str(script), *map(str, arguments)]
        with service(*arguments, page_size=2) as running:
            queue = WorkQueue(database, STALLED_AFTER)
            running.pool.versions()  # ready before anybody takes a job
            begun, waited = Event(), Event()

            def read(job: Job) -> None:
                begun.set()
                waited.wait(60)  # the lead holds one mailbox, and leaves the others to the worker that is to die
                running.read(job)

            lead = replace(running, share=lambda jobs: queue.finish(NAME, jobs, read, 1, running.stop))
            tallies = []
            thread = threading.Thread(target=lambda: tallies.append(lead.round()), daemon=True)
            with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as doomed:
                thread.start()
                assert doomed.stdout is not None
                mailbox = doomed.stdout.readline().removeprefix("begun ").strip()
                assert mailbox in MAILBOXES
                committed = 0
                while not committed:
                    ((committed,),) = rows(database, f"SELECT count(*) FROM message WHERE mailbox = '{mailbox}'")  # noqa: S608
                doomed.kill()
            ((committed,),) = rows(database, f"SELECT count(*) FROM message WHERE mailbox = '{mailbox}'")  # noqa: S608
            assert 0 < int(str(committed)) < EACH, "it was to be killed amid the mailbox"
            with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as second:
                waited.set()
                thread.join(timeout=120)
                second.terminate()
                assert second.stdout is not None
                ended = [line for line in second.stdout if line.startswith("ended")]
            assert not thread.is_alive()
            assert begun.is_set()
            (tally,) = tallies
            assert tally.unfinished == []
            assert tally.parked == []
            assert ended or tally.messages  # whoever was free
    places = rows(database, "SELECT mailbox, count(*), count(DISTINCT internet_id) FROM message GROUP BY mailbox")
    assert {(box, number, distinct) for box, number, distinct in places} >= {(box, EACH, EACH) for box in MAILBOXES}
    assert rows(database, "SELECT max(n) FROM (SELECT count(*) AS n FROM finding GROUP BY key) AS each") == [(1,)]
    assert rows(database, "SELECT count(*) FROM cases") == [(len(MAILBOXES) * EACH // 2,)]
    assert rows(database, "SELECT sum(messages) FROM coverage") == [(len(MAILBOXES) * EACH,)]
    assert rows(database, "SELECT count(*) FROM procrastinate_jobs") == [(0,)]


def test_the_command_says_what_is_missing_where_nothing_is_shared_out(tmp_path: Path) -> None:
    from scanner.app import run_worker

    settings = tmp_path / "mailwarden.yaml"
    settings.write_text(f"store: {{url: 'sqlite:///{tmp_path / 'store.db'}'}}\n")
    with pytest.raises(ConfigError, match=r"scan\.work"):
        run_worker(settings, print)
