"""The circle from a Graph-shaped tenant to the store: once, twice, killed in the middle, out of reach."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from email.message import EmailMessage
from pathlib import Path

import pytest
import pyzipper
import sqlalchemy as sa

from connectors.faketenant.faults import Fault, Plan
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeUser, Tenant
from scanner.errors import ConnectorError
from scanner.model import Finding
from scanner.pipeline import _unread
from scanner.ports import ItemRef, RawItem, SpooledItem
from scanner.store import Committed
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


def locked_and_key(order: tuple[str, ...]) -> Tenant:
    """A locked file, and its password in another message to the same outsider; `order` is how the mailbox gives them."""
    buffer = io.BytesIO()
    with pyzipper.AESZipFile(buffer, "w", encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(b"Plover-Quay-19")
        archive.writestr("notes.txt", b"Notes of the review")
    locked = EmailMessage()
    locked["From"], locked["To"], locked["Subject"] = MAILBOXES[0], OUTSIDER, "Secure file"
    locked["Date"], locked["Message-ID"] = "Mon, 07 Sep 2026 10:12:00 +0100", "<lock@elt.example>"
    locked.set_content("It is encrypted, I will get the password to you.")
    locked.add_attachment(buffer.getvalue(), "application", "zip", filename="file.zip")
    key = EmailMessage()
    key["From"], key["To"], key["Subject"] = MAILBOXES[0], OUTSIDER, "Re: Secure file"
    key["Date"], key["Message-ID"] = "Mon, 07 Sep 2026 10:31:00 +0100", "<key@elt.example>"
    key.set_content("Plover-Quay-19\n\nR")
    tenant = Tenant()
    tenant.add_user(FakeUser(MAILBOXES[0], "Jane Smith", manager="head@elt.example"))
    tenant.add_user(FakeUser("head@elt.example", "Hilary Moss"))
    for name in order:
        tenant.deliver(MAILBOXES[0], "sentitems", {"lock": locked, "key": key}[name].as_bytes())
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
    assert count(database, "finding WHERE topic = 'password_exposed'") == 1


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
            one = Committed("one", "", MAILBOXES[0], "f", _unread(ItemRef(MAILBOXES[0], "f", "one"), "skipped", ""))
            with pytest.raises(ConnectorError):
                running.mail()._judged_again(one, [ItemRef(MAILBOXES[0], "f", "two")])
    assert spooled.file.closed


@pytest.mark.parametrize("order", [("lock", "key"), ("key", "lock"), ("lock",), ("key",)], ids="-".join)
def test_a_password_in_another_message_is_found_whichever_comes_first(order: tuple[str, ...], tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'store.db'}"
    with FakeTenant(locked_and_key(order)) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        # One message a page: the second is committed when the first has long been.
        with service(*arguments, page_size=1) as running:
            running.round()
            running.round()
    engine = sa.create_engine(database)
    with engine.connect() as connection:
        topics = [row[0] for row in connection.execute(sa.text("SELECT topic FROM finding"))]
        texts = connection.execute(sa.text("SELECT sender, recipient FROM trail")).all()
    assert topics.count("password_exposed") == (len(order) == 2)
    assert texts
    assert not any("@" in value for row in texts for value in row)  # fingerprints, no addresses


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
    assert [severity for severity, _ in found] == ["moderate", "moderate", "severe", "severe"]
    assert "single heated message" in found[0][1]
    assert "message 3 of this kind" in found[3][1]
    assert not any("note 60" in reasons for _, reasons in found)
