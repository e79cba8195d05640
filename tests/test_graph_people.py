"""People and notices through Graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from graph.contract import checked_fake, client_for, tokens_for
from graph.tenants import JO, SAM, two_mailboxes

from connectors.entra import ClientSecret
from connectors.faketenant.faults import Fault, Plan, throttled, unavailable
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeUser, Tenant
from connectors.m365_notices import M365Notices
from connectors.m365_people import M365People
from connectors.people_file import parse_people
from scanner.errors import ConfigError, ConnectorError
from scanner.model import People, Person
from scanner.ports import Notice

FILE = b"""
organisation: Larch Trust
domains: [larch.example]
trusted_domains: [council.gov.example]
schools: [Northfield Academy, Southfield Primary]
roles: {dpo: sam.hale@elt.example}
people:
  - {email: jo.reed@elt.example, name: J Reed, role: governor, personal_addresses: [jo84@mail.example], manager: x@elt.example}
  - {email: kim@private.example, name: Kim Yarrow, role: governor}
contacts:
  - {email: pat@outside.example, name: Pat Jones, pupils: [Sam Jones]}
"""


def test_what_was_added_stays_news_until_a_snapshot_was_made_with_it() -> None:
    added = [People(), parse_people(FILE, "people.yaml")]
    now = [added[0]]
    plan = Plan()
    with checked_fake(two_mailboxes(), plan) as fake:
        source = M365People(client_for(fake), lambda: now[0])
        source.load()
        assert not source.has_news()
        now[0] = added[1]
        plan.add(unavailable("/organization", 503, times=4))
        with pytest.raises(ConnectorError):
            source.load()
        assert source.has_news()
        assert [contact.email for contact in source.load().contacts] == ["pat@outside.example"]
        assert not source.has_news()


def test_people_come_with_manager_school_aliases_and_verified_domains() -> None:
    tenant = two_mailboxes()
    tenant.users[JO].aliases = ("j.reed@northfield.elt.example",)
    tenant.users[JO].principal = "jreed@elt.example"
    with checked_fake(tenant) as fake:
        source = M365People(client_for(fake))
        assert source.check() == []
        people = source.load()
    assert people.organisation == "Example Learning Trust"
    assert people.domains == ("elt.example", "northfield.elt.example")
    assert people.schools == ("Northfield Academy",)
    assert people.people == (
        Person(
            JO,
            "Jo Reed",
            "staff",
            "Teacher",
            "Northfield Academy",
            manager=SAM,
            aliases=("j.reed@northfield.elt.example", "jreed@elt.example"),
        ),
        Person(SAM, "Sam Hale", "staff", "Headteacher", "Northfield Academy"),
    )
    assert len(people.version) == 16


@pytest.mark.parametrize(
    ("user", "role"),
    [
        (FakeUser("a@elt.example", "A", job_title="Student Services Officer"), "staff"),
        (FakeUser("a@elt.example", "A", department="Pupil Premium"), "staff"),
        (FakeUser("a@elt.example", "A", job_title="Pupil"), "pupil"),
        (FakeUser("a@elt.example", "A", department="Students"), "pupil"),
        (FakeUser("a@elt.example", "A", job_title="Trustee"), "governor"),
        (FakeUser("a@elt.example", "A", enabled=False), "shared"),
    ],
)
def test_the_role_is_read_from_whole_titles_only(user: FakeUser, role: str) -> None:
    tenant = Tenant()
    tenant.add_user(user)
    with checked_fake(tenant) as fake:
        (person,) = M365People(client_for(fake)).load().people
    assert person.role == role


@pytest.mark.parametrize(
    ("user", "role"),
    [
        (FakeUser("a@elt.example", "Office", enabled=False, licensed=False, purpose="shared"), "shared"),
        (FakeUser("a@elt.example", "Hall", enabled=False, licensed=False, purpose="room"), "shared"),
        (FakeUser("a@elt.example", "Projector", enabled=False, licensed=False, purpose="equipment"), "shared"),
        # Made shared for somebody's successor, and the sign-in forgotten.
        (FakeUser("a@elt.example", "Jo Lee", enabled=True, licensed=False, purpose="shared"), "shared"),
        # Left, blocked, and the mailbox is kept.
        (FakeUser("a@elt.example", "Jo Lee", enabled=False, purpose="user"), "staff"),
        (FakeUser("a@elt.example", "Jo Lee", enabled=False, purpose="others"), "shared"),
        (FakeUser("a@elt.example", "Sam", job_title="Pupil", enabled=False, purpose="user"), "pupil"),
        (FakeUser("a@elt.example", "Hall", enabled=False, mailbox="denied", purpose="user"), "shared"),
    ],
)
def test_a_mailbox_without_a_usable_account_is_asked_what_it_is_for(user: FakeUser, role: str) -> None:
    tenant = Tenant()
    tenant.add_user(user)
    tenant.add_user(FakeUser("b@elt.example", "B"))
    with checked_fake(tenant) as fake:
        source = M365People(client_for(fake), purposes=True)
        people = source.load()
        assert [person.role for person in people.people] == [role, "staff"]
        # Whoever has a usable account is not asked, and nobody twice.
        assert len(fake.graph("/mailboxSettings")) == 1
        assert source.load().version == people.version
        assert len(fake.graph("/mailboxSettings")) == 1
        tenant.change_user(user.address, purpose="shared", mailbox="ok")
        assert source.load().people[0].role in ("shared", "pupil")
        assert len(fake.graph("/mailboxSettings")) == 2


def test_a_permission_that_is_missing_is_noticed_after_a_few_mailboxes() -> None:
    tenant = Tenant()
    for number in range(60):
        tenant.add_user(FakeUser(f"p{number:02}@elt.example", f"P {number}", enabled=False))
    fault = Fault("/mailboxSettings", times=999, status=403, code="ErrorAccessDenied", message="Access is denied.")
    with checked_fake(tenant, Plan(fault)) as fake:
        people = M365People(client_for(fake), purposes=True).load()
        assert {person.role for person in people.people} == {"shared"}
        assert len(fake.graph("/mailboxSettings")) < 20


def test_a_busy_mailbox_is_asked_again_and_holds_nobody_up() -> None:
    tenant = Tenant()
    tenant.add_user(FakeUser("a@elt.example", "A", enabled=False))
    with checked_fake(tenant, Plan(unavailable("/mailboxSettings", 503, times=4))) as fake:
        source = M365People(client_for(fake), purposes=True)
        assert [source.load().people[0].role for _ in range(2)] == ["shared", "staff"]


def test_guests_and_users_without_an_address_are_not_ours() -> None:
    tenant = two_mailboxes()
    tenant.add_user(FakeUser("guest@partner.example", "Guest", user_type="Guest"))
    tenant.add_user(FakeUser("service@elt.example", "Service", mailbox="none"))
    with checked_fake(tenant) as fake:
        source = M365People(client_for(fake))
        assert list(source.mailbox_ids()) == [JO, SAM]
        assert [person.email for person in source.load().people] == [JO, SAM]


def test_a_file_adds_what_the_directory_does_not_know_and_has_the_last_word_on_role_and_school() -> None:
    tenant = two_mailboxes()
    tenant.users[JO].office = "northfield academy"
    tenant.users[SAM].office = "Head Office"
    with checked_fake(tenant) as fake:
        people = M365People(client_for(fake), parse_people(FILE, "people.yaml")).load()
    jo, sam, kim = people.people
    assert (people.organisation, people.domains) == (
        "Larch Trust",
        ("elt.example", "northfield.elt.example", "larch.example"),
    )
    assert (jo.name, jo.role, jo.school, jo.manager) == ("Jo Reed", "governor", "Northfield Academy", SAM)
    assert jo.personal_addresses == ("jo84@mail.example",)
    assert (sam.role, sam.school) == ("staff", "")
    assert kim.email == "kim@private.example"
    assert people.contacts[0].pupils[0].name == "Sam Jones"
    assert people.trusted_domains == ("council.gov.example",)


def test_the_version_changes_with_the_content_and_only_with_it() -> None:
    tenant = two_mailboxes()
    with checked_fake(tenant) as fake:
        source = M365People(client_for(fake))
        first, second = source.load(), source.load()
        tenant.change_user(JO, job_title="Deputy")
        third = source.load()
    assert first.version == second.version != third.version


def test_a_large_directory_is_read_over_pages_for_one_request_each() -> None:
    tenant = two_mailboxes()
    for number in range(25):
        tenant.add_user(FakeUser(f"p{number:02}@elt.example", f"P {number}"))
    plan = Plan()
    plan.page_cap = 10
    with checked_fake(tenant, plan) as fake:
        assert len(M365People(client_for(fake)).load().people) == 27
        assert len(fake.graph("/users")) == 3 + 1  # and one for the link to what changes from now on


@pytest.mark.parametrize(
    "name",
    [
        "id",
        "userPrincipalName",
        "mail",
        "displayName",
        "proxyAddresses",
        "jobTitle",
        "department",
        "officeLocation",
        "accountEnabled",
        "userType",
    ],
)
def test_a_property_that_goes_missing_is_an_error_that_names_it(name: str) -> None:
    def drop(page: dict[str, Any]) -> dict[str, Any]:
        return {**page, "value": [{k: v for k, v in user.items() if k != name} for user in page["value"]]}

    with FakeTenant(two_mailboxes(), Plan(Fault("/users", times=9, change=drop))) as fake:
        source = M365People(client_for(fake))
        with pytest.raises(ConnectorError, match=f"lacks .*'{name}'"):
            source.load()


@pytest.mark.parametrize(
    "change",
    [
        lambda page: {**page, "value": []},
        lambda page: {**page, "value": [{**page["value"][0], "verifiedDomains": []}]},
        lambda page: {**page, "value": [{**page["value"][0], "verifiedDomains": [{"isDefault": True}]}]},
        lambda page: {**page, "value": [{**page["value"][0], "displayName": None}]},
    ],
)
def test_no_verified_domain_is_an_error_because_everybody_would_be_an_outsider(change: Callable[[Any], Any]) -> None:
    with FakeTenant(two_mailboxes(), Plan(Fault("/organization", change=change))) as fake:
        source = M365People(client_for(fake))
        with pytest.raises(ConnectorError, match="lacks"):
            source.load()


def test_a_missing_permission_is_one_sentence_of_check() -> None:
    fault = Fault("/users", status=403, code="Authorization_RequestDenied", message="Insufficient privileges.")
    with checked_fake(two_mailboxes(), Plan(fault)) as fake:
        (sentence,) = M365People(client_for(fake)).check()
        assert "permission or its admin consent is missing" in sentence
        broken = client_for(fake, tokens=tokens_for(fake, credential=ClientSecret("no")))
        assert len(M365People(broken).check()) == 1


# --- notices ----------------------------------------------------------------------------------------------------------

NOTICE = Notice(
    "sam.hale@elt.example", "1 case:\r\nBcc: everybody@elt.example", "A case waits.\nhttps://dlp.elt.example/cases/1"
)


def test_a_notice_is_sent_from_the_one_mailbox_in_plain_text_on_one_subject_line() -> None:
    with checked_fake(two_mailboxes()) as fake:
        assert M365Notices(client_for(fake), JO).send(NOTICE) == "sent"
        ((mailbox, body),) = fake.sent
    assert mailbox == JO
    assert body["message"]["subject"] == "1 case: Bcc: everybody@elt.example"
    assert body["message"]["body"] == {"contentType": "text", "content": NOTICE.text}
    assert body["message"]["toRecipients"] == [{"emailAddress": {"address": "sam.hale@elt.example"}}]
    assert body["saveToSentItems"] is True


def test_a_notice_is_sent_once_whatever_happens() -> None:
    with checked_fake(two_mailboxes(), Plan(throttled("/sendMail", "0", times=2))) as fake:
        assert M365Notices(client_for(fake), JO).send(NOTICE) == "sent"
        assert len(fake.sent) == 1
    with checked_fake(two_mailboxes(), Plan(Fault("/sendMail", reset="before"))) as fake:
        assert M365Notices(client_for(fake), JO).send(NOTICE) == "unsure"
        assert len(fake.sent) == 1
    with checked_fake(two_mailboxes(), Plan(unavailable("/sendMail", 504))) as fake:
        assert M365Notices(client_for(fake), JO).send(NOTICE) == "unsure"


def test_a_notice_that_was_certainly_not_sent_is_an_error() -> None:
    fault = Fault("/sendMail", status=403, code="ErrorAccessDenied", message="Access is denied.")
    with checked_fake(two_mailboxes(), Plan(fault)) as fake:
        sender = M365Notices(client_for(fake), JO)
        with pytest.raises(ConnectorError) as caught:
            sender.send(NOTICE)
        with pytest.raises(ConnectorError, match="not a mail address"):
            sender.send(Notice("nobody", "x", "y"))
        with pytest.raises(ConfigError, match=r"notices\.from"):
            M365Notices(client_for(fake), "Jo Reed")
        assert not fake.sent
    assert caught.value.permanent


def test_only_what_changed_is_read_after_the_first_time() -> None:
    tenant = two_mailboxes()
    for number in range(25):
        tenant.add_user(FakeUser(f"p{number:02}@elt.example", f"P {number}"))
    with checked_fake(tenant) as fake:
        source = M365People(client_for(fake))
        source.load()
        before = len(fake.graph("/users"))
        tenant.change_user(JO, job_title="Deputy", manager="")
        tenant.remove_user("p03@elt.example")
        people = source.load()
        assert len(fake.graph("/users")) - before == 1 + 2
        assert source.load().version == people.version
        assert "p03@elt.example" not in source.mailbox_ids()
    by_email = {person.email: person for person in people.people}
    assert (by_email[JO].job_title, by_email[JO].manager) == ("Deputy", "")
    assert "p03@elt.example" not in by_email
    assert len(by_email) == 26


def test_an_expired_delta_link_means_a_whole_reading() -> None:
    tenant = two_mailboxes()
    with checked_fake(tenant) as fake:
        source = M365People(client_for(fake))
        source.load()
        tenant.change_user(JO, job_title="Deputy")
        fake.forget_links()
        assert next(p for p in source.load().people if p.email == JO).job_title == "Deputy"


def test_members_of_groups_are_exempt_or_sealed() -> None:
    tenant = two_mailboxes()
    rep = tenant.add_group("Union representatives", [SAM])
    quiet = tenant.add_group("Not scanned", [JO])
    with checked_fake(tenant) as fake:
        source = M365People(client_for(fake), exempt_groups=[quiet.id], protected_groups=[rep.id])
        assert source.exempt() == {JO}
        assert source.load().protected == (SAM,)


def test_office_or_department_says_the_school_by_a_word_in_it() -> None:
    tenant = two_mailboxes()
    tenant.change_user(JO, office="", department="NA - Science")
    with checked_fake(tenant) as fake:
        source = M365People(client_for(fake), school_words=[("na -", "Northfield Academy")])
        people = {person.email: person for person in source.load().people}
    assert people[JO].school == "Northfield Academy"
    assert people[SAM].school == "Northfield Academy"


def notices(fake: FakeTenant, **changed: Any) -> M365Notices:
    return M365Notices(client_for(fake), JO, reader=client_for(fake), pause=lambda _: None, **changed)


def test_an_unsure_notice_that_lies_in_sent_items_was_sent_and_is_not_sent_again() -> None:
    plan = Plan(Fault("/sendMail", reset="amid"))
    with FakeTenant(two_mailboxes(0), plan) as fake:
        assert notices(fake).send(Notice(SAM, "1 case", "A case waits: http://x.example/cases/7\n")) == "sent"
        assert len(fake.sent) == 1


def test_an_unsure_notice_that_is_not_in_sent_items_is_sent_once_more() -> None:
    plan = Plan(unavailable("/sendMail", 504))
    with checked_fake(two_mailboxes(0), plan) as fake:
        sender = notices(fake)
        assert sender.send(Notice(SAM, "1 case", "A case waits: http://x.example/cases/7\n")) == "sent"
        assert len(fake.sent) == 1


def test_another_notice_with_the_same_subject_does_not_count() -> None:
    with checked_fake(two_mailboxes(0)) as fake:
        sender = notices(fake)
        assert sender.send(Notice(SAM, "1 case", "A case waits: http://x.example/cases/7\n")) == "sent"
        fake.plan.add(unavailable("/sendMail", 504))
        assert sender.send(Notice(SAM, "1 case", "A case waits: http://x.example/cases/8\n")) == "sent"
        assert len(fake.sent) == 2


def test_it_stays_unsure_when_nobody_can_look() -> None:
    plan = Plan(unavailable("/sendMail", 504), unavailable("/sentitems/messages", 403, times=9))
    with checked_fake(two_mailboxes(0), plan) as fake:
        assert notices(fake).send(Notice(SAM, "1 case", "A case waits.")) == "unsure"
        assert fake.sent == []
