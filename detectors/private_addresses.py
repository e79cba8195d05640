"""Staff at private addresses: work sent to one's own or a colleague's, and business that comes in from one.

Three signs, the strongest wins: the directory lists the address; it lies with a provider of private mail and its local part
is made from the person's name; the display name is the person's. A parent, carer, governor or contractor whom the records
know by that address is who the records say.
"""

from __future__ import annotations

from collections.abc import Iterable

from detectors.base import MessageDetector
from detectors.names import is_private_provider, likeness, words
from scanner.directory import Directory
from scanner.model import Hit, Person
from scanner.ports import Message


class PrivateAddresses(MessageDetector):
    """The message goes to, or comes from, a private address of a member of staff."""

    labels = ("address_self", "address_colleague", "staff_private_sender")

    def __init__(self) -> None:
        self._indexed: Directory | None = None
        self._by_surname: dict[str, list[Person]] = {}

    def detect(self, message: Message) -> Iterable[Hit]:
        directory = message.directory
        origin = message.envelope.from_
        if origin is None:
            return
        if message.direction == "inbound":
            found = self._owner(origin.address, origin.name, directory)
            if found is not None:
                _, confidence, why = found
                yield _hit("staff_private_sender", origin.address, confidence, f"{why} of a member of staff")
            return
        sender = directory.person(origin.address)
        own_name = sender.name if sender else origin.name
        for recipient in message.envelope.recipients:
            if directory.kind(recipient.address) != "outside" or directory.person(recipient.address) is not None:
                continue
            listed = directory.private_owner(recipient.address)
            if listed is None and directory.contact(recipient.address) is not None:
                continue
            if listed is not None and sender is not None and listed.email == sender.email:
                yield _hit("address_self", recipient.address, 0.95, "listed as the sender's private address")
                continue
            if listed is None and is_private_provider(recipient.domain) and not _other_person(recipient.name, own_name):
                score = likeness(recipient.address, own_name)
                if score:
                    yield _hit(
                        "address_self", recipient.address, score, "a private address made from the sender's name"
                    )
                    continue
            found = self._owner(recipient.address, recipient.name, directory)
            if found is not None:
                _, confidence, why = found
                yield _hit("address_colleague", recipient.address, confidence, f"{why} of another member of staff")

    def _owner(self, address: str, display_name: str, directory: Directory) -> tuple[Person, float, str] | None:
        """The member of staff behind a private address: listed, or by first name and surname (an initial is too little)."""
        listed = directory.private_owner(address)
        if listed is not None:
            return listed, 0.95, "the listed private address"
        if not is_private_provider(address.rpartition("@")[2]):
            return None
        if directory.contact(address) is not None or directory.person(address) is not None:
            return None
        for person in self._candidates(address, display_name, directory):
            if likeness(address, person.name) >= 0.9 and not _other_person(display_name, person.name):
                return person, 0.8, "a private address with the name"
        return None

    def _candidates(self, address: str, display_name: str, directory: Directory) -> list[Person]:
        if self._indexed is not directory:
            self._indexed = directory
            self._by_surname = {}
            for person in directory.people.people:
                if person.role == "staff" and len(words(person.name)) > 1:
                    self._by_surname.setdefault(words(person.name)[-1], []).append(person)
        local = "".join(words(address.rpartition("@")[0]))
        keys = [surname for surname in self._by_surname if len(surname) >= 3 and surname in local]
        return [person for key in keys for person in self._by_surname[key]]


def _other_person(display_name: str, name: str) -> bool:
    """The display name is a full name and its first name or surname is not this person's."""
    shown, own = words(display_name), words(name)
    if len(shown) < 2 or not own:
        return False
    return shown[-1] != own[-1] or shown[0][0] != own[0][0]


def _hit(label: str, address: str, confidence: float, reason: str) -> Hit:
    return Hit(label, 0, 0, address, confidence, (reason,), part="headers")
