"""Mail that a mailbox rule sent outside, told by its headers, and notices of the system that such a rule was made.

What the user sees: that a rule, and not a person, sends mail to an outside address. Exchange writes the mailbox into
`X-MS-Exchange-Inbox-Rules-Loop` of what a rule forwards or redirects; `Auto-Submitted` (RFC 3834 section 5) says that no person
sent it. An answer of the out-of-office kind is no forward: it has `auto-replied`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from detectors.base import MessageDetector
from scanner.directory import Directory
from scanner.model import Hit
from scanner.ports import Message

_LOOP = "X-MS-Exchange-Inbox-Rules-Loop"
# The parameters of New-InboxRule, Set-InboxRule and Set-Mailbox that name a target, as alerts and audit records print them.
_PARAMETERS = (
    "redirectto", "forwardto", "forwardasattachmentto", "forwardingsmtpaddress", "forwardingaddress", "delivertomailboxandforward",
)  # fmt: skip
_SET_TO = re.compile(
    rf"\b(?:{'|'.join(_PARAMETERS)})"
    r"[^\w@]{1,12}(?:smtp:)?(?P<to>[\w.+-]{1,64}@[\w.-]{3,120})",
    re.IGNORECASE,
)
# Who sends such notices, and what tells advice, a question or a warning about them.
_SYSTEM = ("microsoft.com", "microsoftonline.com", "office365.com", "office.com")
_SYSTEM_MAILBOXES = frozenset({"postmaster", "mailer-daemon", "noreply", "no-reply"})
_AGAINST = re.compile(
    r"\b(?:do not|don['’]?t|never|must not|should not|for example|e\.g\.|such as|how to|example of)\b",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w.-]{3,120}")
_READ = 20_000
_ADDRESSES = 200


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
        said = message.own_words()[:_READ]
        named = said.lower()
        if not any(parameter in named for parameter in _PARAMETERS):
            return
        if origin is None or not _is_a_notice(origin.address, said, message.direction, directory):
            return
        for found in _SET_TO.finditer(said):
            address = found["to"].rstrip(".")
            if directory.kind(address) == "outside" and directory.person(address) is None:
                why = "a notice that a mailbox rule to an outside address was set"
                yield Hit("forwarding_set", 0, 0, address, 0.85, (why,), part="headers")
                break


def _is_a_notice(origin: str, said: str, direction: str, directory: Directory) -> bool:
    """Whether a text that names such a parameter tells of a rule that was set.

    The system wrote it; or one of ours passes a notice on, or somebody from outside does with a mailbox of ours beside it, and it
    is no advice. What a stranger writes of somebody's rule is mere text.
    """
    mailbox, _, domain = origin.lower().rpartition("@")
    if any(domain == system or domain.endswith("." + system) for system in _SYSTEM):
        return True
    if directory.kind(origin) == "ours" and mailbox in _SYSTEM_MAILBOXES:
        return True
    if _AGAINST.search(said):
        return False
    return direction != "inbound" or any(
        directory.kind(found[0].rstrip(".")) == "ours" for found in islice(_ADDRESS.finditer(said), _ADDRESSES)
    )
