"""The last good set stays in force, visibly; nobody approves their own change; a copy that was changed is not trusted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from made_up import GOOD, rules_with

from scanner import app
from scanner.errors import ConfigError, MailwardenError
from scanner.rule_sets import Change, InForce, RuleSets, content_version
from scanner.rulebook import load_rulebook
from scanner.schedule import Job
from scanner.service import Services

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)


class Home:
    def __init__(self, tmp_path: Path) -> None:
        self.sets = RuleSets(tmp_path / "home")
        self.rules = rules_with(tmp_path / "admin", example_rule=GOOD)
        self.said: list[str] = []

    def write(self, text: str) -> None:
        (self.rules / "detect" / "example_rule.yml").write_text(text, "utf-8")

    def settle(self, four_eyes: bool = False) -> InForce:
        check: Callable[[Path], None] = lambda folder: (load_rulebook(folder), None)[1]  # noqa: E731
        return self.sets.settle(self.rules, check=check, four_eyes=four_eyes, now=NOW, say=self.said.append)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_without_a_good_set_a_bad_one_stops_the_start(home: Home) -> None:
    home.write("title: nothing else")
    with pytest.raises(MailwardenError):
        home.settle()
    assert home.sets.in_force() is None


def test_a_bad_set_leaves_the_last_good_one_in_force_and_says_so(home: Home) -> None:
    good = home.settle()
    home.write(GOOD.replace("topic: personal_data", "topic: gardening"))
    now = home.settle()
    assert now.version == good.version
    assert "is refused" in now.notice or "are refused" in now.notice
    assert "detect/example_rule.yml:2" in now.notice
    assert home.said == [now.notice]
    assert [change.what for change in home.sets.log()] == ["in force", "refused"]
    assert load_rulebook(now.folder).rules[0].topic == "personal_data"


def test_saying_it_twice_logs_it_once(home: Home) -> None:
    home.settle()
    home.write("title: x")
    home.settle()
    home.settle()
    assert [change.what for change in home.sets.log()] == ["in force", "refused"]


def test_what_is_edited_after_the_start_reaches_no_worker(home: Home) -> None:
    folder = home.settle().folder
    home.write("title: half saved")
    assert load_rulebook(folder).rules[0].id == "example_rule"


def test_a_good_change_is_taken_and_logged(home: Home) -> None:
    first = home.settle()
    home.write(GOOD.replace("severity: moderate", "severity: severe"))
    second = home.settle()
    assert second.version != first.version
    assert second.notice == ""
    assert [change.version for change in home.sets.log()] == [first.version, second.version]


def test_a_copy_that_was_changed_is_not_trusted(home: Home) -> None:
    folder = home.settle().folder
    (folder / "detect" / "example_rule.yml").write_text(GOOD + "state: off\n", "utf-8")
    assert home.sets.in_force() is None
    assert home.settle().version == content_version(home.rules)


@pytest.mark.parametrize("spoilt", ["copy", "name"])
def test_with_four_eyes_spoiling_what_is_in_force_lets_no_other_set_in(home: Home, spoilt: str) -> None:
    first = home.settle(four_eyes=True)
    if spoilt == "copy":
        (first.folder / "detect" / "example_rule.yml").write_text(GOOD + "state: off\n", "utf-8")
    else:
        (first.folder.parents[1] / "in-force").unlink()
    assert home.sets.lost() == first.version
    home.write(GOOD.replace("severity: moderate", "severity: minor"))
    with pytest.raises(ConfigError, match=f"version {first.version}.* was changed or taken away"):
        home.settle(four_eyes=True)
    assert home.sets.in_force() is None
    home.write(GOOD)  # the folder is once more what was in force: the copy is made anew
    assert home.settle(four_eyes=True).version == first.version
    assert home.sets.lost() == ""


def test_with_four_eyes_nothing_changes_before_the_second_person(home: Home) -> None:
    first = home.settle(four_eyes=True)
    home.write(GOOD.replace("severity: moderate", "severity: severe"))
    assert home.settle(four_eyes=True).version == first.version
    assert "not approved" in home.said[-1]
    version = home.sets.keep(home.rules)
    with pytest.raises(MailwardenError, match="was not proposed"):
        home.sets.approve(version, "ada", "looks right to me", NOW)
    home.sets.propose(version, "ada", "graver since the incident", NOW)
    with pytest.raises(MailwardenError, match="somebody else has to approve"):
        home.sets.approve(version, "ada", "looks right to me", NOW)
    home.sets.approve(version, "dana", "looks right to me", NOW)
    settled = home.settle(four_eyes=True)
    assert (settled.version, settled.notice) == (version, "")
    assert [(change.actor, change.what) for change in home.sets.log()] == [
        ("service", "in force"),
        ("ada", "proposed"),
        ("dana", "approved"),
    ]


def test_each_change_is_recorded_before_it_is_made_and_not_made_where_that_fails(home: Home) -> None:
    seen: list[tuple[str, bool]] = []
    home.sets = RuleSets(home.rules.parent / "home", lambda change: seen.append((change.what, bool(home.sets.log()))))
    first = home.settle()
    assert seen == [("in force", False)]

    def full(change: Change) -> None:
        raise MailwardenError("the audit trail cannot be written")

    home.sets = RuleSets(home.rules.parent / "home", full)
    home.write(GOOD.replace("severity: moderate", "severity: severe"))
    with pytest.raises(MailwardenError, match="audit trail"):
        home.settle()
    current = home.sets.in_force()
    assert current is not None
    assert (current.version, len(home.sets.log())) == (first.version, 1)


def test_a_torn_line_of_the_log_is_passed_over_and_said(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    first = home.settle()
    with (first.folder.parents[1] / "changes.jsonl").open("ab") as lines:
        lines.write(b'{"at":"2026-11-01T09:00:00Z","act')
    assert [change.what for change in home.sets.log()] == ["in force"]
    assert "changes.jsonl:2 is no whole line" in caplog.text
    home.sets.propose(first.version, "ada", "the same once more", NOW)
    assert [change.what for change in home.sets.log()] == ["in force", "proposed"]


def test_a_change_needs_a_reason(home: Home) -> None:
    with pytest.raises(MailwardenError, match="--why"):
        home.sets.propose(home.sets.keep(home.rules), "ada", " x ", NOW)


def test_the_version_depends_on_names_and_bytes_alone(tmp_path: Path) -> None:
    one, other = (rules_with(tmp_path / name, example_rule=GOOD) for name in ("a", "b"))
    assert content_version(one) == content_version(other)
    (other / "lists").mkdir()
    (other / "lists" / "words.yml").write_text("x: 1")
    assert content_version(one) != content_version(other)


def test_a_folder_of_anything_is_no_rule_set(tmp_path: Path) -> None:
    for number in range(5_001):
        (tmp_path / f"{number}.md").touch()
    with pytest.raises(ConfigError, match="more than 5,000 files"):
        content_version(tmp_path)


def test_the_page_alone_looks_for_changed_rules_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` looks between two rounds; where there are no rounds somebody else has to."""
    settings = tmp_path / "mailwarden.yaml"
    settings.write_text(f"store: {{url: 'sqlite:///{tmp_path / 'store.db'}'}}\n")
    asked: list[str] = []
    services = Services(())
    services.renewed = lambda each: asked.append("looked") or each  # type: ignore[func-returns-value]
    monkeypatch.setattr(Services, "stop", Event())
    monkeypatch.setattr(app, "_services", lambda *_: nullcontext(services))
    monkeypatch.setattr(app, "serve_all", lambda *_: None)

    def run(jobs: list[Job], stop: Event, serve: Callable[[], None]) -> None:
        for job in jobs:
            assert job.seconds <= 60
            job.call()
        serve()

    monkeypatch.setattr(app.schedule, "run", run)
    app.run_web(settings, print)
    assert asked == ["looked"]
