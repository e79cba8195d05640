"""No field of Graph's that a connector reads can be dropped or renamed unnoticed: the outcome is another one, or an error.

Each scene drives real connectors over a tenant in which every field that they use makes a difference. The last test reads the code
and compares: a field that somebody begins to use has to be named here.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from graph.contract import IMPATIENT, client_for, tokens_for
from graph.tenants import JO, SAM, mail, two_mailboxes
from test_graph_contract import NEEDED, TELLING, run_with

from connectors.entra import ClientSecret
from connectors.faketenant.faults import Fault, Plan, unavailable
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeRule, FakeUser
from connectors.graph import segment
from connectors.m365_doctor import examine
from connectors.m365_files import M365Files
from connectors.m365_mail import M365Mail
from connectors.m365_notices import M365Notices
from connectors.m365_people import M365People
from connectors.m365_push import M365Push
from connectors.m365_settings import M365Settings
from scanner.errors import ConnectorError
from scanner.model import Cursor
from scanner.ports import Folder, ItemRef, Notice

Json = dict[str, Any]
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
HERE = Path(__file__).resolve().parent
ANYONE: Json = {"id": "a", "roles": ["read"], "link": {"scope": "anonymous", "type": "view"}}
EVERYBODY: Json = {"id": "o", "roles": ["read"], "link": {"scope": "organization", "type": "edit"}}
PAT, LEE = "pat@outside.example", "lee@outside.example"


def to(address: str) -> Json:
    return {"emailAddress": {"name": "X", "address": address}}


# --- scenes -----------------------------------------------------------------------------------------------------------


def attachments(*faults: Fault) -> object:
    """Messages whose MIME cannot be had, so that each attachment is fetched by itself; an encrypted one, which has none."""
    tenant = two_mailboxes(0)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = JO, PAT, "three"
    message["Message-ID"], message["Date"] = "<1@elt.example>", "Mon, 02 Nov 2026 09:15:00 +0100"
    message.set_content("see below")
    message.add_attachment(b"\x00\x01raw", maintype="application", subtype="octet-stream", filename="a.bin")
    message.add_attachment(b"", maintype="text", subtype="csv", filename="empty.csv")
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("inside")
    message.add_attachment(inner)
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", cid="<logo@elt.example>", disposition="inline")
    message.set_boundary("a-boundary-of-ours")  # else it is another message each time
    tenant.deliver(JO, "inbox", message.as_bytes()).links = ("plan.docx",)
    locked = mail(2).replace(b'Content-Type: text/plain; charset="utf-8"', b"Content-Type: application/pkcs7-mime", 1)
    sealed = tenant.deliver(JO, "inbox", locked)
    own = (
        Fault(f"/messages/{segment(sealed.id)}/attachments", times=99, change=lambda page: {**page, "value": []}),
        *(Fault(f"/messages/{segment(each)}/$value", times=9, status=500) for each in tenant.mailboxes[JO].messages),
    )
    with FakeTenant(tenant, Plan(*own, *faults)) as fake:
        source = M365Mail(client_for(fake, patience=replace(IMPATIENT, attempts=1)))
        inbox = next(place for place in source.folders(JO) if place.kind == "inbox")
        seen: list[object] = []
        for page in source.changes(inbox, None):
            for ref in page.items:
                seen.append(source.fetch(replace(ref, has_attachments=True, has_files=True)))
                seen.append(source.fetch(ItemRef(JO, ref.folder, ref.id)))  # as after a partial update
        return seen, len(fake.graph())


def files(*faults: Fault) -> object:
    """Two walks over a drive and a site's library in which something changes between them, and the day after."""
    tenant = two_mailboxes(0)
    tenant.add_user(FakeUser(PAT, "Pat", user_type="Guest", principal="p.jones_outside.example#EXT#@elt.example"))
    tenant.add_user(
        FakeUser(LEE, "Lee", user_type="Guest", principal="l.lee_outside.example#EXT#@elt.example", mailbox="none")
    )
    group = tenant.add_group("Trip", [SAM, PAT, LEE])
    drive = tenant.add_drive(JO)
    drive.items[drive.root].permissions.append(
        {"id": "r", "roles": ["read"], "grantedToV2": {"user": {"id": tenant.users[SAM].id}}}
    )
    tenant.put_file(drive, "trip/a.csv", b"name\n")
    trip = next(item for item in drive.items.values() if item.name == "trip")
    login = "i:0#.f|membership|kim_outside.example#ext#@elt.example"
    tenant.share(
        drive,
        trip,
        ANYONE,
        {"id": "g", "roles": ["read"], "grantedToV2": {"siteUser": {"displayName": "K", "loginName": login}}},
    )
    tenant.put_file(drive, "b.csv", b"name\n", {**EVERYBODY, "expirationDateTime": "2027-01-01T00:00:00Z"})
    tenant.put_file(drive, "c.csv", b"x", {"id": "i", "roles": ["write"], "invitation": {"email": PAT}})
    tenant.put_file(drive, "d.csv", b"x" * 200, ANYONE)
    tenant.put_file(drive, "e.csv", b"x", ANYONE, malware=True)
    old = {"id": "v1", "roles": ["write"], "grantedTo": {"user": {"id": "nobody", "email": "old@outside.example"}}}
    tenant.put_file(drive, "g.csv", b"z", old)
    several = {"id": "v2", "roles": ["read"], "grantedToIdentities": [{"user": {"email": "many@outside.example"}}]}
    tenant.put_file(drive, "h.csv", b"z", several)
    listed = {"id": "v3", "roles": ["read"], "grantedToIdentitiesV2": [{"user": {"email": "some@outside.example"}}]}
    tenant.put_file(drive, "i.csv", b"z", listed)
    tenant.put_file(drive, "j.csv", b"z", {"id": "t", "roles": ["read"], "grantedToV2": {"group": {"id": group.id}}})
    tenant.put_file(
        drive, "k.csv", b"z", {"id": "u", "roles": ["read"], "grantedToV2": {"user": {"id": tenant.users[PAT].id}}}
    )
    tenant.put_file(drive, "own.csv", b"q")
    site = tenant.add_site("Northfield")
    tenant.put_file(tenant.add_drive(site.id), "f.csv", b"y", ANYONE)
    own = tenant.add_site("Jo Reed")
    own.personal = True
    tenant.put_file(tenant.add_drive(own.id), "same.csv", b"y", ANYONE)
    now = [NOW]
    seen: list[object] = []
    with FakeTenant(tenant, Plan(*faults)) as fake:
        ids = {user.address: user.id for user in tenant.users.values() if user.user_type == "Member"}
        source = M365Files(client_for(fake), user_ids=lambda: ids, clock=lambda: now[0], max_bytes=100)
        for mailbox in (JO, *source.places()):
            for place in source.folders(mailbox):
                found, token = _walk(source, place, "", now[0])
                seen += [(ref, source.fetch(ref)) for ref in sorted(found, key=lambda ref: ref.id)]
                there = tenant.drives[place.id]
                gone, changed, *_ = [item for item in there.items.values() if item.data is not None] * 2
                tenant.put_file(there, "new.csv", b"z", ANYONE)
                changed.data = b"other"
                there.log.append(changed.id)
                tenant.remove_file(there, gone)
                found, token = _walk(source, place, token, now[0])
                seen.append([ref.id for ref in found])
                for item in [item for item in there.items.values() if item.data is None and item.id != there.root]:
                    tenant.share(there, item)
                    found, token = _walk(source, place, token, now[0])
                    seen.append([ref.id for ref in found])
                now[0] += timedelta(days=1, minutes=1)
                seen.append([ref.id for ref in _walk(source, place, token, now[0])[0]])
        return seen, len(fake.graph())


