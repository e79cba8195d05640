"""The contract with Microsoft Graph: a whole run is valid, and no field that the connectors use can go missing unnoticed.

The OpenAPI subset is checked against in every Graph test (`graph.contract.checked_fake`); here the checks are checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from graph.contract import checked_fake, client_for, contract
from graph.tenants import JO, SAM, mail, two_mailboxes

from connectors.faketenant.faults import Fault, Plan, throttled
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeRule, Tenant, attachments_json
from connectors.graph import segment
from connectors.m365_mail import WELL_KNOWN, M365Mail
from connectors.m365_notices import M365Notices
from connectors.m365_people import M365People
from scanner.errors import ConnectorError
from scanner.model import Cursor
from scanner.ports import Notice

Json = dict[str, Any]
EXAMPLES = Path(__file__).resolve().parents[2] / "shared" / "graph" / "examples"
MESSAGE_FIELDS = (
    "internetMessageId",
    "conversationId",
    "subject",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
    "sentDateTime",
    "receivedDateTime",
    "hasAttachments",
    "isDraft",
    "body",
)


def rich_tenant() -> Tenant:
    """A mailbox in which every field that is used makes a difference."""
    tenant = two_mailboxes(6)
    tenant.deliver(JO, "inbox/Class 7", mail(20, html="<p>hello</p>", on_behalf_of=SAM))
    tenant.deliver(JO, "sentitems", mail(21, bcc="secret@other.example", attached=b"a,b\n"))
    return tenant


def whole_run(fake: FakeTenant) -> object:
    """People, folders, two rounds over every folder with a removal between them, and how many requests that took."""
    client = client_for(fake)
    people = M365People(client)
    source = M365Mail(client, mailbox_ids=people.mailbox_ids, page_size=3)
    seen: list[object] = [people.load(), source.check()]
    for mailbox in (JO, SAM):
        cursors: list[tuple[Any, Cursor]] = []
        for folder in source.folders(mailbox):
            seen.append(folder)
            token = ""
            for page in source.changes(folder, None):
                seen += [source.fetch(ref) for ref in page.items if not ref.gone]
                token = page.token
            cursors.append((folder, Cursor(source.name, mailbox, folder.id, token, datetime.now(UTC))))
        message = next(iter(fake.tenant.mailboxes[mailbox].messages))
        fake.tenant.delete(mailbox, message)
        for folder, cursor in cursors:
            seen += [(ref.id, ref.gone) for page in source.changes(folder, cursor) for ref in page.items]
    return seen, len(fake.graph())


def run_with(plan: Plan) -> object:
    plan.page_cap = 5
    with FakeTenant(rich_tenant(), plan) as fake:
        return whole_run(fake)


@pytest.fixture(scope="module")
def calm() -> object:
    return run_with(Plan())


def test_every_request_and_every_answer_of_a_whole_run_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    before = dict(contract().counts)
    with checked_fake(rich_tenant()) as fake:
        whole_run(fake)
        M365Notices(client_for(fake), JO).send(Notice(SAM, "1 case", "A case waits."))
        sent = len(fake.graph())
    counted = {name: count - before.get(name, 0) for name, count in contract().counts.items()}
    with capsys.disabled():
        print(f" {counted}", end=" ")
    assert counted["requests"] == counted["responses"] == sent > 50
    assert counted["response bodies"] > 40
    assert counted["request bodies"] == 1


def test_two_calm_runs_are_alike_so_that_a_difference_means_something(calm: object) -> None:
    assert run_with(Plan()) == calm


# --- nothing goes missing unnoticed -----------------------------------------------------------------------------------


def everywhere(page: Json) -> Iterator[Json]:
    """The objects of a collection, or the single object itself."""
    yield from page["value"] if isinstance(page.get("value"), list) else [page]


def drop(*path: str) -> Callable[[Json], Json]:
    """Take the last property of `path` out of every object; lists on the way are gone through."""

    def change(page: Json) -> Json:
        for item in everywhere(page):
            targets = [item]
            for step in path[:-1]:
                values = [target.get(step) for target in targets]
                targets = [v for value in values for v in (value if isinstance(value, list) else [value]) if v]
            for target in targets:
                target.pop(path[-1], None)
        return page

    return change


def rename(name: str) -> Callable[[Json], Json]:
    def change(page: Json) -> Json:
        for item in everywhere(page):
            if name in item:
                item[f"{name}Renamed"] = item.pop(name)
        return page

    return change


def drop_from_page(name: str) -> Callable[[Json], Json]:
    return lambda page: {key: value for key, value in page.items() if key != name}


# Without these the connector cannot say what a message, folder or person is: it must stop with an error that names them.
NEEDED = [
    *(("/messages", name) for name in MESSAGE_FIELDS),
    ("/messages/delta", "id"),
    ("/mailFolders", "id"),
    ("/mailFolders", "childFolderCount"),
    ("/organization", "displayName"),
    ("/organization", "verifiedDomains"),
    ("/users", "mail"),
]
# These may rightly be absent; without them the outcome must at least be another one (or more requests).
TELLING = [
    *(("/messages/delta", (name,)) for name in MESSAGE_FIELDS),
    ("/messages/delta", ("from",)),
    ("/messages/delta", ("sender",)),
    ("/messages/delta", ("internetMessageHeaders",)),
    ("/messages/delta", ("@removed",)),
    ("/messages/delta", ("toRecipients", "emailAddress", "address")),
    ("/messages/delta", ("from", "emailAddress", "name")),
    ("/messages/delta", ("body", "contentType")),
    ("/mailFolders", ("@odata.type",)),
    ("/users", ("manager",)),
]


@pytest.mark.parametrize(("on", "name"), NEEDED)
@pytest.mark.parametrize("how", [drop, rename])
def test_a_needed_field_that_goes_missing_is_an_error_that_names_it(on: str, name: str, how: Any) -> None:
    with pytest.raises(ConnectorError, match=f"lacks .*'{name}'") as caught:
        run_with(Plan(Fault(on, times=10_000, change=how(name))))
    assert caught.value.permanent


@pytest.mark.parametrize(("on", "path"), TELLING)
def test_a_field_that_may_be_absent_still_makes_a_difference(on: str, path: tuple[str, ...], calm: object) -> None:
    plan = Plan(Fault(on, times=10_000, change=drop(*path)))
    try:
        outcome = run_with(plan)
    except ConnectorError:
        return
    assert outcome != calm


@pytest.mark.parametrize(
    ("on", "name"),
    [(on, "value") for on in ("/users", "/organization", "/mailFolders", "/messages/delta")]
    + [(on, "@odata.nextLink") for on in ("/mailFolders", "/messages/delta")]
    + [("/messages/delta", "@odata.deltaLink")],
)
def test_a_page_without_its_frame_is_noticed(on: str, name: str, calm: object) -> None:
    try:
        outcome = run_with(Plan(Fault(on, times=10_000, change=drop_from_page(name))))
    except ConnectorError:
        return
    assert outcome != calm


def test_the_body_of_an_item_without_content_and_a_recipient_without_address_object_are_errors() -> None:
    for path in (("body", "content"), ("toRecipients", "emailAddress")):
        with pytest.raises(ConnectorError, match=path[-1]):
            run_with(Plan(Fault("/messages/delta", times=10_000, change=drop(*path))))


@pytest.mark.parametrize("name", ["inbox", "sentitems"])
def test_a_well_known_folder_without_an_id_is_an_error(name: str) -> None:
    assert name in WELL_KNOWN
    with pytest.raises(ConnectorError, match="'id'"):
        run_with(Plan(Fault(f"/mailFolders/{name}", times=10_000, change=drop("id"))))


def test_the_validator_refuses_an_invented_and_a_mistyped_property() -> None:
    for change in (
        lambda page: {**page, "value": [{**item, "wellKnownName": "inbox"} for item in page["value"]]},
        lambda page: {**page, "value": [{**item, "childFolderCount": "3"} for item in page["value"]]},
    ):
        with FakeTenant(two_mailboxes(), Plan(Fault("/mailFolders", change=change))) as fake:
            client_for(fake).get(f"/users/{segment(JO)}/mailFolders", what="listing", mailbox=JO)
            assert contract().violations(fake.exchanges)


# --- the documentation's own examples ---------------------------------------------------------------------------------

PARSED = {
    "/users": lambda client: M365People(client).load(),
    "/organization": lambda client: M365People(client).load(),
    "/users/{user-id}/mailFolders": lambda client: list(M365Mail(client).folders(JO)),
    "/users/{user-id}/mailFolders/{mailFolder-id}/childFolders": lambda client: list(M365Mail(client).folders(JO)),
    "/users/{user-id}/mailFolders/{mailFolder-id}": lambda client: list(M365Mail(client).folders(JO)),
    "/users/{user-id}/mailFolders/{mailFolder-id}/messages/delta": lambda client: read_inbox(client),
    "/users/{user-id}/messages/{message-id}": lambda client: read_inbox(client),
}
STRIKES = {
    "/users": "/v1.0/users",
    "/organization": "/organization",
    "/users/{user-id}/mailFolders": "/mailFolders",
    "/users/{user-id}/mailFolders/{mailFolder-id}/childFolders": "/childFolders",
    "/users/{user-id}/mailFolders/{mailFolder-id}": "/mailFolders/inbox",
    "/users/{user-id}/mailFolders/{mailFolder-id}/messages/delta": "/messages/delta",
    "/users/{user-id}/messages/{message-id}": "/messages/A",
}


def read_inbox(client: Any) -> object:
    source = M365Mail(client)
    inbox = next(folder for folder in source.folders(JO) if folder.kind == "inbox")
    page = next(iter(source.changes(inbox, None)))
    return [source.fetch(ref) for ref in page.items]


def examples(wanted: Callable[[Json], bool]) -> list[Any]:
    """The wanted examples as pytest parameters; a marked skip where the reference is not at hand."""
    if not EXAMPLES.is_dir():
        return [pytest.param(None, marks=pytest.mark.skip("the reference examples are not beside the repository"))]
    found = []
    for file in sorted(EXAMPLES.rglob("*.json")):
        for number, example in enumerate(json.loads(file.read_text("utf-8"))["examples"]):
            if wanted(example):
                found.append(pytest.param(example, id=f"{file.stem}-{number}"))
    return found


def _conforms(example: Json) -> bool:
    return str(example.get("schema_check", "")).startswith("conforms")


def _is_answer(example: Json) -> bool:
    body = (example.get("response") or {}).get("body")
    return _conforms(example) and example.get("path") in PARSED and isinstance(body, dict) and "error" not in body


def _is_error(example: Json) -> bool:
    answer = example.get("response") or {}
    return _conforms(example) and "error" in (answer.get("body") or {}) and (answer["status"] or 0) >= 400


def _is_sent(example: Json) -> bool:
    return example.get("path") == "/users/{user-id}/sendMail" and "body" in (example["request"] or {})


@pytest.mark.parametrize("example", examples(_is_answer))
def test_an_official_answer_is_read_or_refused_by_the_name_of_what_it_lacks(example: Json) -> None:
    """The documentation shortens its answers: what they leave out is asked for again or named, and never read as empty."""
    path, body = example["path"], example["response"]["body"]
    get = contract().document["paths"][path]["get"]
    assert get
    pointer = f"/paths/{path.replace('/', '~1')}/get/responses/200/content/application~1json/schema"
    assert contract().body_errors(pointer, body) == []
    tenant = two_mailboxes(1)
    tenant.add_folder(JO, "Trips", below="inbox")
    plan = Plan(Fault(STRIKES[path], status=200, body=json.loads(json.dumps(body))))
    if path.endswith("{message-id}"):
        # A partial item in the page is what makes the connector ask for the single message.
        plan.add(Fault("/messages/delta", change=drop("subject")))
    with FakeTenant(tenant, plan) as fake:
        try:
            outcome = PARSED[path](client_for(fake))
        except ConnectorError as error:
            assert "lacks" in str(error) or "configured Graph host" in str(error) or error.status in (404, 410)  # noqa: PT017
        else:
            assert outcome
        assert any(e.answer == json.dumps(body).encode() for e in fake.exchanges)


@pytest.mark.parametrize("example", examples(_is_error))
def test_an_official_error_keeps_its_status_and_code(example: Json) -> None:
    answer = example["response"]
    status, error = answer["status"], answer["body"]["error"]
    fault = Fault("/mailFolders/inbox", times=99, status=status, body=answer["body"], headers={"request-id": "r-1"})
    with FakeTenant(two_mailboxes(), Plan(fault)) as fake, pytest.raises(ConnectorError) as caught:
        client_for(fake).get(f"/users/{segment(JO)}/mailFolders/inbox", what="opening", mailbox=JO)
    assert (caught.value.status, caught.value.code) == (status, error["code"])
    assert caught.value.permanent is (status not in (429, 500, 502, 503, 504))
    assert "r-1" in str(caught.value)


@pytest.mark.parametrize("example", examples(_is_sent))
def test_the_fake_takes_an_official_message_to_send(example: Json) -> None:
    """Not checked against the schema: the documentation writes `Text` and `"false"` where the metadata has other spellings."""
    with FakeTenant(two_mailboxes()) as fake:
        client_for(fake).post(f"/users/{segment(JO)}/sendMail", example["request"]["body"], what="sending", mailbox=JO)
        assert len(fake.sent) == 1


# --- what the fake answers where the documentation gives an example ---------------------------------------------------


def full_tenant() -> Tenant:
    """Something of every kind that the examples show."""
    tenant = two_mailboxes(1)
    nested = EmailMessage()
    nested["From"], nested["To"], nested["Subject"] = JO, SAM, "outer"
    nested.set_content("see attached")
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("inside")
    nested.add_attachment(inner)
    nested.add_attachment(b"a,b", maintype="text", subtype="csv", filename="a.csv")
    tenant.deliver(JO, "inbox", nested.as_bytes()).links = ("plan.docx",)
    tenant.add_folder(JO, "Trips", below="inbox")
    tenant.mailboxes[JO].rules.append(FakeRule("tidy", {"markAsRead": True}))
    tenant.add_group("All staff", [JO, SAM])
    drive = tenant.add_drive(JO)
    link = {"id": "l", "roles": ["read"], "link": {"scope": "anonymous", "type": "view"}}
    tenant.put_file(drive, "lists/a.csv", b"a", link)
    lists = next(item for item in drive.items.values() if item.name == "lists")
    tenant.share(drive, lists, {**link, "id": "m"})
    tenant.add_site("Northfield")
    return tenant


def asked_as(fake: FakeTenant, template: str, names: set[str], url: str) -> list[Json]:
    """The objects that the fake answers to a request for these properties at this path."""
    tenant = fake.tenant
    box = tenant.mailboxes[JO]
    drive = next(iter(tenant.drives.values()))
    outer = next(message for message in box.messages.values() if message.links)
    kinds = {each["@odata.type"]: each["id"] for each in attachments_json(outer)}
    kind = "fileAttachment" if "contentBytes" in names else "itemAttachment"
    file = next(item for item in drive.items.values() if item.data is not None)
    ids = {
        "user-id": JO,
        "group-id": next(iter(tenant.groups)),
        "drive-id": drive.id,
        "driveItem-id": file.id,
        "permission-id": "owner",
        "site-id": next(iter(tenant.sites)),
        "message-id": outer.id,
        "mailFolder-id": next(f.id for f in box.folders.values() if f.search) if "filterQuery" in names else "inbox",
        "attachment-id": kinds[f"#microsoft.graph.{kind}"],
    }
    path = re.sub(r"\{([A-Za-z-]+)\}", lambda found: segment(ids[found[1]]), template)
    client = client_for(fake)
    ask = {"what": "asking", "mailbox": JO if "/users/" in path else "", "headers": {"Prefer": 'IdType="ImmutableId"'}}
    if path.endswith("translateExchangeIds"):
        body = {"InputIds": [outer.id], "TargetIdType": "restId", "SourceIdType": "restImmutableEntryId"}
        return list(client.post(path, body, **ask)["value"])
    if path.endswith("extractSensitivityLabels"):
        return [client.post(path, None, what="asking")]
    if path == "/$batch":
        return [client.post(path, {"requests": [{"id": "1", "method": "GET", "url": f"/users/{JO}"}]}, what="asking")]
    expand = {
        "manager": "manager",
        "item": "microsoft.graph.itemattachment/item",
        "singleValueExtendedProperties": "singleValueExtendedProperties($filter=id eq 'String 0x001A')",
    }
    params = {"$select": ",".join(sorted(names - expand.keys()))} if names - {"value", "responses"} else {}
    if "token=latest" in url:
        params = {"token": "latest"}
    for name in names & expand.keys():
        params["$expand"] = expand[name]
    page = client.get(path, params=params, **ask)
    if "deleted" in names:
        tenant.remove_file(drive, file)
        page["value"] += client.get(page["@odata.deltaLink"], **ask)["value"]
    return list(page.get("value", [page]))


def properties(objects: Iterable[Json]) -> set[str]:
    """Names without annotations; the id is Graph's to send always."""
    return {name for each in objects for name in each if "@" not in name} - {"id"}


