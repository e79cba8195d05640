"""Which messages belong together: same sender, same recipient, near in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scanner.correlate import MOST_COMPANIONS, WINDOW, Locks, Met, nearest
from scanner.model import Trail, Verdict, Versions

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
