"""What an admin describes is seen, as surely as they say, and nothing that could run super-linearly is ever compiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.base import Context
from detectors.gate import Gate
from detectors.own_patterns import own_patterns
from scanner.errors import ConfigError, ConfigErrors
from scanner.model import Hit
from scanner.patterns import load_patterns, texts_of
from scanner.ports import NameBudget, OwnPattern

GOOD = """\
title: admission number
owner: admin
expressions: ['\\bADM/[0-9]{4}\\b']
near: [admission number]
must_match: ["ADM/4711"]
must_pass: ["ADM/47"]
"""


def folder(tmp_path: Path, text: str, stem: str = "admission_number") -> Path:
    (tmp_path / "rules" / "patterns").mkdir(parents=True)
    (tmp_path / "rules" / "patterns" / f"{stem}.yml").write_text(text, "utf-8")
    return tmp_path / "rules"


def seen(text: str, *patterns: OwnPattern) -> list[Hit]:
    context = Context((), None, (), ())
    detector = own_patterns(patterns, frozenset())
    return list(detector.detect(text, Gate({"own": detector.wake}).scan(text).get("own", ()), context))


def pattern(**more: object) -> OwnPattern:
    return OwnPattern("own", "rules/patterns/own.yml:1", "a word of ours", 0.75, 0.85, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["Projects Falcons", "projectfalcon", "project of falcons", "xProject Falcon", "Project Falcon9"]
)
def test_a_word_is_matched_whole_or_not_at_all(text: str) -> None:
    assert seen(text, pattern(words=("Project Falcon",))) == []


def test_a_word_is_found_across_a_line_end_and_in_any_case() -> None:
    (hit,) = seen("About PROJECT\n  falcon: é", pattern(words=("Project Falcon",)))
    assert (hit.start, hit.end, hit.confidence) == (6, 22, 0.75)


def test_offsets_count_code_points() -> None:
    (hit,) = seen("né — né: ADM/4711", pattern(expressions=(r"ADM/[0-9]{4}",)))
    assert (hit.start, hit.end, hit.value) == (9, 17, "ADM/4711")


def test_a_phrase_nearby_makes_it_surer_and_one_far_away_does_not() -> None:
    own = pattern(expressions=(r"ADM/[0-9]{4}",), near=("admission number",))
    assert [hit.confidence for hit in seen("Her admission number is ADM/4711", own)] == [0.85]
    assert [hit.confidence for hit in seen("admission number" + " x" * 60 + " ADM/4711", own)] == [0.75]


def test_a_known_value_is_no_hit() -> None:
    own = pattern(expressions=(r"ADM/[0-9]{4}",), known=("adm 4711",))
    assert [hit.value for hit in seen("ADM/4711 ADM/4712", own)] == ["ADM/4712"]


def test_the_longest_match_from_a_start_counts_once() -> None:
    assert [hit.value for hit in seen("S12345", pattern(expressions=(r"S[0-9]+",)))] == ["S12345"]


def test_a_text_without_its_words_never_wakes_it() -> None:
    detector = own_patterns([pattern(words=("Project Falcon",), expressions=(r"ADM/[0-9]{4}",))], frozenset())
    gate = Gate({"own": detector.wake})
    assert gate.scan("The projects of Mr Falcon, ADM/47") == {}
    assert set(gate.scan("project falcon")) == set(gate.scan("adm/4711")) == {"own"}


def test_an_expression_keeps_its_own_boundaries_and_beginnings() -> None:
    own = pattern(expressions=(r"\bADM/[0-9]{2,4}\b", r"(?i)sow|oats"))
    assert [hit.value for hit in seen("xADM/4711 ADM/47110 ADM/471, sows, OATS", own)] == ["ADM/471", "sow", "OATS"]


def test_two_lists_may_share_a_word_and_its_blank_may_be_a_line_end() -> None:
    one = pattern(words=("Project Falcon", "née Moss"))
    two = OwnPattern("other", "p", "theirs", 0.6, 0.85, words=("project falcon",))
    text = "NÉE Moss: Project \n Falcon"
    assert sorted((hit.label, hit.value) for hit in seen(text, one, two)) == [
        ("other", "Project \n Falcon"),
        ("own", "NÉE Moss"),
        ("own", "Project \n Falcon"),
    ]


def test_hostile_text_stays_bounded() -> None:
    assert len(seen("an " * 100_000, pattern(words=("an",)))) == 300
    assert len(seen("a" * 200_000, pattern(expressions=(r"a{1,3}",)))) == 300


def test_a_word_drowned_in_pieces_of_others_is_said_to_be_cut_short() -> None:
    detector = own_patterns([pattern(words=("an", "Bluebird"))], frozenset())
    gate = Gate({"own": detector.wake})
    for repeats, cut in ((100, 0), (6_000, 1)):
        text = "banana " * repeats + "Bluebird"
        budget = NameBudget(0)
        list(detector.detect(text, gate.scan(text)["own"], Context(budget=budget)))
        assert budget.texts_cut == cut


def test_a_blank_may_be_one_of_a_word_processor() -> None:
    assert [hit.value for hit in seen("Project\xa0Falcon", pattern(words=("Project Falcon",)))] == ["Project\xa0Falcon"]


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        (r"(a)\1", "cannot be run in linear time"),
        (r"(?<=a)b", "cannot be run in linear time"),
        (r"(?!a)b", "cannot be run in linear time"),
        (r"a*", "cannot be run in linear time"),
        (r"(a", "cannot be run in linear time"),
    ],
)
def test_what_is_not_linear_is_refused_with_its_place(expression: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        own_patterns([pattern(expressions=("fine", expression))], frozenset())
    assert str(caught.value).startswith("rules/patterns/own.yml:1: ")
    assert why in str(caught.value)


def test_a_label_of_a_detector_is_not_given_twice() -> None:
    with pytest.raises(ConfigError, match="already given by a detector"):
        own_patterns([pattern(words=("x1",))], frozenset({"own"}))


def test_a_good_file_is_read(tmp_path: Path) -> None:
    rules = folder(tmp_path, GOOD)
    (found,) = load_patterns(rules)
    assert (found.label, found.confidence, found.near) == ("admission_number", 0.5, ("admission number",))
    assert [(label, must, text) for label, must, text, _ in texts_of(rules)] == [
        ("admission_number", True, "ADM/4711"),
        ("admission_number", False, "ADM/47"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "why"),
    [
        ("expressions", "expresions", 3, "unknown key 'expresions'"),
        ("{4}", "{40}{40}", 3, "costs too much: its counted repetitions"),
        ("owner: admin\n", "", 1, "key 'owner' is missing"),
        ('must_pass: ["ADM/47"]\n', "", 1, "key 'must_pass' is missing"),
        ('["ADM/47"]', "[]", 6, "must_pass needs at least one text"),
        ("near: [admission number]", "words: ['...']", 4, "a word has at least one letter or digit"),
        ("near: [admission number]", "confidence: 2", 4, "must be a number from 0.05 to 1"),
    ],
)
def test_each_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, why: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigErrors) as caught:
        load_patterns(folder(tmp_path, GOOD.replace(old, new)))
    assert any(
        str(error).startswith(f"rules/patterns/admission_number.yml:{line}: {why}") for error in caught.value.errors
    ), caught.value


def test_without_a_folder_there_are_none(tmp_path: Path) -> None:
    assert load_patterns(tmp_path) == ()
