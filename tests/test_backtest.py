"""A back-test says what would change, and "cannot tell" where only the text could say it. Checked against the real verdicts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path

import pytest
import web_cases
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import DIRECTORY, GOOD, KEY, SHIPPED, rules_with
from test_soundness import LEAVES, condition, scenes, written
from web_cases import NOW, TO_DPO

from scanner.backtest import compare, feedback, holds, raised, remember, rule_records, wilson
from scanner.conditions import Scene
from scanner.evidence import fact_of
from scanner.exemptions import load_exemptions
from scanner.inspection import Regime
from scanner.model import Fact, Hit
from scanner.policy import Policy, Window, for_examples
from scanner.rulebook import TOPICS, load_rulebook
from scanner.store import PastFinding, PastMessage, Store


def stored(scene: Scene) -> PastMessage:
    """The scene as the store would remember it."""
    facts: list[Fact] = []
    previous = ("", 0)
    for hit in sorted(scene.hits, key=lambda hit: (hit.part, hit.start)):
        facts.append(fact_of(hit, previous[1] if previous[0] == hit.part else hit.start, KEY))
        previous = (hit.part, hit.end)
    sent = scene.envelope.sent_at
    return PastMessage(1, "m", scene.direction, sent, "v", (*facts, *scene.facts()), (), "then")


@settings(max_examples=400, deadline=None)
@given(written(), scenes())
def test_an_answer_from_facts_is_the_answer_from_the_message_or_cannot_tell(text: str, scene: Scene) -> None:
    found = condition(text)
    truth = holds(found, remember(stored(scene))("sender", ""))
    if truth is not None:
        assert truth == found.ask(scene).holds, (text, truth)


RULE = load_rulebook(SHIPPED).rules[0]


def a_pack(version: str = "other", **keys: object) -> Policy:
    """The pack of the examples with some keys of its own."""
    pack = replace(for_examples(RULE), version=version)
    words = {name: value for name, value in keys.items() if name in pack.words}
    rest = {name: value for name, value in keys.items() if name not in words}
    return replace(pack, words={**pack.words, **words}, **rest)  # type: ignore[arg-type]


PACKS = st.builds(
    a_pack,
    version=st.sampled_from(["then", "other"]),
    trusted_recipients=st.sampled_from(["excused", "count"]),
    internal_mail=st.sampled_from(["left_out", "attachments", "all"]),
    bulk_limit=st.sampled_from([1, 30]),
    reply_window=st.sampled_from([None, Window(time(9), time(12))]),
    contact_details=st.sampled_from([("pupils",), ("parents",), ("nobody",)]),
    disclaimer=st.sampled_from([(), ("in confidence",)]),
)


@settings(max_examples=400, deadline=None)
@given(written(), scenes(), PACKS, st.sampled_from(["personal_data", "phishing"]))
def test_under_another_pack_too_it_is_the_answer_or_cannot_tell(
    text: str, scene: Scene, pack: Policy, topic: str
) -> None:
    """Whom the pack takes for an outsider, and what it says of the message, as `inspect` would ask it."""
    said = pack.facts(scene.envelope, scene.direction, scene.parts, DIRECTORY) | (scene.policy & {"report"})
    # What was kept then was said by the pack of then: the same, or one that says something else.
    kept = stored(replace(scene, policy=said if pack.version == "then" else scene.policy | (said & {"report"})))
    said = said if pack.version == "then" or "report" not in scene.policy else said | {"report"}
    outsiders = pack.outsiders(topic, scene.direction)
    hits = scene.hits
    if "ours" in outsiders and pack.words["internal_mail"] == "attachments":
        hits = tuple(hit for hit in hits if hit.part.startswith("attachment"))
    judged = replace(
        scene,
        direction="outbound" if "ours" in outsiders else scene.direction,
        hits=hits,
        outsiders=outsiders,
        policy=said,
    )
    found = condition(text)
    truth = holds(found, remember(kept, pack)("sender", topic))
    if truth is not None:
        assert truth == found.ask(judged).holds, (text, truth)


def test_most_conditions_can_be_told_from_facts() -> None:
    scene = Scene(web_cases_mail(), "outbound", "sender", (Hit("nino", 0, 9, "x", 0.9, part="body"),), (), DIRECTORY)
    memory = remember(stored(scene), a_pack("then"))("sender", "")
    told = [text for text in LEAVES if holds(condition(text), memory) is not None]
    assert len(told) >= len(LEAVES) - 2
    assert holds(condition('sender: {addresses: ["a@b.example"]}'), memory) is None


def web_cases_mail():  # type: ignore[no-untyped-def]
    from made_up import mail

    return mail(body="x")


def test_facts_of_before_the_marks_cannot_tell_about_the_envelope() -> None:
    message = PastMessage(
        1, "m", "outbound", NOW, "v", (Fact("nino", "body", "sender", None, 0, 0.9, None, "1:a"),), ()
    )
    memory = remember(message)("sender", "")
    assert holds(condition("audience: outside"), memory) is None
    assert holds(condition("direction: internal"), memory) is False
    assert holds(condition("labels: {any: [nino]}"), memory) is True


# --- comparing two sets -----------------------------------------------------------------------------------------------


def book(tmp_path: Path, name: str, **rules: str) -> Regime:
    return Regime(load_rulebook(rules_with(tmp_path / name, **rules)), a_pack(), ())


def past(number: int, confidence: float, said: str, rule: str = "example_rule", version: str = "?") -> PastMessage:
    fact = Fact("nino", "body", "sender", None, 0, confidence, 1, f"1:{number}")
    findings = ()
    if said != "clean":
        findings = (PastFinding(rule, version, "personal_data", "sender", number, False, False, said),)  # type: ignore[arg-type]
    return PastMessage(number, "m@elt.example", "outbound", NOW, "v", (fact,), findings)


def test_a_higher_confidence_drops_what_is_below_it(tmp_path: Path) -> None:
    old = book(tmp_path, "old", example_rule=GOOD)
    new = book(tmp_path, "new", example_rule=GOOD.replace("any: [nino]", "any: [nino], confidence: 0.9"))
    messages = [
        past(1, 0.8, "false_alarm"),
        past(2, 0.8, "confirmed"),
        past(3, 0.95, "confirmed"),
        past(4, 0.95, "unjudged"),
    ]
    found = compare(old, new, messages)
    assert (found.number("dropped", "false_alarm"), found.number("dropped", "confirmed")) == (1, 1)
    assert found.number("kept") == 2
    assert [(look.change, look.case_id) for look in found.look] == [("lost", 2)]
    assert "drops 1 of 1 false alarms, loses 1 of 2 confirmed" in found.words()


def test_a_lower_confidence_adds_what_was_quiet(tmp_path: Path) -> None:
    old = book(tmp_path, "old", example_rule=GOOD)
    new = book(tmp_path, "new", example_rule=GOOD.replace("any: [nino]", "any: [nino], confidence: 0.5"))
    found = compare(old, new, [past(1, 0.6, "clean"), past(2, 0.4, "clean")])
    assert found.number("added") == 1
    assert "adds 1 unseen: look at these 1." in found.words()


def test_what_needs_an_address_is_counted_as_not_to_be_told(tmp_path: Path) -> None:
    old = book(tmp_path, "old", example_rule=GOOD)
    more = GOOD.replace("when:\n", "when:\n  none: [{sender: {addresses: ['head@elt.example']}}]\n")
    found = compare(old, book(tmp_path, "new", example_rule=more), [past(1, 0.9, "confirmed")])
    assert found.number("cannot tell") == 1
    assert found.number("dropped") == found.number("kept") == 0
    assert "cannot tell for 1 findings" in found.words()


def test_what_the_old_wording_proves_is_known(tmp_path: Path) -> None:
    """The old rule fired, so its sender condition held then; only the new confidence is asked of the facts."""
    wording = GOOD.replace("when:\n", "when:\n  sender: {addresses: ['head@elt.example']}\n")
    old = book(tmp_path, "old", example_rule=wording)
    new = book(tmp_path, "new", example_rule=wording.replace("any: [nino]", "any: [nino], confidence: 0.8"))
    version = old.rulebook.rules[0].version
    found = compare(
        old, new, [past(1, 0.9, "confirmed", version=version), past(2, 0.76, "false_alarm", version=version)]
    )
    assert (found.number("kept", "confirmed"), found.number("dropped", "false_alarm")) == (1, 1)
    assert found.number("cannot tell") == 0


def test_a_rule_taken_away_drops_its_findings(tmp_path: Path) -> None:
    other = GOOD.replace("[nino]", "[health]").replace("topic: personal_data", "topic: phishing")
    old = book(tmp_path, "old", example_rule=GOOD, other=other)
    found = compare(old, book(tmp_path, "new", other=other), [past(1, 0.9, "confirmed")])
    assert found.number("dropped", "confirmed") == 1


def test_a_new_title_changes_nothing(tmp_path: Path) -> None:
    old = book(tmp_path, "old", example_rule=GOOD)
    found = compare(
        old,
        book(tmp_path, "new", example_rule=GOOD.replace("title: Example", "title: New")),
        [past(1, 0.9, "confirmed")],
    )
    assert found.words() == "The two sets decide alike: no rule differs."


LOUDER = GOOD.replace("any: [nino]", "any: [nino], confidence: 0.5")


def test_a_rule_that_the_pack_switches_off_is_counted_neither_before_nor_after(tmp_path: Path) -> None:
    old, new = book(tmp_path, "old", example_rule=GOOD), book(tmp_path, "new", example_rule=LOUDER)
    quiet = [past(1, 0.6, "clean")]
    assert compare(old, new, quiet).number("added") == 1
    off = replace(old.policy, off=frozenset({"example_rule"}))
    assert compare(replace(old, policy=off), replace(new, policy=off), quiet).changed == ()
    # Switched on by the new pack: what it would have found is new, switched off by it: what it found is dropped.
    switched_on = compare(replace(old, policy=off), old, [past(1, 0.9, "clean")])
    assert switched_on.number("added") == 1
    assert compare(old, replace(old, policy=off), [past(1, 0.9, "confirmed")]).number("dropped", "confirmed") == 1


def envelope_facts(*labels: str) -> tuple[Fact, ...]:
    return tuple(Fact(label, "headers", "sender", 1, 1, 1.0, None, "") for label in ("@envelope", *labels))


def to_nhs(number: int, direction: str = "outbound", kind: str = "trusted", marks: bool = True) -> PastMessage:
    message = past(number, 0.9, "clean")
    marked = envelope_facts(f"@recipients:{kind}", f"@audience:{kind}") if marks else ()
    return replace(message, direction=direction, facts=(*message.facts, *marked))  # type: ignore[arg-type]


OUTSIDE = GOOD.replace("when:\n", "when:\n  audience: outside\n  direction: outbound\n")


def test_whom_a_pack_takes_for_an_outsider_changes_the_answer(tmp_path: Path) -> None:
    old = book(tmp_path, "old", example_rule=OUTSIDE)
    strict = replace(old, policy=a_pack(trusted_recipients="count", internal_mail="all"))
    messages = [to_nhs(1), to_nhs(2, marks=False), to_nhs(3, "internal", "ours"), to_nhs(4, kind="protected")]
    found = compare(old, strict, messages)
    assert (found.number("added"), found.untold_silence) == (2, 1)
    assert "adds 2 unseen; cannot tell for 0 findings and 1 messages without one" in found.words()
    attachments = replace(old, policy=a_pack(internal_mail="attachments"))
    assert compare(old, attachments, messages).number("added") == 0  # its number stands in the text


def test_a_pack_that_excuses_by_a_grant_says_so_or_cannot_tell(tmp_path: Path) -> None:
    old = book(tmp_path, "old", example_rule=GOOD)
    new = replace(old, policy=a_pack(dpo_part="authorises"))
    known, granted, not_granted = (past(number, 0.9, "confirmed") for number in (1, 2, 3))
    granted = replace(granted, facts=(*known.facts, *envelope_facts("@policy:transfer_granted")))
    not_granted = replace(not_granted, facts=(*known.facts, *envelope_facts()))
    found = compare(old, new, [known, granted, not_granted])
    assert (found.number("cannot tell"), found.number("excused"), found.number("kept")) == (1, 1, 1)
    family = GOOD.replace("topic: personal_data", "topic: sharing_personal_contact")
    before = book(tmp_path, "family", example_rule=family)
    message = replace(not_granted, findings=(replace(known.findings[0], topic="sharing_personal_contact"),))
    excusing = replace(before, policy=a_pack(exemptions=frozenset({"family"})))
    assert compare(before, excusing, [message]).number("cannot tell") == 1


def test_those_whom_the_pack_does_not_bind_are_left_out(tmp_path: Path) -> None:
    old = book(tmp_path, "old", example_rule=GOOD)
    staff_only = replace(old, policy=a_pack(covers=("staff",)))
    by = {
        "pupil": ("@sender_role:pupil",),
        "staff": ("@sender_role:staff",),
        "for": ("@sender_role:pupil", "@pressed_by:staff"),
    }
    messages = {name: past(number, 0.9, "confirmed") for number, name in enumerate(by)}
    marked = [
        replace(message, facts=(*message.facts, *envelope_facts(*by[name]))) for name, message in messages.items()
    ]
    found = compare(old, staff_only, marked)
    assert (found.number("dropped"), found.number("kept")) == (1, 2)


def test_a_new_exception_excuses_and_says_how_many_were_confirmed(tmp_path: Path) -> None:
    folder = rules_with(tmp_path / "rules", example_rule=GOOD)
    book_ = load_rulebook(folder)
    written = """exceptions:
  - id: {id}
    rules: [example_rule]
    matches: {matches}
    reason: The board wanted it so.
    owner: dpo
    until: 2027-07-31
