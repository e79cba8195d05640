"""The store, every test on SQLite and on PostgreSQL: what must change nothing first, then what must change."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner import audit
from scanner.evidence import FingerprintKey, evidence_of, fact_of
from scanner.model import (
    Contact,
    Cursor,
    Evidence,
    Fact,
    Finding,
    Hit,
    People,
    Person,
    Problem,
    Pupil,
    Route,
    Verdict,
    Versions,
)
from scanner.store import (
    Appearance,
    Audience,
    Committed,
    CoverageRow,
    DecisionRefused,
    RunCounts,
    Store,
    StoreError,
    cases,
)
from scanner.store import database as store_database
from scanner.store.rows import LEFT_ALONE
from scanner.store.tables import METADATA, plain

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
VERSIONS = Versions("rules-1", "policy-1", "detectors-1")
DPO = Route("dpo", "dpo@elt.example", "personal data goes to the data protection officer")
HEAD = Route("line_manager", "head@elt.example", "conduct goes to the line manager")
MAILBOX = "j.smith@elt.example"


def a_finding(key: str = "key-1", **changes: object) -> Finding:
    finding = Finding(
        key=key,
        rule="nhs_number_sent_out",
        rule_version="1",
        title="NHS number sent outside",
        topic="personal_data",
        category="personal_data",
        severity="severe",
        confidence=0.93,
        owner="sender",
        subjects=2,
        evidence=(Evidence("nhs", "attachment/1/list.xlsx", "••••••••19", 12, 0.93, "1:abcd"),),
        reasons=("check digit right", "'NHS number' nearby"),
        clauses=("partnership:4.5/s2",),
        route=DPO,
        advice="Ask for it to be deleted.",
    )
    return replace(finding, **changes)  # type: ignore[arg-type]


def a_verdict(*findings: Finding, content: str = "content-1", **changes: object) -> Verdict:
    verdict = Verdict(
        message_id="<1@elt.example>",
        direction="outbound",
        findings=findings,
        problems=(),
        complete=True,
        unread_protected=0,
        facts=(Fact("nhs", "attachment", "sender", 3, 4, 0.93, 1, "1:abcd"),),
        versions=VERSIONS,
        content_hash=content,
        sent_at=NOW - timedelta(hours=1),
        parts=3,
    )
    return replace(verdict, **changes)  # type: ignore[arg-type]


def a_result(verdict: Verdict, provider_id: str = "AAMk1", mailbox: str = MAILBOX, folder: str = "sent") -> Committed:
    return Committed(provider_id, verdict.message_id, mailbox, folder, verdict)


def commit(
    store: Store,
    *results: Committed,
    token: str = "t1",  # noqa: S107 a place in a folder, no secret
    mailbox: str = MAILBOX,
    now: datetime = NOW,
) -> list[int]:
    return store.commit_page(source="m365", mailbox=mailbox, folder="sent", token=token, results=results, now=now)


def everything(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, as the database itself lists them."""
    with store.reading.begin() as connection:
        return {
            table: sorted((tuple(row) for row in connection.execute(sa.text(f'SELECT * FROM "{table}"'))), key=repr)  # noqa: S608
            for table in sa.inspect(connection).get_table_names()
        }


def counted(store: Store) -> dict[str, int]:
    return {table: len(rows) for table, rows in everything(store).items()}


# --- opening --------------------------------------------------------------------------------------------------------


def test_the_migrations_make_exactly_the_tables_of_the_code(store: Store) -> None:
    with store.reading.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, [METADATA, audit.METADATA])  # type: ignore[arg-type]
    # SQLite has no times with zones; the type that hides this compares as different only there.
    assert differences == []


def test_the_newest_migration_is_the_one_that_opening_checks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(store_database.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == store_database.SCHEMA


def test_it_refuses_a_schema_from_the_future_and_changes_nothing(store_url: str) -> None:
    store = Store.open(store_url)
    with store.writing.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(StoreError, match=r"'9999' is not known to this version.*newer Mailwarden"):
        Store.open(store_url)


def test_opening_twice_keeps_what_is_there(store: Store, store_url: str) -> None:
    commit(store, a_result(a_verdict(a_finding())))
    before = everything(store)
    again = Store.open(store_url)
    assert everything(again) == before
    again.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_several_processes_may_open_a_new_database_at_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = (
        f"sqlite:///{tmp_path / 'new.db'}" if kind == "sqlite" else request.getfixturevalue("postgres_url")(empty=True)
    )
    opened = in_threads(6, lambda _: Store.open(url))
    assert [store for store in opened if not isinstance(store, Store)] == []
    assert [store.cases() for store in opened] == [[]] * 6  # type: ignore[attr-defined]
    for store in opened:
        store.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "is not a database address"),
        ("mailwarden.db", "is not a database address"),
        ("mysql://root@localhost/x", "'mysql' is not supported"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:///no/such/folder/x.db", "No such file"),
        ("postgresql://u:hunter2@127.0.0.1:1/x", "cannot be opened"),
    ],
)
def test_a_bad_address_is_one_sentence_without_the_password(url: str, said: str, monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError) as caught:
        Store.open(url)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is a shopping list, not a database" * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(f"sqlite:///{tmp_path / 'x.db'}")


