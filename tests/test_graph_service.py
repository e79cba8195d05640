"""The whole way for what is beside the mail: shared files and mailbox rules become findings once; contacts; the doctor; tenants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from graph.contract import checked_fake, client_for, tokens_for
from graph.tenants import JO, SAM, mail, two_mailboxes
from tenant_service import service
from test_tenant_cli import pfx

from connectors.contacts_csv import read_contacts
from connectors.entra import ClientSecret, PfxCertificate
from connectors.faketenant.faults import Fault, Plan
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeRule, FakeUser
from connectors.graph import segment
from connectors.m365_doctor import Check, examine, examine_sender
from connectors.m365_files import M365Files
from connectors.m365_mail import M365Mail
from connectors.m365_people import M365People
from connectors.m365_settings import GAPS, M365Settings
from scanner.app import _Added, _gaps
from scanner.contacts import difference, load_contacts, save_contacts
from scanner.errors import ConfigError, ConfigErrors, ConnectorError
from scanner.service import Further, Service, Services
from scanner.settings import Tenant as TenantSettings

SHEET = b"name,nhs number\nLeila Haddad,943 476 5919\nBen Jones,943 476 5870\n"
ANYONE = {"id": "a", "roles": ["read"], "link": {"scope": "anonymous", "type": "view"}}
INSIDE = {"id": "o", "roles": ["read"], "link": {"scope": "organization", "type": "view"}}


def findings(database: str) -> list[tuple[str, str]]:
    """Topic and key of every finding, without those about the tenant's own two letters."""
    engine = sa.create_engine(database)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("select topic, key from finding where topic != 'impersonation' order by id"))
        found = [(row.topic, row.key) for row in rows]
    engine.dispose()
    return found


def with_further(running: Service, fake: FakeTenant) -> Service:
    client = client_for(fake)
    ids = running.directory.mailbox_ids
    return replace(
        running,
        further=(
            Further(M365Settings(client, mailbox_ids=ids), every=timedelta(0)),
            Further(M365Files(client, user_ids=ids), every=timedelta(0)),
        ),
    )


def test_a_shared_file_and_a_forwarding_rule_are_each_found_once(tmp_path: Path) -> None:
    tenant = two_mailboxes(0)
    drive = tenant.add_drive(JO)
    shared = tenant.put_file(drive, "pupils.csv", SHEET, ANYONE)
    tenant.put_file(drive, "staff only.csv", SHEET + b"x,y\n", INSIDE)
    tenant.put_file(drive, "mine.csv", SHEET + b"a,b\n")
    forward = {"forwardTo": [{"emailAddress": {"name": "X", "address": "collector@mailbox.example"}}]}
    tenant.mailboxes[SAM].rules.append(FakeRule("all", forward))
    database = f"sqlite:///{tmp_path / 'store.db'}"
    with checked_fake(tenant) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as plain:
            running = with_further(plain, fake)
            first = running.round()
            assert [topic for topic, _ in findings(database)] == ["auto_forward", "personal_data"]
            running.round()
            assert len(findings(database)) == 2
            # Content and audience as they were: nothing new, although the item changed.
            drive.log.append(shared.id)
            running.round()
            assert len(findings(database)) == 2
            tenant.put_file(drive, "pupils.csv", SHEET + b"Amira Khan,943 476 5919\n")
            running.round()
            assert [topic for topic, _ in findings(database)] == ["auto_forward", "personal_data", "personal_data"]
            # Shared with the organisation alone it is no breach any more.
            tenant.share(drive, shared, INSIDE)
            running.round()
            assert len(findings(database)) == 3
            case = running.store.cases()[0]
            detail = running.store.case(case.id)
            assert detail is not None
            assert first.mailboxes == 2
        assert not fake.violations


def test_a_mailbox_that_moved_away_and_back_between_rounds_is_not_lost(tmp_path: Path) -> None:
    """Gotcha 1, through the pipeline: what is only told as removed is looked for."""
    tenant = two_mailboxes(0)
    database = f"sqlite:///{tmp_path / 'store.db'}"
    with checked_fake(tenant) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as running:
            running.round()
            text = b"letter 1.\n\nLeila Haddad, NHS number 943 476 5919\n"
            message = tenant.deliver(JO, "sentitems", mail(1).replace(b"letter 1.\n", text))
            box = tenant.mailboxes[JO]
            box.folders[message.folder].log[-1] = ("removed", message)
            assert running.round().new_cases == 1