"""
    (folder / "exceptions.yml").write_text(
        written.format(id="few", matches="{labels: {any: [nino], confidence: 0.95}}")
    )
    old = Regime(book_, a_pack(), ())
    new = replace(old, exemptions=load_exemptions(folder, book_))
    messages = [past(1, 0.96, "confirmed"), past(2, 0.8, "confirmed")]
    found = compare(old, new, messages, date(2027, 1, 1))
    assert (found.number("excused", "confirmed"), found.number("kept")) == (1, 1)
    assert "excuses 1, 1 confirmed ones among them: look at these 1." in found.words()
    assert compare(old, new, messages, date(2027, 8, 1)).number("kept") == 2  # it has ended by then
    (folder / "exceptions.yml").write_text(
        written.format(id="by_address", matches="{sender: {addresses: ['a@b.example']}}")
    )
    unsure = replace(old, exemptions=load_exemptions(folder, book_))
    assert compare(old, unsure, messages, date(2027, 1, 1)).number("cannot tell") == 2


def test_every_excuse_of_a_pack_is_named_beforehand() -> None:
    """What `excuse` may answer at all, `excused_by` says without a message; a back-test relies on it."""
    pack = a_pack(
        dpo_part="authorises",
        personal_cloud="with_dpo",
        private_business="with_permission",
        exemptions=frozenset({"education", "authorities", "family"}),
    )
    every = {"transfer_granted", "business_granted", "contract_granted", "auction_granted", "education_granted"}
    none = a_pack(private_business="banned")
    for topic in TOPICS:
        excused = pack.excuse(topic, web_cases_mail(), DIRECTORY, frozenset(every)) is not None
        assert excused == bool(pack.excused_by(topic) - {"addresses"}), topic
        if not none.excused_by(topic):
            assert none.excuse(topic, web_cases_mail(), DIRECTORY, frozenset(every)) is None


def test_distances_run_over_the_words_of_others_too() -> None:
    """A quotation stands between two of the sender's own words: they are further apart than their neighbours say."""
    far = [
        Fact("nino", "body", "sender", None, 5, 0.9, None, "1:a"),
        Fact("health", "body", "quoted", None, 10, 0.9, None, "1:b"),
        Fact("health", "body", "sender", None, 2, 0.9, None, "1:c"),
    ]
    message = PastMessage(1, "m", "outbound", NOW, "v", tuple(far), ())
    assert holds(condition("near: {of: [nino], to: [health], within: 300}"), remember(message)("sender", "")) is False