def test_nobody_else_can_read_the_sqlite_file(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = Store.open(f"sqlite:///{tmp_path / 'x.db'}")
        commit(store, a_result(a_verdict()))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(old)
    assert modes == {"x.db": 0o600, "x.db-wal": 0o600, "x.db-shm": 0o600}


def test_the_audit_key_is_not_in_the_repr(store: Store) -> None:
    assert str(store.audit_key) not in repr(store)


def test_it_takes_no_time_without_a_zone(store: Store) -> None:
    with pytest.raises(sa.exc.StatementError, match="only times with a zone"):
        commit(store, now=datetime(2026, 11, 20))  # noqa: DTZ001
    assert store.cursor("m365", MAILBOX, "sent") is None


# --- committing a page ----------------------------------------------------------------------------------------------


def test_a_repeated_page_changes_nothing(store: Store) -> None:
    page = [
        a_result(a_verdict(a_finding("k1"), content="c1"), "1"),
        a_result(a_verdict(content="c2", complete=False, problems=(Problem("body", "read", "corrupt"),)), "2"),
    ]
    assert len(commit(store, *page)) == 1
    before = everything(store)
    assert commit(store, *page) == []
    assert everything(store) == before


def test_a_page_that_names_an_item_twice_stores_it_once(store: Store) -> None:
    result = a_result(a_verdict(a_finding()))
    assert len(commit(store, result, result)) == 1
    assert counted(store)["message"] == 1
    assert store.coverage(NOW.date())[0].seen == 1


def test_cursor_and_findings_are_one_transaction(store: Store) -> None:
    commit(store, token="t1")
    bad = a_result(a_verdict(a_finding("k2", severity="enormous"), content="c9"), "9")
    before = everything(store)
    with pytest.raises(ValueError):  # noqa: PT011 what the sentence says does not matter here
        commit(store, a_result(a_verdict(a_finding("k1"))), bad, token="t2")
    assert everything(store) == before
    cursor = store.cursor("m365", MAILBOX, "sent")
    assert cursor == Cursor("m365", MAILBOX, "sent", "t1", NOW)


def test_a_copy_in_another_mailbox_is_an_appearance_and_no_second_case(store: Store) -> None:
    [case_id] = commit(store, a_result(a_verdict(a_finding())))
    for number in range(3):
        other = f"s{number}@elt.example"
        copy = a_result(a_verdict(a_finding()), f"copy{number}", other, "inbox")
        assert commit(store, copy, mailbox=other) == []
    detail = store.case(case_id)
    assert detail is not None
    assert len(detail.findings) == 1
    assert [place.mailbox for place in detail.appearances] == [MAILBOX, *(f"s{n}@elt.example" for n in range(3))]
    assert detail.appearances[0] == Appearance("m365", MAILBOX, "sent", "AAMk1", "<1@elt.example>", NOW)
    [second] = commit(store, a_result(a_verdict(a_finding("k2"), content="c2"), "2", "s9@elt.example"))
    places = {case_id: (MAILBOX, 4), second: ("s9@elt.example", 1)}
    assert store.case_places([case_id, second]) == places
    assert store.case_places([second, 999]) == {second: ("s9@elt.example", 1)}
    assert store.case_places([]) == {}
    assert len(store.cases()) == 2
    assert store.notice_counts() == {"pending": 2}


def test_the_store_knows_which_message_was_read_as_a_whole(store: Store) -> None:
    broken = (Problem("body", "read", "corrupt"),)
    whole, partly = a_verdict(content="c1"), a_verdict(content="c2", complete=False, problems=broken)
    commit(store, a_result(whole, "1"), a_result(partly, "2"))
    assert [store.was_complete("m365", MAILBOX, name) for name in ("1", "2", "3")] == [True, False, False]


def test_the_same_message_id_with_other_content_is_another_case(store: Store) -> None:
    first = commit(store, a_result(a_verdict(a_finding("k1"), content="c1"), "1"))
    second = commit(store, a_result(a_verdict(a_finding("k2"), content="c2"), "2"))
    assert len(first) == len(second) == 1
    assert first != second


def test_two_findings_of_one_topic_and_route_are_one_case_and_the_severest_is_its_headline(store: Store) -> None:
    mild = a_finding("k1", severity="minor", title="Mild", rule="mild", subjects=9)
    grave = a_finding("k2", owner="forwarded", severity="severe", title="Grave", rule="grave", subjects=1)
    [case_id] = commit(store, a_result(a_verdict(mild, grave)))
    [row] = store.cases()
    assert (row.id, row.title, row.rule, row.severity, row.subjects) == (case_id, "Grave", "grave", "severe", 9)
    detail = store.case(case_id)
    assert detail is not None
    assert detail.findings == (grave, mild)


def test_other_topics_and_other_routes_are_other_cases(store: Store) -> None:
    opened = commit(
        store,
        a_result(
            a_verdict(
                a_finding("k1"),
                a_finding("k2", topic="chain_mail", category="chain_mail", route=HEAD),
                a_finding("k3", owner="forwarded", route=HEAD),
            )
        ),
    )
    assert len(opened) == len(set(opened)) == 3


def test_exempted_and_shadow_findings_are_kept_and_open_no_case(store: Store) -> None:
    exempted = a_finding("k1", exempted_by="counselling-service")
    shadow = a_finding("k2", shadow=True)
    assert commit(store, a_result(a_verdict(exempted, shadow))) == []
    assert store.cases() == []
    assert counted(store)["finding"] == 2
    assert counted(store)["notice"] == 0


def test_an_exemption_that_has_ended_opens_the_case_after_all(store: Store) -> None:
    commit(store, a_result(a_verdict(a_finding(exempted_by="counselling-service"))))
    later = replace(VERSIONS, rules="rules-2")
    [case_id] = commit(store, a_result(a_verdict(a_finding(), versions=later)))
    detail = store.case(case_id)
    assert detail is not None
    assert detail.findings == (a_finding(),)
    assert counted(store)["finding"] == 1


def test_a_case_is_excused_for_what_was_judged_and_not_for_what_came_meanwhile(store: Store) -> None:
    commit(store, a_result(a_verdict(a_finding())))
    commit(store, a_result(a_verdict(a_finding(), a_finding("key-2"), versions=Versions("rules-2", "p", "d"))))
    with pytest.raises(DecisionRefused, match="more was found in it meanwhile"):
        store.excuse_case(1, by={"key-1": "centre"}, actor="admin", note="agreed", now=NOW)
    (case,) = store.cases()
    assert case.state == "new"
    assert store.excused_counts() == {}
    store.excuse_case(1, by={"key-1": "centre", "key-2": "centre"}, actor="admin", note="agreed", now=NOW)
    assert store.cases()[0].state == "excused"


def test_a_finding_that_is_being_added_is_waited_for_before_a_case_is_excused(store: Store) -> None:
    if store.writing.dialect.name == "sqlite":
        pytest.skip("SQLite lets one write at a time")
    commit(store, a_result(a_verdict(a_finding())))
    said: list[str] = []

    def excuse() -> None:
        try:
            store.excuse_case(1, by={"key-1": "centre"}, actor="admin", note="agreed", now=NOW)
        except DecisionRefused as refused:
            said.append(str(refused))

    other = threading.Thread(target=excuse)
    with store.writing.begin() as connection:
        connection.execute(sa.text("SELECT id FROM cases WHERE id = 1 FOR UPDATE"))
        other.start()
        other.join(0.5)
        assert other.is_alive()
        cases.write_finding(connection, None, 1, a_finding("key-2"), NOW)
    other.join()
    assert said == ["case 1: more was found in it meanwhile"]


def test_a_further_finding_reopens_a_case_that_was_judged_a_false_alarm(store: Store) -> None:
    [case_id] = commit(store, a_result(a_verdict(a_finding("k1"))))
    store.decide(case_id, actor="dpo", action="false_alarm", note="", now=NOW)
    later = replace(VERSIONS, rules="rules-2")
    both = a_verdict(a_finding("k1"), a_finding("k2", rule="payroll"), versions=later)
    assert commit(store, a_result(both)) == []
    detail = store.case(case_id)
    assert detail is not None
    assert detail.case.state == "open"
    assert detail.decisions[-1].actor == "mailwarden"
    assert "payroll" in detail.decisions[-1].note


def test_the_same_finding_again_does_not_reopen_it(store: Store) -> None:
    [case_id] = commit(store, a_result(a_verdict(a_finding())))
    store.decide(case_id, actor="dpo", action="false_alarm", note="", now=NOW)
    commit(store, a_result(a_verdict(a_finding(), versions=replace(VERSIONS, rules="rules-2"))))
    assert store.cases()[0].state == "false_alarm"


def test_a_finding_without_a_route_is_not_lost(store: Store) -> None:
    [case_id] = commit(store, a_result(a_verdict(a_finding(route=None))))
    detail = store.case(case_id)
    assert detail is not None
    assert detail.case.route.person == ""
    assert "an admin must name somebody" in detail.case.route.because
    assert store.notice_counts() == {}


def test_seen_counts_only_the_same_versions(store: Store) -> None:
    ids = [f"id{number}" for number in range(1200)]
    commit(store, *(a_result(a_verdict(content=name), name) for name in ids[:1100]))
    assert store.seen("m365", MAILBOX, ids, VERSIONS) == set(ids[:1100])
    assert store.seen("m365", MAILBOX, ids, replace(VERSIONS, detectors="detectors-2")) == set()
    assert store.seen("m365", "other@elt.example", ids, VERSIONS) == set()
    assert store.seen("files", MAILBOX, ids, VERSIONS) == set()
    assert store.seen("m365", MAILBOX, [], VERSIONS) == set()


def test_a_dropped_cursor_is_gone_and_others_are_not(store: Store) -> None:
    commit(store)
    commit(store, mailbox="other@elt.example")
    store.drop_cursor("m365", MAILBOX, "sent")
    assert store.cursor("m365", MAILBOX, "sent") is None
    assert store.cursor("m365", "other@elt.example", "sent") is not None


def test_a_moved_message_is_found_where_it_lies_now(store: Store) -> None:
    [case_id] = commit(store, a_result(a_verdict(a_finding()), folder="inbox"))
    commit(store, a_result(a_verdict(a_finding()), folder="archive"))
    detail = store.case(case_id)
    assert detail is not None
    assert [place.folder for place in detail.appearances] == ["archive"]


def test_a_message_judged_anew_replaces_facts_and_problems(store: Store) -> None:
    commit(store, a_result(a_verdict(complete=False, problems=(Problem("body", "read", "timed_out", "none"),))))
    better = a_verdict(facts=(Fact("nino", "body", "sender", None, 0, 0.8, None, "1:ffff"),))
    commit(store, a_result(better), now=NOW + timedelta(days=1))
    assert counted(store)["fact"] == 1
    assert store.problems() == []
    assert store.coverage(date(2026, 1, 1)) == [CoverageRow(MAILBOX, NOW.date(), 1, 1, 0, 0, 0, {})]


def test_clean_messages_lose_their_facts_and_flagged_ones_keep_them(store: Store) -> None:
    commit(store, a_result(a_verdict(content="clean"), "1"), a_result(a_verdict(a_finding(), content="flagged"), "2"))
    assert store.forget_clean(NOW) == 0
    assert store.forget_clean(NOW + timedelta(days=30)) == 1
    assert counted(store)["fact"] == 1
    assert store.seen("m365", MAILBOX, ["1", "2"], VERSIONS) == {"1", "2"}


HOSTILE = st.text(st.characters(codec=None), max_size=30)  # NUL and lone surrogates among them


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE, HOSTILE, HOSTILE, st.datetimes())
def test_no_name_or_date_of_a_stranger_can_stop_a_commit(
    store: Store, internet_id: str, part: str, label: str, sent: datetime
) -> None:
    evidence = (Evidence(label, part, "••", 1, 0.5),)
    finding = a_finding(repr((internet_id, part, label, sent)), evidence=evidence, reasons=(part,))
    verdict = a_verdict(
        finding,
        content=repr((internet_id, part, sent)),
        problems=(Problem(part, "read", "corrupt", "none", label),),
        complete=False,
        sent_at=sent.replace(tzinfo=timezone(timedelta(hours=-14))),
    )
    opened = commit(store, Committed(internet_id, internet_id, MAILBOX, "sent", verdict))
    again = commit(store, Committed(internet_id, internet_id, MAILBOX, "sent", verdict))
    assert again == []
    for case_id in opened:
        detail = store.case(case_id)
        assert detail is not None
        assert detail.findings[0].evidence == (Evidence(plain(label), plain(part), "••", 1, 0.5),)
        str(detail).encode()


