"""What only the whole message shows. For each label the near misses come first, as many as the hits."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import DIRECTORY, HEAD, JANE, SUPPLIER, TRUST, mail

from detectors.automatic_forward import AutomaticForward
from detectors.base import MessageDetector
from detectors.bulk_mail import ForwardStack, OwnAffairToAll
from detectors.conduct_signs import ToolForBreakingIn
from detectors.impersonation import Impersonation
from detectors.names import fold, is_private_provider, likeness, same_first_name, words
from detectors.private_addresses import PrivateAddresses
from detectors.private_contact import PrivateContact
from detectors.recipients import FAMILIES_VISIBLE, Recipients, _one_slip
from detectors.work_content import WorkContent
from scanner.directory import Directory
from scanner.extract import Limits, read
from scanner.model import Contact, Envelope, Grant, Hit, Person, Pupil
from scanner.ports import Message

PARENT = "pat.jones@gmail.com"
_SEEN = {
    "phone": r"\b0[17]\d{3} ?\d{6}\b",
    "email": r"[\w.]+@[\w.]+\w",
    "person": r"\b(?:Ben Jones|Sam Jones|Amira Khan|Tom Field|Leo Khan)\b",
}


def see(detector: MessageDetector, envelope: Envelope, directory: Directory = DIRECTORY, *hits: Hit) -> list[Hit]:
    """The detector's hits in a mail, with telephone numbers, addresses and names seen as the real ones would be."""
    parts = read(envelope, Limits()).parts
    seen = list(hits)
    for part in parts:
        for label, pattern in _SEEN.items():
            for match in re.finditer(pattern, part.text):
                owner = part.owner_at(match.start())
                seen.append(Hit(label, match.start(), match.end(), match[0], 0.9, part=part.path, owner=owner))
    return list(detector.detect(Message(envelope, directory.direction(envelope), parts, tuple(seen), directory)))


def stack(*lists: str) -> str:
    """A mail forwarded through hands, the latest first; each gave it to such people."""
    heads = [
        f"-----Original Message-----\nFrom: A{n}\nSent: Monday\nTo: {to}\nSubject: FW: luck\n\n"
        for n, to in enumerate(lists)
    ]
    return "\n" + "".join(heads) + "The story of the lantern."


@pytest.mark.parametrize(
    ("lists", "now", "grows"),
    [
        (("B; C", "D"), 1, False),  # it narrows down to one
        (("B; C; D; E; F", "G; H; I"), 5, False),  # no more than the time before
        (("B; C", "D"), 3, False),  # a conversation that takes one more in
        (("B; C; D; E; F; G",), 9, False),  # one step is no growth yet
        (("B; C; D", "E"), 7, True),
        (("b@x.example, c@x.example,\n d@x.example, e@x.example", "f@x.example"), 9, True),  # a folded list
    ],
)
def test_recipients_that_grow_from_hop_to_hop_are_a_reason(lists: tuple[str, ...], now: int, grows: bool) -> None:
    to = [f"colleague{number}@elt.example" for number in range(now)]
    hits = see(ForwardStack(), mail(JANE, to, subject="FW: FW: FW: luck", body=stack(*lists)))
    assert [(hit.label, hit.owner) for hit in hits] == [("forward_stack", "sender"), ("forward_stack", "forwarded")]
    said = [reason for reason in hits[0].reasons if reason.startswith("more people at each hop")]
    assert bool(said) is grows


