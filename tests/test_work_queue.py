"""A round shared out over PostgreSQL: each mailbox once, one reader at a time, and nothing lost or doubled where a worker dies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TypeVar

import pytest
import sqlalchemy as sa
from test_pipeline import OUTSIDER, mail

from connectors.faketenant.faults import Latency, Plan
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeUser, Tenant
from scanner.errors import ConfigError, MailwardenError
from scanner.governance import Leave
from scanner.keys import RootKey
from scanner.service import Service, Services
from scanner.work_queue import Job, WorkQueue
from tests.shared_worker import NAME, STALLED_AFTER
from tests.tenant_service import service

MAILBOXES = tuple(f"staff{number}@elt.example" for number in range(4))
EACH = 10


Result = TypeVar("Result")


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


KILLED = """
import sys, time
from threading import Event
from typing import TypeVar
from scanner.work_queue import Job, WorkQueue

def read(job):
    print("begun", flush=True)
    time.sleep(600)

WorkQueue(sys.argv[1], 2.0).finish("rules-a", [Job(0, "m1")], read, 1, Event())
"""


def killed_amid_m1(database: str) -> None:
    """A `run` that died by kill -9 with the mailbox m1 in hand."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", KILLED, database]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as doomed:
        assert doomed.stdout is not None
        assert doomed.stdout.readline().strip() == "begun"
        doomed.kill()


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """What the call gives; a round that hangs fails the test instead of keeping it."""
    given: list[Result] = []
    failed: list[BaseException] = []

    def go() -> None:
        try:
            given.append(call())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "the round hangs"
    if failed:
        raise failed[0]
    return given[0]


@pytest.mark.parametrize("name", ["rules-a", "rules-b"], ids=["same-rules", "other-rules"])
def test_a_round_after_one_that_was_killed_amid_a_mailbox_reads_everything(
    postgres_url: Callable[..., str], name: str
) -> None:
    database = postgres_url()
    killed_amid_m1(database)
    queue = WorkQueue(database, STALLED_AFTER)
    wanted = [Job(0, "m1", 2), Job(0, "m2", 2)]
    done: list[Job] = []
    assert within(20, lambda: queue.finish(name, wanted, done.append, 1, Event())) == ()
    assert sorted(done, key=lambda job: job.mailbox) == wanted  # once each, and counted for this round
    assert within(20, lambda: queue.finish(name, wanted, done.append, 1, Event())) == ()
    assert len(done) == 4
    assert rows(database, "SELECT count(*) FROM procrastinate_jobs") == [(0,)]


def test_a_worker_outlives_what_a_killed_round_left(postgres_url: Callable[..., str]) -> None:
    database = postgres_url()
    killed_amid_m1(database)
    queue = WorkQueue(database, STALLED_AFTER)
    done: list[str] = []
    with taking(queue, "rules-a", lambda job: done.append(job.mailbox)):
        time.sleep(STALLED_AFTER + 1)
        failed = within(
            20, lambda: queue.finish("rules-a", [Job(0, "m1")], lambda job: done.append("lead"), 1, Event())
        )
    assert (failed, len(done)) == ((), 1)


def test_a_mailbox_that_kills_every_reader_is_named_at_last(postgres_url: Callable[..., str]) -> None:
    database = postgres_url()
    queue = WorkQueue(database, STALLED_AFTER)
    tries = 0

    def read(job: Job) -> None:
        nonlocal tries
        tries += 1
        engine = sa.create_engine(database, poolclass=sa.NullPool)
        with engine.begin() as connection:  # as if its worker had gone long ago
            connection.execute(sa.text("UPDATE procrastinate_jobs SET worker_id = NULL WHERE status = 'doing'"))
        time.sleep(2)

    assert within(40, lambda: queue.finish("rules-a", [Job(0, "m1")], read, 1, Event())) == ("m1",)
    assert tries == 3


def test_a_mailbox_that_somebody_reads_and_that_is_asked_for_again_hangs_no_round(
    postgres_url: Callable[..., str],
) -> None:
    database = postgres_url()
    begun = Event()
    first: list[tuple[str, ...]] = []

    def fails(job: Job) -> None:
        begun.set()
        time.sleep(1.5)
        raise MailwardenError("out of reach")

    def earlier() -> None:
        first.append(WorkQueue(database, STALLED_AFTER).finish("rules-a", [Job(0, "m1", 1)], fails, 1, Event()))

    thread = threading.Thread(target=earlier, daemon=True)
    thread.start()
    assert begun.wait(20)
    later = WorkQueue(database, STALLED_AFTER)
    assert within(40, lambda: later.finish("rules-a", [Job(0, "m1", 2)], fails, 1, Event())) == ("m1",)
    thread.join(40)
    assert first == [("m1",)]
    assert rows(database, "SELECT count(*) FROM procrastinate_jobs") == [(0,)]


