"""Who gets a case. Pure: `rules/routing.yml` is read top to bottom, the first entry that fits names the roles to try in order.

A person who is a party to the mail is never chosen (Never 5); the next role is, and the route says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from scanner.directory import Directory
from scanner.model import SEVERITIES, Direction, Envelope, Person, PersonRole, Route, Severity
from scanner.rulebook import CATEGORIES, TOPICS
from scanner.yaml_source import Node, Reader, load

ROLES = (
    "dpo", "deputy_dpo", "it_security", "hr", "chair_of_governors", "headteacher", "dsl", "line_manager", "governors", "sender",
)  # fmt: skip
# After a route's own roles: people who can take any case, so that none is left without a reader.
LAST_RESORT = ("headteacher", "dpo", "deputy_dpo", "hr", "chair_of_governors", "it_security")
# In the middle of a sentence.
ROLES_IN_WORDS: Mapping[str, str] = {
    "dpo": "the data protection officer",
    "deputy_dpo": "the deputy data protection officer",
    "it_security": "IT security",
    "hr": "human resources",
    "chair_of_governors": "the chair of governors",
    "headteacher": "the headteacher",
    "dsl": "the designated safeguarding lead",
    "line_manager": "the line manager",
    "governors": "the governors",
    "sender": "the sender",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of routing.yml: where it applies, the roles to try in order, and why in words."""

    topics: frozenset[str]
    categories: frozenset[str]
    severities: frozenset[str]
    directions: frozenset[str]
    sender_roles: frozenset[str]
    # Some recipient is one of these, as the rules' condition `recipient_role` counts them.
    recipient_roles: frozenset[str]
    to: tuple[str, ...]
    because: str
    # Further people whom the policy wants told; the case says so, and who takes it passes it on.
    also: tuple[str, ...] = ()

    @staticmethod
    def roles() -> tuple[str, ...]:
        return ROLES

    def fits(
        self,
        topic: str,
        category: str,
        severity: str,
        direction: str,
        sender_role: str,
        recipient_roles: frozenset[str] = frozenset(),
    ) -> bool:
        return (
            (not self.topics or topic in self.topics)
            and (not self.categories or category in self.categories)
            and (not self.severities or severity in self.severities)
            and (not self.directions or direction in self.directions)
            and (not self.sender_roles or sender_role in self.sender_roles)
            and (not self.recipient_roles or bool(recipient_roles & self.recipient_roles))
        )


def load_routing(folder: Path) -> tuple[Line, ...]:
    """The lines of `folder/routing.yml`. The last one must fit everything, so that no case can fall through."""
    reader = Reader()
    root = load(folder / "routing.yml", f"{folder.name}/routing.yml")
    lines = read_lines(reader, root)
    if not lines or not lines[-1].fits("", "", "", "", ""):
        reader.wrong(root, "the last entry must fit every case: leave out every key but to and because")
    reader.stop_if_wrong()
    return lines


def read_lines(reader: Reader, root: Node | None) -> tuple[Line, ...]:
    """Entries of routing.yml, or of a policy pack's `routes`."""
    lines = []
    for item in reader.items(root):
        keys = (
            "topics", "categories", "severities", "directions", "sender_roles", "recipient_roles", "to", "also", "because",
        )  # fmt: skip
        found = reader.mapping(item, keys, needed=("to", "because"))

        def some(key: str, allowed: tuple[str, ...], found: dict[str, Node] = found) -> tuple[str, ...]:
            return reader.choices(found[key], allowed) if key in found else ()

        lines.append(
            Line(
                topics=frozenset(some("topics", TOPICS)),
                categories=frozenset(some("categories", CATEGORIES)),
                severities=frozenset(some("severities", SEVERITIES)),
                directions=frozenset(some("directions", ("outbound", "internal", "inbound", "stored"))),
                sender_roles=frozenset(some("sender_roles", get_args(PersonRole))),
                recipient_roles=frozenset(some("recipient_roles", (*get_args(PersonRole), "contact"))),
                to=some("to", ROLES),
                because=reader.text(found.get("because")),
                also=some("also", ROLES),
            )
        )
    return tuple(lines)


