"""The circle from a Graph-shaped tenant to the store: once, twice, killed in the middle, out of reach."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from made_up import key_mail, locked_mail

from connectors.faketenant.faults import Fault, Plan
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeUser, Tenant
from scanner.errors import ConnectorError
from scanner.model import Finding
from scanner.ports import ItemRef, RawItem, SpooledItem
from tests.tenant_service import service

MAILBOXES = ("jane.smith@elt.example", "sam.lee@elt.example")
OUTSIDER = "desk@outdoorcentre.example"


def mail(number: int, sender: str, to: str, body: str, subject: str = "Trip") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, f"{subject} {number}"
    message["Date"] = f"Mon, 07 Sep 2026 10:{number % 60:02d}:00 +0100"
    message["Message-ID"] = f"<{number}@elt.example>"
    message.set_content(body)
    return message.as_bytes()


def small_tenant(messages: int = 12) -> Tenant:
    """Every third mail carries a National Insurance number to an outsider; one goes to both of our mailboxes."""
    tenant = Tenant()
    for address, name in zip(MAILBOXES, ("Jane Smith", "Sam Lee"), strict=True):
        tenant.add_user(FakeUser(address, name, manager="head@elt.example"))
    tenant.add_user(FakeUser("head@elt.example", "Hilary Moss"))
    for number in range(messages):
        body = "Thank you, see you on Friday."
        if number % 3 == 0:
            body = f"For the form: Ron Tanner, national insurance number AB 12 34 5{number % 10} C."
        tenant.deliver(MAILBOXES[0], "sentitems", mail(number, MAILBOXES[0], OUTSIDER, body))
    both = mail(
        500, MAILBOXES[0], f"{MAILBOXES[1]}, {OUTSIDER}", "Leila Haddad, national insurance number AB 65 43 21 C."
    )
    tenant.deliver(MAILBOXES[0], "sentitems", both)
    tenant.deliver(MAILBOXES[1], "inbox", both)
    return tenant


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


def findings_in(database: str) -> Iterator[Sequence[object]]:
    """Finding keys with the number of their cases."""
    engine = sa.create_engine(database)
    with engine.connect() as connection:
        yield from connection.execute(sa.text("select key, count(*) from finding group by key")).all()
    engine.dispose()


def count(database: str, table: str) -> int:
    engine = sa.create_engine(database)
    with engine.connect() as connection:
        number = connection.execute(sa.text(f"select count(*) from {table}")).scalar_one()  # noqa: S608 names of our own
    engine.dispose()
    return int(number)


def test_a_round_finds_routes_and_counts_and_a_second_changes_nothing(database: str) -> None:
    with FakeTenant(small_tenant()) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as running:
            first = running.round()
            assert first.messages == 14
            assert first.new_cases == 5  # four with a number, and one mail that lies in two mailboxes
            cases = running.store.cases()
            assert {case.route.person for case in cases} == {"dpo@elt.example"}
            detail = running.store.case(
                next(case.id for case in cases if len(running.store.case(case.id).appearances) > 1)
            )
            assert {item.mailbox for item in detail.appearances} == set(MAILBOXES)
            before = {table: count(database, table) for table in ("message", "finding", "cases")}
            second = running.round()
            assert (second.messages, second.new_cases) == (0, 0)
            assert {table: count(database, table) for table in before} == before


def test_a_lost_cursor_means_a_full_read_and_no_doubles(database: str) -> None:
    with FakeTenant(small_tenant()) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as running:
            running.round()
            fake.forget_links()
            again = running.round()
            assert again.messages == 0
            assert again.unchanged == 14
            assert all(number == 1 for _, number in findings_in(database))


def test_a_mailbox_out_of_reach_is_parked_and_the_others_go_on(database: str) -> None:
    tenant = small_tenant()
    plan = Plan(
        Fault(on=f"/users/{tenant.users[MAILBOXES[1]].id}/mailFolders", status=403, code="ErrorAccessDenied", times=99)
    )
    with FakeTenant(tenant, plan) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as running:
            tally = running.round()
            assert tally.parked == [MAILBOXES[1]]
            assert tally.messages == 13
            assert [item.mailbox for item in running.store.parked()] == [MAILBOXES[1]]
            assert running.round().parked == []  # it rests for a day


def test_a_killed_run_resumes_without_loss_or_doubles(database: str, tmp_path: Path) -> None:
    total = 40
    with FakeTenant(small_tenant(total)) as fake:
        script = Path(__file__).with_name("tenant_service.py")
        command = [
            sys.executable, str(script), fake.url, str(fake.ca_file), fake.tenant_id, fake.client_id, fake.client_secret, database,
        ]  # fmt: skip
        environment = os.environ | {"PYTHONPATH": str(script.parents[1])}
        seen: list[int] = []
        for needed in (3, 17):
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    if count(database, "message") >= needed:
                        break
                except sa.exc.OperationalError:
                    pass  # the schema is still being made
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
            seen.append(count(database, "message"))
        assert 0 < seen[0] < total, "the first run was to be killed in the middle"
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=120)
    assert count(database, "message") == total + 2
    with_number = len(range(0, total, 3)) + 1
    assert sorted(number for _, number in findings_in(database)) == [1] * with_number
    assert count(database, "cases") == with_number


def test_no_finding_holds_a_value() -> None:
    assert not {"value", "text", "quote"} & set(Finding.__slots__)


def test_a_cursor_of_another_host_starts_the_folder_again(database: str) -> None:
    tenant = small_tenant()
    for expected in (14, 0):  # a new server is another host: its links are not the old one's
        with FakeTenant(tenant) as fake:
            arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
            with service(*arguments) as running:
                tally = running.round()
                assert (tally.messages, tally.unfinished) == (expected, [])
    assert all(number == 1 for _, number in findings_in(database))


def locked_and_key(order: tuple[str, ...], body: str = "It is encrypted, I will get the password to you.") -> Tenant:
    """A locked list, and its password in another message to the same outsider; `order` is how the mailbox gives them.
    `stranger` is the password to somebody else, `late` the password three weeks on.
    """
    mails = {"lock": locked_mail(body)}
    for name, to, date in (
        ("key", OUTSIDER, "Mon, 07 Sep 2026 10:31:00 +0100"),
        ("again", OUTSIDER, "Mon, 07 Sep 2026 11:31:00 +0100"),
        ("stranger", "sales@printco.example", "Mon, 07 Sep 2026 10:31:00 +0100"),
        ("late", OUTSIDER, "Mon, 28 Sep 2026 10:31:00 +0100"),
    ):
        mails[name] = key_mail(name, to, date)
    tenant = Tenant()
    tenant.add_user(FakeUser(MAILBOXES[0], "Jane Smith", manager="head@elt.example"))
    tenant.add_user(FakeUser("head@elt.example", "Hilary Moss"))
    for name in order:
        tenant.deliver(MAILBOXES[0], "sentitems", mails[name])
    return tenant


def test_one_companion_that_is_gone_keeps_no_other_from_its_key(database: str) -> None:
    tenant = locked_and_key(("lock", "lock"))
    key = locked_and_key(("key",)).mailboxes[MAILBOXES[0]].messages
    with FakeTenant(tenant) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as running:
            running.round()
            tenant.delete(MAILBOXES[0], next(iter(tenant.mailboxes[MAILBOXES[0]].messages)))
            tenant.deliver(MAILBOXES[0], "sentitems", next(iter(key.values())).mime)
            running.round()
    assert count(database, "finding WHERE topic = 'password_exposed'") == 2  # of the password, and of what it opens


def test_a_spooled_message_is_closed_where_its_companion_cannot_be_had_now(database: str) -> None:
    spooled = SpooledItem(RawItem(b"", "message/rfc822"), io.BytesIO(), 0)

    def fetch(ref: ItemRef) -> SpooledItem:
        if ref.id == "one":
            return spooled
        raise ConnectorError("busy", permanent=False, status=503)

    with FakeTenant(small_tenant(0)) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as running:
            running.source.fetch = fetch  # type: ignore[method-assign, assignment]
            one, two = (ItemRef(MAILBOXES[0], "f", name) for name in ("one", "two"))
            with pytest.raises(ConnectorError):
                running.mail()._judged_again(one, None, [two], [])
    assert spooled.file.closed


@pytest.mark.parametrize(
    ("order", "exposed", "page_size"),
    [
        (("lock", "key"), 1, 1),
        (("key", "lock"), 1, 1),
        (("key", "lock", "again"), 2, 10),
        (("lock", "late"), 0, 10),
        (("lock", "stranger"), 0, 1),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_password_in_another_message_opens_the_earlier_one_whichever_comes_first(
    order: tuple[str, ...], exposed: int, page_size: int, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path / 'store.db'}"
    with FakeTenant(locked_and_key(order)) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        # With one message a page the second is committed when the first has long been.
        with service(*arguments, page_size=page_size) as running:
            running.round()
            before = rows(database, "SELECT * FROM finding"), rows(database, "SELECT * FROM cases")
            running.round()
            fake.forget_links()
            running.round()
            forget_versions(database)
            fake.forget_links()
            running.round()
            shown = [
                part.text
                for case in running.store.cases(topic="password_exposed")
                for place in running.store.case(case.id).appearances
                for part in running.reveal(place).parts
            ]
    assert ("Leila Haddad" in "".join(shown)) == (exposed > 0)
    assert count(database, "message") == len(order)
    assert (rows(database, "SELECT * FROM finding"), rows(database, "SELECT * FROM cases")) == before
    found = rows(
        database,
        "SELECT topic, provider_id, evidence, reasons FROM finding JOIN appearance ON finding_id = finding.id"
        " JOIN message ON message.id = message_id",
    )
    assert [row[0] for row in found] == ["password_exposed"] * (exposed + (exposed > 0))
    assert count(database, "cases") == len(found)
    (behind,) = [row for row in found if "list.csv" in row[2]] or [None]
    if behind is not None:
        assert {line["label"] for line in json.loads(behind[2])} == {"health", "nino", "person"}
        assert "lay behind a lock that opens with a word of another message" in behind[3]
    assert (behind is not None) == (exposed > 0)
    if "lock" in order:
        ((state,),) = rows(database, "SELECT coverage FROM message WHERE internet_id = '<lock@elt.example>'")
        assert state == ("read" if exposed else "locked")
    texts = rows(database, "SELECT sender, recipient FROM trail")
    assert texts
    assert not any("@" in value for row in texts for value in row)  # fingerprints, no addresses


@pytest.mark.parametrize("order", [("lock", "key"), ("key", "lock")], ids="-".join)
def test_what_was_found_before_the_lock_opened_stays_as_it_was(order: tuple[str, ...], database: str) -> None:
    body = "The list, and for Ron Tanner the national insurance number AB 12 34 56 C."
    with FakeTenant(locked_and_key(order, body)) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments, page_size=1) as running:
            for _ in range(3):
                running.round()
                forget_versions(database)
                fake.forget_links()
            found = {(case.topic, case.subjects) for case in running.store.cases()}
    assert found == {("personal_data", 1), ("password_exposed", 2), ("password_exposed", 0)}
    assert count(database, "finding") == 3


def forget_versions(database: str) -> None:
    """As if every message had been judged by older rules: it is judged again when it is seen next."""
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE message SET rules_version = 'old'"))
    engine.dispose()


def rows(database: str, query: str) -> Sequence[Sequence[Any]]:
    engine = sa.create_engine(database)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(sa.text(query))]
    engine.dispose()
    return found


HARSH = "Nobody here can stand you. We will make your life a misery until you resign."


def harsh(number: int, day: int, to: str) -> bytes:
    text = mail(number, MAILBOXES[0], to, f"{HARSH} This is note {number}.", subject="Rota").decode()
    return text.replace("Mon, 07 Sep 2026", f"{day:02d} Sep 2026").encode()


def test_the_third_harsh_mail_to_the_same_colleague_weighs_more_across_rounds(database: str) -> None:
    tenant = small_tenant(0)
    tenant.deliver(MAILBOXES[0], "sentitems", harsh(601, 7, MAILBOXES[1]))
    tenant.deliver(MAILBOXES[0], "sentitems", harsh(602, 8, OUTSIDER))
    tenant.deliver(MAILBOXES[0], "sentitems", harsh(603, 9, MAILBOXES[1]))
    with FakeTenant(tenant) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as running:
            running.round()
            tenant.deliver(MAILBOXES[0], "sentitems", harsh(604, 21, MAILBOXES[1]))
            running.round()
    with sa.create_engine(database).begin() as connection:
        query = "SELECT severity, reasons FROM finding WHERE topic = 'harassment_discrimination' ORDER BY id"
        found = [(row[0], str(row[1])) for row in connection.execute(sa.text(query))]
    assert [severity for severity, _ in found] == ["severe"] * 4
    assert ["3 messages of this kind" in why for _, why in found] == [False, False, False, True]
    assert not any("note 60" in reasons for _, reasons in found)


def test_a_pattern_is_seen_though_the_newest_was_read_first(database: str) -> None:
    tenant = small_tenant(0)
    with FakeTenant(tenant) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as running:
            for number, day in ((613, 23), (612, 22), (611, 21)):
                tenant.deliver(MAILBOXES[0], "sentitems", harsh(number, day, MAILBOXES[1]))
                running.round()
    query = "SELECT reasons FROM finding WHERE topic = 'harassment_discrimination' ORDER BY id"
    assert ["3 messages of this kind" in str(row[0]) for row in rows(database, query)] == [False, False, True]