def found(label: str, hits: list[Hit]) -> float:
    """How sure the surest hit of that label is; 0 where there is none."""
    return max((hit.confidence for hit in hits if hit.label == label), default=0.0)


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "name", "least", "most"),
    [
        ("jane@gmail.com", "Jane Smith", 0, 0),
        ("smith@gmail.com", "Jane Smith", 0, 0),
        ("jane.jones@gmail.com", "Jane Smith", 0, 0),
        ("blacksmithforge@gmail.com", "Jane Smith", 0, 0),
        ("k.smith@gmail.com", "Jane Smith", 0, 0),
        ("janesmithson@gmail.com", "Jane Smit", 0, 0.9),
        ("mo.li@gmail.com", "Mo Li", 0, 0),
        ("jane.smith@gmail.com", "Jane", 0, 0),
        ("@gmail.com", "Jane Smith", 0, 0),
        ("jane.smith@gmail.com", "Jane Smith", 0.9, 0.9),
        ("smith.jane84@gmail.com", "Jane Smith", 0.9, 0.9),
        ("janesmith+x@gmail.com", "Dr Jane Smith", 0.9, 0.9),
        ("jsmith@gmail.com", "Jane Smith", 0.78, 0.78),
        ("smith_j@gmail.com", "Jane Smith", 0.78, 0.78),
        ("sian.oneill@gmail.com", "Siân O'Neill", 0.9, 0.9),
        ("maria.dacosta@gmail.com", "Maria da Costa", 0.9, 0.9),
        ("bob.smith@gmail.com", "Robert Smith", 0.9, 0.9),
    ],
)
def test_an_address_is_like_a_name_when_it_was_made_from_it(address: str, name: str, least: float, most: float) -> None:
    assert least <= likeness(address, name) <= most


def test_words_of_a_name_are_folded_and_titles_are_left_out() -> None:
    assert words("Mrs. Siân O’Neill-Reid") == ("sian", "oneill", "reid")
    assert fold("Zoë") == "zoe"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sam", "tom", False),
        ("jo", "john", False),
        ("al", "albert", False),
        ("sam", "samantha", True),
        ("bob", "robert", True),
    ],
)
def test_a_short_form_is_the_same_first_name(one: str, other: str, same: bool) -> None:
    assert same_first_name(one, other) is same
    assert same_first_name(other, one) is same


@pytest.mark.parametrize(
    ("domain", "private"),
    [
        ("gmail.com.attacker.example", False),
        ("notgmail.com", False),
        ("printco.example", False),
        ("com", False),
        ("", False),
        ("gmail.com", True),
        ("GMAIL.com", True),
        ("hotmail.co.uk", True),
        ("smith.plus.com", True),
    ],
)
def test_a_provider_of_private_mail_is_known_by_whole_labels(domain: str, private: bool) -> None:
    assert is_private_provider(domain) is private


@given(st.text(max_size=30), st.text(max_size=30))
def test_likeness_of_any_two_texts_is_a_number(address: str, name: str) -> None:
    assert likeness(address, name) in (0.0, 0.6, 0.78, 0.9)


# --- work to and from private addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "envelope",
    [
        mail(JANE, ["sam.lee@elt.example"]),
        mail(JANE, ["jane.smith@printco.example"]),
        mail(JANE, ["Jane Brown <jane.smith@gmail.com>"]),
        mail(JANE, ["smith.family@gmail.com"]),
        mail(JANE, [PARENT]),
        mail(JANE, ["gov.pat@gmail.com"]),
        mail("sam.lee@elt.example", ["jane.smith84@gmail.com"]),
        mail("jane.smith84@gmail.com", [JANE]),
    ],
)
def test_another_address_is_not_the_senders_own(envelope: Envelope) -> None:
    assert found("address_self", see(PrivateAddresses(), envelope)) == 0


@pytest.mark.parametrize(
    ("envelope", "confidence"),
    [
        (mail(JANE, ["jane.smith84@gmail.com"]), 0.95),
        (mail(JANE, [HEAD], bcc=["jane.smith84+school@gmail.com"]), 0.95),
        (mail("j.smith@elt.example", ["jane.smith84@gmail.com"]), 0.95),
        (mail(JANE, ["jane.smith@outlook.com"]), 0.9),
        (mail(JANE, ["Jane Smith <smithjane1@yahoo.co.uk>"]), 0.9),
        (mail(JANE, ["jsmith@hotmail.com"]), 0.78),
        (mail("unlisted@elt.example", ["ava.reid@gmail.com"], name="Ava Reid"), 0.9),
        (mail("gov.pat@gmail.com", ["patrick.gould@outlook.com"]), 0.9),
    ],
)
def test_the_senders_own_private_address_is_known_by_the_directory_or_by_its_name(
    envelope: Envelope, confidence: float
) -> None:
    assert found("address_self", see(PrivateAddresses(), envelope)) == confidence


