"""Sharing a round out among machines (D12): one job a mailbox in the store's own PostgreSQL, by Procrastinate.

A job says which mailbox is to be read, and nothing of what lies in it. While somebody reads a mailbox nobody else does; a job whose
worker died is given to another, who goes on from the folder's cursor. Every commit is idempotent all the same (Never 3), so that a
worker that was only thought dead does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

import procrastinate
from procrastinate import exceptions, jobs

from scanner.errors import MailwardenError

log = logging.getLogger("mailwarden.work")
# What it says names mailboxes, and errors in their own words.
logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
_TASK = "mailbox"
_LOOK_AGAIN = 1.0  # seconds between two looks at the queue
_ATTEMPTS = 3
_Result = TypeVar("_Result")
# No other program takes this number for an advisory lock: it keeps two machines from laying the tables at once.
_LAYING = 0x4D57_0001


@dataclass(frozen=True, slots=True)
class Job:
    """A mailbox of the tenant in that place to be read, and the round that its counts belong to, 0 for none."""

    tenant: int
    mailbox: str
    run: int = 0


class WorkQueue:
    """The jobs of all machines over one PostgreSQL. `stalled_after`: seconds without a sign of life until a worker counts as dead.

    A job ends with an exception where its mailbox was not read to the end: it is asked for again, by whoever is free. Only the
    round that asked for a job ends it, or asks again: Procrastinate's own trying again could meet a newer job of the same mailbox.
    """

    def __init__(self, url: str, stalled_after: float = 120.0) -> None:
        driver, _, rest = url.partition("://")
        if not driver.startswith("postgresql"):
            raise MailwardenError("work is shared out over PostgreSQL alone: set store.url to postgresql+psycopg://…")
        self._conninfo = f"postgresql://{rest}"
        self._stalled_after = stalled_after

    def finish(
        self, name: str, wanted: Sequence[Job], do: Callable[[Job], None], size: int, stop: Event
    ) -> tuple[str, ...]:
        """Share the jobs out under that name, do some of them, and return when none is left: the mailboxes that were not read.

        The name says by which rules they are judged: only workers that have the same take them. What an earlier round left, under
        whatever name, is dropped, and what somebody still reads is waited for. With `stop` it returns after the page in hand; what
        is left is among those returned, and others go on with it. Raises MailwardenError where the database is out of reach.
        """
        return _run(self._finish(name, wanted, do, size, stop))

    def take(self, name: str, do: Callable[[Job], None], size: int, stop: Event, over: Callable[[], bool]) -> None:
        """Do jobs of that name as they come, `size` at a time, until `stop`, or until `over` says so.

        Raises MailwardenError where the database is out of reach.
        """
        _run(self._take(name, do, size, stop, over))

    async def _finish(
        self, name: str, wanted: Sequence[Job], do: Callable[[Job], None], size: int, stop: Event
    ) -> tuple[str, ...]:
        woken = asyncio.Event()
        app, connector = self._app(do, stop, woken)
        async with app.open_async():
            await _lay(app, connector)
            shared = _Round(app, connector, name, self._stalled_after)
            await shared.begin(wanted)
            await self._work(app, name, size, stop, woken, shared.look)
            await shared.look(again=False)
            return shared.unread()

    async def _take(
        self, name: str, do: Callable[[Job], None], size: int, stop: Event, over: Callable[[], bool]
    ) -> None:
        woken = asyncio.Event()
        app, connector = self._app(do, stop, woken)
        # Its own thread: those of the jobs may all be taken for hours.
        with ThreadPoolExecutor(1) as aside:
            async with app.open_async():
                await _lay(app, connector)

                async def done() -> bool:
                    return await asyncio.get_running_loop().run_in_executor(aside, over)

                await self._work(app, name, size, stop, woken, done)

    async def _work(
        self,
        app: procrastinate.App,
        name: str,
        size: int,
        stop: Event,
        woken: asyncio.Event,
        done: Callable[[], Awaitable[bool]],
    ) -> None:
        # Procrastinate runs jobs on the loop's threads, of which there are few by default; some are left for looking up names.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(size + 2))
        worker = asyncio.create_task(
            app.run_worker_async(
                queues=[name],
                concurrency=size,
                fetch_job_polling_interval=_LOOK_AGAIN,
                listen_notify=False,
                delete_jobs=jobs.DeleteJobCondition.NEVER,  # the round that asked wants to see how it ended
                install_signal_handlers=False,
                update_heartbeat_interval=self._stalled_after / 4,
                stalled_worker_timeout=self._stalled_after,
            )
        )

        async def end() -> None:
            await woken.wait()
            worker.cancel()  # once: it takes no more, and ends with the job in hand

        ending = asyncio.create_task(end())
        try:
            while not stop.is_set() and not worker.done():
                if await done():
                    break
                await asyncio.wait({worker, ending}, timeout=_LOOK_AGAIN, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.set()
            await ending
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    def _app(
        self, do: Callable[[Job], None], stop: Event, woken: asyncio.Event
    ) -> tuple[procrastinate.App, procrastinate.PsycopgConnector]:
        loop = asyncio.get_running_loop()
        connector = procrastinate.PsycopgConnector(conninfo=self._conninfo, min_size=1, max_size=4)
        app = procrastinate.App(connector=connector)

        @app.task(name=_TASK)
        def mailbox(tenant: int, mailbox: str, run: int) -> None:
            try:
                do(Job(tenant, mailbox, run))
            except Exception as error:  # it is asked for again; its words are left out
                log.warning("mailbox not finished: %s", type(error).__name__)
                raise
            finally:
                if stop.is_set():  # at once: this machine is to take no further one
                    loop.call_soon_threadsafe(woken.set)

        return app, connector


class _Round:
    """The jobs that one round asked for, each followed by its number until it has ended.

    A mailbox that somebody reads is asked for all the same: the lock lets the new job wait for the old one. So there is no queueing
    lock, and never more than one job of a mailbox that this round follows.
    """

    def __init__(
        self, app: procrastinate.App, connector: procrastinate.PsycopgConnector, name: str, stalled_after: float
    ) -> None:
        self._app = app
        self._connector = connector
        self._name = name
        self._stalled_after = stalled_after
        self._open: dict[int, Job] = {}
        self._tries: Counter[Job] = Counter()
        self._failed: list[str] = []

    async def begin(self, wanted: Sequence[Job]) -> None:
        """Drop what earlier rounds left, so that counts go to this one, and ask for these."""
        await self._connector.execute_query_async(
            "DELETE FROM procrastinate_jobs WHERE task_name = %(task)s AND status <> 'doing'", task=_TASK
        )
        for job in wanted:
            await self._ask(job)

    async def look(self, again: bool = True) -> bool:
        """See what has ended; True where nothing is left. `again`: ask anew for what failed, or whose reader has died."""
        # Nobody takes what waits under another name, and it would keep a mailbox of this round waiting behind it.
        await self._connector.execute_query_async(
            "DELETE FROM procrastinate_jobs WHERE task_name = %(task)s AND status = 'todo' AND queue_name <> %(name)s",
            task=_TASK, name=self._name,
        )  # fmt: skip
        stalled = await self._app.job_manager.get_stalled_jobs(
            task_name=_TASK, seconds_since_heartbeat=self._stalled_after
        )
        dead = [job.id for job in stalled if job.id is not None]
        if dead:
            log.warning("%d mailboxes: the worker has gone; they are given to another", len(dead))
            await self._connector.execute_query_async(
                "DELETE FROM procrastinate_jobs WHERE id = ANY(%(dead)s) AND status = 'doing'", dead=dead
            )
        listed = await self._app.job_manager.list_jobs_async(task=_TASK, queue=self._name)
        found = {job.id: job.status for job in listed}
        ended = {number: job for number, job in self._open.items() if found.get(number) not in ("todo", "doing")}
        for number, job in ended.items():
            del self._open[number]
            if found.get(number) == "succeeded":
                continue
            self._tries[job] += 1
            # One that is gone and was not dead was taken away by another round: it asks for the mailbox itself.
            if again and self._tries[job] < _ATTEMPTS and (number in found or number in dead):
                await self._ask(job)
            else:
                self._failed.append(job.mailbox)
        if ended:
            await self._connector.execute_query_async(
                "DELETE FROM procrastinate_jobs WHERE id = ANY(%(ended)s) AND status <> 'doing'", ended=list(ended)
            )
        return not self._open

    def unread(self) -> tuple[str, ...]:
        """The mailboxes that failed for good, and those that nobody has read to the end yet."""
        return (*self._failed, *(job.mailbox for job in self._open.values()))

    async def _ask(self, job: Job) -> None:
        after = {"seconds": 1} if self._tries[job] else None
        number = await self._app.configure_task(
            _TASK, queue=self._name, lock=f"{job.tenant} {job.mailbox}", schedule_in=after
        ).defer_async(tenant=job.tenant, mailbox=job.mailbox, run=job.run)
        self._open[number] = job


def _run(work: Coroutine[None, None, _Result]) -> _Result:
    try:
        return asyncio.run(work)
    except exceptions.ProcrastinateException as error:  # their words name hosts and mailboxes
        raise MailwardenError(f"the queue of mailboxes cannot be used: {type(error).__name__}") from None


async def _lay(app: procrastinate.App, connector: procrastinate.PsycopgConnector) -> None:
    """Make Procrastinate's tables where they are not there yet; two machines at once make them once."""
    if await app.job_manager.check_connection_async():
        return
    async with connector.pool.connection() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LAYING,))
        if not await app.job_manager.check_connection_async():
            await app.schema_manager.apply_schema_async()
