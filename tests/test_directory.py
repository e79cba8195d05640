"""Who is this address: domains by whole labels, private addresses with their plus-forms, and which way a mail goes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up import DIRECTORY, HEAD, JANE, SCHOOL, SUPPLIER, TRUST, mail

from scanner.directory import Directory
from scanner.model import Envelope


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("someone@notelt.example", "outside"),
        ("someone@elt.example.com", "outside"),
        ("someone@elt.example.attacker.example", "outside"),
        ("elt.example@gmail.com", "outside"),
        ("someone@unknown.elt.example", "outside"),
        ("someone@elt.example", "ours"),
        ("SOMEONE@ELT.Example", "ours"),
        ("someone@northfield.elt.example", "ours"),
        ("doctor@mynhs.net.example", "outside"),
        ("doctor@nhs.net.example.com", "outside"),
        ("doctor@nhs.net.example", "trusted"),
        ("doctor@ward.nhs.net.example", "trusted"),
        ("someone@sub.union.example", "outside"),
        ("someone@union.example", "protected"),
        ("other@law.example", "outside"),
        ("Advice@Law.example", "protected"),
        ("gov.pat@gmail.com", "outside"),
        ("no-at-sign", "outside"),
        ("", "outside"),
    ],
)
def test_a_domain_counts_by_whole_labels(address: str, kind: str) -> None:
    assert DIRECTORY.kind(address) == kind


def test_protected_comes_before_ours_and_before_trusted() -> None:
    people = replace(TRUST, protected=("health@elt.example", "nhs.net.example"))
    assert Directory(people).kind("health@elt.example") == "protected"
    assert Directory(people).kind("doctor@nhs.net.example") == "protected"
    assert Directory(people).kind(JANE) == "ours"


def test_a_person_is_found_by_address_or_alias_in_any_case_and_not_by_a_private_address() -> None:
    assert DIRECTORY.person("jane.smith84@gmail.com") is None
    assert DIRECTORY.person("jane.smith@gmail.com") is None
    for address in (JANE, "Jane.Smith@ELT.example", "j.smith@elt.example"):
        person = DIRECTORY.person(address)
        assert person is not None
        assert person.email == JANE


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("jane.smith@gmail.com", None),
        ("jane.smith84@outlook.com", None),
        ("jane.smith84.x@gmail.com", None),
        ("x+jane.smith84@gmail.com", None),
        (JANE, None),
        ("jane.smith84@gmail.com", JANE),
        ("Jane.Smith84@Gmail.com", JANE),
        ("jane.smith84+school@gmail.com", JANE),
        ("jane.smith84+a+b@gmail.com", JANE),
    ],
)
def test_a_private_address_belongs_to_its_owner_with_its_plus_forms(address: str, owner: str | None) -> None:
    found = DIRECTORY.private_owner(address)
    assert (found.email if found else None) == owner


def test_a_parent_is_found_in_the_records_and_a_stranger_is_not() -> None:
    assert DIRECTORY.contact("pat.jones@yahoo.com") is None
    contact = DIRECTORY.contact("Pat.Jones@gmail.com")
    assert contact is not None
    assert [pupil.name for pupil in contact.pupils] == ["Ben Jones", "Sam Jones"]


def test_a_role_is_held_for_the_school_first_then_for_the_trust_else_by_nobody() -> None:
    assert DIRECTORY.holder("headteacher", SCHOOL) == HEAD
    assert DIRECTORY.holder("headteacher", "Southfield Academy") == "ceo@elt.example"
    assert DIRECTORY.holder("headteacher") == "ceo@elt.example"
    assert DIRECTORY.holder("dsl", "Southfield Academy") == ""
    assert DIRECTORY.holder("chair_of_governors") == ""


@pytest.mark.parametrize(
    ("envelope", "direction"),
    [
        (mail(JANE, [SUPPLIER]), "outbound"),
        (mail(JANE, ["sam.lee@elt.example"], bcc=[SUPPLIER]), "outbound"),
        (mail(JANE, ["doctor@nhs.net.example"]), "outbound"),
        (mail(JANE, ["jane.smith84@gmail.com"]), "outbound"),
        (mail("gov.pat@gmail.com", [SUPPLIER]), "outbound"),
        (mail(JANE, ["sam.lee@elt.example"]), "internal"),
        (mail(JANE, ["gov.pat@gmail.com", "22bjones@northfield.elt.example"]), "internal"),
        (mail("gov.pat@gmail.com", [JANE]), "internal"),
        (mail(SUPPLIER, [JANE]), "inbound"),
        (mail("jane.smith84@gmail.com", [JANE]), "inbound"),
        (mail("", [JANE]), "inbound"),
        (mail("", [JANE], sender="office@elt.example"), "internal"),
        (mail("", []), "stored"),
        (Envelope(source="document", kind="document"), "stored"),
    ],
)
def test_a_mail_goes_the_way_that_its_sender_and_recipients_say(envelope: Envelope, direction: str) -> None:
    assert DIRECTORY.direction(envelope) == direction


def test_everything_is_outside_to_an_empty_directory() -> None:
    nobody = Directory(replace(TRUST, domains=(), people=(), contacts=(), protected=(), trusted_domains=()))
    assert nobody.kind(JANE) == "outside"
    assert nobody.person(JANE) is None
    assert nobody.direction(mail()) == "inbound"
