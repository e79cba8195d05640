"""Change notifications as a wake-up: a mailbox that Graph names is walked at once by its cursors; what a notification says about
messages is never believed. Polling alone finds everything too, only later.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from connectors.graph import GraphClient, Json, UnsureOutcome, segment, text
from scanner.errors import ConnectorError

log = logging.getLogger("mailwarden.push")
# Graph allows 10,080 minutes for messages and gives less where it wants to; what it gave is what counts.
_LASTS = timedelta(minutes=10_000)
_RENEW_BEFORE = timedelta(days=1)
_MAX_BODY = 64 * 1024
_MARK = "mailwarden:"


class M365Push:
    """Subscriptions for mailboxes, one each over all its messages, and the door that notifications come in by.

    `url` is where Graph reaches us, without a query. `key` seals each mailbox into its clientState, so that nobody can
    wake us who has not been told it.
    """

    def __init__(
        self,
        client: GraphClient,
        url: str,
        key: bytes,
        *,
        mailbox_ids: Callable[[], Mapping[str, str]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._url = url
        self._key = key
        self._mailbox_ids = mailbox_ids
        self._clock = clock
        self._lock = threading.Lock()
        self._woken: set[str] = set()
        self._lost: set[str] = set()
        self._ageing: set[str] = set()
        self._numbers: tuple[Mapping[str, str], dict[str, str]] = ({}, {})

    def renew(self, mailboxes: Sequence[str]) -> int:
        """Make, prolong and end subscriptions so that each of these mailboxes has one; returns how many requests were refused.

        A mailbox that cannot be subscribed to is still polled, so that a refusal is logged and nothing more.
        """
        wanted = {self._state(mailbox): mailbox for mailbox in mailboxes}
        refused = 0
        with self._lock:
            lost, self._lost = self._lost, set()
            ageing, self._ageing = self._ageing, set()
        ours = [
            each
            for each in self._client.pages("/subscriptions", what="listing subscriptions")
            if each.get("notificationUrl") == self._url
        ]
        for each in ours:
            identifier = text(each, "id", "listing subscriptions")
            mailbox = wanted.pop(str(each.get("clientState") or ""), None)
            try:
                if mailbox is None or mailbox in lost:
                    self._client.change(
                        "DELETE", f"/subscriptions/{segment(identifier)}", None, what="ending a subscription"
                    )
                    if mailbox is not None:
                        wanted[self._state(mailbox)] = mailbox
                elif mailbox in ageing or self._ends(each) - self._clock() < _RENEW_BEFORE:
                    body = {"expirationDateTime": self._until()}
                    self._client.change(
                        "PATCH", f"/subscriptions/{segment(identifier)}", body, what="renewing a subscription"
                    )
            except ConnectorError as error:
                refused += 1
                log.warning("subscription not kept status=%s code=%s", error.status, error.code)
        ids = self._mailbox_ids()
        for state, mailbox in wanted.items():
            body = {
                "changeType": "created,updated",
                "notificationUrl": self._url,
                "lifecycleNotificationUrl": self._url,
                "resource": f"/users/{ids.get(mailbox, mailbox)}/messages",
                "expirationDateTime": self._until(),
                "clientState": state,
            }
            try:
                self._client.post(
                    "/subscriptions", body, what="subscribing to a mailbox", headers={"Prefer": 'IdType="ImmutableId"'}
                )
            except UnsureOutcome:
                log.info("a subscription may or may not have been made; the next round looks")
            except ConnectorError as error:
                refused += 1
                log.warning("no subscription status=%s code=%s", error.status, error.code)
        return refused

    def notified(self, body: bytes) -> bool:
        """Take a notification; False where it is not one of ours. Does nothing but remember names, so that Graph gets its
        answer within the three seconds that it waits.
        """
        if len(body) > _MAX_BODY:
            return False
        try:
            value = json.loads(body)["value"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return False
        if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
            return False
        known = [self._mailbox_of(each) for each in value]
        if None in known:
            return False
        with self._lock:
            for each, mailbox in zip(value, known, strict=True):
                assert mailbox is not None
                # A lost subscription and missed notifications mean the same as a change: look what there is.
                self._woken.add(mailbox)
                if each.get("lifecycleEvent") == "subscriptionRemoved":
                    self._lost.add(mailbox)
                elif each.get("lifecycleEvent") == "reauthorizationRequired":
                    self._ageing.add(mailbox)
        return True

    def woken(self) -> set[str]:
        """The mailboxes named since the last call."""
        with self._lock:
            woken, self._woken = self._woken, set()
        return woken

    def needs_renewal(self) -> bool:
        """Whether Graph said that a subscription was lost or has to be authorised again."""
        with self._lock:
            return bool(self._lost or self._ageing)

    def _state(self, mailbox: str) -> str:
        """clientState: at most 128 characters. The mailbox's number and a seal; Graph sends it back with each notification."""
        seal = hmac.new(self._key, f"{_MARK}{mailbox}".encode(), hashlib.sha256).hexdigest()[:40]
        return f"{_MARK}{_number(mailbox)}:{seal}"

    def _mailbox_of(self, notification: Json) -> str | None:
        """The mailbox whose sealed state this is. The number finds it among thousands, the seal proves it."""
        given = str(notification.get("clientState") or "")
        known = self._mailbox_ids()
        if self._numbers[0] is not known:
            self._numbers = known, {_number(mailbox): mailbox for mailbox in known}
        mailbox = self._numbers[1].get(given.removeprefix(_MARK).partition(":")[0], "")
        if not mailbox or not hmac.compare_digest(self._state(mailbox).encode(), given.encode()):
            return None
        return mailbox

    def _until(self) -> str:
        return f"{self._clock() + _LASTS:%Y-%m-%dT%H:%M:%SZ}"

    @staticmethod
    def _ends(subscription: Json) -> datetime:
        try:
            moment = datetime.fromisoformat(str(subscription.get("expirationDateTime")))
        except ValueError:
            return datetime.fromtimestamp(0, UTC)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(mailbox: str) -> str:
    return hashlib.sha256(mailbox.encode()).hexdigest()[:24]
