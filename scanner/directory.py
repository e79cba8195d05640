"""Questions to the people snapshot: who is this address, whose manager, who holds a role. Pure and quick; built once a snapshot."""

from __future__ import annotations

import re
from typing import Literal

from scanner.model import Address, AddressKind, Contact, Direction, Envelope, People, Person, Recipient

MOST_NAMESAKES = 20
# A group's name says whom it reaches, in the plural: Pupil Services and the Parents' Evening Team are staff.
_NO_TEAM = r"(?!['’._ -]{0,2}(?:evening|support|team|services?|office|liaison|voice|council|welfare|admissions))"
_PARENTS = re.compile(rf"(?:parents|carers|families)(?![a-z]){_NO_TEAM}", re.IGNORECASE)
_PUPILS = re.compile(rf"(?:pupils|students)(?![a-z]){_NO_TEAM}", re.IGNORECASE)


class Directory:
    """Lookups over one `People`. An address is compared in lower case; a domain counts with all its subdomains' owners listed apart."""

    def __init__(self, people: People) -> None:
        self.people = people
        self._by_address: dict[str, Person] = {}
        self._private: dict[str, Person] = {}
        self._by_name: dict[str, Person] = {}
        for person in people.people:
            self._by_address[person.email.lower()] = person
            self._by_name.setdefault(person.name.casefold(), person)
            for alias in person.aliases:
                self._by_address[alias.lower()] = person
            for private in person.personal_addresses:
                self._private[private.lower()] = person
        self._contacts = {contact.email.lower(): contact for contact in people.contacts}
        self._by_first_name: dict[str, list[str]] = {}
        named = [(one.name, one.email) for one in people.people if one.role == "staff"]
        for name, address in (*named, *((one.name, one.email) for one in people.contacts)):
            if " " in name:
                self._by_first_name.setdefault(name.casefold().split(" ")[0], []).append(address.lower())
        self._ours = frozenset(domain.lower() for domain in people.domains)
        self._trusted = tuple(domain.lower() for domain in people.trusted_domains)
        self._protected = frozenset(entry.lower() for entry in people.protected)

    def kind(self, address: str) -> AddressKind:
        """`ours`, `trusted` (protected by agreement, subdomains included), `protected` (sealed), else `outside`.

        A whole label must match: nhs.net.example.com is not nhs.net. Governors who work with a private address are `outside`
        by address; `person` says that they belong to us.
        """
        address = address.lower()
        domain = address.rpartition("@")[2]
        if address in self._protected or domain in self._protected:
            return "protected"
        if domain in self._ours:
            return "ours"
        if any(domain == trusted or domain.endswith("." + trusted) for trusted in self._trusted):
            return "trusted"
        return "outside"

    def person(self, address: str) -> Person | None:
        """The person whose own (work or listed) address this is."""
        return self._by_address.get(address.lower())

    def person_named(self, name: str) -> Person | None:
        return self._by_name.get(name.casefold())

    def private_owner(self, address: str) -> Person | None:
        """The member of staff whose listed private address this is; plus-forms (name+tag@…) count as the same (RFC 5233)."""
        address = address.lower()
        local, _, domain = address.rpartition("@")
        return self._private.get(address) or self._private.get(f"{local.partition('+')[0]}@{domain}")

    def contact(self, address: str) -> Contact | None:
        """The parent or carer behind an address, from the school's records."""
        return self._contacts.get(address.lower())

    def stands_for(self, recipient: Recipient) -> Literal["pupil", "contact", ""]:
        """Whom a group address of ours reaches, by its name: `year11-pupils@…`, `parents-y5@…`."""
        person = self.person(recipient.address)
        if self.kind(recipient.address) != "ours" or (person is not None and person.role != "shared"):
            return ""
        local = recipient.address.partition("@")[0]
        called = f"{local} {person.name if person is not None else recipient.name}"
        if _PARENTS.search(called):
            return "contact"
        return "pupil" if _PUPILS.search(called) else ""

    def holders(self, role: str) -> frozenset[str]:
        """Every address that holds a role, for whatever school; in lower case."""
        return frozenset(address.lower() for address in self.people.roles.get(role, {}).values() if address)

    def namesakes(self, name: str, address: str) -> tuple[str, ...]:
        """Other addresses, of staff, parents and carers, whose first name is the same: those that autocomplete may offer."""
        first = name.casefold().split(" ")[0]
        return tuple(other for other in self._by_first_name.get(first, ()) if other != address.lower())[:MOST_NAMESAKES]

    def holder(self, role: str, school: str = "") -> str:
        """The address that holds a role, for the school first and then for the trust; empty where nobody does."""
        held = self.people.roles.get(role, {})
        return held.get(school, "") or held.get("", "")

    def direction(self, envelope: Envelope) -> Direction:
        """Contract section 2: outbound, internal, inbound or stored."""
        origin = envelope.from_ or envelope.sender
        if origin is None and not envelope.recipients:
            return "stored"
        if any(share.scope == "anyone" for share in envelope.audience or ()):
            return "outbound"  # an automatic reply to whoever writes
        if origin is None or not self.is_ours(origin):
            return "inbound"
        return "internal" if all(self.is_ours(recipient) for recipient in envelope.recipients) else "outbound"

    def is_ours(self, address: Address | Recipient) -> bool:
        """Ours by domain, or a person of ours (a governor on webmail) listed with that very address."""
        return self.kind(address.address) == "ours" or self.person(address.address) is not None
