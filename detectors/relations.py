"""Who is behind an address outside: the sender, a colleague, somebody of the sender's household, a parent, a pupil, a governor,
a supplier, an applicant; or nobody knows.

The records come first: the directory's private addresses, parents' contacts, governors. Without them the address itself and the
display name are compared with names; that gives less confidence. What the mail says (a formal greeting, an interview) comes last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeVar

from detectors.names import disposable_domains, fold, forms_of, is_private_provider, likeness, own_domain, words
from scanner.directory import Directory
from scanner.model import Person
from scanner.ports import Message

Kind = Literal[
    "self", "colleague", "household", "parent", "pupil", "governor", "contractor", "applicant", "supplier", "unknown"
]
Named = TypeVar("Named")
# A mailbox that somebody else keeps for a child, or a club's; looked for in what the address holds besides the child's name.
_NOT_THE_CHILD = re.compile(r"mum|mom|dad|parent|mother|father|family|fam$|nan|gran|carer|club")
_APPLICANT = re.compile(
    r"\b(?:your application|application (?:form )?(?:for|as)|invite(?:d)? (?:you )?(?:to|for) (?:an )?interview|interview invitation"
    r"|applying for|post of|job offer|shortlist\w*)\b",
    re.IGNORECASE,
)
_FORMAL = re.compile(r"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr)\.? [^\W\d_a-z]")
_TO_PARENTS = re.compile(
    r"\byour (?:son|daughter|child|children|lad|little (?:one|boy|girl)|boy|girl)(?:['’]s)?\b"
    r"|\bdear (?:parents?|carers?|families|guardians?)\b"
    r"|\b(?:parents['’]? evening|breakfast club|after-?school club|permission slip|consent for (?:him|her|them))\b",
    re.IGNORECASE,
)
# What says that the writer is still a child with us: a class, a teacher addressed as pupils address one.
_BY_A_PUPIL = re.compile(
    r"\b(?:its|it's|it is|this is|i am|i'm|im) [a-z]{2,15} (?:from|in) (?:year )?\d{1,2}[a-z]{0,3}\b"
    r"|^(?:hi|hello|hey|dear)? ?(?:sir|miss)\b|\b(?:thx|thanks|thank you|ty) (?:sir|miss)\b|^(?:sir|miss) ",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Relation:
    """Who it is, how sure, and why, in words without a name. `person` where the directory has them."""

    kind: Kind
    confidence: float
    why: str
    person: Person | None = None


UNKNOWN = Relation("unknown", 0.3, "nothing is known of the address")


def _as_a_parent(address: str, message: Message) -> bool:
    """The address is a parent's on record, and the mail names their child."""
    contact = message.directory.contact(address)
    if contact is None:
        return False
    said = set(words(message.own_words()[:5_000]))
    return any(words(pupil.name)[:1] and words(pupil.name)[0] in said for pupil in contact.pupils)