def _walk(source: M365Files, place: Folder, token: str, now: datetime) -> tuple[list[ItemRef], str]:
    found: list[ItemRef] = []
    for page in source.changes(place, Cursor(source.name, place.mailbox, place.id, token, now) if token else None):
        found.extend(page.items)
        token = page.token
    return found, token


def settings(*faults: Fault) -> object:
    """Rules that send mail out in every way, one that is off, one that Graph hides, one that keeps mail; an automatic reply."""
    tenant = two_mailboxes(0)
    tenant.mailboxes[JO].rules += [
        FakeRule("one", {"forwardTo": [to(PAT)]}),
        FakeRule("two", {"forwardAsAttachmentTo": [to(PAT)]}),
        FakeRule("three", {"redirectTo": [to(PAT)]}),
        FakeRule("off", {"forwardTo": [to(LEE)]}, enabled=False),
        FakeRule("hidden", {"markAsRead": True}, read_only=True),
        FakeRule("tidy", {"moveToFolder": "AAMk"}),
    ]
    tenant.users[JO].reply = tenant.users[SAM].reply = "away"
    tenant.users[SAM].replies = False
    seen: list[object] = []
    with FakeTenant(tenant, Plan(*faults)) as fake:
        source = M365Settings(client_for(fake))
        for mailbox in (JO, SAM):
            for page in source.changes(next(iter(source.folders(mailbox))), None):
                seen += [ref.envelope for ref in page.items]
        return seen, len(fake.graph())


