"""Patterns and word lists that admins add: `rules/patterns/*.yml`, one label a file, the file's stem is the label.

Expressions are in Hyperscan's syntax, which knows nothing that could run super-linearly; what would make the compiled form
large is refused here before it is compiled (Never 7).
"""

from __future__ import annotations

import re
from pathlib import Path

from scanner.errors import ConfigError
from scanner.ports import OwnPattern
from scanner.yaml_source import Node, Reader, load

KEYS = {
    "title": "what it is; shown among the reasons of a finding",
    "owner": "the role that looks after it",
    "expressions": "regular expressions in Hyperscan's syntax: no back-references, no look-around; case does not count",
    "words": "words and phrases matched whole; case does not count, a blank stands for any white space or hyphens",
    "near": "phrases that make a match surer where they stand within 60 characters",
    "confidence": "how sure a match is by itself, 0 to 1 (default 0.75; with `near` 0.5)",
    "near_confidence": "how sure a match is beside one of the phrases (default 0.85)",
    "known": "values that are nobody's secret, such as the organisation's own published numbers: never a hit",
    "must_match": "texts in which it must be found",
    "must_pass": "texts in which it must not be found",
}
MOST_WORDS = 5_000
_LABEL = re.compile(r"[a-z][a-z0-9_]{2,60}\Z")
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_LONGEST = 300
_MOST_REPEATS = 1_000


def load_patterns(folder: Path) -> tuple[OwnPattern, ...]:
    """All patterns of the rules folder; none where it has no `patterns`. Raises ConfigErrors listing every mistake."""
    reader = Reader()
    found = []
    for path in sorted((folder / "patterns").glob("*.yml")):
        shown = f"{folder.name}/patterns/{path.name}"
        try:
            node = load(path, shown)
        except ConfigError as error:
            reader.errors.append(error)
            continue
        if not _LABEL.match(path.stem):
            reader.wrong(f"{shown}:1", "the file's stem is the label: lower-case letters, digits and _, from 3 to 61")
        found.append(_pattern(reader, node, path.stem))
    reader.stop_if_wrong()
    return tuple(found)


def texts_of(folder: Path) -> list[tuple[str, bool, str, str]]:
    """The examples of all patterns: (label, must match, text, place). The patterns must have been loaded without error."""
    examples = []
    for path in sorted((folder / "patterns").glob("*.yml")):
        node = load(path, f"{folder.name}/patterns/{path.name}")
        assert isinstance(node.value, dict)
        for key in ("must_match", "must_pass"):
            for item in Reader().items(node.value.get(key)):
                examples.append((path.stem, key == "must_match", str(item.value), item.place))
    return examples


def _pattern(reader: Reader, node: Node, label: str) -> OwnPattern:
    found = reader.mapping(node, tuple(KEYS), needed=("title", "owner", "must_match", "must_pass"))
    for key in ("must_match", "must_pass"):
        if key in found and not reader.texts(found[key]):
            reader.wrong(found[key], f"{key} needs at least one text")
    if isinstance(node.value, dict) and not {"expressions", "words"} & set(found):
        reader.wrong(node, "can never match: give expressions or words")
    for item in reader.items(found.get("expressions")):
        _refuse_large(reader, item)
    words = reader.texts(found.get("words"))
    if len(words) > MOST_WORDS:
        reader.wrong(found["words"], f"costs too much: {len(words)} words, at most {MOST_WORDS} are allowed")
    for item in reader.items(found.get("words")):
        if isinstance(item.value, str) and not any(character.isalnum() for character in item.value):
            reader.wrong(item, "a word has at least one letter or digit")
        elif isinstance(item.value, str) and len(item.value) > _LONGEST:
            reader.wrong(item, f"is longer than {_LONGEST} characters")
    reader.text(found.get("owner"))
    return OwnPattern(
        label=label,
        place=node.place,
        says=reader.text(found.get("title")),
        confidence=reader.number(found.get("confidence"), 0.5 if "near" in found else 0.75, 0.05, 1.0),
        near_confidence=reader.number(found.get("near_confidence"), 0.85, 0.05, 1.0),
        expressions=reader.texts(found.get("expressions")),
        words=words,
        near=reader.texts(found.get("near")),
        known=reader.texts(found.get("known")),
    )


def _refuse_large(reader: Reader, node: Node) -> None:
    """Counted repetition is unrolled by the compiler: nested counts multiply."""
    if not isinstance(node.value, str):
        return
    if len(node.value) > _LONGEST:
        reader.wrong(node, f"costs too much: longer than {_LONGEST} characters")
    product = 1
    for match in _REPEAT.finditer(node.value):
        product *= max(int(match[1][:6]), int((match[2] or "0")[:6]), 1)
    if product > _MOST_REPEATS:
        reader.wrong(node, f"costs too much: its counted repetitions multiply to more than {_MOST_REPEATS:,}")