def test_a_round_that_is_stopped_names_what_nobody_has_read(postgres_url: Callable[..., str]) -> None:
    queue = WorkQueue(postgres_url(), STALLED_AFTER)
    stop = Event()
    done: list[str] = []

    def read(job: Job) -> None:
        done.append(job.mailbox)
        stop.set()

    left = within(20, lambda: queue.finish("rules-a", [Job(0, f"m{n}") for n in range(3)], read, 1, stop))
    assert done == ["m0"]
    assert left == ("m1", "m2")


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
                committed: object = 0
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


@contextmanager
def shared_service(
    database: str, reader: Callable[[Service, Job], None] = lambda running, job: running.read(job)
) -> Iterator[Service]:
    """A service over a fake tenant that shares its mailboxes out, and is the only one to take any."""
    with FakeTenant(many_mailboxes(), Plan()) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments, page_size=2) as running:
            queue = WorkQueue(database, STALLED_AFTER)
            yield replace(
                running,
                share=lambda jobs: queue.finish(NAME, jobs, lambda job: reader(running, job), 1, running.stop),
            )


def test_a_stopped_round_counts_what_it_left_as_unfinished(postgres_url: Callable[..., str]) -> None:
    def read(running: Service, job: Job) -> None:
        running.stop.set()
        running.read(job)

    with shared_service(postgres_url(), read) as lead:
        tally = lead.round()
        assert set(tally.unfinished) == {*MAILBOXES, "head@elt.example"}
        last = lead.store.last_run()
    assert last is not None
    assert last.counts.failures == len(MAILBOXES) + 1


def test_leave_that_lapses_before_the_reading_is_told(
    postgres_url: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lapsed: list[str] = []
    permit = Service.permit

    def permits(self: Service, mailbox: str) -> Leave:
        return Leave(frozenset(), "it has lapsed") if mailbox in lapsed else permit(self, mailbox)

    def read(running: Service, job: Job) -> None:
        if job.mailbox == MAILBOXES[1]:
            lapsed.append(job.mailbox)
        running.read(job)

    monkeypatch.setattr(Service, "permit", permits)
    with shared_service(postgres_url(), read) as lead:
        tally = lead.round()
        last = lead.store.last_run()
    assert (tally.refused, tally.unfinished) == ([MAILBOXES[1]], [])
    assert last is not None
    assert "authorisation" in last.error
    assert (last.counts.mailboxes, last.counts.messages) == (len(MAILBOXES), (len(MAILBOXES) - 1) * EACH)


def test_what_was_left_alone_is_counted_as_in_a_round_of_one_machine(
    postgres_url: Callable[..., str],
) -> None:
    with shared_service(postgres_url()) as lead:
        sealed = replace(lead, sealed_folders=frozenset({"sent items"}))
        queue = WorkQueue(str(lead.store.writing.url.render_as_string(hide_password=False)), STALLED_AFTER)
        share = replace(sealed, share=lambda jobs: queue.finish(NAME, jobs, sealed.read, 1, lead.stop))
        first, again = share.round(), share.round()
    assert first.not_judged == len(MAILBOXES) * EACH
    assert (again.messages, again.not_judged) == (0, 0)


def test_a_round_whose_queue_breaks_keeps_the_counts_of_the_readers_and_says_so(
    postgres_url: Callable[..., str],
) -> None:
    with shared_service(postgres_url()) as lead:

        def breaks(jobs: Sequence[Job]) -> Sequence[str]:
            lead.read(jobs[-1])
            raise MailwardenError("the queue of mailboxes cannot be used")

        with pytest.raises(MailwardenError, match="queue"):
            replace(lead, share=breaks).round()
        last = lead.store.last_run()
    assert last is not None
    assert (last.counts.mailboxes, last.counts.messages, last.counts.failures) == (1, EACH, len(MAILBOXES) + 1)
    assert "broke off" in last.error


def test_a_worker_with_other_settings_tenants_or_key_takes_no_work(postgres_url: Callable[..., str]) -> None:
    with shared_service(postgres_url()) as lead:
        names = [
            Services(each).work_name()
            for each in (
                (lead,),
                (replace(lead, tenant="other"),),
                (replace(lead, bounds="look_back_days=7"),),
                (replace(lead, key=RootKey(bytes(32))),),
                (replace(lead, key=RootKey(lead.key.secret, 2)),),
                (replace(lead, tenant="other"), lead),
                (lead, replace(lead, tenant="other")),
            )
        ]
        assert Services((replace(lead),)).work_name() == names[0]
    assert len(set(names)) == len(names)


def test_the_command_says_what_is_missing_where_nothing_is_shared_out(tmp_path: Path) -> None:
    from scanner.app import run_worker

    settings = tmp_path / "mailwarden.yaml"
    settings.write_text(f"store: {{url: 'sqlite:///{tmp_path / 'store.db'}'}}\n")
    with pytest.raises(ConfigError, match=r"scan\.work"):
        run_worker(settings, print)