class Relations:
    """Answers for one directory; keeps its index as long as the directory is the same."""

    def __init__(self) -> None:
        self._indexed: Directory | None = None
        self._staff: dict[str, list[Person]] = {}
        self._pupils: dict[str, list[str]] = {}

    def of(self, address: str, display_name: str, message: Message) -> Relation:
        """The relation of an address to the sender of the message and to the organisation."""
        directory = message.directory
        origin = message.envelope.from_
        sender = directory.person(origin.address) if origin is not None else None
        recorded = self._recorded(address, message, sender)
        if recorded is not None:
            return recorded
        domain = address.rpartition("@")[2]
        private = is_private_provider(domain)
        own_name = (
            (sender.name if sender else origin.name) if origin is not None and message.direction != "inbound" else ""
        )
        if own_name and not other_person(display_name, own_name):
            score = likeness(address, own_name) if private else 0.8 if own_domain(address, own_name) else 0.0
            if score:
                what = "a private address" if private else "a domain of one's own"
                return Relation("self", score, f"{what} made from the sender's name", sender)
        if private or domain.lower() in disposable_domains():
            found = self._by_name(address, display_name, message, own_name)
            if found is not None:
                return found
        return self._by_words(domain, message, private=private)

    @staticmethod
    def _recorded(address: str, message: Message, sender: Person | None) -> Relation | None:
        directory = message.directory
        owner = directory.private_owner(address)
        if owner is not None:
            if (sender is None or owner.email != sender.email) and _as_a_parent(address, message):
                return Relation("parent", 0.95, "a member of staff, written to as the parent of a child of ours")
            if sender is not None and owner.email == sender.email:
                return Relation("self", 0.95, "listed as the sender's private address", owner)
            return Relation("colleague", 0.95, "the listed private address of a member of staff", owner)
        person = directory.person(address)
        if person is not None and person.role in ("governor", "contractor", "pupil"):
            kind: Kind = (
                "governor" if person.role == "governor" else "pupil" if person.role == "pupil" else "contractor"
            )
            return Relation(kind, 0.95, f"the directory lists a {person.role}", person)
        if person is not None:
            return Relation("colleague", 0.95, "the directory lists it", person)
        if directory.contact(address) is not None:
            return Relation("parent", 0.95, "a parent or carer on record")
        return None

    def _by_name(self, address: str, display_name: str, message: Message, own_name: str) -> Relation | None:
        directory = message.directory
        self._index(directory)
        local = "".join(words(address.rpartition("@")[0]))
        for name in self._with_surname(self._pupils, local):
            if likeness(address, name) >= 0.9 and not other_person(display_name, name):
                besides = local
                for word in words(name):
                    besides = besides.replace(word, " ", 1)
                if not _NOT_THE_CHILD.search(besides):
                    return Relation("pupil", 0.85, "a private address made from a pupil's name")
        for person in self._with_surname(self._staff, local):
            if likeness(address, person.name) >= 0.9 and not other_person(display_name, person.name):
                return Relation("colleague", 0.8, "a private address with the name of a member of staff", person)
        if message.direction == "inbound":
            found = self._shown_as(address, display_name, local, message)
            if found is not None:
                return Relation("colleague", 0.78, "name and private address fit a member of staff", found)
        parent = self._parent_by_words(local, message)
        if parent is not None:
            return parent
        surname = words(own_name)[-1] if len(words(own_name)) > 1 else ""
        if (
            len(surname) >= 3
            and message.direction != "inbound"
            and self._same_household(local, surname, display_name, message)
        ):
            return Relation("household", 0.6, "the sender's surname with another first name, and no formal greeting")
        return None

    def _shown_as(self, address: str, display_name: str, local: str, message: Message) -> Person | None:
        """`Sarah Barrow` or `S Barrow` from an address that fits her as well, if only by an initial or a name cut short; where no
        name is shown, the mail must say it ("Sarah here").
        """
        shown = message.directory.person_named(" ".join(display_name.split()))
        candidates = [shown] if shown is not None and shown.role == "staff" else self._with_surname(self._staff, local)
        for person in candidates:
            fits = likeness(address, person.name) > 0 and not other_person(display_name, person.name)
            if fits and len(words(display_name)) > 1:
                return person
            if (
                fits
                and not words(display_name)
                and forms_of(words(person.name)[0]) & set(words(message.own_words()[:5_000]))
            ):
                return person
        return None

    @staticmethod
    def _parent_by_words(local: str, message: Message) -> Relation | None:
        """Without the records: the surname of a pupil named in the mail, or words that only a child's parents are told."""
        for hit in message.hits:
            named = words(hit.value) if hit.label == "person" and hit.owner == "sender" else ()
            if len(named) > 1 and len(named[-1]) >= 3 and named[-1] in local and named[0] not in local:
                return Relation("parent", 0.6, "the surname of somebody named in the mail")
        if _TO_PARENTS.search(message.own_words()[:5_000]):
            return Relation("parent", 0.55, "it speaks to a parent")
        return None

    def _same_household(self, local: str, surname: str, display_name: str, message: Message) -> bool:
        shown = words(display_name)
        if shown and shown[-1] != surname:
            return False
        fits = local.endswith(surname) or local.startswith(surname)
        return fits and local != surname and not _FORMAL.search(message.own_words())

    def _by_words(self, domain: str, message: Message, *, private: bool) -> Relation:
        said = message.own_words()[:5_000]
        if private and _APPLICANT.search(said):
            return Relation("applicant", 0.6, "it is about an application")
        if private and message.direction == "inbound" and _BY_A_PUPIL.search(said):
            return Relation("pupil", 0.6, "it is written as a pupil writes")
        if not private:
            return Relation("supplier", 0.5, "the domain of another organisation")
        return UNKNOWN

    def _index(self, directory: Directory) -> None:
        if self._indexed is directory:
            return
        self._indexed = directory
        self._staff, self._pupils = {}, {}
        for person in directory.people.people:
            named = words(person.name)
            if len(named) < 2:
                continue
            if person.role == "staff":
                self._staff.setdefault(named[-1], []).append(person)
            elif person.role == "pupil":
                self._pupils.setdefault(named[-1], []).append(person.name)
        for contact in directory.people.contacts:
            for pupil in contact.pupils:
                # A child named as its parent is: the address is as likely the parent's.
                if len(words(pupil.name)) > 1 and fold(pupil.name) != fold(contact.name):
                    self._pupils.setdefault(words(pupil.name)[-1], []).append(pupil.name)

    @staticmethod
    def _with_surname(by_surname: dict[str, list[Named]], local: str) -> list[Named]:
        """Those whose surname stands in the address. Looked up by every piece of it, so that a big trust costs no more."""
        pieces = {
            local[start:end] for start in range(len(local)) for end in range(start + 3, min(len(local), start + 20) + 1)
        }
        return [named for piece in sorted(pieces & by_surname.keys()) for named in by_surname[piece]]