def people(*faults: Fault) -> object:
    """A directory of every kind of user, read whole and, after a change and a leaver, by delta."""
    tenant = two_mailboxes(0)
    tenant.users[JO].aliases, tenant.users[JO].principal = ("j.reed@elt.example",), "jreed@elt.example"
    tenant.add_user(FakeUser("a@elt.example", "Jo Lee", department="Pupils", office="Southfield"))
    tenant.add_user(FakeUser("b@elt.example", "Left", enabled=False, purpose="user"))
    tenant.add_user(FakeUser("c@elt.example", "Office", licensed=False, purpose="shared"))
    tenant.add_user(FakeUser(PAT, "Guest", user_type="Guest"))
    group = tenant.add_group("Union", [SAM, PAT])
    with FakeTenant(tenant, Plan(*faults)) as fake:
        source = M365People(client_for(fake), protected_groups=[group.id], exempt_groups=[group.id], purposes=True)
        seen: list[object] = [source.load(), sorted(source.exempt()), dict(source.mailbox_ids())]
        tenant.change_user(JO, job_title="Trustee", manager="a@elt.example")
        tenant.remove_user("b@elt.example")
        return [*seen, source.load()], len(fake.graph())


def push(*faults: Fault) -> object:
    """A subscription that is kept, one that is prolonged, one that is ended, one that is somebody else's."""
    now = [NOW]
    with FakeTenant(two_mailboxes(0), Plan(*faults)) as fake:
        fake.subscription_lasts = timedelta(days=3650)
        ids = {user.address: user.id for user in fake.tenant.users.values()}
        door = M365Push(
            client_for(fake), "https://m.elt.example/n", bytes(32), mailbox_ids=lambda: ids, clock=lambda: now[0]
        )
        fake.subscriptions["x"] = {
            "id": "x",
            "notificationUrl": "https://other.example",
            "expirationDateTime": "2027-01-01T00:00:00Z",
        }
        seen: list[object] = []
        for mailboxes, days in (([JO, SAM], 0), ([JO, SAM], 0), ([JO], 6)):
            now[0] += timedelta(days=days, hours=1)
            seen.append(door.renew(mailboxes))
            seen.append(
                sorted(
                    (each["resource"], each["expirationDateTime"]) for i, each in fake.subscriptions.items() if i != "x"
                )
            )
        told = [
            {"clientState": each.get("clientState"), "lifecycleEvent": "subscriptionRemoved"}
            for i, each in fake.subscriptions.items()
            if i != "x"
        ]
        seen += [door.notified(json.dumps({"value": told}).encode()), door.needs_renewal()]
        return seen, [e.method for e in fake.graph()]


