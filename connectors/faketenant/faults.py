"""What goes wrong in the fake tenant, and when: a plan of faults that strike matching requests, and habits of its pages."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]


@dataclass(slots=True)
class Fault:
    """Strikes requests whose path holds `on`, once `after` of them have passed, `times` times.

    It answers with `status` (and an error body, or `body`), breaks the connection (`reset` before or amid the answer, or
    `short` of the length it promised), lets it drip, or lets the answer through `change`. `expire`: every token given so far
    is refused from this request on.
    """

    on: str
    times: int = 1
    after: int = 0
    status: int = 0
    code: str = ""
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: Json | None = None
    reset: Literal["", "before", "amid", "drip", "short"] = ""
    change: Callable[[Json], Json | None] | None = None
    expire: bool = False
    struck: int = 0


def throttled(on: str, retry_after: str | None, times: int = 1) -> Fault:
    """429 as Outlook words it, with or without Retry-After."""
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    message = "Application is over its MailboxConcurrency limit."
    return Fault(on, times, status=429, code="ApplicationThrottled", message=message, headers=headers)


def unavailable(on: str, status: int = 503, times: int = 1) -> Fault:
    return Fault(on, times, status=status, code="UnknownError")


def state_gone(on: str, after: int = 0, times: int = 1) -> Fault:
    """410 for an expired delta or next link (microsoft-graph-docs#2350)."""
    message = "The sync state generation is not found; generation=149;[highest=157]."
    return Fault(on, times, after, status=410, code="SyncStateNotFound", message=message)


class Latency:
    """How long answers take: around `median` seconds, now and then many times as long, drawn by a seed (log-normal).

    `slower` multiplies it for paths that hold one of these words. `sleep` is what passes the time.
    """

    def __init__(
        self,
        median: float,
        *,
        spread: float = 0.8,
        seed: int = 1,
        slower: Mapping[str, float] | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._median, self._spread, self._sleep = median, spread, sleep
        self._slower = dict(slower or {"/$value": 3.0, "/delta": 2.0, "/content": 3.0})
        self._dice = random.Random(seed)  # noqa: S311 - repeatable waits
        self._lock = threading.Lock()

    def pass_time(self, path: str) -> None:
        with self._lock:
            seconds = self._median * self._dice.lognormvariate(0.0, self._spread)
        factor = max((factor for words, factor in self._slower.items() if words in path), default=1.0)
        self._sleep(seconds * factor)


class Plan:
    """Faults in the order they were added; the first that matches a request strikes.

    `refuse_filter`: a delta takes no filter. `empty_pages`: every other delta page is empty. `repeat_items`: each delta page
    repeats its last item and the next page brings it again. `page_cap`: no page holds more than this. `hold`: mailbox
    requests wait until it is set. `latency`: how long answers take, none by default. `skew`: seconds by which the service's
    clock is ahead of ours, in each answer's Date.
    """

    def __init__(self, *faults: Fault) -> None:
        self.refuse_filter = False
        self.empty_pages = False
        self.repeat_items = False
        self.page_cap: int | None = None
        self.hold: threading.Event | None = None
        self.latency: Latency | None = None
        self.skew = 0.0
        self._faults = list(faults)
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._faults.extend(faults)

    def delay(self, path: str) -> None:
        """Let the time pass that an answer takes; a request to a mailbox holds its place meanwhile."""
        if self.latency is not None:
            self.latency.pass_time(path)

    def strike(self, path: str, *, resumed: bool = False) -> Fault | None:
        """The fault for a request, if any. `resumed`: it goes on from a link that was given before."""
        with self._lock:
            for fault in self._faults:
                if fault.on not in path or fault.struck >= fault.after + fault.times:
                    continue
                fault.struck += 1
                if fault.struck > fault.after:
                    return fault
        return None


class Chaos(Plan):
    """Every fault there is, drawn by a seed: about one request in `one_in` is struck, and one address not more than twice in
    a row, because no client can do anything against a service that never answers.
    """

    def __init__(self, seed: int, one_in: int = 6) -> None:
        super().__init__()
        self.struck: dict[str, int] = {}
        self._dice = random.Random(seed)  # noqa: S311 - repeatable faults
        self._one_in = one_in
        self._in_a_row: dict[str, int] = {}

    def strike(self, path: str, *, resumed: bool = False) -> Fault | None:
        with self._lock:
            if not path.startswith("/v1.0/") or self._dice.randrange(self._one_in) or self._in_a_row.get(path, 0) >= 2:
                self._in_a_row.pop(path, None)
                return None
            self._in_a_row[path] = self._in_a_row.get(path, 0) + 1
            name = self._dice.choice(tuple(_CHAOS))
            self.struck[name] = self.struck.get(name, 0) + 1
        if name == "link gone" and not resumed:
            name = "429"  # only what goes on from a link can find it gone
        return _CHAOS[name](path)


_CHAOS: dict[str, Callable[[str], Fault]] = {
    "429": lambda path: throttled(path, "1"),
    "429 without Retry-After": lambda path: throttled(path, None),
    "500": lambda path: unavailable(path, 500),
    "503": unavailable,
    "504": lambda path: unavailable(path, 504),
    "reset before": lambda path: Fault(path, reset="before"),
    "reset amid": lambda path: Fault(path, reset="amid"),
    "slow drip": lambda path: Fault(path, reset="drip"),
    "wrong length": lambda path: Fault(path, reset="short"),
    "token expired": lambda path: Fault(path, expire=True),
    "link gone": state_gone,
    "clock jump": lambda path: Fault(
        path, status=503, code="UnknownError", headers={"Date": "Fri, 01 Jan 2038 00:00:00 GMT"}
    ),
}
