"""Exceptions: what the trust has decided to forgive, by whom, why and until when (`rules/exceptions.yml`).

An exempted finding stays in the verdict and says which exception excuses it; nothing is hidden. Past its last day an
exception does nothing and is reported.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from scanner.conditions import Condition, read_condition
from scanner.rulebook import Rulebook
from scanner.soundness import impossible, too_dear
from scanner.yaml_source import Node, Reader, load

KEYS = {
    "id": "its name, shown with every finding that it excuses",
    "rules": "ids of the rules that it speaks of",
    "matches": "conditions as in a rule: which messages are excused",
    "reason": "why",
    "owner": "who answers for it, a role or an address",
    "until": "the last day on which it counts, such as 2027-07-31",
    "open_cases": "true: `mailwarden rules excuse` may apply it to cases that wait already (default false)",
}
_NEEDED = ("id", "rules", "matches", "reason", "owner", "until")
_ID = re.compile(r"[a-z][a-z0-9_-]{2,60}\Z")


@dataclass(frozen=True, slots=True)
class Exemption:
    """One exception. `until` is its last day."""

    id: str
    rules: tuple[str, ...]
    matches: Condition
    reason: str
    owner: str
    until: date
    place: str
    open_cases: bool = False

    def counts_on(self, day: date) -> bool:
        return day <= self.until


@dataclass(frozen=True, slots=True)
class Exemptions:
    """All exceptions of a set, in the order of the file."""

    items: tuple[Exemption, ...] = ()
    version: str = ""

    def for_rule(self, rule_id: str, day: date) -> tuple[Exemption, ...]:
        return tuple(item for item in self.items if rule_id in item.rules and item.counts_on(day))

    def expired(self, day: date) -> tuple[Exemption, ...]:
        return tuple(item for item in self.items if not item.counts_on(day))

    def labels(self) -> frozenset[str]:
        return frozenset().union(*(item.matches.labels() for item in self.items))


def load_exemptions(folder: Path, rulebook: Rulebook, known_labels: Iterable[str] | None = None) -> Exemptions:
    """The exceptions of the rules folder; none where it has no file. Raises ConfigErrors listing every mistake."""
    path = folder / "exceptions.yml"
    if not path.is_file():
        return Exemptions()
    reader = Reader()
    root = reader.mapping(load(path, f"{folder.name}/{path.name}"), ("exceptions",), needed=("exceptions",))
    items: list[Exemption] = []
    for node in reader.items(root.get("exceptions")):
        before = len(reader.errors)
        item = _exemption(reader, node, rulebook)
        if item is None or len(reader.errors) > before:
            continue
        if any(other.id == item.id for other in items):
            reader.wrong(node, f"id {item.id!r} is used twice")
        if known_labels is not None:
            for label in sorted(item.matches.labels() - frozenset(known_labels)):
                reader.wrong(node, f"no detector gives the label {label!r}")
        items.append(item)
    reader.stop_if_wrong()
    if not items:
        return Exemptions()
    return Exemptions(tuple(items), hashlib.sha256(path.read_bytes()).hexdigest()[:12])


def _exemption(reader: Reader, node: Node, rulebook: Rulebook) -> Exemption | None:
    found = reader.mapping(node, tuple(KEYS), needed=_NEEDED)
    if not set(_NEEDED) <= set(found):
        return None
    name = reader.text(found["id"])
    if name and not _ID.match(name):
        reader.wrong(found["id"], "must be lower-case letters, digits, _ and -, from 3 to 61, beginning with a letter")
    rules = []
    for item in reader.items(found["rules"]):
        rule = rulebook.rule(reader.text(item))
        if rule is None:
            known = ", ".join(rule.id for rule in rulebook.rules)
            reader.wrong(item, f"there is no rule {item.value!r} (known: {known})")
        else:
            rules.append(rule.id)
    if not tuple(reader.items(found["rules"])):
        reader.wrong(found["rules"], "must name at least one rule")
    before = len(reader.errors)
    matches = read_condition(reader, found["matches"])
    if len(reader.errors) == before and (wrong := too_dear(matches) or impossible(matches)):
        reader.wrong(found["matches"], wrong)
    until = found["until"].value
    if not isinstance(until, date):
        reader.wrong(found["until"], "must be a date such as 2027-07-31: an exception without an end is a hole")
        until = date.min
    open_cases = reader.flag(found.get("open_cases"), False)
    return Exemption(
        id=name,
        rules=tuple(rules),
        matches=matches,
        reason=reader.text(found["reason"]),
        owner=reader.text(found["owner"]),
        until=until,
        place=node.place,
        open_cases=open_cases,
    )
