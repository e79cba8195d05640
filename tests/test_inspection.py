"""The heart with detectors that see what the test tells them to: what counts, what is withheld, and what one finding is."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from made_up import (
    DIRECTORY,
    GOOD,
    JANE,
    KEY,
    SHIPPED,
    SUPPLIER,
    TRUST,
    WordDetectors,
    hit,
    locked_zip,
    mail,
    rules_with,
)

from scanner.directory import Directory
from scanner.extract import Limits
from scanner.inspection import HitCache, Instruments, Regime, Silence, envelope_of, inspect, nearness, prove
from scanner.model import Blob, Body, Envelope, Finding, Hit, People, Person, Verdict
from scanner.policy import load_policy
from scanner.routing import load_routing
from scanner.rulebook import load_rulebook

WORDS = {
    "nino": r"\bQQ\d{6}[A-D]\b",
    "nhs": r"\b943\d{7}\b",
    "health": r"\basthma\b",
    "person": r"\b(?:Ava|Ben|Jane|J\.|Hilary|Pat|Amira) ?(?:Reid|Jones|Smith|Moss|Khan)?\b",
    "email": r"[\w.]+@[\w.]+",
    "phone": r"01632 960 ?\d{3}",
}
NUMBER = GOOD.replace("owner: dpo", "owner: dpo\nowners: [sender, forwarded, quoted]")
NAMED = NUMBER.replace("{any: [nino]}", "{any: [person], confidence: 0.5}")


def rule(text: str, **changes: str) -> str:
    for key, value in changes.items():
        old = next(line for line in text.splitlines() if line.startswith(f"{key}:"))
        text = text.replace(old, f"{key}: {value}")
    return text


class House:
    """Rules written for one test, with the shipped routing and a pack of its own."""

    def __init__(self, folder: Path, pack: str = "", **rules: str) -> None:
        made = rules_with(folder, **rules)
        shutil.copy(SHIPPED / "routing.yml", made)
        (made / "policies").mkdir()
        (made / "policies" / "base.yml").write_text(
            "title: t\nsource: s\nscan_mode: routine\nclauses: {personal_data: [{id: '1', says: x}]}\n" + pack
        )
        rulebook = load_rulebook(made)
        self.regime = Regime(rulebook, load_policy(made, "base", rulebook), load_routing(made))
        self.detectors = WordDetectors(WORDS)
        self.instruments = Instruments(self.detectors, Limits(), KEY)

    def judge(self, envelope: Envelope, directory: Directory = DIRECTORY, **more: object) -> Verdict:
        instruments = more.pop("instruments", self.instruments)
        return inspect(envelope, directory, self.regime, instruments, **more)  # type: ignore[arg-type]


def one(verdict: Verdict) -> Finding:
    (finding,) = verdict.findings
    return finding


def seen_in(verdict: Verdict) -> list[str]:
    """The labels of what was seen; those that begin with @ speak of envelope and files."""
    return [fact.label for fact in verdict.facts if not fact.label.startswith("@")]


def shown(finding: Finding) -> list[tuple[str, str, int]]:
    return [(line.label, line.part, line.count) for line in finding.evidence]


# --- one finding ----------------------------------------------------------------------------------------------------


def test_a_mail_without_a_hit_has_no_finding(tmp_path: Path) -> None:
    verdict = House(tmp_path, number=NUMBER).judge(mail(subject="Order", body="Two boxes of paper, please."))
    assert verdict.findings == ()
    assert verdict.complete
    assert verdict.parts == 2


def test_several_rules_of_a_topic_make_one_finding_led_by_the_severest(tmp_path: Path) -> None:
    house = House(
        tmp_path,
        number=NUMBER,
        illness=rule(NUMBER, severity="severe", title="Illness").replace("[nino]", "[health]"),
        another=NUMBER.replace("[nino]", "[nhs]"),
    )
    finding = one(house.judge(mail(body="QQ123456C and 9434765919 and asthma")))
    assert (finding.rule, finding.title, finding.severity) == ("illness", "Illness", "severe")
    assert shown(finding) == [("health", "body", 1), ("nhs", "body", 1), ("nino", "body", 1)]
    assert "rules that agree: another, illness, number" in finding.reasons
    assert finding.clauses == ("base:1",)


def test_different_topics_are_different_findings_severest_first(tmp_path: Path) -> None:
    house = House(
        tmp_path,
        number=NUMBER,
        illness=rule(NUMBER, topic="confidential_info", severity="severe").replace("[nino]", "[health]"),
    )
    verdict = house.judge(mail(body="QQ123456C asthma"))
    assert [finding.topic for finding in verdict.findings] == ["confidential_info", "personal_data"]
    assert len({finding.key for finding in verdict.findings}) == 2


QUOTED = (
    "Mine is QQ111111C.\n\nOn Monday, Sam Lee <sam.lee@elt.example> wrote:\n> Hers is QQ222222C.\n> And QQ333333C.\n"
)


def test_the_words_of_each_owner_are_a_finding_of_their_own(tmp_path: Path) -> None:
    verdict = House(tmp_path, number=NUMBER).judge(mail(body=QUOTED))
    assert {finding.owner: shown(finding) for finding in verdict.findings} == {
        "sender": [("nino", "body", 1)],
        "quoted": [("nino", "body", 2)],
    }
    assert len({finding.key for finding in verdict.findings}) == 2


def test_a_rule_about_the_senders_words_is_quiet_about_quoted_ones(tmp_path: Path) -> None:
    house = House(tmp_path, number=GOOD)
    assert house.judge(mail(body=QUOTED.replace("QQ111111C", "safe"))).findings == ()
    assert shown(one(house.judge(mail(body=QUOTED)))) == [("nino", "body", 1)]


def test_a_rule_without_hits_of_that_owner_says_nothing_about_quoted_words(tmp_path: Path) -> None:
    outbound = NUMBER.replace("labels: {any: [nino]}", "direction: [outbound]")
    verdict = House(tmp_path, number=outbound).judge(mail(body=QUOTED))
    assert [finding.owner for finding in verdict.findings] == ["sender"]


def test_a_raise_lifts_the_severity_and_the_pack_has_the_last_word(tmp_path: Path) -> None:
    lifted = NUMBER.replace("when:", "raise:\n  - {severity: severe, when: {labels: {any: [nino], count: 2}}}\nwhen:")
    house = House(tmp_path / "1", number=lifted)
    assert one(house.judge(mail(body="QQ111111C"))).severity == "moderate"
    assert one(house.judge(mail(body="QQ111111C QQ222222C"))).severity == "severe"
    strict = House(tmp_path / "2", "topics: {personal_data: {severity: minor}}\n", number=lifted)
    assert one(strict.judge(mail(body="QQ111111C QQ222222C"))).severity == "minor"


def test_a_rule_that_is_off_or_switched_off_by_the_pack_is_silent(tmp_path: Path) -> None:
    body = mail(body="QQ111111C 9434765919")
    rules = {"number": NUMBER, "health_number": NUMBER.replace("[nino]", "[nhs]")}
    assert (
        one(House(tmp_path / "1", **{**rules, "number": NUMBER + "state: off\n"}).judge(body)).rule == "health_number"
    )
    assert (
        one(House(tmp_path / "2", "rules: [{id: number, state: off}]\n", **rules).judge(body)).rule == "health_number"
    )
    assert House(tmp_path / "3", "topics: {personal_data: {state: off}}\n", **rules).judge(body).findings == ()


def test_a_rule_in_shadow_makes_a_finding_of_its_own_and_does_not_change_the_others(tmp_path: Path) -> None:
    shadow = rule(NUMBER, severity="severe").replace("[nino]", "[nhs]") + "state: shadow\n"
    verdict = House(tmp_path, number=NUMBER, shade=shadow).judge(mail(body="QQ111111C 9434765919"))
    by_shadow = {finding.shadow: finding for finding in verdict.findings}
    assert (by_shadow[False].rule, by_shadow[False].severity) == ("number", "moderate")
    assert shown(by_shadow[False]) == [("nino", "body", 1)]
    assert (by_shadow[True].rule, shown(by_shadow[True])) == ("shade", [("nhs", "body", 1)])


def test_independent_kinds_of_evidence_add_up_and_repetition_does_not(tmp_path: Path) -> None:
    either = NUMBER.replace("[nino]", "[nino, nhs]").replace("]}\nex", "], confidence: 0.5}\nex")
    house = House(tmp_path, number=either)
    house.instruments = replace(house.instruments, detectors=WordDetectors(WORDS, confidence=0.6))
    assert one(house.judge(mail(body="QQ111111C"))).confidence == 0.6
    assert one(house.judge(mail(body="QQ111111C QQ222222C QQ333333C"))).confidence == 0.6
    assert one(house.judge(mail(body="QQ111111C 9434765919"))).confidence == 0.84


def test_a_finding_explains_itself_and_the_quiet_rules_too(tmp_path: Path) -> None:
    house = House(tmp_path, number=NUMBER, illness=GOOD.replace("[nino]", "[health]"))
    silences: list[Silence] = []
    verdict = house.judge(mail(body="QQ111111C QQ222222C"), silences=silences)
    assert one(verdict).reasons == ("National Insurance number (2 times): a word of the test",)
    wish = "no health of confidence 0.75 or more"
    assert silences == [Silence("illness", "sender", wish, met=0, needed=1, missing=(wish,))]


# --- whose secret it is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "envelope",
    [
        mail(body="Kind regards, Jane Smith"),
        mail(body="Jane"),
        mail("nobody.known@printco.example", [JANE], name="Ava Reid", body="Ava Reid here. Ava."),
        mail(to=["pat.jones@gmail.com"], body="Dear Pat Jones"),
        mail(to=["pat.jones@gmail.com"], body="Ben Jones"),
        mail(to=["pat.jones@gmail.com", "head@elt.example"], body="Ben Jones"),
        mail(body="J. Smith"),
        mail(to=["Ava Reid <ava@printco.example>"], body="Dear Ava Reid"),
        mail(to=["jane.smith84@gmail.com"], sender="office@elt.example", body="To Jane Smith"),
        mail(to=["gov.pat@gmail.com", "head@elt.example"], body="Hilary  Moss"),
    ],
)
def test_the_names_of_sender_and_recipients_are_nobodys_secret(envelope: Envelope, tmp_path: Path) -> None:
    verdict = House(tmp_path, named=NAMED).judge(envelope)
    assert verdict.findings == ()
    assert set(seen_in(verdict)) <= {"email"}


@pytest.mark.parametrize(
    ("envelope", "count"),
    [
        (mail(body="Ava Reid"), 1),
        (mail(body="Jane Jones"), 1),
        (mail(body="Ben"), 1),
        (mail(to=["pat.jones@gmail.com"], body="Amira Khan"), 1),
        (mail(to=["pat.jones@gmail.com", "ava@printco.example"], body="Ben Jones"), 1),
        (mail(to=["Ava Reid <ava@printco.example>"], body="Ben Jones and Ava Reid"), 1),
    ],
)
def test_the_names_of_others_count(envelope: Envelope, count: int, tmp_path: Path) -> None:
    finding = one(House(tmp_path, named=NAMED).judge(envelope))
    assert shown(finding) == [("person", "body", count)]


def test_a_colleagues_name_is_a_staff_name_and_no_private_person(tmp_path: Path) -> None:
    verdict = House(tmp_path, named=NAMED).judge(mail(body="Hilary Moss is in today."))
    assert verdict.findings == ()
    assert seen_in(verdict) == ["staff_name"]


def test_a_pupil_in_the_directory_stays_a_person(tmp_path: Path) -> None:
    assert shown(one(House(tmp_path, named=NAMED).judge(mail(body="Ben Jones is ill.")))) == [("person", "body", 1)]


def test_the_parties_own_addresses_and_what_the_trust_publishes_are_left_out(tmp_path: Path) -> None:
    contact = NUMBER.replace("[nino]", "[email, phone]")
    house = House(tmp_path, contact=contact)
    body = f"Write to {JANE.title()} or {SUPPLIER}, or ring 01632 960000."
    assert house.judge(mail(body=body)).findings == ()
    finding = one(house.judge(mail(body=f"{body} Not ava.reid@mail.example or 01632 960123.")))
    assert shown(finding) == [("email", "body", 1), ("phone", "body", 1)]


# --- how many people ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "people"),
    [
        ("QQ111111C", 1),
        ("QQ111111C QQ111111C", 1),
        ("QQ111111C 9434765919", 2),
        ("Ava Reid QQ111111C 9434765919", 1),
        ("Ava Reid QQ111111C. Ava Reid 9434765919.", 1),
        ("Ava Reid QQ111111C. Later Ava said 9434765919.", 1),
        ("Ava Reid QQ111111C. Ben Jones 9434765919.", 2),
        ("Ava Reid QQ111111C." + " and so on" * 60 + " 9434765919", 2),
    ],
)
def test_people_are_counted_and_not_hits(body: str, people: int, tmp_path: Path) -> None:
    house = House(tmp_path, number=NUMBER.replace("[nino]", "[nino, nhs]"))
    assert one(house.judge(mail(body=body))).subjects == people


@pytest.mark.parametrize(("body", "people"), [("Ava Reid has asthma.", 1), ("All is well.", 1)])
def test_a_sign_in_the_headers_is_about_nobody_else_than_the_words_name(tmp_path: Path, body: str, people: int) -> None:
    both = NUMBER.replace("{any: [nino]}", "{any: [person, health, wrong_family]}").replace(
        "[nino]", "[person, health, wrong_family]"
    )
    house = House(tmp_path, number=both)
    house.detectors = replace(
        house.detectors, about_message=(Hit("wrong_family", 0, 0, "x@y.example", 0.9, part="headers"),)
    )
    house.instruments = Instruments(house.detectors, Limits(), KEY)
    assert one(house.judge(mail(body=body))).subjects == people


def test_conduct_concerns_no_data_subjects(tmp_path: Path) -> None:
    house = House(tmp_path, number=NUMBER.replace("category: personal_data", "category: conduct"))
    assert one(house.judge(mail(body="QQ111111C. QQ222222C"))).subjects == 0


def test_each_row_of_a_list_is_a_person(tmp_path: Path) -> None:
    sheet = b"Row,NI,Health number\n1,QQ111111C,9434765919\n2,QQ222222C,9434765870\n3,QQ333333C,\n"
    house = House(tmp_path, number=NUMBER.replace("[nino]", "[nino, nhs]"))
    finding = one(house.judge(mail(files=[("list.csv", sheet)])))
    assert finding.subjects == 3
    assert shown(finding) == [("nhs", "attachment/1/list.csv", 2), ("nino", "attachment/1/list.csv", 3)]


# --- names of files that tell ---------------------------------------------------------------------------------------


def test_a_harmless_file_name_is_shown(tmp_path: Path) -> None:
    house = House(tmp_path, number=NUMBER)
    verdict = house.judge(mail(files=[("order list 2026.txt", b"QQ111111C")]))
    assert shown(one(verdict)) == [("nino", "attachment/1/order list 2026.txt", 1)]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("QQ111111C.txt", "attachment/1/[name withheld].txt"),
        ("Ava_Reid_asthma.txt", "attachment/1/[name withheld].txt"),
        ("report Ava+Reid final.docx", "attachment/1/[name withheld].docx"),
        ("9434765919", "attachment/1/[name withheld]"),
        ("plan.9434765919", "attachment/1/[name withheld]"),
        ("QQ111111C.Ava Reid", "attachment/1/[name withheld]"),
    ],
)
def test_a_telling_file_name_is_withheld_everywhere_and_counts_as_evidence(
    name: str, path: str, tmp_path: Path
) -> None:
    house = House(tmp_path, number=NUMBER.replace("[nino]", "[nino, nhs, health, person]"))
    for content in (b"plain words", b"\x00\x01\x02\x03unknown"):
        verdict = house.judge(mail(files=[(name, content)]))
        finding = one(verdict)
        assert {line.part for line in finding.evidence} == {path}
        assert any("in the file's name" in reason for reason in finding.reasons)
        assert {problem.part for problem in verdict.problems} <= {path}
        everything = repr(verdict)
        for told in ("QQ111111C", "9434765919", "Ava", "Reid", "943476591"):
            assert told not in everything


def test_two_withheld_names_in_one_archive_stay_two_parts(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("Ava Reid.txt", "QQ111111C")
        archive.writestr("Ben Jones.txt", "asthma")
    near = GOOD.replace("labels: {any: [nino]}", "near: {of: [nino], to: [health]}")
    verdict = House(tmp_path, near=near).judge(mail(files=[("both.zip", packed.getvalue())]))
    assert verdict.findings == (), "what stands in two files is not near one another"


def test_names_inside_a_stored_archive_are_withheld_too(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("Ava Reid.txt", "QQ111111C")
    document = Envelope(source="document", kind="document", blobs=(Blob("list.zip", "", packed.getvalue()),))
    verdict = House(tmp_path, number=NUMBER).judge(document)
    assert one(verdict).evidence[0].label == "nino"
    assert "Ava" not in repr(verdict)


# --- copies and the cache -------------------------------------------------------------------------------------------


def test_copies_of_a_message_have_one_hash_and_one_key(tmp_path: Path) -> None:
    house = House(tmp_path, number=NUMBER)
    first = mail(body="Dear all,\nQQ111111C\n", subject="List", files=[("a.txt", b"QQ222222C")])
    copies = [
        replace(first, internet_id="<other@elt.example>", mailbox="sam.lee@elt.example", provider_id="x"),
        replace(first, sent_at=datetime(2026, 9, 7, 10, 0, 59, tzinfo=UTC)),
        replace(first, headers=(("Received", "by another way"),)),
        replace(first, bodies=(Body("text/plain", "Dear all,\r\n\r\nQQ111111C   \r\n"),)),
    ]
    verdict = house.judge(first)
    for copy in copies:
        other = house.judge(copy)
        assert other.content_hash == verdict.content_hash
        assert [finding.key for finding in other.findings] == [finding.key for finding in verdict.findings]


def test_another_message_has_another_hash_and_another_key(tmp_path: Path) -> None:
    house = House(tmp_path, number=NUMBER)
    first = mail(body="QQ111111C", subject="List", files=[("a.txt", b"QQ222222C")])
    assert first.sent_at is not None
    others = [
        replace(first, subject="Lists"),
        replace(first, from_=mail("sam.lee@elt.example").from_),
        replace(first, sent_at=first.sent_at + timedelta(minutes=1)),
        replace(first, bodies=(Body("text/plain", "QQ111111D"),)),
        replace(first, blobs=(Blob("a.txt", "", b"QQ222222D"),)),
    ]
    seen = {house.judge(envelope).content_hash for envelope in (first, *others)}
    assert len(seen) == 6
    assert len({one(house.judge(envelope)).key for envelope in (first, *others)}) == 6


def test_the_same_words_are_searched_once_and_judged_the_same(tmp_path: Path) -> None:
    house = House(tmp_path, number=NUMBER)
    envelope = mail(subject="List", body=QUOTED, files=[("a.txt", b"QQ444444C"), ("a.csv", b"a,b\nQQ555555C,x\n")])
    fresh = house.judge(envelope)
    house.detectors.texts.clear()
    assert house.judge(envelope) == fresh
    assert [text for text in house.detectors.texts if "QQ111111C" in text or "QQ444444C" in text] == []
    assert house.judge(envelope, instruments=replace(house.instruments, cache=HitCache())) == fresh


def test_dear_labels_are_looked_for_only_where_a_rule_could_use_them(tmp_path: Path) -> None:
    inside = NUMBER.replace("when:\n", "when:\n  direction: [internal]\n", 1).replace("[nino]", "[health]")
    house = House(tmp_path, number=NUMBER, inside=inside)
    tools = replace(house.instruments, detectors=replace(house.detectors, on_demand=frozenset({"health", "sen"})))
    outbound, internal = mail(body="asthma"), mail(body="asthma", to=(JANE,))
    for envelope, wanted, deep in (
        (outbound, frozenset(), False),
        (internal, frozenset({"health"}), False),
        (outbound, None, True),
    ):
        tools.detectors.wanted.clear()  # type: ignore[attr-defined]
        house.judge(envelope, instruments=replace(tools, deep=deep))
        # The body's words are the same, and what was not looked for in one mail is not taken for absent in the next.
        assert tools.detectors.wanted[-1] == wanted  # type: ignore[attr-defined]


def test_the_cache_does_not_outlive_the_people_it_was_filled_for(tmp_path: Path) -> None:
    class Knowing(WordDetectors):
        def content(self, text: str, tables: object = (), *, people: People | None = None, **rest: object) -> list:  # type: ignore[type-arg]
            names = [person.name for person in people.people if person.role == "pupil"] if people else []
            return [hit("person", text.index(name), value=name) for name in names if name in text]

    house = House(tmp_path, named=NAMED)
    instruments = Instruments(Knowing(WORDS), Limits(), KEY)
    newcomer = Directory(
        replace(TRUST, people=(*TRUST.people, Person("z@elt.example", "Zed Young", "pupil")), version="2")
    )
    envelope = mail(body="About Zed Young.")
    assert house.judge(envelope, instruments=instruments).findings == ()
    assert len(house.judge(envelope, newcomer, instruments=instruments).findings) == 1
    assert house.judge(envelope, instruments=instruments).findings == ()


# --- what was not read ----------------------------------------------------------------------------------------------


def test_protected_correspondence_is_sealed_before_a_part_is_opened(tmp_path: Path) -> None:
    house = House(tmp_path, number=NUMBER)
    opened: list[str] = []
    for envelope in (
        mail(to=["rep@union.example"], subject="QQ111111C", body="QQ111111C"),
        mail("rep@union.example", [JANE], subject="QQ111111C", body="QQ111111C"),
        mail(to=[SUPPLIER], bcc=["advice@law.example"], body="QQ111111C"),
        mail(reply_to="rep@union.example", body="QQ111111C"),
    ):
        verdict = house.judge(envelope, opening=opened.append)
        assert (verdict.findings, verdict.facts, verdict.message_id) == ((), (), "")
        assert [(problem.kind, problem.read) for problem in verdict.problems] == [("skipped", "none")]
        assert verdict.complete
    assert opened == []
    assert house.detectors.texts == []


def test_a_part_that_cannot_be_read_makes_the_verdict_incomplete_and_the_rest_is_judged(tmp_path: Path) -> None:
    verdict = House(tmp_path, number=NUMBER).judge(mail(body="QQ111111C", files=[("a.bin", b"\x00\x01\x02\x03")]))
    assert not verdict.complete
    assert [(problem.part, problem.kind) for problem in verdict.problems] == [("attachment/1/a.bin", "unsupported")]
    assert shown(one(verdict)) == [("nino", "body", 1)]


def test_a_locked_part_is_counted_apart_and_leaves_complete(tmp_path: Path) -> None:
    example = next(
        example
        for example in load_rulebook(SHIPPED).rule("weak_protection").examples  # type: ignore[union-attr]
        if example.must_flag
    )
    verdict = House(tmp_path, number=NUMBER).judge(envelope_of(example))
    assert verdict.unread_protected >= 1
    assert verdict.complete
    assert {problem.kind for problem in verdict.problems} == {"encrypted"}


def test_a_part_that_is_set_aside_is_a_problem_and_is_not_searched(tmp_path: Path) -> None:
    house = House(tmp_path, number=NUMBER)
    envelope = mail(body="QQ111111C", files=[("a.txt", b"QQ222222C")])
    verdict = house.judge(envelope, set_aside={"attachment/1/a.txt": "timed_out"})
    assert [(problem.part, problem.kind) for problem in verdict.problems] == [("attachment/1/a.txt", "timed_out")]
    assert shown(one(verdict)) == [("nino", "body", 1)]
    assert not any("QQ222222C" in text for text in house.detectors.texts)


def test_each_part_is_announced_before_it_is_searched(tmp_path: Path) -> None:
    house = House(tmp_path, number=NUMBER)
    opened: list[str] = []
    house.judge(mail(subject="List", body="words", files=[("Ava Reid.txt", b"words")]), opening=opened.append)
    assert opened == ["subject", "body", "attachment/1/Ava Reid.txt"] * 2


@pytest.mark.parametrize(
    ("kind", "words"),
    [("message", "a word of the same message"), ("document", "a word of the same file or of its name")],
)
def test_a_lock_is_said_to_open_with_what_there_is(tmp_path: Path, kind: str, words: str) -> None:
    """A single document is no message: the word stood in what lies open beside the lock, in the same archive."""
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("locked.zip", locked_zip("Quartz-Larch-88", "list.txt", b"QQ111111C"))
        archive.writestr("note.txt", "The password is Quartz-Larch-88.")
    if kind == "document":
        whole = Envelope(source="document", kind="document", blobs=(Blob("a.zip", "", outer.getvalue()),))
    else:
        whole = mail(body="See attached.", files=[("a.zip", outer.getvalue())])
    (finding,) = House(tmp_path, number=NUMBER).judge(whole).findings
    assert f"lay behind a lock that opens with {words}" in finding.reasons


@pytest.mark.parametrize("left_out", ["windows_dropped", "texts_cut"])
def test_what_the_budget_left_out_is_a_problem(tmp_path: Path, left_out: str) -> None:
    class Hurried(WordDetectors):
        def content(self, text: str, *rest: object, budget: object = None, **more: object) -> list:  # type: ignore[type-arg]
            assert budget is not None
            setattr(budget, left_out, 2)
            return []

    verdict = House(tmp_path, number=NUMBER).judge(
        mail(body="words"), instruments=Instruments(Hurried(WORDS), Limits(), KEY)
    )
    assert not verdict.complete
    assert [(problem.kind, problem.read) for problem in verdict.problems] == [("budget", "part")]


# --- directions -----------------------------------------------------------------------------------------------------


def test_as_outbound_judges_an_internal_mail_as_sent_to_strangers(tmp_path: Path) -> None:
    outside = NUMBER.replace(
        "labels: {any: [nino]}", "direction: [outbound]\n  audience: [outside]\n  labels: {any: [nino]}"
    )
    house = House(tmp_path, number=outside)
    inside = mail(to=["sam.lee@elt.example"], body="QQ111111C")
    assert house.judge(inside).findings == ()
    verdict = house.judge(inside, instruments=replace(house.instruments, as_outbound=True))
    assert (verdict.direction, len(verdict.findings)) == ("outbound", 1)


def test_facts_hold_no_text_and_no_value(tmp_path: Path) -> None:
    verdict = House(tmp_path, number=NUMBER).judge(
        mail(body="Ava Reid QQ111111C asthma", files=[("a.txt", b"QQ222222C")])
    )
    assert seen_in(verdict) == ["nino", "person", "nino", "health"]
    for told in ("Ava", "Reid", "QQ111111C", "QQ222222C", "asthma"):
        assert told not in repr(verdict)
        assert told not in json.dumps([fact.fingerprint for fact in verdict.facts])


# --- examples -------------------------------------------------------------------------------------------------------


def test_an_example_becomes_the_mail_it_describes(tmp_path: Path) -> None:
    body = (
        "body: B, cc: [a@b.example], bcc: [c@d.example], sender: Eve <eve@elt.example>, subject: S, "
        'attachments: [{name: l.csv, rows: [[a, "b,c"]]}]'
    )
    book = load_rulebook(rules_with(tmp_path, number=GOOD.replace("body: No number.", body)))
    envelope = envelope_of(book.rules[0].examples[1])
    assert [(item.kind, item.address) for item in envelope.recipients] == [
        ("to", SUPPLIER),
        ("cc", "a@b.example"),
        ("bcc", "c@d.example"),
    ]
    assert envelope.sender is not None
    assert (envelope.sender.name, envelope.sender.address) == ("Eve", "eve@elt.example")
    assert (envelope.subject, envelope.bodies[0].text, envelope.blobs[0].data) == ("S", "B", b'a,"b,c"\r\n')


def test_a_rule_that_fails_its_own_examples_is_named_with_the_place_and_the_reason(tmp_path: Path) -> None:
    right = NUMBER.replace("body: The number.", "body: QQ111111C")
    house = House(
        tmp_path,
        right=right,
        misses=NUMBER.replace("topic: personal_data", "topic: phishing"),
        flags=right.replace("body: No number.", "body: QQ222222C").replace("topic: personal_data", "topic: gambling"),
        asleep=NUMBER.replace("body: The number.", "body: QQ111111C") + "state: off\n",
    )
    number, failures = prove(DIRECTORY, house.regime, house.instruments)
    assert number == 8
    assert [(item.rule, item.must_flag, item.reason) for item in failures] == [
        ("flags", False, "it was flagged"),
        ("misses", True, "no nino of confidence 0.75 or more"),
    ]
    assert failures[1].place.startswith("rules/detect/misses.yml:")
    assert prove(DIRECTORY, house.regime, house.instruments, frozenset({"right"})) == (2, ())


def test_a_rule_is_proved_even_where_the_pack_switches_it_off(tmp_path: Path) -> None:
    other = NUMBER.replace("topic: personal_data", "topic: phishing")
    house = House(tmp_path, "rules: [{id: misses, state: off}]\n", misses=NUMBER, other=other)
    assert {item.rule for item in prove(DIRECTORY, house.regime, house.instruments)[1]} == {"misses", "other"}


# --- what is not judged ---------------------------------------------------------------------------------------------


def test_mail_of_somebody_whom_the_policy_does_not_bind_says_so(tmp_path: Path) -> None:
    house = House(tmp_path, "covers: [staff]\n", number=NUMBER)
    pupil = Person("lee@elt.example", "Lee Park", "pupil")
    directory = Directory(People(domains=("elt.example",), people=(Person(JANE, "Jane Smith", "staff"), pupil)))
    envelope = mail(body="QQ123456C")
    theirs = replace(envelope, from_=replace(envelope.from_, address=pupil.email))
    verdict = house.judge(theirs, directory)
    assert verdict.not_judged == "the policy does not bind the sender (pupil)"
    assert verdict.findings == ()
    assert verdict.complete
    for bound in (envelope, replace(envelope, from_=replace(envelope.from_, address="nobody.known@elt.example"))):
        judged = house.judge(bound, directory)
        assert judged.not_judged == ""
        assert judged.findings
    # Who pressed the button decides, not whose name it went out under.
    assert house.judge(replace(theirs, sender=envelope.from_), directory).not_judged == ""


def test_what_an_authorisation_leaves_out_and_what_is_sealed_is_not_judged_either(tmp_path: Path) -> None:
    house = House(tmp_path, number=NUMBER)
    narrow = house.judge(mail(body="QQ123456C"), only_topics=frozenset({"gambling"}))
    assert narrow.not_judged == "no authorisation in force covers more than gambling"
    sealed = Directory(People(domains=("elt.example",), protected=(SUPPLIER,)))
    assert house.judge(mail(), sealed).not_judged == "protected correspondence: sealed, not read"


def test_a_sentence_that_was_judged_as_a_whole_is_named_by_its_place_and_never_quoted(tmp_path: Path) -> None:
    house = House(tmp_path, number=NUMBER.replace("[nino]", "[reads_as_threat]"))
    house.instruments = replace(house.instruments, detectors=WordDetectors({"reads_as_threat": "you will pay"}))
    finding = one(house.judge(mail(body="Hello.\n\nThat is it. Wait, you will pay.\n")))
    assert finding.evidence[0].places == ((3, 2),)
    assert any("(body line 3, sentence 2)" in reason for reason in finding.reasons)
    assert "will pay" not in repr(finding)


def test_the_nearest_miss_is_the_one_of_which_something_telling_is_there(tmp_path: Path) -> None:
    """That a mail goes outside and names somebody is no sign of gambling, however many of such conditions hold."""

    def asks(*conditions: str) -> str:
        listed = "".join(f"\n    - {condition}" for condition in conditions)
        return re.sub(r"(?ms)^when:.*?(?=^\S)", f"when:\n  all:{listed}\n", NUMBER)

    anybody = "labels: {any: [person], confidence: 0.5}"
    house = House(
        tmp_path,
        any_mail=asks("direction: [outbound]", "audience: [outside]", anybody, "labels: {any: [health]}"),
        too_few=asks("direction: [outbound]", "labels: {any: [nhs], count: 2}"),
        inbound=asks("direction: [inbound]", "labels: {any: [nhs]}"),
    )
    silences: list[Silence] = []
    house.judge(mail(body="Ben Jones 9434765919"), silences=silences)
    own = sorted((item for item in silences if item.owner == "sender"), key=nearness)
    assert [(item.rule, item.told) for item in own] == [("inbound", 1.0), ("too_few", 0.5), ("any_mail", 0.0)]
    assert own[-1].met / own[-1].needed > own[0].met / own[0].needed  # by share alone it would come first


def test_under_a_flat_pack_the_gravest_rule_by_its_own_word_gives_the_title(tmp_path: Path) -> None:
    """Everything is severe there, and the first name in the alphabet is no reason to lead."""
    house = House(
        tmp_path,
        "ladder: flat\n",
        a_trifle=rule(NUMBER, severity="minor", title="A trifle"),
        grave=rule(NUMBER, severity="severe", title="Grave").replace("[nino]", "[nhs]"),
    )
    finding = one(house.judge(mail(body="QQ123456C 9434765919")))
    assert (finding.title, finding.rule, finding.severity) == ("Grave", "grave", "severe")
