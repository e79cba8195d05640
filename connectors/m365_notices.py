"""Notices as mail, sent through Graph from one configured mailbox."""

from __future__ import annotations

from typing import Literal

from connectors.graph import GraphClient, UnsureOutcome, segment
from connectors.people_file import is_address
from scanner.errors import ConfigError, ConnectorError
from scanner.ports import Notice


class M365Notices:
    """A `Sender`. Needs Mail.Send; the copy in Sent Items is what an unsure outcome can be checked against."""

    def __init__(self, client: GraphClient, mailbox: str) -> None:
        if not is_address(mailbox):
            raise ConfigError("notices.from", "must be the address of the mailbox that notices are sent from")
        self._client = client
        self._mailbox = mailbox

    def send(self, notice: Notice) -> Literal["sent", "unsure"]:
        """`sent` once Graph has accepted it (202). Raises ConnectorError when it certainly was not accepted."""
        if not is_address(notice.to):
            raise ConnectorError("a notice's recipient is not a mail address", permanent=True, code="BadRecipient")
        message = {
            "subject": " ".join(notice.subject.split()),
            "body": {"contentType": "text", "content": notice.text},
            "toRecipients": [{"emailAddress": {"address": notice.to}}],
        }
        try:
            self._client.post(
                f"/users/{segment(self._mailbox)}/sendMail",
                {"message": message, "saveToSentItems": True},
                what="sending a notice",
                mailbox=self._mailbox,
            )
        except UnsureOutcome:
            return "unsure"
        return "sent"
