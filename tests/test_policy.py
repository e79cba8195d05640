"""A policy pack is refused with every mistake and its place, or it says what the trust's own policy says."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from made_up import GOOD, SHIPPED, rules_with
from typer.testing import CliRunner

from scanner.clauses import Clause
from scanner.cli import cli
from scanner.errors import ConfigError, ConfigErrors
from scanner.policy import Policy, load_policy
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
    uncited = {rule.topic for rule in rulebook.rules if rule.runs and rule.id not in base.off} - base.clauses.keys()
    assert uncited == set()
    for path in (SHIPPED / "policies").glob("*.yml"):
        assert load_policy(SHIPPED, path.stem, rulebook).slug == path.stem


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("random_checks: sometimes", "must be one of allowed, excluded, unstated, not 'sometimes'"),
        ("may_authorise: [caretaker]", "must be one of headteacher, governors, "),
        ('reply_window: {from: "18:00"}', "key 'to' is missing"),
        ('reply_window: {from: "6 pm", to: "06:00"}', 'must be a time of day in quotation marks, such as "08:30"'),
        (
            'personal_hours: [{from: "08:00", to: "09:00", days: sundays}]',
            "must be one of all, weekdays, not 'sundays'",
        ),
        ("repeats: [{of: severe, becomes: minor}]", "a repeat can only make a breach graver"),
        ("retention: {grave: 12}", "unknown key 'grave' (allowed: minor, moderate, severe)"),
        ("retention: {minor: 0}", "must be a number from 1 to 240, not 0"),
        ("patterns: {out_of_hours: {times: 1, days: 28}}", "must be a number from 2 to 1000, not 1"),
        ("routes: [{to: [caretaker], because: why}]", "must be one of dpo, deputy_dpo, "),
        ("titles: {caretaker: Bob}", "unknown key 'caretaker' (allowed: dpo, deputy_dpo, "),
        ("acts: [explode]", "must be one of block, quarantine, delete, revoke_link, tell_sender, not 'explode'"),
        ("exemptions: [golf]", "must be one of whistleblowing, education, authorities, family, not 'golf'"),
        ("contact_details: [neighbours]", "must be one of pupils, parents, former_pupils, nobody, not 'neighbours'"),
        ("from: September", "must be a day, such as 2026-09-01"),
        ("covers: []", "must name at least one of staff, pupil, "),
    ],
)
def test_a_mistake_in_a_key_of_the_contradictions_is_refused_with_its_place(
    line: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigErrors) as caught:
        pack_of(tmp_path, PACK + line + "\n")
    assert any(str(error).startswith(f"rules/policies/example.yml:8: {words}") for error in caught.value.errors), (
        caught.value
    )


def test_a_policy_cannot_end_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="is before the day the policy came into force"):
        pack_of(tmp_path, PACK + "from: 2026-09-01\nuntil: 2026-08-31\n")


def with_register(folder: Path, register: str, pack: str = "", wording: str = "") -> Policy:
    made = rules(folder, PACK.partition("clauses:")[0] + pack)
    (made / "policies" / "clauses").mkdir()
    (made / "policies" / "clauses" / "example.yml").write_text(register, "utf-8")
    if wording:
        (made / "policies" / "wording").mkdir()
        (made / "policies" / "wording" / "example.yml").write_text(wording, "utf-8")
    return load_policy(made, "example", load_rulebook(made))


ENTRY = "- {id: '4.5', class: full, says: Data stays inside., rules: [first_rule]}\n"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("- {id: '1', class: full, says: a}", "needs exactly one answer: rules and/or tests, open, or none"),
        (
            "- {id: '1', class: full, says: a, open: b, none: c}",
            "needs exactly one answer: rules and/or tests, open, or none",
        ),
        ("- {id: '1', class: full, says: a, rules: [first_rule], open: c}", "needs exactly one answer"),
        ("- {id: '1', class: half, says: a, open: b}", "must be one of full, partial, record, none, not 'half'"),
        ("- {id: '1', class: full, says: a, rules: [third_rule]}", "there is no rule 'third_rule'"),
        ("- {id: '4.5', class: full, says: a, open: b}", "clause 'example:4.5' is there twice"),
        ("- {id: '1', class: full, says: a, open: b, from: soon}", "must be a day, such as 2026-09-01"),
        ("- {id: '1', class: full, words: a, open: b}", "unknown key 'words' (allowed: id, class, says, "),
    ],
)
def test_a_mistake_in_a_register_is_refused_with_its_place(entry: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        with_register(tmp_path, ENTRY + entry + "\n")
    assert any(str(error).startswith(f"rules/policies/clauses/example.yml:2: {words}") for error in caught.value.errors)


def test_a_trusts_own_wording_takes_the_place_of_ours(tmp_path: Path) -> None:
    ours = with_register(tmp_path / "1", ENTRY)
    theirs = with_register(tmp_path / "2", ENTRY, wording="'4.5': All data is to remain on the premises.\n")
    assert ours.wording() == {"example:4.5": "Data stays inside."}
    assert theirs.wording() == {"example:4.5": "All data is to remain on the premises."}
    assert ours.version != theirs.version
    with pytest.raises(ConfigErrors, match=r"there is no clause '4\.6'"):
        with_register(tmp_path / "3", ENTRY, wording="'4.6': Nothing.\n")


def test_a_finding_cites_the_clauses_in_force_when_the_mail_was_sent(tmp_path: Path) -> None:
    register = ENTRY + (
        "- {id: '4.6', class: full, says: Or it is encrypted., rules: [first_rule], from: 2026-05-01}\n"
        "- {id: '4.7', class: full, says: Faxes., rules: [first_rule], until: 2026-04-30}\n"
        "- {id: '5.1', class: full, says: Threats., rules: [second_rule]}\n"
    )
    policy = with_register(tmp_path, register, "from: 2026-01-01\n")

    def cited(year: int, month: int, day: int, hour: int = 12) -> tuple[str, ...]:
        return policy.cite(["first_rule"], "personal_data", datetime(year, month, day, hour, tzinfo=UTC))

    assert cited(2025, 12, 31) == ()
    assert cited(2026, 1, 1) == ("example:4.5", "example:4.7")
    assert cited(2026, 4, 30, 23) == ("example:4.5", "example:4.6")  # past midnight on British clocks
    assert cited(2026, 5, 1) == ("example:4.5", "example:4.6")
    assert policy.cite(["second_rule"], "threats", None) == ("example:5.1",)


def test_a_rule_runs_only_where_the_packs_words_fit(tmp_path: Path) -> None:
    made = rules(tmp_path, PACK + "jokes: barred\n")
    rule = made / "detect" / "first_rule.yml"
    rule.write_text(rule.read_text("utf-8").replace("when:", "only_where: {jokes: [barred]}\nwhen:"), "utf-8")
    assert load_policy(made, "example", load_rulebook(made)).off == frozenset()
    (made / "policies" / "example.yml").write_text(PACK, "utf-8")
    assert load_policy(made, "example", load_rulebook(made)).off == {"first_rule"}
    for wrong, words in (
        ("{joke: [barred]}", "only_where: a pack has no word for 'joke' (allowed: scan_mode, "),
        (
            "{jokes: [forbidden]}",
            "only_where: jokes is never 'forbidden' (allowed: barred, discriminatory_only, unstated)",
        ),
    ):
        rule.write_text(GOOD.replace("when:", f"only_where: {wrong}\nwhen:") + "was: [old_rule]\n", "utf-8")
        with pytest.raises(ConfigErrors) as caught:
            load_policy(made, "example", load_rulebook(made))
        assert words in str(caught.value)


# --- the command line -----------------------------------------------------------------------------------------------


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, list(words))
    return result.exit_code, f"{result.output}{result.exception or ''}"


def test_coverage_prints_the_three_counts_apart_and_first() -> None:
    status, said = run("policy", "coverage", "laat")
    assert status == 0
    policy = load_policy(SHIPPED, "laat", load_rulebook(SHIPPED))
    answers = [clause.answer for clause in policy.register]
    numbers = {answer: answers.count(answer) for answer in ("enforced", "open", "none")}
    first = said.splitlines()[0]
    assert first == (
        f"laat: 53 clauses: {numbers['enforced']} enforced, {numbers['open']} open, {numbers['none']} not about mail or documents"
    )
    assert sum(numbers.values()) == 53
    only = run("policy", "coverage", "laat", "--answer", "open")[1]
    assert only.count("│ open") == numbers["open"]


def test_a_new_pack_starts_from_base_and_differs_where_it_was_told_to(tmp_path: Path) -> None:
    copy = tmp_path / "rules"
    shutil.copytree(SHIPPED, copy)
    answers = ["title=Our policy", "source=v3", "scan_mode=by_grant", "chain_mail=not_named", "from=2026-09-01"]
    options = [option for answer in answers for option in ("--answer", answer)]
    status, said = run("policy", "new", "ours", "--rules", str(copy), *options)
    assert status == 0, said
    made = load_policy(copy, "ours", load_rulebook(copy))
    assert (made.title, made.scan_mode, "chain_mail" in made.off) == ("Our policy", "by_grant", True)
    assert made.clauses["personal_data"][0].id == "ours:1.1"
    told = run("policy", "diff", "base", "ours", "--rules", str(copy))[1]
    assert "scan_mode" in told
    assert "rule chain_mail" in told
    assert "say the same" in run("policy", "diff", "base", "base")[1]
    for name in ("ours", "No Name", "../evil"):
        assert run("policy", "new", name, "--rules", str(copy), *options)[0] != 0
    status, said = run("policy", "new", "other", "--rules", str(copy), "--answer", "chain_mail=maybe")
    assert status != 0
    assert "must be one of originate_or_participate, send_or_forward, nuisance, not_named" in said
    assert not (copy / "policies" / "other.yml").exists()


def test_the_list_shows_every_pack_and_warns_of_those_that_are_due() -> None:
    status, said = run("policy", "list")
    assert status == 0
    assert all(slug in said for slug in ("base", "constellation", "cpps", "partnership", "treetops", "laat"))
    assert "overdue" in said


def test_check_and_list_say_in_the_same_words_how_many_rules_apply() -> None:
    said = re.search(r"\d+ of \d+ rules apply, \d+ are off", run("rules", "check", "--policy", "base")[1])
    assert said is not None
    line = next(line for line in run("policy", "list")[1].splitlines() if line.startswith("base"))
    assert said[0] in line
    apply, all_, off = map(int, re.findall(r"\d+", said[0]))
    assert apply + off == all_
    assert 0 < off < all_
