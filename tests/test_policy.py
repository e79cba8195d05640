"""A policy pack is refused with every mistake and its place, or it says what the trust's own policy says."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up import GOOD, SHIPPED, rules_with

from scanner.errors import ConfigError, ConfigErrors
from scanner.policy import Clause, Policy, load_policy
from scanner.rulebook import Rulebook, load_rulebook

PACK = """\
title: Example pack
source: a made-up policy
scan_mode: routine
clauses:
  personal_data:
    - {id: "4.5", says: Personal data stays inside.}
    - {id: "4.6", says: Or it is encrypted.}
"""


def rules(folder: Path, pack: str) -> Path:
    made = rules_with(
        folder,
        first_rule=GOOD + "was: [old_rule]\n",
        second_rule=GOOD.replace("topic: personal_data", "topic: threats"),
    )
    (made / "policies").mkdir()
    (made / "policies" / "example.yml").write_text(pack, "utf-8")
    return made


def pack_of(folder: Path, pack: str) -> tuple[Policy, Rulebook]:
    made = rules(folder, pack)
    rulebook = load_rulebook(made)
    return load_policy(made, "example", rulebook), rulebook


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("title: Example pack\n", ""), 1, "key 'title' is missing"),
        (("source: ", "sauce: "), 2, "unknown key 'sauce' (allowed: title, source, scan_mode, "),
        (("routine", "always"), 3, "must be one of routine, by_grant, stated_purpose, none_stated, not 'always'"),
        (
            ("personal_data:", "personal_dat:"),
            5,
            "unknown key 'personal_dat' (allowed: personal_data, weak_protection, ",
        ),
        (("says: Personal data stays inside.", "text: Inside."), 6, "unknown key 'text' (allowed: id, says)"),
        (('"4.5"', "4.5"), 6, "must be text, not 4.5"),
        (("clauses:", "time_zone: Europe/Londn\nclauses:"), 4, "'Europe/Londn' is not a time zone"),
        (("clauses:", "time_zone: Europe\nclauses:"), 4, "'Europe' is not a time zone"),
        (("clauses:", "time_zone: ../../etc/passwd\nclauses:"), 4, "'../../etc/passwd' is not a time zone"),
        (
            ("clauses:", "protected_grades: [strongish]\nclauses:"),
            4,
            "must be one of none, signed, weak, strong, unknown",
        ),
        (("clauses:", "protected_grades: []\nclauses:"), 4, "must name at least one of none, signed, "),
        (("clauses:", "topics: {threat: {state: off}}\nclauses:"), 4, "unknown key 'threat' (allowed: "),
        (("clauses:", "topics: {threats: {severity: high}}\nclauses:"), 4, "must be one of minor, moderate, severe"),
        (("clauses:", "topics: {threats: {state: shadow}}\nclauses:"), 4, "must be one of on, off, not 'shadow'"),
        (("clauses:", "rules: [{id: third_rule, state: off}]\nclauses:"), 4, "there is no rule 'third_rule'"),
        (("clauses:", "rules: [{id: first_rule}]\nclauses:"), 4, "key 'state' is missing"),
    ],
)
def test_a_mistake_in_a_pack_is_refused_with_its_place(
    change: tuple[str, str], line: int, words: str, tmp_path: Path
) -> None:
    text = PACK.replace(*change)
    assert text != PACK
    with pytest.raises(ConfigErrors) as caught:
        pack_of(tmp_path, text)
    assert any(str(error).startswith(f"rules/policies/example.yml:{line}: {words}") for error in caught.value.errors)


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        pack_of(tmp_path, PACK.replace("routine", "always").replace("title:", "titel:"))
    assert len(caught.value.errors) == 3


@pytest.mark.parametrize("slug", ["other", "", "../policies/example", "example.yml", "EXAMPLE"])
def test_an_unknown_pack_is_refused_with_the_names_of_those_there_are(slug: str, tmp_path: Path) -> None:
    made = rules(tmp_path, PACK)
    with pytest.raises(ConfigError) as caught:
        load_policy(made, slug)
    assert str(caught.value).endswith("there is no such pack (allowed: example)")


def test_a_small_pack_has_careful_defaults_and_cites_with_its_name(tmp_path: Path) -> None:
    policy, _ = pack_of(tmp_path, PACK)
    assert policy.clauses == {
        "personal_data": (
            Clause("example:4.5", "Personal data stays inside."),
            Clause("example:4.6", "Or it is encrypted."),
        )
    }
    assert (policy.time_zone, policy.protected_grades, policy.severity, policy.off) == (
        "Europe/London",
        ("strong",),
        {},
        frozenset(),
    )


def test_a_pack_switches_a_topic_with_all_its_rules_off_and_keeps_the_others(tmp_path: Path) -> None:
    policy, _ = pack_of(tmp_path, PACK + "topics: {threats: {state: off}, personal_data: {severity: minor}}\n")
    assert policy.off == {"second_rule"}
    assert policy.severity == {"personal_data": "minor"}


@pytest.mark.parametrize("name", ["first_rule", "old_rule"])
def test_a_pack_switches_a_rule_off_by_its_name_of_today_or_of_old(name: str, tmp_path: Path) -> None:
    policy, _ = pack_of(tmp_path, PACK + f"rules: [{{id: {name}, state: off}}, {{id: second_rule, state: on}}]\n")
    assert policy.off == {"first_rule"}


def test_the_version_changes_with_the_packs_words(tmp_path: Path) -> None:
    one, _ = pack_of(tmp_path / "1", PACK)
    same, _ = pack_of(tmp_path / "2", PACK)
    other, _ = pack_of(tmp_path / "3", PACK.replace("inside", "within"))
    assert one.version == same.version != other.version


def test_the_shipped_packs_load_against_the_shipped_rules_and_cite_a_clause_for_every_topic_in_use() -> None:
    rulebook = load_rulebook(SHIPPED)
    base = load_policy(SHIPPED, "base", rulebook)
    uncited = {rule.topic for rule in rulebook.rules if rule.runs} - base.clauses.keys()
    assert uncited == set()
    for path in (SHIPPED / "policies").glob("*.yml"):
        assert load_policy(SHIPPED, path.stem, rulebook).slug == path.stem
