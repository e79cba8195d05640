"""The scheduler only starts things: each job is one call, and a stop signal ends after the message in hand."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from types import FrameType

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler

log = logging.getLogger("mailwarden.schedule")


@dataclass(frozen=True, slots=True)
class Job:
    """What to call, and how many seconds lie between two starts. `at_once`: the first start is now."""

    name: str
    call: Callable[[], object]
    seconds: int
    at_once: bool = True


@contextmanager
def until_signal(stop: Event) -> Iterator[Event]:
    """Gives an event that is set once and for all by a stop signal, and `stop` with it."""
    ended = Event()

    def leave(number: int, frame: FrameType | None) -> None:
        log.info("stop signal %d: finishing the message in hand", number)
        ended.set()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    yield ended


def run(jobs: list[Job], stop: Event, serve: Callable[[], None] | None = None) -> None:
    """Start the jobs at their times until a stop signal; `serve` (the triage page) runs in this thread meanwhile.

    A job never overlaps itself, and what was missed while it ran is started once and not many times. The jobs run one at a
    time: two would wait for the same workers.
    """

    scheduler = BackgroundScheduler(timezone=UTC, executors={"default": {"type": "threadpool", "max_workers": 1}})
    scheduler.add_listener(_say_failed, EVENT_JOB_ERROR)
    for job in jobs:
        scheduler.add_job(
            job.call,
            "interval",
            id=job.name,
            seconds=job.seconds,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            **({"next_run_time": datetime.now(UTC)} if job.at_once else {}),
        )
    with until_signal(stop):
        scheduler.start()
        try:
            if serve is not None:
                serve()  # returns when it got the signal itself
                stop.set()
            else:
                stop.wait()
        finally:
            scheduler.shutdown(wait=True)


def _say_failed(event: JobExecutionEvent) -> None:
    # The exception's own words may quote what it met; its class and the job are enough to find it.
    log.error("job %s failed: %s", event.job_id, type(event.exception).__name__)