# --- coverage and problems ------------------------------------------------------------------------------------------


def test_the_ledger_tells_read_partly_locked_and_not_read_apart(store: Store) -> None:
    locked = (Problem("attachment/1/a.zip", "open", "encrypted"),)
    corrupt = (Problem("attachment/1/a.doc", "open", "corrupt"), Problem("attachment/2/b.doc", "open", "corrupt"))
    crashed = (Problem("", "worker", "crashed"),)
    commit(
        store,
        a_result(a_verdict(content="1"), "1"),
        a_result(a_verdict(content="2", problems=(Problem("a", "read", "skipped"),)), "2"),
        a_result(a_verdict(content="3", problems=locked, unread_protected=1), "3"),
        a_result(a_verdict(content="4", problems=corrupt + locked, unread_protected=1, complete=False), "4"),
        a_result(a_verdict(content="", problems=crashed, complete=False, parts=0), "5"),
        a_result(replace(a_verdict(content="7"), not_judged="the policy does not bind the sender (pupil)"), "7"),
        a_result(
            replace(a_verdict(content="8", problems=locked, unread_protected=1), not_judged="no authorisation"), "8"
        ),
    )
    next_day = NOW + timedelta(days=1)
    commit(store, a_result(a_verdict(content="6"), "6", "b@elt.example"), mailbox="b@elt.example", now=next_day)
    unbound = f"{LEFT_ALONE}the policy does not bind the sender (pupil)"
    why = {
        "corrupt": 1, "crashed": 1, "encrypted": 3, f"{LEFT_ALONE}no authorisation": 1, unbound: 1, "skipped": 1,
    }  # fmt: skip
    assert store.coverage(NOW.date()) == [
        CoverageRow("b@elt.example", next_day.date(), 1, 1, 0, 0, 0, {}),
        CoverageRow(MAILBOX, NOW.date(), 7, 2, 1, 2, 1, why, not_judged=1),
    ]
    assert [row.mailbox for row in store.coverage(next_day.date())] == ["b@elt.example"]
    assert store.messages_with_problems() == 4
    assert store.messages_not_judged() == 1
    # Judged after all: the ledger forgets the reason.
    commit(store, a_result(a_verdict(content="77"), "7"), now=next_day)
    assert unbound not in store.coverage(NOW.date())[-1].why


