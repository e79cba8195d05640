"""Microsoft Graph over HTTPS: the one place for waiting, paging, limits on size and pinning to the configured host.

Facts come from the Graph documentation as collected in the project's reference (errors, throttling, paging).
The access token is sent to the configured Graph host only; a `nextLink` or `deltaLink` that leads elsewhere is refused.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import random
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import requests
import requests.auth

from scanner.errors import ConfigError, ConnectorError

GLOBAL_GRAPH = "https://graph.microsoft.com"
JSON_LIMIT = 64 * 1024 * 1024
# Outlook allows 4 requests at a time for an app and mailbox; a place is freed late, so one is left unused.
REQUESTS_PER_MAILBOX = 3
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 100.0
_TRANSIENT = frozenset({429, 500, 502, 503, 504, 509})
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
    Proxies are taken from the environment, except for loopback addresses.
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
        if is_loopback(host):
            kwargs["proxies"] = {"no_proxy": host}
        try:
            return super().request(method, address, *args, **kwargs)
        except requests.RequestException as error:
            raise _transport_error(host, error) from error
        except OSError as error:
            # What requests raises as it is when the file of certificates has gone.
            raise NotReached(f"{host}: {self._trust} is not a readable file of certificates", permanent=True) from error


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        parts = urlsplit(graph_url)
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ConfigError("graph_url", f"must be an https address such as {GLOBAL_GRAPH}")
        if requests_per_mailbox not in range(1, 5):
            raise ConfigError(
                "requests_per_mailbox", "must be a number from 1 to 4, the limit that Exchange Online sets"
            )
        self.root = graph_url.rstrip("/") + "/v1.0"
        self._origin = _origin(graph_url)
        self._tokens = tokens
        self._session = HttpSession(ca_file)
        self._patience = patience or Patience()
        self._places = _Places(requests_per_mailbox)
        self._wait = wait

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
    ) -> Json:
        """The JSON object at `url`: a path below the version root, or a link that Graph gave.

        `what` says in words what is being done, for errors; `mailbox` counts against that mailbox's concurrency.
        Raises ConnectorError.
        """
        answer = self._send("GET", url, what=what, mailbox=mailbox, params=params, headers=headers, limit=JSON_LIMIT)
        return _json_object(answer.body, what)

    def get_bytes(
        self, url: str, *, what: str, mailbox: str, limit: int, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The raw content at `url`, at most `limit` bytes; more raises ConnectorError with code `TooLarge`."""
        return self._send("GET", url, what=what, mailbox=mailbox, params=None, headers=headers, limit=limit).body

    def post(self, path: str, body: Json, *, what: str, mailbox: str = "") -> None:
        """Post once. Repeated only where Graph certainly did nothing; otherwise raises UnsureOutcome."""
        self._send("POST", path, what=what, mailbox=mailbox, params=None, headers=None, limit=JSON_LIMIT, body=body)

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
    ) -> _Answer:
        address = self._address(url)
        token = ""
        refreshed = False
        failures = 0
        with self._places.one(mailbox):
            while True:
                pause: float | None = None
                try:
                    token = token or self._tokens.token()
                    answer = self._exchange(method, address, what, token, params, headers, limit, body)
                except ConnectorError as error:
                    failure = error
                    if body is not None and isinstance(error, Interrupted) and token:
                        raise UnsureOutcome(f"{what}: {error}", permanent=True) from error
                    if error.permanent:
                        raise
                else:
                    if answer.status < 300:
                        return answer
                    failure = _graph_error(what, answer)
                    if answer.status == 401 and not refreshed:
                        refreshed = True
                        token = self._tokens.replace(token, _claims(answer.headers))
                        continue
                    if failure.permanent:
                        raise failure
                    pause = _retry_after(answer.headers)
                    if body is not None and answer.status != 429 and not (answer.status == 503 and pause is not None):
                        raise UnsureOutcome(str(failure), permanent=True, status=answer.status, code=failure.code)
                failures += 1
                if failures >= self._patience.attempts or (pause or 0) > self._patience.longest_wait:
                    raise failure
                self._wait(pause if pause is not None else self._backoff(failures))

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
    ) -> _Answer:
        sent = {"client-request-id": str(uuid.uuid4()), "Accept": "application/json", **(headers or {})}
        if address.endswith("/$value"):
            sent["Accept"] = "*/*"
        with self._session.request(
            method, address, params=params, headers=sent, json=body, auth=_Bearer(token), stream=True
        ) as response:
            received = bytearray()
            try:
                for piece in response.iter_content(256 * 1024):
                    received += piece
                    if len(received) > limit:
                        raise ConnectorError(
                            f"{what}: the answer is larger than {limit:,} bytes", permanent=True, code="TooLarge"
                        )
            except requests.RequestException as error:
                raise _transport_error(urlsplit(address).hostname or "", error) from error
            return _Answer(response.status_code, response.headers, bytes(received))

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