def notices(*faults: Fault) -> object:
    """A notice whose outcome is unsure and that lies in Sent Items."""
    tenant = two_mailboxes(0)
    own = EmailMessage()
    own["From"], own["To"], own["Subject"] = JO, SAM, "1 case"
    own["Date"], own["Message-ID"] = datetime.now(UTC), "<n@elt.example>"
    own.set_content("A case waits.")
    tenant.deliver(JO, "sentitems", own.as_bytes())
    with FakeTenant(tenant, Plan(unavailable("/sendMail", 504), *faults)) as fake:
        sender = M365Notices(client_for(fake), JO, reader=client_for(fake), pause=lambda _: None)
        return sender.send(Notice(SAM, "1 case", "A case waits.")), len(fake.graph())


def doctor(*faults: Fault) -> object:
    tenant = two_mailboxes(0)
    tenant.add_user(FakeUser(PAT, "Guest", user_type="Guest"))
    with FakeTenant(tenant, Plan(*faults)) as fake:
        tokens = tokens_for(fake)
        checks = examine(
            tokens, client_for(fake, tokens=tokens), ClientSecret("x"), files=False, sites=False, mailbox_settings=True,
            sharing_changes=False, sends=False, wanted=lambda address: True, now=NOW,
        )  # fmt: skip
        return [(check.name, check.grade, check.said) for check in checks]


SCENES: dict[str, Callable[..., object]] = {
    "mail": lambda *faults: run_with(Plan(*faults)),
    "attachments": attachments,
    "files": files,
    "settings": settings,
    "people": people,
    "push": push,
    "notices": notices,
    "doctor": doctor,
}
FIELDS: dict[str, list[tuple[str, str]]] = {
    "mail": [("/mailFolders", "displayName")],
    "attachments": [
        *(("/attachments", name) for name in ("@odata.type", "contentType", "id", "isInline", "name", "size")),
        ("/messages/", "singleValueExtendedProperties"),
        ("/messages/", "singleValueExtendedProperties value"),
        *(("/messages/", name) for name in ("body", "subject", "sentDateTime", "toRecipients", "from")),
    ],
    "files": [
        ("/drives", "id"),
        *(("/root/delta", name) for name in ("id", "name", "size", "file", "folder", "root", "shared", "malware", "deleted")),
        *(("/root/delta", name) for name in ("parentReference id", "file hashes", "file hashes quickXorHash", "file mimeType")),
        *(("/permissions", name) for name in ("roles", "link", "link scope", "link type", "expirationDateTime")),
        *(("/permissions", name) for name in ("grantedTo", "grantedToV2", "grantedToIdentities", "grantedToIdentitiesV2")),
        ("/permissions", "grantedToV2 siteUser"),
        ("/permissions", "grantedToV2 siteUser loginName"),
        ("/permissions", "grantedToV2 group"),
        ("/permissions", "grantedToV2 user"),
        ("/permissions", "grantedTo user email"),
        ("/permissions", "invitation"),
        ("/permissions", "invitation email"),
        *(("/getAllSites", name) for name in ("id", "webUrl", "isPersonalSite")),
        *(("/transitiveMembers", name) for name in ("mail", "userPrincipalName")),
        ("/v1.0/users/", "mail"),
    ],
    "settings": [
        *(("/messageRules", name) for name in ("id", "isEnabled", "isReadOnly", "actions")),
        *(("/messageRules", f"actions {name}") for name in ("forwardTo", "forwardAsAttachmentTo", "redirectTo")),
        ("/messageRules", "actions forwardTo emailAddress"),
        ("/messageRules", "actions forwardTo emailAddress address"),
        ("/mailboxSettings", "automaticRepliesSetting"),
        *(("/mailboxSettings", f"automaticRepliesSetting {n}") for n in ("status", "externalReplyMessage", "externalAudience")),
    ],
    "people": [
        *(
            ("/users", name)
            for name in (
                "accountEnabled", "assignedLicenses", "department", "displayName", "id", "jobTitle", "mail", "manager", "manager id",
                "officeLocation", "proxyAddresses", "userPrincipalName", "userType", "userPurpose",
            )
        ),
        ("/users/delta", "id"),
        ("/organization", "displayName"),
        ("/organization", "verifiedDomains"),
        ("/organization", "verifiedDomains name"),
        ("/transitiveMembers", "id"),
        ("/transitiveMembers", "mail"),
    ],
    "push": [("/subscriptions", name) for name in ("id", "clientState", "expirationDateTime", "notificationUrl")],
    "notices": [
        ("/sentitems", name)
        for name in ("subject", "toRecipients", "toRecipients emailAddress", "toRecipients emailAddress address", "body", "body content")
    ],
    "doctor": [("/users", name) for name in ("id", "mail", "userType")],
}  # fmt: skip
# Fields that are read and whose loss changes nothing by design.
SPARE = {
    "cTag": "stands in for the hash where a file has none; without both a change of content is not told apart",
    "conditions": "part of a rule's fingerprint, so that a rule that is changed is judged again; null in most rules",
    "exceptions": "as conditions",
    "lastModifiedDateTime": "says which of two copies of a message on one page is the later one; the whole one counts anyway",
    "lifecycleEvent": "comes in notifications, not in answers; see test_graph_push",
    "sha256Hash": "stands before quickXorHash where a drive gives it, which OneDrive for Business does not",
    "group": "of a grant, see grantedToV2 group",
    "clientState": "see push",
}


