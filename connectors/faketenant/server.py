"""The fake tenant as a running service: the part of Microsoft Graph that the connectors use and the documentation shows.

Runs in threads of the calling process on a loopback port, with a certificate made at start. Answers keep to the OpenAPI subset
in `tests/graph`; `exchanges` records every request and answer, so that the tests can hold both against it.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import ssl
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import islice
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import trustme

from connectors.faketenant.exchange import Answer, Exchange, Refused
from connectors.faketenant.faults import Fault, Plan
from connectors.faketenant.limits import Limits
from connectors.faketenant.listener import Listener
from connectors.faketenant.sign_in import SignIn
from connectors.faketenant.tenant import (
    FakeDrive,
    FakeFolder,
    FakeGroup,
    FakeItem,
    FakeMailbox,
    FakeMessage,
    Json,
    Tenant,
    attachment_content,
    attachments_json,
    domain_json,
    drive_json,
    folder_json,
    group_json,
    item_json,
    licence_json,
    message_json,
    organisation_json,
    permissions_json,
    rule_json,
    settings_json,
    site_json,
    stable_guid,
    stamp,
    user_json,
)

_ROLES = (
    "Mail.Read",
    "MailboxSettings.Read",
    "User.Read.All",
    "Files.Read.All",
    "Sites.Read.All",
    "GroupMember.Read.All",
)
_PARENTHESES = re.compile(r"([A-Za-z]+)\('([^']*)'\)")
_USER_DEFAULT = (
    "businessPhones,displayName,givenName,id,jobTitle,mail,mobilePhone,officeLocation,preferredLanguage,"
    "surname,userPrincipalName"
)
# Properties of a message that come only when they are selected.
_ONLY_SELECTED = ("internetMessageHeaders", "uniqueBody")
# Below a user and yet not of the mailbox.
_OF_THE_DIRECTORY = ("manager", "memberOf", "transitiveMemberOf", "drives", "drive")
# Properties of a group that come only with one group by name, and only when they are selected.
_OF_ONE_GROUP = ("allowExternalSenders", "autoSubscribeNewMembers", "isSubscribedByMail", "unseenCount")
_ONLY_EXPANDED = ("singleValueExtendedProperties",)


@dataclass(frozen=True, slots=True)
class _Listing:
    """What a skip token of an ordinary collection stands for."""

    items: tuple[Json, ...]
    path: str
    size: int
    offset: int


@dataclass(frozen=True, slots=True)
class _Walk:
    """What a token of a message delta stands for: a place in a list of entries, and in the folder's log after it.

    An entry is a message and how it is told: `added` whole, `updated` in part, `removed` as a tombstone.
    """

    address: str
    folder: str
    select: str
    entries: tuple[tuple[str, FakeMessage], ...]
    offset: int
    log: int
    was_empty: bool = False


_State = _Listing | _Walk | tuple[_Listing, int]


class FakeTenant:
    """`with FakeTenant(tenant) as fake:` gives a running service.

    `fake.url` is both graph_url and authority, `fake.ca_file` the CA to trust; `fake.sign_in` says what signs in, `fake.limits`
    what the client did against Microsoft's limits. `cloud`: login and Graph address of another cloud, whose names the client has
    to find at `fake.port` of this machine. `clock` counts the seconds of the limits.
    """

    def __init__(
        self,
        tenant: Tenant,
        plan: Plan | None = None,
        *,
        port: int = 0,
        cloud: tuple[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tenant = tenant
        self.plan = plan or Plan()
        self.tenant_id = tenant.id
        self.client_id = stable_guid("app", tenant.id)
        self.sign_in = SignIn(self.tenant_id, self.client_id, _ROLES)
        self.client_secret = self.sign_in.client_secret
        self.exchanges: list[Exchange] = []
        self.limits = Limits(clock)
        self.url = ""
        self._port = port
        self._cloud = cloud
        self._states: dict[str, _State] = {}
        self._contents: dict[str, bytes] = {}
        self._content_server: Listener | None = None
        self.content_url = ""
        self.filtered_at_most = 5_000
        self.subscriptions: dict[str, Json] = {}
        self.notified: list[Json] = []
        # Posts to a notification address: (url, body) → status, media type, answer. None believes every address.
        self.post: Callable[[str, bytes], tuple[int, str, bytes]] | None = None
        # The longest that a subscription lasts here, whatever is asked for (10,080 minutes for messages).
        self.subscription_lasts = timedelta(minutes=10_080)
        self.records = True
        # The other origin that file contents come from must not see a token.
        self._lock = threading.RLock()
        self._folder = tempfile.TemporaryDirectory(prefix="faketenant-")
        self.ca_file = Path(self._folder.name) / "ca.pem"
        self._server: Listener | None = None

    def __enter__(self) -> FakeTenant:
        authority = trustme.CA(organization_name="Fake tenant of Mailwarden")
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        names = {str(urlsplit(address).hostname) for address in self._cloud or ()}
        authority.issue_cert("127.0.0.1", "localhost", *sorted(names)).configure_cert(context)
        self._server = Listener(self, context, self._port)
        self.port = int(self._server.server_address[1])
        self.sign_in.login, self.url = self._cloud or (f"https://127.0.0.1:{self.port}",) * 2
        self.sign_in.graph = self.url
        self._content_server = Listener(self, context, 0, is_content=True)
        self.content_url = f"https://127.0.0.1:{self._content_server.server_address[1]}"
        for server in (self._server, self._content_server):
            threading.Thread(target=server.serve_forever, args=(0.05,), name="faketenant", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._server, self._content_server):
            assert server is not None
            server.shutdown()
            server.server_close()
            server.hang_up()
        self._folder.cleanup()

    @property
    def sent(self) -> list[tuple[str, Json]]:
        """What sendMail took: the mailbox it was sent from and the request's body."""
        return self.tenant.sent

    def graph(self, part: str = "") -> list[Exchange]:
        """The Graph requests so far whose path holds `part`."""
        return [exchange for exchange in list(self.exchanges) if exchange.is_graph and part in exchange.path]

    def forget_links(self) -> None:
        """Next and delta links given so far answer 410 from now on."""
        with self._lock:
            self._states.clear()

    @property
    def violations(self) -> list[str]:
        """What the client did against the limits that Microsoft sets, in words."""
        return self.limits.violations

    # --- answering ----------------------------------------------------------------------------------------------------

    def answer(self, exchange: Exchange) -> tuple[Answer, Fault | None]:
        """The answer to one request and the fault that still has to break the connection, if any."""
        tokens = {"$skiptoken", "$deltatoken", "token"}
        fault = self.plan.strike(exchange.path, resumed=not tokens.isdisjoint(dict(exchange.query)))
        if fault is not None and fault.expire:
            self.sign_in.expire()
        try:
            if fault is not None and fault.status:
                if fault.body is not None:
                    return Answer(fault.status, fault.body, fault.headers), None
                raise Refused(fault.status, fault.code, fault.message, fault.headers)
            answer = self._graph(exchange) if exchange.is_graph else self.sign_in.answer(exchange)
        except Refused as refused:
            if exchange.is_graph and "Retry-After" in refused.headers:
                self.limits.told(self._scope(_segments(exchange.path)), refused.headers["Retry-After"])
            return Answer(refused.status, _error(refused, exchange), refused.headers), None
        if fault is not None and fault.change is not None and isinstance(answer.body, dict):
            answer = replace(answer, body=fault.change(json.loads(json.dumps(answer.body))))
        return answer, fault

    def _graph(self, exchange: Exchange) -> Answer:
        self.sign_in.admit(exchange)
        segments = _segments(exchange.path)
        query = dict(exchange.query)
        scope = self._scope(segments)
        if scope.startswith("mailbox "):
            return self._routed(segments, query, exchange)
        headers: dict[str, str] = {}
        if scope == "files":
            headers = self.limits.files(_files_cost(segments, query))
        elif scope == "directory":
            headers = self.limits.directory(_directory_cost(segments, query))
        self.plan.delay(exchange.path)
        answer = self._routed(segments, query, exchange)
        return replace(answer, headers={**headers, **answer.headers})

    def _scope(self, segments: list[str]) -> str:
        """Which of Microsoft's budgets a request counts against."""
        if segments[0] in ("drives", "sites") or segments[2:3] in (["drives"], ["drive"]):
            return "files"
        if segments[0] == "users" and len(segments) > 2 and segments[2] not in _OF_THE_DIRECTORY:
            user = self.tenant.user(segments[1])
            return f"mailbox {user.address}" if user is not None else "mailbox"
        return "directory" if segments[0] in ("users", "groups", "organization", "domains") else ""

    def _routed(self, segments: list[str], query: dict[str, str], exchange: Exchange) -> Answer:
        top, *rest = segments
        if top == "users" and len(rest) > 1 and rest[1] not in _OF_THE_DIRECTORY:
            return self._in_mailbox(rest[0], rest[1:], query, exchange)
        if top == "subscriptions":
            return self._subscriptions(rest, exchange)
        if segments == ["$batch"]:
            return self._batch(exchange)
        if exchange.method != "GET" and segments[-1] != "extractSensitivityLabels":
            raise Refused(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
        if top == "users":
            return self._users(rest, query, exchange.path)
        if top in ("drives", "sites"):
            return self._files(segments, query, exchange)
        if top == "groups":
            return self._groups(rest, query, exchange.path)
        if segments == ["domains"]:
            return self._listing(
                [domain_json(name, n == 0) for n, name in enumerate(self.tenant.domains)], "domains", query
            )
        if segments == ["organization"]:
            return self._listing([organisation_json(self.tenant)], exchange.path, query)
        if segments == ["subscribedSkus"]:
            return self._listing([licence_json(self.tenant)], exchange.path, query)
        raise Refused(400, "BadRequest", f"Resource not found for the segment '{top}'.")

    def _users(self, rest: list[str], query: dict[str, str], path: str) -> Answer:
        if rest == ["delta"]:
            return self._users_delta(query)
        if len(rest) == 2 and rest[1] in ("drives", "drive"):
            owner = self.tenant.user(rest[0])
            owned = [
                drive for drive in self.tenant.drives.values() if owner is not None and drive.owner == owner.address
            ]
            if not owned:
                raise Refused(404, "ResourceNotFound", "User's mysite not found.")
            return self._listing([drive_json(drive) for drive in owned], path, query, size=200)
        if not rest:
            with self.tenant.lock:
                found = [self._user(user.address, query) for user in self.tenant.users.values()]
            return self._listing(found, path, {"$select": _USER_DEFAULT, **query}, size=100, largest=999)
        user = self.tenant.user(rest[0])
        if user is None:
            raise Refused(404, "Request_ResourceNotFound", f"Resource '{rest[0]}' does not exist.")
        if len(rest) == 1:
            return self._one(self._user(user.address, query), {"$select": _USER_DEFAULT, **query}, "users/$entity")
        if rest[1] in ("memberOf", "transitiveMemberOf"):
            return self._listing(
                self._memberships(user.address, transitive=rest[1] != "memberOf"), path, query, size=100
            )
        manager = self.tenant.users.get(user.manager)
        if manager is None:
            raise Refused(404, "Request_ResourceNotFound", "Resource 'manager' does not exist.")
        found_manager = {"@odata.type": "#microsoft.graph.user", **user_json(manager)}
        return self._one(found_manager, {"$select": _USER_DEFAULT, **query}, "directoryObjects/$entity")

    def _users_delta(self, query: dict[str, str]) -> Answer:
        """All users, or those that changed since the token; `manager@delta` tells of managers, `@removed` of leavers."""
        with self.tenant.lock:
            if query.get("$deltatoken") == "latest":
                kept = self._keep(_Listing((), query.get("$select", _USER_DEFAULT), 0, len(self.tenant.changed_users)))
                link = f"{self.url}/v1.0/users/delta?$deltatoken={kept}"
                return Answer(200, {"value": [], "@odata.deltaLink": link})
            token = query.get("$deltatoken")
            select = query.get("$select", _USER_DEFAULT)
            if token is None:
                told = list(self.tenant.users)
            else:
                state = self._state(token)
                if not isinstance(state, _Listing):
                    raise Refused(400, "Directory_ExpiredPageToken", "The token is invalid.")
                told, select = list(dict.fromkeys(self.tenant.changed_users[state.offset :])), state.path
            value: list[Json] = []
            for address in told:
                if address.startswith("-"):
                    value.append({"id": address[1:], "@removed": {"reason": "changed"}})
                elif address in self.tenant.users:
                    user = self.tenant.users[address]
                    found = _select(user_json(user), select)
                    if user.manager in self.tenant.users:
                        found["manager@delta"] = [
                            {"@odata.type": "#microsoft.graph.user", "id": self.tenant.users[user.manager].id}
                        ]
                    value.append(found)
            kept = self._keep(_Listing((), select, 0, len(self.tenant.changed_users)))
        page: Json = {"@odata.context": f"{self.url}/v1.0/$metadata#users", "value": value}
        page["@odata.deltaLink"] = f"{self.url}/v1.0/users/delta?$deltatoken={kept}"
        return Answer(200, page)

    # --- drives ---------------------------------------------------------------------------------------------------------

    def _files(self, segments: list[str], query: dict[str, str], exchange: Exchange) -> Answer:
        with self.tenant.lock:
            match segments:
                case ["sites"] | ["sites", "getAllSites"]:
                    return self._listing(
                        [site_json(s) for s in self.tenant.sites.values()], exchange.path, query, size=200
                    )
                case ["sites", site] if site in self.tenant.sites:
                    return self._one(site_json(self.tenant.sites[site]), query, "sites/$entity")
                case ["drives", name] if name in self.tenant.drives:
                    return self._one(drive_json(self.tenant.drives[name]), query, "drives/$entity")
                case ["sites", site, "drives"] if site in self.tenant.sites:
                    owned = [drive_json(self.tenant.drives[drive]) for drive in self.tenant.sites[site].drives]
                    return self._listing(owned, exchange.path, query, size=200)
                case ["drives", name, "root", "delta"] if name in self.tenant.drives:
                    return self._drive_delta(self.tenant.drives[name], query)
                case ["drives", name, "items", identifier, *below] if name in self.tenant.drives:
                    drive = self.tenant.drives[name]
                    item = drive.items.get(drive.root if identifier == "root" else identifier)
                    if item is None or item.gone:
                        raise Refused(404, "itemNotFound", "The resource could not be found.")
                    return self._drive_item(drive, item, below, query, exchange)
        raise Refused(404, "itemNotFound", "The resource could not be found.")

    def _drive_item(
        self, drive: FakeDrive, item: FakeItem, below: list[str], query: dict[str, str], exchange: Exchange
    ) -> Answer:
        match below:
            case []:
                return self._one(item_json(drive, item), query, "drives/items/$entity")
            case ["children"]:
                inside = [item_json(drive, i) for i in drive.items.values() if i.parent == item.id and not i.gone]
                return self._listing(inside, exchange.path, query, size=200)
            case ["permissions"]:
                return self._listing(permissions_json(drive, item), exchange.path, query, size=200)
            case ["permissions", identifier]:
                return self._one(_by_id(permissions_json(drive, item), identifier), query, "permissions/$entity")
            case ["extractSensitivityLabels"]:
                return Answer(200, {"value": {"labels": []}})
            case ["content"]:
                if item.malware:
                    raise Refused(403, "malwareDetected", "Malware detected.")
                token = secrets.token_urlsafe(16)
                with self._lock:
                    self._contents[token] = item.data or b""
                return Answer(302, None, {"Location": f"{self.content_url}/content/{token}"})
        raise Refused(400, "invalidRequest", "Resource not found for the segment.")

    def _drive_delta(self, drive: FakeDrive, query: dict[str, str]) -> Answer:
        token = query.get("token")
        if token in (None, "latest"):
            told = tuple(dict.fromkeys(drive.log)) if token is None else ()
            walk = _Listing(tuple(self._told_items(drive, told, is_first=True)), query.get("$select", ""), 200, 0)
            walk = replace(walk, size=min(int(query.get("$top", 200)), self.plan.page_cap or 1000))
            end_of_log = len(drive.log)
        else:
            try:
                state = self._state(token)
            except Refused as gone:
                fresh = f"{self.url}/v1.0/drives/{drive.id}/root/delta"
                raise Refused(410, "resyncChangesApplyDifferences", gone.message, {"Location": fresh}) from gone
            if not isinstance(state, tuple):
                raise Refused(400, "invalidRequest", "The token is invalid.")
            walk, end_of_log = state
            if not walk.items:
                changed = tuple(dict.fromkeys(drive.log[end_of_log:]))
                walk = replace(walk, items=tuple(self._told_items(drive, changed, is_first=False)), offset=0)
                end_of_log = len(drive.log)
        end = walk.offset + walk.size
        value = [_select(item, walk.path) for item in walk.items[walk.offset : end]]
        page: Json = {"@odata.context": f"{self.url}/v1.0/$metadata#Collection(driveItem)", "value": value}
        link = f"{self.url}/v1.0/drives/{drive.id}/root/delta?token="
        if end < len(walk.items):
            page["@odata.nextLink"] = link + self._keep((replace(walk, offset=end), end_of_log))
        else:
            page["@odata.deltaLink"] = link + self._keep((replace(walk, items=(), offset=0), end_of_log))
        return Answer(200, page)

    @staticmethod
    def _told_items(drive: FakeDrive, identifiers: tuple[str, ...], *, is_first: bool) -> Iterator[Json]:
        for identifier in identifiers:
            item = drive.items[identifier]
            if not (is_first and item.gone):
                yield item_json(drive, item)

    def content(self, exchange: Exchange) -> Answer:
        """What the other host answers: a token that arrives there was given away."""
        if "authorization" in exchange.headers:
            self.violations.append("the access token was sent to the content host")
            return Answer(401, b"", {"Content-Type": "text/plain"})
        data = self._contents.get(exchange.path.rpartition("/")[2])
        if data is None:
            return Answer(404, b"", {"Content-Type": "text/plain"})
        return Answer(200, data, {"Content-Type": "application/octet-stream"})

    # --- subscriptions --------------------------------------------------------------------------------------------------

    def _subscriptions(self, rest: list[str], exchange: Exchange) -> Answer:
        body = json.loads(exchange.body) if exchange.body else {}
        if not rest and exchange.method == "GET":
            return self._listing(list(self.subscriptions.values()), exchange.path, dict(exchange.query), size=100)
        if not rest and exchange.method == "POST":
            for url in (body.get("notificationUrl"), body.get("lifecycleNotificationUrl")):
                if url and not self._is_valid(url):
                    raise Refused(400, "InvalidRequest", "Subscription validation request failed.")
            identifier = str(uuid.uuid4())
            made = {**body, "id": identifier, "applicationId": self.client_id}
            self.subscriptions[identifier] = {**made, "expirationDateTime": self._end(body["expirationDateTime"])}
            return Answer(201, self.subscriptions[identifier])
        found = self.subscriptions.get(rest[0]) if rest else None
        if found is None:
            raise Refused(404, "ResourceNotFound", "The object was not found.")
        if exchange.method == "PATCH":
            found["expirationDateTime"] = self._end(body["expirationDateTime"])
            return Answer(200, found)
        if exchange.method == "DELETE":
            del self.subscriptions[rest[0]]
        return Answer(204) if exchange.method != "GET" else Answer(200, found)

    def _is_valid(self, url: str) -> bool:
        """Whether the address answers a validation within its rules: 200, text/plain, the token decoded."""
        if self.post is None:
            return True
        token = f"Validation: Testing client application reachability <{uuid.uuid4()}> & more"
        status, media_type, answer = self.post(f"{url}?validationToken={quote(token, safe='')}", b"")
        return (status, media_type.partition(";")[0], answer.decode()) == (200, "text/plain", token)

    def _end(self, wanted: str) -> str:
        """Asked for too long, a subscription lasts as long as may be."""
        longest = datetime.now(UTC) + self.subscription_lasts
        return f"{min(datetime.fromisoformat(wanted), longest):%Y-%m-%dT%H:%M:%SZ}"

    def notify(self, address: str, *, lifecycle: str = "") -> list[int]:
        """Tell every subscription to a mailbox that something came, or of its own fate; the statuses answered."""
        assert self.post is not None
        user = self.tenant.users[address]
        statuses = []
        for identifier, each in list(self.subscriptions.items()):
            if f"/{user.id}/" not in each["resource"] and f"/{address}/" not in each["resource"]:
                continue
            told: Json = {
                "subscriptionId": identifier,
                "subscriptionExpirationDateTime": each["expirationDateTime"],
                "clientState": each["clientState"],
                "tenantId": self.tenant_id,
            }
            if lifecycle:
                told |= {"lifecycleEvent": lifecycle, "resource": each["resource"]}
            else:
                told |= {
                    "changeType": "created",
                    "resource": f"Users/{user.id}/Messages/AAMk",
                    "resourceData": {
                        "@odata.type": "#Microsoft.Graph.Message",
                        "@odata.id": f"Users/{user.id}/Messages/AAMk",
                        "id": "AAMk",
                    },
                }
            if lifecycle == "subscriptionRemoved":
                del self.subscriptions[identifier]
            body = {"value": [told]}
            self.notified.append(body)
            where = each["lifecycleNotificationUrl"] if lifecycle else each["notificationUrl"]
            statuses.append(self.post(where, json.dumps(body).encode())[0])
        return statuses

    def _groups(self, rest: list[str], query: dict[str, str], path: str) -> Answer:
        if not rest:
            found = [_select(group_json(group), "", left_out=_OF_ONE_GROUP) for group in self.tenant.groups.values()]
            return self._listing(found, path, query, size=100, largest=999)
        group = self.tenant.groups.get(rest[0])
        if group is None:
            raise Refused(404, "Request_ResourceNotFound", f"Resource '{rest[0]}' does not exist.")
        if len(rest) == 1:
            return self._one(group_json(group), query, "groups/$entity", left_out=_OF_ONE_GROUP)
        members = list(self._members(group, transitive=rest[1] == "transitiveMembers"))
        if rest[2:] in (["microsoft.graph.user"], ["graph.user"]):
            members = [member for member in members if member["@odata.type"] == "#microsoft.graph.user"]
        return self._listing(members, path, query, size=100, largest=999)

    def _memberships(self, address: str, *, transitive: bool) -> list[Json]:
        return [
            {"@odata.type": "#microsoft.graph.group", **_select(group_json(group), "", left_out=_OF_ONE_GROUP)}
            for group in self.tenant.groups.values()
            if any(
                member.get("id") == self.tenant.users[address].id
                for member in self._members(group, transitive=transitive)
            )
        ]

    def _batch(self, exchange: Exchange) -> Answer:
        """Each inner request by itself; one whose predecessor failed gets 424. Bodies other than JSON come as base64."""
        try:
            requests = json.loads(exchange.body)["requests"]
            identifiers = [request["id"] for request in requests]
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(400, "BadRequest", "Invalid batch payload format.") from error
        if len(requests) > 20 or len(set(identifiers)) != len(identifiers):
            raise Refused(400, "BadRequest", "Number of batch request steps exceeds 20, or an id is there twice.")
        statuses: dict[str, int] = {}
        responses = []
        for request in requests:
            parts = urlsplit("/v1.0/" + str(request["url"]).lstrip("/"))
            inner = Exchange(
                request["method"],
                parts.path,
                parse_qsl(parts.query, keep_blank_values=True),
                {**exchange.headers, **{name.lower(): value for name, value in request.get("headers", {}).items()}},
                json.dumps(request["body"]).encode() if "body" in request else b"",
            )
            if any(statuses.get(before, 424) >= 400 for before in request.get("dependsOn", ())):
                answer = Answer(424, _error(Refused(424, "FailedDependency", "A request before it failed."), inner))
            else:
                answer, _ = self.answer(inner)
            statuses[request["id"]] = answer.status
            body = answer.body if not isinstance(answer.body, bytes) else base64.b64encode(answer.body).decode()
            told = {"id": request["id"], "status": answer.status, "headers": answer.headers}
            responses.append({**told, "body": body} if body is not None else told)
        return Answer(200, {"responses": responses})

    def _members(self, group: FakeGroup, *, transitive: bool) -> Iterator[Json]:
        """Users and groups in a group, and with `transitive` those in the groups in it, each once."""
        waiting, seen = [*group.members], set(group.members)
        while waiting:
            member = waiting.pop(0)
            if member in self.tenant.users:
                yield {"@odata.type": "#microsoft.graph.user", **user_json(self.tenant.users[member])}
            elif member in self.tenant.groups:
                inner = self.tenant.groups[member]
                yield {"@odata.type": "#microsoft.graph.group", **group_json(inner)}
                waiting += [each for each in inner.members if transitive and each not in seen]
                seen.update(inner.members)

    def _user(self, address: str, query: dict[str, str]) -> Json:
        user = self.tenant.users[address]
        found = user_json(user)
        expand = re.fullmatch(r"manager(?:\(\$select=([A-Za-z,]+)\))?", query.get("$expand", ""))
        if "$expand" in query and expand is None:
            raise Refused(400, "Request_UnsupportedQuery", "Unsupported expand.")
        manager = self.tenant.users.get(user.manager)
        if expand is not None and manager is not None:
            chosen = _select(user_json(manager), expand[1] or _USER_DEFAULT)
            found["manager"] = {"@odata.type": "#microsoft.graph.user", **chosen}
        return found

    def _in_mailbox(self, who: str, rest: list[str], query: dict[str, str], exchange: Exchange) -> Answer:
        user = self.tenant.user(who)
        if user is None:
            raise Refused(404, "ErrorInvalidUser", f"The requested user '{who}' is invalid.")
        if user.mailbox == "none":
            raise Refused(404, "MailboxNotEnabledForRESTAPI", "REST API is not yet supported for this mailbox.")
        if user.mailbox == "denied":
            said = "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings."
            raise Refused(403, "ErrorAccessDenied", said)
        with self.limits.mailbox(user.address):
            if self.plan.hold is not None:
                self.plan.hold.wait()
            self.plan.delay(exchange.path)
            with self.tenant.lock:
                return self._mail(self.tenant.mailboxes[user.address], rest, query, exchange)

    def _mail(self, box: FakeMailbox, rest: list[str], query: dict[str, str], exchange: Exchange) -> Answer:
        immutable = 'idtype="immutableid"' in exchange.headers.get("prefer", "").lower()
        hidden = query.get("includeHiddenFolders") == "true"
        if exchange.method == "POST":
            if rest == ["translateExchangeIds"]:
                return self._translated(box, json.loads(exchange.body))
            if rest != ["sendMail"]:
                raise Refused(405, "ErrorInvalidRequest", "The OData request is not supported.")
            return self._send_mail(box, exchange)
        match rest:
            case ["mailboxSettings"]:
                return self._one(settings_json(self.tenant.users[box.address]), query, "mailboxSettings")
            case ["mailFolders", "inbox", "messageRules"]:
                found_rules = [rule_json(box, number, rule) for number, rule in enumerate(box.rules, 1)]
                return self._listing(found_rules, exchange.path, query)
            case ["mailFolders"] | ["mailFolders", _, "childFolders"]:
                parent = box.root if len(rest) == 1 else _folder(box, rest[1]).id
                shown = [f for f in box.children(parent) if hidden or not f.hidden]
                return self._listing([folder_json(box, f, hidden=hidden) for f in shown], exchange.path, query)
            case ["mailFolders", name]:
                return self._one(folder_json(box, _folder(box, name), hidden=hidden), query, "mailFolders/$entity")
            case ["messages"]:
                everything = [message_json(box, message, immutable=immutable) for message in box.messages.values()]
                return self._listing(everything, exchange.path, query, left_out=_ONLY_SELECTED)
            case ["mailFolders", name, "messages"]:
                since = re.fullmatch(r"sentDateTime ge (\S+)", query.get("$filter", ""))
                listed = [
                    message_json(box, message, immutable=immutable)
                    for message in box.inside(_folder(box, name))
                    if since is None or _received(message) >= datetime.fromisoformat(since[1])
                ]
                return self._listing(listed, exchange.path, query, left_out=_ONLY_SELECTED)
            case ["mailFolders", name, "messages", "delta"]:
                return self._delta(box, name, query, exchange, immutable=immutable)
            case ["mailFolders", _, "messages", _, "$value"]:
                raise Refused(405, "ErrorInvalidRequest", "The OData request is not supported.")
            case ["messages", identifier, *_] if _message(box, identifier).poisoned:
                raise Refused(500, "ErrorContentConversionFailed", "Content conversion failed.")
            case ["messages", identifier]:
                found = message_json(box, _message(box, identifier), immutable=immutable)
                return self._one(found, query, "messages/$entity", left_out=_ONLY_SELECTED)
            case ["messages", identifier, "$value"]:
                return Answer(200, _message(box, identifier).mime, {"Content-Type": "text/plain"})
            case ["messages", identifier, "attachments"]:
                return self._listing(attachments_json(_message(box, identifier)), exchange.path, query)
            case ["messages", identifier, "attachments", attachment]:
                listed = attachments_json(_message(box, identifier))
                return self._one(self._attachment(_by_id(listed, attachment), query), query, "attachments/$entity")
            case ["messages", identifier, "attachments", attachment, "$value"]:
                listed = attachments_json(_message(box, identifier))
                if _by_id(listed, attachment)["@odata.type"] == "#microsoft.graph.referenceAttachment":
                    raise Refused(405, "ErrorInvalidRequest", "The OData request is not supported.")
                content = attachment_content(_message(box, identifier), attachment)
                if content is None:
                    raise _not_found()
                return Answer(200, content[1], {"Content-Type": content[0]})
        raise Refused(405, "ErrorInvalidRequest", "The OData request is not supported.")

    # --- delta --------------------------------------------------------------------------------------------------------

    def _delta(
        self, box: FakeMailbox, name: str, query: dict[str, str], exchange: Exchange, *, immutable: bool
    ) -> Answer:
        token = query.get("$skiptoken") or query.get("$deltatoken")
        folder = _folder(box, name)
        if token is None:
            since = _since(query.get("$filter", ""), refused=self.plan.refuse_filter)
            inside = (m for m in box.inside(folder) if since is None or _received(m) >= since)
            # A filtered walk gives 5,000 messages at most, whatever there is.
            first = list(islice(inside, None if since is None else self.filtered_at_most))
            entries: list[tuple[str, FakeMessage]] = [("added", message) for message in first]
            walk = _Walk(box.address, folder.id, query.get("$select", ""), tuple(entries), 0, len(folder.log))
        else:
            state = self._state(token)
            if not isinstance(state, _Walk) or state.folder != folder.id:
                raise Refused(400, "ErrorInvalidUrlQuery", "The sync state is invalid.")
            walk = state if "$skiptoken" in query else _later(box, folder, state)
        return self._delta_page(box, folder, walk, _preferred_size(exchange, self.plan.page_cap), immutable=immutable)

    def _delta_page(self, box: FakeMailbox, folder: FakeFolder, walk: _Walk, size: int, *, immutable: bool) -> Answer:
        more = walk.offset < len(walk.entries)
        empty = self.plan.empty_pages and more and not walk.was_empty
        shown = () if empty else walk.entries[walk.offset : walk.offset + size]
        if "body" in walk.select and any(message.poisoned for _, message in shown):
            raise Refused(500, "InternalServerError", "Error while processing response.")
        value = [self._told(box, folder, change, message, walk.select, immutable) for change, message in shown]
        if self.plan.repeat_items and value:
            value.append(value[-1])
        offset = walk.offset + len(shown)
        if self.plan.repeat_items and len(shown) > 1 and offset < len(walk.entries):
            offset -= 1
        rest = replace(walk, offset=offset, was_empty=empty)
        page: Json = {"@odata.context": f"{self.url}/v1.0/$metadata#Collection(message)", "value": value}
        link = f"{self.url}/v1.0/users('{self._id_of(box)}')/mailfolders('{quote(folder.id, safe='')}')/messages/delta"
        if offset < len(walk.entries):
            page["@odata.nextLink"] = f"{link}?$skiptoken={self._keep(rest)}"
        else:
            page["@odata.deltaLink"] = f"{link}?$deltatoken={self._keep(replace(rest, entries=(), offset=0))}"
        return Answer(200, page)

    def _told(
        self, box: FakeMailbox, folder: FakeFolder, change: str, message: FakeMessage, select: str, immutable: bool
    ) -> Json:
        identifier = message.id if immutable else message.mutable_id
        kind = {"@odata.type": "#microsoft.graph.message"}
        if change == "removed" or message.folder != folder.id or message.id not in box.messages:
            return {**kind, "id": identifier, "@removed": {"reason": "deleted"}}
        whole = message_json(box, message, immutable=immutable)
        if change == "updated":
            return {**kind, **_select(whole, "isRead,parentFolderId")}
        return {**kind, **_select(whole, select, left_out=_ONLY_SELECTED)}

    def _id_of(self, box: FakeMailbox) -> str:
        return self.tenant.users[box.address].id

    def _keep(self, state: _State) -> str:
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._states[token] = state
        return token

    def _state(self, token: str) -> _State:
        with self._lock:
            state = self._states.get(token)
        if state is None:
            raise Refused(410, "SyncStateNotFound", "The sync state generation is not found; generation=149.")
        return state

    # --- collections and single objects -------------------------------------------------------------------------------

    def _listing(
        self,
        found: list[Json],
        path: str,
        query: dict[str, str],
        size: int = 10,
        largest: int = 1000,
        left_out: tuple[str, ...] = (),
    ) -> Answer:
        token = query.get("$skiptoken")
        if token is not None:
            kept = self._state(token)
            if not isinstance(kept, _Listing):
                raise Refused(400, "ErrorInvalidUrlQuery", "The skip token is invalid.")
            listing = kept
        else:
            wanted = min(int(query.get("$top", size)), largest)
            chosen = tuple(_select(item, query.get("$select", ""), left_out=left_out) for item in found)
            listing = _Listing(chosen, path, wanted, 0)
        end = listing.offset + min(listing.size, self.plan.page_cap or listing.size)
        page: Json = {
            "@odata.context": f"{self.url}/v1.0/$metadata#{_context(listing.path)}",
            "value": list(listing.items[listing.offset : end]),
        }
        if end < len(listing.items):
            page["@odata.nextLink"] = f"{self.url}{listing.path}?$skiptoken={self._keep(replace(listing, offset=end))}"
        return Answer(200, page)

    def _one(
        self,
        found: Json,
        query: dict[str, str],
        context: str,
        left_out: tuple[str, ...] = (),
    ) -> Answer:
        chosen = _select(found, query.get("$select", ""), left_out=left_out, expanded=query.get("$expand", ""))
        return Answer(200, {"@odata.context": f"{self.url}/v1.0/$metadata#{context}", **chosen})

    def _attachment(self, found: Json, query: dict[str, str]) -> Json:
        """An attached item comes with `$expand` only, and without an id of its own."""
        is_item = found["@odata.type"] == "#microsoft.graph.itemAttachment"
        if not is_item or query.get("$expand", "").lower() != "microsoft.graph.itemattachment/item":
            return found
        item = {"@odata.type": "#microsoft.graph.message", "id": "", "subject": found["name"]}
        context = f"{self.url}/v1.0/$metadata#message/$entity"
        return {**found, "item@odata.context": context, "item": item}

    def _translated(self, box: FakeMailbox, body: Json) -> Answer:
        """Ids that change with a move to those that do not, and back."""
        wanted: list[str] = body.get("InputIds") or body.get("inputIds") or []
        to_immutable = body.get("TargetIdType", body.get("targetIdType")) == "restImmutableEntryId"
        value = []
        for source in wanted:
            message = _message(box, source)
            value.append({"sourceId": source, "targetId": message.id if to_immutable else message.mutable_id})
        return Answer(200, {"@odata.context": f"{self.url}/v1.0/$metadata#Collection(convertIdResult)", "value": value})

    # --- sendMail -----------------------------------------------------------------------------------------------------

    def _send_mail(self, box: FakeMailbox, exchange: Exchange) -> Answer:
        try:
            body = json.loads(exchange.body)
            message = body["message"]
            to = [recipient["emailAddress"]["address"] for recipient in message["toRecipients"]]
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(400, "ErrorInvalidRequest", "The request body is not a message to send.") from error
        if not to:
            raise Refused(400, "ErrorInvalidRecipients", "At least one recipient isn't valid.")
        self.tenant.sent.append((box.address, body))
        if str(body.get("saveToSentItems", True)).lower() != "false":
            mail = EmailMessage()
            mail["From"], mail["To"] = box.address, ", ".join(to)
            mail["Subject"] = message.get("subject", "")
            mail["Message-ID"] = f"<{uuid.uuid4()}@fake.example>"
            mail["Date"] = datetime.now(UTC)
            mail.set_content(message.get("body", {}).get("content", ""))
            self.tenant.deliver(box.address, "sentitems", mail.as_bytes())
        return Answer(202)


def _segments(path: str) -> list[str]:
    """The decoded path segments below the version; `users('x')` is the same as `users/x`, `mailfolders` as `mailFolders`."""
    found: list[str] = []
    for raw in path.removeprefix("/v1.0/").split("/"):
        call = _PARENTHESES.fullmatch(raw)
        found.extend(map(unquote, call.groups()) if call is not None else (unquote(raw),))
    names = {"mailfolders": "mailFolders", "childfolders": "childFolders", "sendmail": "sendMail"}
    return [names.get(name.lower(), name) for name in found]


def _directory_cost(segments: list[str], query: dict[str, str]) -> int:
    """Cost units of a directory request (docs-contrib concepts/throttling-limits.md)."""
    cost = {"members": 3, "transitiveMembers": 5}.get(segments[-1], 2 if segments == ["users"] else 1)
    cost += ("$expand" in query) - ("$select" in query) - (int(query.get("$top", 100)) < 20)
    return max(1, cost)


def _files_cost(segments: list[str], query: dict[str, str]) -> int:
    """Resource units of a SharePoint request: 5 for permissions, 2 for many items, 1 for one, for a delta or a download."""
    if segments[-1] == "permissions":
        return 5
    many = segments[-1] in ("children", "drives", "getAllSites", "sites")
    return 2 if many or (segments[-1] == "delta" and "token" not in query) else 1


def _context(path: str) -> str:
    return path.rpartition("/")[2]


def _select(item: Json, names: str, *, left_out: tuple[str, ...] = (), expanded: str = "") -> Json:
    """The selected properties; annotations and the id come always, `left_out` only when selected."""
    hidden = {*left_out, *_ONLY_EXPANDED} - set(re.findall(r"[A-Za-z]+", expanded.partition("(")[0]))
    if not names:
        return {name: value for name, value in item.items() if name not in hidden}
    wanted = ({name.strip() for name in names.split(",")} | {"id", *_ONLY_EXPANDED, "deleted"}) - hidden
    wanted.add(expanded.partition("(")[0].rpartition("/")[2])
    if "manager" in item:  # expanded for every user of a list
        wanted.add("manager")
    if names and left_out:
        wanted |= {name.strip() for name in names.split(",")}
    return {name: value for name, value in item.items() if name in wanted or name.startswith("@")}


def _since(condition: str, *, refused: bool) -> datetime | None:
    """The moment of `receivedDateTime ge …`, the one filter that a message delta takes."""
    if not condition:
        return None
    found = re.fullmatch(r"receivedDateTime ge (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", condition)
    if found is None or refused:
        raise Refused(400, "ErrorInvalidUrlQuery", "The query filter is not supported for this operation.")
    return datetime.fromisoformat(found[1])


def _received(message: FakeMessage) -> datetime:
    head = message_from_bytes(message.mime[:100_000], policy=policy.default)
    return stamp(head.get("Date"), message.received)


def _later(box: FakeMailbox, folder: FakeFolder, state: _Walk) -> _Walk:
    """What happened since a round ended, each message once, by what it now amounts to."""
    told: dict[str, tuple[str, FakeMessage]] = {}
    for change, message in folder.log[state.log :]:
        before = told.pop(message.id, ("", message))[0]
        told[message.id] = ("added" if "added" in (before, change) and change != "removed" else change), message
    return replace(state, entries=tuple(told.values()), offset=0, log=len(folder.log), was_empty=False)


def _preferred_size(exchange: Exchange, cap: int | None) -> int:
    found = re.search(r"odata\.maxpagesize=([0-9]{1,4})", exchange.headers.get("prefer", ""))
    return min(int(found[1]) if found else 10, cap or 1000)


def _folder(box: FakeMailbox, name: str) -> FakeFolder:
    folder = box.folder(name)
    if folder is None:
        raise Refused(404, "ErrorFolderNotFound", "The specified folder could not be found in the store.")
    return folder


def _message(box: FakeMailbox, identifier: str) -> FakeMessage:
    message = box.message(identifier)
    if message is None:
        raise _not_found()
    return message


def _by_id(listed: list[Json], identifier: str) -> Json:
    for item in listed:
        if item["id"] == identifier:
            return item
    raise _not_found()


def _not_found() -> Refused:
    return Refused(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def _error(refused: Refused, exchange: Exchange) -> Json:
    inner = {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": str(uuid.uuid4()),
        "client-request-id": exchange.headers.get("client-request-id", ""),
    }
    return {"error": {"code": refused.code, "message": refused.message, "innerError": inner}}
