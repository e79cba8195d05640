"""Rules change while the service runs: taken up between rounds, tried on mail read again, and exceptions that reach open cases.

Everything runs as an admin would have it run: settings in a file, the service over a fake tenant, and the commands.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from made_up import SHIPPED, rules_with
from test_pipeline import MAILBOXES, small_tenant
from typer.testing import CliRunner

from connectors.faketenant.server import FakeTenant
from scanner import app, correlate
from scanner.cli import cli
from scanner.errors import ConfigError, MailwardenError
from scanner.governance import NotAuthorisedError
from scanner.keys import create_root_key, load_root_key
from scanner.store import Store

JANE, SAM = MAILBOXES
RULE = """\
title: A National Insurance number went outside
topic: personal_data
category: personal_data
severity: moderate
owner: dpo
advice: Send it another way.
when:
  direction: outbound
  audience: outside
  labels: {any: [nino], confidence: 0.8}
examples:
  must_flag:
    - why: a number
      mail: {from: jane.smith@elt.example, to: [sales@printco.example], body: "National insurance number AB 12 34 56 C."}
  must_pass:
    - why: none
      mail: {from: jane.smith@elt.example, to: [sales@printco.example], body: Thank you.}
"""
QUIET = RULE.replace(
    "audience: outside\n", 'audience: outside\n  none: [{recipient: {addresses: ["*@outdoorcentre.example"]}}]\n'
)
EXCEPTION = """\
exceptions:
  - id: centre
    rules: [number]
    matches: {recipient: {addresses: ["desk@outdoorcentre.example"], every: true}}
    reason: The outdoor centre asks for numbers by contract.
    owner: dpo
    until: UNTIL
    open_cases: true
