"""Who is who in a tenant: users with a mailbox, their managers, aliases and schools, and the verified domains.

What a directory does not know (contacts, roles, trusted domains, private addresses) comes from an optional people.yaml, which
also has the last word on a person's role and school.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from connectors.graph import GraphClient, Json, is_state_gone, items, missing, segment, text
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
    "assignedLicenses",
    "userType",
)
_USERS_A_PAGE = "999"
# Mailboxes that nobody signs in to as a person (mailboxSettings.userPurpose).
_NOBODYS = frozenset({"shared", "room", "equipment"})
# How many mailboxes are asked at a time what they are for, and after how many refusals nobody is asked any more.
_ASKED_AT_ONCE = 8
_REFUSALS = 3
_MOST_CHANGES = 300  # so many single readings cost as much as reading a directory of thousands by pages
# Whole words of a job title or department that say what somebody is; anybody else with an enabled account is staff.
_ROLE_WORDS: tuple[tuple[PersonRole, frozenset[str]], ...] = (
    ("pupil", frozenset({"pupil", "pupils", "student", "students"})),
    ("governor", frozenset({"governor", "governors", "trustee", "trustees"})),
    ("contractor", frozenset({"contractor", "contractors"})),
)


@dataclass(frozen=True, slots=True)
class _User:
    """`unclear`: the account is blocked or has no licence, so that it may stand for a shared mailbox, a room or a device."""

    id: str
    manager_id: str
    person: Person
    unclear: bool = False


class M365People:
    """The people of one tenant. `extra` is what people.yaml adds, or gives it each time; `schools` of it name the schools to
    look for.

    `purposes`: ask mailboxes without a usable account what they are for (needs MailboxSettings.Read); without it a blocked account
    counts as a shared mailbox, which it mostly is. `school_words`: (word, school) pairs; the first word that office or
    department holds decides. Members of the groups in
    `exempt_groups` are not scanned, those of `protected_groups` are sealed correspondents. After the first reading
    of the directory only what changed is read, by delta.
    """

    name = "m365_people"

    def __init__(
        self,
        client: GraphClient,
        extra: People | Callable[[], People] | None = None,
        *,
        school_words: Sequence[tuple[str, str]] = (),
        exempt_groups: Sequence[str] = (),
        protected_groups: Sequence[str] = (),
        purposes: bool = False,
    ) -> None:
        self._client = client
        given = People() if extra is None or callable(extra) else extra
        self._added = extra if callable(extra) else lambda: given
        self._extra = self._snapshot_with = self._added()
        self._school_words = tuple((word.casefold(), school) for word, school in school_words)
        self._exempt_groups = tuple(exempt_groups)
        self._protected_groups = tuple(protected_groups)
        self._purposes = purposes
        self._purpose: dict[str, str] = {}
        self._exempt: frozenset[str] = frozenset()
        self._known: dict[str, _User] = {}
        self._delta = ""
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
        self._extra = self._added()
        organisation, domains = self._organisation()
        users = self._refreshed()
        addresses = {user.id: user.person.email for user in users}
        listed = {person.email: person for person in self._extra.people}
        people = [
            self._joined(
                replace(user.person, manager=addresses.get(user.manager_id, "")), listed.pop(user.person.email, None)
            )
            for user in users
        ]
        protected = sorted(self._members(self._protected_groups, addresses))
        exempt = frozenset(self._members(self._exempt_groups, addresses))
        with self._lock:
            self._ids = {address: identifier for identifier, address in addresses.items()}
            self._exempt = exempt
        schools = self._extra.schools or tuple(sorted({person.school for person in people if person.school}))
        snapshot = with_version(
            replace(
                self._extra,
                organisation=self._extra.organisation or organisation,
                protected=tuple(dict.fromkeys((*self._extra.protected, *protected))),
                domains=tuple(dict.fromkeys((*domains, *self._extra.domains))),
                schools=schools,
                people=(*sorted(people, key=lambda person: person.email), *listed.values()),
            )
        )
        # Last of all: where Graph did not answer, what was added is still news.
        self._snapshot_with = self._extra
        return snapshot

    def mailbox_ids(self) -> Mapping[str, str]:
        """Address → object id of everybody who may have a mailbox, in order of address; read once, and again by `load`."""
        if self._ids is None:
            found = {user.person.email: user.id for user in self._users()}
            with self._lock:
                self._ids = found
        return self._ids

    def has_news(self) -> bool:
        """Whether what is added to the directory is not what the last snapshot was made with."""
        return self._added() is not self._snapshot_with

    @property
    def extra(self) -> People:
        """What people.yaml and the imported contacts add."""
        return self._extra

    def exempt(self) -> frozenset[str]:
        """The addresses that are never scanned; raises ConnectorError where the groups cannot be read."""
        if self._exempt_groups and self._ids is None:
            self.load()
        return self._exempt

    def _members(self, groups: Sequence[str], addresses: Mapping[str, str]) -> set[str]:
        """Everybody in these groups and the groups in them. A member without an address of ours counts by the one it has."""
        found: set[str] = set()
        for group in groups:
            what = f"reading group {group}"
            for member in self._client.pages(
                f"/groups/{segment(group)}/transitiveMembers",
                what=what,
                params={"$select": "id,mail", "$top": _USERS_A_PAGE},
            ):
                address = addresses.get(text(member, "id", what)) or str(member.get("mail") or "").lower()
                if address:
                    found.add(address)
        return found

    def _refreshed(self) -> list[_User]:
        """The users, read whole at first and when too much changed or the link has run out (after seven days)."""
        changed = self._changes() if self._delta and self._known else None
        if changed is None:
            self._delta = self._latest()  # before the reading, so that what changes meanwhile is told next time
            self._known = {user.id: user for user in self._users()}
            self._purpose = {identifier: said for identifier, said in self._purpose.items() if said}
        else:
            for identifier in changed:
                self._known.pop(identifier, None)
                self._purpose.pop(identifier, None)
                if (user := self._one(identifier)) is not None:
                    self._known[identifier] = user
        if self._purposes:
            self._ask_purposes([user for user in self._known.values() if user.unclear and user.id not in self._purpose])
        return sorted(
            (self._as_it_is(user) for user in self._known.values()),
            key=lambda user: user.person.email,
        )

    def _ask_purposes(self, users: Sequence[_User]) -> None:
        """What each of these mailboxes is for; empty where it does not say. Only a user's own settings tell, so that it costs a
        request for each, once.
        """
        refused = threading.Semaphore(_REFUSALS)
        over = threading.Event()

        def ask(user: _User) -> None:
            if over.is_set():
                return
            try:
                settings = self._client.get(
                    f"/users/{segment(user.id)}/mailboxSettings",
                    what="reading what a mailbox is for",
                    mailbox=user.person.email,
                    params={"$select": "userPurpose"},
                )
            except ConnectorError as error:
                if not error.permanent:
                    return  # busy or moving just now: asked again the next time
                if error.status == 403 and not refused.acquire(blocking=False):
                    over.set()  # a permission that nobody gave; asked again at the next whole reading
                    return
                self._purpose[user.id] = ""
            else:
                self._purpose[user.id] = text(settings, "userPurpose", "reading what a mailbox is for").lower()

        with ThreadPoolExecutor(_ASKED_AT_ONCE) as threads:
            list(threads.map(ask, users))

    def _as_it_is(self, user: _User) -> _User:
        """Shared where the mailbox says so; a blocked account of a person who left stays a person."""
        purpose = self._purpose.get(user.id, "")
        if not purpose or user.person.role not in ("staff", "shared"):
            return user
        role: PersonRole = (
            "shared" if purpose in _NOBODYS else "staff" if purpose in ("user", "linked") else user.person.role
        )
        return replace(user, person=replace(user.person, role=role))

    def _latest(self) -> str:
        """A delta link from now on; empty where the directory gives none, which means whole readings."""
        what = "following the directory"
        try:
            page = self._client.get(
                "/users/delta",
                what=what,
                params={"$select": ",".join((*_PROPERTIES, "manager")), "$deltatoken": "latest"},
            )
        except ConnectorError as error:
            if error.permanent:
                return ""
            raise
        return str(page.get("@odata.deltaLink") or "")

    def _changes(self) -> set[str] | None:
        """The ids of users that changed since the last reading, None where everything has to be read again."""
        what = "reading changes of the directory"
        link, found = self._delta, set()
        try:
            while True:
                page = self._client.get(link, what=what)
                found |= {text(item, "id", what) for item in items(page, what)}
                following = page.get("@odata.nextLink")
                if not isinstance(following, str) or len(found) > _MOST_CHANGES:
                    break
                link = following
        except ConnectorError as error:
            if is_state_gone(error) or error.status == 400:
                return None
            raise
        if len(found) > _MOST_CHANGES or not isinstance(page.get("@odata.deltaLink"), str):
            return None
        self._delta = page["@odata.deltaLink"]
        return found

    def _one(self, identifier: str) -> _User | None:
        """A user as they are now; None for one that is gone, has no address, or is a guest."""
        what = "reading a user"
        try:
            item = self._client.get(
                f"/users/{segment(identifier)}",
                what=what,
                params={"$select": ",".join(_PROPERTIES), "$expand": "manager($select=id)"},
            )
        except ConnectorError as error:
            if error.status == 404:
                return None
            raise
        return self._member(item, what)

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
            if (user := self._member(item, what)) is not None:
                found.append(user)
        return sorted(found, key=lambda user: user.person.email)

    def _member(self, item: Json, what: str) -> _User | None:
        lacking = [name for name in _PROPERTIES if name not in item]
        if lacking:
            raise missing(what, *lacking)
        if not item["mail"] or (item["userType"] or "Member").lower() == "guest":
            return None
        return self._user(item, what)

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
            unclear=item["accountEnabled"] is False or not item["assignedLicenses"],
        )

    def _school(self, office: str, department: str) -> str:
        """The school that office or department names. Without a list of schools the office is taken as it stands."""
        for word, school in self._school_words:
            if word in office.casefold() or word in department.casefold():
                return school
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
