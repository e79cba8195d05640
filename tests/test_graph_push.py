"""Notifications only wake; the subscriptions behind them are made, kept and ended. The door is the real one of the triage page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from graph.contract import checked_fake, client_for, contract
from graph.tenants import JO, SAM, mail, two_mailboxes
from tenant_service import service

from connectors.faketenant.faults import Plan, unavailable
from connectors.faketenant.server import FakeTenant
from connectors.m365_push import M365Push
from scanner.service import Service, Services
from scanner.web import create_app

URL = "https://mailwarden.elt.example/graph/notifications"
KEY = bytes(range(32))


def push(fake: FakeTenant, now: list[datetime] | None = None) -> M365Push:
    ids = {user.address: user.id for user in fake.tenant.users.values()}
    clock = now or [datetime(2026, 11, 2, 9, tzinfo=UTC)]
    return M365Push(client_for(fake), URL, KEY, mailbox_ids=lambda: ids, clock=lambda: clock[0])


def notification(fake: FakeTenant, **changed: Any) -> bytes:
    subscription = next(iter(fake.subscriptions.values()))
    entry = {"subscriptionId": subscription["id"], "clientState": subscription["clientState"], "changeType": "created"}
    return json.dumps({"value": [{**entry, **changed}]}).encode()


def test_each_mailbox_gets_one_subscription_that_is_kept_and_ended() -> None:
    now = [datetime(2026, 11, 2, 9, tzinfo=UTC)]
    with checked_fake(two_mailboxes()) as fake:
        door = push(fake, now)
        assert door.renew([JO, SAM]) == 0
        first = dict(fake.subscriptions)
        assert len(first) == 2
        assert all(len(each["clientState"]) <= 128 and JO not in each["clientState"] for each in first.values())
        door.renew([JO, SAM])
        assert fake.subscriptions == first
        ends = {key: each["expirationDateTime"] for key, each in fake.subscriptions.items()}
        now[0] += timedelta(days=6, hours=1)
        door.renew([JO, SAM])
        assert fake.subscriptions.keys() == first.keys()
        assert all(each["expirationDateTime"] > ends[key] for key, each in fake.subscriptions.items())
        door.renew([JO])
        assert len(fake.subscriptions) == 1


def test_a_notification_wakes_its_mailbox_once() -> None:
    with checked_fake(two_mailboxes()) as fake:
        door = push(fake)
        door.renew([JO])
        assert door.notified(notification(fake))
        assert door.woken() == {JO}
        assert door.woken() == set()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"value": []}', b'{"value": [1]}', b"{" * 3000, b'{"value": [{"clientState": "mailwarden:x:y"}]}'],
)
def test_what_is_no_notification_of_ours_wakes_nobody(body: bytes) -> None:
    with checked_fake(two_mailboxes()) as fake:
        door = push(fake)
        assert not door.notified(body)
        assert door.woken() == set()


def test_a_wrong_client_state_is_refused_even_beside_a_right_one() -> None:
    with checked_fake(two_mailboxes()) as fake:
        door = push(fake)
        door.renew([JO])
        right = json.loads(notification(fake))["value"][0]
        wrong = {**right, "clientState": right["clientState"][:-1] + "0" * (right["clientState"][-1] != "0") or "1"}
        assert not door.notified(json.dumps({"value": [right, wrong]}).encode())
        assert door.woken() == set()


@pytest.mark.parametrize("event", ["subscriptionRemoved", "reauthorizationRequired", "missed"])
def test_a_lifecycle_event_wakes_and_a_lost_subscription_is_made_again(event: str) -> None:
    with checked_fake(two_mailboxes()) as fake:
        door = push(fake)
        door.renew([JO])
        before = set(fake.subscriptions)
        assert door.notified(notification(fake, lifecycleEvent=event))
        assert door.woken() == {JO}
        assert door.needs_renewal() is (event != "missed")
        door.renew([JO])
        assert len(fake.subscriptions) == 1
        # Only one that is gone is made anew; one to be authorised again is prolonged.
        assert (set(fake.subscriptions) != before) is (event == "subscriptionRemoved")
        changed = [e.method for e in fake.graph("/subscriptions/")]
        assert changed == {"subscriptionRemoved": ["DELETE"], "reauthorizationRequired": ["PATCH"], "missed": []}[event]


def test_an_unsure_subscription_is_looked_for_before_another_is_made() -> None:
    with checked_fake(two_mailboxes(), Plan(unavailable("/subscriptions", 504))) as fake:
        door = push(fake)
        fake.plan.add(unavailable("/subscriptions", 504))
        door.renew([JO])
        door.renew([JO])
        assert len(fake.subscriptions) == 1


# --- the whole way: Graph knocks, the page opens, the cursors walk ----------------------------------------------------

WEBHOOK = "/webhooks/changeNotification/post/requestBody/content/application~1json/schema"


@contextmanager
def behind_the_page(fake: FakeTenant, database: str) -> Iterator[tuple[Service, TestClient]]:
    """A service with push, and its triage page, which the fake tenant reaches at URL."""
    arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
    with service(*arguments) as plain:
        running = replace(plain, push=M365Push(client_for(fake), URL, KEY, mailbox_ids=plain.directory.mailbox_ids))
        with TestClient(create_app(Services((running,)).web_services)) as page:

            def post(url: str, body: bytes) -> tuple[int, str, bytes]:
                assert url.startswith(URL)
                answer = page.post(url.removeprefix("https://mailwarden.elt.example"), content=body)
                return answer.status_code, answer.headers.get("content-type", ""), answer.content

            fake.post = post
            yield running, page


def test_graph_validates_the_page_wakes_one_mailbox_and_its_cursors_find_the_mail(tmp_path: Path) -> None:
    tenant = two_mailboxes(0)
    with (
        checked_fake(tenant) as fake,
        behind_the_page(fake, f"sqlite:///{tmp_path / 'store.db'}") as (running, page),
    ):
        running.round()
        running.renew_push()
        assert len(fake.subscriptions) == 2  # both addresses of each answered the validation
        text = b"letter 1.\n\nLeila Haddad, NHS number 943 476 5919\n"
        tenant.deliver(JO, "sentitems", mail(1).replace(b"letter 1.\n", text))
        before = len(fake.graph("/messages/delta"))
        assert fake.notify(JO) == [202]
        assert len(fake.graph("/messages/delta")) == before  # the answer does not wait for the walk
        assert running.wake().new_cases == 1
        asked = fake.graph("/messages/delta")[before:]
        assert {tenant.users[JO].id in e.path for e in asked} == {True}
        assert running.wake().mailboxes == 0
        # Never the notification's word: an id in it is not asked for.
        assert not fake.graph("/messages/AAMk")
        for event in ("reauthorizationRequired", "subscriptionRemoved", "missed"):
            assert fake.notify(JO, lifecycle=event) == [202]
            assert running.wake().mailboxes == 1
            assert len(fake.subscriptions) == 2
        forged = {"value": [{"subscriptionId": "x", "clientState": "mailwarden:guess", "changeType": "created"}]}
        assert page.post("/graph/notifications", json=forged).status_code == 400
        assert page.post("/graph/notifications", content=b"x" * 70_000).status_code in (400, 413)
        assert running.wake().mailboxes == 0
        for told in fake.notified:
            assert contract().body_errors(WEBHOOK, told) == []


def test_a_page_that_is_not_reached_leaves_the_polling(tmp_path: Path) -> None:
    with (
        checked_fake(two_mailboxes(1)) as fake,
        behind_the_page(fake, f"sqlite:///{tmp_path / 'store.db'}") as (running, _),
    ):
        fake.post = lambda url, body: (502, "text/html", b"nobody is here")
        running.renew_push()
        assert fake.subscriptions == {}
        assert running.round().messages == 4


def test_a_shorter_life_than_asked_for_is_renewed_in_time() -> None:
    with checked_fake(two_mailboxes()) as fake:
        fake.subscription_lasts = timedelta(minutes=4_230)  # what older documentation says
        now = [datetime.now(UTC)]
        door = push(fake, now)
        door.renew([JO])
        now[0] += timedelta(days=1, hours=22)
        door.renew([JO])
        assert not fake.graph("/subscriptions/")
        now[0] += timedelta(hours=1)
        door.renew([JO])
        assert [e.method for e in fake.graph("/subscriptions/")] == ["PATCH"]


def test_a_validation_token_is_given_back_decoded_as_text_and_never_as_a_page(tmp_path: Path) -> None:
    with (
        checked_fake(two_mailboxes()) as fake,
        behind_the_page(fake, f"sqlite:///{tmp_path / 'store.db'}") as (_, page),
    ):
        answer = page.post("/graph/notifications", params={"validationToken": "<b>a + b & c</b>"})
        assert (answer.status_code, answer.text) == (200, "<b>a + b & c</b>")
        assert answer.headers["content-type"].startswith("text/plain")
        assert page.post("/graph/notifications", params={"validationToken": "x" * 5000}).status_code == 400
