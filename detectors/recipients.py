"""Signs in greeting, recipients and names that a mail reached the wrong person.

A greeting that names somebody else whom the records know, a pupil of another family than the recipient's, a domain one
keystroke away from a trusted one, many families that can see one another's addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from detectors.base import MessageDetector
from detectors.names import fold, is_private_provider, same_first_name, words
from scanner.directory import Directory
from scanner.model import Contact, Hit, Recipient
from scanner.ports import Message

FAMILIES_VISIBLE = 5  # fewer may well know one another: two parents, a lift share
_GREETING = re.compile(
    r"^[ \t]*(?:dear|hi|hello|hey|good (?:morning|afternoon|evening)|morning|afternoon)[ \t]+([^\n,!.:;]{2,60})[,!.:;]?[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
# Greetings that name nobody.
_NOBODY = frozenset(
    "all team colleagues colleague everyone everybody both there sir madam folks governors trustees parents parent carers carer "
    "guardians guardian families family staff students pupils class year ladies gentlemen guys friends residents neighbours "
    "applicant candidate customer member members head headteacher principal editor office admissions reception support sales "
    "accounts chair clerk again from or to the whom it may concern of for in".split()
)
_CAPITALISED = re.compile(r"\b[^\W\d_a-z][^\W\d_]{1,30}\b")


class Recipients(MessageDetector):
    """Signs that the message reached, or shows, people it should not have."""

    labels = ("wrong_salutation", "wrong_family", "lookalike_domain", "visible_families")

    def detect(self, message: Message) -> Iterable[Hit]:
        if message.direction != "outbound":
            return
        outside = [
            item for item in message.envelope.recipients
            if message.directory.kind(item.address) == "outside" and message.directory.person(item.address) is None
        ]  # fmt: skip
        if not outside:
            return
        yield from _lookalikes(outside, message.directory)
        yield from _visible_families(outside, message.directory)
        if len([item for item in outside if item.kind == "to"]) == 1:
            yield from _wrong_salutation(message, next(item for item in outside if item.kind == "to"))
        yield from _wrong_family(message, outside)


def _wrong_salutation(message: Message, recipient: Recipient) -> Iterable[Hit]:
    greeting = _GREETING.search(message.own_words())
    if greeting is None:
        return
    greeted = [word for word in words(greeting.group(1)) if len(word) > 1 and word != "and"]
    if not greeted or any(word in _NOBODY for word in greeted):
        return
    directory = message.directory
    contact = directory.contact(recipient.address)
    known = set(words(recipient.name))
    if contact is not None:
        known |= set(words(contact.name)).union(*(words(pupil.name) for pupil in contact.pupils))
    local = fold(recipient.address.rpartition("@")[0])
    for word in greeted:
        if any(same_first_name(word, name) for name in known) or (len(word) >= 3 and word in local):
            return
    others = [item for item in message.envelope.recipients if item.address != recipient.address]
    if any(set(greeted) & set(words(item.name or _person_name(item.address, directory))) for item in others):
        return
    if _somebody_else(greeted, recipient.address, directory):
        yield _hit(
            "wrong_salutation", recipient.address, 0.85, "the greeting names somebody else whom the records know"
        )
    elif known:
        yield _hit("wrong_salutation", recipient.address, 0.55, "the greeting is not the recipient's name")


def _person_name(address: str, directory: Directory) -> str:
    known = directory.person(address) or directory.contact(address)
    return known.name if known else ""


def _somebody_else(greeted: list[str], address: str, directory: Directory) -> bool:
    """The greeted surname is that of another family on record, or the whole name that of a member of staff.

    A first name alone is anybody's.
    """
    for contact in directory.people.contacts:
        if contact.email.lower() != address and greeted[-1] in _family_words(contact):
            return True
    return len(greeted) > 1 and any(
        set(greeted) <= set(words(person.name)) for person in directory.people.people if person.role == "staff"
    )


def _family_words(contact: Contact) -> set[str]:
    names = {words(contact.name)[-1]} if words(contact.name) else set()
    return (
        names | {words(pupil.name)[-1] for pupil in contact.pupils if words(pupil.name)} | set(words(contact.name)[:1])
    )


def _wrong_family(message: Message, outside: list[Recipient]) -> Iterable[Hit]:
    """Pupils named in the mail, none of them the recipient's: the recipient is the parent of another child."""
    directory = message.directory
    pupils = {fold(pupil.name) for contact in directory.people.contacts for pupil in contact.pupils}
    pupils |= {fold(person.name) for person in directory.people.people if person.role == "pupil"}
    named = {fold(hit.value) for hit in message.hits if hit.label == "person" and hit.owner == "sender"} & pupils
    if not named:
        return
    for recipient in outside:
        contact = directory.contact(recipient.address)
        if contact is None:
            continue
        own = {fold(pupil.name) for pupil in contact.pupils}
        surnames = {words(name)[-1] for name in own if words(name)}
        if not named & own and not any(words(name)[-1] in surnames for name in named):
            yield _hit(
                "wrong_family",
                recipient.address,
                0.85,
                "it names a pupil of another family and none of the recipient's",
            )


def _lookalikes(outside: list[Recipient], directory: Directory) -> Iterable[Hit]:
    wanted = {domain.lower() for domain in (*directory.people.domains, *directory.people.trusted_domains)}
    for recipient in outside:
        for domain in wanted:
            if len(domain) >= 6 and _one_slip(recipient.domain, domain):
                yield _hit(
                    "lookalike_domain",
                    recipient.address,
                    0.9,
                    "one keystroke away from a domain of ours or a trusted one",
                )
                break


def _one_slip(one: str, other: str) -> bool:
    """Exactly one letter added, left out, changed, or two neighbours swapped (Damerau-Levenshtein distance 1)."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    if len(a) == len(b):
        return a[1:] == b[1:] or (len(a) > 1 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:])
    return a[1:] == b or a == b[1:]


def _visible_families(outside: list[Recipient], directory: Directory) -> Iterable[Hit]:
    """Private addresses in To and Cc, counted in families: two parents of one child are one."""
    families: set[str] = set()
    for recipient in outside:
        if recipient.kind == "bcc":
            continue
        contact = directory.contact(recipient.address)
        if contact is not None and contact.pupils:
            families.add(fold(contact.pupils[0].name))
        elif is_private_provider(recipient.domain):
            families.add(recipient.address)
    if len(families) >= FAMILIES_VISIBLE:
        yield _hit("visible_families", "", 0.9, f"{len(families)} families can see one another's addresses")


def _hit(label: str, address: str, confidence: float, reason: str) -> Hit:
    return Hit(label, 0, 0, address, confidence, (reason,), part="headers")
