"""Who wrote to whom before: first-time readers, namesakes, conversations, learned addresses, a mailbox carried out. Near misses first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from made_up import DIRECTORY

from scanner import correlate
from scanner.model import Evidence, Fact, Finding, PastFact, Route, Tie, Ties, Verdict, Versions
from scanner.store import Committed, Seen, SeenRecipient, Store

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
FINDING = Finding(
    "k", "personal_address", "1", "t", "personal_address", "personal_address", "minor", 0.9, "sender", 0,
    (Evidence("address_self", "headers", "j…@gmail.com", 1, 0.9, "f"),), ("why",), route=Route("dpo", "dpo@elt.example", "so"),
)  # fmt: skip


def seen(*recipients: SeenRecipient, sent: int = 100, days: int = 100, files: int = 0, in_thread: int = 0) -> Seen:
    return Seen(sent, timedelta(days=days), files, in_thread, recipients)


def reader(
    *,
    outside: bool = True,
    written: int = 0,
    heard: int = 0,
    twin: int = 0,
    in_thread: bool = False,
    known: bool = False,
) -> SeenRecipient:
    return SeenRecipient(outside, written, heard, twin, in_thread, known)


@pytest.mark.parametrize(
    ("before", "fact", "holds"),
    [
        (seen(reader(), sent=3), "first_time", False),  # a sender of whom nothing is known has no habits
        (seen(reader(), days=3), "first_time", False),
        (seen(reader(heard=1)), "first_time", False),  # an answer
        (seen(reader(outside=False)), "first_time", False),  # a colleague
        (seen(reader()), "first_time", True),
        (seen(reader(twin=4)), "twin", False),
        (seen(reader(twin=9, written=2)), "twin", False),
        (seen(reader(twin=9, heard=1)), "twin", False),  # they wrote first
        (seen(reader(twin=5)), "twin", True),
        (seen(reader(), in_thread=0), "outside_thread", False),  # the conversation begins
        (seen(reader(in_thread=True), in_thread=3), "outside_thread", False),
        (seen(reader(outside=False), in_thread=3), "outside_thread", False),
        (seen(reader(), in_thread=3), "outside_thread", True),
        (seen(reader()), "known_self", False),
        (seen(reader(known=True)), "known_self", True),
        (seen(reader(), files=24), "emptying", False),
        (seen(reader(), files=25), "emptying", True),
        (replace(seen(reader()), sent=1, readers_known_for=timedelta(days=99)), "unknown_sender", False),
        (replace(seen(reader(written=1)), sent=0, readers_known_for=timedelta(days=99)), "unknown_sender", False),
        (replace(seen(reader(heard=1)), sent=0, readers_known_for=timedelta(days=99)), "unknown_sender", False),
        (replace(seen(reader()), sent=0, readers_known_for=timedelta(days=13)), "unknown_sender", False),
        (replace(seen(reader()), sent=0, readers_known_for=timedelta(days=14)), "unknown_sender", True),
    ],
)
def test_what_the_past_says(before: Seen, fact: PastFact, holds: bool) -> None:
    assert (fact in correlate.past_of(before)) is holds


def verdict(number: int, *pending: Finding, findings: tuple[Finding, ...] = (), ties: Ties | None = None) -> Verdict:
    return Verdict(
        f"<{number}>", "outbound", findings, (), True, 0, (), Versions("r", "p", "d"), f"h{number}",
        sent_at=NOW - timedelta(days=100 - number), ties=ties, pending=pending,
    )  # fmt: skip


@pytest.mark.parametrize(("files", "leaving", "holds"), [(8, False, False), (7, True, False), (8, True, True)])
def test_of_somebody_who_leaves_fewer_files_empty_a_mailbox(files: int, leaving: bool, holds: bool) -> None:
    asked = replace(FINDING, key="p", severity="severe", past=("emptying",))
    one = verdict(1, asked, ties=Ties("jane", "", (tie("out-me"),), 1, leaving))
    found = correlate.settled(one, correlate.facts_of(one, seen(reader(), files=files))).findings
    assert bool(found) is holds
    if holds:
        assert "the directory says that the sender is about to leave" in found[0].reasons


def test_what_waits_for_the_past_is_dropped_where_it_does_not_hold() -> None:
    asked = replace(FINDING, key="p", past=("twin", "first_time"))
    assert correlate.settled(verdict(1, asked), frozenset({"twin"})).findings == ()
    found = correlate.settled(verdict(1, asked), frozenset({"twin", "first_time"}))
    assert [finding.key for finding in found.findings] == ["p"]
    assert "the sender usually writes to somebody else of that first name" in found.findings[0].reasons
    assert found.pending == ()


def test_of_one_topic_there_is_one_finding_with_the_higher_severity() -> None:
    asked = replace(FINDING, key="p", severity="severe", reasons=("many files",), past=("emptying",))
    found = correlate.settled(verdict(1, asked, findings=(FINDING,)), frozenset({"emptying"}))
    assert [(finding.key, finding.severity) for finding in found.findings] == [("k", "severe")]
    assert found.findings[0].reasons[:2] == ("why", "many files")
    excused = replace(FINDING, exempted_by="x")
    assert len(correlate.settled(verdict(1, asked, findings=(excused,)), frozenset({"emptying"})).findings) == 2
    excused = replace(asked, exempted_by="x")
    found = correlate.settled(verdict(1, excused, findings=(FINDING,)), frozenset({"emptying"}))
    assert [(finding.severity, finding.exempted_by) for finding in found.findings] == [("minor", None), ("severe", "x")]


def test_a_new_reader_is_said_of_what_was_found_about_people() -> None:
    about = replace(FINDING, topic="personal_data")
    found = correlate.settled(verdict(1, findings=(FINDING, about)), frozenset({"first_time"}))
    assert ["the sender never wrote to this recipient before" in one.reasons for one in found.findings] == [False, True]


# --- store and files count alike -----------------------------------------------------------------------------------


def tie(address: str, *, twins: tuple[str, ...] = (), marks: tuple[str, ...] = ()) -> Tie:
    return Tie(address, address.startswith("out"), twins, marks)


def sent(number: int, sender: str, *to: Tie, thread: str = "", files: int = 0) -> Verdict:
    return verdict(number, ties=Ties(sender, thread, to, files))


COURSE = (
    *(sent(day, "jane", tie("out-sarah-a")) for day in range(1, 7)),
    sent(7, "out-sarah-b", tie("sam")),
    sent(8, "jane", tie("sam"), tie("out-x"), thread="t"),
    sent(9, "sam", tie("jane"), thread="t"),
    sent(80, "jane", tie("out-me"), tie("out-x"), files=9),
    sent(98, "jane", tie("out-me"), files=4),
    sent(99, "sam", tie("out-me"), files=30),
)
LAST = sent(99, "jane", tie("out-sarah-b", twins=("out-sarah-a", "sarah-c")), tie("out-x"), tie("sam"), thread="t")


def test_store_and_run_over_files_count_alike(store: Store) -> None:
    habits = correlate.Habits()
    course = [one for one in (*COURSE, LAST) for _ in range(3)]  # each lies in three mailboxes
    for one in course:
        habits.add(one)
    for number, one in enumerate(course):
        item = Committed(str(number), one.message_id, "m", "f", one)
        store.commit_page(source="s", mailbox="m", folder="f", token="t", results=[item], now=NOW)
    found = habits.seen(LAST)
    assert found is not None
    assert LAST.ties is not None
    assert LAST.sent_at is not None
    assert store.before(LAST.ties, LAST.sent_at, correlate.EMPTYING_WITHIN) == found
    assert found == Seen(
        9,
        timedelta(days=98),
        13,
        3,
        (
            reader(twin=6),
            reader(written=2, in_thread=True),
            reader(outside=False, written=1, heard=1, in_thread=True),
        ),
        timedelta(days=92),
    )
    habits.close()


def test_judged_again_a_message_counts_once(store: Store) -> None:
    first = sent(1, "jane", tie("out-x"))
    for rules in ("r1", "r2"):
        item = Committed("1", "", "m", "f", replace(first, versions=Versions(rules, "p", "d")))
        store.commit_page(source="s", mailbox="m", folder="f", token="t", results=[item], now=NOW)
    assert first.ties is not None
    assert store.before(first.ties, NOW, correlate.EMPTYING_WITHIN).recipients[0].written == 1


def test_an_address_is_learned_from_a_confirmed_case_and_forgotten_with_it(store: Store) -> None:
    fact = Fact("address_self", "headers", "sender", None, 0, 0.9, None, "1:mark")
    beside = Fact("address_colleague", "headers", "sender", None, 0, 0.9, None, "1:parent")
    unsure = replace(fact, confidence=0.5, fingerprint="1:weak")
    shown = replace(FINDING, evidence=(replace(FINDING.evidence[0], fingerprint="1:mark"),))
    first = replace(sent(1, "jane", tie("out-me")), findings=(shown,), facts=(fact, beside, unsure))
    item = Committed("1", "", "m", "f", first)
    assert store.commit_page(source="s", mailbox="m", folder="f", token="t", results=[item], now=NOW) == [1]

    def confirmed(mark: str = "1:mark") -> bool:
        asked = Ties("sam", "", (tie("out-me", marks=("1:other", mark)),), 0)
        return store.before(asked, NOW, correlate.EMPTYING_WITHIN).recipients[0].confirmed

    assert not confirmed()
    store.decide(1, actor="dpo", action="confirm", note="", now=NOW)
    assert confirmed()
    assert not confirmed("1:parent")  # was among the recipients of that mail, and the finding does not rest on it
    assert not confirmed("1:weak")
    store.decide(1, actor="dpo", action="close", note="", now=NOW)
    assert confirmed()
    store.decide(1, actor="dpo", action="reopen", note="", now=NOW)
    assert not confirmed()


def test_habits_are_forgotten(store: Store) -> None:
    first = sent(1, "jane", tie("out-x"), thread="t")
    item = Committed("1", "", "m", "f", first)
    store.commit_page(source="s", mailbox="m", folder="f", token="t", results=[item], now=NOW)
    store.forget_habits(NOW.date())
    assert first.ties is not None
    assert store.before(first.ties, NOW, correlate.EMPTYING_WITHIN) == seen(reader(), sent=0, days=0)


# --- the twins -----------------------------------------------------------------------------------------------------


def test_namesakes_are_colleagues_and_parents_of_the_same_first_name() -> None:
    assert DIRECTORY.namesakes("Nobody Known", "nobody@elsewhere.example") == ()
    jane = next(person for person in DIRECTORY.people.people if person.name.startswith("Jane"))
    assert DIRECTORY.namesakes("Jane Brown", "jane@elsewhere.example") == (jane.email,)
    assert DIRECTORY.namesakes(jane.name, jane.email) == ()
