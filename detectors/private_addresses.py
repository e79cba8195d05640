"""Staff at private addresses: work sent to one's own, a colleague's or the household's, and business that comes in from one;
and work sent to an address behind which a machine writes the answer.

Who is behind an address is `relations`' answer. How much went: many documents to oneself at once, or in the last weeks before
somebody leaves, is a sign of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

from detectors.base import MessageDetector
from detectors.names import disposable_domains
from detectors.relations import Relations
from scanner.model import Hit
from scanner.ports import Message

_LABELS = {"self": "address_self", "colleague": "address_colleague", "household": "address_household"}
# So many files in one mail to oneself is a folder on its way out.
MANY_FILES = 4
NOTICE_PERIOD = timedelta(days=92)
# Names that services of this kind give themselves, as words of the address, or the top-level domain they like.
_MACHINE = re.compile(
    r"(?<![a-z])(?:ai|gpt|llm|chat-?bot|note-?taker)(?![a-z])|gpt|openai|chatbot|notetaker", re.IGNORECASE
)
_HELPER = re.compile(
    r"(?:assistant|bot|ask|prompt|scribe|notes|rewrite|summar\w{1,6})(?:[.+-].{0,30})?\Z", re.IGNORECASE
)
# What one writes to a machine and to nobody else: an order in the first words, without a greeting.
_ORDER = re.compile(
    r"\s{0,20}(?:please |can you |could you )?(?:make (?:this|it|these|the)|re-?write|summari[sz]e|re-?word|re-?phrase|"
    r"shorten|proof-?read|improve|translate|transcribe|turn (?:this|these|the|my)|"
    r"write (?:me|a|an|this|up)|draft (?:me|a|an)|act as|you are an?)\b",
    re.IGNORECASE,
)


class PrivateAddresses(MessageDetector):
    """The message goes to, or comes from, a private address of a member of staff."""

    labels = (
        "address_self",
        "address_colleague",
        "address_household",
        "address_disposable",
        "staff_private_sender",
        "leaver_taking",
        "address_ai",
    )

    def __init__(self) -> None:
        self._relations = Relations()

    def detect(self, message: Message) -> Iterable[Hit]:
        origin = message.envelope.from_
        if origin is None:
            return
        directory = message.directory
        if message.direction == "inbound":
            found = self._relations.of(origin.address, origin.name, message)
            if found.kind == "colleague" and found.person is not None and found.person.role == "staff":
                yield _hit("staff_private_sender", origin.address, found.confidence, found.why)
            return
        to_self = False
        for recipient in message.envelope.recipients:
            if directory.kind(recipient.address) != "outside" or directory.person(recipient.address) is not None:
                continue
            found = self._relations.of(recipient.address, recipient.name, message)
            if found.kind in _LABELS:
                to_self |= found.kind == "self"
                yield _hit(_LABELS[found.kind], recipient.address, found.confidence, found.why)
            elif recipient.domain.lower() in disposable_domains():
                yield _hit("address_disposable", recipient.address, 0.85, "an address that vanishes after a while")
            elif _MACHINE.search(recipient.address):
                yield _hit("address_ai", recipient.address, 0.8, "the address of an AI service by its name")
            elif _HELPER.match(recipient.address.rpartition("@")[0]) and any(
                part.kind == "body" and _ORDER.match(part.text) for part in message.parts
            ):
                yield _hit("address_ai", recipient.address, 0.8, "orders of the kind one gives a machine")
        if to_self:
            yield from _taking(message)


def _taking(message: Message) -> Iterable[Hit]:
    """Many files to oneself, or any within three months before the directory says that somebody leaves."""
    envelope = message.envelope
    files = sum(
        1 for part in message.parts if part.kind == "attachment" and part.path.count("/") == 2 and not part.inline
    )
    sender = message.directory.person(envelope.from_.address) if envelope.from_ else None
    sent = envelope.sent_at.date() if envelope.sent_at else None
    leaving = sender is not None and sender.leaves_on is not None and sent is not None
    if leaving and sender and sender.leaves_on and sent and sent <= sender.leaves_on <= sent + NOTICE_PERIOD and files:
        confidence = 0.95 if files >= MANY_FILES else 0.85
        yield _hit(
            "leaver_taking", "", confidence, f"{files} file(s) to oneself in the last three months before leaving"
        )
    elif files >= MANY_FILES:
        yield _hit("leaver_taking", "", 0.78, f"{files} files to oneself in one mail")


def _hit(label: str, address: str, confidence: float, reason: str) -> Hit:
    return Hit(label, 0, 0, address, confidence, (reason,), part="headers")
