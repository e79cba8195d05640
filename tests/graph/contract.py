"""Holds what the connectors send and what the fake tenant answers against the OpenAPI subset of Microsoft Graph beside this file.

`checked_fake` is how every Graph test gets its tenant: on leaving, each recorded exchange has been validated.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema_rs
from ruamel.yaml import YAML

from connectors.entra import ClientSecret, EntraTokens
from connectors.faketenant.exchange import Exchange
from connectors.faketenant.faults import Plan
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import Tenant
from connectors.graph import GraphClient, Patience

SUBSET = Path(__file__).with_name("graph-subset.yaml")
# Headers of HTTP itself, which the API description leaves out.
HTTP_HEADERS = {
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "connection",
    "authorization",
    "content-type",
    "content-length",
}
_Link = tuple[str, tuple[tuple[str, str], ...]]
IMPATIENT = Patience(attempts=4, first_wait=0, longest_backoff=0)


class Contract:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.counts: Counter[str] = Counter()
        self._validators: dict[str, Any] = {}
        self._paths = sorted(
            ((path.strip("/").split("/"), path) for path in document["paths"]),
            key=lambda pair: [part.startswith("{") for part in pair[0]],
        )

    def violations(self, exchanges: list[Exchange]) -> list[str]:
        """Every way in which the exchanges break the contract, in words; sign-in is no part of Graph and is left out."""
        given: set[_Link] = set()
        found: list[str] = []
        for exchange in exchanges:
            if not exchange.is_graph:
                continue
            name = f"{exchange.method} {exchange.path}"
            template = self.template(exchange.path)
            operation = self.document["paths"].get(template, {}).get(exchange.method.lower())
            if operation is None:
                found.append(f"{name}: no such operation")
                continue
            pointer = f"/paths/{_escape(template)}/{exchange.method.lower()}"
            found += [f"{name}: {said}" for said in self._request(exchange, template, operation, pointer, given)]
            found += [f"{name}: {said}" for said in self._response(exchange, operation, pointer)]
            links = re.findall(rb'"@odata\.(?:nextLink|deltaLink)": "([^"]+)"', exchange.answer)
            given |= {_link(link) for link in links}
        return found

    def template(self, path: str) -> str:
        """The path of the description that a request path is an instance of; `users('x')` is `users/x`."""
        below = re.sub(r"([A-Za-z]+)\('([^']*)'\)", r"\1/\2", path.removeprefix("/v1.0"))
        parts = [unquote(part) for part in below.strip("/").split("/")]
        for pattern, template in self._paths:
            if len(pattern) == len(parts) and all(
                wanted.startswith("{") or wanted.lower() == part.lower()
                for wanted, part in zip(pattern, parts, strict=True)
            ):
                return template
        return ""

    def body_errors(self, pointer: str, value: Any) -> list[str]:
        if pointer not in self._validators:
            schema: Any = self.document
            for key in pointer.strip("/").split("/"):
                schema = schema[key.replace("~1", "/").replace("~0", "~")]
            schema = {**schema, "components": self.document["components"]}
            self._validators[pointer] = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        return [
            f"{'/'.join(map(str, error.instance_path))}: {error.message[:200]}"
            for error in self._validators[pointer].iter_errors(value)
        ]

    def _request(
        self, exchange: Exchange, template: str, operation: dict[str, Any], pointer: str, given: set[_Link]
    ) -> Iterator[str]:
        self.counts["requests"] += 1
        declared = {(p["in"], p["name"].lower()): p["schema"] for p in self._parameters(template, operation)}
        # A link that Graph gave is followed as it is; its query is Graph's own.
        is_given = (exchange.path, tuple(exchange.query)) in given
        for name, value in () if is_given else exchange.query:
            schema = declared.get(("query", name.lower()))
            if schema is None:
                yield f"query parameter {name} is not described"
            else:
                yield from (f"{name}: {error}" for error in _plain_errors(schema, _query_value(schema, value)))
        for name, value in exchange.headers.items():
            schema = declared.get(("header", name))
            if schema is not None:
                yield from (f"header {name}: {error}" for error in _plain_errors(schema, value))
            elif name not in HTTP_HEADERS:
                yield f"header {name} is not described"
        if "client-request-id" not in exchange.headers:
            yield "no client-request-id"
        content = operation.get("requestBody", {}).get("content", {})
        if exchange.body and "application/json" not in content:
            yield "a body where none is described"
        elif exchange.body:
            self.counts["request bodies"] += 1
            yield from self.body_errors(
                f"{pointer}/requestBody/content/application~1json/schema", _action(json.loads(exchange.body), operation)
            )

    def _response(self, exchange: Exchange, operation: dict[str, Any], pointer: str) -> Iterator[str]:
        self.counts["responses"] += 1
        responses = operation["responses"]
        status = next((key for key in (str(exchange.status), f"{exchange.status // 100}XX") if key in responses), None)
        if status is None:
            yield f"status {exchange.status} is not described"
            return
        below = f"{pointer}/responses/{status}"
        response = responses[status]
        if "$ref" in response:
            below = response["$ref"].removeprefix("#")
            response = self.document["components"]["responses"][below.rpartition("/")[2]]
        content = response.get("content", {})
        media_type = exchange.answer_headers.get("Content-Type", "")
        if not exchange.answer and not content:
            return
        if media_type not in content and "*/*" not in content:
            yield f"answered {media_type or 'no content'}, described are {', '.join(content) or 'none'}"
        elif media_type == "application/json":
            self.counts["response bodies"] += 1
            yield from self.body_errors(f"{below}/content/application~1json/schema", json.loads(exchange.answer))

    def _parameters(self, template: str, operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for parameter in (*self.document["paths"][template].get("parameters", ()), *operation.get("parameters", ())):
            name = parameter.get("$ref", "").rpartition("/")[2]
            yield self.document["components"]["parameters"][name] if name else parameter


def _escape(path: str) -> str:
    return path.replace("~", "~0").replace("/", "~1")


def _link(link: bytes) -> _Link:
    """A link as path and query, so that thousands of them can be looked up."""
    parts = urlsplit(link.decode())
    return parts.path, tuple(parse_qsl(parts.query, keep_blank_values=True))


def _plain_errors(schema: dict[str, Any], value: Any) -> list[str]:
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    return [error.message for error in validator.iter_errors(value)]


def _query_value(schema: dict[str, Any], value: str) -> Any:
    """A query string's value in the described type; commas inside parentheses do not part a list."""
    if schema.get("type") == "array":
        return re.findall(r"(?:[^,()]|\([^()]*\))+", value)
    if schema.get("type") == "integer" and value.lstrip("-").isdigit():
        return int(value)
    if schema.get("type") == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def _action(body: Any, operation: dict[str, Any]) -> Any:
    """Action parameters are described with a capital and sent without: OData compares their names without case."""
    if operation["operationId"] != "user.sendMail" or not isinstance(body, dict):
        return body
    return {name[:1].upper() + name[1:]: value for name, value in body.items()}


@cache
def contract() -> Contract:
    return Contract(YAML(typ="safe").load(SUBSET))


@contextmanager
def checked_fake(tenant: Tenant, plan: Plan | None = None) -> Iterator[FakeTenant]:
    """A running fake tenant; when the block ends well, every exchange has kept to the contract."""
    with FakeTenant(tenant, plan) as fake:
        yield fake
    violations = contract().violations(fake.exchanges)
    assert not violations, "\n".join(violations[:10])


def tokens_for(fake: FakeTenant, **changed: Any) -> EntraTokens:
    settings: dict[str, Any] = {
        "tenant_id": fake.tenant_id,
        "client_id": fake.client_id,
        "credential": ClientSecret(fake.client_secret),
        "authority": fake.url,
        "graph_url": fake.url,
        "ca_file": fake.ca_file,
    }
    return EntraTokens(**{**settings, **changed})


def client_for(fake: FakeTenant, **changed: Any) -> GraphClient:
    settings: dict[str, Any] = {"graph_url": fake.url, "ca_file": fake.ca_file, "patience": IMPATIENT}
    tokens = changed.pop("tokens", None) or tokens_for(fake)
    return GraphClient(tokens, **{**settings, **changed})