def test_a_permission_that_nobody_gave_is_one_gap_until_somebody_gives_it(tmp_path: Path) -> None:
    tenant = two_mailboxes(0)
    tenant.add_user(FakeUser("kim@elt.example", "Kim"))
    forward = {"forwardTo": [{"emailAddress": {"name": "X", "address": "collector@mailbox.example"}}]}
    tenant.mailboxes[SAM].rules.append(FakeRule("all", forward))
    database = f"sqlite:///{tmp_path / 'store.db'}"
    # One mailbox is not there at all, the others refuse.
    elsewhere = Fault(
        f"/users/{segment(tenant.users['kim@elt.example'].id)}/",
        times=99,
        status=404,
        code="MailboxNotEnabledForRESTAPI",
    )
    refused = Fault("/messageRules", times=2, status=403, code="ErrorAccessDenied")
    with checked_fake(tenant, Plan(elsewhere, refused)) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as plain:
            now = [datetime(2026, 11, 2, 9, tzinfo=UTC)]
            source = M365Settings(client_for(fake), mailbox_ids=plain.directory.mailbox_ids)
            rules = Further(source, every=timedelta(0), without="rules are not seen")
            running = replace(plain, further=(rules,), clock=lambda: now[0])
            assert running.round().gaps == ["rules are not seen"]
            parked = {item.mailbox: item.reason for item in running.store.parked()}
            assert parked.keys() == {
                "kim@elt.example",
                "kim@elt.example (m365_settings)",
                "every mailbox (m365_settings)",
            }
            assert parked["every mailbox (m365_settings)"] == "rules are not seen"
            before = len(fake.graph("/messageRules"))
            assert running.round().gaps == []
            assert len(fake.graph("/messageRules")) == before  # asked again tomorrow
            now[0] += timedelta(days=1, minutes=1)
            assert running.round().new_cases == 1
            assert {item.mailbox for item in running.store.parked()} == {
                "kim@elt.example",
                "kim@elt.example (m365_settings)",
            }


def test_a_finding_outlives_its_mail_and_deleted_mail_is_still_searched(tmp_path: Path) -> None:
    """Deleting helps nobody: the case stays with its evidence, and what lies in Recoverable Items is read."""
    tenant = two_mailboxes(0)
    database = f"sqlite:///{tmp_path / 'store.db'}"
    with checked_fake(tenant) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as plain:
            source = M365Mail(client_for(fake), mailbox_ids=plain.directory.mailbox_ids, recoverable=True)
            running = replace(plain, source=source)
            running.round()
            letter = mail(1).replace(b"letter 1.\n", b"letter 1.\n\nLeila Haddad, NHS number 943 476 5919\n")
            message = tenant.deliver(JO, "sentitems", letter)
            assert running.round().new_cases == 1
            case = running.store.cases()[0]
            tenant.delete(JO, message.id)
            running.round()
            detail = running.store.case(case.id)
            assert detail is not None
            assert detail.case.state == "new"
            assert [line.label for finding in detail.findings for line in finding.evidence if line.label == "nhs"] == [
                "nhs"
            ]
            with pytest.raises(ConnectorError):
                running.fetch(detail.appearances[0])
            other = mail(2).replace(b"letter 2.\n", b"letter 2.\n\nBen Jones, NHS number 943 476 5870\n")
            tenant.deliver(JO, "recoverableitemsdeletions", other)
            assert running.round().new_cases == 1


def test_the_outbox_copy_and_the_sent_copy_of_a_mail_are_one_case(tmp_path: Path) -> None:
    """Gotcha 24: what leaves the Outbox lies in Sent Items under another id."""
    tenant = two_mailboxes(0)
    database = f"sqlite:///{tmp_path / 'store.db'}"
    content = mail(1).replace(b"letter 1.\n", b"letter 1.\n\nLeila Haddad, NHS number 943 476 5919\n")
    with checked_fake(tenant) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as running:
            waiting = tenant.deliver(JO, "outbox", content)
            first = running.round().new_cases
            tenant.delete(JO, waiting.id)
            sent = tenant.deliver(JO, "sentitems", content)
            assert sent.id != waiting.id
            again = running.round()
            assert first > 0
            assert (again.messages, again.new_cases) == (1, 0)


# --- several tenants --------------------------------------------------------------------------------------------------


def test_two_tenants_share_a_store_and_one_out_of_reach_leaves_the_other(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'store.db'}"
    with checked_fake(two_mailboxes(1)) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as one, service(*arguments) as two:
            services = Services((replace(one, tenant="one"), replace(two, tenant="two", slot=1)))
            services.refresh_people()
            assert one.store.people_version(0) == one.store.people_version(1) is not None
            broken = replace(two, tenant="two", slot=1, directory=_Unreachable())
            tally = Services((replace(one, tenant="one"), broken)).round()
            assert tally.mailboxes == 2
            assert "two" in tally.unfinished


class _Unreachable:
    def load(self) -> Any:
        raise ConnectorError("no way", permanent=False, status=503)

    def mailbox_ids(self) -> Any:
        return self.load()


# --- contacts ---------------------------------------------------------------------------------------------------------


