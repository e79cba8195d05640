"""Who gets a case: the first line that fits, the first role that somebody holds, and never a party to the mail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import DIRECTORY, HEAD, JANE, SCHOOL, SHIPPED, SUPPLIER, TRUST, mail

from scanner.directory import Directory
from scanner.errors import ConfigErrors
from scanner.model import Direction, Envelope, People, Person, Route, Severity
from scanner.routing import Line, load_routing, parties, route
from scanner.rulebook import CATEGORIES, TOPICS

LINES = load_routing(SHIPPED)
BEN = "22bjones@northfield.elt.example"


def line(*to: str, **only: set[str]) -> Line:
    keys = ("topics", "categories", "severities", "directions", "sender_roles", "recipient_roles")
    given = dict.fromkeys(keys, frozenset[str]())
    return Line(**{**given, **{key: frozenset(value) for key, value in only.items()}}, to=to, because=f"{to[0]} it is")


def send(
    envelope: Envelope,
    topic: str = "personal_data",
    category: str = "personal_data",
    *,
    lines: tuple[Line, ...] = LINES,
    severity: Severity = "moderate",
    direction: Direction | None = None,
    directory: Directory = DIRECTORY,
) -> Route:
    return route(lines, topic, category, severity, direction or directory.direction(envelope), envelope, directory)


def conduct(envelope: Envelope, directory: Directory = DIRECTORY) -> Route:
    return send(envelope, "inappropriate_language", "language", directory=directory)


# --- which line -----------------------------------------------------------------------------------------------------


def test_the_first_line_that_fits_wins_and_later_ones_are_not_asked() -> None:
    lines = (
        line("it_security", topics={"phishing"}),
        line("dpo", topics={"threats"}),
        line("hr", topics={"threats"}),
        line("dsl"),
    )
    assert send(mail(), "threats", "language", lines=lines) == Route("dpo", "dpo@elt.example", "dpo it is")
    assert send(mail(), "auctions", "conduct", lines=lines).role == "dsl"


@pytest.mark.parametrize(
    ("only", "fits"),
    [
        ({"topics": {"phishing"}}, False),
        ({"categories": {"language"}}, False),
        ({"severities": {"minor", "severe"}}, False),
        ({"directions": {"internal"}}, False),
        ({"sender_roles": {"pupil"}}, False),
        ({"recipient_roles": {"pupil", "contact"}}, False),
        ({"recipient_roles": {"contact", "staff"}}, True),
        ({"topics": {"threats"}, "severities": {"severe"}}, False),
        ({"topics": {"threats"}}, True),
        ({"categories": {"conduct"}}, True),
        ({"severities": {"moderate"}}, True),
        ({"directions": {"outbound"}}, True),
        ({"sender_roles": {"staff"}}, True),
        ({"topics": {"threats"}, "severities": {"moderate"}, "directions": {"outbound"}}, True),
    ],
)
def test_a_line_fits_when_all_that_it_names_fits(only: dict[str, set[str]], fits: bool) -> None:
    found = send(mail(JANE, [HEAD, SUPPLIER]), "threats", "conduct", lines=(line("dpo", **only), line("hr")))
    assert found.role == ("dpo" if fits else "hr")


@pytest.mark.parametrize(
    ("envelope", "topic", "category", "role", "person"),
    [
        (mail(), "personal_data", "personal_data", "dpo", "dpo@elt.example"),
        (mail(), "inappropriate_language", "language", "line_manager", HEAD),
        (mail(), "personal_address", "personal_address", "dpo", "dpo@elt.example"),
        (mail(), "malware_executables", "security", "it_security", "it@elt.example"),
        (mail(), "safeguarding_concern", "safeguarding", "dsl", "dsl@elt.example"),
        (mail(), "threats", "language", "headteacher", HEAD),
        (mail(BEN), "inappropriate_language", "language", "headteacher", HEAD),
        (mail(BEN), "chain_mail", "chain_mail", "headteacher", HEAD),
        (mail(JANE, [BEN]), "staff_pupil_contact", "safeguarding", "dsl", "dsl@elt.example"),
        (mail(JANE, ["sam.lee@elt.example", BEN]), "sharing_personal_contact", "conduct", "dsl", "dsl@elt.example"),
        (mail(JANE, ["year11-pupils@elt.example"]), "sharing_personal_contact", "conduct", "dsl", "dsl@elt.example"),
        (mail(JANE, ["pat.jones@gmail.com"]), "sharing_personal_contact", "conduct", "line_manager", HEAD),
        (mail(SUPPLIER, [JANE]), "inappropriate_language", "language", "headteacher", HEAD),
        (Envelope(source="document", kind="document"), "personal_data", "personal_data", "dpo", "dpo@elt.example"),
    ],
)
def test_the_shipped_lines_send_a_case_where_its_kind_belongs(
    envelope: Envelope, topic: str, category: str, role: str, person: str
) -> None:
    found = send(envelope, topic, category)
    assert (found.role, found.person, found.fallback) == (role, person, False)
    assert found.because


def test_a_pupil_has_no_line_manager() -> None:
    assert conduct(mail(BEN, ["sam.lee@elt.example"])).role != "line_manager"


def test_a_mail_from_a_private_address_of_staff_concerns_its_owner_and_not_the_recipient() -> None:
    lines = (line("line_manager"),)
    assert send(mail("sammylee@btinternet.com", ["dpo@elt.example"]), lines=lines).person == HEAD
    stranger = send(mail(SUPPLIER, ["dpo@elt.example"]), lines=lines)
    assert (stranger.role, stranger.fallback) == ("headteacher", True)


def test_whoever_pressed_send_counts_before_the_name_on_the_mail() -> None:
    sent_for_the_head = mail(HEAD, sender=JANE)
    assert send(sent_for_the_head, lines=(line("line_manager"),)).person != "ceo@elt.example"


# --- never a party --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "envelope",
    [
        mail("dpo@elt.example"),
        mail(JANE, ["dpo@elt.example"]),
        mail(JANE, cc=["DPO@elt.example".lower()]),
        mail(JANE, bcc=["dpo@elt.example"]),
        mail(JANE, sender="dpo@elt.example"),
        mail(JANE, reply_to="dpo@elt.example"),
        mail(JANE, ["delia@gmail.com"]),
        mail(JANE, ["delia+work@gmail.com"]),
    ],
    ids=["from", "to", "cc", "bcc", "sender", "reply-to", "private address", "plus-form"],
)
def test_a_party_to_the_mail_is_passed_over_and_the_route_says_so(envelope: Envelope) -> None:
    found = send(envelope, lines=(line("dpo", "deputy_dpo"),))
    assert (found.role, found.person, found.fallback) == ("deputy_dpo", "deputy@elt.example", True)
    assert found.because == "dpo it is; the data protection officer is a party to the mail"


def test_a_role_held_under_an_alias_is_still_that_person() -> None:
    people = replace(TRUST, roles={**TRUST.roles, "dpo": {"": "J.Smith@elt.example"}})
    found = send(mail(JANE), lines=(line("dpo", "hr"),), directory=Directory(people))
    assert found.person == "hr@elt.example"


def test_capital_letters_in_the_directory_make_nobody_a_stranger() -> None:
    delia = Person("Delia.Orr@ELT.example", "Delia Orr", "staff", personal_addresses=("Delia@Gmail.com",))
    people = replace(TRUST, people=(delia,), roles={"dpo": {"": "delia.orr@elt.example"}, "hr": {"": "hr@elt.example"}})
    for address in ("delia.orr@elt.example", "delia@gmail.com"):
        assert (
            send(mail(JANE, [address]), lines=(line("dpo", "hr"),), directory=Directory(people)).person
            == "hr@elt.example"
        )


def test_the_manager_who_received_it_does_not_judge_it() -> None:
    found = conduct(mail(JANE, [HEAD]))
    assert found.person == "hr@elt.example"
    assert "the line manager is a party to the mail" in found.because


@given(
    st.lists(
        st.sampled_from(
            [person.email for person in TRUST.people]
            + [address for person in TRUST.people for address in (*person.personal_addresses, *person.aliases)]
            + [address for held in TRUST.roles.values() for address in held.values()]
        ),
        min_size=2,
        max_size=8,
    ),
    st.sampled_from(TOPICS),
    st.sampled_from(CATEGORIES),
    st.sampled_from(["outbound", "internal", "inbound", "stored"]),
)
def test_whoever_writes_to_whom_no_party_gets_the_case(
    addresses: list[str], topic: str, category: str, direction: Direction
) -> None:
    envelope = mail(addresses[0], addresses[1:-1], bcc=addresses[-1:])
    found = send(envelope, topic, category, direction=direction)
    involved = set(parties(envelope))
    for address in addresses:
        owner = DIRECTORY.person(address) or DIRECTORY.private_owner(address)
        involved |= {owner.email} if owner else set()
    assert found.person not in involved
    assert found.person or "an admin must name somebody" in found.because


# --- nobody there ---------------------------------------------------------------------------------------------------


def test_without_a_manager_the_next_role_gets_it_and_the_route_says_so() -> None:
    found = conduct(mail("new@elt.example"))
    assert (found.role, found.person, found.fallback) == ("hr", "hr@elt.example", True)
    assert "nobody is listed as the line manager" in found.because


def test_every_role_that_was_passed_over_is_named_in_its_order() -> None:
    found = send(
        mail("new@elt.example", ["hr@elt.example"]), lines=(line("line_manager", "hr", "chair_of_governors", "dpo"),)
    )
    assert found.role == "dpo"
    assert found.because == (
        "line_manager it is; nobody is listed as the line manager, and human resources is a party to the mail, "
        "and nobody is listed as the chair of governors"
    )


def test_where_nobody_is_listed_at_all_it_is_said_once() -> None:
    found = route(
        (line("dpo"),), "personal_data", "personal_data", "severe", "outbound", mail(JANE), Directory(People())
    )
    assert found.person == ""
    assert found.because.endswith("; nobody is listed for any role that may get it: an admin must name somebody")


def test_when_a_lines_own_roles_are_used_up_somebody_who_can_take_any_case_gets_it() -> None:
    found = send(mail(JANE, ["dpo@elt.example"]), lines=(line("dpo"),))
    assert (found.role, found.person, found.fallback) == ("headteacher", HEAD, True)


def test_when_nobody_is_left_the_route_names_nobody_and_asks_for_somebody() -> None:
    everybody = [address for held in TRUST.roles.values() for address in held.values()]
    found = send(mail(JANE, everybody), lines=(line("dpo", "deputy_dpo"),))
    assert (found.role, found.person, found.fallback) == ("dpo", "", True)
    assert found.because.endswith("an admin must name somebody")
    assert send(mail(), directory=Directory(replace(TRUST, roles={}, people=()))).person == ""


def test_the_school_of_the_sender_decides_which_headteacher() -> None:
    away = Person("tom@elt.example", "Tom Reid", "staff", school="Southfield Academy", manager="south.head@elt.example")
    directory = Directory(replace(TRUST, people=(*TRUST.people, away)))
    assert send(mail(away.email), "threats", "language", directory=directory).person == "ceo@elt.example"
    assert send(mail(JANE), "threats", "language", directory=directory).person == HEAD
    assert DIRECTORY.holder("headteacher", SCHOOL) == HEAD


# --- the file -------------------------------------------------------------------------------------------------------

LAST = "- {to: [dpo], because: nothing else fits}\n"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("- {topics: [data], to: [dpo], because: x}\n" + LAST, 1, "must be one of personal_data, "),
        ("- {categories: [data], to: [dpo], because: x}\n" + LAST, 1, "must be one of personal_data, chain_mail, "),
        ("- {severities: [high], to: [dpo], because: x}\n" + LAST, 1, "must be one of minor, moderate, severe"),
        (
            "- {directions: [out], to: [dpo], because: x}\n" + LAST,
            1,
            "must be one of outbound, internal, inbound, stored",
        ),
        ("- {sender_roles: [teacher], to: [dpo], because: x}\n" + LAST, 1, "must be one of staff, pupil, "),
        ("- {recipient_roles: [parent], to: [dpo], because: x}\n" + LAST, 1, "must be one of staff, pupil, "),
        ("- {recipient_roles: [pupil], to: [dpo], because: x}\n", 1, "the last entry must fit every case"),
        ("- {to: [boss], because: x}\n" + LAST, 1, "must be one of dpo, deputy_dpo, "),
        ("- {to: [], because: x}\n" + LAST, 1, "must name at least one of dpo, "),
        ("- {because: x}\n" + LAST, 1, "key 'to' is missing"),
        (LAST + "- {to: [dpo]}\n", 2, "key 'because' is missing"),
        (LAST + "- {topic: [threats], to: [dpo], because: x}\n", 2, "unknown key 'topic' (allowed: topics, "),
        ("- {topics: [threats], to: [dpo], because: x}\n", 1, "the last entry must fit every case"),
        ("- {sender_roles: [staff], to: [dpo], because: x}\n", 1, "the last entry must fit every case"),
        ("[]\n", 1, "the last entry must fit every case"),
        ("", 1, "the last entry must fit every case"),
    ],
)
def test_a_mistake_in_the_file_is_refused_with_its_place(text: str, place: int, words: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "routing.yml").write_text(text)
    with pytest.raises(ConfigErrors) as caught:
        load_routing(rules)
    messages = [str(error) for error in caught.value.errors]
    assert any(message.startswith(f"rules/routing.yml:{place}: ") and words in message for message in messages), (
        messages
    )
