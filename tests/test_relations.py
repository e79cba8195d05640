"""Who is behind an address, and what follows: private addresses, pupils outside, mail that went astray, small talk for everybody.

For each sign the near misses come first. The cast is `made_up`'s.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import DIRECTORY, HEAD, JANE, TRUST, mail

from detectors.base import MessageDetector
from detectors.bulk_mail import BulkMail
from detectors.names import own_domain
from detectors.private_addresses import MANY_FILES, PrivateAddresses
from detectors.private_contact import PrivateContact
from detectors.pupil_contact import PupilContact
from detectors.recipients import Recipients
from detectors.relations import Relations
from detectors.work_content import WorkContent
from scanner.directory import Directory
from scanner.extract import Limits, read
from scanner.model import Envelope, Hit
from scanner.ports import Message

BEN = "22bjones@northfield.elt.example"
PARENT = "pat.jones@gmail.com"
EVERYBODY = "allstaff@elt.example"


def message(envelope: Envelope, directory: Directory = DIRECTORY, *hits: Hit) -> Message:
    parts = read(envelope, Limits()).parts
    return Message(envelope, directory.direction(envelope), parts, hits, directory)


def see(
    detector: MessageDetector, label: str, envelope: Envelope, *hits: Hit, directory: Directory = DIRECTORY
) -> float:
    """How sure the surest hit of a label is; 0 where there is none."""
    found = detector.detect(message(envelope, directory, *hits))
    return max((hit.confidence for hit in found if hit.label == label), default=0.0)


def telling(label: str = "health", at: int = 0) -> Hit:
    return Hit(label, at, at + 5, "", 0.9, part="body")


@pytest.mark.parametrize(
    ("address", "name", "body", "kind"),
    [
        ("jane.smith84@gmail.com", "", "", "self"),
        ("janesmith@yahoo.co.uk", "Jane Smith", "", "self"),
        ("jane@smith-family.example", "", "", "self"),
        ("sales@smithson.example", "", "", "supplier"),
        ("sammylee@btinternet.com", "", "", "colleague"),
        ("norafield@gmail.com", "", "", "colleague"),
        ("tom.smith@gmail.com", "", "can you print this", "household"),
        ("tom.smith@gmail.com", "", "Dear Mr Smith, the invoice is due.", "unknown"),
        ("tom.smith@gmail.com", "Tom Baker", "", "unknown"),
        (PARENT, "", "", "parent"),
        ("benjones2012@gmail.com", "", "", "pupil"),
        ("bens.mum.jones@gmail.com", "", "", "unknown"),
        ("gov.pat@gmail.com", "", "", "governor"),
        ("kim.hale@outlook.com", "", "We would like to invite you to an interview.", "applicant"),
        ("kim.hale@outlook.com", "", "See you at the fair.", "unknown"),
        ("info@printco.example", "", "", "supplier"),
    ],
)
def test_who_is_behind_an_address(address: str, name: str, body: str, kind: str) -> None:
    envelope = mail(JANE, [f"{name} <{address}>" if name else address], body=body)
    assert Relations().of(address, name, message(envelope)).kind == kind


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_address_has_some_relation(address: str, name: str) -> None:
    assert 0 < Relations().of(address, name, message(mail(JANE, ["x@y.example"]))).confidence <= 1


@pytest.mark.parametrize(
    ("address", "own"),
    [("tom@smith-family.example", False), ("jane@smithsonian.example", False), ("jane@smith-family.example", True)],
)
def test_a_domain_of_ones_own(address: str, own: bool) -> None:
    assert own_domain(address, "Jane Smith") == own


# --- how much went --------------------------------------------------------------------------------------------------


def leaving(on: date) -> Directory:
    people = tuple(replace(one, leaves_on=on) if one.email == JANE else one for one in TRUST.people)
    return Directory(replace(TRUST, people=people))


@pytest.mark.parametrize(
    ("files", "on", "confidence"),
    [
        (1, date(2027, 8, 31), 0),
        (0, date(2026, 9, 30), 0),
        (1, date(2026, 9, 30), 0.85),
        (MANY_FILES, date(2028, 1, 1), 0.78),
    ],
)
def test_a_leaver_taking_files(files: int, on: date, confidence: float) -> None:
    attached = [(f"scheme{number}.txt", b"Lesson one") for number in range(files)]
    envelope = mail(JANE, ["jane.smith84@gmail.com"], files=attached, sent_at=datetime(2026, 9, 7, tzinfo=UTC))
    assert see(PrivateAddresses(), "leaver_taking", envelope, directory=leaving(on)) == confidence


def test_an_address_that_vanishes() -> None:
    assert see(PrivateAddresses(), "address_disposable", mail(JANE, ["x7@gmail.com"])) == 0
    assert see(PrivateAddresses(), "address_disposable", mail(JANE, ["x7@mailinator.com"])) >= 0.75


# --- work or not ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "work"),
    [
        ("Milk, bread, and twenty minutes in the oven.", False),
        ("The dentist can see me on Tuesday, and the car goes for its mot.", False),
        ("Ben Jones read three pages today.", True),
        ("To mark tonight: 9B essays.", True),
        ("Typed at home because the VPN won't load: minutes of the phase meeting.", True),
    ],
)
def test_work_is_told_from_private_life(body: str, work: bool) -> None:
    envelope = mail(JANE, ["jane.smith84@gmail.com"], body=body)
    assert (see(WorkContent(), "work_content", envelope) >= 0.65) == work


def test_ones_own_pay_is_no_work_content() -> None:
    asked = mail(
        "jane.smith84@gmail.com", ["hr@elt.example"], body="My payroll form and contract are attached, my own copy."
    )
    assert see(WorkContent(), "work_content", asked) < 0.65


# --- pupils ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "envelope",
    [
        mail(JANE, [BEN], body="Don't forget the trip on Friday."),
        mail(JANE, [HEAD], body="Let's keep it between us until the meeting."),
        mail(JANE, [BEN, PARENT], body="It is our secret until the show!"),
        mail(JANE, [PARENT], body="Please don't tell Ben about the prize."),
        mail("ben.jones@gmail.com", [JANE], body="My homework is attached."),
    ],
)
def test_ordinary_mail_with_pupils_is_no_sign(envelope: Envelope) -> None:
    detector = PupilContact()
    assert see(detector, "pupil_private_contact", envelope) < 0.75
    assert see(detector, "pupil_secrecy", envelope) < 0.75


@pytest.mark.parametrize(
    ("envelope", "label"),
    [
        (mail(JANE, ["ben.jones11@gmail.com"], body="hi"), "pupil_private_contact"),
        (mail("jane.smith84@gmail.com", [BEN], body="hi"), "pupil_private_contact"),
        (mail("ben.jones@gmail.com", [JANE], body="can we talk on here, school is blocked"), "pupil_private_contact"),
        (mail(JANE, [BEN], body="Don't tell your mum about the lift."), "pupil_secrecy"),
        (mail(JANE, [BEN], body="I can't say this here, make another account."), "pupil_secrecy"),
    ],
)
def test_contact_outside_official_systems_is_a_sign(envelope: Envelope, label: str) -> None:
    assert see(PupilContact(), label, envelope) >= 0.75


@pytest.mark.parametrize(
    ("body", "given_away"),
    [
        ("Follow the school on our Instagram page @northfieldnews.", False),
        ('What do you do if a stranger writes "add me on Snapchat"?', False),
        ("my snap is janey_s", True),
        ("Add me on PlayStation, most evenings.", True),
        ("Ask me on Discord: jane_s#1234", True),
    ],
)
def test_an_account_of_ones_own(body: str, given_away: bool) -> None:
    assert (see(PrivateContact(), "private_contact", mail(JANE, [BEN], body=body)) > 0) == given_away


# --- gone astray ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("envelope", "hits", "label"),
    [
        (mail(JANE, [PARENT], body="Sorry, I gave the wrong date, please ignore the 21st."), (), "sent_in_error"),
        (mail(JANE, [PARENT], body="Dear Pat, Ben was a lion and Amira a witch in class today."), (), "wrong_family"),
        (mail(JANE, ["hi@print.example"], body="Hi Sam,\n\nCan you quote?"), (), "wrong_salutation"),
        (mail(JANE, ["sam.hill@board.example"], body="Hi Sam, his asthma is worse."), (telling(),), "wrong_salutation"),
        (mail(JANE, ["sam.lee@elt.example"], body="Dear Sam Lee, your pay."), (), "wrong_salutation"),
        (
            mail(JANE, ["gov.pat@gmail.com"], body="Dear governors, part two is confidential."),
            (telling(),),
            "wrong_salutation",
        ),
    ],
)
def test_what_is_as_it_should_be(envelope: Envelope, hits: tuple[Hit, ...], label: str) -> None:
    assert see(Recipients(), label, envelope, *hits) < 0.75


@pytest.mark.parametrize(
    ("envelope", "hits", "label"),
    [
        (
            mail(JANE, [PARENT], body="My last email was meant for another family, please delete it."),
            (),
            "sent_in_error",
        ),
        (mail(JANE, [PARENT], body="I attached the wrong pupil's report this morning."), (), "sent_in_error"),
        (mail(JANE, ["x@y.example"], subject="Recall: Salaries"), (), "sent_in_error"),
        (mail(JANE, [PARENT], body="Hello, Amira's attendance is down to 80 %."), (), "wrong_family"),
        (mail(JANE, ["sales@print.example"], body="Hi Sam, his asthma is worse."), (telling(),), "wrong_salutation"),
        (mail(JANE, ["Sam Lee <sam@leejoinery.example>"], body="his asthma"), (telling(),), "wrong_salutation"),
        (mail(JANE, [HEAD, PARENT], body="Dear governors, his illness."), (telling(),), "wrong_salutation"),
        (
            mail(JANE, [HEAD], cc=[PARENT], body="Hilary, between us this mother is a nightmare."),
            (),
            "wrong_salutation",
        ),
    ],
)
def test_what_went_astray(envelope: Envelope, hits: tuple[Hit, ...], label: str) -> None:
    found = see(Recipients(), label, envelope, *hits)
    assert found >= 0.75


# --- for everybody --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "body", "small"),
    [
        ("Fire drill", "Thank you all!", False),
        ("Re: Fire drill", "Correction: it is in period 5.", False),
        ("Re: Lunch", "Nobody has to bring anything. Just tick the box if you want gluten-free.", False),
        ("Re: Fire drill", "Thank you all!", True),
    ],
)
def test_a_short_reply_to_everybody(subject: str, body: str, small: bool) -> None:
    envelope = mail(JANE, [EVERYBODY], subject=subject, body=body)
    assert (see(BulkMail(), "broadcast_reply", envelope) >= 0.75) == small


def test_forwarded_with_few_words() -> None:
    assert see(BulkMail(), "passed_on_lightly", mail(JANE, [HEAD], subject="FW: goat", body="ha")) >= 0.75
    assert see(BulkMail(), "passed_on_lightly", mail(JANE, [HEAD], subject="FW: lease", body="word " * 60)) == 0