def renamed(path: str) -> Callable[[Json], Json]:
    """Renames a property of every object of a page, or of the single object; spaces part the way down."""
    *way, last = path.split(" ")

    def change(page: Json) -> Json:
        for item in page["value"] if isinstance(page.get("value"), list) else [page]:
            targets = [item]
            for step in way:
                values = [target.get(step) for target in targets if isinstance(target, dict)]
                targets = [v for value in values for v in (value if isinstance(value, list) else [value]) if v]
            for target in targets:
                if isinstance(target, dict) and last in target:
                    target["renamed"] = target.pop(last)
        return page

    return change


@cache
def calm(scene: str) -> object:
    return SCENES[scene]()


@pytest.mark.parametrize("scene", SCENES)
def test_two_calm_runs_are_alike_so_that_a_difference_means_something(scene: str) -> None:
    assert SCENES[scene]() == calm(scene)


@pytest.mark.parametrize(
    ("scene", "on", "path"), [(scene, on, path) for scene, listed in FIELDS.items() for on, path in listed]
)
def test_a_field_that_is_renamed_is_an_error_or_another_outcome(scene: str, on: str, path: str) -> None:
    try:
        found = SCENES[scene](Fault(on, times=10_000, change=renamed(path)))
    except ConnectorError:
        return
    assert found != calm(scene)


@pytest.mark.parametrize(
    ("scene", "on", "name"),
    [
        ("files", "/root/delta", "value"),
        ("files", "/root/delta", "@odata.deltaLink"),
        ("files", "/permissions", "value"),
        ("people", "/users/delta", "@odata.deltaLink"),
        ("people", "/transitiveMembers", "value"),
        ("settings", "/messageRules", "value"),
        ("push", "/subscriptions", "value"),
        ("attachments", "/attachments", "value"),
    ],
)
def test_a_page_without_its_frame_is_noticed(scene: str, on: str, name: str) -> None:
    def change(page: Json) -> Json:
        return {key: value for key, value in page.items() if key != name}

    try:
        found = SCENES[scene](Fault(on, times=10_000, change=change))
    except ConnectorError:
        return
    assert found != calm(scene)


def read_by(code: str) -> set[str]:
    """The names that connector code takes out of Graph's objects: `x.get("name")`, `x["name"]`, `text(x, "name", …)`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        values: Iterable[ast.expr] = ()
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            values = [node.slice]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            values = node.args[:1]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "text":
            values = node.args[1:2]
        found |= {value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)}
    return {name for name in found if not name.startswith(("/", "@")) and name.isidentifier()}


def test_every_field_that_the_connectors_read_is_named_here() -> None:
    named = {step for listed in FIELDS.values() for _, path in listed for step in path.split(" ")}
    named |= {name for _, name in NEEDED} | {step for _, path in TELLING for step in path} | SPARE.keys() | {"value"}
    read = {
        name
        for file in sorted((HERE.parent / "connectors").glob("m365_*.py"))
        for name in read_by(file.read_text("utf-8"))
    }
    assert read - named == set()
    assert len(read) > 60