@pytest.mark.parametrize(
    "envelope",
    [
        mail(JANE, [SUPPLIER]),
        mail(JANE, ["slee@gmail.com"]),
        mail(JANE, ["Samuel Leeson <sam.lee@gmail.com>"]),
        mail(JANE, ["sam.lee@printco.example"]),
        mail(JANE, ["ben.jones@gmail.com"]),
    ],
)
def test_a_strangers_address_is_no_colleagues(envelope: Envelope) -> None:
    assert found("address_colleague", see(PrivateAddresses(), envelope)) == 0


def test_a_parent_of_a_colleagues_name_is_who_the_records_say() -> None:
    people = replace(TRUST, contacts=(*TRUST.contacts, Contact("sam.lee@gmail.com", "Sam Lee", (Pupil("Kit Lee"),))))
    assert see(PrivateAddresses(), mail(JANE, ["sam.lee@gmail.com"]), Directory(people)) == []


@pytest.mark.parametrize(
    ("envelope", "confidence"),
    [
        (mail(JANE, ["sammylee@btinternet.com"]), 0.95),
        (mail(JANE, ["sammylee+x@btinternet.com"]), 0.95),
        (mail(JANE, ["sam.lee@gmail.com"]), 0.8),
        (mail(JANE, ["Sam Lee <lee.samuel@icloud.com>"]), 0.8),
        (mail("office@elt.example", ["hilary.moss@outlook.com"]), 0.95),
        (mail("22bjones@northfield.elt.example", ["jane.smith84@gmail.com"]), 0.95),
    ],
)
def test_a_colleagues_private_address_is_known_by_the_directory_or_by_the_whole_name(
    envelope: Envelope, confidence: float
) -> None:
    assert found("address_colleague", see(PrivateAddresses(), envelope)) == confidence


@pytest.mark.parametrize(
    "envelope",
    [
        mail(SUPPLIER, [JANE]),
        mail(PARENT, [JANE]),
        mail("gov.pat@gmail.com", [JANE]),
        mail("jsmith@gmail.com", [HEAD]),
        mail("jane.smith@printco.example", [HEAD]),
        mail("jane.smith@gmail.com", [HEAD], name="Jane Brown"),
        mail("ben.jones@gmail.com", [JANE]),
    ],
)
def test_a_mail_from_somebody_else_is_not_from_a_private_address_of_staff(envelope: Envelope) -> None:
    assert see(PrivateAddresses(), envelope) == []


@pytest.mark.parametrize(
    ("envelope", "confidence"),
    [
        (mail("jane.smith84@gmail.com", [HEAD]), 0.95),
        (mail("sammylee+1@btinternet.com", [HEAD]), 0.95),
        (mail("jane.smith@gmail.com", [HEAD]), 0.8),
        (mail("smith.jane@outlook.com", [HEAD], name="Jane Smith"), 0.8),
    ],
)
def test_a_private_address_of_staff_as_sender_is_seen(envelope: Envelope, confidence: float) -> None:
    assert found("staff_private_sender", see(PrivateAddresses(), envelope)) == confidence


# --- salutation, family, domain, visible families -------------------------------------------------------------------


@pytest.mark.parametrize(
    "envelope",
    [
        mail(JANE, [PARENT], body="Dear Mrs Jones,\nthank you."),
        mail(JANE, [PARENT], body="Hi Pat\nthank you."),
        mail(JANE, [PARENT], body="Hi Patricia,\nthank you."),
        mail(JANE, [PARENT], body="Dear parent or carer of Ben Jones,\nthank you."),
        mail(JANE, [PARENT], body="Good morning all,\nthank you."),
        mail(JANE, ["info@printco.example"], body="Dear Mr Moss,\nthank you."),
        mail(JANE, ["Rosa Lind <r.lind@printco.example>"], body="Dear Rosa,\nthank you."),
        mail(JANE, ["nkhan@printco.example"], body="Dear Ms Khan,\nthank you."),
        mail(JANE, [PARENT, "nadia.khan@hotmail.co.uk"], body="Dear Mrs Khan,\nthank you."),
        mail(JANE, [PARENT], cc=["nadia.khan@hotmail.co.uk"], body="Dear Nadia,\nthank you.", subject="x"),
        mail(JANE, [PARENT], body="The word dear is dear to Khan, you know."),
        mail(
            JANE,
            [PARENT],
            body="Thanks.\n\nOn Monday, Nadia Khan <nadia.khan@hotmail.co.uk> wrote:\n> Dear Mrs Khan,\n> hello",
        ),
        mail(JANE, ["sam.lee@elt.example"], body="Dear Mrs Khan,\nthank you."),
        mail(PARENT, [JANE], body="Dear Mrs Khan,\nthank you."),
    ],
)
def test_a_greeting_that_fits_or_names_nobody_is_no_sign(envelope: Envelope) -> None:
    assert found("wrong_salutation", see(Recipients(), envelope)) < 0.75