"""


class Site:
    """Settings, rules and a store over one fake tenant. Two mailboxes; five mails hold a number, one of them for both."""

    def __init__(self, folder: Path, fake: FakeTenant) -> None:
        self.folder = folder
        self.rules = rules_with(folder, number=RULE)
        for name in ("policies", "routing.yml", "examples.people.yml"):
            copy = shutil.copytree if (SHIPPED / name).is_dir() else shutil.copyfile
            copy(SHIPPED / name, self.rules / name)
        for pack in (self.rules / "policies").glob("*.yml"):
            if pack.stem != "base":
                pack.unlink()
        (folder / "secret").write_text(fake.client_secret)
        (folder / "people.yaml").write_text(
            "organisation: Example Learning Trust\ndomains: [elt.example]\nroles: {dpo: dpo@elt.example}\npeople: []\n"
        )
        self.config = folder / "mailwarden.yaml"
        self.config.write_text(
            f"tenant: {{tenant_id: {fake.tenant_id}, client_id: {fake.client_id}, client_secret_file: {folder}/secret,\n"
            f"         graph_url: '{fake.url}', authority: '{fake.url}', ca_file: {fake.ca_file}, people_file: {folder}/people.yaml}}\n"
            f"root_key_file: {folder}/root.key\nrules_dir: {self.rules}\nstore: {{url: 'sqlite:///{folder}/store.db'}}\n"
            "scan: {workers: 1, look_back_days: 3650}\n"
        )

    def changed(self, text: str) -> Path:
        other = self.folder / "changed" / "rules"
        shutil.rmtree(other, ignore_errors=True)
        shutil.copytree(self.rules, other)
        (other / "detect" / "number.yml").write_text(text)
        return other

    @property
    def store(self) -> Store:
        return Store.open(
            f"sqlite:///{self.folder / 'store.db'}", load_root_key(self.folder / "root.key", 1).subkey("audit")
        )

    def states(self) -> dict[str, int]:
        store = self.store
        try:
            return {state: number for state, number in store.case_counts().by_state.items() if number}
        finally:
            store.close()

    def run(self, *arguments: str) -> tuple[int, str]:
        finished = CliRunner().invoke(cli, [*arguments, "--config", str(self.config)])
        return finished.exit_code, finished.output + (str(finished.exception) if finished.exception else "")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    # Proving has tests of its own, and each proof starts a worker; what loads is enough here.
    monkeypatch.setattr(
        app, "_prove_set", lambda folder, policies, say: [app._regime(folder, slug) for slug in policies]
    )
    with FakeTenant(small_tenant()) as fake:
        yield Site(tmp_path, fake)


def silent(_: str) -> None:
    """What a test does not look at."""


def test_a_change_is_tried_on_mail_read_again_and_nothing_is_committed(site: Site) -> None:
    app.run_once(site.config, silent, lambda done: None)
    assert site.states() == {"new": 5}
    store = site.store
    store.decide(1, actor="dana", action="confirm", note="", now=datetime.now(UTC))
    before = store.audit_entries()
    store.close()
    found = app.backtest_again(
        site.config, site.changed(QUIET), None, [JANE], 3650, "Too many about the centre", silent
    )
    # Every mail to the centre; the one that also went to Sam is for the centre too.
    assert (found.messages, found.number("dropped"), found.number("added"), found.unread) == (13, 5, 0, 0)
    assert found.number("dropped", "confirmed") == 1
    assert [(look.change, look.case_id) for look in found.look] == [("lost", 1)]
    assert found.changed == ("number",)
    assert found.words().startswith(
        "On 13 messages read again the new set drops 0 of 0 false alarms, loses 1 of 1 confirmed"
    )
    assert site.states() == {"new": 4, "confirmed": 1}
    store = site.store
    (entry,) = [each for each in store.audit_entries() if each not in before]
    assert (entry.action, entry.object, entry.reason) == (
        "rules tried on mail",
        f"mailbox/{JANE}",
        "Too many about the centre",
    )
    assert store.last_run() is not None
    store.close()
    # Only the days that were asked for, and the other way about: what the old set did not find is new.
    assert (
        app.backtest_again(site.config, site.changed(QUIET), None, [JANE], 1, "The same once more", silent).messages
        == 0
    )
    back = app.backtest_again(site.config, site.rules, site.changed(QUIET), [JANE], 3650, "And the other way", silent)
    assert (back.number("added"), back.number("kept"), len(back.look)) == (5, 0, 5)
    assert back.look[0].internet_id.endswith("@elt.example>")


def test_a_second_look_knows_the_past_as_a_round_does(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlate, "KNOWN_SENDER", 0)
    monkeypatch.setattr(correlate, "KNOWN_FOR", timedelta(0))
    asks = RULE.replace("when:\n", "past: [first_time]\nwhen:\n").replace(
        'mail: {from: jane.smith@elt.example, to: [sales@printco.example], body: "Nat',
        'mail: {past: [first_time], from: jane.smith@elt.example, to: [sales@printco.example], body: "Nat',
    )
    (site.rules / "detect" / "number.yml").write_text(asks)
    app.run_once(site.config, silent, lambda done: None)
    assert site.states() == {"new": 5}
    found = app.backtest_again(site.config, site.changed(asks), None, [JANE, SAM], 3650, "The very same set", silent)
    assert (found.number("dropped"), found.number("added"), found.number("kept")) == (0, 0, 6)
    with app._services(app.load_settings(site.config), silent) as services:
        services.refresh_people()
        detail = services.each[0].store.case(1)
        assert detail is not None
        told = services.explain(detail.appearances[0])
        assert [finding.rule for finding in told.findings] == ["number"]
        monkeypatch.setattr(correlate, "KNOWN_SENDER", 1)  # nothing came before this day
        told = services.explain(detail.appearances[0])
        assert told.findings == ()
        assert told.silences[0].missing == (
            "waits for the past to show: the sender never wrote to this recipient before",
        )
        monkeypatch.setattr(correlate, "KNOWN_SENDER", 0)
    (site.rules / "exceptions.yml").write_text(EXCEPTION.replace("UNTIL", "2999-12-31"))
    code, said = site.run("rules", "excuse", "--dry-run", "--why", "Would it help?")
    assert code == 0
    assert "4 would be excused, 1 stay as they are" in said, said


def test_mail_is_not_read_again_without_leave(site: Site) -> None:
    pack = site.rules / "policies" / "base.yml"
    pack.write_text(pack.read_text().replace("scan_mode: routine", "scan_mode: by_grant"))
    with pytest.raises(NotAuthorisedError):
        app.backtest_again(site.config, site.changed(QUIET), None, [JANE], 3650, "Too many about the centre", silent)
    with pytest.raises(MailwardenError, match="is no mailbox in scope"):
        app.backtest_again(site.config, site.changed(QUIET), None, ["x@else.example"], 9, "Too many about it", silent)
    with pytest.raises(MailwardenError, match="--why"):
        app.backtest_again(site.config, site.changed(QUIET), None, [JANE], 9, "why", silent)
    grant = ("--kind", "grant", "--purpose", "trying a changed rule", "--mailbox", JANE, "--approver", "Hilary Moss")
    code, said = site.run("authorise", "record", *grant, "--role", "headteacher", "--grounds", "too many false alarms")
    assert code == 0, said
    found = app.backtest_again(
        site.config, site.changed(QUIET), None, [JANE], 3650, "Too many about the centre", silent
    )
    assert found.messages == 13
    with pytest.raises(NotAuthorisedError):
        app.backtest_again(site.config, site.changed(QUIET), None, [SAM], 3650, "Too many about the centre", silent)


def test_an_exception_reaches_open_cases_only_when_asked_and_leaves_a_trace(site: Site) -> None:
    app.run_once(site.config, silent, lambda done: None)
    (site.rules / "exceptions.yml").write_text(EXCEPTION.replace("UNTIL", "2999-12-31"))
    code, said = site.run("rules", "excuse", "--dry-run")
    assert (code != 0, "--why" in said) == (True, True)
    code, said = site.run("rules", "excuse", "--dry-run", "--why", "Would it help?")
    assert (code, site.states()) == (0, {"new": 5})
    store = site.store
    read = [entry for entry in store.audit_entries() if entry.action == "exceptions tried on mail"]
    assert {(entry.object, entry.reason) for entry in read} == {(f"case/{n}", "Would it help?") for n in range(1, 6)}
    store.close()
    assert "4 would be excused, 1 stay as they are" in said, said
    assert "not every finding of it is excused" in said  # it went to Sam too
    code, said = site.run("rules", "excuse", "--why", "Agreed with the board")
    assert (code, site.states()) == (0, {"new": 1, "excused": 4}), said
    store = site.store
    (case, *_) = [row for row in store.cases() if row.state == "excused"]
    detail = store.case(case.id)
    assert detail is not None
    assert {finding.exempted_by for finding in detail.findings} == {"centre"}
    (step,) = detail.decisions
    assert (step.action, step.note) == (
        "excuse",
        "Agreed with the board (exception centre: The outdoor centre asks for numbers by contract.)",
    )
    assert store.verify_audit() is None
    assert store.excused_counts() == {"centre": 4}
    assert store.notice_counts().get("pending", 0) == 1  # nobody is told of the other four any more
    assert store.decide(case.id, actor="dana", action="reopen", note="", now=datetime.now(UTC)) == "open"
    store.close()
    code, said = site.run("rules", "excuse", "none-such", "--dry-run", "--why", "Would it help?")
    assert (code, "no live exception none-such" in said, "centre" in said) == (
        2,
        True,
        True,
    ) or "no live exception" in said


def test_the_actor_is_the_account_and_not_what_the_environment_says(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    create_root_key(site.folder / "root.key")
    app.propose_rules(site.config, site.rules, "the first set of this site", silent)
    account = pwd.getpwuid(os.getuid()).pw_name
    assert [change.actor for change in app.rules_log(site.config)[1]] == [account]
    store = site.store
    assert {(entry.actor, entry.action) for entry in store.audit_entries()} == {(account, "rules proposed")}
    store.close()


def test_an_ended_exception_is_reported_by_run_and_status(site: Site) -> None:
    (site.rules / "exceptions.yml").write_text(EXCEPTION.replace("UNTIL", "2026-01-31"))
    said: list[str] = []
    app.run_once(site.config, said.append, lambda done: None)
    assert [line for line in said if "exception centre ended on 2026-01-31" in line]
    assert site.states() == {"new": 5}
    _, shown = site.run("status")
    assert "exception centre ended on 2026-01-31 and counts no more (dpo)" in shown
    assert "rules in force: version " in shown


def test_a_changed_set_is_taken_up_between_rounds_and_a_bad_one_is_not(site: Site) -> None:
    said: list[str] = []
    with app._services(app.load_settings(site.config), said.append) as services:
        first = services.web_services().rulebook.version
        services.refresh_people()
        services.refresh_rules()
        assert services.web_services().rulebook.version == first
        file = site.rules / "detect" / "number.yml"
        file.write_text(QUIET.replace("topic: personal_data", "topic: gardening"))
        assert services.round().new_cases == 5  # the last good set is still in force
        notice = services.web_services().rules_notice
        assert "are refused" in notice
        assert "detect/number.yml:2" in notice
        assert services.web_services().rulebook.version == first
        _, shown = site.run("status")
        assert "was refused" in shown
        file.write_text(QUIET)
        services.round()
        after = services.web_services()
        assert (after.rules_notice, after.rulebook.version != first) == ("", True)
        assert services.each[0].pool.versions().rules == after.rulebook.version
        # An exception alone is a change too.
        (site.rules / "exceptions.yml").write_text(EXCEPTION.replace("UNTIL", "2999-12-31"))
        services.round()
        assert [item.id for item in services.web_services().exemptions.items] == ["centre"]
    store = site.store
    acts = [(entry.actor, entry.action) for entry in store.audit_entries() if entry.action.startswith("rules ")]
    store.close()
    assert acts[::-1] == [("service", f"rules {what}") for what in ("in force", "refused", "in force", "in force")]
    changes = [change.what for change in app.rules_log(site.config)[1]]
    assert changes == ["in force", "refused", "in force", "in force"]


def test_a_spoilt_copy_with_four_eyes_is_said_and_stops_the_next_start(site: Site) -> None:
    with site.config.open("a") as settings:
        settings.write("four_eyes: true\n")
    with app._services(app.load_settings(site.config), silent) as services:
        kept = next((site.folder / "rule-sets").glob("*/rules/detect/number.yml"))
        good = kept.read_text()
        kept.write_text(QUIET)
        (site.rules / "detect" / "number.yml").write_text(QUIET)
        for _ in range(2):
            services.refresh_rules()
            assert "was changed or taken away" in services.web_services().rules_notice
        assert "was changed or taken away" in site.run("status")[1]
        with pytest.raises(ConfigError), app._services(app.load_settings(site.config), silent):
            raise AssertionError("it started")
        kept.write_text(good)
        services.refresh_rules()
        assert "not approved" in services.web_services().rules_notice


def test_the_store_is_asked_under_the_pack_in_force(site: Site) -> None:
    """A rule that the pack switches off changes nothing, however it is worded."""
    app.run_once(site.config, silent, lambda done: None)
    found = app.backtest(site.config, site.changed(RULE.replace("0.8", "0.99")), None, None, "")
    assert (found.messages, found.number("dropped"), found.number("kept")) == (14, 5, 0)
    changed = site.changed(RULE.replace("0.8", "0.99"))
    for rules in (site.rules, changed):
        pack = rules / "policies" / "base.yml"
        pack.write_text(pack.read_text() + "rules: [{id: number, state: off}]\n")
    assert app.backtest(site.config, changed, None, None, "").changed == ()


def test_a_labelled_folder_says_what_a_change_would_do(site: Site) -> None:
    folder = site.folder / "corpus"
    (folder / "mail").mkdir(parents=True)
    heads = "From: jane.smith@elt.example\nTo: {}\nSubject: Trip\nDate: Mon, 07 Sep 2026 10:00:00 +0100\n\n{}\n"
    number = "For the form: Ron Tanner, national insurance number AB 12 34 56 C."
    mails = {
        "centre": ("desk@outdoorcentre.example", number, ["personal_data"], []),
        "other": ("sales@printco.example", number, ["personal_data"], []),
        "false": ("desk@outdoorcentre.example", number, [], []),
        "allowed": ("desk@outdoorcentre.example", number, [], ["personal_data"]),
        "clean": ("sales@printco.example", "Thank you.", [], []),
    }
    lines = []
    for name, (to, body, expect, allow) in mails.items():
        (folder / "mail" / f"{name}.eml").write_text(heads.format(to, body))
        lines.append(json.dumps({"file": f"mail/{name}.eml", "expect": expect, "allow": allow}))
    (folder / "labels.jsonl").write_text("\n".join(lines))
    shutil.copyfile(site.folder / "people.yaml", folder / "people.yaml")
    ((before, after),), changed = app.backtest_labelled(folder, site.changed(QUIET), site.rules, "base", silent)
    assert (before.topic, before.found, before.missed, before.false_alarms) == ("personal_data", 2, 0, 1)
    assert (after.found, after.missed, after.false_alarms) == (1, 1, 0)
    assert changed == ["mail/allowed.eml", "mail/centre.eml", "mail/false.eml"]
    (folder / "labels.jsonl").write_text("no json")
    with pytest.raises(MailwardenError, match=r"labels\.jsonl"):
        app.backtest_labelled(folder, site.rules, None, "base", silent)