def test_an_excused_finding_is_neither_lost_nor_new(tmp_path: Path) -> None:
    message = past(1, 0.6, "unjudged")
    message = replace(message, findings=(replace(message.findings[0], excused=True, case_id=None),))
    old = book(tmp_path, "old", example_rule=GOOD)
    new = book(tmp_path, "new", example_rule=GOOD.replace("any: [nino]", "any: [nino], confidence: 0.5"))
    assert not compare(old, new, [message]).counts


# --- feedback ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (0, 0, 0, 1)],
)
def test_the_interval_is_wilsons(right: int, total: int, low: float, high: float) -> None:
    assert wilson(right, total) == pytest.approx((low, high), abs=1e-4)


def test_a_suggestion_loses_no_confirmed_case_and_is_only_a_sentence(tmp_path: Path) -> None:
    rules = book(tmp_path, "old", example_rule=GOOD)
    messages = [past(number, 0.92, "confirmed") for number in range(6)]
    messages += [past(10 + number, 0.78, "false_alarm") for number in range(4)]
    messages += [past(20, 0.93, "false_alarm")]
    (row,) = feedback(rules.rulebook, rules.policy, messages)
    assert (row.confirmed, row.false_alarms) == (6, 5)
    assert row.suggestion == "raise confidence to 0.8: loses none of 6 confirmed, drops 4 of 5 false"
    assert rules.rulebook.rules[0].when == book(tmp_path, "again", example_rule=GOOD).rulebook.rules[0].when