@pytest.mark.parametrize(
    "envelope",
    [
        mail(JANE, [PARENT], body="Dear Mrs Khan,\nthank you."),
        mail(JANE, [PARENT], body="hello nadia\nthank you."),
        mail(JANE, [PARENT], body="Good afternoon Ms Khan.\nthank you."),
        mail(JANE, ["Rosa Lind <r.lind@printco.example>"], body="Dear Mr Khan,\nthank you."),
        mail(JANE, [PARENT], body="Hi Hilary Moss,\nhere is the report."),
        mail(JANE, [PARENT], cc=[HEAD], body="Dear Mrs Khan,\nthank you."),
    ],
)
def test_a_greeting_that_names_another_family_or_colleague_is_a_sign(envelope: Envelope) -> None:
    assert found("wrong_salutation", see(Recipients(), envelope)) == 0.85


@pytest.mark.parametrize(
    "envelope",
    [
        mail(JANE, [PARENT], body="Ben Jones did well."),
        mail(JANE, [PARENT], body="Ben Jones and Amira Khan did well."),
        mail(JANE, [PARENT], body="Sam Jones did well."),
        mail(JANE, [PARENT], body="Tom Field did well."),
        mail(JANE, [SUPPLIER], body="Amira Khan did well."),
        mail(JANE, [PARENT], body="Thanks.\n\nOn Monday, Nadia <n@x.example> wrote:\n> Amira Khan did well."),
        mail(JANE, ["sam.lee@elt.example"], body="Amira Khan did well."),
        mail(JANE, [PARENT], body="Your child did well."),
    ],
)
def test_the_recipients_own_child_or_nobodys_is_no_wrong_family(envelope: Envelope) -> None:
    assert found("wrong_family", see(Recipients(), envelope)) == 0


def test_a_brother_of_the_same_name_is_no_wrong_family() -> None:
    contacts = (Contact("k@hotmail.co.uk", "K Khan", (Pupil("Leo Khan"),)), *TRUST.contacts)
    envelope = mail(JANE, ["nadia.khan@hotmail.co.uk"], body="Leo Khan did well.")
    assert found("wrong_family", see(Recipients(), envelope, Directory(replace(TRUST, contacts=contacts)))) == 0


@pytest.mark.parametrize(
    "envelope",
    [
        mail(JANE, [PARENT], body="Amira Khan did well."),
        mail(JANE, ["nadia.khan@hotmail.co.uk"], body="Ben Jones did well."),
        mail(JANE, [HEAD, PARENT], subject="Amira Khan", body="She did well."),
        mail(JANE, [SUPPLIER], bcc=[PARENT], body="Amira Khan did well."),
    ],
)
def test_another_familys_child_alone_is_a_wrong_family(envelope: Envelope) -> None:
    assert found("wrong_family", see(Recipients(), envelope)) == 0.85


@pytest.mark.parametrize(
    ("domain", "found_at"),
    [
        ("elt.example", 0),
        ("nhs.net.example", 0),
        ("ward.nhs.net.example", 0),
        ("et.exampl", 0),
        ("elt.exampel.com", 0),
        ("elt-mail.example", 0),
        ("gmail.com", 0),
        ("elt.exampl", 0.9),
        ("eltt.example", 0.9),
        ("elf.example", 0.9),
        ("etl.example", 0.9),
        ("nhs.nett.example", 0.9),
        ("nothfield.elt.example", 0.9),
        ("northfield.elt.exmaple", 0.9),
        ("northfeild.elt.exmaple", 0.9),
        ("north-field.elt.example", 0.9),
        ("nhs-net.example", 0.9),
        ("gmial.com", 0.9),
        ("ymail.com", 0),
    ],
)
def test_one_keystroke_from_a_known_domain_is_a_sign(domain: str, found_at: float) -> None:
    assert found("lookalike_domain", see(Recipients(), mail(JANE, [f"someone@{domain}"]))) == found_at