def parties(envelope: Envelope) -> frozenset[str]:
    """Every address that takes part in the mail, in lower case; of a document its owner's."""
    listed = [envelope.from_, envelope.sender, *envelope.reply_to, *envelope.recipients]
    owner = {envelope.mailbox.lower()} if envelope.kind == "document" and envelope.mailbox else set()
    return frozenset(item.address.lower() for item in listed if item is not None) | owner


def route(
    lines: tuple[Line, ...],
    topic: str,
    category: str,
    severity: Severity,
    direction: Direction,
    envelope: Envelope,
    directory: Directory,
    titles: Mapping[str, str] | None = None,
) -> Route:
    """The first line that fits, then the first of its roles that is held by somebody who is no party to the mail.

    `titles`: what a policy calls the roles, for the words of the route.
    """
    called = {**ROLES_IN_WORDS, **(titles or {})}
    person = _whom_it_concerns(envelope, direction, directory)
    sender_role = person.role if person and direction != "inbound" else ""
    readers = _recipient_roles(envelope, directory)
    line = next(entry for entry in lines if entry.fits(topic, category, severity, direction, sender_role, readers))
    because = line.because
    if line.also:
        because += f"; the policy also wants told: {' and '.join(called[role] for role in line.also)}"
    involved = frozenset(_who(address, directory) for address in parties(envelope))
    passed_over: list[str] = []
    tried: set[str] = set()
    for role in (*line.to, *LAST_RESORT):
        if role in tried:
            continue
        tried.add(role)
        holder = _holder(role, person, envelope, directory)
        if not holder:
            passed_over.append(f"nobody is listed as {called[role]}")
        elif _who(holder, directory) in involved and role != "sender":
            passed_over.append(f"{called[role]} is a party to the mail")
        elif role in line.to and role == line.to[0]:
            return Route(role, holder, because)
        else:
            return Route(role, holder, f"{because}; {', and '.join(passed_over)}", fallback=True)
    if not any(said.endswith("to the mail") for said in passed_over):
        passed_over = ["nobody is listed for any role that may get it"]
    return Route(line.to[0], "", f"{because}; {', and '.join(passed_over)}: an admin must name somebody", fallback=True)


def _who(address: str, directory: Directory) -> str:
    """One address for a person, whichever of theirs was used: the work address for an alias or a private one."""
    owner = directory.person(address) or directory.private_owner(address)
    return (owner.email if owner else address).lower()


def _whom_it_concerns(envelope: Envelope, direction: Direction, directory: Directory) -> Person | None:
    """Whose line manager and school count: the sender's where they are ours, else the first recipient's who is."""
    if direction == "inbound":
        owner = directory.private_owner(envelope.from_.address) if envelope.from_ else None
        return owner or next((found for item in envelope.recipients if (found := directory.person(item.address))), None)
    for origin in (envelope.sender, envelope.from_):
        found = directory.person(origin.address) if origin else None
        if found is not None:
            return found
    return None


def _recipient_roles(envelope: Envelope, directory: Directory) -> frozenset[str]:
    """Who gets it: the roles of our people, also at a private address on record, of groups, and of parents and carers."""
    found: set[str] = set()
    for item in envelope.recipients:
        person = directory.person(item.address) or directory.private_owner(item.address)
        if person is not None:
            found.add(person.role)
        if directory.contact(item.address) is not None:
            found.add("contact")
        found.add(directory.stands_for(item))
    return frozenset(found - {""})


def _holder(role: str, person: Person | None, envelope: Envelope, directory: Directory) -> str:
    if role == "line_manager":
        return person.manager if person else ""
    if role == "sender":
        return envelope.from_.address if envelope.from_ else ""
    return directory.holder(role, person.school if person else "")