def test_few_verdicts_suggest_nothing(tmp_path: Path) -> None:
    rules = book(tmp_path, "old", example_rule=GOOD)
    (row,) = feedback(rules.rulebook, rules.policy, [past(1, 0.9, "confirmed"), past(2, 0.78, "false_alarm")])
    assert row.suggestion == ""


def test_copies_of_one_mail_are_counted_once(tmp_path: Path) -> None:
    old, new = book(tmp_path, "old", example_rule=GOOD), book(tmp_path, "new", example_rule=LOUDER)
    first, again = past(1, 0.6, "clean"), past(2, 0.6, "clean")
    other = past(3, 0.6, "clean")
    copies = [replace(message, content_hash=name) for message, name in ((first, "a"), (again, "a"), (other, "b"))]
    assert compare(old, new, copies).number("added") == 2
    seen = past(1, 0.9, "confirmed")
    assert compare(new, old, [seen, replace(seen, id=2)]).number("kept") == 1


def test_a_case_seen_in_many_mailboxes_counts_once(tmp_path: Path) -> None:
    rules = book(tmp_path, "old", example_rule=GOOD)
    (row,) = feedback(
        rules.rulebook, rules.policy, [past(1, 0.9, "confirmed"), replace(past(1, 0.9, "confirmed"), id=2)]
    )
    assert row.judged == 1


