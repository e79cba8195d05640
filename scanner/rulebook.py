"""Rules: one file each in `rules/detect/`, the file's stem is the id. They name labels and facts, never detectors.

Loading collects every mistake with file and line. A rule carries its examples; `scanner.inspection.prove` runs them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from scanner.conditions import TEXTS, Condition, Scene, read_condition, words
from scanner.conditions import schema as condition_schema
from scanner.errors import ConfigError
from scanner.model import SEVERITIES, ItemKind, PastFact, SegmentOwner, Severity, Share
from scanner.ports import NamesNear
from scanner.soundness import implies, impossible, too_dear
from scanner.yaml_source import Node, Reader, load

TOPICS = (
    "personal_data",
    "weak_protection",
    "password_exposed",
    "credentials_in_mail",
    "personal_address",
    "personal_account_use",
    "auto_forward",
    "sharing_personal_contact",
    "staff_pupil_contact",
    "misdirected_mail",
    "chain_mail",
    "junk_bulk_mail",
    "inappropriate_language",
    "sexual_content",
    "threats",
    "harassment_discrimination",
    "defamation_disrepute",
    "confidential_info",
    "safeguarding_concern",
    "gambling",
    "auctions",
    "private_business",
    "copyright_media",
    "malware_executables",
    "phishing",
    "impersonation",
    "subject_line",
    "disclaimer",
    "out_of_hours",
    "contract_commitment",
    "personal_use",
    "personal_cloud",
    "ai_service",
)
CATEGORIES = ("personal_data", "chain_mail", "language", "personal_address", "conduct", "security", "safeguarding")
STATES = ("on", "shadow", "off")
RULE_KEYS = (
    "title", "topic", "category", "severity", "raise", "owner", "state", "advice", "owners", "when", "was", "only_where", "past",
    "examples",
)  # fmt: skip
_NEEDED = ("title", "topic", "category", "severity", "owner", "advice", "when", "examples")
_ID = re.compile(r"[a-z][a-z0-9_]{2,60}\Z")


@dataclass(frozen=True, slots=True)
class Raise:
    """A severity that holds instead of the rule's own where `when` holds; the first of a rule's list that does wins."""

    severity: Severity
    when: Condition


@dataclass(frozen=True, slots=True)
class ExampleAttachment:
    """A file of an example: rows become CSV, text is UTF-8, `base64` is for small files of other kinds."""

    name: str
    text: str | None
    rows: tuple[tuple[str, ...], ...]
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Example:
    """A small mail as data that a rule must flag, or must let pass."""

    must_flag: bool
    why: str
    place: str
    from_: str
    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    subject: str
    body: str
    attachments: tuple[ExampleAttachment, ...]
    kind: ItemKind = "message"
    shared: tuple[Share, ...] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    sent: datetime | None = None
    past: tuple[PastFact, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `version` is a hash of the file, so that a finding says which wording made it."""

    id: str
    place: str
    title: str
    topic: str
    category: str
    severity: Severity
    raises: tuple[Raise, ...]
    owner: str
    state: str
    advice: str
    owners: tuple[SegmentOwner, ...]
    when: Condition
    was: tuple[str, ...]
    # Values of a policy pack's keys under which alone the rule runs; `scanner.policy` checks the words.
    only_where: tuple[tuple[str, tuple[str, ...]], ...]
    # What the messages before must show, all of it; such a rule speaks only where they are known.
    past: tuple[PastFact, ...]
    examples: tuple[Example, ...]
    version: str
    # Worked out once, because every message asks for them: without one of `needs` it cannot hold.
    needs: frozenset[str] = field(init=False, repr=False, compare=False)
    names: tuple[NamesNear, ...] = field(init=False, repr=False, compare=False)
    labels: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", self.when.needs())
        object.__setattr__(self, "names", self.when.names_near())
        asked = (self.when, *(step.when for step in self.raises))
        object.__setattr__(self, "labels", frozenset().union(*(condition.labels() for condition in asked)))

    @property
    def runs(self) -> bool:
        return self.state != "off"