def test_the_page_could_not_scan_leaves_out_what_was_skipped_by_choice(store: Store) -> None:
    corrupt = (Problem(f"part{n}", "open", "corrupt") for n in range(3))
    problems = (*corrupt, Problem("logo", "read", "skipped"))
    commit(store, a_result(a_verdict(problems=problems, complete=False)))
    rows = store.problems(limit=2)
    assert [row.part for row in rows] == ["part2", "part1"]
    assert [row.part for row in store.problems(after=rows[-1].id)] == ["part0"]
    assert [row.part for row in store.problems(kind="skipped")] == ["logo"]
    assert store.problems(mailbox="nobody@elt.example") == []
    assert (rows[0].mailbox, rows[0].provider_id, rows[0].seen_at) == (MAILBOX, "AAMk1", NOW)
    assert store.problem_counts() == {"corrupt": 3, "skipped": 1}


def test_a_parked_mailbox_keeps_the_time_since_when(store: Store) -> None:
    store.park_mailbox(MAILBOX, "403 ErrorAccessDenied", NOW)
    store.park_mailbox(MAILBOX, "404 MailboxNotEnabledForRESTAPI", NOW + timedelta(days=1))
    [parked] = store.parked()
    assert (parked.mailbox, parked.reason, parked.since) == (MAILBOX, "404 MailboxNotEnabledForRESTAPI", NOW)
    store.unpark_mailbox(MAILBOX)
    assert store.parked() == []


# --- the list -------------------------------------------------------------------------------------------------------


def fill(store: Store, number: int) -> list[int]:
    """Cases of every severity, in turn for the DPO and for a line manager."""
    severities = ("minor", "moderate", "severe")
    return commit(
        store,
        *(
            a_result(
                a_verdict(
                    a_finding(
                        f"k{n}",
                        severity=severities[n % 3],
                        topic="personal_data" if n % 2 else "chain_mail",
                        route=DPO if n % 2 else HEAD,
                    ),
                    content=f"c{n}",
                ),
                f"id{n}",
            )
            for n in range(number)
        ),
    )


@pytest.mark.parametrize("order", ["newest", "severest"])
def test_pages_of_the_list_hold_each_case_once_in_order(store: Store, order: str) -> None:
    fill(store, 20)
    whole = store.cases(order=order, limit=100)  # type: ignore[arg-type]
    assert len(whole) == 20
    rank = {"minor": 0, "moderate": 1, "severe": 2}
    key = (lambda row: -row.id) if order == "newest" else (lambda row: (-rank[row.severity], -row.id))
    assert whole == sorted(whole, key=key)
    paged, after = [], None
    while page := store.cases(order=order, limit=3, after=after):  # type: ignore[arg-type]
        paged += page
        after = page[-1].id
    assert paged == whole


def test_the_filters_of_the_list(store: Store) -> None:
    opened = fill(store, 12)
    store.decide(opened[0], actor="head", action="confirm", note="", now=NOW)
    assert store.cases(topic="threats") == []
    assert store.cases(person="somebody@elt.example") == []
    assert {row.route.role for row in store.cases(route_role="dpo")} == {"dpo"}
    assert len(store.cases(person="HEAD@elt.example ")) == 6
    assert [row.id for row in store.cases(state="confirmed")] == [opened[0]]
    assert {row.severity for row in store.cases(severity="severe", topic="personal_data")} == {"severe"}