def test_exclusions_are_not_raised() -> None:
    before = condition("labels: {any: [nino]}, none: [{labels: {any: [health]}}]")
    assert raised(before, 0.9) == condition("labels: {any: [nino], confidence: 0.9}, none: [{labels: {any: [health]}}]")


# --- from the store ---------------------------------------------------------------------------------------------------


def test_the_store_gives_facts_findings_and_the_last_verdict(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'past.db'}")
    found = web_cases.finding("personal_data", "t", route=TO_DPO, rule="example_rule")
    result = web_cases.message(1, [found], content="c1")
    fact = Fact("nino", "body", "sender", None, 0, 0.9, 1, "1:a")
    result = replace(result, verdict=replace(result.verdict, facts=(fact,)))
    (case_id,) = web_cases.commit(store, [result, web_cases.message(2, [], content="c2")])
    with store.past() as messages:
        (message,) = list(messages)
    assert message.facts == (fact,)
    assert [(item.rule, item.outcome) for item in message.findings] == [("example_rule", "unjudged")]
    with store.past(judged_only=True) as messages:
        assert list(messages) == []
    store.decide(case_id, actor="dana", action="false_alarm", note="", now=NOW)
    store.decide(case_id, actor="dana", action="close", note="", now=NOW)
    with store.past(judged_only=True) as messages:
        assert [item.outcome for message in messages for item in message.findings] == ["false_alarm"]
    with store.past(NOW + timedelta(days=1)) as messages:
        assert list(messages) == []
    rules = book(tmp_path, "rules", example_rule=GOOD)
    (record,) = rule_records(store, rules.rulebook, rules.policy)
    assert (record.cases, record.precision.false_alarms if record.precision else 0) == (1, 1)
    store.close()
