"""Microsoft Graph over HTTPS: the one place for waiting, paging, limits on size and pinning to the configured host.

Facts come from the Graph documentation as collected in the project's reference (errors, throttling, paging).
The access token is sent to the configured Graph host only; a `nextLink` or `deltaLink` that leads elsewhere is refused.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import logging
import random
import ssl
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, cast
from urllib.parse import quote, urlsplit

import requests
import requests.auth

from scanner.errors import ConfigError, ConnectorError

GLOBAL_GRAPH = "https://graph.microsoft.com"
JSON_LIMIT = 64 * 1024 * 1024
# Outlook allows 4 requests at a time for an app and mailbox; a place is freed late, so one is left unused.
REQUESTS_PER_MAILBOX = 3
# In all, whatever the mailbox: less than the 4 that one reading of the limits allows would be slow, much more is impolite.
REQUESTS_AT_ONCE = 12
# What is kept in memory of one answer that is streamed; more goes into a temporary file without a name.
IN_MEMORY = 8 * 1024 * 1024
# An answer that drips for longer than this is broken off, however alive the connection looks.
_ANSWER_SECONDS = 900.0
_CONNECT_SECONDS = 10.0
# A wait that Graph asks for is told of from so many seconds on; shorter ones are daily life.
_WORTH_SAYING = 10.0
_READ_SECONDS = 100.0
_TRANSIENT = frozenset({429, 500, 502, 503, 504, 509})
# What a server says that could not do so much at a time.
_TOO_MUCH = frozenset({500, 503, 504})
# The codes of an expired delta or skip token, compared without case (delta query overview; issue threads).
_STATE_GONE = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired"})
# What an admin can do about an error code; the code itself is always shown too.
_ADVICE = {
    "erroraccessdenied": "the app may not read this mailbox: check its application access policy or Exchange RBAC scope",
    "authorization_requestdenied": "an application permission or its admin consent is missing",
    "mailboxnotenabledforrestapi": "there is no Exchange Online mailbox (no licence, on premises, or just created)",
    "resourcenotfound": "there is no such mailbox",
    "errorinvaliduser": "there is no such mailbox",
    "request_resourcenotfound": "the directory has no such object",
    "invalidauthenticationtoken": "Graph does not accept the access token: check tenant, cloud and clock",
}

Json = dict[str, Any]
log = logging.getLogger("mailwarden.graph")


class NotReached(ConnectorError):
    """No connection was made, so nothing was carried out at the other end."""


class Interrupted(ConnectorError):
    """The connection broke or timed out after the request had left: it may have been carried out."""


class UnsureOutcome(ConnectorError):
    """A request that must not be repeated may or may not have been carried out."""


class Tokens(Protocol):
    """Where access tokens come from (`connectors.entra`)."""

    def token(self) -> str: ...

    def replace(self, rejected: str, claims: str | None = None) -> str:
        """Another token than `rejected`; `claims` is the decoded claims challenge of the refusal, if any."""


class HttpSession(requests.Session):
    """A requests session with time limits and a fixed trust store, whose failures are `ConnectorError`s.

    `ca_file` (PEM) replaces the built-in trust store and, unlike requests' own setting, is not overruled by the environment.
    Proxies are taken from the environment, except for loopback addresses and for link-local ones, where the identity service of
    a machine in Azure is (no proxy can reach that).
    """

    def __init__(self, ca_file: Path | None = None) -> None:
        super().__init__()
        if ca_file is not None and not ca_file.is_file():
            raise ConfigError("ca_file", f"{ca_file} is not a readable file of PEM certificates")
        self._trust: str | bool = str(ca_file) if ca_file is not None else True

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        address = url.decode() if isinstance(url, bytes) else url
        host = urlsplit(address).hostname or ""
        kwargs["verify"] = self._trust
        kwargs["allow_redirects"] = False
        kwargs.setdefault("timeout", (_CONNECT_SECONDS, _READ_SECONDS))
        if is_near(host):
            kwargs["proxies"] = {"no_proxy": host}
        try:
            return super().request(method, address, *args, **kwargs)
        except requests.RequestException as error:
            raise _transport_error(host, error) from error
        except OSError as error:
            # What requests raises as it is when the file of certificates has gone.
            raise NotReached(f"{host}: {self._trust} is not a readable file of certificates", permanent=True) from error


def is_near(host: str) -> bool:
    """A loopback or link-local address: on this machine or on its own wire."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_link_local


