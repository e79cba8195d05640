"""Nobody's mail is read without the leave that the policy in force demands: asked before each message, visible when refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
import sqlalchemy as sa
from made_up import DIRECTORY
from packs_cast import FIVE, example_file, pack
from test_pipeline import MAILBOXES, OUTSIDER, mail, small_tenant
from typer.testing import CliRunner

from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import Tenant
from scanner.cli import cli
from scanner.errors import ConnectorError, MailwardenError
from scanner.governance import NotAuthorisedError, check, draw, leave, may_read
from scanner.model import Authorisation
from scanner.policy import Policy
from scanner.service import Service
from scanner.store import Committed, Store, StoreError
from tests.tenant_service import service

NOW = datetime(2026, 9, 7, 10, 0, tzinfo=UTC)
JANE, SAM = MAILBOXES


def given(policy: str = "treetops", kind: str = "grant", **more: object) -> Authorisation:
    values: dict[str, object] = {
        "id": 0, "policy": policy, "kind": kind, "purpose": "a complaint that was made", "scope": (JANE,), "topics": (),
        "approver": "Hilary Moss", "approver_role": "headteacher", "grounds": "a written complaint of a parent",
        "start": date(2026, 9, 1), "review": None, "end": date(2026, 9, 30), "recorded_at": NOW, "recorded_by": "admin",
    }  # fmt: skip
    return Authorisation(**{**values, **more})  # type: ignore[arg-type]


# --- the decision ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slug", "kind"),
    [
        ("constellation", "standing"),
        ("partnership", "standing"),
        ("treetops", "grant"),
        ("laat", "purpose"),
        ("cpps", "authority"),
    ],
)
def test_each_scan_mode_asks_for_its_own_kind_of_authorisation(slug: str, kind: str) -> None:
    none = leave(pack(slug), [], JANE, NOW)
    assert none.topics in (frozenset(), frozenset({"malware_executables"}))
    assert leave(pack(slug), [given(slug, "cause")], JANE, NOW).topics == none.topics
    assert leave(pack(slug), [given("base", kind)], JANE, NOW).topics == none.topics  # another policy's
    assert leave(pack(slug), [given(slug, kind)], JANE, NOW).topics is None


def test_an_authorisation_lives_from_its_first_day_to_its_last() -> None:
    policy = pack("treetops")
    for day, lives in (
        (date(2026, 8, 31), False),
        (date(2026, 9, 1), True),
        (date(2026, 9, 30), True),
        (date(2026, 10, 1), False),
    ):
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        assert (leave(policy, [given()], JANE, at).topics is None) is lives
    assert leave(policy, [given(ended_at=NOW)], JANE, NOW).nothing
    assert "has ended" in leave(policy, [given(ended_at=NOW)], JANE, NOW).because


def test_an_authorisation_lapses_when_its_review_is_due() -> None:
    once = given(review=date(2026, 9, 7))
    assert leave(pack("treetops"), [once], JANE, NOW).topics is None
    late = leave(pack("treetops"), [once], JANE, NOW + timedelta(days=1))
    assert late.nothing
    assert "its review is overdue" in late.because


def test_an_authorisation_opens_only_the_mailboxes_and_topics_in_its_scope() -> None:
    policy = pack("treetops")
    assert leave(policy, [given()], SAM, NOW).nothing
    narrow = given(topics=("gambling",))
    assert leave(policy, [narrow], JANE, NOW).topics == frozenset({"gambling"})
    assert leave(policy, [narrow, given(topics=("threats",))], JANE, NOW).topics == frozenset({"gambling", "threats"})
    assert "one by one" in refusal(policy, given(scope=("*",)))


def refusal(policy: Policy, wanted: Authorisation) -> str:
    try:
        check(policy, wanted, DIRECTORY)
    except NotAuthorisedError as error:
        return str(error)
    return ""


def test_only_those_whom_the_policy_names_can_approve() -> None:
    policy = pack("treetops")
    assert refusal(policy, given()) == ""
    assert "line_manager cannot approve it (allowed: headteacher, governors" in refusal(
        policy, given(approver_role="line_manager")
    )
    assert "is not headteacher in the directory" in refusal(policy, given(approver="jane.smith@elt.example"))
    assert refusal(policy, given(approver="head@elt.example")) == ""
    assert "an approver with a name" in refusal(policy, given(approver=" "))
    assert "says its grounds" in refusal(policy, given(grounds="because"))
    assert "a purpose of at least 10" in refusal(policy, given(purpose="why not"))
    assert "knows no authorisation of kind standing" in refusal(policy, given(kind="standing"))
    assert "must end within 90 days" in refusal(policy, given(end=date(2027, 9, 1)))


def test_a_purpose_must_be_one_that_the_policy_lists() -> None:
    policy = pack("laat")
    assert "knows no purpose 'general interest' (allowed: alleged wrongdoing; " in refusal(
        policy, given("laat", "purpose", purpose="general interest")
    )
    assert refusal(policy, given("laat", "purpose", purpose="alleged wrongdoing")) == ""


def test_every_reason_against_an_authorisation_comes_at_once() -> None:
    with pytest.raises(NotAuthorisedError) as caught:
        check(pack("treetops"), given(kind="standing", purpose="", scope=(), approver_role="hr"), None)
    assert len(str(caught.value).split("; ")) == 4


def test_a_sample_is_drawn_from_a_recorded_seed_and_frame() -> None:
    frame = [f"p{number}@elt.example" for number in range(40)]
    drawn, mark = draw(frame, 5, "dice of 7 September")
    assert draw(list(reversed(frame)), 5, "dice of 7 September") == (drawn, mark)
    assert draw(frame, 5, "dice of 8 September")[0] != drawn
    assert draw(frame[:-1], 5, "dice of 7 September")[1] != mark
    assert len(set(drawn)) == 5
    assert set(drawn) <= set(frame)
    for size, seed in ((0, "x"), (41, "x"), (5, " ")):
        with pytest.raises(MailwardenError):
            draw(frame, size, seed)
    counts = dict.fromkeys(frame, 0)
    for seed_number in range(400):
        for mailbox in draw(frame, 4, f"seed {seed_number}")[0]:
            counts[mailbox] += 1
    assert min(counts.values()) > 15  # 40 expected of each
    assert max(counts.values()) < 75


def test_a_sample_opens_what_it_drew_where_random_checks_are_allowed() -> None:
    assert leave(pack("constellation"), [given("constellation", "sample")], JANE, NOW).topics is None
    assert leave(pack("constellation"), [given("constellation", "sample")], SAM, NOW).nothing
    assert leave(pack("partnership"), [given("partnership", "sample")], JANE, NOW).topics == frozenset(
        {"malware_executables"}
    )


def test_reading_a_private_mail_needs_what_the_policy_asks_for() -> None:
    assert may_read(pack("constellation"), [given("constellation", "standing")], JANE, True, NOW).nothing
    assert not may_read(pack("constellation"), [given("constellation", "cause")], JANE, True, NOW).nothing
    assert may_read(pack("constellation"), [given("constellation", "cause")], SAM, True, NOW).nothing
    assert may_read(pack("treetops"), [], JANE, False, NOW).nothing
    assert not may_read(pack("treetops"), [given()], JANE, False, NOW).nothing
    assert not may_read(pack("laat"), [], JANE, True, NOW).nothing


# --- the store ------------------------------------------------------------------------------------------------------


def test_recording_reviewing_and_ending_an_authorisation_is_audited(store: Store) -> None:
    number = store.authorise(given(topics=("threats",), seed="s", frame="f", frame_size=3))
    kept = store.authorisations()
    assert kept == [given(id=number, topics=("threats",), seed="s", frame="f", frame_size=3)]
    store.review_authorisation(number, until=date(2026, 9, 20), actor="admin", reason="goes on", now=NOW)
    assert store.authorisations()[0].review == date(2026, 9, 20)
    store.end_authorisation(number, actor="admin", reason="withdrawn", now=NOW)
    assert store.authorisations()[0].ended_at == NOW
    with pytest.raises(StoreError):
        store.end_authorisation(number, actor="admin", reason="again", now=NOW)
    assert [entry.action for entry in store.audit_entries(object=f"authorisation/{number}")] == [
        "authorisation ended", "authorisation reviewed until 2026-09-20", "grant authorised",
    ]  # fmt: skip
    assert store.verify_audit() is None


# --- a run over a tenant --------------------------------------------------------------------------------------------


@contextmanager
def running(fake: FakeTenant, folder: Path, slug: str, **more: object) -> Iterator[Service]:
    database = f"sqlite:///{folder / 'store.db'}"
    with service(
        fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database, page_size=4
    ) as made:
        yield replace(made, policy=pack(slug), clock=lambda: NOW, **more)  # type: ignore[arg-type]


def rows(folder: Path, sql: str) -> list[tuple[object, ...]]:
    engine = sa.create_engine(f"sqlite:///{folder / 'store.db'}")
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(sa.text(sql))]
    engine.dispose()
    return found


def test_without_an_authorisation_no_message_is_fetched_and_the_run_says_so(tmp_path: Path) -> None:
    with FakeTenant(small_tenant()) as fake, running(fake, tmp_path, "treetops") as made:
        tally = made.round()
        assert tally.messages == 0
        assert set(MAILBOXES) <= set(tally.refused)
        assert not fake.graph("/messages")
        last = made.store.last_run()
        assert last is not None
        assert "the policy in force asks for an authorisation" in last.error


def test_a_grant_opens_one_mailbox_and_leaves_the_others_shut(tmp_path: Path) -> None:
    with FakeTenant(small_tenant()) as fake, running(fake, tmp_path, "treetops") as made:
        made.store.authorise(given())
        tally = made.round()
        assert tally.messages == 13
        assert JANE not in tally.refused
        assert SAM in tally.refused
        assert {row[0] for row in rows(tmp_path, "select distinct mailbox from message")} == {JANE}


def test_a_lapsed_authorisation_stops_the_scan_before_the_next_message(tmp_path: Path) -> None:
    with FakeTenant(small_tenant()) as fake, running(fake, tmp_path, "treetops") as made:
        number = made.store.authorise(given())
        seen: list[Committed] = []

        def withdraw(result: Committed) -> None:
            seen.append(result)
            if len(seen) == 1:
                made.store.end_authorisation(number, actor="head", reason="withdrawn", now=NOW)

        tally = replace(made, on_result=withdraw).round()
        assert tally.messages == 4  # the page in hand was committed when the word came; no message after it
        assert JANE in tally.refused
        before = len(fake.graph("/$value")) + len(fake.graph("/messages/"))
        again = made.round()
        assert again.messages == 0
        assert len(fake.graph("/$value")) + len(fake.graph("/messages/")) == before
        made.store.authorise(given())
        assert made.round().messages == 9  # nothing was lost, nothing comes twice


def test_leave_is_asked_for_before_each_message_and_not_once_a_page(tmp_path: Path) -> None:
    with FakeTenant(small_tenant()) as fake, running(fake, tmp_path, "treetops") as made:
        made.store.authorise(given(end=date(2026, 9, 7)))
        judged: list[str] = []
        original = made.pool.judge

        def clock() -> datetime:
            return NOW if len(judged) < 6 else NOW + timedelta(days=1)  # midnight in the middle of the second page

        def judge(*what: object, **more: object) -> object:
            judged.append("one")
            return original(*what, **more)  # type: ignore[arg-type]

        made.pool.judge = judge  # type: ignore[method-assign, assignment]
        tally = replace(made, clock=clock).round()
        assert JANE in tally.refused
        assert len(judged) == 6
        assert tally.messages == 4  # the page in hand was not committed: it comes again


def test_mail_without_an_authorisation_is_looked_at_for_programs_alone_where_the_policy_says_so(tmp_path: Path) -> None:
    tenant = small_tenant(3)
    with_program = message_from_bytes(
        mail(70, JANE, OUTSIDER, "Try this: national insurance number AB 12 34 56 C."), policy=default
    )
    program = example_file("malware_executables", "setup.exe")
    with_program.add_attachment(program, maintype="application", subtype="octet-stream", filename="setup.exe")  # type: ignore[attr-defined]
    tenant.deliver(JANE, "sentitems", with_program.as_bytes())
    with FakeTenant(tenant) as fake, running(fake, tmp_path, "partnership") as made:
        tally = made.round()
        assert tally.refused == []
        assert {row[0] for row in rows(tmp_path, "select distinct topic from finding")} == {"malware_executables"}
        assert rows(tmp_path, "select count(*) from fact") == [(0,)]
        assert tally.not_judged == tally.messages
        assert {row[0] for row in rows(tmp_path, "select distinct state from coverage")} == {"not_judged"}


def test_a_sealed_folder_is_counted_and_no_message_in_it_is_fetched(tmp_path: Path) -> None:
    tenant = Tenant()
    for user in small_tenant(0).users.values():
        tenant.add_user(user)
    body = "For the form: Ron Tanner, national insurance number AB 12 34 56 C."
    tenant.deliver(JANE, "Union", mail(1, JANE, OUTSIDER, body))
    tenant.deliver(JANE, "sentitems", mail(2, JANE, OUTSIDER, body))
    with FakeTenant(tenant) as fake, running(fake, tmp_path, "base", sealed_folders=frozenset({"union"})) as made:
        made.round()
        assert rows(tmp_path, "select count(*) from message") == [(2,)]
        assert rows(tmp_path, "select count(*) from finding") == [(1,)]
        assert rows(tmp_path, "select detail from problem") == [("protected folder: sealed, not read",)]
        assert sorted(rows(tmp_path, "select state, messages from coverage")) == [("not_judged", 1), ("read", 1)]


def test_mailboxes_of_people_whom_the_policy_does_not_bind_are_not_read(tmp_path: Path) -> None:
    with FakeTenant(small_tenant()) as fake, running(fake, tmp_path, "laat") as made:
        people = made.refresh_people()
        pupil = replace(next(person for person in people.people if person.email == SAM), role="pupil")
        others = tuple(person for person in people.people if person.email != SAM)
        made.store.save_people(
            replace(people, people=(*others, pupil), version="2"), key=made.key.subkey("contacts"), now=NOW
        )
        assert SAM not in made._mailboxes()
        assert SAM in replace(made, policy=pack("cpps"))._mailboxes()
        # Never without a word: the coverage page names whom the policy leaves out.
        assert any("the role pupil" in gap for gap in made.web_services().gaps)
        assert replace(made, policy=pack("cpps")).web_services().gaps == ()


def test_a_private_mail_is_not_shown_without_a_cause_on_record(tmp_path: Path) -> None:
    tenant = small_tenant(0)
    tenant.deliver(
        JANE, "sentitems", mail(9, JANE, OUTSIDER, "National insurance number AB 12 34 56 C.", subject="Private: form")
    )
    with FakeTenant(tenant) as fake, running(fake, tmp_path, "constellation") as made:
        made.store.authorise(given("constellation", "standing", scope=("*",)))
        made.round()
        case = max(item.id for item in made.store.cases() if item.topic == "personal_data")
        detail = made.store.case(case)
        assert detail is not None
        shown = {place: made.reveal(place) for place in detail.appearances}
        private = [result for result in shown.values() if not result.parts]
        assert private
        assert "reasonable cause" in private[0].problems[0].detail
        assert private[0].headings == ()
        made.store.authorise(given("constellation", "cause"))
        assert all(made.reveal(place).parts for place in detail.appearances)


def test_the_rules_explain_nothing_without_leave_and_only_what_it_covers(tmp_path: Path) -> None:
    with FakeTenant(small_tenant()) as fake, running(fake, tmp_path, "treetops") as made:
        number = made.store.authorise(given())
        made.round()
        detail = made.store.case(made.store.cases()[0].id)
        assert detail is not None
        place = detail.appearances[0]
        told = made.explain(place)
        assert {finding.topic for finding in told.findings} == {"personal_data"}
        assert {JANE, OUTSIDER} <= told.parties
        made.store.end_authorisation(number, actor="head", reason="withdrawn", now=NOW)
        fetched = len(fake.graph("/messages/"))
        with pytest.raises(NotAuthorisedError, match="has ended"):
            made.explain(place)
        assert len(fake.graph("/messages/")) == fetched
        made.store.authorise(given(topics=("gambling",)))
        assert made.explain(place).findings == ()


def test_a_message_of_a_source_that_was_switched_off_is_out_of_reach_and_no_crash(tmp_path: Path) -> None:
    with FakeTenant(small_tenant(0)) as fake, running(fake, tmp_path, "base") as made:
        made.round()
        detail = made.store.case(made.store.cases()[0].id)
        assert detail is not None
        place = replace(detail.appearances[0], source="m365_files")
        for look in (made.explain, made.reveal):
            with pytest.raises(ConnectorError, match="m365_files is switched off") as caught:
                look(place)
            assert (caught.value.permanent, caught.value.status) == (True, 404)


def test_a_round_asks_the_tenant_for_nothing_but_reading(tmp_path: Path) -> None:
    with FakeTenant(small_tenant()) as fake, running(fake, tmp_path, "base") as made:
        made.refresh_people()
        made.round()
        assert {exchange.method for exchange in fake.graph()} <= {"GET", "POST"}
        posts = {exchange.path.rpartition("/")[2] for exchange in fake.graph() if exchange.method == "POST"}
        assert posts <= {"$batch", "sendMail"}


def test_notices_wait_until_the_hours_without_answers_are_over(tmp_path: Path) -> None:
    with FakeTenant(small_tenant()) as fake, running(fake, tmp_path, "constellation") as made:
        made.store.authorise(given("constellation", "standing", scope=("*",)))
        sent: list[str] = []

        class Post:
            def send(self, notice: object) -> str:
                sent.append(str(notice))
                return "sent"

        night = replace(made, sender=Post(), clock=lambda: NOW.replace(hour=21))  # type: ignore[arg-type]
        night.round()
        assert sent == []
        assert night.store.notice_counts()["pending"] > 0
        replace(night, clock=lambda: NOW.replace(day=8, hour=7)).tell()
        assert sent


# --- the command line -----------------------------------------------------------------------------------------------


def settings(folder: Path, policy: str) -> list[str]:
    people = folder / "people.yaml"
    people.write_text(
        "organisation: Example Learning Trust\ndomains: [elt.example]\nroles: {headteacher: head@elt.example}\npeople:\n"
        + "".join(f"  - {{email: p{number}@elt.example, name: Person {number}, role: staff}}\n" for number in range(9)),
        "utf-8",
    )
    file = folder / "mailwarden.yaml"
    file.write_text(
        f"policy: {policy}\npeople_file: people.yaml\nstore: {{url: 'sqlite:///{folder}/store.db'}}\n", "utf-8"
    )
    return ["--config", str(file)]


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, list(words))
    return (
        result.exit_code,
        result.output if result.exception is None or result.exit_code == 0 else f"{result.output}{result.exception}",
    )


def test_the_commands_record_list_review_and_end(tmp_path: Path) -> None:
    config = settings(tmp_path, "treetops")
    common = ["--approver", "head@elt.example", "--purpose", "a complaint that was made", "--mailbox", "p1@elt.example"]
    status, said = run("authorise", "record", "--kind", "grant", "--role", "headteacher", *common, *config)
    assert status != 0
    assert "must end within 90 days" in said
    until = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%d")
    record = [
        "authorise",
        "record",
        "--kind",
        "grant",
        "--role",
        "headteacher",
        "--grounds",
        "a written complaint",
        "--until",
        until,
    ]
    status, said = run(*record, *common, *config)
    assert status == 0, said
    assert said.startswith("Authorisation 1 (grant) for p1@elt.example")
    assert "lives" in run("authorise", "list", *config)[1]
    assert run("authorise", "review", "1", "--reason", "goes on", *config)[0] == 0
    assert run("authorise", "end", "1", "--reason", "settled", *config)[0] == 0
    assert "ended" in run("authorise", "list", *config)[1]
    assert run("authorise", "end", "7", "--reason", "settled", *config)[0] != 0
    sample = [
        "authorise",
        "sample",
        "--approver",
        "head@elt.example",
        "--role",
        "headteacher",
        "--purpose",
        "a random check",
        "--size",
        "2",
    ]
    assert "random checks are excluded" in run(*sample, "--seed", "x", *config)[1]


def test_a_sample_can_be_drawn_and_drawn_again(tmp_path: Path) -> None:
    config = settings(tmp_path, "constellation")
    sample = [
        "authorise",
        "sample",
        "--approver",
        "RM",
        "--role",
        "it_security",
        "--purpose",
        "a random check",
        "--size",
        "3",
    ]
    first = run(*sample, "--seed", "7 September", *config)
    second = run(*sample, "--seed", "7 September", *config)
    assert first[0] == second[0] == 0, first[1]
    assert first[1].partition(" for ")[2] == second[1].partition(" for ")[2]
    assert "drawn from 9 mailboxes" in first[1]


def test_every_pack_of_the_five_asks_for_an_authorisation() -> None:
    for slug in FIVE:
        assert pack(slug).words["authorisation"] == "needed"
