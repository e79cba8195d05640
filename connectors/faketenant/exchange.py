"""One request to the fake tenant and its answer, as its two halves (sign-in and Graph) see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Exchange:
    """One request and its answer. `path` is as sent, without query; bodies of JSON are parsed, others are bytes."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int = 0
    answer_headers: dict[str, str] = field(default_factory=dict, repr=False)
    answer: bytes = field(default=b"", repr=False)

    @property
    def is_graph(self) -> bool:
        return self.path.startswith("/v1.0/")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Json | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """Graph's error envelope with this status and code."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}