@dataclass(frozen=True, slots=True)
class Rulebook:
    """A loaded, consistent set of rules."""

    rules: tuple[Rule, ...]
    version: str

    def names_near(self, scenes: Sequence[Scene]) -> tuple[NamesNear, ...]:
        """Around which hits names matter to the rules that this envelope, seen in one of these ways, leaves possible."""
        found: dict[NamesNear, None] = {}
        for rule in self.rules:
            new = rule.runs and any(need not in found for need in rule.names)
            if new and any(rule.when.possible(scene) for scene in scenes):
                found.update(dict.fromkeys(rule.names))
        return tuple(found)

    def useful(self, labels: frozenset[str], scenes: Sequence[Scene]) -> frozenset[str]:
        """Those of `labels` whose hits can matter to a rule that this envelope, seen in one of these ways, leaves possible."""
        found: frozenset[str] = frozenset()
        for rule in self.rules:
            asked = rule.labels & labels if rule.runs else found
            for scene in scenes:
                if not asked <= found:
                    useful = rule.when.useful(scene)
                    if useful is not None:
                        found |= labels & useful.union(*(step.when.labels() for step in rule.raises))
        return found

    def rule(self, rule_id: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.id == rule_id or rule_id in rule.was), None)


def load_rulebook(folder: Path, known_labels: Iterable[str] | None = None) -> Rulebook:
    """All rules under `folder/detect`. Raises ConfigErrors listing every mistake.

    `known_labels`: what the detectors can give; a rule that names another label could never match and is refused.
    """
    reader = Reader()
    rules: list[Rule] = []
    digest = hashlib.sha256()
    detect = folder / "detect"
    paths = sorted(detect.glob("*.yml")) if detect.is_dir() else []
    if not paths:
        raise ConfigError(str(detect), "holds no rule files (*.yml)")
    for other in sorted(detect.iterdir()):
        if other.suffix.lower() in (".yaml", ".json") or (other.suffix != ".yml" and other.suffix.lower() == ".yml"):
            reader.errors.append(
                ConfigError(f"{folder.name}/detect/{other.name}", "is not read: rule files end in .yml")
            )
    for path in paths:
        shown = f"{folder.name}/detect/{path.name}"
        try:
            node = load(path, shown)
            content = path.read_bytes()
        except ConfigError as error:
            reader.errors.append(error)
            continue
        digest.update(path.name.encode() + b"\0" + content + b"\0")
        before = len(reader.errors)
        rule = _rule(reader, node, path.stem, shown, hashlib.sha256(content).hexdigest()[:12])
        if len(reader.errors) == before and rule is not None:
            rules.append(rule)
    taken: dict[str, str] = {}
    for rule in rules:
        for name in (rule.id, *rule.was):
            if name in taken:
                reader.wrong(rule.place, f"id {name!r} is already used by {taken[name]}")
            taken[name] = rule.place
    if known_labels is not None:
        known = frozenset(known_labels)
        for rule in rules:
            named = rule.when.labels().union(*(step.when.labels() for step in rule.raises))
            for label in sorted(named - known):
                reader.wrong(rule.place, f"no detector gives the label {label!r} (known: {', '.join(sorted(known))})")
    for shadowed, by in _shadowed(rules) if not reader.errors else ():
        reader.wrong(
            shadowed.place,
            f"is shadowed: wherever it matches, {by.id} ({by.place}) already does, with the same topic and no less severity",
        )
    reader.stop_if_wrong()
    if not any(rule.runs for rule in rules):
        raise ConfigError(str(detect), "every rule is off: such a set would call everything clean")
    return Rulebook(rules=tuple(rules), version=digest.hexdigest()[:12])


