"""YAML with places: every value knows its file and line, so that an error can name them.

PyYAML's C parser composes the nodes (ruamel.yaml keeps lines too, but needs a second and a half for the shipped rules; see decision 3).
Scalars are read the YAML 1.2 way: only `true` and `false` are booleans, so that `state: on` stays a word.
Aliases are refused: a rule set has no use for them and they are the way to make a small file explode.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import yaml

from scanner.errors import ConfigError, ConfigErrors

Scalar = str | int | float | bool | date | None
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)\Z")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})\Z")
MAX_BYTES = 5_000_000
# libyaml composes nodes by recursion in C and dies of a deep file; no rule, pack or people file needs a tenth of this.
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Node:
    """One value with its place. `value` is a scalar, a list of nodes, or a dict of nodes by key."""

    value: Scalar | list[Node] | dict[str, Node]
    place: str
    keys: dict[str, str] = field(default_factory=dict)

    def plain(self) -> object:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def load(path: Path, shown: str | None = None) -> Node:
    """Parse one YAML document. Raises ConfigError with file and line for anything that is not one."""
    name = shown or str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(name, f"cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(name, f"is larger than {MAX_BYTES:,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}:{line}", "is not UTF-8 text") from error
    return parse(text, name)


def parse(text: str, name: str) -> Node:
    try:
        _refuse_depth(text, name)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(f"{name}:{mark.line + 1 if mark else 1}", f"is not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(name, f"is not valid YAML: {error}") from error
    if root is None:
        return Node(None, f"{name}:1")
    seen: set[int] = set()
    return _convert(root, name, seen)


def _refuse_depth(text: str, name: str) -> None:
    """Walk the events, which need no stack, before anything recursive sees the text."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise ConfigError(f"{name}:{line}", f"is nested more than {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _convert(node: yaml.Node, name: str, seen: set[int]) -> Node:
    place = f"{name}:{node.start_mark.line + 1}"
    if id(node) in seen:
        raise ConfigError(place, "aliases (*name) are not allowed; write the value out")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Node] = {}
        keys: dict[str, str] = {}
        for key_node, value_node in node.value:
            key_place = f"{name}:{key_node.start_mark.line + 1}"
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError(key_place, "a key must be a plain word")
            key = key_node.value
            if key in mapping:
                raise ConfigError(key_place, f"key {key!r} is there twice")
            mapping[key] = _convert(value_node, name, seen)
            keys[key] = key_place
        return Node(mapping, place, keys)
    if isinstance(node, yaml.SequenceNode):
        return Node([_convert(item, name, seen) for item in node.value], place)
    assert isinstance(node, yaml.ScalarNode)
    return Node(_scalar(node, place), place)


def _scalar(node: yaml.ScalarNode, place: str) -> Scalar:
    text: str = node.value
    if node.tag.startswith("!") and not node.tag.startswith("tag:"):
        raise ConfigError(place, f"tag {node.tag} is not allowed")
    if node.style in ("'", '"', "|", ">"):
        return text
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.match(text) and len(text) < 19:
        return int(text)
    if _FLOAT.match(text) and len(text) < 30:
        return float(text)
    match = _DATE.match(text)
    if match:
        try:
            return date(int(match[1]), int(match[2]), int(match[3]))
        except ValueError as error:
            raise ConfigError(place, f"{text} is not a date of the calendar") from error
    return text


class Reader:
    """Takes typed values out of nodes and collects what is wrong, so that one run shows every mistake."""

    def __init__(self) -> None:
        self.errors: list[ConfigError] = []

    def wrong(self, node: Node | str, message: str) -> None:
        self.errors.append(ConfigError(node if isinstance(node, str) else node.place, message))

    def stop_if_wrong(self) -> None:
        if self.errors:
            raise ConfigErrors(self.errors)

    def mapping(self, node: Node, allowed: Sequence[str], needed: Sequence[str] = ()) -> dict[str, Node]:
        """The known keys of a mapping; unknown and missing ones become errors."""
        if not isinstance(node.value, dict):
            self.wrong(node, f"must be a mapping with the keys {', '.join(allowed)}")
            return {}
        for key in node.value:
            if key not in allowed:
                self.wrong(node.keys[key], f"unknown key {key!r} (allowed: {', '.join(allowed)})")
        for key in needed:
            if key not in node.value:
                self.wrong(node, f"key {key!r} is missing")
        return {key: value for key, value in node.value.items() if key in allowed}

    def items(self, node: Node | None) -> Iterator[Node]:
        """The items of a list; a single value stands for a list of one."""
        if node is None or node.value is None:
            return
        if isinstance(node.value, list):
            yield from node.value
        else:
            yield node

    def text(self, node: Node | None, default: str = "") -> str:
        if node is None:
            return default
        if not isinstance(node.value, str) or not node.value.strip():
            self.wrong(node, f"must be text, not {_kind(node)}")
            return default
        return node.value

    def texts(self, node: Node | None) -> tuple[str, ...]:
        return tuple(self.text(item) for item in self.items(node))

    def choice(self, node: Node | None, allowed: Sequence[str], default: str) -> str:
        if node is None:
            return default
        if node.value not in allowed:
            self.wrong(node, f"must be one of {', '.join(allowed)}, not {_shown(node)}")
            return default
        return str(node.value)

    def choices(self, node: Node | None, allowed: Sequence[str]) -> tuple[str, ...]:
        found = tuple(self.choice(item, allowed, "") for item in self.items(node))
        if node is not None and not found:
            self.wrong(node, f"must name at least one of {', '.join(allowed)}")
        return tuple(item for item in found if item)

    def number(self, node: Node | None, default: float, low: float, high: float) -> float:
        if node is None:
            return default
        if isinstance(node.value, bool) or not isinstance(node.value, int | float) or not low <= node.value <= high:
            self.wrong(node, f"must be a number from {low:g} to {high:g}, not {_shown(node)}")
            return default
        return node.value

    def count(self, node: Node | None, default: int, low: int = 1, high: int = 1_000_000) -> int:
        if node is not None and isinstance(node.value, float):
            self.wrong(node, f"must be a whole number from {low} to {high}, not {_shown(node)}")
            return default
        return int(self.number(node, default, low, high))

    def flag(self, node: Node | None, default: bool) -> bool:
        if node is None:
            return default
        if not isinstance(node.value, bool):
            self.wrong(node, f"must be true or false, not {_shown(node)}")
            return default
        return node.value


def _kind(node: Node) -> str:
    if isinstance(node.value, dict):
        return "a mapping"
    if isinstance(node.value, list):
        return "a list"
    return "nothing" if node.value is None or node.value == "" else f"{_shown(node)}"


def _shown(node: Node) -> str:
    if isinstance(node.value, dict | list):
        return _kind(node)
    return repr(node.value)[:60] if node.value is not None else "nothing"
