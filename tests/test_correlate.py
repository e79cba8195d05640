"""Which messages belong together: same sender, same recipient, near in time; and what a scan of files then says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from made_up import SECRET, key_mail, locked_mail, locked_zip

from connectors.files import FileSource
from scanner.app import _lines, rules_folder, start_of
from scanner.correlate import (
    MOST_COMPANIONS,
    PATTERN,
    REPEATED,
    WINDOW,
    Heated,
    Met,
    Trails,
    better,
    nearest,
    with_pattern,
)
from scanner.keys import RootKey
from scanner.model import Evidence, Finding, People, Person, Severity, Trail, Verdict, Versions, is_heated
from scanner.report import Line
from scanner.work import WorkerPool

NOON = datetime(2026, 9, 7, 12, tzinfo=UTC)


def verdict(sender: str, recipients: tuple[str, ...], at: datetime | None, *, locks: int = 0) -> Verdict:
    trail = Trail(sender, recipients, locks, not locks)
    return Verdict("", "outbound", (), (), True, 0, (), Versions("", "", ""), "x", at, trail=trail)


@pytest.fixture
def trails() -> Trails:
    found = Trails()
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
    trails: Trails, sender: str, recipients: tuple[str, ...], at: datetime | None, met: bool
) -> None:
    key = verdict(sender, recipients, at)
    assert bool(trails.near("b.eml", "", key, locked=True)) is met
    trails.add("b.eml", "", key)
    lock = verdict("jane", ("desk",), NOON, locks=1)
    assert trails.near("a.eml", "", lock, locked=False) == ([("b.eml", "")] if met else [])


def test_a_message_does_not_meet_itself(trails: Trails) -> None:
    assert not trails.near("a.eml", "", verdict("jane", ("desk",), NOON), locked=True)


def test_the_nearest_come_first_and_only_so_many() -> None:
    here = Met("jane", frozenset({"desk"}), NOON)
    others = [
        (hours, Met("jane", frozenset({"desk"}), NOON + timedelta(hours=hours))) for hours in (9, 2, 7, 1, 5, 3, 8)
    ]
    assert nearest(here, others) == [1, 2, 3, 5, 7]
    assert len(nearest(here, others)) == MOST_COMPANIONS


def finding(topic: str) -> Finding:
    return Finding(topic, "r", "1", "", topic, "personal_data", "minor", 0.9, "sender", 0, (), (), (), None)


@pytest.mark.parametrize(
    ("before", "after", "is_better"),
    [
        ({"unread_protected": 1}, {"unread_protected": 0}, True),
        ({"unread_protected": 1}, {"unread_protected": 0, "complete": False}, False),  # it died on the way
        ({"unread_protected": 1}, {"complete": False, "findings": (finding("personal_data"),)}, False),
        ({"complete": False}, {"complete": False, "findings": (finding("personal_data"),)}, True),
        ({}, {"findings": (replace(finding("personal_data"), shadow=True),)}, False),
        ({}, {"findings": (replace(finding("personal_data"), exempted_by="x"),)}, False),
        ({"findings": (replace(finding("a"), shadow=True),)}, {"findings": (finding("b"),)}, True),
        ({"unread_protected": 1, "findings": (finding("weak_protection"),)}, {"unread_protected": 0}, False),
        ({"unread_protected": 1}, {"unread_protected": 1}, False),
    ],
)
def test_judging_again_is_taken_only_where_it_brings_something(
    before: dict[str, object], after: dict[str, object], is_better: bool
) -> None:
    plain = verdict("jane", ("desk",), NOON)
    assert better(replace(plain, **before), replace(plain, **after)) is is_better  # type: ignore[arg-type]


# --- a scan of files ------------------------------------------------------------------------------------------------

PEOPLE = People(
    organisation="Example Learning Trust",
    domains=("elt.example",),
    trusted_domains=("nhs.example",),
    people=(Person("jane.smith@elt.example", "Jane Smith", "staff"),),
)
BODY = "It is encrypted, I will get the password to you."
DESK = "desk@outdoorcentre.example"


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(start_of(rules_folder(None), "base", PEOPLE, RootKey(bytes(32)))) as pool:
        yield pool


def scanned(pool: WorkerPool, folder: Path, **mails: bytes) -> dict[str, Line]:
    """What a scan of a folder says of each mail, which it reads in the order of their names."""
    for name, data in mails.items():
        (folder / f"{name}.eml").write_bytes(data)
    lines = list(_lines(FileSource([str(folder)]), pool, explain=False))
    assert len(lines) == len(mails)
    return {Path(line.path).stem: line for line in lines if isinstance(line, Line)}


def topics(line: Line) -> list[str]:
    return [item.topic for item in line.found]


@pytest.mark.parametrize(("lock", "key"), [("a", "b"), ("b", "a")])
def test_what_the_next_mails_password_opens_is_inspected(pool: WorkerPool, tmp_path: Path, lock: str, key: str) -> None:
    locked = locked_mail(BODY)
    alone = scanned(pool, tmp_path, **{lock: locked})[lock].verdict
    assert (alone.unread_protected, alone.findings) == (1, ())
    mails = {lock: locked, key: key_mail("key", DESK, "Tue, 08 Sep 2026 09:00:00 +0100")}
    lines = scanned(pool, tmp_path, **mails)
    assert topics(lines[key]) == ["password_exposed"]
    assert topics(lines[lock]) == ["password_exposed"]
    verdict = lines[lock].verdict
    (found,) = verdict.findings
    assert (found.rule, found.severity) == ("personal_data_sensitive", "severe")
    assert {line.label for line in found.evidence} == {"health", "nino", "person"}
    assert (verdict.unread_protected, verdict.complete, found.subjects) == (0, True, 2)
    assert "lay behind a lock that opens with a word of another message to the same recipient" in found.reasons
    assert verdict.content_hash == alone.content_hash  # it is the same mail, opened or not
    assert scanned(pool, tmp_path, **mails)[lock].verdict.findings == verdict.findings


@pytest.mark.parametrize(
    ("to", "key_to", "date"),
    [
        (DESK, "sales@printco.example", "Tue, 08 Sep 2026 09:00:00 +0100"),
        (DESK, DESK, "Tue, 22 Sep 2026 10:00:00 +0100"),
    ],
    ids=["to somebody else", "two weeks later"],
)
def test_a_password_that_does_not_reach_the_file_opens_nothing(
    pool: WorkerPool, tmp_path: Path, to: str, key_to: str, date: str
) -> None:
    lines = scanned(pool, tmp_path, a=locked_mail(BODY, to), b=key_mail("key", key_to, date))
    assert [topics(line) for line in lines.values()] == [[], []]
    assert lines["a"].verdict.unread_protected == 1


def test_what_goes_to_a_trusted_recipient_is_read_and_no_breach(pool: WorkerPool, tmp_path: Path) -> None:
    to = "ward@nhs.example"
    lines = scanned(pool, tmp_path, a=locked_mail(BODY, to), b=key_mail("key", to, "Tue, 08 Sep 2026 09:00:00 +0100"))
    assert [topics(line) for line in lines.values()] == [[], []]
    assert lines["a"].verdict.unread_protected == 0


def test_an_archive_in_an_archive_opened_by_the_words_of_two_mails(pool: WorkerPool, tmp_path: Path) -> None:
    """The word of one mail opens the outer archive, that of another one the inner: both lie beside it when it is judged again."""
    outer = locked_mail(BODY, archive=locked_zip(name="inner.zip", data=locked_zip("Second-Key-22")))
    first = key_mail("first", DESK, "Tue, 08 Sep 2026 09:00:00 +0100")
    lines = scanned(pool, tmp_path, a=outer, b=first, c=first.replace(SECRET.encode(), b"Second-Key-22"))
    assert topics(lines["a"]) == ["password_exposed"]


@pytest.mark.parametrize(
    ("to", "files"),
    [
        ("pat.jones@gmail.com", 0),  # a parent, a supplier, a council: most mail to the outside
        ("sales@printco.example, office@council.example", 0),
        ("jane.smith84@gmail.com", 2),
        ("jane.smith84@gmail.com, pat.jones@gmail.com, sales@printco.example", 2),  # once, however many it goes to
        ("drop@mailinator.com", 2),
    ],
)
def test_files_count_where_they_go_to_a_private_address_of_ours(
    pool: WorkerPool, tmp_path: Path, to: str, files: int
) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "jane.smith@elt.example", to, "Newsletter"
    message["Date"] = "Mon, 07 Sep 2026 10:00:00 +0100"
    message.set_content("Two pages.")
    for name in ("a.txt", "b.txt"):
        message.add_attachment(f"Page {name}", filename=name)
    ties = scanned(pool, tmp_path, a=message.as_bytes())["a"].verdict.ties
    assert ties is not None
    assert ties.files == files


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


@pytest.mark.parametrize("label", ["harassment", "abuse", "discrimination", "threat", "sexual"])
def test_a_single_harsh_mail_keeps_its_severity(label: str) -> None:
    assert judged(heated(NOON, label=label), 0) == heated(NOON, label=label).findings[0]


def test_the_third_against_the_same_person_weighs_more_and_says_why() -> None:
    assert judged(heated(NOON, severity="moderate"), REPEATED - 2).severity == "moderate"
    found = judged(heated(NOON, severity="moderate"), REPEATED - 1)
    assert found.severity == "severe"
    assert found.reasons[-1].startswith("3 messages of this kind")


def test_swearing_to_a_friend_is_against_nobody_however_often() -> None:
    swearing = heated(NOON, label="profanity", severity="moderate")
    assert not is_heated(swearing.findings[0])
    assert judged(swearing, 5) == swearing.findings[0]


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
