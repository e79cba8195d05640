"""Staff and pupils who correspond outside official systems, or speak of doing so.

Signs: a private address on either side with a pupil on the other; in a mail between staff and pupil words that want secrecy, or
another channel because the official one can be read. Clubs, parents on record and mails with another adult in copy are ordinary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from detectors.base import MessageDetector
from detectors.names import words
from detectors.relations import Relations
from scanner.model import Hit, Person
from scanner.ports import Message

_SECRET = re.compile(
    r"\b(?:don['’]?t|do not|dont|never) (?:tell|mention|show|say)\b[^.\n]{0,40}\b(?:anyone|anybody|any one|mum|mom|dad|parents?|"
    r"teachers?|head|school|them|friends|others|this)\b"
    r"|\b(?:our|a) (?:little )?secret\b|\bbetween (?:us|you and me|ourselves)\b|\bnobody (?:needs|has) to know\b"
    r"|\bno ?one (?:needs|has) to know\b|\bdelete (?:this|these|the (?:chat|messages?|mail))\b[^.\n]{0,20}\b(?:after|afterwards|"
    r"when|once|now)\b"
    r"|(?<!can['’]t )(?<!cannot )(?<!won['’]t )(?<!not )\bkeep (?:it|this) (?:quiet|to yourself|secret)\b"
    r"|\bjust (?:us two|the two of us|you and me)\b",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"\b(?:not|isn['’]?t|don['’]?t (?:use|write|mail|message)[^.\n]{0,20}) (?:on |to |use |via )?(?:the |this |your |my )?"
    r"(?:school|official|work) (?:one|mail|e-?mail|account|address|system)\b"
    r"|\b(?:can['’]?t|cannot|could not|won['’]?t) (?:say|write|talk|tell you)[^.\n]{0,30}\b(?:here|on (?:here|this|the school))\b"
    r"|\b(?:school|official|work) (?:one|mail|e-?mail|account|teams)(?:['’]?s)?(?: is| gets| are)? (?:being )?"
    r"(?:watched|monitored|read|checked|spied on|looked at)"
    r"|\b(?:they|the school|it|people|staff) (?:can |could |all )?(?:reads?|sees?|checks?|monitors?) (?:everything|it|these|this|all|our)"
    r"|\b(?:set up|make|get|open) (?:a new|another|your own|a private|a different) (?:one|account|e-?mail|address)\b"
    r"|\b(?:write|mail|message|text|talk|chat|reply)[^.\n]{0,20}\b(?:on this|on here|from there|from home)\b"
    r"|\b(?:using|use|from) my (?:own|private|home|personal) (?:e-?mail|account|mail|phone)\b",
    re.IGNORECASE,
)


def _one_family(staff: Person | None, pupil: Person) -> bool:
    """A parent who works here writes to their own child: the same surname is all that the directory shows of it."""
    return staff is not None and words(staff.name)[-1:] == words(pupil.name)[-1:]


class PupilContact(MessageDetector):
    """A member of staff and a pupil, and a private address or the wish for one between them."""

    labels = ("pupil_private_contact", "pupil_secrecy")

    def __init__(self) -> None:
        self._relations = Relations()

    def detect(self, message: Message) -> Iterable[Hit]:
        envelope, directory = message.envelope, message.directory
        origin = envelope.from_
        if origin is None or not envelope.recipients:
            return
        writer = directory.person(origin.address)
        people = [directory.person(item.address) for item in envelope.recipients]
        to_staff = any(person is not None and person.role == "staff" for person in people)
        if message.direction == "inbound":
            found = self._relations.of(origin.address, origin.name, message)
            to_pupil = any(
                person is not None and person.role == "pupil" and not _one_family(found.person, person)
                for person in people
            )
            if found.kind == "colleague" and found.person is not None and found.person.role == "staff" and to_pupil:
                yield _hit(0.88, "staff write to a pupil from a private address", origin.address)
            elif found.kind == "pupil" and to_staff:
                yield from self._from_pupil(message, found.confidence)
            return
        if writer is None or writer.role not in ("staff", "pupil"):
            return
        staff_writes = writer.role == "staff"
        if staff_writes:
            for item in envelope.recipients:
                if directory.kind(item.address) != "outside" or directory.person(item.address) is not None:
                    continue
                found = self._relations.of(item.address, item.name, message)
                if found.kind == "pupil":
                    confidence = 0.6 if self._parent_reads(message) else found.confidence
                    yield _hit(confidence, "staff write to a pupil's private address", item.address)
        with_pupil = any(person is not None and person.role == "pupil" for person in people)
        if staff_writes and with_pupil and not self._parent_reads(message):
            yield from _said(message)

    def _from_pupil(self, message: Message, confidence: float) -> Iterable[Hit]:
        """A pupil may well write from home by mistake: what they want, or that it is not the first time, makes the difference."""
        said = message.own_words()[:5_000]
        origin = message.envelope.from_
        address = origin.address if origin is not None else ""
        meant = _ELSEWHERE.search(said) or _SECRET.search(said) or _TOGETHER.search(said)
        if meant or "re:" in message.envelope.subject.casefold()[:4]:
            yield _hit(0.85, "a pupil writes to staff from a private address, and not by mistake", address)
        elif confidence >= 0.75:
            yield _hit(0.6, "a pupil writes to staff from a private address", address)

    @staticmethod
    def _parent_reads(message: Message) -> bool:
        return any(message.directory.contact(item.address) is not None for item in message.envelope.recipients)


_TOGETHER = re.compile(
    r"\b(?:lift|pizza|your (?:house|car|flat)|last ni(?:ght|te)|tonight|later|meet (?:up|me)|miss(?:ed)? you|can we talk"
    r"|u (?:on|up|there)|x{2,})\b",
    re.IGNORECASE,
)


def _said(message: Message) -> Iterable[Hit]:
    for part in message.parts:
        if part.kind not in ("subject", "body"):
            continue
        for pattern, why in (
            (_SECRET, "secrecy is asked of a pupil"),
            (_ELSEWHERE, "a pupil is asked to write elsewhere"),
        ):
            for match in pattern.finditer(part.text[:20_000]):
                if part.owner_at(match.start()) == "sender":
                    yield Hit("pupil_secrecy", match.start(), match.end(), match.group(), 0.8, (why,), part=part.path)
                    break


def _hit(confidence: float, reason: str, address: str) -> Hit:
    return Hit("pupil_private_contact", 0, 0, address, confidence, (reason,), part="headers")