@lru_cache(maxsize=4)
def pupils_of(directory: Directory) -> frozenset[str]:
    """The folded full names of all pupils that directory and contacts name; made once for a directory."""
    named = [pupil.name for contact in directory.people.contacts for pupil in contact.pupils]
    named += [person.name for person in directory.people.people if person.role == "pupil"]
    return frozenset(fold(name) for name in named)


@lru_cache(maxsize=4)
def pupils_first_names(directory: Directory) -> frozenset[str]:
    """Their first names, where there is a surname as well."""
    return frozenset(named[0] for name in pupils_of(directory) if len(named := words(name)) > 1)


@lru_cache(maxsize=4)
def staff_first_names(directory: Directory) -> frozenset[str]:
    """First names of our staff, where there is a surname as well."""
    named = (words(person.name) for person in directory.people.people if person.role == "staff")
    return frozenset(name[0] for name in named if len(name) > 1 and len(name[0]) > 2)


@lru_cache(maxsize=4)
def families(directory: Directory) -> dict[str, frozenset[str]]:
    """Parents' first names and surnames and their children's surnames -> the addresses on record of those families."""
    found: dict[str, set[str]] = {}
    for contact in directory.people.contacts:
        name = words(contact.name)
        for word in {*name[-1:], *name[:1], *(words(pupil.name)[-1] for pupil in contact.pupils if words(pupil.name))}:
            found.setdefault(word, set()).add(contact.email.lower())
    return {word: frozenset(addresses) for word, addresses in found.items()}


def other_person(display_name: str, name: str) -> bool:
    """The display name is a full name and its first name or surname is not this person's."""
    shown, own = words(display_name), words(name)
    if len(shown) < 2 or not own:
        return False
    return shown[-1] != own[-1] or shown[0][0] != own[0][0]