def csv(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "contacts.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_contacts_are_read_merged_sealed_and_compared(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "\ufeffEmail;Name;Pupil;School;Class\nPat.Jones@gmail.com;Pat Jones;Sam Jones;Northfield Academy;7B\n"
        "pat.jones@gmail.com;Pat Jones;Ben Jones;Northfield Academy;9A\n\nlee@mail.example;Jo Lee;;;\n",
    )
    contacts = read_contacts(path, ("Northfield Academy",))
    assert [(c.email, [p.name for p in c.pupils]) for c in contacts] == [
        ("lee@mail.example", []),
        ("pat.jones@gmail.com", ["Sam Jones", "Ben Jones"]),
    ]
    kept, key = tmp_path / "contacts.sealed", bytes(32)
    save_contacts(kept, contacts, key)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert b"jones" not in kept.read_bytes().lower()
    assert load_contacts(kept, key) == contacts
    with pytest.raises(ConfigError, match="does not open"):
        load_contacts(kept, bytes(range(32)))
    changed = difference(contacts, (replace(contacts[0], name="Jo Leigh"),))
    assert (changed.added, changed.changed, changed.removed, changed.kept) == (0, 1, 1, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\nx\n", "contacts.csv:1: column 'email' is missing"),
        ("email,name,phone\n", "contacts.csv:1: unknown column 'phone'"),
        ("email,name\nnot-an-address,Pat\n", "contacts.csv:2: email is not a mail address"),
        ("email,name\npat@mail.example,\n", "contacts.csv:2: name is empty"),
        ("email,name\npat@mail.example\n", "contacts.csv:2: has 1 fields, the heading has 2"),
        ("email,name,school\npat@mail.example,Pat,Elsewhere\n", "contacts.csv:2: school is not one of ours"),
    ],
)
def test_a_mistake_is_told_by_line_and_never_by_value(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read_contacts(csv(tmp_path, text), ("Northfield Academy",))
    assert said in str(caught.value)
    assert "not-an-address" not in str(caught.value)


def test_new_contacts_and_people_count_from_the_next_round_on(tmp_path: Path) -> None:
    people, kept, key = tmp_path / "people.yaml", tmp_path / "contacts.sealed", bytes(32)
    people.write_text(
        "organisation: Example Learning Trust\ndomains: [elt.example]\nroles: {dpo: sam.hale@elt.example}\n"
    )
    database = f"sqlite:///{tmp_path / 'store.db'}"
    with checked_fake(two_mailboxes(0)) as fake:
        arguments = (fake.url, fake.ca_file, fake.tenant_id, fake.client_id, fake.client_secret, database)
        with service(*arguments) as plain:
            directory = M365People(client_for(fake), _Added(people, kept, key))
            running = replace(plain, directory=directory, has_news=directory.has_news)
            running.refresh_people()
            before = len(fake.graph("/organization"))
            running.round()
            assert len(fake.graph("/organization")) == before  # nothing new, nothing asked
            save_contacts(kept, read_contacts(csv(tmp_path, "email,name,pupil\npat@mail.example,Pat,Sam\n")), key)
            running.round()
            stored = running.store.load_people(key=running.key.subkey("contacts"))
            assert stored is not None
            assert [contact.email for contact in stored.contacts] == ["pat@mail.example"]
            people.write_text("organisation: [half written")
            kept.write_bytes(b"half written")
            running.round()
            stored = running.store.load_people(key=running.key.subkey("contacts"))
            assert stored is not None
            assert [contact.email for contact in stored.contacts] == ["pat@mail.example"]
            assert stored.roles["dpo"] == {"": SAM}


def test_what_graph_cannot_show_and_what_the_settings_leave_out_are_gaps_in_coverage() -> None:
    given = {"tenant_id": "elt.example", "client_id": "app", "client_secret_file": "secret"}
    everything = TenantSettings(**given, files="all", also_folders=("recoverable",), files_leave_out=())
    assert _gaps(everything) == GAPS
    less = TenantSettings(**given, mailbox_settings="off", files="onedrive", leave_out_folders=("drafts",))
    said = _gaps(less)[len(GAPS) :]
    assert [gap.partition(":")[0] for gap in said] == [
        "inbox rules and automatic replies",
        "SharePoint sites",
        "shared files whose names end in .mp4, .mov, .mp3, .iso",
        "mail folders",
        "mail that was deleted from Deleted Items",
    ]


# --- the doctor -------------------------------------------------------------------------------------------------------


def examined(fake: FakeTenant, **changed: Any) -> Iterator[Check]:
    settings: dict[str, Any] = {
        "files": False,
        "sites": False,
        "mailbox_settings": True,
        "sharing_changes": False,
        "sends": False,
        "wanted": lambda address: True,
        "now": datetime.now(UTC),
    }
    tokens = changed.pop("tokens", None) or tokens_for(fake)
    client = client_for(fake, tokens=tokens)
    yield from examine(tokens, client, ClientSecret("x"), **{**settings, **changed})


def test_a_sound_tenant_has_nothing_to_mend_and_its_gaps_are_named() -> None:
    with checked_fake(two_mailboxes()) as fake:
        checks = list(examined(fake))
    assert [check for check in checks if check.grade == "bad"] == []
    assert {"sign-in", "User.Read.All", "Mail.Read", "MailboxSettings.Read", "clock"} <= {
        check.name for check in checks
    }
    assert any("ForwardingSmtpAddress" in check.said for check in checks)


def test_what_is_refused_or_too_much_comes_with_the_step_that_mends_it() -> None:
    tenant = two_mailboxes()
    tenant.users[JO].mailbox = tenant.users[SAM].mailbox = "denied"
    with checked_fake(tenant) as fake:
        fake.sign_in.roles = (*fake.sign_in.roles, "Mail.ReadWrite", "Mail.Send")
        bad = [check for check in examined(fake) if check.grade == "bad"]
    assert {check.name for check in bad} == {"Mail.Read", "MailboxSettings.Read", "more than needed"}
    assert all(check.mend for check in bad)
    assert sum("Mail.ReadWrite" in check.said or "Mail.Send" in check.said for check in bad) == 2


def test_some_mailboxes_out_of_scope_are_a_fact_and_no_fault() -> None:
    tenant = two_mailboxes()
    tenant.users[SAM].mailbox = "denied"
    with checked_fake(tenant) as fake:
        (check,) = [check for check in examined(fake) if check.name == "Mail.Read"]
    assert (check.grade, "1 of 2 sampled" in check.said) == ("note", True)


@pytest.mark.parametrize(
    ("roles", "grades"),
    [
        (("Mail.Send",), [("sign-in", "good"), ("Mail.Send", "note")]),
        ((), [("sign-in", "good"), ("Mail.Send", "note")]),
        (("Mail.Read",), [("sign-in", "good"), ("Mail.Send", "note"), ("more than needed", "bad")]),
    ],
)
def test_the_app_that_sends_notices_is_tried_too(roles: tuple[str, ...], grades: list[tuple[str, str]]) -> None:
    with checked_fake(two_mailboxes()) as fake:
        fake.sign_in.roles = roles
        checks = examine_sender(tokens_for(fake), ClientSecret("x"), now=datetime.now(UTC))
        assert [(check.name, check.grade) for check in checks] == grades
        wrong = examine_sender(
            tokens_for(fake, credential=ClientSecret("no")), ClientSecret("no"), now=datetime.now(UTC)
        )
        assert [(check.name, check.grade) for check in wrong] == [("sign-in", "bad")]
        assert fake.sent == []


def test_the_proxy_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://scanner:hush-hush@proxy.elt.example:3128")
    with checked_fake(two_mailboxes()) as fake:
        (check,) = [check for check in examined(fake) if check.name == "proxy"]
    assert check.said == "HTTPS_PROXY leads through proxy.elt.example:3128"


@pytest.mark.parametrize(
    ("days", "grade", "said"), [(400, "good", "valid until"), (20, "note", "valid until"), (-1, "bad", "ran out on")]
)
def test_a_certificate_is_judged_by_its_last_day(tmp_path: Path, days: int, grade: str, said: str) -> None:
    now = datetime.now(UTC)
    file, _ = pfx(tmp_path, days=30)
    credential = PfxCertificate(file, "made-up")
    with checked_fake(two_mailboxes()) as fake:
        (check,) = [
            check
            for check in examine_sender(tokens_for(fake), credential, now=now + timedelta(days=30 - days))
            if check.name == "certificate"
        ]
        (locked,) = [
            check
            for check in examine_sender(tokens_for(fake), PfxCertificate(file, "wrong"), now=now)
            if check.name == "certificate"
        ]
    assert (check.grade, said in check.said) == (grade, True)
    assert (locked.grade, "wrong" in locked.said) == ("bad", False)


def test_files_without_the_permission_for_groups_are_a_fault() -> None:
    with checked_fake(two_mailboxes()) as fake:
        fake.sign_in.roles = tuple(role for role in fake.sign_in.roles if role != "GroupMember.Read.All")
        assert "GroupMember.Read.All" in {check.name for check in examined(fake, files=True) if check.grade == "bad"}
        assert "GroupMember.Read.All" not in {check.name for check in examined(fake)}


def test_a_refused_sign_in_ends_the_examination() -> None:
    with checked_fake(two_mailboxes()) as fake:
        checks = list(examined(fake, tokens=tokens_for(fake, credential=ClientSecret("wrong"))))
    assert [(check.name, check.grade) for check in checks] == [("sign-in", "bad")]