def _is_shown(example: Json) -> bool:
    body = (example.get("response") or {}).get("body")
    return _conforms(example) and bool(example.get("path")) and isinstance(body, dict) and "error" not in body


@pytest.mark.parametrize("example", examples(_is_shown))
def test_the_fake_answers_an_official_example_with_the_same_set_of_properties(example: Json) -> None:
    body = example["response"]["body"]
    shown = body["value"] if isinstance(body.get("value"), list) else [body]
    names = properties(shown)
    with FakeTenant(full_tenant()) as fake:
        answered = asked_as(fake, example["path"], names, example["request"].get("url") or "")
        assert properties(answered) == names
        name = "get" if fake.exchanges[-1].method == "GET" else "post"
        pointer = f"/paths/{example['path'].replace('/', '~1')}/{name}/responses/200/content/application~1json/schema"
        assert contract().body_errors(pointer, json.loads(fake.exchanges[-1].answer)) == []


def test_a_batch_answers_each_request_by_itself() -> None:
    plan = Plan(throttled("/mailFolders/inbox", "3"))
    with checked_fake(two_mailboxes(), plan) as fake:
        requests: list[Json] = [
            {"id": "a", "method": "GET", "url": f"/users/{JO}/mailFolders/inbox?$select=id"},
            {"id": "b", "method": "GET", "url": f"users/{JO}/mailFolders/inbox?$select=id"},
            {"id": "c", "method": "GET", "url": "/organization", "dependsOn": ["a"]},
        ]
        answers = client_for(fake).post("/$batch", {"requests": requests}, what="asking")["responses"]
        assert [(each["id"], each["status"]) for each in answers] == [("a", 429), ("b", 200), ("c", 424)]
        assert answers[0]["headers"]["Retry-After"] == "3"
        for wrong in ([*requests, requests[0]], [{**requests[0], "id": str(n)} for n in range(21)]):
            with pytest.raises(ConnectorError) as caught:
                client_for(fake).post("/$batch", {"requests": wrong}, what="asking")
            assert caught.value.status == 400
        fake.exchanges.clear()  # the last two broke the description on purpose
