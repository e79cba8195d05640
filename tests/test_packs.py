"""The five packs run alone, and contradict one another as their policies do: one test for each of the 32 contradictions."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from made_up import mail
from packs_cast import (
    FIVE,
    RULES,
    SLUGS,
    cast,
    example_file,
    found,
    instruments,
    judge,
    pack,
    packs_that_find,
    regime,
    rulebook,
)
from web_cases import VERSIONS

from scanner.clauses import counts, unfounded
from scanner.directory import Directory
from scanner.governance import NotAuthorisedError, check, leave, may_read
from scanner.inspection import envelope_of, inspect
from scanner.model import Authorisation, Contact, Envelope, Grant, Part, Person, Protection, Pupil, Verdict
from scanner.policy import KEYS, Policy, overdue
from scanner.routing import route
from scanner.service import Service, months_before
from scanner.store import Account, Committed, Store
from scanner.web import Explained, RevealResult, WebServices
from scanner.web.access import RefusedError, Visitor
from scanner.web.cases import take_step

TESTS = Path(__file__).parent
NOW = datetime(2026, 9, 7, 10, 0, tzinfo=UTC)
JANE, SAM, HEAD = "jane.smith@elt.example", "sam.lee@elt.example", "head@elt.example"
OUTSIDER, TRUSTED, PARENT = "desk@outdoorcentre.example", "team@council.gov.example", "pat.jones@gmail.com"
PUPIL = "22bjones@northfield.elt.example"
NUMBER = "Ron Tanner, national insurance number AB 12 34 56 C, date of birth 03/04/1981."


def given(policy: str, kind: str, scope: tuple[str, ...] = (JANE,), **more: object) -> Authorisation:
    values: dict[str, object] = {
        "id": 1, "policy": policy, "kind": kind, "purpose": "a complaint that was made", "scope": scope, "topics": (),
        "approver": "Hilary Moss", "approver_role": "headteacher", "grounds": "a written complaint of a parent",
        "start": date(2026, 9, 1), "review": None, "end": date(2026, 9, 30), "recorded_at": NOW, "recorded_by": "admin",
    }  # fmt: skip
    return Authorisation(**{**values, **more})  # type: ignore[arg-type]


def may_give(policy: Policy, wanted: Authorisation) -> str:
    """Empty where the policy can give it, else why not."""
    try:
        check(policy, wanted, None)
    except NotAuthorisedError as refusal:
        return str(refusal)
    return ""


# --- the 32 contradictions ------------------------------------------------------------------------------------------


def test_01_scan_mode() -> None:
    kinds = {
        "constellation": "standing",
        "partnership": "standing",
        "treetops": "grant",
        "laat": "purpose",
        "cpps": "authority",
    }
    for slug in FIVE:
        opened = {
            kind for kind in set(kinds.values()) if leave(pack(slug), [given(slug, kind)], JANE, NOW).topics is None
        }
        assert kinds[slug] in opened
        assert opened <= ({"standing", "grant"} if kinds[slug] == "standing" else {kinds[slug]})
    assert leave(pack("base"), [], JANE, NOW).topics is None
    assert {slug for slug in FIVE if leave(pack(slug), [], JANE, NOW).topics} == {
        "partnership",
        "laat",
    }  # programs alone


def test_02_random_checks() -> None:
    refused = {slug: may_give(pack(slug), given(slug, "sample", approver_role="it_security")) for slug in FIVE}
    assert refused.pop("constellation") == ""
    assert "random checks are excluded" in refused["treetops"]
    assert "random checks are unstated" in refused["partnership"]


def test_03_who_authorises() -> None:
    teacher = {"approver_role": "authorised_employee"}
    assert "authorised_employee cannot approve it" in may_give(pack("treetops"), given("treetops", "grant", **teacher))
    assert may_give(pack("treetops"), given("treetops", "grant", approver_role="governors")) == ""
    assert may_give(pack("cpps"), given("cpps", "authority", **teacher)) == ""
    assert "it_security cannot approve" in may_give(
        pack("cpps"), given("cpps", "authority", approver_role="it_security")
    )
    assert may_give(pack("constellation"), given("constellation", "standing", approver_role="it_security")) == ""
    assert may_give(pack("partnership"), given("partnership", "standing", **teacher)) == ""


def test_04_review_and_end() -> None:
    assert (
        may_give(pack("constellation"), given("constellation", "standing", approver_role="it_security", end=None)) == ""
    )
    assert "must end within 90 days" in may_give(pack("treetops"), given("treetops", "grant", end=None))
    assert (pack("treetops").review_days, pack("constellation").review_days) == (14, 0)


def test_05_private_material() -> None:
    plain = [given(slug, "standing") for slug in FIVE]
    refused = {slug for slug in FIVE if may_read(pack(slug), plain, JANE, True, NOW).nothing}
    assert refused == {"constellation", "treetops"}
    assert {slug for slug in FIVE if may_read(pack(slug), plain, JANE, False, NOW).nothing} == {"treetops"}
    cause = [given("constellation", "cause")]
    assert not may_read(pack("constellation"), cause, JANE, True, NOW).nothing
    # Machines look at private mail all the same.
    private = mail(JANE, [OUTSIDER], subject="Private: form", body=NUMBER)
    assert packs_that_find(private, "personal_data") == set(SLUGS)


ABUSE = mail(JANE, [SAM], subject="Rota", body="You are a useless fucking idiot, you stupid twat.")


def test_06_first_receiver_of_conduct() -> None:
    receivers = {slug: found(slug, ABUSE, topic="inappropriate_language")[0].route for slug in SLUGS}
    roles = {slug: route.role for slug, route in receivers.items() if route}
    assert roles == {
        "base": "line_manager", "constellation": "line_manager", "cpps": "headteacher", "partnership": "line_manager",
        "treetops": "headteacher", "laat": "line_manager",
    }  # fmt: skip
    because = receivers["constellation"].because if receivers["constellation"] else ""
    assert "also wants told: RM or the Head of Digital Solutions" in because
    # To an outsider, partnership's recipient has no line manager of ours to turn to.
    outside = found(
        "partnership", replace(ABUSE, recipients=mail(JANE, [OUTSIDER]).recipients), topic="inappropriate_language"
    )
    assert outside[0].route is not None
    assert outside[0].route.role == "headteacher"


def test_06_first_receiver_of_malware_and_passwords() -> None:
    program = mail(
        JANE, [OUTSIDER], subject="Tool", files=[("setup.exe", example_file("malware_executables", "setup.exe"))]
    )
    routes = {slug: found(slug, program, topic="malware_executables")[0].route for slug in SLUGS}
    roles = {slug: route.role for slug, route in routes.items() if route}
    assert roles == {
        "base": "it_security", "constellation": "it_security", "cpps": "headteacher", "partnership": "it_security",
        "treetops": "headteacher", "laat": "headteacher",
    }  # fmt: skip


def test_06_what_reaches_a_pupil_outside_the_system_goes_to_the_dsl_unless_the_policy_sends_it_elsewhere() -> None:
    near = mail(JANE, [PUPIL], subject="Today", body="That stays between you and me, please don't tell your mum.")
    number = mail(JANE, [PUPIL], subject="Homework", body="You can ring me on my own mobile, 07700 900123, any time.")
    for topic, sent in (("staff_pupil_contact", near), ("sharing_personal_contact", number)):
        routes = {slug: item[0].route for slug in SLUGS if (item := found(slug, sent, topic=topic))}
        roles = {slug: route.role for slug, route in routes.items() if route}
        assert roles.pop("treetops") == "headteacher"  # 2/Monitoring/1/s5
        assert set(roles.values()) == {"dsl"}, roles
        assert {"base", "cpps", "constellation"} <= roles.keys()
        assert routes["treetops"] is not None
        assert "also wants told" in routes["treetops"].because


def test_07_first_receiver_of_personal_data() -> None:
    leak = mail(JANE, [OUTSIDER], subject="Form", body=NUMBER)
    routes = {slug: found(slug, leak, topic="personal_data")[0].route for slug in SLUGS}
    roles = {slug: route.role for slug, route in routes.items() if route}
    assert roles == {
        "base": "dpo", "constellation": "dpo", "cpps": "headteacher", "partnership": "dpo", "treetops": "dpo", "laat": "dpo",
    }  # fmt: skip


def test_08_what_the_dpos_authorisation_does() -> None:
    leak = mail(JANE, [OUTSIDER], subject="Form", body=NUMBER)
    transfer = Grant("transfer", JANE, "outdoorcentre.example")
    assert packs_that_find(leak, "personal_data") == set(SLUGS)
    assert packs_that_find(leak, "personal_data", transfer) == set(SLUGS) - {"treetops"}
    elsewhere = Grant("transfer", JANE, "printco.example")
    over = Grant("transfer", JANE, "outdoorcentre.example", date(2026, 9, 1))
    for wrong in (elsewhere, over):
        assert "treetops" in packs_that_find(leak, "personal_data", wrong)


def test_09_what_must_be_encrypted() -> None:
    to_authority = mail(JANE, [TRUSTED], subject="Form", body=NUMBER)
    assert packs_that_find(to_authority, "personal_data") == {"cpps", "treetops"}
    locked = mail(
        JANE,
        [OUTSIDER],
        subject="Form",
        files=[("group.zip", example_file("transfer_without_authorisation", "group.zip"))],
    )
    assert packs_that_find(locked, "personal_data") == {"treetops"}
    leak = mail(JANE, [OUTSIDER], subject="Form", body=NUMBER)
    duties = {slug: found(slug, leak, topic="personal_data")[0].reasons[-1] for slug in FIVE}
    assert len(set(duties.values())) == 5


def test_10_does_a_password_protect() -> None:
    old_cipher = mail(
        JANE, [OUTSIDER], subject="Files", files=[("group.zip", example_file("weak_protection", "group.zip"))]
    )
    assert packs_that_find(old_cipher, "weak_protection") == {"base", "cpps", "partnership", "treetops"}
    # A lock that opens without a password protects nowhere.
    sham = Part("attachment/1/a.pdf", "application/pdf", protection=Protection("weak", "owner password only", True))
    real = replace(sham, protection=Protection("weak", "zip ZipCrypto", False))
    assert [pack("laat").accepts(part) for part in (sham, real)] == [False, True]
    assert not pack("partnership").accepts(real)


def test_11_internal_mail() -> None:
    body = mail(JANE, [SAM], subject="Form", body=NUMBER)
    attached = mail(JANE, [SAM], subject="Form", body="Attached.", files=[("form.txt", NUMBER.encode())])
    assert packs_that_find(body, "personal_data") == {"treetops"}
    assert packs_that_find(attached, "personal_data") == {"treetops", "cpps"}
    # Names inside are read too, though no rule of base would need them.
    health = mail(
        JANE,
        [SAM],
        subject="Note",
        body="Leila Haddad was diagnosed with epilepsy and takes sodium valproate every morning.",
    )
    assert packs_that_find(health, "personal_data") == {"treetops"}


def test_12_personal_cloud() -> None:
    text = "I saved the class list and the assessment data in my own Dropbox so that I can work at home."
    open_ = mail(JANE, [SAM], subject="Year 9", body=text)
    locked = mail(
        JANE,
        [SAM],
        subject="Year 9",
        body=text,
        files=[("group.zip", example_file("transfer_without_authorisation", "group.zip"))],
    )
    outside = mail(JANE, [OUTSIDER], subject="Year 9", body=text)
    granted = Grant("transfer", JANE)
    assert packs_that_find(open_, "personal_cloud") == {"base", *FIVE}
    assert packs_that_find(locked, "personal_cloud") == {"base", *FIVE} - {"partnership"}
    assert packs_that_find(outside, "personal_cloud", granted) == {"base", "constellation", "laat", "partnership"}


PRIVATE = "I booked us a table at the Italian for Saturday."


def test_13_personal_use() -> None:
    evening = mail(
        JANE, ["friend@gmail.com"], subject="Dinner", body=PRIVATE, sent_at=datetime(2026, 9, 7, 19, 0, tzinfo=UTC)
    )
    assert packs_that_find(evening, "personal_use") == {"constellation", "cpps"}


def test_14_hours_for_personal_use() -> None:
    def at(hour: int, day: int = 7) -> Envelope:
        sent = datetime(2026, 9, day, hour, 0, tzinfo=UTC)  # British summer time: an hour later on the clock
        return mail(JANE, ["friend@gmail.com"], subject="Dinner", body=PRIVATE, sent_at=sent)

    allowed = ("partnership", "treetops", "laat")
    assert packs_that_find(at(9), "personal_use", among=allowed) == {"partnership", "treetops"}
    assert packs_that_find(at(7), "personal_use", among=allowed) == set()  # 08:00, before hours
    assert packs_that_find(at(11), "personal_use", among=allowed) == set()  # lunch
    assert packs_that_find(at(9, 12), "personal_use", among=allowed) == set()  # Saturday
    # Where private mail is barred at any hour, the clause about hours is cited within them alone.
    for slug, clause in (("constellation", "constellation:4.5/2"), ("cpps", "cpps:Personal use/4")):
        within, after = (found(slug, at(hour), topic="personal_use")[0].clauses for hour in (9, 18))
        assert clause in within
        assert clause not in after
        assert set(after) < set(within)


def test_15_reply_window() -> None:
    late = mail(
        JANE,
        [SAM],
        subject="Figures",
        body="I need your figures tonight.",
        sent_at=datetime(2026, 9, 7, 20, 0, tzinfo=UTC),
    )
    assert packs_that_find(late, "out_of_hours") == {"constellation"}
    by_day = replace(late, sent_at=NOW)
    assert packs_that_find(by_day, "out_of_hours") == set()
    assert all(item.shadow for item in found("constellation", late, topic="out_of_hours"))
    assert [
        pack(slug).holds_notices(datetime(2026, 9, 7, 20, 0, tzinfo=UTC)) for slug in ("constellation", "laat")
    ] == [True, False]


def test_16_work_on_a_private_account() -> None:
    work = "The Year 9 lesson plans and the seating plan for the pupils are attached, please print the assessment data."
    coming = mail("jane.smith84@gmail.com", [SAM], subject="Year 9 assessment", body=work)
    going = mail(JANE, ["jane.smith84@gmail.com"], subject="Year 9 assessment", body=work)
    assert packs_that_find(going, "personal_address") == set(SLUGS)
    assert packs_that_find(coming, "personal_account_use") == {"base", "cpps", "partnership", "laat"}


CHAIN = "Send this to ten people within 24 hours and you will have good luck; break the chain and you will have seven years of bad luck."


def test_17_chain_mail() -> None:
    chain = mail(JANE, [SAM], subject="Luck", body=CHAIN)
    assert packs_that_find(chain, "chain_mail") == set(SLUGS) - {"cpps"}
    outside = mail(JANE, [OUTSIDER], subject="Luck", body=CHAIN)
    graver = {slug: found(slug, outside, topic="chain_mail")[0].severity for slug in SLUGS if slug != "cpps"}
    assert graver["treetops"] == "minor"
    assert graver["constellation"] == "moderate"


def test_18_jokes() -> None:
    joke = mail(
        JANE, [SAM], subject="Friday funny", body="This made me laugh. A man walks into a library and asks for chips."
    )
    assert packs_that_find(joke, "junk_bulk_mail") == {"laat"}


def test_19_bulk_mail() -> None:
    useful = mail(JANE, ["allstaff@elt.example"], subject="Photocopier", body="The photocopier is mended.")
    trivial = mail(
        JANE, ["allstaff@elt.example"], subject="My mug", body="Has anyone seen my mug? Whoever took it, bring it back."
    )
    assert packs_that_find(useful, "junk_bulk_mail") == {"constellation"}
    assert packs_that_find(useful, "junk_bulk_mail", Grant("broadcast", JANE)) == set()
    assert packs_that_find(trivial, "junk_bulk_mail") == set(SLUGS) - {"cpps"}
    crowd = [f"c{number}@outdoorcentre.example" for number in range(11)]
    assert packs_that_find(mail(JANE, crowd, subject="Minutes", body="See the minutes."), "junk_bulk_mail") == set()


def test_20_rules_that_one_policy_has() -> None:
    no_subject = mail(JANE, [SAM], body="Fine by me.")
    assert packs_that_find(no_subject, "subject_line") == {"base", "constellation"}
    plain = mail(JANE, [OUTSIDER], subject="Trip", body="See you on Friday.")
    assert packs_that_find(plain, "disclaimer") == {"partnership"}
    signed = replace(plain, bodies=mail(body="See you.\n\nThis e-mail is intended solely for the addressee.").bodies)
    assert packs_that_find(signed, "disclaimer") == set()
    chatbot = mail(JANE, [SAM], subject="Reports", body="I pasted the whole set of reports into ChatGPT.")
    assert packs_that_find(chatbot, "ai_service") == {"base", "constellation"}
    login = mail(JANE, [SAM], subject="Tip", body="Use my ChatGPT login if you like.")
    assert packs_that_find(login, "ai_service") == {"constellation"}
    deal = mail(JANE, ["sales@printco.example"], subject="Boards", body="We accept your quotation of £4,200.")
    assert packs_that_find(deal, "contract_commitment") == {"base", "partnership"}
    assert packs_that_find(deal, "contract_commitment", Grant("contract", JANE)) == set()
    lot = mail(
        JANE, [OUTSIDER], subject="Bike", body="I am the highest bidder and there are three hours left on the auction."
    )
    assert packs_that_find(lot, "auctions") == {"base", "constellation"}
    assert packs_that_find(lot, "auctions", Grant("auction", JANE)) == set()
    bet = mail(
        JANE, [SAM], subject="Syndicate", body="The lottery syndicate money is due, five pounds each by Thursday."
    )
    assert packs_that_find(bet, "gambling") == {"base", "constellation", "partnership"}


def test_21_private_business() -> None:
    trade = mail(
        JANE,
        [PARENT],
        subject="Maths",
        body="I also offer private tuition at home, 35 pounds an hour. My customers are happy.",
    )
    assert packs_that_find(trade, "private_business") == {"base", "constellation", "cpps", "treetops"}
    assert packs_that_find(trade, "private_business", Grant("business", JANE)) == {"constellation"}


def test_22_sending_as_another() -> None:
    granted = mail(
        HEAD, [OUTSIDER], sender="pa@elt.example", subject="Booking", body="We accept your offer of a visit."
    )
    stranger = mail(HEAD, [OUTSIDER], sender=SAM, subject="Booking", body="We accept your offer of a visit.")
    assert packs_that_find(stranger, "impersonation") == set(SLUGS)
    assert packs_that_find(granted, "impersonation") == {"constellation", "cpps", "treetops"}


def test_23_personal_contact_details() -> None:
    text = "You can ring me on my own mobile, 07700 900123, any time."
    to_pupil = mail(JANE, [PUPIL], subject="Homework", body=text)
    to_parent = mail(JANE, [PARENT], subject="Homework", body=text)
    assert packs_that_find(to_pupil, "sharing_personal_contact") == {"base", "constellation", "cpps", "treetops"}
    assert packs_that_find(to_parent, "sharing_personal_contact") == {"base", "constellation", "cpps"}
    left = Person("leo.old@northfield.elt.example", "Leo Old", "pupil", leaves_on=date(2026, 7, 20))
    people = replace(cast(), people=(*cast().people, left))
    to_leaver = mail(JANE, [left.email], subject="Hello", body=text)
    assert {slug for slug in SLUGS if found(slug, to_leaver, topic="sharing_personal_contact", people=people)} == {
        "treetops"
    }


@pytest.mark.parametrize(
    ("leaves_on", "files", "severity"),
    [
        (None, 1, "minor"),
        (None, 4, "moderate"),
        (date(2027, 8, 31), 4, "moderate"),  # long after
        (date(2026, 9, 30), 1, "moderate"),
        (date(2026, 9, 30), 4, "severe"),
    ],
)
def test_work_taken_home_weighs_more_in_the_notice_period(leaves_on: date | None, files: int, severity: str) -> None:
    people = tuple(replace(one, leaves_on=leaves_on) if one.email == JANE else one for one in cast().people)
    attached = [(f"scheme{number}.txt", b"Year 9 lesson plans and seating plan") for number in range(files)]
    taken = mail(JANE, ["jane.smith84@gmail.com"], subject="Lesson plans", files=attached, sent_at=NOW)
    (finding,) = found("base", taken, topic="personal_address", people=replace(cast(), people=people))
    assert finding.severity == severity
    verdict = judge("base", taken, people=replace(cast(), people=people))
    assert verdict.ties is not None
    assert verdict.ties.leaving is (leaves_on == date(2026, 9, 30))


def test_private_mail_is_judged_by_every_other_rule() -> None:
    """No rule leaves private mail out: what is barred at work is barred in it, at whatever hour."""
    evening = datetime(2026, 9, 7, 18, 0, tzinfo=UTC)
    for slug in ("constellation", "cpps", "partnership"):
        quiet = mail(
            JANE, ["friend@gmail.com"], subject="Dinner", body="I booked us a table for Saturday.", sent_at=evening
        )
        assert {finding.topic for finding in found(slug, quiet)} <= {"personal_use", "disclaimer"}
        for text, topic in (
            ("You are a useless fucking idiot, you stupid twat.", "inappropriate_language"),
            (NUMBER, "personal_data"),
        ):
            private = replace(
                quiet, bodies=mail(JANE, ["friend@gmail.com"], body=f"I booked us a table. {text}").bodies
            )
            assert topic in {finding.topic for finding in found(slug, private)}, (slug, topic)


def test_a_large_transfer_is_measured_by_the_packs_own_size() -> None:
    def sent(size: int, *names: str) -> Envelope:
        return mail(JANE, [OUTSIDER], subject="Files", files=[(name, b"x" * size) for name in names])

    assert found("constellation", sent(9_000_000, "a.txt", "b.txt"), topic="personal_cloud") == []
    assert len(found("constellation", sent(11_000_000, "a.txt", "b.txt"), topic="personal_cloud")) == 1
    assert found("laat", sent(11_000_000, "a.txt", "b.txt"), topic="personal_cloud") == []


def test_a_chain_letters_growing_lists_stand_in_the_reasons() -> None:
    text = (
        "\n-----Original Message-----\nFrom: A B\nSent: Monday\nTo: C D; E F; G H; I J\nSubject: FW: luck\n\n"
        "-----Original Message-----\nFrom: K L\nSent: Sunday\nTo: M N; O P\nSubject: luck\n\n"
        "Send this to ten people within 24 hours for good luck; break the chain and you will have seven years of bad luck."
    )
    to = [f"colleague{number}@elt.example" for number in range(9)]
    (finding,) = found("base", mail(JANE, to, subject="FW: FW: luck", body=text), topic="chain_mail")
    assert any("more people at each hop: 2, 4, 9" in reason for reason in finding.reasons), finding.reasons


LURE = "Your mailbox has been suspended. Click the link below to verify your account within 24 hours."


def test_24_suspicious_mail_received() -> None:
    passed_on = f"Is this real?\n\n---------- Forwarded message ----------\nFrom: Desk <desk@support.example>\nSubject: Account\n\n{LURE}"
    forwarded = mail(JANE, [SAM], subject="FW: Account", body=passed_on)
    reported = mail(JANE, ["itsecurity@elt.example"], subject="FW: Account", body=passed_on)
    quoted = f"Which account?\n\nOn Mon, 7 Sep 2026 at 09:10, Desk <desk@support.example> wrote:\n> {LURE}"
    answered = mail(JANE, ["desk@support.example"], subject="RE: Account", body=quoted)
    assert packs_that_find(forwarded, "phishing") == {"base", "constellation", "treetops"}
    assert packs_that_find(reported, "phishing") == set()
    assert packs_that_find(answered, "phishing") == {"laat"}


def test_25_misdirected_mail_received() -> None:
    wrong = mail(
        JANE, [PARENT], subject="Amira", body="Dear Nadia Khan,\nAmira Khan was upset in the lesson today.\nJane"
    )
    advice = {slug: found(slug, wrong, topic="misdirected_mail")[0].advice for slug in SLUGS}
    assert advice["cpps"].endswith("Whoever got it in error tells the sender, deletes it and makes no use of it.")
    assert advice["partnership"].endswith("Whoever got it in error tells the sender.")
    assert "in error" not in advice["treetops"]


def test_26_permitted_acts() -> None:
    """Nothing is ever altered by the product; the advice says what the policy lets a person do, and that differs."""
    program = mail(JANE, [SAM], subject="Tool", files=[("setup.exe", example_file("malware_executables", "setup.exe"))])
    advice = {slug: found(slug, program, topic="malware_executables")[0].advice for slug in SLUGS}
    assert advice["partnership"].endswith(
        "The policy lets a person with authority block it or put it into quarantine or delete it; Mailwarden itself changes nothing."
    )
    for slug in ("constellation", "laat"):
        assert "with authority delete it;" in advice[slug]
    for slug in ("cpps", "treetops", "base"):
        assert advice[slug].endswith("ask before that is done.")
    for topic in ("personal_data", "threats"):
        assert pack("partnership").advice(topic) == ""


def test_27_severity() -> None:
    bet = mail(JANE, [OUTSIDER], subject="Luck", body=CHAIN, sent_at=NOW)
    to_one = mail(JANE, [SAM], subject="Luck", body=CHAIN)
    internal = {slug: found(slug, to_one, topic="chain_mail")[0].severity for slug in SLUGS if slug != "cpps"}
    assert internal == {
        "base": "minor",
        "constellation": "minor",
        "partnership": "moderate",
        "treetops": "minor",
        "laat": "minor",
    }
    assert found("laat", bet, topic="chain_mail")[0].severity == "moderate"
    assert {item.severity for item in found("cpps", ABUSE)} == {"severe"}
    assert {item.severity for item in found("treetops", ABUSE, topic="inappropriate_language")} == {"moderate"}
    assert pack("treetops").after_repeat("minor", lambda severity, months: int(months == 12))[0] == "moderate"
    assert pack("treetops").after_repeat("moderate", lambda severity, months: int(months == 0))[0] == "severe"
    assert pack("laat").after_repeat("minor", lambda severity, months: 9)[0] == "minor"


@pytest.mark.parametrize(("slug", "must"), [("partnership", True), ("laat", False), ("treetops", False)])
def test_28_must_a_breach_be_pursued(slug: str, must: bool, tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    (case,) = commit(store, verdict_of(slug, ABUSE), NOW)
    store.decide(case, actor="head", action="confirm", note="", now=NOW)
    services = WebServices(
        store=store, clock=lambda: NOW, session_key=bytes(32), public_url="http://127.0.0.1:1", reveal=lambda place: RevealResult((), ()),
        explain=lambda place: Explained((), ()), rulebook=rulebook(), policy_title="", must_pursue=pack(slug).words["pursue"] == "must",
    )  # fmt: skip
    receiver = store.cases()[0].route.person
    visitor = Visitor(Account("head", "", None, ("manager",), receiver, 0, None, None), None)  # type: ignore[arg-type]
    if must:
        with pytest.raises(RefusedError) as refused:
            take_step(services, visitor, case, "close", " ")
        assert "say what was done" in refused.value.sentence
    assert take_step(services, visitor, case, "close", "Dealt with on Monday." if must else "") == "closed"
    store.close()


def test_29_who_is_covered() -> None:
    from_pupil = mail(PUPIL, [SAM], subject="Hey", body="You are a useless fucking idiot, you stupid twat.")
    assert packs_that_find(from_pupil, "inappropriate_language") == {"base", "cpps", "treetops"}
    program = mail(
        PUPIL, [SAM], subject="Tool", files=[("setup.exe", example_file("malware_executables", "setup.exe"))]
    )
    assert packs_that_find(program, "malware_executables") == set(SLUGS)


def test_30_exemptions() -> None:
    disclosure = mail(JANE, ["advice@whistleblowing.example"], subject="A disclosure", body=NUMBER)
    read = {slug for slug in SLUGS if judge(slug, disclosure).parts}
    assert read == set(SLUGS) - {"laat"}  # sealed before a part is opened
    secret = mail(
        JANE,
        ["officer@kent.police.uk"],
        subject="Papers",
        body="Strictly confidential: not for circulation. Governors only.",
    )
    assert packs_that_find(secret, "confidential_info") == set(SLUGS) - {"partnership"}
    lesson = Grant("education", JANE)
    assert packs_that_find(ABUSE, "inappropriate_language", lesson) == set(SLUGS) - {"treetops"}
    family = mail(
        "pa@elt.example", ["kit.abbot@gmail.com"], subject="Home", body="Ring me on my own mobile, 07700 900123."
    )
    people = replace(
        cast(), contacts=(*cast().contacts, Contact("kit.abbot@gmail.com", "Kit Abbot", (Pupil("Ann Abbot"),)))
    )
    told = {slug for slug in SLUGS if found(slug, family, topic="sharing_personal_contact", people=people)}
    assert told == {"base", "cpps"}


def test_31_perception_or_fact() -> None:
    grumble = mail(JANE, [SAM], subject="School", body="Honestly, this trust is a joke and the management is useless.")
    assert packs_that_find(grumble, "defamation_disrepute") == {"constellation", "cpps"}


def test_32_retention() -> None:
    assert dict(pack("treetops").retention) == {"minor": 12}
    assert dict(pack("constellation").retention) == {}
    assert months_before(datetime(2026, 3, 31, tzinfo=UTC), 1) == datetime(2026, 2, 28, tzinfo=UTC)
    assert months_before(datetime(2026, 1, 5, tzinfo=UTC), 12) == datetime(2025, 1, 5, tzinfo=UTC)


def test_a_case_that_is_done_is_forgotten_after_its_time_and_one_that_is_open_is_not(store: Store) -> None:
    old = verdict_of("treetops", mail(JANE, [SAM], subject="Luck", body=CHAIN))
    (first,) = commit(store, old, NOW)
    other = verdict_of("treetops", mail(SAM, [JANE], subject="Luck", body=CHAIN))
    (second,) = commit(store, other, NOW)
    store.decide(first, actor="dpo", action="false_alarm", note="", now=NOW)
    assert store.forget_cases({"minor": NOW}) == 0
    assert store.forget_cases({"minor": NOW + timedelta(days=1)}) == 1
    assert store.case(first) is None
    assert store.case(second) is not None
    assert store.verify_audit() is None


# --- repeats and patterns -------------------------------------------------------------------------------------------


def verdict_of(slug: str, envelope: Envelope) -> Verdict:
    made = judge(slug, envelope)
    chain = tuple(
        item for item in made.findings if item.topic in ("chain_mail", "inappropriate_language", "out_of_hours")
    )
    return replace(made, findings=chain, versions=VERSIONS)


def commit(store: Store, verdict: Verdict, now: datetime) -> list[int]:
    number = verdict.content_hash[:12]
    done = Committed(number, f"<{number}@elt.example>", JANE, "sent", verdict)
    return store.commit_page(source="mail", mailbox=JANE, folder="sent", token=number, results=[done], now=now)


def weigh(store: Store, slug: str, verdict: Verdict) -> Verdict:
    service = object.__new__(Service)
    for name, value in {"policy": pack(slug), "store": store, "clock": lambda: NOW}.items():
        object.__setattr__(service, name, value)
    return service.weigh(verdict, [])


def test_a_repeat_after_a_confirmed_breach_is_graver_and_an_overturned_one_does_not_count(store: Store) -> None:
    def nuisance(number: int) -> Verdict:
        return verdict_of("treetops", mail(JANE, [SAM], subject=f"Luck {number}", body=CHAIN))

    (case,) = commit(store, nuisance(1), NOW)
    assert weigh(store, "treetops", nuisance(2)).findings[0].severity == "minor"  # only suspected so far
    store.decide(case, actor="head", action="confirm", note="", now=NOW)
    graver = weigh(store, "treetops", nuisance(2)).findings[0]
    assert (graver.severity, graver.reasons[-1]) == ("moderate", "repeated minor breach within 12 months: moderate")
    assert weigh(store, "laat", nuisance(2)).findings[0].severity == "minor"
    late = replace(nuisance(2), sent_at=NOW + timedelta(days=400))
    assert weigh(store, "treetops", late).findings[0].severity == "minor"
    store.decide(case, actor="head", action="reopen", note="appeal", now=NOW)
    store.decide(case, actor="head", action="false_alarm", note="", now=NOW)
    assert weigh(store, "treetops", nuisance(2)).findings[0].severity == "minor"


def test_a_repeat_counts_for_whoever_pressed_send(store: Store) -> None:
    (case,) = commit(
        store, verdict_of("treetops", mail(HEAD, [SAM], sender="pa@elt.example", subject="Luck", body=CHAIN)), NOW
    )[:1]
    store.decide(case, actor="head", action="confirm", note="", now=NOW)
    by_the_head = verdict_of("treetops", mail(HEAD, [SAM], subject="Luck again", body=CHAIN))
    by_the_secretary = verdict_of("treetops", mail("pa@elt.example", [SAM], subject="Luck again", body=CHAIN))
    assert by_the_head.sender != by_the_secretary.sender != ""
    assert weigh(store, "treetops", by_the_head).findings[0].severity == "minor"
    assert weigh(store, "treetops", by_the_secretary).findings[0].severity == "moderate"
    assert judge("treetops", mail(OUTSIDER, [SAM], body=CHAIN)).sender == ""


def test_a_pattern_stays_in_shadow_until_there_are_enough(store: Store) -> None:
    def late(day: int) -> Verdict:
        sent = datetime(2026, 9, day, 20, 0, tzinfo=UTC)
        return verdict_of(
            "constellation",
            mail(JANE, [SAM], subject=f"Figures {day}", body="I need your figures tonight.", sent_at=sent),
        )

    for day in (7, 8, 9):
        weighed = weigh(store, "constellation", late(day))
        assert weighed.findings[0].shadow
        assert commit(store, weighed, NOW) == []  # no case, nobody told
    fourth = weigh(store, "constellation", late(10)).findings[0]
    assert not fourth.shadow
    assert fourth.reasons[-1] == "the message is number 4 of its kind within 28 days"


def test_a_private_subject_is_read_with_the_body_below_it() -> None:
    by_day = datetime(2026, 9, 7, 10, 0, tzinfo=UTC)

    def netball(body: str) -> Envelope:
        return mail(JANE, [OUTSIDER], subject="Netball on Saturday", body=body, sent_at=by_day)

    fixture = netball("Year 8 play at ten. Pupils meet at school by nine, the minibus leaves at a quarter past.")
    assert packs_that_find(fixture, "personal_use") == set()
    own = netball("Are you coming? I have told my sister we are six.")
    assert {"treetops", "cpps"} <= packs_that_find(own, "personal_use")


def test_crimes_stand_under_topics_that_accuse_nobody_wrongly() -> None:
    weed = "can get you an eighth of weed by friday, bring the money"
    pupil = "22bjones@northfield.elt.example"
    staff = mail(JANE, [SAM], subject="friday", body=weed)
    assert {item.topic for item in found("cpps", staff)} == {"threats"}
    child = mail(pupil, [SAM], subject="friday", body=weed)
    assert "safeguarding_concern" in {item.topic for item in found("cpps", child)}
    invoice = mail(JANE, [SAM], subject="Coach", body="I'll knock up a fake invoice for the coach and we split it.")
    assert {item.topic for item in found("constellation", invoice)} == {"impersonation"}


# --- packs and registers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", FIVE)
def test_every_answer_of_the_register_holds(slug: str) -> None:
    policy = pack(slug)
    assert unfounded(policy.register, policy.off, rulebook()) == []
    for clause in policy.register:
        for name in clause.tests:
            file, _, test = name.partition("::")
            text = (TESTS.parent / file).read_text("utf-8")
            assert re.search(rf"^def {test}\(", text, re.MULTILINE), f"{clause.id}: there is no {name}"


@pytest.mark.parametrize("slug", FIVE)
def test_every_clause_of_the_policy_is_answered_and_none_is_made_up(slug: str) -> None:
    table = TESTS.parents[1] / "shared" / "policies" / "clauses.csv"
    if not table.is_file():
        table = TESTS.parents[2] / "shared" / "policies" / "clauses.csv"
    if not table.is_file():
        pytest.skip("needs ../shared/policies/clauses.csv")
    with table.open(encoding="utf-8", newline="") as opened:
        wanted = {f"{slug}:{row['clause_id']}": row for row in csv.DictReader(opened) if row["policy"] == slug}
    assert [clause.id for clause in pack(slug).register] == list(wanted)
    for clause in pack(slug).register:
        assert clause.kind == wanted[clause.id]["enforceable"]
        assert clause.says.casefold().strip(" .") != wanted[clause.id]["quote"].casefold().strip(" ."), (
            "the words must be ours"
        )
    sums = counts(pack(slug).register)["all"]
    assert sum(sums.values()) == len(wanted)


@pytest.mark.parametrize("slug", FIVE)
def test_a_rule_that_answers_for_a_clause_flags_one_of_its_examples_under_the_very_pack(slug: str) -> None:
    here = regime(slug)
    silent = []
    for name in sorted({rule for clause in here.policy.register for rule in clause.rules}):
        rule = rulebook().rule(name)
        assert rule is not None
        alone = replace(here, rulebook=replace(here.rulebook, rules=(rule,)))
        flags = [example for example in rule.examples if example.must_flag]
        if not any(
            any(
                item.rule == name and not item.exempted_by
                for verdict in [inspect(envelope_of(each), Directory(cast()), alone, instruments())]
                for item in (*verdict.findings, *(one for one in verdict.pending if set(one.past) <= set(each.past)))
            )
            for each in flags
        ):
            silent.append(name)
    assert silent == []


def test_each_contradiction_is_settled_by_a_key() -> None:
    assert {number for key in KEYS.values() for number in key.settles} == set(range(1, 33))
    tested = {int(name[5:7]) for name in globals() if re.match(r"test_\d\d_", name)}
    assert tested == set(range(1, 33))


def test_a_pack_says_who_approved_it_and_when_it_is_due_for_review() -> None:
    assert pack("constellation").approved_by == "Trust Board"
    assert pack("cpps").approved_by == "governing board"
    assert [overdue(pack(slug), NOW) for slug in ("partnership", "cpps", "laat")] == [True, True, False]


def test_what_points_at_a_child_at_risk_goes_to_the_dsl_where_the_policy_names_one() -> None:
    envelope = mail(JANE, [SAM], subject="Worried", body="About a pupil.")
    roles = {
        slug: route(
            (*pack(slug).routes, *regime(slug).routing), "safeguarding_concern", "safeguarding", "severe", "internal", envelope,
            Directory(cast()),
        ).role
        for slug in SLUGS
    }  # fmt: skip
    assert roles == {
        "base": "dsl", "constellation": "dsl", "cpps": "dsl", "partnership": "dsl", "laat": "dsl", "treetops": "headteacher",
    }  # fmt: skip


def test_no_trusts_name_is_in_code() -> None:
    code = [path for folder in ("scanner", "detectors", "connectors") for path in (TESTS.parent / folder).rglob("*.py")]
    names = re.compile(r"\b(?:constellation|cpps|partnership trust|treetops|laat)\b", re.IGNORECASE)
    assert [path.name for path in code if names.search(path.read_text("utf-8"))] == []


def test_the_packs_keys_are_documented_in_one_table() -> None:
    readme = (RULES / "policies" / "README.md").read_text("utf-8")
    for name, key in KEYS.items():
        assert f"| `{name}` |" in readme
        assert key.says in readme


def test_a_mailbox_without_leave_is_looked_at_for_programs_and_never_for_words() -> None:
    """`malware_scan: always` judges this topic alone, so that a rule of it that read words would read without leave."""
    words = {
        (rule.id, label)
        for rule in rulebook().rules
        if rule.topic == "malware_executables"
        for label in rule.when.labels()
    }
    assert words == {("malware_executables", "macro_urged")}
