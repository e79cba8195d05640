"""The known traps of Graph (reference section 15), each by its number: here, elsewhere, or a sentence why there is no test."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from graph.contract import checked_fake, client_for
from graph.tenants import JO, SAM, mail, two_mailboxes
from test_graph_mail import folder, one_mail, only, serving, walk

from connectors.faketenant.faults import Fault, Plan, state_gone, throttled, unavailable
from connectors.faketenant.tenant import FakeRule, FakeUser
from connectors.graph import Patience
from connectors.m365_settings import M365Settings
from scanner.errors import ConnectorError
from scanner.model import Cursor, Envelope
from scanner.ports import ItemRef, RawItem

# The test of each trap, as file and name; those without a file are here. A sentence where there can be none.
TRAPS = {
    1: "test_01_a_message_that_moved_away_and_back_is_only_told_as_removed_and_can_still_be_fetched",
    2: "test_02_03_a_move_between_folders_comes_twice_under_one_id",
    3: "test_02_03_a_move_between_folders_comes_twice_under_one_id",
    4: "test_04_a_removal_whose_reason_is_changed_is_looked_at_like_any_other",
    5: "test_graph_mail: test_a_read_mark_is_a_partial_update_that_can_still_be_fetched",
    6: "test_06_a_refused_filter_means_an_unfiltered_walk",
    7: "test_07_a_next_link_that_is_gone_starts_the_walk_again",
    8: "test_08_a_sent_item_without_headers_is_whole_without_them",
    9: "test_09_inline_files_that_has_attachments_does_not_count_come_all_the_same",
    10: "test_10_mime_is_never_asked_for_below_a_folder",
    11: "test_graph_mail: test_an_empty_mime_message_is_not_a_message",
    12: "test_12_one_broken_message_among_many_is_the_only_one_that_is_lost",
    13: "test_13_an_attached_message_and_a_large_file_without_content_bytes_come_whole",
    14: "test_14_a_page_size_that_fails_on_one_mailbox_only_is_made_smaller_there",
    15: "test_15_a_retry_after_of_one_second_that_keeps_coming_is_no_endless_wait",
    16: "test_faketenant: test_a_place_that_is_freed_late_refuses_a_client_that_keeps_to_three_and_does_not_blame_it",
    17: "No test: it is a fact about quotas, and nothing here has more than one app id for scanning.",
    18: "test_18_guests_and_mailboxes_elsewhere_say_why",
    19: "test_19_rules_that_hide_their_actions_are_unknown",
    20: "test_graph_mail: test_folders_are_found_at_every_depth_over_pages_without_search_and_hidden_ones",
    21: "test_graph_client: test_a_page_without_value_is_an_error_and_not_an_empty_page",
    22: "test_graph_service: test_what_is_refused_or_too_much_comes_with_the_step_that_mends_it",
    23: "test_graph_mail: test_object_ids_are_used_where_they_are_known",
    24: "test_graph_service: test_the_outbox_copy_and_the_sent_copy_of_a_mail_are_one_case",
    25: "test_25_odd_user_names_are_one_path_segment",
    26: "No test: changeType is missing from the official description and never sent here.",
    27: "test_graph_files: test_a_link_that_delta_does_not_tell_is_found_within_a_day",
}


def test_every_trap_has_its_test_or_a_sentence() -> None:
    assert sorted(TRAPS) == list(range(1, 28))
    for number, said in TRAPS.items():
        file, _, name = said.rpartition(": ")
        if file == "No test":
            continue
        code = (Path(__file__).with_name(f"{file}.py") if file else Path(__file__)).read_text("utf-8")
        tests = {node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)}
        assert name in tests, f"{number}: {name}"


def test_01_a_message_that_moved_away_and_back_is_only_told_as_removed_and_can_still_be_fetched() -> None:
    """The pipeline fetches what is said to be gone and was never seen; see test_pipeline."""
    tenant = two_mailboxes(0)
    with serving(tenant) as (_, source):
        inbox = folder(source, "inbox")
        _, cursor = walk(source, inbox)
        message = tenant.deliver(JO, "inbox", mail(1))
        tenant.move(JO, message.id, "archive")
        tenant.move(JO, message.id, "inbox")
        tenant.mailboxes[JO].folders[inbox.id].log[-1] = ("removed", message)
        found, _ = walk(source, inbox, cursor)
        assert [(ref.id, ref.gone) for ref in found] == [(message.id, True)]
        assert isinstance(source.fetch(found[0]), Envelope)


def test_02_03_a_move_between_folders_comes_twice_under_one_id() -> None:
    tenant = two_mailboxes(1)
    with serving(tenant) as (_, source):
        inbox, archive = folder(source, "inbox"), folder(source, "archive")
        (ref,), here = walk(source, inbox)
        _, there = walk(source, archive)
        tenant.move(JO, ref.id, "archive")
        assert {(r.id, r.gone) for r in walk(source, inbox, here)[0]} == {(ref.id, True)}
        assert {(r.id, r.gone) for r in walk(source, archive, there)[0]} == {(ref.id, False)}


def test_04_a_removal_whose_reason_is_changed_is_looked_at_like_any_other() -> None:
    def changed(page: dict[str, Any]) -> dict[str, Any]:
        for item in page["value"]:
            if "@removed" in item:
                item["@removed"] = {"reason": "changed"}
        return page

    tenant = two_mailboxes(1)
    with serving(tenant, Plan(Fault("/messages/delta", times=9, change=changed))) as (_, source):
        inbox = folder(source, "inbox")
        (ref,), cursor = walk(source, inbox)
        tenant.move(JO, ref.id, "archive")
        ((gone),), _ = walk(source, inbox, cursor)
        assert (gone.id, gone.gone) == (ref.id, True)
        assert isinstance(source.fetch(gone), Envelope)  # it lives on elsewhere


def test_06_a_refused_filter_means_an_unfiltered_walk() -> None:
    plan = Plan()
    plan.refuse_filter = True
    with serving(two_mailboxes(4), plan, look_back=timedelta(days=1)) as (fake, source):
        assert len(walk(source, folder(source, "inbox"))[0]) == 4
        assert [e.status for e in fake.graph("/messages/delta")] == [400, 200]


def test_a_look_back_leaves_out_what_is_older_and_nothing_that_follows() -> None:
    tenant = two_mailboxes(0)
    tenant.deliver(JO, "inbox", mail(1))
    old = mail(2).replace(b"02 Nov 2026", b"02 Nov 2020")
    tenant.deliver(JO, "inbox", old)
    clock = datetime(2026, 11, 10, tzinfo=UTC)
    with serving(tenant, look_back=timedelta(days=30), clock=lambda: clock) as (_, source):
        inbox = folder(source, "inbox")
        found, cursor = walk(source, inbox)
        assert [ref.internet_id for ref in found] == ["<1@elt.example>"]
        tenant.deliver(JO, "inbox", mail(3))
        assert [ref.internet_id for ref in walk(source, inbox, cursor)[0]] == ["<3@elt.example>"]


@pytest.mark.parametrize("resumed", [False, True])
def test_a_filtered_walk_that_reached_its_5000_is_walked_again_without_the_filter(
    resumed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.m365_mail._FILTERED_AT_MOST", 4)
    tenant = two_mailboxes(7)
    clock = datetime(2026, 11, 10, tzinfo=UTC)
    with serving(tenant, look_back=timedelta(days=30), clock=lambda: clock, page_size=2) as (fake, source):
        fake.filtered_at_most = 4
        inbox = folder(source, "inbox")
        seen: set[str] = set()
        token = ""
        for page in source.changes(inbox, None):
            seen |= {ref.id for ref in page.items}
            token = page.token
            if resumed:
                break
        if resumed:
            found, _ = walk(source, inbox, Cursor(source.name, JO, inbox.id, token, clock))
            seen |= {ref.id for ref in found}
    assert len(seen) == 7


def test_07_a_next_link_that_is_gone_starts_the_walk_again() -> None:
    with serving(two_mailboxes(6), Plan(state_gone("/messages/delta", after=1)), page_size=2) as (_, source):
        assert len({ref.id for ref in walk(source, folder(source, "inbox"))[0]}) == 6


def test_08_a_sent_item_without_headers_is_whole_without_them() -> None:
    with serving(one_mail(mail(1), "sentitems")) as (fake, source):
        (ref,), _ = walk(source, folder(source, "sentitems"))
        before = len(fake.graph())
        envelope = source.fetch(ref)
        assert len(fake.graph()) == before
    assert isinstance(envelope, Envelope)
    assert envelope.headers == ()
    assert [recipient.address for recipient in envelope.recipients] == ["pat@outside.example"]
    assert "letter 1" in envelope.bodies[0].text


def test_09_inline_files_that_has_attachments_does_not_count_come_all_the_same() -> None:
    tenant = one_mail(mail(1, html='<img src="cid:logo@elt.example">', inline=True))
    with serving(tenant) as (fake, source):
        (ref,), _ = walk(source, folder(source, "inbox"))
        item = source.fetch(ref)
        assert b'"hasAttachments": false' in fake.graph("/messages/delta")[0].answer
    assert isinstance(item, RawItem)
    assert b"image/png" in item.data


def test_10_mime_is_never_asked_for_below_a_folder() -> None:
    with serving(one_mail(mail(1, attached=b"x"))) as (fake, source):
        inbox = folder(source, "inbox")
        (ref,), _ = walk(source, inbox)
        source.fetch(ref)
        assert all("/mailFolders" not in e.path for e in fake.graph("$value"))
        with pytest.raises(ConnectorError) as caught:
            client_for(fake).get(f"/users/{JO}/mailFolders/inbox/messages/x/$value", what="x", mailbox=JO, headers={})
        fake.exchanges.pop()  # a request that the description does not know, made on purpose
    assert caught.value.status == 405


def test_12_one_broken_message_among_many_is_the_only_one_that_is_lost() -> None:
    tenant = two_mailboxes(23)
    box = tenant.mailboxes[JO]
    bad = next(message for message in box.messages.values() if box.folders[message.folder].well_known == "inbox")
    bad.poisoned = True
    with serving(tenant, page_size=8) as (_, source):
        found, cursor = walk(source, folder(source, "inbox"))
        assert len({ref.id for ref in found}) == 23
        for ref in found:
            if ref.id == bad.id:
                with pytest.raises(ConnectorError, match="its folder answers") as caught:
                    source.fetch(ref)
                assert caught.value.permanent
            else:
                source.fetch(ref)
        tenant.deliver(JO, "inbox", mail(50))
        (new,), _ = walk(source, folder(source, "inbox"), cursor)
        assert isinstance(source.fetch(new), Envelope)


def test_13_an_attached_message_and_a_large_file_without_content_bytes_come_whole() -> None:
    tenant = one_mail(mail(1, attached=b"x" * (3 * 1024 * 1024 + 1)))
    item = only(tenant)
    assert isinstance(item, RawItem)
    assert len(item.data) > 3 * 1024 * 1024
    inner = EmailMessage()
    inner["Subject"] = "inside"
    inner.set_content("words")
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"] = JO, "pat@outside.example", "outer"
    outer["Date"], outer["Message-ID"] = "Mon, 02 Nov 2026 09:15:00 +0100", "<9@elt.example>"
    outer.set_content("see attached")
    outer.add_attachment(inner)
    plan = Plan(Fault("/$value", status=500, code="ErrorContentConversionFailed"), *([Fault("/none")]))
    with checked_fake(one_mail(outer.as_bytes()), plan) as fake:
        from connectors.m365_mail import M365Mail

        source = M365Mail(client_for(fake, patience=Patience(attempts=1, first_wait=0, longest_backoff=0)))
        (ref,), _ = walk(source, folder(source, "inbox"))
        envelope = source.fetch(ref)
    assert isinstance(envelope, Envelope)
    assert [(blob.claimed_type, b"words" in blob.data) for blob in envelope.blobs] == [("message/rfc822", True)]


def test_a_link_to_a_file_in_a_drive_is_a_gap_unless_drives_are_read() -> None:
    for drives_are_read, kind in ((False, "unavailable"), (True, "skipped")):
        tenant = one_mail(mail(1, attached=b"x"))
        next(iter(tenant.mailboxes[JO].messages.values())).links = ("plan.docx",)
        item = only(tenant, drives_are_read=drives_are_read)
        assert isinstance(item, RawItem)
        assert [problem.kind for problem in item.problems] == [kind]


def test_14_a_page_size_that_fails_on_one_mailbox_only_is_made_smaller_there() -> None:
    with serving(two_mailboxes(7), Plan(unavailable("/messages/delta", 504, times=6)), page_size=40) as (fake, source):
        assert len(walk(source, folder(source, "inbox"))[0]) == 7
        assert fake.graph("/messages/delta")[-1].headers["prefer"].startswith("odata.maxpagesize=5,")


def test_15_a_retry_after_of_one_second_that_keeps_coming_is_no_endless_wait() -> None:
    waits: list[float] = []
    with checked_fake(two_mailboxes(), Plan(throttled("/mailFolders", "1", times=99))) as fake:
        client = client_for(fake, wait=waits.append)
        with pytest.raises(ConnectorError) as caught:
            client.get(f"/users/{JO}/mailFolders", what="listing", mailbox=JO)
        assert client.requests_at_once == 1
    assert (caught.value.status, caught.value.permanent) == (429, False)
    assert waits == [1.0] * 3


def test_18_guests_and_mailboxes_elsewhere_say_why() -> None:
    tenant = two_mailboxes(0)
    tenant.users[SAM].mailbox = "none"
    with serving(tenant) as (_, source), pytest.raises(ConnectorError, match="no licence, on premises"):
        list(source.folders(SAM))


def test_19_rules_that_hide_their_actions_are_unknown() -> None:
    tenant = two_mailboxes(0)
    tenant.mailboxes[JO].rules.append(FakeRule("hidden", None, read_only=True))
    with checked_fake(tenant) as fake:
        (page,) = M365Settings(client_for(fake)).changes(next(iter(M365Settings(client_for(fake)).folders(JO))), None)
    assert [ref.envelope.problems[0].kind for ref in page.items if ref.envelope] == ["unsupported"]


@pytest.mark.parametrize("address", ["$jo@elt.example", "o#jo@elt.example"])
def test_25_odd_user_names_are_one_path_segment(address: str) -> None:
    tenant = two_mailboxes(0)
    tenant.add_user(FakeUser(address, "Odd"))
    tenant.deliver(address, "inbox", mail(1))
    with serving(tenant) as (_, source):
        assert len(walk(source, folder(source, "inbox", address))[0]) == 1


def test_recoverable_items_and_left_out_folders() -> None:
    tenant = two_mailboxes(0)
    tenant.deliver(JO, "recoverableitemsdeletions", mail(1))
    tenant.deliver(JO, "drafts/Old", mail(2))
    with serving(tenant, recoverable=True, leave_out=["drafts"]) as (_, source):
        places = list(source.folders(JO))
        kinds = [place.kind for place in places]
        names = {f.id: f.name for f in tenant.mailboxes[JO].folders.values()}
        assert kinds.count("recoverableitemsdeletions") == 1
        assert "drafts" not in kinds
        assert "Old" not in {names[place.id] for place in places}
        assert len(walk(source, folder(source, "recoverableitemsdeletions"))[0]) == 1
    with serving(tenant) as (_, source):
        assert "recoverableitemsdeletions" not in [place.kind for place in source.folders(JO)]


@pytest.mark.parametrize(("kind", "problem"), [("application/pkcs7-mime", "encrypted"), ("text/plain", "unavailable")])
def test_a_message_without_mime_is_encrypted_when_its_class_says_so(kind: str, problem: str) -> None:
    content = mail(1).replace(b'Content-Type: text/plain; charset="utf-8"', f"Content-Type: {kind}".encode(), 1)

    def bare(page: dict[str, Any]) -> dict[str, Any]:
        return {**page, "value": []} if "value" in page else page

    plan = Plan(Fault("/attachments", times=9, change=bare))
    tenant = one_mail(content.replace(b"letter 1", b"cid:letter"))
    with checked_fake(tenant, plan) as fake:
        from connectors.m365_mail import M365Mail

        source = M365Mail(client_for(fake))
        (ref,), _ = walk(source, folder(source, "inbox"))
        plan.add(Fault("/$value", status=500, code="ErrorContentConversionFailed", times=9))
        envelope = source.fetch(ItemRef(JO, ref.folder, ref.id, has_attachments=True, envelope=ref.envelope))
    assert isinstance(envelope, Envelope)
    assert [each.kind for each in envelope.problems] == [problem]