def test_an_audience_sees_its_own_and_never_what_was_routed_past_it(store: Store) -> None:
    past_dpo = Route("deputy_dpo", "deputy@elt.example", "the data protection officer is a party", fallback=True)
    to_nobody = Route("dpo", "", "the data protection officer is a party and nobody else is named", fallback=True)
    [mine, passed, nobodys, conduct] = commit(
        store,
        a_result(a_verdict(a_finding("k1", route=DPO), content="c1"), "1"),
        a_result(a_verdict(a_finding("k2", route=past_dpo), content="c2"), "2"),
        a_result(a_verdict(a_finding("k3", route=to_nobody), content="c3"), "3"),
        a_result(a_verdict(a_finding("k4", route=HEAD, topic="threats"), content="c4"), "4"),
    )
    dpo = Audience(persons=("dpo@elt.example",), roles=("dpo",), topics=("personal_data",))
    assert [row.id for row in store.cases(audience=dpo)] == [mine]
    assert [row.id for row in store.cases(audience=Audience(persons=("Head@elt.example",)))] == [conduct]
    assert [row.id for row in store.cases(audience=Audience(persons=("deputy@elt.example",)))] == [passed]
    assert store.cases(audience=Audience(persons=("",))) == []
    assert store.cases(audience=Audience()) == []
    assert store.case(passed, dpo) is None
    assert store.case(nobodys, dpo) is None
    assert store.case(mine, dpo) is not None
    assert store.case_counts(dpo).by_state == {"new": 1}
    assert store.case_counts().by_state == {"new": 4}


def test_counts_of_what_waits_leave_out_what_is_decided(store: Store) -> None:
    opened = fill(store, 6)
    store.decide(opened[1], actor="dpo", action="false_alarm", note="", now=NOW)
    store.decide(opened[2], actor="head", action="note", note="Spoke to her.", now=NOW)
    counts = store.case_counts()
    assert counts.by_state == {"new": 4, "open": 1, "false_alarm": 1}
    assert (counts.waiting, counts.total) == (5, 6)
    assert counts.by_topic == {"personal_data": 2, "chain_mail": 3}
    assert counts.by_role == {"dpo": 2, "line_manager": 3}
    assert sum(counts.by_severity.values()) == 5


def test_a_case_holds_all_that_was_committed(store: Store) -> None:
    problem = Problem("attachment/2/old.doc", "open", "encrypted", "none", "Office legacy, RC4")
    verdict = a_verdict(a_finding(), problems=(problem,), unread_protected=1)
    [case_id] = commit(store, a_result(verdict))
    detail = store.case(case_id)
    assert detail is not None
    assert detail.findings == (a_finding(),)
    assert detail.problems == (problem,)
    assert (detail.complete, detail.unread_protected) == (True, 1)
    row = detail.case
    assert (row.title, row.why, row.labels, row.route) == (
        "NHS number sent outside",
        "check digit right",
        ("nhs",),
        DPO,
    )
    assert (row.state, row.opened, row.sent_at) == ("new", NOW, NOW - timedelta(hours=1))
    assert store.case(case_id + 1) is None


# --- decisions ------------------------------------------------------------------------------------------------------

ALLOWED = {
    ("new", "confirm"): "confirmed",
    ("new", "false_alarm"): "false_alarm",
    ("new", "note"): "open",
    ("open", "confirm"): "confirmed",
    ("open", "false_alarm"): "false_alarm",
    ("open", "note"): "open",
    ("confirmed", "note"): "confirmed",
    ("confirmed", "close"): "closed",
    ("confirmed", "reopen"): "open",
    ("false_alarm", "note"): "false_alarm",
    ("false_alarm", "close"): "closed",
    ("false_alarm", "reopen"): "open",
    ("closed", "note"): "closed",
    ("closed", "reopen"): "open",
}
PATHS: dict[str, tuple[str, ...]] = {
    "new": (),
    "open": ("note",),
    "confirmed": ("confirm",),
    "false_alarm": ("false_alarm",),
    "closed": ("confirm", "close"),
}


def test_every_step_from_every_state(store: Store) -> None:
    states, actions = list(PATHS), ["confirm", "false_alarm", "note", "reopen", "close", "reveal", "delete"]
    pairs = [(state, action) for state in states for action in actions]
    opened = fill(store, len(pairs))
    for case_id, (state, action) in zip(opened, pairs, strict=True):
        for step in PATHS[state]:
            store.decide(case_id, actor="dpo", action=step, note="because", now=NOW)  # type: ignore[arg-type]
        before = store.case(case_id)
        assert before is not None
        assert before.case.state == state
        if (state, action) in ALLOWED:
            leads_to = store.decide(case_id, actor="dpo", action=action, note="because", now=NOW)  # type: ignore[arg-type]
            after = store.case(case_id)
            assert after is not None
            assert after.case.state == leads_to == ALLOWED[state, action]
            assert after.decisions[:-1] == before.decisions
            assert after.decisions[-1].action == action
        else:
            with pytest.raises(DecisionRefused, match=r"allowed: note, "):
                store.decide(case_id, actor="dpo", action=action, note="because", now=NOW)  # type: ignore[arg-type]
            assert store.case(case_id) == before
    assert store.verify_audit() is None


def test_a_decision_and_its_audit_are_one_transaction(store: Store) -> None:
    [case_id] = fill(store, 1)
    before = everything(store)
    with pytest.raises(ValueError, match="an actor"):
        store.decide(case_id, actor=" ", action="confirm", note="", now=NOW)
    with pytest.raises(DecisionRefused, match="at most 2,000 characters"):
        store.decide(case_id, actor="dpo", action="note", note="x" * 2001, now=NOW)
    with pytest.raises(DecisionRefused, match="a note needs words"):
        store.decide(case_id, actor="dpo", action="note", note=" \n", now=NOW)
    with pytest.raises(DecisionRefused, match="no such case"):
        store.decide(case_id + 1, actor="dpo", action="confirm", note="", now=NOW)
    assert everything(store) == before
    store.decide(case_id, actor="dpo", action="confirm", note="Told the family.", now=NOW)
    [entry] = store.audit_entries(object=f"case/{case_id}")
    assert (entry.actor, entry.action, entry.reason, entry.at) == ("dpo", "confirm", "Told the family.", NOW)


