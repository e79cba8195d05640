"""The fake tenant itself: its folder layout, ids, attachments, links and the things it must refuse."""

from __future__ import annotations

import base64
import time
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from graph.contract import checked_fake, client_for
from graph.tenants import JO, SAM, mail, two_mailboxes

from connectors.faketenant.faults import Chaos, Latency, Plan, throttled
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeUser, Tenant
from connectors.graph import GraphClient, Json, segment
from connectors.m365_mail import M365Mail
from connectors.m365_people import M365People
from scanner.errors import ConfigError, ConnectorError

PEOPLE = """
organisation: Example Learning Trust
domains: [elt.example]
people:
  - {email: jo.reed@elt.example, name: Jo Reed, role: staff, manager: sam.hale@elt.example}
  - {email: sam.hale@elt.example, name: Sam Hale, role: staff}
  - {email: office@elt.example, name: Office, role: shared}
  - {email: kim@private.example, name: Kim Yarrow, role: governor}
"""
ME = f"/users/{segment(JO)}"


def laid_out(folder: Path, *files: str) -> Path:
    (folder / "people.yaml").write_text(PEOPLE, "utf-8")
    for number, name in enumerate(files):
        (folder / "mail" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "mail" / name).write_bytes(mail(number))
    return folder


def get(client: GraphClient, path: str, **params: str) -> Json:
    return client.get(path, what="asking", mailbox=JO, params={f"${name}": value for name, value in params.items()})


def test_a_folder_becomes_a_tenant_with_the_same_ids_at_every_start(tmp_path: Path) -> None:
    laid_out(tmp_path, "jo.reed/inbox/001.eml", "jo.reed/inbox/Trips/002.eml", "sam.hale@elt.example/sentitems/001.eml")
    first, second = Tenant.from_folder(tmp_path), Tenant.from_folder(tmp_path)
    assert sorted(first.users) == [JO, "office@elt.example", SAM]
    assert [len(box.messages) for box in (first.mailboxes[JO], first.mailboxes[SAM])] == [2, 1]
    trips = next(f for f in first.mailboxes[JO].folders.values() if f.name == "Trips")
    assert first.mailboxes[JO].folders[trips.parent].well_known == "inbox"
    assert list(first.mailboxes[JO].messages) == list(second.mailboxes[JO].messages)
    assert first.id == second.id
    assert not first.users["office@elt.example"].enabled


@pytest.mark.parametrize(
    ("file", "said"),
    [("nobody/inbox/1.eml", "is nobody's mailbox"), ("jo.reed/1.eml", "lies in no folder"), (None, "is not a folder")],
)
def test_a_layout_that_is_wrong_is_named(file: str | None, said: str, tmp_path: Path) -> None:
    laid_out(tmp_path, *([file] if file else []))
    with pytest.raises(ConfigError, match=said):
        Tenant.from_folder(tmp_path)


def test_attachments_are_listed_by_kind_and_come_as_bytes() -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = JO, SAM, "three"
    message.set_content("see below")
    message.add_attachment(b"\x00\x01raw", maintype="application", subtype="octet-stream", filename="a.bin")
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("inside")
    message.add_attachment(inner)
    tenant = two_mailboxes(0)
    path = f"{ME}/messages/{segment(tenant.deliver(JO, 'inbox', message.as_bytes()).id)}"
    with FakeTenant(tenant) as fake:
        client = client_for(fake)
        file, item = get(client, f"{path}/attachments")["value"]
        assert base64.b64decode(file["contentBytes"]) == b"\x00\x01raw"
        assert item["@odata.type"] == "#microsoft.graph.itemAttachment"
        assert "contentBytes" not in item
        contents = [
            client.get_bytes(f"{path}/attachments/{segment(one['id'])}/$value", what="x", mailbox=JO, limit=9999)
            for one in (file, item)
        ]
        assert get(client, f"{path}/attachments/{segment(file['id'])}")["name"] == "a.bin"
    assert contents[0] == b"\x00\x01raw"
    assert contents[1].startswith(b"Subject: inner")


def test_an_id_is_immutable_only_for_who_asks_for_it() -> None:
    tenant = two_mailboxes(1)
    with checked_fake(tenant) as fake:
        client, delta = client_for(fake), f"{ME}/mailFolders/inbox/messages/delta"
        (before,) = get(client, delta, select="subject")["value"]
        immutable = client.get(
            delta, what="x", params={"$select": "subject"}, headers={"Prefer": 'IdType="ImmutableId"'}
        )["value"][0]["id"]
        tenant.move(JO, immutable, "archive")
        assert get(client, f"{ME}/messages/{segment(immutable)}", select="subject")["id"] != before["id"]
        with pytest.raises(ConnectorError, match="ErrorItemNotFound"):
            get(client, f"{ME}/messages/{segment(before['id'])}")


