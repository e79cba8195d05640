"""Mail that a mailbox rule sent outside, told by its headers, and notices of the system that such a rule was made.

What the user sees: that a rule, and not a person, sends mail to an outside address. Exchange writes the mailbox into
`X-MS-Exchange-Inbox-Rules-Loop` of what a rule forwards or redirects; `Auto-Submitted` (RFC 3834 section 5) says that no person
sent it. An answer of the out-of-office kind is no forward: it has `auto-replied`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from detectors.base import MessageDetector
from scanner.model import Hit
from scanner.ports import Message

_LOOP = "X-MS-Exchange-Inbox-Rules-Loop"
# The parameters of New-InboxRule, Set-InboxRule and Set-Mailbox that name a target, as alerts and audit records print them.
_SET_TO = re.compile(
    r"\b(?:RedirectTo|ForwardTo|ForwardAsAttachmentTo|ForwardingSmtpAddress|ForwardingAddress|DeliverToMailboxAndForward)"
    r"[^\w@]{1,12}(?:smtp:)?(?P<to>[\w.+-]{1,64}@[\w.-]{3,120})",
    re.IGNORECASE,
)


class AutomaticForward(MessageDetector):
    """A mailbox rule sends mail to an outside address."""

    labels = ("auto_forwarded", "forwarding_set")

    def detect(self, message: Message) -> Iterable[Hit]:
        envelope, directory = message.envelope, message.directory
        origin = envelope.from_
        submitted = envelope.header("Auto-Submitted").lower()
        by_rule = envelope.header(_LOOP) or submitted.startswith("auto-forwarded")
        if by_rule and origin is not None and directory.is_ours(origin) and "replied" not in submitted:
            for item in envelope.recipients:
                if directory.kind(item.address) == "outside" and directory.person(item.address) is None:
                    why = "its headers say that a mailbox rule sent it"
                    yield Hit("auto_forwarded", 0, 0, item.address, 0.9, (why,), part="headers")
                    break
        for found in _SET_TO.finditer(message.own_words()[:20_000]):
            address = found["to"].rstrip(".")
            if directory.kind(address) == "outside" and directory.person(address) is None:
                why = "a notice that a mailbox rule to an outside address was set"
                yield Hit("forwarding_set", 0, 0, address, 0.85, (why,), part="headers")
                break
