"""The fake tenant itself: its folder layout, ids, attachments, links and the things it must refuse."""

from __future__ import annotations

import base64
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from graph.contract import checked_fake, client_for
from graph.tenants import JO, SAM, mail, two_mailboxes

from connectors.faketenant.faults import Chaos
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeUser, Tenant
from connectors.graph import GraphClient, Json, segment
from connectors.m365_mail import M365Mail
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
