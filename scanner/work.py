"""Handing messages to worker processes: a pool on this machine. Each thread drives one worker; a slow mail holds up only its own."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from scanner.model import Envelope, People, Versions
from scanner.ports import RawItem, SpooledItem
from scanner.worker import Companion, Outcome, Start, Worker, WorkerLimits

Place = TypeVar("Place")
# How many items are read ahead of each worker: enough to keep it busy, few enough to hold in memory.
_AHEAD = 3


class WorkerPool:
    """`size` workers of one kind. Safe to use from several threads."""

    def __init__(self, start: Start, size: int = 1, limits: WorkerLimits | None = None) -> None:
        if size < 1:
            raise ValueError("a pool needs at least one worker")
        self.size = size
        self._limits = limits
        self._workers = [Worker(start, limits) for _ in range(size)]
        self._free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._free.put(worker)

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for worker in self._workers:
            worker.close()

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """A free worker, waited for; given back afterwards."""
        worker = self._free.get()
        try:
            yield worker
        finally:
            self._free.put(worker)

    def judge(
        self,
        what: RawItem | SpooledItem | Envelope,
        *,
        explain: bool = False,
        only_topics: frozenset[str] | None = None,
        companions: Sequence[Companion] = (),
    ) -> list[Outcome]:
        """The outcome of every message in an item, or of one envelope. `only_topics`: nothing else is judged. `companions`:
        other messages of the same sender to lie beside it (D22).
        """
        with self.worker() as worker:
            return list(worker.inspect(what, explain=explain, only_topics=only_topics, companions=companions))

    def judge_beside(
        self,
        what: RawItem | SpooledItem | Envelope,
        member: str,
        companions: Sequence[Companion],
        *,
        explain: bool = False,
    ) -> Outcome | None:
        """One message judged once more, with other messages of the same sender beside it (D22)."""
        with self.worker() as worker:
            found = list(worker.inspect(what, explain=explain, companions=companions, member=member))
        return found[0] if found else None

    def versions(self) -> Versions:
        """Of rules, policy and detectors, as the workers loaded them."""
        with self.worker() as worker:
            return worker.ready().versions

    def judge_all(
        self, items: Iterable[tuple[Place, Callable[[], RawItem | SpooledItem | Envelope]]], *, explain: bool = False
    ) -> Iterator[tuple[Place, list[Outcome] | Exception]]:
        """Outcomes of many items as they finish, in any order. `items` is read lazily; each item's bytes are loaded when
        its turn has come. What loading raises is handed on as the answer for that place.
        """

        def one(load: Callable[[], RawItem | SpooledItem | Envelope]) -> list[Outcome]:
            return self.judge(load(), explain=explain)

        with ThreadPoolExecutor(self.size) as threads:
            waiting: dict[Future[list[Outcome]], Place] = {}
            source = iter(items)
            exhausted = False
            while waiting or not exhausted:
                while not exhausted and len(waiting) < self.size * _AHEAD:
                    following = next(source, None)
                    if following is None:
                        exhausted = True
                        break
                    waiting[threads.submit(one, following[1])] = following[0]
                if not waiting:
                    break
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    place = waiting.pop(future)
                    error = future.exception()
                    if error is None:
                        yield place, future.result()
                    elif isinstance(error, Exception):
                        yield place, error
                    else:
                        raise error

    def new_rules(self, folder: Path) -> None:
        """Have every worker use another rule set, each as it becomes free."""
        borrowed = [self._free.get() for _ in self._workers]
        for worker in borrowed:
            worker.new_rules(str(folder))
            self._free.put(worker)

    def beside(self, folder: Path) -> WorkerPool:
        """Another pool like this one, with the same people and another rule set."""
        return WorkerPool(self._workers[0].start_with(str(folder)), self.size, self._limits)

    def new_people(self, people: People) -> None:
        """Hand a newer snapshot to every worker, each as it becomes free."""
        borrowed = [self._free.get() for _ in self._workers]
        for worker in borrowed:
            worker.new_people(people)
            self._free.put(worker)
