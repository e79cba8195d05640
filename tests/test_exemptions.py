"""Forgiveness has an owner, a reason and an end, and hides nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from made_up import DIRECTORY, JANE, mail, rules_with
from test_inspection import NUMBER, House

from scanner.errors import ConfigErrors
from scanner.exemptions import load_exemptions
from scanner.inspection import inspect
from scanner.model import Verdict
from scanner.policy import Policy
from scanner.rulebook import load_rulebook

ONE = """\
exceptions:
  - id: charity-week
    rules: [number]
    matches: {sender: {addresses: ["jane.*@elt.example"]}}
    reason: The head allowed it.
    owner: head@elt.example
    until: 2026-12-01
"""
DAY = date(2026, 11, 1)


def write(tmp_path: Path, text: str) -> Path:
    rules = rules_with(tmp_path, number=NUMBER)
    (rules / "exceptions.yml").write_text(text, "utf-8")
    return rules


def judged(tmp_path: Path, today: date, text: str = ONE, from_: str = JANE) -> Verdict:
    house = House(tmp_path / "house", number=NUMBER)
    rules = write(tmp_path, text)
    regime = replace(house.regime, exemptions=load_exemptions(rules, house.regime.rulebook))
    envelope = mail(from_, body="QQ111111C")
    return inspect(envelope, DIRECTORY, regime, house.instruments, today=today)


def test_another_sender_is_not_excused(tmp_path: Path) -> None:
    (finding,) = judged(tmp_path, DAY, from_="sam.lee@elt.example").findings
    assert finding.exempted_by is None


def test_past_its_last_day_it_excuses_nothing(tmp_path: Path) -> None:
    (finding,) = judged(tmp_path, date(2026, 12, 2)).findings
    assert finding.exempted_by is None


def test_without_a_day_it_excuses_nothing(tmp_path: Path) -> None:
    (finding,) = judged(tmp_path, date.max).findings
    assert finding.exempted_by is None


def test_an_excused_finding_stays_and_names_its_exception(tmp_path: Path) -> None:
    (finding,) = judged(tmp_path, date(2026, 12, 1)).findings
    assert finding.exempted_by == "charity-week"
    assert finding.rule == "number"


def test_expired_ones_are_named(tmp_path: Path) -> None:
    rules = write(tmp_path, ONE)
    found = load_exemptions(rules, load_rulebook(rules))
    assert found.expired(DAY) == ()
    assert [item.id for item in found.expired(date(2027, 1, 1))] == ["charity-week"]


@pytest.mark.parametrize(
    ("old", "new", "line", "why"),
    [
        ("rules: [number]", "rules: [nummer]", 3, "there is no rule 'nummer' (known: number)"),
        ("rules: [number]", "rules: []", 3, "must name at least one rule"),
        ("until: 2026-12-01", "until: never", 7, "must be a date such as 2027-07-31"),
        ("    until: 2026-12-01\n", "", 2, "key 'until' is missing"),
        ("reason: The head allowed it.", "reason: ''", 5, "must be text, not nothing"),
        ("sender:", "senders:", 4, "unknown key 'senders' (allowed: "),
        ('{sender: {addresses: ["jane.*@elt.example"]}}', "{}", 4, "an empty condition would always hold"),
        (
            '{sender: {addresses: ["jane.*@elt.example"]}}',
            "{direction: internal, audience: outside}",
            4,
            "can never match",
        ),
        ("id: charity-week", "id: Charity Week", 2, "must be lower-case letters"),
    ],
)
def test_each_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, why: str) -> None:
    assert old in ONE
    rules = write(tmp_path, ONE.replace(old, new))
    with pytest.raises(ConfigErrors) as caught:
        load_exemptions(rules, load_rulebook(rules))
    places = [str(error) for error in caught.value.errors]
    assert any(place.startswith(f"rules/exceptions.yml:{line}: {why}") for place in places), places


def test_an_exception_goes_before_the_policys_excuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Policy, "excuse", lambda *_: "policy: it was permitted")
    (finding,) = judged(tmp_path / "excepted", DAY).findings
    assert finding.exempted_by == "charity-week"
    (finding,) = judged(tmp_path / "ended", date(2026, 12, 2)).findings
    assert finding.exempted_by == "policy: it was permitted"
