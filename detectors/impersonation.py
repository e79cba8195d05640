"""Mail in another person's name: Sender and From differ without a grant, or the display name is a colleague's.

RFC 5322 section 3.6.2: Sender is the mailbox of who sent, From of who wrote. A shared mailbox has no name of its own to take.
"""

from __future__ import annotations

from collections.abc import Iterable

from detectors.base import MessageDetector
from detectors.names import words
from scanner.model import Hit
from scanner.ports import Message


class Impersonation(MessageDetector):
    """The message was sent in another person's name without a grant on record."""

    labels = ("sent_as_other", "sent_as_other_granted")

    def detect(self, message: Message) -> Iterable[Hit]:
        directory = message.directory
        shown, actual = message.envelope.from_, message.envelope.sender
        if shown is None or directory.kind(shown.address) != "ours":
            return
        named = directory.person(shown.address)
        if actual is not None and actual.address != shown.address and named is not None and named.role != "shared":
            when = message.envelope.sent_at
            granted = any(
                grant.kind == "send_as"
                and grant.who.lower() == actual.address
                and grant.for_.lower() in ("", shown.address)
                and (grant.until is None or when is None or when.date() <= grant.until)
                for grant in directory.people.grants
            )
            label = "sent_as_other_granted" if granted else "sent_as_other"
            why = f"From and Sender differ, {'a' if granted else 'no'} grant on record"
            yield Hit(label, 0, 0, actual.address, 0.9, (why,), part="headers")
            return
        holder = directory.person_named(shown.name) if shown.name else None
        if holder is not None and holder.role != "shared" and named is not None and holder.email != named.email:
            if set(words(holder.name)) == set(words(named.name)):
                return  # two people of one name
            yield Hit(
                "sent_as_other", 0, 0, shown.address, 0.85, ("the display name is another person's",), part="headers"
            )