def test_a_reveal_needs_a_reason_and_is_in_history_and_audit(store: Store) -> None:
    [case_id] = fill(store, 1)
    with pytest.raises(DecisionRefused, match="needs a reason"):
        store.record_reveal(case_id, actor="dpo", reason=" ", now=NOW)
    with pytest.raises(DecisionRefused, match="no such case"):
        store.record_reveal(case_id + 1, actor="dpo", reason="Subject access request 12", now=NOW)
    store.record_reveal(case_id, actor="dpo", reason="Subject access request 12", now=NOW)
    detail = store.case(case_id)
    assert detail is not None
    assert [(step.action, step.note) for step in detail.decisions] == [("reveal", "Subject access request 12")]
    assert detail.case.state == "open"
    assert store.audit_entries()[0].action == "reveal"


def in_threads(number: int, work: Callable[[int], object]) -> list[object]:
    """Runs the same work in several threads that start together; what each returned or raised."""
    results: list[object] = [None] * number
    start = threading.Barrier(number)

    def run(place: int) -> None:
        start.wait()
        try:
            results[place] = work(place)
        except Exception as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_two_reviewers_one_decides_and_the_other_is_told(store: Store) -> None:
    [case_id] = fill(store, 1)
    results = in_threads(4, lambda n: store.decide(case_id, actor=f"dpo{n}", action="confirm", note="", now=NOW))
    assert results.count("confirmed") == 1
    assert sum(isinstance(result, DecisionRefused) for result in results) == 3
    detail = store.case(case_id)
    assert detail is not None
    assert len(detail.decisions) == 1


# --- two at once ----------------------------------------------------------------------------------------------------


def test_of_many_claims_one_is_granted(store: Store, store_url: str) -> None:
    stores = [Store.open(store_url) for _ in range(4)]
    claim = timedelta(minutes=5)
    results = in_threads(4, lambda n: stores[n].claim("m365", MAILBOX, f"worker{n}", now=NOW, lasts=claim))
    assert results.count(True) == 1
    owner = f"worker{results.index(True)}"
    assert store.claim("m365", MAILBOX, owner, now=NOW, lasts=claim)
    assert not store.claim("m365", MAILBOX, "other", now=NOW + claim / 2, lasts=claim)
    assert store.claim("m365", "another@elt.example", "other", now=NOW, lasts=claim)
    store.release("m365", MAILBOX, "other")
    assert not store.claim("m365", MAILBOX, "other", now=NOW, lasts=claim)
    assert store.claim("m365", MAILBOX, "other", now=NOW + claim, lasts=claim)
    store.release("m365", MAILBOX, "other")
    assert store.claim("m365", MAILBOX, owner, now=NOW, lasts=claim)
    for opened in stores:
        opened.close()


def test_copies_committed_at_once_are_one_case(store: Store, store_url: str) -> None:
    stores = [Store.open(store_url) for _ in range(4)]

    def work(number: int) -> list[int]:
        mailbox = f"s{number}@elt.example"
        # Each in another order, which is where row locks would meet crosswise.
        order = range(10) if number % 2 else reversed(range(10))
        page = [a_result(a_verdict(a_finding(f"k{n}"), content=f"c{n}"), f"{number}-{n}", mailbox) for n in order]
        return commit(stores[number], *page, mailbox=mailbox)

    results = in_threads(4, work)
    opened = [case_id for result in results for case_id in result]  # type: ignore[attr-defined]
    assert len(opened) == len(set(opened)) == 10
    rows = counted(store)
    assert (rows["cases"], rows["finding"], rows["appearance"], rows["notice"]) == (10, 10, 40, 10)
    for opened_store in stores:
        opened_store.close()


def test_audit_entries_written_at_once_are_one_chain(store: Store, store_url: str) -> None:
    stores = [Store.open(store_url, store.audit_key) for _ in range(4)]
    stores[0].record(actor="a", action="first", object="x", reason="", now=NOW)

    def work(number: int) -> None:
        for _ in range(5):
            stores[number].record(actor=f"a{number}", action="act", object="x", reason="", now=NOW)

    assert in_threads(4, work) == [None] * 4
    assert len(store.audit_entries()) == 21
    assert store.verify_audit() is None
    for opened in stores:
        opened.close()


WRITER = """
import sys
from datetime import timedelta
from tests.test_store import MAILBOX, NOW, Problem, Store, a_finding, a_result, a_verdict

store = Store.open(sys.argv[1])
cursor = store.cursor("m365", MAILBOX, "sent")
for page in range(int(cursor.token) + 1 if cursor else 1, int(sys.argv[2]) + 1):
    results = [
        a_result(a_verdict(a_finding(f"k{page}-{n}"), content=f"c{page}-{n}", complete=False,
                 problems=(Problem("body", "read", "corrupt"),)), f"{page}-{n}")
        for n in range(4)
    ]
    store.commit_page(source="m365", mailbox=MAILBOX, folder="sent", token=str(page), results=results, now=NOW)
    print(page, flush=True)
"""


def test_a_killed_writer_leaves_whole_pages_and_the_next_one_goes_on(store: Store, store_url: str) -> None:
    root = Path(__file__).parents[1]
    kills = 0
    for attempt in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, store_url, "100000"], cwd=root, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        # The kill falls somewhere into the work on the page after those that were reported.
        for _ in range(attempt + 1):
            reported = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        kills += writer.wait() == -signal.SIGKILL
        writer.stdout.close()
        cursor = store.cursor("m365", MAILBOX, "sent")
        pages = int(cursor.token) if cursor else 0
        assert pages >= reported
        whole = {
            "message": 4 * pages,
            "fact": 4 * pages,
            "problem": 4 * pages,
            "finding": 4 * pages,
            "cases": 4 * pages,
            "appearance": 4 * pages,
            "notice": 4 * pages,
        }
        assert {table: number for table, number in counted(store).items() if table in whole} == whole
        assert store.coverage(NOW.date())[0].partly == 4 * pages
    assert kills == 4


