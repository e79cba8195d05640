"""Sharing a round out among machines (D12): one job a mailbox in the store's own PostgreSQL, by Procrastinate.

A job says which mailbox is to be read, and nothing of what lies in it. While somebody reads a mailbox nobody else does; a job whose
worker died is given to another, who goes on from the folder's cursor. Every commit is idempotent all the same (Never 3), so that a
worker that was only thought dead does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from threading import Event

import procrastinate
from procrastinate import exceptions, jobs

from scanner.errors import MailwardenError

log = logging.getLogger("mailwarden.work")
# What it says names mailboxes, and errors in their own words.
logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
_TASK = "mailbox"
_LOOK_AGAIN = 1.0  # seconds between two looks at the queue
_ATTEMPTS = 3
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

    A job ends with an exception where its mailbox was not read to the end: it is tried again, by whoever is free.
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
        """Share the jobs out under that name, do some of them, and return when none is left: the mailboxes that failed for good.

        The name says by which rules they are judged: only workers that have the same take them. What an earlier round left under
        another name is dropped. With `stop` it returns after the page in hand, and others go on with what is left.
        """
        return asyncio.run(self._finish(name, wanted, do, size, stop))

    def take(self, name: str, do: Callable[[Job], None], size: int, stop: Event, over: Callable[[], bool]) -> None:
        """Do jobs of that name as they come, `size` at a time, until `stop`, or until `over` says so."""
        asyncio.run(self._take(name, do, size, stop, over))

    async def _finish(
        self, name: str, wanted: Sequence[Job], do: Callable[[Job], None], size: int, stop: Event
    ) -> tuple[str, ...]:
        app, connector = self._app(do)
        async with app.open_async():
            await _lay(app, connector)
            manager = app.job_manager
            for left in await manager.list_jobs_async(task=_TASK, status="todo"):
                if left.queue != name and left.id is not None:
                    await manager.cancel_job_by_id_async(left.id, delete_job=True)
            for job in wanted:
                place = f"{job.tenant} {job.mailbox}"
                with contextlib.suppress(exceptions.AlreadyEnqueued):  # an earlier round's, which nobody has begun
                    await app.configure_task(_TASK, queue=name, lock=place, queueing_lock=place).defer_async(
                        tenant=job.tenant, mailbox=job.mailbox, run=job.run
                    )

            async def done() -> bool:
                waiting = [await manager.list_jobs_async(queue=name, status=status) for status in ("todo", "doing")]
                return not any(waiting)

            await self._work(app, name, size, stop, done)
            failed = tuple(
                str(job.task_kwargs["mailbox"]) for job in await manager.list_jobs_async(queue=name, status="failed")
            )
            await manager.delete_old_jobs(nb_hours=0, queue=name, include_failed=True)
            return failed

    async def _take(
        self, name: str, do: Callable[[Job], None], size: int, stop: Event, over: Callable[[], bool]
    ) -> None:
        app, connector = self._app(do)
        async with app.open_async():
            await _lay(app, connector)

            async def done() -> bool:
                return await asyncio.to_thread(over)

            await self._work(app, name, size, stop, done)

    async def _work(
        self, app: procrastinate.App, name: str, size: int, stop: Event, done: Callable[[], Awaitable[bool]]
    ) -> None:
        worker = asyncio.create_task(
            app.run_worker_async(
                queues=[name],
                concurrency=size,
                fetch_job_polling_interval=_LOOK_AGAIN,
                listen_notify=False,
                delete_jobs=jobs.DeleteJobCondition.SUCCESSFUL,
                install_signal_handlers=False,
                update_heartbeat_interval=self._stalled_after / 4,
                stalled_worker_timeout=self._stalled_after,
            )
        )
        try:
            while not stop.is_set() and not worker.done():
                for job in await app.job_manager.get_stalled_jobs(
                    task_name=_TASK, seconds_since_heartbeat=self._stalled_after
                ):
                    log.warning("a worker has gone; its mailbox is given to another")
                    await app.job_manager.retry_job(job)
                if await done():
                    break
                await asyncio.wait({worker}, timeout=_LOOK_AGAIN)
        finally:
            worker.cancel()  # it takes no more, and ends with the job in hand
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    def _app(self, do: Callable[[Job], None]) -> tuple[procrastinate.App, procrastinate.PsycopgConnector]:
        connector = procrastinate.PsycopgConnector(conninfo=self._conninfo, min_size=1, max_size=4)
        app = procrastinate.App(connector=connector)

        @app.task(name=_TASK, retry=procrastinate.RetryStrategy(max_attempts=_ATTEMPTS, wait=1))
        def mailbox(tenant: int, mailbox: str, run: int) -> None:
            try:
                do(Job(tenant, mailbox, run))
            except Exception as error:  # it is tried again; its words are left out
                log.warning("mailbox not finished: %s", type(error).__name__)
                raise

        return app, connector


async def _lay(app: procrastinate.App, connector: procrastinate.PsycopgConnector) -> None:
    """Make Procrastinate's tables where they are not there yet; two machines at once make them once."""
    if await app.job_manager.check_connection_async():
        return
    async with connector.pool.connection() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LAYING,))
        if not await app.job_manager.check_connection_async():
            await app.schema_manager.apply_schema_async()
