"""Files in drives: what is shared and with whom, judged once for each content and audience; and mailbox rules and replies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graph.contract import checked_fake, client_for
from graph.tenants import JO, SAM, two_mailboxes

from connectors.faketenant.faults import Fault, Plan
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeDrive, FakeRule, FakeUser, Tenant
from connectors.m365_files import M365Files
from connectors.m365_settings import M365Settings
from scanner.errors import ConnectorError
from scanner.model import Cursor, Envelope, Share
from scanner.ports import Folder, ItemRef, RawItem, SpooledItem

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
ANYONE = {
    "id": "a",
    "roles": ["read"],
    "link": {"scope": "anonymous", "type": "view", "webUrl": "https://elt.example/s"},
}
EVERYBODY = {"id": "o", "roles": ["write"], "link": {"scope": "organization", "type": "edit"}}


def guest(login: str) -> dict[str, Any]:
    return {"id": "g", "roles": ["read"], "grantedToV2": {"siteUser": {"displayName": "Pat", "loginName": login}}}


@contextmanager
def serving(tenant: Tenant, plan: Plan | None = None, **changed: Any) -> Iterator[tuple[FakeTenant, M365Files]]:
    with checked_fake(tenant, plan) as fake:
        ids = {user.address: user.id for user in tenant.users.values() if user.user_type == "Member"}
        settings: dict[str, Any] = {"user_ids": lambda: ids, "clock": lambda: NOW, **changed}
        yield fake, M365Files(client_for(fake), **settings)
        assert not fake.violations


def with_drive(**changed: Any) -> tuple[Tenant, FakeDrive]:
    tenant = two_mailboxes(0)
    return tenant, tenant.add_drive(JO, **changed)


def walk(source: M365Files, place: Folder, token: str = "") -> tuple[list[ItemRef], str]:
    cursor = Cursor(source.name, place.mailbox, place.id, token, NOW) if token else None
    found: list[ItemRef] = []
    for page in source.changes(place, cursor):
        found.extend(page.items)
        token = page.token
    assert page.last
    return found, token


# --- what is looked at ------------------------------------------------------------------------------------------------


def test_a_file_that_is_shared_with_nobody_is_not_even_asked_about() -> None:
    tenant, drive = with_drive()
    tenant.put_file(drive, "diary.txt", b"mine")
    with serving(tenant) as (fake, source):
        (place,) = source.folders(JO)
        assert walk(source, place)[0] == []
        assert len(fake.graph("/permissions")) == 1  # of the drive as a whole


def test_a_shared_file_comes_with_its_bytes_and_who_can_open_it() -> None:
    tenant, drive = with_drive()
    tenant.put_file(drive, "lists/class.csv", b"name,dob\n", ANYONE)
    with serving(tenant) as (_, source):
        (place,) = source.folders(JO)
        (ref,), _ = walk(source, place)
        item = source.fetch(ref)
        assert source.fetch(ItemRef(JO, place.id, ref.id)) == item  # for a reveal, long after
    assert isinstance(item, RawItem)
    assert (item.data, item.name) == (b"name,dob\n", "class.csv")
    assert item.sharing is not None
    assert item.sharing.owner == JO
    assert item.sharing.audience == (Share("anyone"),)


@pytest.mark.parametrize(
    ("permission", "share"),
    [
        (ANYONE, Share("anyone")),
        (EVERYBODY, Share("organisation", may_edit=True)),
        (guest("i:0#.f|membership|pat_outside.example#ext#@elt.example"), Share("person", "pat@outside.example")),
        (guest("i:0#.f|membership|urn:spo:guest#pat@outside.example"), Share("person", "pat@outside.example")),
        (guest("i:0#.f|membership|sam.hale@elt.example"), Share("person", SAM)),
        (
            {"id": "i", "roles": ["read"], "invitation": {"email": "Pat@Outside.example"}},
            Share("person", "pat@outside.example"),
        ),
        ({"id": "s", "roles": ["read"], "grantedToV2": {"siteGroup": {"displayName": "Visitors"}}}, Share("unknown")),
        (
            {**ANYONE, "expirationDateTime": "2027-01-01T00:00:00Z"},
            Share("anyone", until=datetime(2027, 1, 1, tzinfo=UTC)),
        ),
        ({**ANYONE, "expirationDateTime": "0001-01-01T00:00:00Z"}, Share("anyone")),
    ],
)
def test_every_form_of_permission_says_who_it_lets_in(permission: dict[str, Any], share: Share) -> None:
    tenant, drive = with_drive()
    tenant.put_file(drive, "a.txt", b"a", permission)
    with serving(tenant) as (_, source):
        (ref,), _ = walk(source, next(iter(source.folders(JO))))
    assert ref.envelope is not None
    assert ref.envelope.audience == (share,)


def with_guests() -> tuple[Tenant, FakeDrive, str]:
    """A drive, and a group of one of ours and a group of two guests."""
    tenant, drive = with_drive()
    tenant.add_user(
        FakeUser("pat@outside.example", "Pat", user_type="Guest", principal="pat_outside.example#EXT#@elt.example")
    )
    unmailed = FakeUser(
        "lee@outside.example", "Lee", user_type="Guest", principal="lee_outside.example#EXT#@elt.example"
    )
    unmailed.mailbox = "none"  # no mail property: the address is only in the sign-in name
    tenant.add_user(unmailed)
    inner = tenant.add_group("Helpers", ["pat@outside.example", "lee@outside.example", SAM])
    return tenant, drive, tenant.add_group("Trip", [SAM, inner.id]).id


def to_group(identifier: str) -> dict[str, Any]:
    return {"id": "t", "roles": ["read"], "grantedToV2": {"group": {"id": identifier, "displayName": "Trip"}}}


def test_guests_in_a_group_that_a_file_is_shared_with_are_outsiders_who_can_open_it() -> None:
    tenant, drive, group = with_guests()
    tenant.put_file(drive, "a.txt", b"a", to_group(group))
    tenant.put_file(drive, "b.txt", b"b", to_group(group))
    with serving(tenant) as (fake, source):
        place = next(iter(source.folders(JO)))
        (ref, _), _ = walk(source, place)
        assert len(fake.graph("/transitiveMembers")) == 1  # read once for all files
    assert ref.envelope is not None
    assert set(ref.envelope.audience or ()) == {
        Share("unknown"),
        Share("person", "pat@outside.example"),
        Share("person", "lee@outside.example"),
    }


def test_a_guest_who_joins_a_group_makes_its_files_open_within_a_day_and_one_of_ours_changes_nothing() -> None:
    now = [NOW]
    tenant, drive, _ = with_guests()
    group = tenant.add_group("Year 7", [SAM])
    tenant.put_file(drive, "a.txt", b"a", to_group(group.id))
    with serving(tenant, clock=lambda: now[0]) as (_, source):
        place = next(iter(source.folders(JO)))
        (ref,), token = walk(source, place)
        assert ref.envelope is not None
        assert ref.envelope.audience == (Share("unknown"),)
        group.members.append(JO)
        now[0] += timedelta(days=1, minutes=1)
        found, token = walk(source, place, token)
        assert found == []
        group.members.append("pat@outside.example")
        now[0] += timedelta(days=1, minutes=1)
        (ref,), _ = walk(source, place, token)
    assert ref.envelope is not None
    assert Share("person", "pat@outside.example") in (ref.envelope.audience or ())


@pytest.mark.parametrize("status", [403, 404])
def test_a_group_that_may_not_be_read_stays_unknown(status: int) -> None:
    tenant, drive, group = with_guests()
    tenant.put_file(drive, "a.txt", b"a", to_group(group))
    with serving(tenant, Plan(Fault("/groups", times=9, status=status, code="Authorization_RequestDenied"))) as (
        _,
        source,
    ):
        (ref,), _ = walk(source, next(iter(source.folders(JO))))
    assert ref.envelope is not None
    assert ref.envelope.audience == (Share("unknown"),)


def test_a_library_that_a_group_with_guests_may_open_is_walked_as_open() -> None:
    tenant, _, group = with_guests()
    site = tenant.add_site("Trips")
    library = tenant.add_drive(site.id)
    tenant.put_file(library, "plan.txt", b"plan")
    library.items[library.root].permissions.append(to_group(group))
    with serving(tenant) as (_, source):
        source.places()
        (ref,), _ = walk(source, next(iter(source.folders(site.url))))
    assert ref.envelope is not None
    assert Share("person", "pat@outside.example") in (ref.envelope.audience or ())


def test_a_guest_named_by_id_alone_is_looked_up_and_everybody_of_ours_is_no_outsider() -> None:
    tenant, drive, _ = with_guests()
    by_id = {"id": "g", "roles": ["read"], "grantedToV2": {"user": {"id": tenant.users["pat@outside.example"].id}}}
    tenant.put_file(drive, "a.txt", b"a", by_id)
    tenant.put_file(
        drive, "b.txt", b"b", guest("c:0-.f|rolemanager|spo-grid-all-users/11111111-2222-4333-8444-555555555555")
    )
    with serving(tenant) as (_, source):
        found, _ = walk(source, next(iter(source.folders(JO))))
    assert [ref.envelope.audience for ref in found if ref.envelope] == [
        (Share("person", "pat@outside.example"),),
        (Share("organisation"),),
    ]


def test_a_link_that_has_run_out_lets_nobody_in() -> None:
    tenant, drive = with_drive()
    tenant.put_file(drive, "a.txt", b"a", {**ANYONE, "expirationDateTime": "2026-11-02T08:59:59Z"})
    with serving(tenant) as (_, source):
        (ref,), _ = walk(source, next(iter(source.folders(JO))))
    assert ref.envelope is not None
    assert ref.envelope.audience == ()


def test_what_lies_in_a_shared_folder_is_shared() -> None:
    tenant, drive = with_drive()
    tenant.put_file(drive, "trip/lists/a.txt", b"a")
    trip = next(item for item in drive.items.values() if item.name == "trip")
    tenant.share(drive, trip, ANYONE)
    with serving(tenant) as (_, source):
        place = next(iter(source.folders(JO)))
        (ref,), token = walk(source, place)
        assert ref.envelope is not None
        assert ref.envelope.audience == (Share("anyone"),)
        tenant.put_file(drive, "trip/lists/b.txt", b"b")
        tenant.put_file(drive, "home/c.txt", b"c")
        assert len(walk(source, place, token)[0]) == 1


def test_sharing_a_folder_brings_what_lies_below_it_although_delta_names_only_the_folder() -> None:
    tenant, drive = with_drive()
    tenant.put_file(drive, "trip/lists/a.txt", b"a")
    with serving(tenant) as (_, source):
        place = next(iter(source.folders(JO)))
        found, token = walk(source, place)
        assert found == []
        trip = next(item for item in drive.items.values() if item.name == "trip")
        tenant.share(drive, trip, ANYONE)
        (ref,), _ = walk(source, place, token)
    assert ref.envelope is not None
    assert ref.envelope.audience == (Share("anyone"),)


# --- once for each content and audience -------------------------------------------------------------------------------


def test_the_same_file_comes_again_only_when_content_or_audience_changes() -> None:
    tenant, drive = with_drive()
    item = tenant.put_file(drive, "a.txt", b"a", EVERYBODY)
    with serving(tenant) as (_, source):
        place = next(iter(source.folders(JO)))
        (first,), token = walk(source, place)
        assert walk(source, place, token)[0] == []
        drive.log.append(item.id)  # renamed, say
        found, token = walk(source, place, token)
        assert found == []
        tenant.put_file(drive, "a.txt", b"b")
        (second,), token = walk(source, place, token)
        tenant.share(drive, item, EVERYBODY, ANYONE)
        (third,), token = walk(source, place, token)
        tenant.share(drive, item)
        (fourth,), token = walk(source, place, token)
        assert walk(source, place, token)[0] == []
    assert len({first.id, second.id, third.id, fourth.id}) == 4
    assert len({ref.id.partition(" ")[0] for ref in (first, second, third, fourth)}) == 1


def test_a_link_that_delta_does_not_tell_is_found_within_a_day() -> None:
    now = [NOW]
    tenant, drive = with_drive(tells_sharing=False)
    item = tenant.put_file(drive, "a.txt", b"a", EVERYBODY)
    with serving(tenant, clock=lambda: now[0]) as (fake, source):
        place = next(iter(source.folders(JO)))
        _, token = walk(source, place)
        tenant.share(drive, item, EVERYBODY, ANYONE)
        before = len(fake.graph())
        assert walk(source, place, token)[0] == []
        assert len(fake.graph()) - before == 1
        now[0] += timedelta(days=1, minutes=1)
        (ref,), _ = walk(source, place, token)
    assert ref.envelope is not None
    assert Share("anyone") in (ref.envelope.audience or ())


def test_a_deleted_file_is_forgotten_and_an_expired_link_means_a_walk_from_the_start() -> None:
    tenant, drive = with_drive()
    item = tenant.put_file(drive, "a.txt", b"a", ANYONE)
    with serving(tenant) as (fake, source):
        place = next(iter(source.folders(JO)))
        (ref,), token = walk(source, place)
        fake.forget_links()
        (again,), token = walk(source, place, token)
        assert again.id == ref.id
        tenant.remove_file(drive, item)
        assert walk(source, place, token)[0] == []
        with pytest.raises(ConnectorError) as caught:
            source.fetch(ItemRef(JO, place.id, ref.id))
    assert (caught.value.permanent, caught.value.status) == (True, 404)


# --- content ----------------------------------------------------------------------------------------------------------


def test_the_content_comes_from_another_host_that_never_sees_the_token() -> None:
    tenant, drive = with_drive()
    tenant.put_file(drive, "a.txt", b"content", ANYONE)
    with serving(tenant) as (fake, source):
        (ref,), _ = walk(source, next(iter(source.folders(JO))))
        source.fetch(ref)
        (there,) = [e for e in fake.exchanges if e.path.startswith("/content/")]
        assert fake.content_url != fake.url
        assert "authorization" not in there.headers
        assert "client-request-id" not in there.headers
    assert there.answer == b"content"


def test_a_large_file_lies_on_disk_and_not_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.graph.IN_MEMORY", 1000)
    tenant, drive = with_drive()
    tenant.put_file(drive, "a.bin", b"x" * 5000, ANYONE)
    with serving(tenant) as (_, source):
        (ref,), _ = walk(source, next(iter(source.folders(JO))))
        item = source.fetch(ref)
    assert isinstance(item, SpooledItem)
    assert item.item.data == b""
    item.file.seek(0)
    assert item.file.read() == b"x" * 5000
    item.close()


@pytest.mark.parametrize(("data", "malware", "kind"), [(b"x" * 200, False, "too_large"), (b"x", True, "unavailable")])
def test_a_file_that_is_not_opened_says_why(data: bytes, malware: bool, kind: str) -> None:
    tenant, drive = with_drive()
    tenant.put_file(drive, "a.bin", data, ANYONE, malware=malware)
    with serving(tenant, max_bytes=100) as (fake, source):
        (ref,), _ = walk(source, next(iter(source.folders(JO))))
        envelope = source.fetch(ref)
        assert not fake.graph("/content")
    assert isinstance(envelope, Envelope)
    assert [problem.kind for problem in envelope.problems] == [kind]


def test_an_empty_file_is_read_without_asking_and_an_unwanted_kind_is_left_out() -> None:
    tenant, drive = with_drive()
    tenant.put_file(drive, "empty.txt", b"", ANYONE)
    tenant.put_file(drive, "film.MP4", b"x", ANYONE)
    with serving(tenant, leave_out=[".mp4"]) as (fake, source):
        (ref,), _ = walk(source, next(iter(source.folders(JO))))
        envelope = source.fetch(ref)
        assert not fake.graph("/content")
    assert isinstance(envelope, Envelope)
    assert (envelope.kind, envelope.blobs, envelope.problems) == ("document", (), ())


def test_a_person_without_a_onedrive_has_no_drives_and_sites_are_places() -> None:
    tenant, _ = with_drive()
    site = tenant.add_site("Northfield Staff")
    library = tenant.add_drive(site.id)
    tenant.put_file(library, "a.txt", b"a", ANYONE)
    with serving(tenant) as (_, source):
        assert list(source.folders(SAM)) == []
        assert source.places() == [site.url]
        (place,) = source.folders(site.url)
        (ref,), _ = walk(source, place)
    assert (ref.mailbox, place.id) == (site.url, library.id)


def test_a_damaged_token_means_a_walk_from_the_start() -> None:
    tenant, drive = with_drive()
    tenant.put_file(drive, "a.txt", b"a", ANYONE)
    with serving(tenant) as (_, source):
        place = next(iter(source.folders(JO)))
        assert len(walk(source, place, "nonsense")[0]) == 1


# --- mailbox rules and replies ----------------------------------------------------------------------------------------


def settings_of(tenant: Tenant, plan: Plan | None = None, token: str = "") -> tuple[list[Envelope], str]:
    with checked_fake(tenant, plan) as fake:
        source = M365Settings(client_for(fake))
        place = next(iter(source.folders(JO)))
        cursor = Cursor(source.name, JO, place.id, token, NOW) if token else None
        (page,) = source.changes(place, cursor)
        fetched = [source.fetch(ref) for ref in page.items]
    assert all(isinstance(each, Envelope) for each in fetched)
    return fetched, page.token  # type: ignore[return-value]


def recipient(address: str) -> dict[str, Any]:
    return {"emailAddress": {"name": "X", "address": address}}


def test_rules_that_keep_mail_here_are_nothing_to_judge() -> None:
    tenant = two_mailboxes(0)
    tenant.mailboxes[JO].rules += [
        FakeRule("tidy", {"moveToFolder": "AAMk"}),
        FakeRule("off", {"forwardTo": [recipient("pat@outside.example")]}, enabled=False),
    ]
    assert settings_of(tenant)[0] == []


@pytest.mark.parametrize("action", ["forwardTo", "forwardAsAttachmentTo", "redirectTo"])
def test_a_rule_that_sends_mail_on_is_judged_once(action: str) -> None:
    tenant = two_mailboxes(0)
    tenant.mailboxes[JO].rules.append(FakeRule("all", {action: [recipient("Pat@Outside.example")]}))
    (rule,), token = settings_of(tenant)
    assert (rule.kind, [r.address for r in rule.recipients]) == ("mailbox_rule", ["pat@outside.example"])
    assert settings_of(tenant, token=token)[0] == []
    tenant.mailboxes[JO].rules[0].actions = {action: [recipient("other@outside.example")]}
    assert len(settings_of(tenant, token=token)[0]) == 1


def test_a_rule_that_graph_cannot_show_is_unknown_and_not_harmless() -> None:
    tenant = two_mailboxes(0)
    tenant.mailboxes[JO].rules.append(FakeRule("client only", None, read_only=True))
    (rule,), _ = settings_of(tenant)
    assert [problem.kind for problem in rule.problems] == ["unsupported"]


@pytest.mark.parametrize(("audience", "number"), [("all", 1), ("All", 1), ("contactsOnly", 1), ("none", 0)])
def test_an_automatic_reply_to_outsiders_is_words_to_be_judged(audience: str, number: int) -> None:
    tenant = two_mailboxes(0)
    tenant.users[JO].reply = "<p>I am away; Leila Haddad's NHS number is 943 476 5919.</p>"
    # The documentation's own example writes `All`, which the schema forbids.
    plan = Plan(Fault("/mailboxSettings", change=lambda page: _audience(page, audience)))
    with FakeTenant(tenant, plan) as fake:
        source = M365Settings(client_for(fake))
        (page,) = source.changes(next(iter(source.folders(JO))), None)
    assert len(page.items) == number
    assert all(ref.envelope is not None and ref.envelope.kind == "automatic_reply" for ref in page.items)


def _audience(page: dict[str, Any], audience: str) -> dict[str, Any]:
    page["automaticRepliesSetting"]["externalAudience"] = audience
    return page