def _shadowed(rules: Sequence[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """Rules that never change a verdict because of another: (the superfluous one, the one that says it already)."""
    by_label: dict[tuple[str, str], list[Rule]] = {}
    for rule in rules:
        for label in rule.when.labels() or ("",):
            by_label.setdefault((rule.topic, label), []).append(rule)
    for rule in rules:
        labels = ("", *rule.when.labels())
        others = {other.id: other for label in labels for other in by_label.get((rule.topic, label), ())}
        by = next((other for other in others.values() if _covers(other, rule)), None)
        if by is not None:
            yield rule, by


def _covers(other: Rule, rule: Rule) -> bool:
    if not set(other.past) <= set(rule.past):
        return False
    if other.id == rule.id or {other.state, rule.state} != {"on"} or not set(rule.owners) <= set(other.owners):
        return False
    # Where a pack lets only `rule` run, `other` says nothing in its place.
    narrow = dict(rule.only_where)
    if any(key not in narrow or not set(narrow[key]) <= set(values) for key, values in other.only_where):
        return False
    highest = max(SEVERITIES.index(severity) for severity in (rule.severity, *(step.severity for step in rule.raises)))
    lowest = min(SEVERITIES.index(severity) for severity in (other.severity, *(step.severity for step in other.raises)))
    # Of two rules of the same severity the first by id leads the finding with its title and advice.
    if highest > lowest or (highest == lowest and rule.id < other.id):
        return False
    return implies(rule.when, other.when)


def _when(reader: Reader, node: Node) -> Condition:
    """A condition that makes sense: one that can hold and does not cost too much."""
    before = len(reader.errors)
    condition = read_condition(reader, node)
    if len(reader.errors) == before:
        wrong = too_dear(condition) or impossible(condition)
        if wrong:
            reader.wrong(node, wrong)
    return condition


def _rule(reader: Reader, node: Node, stem: str, shown: str, version: str) -> Rule | None:
    if not _ID.match(stem):
        reader.wrong(f"{shown}:1", "the file's stem is the rule's id: lower-case letters, digits and _, from 3 to 61")
    found = reader.mapping(node, RULE_KEYS, needed=_NEEDED)
    if not found or "when" not in found:
        return None
    raises = []
    for item in reader.items(found.get("raise")):
        step = reader.mapping(item, ("severity", "when"), needed=("severity", "when"))
        if "when" in step:
            severity = reader.choice(step.get("severity"), SEVERITIES, "severe")
            raises.append(Raise(severity, _when(reader, step["when"])))  # type: ignore[arg-type]
    owners = reader.choices(found["owners"], get_args(SegmentOwner)) if "owners" in found else ("sender",)
    return Rule(
        id=stem,
        place=f"{shown}:1",
        title=reader.text(found.get("title")),
        topic=reader.choice(found.get("topic"), TOPICS, TOPICS[0]),
        category=reader.choice(found.get("category"), CATEGORIES, CATEGORIES[0]),
        severity=reader.choice(found.get("severity"), SEVERITIES, "moderate"),  # type: ignore[arg-type]
        raises=tuple(raises),
        owner=reader.text(found.get("owner")),
        state=reader.choice(found.get("state"), STATES, "on"),
        advice=reader.text(found.get("advice")),
        owners=owners,  # type: ignore[arg-type]
        when=_when(reader, found["when"]),
        was=reader.texts(found.get("was")),
        only_where=_only_where(reader, found.get("only_where")),
        past=reader.choices(found["past"], get_args(PastFact)) if "past" in found else (),  # type: ignore[arg-type]
        examples=_examples(reader, found.get("examples")),
        version=version,
    )


def _only_where(reader: Reader, node: Node | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if node is None:
        return ()
    if not isinstance(node.value, dict) or not node.value:
        reader.wrong(node, "must be a mapping of a policy pack's key to the values under which the rule runs")
        return ()
    return tuple((key, reader.texts(value)) for key, value in node.value.items())


def _examples(reader: Reader, node: Node | None) -> tuple[Example, ...]:
    if node is None:
        return ()
    found = reader.mapping(node, ("must_flag", "must_pass"), needed=("must_flag", "must_pass"))
    examples: list[Example] = []
    for kind in ("must_flag", "must_pass"):
        before = len(examples)
        for item in reader.items(found.get(kind)):
            entry = reader.mapping(item, ("why", "mail"), needed=("why", "mail"))
            if "mail" in entry:
                examples.append(_example(reader, entry["mail"], kind == "must_flag", reader.text(entry.get("why"))))
        if kind in found and len(examples) == before:
            reader.wrong(found[kind], f"{kind} needs at least one example")
    return tuple(examples)


def _example(reader: Reader, node: Node, must_flag: bool, why: str) -> Example:
    keys = (
        "from",
        "sender",
        "to",
        "cc",
        "bcc",
        "subject",
        "body",
        "attachments",
        "kind",
        "shared",
        "headers",
        "sent",
        "past",
    )
    is_shared = isinstance(node.value, dict) and "shared" in node.value
    found = reader.mapping(node, keys, needed=() if is_shared else ("from", "to"))
    attachments = []
    for item in reader.items(found.get("attachments")):
        entry = reader.mapping(item, ("name", "text", "rows", "base64"), needed=("name",))
        if sum(key in entry for key in ("text", "rows", "base64")) != 1:
            reader.wrong(item, "an attachment has one of text, rows and base64")
        data = None
        if "base64" in entry:
            try:
                data = base64.b64decode(reader.text(entry["base64"]), validate=False)
            except ValueError:
                reader.wrong(entry["base64"], "is not base64")
        rows = tuple(tuple(_cell(cell) for cell in reader.items(row)) for row in reader.items(entry.get("rows")))
        text = reader.text(entry["text"]) if "text" in entry else None
        attachments.append(ExampleAttachment(reader.text(entry.get("name")), text, rows, data))
    headers: tuple[tuple[str, str], ...] = ()
    if "headers" in found:
        if isinstance(found["headers"].value, dict):
            headers = tuple((name, reader.text(value)) for name, value in found["headers"].value.items())
        else:
            reader.wrong(found["headers"], "must be a mapping of header names to their text")
    subject = found.get("subject")
    body = found.get("body")
    return Example(
        must_flag=must_flag,
        why=why,
        place=node.place,
        from_=reader.text(found.get("from")),
        sender=reader.text(found.get("sender")),
        to=reader.texts(found.get("to")),
        cc=reader.texts(found.get("cc")),
        bcc=reader.texts(found.get("bcc")),
        subject=str(subject.value or "") if subject else "",
        body=str(body.value or "") if body else "",
        attachments=tuple(attachments),
        kind=reader.choice(found.get("kind"), get_args(ItemKind), "document" if is_shared else "message"),  # type: ignore[arg-type]
        shared=tuple(_share(reader, item) for item in reader.items(found["shared"])) if "shared" in found else None,
        headers=headers,
        sent=_sent(reader, found["sent"]) if "sent" in found else None,
        past=reader.choices(found["past"], get_args(PastFact)) if "past" in found else (),  # type: ignore[arg-type]
    )


def _share(reader: Reader, node: Node) -> Share:
    """`anyone`, `organisation`, or the address of a person."""
    who = reader.text(node).lower()
    if who in ("anyone", "organisation"):
        return Share(who)  # type: ignore[arg-type]
    if "@" not in who:
        reader.wrong(node, "must be anyone, organisation or an e-mail address")
    return Share("person", who)


def _sent(reader: Reader, node: Node) -> datetime | None:
    """A time with its zone, such as 2026-09-07T21:30:00+01:00 (RFC 3339 section 5.6)."""
    try:
        sent = datetime.fromisoformat(str(node.value))
    except ValueError:
        sent = None
    if sent is None or sent.tzinfo is None:
        reader.wrong(node, "must be a time with its zone, such as 2026-09-07T21:30:00+01:00")
        return None
    return sent.astimezone(UTC)


def schema() -> dict[str, Any]:
    """A rule file as JSON Schema (draft 2020-12), for editors; from the same lists of words that the reader knows."""
    text = {"type": "string", "minLength": 1}
    condition = {"$ref": "#/$defs/condition"}
    severity = {"enum": list(SEVERITIES)}
    mail: dict[str, Any] = dict.fromkeys(("to", "cc", "bcc"), TEXTS) | {
        key: {"type": ["string", "number", "null"]} for key in ("from", "sender", "subject", "body")
    }
    mail["headers"] = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
    mail["sent"] = {"type": "string", "minLength": 1}
    mail["kind"] = {"enum": list(get_args(ItemKind))}
    mail["shared"] = TEXTS
    mail["past"] = words(get_args(PastFact))
    mail["attachments"] = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "name": text,
                "text": text,
                "base64": text,
                "rows": {
                    "type": "array",
                    "items": {"type": "array", "items": {"type": ["string", "number", "boolean", "null"]}},
                },
            },
            "required": ["name"],
            "additionalProperties": False,
            "maxProperties": 2,
            "minProperties": 2,
        },
    }
    example = {
        "type": "object",
        "properties": {
            "why": text,
            "mail": {
                "type": "object",
                "properties": mail,
                "anyOf": [{"required": ["from", "to"]}, {"required": ["shared"]}],
                "additionalProperties": False,
            },
        },
        "required": ["why", "mail"],
        "additionalProperties": False,
    }
    examples = {"type": "array", "items": example, "minItems": 1}
    step = {
        "type": "object",
        "properties": {"severity": severity, "when": condition},
        "required": ["severity", "when"],
        "additionalProperties": False,
    }
    shapes: dict[str, Any] = {
        "topic": {"enum": list(TOPICS)},
        "category": {"enum": list(CATEGORIES)},
        "severity": severity,
        "raise": {"type": "array", "items": step},
        "state": {"enum": list(STATES)},
        "owners": words(get_args(SegmentOwner)),
        "when": condition,
        "was": TEXTS,
        "past": words(get_args(PastFact)),
        "only_where": {"type": "object", "additionalProperties": TEXTS, "minProperties": 1},
        "examples": {
            "type": "object",
            "properties": {"must_flag": examples, "must_pass": examples},
            "required": ["must_flag", "must_pass"],
            "additionalProperties": False,
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A rule of Mailwarden",
        "type": "object",
        "properties": {key: shapes.get(key, text) for key in RULE_KEYS},
        "required": list(_NEEDED),
        "additionalProperties": False,
        "$defs": {"condition": condition_schema()},
    }


def _cell(node: Node) -> str:
    return "" if node.value is None else str(node.value)
