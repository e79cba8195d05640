"""What is called impossible or implied surely is: checked against the conditions themselves on made-up scenes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import DIRECTORY, GOOD, JANE, SHIPPED, SUPPLIER, mail, rules_with

from scanner.conditions import KEYS, Condition, Scene, read_condition
from scanner.errors import ConfigErrors
from scanner.model import Hit, Part, Segment
from scanner.rulebook import load_rulebook, schema
from scanner.soundness import implies, impossible
from scanner.yaml_source import Reader, load, parse

LEAVES = [
    "direction: outbound",
    "direction: [outbound, internal]",
    "direction: stored",
    "direction: internal",
    "audience: outside",
    "audience: [ours, trusted]",
    "labels: {any: [nino]}",
    "labels: {any: [nino, health]}",
    "labels: {any: [nino], confidence: 0.9}",
    "labels: {all: [nino, health]}",
    "labels: {all: [nino]}",
    "labels: {any: [nino], count: 2}",
    "labels: {any: [nino, health], parts: [body]}",
    "labels: {any: [nino], repeated: 2}",
    "near: {of: [nino], to: [health]}",
    "near: {of: [nino, person], to: [health], within: 500}",
    "near: {of: [nino, person], to: [health], sentences: 1}",
    "near: {of: [nino], to: [health], sentences: 0}",
    "near: {of: [nino], to: [health], to_count: 2}",
    "policy: report",
    "policy: [report, weak_lock]",
    "recipients: {at_least: 2}",
    "recipients: {at_most: 1}",
    "recipients: {at_least: 1, kind: outside}",
    "sender_role: staff",
    "sender_role: [staff, pupil]",
    "recipient_role: contact",
    "subject: {empty: true}",
    "subject: {empty: false}",
    "thread: {reply: true}",
    "thread: {reply: false}",
    "thread: {forward: true}",
    "sent: {days: [mon, tue]}",
    "sent: {days: [sat]}",
    "segment: quoted",
    "attachments: {at_most: 0}",
    "attachments: {at_least: 1}",
]  # fmt: skip


def condition(text: str) -> Condition:
    reader = Reader()
    found = read_condition(reader, parse("{" + text + "}", "test"))
    reader.stop_if_wrong()
    return found


def written() -> st.SearchStrategy[str]:
    leaf = st.sampled_from(LEAVES)
    inner = st.tuples(st.sampled_from(["all", "any", "none"]), st.lists(leaf, min_size=1, max_size=3)).map(
        lambda pair: f"{pair[0]}: [{', '.join('{' + item + '}' for item in pair[1])}]"
    )
    return st.lists(st.one_of(leaf, inner), min_size=1, max_size=4).map(
        lambda items: f"all: [{', '.join('{' + item + '}' for item in items)}]"
    )


HITS = st.lists(
    st.builds(
        Hit,
        label=st.sampled_from(["nino", "health", "person"]),
        start=st.integers(0, 900),
        end=st.just(905),
        value=st.sampled_from(["a", "b"]),
        confidence=st.sampled_from([0.6, 0.8, 0.95]),
        part=st.sampled_from(["body", "subject", "attachment/1/a.txt"]),
    ),
    max_size=5,
)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    to = draw(st.lists(st.sampled_from([SUPPLIER, "pat.jones@gmail.com", "head@elt.example"]), min_size=1, max_size=3))
    from_ = draw(st.sampled_from([JANE, "22bjones@northfield.elt.example", "someone@else.example"]))
    envelope = mail(from_, tuple(to), subject=draw(st.sampled_from(["", "Re: Trip", "Fw: Trip", "Trip"])))
    envelope = replace(envelope, sent_at=datetime(2026, 9, draw(st.integers(1, 28)), 10, tzinfo=UTC))
    parts = (
        Part(
            "body", "text/plain", text="xx. " * 230, segments=(Segment("quoted", 3, 6),) if draw(st.booleans()) else ()
        ),
    )
    if draw(st.booleans()):
        parts = (*parts, Part("attachment/1/a.txt", "text/plain", name="a.txt"))
    says = frozenset(draw(st.sets(st.sampled_from(["report", "weak_lock"]))))
    direction = DIRECTORY.direction(envelope)
    return Scene(envelope, direction, "sender", tuple(draw(HITS)), parts, DIRECTORY, policy=says)


@settings(max_examples=300, deadline=None)
@given(written(), scenes())
def test_what_is_called_impossible_never_holds(text: str, scene: Scene) -> None:
    found = condition(text)
    if impossible(found) is not None:
        assert not found.ask(scene).holds, text


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(LEAVES), st.sampled_from(LEAVES), written(), scenes())
def test_what_is_called_implied_always_follows(one: str, other: str, more: str, scene: Scene) -> None:
    for strict, loose in ((condition(one), condition(other)), (condition(more), condition(one))):
        if implies(strict, loose) and strict.ask(scene).holds:
            assert loose.ask(scene).holds, (one, other, more)


@settings(max_examples=200, deadline=None)
@given(written(), scenes())
def test_nothing_is_missing_exactly_where_it_holds(text: str, scene: Scene) -> None:
    found = condition(text)
    distance = found.missing(scene)
    assert found.ask(scene).holds == (distance.met == distance.needed) == (not distance.missing)


def test_some_are_called_impossible_and_some_implied() -> None:
    assert impossible(condition("direction: internal, audience: outside"))
    assert impossible(condition("direction: outbound, audience: outside")) is None
    assert implies(condition("labels: {any: [nino], confidence: 0.9}"), condition("labels: {any: [nino, health]}"))
    assert not implies(condition("labels: {any: [nino, health]}"), condition("labels: {any: [nino]}"))


def test_one_alternative_that_can_hold_is_enough() -> None:
    assert impossible(condition("direction: stored, any: [{sender_role: staff}, {labels: {any: [nino]}}]")) is None


@settings(max_examples=300, deadline=None)
@given(written(), scenes())
def test_without_a_label_that_it_needs_nothing_holds(text: str, scene: Scene) -> None:
    found = condition(text)
    if found.needs() and found.needs().isdisjoint(scene.labels):
        assert not found.ask(scene).holds


@pytest.mark.parametrize(
    ("broad", "narrow", "refused"),
    [
        ("", "", True),
        ("", "{ai_services: [banned]}", True),
        ("{ai_services: [banned]}", "", False),
        ("{ai_services: [banned]}", "{ai_services: [allowed]}", False),
        ("{ai_services: [banned, allowed]}", "{ai_services: [banned]}", True),
    ],
)
def test_a_rule_of_some_packs_shadows_only_rules_of_these(
    tmp_path: Path, broad: str, narrow: str, refused: bool
) -> None:
    def only(where: str, when: str) -> str:
        text = GOOD.replace("labels: {any: [nino]}", when)
        return text.replace("when:", f"only_where: {where}\nwhen:") if where else text

    rules = rules_with(
        tmp_path,
        broad=only(broad, "labels: {any: [nino, health]}"),
        narrow=only(narrow, "labels: {any: [nino]}"),
    )
    if refused:
        with pytest.raises(ConfigErrors, match="is shadowed"):
            load_rulebook(rules)
    else:
        assert len(load_rulebook(rules).rules) == 2


def test_near_within_fewer_sentences_implies_near_within_more() -> None:
    some, fewer, any_ = (
        condition("near: {of: [nino], to: [health]" + more + "}") for more in (", sentences: 2", ", sentences: 1", "")
    )
    assert implies(fewer, some)
    assert implies(some, any_)
    assert not implies(some, fewer)
    assert not implies(any_, some)


# --- the schema -------------------------------------------------------------------------------------------------------


def test_the_published_schema_is_the_one_that_the_code_gives() -> None:
    published = json.loads((SHIPPED / "schema" / "rule.schema.json").read_text("utf-8"))
    assert published == json.loads(json.dumps(schema())), (
        "run `mailwarden rules schema > rules/schema/rule.schema.json`"
    )


VALIDATOR = jsonschema_rs.Draft202012Validator(json.loads(json.dumps(schema())))


@pytest.mark.parametrize("path", sorted((SHIPPED / "detect").glob("*.yml")), ids=lambda path: path.stem)
def test_every_shipped_rule_fits_the_schema(path: Path) -> None:
    assert [str(error) for error in VALIDATOR.iter_errors(load(path).plain())] == []


def test_the_schema_knows_every_condition_and_setting() -> None:
    known = schema()["$defs"]["condition"]["properties"]
    assert list(known) == list(KEYS)
    for name, key in KEYS.items():
        assert list(known[name].get("properties", {})) == list(key.settings)


@pytest.mark.parametrize("text", LEAVES)
def test_what_the_reader_takes_the_schema_takes(text: str) -> None:
    rule = parse(GOOD, "good").plain()
    assert isinstance(rule, dict)
    assert VALIDATOR.is_valid({**rule, "when": parse("{" + text + "}", "test").plain()})


SHAPE_ONLY = (
    "unknown",
    "missing",
    "empty_",
    "labels_as",
    "count_in_words",
    "confidence_above",
    "segment_of",
    "sent_at",
)


@pytest.mark.parametrize(
    "bad",
    sorted(path for path in (Path(__file__).parent / "bad_rules").glob("*.yml") if path.stem.startswith(SHAPE_ONLY)),
    ids=lambda path: path.stem,
)
def test_a_mistake_of_shape_is_seen_by_an_editor_too(bad: Path) -> None:
    if bad.stem in ("unknown_label", "empty_advice"):
        pytest.skip("which labels there are is known only where detectors are")
    assert not VALIDATOR.is_valid(load(bad).plain())


def test_two_rules_that_differ_only_in_severity_are_both_kept_where_the_narrow_one_is_graver(tmp_path: Path) -> None:
    narrow = GOOD.replace("any: [nino]", "any: [nino], count: 5").replace("severity: moderate", "severity: severe")
    assert len(load_rulebook(rules_with(tmp_path, broad=GOOD, narrow=narrow)).rules) == 2