@given(st.text("abc.", max_size=8), st.text("abc.", max_size=8))
def test_one_slip_is_one_edit_and_the_same_both_ways(one: str, other: str) -> None:
    edits = {one[:at] + one[at + 1 :] for at in range(len(one))}
    edits |= {one[:at] + letter + one[at:] for at in range(len(one) + 1) for letter in "abc."}
    edits |= {one[:at] + letter + one[at + 1 :] for at in range(len(one)) for letter in "abc."}
    edits |= {one[:at] + one[at + 1] + one[at] + one[at + 2 :] for at in range(len(one) - 1)}
    assert _one_slip(one, other) == (other in edits - {one})
    assert _one_slip(one, other) == _one_slip(other, one)


def families(number: int) -> list[str]:
    return [f"parent{index}@gmail.com" for index in range(number)]


@pytest.mark.parametrize(
    "envelope",
    [
        mail(JANE, families(FAMILIES_VISIBLE - 1)),
        mail(JANE, [HEAD], bcc=families(12)),
        mail(JANE, [f"buyer{index}@printco.example" for index in range(12)]),
        mail(JANE, [*families(FAMILIES_VISIBLE - 1), *families(FAMILIES_VISIBLE - 1)]),
        mail(JANE, [*families(FAMILIES_VISIBLE - 2), "gov.pat@gmail.com", SUPPLIER]),
        mail(PARENT, [JANE, *families(12)]),
    ],
)
def test_few_hidden_or_business_recipients_are_no_visible_families(envelope: Envelope) -> None:
    assert found("visible_families", see(Recipients(), envelope)) == 0


def test_two_parents_of_one_child_are_one_family() -> None:
    contacts = tuple(
        Contact(f"{parent}{index}@gmail.com", "P", (Pupil(f"Child {index}"),))
        for index in range(3)
        for parent in ("mum", "dad")
    )
    directory = Directory(replace(TRUST, contacts=contacts))
    envelope = mail(JANE, [contact.email for contact in contacts])
    assert found("visible_families", see(Recipients(), envelope, directory)) == 0


@pytest.mark.parametrize(
    "envelope",
    [
        mail(JANE, families(FAMILIES_VISIBLE)),
        mail(JANE, [HEAD], cc=families(30)),
        mail(JANE, families(3), cc=[PARENT, "nadia.khan@hotmail.co.uk"]),
    ],
)
def test_many_families_that_see_one_another_are_a_sign(envelope: Envelope) -> None:
    assert found("visible_families", see(Recipients(), envelope)) == 0.9


# --- in another person's name ---------------------------------------------------------------------------------------


def granted(**more: object) -> Directory:
    grant = Grant(**{"kind": "send_as", "who": JANE, "for_": HEAD, **more})  # type: ignore[arg-type]
    return Directory(replace(TRUST, grants=(grant,)))


@pytest.mark.parametrize(
    ("envelope", "directory"),
    [
        (mail(HEAD), DIRECTORY),
        (mail(HEAD, sender=HEAD), DIRECTORY),
        (mail(HEAD, name="Hilary Moss"), DIRECTORY),
        (mail("office@elt.example", sender=JANE), DIRECTORY),
        (mail("office@elt.example", name="Northfield Office"), DIRECTORY),
        (mail("outside@printco.example", sender=JANE), DIRECTORY),
        (mail("unlisted@elt.example", sender=JANE), DIRECTORY),
        (mail(HEAD, sender=JANE), granted()),
        (mail(HEAD, sender=JANE), granted(for_="")),
        (mail(HEAD, sender=JANE), granted(who=JANE.upper(), until=date(2026, 9, 7))),
        (mail(""), DIRECTORY),
    ],
)
def test_ones_own_name_a_shared_mailbox_or_a_grant_is_no_impersonation(
    envelope: Envelope, directory: Directory
) -> None:
    assert not [hit for hit in see(Impersonation(), envelope, directory) if hit.label == "sent_as_other"]