def test_delta_links_have_exchanges_own_form_and_a_selection_is_kept_to() -> None:
    with checked_fake(two_mailboxes(2)) as fake:
        page = get(client_for(fake), f"{ME}/mailFolders/inbox/messages/delta", select="subject")
        folder = fake.tenant.mailboxes[JO].folder("inbox")
    assert folder is not None
    assert f"/mailfolders('{folder.id}')/messages/delta?$deltatoken=" in unquote(page["@odata.deltaLink"])
    assert {name for item in page["value"] for name in item} == {"@odata.type", "@odata.etag", "id", "subject"}


def test_headers_of_a_message_come_only_when_selected_and_never_for_a_sent_one() -> None:
    tenant = two_mailboxes(1)
    received, sent = tenant.mailboxes[JO].messages
    with checked_fake(tenant) as fake:
        client = client_for(fake)
        assert "internetMessageHeaders" not in get(client, f"{ME}/messages/{segment(received)}")
        for identifier, there in ((received, True), (sent, False)):
            found = get(client, f"{ME}/messages/{segment(identifier)}", select="internetMessageHeaders")
            assert ("internetMessageHeaders" in found) is there


def test_directory_answers_keep_to_the_contract() -> None:
    with checked_fake(two_mailboxes()) as fake:
        client = client_for(fake)
        assert "proxyAddresses" not in get(client, "/users")["value"][0]
        assert get(client, ME, select="mail,userType")["mail"] == JO
        assert get(client, f"{ME}/manager", select="mail")["mail"] == SAM
        assert [domain["id"] for domain in get(client, "/domains")["value"]] == [
            "elt.example",
            "northfield.elt.example",
        ]
        with pytest.raises(ConnectorError, match="Request_ResourceNotFound"):
            get(client, f"/users/{segment(SAM)}/manager")
        with pytest.raises(ConnectorError, match="Request_ResourceNotFound"):
            get(client, "/users/nobody@elt.example")


def test_without_a_token_nothing_is_told() -> None:
    class NoToken:
        def token(self) -> str:
            return "made-up"

        def replace(self, rejected: str, claims: str | None = None) -> str:
            return "made-up-too"

    with checked_fake(two_mailboxes()) as fake:
        tokens: Any = NoToken()
        with pytest.raises(ConnectorError, match="InvalidAuthenticationToken"):
            get(client_for(fake, tokens=tokens), "/users")
        assert [e.status for e in fake.graph()] == [401, 401]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{ME}/mailFolders/inbox/messages/x/$value", 405),
        (f"{ME}/mailFolders/none", 404),
        (f"{ME}/messages/none", 404),
        ("/nothing", 400),
        ("/users/nobody/messages/x", 404),
    ],
)
def test_what_graph_refuses_is_refused(path: str, status: int) -> None:
    with FakeTenant(two_mailboxes()) as fake, pytest.raises(ConnectorError) as caught:
        client_for(fake).get(path, what="asking", mailbox=JO)
    assert caught.value.status == status


def test_two_thousand_mailboxes_cost_nothing_until_they_are_asked_for() -> None:
    made: list[str] = []

    def fill(tenant: Tenant, address: str) -> None:
        made.append(address)
        tenant.deliver(address, "inbox", mail(1))

    tenant = two_mailboxes(0)
    for number in range(2_000):
        tenant.announce(FakeUser(f"p{number:04}@elt.example", f"P {number}"), fill)
    with checked_fake(tenant) as fake:
        source = M365Mail(client_for(fake))
        assert sum(folder.kind == "inbox" for folder in source.folders("p1234@elt.example")) == 1
    assert made == ["p1234@elt.example"]


def test_microsofts_limits_are_enforced_and_breaking_them_is_told() -> None:
    with checked_fake(two_mailboxes(0)) as fake:
        fake.limits.requests_per_window = 5
        client = client_for(fake, wait=lambda _: None)
        for _ in range(5):
            client.get(f"/users/{JO}/mailFolders/inbox", what="x", mailbox=JO)
        assert fake.violations == []
        with pytest.raises(ConnectorError):
            client.get(f"/users/{JO}/mailFolders/inbox", what="x", mailbox=JO)
        assert fake.violations


def test_chaos_is_the_same_for_the_same_seed_and_never_strikes_three_times_in_a_row() -> None:
    def struck(seed: int) -> list[bool]:
        chaos = Chaos(seed, one_in=2)
        return [chaos.strike("/v1.0/users") is not None for _ in range(300)]

    assert struck(1) == struck(1) != struck(2)
    assert "TTT" not in "".join("FT"[hit] for hit in struck(1))
    assert 60 < sum(struck(1)) < 200


# --- limits, waits and latencies --------------------------------------------------------------------------------------


