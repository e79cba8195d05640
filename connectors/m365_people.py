"""Who is who in a tenant: users with a mailbox, their managers, aliases and schools, and the verified domains.

What a directory does not know (contacts, roles, trusted domains, private addresses) comes from an optional people.yaml, which
also has the last word on a person's role and school.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from connectors.graph import GraphClient, Json, missing, text
from connectors.people_file import with_version
from scanner.errors import ConnectorError
from scanner.model import People, Person, PersonRole

_PROPERTIES = (
    "id",
    "userPrincipalName",
    "mail",
    "displayName",
    "proxyAddresses",
    "jobTitle",
    "department",
    "officeLocation",
    "accountEnabled",
    "userType",
)
_USERS_A_PAGE = "999"
# Whole words of a job title or department that say what somebody is; anybody else with an enabled account is staff.
_ROLE_WORDS: tuple[tuple[PersonRole, frozenset[str]], ...] = (
    ("pupil", frozenset({"pupil", "pupils", "student", "students"})),
    ("governor", frozenset({"governor", "governors", "trustee", "trustees"})),
    ("contractor", frozenset({"contractor", "contractors"})),
)


@dataclass(frozen=True, slots=True)
class _User:
    id: str
    manager_id: str
    person: Person


class M365People:
    """The people of one tenant. `extra` is what people.yaml adds; `schools` of it name the schools to look for."""

    name = "m365_people"

    def __init__(self, client: GraphClient, extra: People | None = None) -> None:
        self._client = client
        self._extra = extra or People()
        self._ids: dict[str, str] | None = None
        self._lock = threading.Lock()

    def check(self) -> list[str]:
        """One sentence for each directory reading that fails."""
        problems = self._client.check(self.name)
        if problems:
            return problems
        try:
            self._client.get("/users", what="reading the directory", params={"$select": "id", "$top": "1"})
            self._organisation()
        except ConnectorError as error:
            problems.append(f"{self.name}: {error}")
        return problems

    def load(self) -> People:
        """A fresh snapshot. Raises ConnectorError; a half-read directory is never handed out."""
        organisation, domains = self._organisation()
        users = self._users()
        addresses = {user.id: user.person.email for user in users}
        listed = {person.email: person for person in self._extra.people}
        people = [
            self._joined(
                replace(user.person, manager=addresses.get(user.manager_id, "")), listed.pop(user.person.email, None)
            )
            for user in users
        ]
        with self._lock:
            self._ids = {address: identifier for identifier, address in addresses.items()}
        schools = self._extra.schools or tuple(sorted({person.school for person in people if person.school}))
        return with_version(
            replace(
                self._extra,
                organisation=self._extra.organisation or organisation,
                domains=tuple(dict.fromkeys((*domains, *self._extra.domains))),
                schools=schools,
                people=(*sorted(people, key=lambda person: person.email), *listed.values()),
            )
        )

    def mailbox_ids(self) -> Mapping[str, str]:
        """Address → object id of everybody who may have a mailbox, in order of address; read once, and again by `load`."""
        if self._ids is None:
            found = {user.person.email: user.id for user in self._users()}
            with self._lock:
                self._ids = found
        return self._ids

    def _organisation(self) -> tuple[str, list[str]]:
        what = "reading the organisation"
        for item in self._client.pages(
            "/organization", what=what, params={"$select": "id,displayName,verifiedDomains"}
        ):
            domains = item.get("verifiedDomains")
            if not isinstance(domains, list) or not domains:
                raise missing(what, "verifiedDomains")
            # Only verified domains are listed here, so each of them is ours.
            return text(item, "displayName", what), [text(domain, "name", what).lower() for domain in domains]
        raise missing(what, "organization")

    def _users(self) -> list[_User]:
        """Members with an address. Neither account state nor licence says who has a mailbox: shared ones have neither."""
        what = "reading the directory"
        found = []
        for item in self._client.pages(
            "/users",
            what=what,
            params={"$select": ",".join(_PROPERTIES), "$expand": "manager($select=id)", "$top": _USERS_A_PAGE},
        ):
            lacking = [name for name in _PROPERTIES if name not in item]
            if lacking:
                raise missing(what, *lacking)
            if item["mail"] and (item["userType"] or "Member").lower() != "guest":
                found.append(self._user(item, what))
        return sorted(found, key=lambda user: user.person.email)

    def _user(self, item: Json, what: str) -> _User:
        email = text(item, "mail", what).lower()
        manager = item.get("manager")
        aliases = [
            str(address)[5:].lower() for address in item["proxyAddresses"] or () if str(address)[:5].lower() == "smtp:"
        ]
        aliases.append(text(item, "userPrincipalName", what).lower())
        title, department = str(item["jobTitle"] or ""), str(item["department"] or "")
        return _User(
            text(item, "id", what),
            text(manager, "id", what) if isinstance(manager, dict) else "",
            Person(
                email=email,
                name=str(item["displayName"] or email),
                role=_role(title, department, enabled=item["accountEnabled"] is not False),
                job_title=title,
                school=self._school(str(item["officeLocation"] or ""), department),
                aliases=tuple(alias for alias in dict.fromkeys(aliases) if alias != email),
            ),
        )

    def _school(self, office: str, department: str) -> str:
        """The school that office or department names. Without a list of schools the office is taken as it stands."""
        if not self._extra.schools:
            return office
        places = {office.casefold(), department.casefold()}
        return next((school for school in self._extra.schools if school.casefold() in places), "")

    @staticmethod
    def _joined(person: Person, listed: Person | None) -> Person:
        if listed is None:
            return person
        return replace(
            listed,
            name=person.name,
            job_title=listed.job_title or person.job_title,
            school=listed.school or person.school,
            manager=person.manager or listed.manager,
            aliases=tuple(dict.fromkeys((*person.aliases, *listed.aliases))),
        )


def _role(title: str, department: str, *, enabled: bool) -> PersonRole:
    for role, words in _ROLE_WORDS:
        # "Student Services" is an office full of staff, so a title or department must be the word and nothing more.
        if title.strip().lower() in words or department.strip().lower() in words:
            return role
    return "staff" if enabled else "shared"