# --- notices --------------------------------------------------------------------------------------------------------


def test_a_notice_is_handed_out_once(store: Store, store_url: str) -> None:
    fill(store, 30)
    stores = [Store.open(store_url) for _ in range(3)]
    taken = in_threads(3, lambda n: [notice.id for notice in stores[n].pending_notices(20, now=NOW)])
    ids = [notice_id for result in taken for notice_id in result]  # type: ignore[attr-defined]
    assert len(ids) == len(set(ids)) == 30
    assert store.pending_notices(20, now=NOW) == []
    for opened in stores:
        opened.close()


def test_a_sent_or_unsure_notice_is_never_repeated_and_a_failed_one_three_times(store: Store) -> None:
    fill(store, 3)
    sent, unsure, failed = store.pending_notices(3, now=NOW)
    assert (sent.role, sent.person, sent.title, sent.attempts) == (
        "line_manager",
        "head@elt.example",
        "NHS number sent outside",
        1,
    )
    store.notice_sent(sent.id, "sent", NOW)
    store.notice_sent(unsure.id, "unsure", NOW)
    store.notice_sent(failed.id, "failed", NOW)
    assert store.pending_notices(10, now=NOW) == []
    for attempt in (2, 3):
        [again] = store.pending_notices(10, now=NOW + timedelta(hours=attempt))
        assert (again.id, again.attempts) == (failed.id, attempt)
        store.notice_sent(again.id, "failed", NOW + timedelta(hours=attempt))
    assert store.pending_notices(10, now=NOW + timedelta(days=9)) == []
    assert store.notice_counts() == {"failed": 1, "sent": 1, "unsure": 1}
    store.notice_sent(sent.id, "failed", NOW)
    assert store.notice_counts() == {"failed": 1, "sent": 1, "unsure": 1}


def test_a_notice_whose_sender_died_is_unsure(store: Store) -> None:
    fill(store, 1)
    assert len(store.pending_notices(5, now=NOW)) == 1
    assert store.pending_notices(5, now=NOW + timedelta(minutes=11)) == []
    assert store.notice_counts() == {"unsure": 1}


# --- audit ----------------------------------------------------------------------------------------------------------


def some_acts(store: Store) -> None:
    for number in range(5):
        store.record(actor=f"actor{number}", action="looked", object="coverage", reason="", now=NOW)


def tampered(store: Store, *statements: str) -> None:
    """What somebody with the database's own tools could do: the triggers taken off first."""
    with store.writing.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("DROP TRIGGER audit_no_change ON audit"))
        else:
            connection.execute(sa.text("DROP TRIGGER audit_no_update"))
            connection.execute(sa.text("DROP TRIGGER audit_no_delete"))
        for statement in statements:
            connection.execute(sa.text(statement))


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit WHERE id = 2"])
def test_the_schema_refuses_to_change_the_trail(store: Store, statement: str) -> None:
    some_acts(store)
    with pytest.raises(sa.exc.DBAPIError, match="only appended to"), store.writing.begin() as connection:
        connection.execute(sa.text(statement))
    assert store.verify_audit() is None


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE audit SET actor = 'somebody else' WHERE id = 3", 3),
        ("UPDATE audit SET at = '2020-01-01T00:00:00.000000+00:00' WHERE id = 5", 5),
        ("DELETE FROM audit WHERE id = 2", 2),
        ("DELETE FROM audit WHERE id = 5", 5),
        ("DELETE FROM audit", 1),
        ("DELETE FROM audit_head", 0),
        ("UPDATE audit_head SET entries = 4", 0),
        ("INSERT INTO audit SELECT 6, at, actor, action, object, reason, mark FROM audit WHERE id = 5", 6),
    ],
)
def test_a_changed_trail_shows_where(store: Store, statement: str, place: int) -> None:
    some_acts(store)
    assert store.verify_audit() is None
    tampered(store, statement)
    fault = store.verify_audit()
    assert fault is not None
    assert fault.id == place


def test_cutting_the_end_off_and_mending_the_head_needs_the_key(store: Store) -> None:
    some_acts(store)
    with store.reading.begin() as connection:
        mark = connection.execute(sa.text("SELECT mark FROM audit WHERE id = 4")).scalar_one()
    tampered(
        store,
        "DELETE FROM audit WHERE id = 5",
        f"UPDATE audit_head SET entries = 4, mark = '{mark}'",  # noqa: S608
    )
    fault = store.verify_audit()
    assert fault is not None
    assert "head was changed" in fault.what


def test_another_key_does_not_verify(store: Store) -> None:
    some_acts(store)
    other = Store(store.reading, store.writing, b"another key")
    fault = other.verify_audit()
    assert fault is not None
    assert fault.id == 1


@given(st.lists(st.text(max_size=8), min_size=5, max_size=5), st.lists(st.text(max_size=8), min_size=5, max_size=5))
def test_different_words_never_share_a_mark(one: list[str], other: list[str]) -> None:
    same = audit._mark(b"k", audit.START, 1, *one) == audit._mark(b"k", audit.START, 1, *other)
    assert same == (one == other)


def test_entries_come_newest_first_in_pages(store: Store) -> None:
    some_acts(store)
    store.record(actor="x", action="exported", object="report/1", reason="asked by the chair", now=NOW)
    page = store.audit_entries(limit=2)
    assert [entry.actor for entry in page] == ["x", "actor4"]
    assert [entry.actor for entry in store.audit_entries(after=page[-1].id, limit=2)] == ["actor3", "actor2"]
    assert [entry.reason for entry in store.audit_entries(object="report/1")] == ["asked by the chair"]


# --- accounts, runs, people -----------------------------------------------------------------------------------------


def an_account(store: Store, name: str = "Dana") -> None:
    store.add_account(
        name,
        password_hash="$argon2id$made-up",
        totp_secret="JBSWY3DPEHPK3PXP",
        roles=["dpo", "manager"],
        email="Dana@elt.example",
        actor="setup",
        now=NOW,
    )