def test_a_colleague_of_the_same_name_is_no_impersonation() -> None:
    namesake = Person("jane.smith2@elt.example", "Jane Smith", "staff")
    directory = Directory(replace(TRUST, people=(*TRUST.people, namesake)))
    assert see(Impersonation(), mail(namesake.email, name="Jane Smith"), directory) == []


@pytest.mark.parametrize(
    ("envelope", "directory", "confidence"),
    [
        (mail(HEAD, sender=JANE), DIRECTORY, 0.9),
        (mail(JANE, sender="outside@printco.example"), DIRECTORY, 0.9),
        (mail(HEAD, sender=JANE), granted(kind="broadcast"), 0.9),
        (mail(HEAD, sender=JANE), granted(for_="sam.lee@elt.example"), 0.9),
        (mail(HEAD, sender=JANE), granted(who="sam.lee@elt.example"), 0.9),
        (mail(HEAD, sender=JANE), granted(until=date(2026, 9, 6)), 0.9),
        (mail(JANE, name="Hilary Moss"), DIRECTORY, 0.85),
        (mail("office@elt.example", name="Hilary Moss"), DIRECTORY, 0.85),
        (mail("22bjones@northfield.elt.example", name="hilary moss"), DIRECTORY, 0.85),
    ],
)
def test_another_persons_name_without_a_grant_is_impersonation(
    envelope: Envelope, directory: Directory, confidence: float
) -> None:
    hits = see(Impersonation(), envelope, directory)
    assert [(hit.label, hit.confidence, hit.part) for hit in hits] == [("sent_as_other", confidence, "headers")]


OFFICER = Person("pa@elt.example", "Peta Abbot", "staff", "School office administrator")
PARTNER = Directory(
    replace(TRUST, people=(*TRUST.people, OFFICER), domains=("stmarys.example", "elt.example"),
            trusted_domains=("stmary.example",))
)  # fmt: skip


@pytest.mark.parametrize(
    "envelope",
    [
        mail(JANE, body="The prizes go to these two.\n\nThanks\n\nSam Lee\nNora Field\n\nJane"),
        mail(JANE, body="The helpers were:\n\nThanks\n\nSam Lee\nNora Field\n"),
        mail(
            "sam.lee@elt.example",
            body="Dear all, we close at noon.\n\nKind regards\nHilary Moss\n\nCan you print 30? Sam",
        ),
        mail(
            OFFICER.email,
            to=("pat.jones@gmail.com",),
            body="Dear parents\n\nYours sincerely\n\nHilary Moss\nHeadteacher",
        ),
        mail(JANE, body="I write as chair of the PTA to thank you for the cakes."),
        mail("sales@stmary.example", to=(JANE,), body="The order is ready."),
    ],
)
def test_names_below_thanks_passed_wording_and_a_partners_domain_are_no_impersonation(envelope: Envelope) -> None:
    assert see(Impersonation(), envelope, PARTNER) == []


@pytest.mark.parametrize(
    ("envelope", "label"),
    [
        (mail(JANE, body="She is the best.\n\nYours faithfully\n\nHilary Moss\nHeadteacher"), "signed_as_other"),
        (mail(JANE, body="I write as chair of governors to confirm it."), "signed_as_other"),
        (mail("sales@stmaryx.example", to=(JANE,), body="The order is ready."), "posing_as_ours"),
    ],
)
def test_anothers_name_below_the_last_closing_anothers_post_and_a_slip_of_our_domain_are(
    envelope: Envelope, label: str
) -> None:
    assert [hit.label for hit in see(Impersonation(), envelope, PARTNER)] == [label]


URGED = Hit("payment_urged", 0, 4, "", 0.8, part="body")


@pytest.mark.parametrize(
    ("address", "hits", "sure"),
    [
        ("hilary.moss.head@gmail.com", (), 0.4),
        ("hilary.moss.head@gmail.com", (URGED,), 0.6),
        ("hilary.moss@outlook.com", (URGED,), 0.0),
    ],
)
def test_a_fitting_address_that_no_record_knows_poses_where_it_asks_for_money(
    address: str, hits: tuple[Hit, ...], sure: float
) -> None:
    envelope = mail(address, to=(JANE,), name="Hilary Moss", body="Four gift cards, and the codes please.")
    assert found("posing_as_ours", see(Impersonation(), envelope, DIRECTORY, *hits)) == sure


