"""Microsoft's limits as the fake tenant keeps them, and what a client did against them, in words.

Outlook counts by app and mailbox (4 at once, 10,000 requests in 10 minutes), the directory and SharePoint by cost units
(docs-contrib concepts/throttling-limits.md). Whoever is told to wait and comes back earlier breaks the rules too.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from connectors.faketenant.exchange import Refused

_WINDOW_SECONDS = 600.0
_DIRECTORY_SECONDS = 10.0
_FILES_SECONDS = 60.0
# A request that was under way when another one was told to wait has not come back too early.
_UNDER_WAY = 0.5


class Limits:
    """`directory_units` are for 10 seconds (S 3,500, M 5,000, L 8,000), `files_units` for a minute (1,200 to 6,000).

    `frees_late`: seconds for which a place stays taken after its answer, as Exchange does (Q&A 1660054). `clock` counts seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.concurrent = 4
        self.requests_per_window = 10_000
        self.directory_units = 8_000
        self.files_units = 6_000
        self.frees_late = 0.0
        self.violations: list[str] = []
        self.peak: Counter[str] = Counter()
        self.in_flight: Counter[str] = Counter()
        self._freed: dict[str, deque[float]] = {}
        self._spent: dict[str, deque[tuple[float, int]]] = {}
        self._sums: Counter[str] = Counter()
        self._told: dict[str, tuple[float, float]] = {}
        self._changed = threading.Condition()

    def wait_for(self, mailbox: str, count: int, seconds: float) -> bool:
        """Wait until so many requests to a mailbox are in flight at once."""
        with self._changed:
            return self._changed.wait_for(lambda: self.in_flight[mailbox] >= count, seconds)

    @contextmanager
    def mailbox(self, address: str) -> Iterator[None]:
        """A place among the requests to one mailbox. Raises `Refused` with 429 where there is none."""
        self.arrived(f"mailbox {address}")
        if self._spend(address, 1, _WINDOW_SECONDS) > self.requests_per_window:
            self.violations.append("more than the allowed requests in ten minutes to one mailbox")
            raise Refused(429, "ApplicationThrottled", "Application is over its request limit.", {"Retry-After": "30"})
        with self._changed:
            self.in_flight[address] += 1
            busy = self.in_flight[address]
            self.peak[address] = max(self.peak[address], busy)
            late = self._freed.setdefault(address, deque())
            while late and late[0] <= self.clock():
                late.popleft()
            lingering = len(late)
            self._changed.notify_all()
        try:
            if busy + lingering > self.concurrent:
                if busy > self.concurrent:
                    self.violations.append(f"{busy} requests at once to one mailbox")
                said = "Application is over its MailboxConcurrency limit."
                raise Refused(429, "ApplicationThrottled", said, {"Retry-After": "1"})
            yield
        finally:
            with self._changed:
                self.in_flight[address] -= 1
                if self.frees_late:
                    self._freed[address].append(self.clock() + self.frees_late)

    def directory(self, cost: int) -> dict[str, str]:
        """The headers that go with a directory request of this cost. Raises `Refused` with 429 beyond the limit."""
        self.arrived("directory")
        spent = self._spend("directory", cost, _DIRECTORY_SECONDS)
        if spent > self.directory_units:
            headers = {
                "Retry-After": "10",
                "x-ms-throttle-scope": "Tenant_Application/ReadWrite/9e3a/1c2d",
                "x-ms-throttle-information": "ResourceUnitLimitExceeded",
            }
            raise Refused(429, "TooManyRequests", "Too many requests.", headers)
        share = spent / self.directory_units
        used = {"x-ms-throttle-limit-percentage": f"{share:.1f}"} if share >= 0.8 else {}
        return {"x-ms-resource-unit": str(cost), **used}

    def files(self, cost: int) -> dict[str, str]:
        """The headers that go with a SharePoint request of this cost. Raises `Refused` with 429 beyond the limit."""
        self.arrived("files")
        spent = self._spend("files", cost, _FILES_SECONDS)
        left = {"RateLimit-Limit": str(self.files_units), "RateLimit-Reset": str(int(_FILES_SECONDS))}
        if spent > self.files_units:
            said = "The request has been throttled."
            raise Refused(429, "activityLimitReached", said, {"Retry-After": "60", **left, "RateLimit-Remaining": "0"})
        return {**left, "RateLimit-Remaining": str(self.files_units - spent)}

    def told(self, scope: str, seconds: str) -> None:
        """A client was told to wait so long before it asks for anything of this kind again."""
        if seconds.isascii() and seconds.isdigit():
            with self._changed:
                self._told[scope] = self.clock(), float(seconds)

    def arrived(self, scope: str) -> None:
        with self._changed:
            at, seconds = self._told.get(scope, (0.0, 0.0))
            since = self.clock() - at
            if seconds and _UNDER_WAY < since < seconds - _UNDER_WAY:
                kind = scope.partition(" ")[0]
                self.violations.append(f"{kind}: came back {since:.1f} s after being told to wait {seconds:g} s")

    def _spend(self, budget: str, cost: int, window: float) -> int:
        """What was spent of a budget within its window, this cost included; a refused request counts too."""
        with self._changed:
            spent = self._spent.setdefault(budget, deque())
            now = self.clock()
            while spent and now - spent[0][0] >= window:
                self._sums[budget] -= spent.popleft()[1]
            spent.append((now, cost))
            self._sums[budget] += cost
            return self._sums[budget]