def _transport_error(host: str, error: requests.RequestException) -> ConnectorError:
    if isinstance(error, requests.exceptions.SSLError):
        return NotReached(
            f"{host}: the TLS connection failed ({_deepest(error)});"
            " if a proxy or private CA signs its certificate, name the CA in ca_file",
            permanent=_is_bad_certificate(error),
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return NotReached(f"{host}: the proxy did not connect ({_deepest(error)})", permanent=False)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return NotReached(f"{host}: no connection within {_CONNECT_SECONDS:g} s", permanent=False)
    if isinstance(error, requests.exceptions.ReadTimeout):
        return Interrupted(f"{host}: no answer within {_READ_SECONDS:g} s", permanent=False)
    if isinstance(error, requests.exceptions.ConnectionError) and "NewConnectionError" in repr(error):
        return NotReached(f"{host} cannot be reached ({_deepest(error)})", permanent=False)
    if isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return Interrupted(f"{host}: the connection broke ({_deepest(error)})", permanent=False)
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return Interrupted(f"{host}: the answer could not be decompressed", permanent=False)
    return NotReached(f"{host}: {type(error).__name__}", permanent=True)


def _is_bad_certificate(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything below it; urllib3 keeps the reason as an attribute or an argument instead of a cause."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        candidate = waiting.pop()
        if not isinstance(candidate, BaseException) or id(candidate) in seen:
            continue
        seen.add(id(candidate))
        yield candidate
        waiting.extend(
            (candidate.__cause__, candidate.__context__, getattr(candidate, "reason", None), *candidate.args)
        )


def _deepest(error: BaseException) -> str:
    """The operating system's or TLS library's own words, without addresses of objects."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return str(cause.verify_message)
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            return str(cause.strerror)
    return type(error).__name__


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to keep trying. Seconds; `longest_wait` is the most that one Retry-After may ask for."""

    attempts: int = 6
    first_wait: float = 1.0
    longest_backoff: float = 60.0
    longest_wait: float = 600.0


class _Places:
    """At most `limit` requests at a time for each mailbox; mailboxes at rest take no memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._busy: dict[str, int] = {}
        self._changed = threading.Condition()

    @contextmanager
    def one(self, mailbox: str) -> Iterator[None]:
        if not mailbox:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: self._busy.get(mailbox, 0) < self._limit)
            self._busy[mailbox] = self._busy.get(mailbox, 0) + 1
        try:
            yield
        finally:
            with self._changed:
                left = self._busy[mailbox] - 1
                if left:
                    self._busy[mailbox] = left
                else:
                    del self._busy[mailbox]
                self._changed.notify_all()


class _Pace:
    """How many requests are under way in all, and until when requests of one kind have to wait.

    The limit falls by half when Graph says 429 and grows by one after as many good answers as ten times the limit: the same
    answer to congestion as TCP's, and it needs no knowledge of a tenant's quota.
    """

    def __init__(self, ceiling: int, clock: Callable[[], float]) -> None:
        self.limit = ceiling
        self._ceiling = ceiling
        self._clock = clock
        self._busy = 0
        self._good = 0
        self._until: dict[str, float] = {}
        self._changed = threading.Condition()

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._busy < self.limit)
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def left(self, scope: str) -> float:
        """Seconds that a request of this kind has to wait before it leaves."""
        with self._changed:
            until = self._until.get(scope, 0.0)
            if until and until <= self._clock():
                del self._until[scope]
            return max(0.0, until - self._clock())

    def hold(self, scope: str, seconds: float) -> None:
        """Nobody sends a request of this kind for so long."""
        with self._changed:
            self._until[scope] = max(self._until.get(scope, 0.0), self._clock() + seconds)

    def refused(self) -> None:
        with self._changed:
            self.limit, self._good = max(1, self.limit // 2), 0

    def answered(self) -> None:
        with self._changed:
            self._good += 1
            if self._good >= 10 * self.limit and self.limit < self._ceiling:
                self.limit, self._good = self.limit + 1, 0
                self._changed.notify_all()


class _NoSignIn(requests.auth.AuthBase):
    """For addresses that carry their own permission: no token of ours, and nothing from ~/.netrc either."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Bearer(requests.auth.AuthBase):
    """Sets the header itself, because requests would let an entry of ~/.netrc replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    file: BinaryIO | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class Download:
    """Content that was streamed: `data` where it is small, else `file`, an open temporary file without a name."""

    data: bytes
    file: BinaryIO | None
    size: int
    media_type: str = ""

    def head(self, count: int) -> bytes:
        """The first bytes."""
        if self.file is None:
            return self.data[:count]
        self.file.seek(0)
        return self.file.read(count)


class GraphClient:
    """Speaks to one tenant's Graph. Safe to share between threads.

    `graph_url` is the root of the cloud without a version, e.g. `https://graph.microsoft.com`; `wait` sleeps for seconds and
    may return early when the service stops.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        graph_url: str = GLOBAL_GRAPH,
        ca_file: Path | None = None,
        patience: Patience | None = None,
        requests_per_mailbox: int = REQUESTS_PER_MAILBOX,
        requests_at_once: int = REQUESTS_AT_ONCE,
        wait: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(graph_url)
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ConfigError("graph_url", f"must be an https address such as {GLOBAL_GRAPH}")
        if requests_per_mailbox not in range(1, 5):
            raise ConfigError(
                "requests_per_mailbox", "must be a number from 1 to 4, the limit that Exchange Online sets"
            )
        if requests_at_once < 1:
            raise ConfigError("requests_at_once", "must be at least 1")
        self.root = graph_url.rstrip("/") + "/v1.0"
        self._origin = _origin(graph_url)
        self._tokens = tokens
        self._session = HttpSession(ca_file)
        self._patience = patience or Patience()
        self._places = _Places(requests_per_mailbox)
        self._pace = _Pace(requests_at_once, clock)
        self._wait = wait
        self._clock = clock
        self.sent_requests = 0
        self._quiet_until = 0.0
        self.skew: float | None = None

    @property
    def requests_at_once(self) -> int:
        """How many requests may be under way just now; falls when Graph says 429."""
        return self._pace.limit

    def check(self, what: str) -> list[str]:
        """One sentence if no token is to be had; `what` names the connector."""
        try:
            self._tokens.token()
        except ConnectorError as error:
            return [f"{what}: {error}"]
        return []

    def get(
        self,
        url: str,
        *,
        what: str,
        mailbox: str = "",
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        attempts: int | None = None,
    ) -> Json:
        """The JSON object at `url`: a path below the version root, or a link that Graph gave.

        `what` says in words what is being done, for errors; `mailbox` counts against that mailbox's concurrency. `attempts`:
        how often to try where Graph fails without saying when to come back, for callers that have another way to ask.
        Raises ConnectorError.
        """
        answer = self._send(
            "GET", url, what=what, mailbox=mailbox, params=params, headers=headers, limit=JSON_LIMIT, attempts=attempts
        )
        return _json_object(answer.body, what)

    def stream(
        self, url: str, *, what: str, mailbox: str = "", limit: int, headers: Mapping[str, str] | None = None
    ) -> Download:
        """The raw content at `url` without ever holding much of it in memory; more than `limit` raises with code `TooLarge`."""
        answer = self._send(
            "GET", url, what=what, mailbox=mailbox, params=None, headers=headers, limit=limit, spool=True
        )
        return Download(answer.body, answer.file, answer.size, answer.headers.get("Content-Type", ""))

    def download(self, path: str, *, what: str, limit: int) -> Download:
        """A drive item's content: Graph answers with an address that carries its own permission for some minutes, and
        which must never see our token. An address that has run out is asked for once more.
        """
        for attempt in (1, 2):
            answer = self._send(
                "GET", path, what=what, mailbox="", params=None, headers=None, limit=JSON_LIMIT, redirect=True
            )
            location = answer.headers.get("Location", "")
            if urlsplit(location).scheme != "https":
                raise ConnectorError(f"{what}: Graph gave no https address for the content", permanent=True)
            try:
                answer = self._send(
                    "GET",
                    location,
                    what=what,
                    mailbox="",
                    params=None,
                    headers=None,
                    limit=limit,
                    spool=True,
                    plain=True,
                )
            except ConnectorError as error:
                if error.status in (401, 403, 404, 410) and attempt == 1:
                    continue
                raise
            return Download(answer.body, answer.file, answer.size, answer.headers.get("Content-Type", ""))
        raise AssertionError("the second attempt returns or raises")

    def get_bytes(
        self, url: str, *, what: str, mailbox: str, limit: int, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The raw content at `url`, at most `limit` bytes; more raises ConnectorError with code `TooLarge`."""
        return self._send("GET", url, what=what, mailbox=mailbox, params=None, headers=headers, limit=limit).body

    def post(
        self,
        path: str,
        body: Json | None,
        *,
        what: str,
        mailbox: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """Post once and give the answer's object, empty where there is none. Repeated only where Graph certainly did
        nothing; otherwise raises UnsureOutcome.
        """
        answer = self._send(
            "POST", path, what=what, mailbox=mailbox, params=None, headers=headers, limit=JSON_LIMIT, body=body
        )
        return _json_object(answer.body, what) if answer.body.strip() else {}

    def change(self, method: Literal["PATCH", "DELETE"], path: str, body: Json | None, *, what: str) -> Json:
        """A change that comes to the same when it is made twice, so that it may be repeated."""
        answer = self._send(method, path, what=what, mailbox="", params=None, headers=None, limit=JSON_LIMIT, body=body)
        return _json_object(answer.body, what) if answer.body.strip() else {}

    def pages(
        self,
        path: str,
        *,
        what: str,
        mailbox: str = "",
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Json]:
        """Every item of a collection, page after page; the parameters go into the first request only."""
        url: str | None = path
        while url is not None:
            page = self.get(url, what=what, mailbox=mailbox, params=params, headers=headers)
            yield from items(page, what)
            following = page.get("@odata.nextLink")
            if following is not None and (not isinstance(following, str) or following == url):
                raise ConnectorError(f"{what}: Graph gave a next page that leads nowhere", permanent=False)
            url, params = following, None

    def is_own_link(self, url: str) -> bool:
        """True for an absolute URL on the configured host; a stored link to any other is never followed."""
        return _origin(url) == self._origin

    def _address(self, url: str) -> str:
        """An absolute URL on the configured host. A link to any other host never sees the token."""
        if url.startswith("/") and not url.startswith("//"):
            return self.root + url
        if not self.is_own_link(url):
            host = urlsplit(url).hostname or "no host"
            raise ConnectorError(
                f"a link in Graph's answer leads to {host}, not to the configured Graph host; it was not followed",
                permanent=True,
            )
        return url

    def _send(
        self,
        method: str,
        url: str,
        *,
        what: str,
        mailbox: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        limit: int,
        body: Json | None = None,
        attempts: int | None = None,
        spool: bool = False,
        redirect: bool = False,
        plain: bool = False,
    ) -> _Answer:
        """The one place where requests are repeated. `plain`: to an address with its own permission, without our token."""
        address = url if plain else self._address(url)
        scope = f"mailbox {mailbox}" if mailbox else _scope(url)
        once = method == "POST"
        token = ""
        refreshed = waited = False
        failures = 0
        with self._places.one(mailbox):
            while True:
                pause: float | None = None
                try:
                    if not plain:
                        token = token or self._tokens.token()
                    with self._pace.one():
                        # Looked at only now: it may have been set while this request waited for its turn.
                        held = 0.0 if failures or waited else self._pace.left(scope)
                        if not held:
                            answer = self._exchange(method, address, what, token, params, headers, limit, body, spool)
                    if held:
                        waited = True
                        self._wait(held)
                        continue
                except ConnectorError as error:
                    failure = error
                    if once and isinstance(error, Interrupted) and token:
                        raise UnsureOutcome(f"{what}: {error}", permanent=True) from error
                    if error.permanent:
                        raise
                else:
                    if (warned := _warned(answer.headers)) > 0:
                        self._pace.hold(scope, warned)
                    if answer.status < 300 or (redirect and answer.status == 302):
                        self._pace.answered()
                        return answer
                    failure = _graph_error(what, answer)
                    pause = _retry_after(answer.headers)
                    log.info(
                        "refused status=%d code=%s retry_after=%s request_id=%s",
                        answer.status, failure.code, pause, answer.headers.get("request-id", ""),
                    )  # fmt: skip
                    if answer.status == 401 and not refreshed and not plain:
                        refreshed = True
                        token = self._tokens.replace(token, _claims(answer.headers))
                        continue
                    if failure.permanent:
                        raise failure
                    if answer.status == 429:
                        self._pace.refused()
                    if pause is not None and pause <= self._patience.longest_wait:
                        self._pace.hold(scope, pause)
                    if once and answer.status != 429 and not (answer.status == 503 and pause is not None):
                        raise UnsureOutcome(str(failure), permanent=True, status=answer.status, code=failure.code)
                failures += 1
                # Another way to ask helps against a server that fails; a full one and a line that is down want patience.
                fails = pause is None and failure.status in _TOO_MUCH
                most = attempts if attempts is not None and fails else self._patience.attempts
                if failures >= most or (pause or 0) > self._patience.longest_wait:
                    raise failure
                delay = pause if pause is not None else self._backoff(failures)
                if failures > 1 or failure.status is not None or isinstance(failure, NotReached):
                    self._say(failure, delay)
                self._wait(delay)

    def _say(self, failure: ConnectorError, delay: float) -> None:
        """Tell whoever watches why nothing happens: once for all the requests that wait together, and without an address."""
        why = str(failure) if failure.status is None else f"Graph asks us to wait (status {failure.status})"
        if self._clock() < self._quiet_until or (failure.status is not None and delay < _WORTH_SAYING):
            return
        self._quiet_until = self._clock() + delay
        log.warning("%s; trying again in %.0f s", why, delay)

    def _exchange(
        self,
        method: str,
        address: str,
        what: str,
        token: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        limit: int,
        body: Json | None,
        spool: bool,
    ) -> _Answer:
        if token:
            sent = {"client-request-id": str(uuid.uuid4()), "Accept": "application/json", **(headers or {})}
            if address.endswith("/$value"):
                sent["Accept"] = "*/*"
        else:
            sent = {"Accept": "*/*"}
        self.sent_requests += 1
        sign_in = _Bearer(token) if token else _NoSignIn()
        begun = self._clock()
        with self._session.request(
            method, address, params=params, headers=sent, json=body, auth=sign_in, stream=True
        ) as response:
            self._note_clock(response.headers)
            to_disk = spool and response.status_code < 300
            received = (
                cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 - outlives this call
                if to_disk
                else None
            )
            small = bytearray()
            size = 0
            try:
                for piece in response.iter_content(256 * 1024):
                    size += len(piece)
                    if size > limit:
                        raise ConnectorError(
                            f"{what}: the answer is larger than {limit:,} bytes", permanent=True, code="TooLarge"
                        )
                    if self._clock() - begun > _ANSWER_SECONDS:
                        raise Interrupted(f"{what}: the answer took longer than {_ANSWER_SECONDS:g} s", permanent=False)
                    if received is not None:
                        received.write(piece)
                    else:
                        small += piece
            except (requests.RequestException, ConnectorError) as error:
                if received is not None:
                    received.close()
                if isinstance(error, ConnectorError):
                    raise
                raise _transport_error(urlsplit(address).hostname or "", error) from error
            if received is not None and size <= IN_MEMORY:
                received.seek(0)
                small += received.read()
                received.close()
                received = None
            return _Answer(response.status_code, response.headers, bytes(small), received, size)

    def _note_clock(self, headers: Mapping[str, str]) -> None:
        """How far our clock is ahead of Graph's, in seconds; `doctor` shows it."""
        with suppress(ValueError, TypeError):
            theirs = parsedate_to_datetime(headers.get("Date", ""))
            self.skew = (datetime.now(UTC) - theirs).total_seconds()

    def _backoff(self, failures: int) -> float:
        """Full jitter: a random wait up to an exponentially growing bound, so that many clients do not return together."""
        bound = min(self._patience.longest_backoff, self._patience.first_wait * 2 ** (failures - 1))
        return random.uniform(bound / 2, bound)  # noqa: S311 - spreads load, guards nothing


def segment(identifier: str) -> str:
    """An id as one path segment: Exchange ids are case-sensitive and may hold `/`, `+` and `=`, user names `#`."""
    return quote(identifier, safe="")


def items(page: Json, what: str) -> list[Json]:
    """The `value` of a collection page. A page without it is an error and never an empty page."""
    value = page.get("value")
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise missing(what, "value")
    return value


def text(item: Json, name: str, what: str) -> str:
    """A property that must be there as non-empty text. Raises ConnectorError naming it."""
    value = item.get(name)
    if not isinstance(value, str) or not value:
        raise missing(what, name)
    return value


def missing(what: str, *names: str) -> ConnectorError:
    listed = ", ".join(repr(name) for name in names)
    return ConnectorError(f"{what}: Graph's answer lacks {listed}", permanent=True, code="MissingProperty")


def is_state_gone(error: ConnectorError) -> bool:
    """True when a delta or next link has expired and the folder must be walked from the beginning."""
    return error.status == 410 or (400 <= (error.status or 0) < 500 and error.code.lower() in _STATE_GONE)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.username is not None:
        port = -1
    return parts.scheme, (parts.hostname or "").lower(), port if port is not None else 443


def _json_object(body: bytes, what: str) -> Json:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ConnectorError(f"{what}: the answer is not JSON", permanent=False) from error
    if not isinstance(value, dict):
        raise ConnectorError(f"{what}: the answer is not a JSON object", permanent=False)
    return value


def _graph_error(what: str, answer: _Answer) -> ConnectorError:
    """Graph's error envelope as one sentence. Branches on status and code only; code and message may be empty."""
    code = message = ""
    try:
        envelope = json.loads(answer.body)
        error = envelope.get("error") if isinstance(envelope, dict) else None
        if isinstance(error, dict):
            code, message = str(error.get("code") or ""), str(error.get("message") or "")
    except (ValueError, RecursionError):
        message = "no error body"
    said = " ".join("".join(c if c.isprintable() else " " for c in message).split())[:200]
    if 300 <= answer.status < 400:
        said = "a redirect, which is not followed"
    advice = _ADVICE.get(code.lower(), "")
    request_id = answer.headers.get("request-id", "")
    sentence = f"{what}: {answer.status} {code}".rstrip()
    sentence += f": {said}" if said else ""
    sentence += f"; {advice}" if advice else ""
    sentence += f" (request-id {request_id})" if request_id else ""
    return ConnectorError(sentence, permanent=answer.status not in _TRANSIENT, status=answer.status, code=code)


def _scope(url: str) -> str:
    """Which of Graph's budgets a request counts against, for requests to no mailbox."""
    path = urlsplit(url).path
    return "files" if any(f"/{name}/" in path + "/" for name in ("drives", "drive", "sites", "shares")) else "directory"


def _warned(headers: Mapping[str, str]) -> float:
    """Seconds to hold back before a limit is reached, from what the service says is left; 0 where it says nothing.

    SharePoint sends RateLimit-Limit, -Remaining and -Reset (seconds); the directory x-ms-throttle-limit-percentage from 0.8
    on, of a budget for ten seconds.
    """
    with suppress(ValueError):
        limit = float(headers.get("RateLimit-Limit", "nan"))
        remaining, reset = (
            float(headers.get("RateLimit-Remaining", "nan")),
            float(headers.get("RateLimit-Reset", "nan")),
        )
        if remaining < limit / 10 and 0 <= reset <= 3600:
            return reset / max(1.0, remaining)
    with suppress(ValueError):
        used = float(headers.get("x-ms-throttle-limit-percentage", "nan"))
        if used >= 0.8:
            return min(10.0, 2.0 + 40.0 * (used - 0.8))
    return 0.0


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait (RFC 9110 section 10.2.3: a number or a date), or None where the header is absent or unusable."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _claims(headers: Mapping[str, str]) -> str | None:
    """The claims challenge of a 401, decoded from `WWW-Authenticate: … claims="<base64>"`."""
    _, found, rest = headers.get("WWW-Authenticate", "").partition('claims="')
    if not found:
        return None
    encoded = rest.partition('"')[0]
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