@pytest.mark.parametrize(
    ("envelope", "sure"),
    [
        (mail("stranger@mailbox.example", to=(JANE,), body="RedirectTo: x@mailbox.example"), 0.0),
        (mail(HEAD, to=(JANE,), body="Rules of the kind ForwardTo: x@mailbox.example. Do not do this."), 0.0),
        (mail("alerts@microsoft.com", to=(JANE,), body="RedirectTo: x@mailbox.example"), 0.85),
        (
            mail("desk@provider.example", to=(JANE,), body="Mailbox head@elt.example. RedirectTo: x@mailbox.example"),
            0.85,
        ),
        (mail(HEAD, to=(JANE,), body="Parameters: RedirectTo: smtp:x@mailbox.example"), 0.85),
    ],
)
def test_a_rule_is_told_by_the_system_or_beside_a_mailbox_of_ours(envelope: Envelope, sure: float) -> None:
    assert found("forwarding_set", see(AutomaticForward(), envelope)) == sure


@pytest.mark.parametrize(
    ("address", "sure"),
    [("jane.smith@eltham-college.example", 0.0), ("jane.smith@elt-trust.example", 0.9)],
)
def test_a_short_name_of_ours_begins_other_names_too(address: str, sure: float) -> None:
    assert found("lookalike_domain", see(Recipients(), mail(JANE, to=(address,), body="The order."))) == sure


def test_a_grant_of_old_held_when_the_mail_was_sent() -> None:
    sent = mail(HEAD, sender=JANE, sent_at=datetime(2025, 1, 1, tzinfo=UTC))
    assert [hit.label for hit in see(Impersonation(), sent, granted(until=date(2025, 6, 30)))] == [
        "sent_as_other_granted"
    ]


# --- a private number, address or account ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "Please ring the school office on 01632 960123.",
        "The trip mobile is 07700 900123, my phone will be off.",
        "We have your mobile number as 07700 900123, is that right?",
        "His new mobile number is 07700 900123.",
        "Order line 07700 900123, quote the number above.",
        "Write to bookings@printco.example or office@elt.example.",
        "The author can be found at writer@gmail.com, says the book.",
        "Follow the school on Instagram for photographs.",
        "Pupils must not use Snapchat at school; report any group to us.",
        "The e-safety evening covers WhatsApp and TikTok.",
        "See you on Friday.\n\nOn Monday, Pat <pat.jones@gmail.com> wrote:\n> text me on 07700 900123",
    ],
)
def test_a_number_of_the_school_or_of_somebody_else_is_no_private_contact(body: str) -> None:
    assert found("private_contact", see(PrivateContact(), mail(JANE, [PARENT], body=body))) == 0


@pytest.mark.parametrize(
    "body",
    [
        "My own mobile is 07700 900123 if anything happens.",
        "You can text me on 07700 900123 at the weekend.",
        "Ring me at home, 01632 960123.",
        "My personal email is jane.smith84@gmail.com, use that.",
        "E-mail me at jane.smith84@gmail.com in the holidays.",
        "Add me on Snapchat, I am @janey_s there.",
        "I'm @janes on Instagram!",
        "I have set up a WhatsApp group for 9B, join in.",
        "My WhatsApp: 07700 900123",
    ],
)
def test_a_private_number_address_or_account_given_as_ones_own_is_seen(body: str) -> None:
    hits = see(PrivateContact(), mail(JANE, [PARENT], body=body))
    assert found("private_contact", hits) >= 0.75
    assert all(hit.part == "body" and body[hit.start : hit.end] == hit.value for hit in hits)


# --- is it work -----------------------------------------------------------------------------------------------------

OWN = ["jane.smith84@gmail.com"]
FORWARDED = (
    "---------- Forwarded message ---------\nFrom: Head <head@elt.example>\nSubject: budget\n\nThe staffing budget."
)
SHEET = b"Name,Set,Mark\nBen Jones,1,7\nAmira Khan,1,8\nTom Field,2,6\n"


