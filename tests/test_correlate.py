"""Which messages belong together: same sender, same recipient, near in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from scanner.correlate import MOST_COMPANIONS, PATTERN, REPEATED, WINDOW, Heated, Locks, Met, nearest, with_pattern
from scanner.model import Evidence, Fact, Finding, Severity, Trail, Verdict, Versions

NOON = datetime(2026, 9, 7, 12, tzinfo=UTC)


def verdict(sender: str, recipients: tuple[str, ...], at: datetime | None, *, locks: int = 0) -> Verdict:
    trail = Trail(sender, recipients, locks, not locks)
    return Verdict("", "outbound", (), (), True, 0, (), Versions("", "", ""), "x", at, trail=trail)


@pytest.fixture
def locks() -> Locks:
    found = Locks()
    found.add("a.eml", "", verdict("jane", ("desk",), NOON, locks=1))
    return found


@pytest.mark.parametrize(
    ("sender", "recipients", "at", "met"),
    [
        ("jane", ("other",), NOON, False),
        ("sam", ("desk",), NOON, False),
        ("jane", ("desk",), NOON + WINDOW + timedelta(seconds=1), False),
        ("jane", ("desk",), None, False),
        ("jane", ("desk",), NOON + timedelta(minutes=19), True),
        ("jane", ("other", "desk"), NOON - timedelta(days=1), True),
        ("jane", ("desk",), NOON + WINDOW, True),
    ],
)
def test_only_the_same_pair_within_the_window_meets(
    locks: Locks, sender: str, recipients: tuple[str, ...], at: datetime | None, met: bool
) -> None:
    assert bool(locks.near("b.eml", "", verdict(sender, recipients, at))) is met


def test_a_message_does_not_meet_itself(locks: Locks) -> None:
    assert not locks.near("a.eml", "", verdict("jane", ("desk",), NOON))


def test_the_nearest_come_first_and_only_so_many() -> None:
    here = Met("jane", frozenset({"desk"}), NOON)
    others = [
        (hours, Met("jane", frozenset({"desk"}), NOON + timedelta(hours=hours))) for hours in (9, 2, 7, 1, 5, 3, 8)
    ]
    assert nearest(here, others) == [1, 2, 3, 5, 7]
    assert len(nearest(here, others)) == MOST_COMPANIONS


# --- the same person again and again --------------------------------------------------------------------------------


def heated(
    at: datetime,
    *,
    to: tuple[str, ...] = ("sam",),
    label: str = "harassment",
    severity: Severity = "severe",
    shadow: bool = False,
) -> Verdict:
    evidence = (Evidence(label, "body", "", 1, 0.9, ""),)
    finding = Finding(
        "k", "harassment_discrimination", "1", "Bullying", "harassment_discrimination", "language", severity, 0.9, "sender", 0,
        evidence, ("bullying",), shadow=shadow,
    )  # fmt: skip
    trail = Trail("jane", to, 0, False, True)
    copy = at.isoformat()
    return Verdict("", "internal", (finding,), (), True, 0, (), Versions("", "", ""), copy, at, trail=trail)


def judged(verdict: Verdict, before: int) -> Finding:
    return with_pattern(verdict, before).findings[0]


def test_a_single_outburst_weighs_less_and_says_why() -> None:
    found = judged(heated(NOON), 0)
    assert found.severity == "moderate"
    assert "single heated message" in found.reasons[-1]


def test_the_third_to_the_same_person_weighs_more_and_says_why() -> None:
    assert judged(heated(NOON, severity="moderate"), REPEATED - 2).severity == "moderate"
    found = judged(heated(NOON, severity="moderate"), REPEATED - 1)
    assert found.severity == "severe"
    assert found.reasons[-1].startswith("message 3 of this kind")


@pytest.mark.parametrize("label", ["discrimination", "threat", "sexual"])
def test_a_slur_a_threat_and_an_advance_are_no_heat_of_the_moment(label: str) -> None:
    assert judged(heated(NOON, label=label), 0).severity == "severe"


@pytest.mark.parametrize("role", ["pupil", "contact"])
def test_nothing_is_put_down_to_heat_towards_a_child_or_a_parent(role: str) -> None:
    verdict = heated(NOON)
    fact = Fact(f"@recipient_role:{role}", "headers", "sender", None, 0, 1.0, None, "")
    verdict = replace(verdict, facts=(fact,))
    assert judged(verdict, 0).severity == "severe"


def test_a_shadow_finding_and_one_to_many_are_no_part_of_a_pattern() -> None:
    assert judged(heated(NOON, shadow=True), 5).severity == "severe"
    assert judged(heated(NOON, shadow=True), 5).reasons == ("bullying",)
    calm = replace(heated(NOON), trail=Trail("jane", ("sam",), 0, True, False))
    assert judged(calm, 5).reasons == ("bullying",)


def test_only_earlier_messages_to_the_same_person_within_the_window_count() -> None:
    known = Heated()
    for days in (100, 20, 10):
        known.add(heated(NOON - timedelta(days=days)))
    known.add(heated(NOON - timedelta(days=10)))  # a copy in another mailbox is the same message
    known.add(heated(NOON - timedelta(days=5), to=("vera",)))
    known.add(heated(NOON + timedelta(days=1)))
    assert timedelta(days=100) > PATTERN
    assert known.before(heated(NOON)) == 2
    assert known.before(heated(NOON, to=("vera", "sam"))) == 2
    assert known.before(heated(NOON, to=("vera",))) == 1
    assert known.before(heated(NOON, to=("olive",))) == 0
