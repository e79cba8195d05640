"""people.yaml: what it says, and every mistake with its line, all at once."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.people_file import is_address, is_domain, load_people, parse_people
from scanner.errors import ConfigError, ConfigErrors
from scanner.model import Contact, Grant, Person, Pupil

SCHOOL = Path(__file__).resolve().parents[2] / "shared" / "eval" / "school" / "people.yaml"
WHOLE = """
organisation: Example Learning Trust
domains: [elt.example, Northfield.elt.example]
trusted_domains: [council.gov.example]
schools: [Northfield Academy]
roles:
  dpo: dpo@elt.example
  headteacher: {Northfield Academy: head@elt.example}
people:
  - {email: J.Smith@elt.example, name: Jane Smith, role: staff, job_title: Teacher, school: Northfield Academy,
     manager: head@elt.example, personal_addresses: [jane84@mail.example], aliases: [jane@elt.example], leaves_on: 2027-07-31}
  - {email: 21sam@elt.example, name: Sam Jones, role: pupil, class: 7B}
contacts:
  - {email: pat@mail.example, name: Pat Jones, pupils: [Sam Jones, {name: Ann Jones, school: Northfield Academy, class: 8C}]}
published: ["01632 960000", office@elt.example]
protected: [union.example, oh@health.example]
grants: [{kind: send_as, who: pa@elt.example, for: head@elt.example, until: 2027-01-31}]
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse_people(text.encode(), "people.yaml")
    return [str(error) for error in caught.value.errors]


def test_the_whole_of_the_contract_is_read() -> None:
    people = parse_people(WHOLE.encode(), "people.yaml")
    assert people.organisation == "Example Learning Trust"
    assert people.domains == ("elt.example", "northfield.elt.example")
    assert people.roles == {"dpo": {"": "dpo@elt.example"}, "headteacher": {"Northfield Academy": "head@elt.example"}}
    assert people.people[0] == Person(
        "j.smith@elt.example",
        "Jane Smith",
        "staff",
        "Teacher",
        "Northfield Academy",
        "head@elt.example",
        ("jane84@mail.example",),
        ("jane@elt.example",),
        date(2027, 7, 31),
    )
    assert people.people[1].class_name == "7B"
    pupils = (Pupil("Sam Jones"), Pupil("Ann Jones", "Northfield Academy", "8C"))
    assert people.contacts == (Contact("pat@mail.example", "Pat Jones", pupils),)
    assert people.published == ("01632 960000", "office@elt.example")
    assert people.protected == ("union.example", "oh@health.example")
    assert people.grants == (Grant("send_as", "pa@elt.example", "head@elt.example", date(2027, 1, 31)),)


def test_an_empty_file_and_empty_keys_are_nobody() -> None:
    assert parse_people(b"", "p").people == parse_people(b"people:\ncontacts: ~\ndomains: []\n", "p").people == ()


def test_the_version_follows_the_content_and_not_the_layout() -> None:
    first = parse_people(WHOLE.encode(), "a")
    second = parse_people(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode(), "b")
    third = parse_people(WHOLE.replace("7B", "7C").encode(), "a")
    assert first.version == second.version != third.version


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("organization: X", "people.yaml:1: unknown key 'organization' (allowed: organisation, domains,"),
        ("\ndomains: elt.example", "people.yaml:2: must be a list"),
        ("domains: [elt]", "people.yaml:1: is not a domain"),
        ("domains: [a.example, {x: y}]", "people.yaml:1: must be text, not a mapping"),
        ("people: {a: b}", "must be a list"),
        ("people: [3]", "must be a mapping"),
        ("people:\n - {email: a@b.example, name: A}", "people.yaml:2: key 'role' is missing"),
        (
            "people:\n - {email: a@b.example, name: A, role: head}",
            "must be one of staff, pupil, governor, contractor, shared, not 'head'",
        ),
        ("people:\n - {email: a b@c.example, name: A, role: staff}", "is not a mail address"),
        ("people:\n - {email: '', name: A, role: staff}", "must be text, not nothing"),
        ("people:\n - {email: a@b.example, name: A, role: staff, nmae: B}", "unknown key 'nmae'"),
        ("people:\n - {email: a@b.example, name: A, role: staff, school: X}", "school 'X' is not listed under schools"),
        (
            "people:\n - {email: a@b.example, name: A, role: staff, leaves_on: 31/07/2027}",
            "must be a date of the calendar",
        ),
        (
            "people:\n - {email: a@b.example, name: A, role: staff, leaves_on: 2027-02-30}",
            "must be a date of the calendar",
        ),
        ("roles: {boss: a@b.example}", "unknown key 'boss' (allowed: dpo, deputy_dpo,"),
        ("schools: [N]\nroles: {dsl: {M: a@b.example}}", "people.yaml:2: unknown school 'M' (allowed: N)"),
        ("roles: {dpo: [a@b.example]}", "must be text, not a list"),
        ("grants: [{kind: all, who: x}]", "must be one of send_as, broadcast, auction, business, transfer"),
        ("protected: ['x y']", "is neither a mail address nor a domain"),
        ("domains: [a.example]\ndomains: [b.example]", "is there twice"),
        ("- a", "must be a mapping"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_is_allowed(text: str, said: str) -> None:
    assert any(said in mistake for mistake in mistakes(text))


def test_a_person_listed_twice_is_told_where_the_first_one_is() -> None:
    entry = " - {email: a@b.example, name: A, role: staff}\n"
    assert mistakes(f"people:\n{entry}{entry.replace('a@', 'A@')}") == [
        "people.yaml:3: is the address of a person already listed in line 2"
    ]


def test_all_mistakes_come_at_once() -> None:
    assert len(mistakes("domains: [x]\ntrusted: []\npeople:\n - {email: q, nam: z}\n")) == 6


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"a: [", "p:1"),
        (b"x: 1\n\ty: 2", "p:2"),
        (b"a\n\xff", "p:2"),
        (b"organisation: a: b", "p:1"),
        (b"a: \x01", "p"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(data: bytes, place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_people(data, "p")
    assert caught.value.place.startswith(place)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file"):
        load_people(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_people(tmp_path)


@pytest.mark.parametrize("good", ["a@b.example", "o'neill@b.example", "a+b@c.d.example", "ä@b.example"])
def test_ordinary_addresses_are_addresses(good: str) -> None:
    assert is_address(good)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "a",
        "@b.example",
        "a@",
        "a@b",
        "a@@b.example",
        "a@b..example",
        "a@-b.example",
        "a b@c.example",
        "a@b.example\n",
        "<a@b.example>",
        "a@b.example,c@d.example",
    ],
)
def test_what_could_start_another_header_or_recipient_is_no_address(bad: str) -> None:
    assert not is_address(bad)
    assert not is_domain(bad.rpartition("@")[2]) or "@" in bad


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200), st.text(alphabet="{}[]:,-&*!|>'\"\n \tabpeoplmi@.", max_size=200).map(str.encode)
    )
)
def test_any_bytes_are_people_or_a_configuration_error(data: bytes) -> None:
    try:
        parse_people(data, "p")
    except (ConfigError, ConfigErrors):
        return


@pytest.mark.skipif(not SCHOOL.is_file(), reason="the evaluation set is not beside the repository")
def test_the_evaluation_set_is_read() -> None:
    people = load_people(SCHOOL)
    assert len(people.people) > 40
    assert len(people.contacts) > 10