@pytest.mark.parametrize(
    "envelope",
    [
        mail(JANE, OWN, subject="Soup", body="Two onions, a litre of stock, simmer."),
        mail(JANE, OWN, subject="Holiday", body="The hotel booking and the flights are done."),
        mail(JANE, OWN, subject="Boiler", body="Invoice for the boiler came, and the dentist rang."),
        mail(JANE, OWN, body="Home late, start without me."),
        mail(JANE, OWN, subject="Passport renewal", files=[("flights.csv", b"Day,Price\nMon,10\nTue,20\nWed,30\n")]),
        mail(JANE, OWN, body="Wedding photos tomorrow?"),
    ],
)
def test_private_matters_are_not_called_work_with_confidence(envelope: Envelope) -> None:
    assert found("work_content", see(WorkContent(), envelope)) < 0.75


@pytest.mark.parametrize(
    "envelope",
    [
        mail(JANE, [SUPPLIER], subject="Year 9 reports", body="The assessment data for the governors' meeting."),
        mail(JANE, [HEAD], subject="Year 9 reports", body="The assessment data for the governors' meeting."),
        mail(SUPPLIER, [JANE], subject="Year 9 reports", body="The assessment data for the governors' meeting."),
    ],
)
def test_work_between_work_addresses_is_nobodys_question(envelope: Envelope) -> None:
    assert see(WorkContent(), envelope) == []


@pytest.mark.parametrize(
    ("envelope", "hits"),
    [
        (mail(JANE, OWN, subject="Year 9 reports", body="The assessment data for the governors."), ()),
        (mail(JANE, OWN, subject="Marks", files=[("marks.csv", SHEET)]), ()),
        (mail(JANE, OWN, body="Notes", files=[("timetable_2026.csv", SHEET)]), ()),
        (mail("jane.smith84@gmail.com", [HEAD], body="Seating plan and cover work for 9B, year 9."), ()),
        (
            mail(JANE, OWN, body="He is in hospital.", files=[("note.csv", SHEET)]),
            (Hit("health", 0, 5, "x", 0.9, part="body"),),
        ),
        (mail(JANE, OWN, subject="Fw: budget", body=FORWARDED), ()),
    ],
)
def test_school_words_documents_and_data_together_are_work(envelope: Envelope, hits: tuple[Hit, ...]) -> None:
    assert found("work_content", see(WorkContent(), envelope, DIRECTORY, *hits)) >= 0.75


@pytest.mark.parametrize(
    ("body", "private"),
    [
        (
            "The visit to the mosque is on Tuesday. Girls may borrow a scarf from me. Packed lunches in the coach.",
            False,
        ),
        ("The church is on Tuesday: hand in the risk assessment, and borrow my camera if you like.", False),
        ("I am off to the church fair with my sister. Spare tickets, a fiver each.", True),
        ("We run a coach to the theatre in May. Bring a friend, spare tickets from my husband.", True),
    ],
)
def test_a_class_that_goes_out_is_no_affair_of_the_senders_own(body: str, private: bool) -> None:
    everybody = [f"c{number}@elt.example" for number in range(14)]
    assert bool(see(OwnAffairToAll(), mail(JANE, everybody, subject="Tuesday", body=body))) == private


@pytest.mark.parametrize(
    ("sender", "file", "body", "confidence"),
    [
        (JANE, "what is a keylogger.pptx", "Have a look.", None),
        (JANE, "what is a keylogger.pptx.txt", "The Year 8 computing lesson is on brute force", None),
        (JANE, "password cracking.docx", "As promised.", None),
        (JANE, "password reset form.zip", "As promised.", None),
        ("stranger@gmail.com", "mimikatz_trunk.zip", "As promised.", None),
        (JANE, "password cracking.zip", "The Year 8 computing lesson is on brute force", 0.45),
        (JANE, "mimikatz_trunk.zip", "As promised.", 0.85),
        (JANE, "password_cracker.7z", "As promised.", 0.85),
        (JANE, "free keylogger.exe", "As promised.", 0.85),
    ],
)
def test_a_tool_for_breaking_in_is_a_program_or_an_archive_and_no_lesson(
    sender: str, file: str, body: str, confidence: float | None
) -> None:
    envelope = mail(sender, [HEAD], subject="Monday", body=body, files=[(file, b"none of the bytes tell")])
    hits = see(ToolForBreakingIn(), envelope)
    assert [(hit.label, hit.confidence) for hit in hits] == ([] if confidence is None else [("hacking", confidence)])
