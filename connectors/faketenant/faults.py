"""What goes wrong in the fake tenant, and when: a plan of faults that strike matching requests, and habits of its pages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]


@dataclass(slots=True)
class Fault:
    """Strikes requests whose path holds `on`, once `after` of them have passed, `times` times.

    It answers with `status` (and an error body, or `body`), breaks the connection (`reset` before or amid the answer), or
    lets the answer through `change`.
    """

    on: str
    times: int = 1
    after: int = 0
    status: int = 0
    code: str = ""
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: Json | None = None
    reset: Literal["", "before", "amid"] = ""
    change: Callable[[Json], Json | None] | None = None
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


class Plan:
    """Faults in the order they were added; the first that matches a request strikes.

    `empty_pages`: every other delta page is empty. `repeat_items`: each delta page repeats its last item and the next page
    brings it again. `page_cap`: no page holds more than this. `hold`: mailbox requests wait until it is set.
    """

    def __init__(self, *faults: Fault) -> None:
        self.empty_pages = False
        self.repeat_items = False
        self.page_cap: int | None = None
        self.hold: threading.Event | None = None
        self._faults = list(faults)
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._faults.extend(faults)

    def strike(self, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.on not in path or fault.struck >= fault.after + fault.times:
                    continue
                fault.struck += 1
                if fault.struck > fault.after:
                    return fault
        return None