def test_an_account_is_there_once_whatever_the_case_of_its_name(store: Store) -> None:
    assert store.account("dana") is None
    an_account(store)
    with pytest.raises(StoreError, match="there is one of that name already"):
        an_account(store, " DANA ")
    account = store.account("dAnA")
    assert account is not None
    assert (account.name, account.email, account.roles) == ("dana", "dana@elt.example", {"dpo", "manager"})
    assert "argon2id" not in repr(account)
    assert "JBSWY" not in repr(account)
    assert store.accounts() == [account]
    assert [entry.action for entry in store.audit_entries()] == ["account added"]


@pytest.mark.parametrize(("name", "roles"), [("", ["dpo"]), ("x", []), ("x", ["root"])])
def test_an_account_without_a_name_or_with_an_unknown_role_is_refused(
    store: Store, name: str, roles: list[str]
) -> None:
    with pytest.raises(StoreError):
        store.add_account(
            name,
            password_hash="h",
            totp_secret=None,
            roles=roles,  # type: ignore[arg-type]
            email="x@elt.example",
            actor="setup",
            now=NOW,
        )
    assert store.accounts() == []
    assert store.audit_entries() == []


def test_the_fifth_wrong_password_in_a_row_locks_and_a_right_one_starts_anew(store: Store) -> None:
    an_account(store)
    assert [store.sign_in_failed("dana", NOW) for _ in range(4)] == [None] * 4
    store.signed_in("dana", NOW)
    assert [store.sign_in_failed("dana", NOW) for _ in range(4)] == [None] * 4
    assert store.sign_in_failed("dana", NOW) == NOW + timedelta(minutes=15)
    account = store.account("dana")
    assert account is not None
    assert (account.failed_attempts, account.locked_until) == (5, NOW + timedelta(minutes=15))
    assert store.sign_in_failed("nobody", NOW) is None
    store.change_password("dana", password_hash="new", actor="admin", now=NOW)
    changed = store.account("dana")
    assert changed is not None
    assert (changed.password_hash, changed.failed_attempts, changed.locked_until) == ("new", 0, None)
    with pytest.raises(StoreError, match="no such account"):
        store.change_password("nobody", password_hash="new", actor="admin", now=NOW)


def test_a_run_that_was_killed_has_no_end(store: Store) -> None:
    assert store.last_run() is None
    first = store.start_run(NOW)
    store.finish_run(first, counts=RunCounts(3, 40, 2, 1, 0), now=NOW + timedelta(minutes=1))
    finished = store.last_run()
    assert finished is not None
    assert (finished.id, finished.counts, finished.error) == (first, RunCounts(3, 40, 2, 1, 0), "")
    store.start_run(NOW + timedelta(minutes=5))
    killed = store.last_run()
    assert killed is not None
    assert (killed.finished, killed.counts) == (None, RunCounts())


SNAPSHOT = People(
    organisation="Example Learning Trust",
    domains=("elt.example",),
    roles={"dpo": {"": "dpo@elt.example"}},
    people=(Person("j.smith@elt.example", "Jane Smith", "staff", leaves_on=date(2027, 7, 31)),),
    contacts=(Contact("pat.jones@gmail.com", "Pat Jones", (Pupil("Sam Jones"),)),),
    version="people-1",
)


def test_people_come_back_as_they_were_and_only_with_their_key(store: Store) -> None:
    key = b"k" * 32
    assert store.load_people(key=key) is None
    assert store.people_version() is None
    store.save_people(replace(SNAPSHOT, version="people-0"), key=key, now=NOW)
    store.save_people(SNAPSHOT, key=key, now=NOW)
    assert store.load_people(key=key) == SNAPSHOT
    assert store.people_version() == "people-1"
    with pytest.raises(StoreError, match="does not open with this root key"):
        store.load_people(key=b"x" * 32)


# --- no found value in any column -----------------------------------------------------------------------------------


def test_no_planted_value_is_in_any_column_of_any_table(store: Store) -> None:
    planted = {
        "nhs": "9990000115",
        "nino": "AB123456C",
        "person": "Marmaduke Quillfeather",
        "date_of_birth": "14/03/2012",
        "address": "7 Pumpernickel Row, ZZ99 3VZ",
        "password": "hunter2-Tr0mbone",
        "health": "leukaemia",
        "email": "quillfeather.family@outside.example",
    }
    key = FingerprintKey(1, b"f" * 32)
    hits = [
        Hit(label, 10 * n, 10 * n + len(value), value, 0.9, (f"pattern {label}",), "body")
        for n, (label, value) in enumerate(planted.items())
    ]
    finding = a_finding(evidence=evidence_of(hits, key), reasons=tuple(r for hit in hits for r in hit.reasons))
    verdict = a_verdict(finding, facts=tuple(fact_of(hit, 0, key) for hit in hits))
    [case_id] = commit(store, a_result(verdict))
    store.record_reveal(case_id, actor="dpo", reason="to tell the family", now=NOW)
    store.save_people(SNAPSHOT, key=b"k" * 32, now=NOW)
    everywhere = []
    for table, rows in everything(store).items():
        for row in rows:
            everywhere += [(table, bytes(cell) if isinstance(cell, memoryview) else str(cell).encode()) for cell in row]
    # The search works: what may be kept is found by it.
    assert any(b"M.Q." in cell or "M.Q.".encode("unicode-escape") in cell for _, cell in everywhere)
    assert any(table == "fact" and cell.startswith(b"1:") for table, cell in everywhere)
    contacts = ["pat.jones@gmail.com", "Pat Jones", "Sam Jones"]
    words = [word for value in (*planted.values(), *contacts) for word in (value, value.split()[-1], value.split()[0])]
    for word in words:
        if len(word) < 4:
            continue
        for table, cell in everywhere:
            assert word.lower().encode() not in cell.lower(), f"{table} holds a found value"
