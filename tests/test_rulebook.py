"""A rule set is refused with every mistake named by file and line, or it is loaded whole.

`tests/bad_rules/` has one file for each mistake (a folder where it takes two). `# expect 6: …` in its first lines gives the
line and the beginning of the sentence that an admin must see; no other sentence may come.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from made_up import DIRECTORY, GOOD, SHIPPED, mail, rules_with

from scanner.conditions import Scene
from scanner.errors import ConfigError, ConfigErrors
from scanner.ports import NamesNear
from scanner.rulebook import Rulebook, load_rulebook

HERE = Path(__file__).parent
KNOWN = ("nino", "person", "health", "email")
_EXPECT = re.compile(r"^# expect (\d+): (.*)$", re.MULTILINE)


def load_one(folder: Path, text: str) -> Rulebook:
    return load_rulebook(rules_with(folder, example_rule=text), KNOWN)


# --- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", sorted((HERE / "bad_rules").iterdir()), ids=lambda path: path.stem)
def test_each_mistake_is_refused_with_its_place_and_the_words_that_are_allowed(bad: Path, tmp_path: Path) -> None:
    rules = rules_with(tmp_path)
    expected = []
    for path in sorted(bad.iterdir()) if bad.is_dir() else [bad]:
        shutil.copy(path, rules / "detect" / path.name)
        expected += [
            f"rules/detect/{path.name}:{line}: {words}" for line, words in _EXPECT.findall(path.read_text("utf-8"))
        ]
    assert expected, f"{bad.name} does not say what to expect"
    with pytest.raises(ConfigErrors) as caught:
        load_rulebook(rules, KNOWN)
    unmet = [str(error) for error in caught.value.errors]
    assert len(unmet) == len(expected), unmet
    for sentence in expected:
        found = next((message for message in unmet if message.startswith(sentence)), None)
        assert found is not None, f"{sentence!r} is not among {unmet}"
        unmet.remove(found)


def test_the_rule_that_the_bad_ones_were_made_from_is_good(tmp_path: Path) -> None:
    assert [rule.id for rule in load_one(tmp_path, GOOD).rules] == ["example_rule"]


def test_all_mistakes_of_all_files_come_at_once(tmp_path: Path) -> None:
    rules = rules_with(
        tmp_path,
        first=GOOD.replace("topic: personal_data", "topic: data"),
        second=GOOD.replace("severity: moderate", "severity: big"),
        third=GOOD.replace("when:", "when: ["),
        fourth=GOOD,
    )
    with pytest.raises(ConfigErrors) as caught:
        load_rulebook(rules, KNOWN)
    assert [error.place for error in caught.value.errors] == [
        "rules/detect/first.yml:2",
        "rules/detect/second.yml:4",
        "rules/detect/third.yml:9",
    ]


def test_a_rule_file_that_is_not_text_does_not_hide_the_other_mistakes(tmp_path: Path) -> None:
    rules = rules_with(tmp_path, second=GOOD.replace("severity: moderate", "severity: big"))
    (rules / "detect" / "first.yml").write_bytes(b"title: \xff\n")
    with pytest.raises(ConfigErrors) as caught:
        load_rulebook(rules, KNOWN)
    assert [str(error)[:40] for error in caught.value.errors] == [
        "rules/detect/first.yml:1: is not UTF-8 t",
        "rules/detect/second.yml:4: must be one o",
    ]


@pytest.mark.parametrize("make", [lambda path: None, lambda path: (path / "detect").mkdir()])
def test_a_folder_without_rules_is_refused(make: object, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path)
    with pytest.raises(ConfigError, match="holds no rule files"):
        load_rulebook(tmp_path)


def test_a_set_in_which_every_rule_is_off_is_refused_because_it_would_call_everything_clean(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="every rule is off"):
        load_one(tmp_path, GOOD + "state: off\n")


# --- what is loaded -------------------------------------------------------------------------------------------------


def test_defaults_are_the_careful_ones(tmp_path: Path) -> None:
    (rule,) = load_one(tmp_path, GOOD).rules
    assert (rule.state, rule.owners, rule.raises, rule.was) == ("on", ("sender",), (), ())
    assert rule.runs
    assert [example.must_flag for example in rule.examples] == [True, False]
    assert rule.place == "rules/detect/example_rule.yml:1"


def test_a_renamed_rule_is_found_by_its_old_id_and_an_unknown_one_is_not(tmp_path: Path) -> None:
    rulebook = load_one(tmp_path, GOOD + "was: [first_name, second_name]\n")
    assert rulebook.rule("third_name") is None
    for name in ("example_rule", "first_name", "second_name"):
        found = rulebook.rule(name)
        assert found is not None
        assert found.id == "example_rule"


def test_the_version_changes_with_any_word_of_any_rule(tmp_path: Path) -> None:
    health = GOOD.replace("any: [nino]", "any: [health]")
    one = load_rulebook(rules_with(tmp_path / "1", first=GOOD, second=health), KNOWN)
    same = load_rulebook(rules_with(tmp_path / "2", first=GOOD, second=health), KNOWN)
    other = load_rulebook(rules_with(tmp_path / "3", first=GOOD, second=health.replace("another", "a safer")), KNOWN)
    renamed = load_rulebook(rules_with(tmp_path / "4", first=GOOD, third=health), KNOWN)
    assert one.version == same.version
    assert len({one.version, other.version, renamed.version}) == 3
    assert one.rules[0].version == other.rules[0].version != other.rules[1].version


def test_a_shadow_rule_runs_and_one_that_is_off_does_not(tmp_path: Path) -> None:
    rules = rules_with(tmp_path, first=GOOD + "state: shadow\n", second=GOOD + "state: off\n", third=GOOD)
    assert [rule.runs for rule in load_rulebook(rules, KNOWN).rules] == [True, False, True]


def test_names_matter_only_near_labels_of_rules_that_run_and_are_possible(tmp_path: Path) -> None:
    near = "  direction: [outbound]\n  near: {of: [person], to: [health]}\n"
    excluded = "  none: [{near: {of: [person], to: [email]}}]\n"
    rules = rules_with(
        tmp_path,
        first=GOOD,
        second=GOOD.replace("  labels: {any: [nino]}\n", near),
        third=GOOD.replace("  labels: {any: [nino]}\n", near.replace("health", "nino")) + "state: off\n",
        fourth=GOOD.replace("  labels: {any: [nino]}\n", "  labels: {any: [email]}\n" + excluded),
    )
    rulebook = load_rulebook(rules, KNOWN)
    outbound = Scene(mail(), "outbound", "sender", (), (), DIRECTORY)
    assert rulebook.names_near([outbound]) == (NamesNear(frozenset({"health"}), 0.75),)
    assert rulebook.names_near([replace(outbound, direction="internal")]) == ()


def test_labels_matter_only_to_rules_that_run_and_are_possible_and_where_they_raise_one(tmp_path: Path) -> None:
    health = GOOD.replace("  labels: {any: [nino]}\n", "  direction: [internal]\n  labels: {any: [health]}\n")
    raised = GOOD + "raise:\n  - {when: {labels: {any: [email]}}, severity: severe}\n"
    rules = rules_with(tmp_path, first=health, second=raised, third=GOOD.replace("[nino]", "[person]") + "state: off\n")
    rulebook = load_rulebook(rules, KNOWN)
    outbound = Scene(mail(), "outbound", "sender", (), (), DIRECTORY)
    internal = replace(outbound, direction="internal")
    asked = frozenset({"health", "email", "person"})
    assert rulebook.useful(asked, [outbound]) == {"email"}
    assert rulebook.useful(asked, [outbound, internal]) == {"email", "health"}
    assert rulebook.useful(frozenset(), [outbound, internal]) == frozenset()


def test_several_keys_of_one_condition_must_all_hold(tmp_path: Path) -> None:
    text = GOOD.replace("  labels: {any: [nino]}\n", "  direction: [outbound]\n  labels: {any: [nino]}\n")
    (rule,) = load_one(tmp_path, text).rules
    assert type(rule.when).__name__ == "All"
    assert rule.when.labels() == {"nino"}


def test_without_known_labels_none_is_called_unknown(tmp_path: Path) -> None:
    rules = rules_with(tmp_path, first=GOOD.replace("nino", "label_of_tomorrow"))
    assert load_rulebook(rules).rules[0].when.labels() == {"label_of_tomorrow"}


def test_an_example_keeps_its_attachments_as_they_were_written(tmp_path: Path) -> None:
    mail = (
        "body: No number., attachments: [{name: a.csv, rows: [[Name, 7], [~, 2014-03-04]]}, "
        "{name: b.txt, text: words}, {name: c.bin, base64: AAEC}]"
    )
    (rule,) = load_one(tmp_path, GOOD.replace("body: No number.", mail)).rules
    sheet, note, binary = rule.examples[1].attachments
    assert sheet.rows == (("Name", "7"), ("", "2014-03-04"))
    assert (note.text, note.data) == ("words", None)
    assert binary.data == b"\x00\x01\x02"


def test_the_shipped_rules_load_and_each_has_examples_of_both_kinds() -> None:
    rulebook = load_rulebook(SHIPPED)
    assert len(rulebook.rules) >= 13
    for rule in rulebook.rules:
        kinds = [example.must_flag for example in rule.examples]
        assert min(kinds.count(True), kinds.count(False)) >= 3, rule.id
        assert all(example.why for example in rule.examples), rule.id


def test_a_rule_file_with_another_ending_is_a_mistake_and_not_passed_over(tmp_path: Path) -> None:
    rules = rules_with(tmp_path, good=GOOD)
    (rules / "detect" / "Second Rule.yaml").write_text(GOOD, "utf-8")
    with pytest.raises(ConfigErrors) as caught:
        load_rulebook(rules)
    assert str(caught.value) == "rules/detect/Second Rule.yaml: is not read: rule files end in .yml"
