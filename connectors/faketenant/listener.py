"""The fake tenant's HTTPS: connections, handshakes, and every way in which a connection can go wrong."""

from __future__ import annotations

import json
import socket
import ssl
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, urlsplit

from connectors.faketenant.exchange import Answer, Exchange
from connectors.faketenant.faults import Fault, Plan

_BODY_LIMIT = 8 * 1024 * 1024


class Served(Protocol):
    """Who answers."""

    plan: Plan
    records: bool
    exchanges: list[Exchange]

    def answer(self, exchange: Exchange) -> tuple[Answer, Fault | None]: ...

    def content(self, exchange: Exchange) -> Answer: ...


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, served: Served, context: ssl.SSLContext, port: int, *, is_content: bool = False) -> None:
        self.served = served
        self.is_content = is_content
        self._context = context
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        """The handshake is left to the connection's own thread, so that a silent client holds up nobody else."""
        plain, address = super().get_request()
        plain.settimeout(60)
        secured = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._open.add(secured)
        return secured, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""

    def hang_up(self) -> None:
        for connection in list(self._open):
            self.shutdown_request(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Exchanges are recorded, not printed."""

    def _serve(self) -> None:
        fake = cast(Listener, self.server).served
        length = int(self.headers.get("Content-Length") or 0)
        if length > _BODY_LIMIT:
            self.close_connection = True
            self.send_error(413)
            return
        parts = urlsplit(self.path)
        exchange = Exchange(
            self.command,
            parts.path,
            parse_qsl(parts.query, keep_blank_values=True),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length),
        )
        is_content = cast(Listener, self.server).is_content
        answer, fault = (fake.content(exchange), None) if is_content else fake.answer(exchange)
        content = json.dumps(answer.body).encode() if isinstance(answer.body, dict) else answer.body or b""
        headers = {
            "request-id": str(uuid.uuid4()),
            "client-request-id": exchange.headers.get("client-request-id", ""),
            **({"Content-Type": "application/json"} if isinstance(answer.body, dict) else {}),
            **answer.headers,
        }
        if exchange.is_graph and "prefer" in exchange.headers and answer.status == 200:
            headers["Preference-Applied"] = exchange.headers["prefer"]
        exchange.status, exchange.answer, exchange.answer_headers = answer.status, content, headers
        if fake.records:
            fake.exchanges.append(exchange)
        if fault is not None and fault.reset == "before":
            self._break()
            return
        self.send_response_only(answer.status)
        if "Date" not in headers:
            self.send_header("Date", self.date_time_string(int(time.time() + fake.plan.skew)))
        for name, value in headers.items():
            self.send_header(name, value)
        is_short = fault is not None and fault.reset == "short"
        self.send_header("Content-Length", str(len(content) + (1000 if is_short else 0)))
        self.end_headers()
        if is_short:
            self.wfile.write(content)
            self._break()
            return
        if fault is not None and fault.reset == "drip":
            for start in range(0, len(content), max(1, len(content) // 4)):
                self.wfile.write(content[start : start + max(1, len(content) // 4)])
                self.wfile.flush()
                time.sleep(0.01)
            return
        if fault is not None and fault.reset == "amid":
            self.wfile.write(content[: len(content) // 2])
            self._break()
            return
        self.wfile.write(content)

    def _break(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()