class Seconds:
    """A clock that only moves when somebody waits."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def now(self) -> float:
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += seconds


def test_the_directory_counts_cost_units_and_a_client_that_heeds_its_headers_is_never_refused() -> None:
    clock = Seconds()
    with FakeTenant(two_mailboxes(0), clock=clock.now) as fake:
        fake.limits.directory_units = 20
        client = client_for(fake, wait=clock.wait, clock=clock.now)
        for _ in range(60):
            client.get("/users", what="asking", params={"$select": "id"})
        costs = [e.answer_headers["x-ms-resource-unit"] for e in fake.graph("/users")]
        assert set(costs) == {"1"}  # two for users, less one for $select
        assert [e.status for e in fake.graph("/users")] == [200] * 60
        assert any("x-ms-throttle-limit-percentage" in e.answer_headers for e in fake.graph())
        assert fake.violations == []
        heedless = client_for(fake, wait=lambda _: None, clock=time.monotonic)
        for _ in range(10):
            with suppress(ConnectorError):
                heedless.get("/users", what="asking", params={"$expand": "manager"})
        refused = next(e for e in fake.graph() if e.status == 429)
        assert {"Retry-After", "x-ms-throttle-scope", "x-ms-throttle-information"} <= refused.answer_headers.keys()


def test_sharepoint_counts_five_units_for_permissions_and_says_what_is_left() -> None:
    tenant = two_mailboxes(0)
    drive = tenant.add_drive(JO)
    clock = Seconds()
    with FakeTenant(tenant, clock=clock.now) as fake:
        fake.limits.files_units = 12
        client = client_for(fake, wait=clock.wait, clock=clock.now)
        for _ in range(3):
            client.get(f"/drives/{segment(drive.id)}/items/root/permissions", what="asking")
        left = [e.answer_headers.get("RateLimit-Remaining") for e in fake.graph("/permissions")]
        assert left == ["7", "2", "0", "7"]
        assert [e.status for e in fake.graph("/permissions")] == [200, 200, 429, 200]
        assert fake.violations == []  # it waited the minute that it was told


def test_coming_back_before_retry_after_is_a_violation() -> None:
    clock = Seconds()
    with FakeTenant(two_mailboxes(0), Plan(throttled("/inbox", "30")), clock=clock.now) as fake:
        get(client_for(fake, wait=lambda _: clock.wait(10)), f"{ME}/mailFolders/inbox")
        assert fake.violations == ["mailbox: came back 10.0 s after being told to wait 30 s"]


def test_a_place_that_is_freed_late_refuses_a_client_that_keeps_to_three_and_does_not_blame_it() -> None:
    with FakeTenant(two_mailboxes(0)) as fake:
        fake.limits.frees_late = 30.0
        client = client_for(fake, wait=lambda _: setattr(fake.limits, "clock", lambda: time.monotonic() + 60))
        for _ in range(5):
            get(client, f"{ME}/mailFolders/inbox")
        assert [e.status for e in fake.graph("/inbox")] == [200, 200, 200, 200, 429, 200]
        assert fake.violations == []


def test_latencies_are_the_same_for_the_same_seed_and_a_slow_request_keeps_its_place() -> None:
    def drawn(seed: int) -> list[float]:
        slept: list[float] = []
        latency = Latency(0.2, seed=seed, sleep=slept.append)
        for path in ("/v1.0/users", "/v1.0/users/x/messages/y/$value") * 50:
            latency.pass_time(path)
        return slept

    assert drawn(1) == drawn(1) != drawn(2)
    assert sum(drawn(1)[1::2]) > 2 * sum(drawn(1)[::2])
    tenant = two_mailboxes(0)
    plan = Plan()
    seen: list[int] = []
    with checked_fake(tenant, plan) as fake:
        plan.latency = Latency(0.2, sleep=lambda _: seen.append(fake.limits.in_flight[JO]))
        get(client_for(fake), f"{ME}/mailFolders/inbox")
        client_for(fake).get("/organization", what="asking")
    assert seen == [1, 0]


def test_two_thousand_mailboxes_are_made_only_when_they_are_asked_for_and_read_to_the_last() -> None:
    tenant = two_mailboxes(0)
    for number in range(2_000):
        tenant.announce(
            FakeUser(f"p{number:04}@elt.example", f"P {number}"),
            lambda tenant, address: tenant.deliver(address, "inbox", mail(1)) and None,
        )
    with checked_fake(tenant) as fake:
        people = M365People(client_for(fake))
        assert len(people.load().people) == 2_002
        assert len(fake.graph("/users")) == 3 + 1
        source = M365Mail(client_for(fake), mailbox_ids=people.mailbox_ids)
        (page,) = source.changes(next(f for f in source.folders("p1999@elt.example") if f.kind == "inbox"), None)
        assert len(page.items) == 1
    assert len(tenant.mailboxes) == 3
