"""Notices as mail, sent through Graph from one configured mailbox."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

from connectors.graph import GraphClient, UnsureOutcome, segment
from connectors.people_file import is_address
from scanner.errors import ConfigError, ConnectorError
from scanner.ports import Notice


class M365Notices:
    """A `Sender`. `client` needs Mail.Send and may be another app than `reader`, which reads the mailbox's Sent Items when an
    outcome is unsure. Without a reader an unsure notice stays unsure.
    """

    def __init__(
        self,
        client: GraphClient,
        mailbox: str,
        *,
        reader: GraphClient | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        if not is_address(mailbox):
            raise ConfigError("notices.from", "must be the address of the mailbox that notices are sent from")
        self._client = client
        self._mailbox = mailbox
        self._reader = reader
        self._clock = clock
        self._pause = pause

    def send(self, notice: Notice) -> Literal["sent", "unsure"]:
        """`sent` once Graph has accepted it (202). Raises ConnectorError when it certainly was not accepted."""
        if not is_address(notice.to):
            raise ConnectorError("a notice's recipient is not a mail address", permanent=True, code="BadRecipient")
        message = {
            "subject": " ".join(notice.subject.split()),
            "body": {"contentType": "text", "content": notice.text},
            "toRecipients": [{"emailAddress": {"address": notice.to}}],
        }
        begun = self._clock()
        for attempt in (1, 2):
            try:
                self._client.post(
                    f"/users/{segment(self._mailbox)}/sendMail",
                    {"message": message, "saveToSentItems": True},
                    what="sending a notice",
                    mailbox=self._mailbox,
                )
            except UnsureOutcome:
                was_sent = self._was_sent(notice, begun)
                if was_sent is None or (not was_sent and attempt == 2):
                    return "unsure"
                if was_sent:
                    return "sent"
                continue
            return "sent"
        return "unsure"

    def _was_sent(self, notice: Notice, begun: datetime) -> bool | None:
        """Whether Sent Items hold this notice, looked for twice because a copy may take some seconds; None where nobody can
        tell. Only the very same text to the same person counts, since the links in it belong to this notice alone.
        """
        if self._reader is None:
            return None
        since = f"{begun - timedelta(minutes=2):%Y-%m-%dT%H:%M:%SZ}"
        subject = " ".join(notice.subject.split())
        for wait in (3.0, 10.0):
            self._pause(wait)
            try:
                found = list(
                    self._reader.pages(
                        f"/users/{segment(self._mailbox)}/mailFolders/sentitems/messages",
                        what="looking for a notice in Sent Items",
                        mailbox=self._mailbox,
                        params={
                            "$filter": f"sentDateTime ge {since}",
                            "$select": "id,subject,toRecipients,body",
                            "$top": "50",
                        },
                        headers={"Prefer": 'outlook.body-content-type="text"'},
                    )
                )
            except ConnectorError:
                return None
            for item in found:
                to = [(each.get("emailAddress") or {}).get("address", "") for each in item.get("toRecipients") or ()]
                words = str((item.get("body") or {}).get("content") or "").split()
                same = item.get("subject") == subject and words == notice.text.split()
                if same and [address.lower() for address in to] == [notice.to.lower()]:
                    return True
        return False
