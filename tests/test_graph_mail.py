"""Mail through Graph: folders, delta rounds with everything that goes wrong in them, and the messages themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any

import pytest
from graph.contract import checked_fake, client_for
from graph.tenants import JO, SAM, mail, two_mailboxes

from connectors.faketenant.faults import Fault, Plan, state_gone, throttled, unavailable
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeUser, Tenant
from connectors.m365_mail import M365Mail
from scanner.errors import ConnectorError
from scanner.model import Address, Cursor, Envelope, Recipient
from scanner.ports import Folder, ItemRef, RawItem


@contextmanager
def serving(tenant: Tenant, plan: Plan | None = None, **changed: Any) -> Iterator[tuple[FakeTenant, M365Mail]]:
    with checked_fake(tenant, plan) as fake:
        yield fake, M365Mail(client_for(fake), **changed)


def folder(source: M365Mail, kind: str, mailbox: str = JO) -> Folder:
    return next(found for found in source.folders(mailbox) if found.kind == kind)


def walk(source: M365Mail, place: Folder, cursor: Cursor | None = None) -> tuple[list[ItemRef], Cursor]:
    """All items since the cursor, and the cursor to go on from."""
    found: list[ItemRef] = []
    token = ""
    for page in source.changes(place, cursor):
        found.extend(page.items)
        token = page.token
    assert page.last
    return found, Cursor(source.name, place.mailbox, place.id, token, datetime.now(UTC))


# --- folders ----------------------------------------------------------------------------------------------------------


def test_folders_are_found_at_every_depth_over_pages_without_search_and_hidden_ones() -> None:
    tenant = two_mailboxes()
    for number in range(12):
        tenant.add_folder(JO, f"Class {number}", below="inbox")
    tenant.deliver(JO, "inbox/Class 3/Trips/Museum", mail(7))
    plan = Plan()
    plan.page_cap = 4
    with serving(tenant, plan) as (fake, source):
        found = list(source.folders(JO))
    names = {f.id: f.name for f in tenant.mailboxes[JO].folders.values()}
    assert len(found) == len({f.id for f in found}) == 8 + 1 + 12 + 2
    assert {names[f.id] for f in found} >= {"Inbox", "Museum", "Class 11", "RSS Feeds"}
    assert not {names[f.id] for f in found} & {"Unread mail", "PersonMetadata"}
    assert [f.kind for f in found if names[f.id] in ("Inbox", "Sent Items", "Trips")] == [
        "inbox",
        "sentitems",
        "folder",
    ]
    assert len(fake.graph("childFolders")) == 3 + 1 + 1


def test_hidden_folders_come_when_asked_for() -> None:
    tenant = two_mailboxes()
    with serving(tenant, hidden=True) as (_, source):
        assert any(tenant.mailboxes[JO].folders[f.id].hidden for f in source.folders(JO))


def test_well_known_names_are_asked_once_a_mailbox() -> None:
    with serving(two_mailboxes()) as (fake, source):
        list(source.folders(JO))
        first = len(fake.graph())
        list(source.folders(JO))
        assert len(fake.graph()) - first == 1


@pytest.mark.parametrize(
    ("mailbox", "status", "code"),
    [("none", 404, "MailboxNotEnabledForRESTAPI"), ("denied", 403, "ErrorAccessDenied")],
)
def test_a_mailbox_that_cannot_be_read_is_a_lasting_error_that_says_why(mailbox: Any, status: int, code: str) -> None:
    tenant = two_mailboxes()
    tenant.users[SAM].mailbox = mailbox
    with serving(tenant) as (fake, source):
        with pytest.raises(ConnectorError) as caught:
            list(source.folders(SAM))
        assert len(fake.graph()) == 1
        assert [f.kind for f in source.folders(JO)][:1] == ["inbox"]
    assert (caught.value.permanent, caught.value.status, caught.value.code) == (True, status, code)


def test_an_unknown_mailbox_is_a_lasting_error() -> None:
    with serving(two_mailboxes()) as (_, source), pytest.raises(ConnectorError, match="no such mailbox"):
        list(source.folders("nobody@elt.example"))


def test_object_ids_are_used_where_they_are_known() -> None:
    tenant = two_mailboxes()
    with serving(tenant, mailbox_ids=lambda: {JO: tenant.users[JO].id}) as (fake, source):
        assert source.check() == []
        assert walk(source, folder(source, "inbox"))[0]
        assert all(f"/users/{tenant.users[JO].id}/" in e.path or "/users('" in e.path for e in fake.graph())


def test_check_says_when_there_is_no_mailbox_at_all() -> None:
    with serving(two_mailboxes(), mailbox_ids=dict) as (_, source):
        assert source.check() == ["m365_mail: the directory lists no user with a mailbox"]


# --- delta ------------------------------------------------------------------------------------------------------------


def test_a_first_round_brings_every_message_and_the_next_one_nothing_for_one_request() -> None:
    with serving(two_mailboxes(30)) as (fake, source):
        inbox = folder(source, "inbox")
        found, cursor = walk(source, inbox)
        assert len(found) == len({ref.id for ref in found}) == 30
        before = len(fake.graph())
        assert walk(source, inbox, cursor)[0] == []
        assert len(fake.graph()) - before == 1


def test_preferences_go_with_every_page() -> None:
    with serving(two_mailboxes(5), page_size=2) as (fake, source):
        walk(source, folder(source, "inbox"))
        prefers = [e.headers["prefer"] for e in fake.graph("/messages/delta")]
    assert len(prefers) == 3
    assert all('IdType="ImmutableId"' in prefer and "odata.maxpagesize=2" in prefer for prefer in prefers)


def test_a_mail_without_attachments_costs_no_request_of_its_own() -> None:
    with serving(two_mailboxes(40)) as (fake, source):
        inbox = folder(source, "inbox")
        before = len(fake.graph())
        for ref in walk(source, inbox)[0]:
            assert isinstance(source.fetch(ref), Envelope)
        assert len(fake.graph()) - before <= 1.05 * 40 / 40


def test_a_mail_with_attachments_costs_at_most_two_requests_of_its_own() -> None:
    tenant = two_mailboxes(0)
    for number in range(10):
        tenant.deliver(JO, "inbox", mail(number, attached=b"name,dob\n"))
    with serving(tenant) as (fake, source):
        inbox = folder(source, "inbox")
        before = len(fake.graph())
        items = [source.fetch(ref) for ref in walk(source, inbox)[0]]
        assert len(fake.graph()) - before <= 2.2 * 10
    assert all(isinstance(item, RawItem) for item in items)


def test_empty_middle_pages_and_repeated_items_change_nothing() -> None:
    plan = Plan()
    plan.empty_pages = plan.repeat_items = True
    with serving(two_mailboxes(9), plan, page_size=3) as (_, source):
        inbox = folder(source, "inbox")
        pages = list(source.changes(inbox, None))
    assert any(not page.items for page in pages)
    assert len({ref.id for page in pages for ref in page.items}) == 9
    assert all(len({ref.id for ref in page.items}) == len(page.items) for page in pages)
    assert sum(len(page.items) for page in pages) > 9


@pytest.mark.parametrize("newer_first", [True, False])
def test_of_two_versions_in_one_page_the_later_counts_in_any_order(newer_first: bool) -> None:
    def twice(page: dict[str, Any]) -> dict[str, Any]:
        (item,) = page["value"]
        newer = {**item, "subject": "newer", "lastModifiedDateTime": "2030-01-01T00:00:00Z"}
        part = {"id": item["id"], "isRead": True}
        return {**page, "value": [newer, item, part] if newer_first else [part, item, newer]}

    with serving(two_mailboxes(1), Plan(Fault("/messages/delta", change=twice))) as (_, source):
        ((ref,), _) = walk(source, folder(source, "inbox"))
    assert ref.envelope is not None
    assert ref.envelope.subject == "newer"


def test_a_round_that_was_broken_off_goes_on_from_the_last_page() -> None:
    with serving(two_mailboxes(10), page_size=4) as (_, source):
        inbox = folder(source, "inbox")
        first = next(iter(source.changes(inbox, None)))
        rest, _ = walk(source, inbox, Cursor(source.name, JO, inbox.id, first.token, datetime.now(UTC)))
    assert not first.last
    assert len({ref.id for ref in (*first.items, *rest)}) == 10
    assert not {ref.id for ref in first.items} & {ref.id for ref in rest}


def test_a_read_mark_is_a_partial_update_that_can_still_be_fetched() -> None:
    tenant = two_mailboxes()
    with serving(tenant) as (fake, source):
        inbox = folder(source, "inbox")
        found, cursor = walk(source, inbox)
        tenant.mark_read(JO, found[0].id)
        (partial,), _ = walk(source, inbox, cursor)
        assert (partial.id, partial.envelope, partial.internet_id) == (found[0].id, None, "")
        before = len(fake.graph())
        again = source.fetch(partial)
        assert len(fake.graph()) - before == 1
    assert again == found[0].envelope


def test_a_moved_message_leaves_one_folder_and_is_in_the_other_under_the_same_id() -> None:
    tenant = two_mailboxes()
    with serving(tenant) as (_, source):
        inbox, archive = folder(source, "inbox"), folder(source, "archive")
        found, here = walk(source, inbox)
        _, there = walk(source, archive)
        tenant.move(JO, found[1].id, "archive")
        (left,), _ = walk(source, inbox, here)
        (came,), _ = walk(source, archive, there)
    assert (left.id, left.gone) == (found[1].id, True)
    assert (came.id, came.gone) == (found[1].id, False)


def test_a_deleted_message_is_gone_and_fetching_it_says_404() -> None:
    tenant = two_mailboxes()
    with serving(tenant) as (_, source):
        inbox = folder(source, "inbox")
        found, cursor = walk(source, inbox)
        tenant.delete(JO, found[0].id)
        (gone,), _ = walk(source, inbox, cursor)
        assert gone.gone
        with pytest.raises(ConnectorError) as caught:
            source.fetch(ItemRef(JO, inbox.id, gone.id))
    assert (caught.value.permanent, caught.value.status) == (True, 404)


def test_an_expired_delta_link_starts_the_folder_again() -> None:
    with serving(two_mailboxes(6)) as (fake, source):
        inbox = folder(source, "inbox")
        found, cursor = walk(source, inbox)
        fake.forget_links()
        again, later = walk(source, inbox, cursor)
        assert {ref.id for ref in again} == {ref.id for ref in found}
        assert walk(source, inbox, later)[0] == []


def test_a_next_link_that_expires_in_mid_walk_starts_the_folder_again_and_loses_nothing() -> None:
    with serving(two_mailboxes(9), Plan(state_gone("/messages/delta", after=2)), page_size=3) as (_, source):
        found, _ = walk(source, folder(source, "inbox"))
    assert len({ref.id for ref in found}) == 9


def test_links_that_keep_expiring_end_in_an_error() -> None:
    with serving(two_mailboxes(9), page_size=1) as (fake, source):
        inbox = folder(source, "inbox")
        _, cursor = walk(source, inbox)
        before = len(fake.graph())
        fake.plan.add(Fault("/messages/delta", times=99, status=410, code="resyncRequired"))
        with pytest.raises(ConnectorError) as caught:
            walk(source, inbox, cursor)
        assert len(fake.graph()) - before == 2
    assert caught.value.status == 410


def test_a_page_that_is_too_much_for_the_server_is_asked_for_in_smaller_pieces() -> None:
    with serving(two_mailboxes(7), Plan(unavailable("/messages/delta", 504, times=4)), page_size=50) as (fake, source):
        found, _ = walk(source, folder(source, "inbox"))
        sizes = [e.headers["prefer"].partition(",")[0] for e in fake.graph("/messages/delta")]
    assert len(found) == 7
    assert sizes == [f"odata.maxpagesize={size}" for size in (50, 50, 25, 25, 12)]


@pytest.mark.parametrize("kind", ["429 without Retry-After", "502", "broken line"])
def test_what_a_smaller_page_does_not_help_is_waited_out(kind: str) -> None:
    on = "/messages/delta"
    fault = {
        "429 without Retry-After": throttled(on, None, times=3),
        "502": unavailable(on, 502, times=3),
        "broken line": Fault(on, times=3, reset="amid"),
    }[kind]
    with serving(two_mailboxes(6), Plan(fault), page_size=4) as (fake, source):
        assert len(walk(source, folder(source, "inbox"))[0]) == 6
        assert all("odata.maxpagesize=4," in e.headers["prefer"] for e in fake.graph(on))


def test_throttling_in_mid_walk_loses_nothing() -> None:
    plan = Plan(throttled("/messages/delta", "1", times=2), throttled("/$value", None), Fault("/$value", reset="amid"))
    tenant = two_mailboxes(4)
    tenant.deliver(JO, "inbox", mail(9, attached=b"x,y\n"))
    with checked_fake(tenant, plan) as fake:
        source = M365Mail(client_for(fake, wait=lambda _: None), page_size=2)
        found, _ = walk(source, folder(source, "inbox"))
        assert len([source.fetch(ref) for ref in found]) == 5


@pytest.mark.parametrize(
    "change",
    [
        lambda page: {**page, "value": [{k: v for k, v in page["value"][0].items() if k != "id"}]},
        lambda page: {k: v for k, v in page.items() if k != "value"},
        lambda page: {k: v for k, v in page.items() if k != "@odata.deltaLink"},
        lambda page: {**page, "@odata.deltaLink": None},
        lambda page: {**page, "value": "nothing"},
    ],
)
def test_a_page_without_what_it_needs_is_an_error(change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    with FakeTenant(two_mailboxes(), Plan(Fault("/messages/delta", change=change))) as fake:
        source = M365Mail(client_for(fake))
        with pytest.raises(ConnectorError, match="lacks"):
            walk(source, folder(source, "inbox"))


def test_a_next_link_that_points_at_itself_is_no_endless_walk() -> None:
    def circle(page: dict[str, Any]) -> dict[str, Any]:
        return {"value": [], "@odata.nextLink": link[0]}

    link = [""]
    plan = Plan(Fault("/messages/delta", times=99, change=circle))
    with FakeTenant(two_mailboxes(), plan) as fake:
        source = M365Mail(client_for(fake))
        inbox = folder(source, "inbox")
        link[0] = f"{fake.url}/v1.0/users/{JO}/mailFolders/inbox/messages/delta"
        with pytest.raises(ConnectorError, match="same page again"):
            walk(source, inbox)


# --- messages ---------------------------------------------------------------------------------------------------------


def only(tenant: Tenant, kind: str = "inbox", plan: Plan | None = None, **changed: Any) -> Envelope | RawItem:
    with serving(tenant, plan, **changed) as (_, source):
        (ref,), _ = walk(source, folder(source, kind))
        return source.fetch(ref)


def one_mail(content: bytes, place: str = "inbox") -> Tenant:
    tenant = Tenant()
    tenant.add_user(FakeUser(JO, "Jo Reed"))
    tenant.deliver(JO, place, content)
    return tenant


def test_an_envelope_holds_everything_that_the_message_says() -> None:
    tenant = one_mail(
        mail(1, to="Pat <PAT@Outside.example>, sam.hale@elt.example", bcc="secret@other.example"), "sentitems"
    )
    envelope = only(tenant, "sentitems")
    assert isinstance(envelope, Envelope)
    (message,) = tenant.mailboxes[JO].messages.values()
    assert (envelope.source, envelope.mailbox, envelope.provider_id) == ("m365_mail", JO, message.id)
    assert envelope.internet_id == "<1@elt.example>"
    assert envelope.sent_at == datetime(2026, 11, 2, 8, 15, tzinfo=UTC)
    assert (envelope.from_, envelope.sender) == (Address(JO, "Jo Reed"), None)
    assert envelope.recipients == (
        Recipient("to", "pat@outside.example", "Pat"),
        Recipient("to", SAM, SAM),
        Recipient("bcc", "secret@other.example", "secret@other.example"),
    )
    assert envelope.subject == "Letter 1 – café"
    assert [(body.media_type, body.text) for body in envelope.bodies] == [("text/plain", "Dear Pat,\n\nletter 1.\n")]
    assert envelope.headers == ()
    assert envelope.thread_id
    assert not envelope.problems


def test_a_received_message_brings_its_headers_and_html_as_it_is() -> None:
    envelope = only(one_mail(mail(1, html="<p style='display:none'>hidden</p>")))
    assert isinstance(envelope, Envelope)
    assert envelope.header("message-id") == "<1@elt.example>"
    assert envelope.bodies[0].media_type == "text/html"
    assert "display:none" in envelope.bodies[0].text


def test_a_sender_who_writes_for_somebody_else_is_kept_apart() -> None:
    envelope = only(one_mail(mail(1, on_behalf_of=SAM)))
    assert isinstance(envelope, Envelope)
    assert (envelope.from_, envelope.sender) == (Address(SAM, "Jo Reed"), Address(JO, JO))


@pytest.mark.parametrize(
    "content",
    [
        mail(1, attached=b"name,dob\n"),
        mail(1, html="<img src='CID:logo@elt.example'>", inline=True),
        mail(1).replace(b"Content-Type: text/plain", b"Content-Type: multipart/signed; x=text/plain", 1),
        mail(1).replace(b"From: Jo Reed <jo.reed@elt.example>\n", b""),
    ],
    ids=["attachment", "inline image only", "signed", "no author"],
)
def test_what_the_json_does_not_hold_is_fetched_as_mime(content: bytes) -> None:
    item = only(one_mail(content))
    assert item == RawItem(content, "message/rfc822")


def test_a_draft_without_an_author_is_an_envelope() -> None:
    draft = mail(1).replace(b"From: Jo Reed <jo.reed@elt.example>\n", b"")
    envelope = only(one_mail(draft, "drafts"), "drafts")
    assert isinstance(envelope, Envelope)
    assert envelope.from_ is None


def test_blind_copies_that_the_mime_lacks_are_put_back() -> None:
    whole = mail(1, bcc="secret@other.example", attached=b"x")
    without = whole.replace(b"Bcc: secret@other.example\n", b"")
    plan = Plan(Fault("/messages/delta", change=lambda page: _with_blind_copy(page)))
    item = only(one_mail(without), plan=plan)
    assert isinstance(item, RawItem)
    assert message_from_bytes(item.data)["Bcc"] == "secret@other.example"
    assert item.data.endswith(without)
    assert only(one_mail(whole)) == RawItem(whole, "message/rfc822")


def _with_blind_copy(page: dict[str, Any]) -> dict[str, Any]:
    page["value"][0]["bccRecipients"] = [{"emailAddress": {"name": "S", "address": "secret@other.example"}}]
    return page


@pytest.mark.parametrize(
    ("fault", "limit", "kind"),
    [
        (None, 100, "too_large"),
        (Fault("/$value", status=500, code="ErrorContentConversionFailed", times=99), 10_000, "unavailable"),
    ],
)
def test_an_attachment_that_is_not_to_be_had_leaves_the_text_and_a_problem(
    fault: Fault | None, limit: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.m365_mail._BLOB_BYTES", 10_000 if fault else 200)
    plan = Plan(*([fault] if fault else []))
    envelope = only(one_mail(mail(1, attached=b"x" * 100)), plan=plan, max_message_bytes=limit)
    assert isinstance(envelope, Envelope)
    assert [(problem.part, problem.kind, problem.read) for problem in envelope.problems] == [
        ("attachment/1/list.csv", kind, "none")
    ]
    assert envelope.bodies


@pytest.mark.parametrize("limit", [100, 450])
def test_what_is_too_large_as_a_whole_is_fetched_piece_by_piece(limit: int) -> None:
    """Below the size that the list tells (100), and above it but below what the MIME comes to (450)."""
    envelope = only(one_mail(mail(1, attached=b"name,dob\n")), max_message_bytes=limit)
    assert isinstance(envelope, Envelope)
    assert [(blob.name, blob.data) for blob in envelope.blobs] == [("list.csv", b"name,dob\n")]
    assert not envelope.problems


def test_an_empty_mime_message_is_not_a_message() -> None:
    tenant = one_mail(mail(1, attached=b"x"))
    with serving(tenant) as (_, source):
        (ref,), _ = walk(source, folder(source, "inbox"))
        tenant.mailboxes[JO].messages[ref.id].mime = b""
        envelope = source.fetch(ref)
    assert isinstance(envelope, Envelope)
    assert [problem.kind for problem in envelope.problems] == ["unavailable"]


def test_ids_with_slashes_and_signs_are_one_path_segment() -> None:
    tenant = one_mail(b"")
    box = tenant.mailboxes[JO]
    while not any("/" in i and "+" in i for i in box.messages):
        tenant.deliver(JO, "inbox", mail(len(box.messages)))
    with serving(tenant) as (_, source):
        found, _ = walk(source, folder(source, "inbox"))
        odd = next(ref for ref in found if "/" in ref.id and "+" in ref.id)
        assert isinstance(source.fetch(ItemRef(JO, odd.folder, odd.id)), Envelope)
