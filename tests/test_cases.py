"""Every case in `tests/cases/`: a text, and what the detector of the same stem must and must not see in it.

A case holds `name`, `text` or `rows` (a table), perhaps `people` (`pupils` and `staff`), and `expect`: a list of
`{label, value, min, max}`. With `max` no hit of that label (and value) may be surer; otherwise one must be at least `min`
(0.5 where it is left out). `expect: []` means that no label of the detector is seen with 0.5 or more.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import detectors
from detectors.base import PatternDetector, TextDetector
from scanner.model import Contact, Hit, People, Person, Pupil, Table
from scanner.ports import Detectors

CASES = Path(__file__).parent / "cases"
LEAST = 3
DEFAULT_MIN = 0.5
KEYS = {"name", "text", "rows", "people", "expect"}
EXPECT_KEYS = {"label", "value", "min", "max"}
# The detectors that need the name model everywhere; it stays out of the others' cases for speed.
WITH_NAMES = {"person", "class_list"}


@cache
def seen() -> Detectors:
    return detectors.load()


@cache
def content_detectors() -> Mapping[str, tuple[PatternDetector | TextDetector, ...]]:
    """The detectors that read a text, by the stem of their file; those that read a whole message are tried by their rules'
    examples.
    """
    found: dict[str, tuple[PatternDetector | TextDetector, ...]] = {}
    for name, each in detectors.walk().items():
        if isinstance(each, PatternDetector | TextDetector):
            stem = name.partition(".")[0]
            found[stem] = (*found.get(stem, ()), each)
    return found


def labels_of(stem: str) -> set[str]:
    return {label for each in content_detectors()[stem] for label in each.labels}


def cases() -> list[tuple[str, dict[str, Any]]]:
    reader = YAML(typ="safe")
    return [
        (file.stem, case) for file in sorted(CASES.glob("*.yml")) for case in reader.load(file.read_text("utf-8")) or []
    ]


def table(rows: list[list[str]]) -> tuple[str, Table]:
    """Rows as extraction hands them over: cells with tabs between, lines for rows, and their spans."""
    text, spans = "", []
    for row in rows:
        line = []
        for cell in row:
            line.append((len(text), len(text) + len(str(cell))))
            text += f"{cell}\t"
        spans.append(tuple(line))
        text = text[:-1] + "\n"
    return text, Table(tuple(spans))


def people(known: Mapping[str, Any] | None) -> People | None:
    if known is None:
        return None
    pupils = tuple(Pupil(each["name"], class_name=each.get("class", "")) for each in known.get("pupils", []))
    staff = tuple(Person(f"{place}@elt.example", name, "staff") for place, name in enumerate(known.get("staff", [])))
    return People(people=staff, contacts=(Contact("pat.jones@gmail.com", "Pat Jones", pupils),))


def hits_of(stem: str, case: Mapping[str, Any]) -> list[Hit]:
    text, tables = (case["text"], ()) if "text" in case else (lambda made: (made[0], (made[1],)))(table(case["rows"]))
    near = None if stem in WITH_NAMES else frozenset[str]()
    return seen().content(text, tables, people=people(case.get("people")), names_near=near)


def is_near_miss(case: Mapping[str, Any]) -> bool:
    return all("max" in item for item in case["expect"])


def shown(hits: list[Hit]) -> str:
    return (
        "; ".join(f"{hit.label} {hit.confidence} at {hit.start} ({', '.join(hit.reasons)})" for hit in hits) or "none"
    )


@pytest.mark.parametrize(
    ("stem", "case"), cases(), ids=lambda value: value if isinstance(value, str) else value["name"]
)
def test_case(stem: str, case: dict[str, Any]) -> None:
    hits = hits_of(stem, case)
    if not case["expect"]:
        own = labels_of(stem)
        wrong = [hit for hit in hits if hit.label in own and hit.confidence >= DEFAULT_MIN]
        assert not wrong, f"nothing was to be seen, but: {shown(wrong)}"
    for item in case["expect"]:
        matching = [
            hit for hit in hits if hit.label == item["label"] and str(item.get("value", hit.value)) == hit.value
        ]
        best = max((hit.confidence for hit in matching), default=0.0)
        if "max" in item:
            assert best <= item["max"], f"too sure of {item['label']}: {shown(matching)}"
        else:
            assert best >= item.get("min", DEFAULT_MIN), f"{item['label']} not seen; seen: {shown(hits)}"


@pytest.mark.parametrize("stem", sorted({stem for stem, _ in cases()}))
def test_case_files_are_well_formed(stem: str) -> None:
    names = [case["name"] for case_stem, case in cases() if case_stem == stem]
    assert len(names) == len(set(names)), f"a name is used twice in {stem}.yml"
    for case_stem, case in cases():
        if case_stem == stem:
            assert set(case) <= KEYS, f"unknown key in {stem}-{case['name']}"
            assert ("text" in case) != ("rows" in case), f"{stem}-{case['name']} needs either text or rows"
            assert all(set(item) <= EXPECT_KEYS and "label" in item for item in case["expect"])


@pytest.mark.parametrize("stem", sorted(content_detectors()))
def test_every_detector_has_a_docstring_and_hits_and_near_misses(stem: str) -> None:
    for detector in content_detectors()[stem]:
        assert (type(detector).__doc__ or "").strip(), "the first docstring line is what the user sees"
    own = [case for case_stem, case in cases() if case_stem == stem]
    near = sum(is_near_miss(case) for case in own)
    assert near >= LEAST, f"tests/cases/{stem}.yml has {near} near misses"
    assert len(own) - near >= LEAST, f"tests/cases/{stem}.yml has {len(own) - near} hits"


@pytest.mark.parametrize("stem", sorted(content_detectors()))
def test_every_label_is_expected_by_some_case(stem: str) -> None:
    expected = {item["label"] for case_stem, case in cases() if case_stem == stem for item in case["expect"]}
    assert labels_of(stem) <= expected


def test_every_case_file_belongs_to_a_detector() -> None:
    assert {stem for stem, _ in cases()} <= set(content_detectors())
