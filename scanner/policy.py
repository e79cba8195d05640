"""Policy packs: what the trust's own acceptable-use policy says, as data in `rules/policies/`.

A pack cites clauses for topics, may change a rule's severity or switch it off, and says which locks count as protection.
No trust's name is in code: the pack is the only place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from scanner.errors import ConfigError
from scanner.model import SEVERITIES, Grade, Severity
from scanner.rulebook import TOPICS, Rulebook
from scanner.yaml_source import Reader, load

SCAN_MODES = ("routine", "by_grant", "stated_purpose", "none_stated")
PACK_KEYS = ("title", "source", "scan_mode", "time_zone", "protected_grades", "ocr", "clauses", "topics", "rules")


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause: its id as printed with the pack's slug, and what it says in our own words."""

    id: str
    says: str


@dataclass(frozen=True, slots=True)
class Policy:
    """One pack. `clauses` gives the clauses of a topic, `severity` overrides by topic, `off` the rules that do not apply;
    `reads_pictures` says whether the policy lets text in pictures be read.
    """

    slug: str
    title: str
    source: str
    scan_mode: str
    time_zone: str
    protected_grades: tuple[Grade, ...]
    clauses: Mapping[str, tuple[Clause, ...]]
    severity: Mapping[str, Severity]
    off: frozenset[str]
    version: str
    reads_pictures: bool = True


def load_policy(folder: Path, slug: str, rulebook: Rulebook | None = None) -> Policy:
    """The pack `folder/policies/<slug>.yml`. Raises ConfigErrors with every mistake and the words that are allowed."""
    packs = sorted(path.stem for path in (folder / "policies").glob("*.yml"))
    if slug not in packs:
        raise ConfigError(f"policy {slug!r}", f"there is no such pack (allowed: {', '.join(packs) or 'none found'})")
    path = folder / "policies" / f"{slug}.yml"
    shown = f"{folder.name}/policies/{path.name}"
    reader = Reader()
    root = load(path, shown)
    found = reader.mapping(root, PACK_KEYS, needed=("title", "source", "scan_mode", "clauses"))
    clauses: dict[str, tuple[Clause, ...]] = {}
    if "clauses" in found:
        for topic, node in reader.mapping(found["clauses"], TOPICS).items():
            entries = []
            for item in reader.items(node):
                entry = reader.mapping(item, ("id", "says"), needed=("id", "says"))
                entries.append(Clause(f"{slug}:{reader.text(entry.get('id'))}", reader.text(entry.get("says"))))
            clauses[topic] = tuple(entries)
    severity: dict[str, Severity] = {}
    off_topics: set[str] = set()
    if "topics" in found:
        for topic, node in reader.mapping(found["topics"], TOPICS).items():
            entry = reader.mapping(node, ("severity", "state"))
            if "severity" in entry:
                severity[topic] = reader.choice(entry["severity"], SEVERITIES, "moderate")  # type: ignore[assignment]
            if reader.choice(entry.get("state"), ("on", "off"), "on") == "off":
                off_topics.add(topic)
    off: set[str] = set()
    for item in reader.items(found.get("rules")):
        entry = reader.mapping(item, ("id", "state"), needed=("id", "state"))
        rule_id = reader.text(entry.get("id"))
        rule = rulebook.rule(rule_id) if rulebook is not None else None
        if rulebook is not None and rule is None:
            reader.wrong(item, f"there is no rule {rule_id!r}")
        if reader.choice(entry.get("state"), ("on", "off"), "on") == "off":
            off.add(rule.id if rule is not None else rule_id)
    if rulebook is not None:
        off |= {rule.id for rule in rulebook.rules if rule.topic in off_topics}
    zone = reader.text(found.get("time_zone"), "Europe/London")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of the database, such as Europe
        reader.wrong(
            found.get("time_zone", root), f"{zone!r} is not a time zone of the IANA database, such as Europe/London"
        )
    grades = reader.choices(found["protected_grades"], get_args(Grade)) if "protected_grades" in found else ("strong",)
    policy = Policy(
        slug=slug,
        title=reader.text(found.get("title")),
        source=reader.text(found.get("source")),
        scan_mode=reader.choice(found.get("scan_mode"), SCAN_MODES, "routine"),
        time_zone=zone,
        protected_grades=grades,  # type: ignore[arg-type]
        clauses=clauses,
        severity=severity,
        off=frozenset(off),
        version=hashlib.sha256(path.read_bytes()).hexdigest()[:12],
        reads_pictures=reader.choice(found.get("ocr"), ("on", "off"), "on") == "on",
    )
    reader.stop_if_wrong()
    return policy
