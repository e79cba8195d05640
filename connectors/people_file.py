"""`people.yaml` (contract section 5): who is who, for scans without a tenant and for what a directory does not know.

Strict: an unknown key, a wrong type, a bad address or a name that nothing stands for is an error with file and line, and all
errors are shown at once. ruamel.yaml is used because its nodes know their lines.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from scanner.errors import ConfigError, ConfigErrors
from scanner.model import Contact, Grant, People, Person, PersonRole, Pupil

_T = TypeVar("_T")
MAX_BYTES = 64 * 1024 * 1024
ROLES = (
    "dpo",
    "deputy_dpo",
    "it_security",
    "hr",
    "chair_of_governors",
    "headteacher",
    "dsl",
    "line_manager",
    "governors",
    "sender",
)
_GRANT_KINDS = ("send_as", "broadcast", "auction", "business", "transfer", "contract", "education")
_TOP = (
    "organisation",
    "domains",
    "trusted_domains",
    "schools",
    "roles",
    "people",
    "contacts",
    "published",
    "protected",
    "grants",
)
_PERSON = (
    "email",
    "name",
    "role",
    "job_title",
    "school",
    "manager",
    "personal_addresses",
    "aliases",
    "leaves_on",
    "class",
)
# Deliberately narrow: an ordinary addr-spec without quoting (RFC 5321 section 4.1.2), internationalised local parts allowed.
_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@[A-Za-z0-9.-]{1,253}")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NULLS = ("", "~", "null", "Null", "NULL")


def load_people(path: Path, *, shown: str | None = None) -> People:
    """The people of one file. Raises ConfigError (unreadable, not YAML) or ConfigErrors (wrong content)."""
    place = shown or str(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(place, f"cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(place, f"is larger than {MAX_BYTES:,} bytes")
    return parse_people(data, place)


def parse_people(data: bytes, place: str) -> People:
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{place}:{line}", "is not UTF-8 text") from error
    try:
        root = YAML(typ="safe").compose(content)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(f"{place}:{mark.line + 1 if mark else 1}", f"is not valid YAML: {error.problem}") from error
    except (YAMLError, ValueError) as error:
        raise ConfigError(place, "is not valid YAML") from error
    except RecursionError as error:
        raise ConfigError(place, "is nested too deeply") from error
    reading = _Reading(place)
    people = reading.people(root) if root is not None else People()
    if reading.errors:
        raise ConfigErrors(reading.errors)
    return with_version(people)


def with_version(people: People) -> People:
    """The same snapshot under a version made from its content, so that equal people have equal versions."""
    values = {name.name: getattr(people, name.name) for name in fields(people) if name.name != "version"}
    digest = hashlib.sha256(repr(_ordered(values)).encode("utf-8", "surrogatepass")).hexdigest()
    return People(**values, version=digest[:16])


def _ordered(value: Any) -> Any:
    """Plain nested tuples in which mappings are in the order of their keys."""
    if isinstance(value, Mapping):
        return tuple(sorted((key, _ordered(inner)) for key, inner in value.items()))
    if isinstance(value, tuple):
        return tuple(_ordered(inner) for inner in value)
    if is_dataclass(value):
        return tuple(_ordered(getattr(value, part.name)) for part in fields(value))
    return value


def is_address(value: str) -> bool:
    return len(value) <= 254 and _ADDRESS.fullmatch(value) is not None and is_domain(value.rpartition("@")[2])


def is_domain(value: str) -> bool:
    labels = value.split(".")
    return len(value) <= 253 and len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels)


class _Reading:
    """One pass over the nodes of one file, collecting what is wrong."""

    def __init__(self, place: str) -> None:
        self._place = place
        self.errors: list[ConfigError] = []

    def people(self, root: Node) -> People:
        top = self._mapping(root, _TOP)
        schools = self._list(top.get("schools"), self._text)
        emails: dict[str, Node] = {}
        return People(
            organisation=self._text(top.get("organisation")),
            domains=self._list(top.get("domains"), self._domain),
            trusted_domains=self._list(top.get("trusted_domains"), self._domain),
            schools=schools,
            roles=self._roles(top.get("roles"), schools),
            people=self._list(top.get("people"), lambda node: self._person(node, schools, emails)),
            contacts=self._list(top.get("contacts"), lambda node: self._contact(node, schools)),
            published=self._list(top.get("published"), self._text),
            protected=self._list(top.get("protected"), self._address_or_domain),
            grants=self._list(top.get("grants"), self._grant),
        )

    # --- what the file is made of ------------------------------------------------------------------------------------

    def _person(self, node: Node, schools: tuple[str, ...], emails: dict[str, Node]) -> Person:
        entry = self._mapping(node, _PERSON, needed=("email", "name", "role"))
        email = self._address(entry.get("email"))
        if email and email in emails:
            first = emails[email].start_mark.line + 1
            self._wrong(entry["email"], f"is the address of a person already listed in line {first}")
        elif email:
            emails[email] = entry["email"]
        return Person(
            email=email,
            name=self._text(entry.get("name")),
            role=cast(PersonRole, self._choice(entry.get("role"), get_args(PersonRole)) or "staff"),
            job_title=self._text(entry.get("job_title")),
            school=self._school(entry.get("school"), schools),
            manager=self._address(entry.get("manager")),
            personal_addresses=self._list(entry.get("personal_addresses"), self._address),
            aliases=self._list(entry.get("aliases"), self._address),
            leaves_on=self._date(entry.get("leaves_on")),
            class_name=self._text(entry.get("class")),
        )

    def _contact(self, node: Node, schools: tuple[str, ...]) -> Contact:
        entry = self._mapping(node, ("email", "name", "pupils"), needed=("email", "name"))
        return Contact(
            self._address(entry.get("email")),
            self._text(entry.get("name")),
            self._list(entry.get("pupils"), lambda pupil: self._pupil(pupil, schools)),
        )

    def _pupil(self, node: Node, schools: tuple[str, ...]) -> Pupil:
        if isinstance(node, ScalarNode):
            return Pupil(self._text(node))
        entry = self._mapping(node, ("name", "school", "class"), needed=("name",))
        return Pupil(
            self._text(entry.get("name")), self._school(entry.get("school"), schools), self._text(entry.get("class"))
        )

    def _grant(self, node: Node) -> Grant:
        entry = self._mapping(node, ("kind", "who", "for", "until"), needed=("kind", "who"))
        return Grant(
            self._choice(entry.get("kind"), _GRANT_KINDS),
            self._text(entry.get("who")),
            self._text(entry.get("for")),
            self._date(entry.get("until")),
        )

    def _roles(self, node: Node | None, schools: tuple[str, ...]) -> dict[str, dict[str, str]]:
        roles: dict[str, dict[str, str]] = {}
        for role, holder in self._mapping(node, ROLES).items() if node is not None else ():
            if isinstance(holder, MappingNode):
                by_school = self._mapping(holder, schools, kind="school")
                roles[role] = {school: self._address(value) for school, value in by_school.items()}
            else:
                roles[role] = {"": self._address(holder)}
        return roles

    # --- values ------------------------------------------------------------------------------------------------------

    def _wrong(self, node: Node, message: str) -> None:
        self.errors.append(ConfigError(f"{self._place}:{node.start_mark.line + 1}", message))

    def _mapping(
        self, node: Node, allowed: tuple[str, ...], *, needed: tuple[str, ...] = (), kind: str = "key"
    ) -> dict[str, Node]:
        listed = ", ".join(allowed) or "none are listed under schools"
        if not isinstance(node, MappingNode):
            self._wrong(node, f"must be a mapping ({kind}s allowed: {listed}), not {_kind(node)}")
            return {}
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, ScalarNode) else ""
            if name not in allowed:
                self._wrong(key, f"unknown {kind} {name!r} (allowed: {listed})")
            elif name in found:
                self._wrong(key, f"{kind} {name!r} is there twice")
            elif not _is_null(value):
                found[name] = value
        for name in needed:
            if name not in found:
                self._wrong(node, f"{kind} {name!r} is missing")
        return found

    def _list(self, node: Node | None, read: Callable[[Node], _T]) -> tuple[_T, ...]:
        if node is None:
            return ()
        if not isinstance(node, SequenceNode):
            self._wrong(node, f"must be a list ([…] or lines with -), not {_kind(node)}")
            return ()
        return tuple(read(item) for item in node.value)

    def _text(self, node: Node | None) -> str:
        if node is None:
            return ""
        if not isinstance(node, ScalarNode) or _is_null(node) or not node.value.strip():
            self._wrong(node, f"must be text, not {_kind(node)}")
            return ""
        return str(node.value).strip()

    def _address(self, node: Node | None) -> str:
        value = self._text(node)
        if node is not None and value and not is_address(value):
            self._wrong(node, "is not a mail address (name@domain.example)")
            return ""
        return value.lower()

    def _domain(self, node: Node | None) -> str:
        value = self._text(node)
        if node is not None and value and not is_domain(value):
            self._wrong(node, "is not a domain (school.example)")
            return ""
        return value.lower()

    def _address_or_domain(self, node: Node | None) -> str:
        value = self._text(node)
        if node is not None and value and not (is_address(value) or is_domain(value)):
            self._wrong(node, "is neither a mail address nor a domain")
            return ""
        return value.lower()

    def _school(self, node: Node | None, schools: tuple[str, ...]) -> str:
        value = self._text(node)
        if node is not None and value and value not in schools:
            self._wrong(node, f"school {value!r} is not listed under schools ({', '.join(schools) or 'empty'})")
        return value

    def _choice(self, node: Node | None, allowed: tuple[str, ...]) -> str:
        value = self._text(node)
        if node is not None and value and value not in allowed:
            self._wrong(node, f"must be one of {', '.join(allowed)}, not {value!r}")
            return ""
        return value

    def _date(self, node: Node | None) -> date | None:
        value = self._text(node)
        if node is None or not value:
            return None
        try:
            if not _DATE.fullmatch(value):
                raise ValueError
            return date.fromisoformat(value)
        except ValueError:
            self._wrong(node, "must be a date of the calendar such as 2027-07-31")
            return None


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.style not in ("'", '"') and node.value in _NULLS


def _kind(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    return "nothing" if _is_null(node) or not node.value.strip() else "a single value"
