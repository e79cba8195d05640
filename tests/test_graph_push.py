"""Notifications only wake; the subscriptions behind them are made, kept and ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graph.contract import checked_fake, client_for
from graph.tenants import JO, SAM, two_mailboxes

from connectors.faketenant.faults import Plan, unavailable
from connectors.faketenant.server import FakeTenant
from connectors.m365_push import M365Push

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
        assert (set(fake.subscriptions) != before) is (event != "missed")


def test_an_unsure_subscription_is_looked_for_before_another_is_made() -> None:
    with checked_fake(two_mailboxes(), Plan(unavailable("/subscriptions", 504))) as fake:
        door = push(fake)
        fake.plan.add(unavailable("/subscriptions", 504))
        door.renew([JO])
        door.renew([JO])
        assert len(fake.subscriptions) == 1
