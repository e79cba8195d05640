"""Each condition of the closed list: what it must not answer yes to, then what it must."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from made_up import DIRECTORY, HEAD, JANE, SUPPLIER, hit, mail

from scanner.conditions import KEYS, Answer, KindIs, Near, Scene, Sharing, _sentence_ends, read_condition
from scanner.directory import Directory
from scanner.model import Direction, Envelope, Hit, Part, People, Protection, SegmentOwner, Share
from scanner.yaml_source import Reader, parse

OUTSIDER = mail(JANE, [SUPPLIER], subject="Order", body="Two boxes, please.")


def ask(
    text: str,
    *hits: Hit,
    envelope: Envelope = OUTSIDER,
    parts: tuple[Part, ...] = (),
    direction: Direction | None = None,
    owner: SegmentOwner = "sender",
    as_outbound: bool = False,
) -> Answer:
    """The answer of a condition, written as in a rule file, about one scene."""
    reader = Reader()
    condition = read_condition(reader, parse(text, "rule.yml"))
    reader.stop_if_wrong()
    way = direction or DIRECTORY.direction(envelope)
    return condition.ask(Scene(envelope, way, owner, hits, parts, DIRECTORY, as_outbound))


def holds(text: str, *hits: Hit, **scene: object) -> bool:
    answer = ask(text, *hits, **scene)  # type: ignore[arg-type]
    assert answer.holds or answer.reason, "a condition that does not hold must say why"
    assert answer.holds or not answer.hits
    return answer.holds


def attached(**more: object) -> Part:
    given: dict[str, object] = {
        "path": "attachment/1/a.pdf",
        "media_type": "application/pdf",
        "name": "a.pdf",
        "size": 100,
    }
    return Part(**{**given, **more})  # type: ignore[arg-type]


# --- direction and audience -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", get_args(Direction))
def test_direction_holds_for_the_named_ways_only(direction: Direction) -> None:
    others = [way for way in get_args(Direction) if way != direction]
    assert not holds(f"direction: [{', '.join(others)}]", direction=direction)
    assert holds(f"direction: [{direction}]", direction=direction)


@pytest.mark.parametrize(
    ("recipient", "kinds"),
    [
        (SUPPLIER, {"outside"}),
        ("jane.smith84@gmail.com", {"outside"}),
        ("doctor@nhs.net.example", {"trusted"}),
        ("rep@union.example", {"protected"}),
        ("sam.lee@elt.example", {"ours"}),
        ("gov.pat@gmail.com", {"ours"}),
    ],
)
def test_audience_holds_for_the_recipients_kind_only(recipient: str, kinds: set[str]) -> None:
    for kind in ("ours", "trusted", "protected", "outside"):
        assert holds(f"audience: [{kind}]", envelope=mail(JANE, [recipient])) is (kind in kinds)


def test_one_outsider_in_blind_copy_is_enough() -> None:
    inside = mail(JANE, [HEAD], cc=["sam.lee@elt.example"])
    assert not holds("audience: [outside]", envelope=inside)
    assert holds("audience: [outside]", envelope=mail(JANE, [HEAD], bcc=[SUPPLIER]))


def test_a_document_counts_as_open_to_an_outsider() -> None:
    document = Envelope(source="document", kind="document")
    assert not holds("audience: [ours, trusted, protected]", envelope=document)
    assert holds("audience: [outside]", envelope=document)


def test_as_outbound_makes_every_recipient_an_outsider() -> None:
    inside = mail(JANE, [HEAD])
    assert not holds("audience: [outside]", envelope=inside)
    assert holds("audience: [outside]", envelope=inside, as_outbound=True)
    assert not holds("audience: [ours]", envelope=inside, as_outbound=True)


# --- labels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("labels: {any: [nino]}", []),
        ("labels: {any: [nino]}", [hit("nhs")]),
        ("labels: {any: [nino]}", [hit("nino", confidence=0.74)]),
        ("labels: {any: [nino], confidence: 0.5}", [hit("nino", confidence=0.49)]),
        ("labels: {all: [nino, nhs]}", [hit("nino"), hit("nino", 20)]),
        ("labels: {all: [nino, nhs]}", [hit("nino"), hit("nhs", confidence=0.6)]),
        ("labels: {any: [nino], count: 3}", [hit("nino"), hit("nino", 20)]),
        ("labels: {any: [nino], subjects: 2}", [hit("nino", subject=1), hit("nino", 20, subject=1)]),
        ("labels: {any: [nino], subjects: 1}", [hit("nino")]),
        ("labels: {any: [nino], distinct: 2}", [hit("nino", value="AB"), hit("nino", 20, value="AB")]),
        ("labels: {any: [nino], parts: [attachment, subject]}", [hit("nino")]),
        ("labels: {any: [nino], parts: [attachment]}", [hit("nino", part="attachments"), hit("nino", part="document")]),
        ("labels: {any: [nino], all: [nhs]}", [hit("nhs")]),
        ("labels: {any: [nino], all: [nhs]}", [hit("nino")]),
    ],
)
def test_labels_stay_quiet_when_one_thing_is_missing(text: str, hits: list[Hit]) -> None:
    assert not holds(text, *hits)


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("labels: {any: [nino]}", [hit("nino", confidence=0.75)]),
        ("labels: {any: [nhs, nino]}", [hit("nino")]),
        ("labels: {any: [nino], confidence: 0}", [hit("nino", confidence=0.0)]),
        ("labels: {all: [nino, nhs]}", [hit("nino"), hit("nhs", 20)]),
        ("labels: {any: [nino], count: 3}", [hit("nino"), hit("nino", 20), hit("nino", 40)]),
        ("labels: {any: [nino, nhs], count: 2}", [hit("nino"), hit("nhs", 20)]),
        ("labels: {any: [nino], subjects: 2}", [hit("nino", subject=1), hit("nino", 20, subject=2)]),
        ("labels: {any: [nino], distinct: 2}", [hit("nino", value="AB"), hit("nino", 20, value="CD")]),
        ("labels: {any: [nino], parts: [attachment, subject]}", [hit("nino", part="attachment/2/a.txt")]),
        ("labels: {any: [nino], all: [nhs]}", [hit("nino"), hit("nhs", 20)]),
    ],
)
def test_labels_answer_with_the_hits_that_count(text: str, hits: list[Hit]) -> None:
    assert ask(text, *hits) == Answer(True, tuple(hits))


def test_hits_that_do_not_count_are_no_evidence() -> None:
    strong, weak, elsewhere = hit("nino"), hit("nino", 20, confidence=0.3), hit("nino", 40, part="subject")
    assert ask("labels: {any: [nino], parts: [body]}", strong, weak, elsewhere, hit("nhs", 60)).hits == (strong,)


# --- near -----------------------------------------------------------------------------------------------------------

NEAR = "near: {of: [person], to: [health], within: 100}"
ROW = "near: {of: [person], to: [health], within: 2000}"


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        (NEAR, [hit("person")]),
        (NEAR, [hit("health")]),
        (NEAR, [hit("person", 0), hit("health", 111)]),
        (NEAR, [hit("health", 0), hit("person", 111)]),
        (NEAR, [hit("person"), hit("health", 20, part="subject")]),
        (NEAR, [hit("person", confidence=0.49), hit("health", 20)]),
        (NEAR, [hit("person"), hit("health", 20, confidence=0.74)]),
        (ROW, [hit("person", row=(0, 1)), hit("health", 20, row=(0, 2))]),
        (ROW, [hit("person", row=(0, 1)), hit("health", 20, row=(1, 1))]),
        (ROW, [hit("person", row=(0, 1)), hit("health", 20, row=(0, 1), part="attachment/1/a.csv")]),
        (ROW, [hit("person", row=(0, 1)), hit("health", 20)]),
        (ROW, [hit("person"), hit("health", 20, row=(0, 1))]),
        ("near: {of: [person], to: [health], count: 2}", [hit("person"), hit("health", 20)]),
        (
            "near: {of: [person], to: [health], subjects: 2}",
            [hit("person", subject=1), hit("health", 20, subject=1), hit("person", 40, subject=1)],
        ),
        ("near: {of: [person], to: [health], subjects: 2}", [hit("person", subject=1), hit("health", 20, subject=2)]),
        ("near: {of: [nino], to: [nino]}", [hit("nino")]),
        ("near: {of: [nino], to: [nino]}", [hit("nino", row=(0, 1))]),
    ],
)
def test_near_stays_quiet_when_the_company_is_missing_or_too_far(text: str, hits: list[Hit]) -> None:
    assert not holds(text, *hits)


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        (NEAR, [hit("person", 0), hit("health", 110)]),
        (NEAR, [hit("health", 0), hit("person", 110)]),
        (NEAR, [hit("person", 0), hit("health", 5)]),
        ("near: {of: [person], to: [health], of_confidence: 0.2}", [hit("person", confidence=0.2), hit("health", 20)]),
        ("near: {of: [person], to: [health], to_confidence: 0.2}", [hit("person"), hit("health", 20, confidence=0.2)]),
        ("near: {of: [person], to: [health], within: 1}", [hit("person", row=(0, 3)), hit("health", 900, row=(0, 3))]),
        ("near: {of: [person], to: [health], count: 2}", [hit("person"), hit("health", 20), hit("person", 40)]),
        (
            "near: {of: [person], to: [health], subjects: 2}",
            [hit("person", subject=1), hit("health", 20), hit("person", 40, subject=2)],
        ),
        ("near: {of: [nino], to: [nino]}", [hit("nino"), hit("nino", 20)]),
    ],
)
def test_near_holds_at_the_edge_and_within_a_row(text: str, hits: list[Hit]) -> None:
    answer = ask(text, *hits)
    assert answer.holds
    assert set(answer.hits) == set(hits)


@pytest.mark.parametrize(
    ("between", "ends"), [(" and has ", 0), (", Dr. ", 0), (". She has ", 1), ("\n\n", 1), ("! Ah? No. ", 3)]
)
def test_sentence_ends_between_two_hits_are_counted_in_either_order(between: str, ends: int) -> None:
    text = "Ava" + between + "asthma"
    name, fact = Hit("person", 0, 3, "Ava", 0.9), Hit("health", 3 + len(between), len(text), "x", 0.9)
    assert _sentence_ends(text, name, fact) == _sentence_ends(text, fact, name) == ends


def test_near_is_the_same_whatever_the_order_of_the_hits() -> None:
    hits = [hit("health", 500), hit("person", 450), hit("person", 0), hit("health", 2_000), hit("person", 2_050)]
    forwards, backwards = ask(NEAR, *hits), ask(NEAR, *reversed(hits))
    assert set(forwards.hits) == set(backwards.hits) == {hits[0], hits[1], hits[3], hits[4]}


def test_a_crowd_of_hits_in_rows_does_not_hide_the_neighbour_in_the_text() -> None:
    crowd = [hit("health", number, row=(0, number)) for number in range(200)]
    person, neighbour = hit("person", 205), hit("health", 220)
    assert set(ask("near: {of: [person], to: [health]}", *crowd, person, neighbour).hits) == {person, neighbour}


@pytest.mark.parametrize("row", [None, (0, 0)])
def test_near_looks_at_a_bounded_number_of_neighbours(row: tuple[int, int] | None) -> None:
    looked_at = 0

    class Counted(Hit):
        def __getattribute__(self, name: str) -> object:
            nonlocal looked_at
            looked_at += name == "end"
            return super().__getattribute__(name)

    hits = tuple(
        Counted(label, start, start + 10, "", 0.9, part="body", row=row)
        for start in range(1_000)
        for label in ("person", "health")
    )
    scene = Scene(OUTSIDER, "outbound", "sender", hits, (), DIRECTORY)
    assert Near(("person",), ("health",), within=2_000).ask(scene).holds
    assert looked_at < 60 * len(hits)


def test_near_knows_around_which_hits_a_name_matters() -> None:
    def matters(text: str) -> list[tuple[set[str], float, int]]:
        needs = read_condition(Reader(), parse(text, "rule.yml")).names_near()
        return [(set(need.labels), need.confidence, need.count) for need in needs]

    assert matters("near: {of: [nino], to: [health]}") == []
    assert matters("none: [{near: {of: [person], to: [health]}}]") == []
    assert matters("near: {of: [person, staff_name], to: [health, sen]}") == [({"health", "sen"}, 0.75, 1)]
    assert matters("near: {of: [staff_name], to: [health], to_confidence: 0.5, to_count: 3}") == [({"health"}, 0.5, 3)]
    assert matters("near: {of: [nino], to: [person], of_confidence: 0.6}") == [({"nino"}, 0.6, 1)]
    assert matters("any: [{near: {of: [person], to: [sen]}}, {all: [{near: {of: [person], to: [nhs]}}]}]") == [
        ({"sen"}, 0.75, 1),
        ({"nhs"}, 0.75, 1),
    ]
    (need,) = read_condition(
        Reader(), parse("near: {of: [person], to: [health], within: 120, sentences: 2}", "rule.yml")
    ).names_near()
    assert (need.within, need.sentences) == (120, 2)


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("direction: [internal]", False),
        ("audience: [trusted]", False),
        ("recipients: {at_least: 2}", False),
        ("subject: {empty: true}", False),
        ("sender_role: [pupil]", False),
        ("recipient_role: [contact]", False),
        ("all: [{labels: {any: [nino]}}, {direction: [internal]}]", False),
        ("any: [{direction: [internal]}, {subject: {empty: true}}]", False),
        ("labels: {any: [nino]}", True),
        ("near: {of: [person], to: [health]}", True),
        ("protection: {grades: [weak]}", True),
        ("file: {disguised: true}", True),
        ("direction: [outbound]", True),
        ("none: [{direction: [outbound]}]", True),
        ("any: [{direction: [internal]}, {labels: {any: [nino]}}]", True),
    ],
)
def test_only_what_the_envelope_rules_out_is_impossible_before_reading(text: str, possible: bool) -> None:
    condition = read_condition(Reader(), parse(text, "rule.yml"))
    assert condition.possible(Scene(OUTSIDER, "outbound", "sender", (), (), DIRECTORY)) is possible


@pytest.mark.parametrize(
    ("text", "useful"),
    [
        ("labels: {any: [nino]}", {"nino"}),
        ("all: [{labels: {any: [nino]}}, {direction: [internal]}]", None),
        ("any: [{all: [{labels: {any: [nino]}}, {direction: [internal]}]}, {sender_role: [pupil]}]", None),
        ("direction: [outbound]", set()),
        ("all: [{labels: {any: [nino]}}, {direction: [outbound]}]", {"nino"}),
        (
            "any: [{all: [{labels: {any: [nino]}}, {direction: [internal]}]}, {near: {of: [nhs], to: [sen]}}]",
            {"nhs", "sen"},
        ),
        ("all: [{labels: {any: [nino]}}, {none: [{labels: {any: [nhs]}}]}]", {"nino", "nhs"}),
    ],
)
def test_labels_are_useful_only_where_the_envelope_leaves_their_branch_possible(
    text: str, useful: set[str] | None
) -> None:
    condition = read_condition(Reader(), parse(text, "rule.yml"))
    assert condition.useful(Scene(OUTSIDER, "outbound", "sender", (), (), DIRECTORY)) == useful


# --- protection, files, recipients, subject -------------------------------------------------------------------------


def test_protection_holds_for_the_named_grades_only() -> None:
    weak = attached(protection=Protection("weak", "ZipCrypto", False))
    assert not holds("protection: {grades: [weak]}", parts=())
    assert not holds("protection: {grades: [weak]}", parts=(attached(), attached(protection=Protection("strong"))))
    answer = ask("protection: {grades: [weak, unknown]}", parts=(attached(), weak))
    assert answer.holds
    assert [(item.label, item.part, item.reasons) for item in answer.hits] == [
        ("protection", weak.path, ("ZipCrypto",))
    ]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("file: {types: [image/png]}", attached()),
        ("file: {types: ['application/x-*']}", attached()),
        ("file: {extensions: [exe]}", attached(name="report.exe.pdf")),
        ("file: {extensions: [exe]}", attached(name="annexe")),
        ("file: {disguised: true}", attached()),
        ("file: {disguised: false}", attached(disguised=True)),
        ("file: {types: [application/pdf], disguised: true}", attached()),
        ("file: {above: 100}", attached()),
        ("file: {types: [application/pdf]}", attached(inline=True)),
        ("file: {types: [text/plain]}", attached(path="body", media_type="text/plain")),
    ],
)
def test_file_stays_quiet_about_other_files(text: str, part: Part) -> None:
    assert not holds(text, parts=(part,))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("file: {types: [application/pdf]}", attached()),
        ("file: {types: ['application/*']}", attached(media_type="Application/PDF")),
        ("file: {extensions: [.EXE]}", attached(name="setup.Exe")),
        ("file: {types: [image/png], extensions: [pdf]}", attached()),
        ("file: {disguised: true}", attached(disguised=True)),
        ("file: {above: 99}", attached()),
        ("file: {types: [application/pdf]}", attached(path="document")),
    ],
)
def test_file_holds_for_such_a_file_and_names_its_part(text: str, part: Part) -> None:
    answer = ask(text, parts=(attached(path="attachment/9/other", media_type="x/y", name="", size=1), part))
    assert answer.holds
    assert [item.part for item in answer.hits] == [part.path]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("recipients: {at_least: 5}", False),
        ("recipients: {at_most: 3}", False),
        ("recipients: {at_least: 3, kind: outside}", False),
        ("recipients: {at_least: 2, kind: outside, visible: true}", False),
        ("recipients: {at_least: 4, visible: true}", False),
        ("recipients: {at_least: 4}", True),
        ("recipients: {at_most: 4}", True),
        ("recipients: {at_least: 2, kind: outside}", True),
        ("recipients: {at_least: 1, at_most: 1, kind: outside, visible: true}", True),
        ("recipients: {at_most: 0, kind: trusted}", True),
    ],
)
def test_recipients_are_counted_by_kind_and_by_who_can_be_seen(text: str, expected: bool) -> None:
    envelope = mail(JANE, [SUPPLIER, "gov.pat@gmail.com"], cc=["sam.lee@elt.example"], bcc=["other@printco.example"])
    assert holds(text, envelope=envelope) is expected


@pytest.mark.parametrize(
    ("subject", "empty"),
    [
        ("Order", False),
        ("Re: Order", False),
        ("Re", False),
        ("Report: ", False),
        ("", True),
        ("   ", True),
        ("Re:", True),
        ("RE: Fw: ", True),
        ("AW:WG:", True),
    ],
)
def test_a_subject_of_reply_marks_alone_is_empty(subject: str, empty: bool) -> None:
    envelope = mail(JANE, [SUPPLIER], subject=subject)
    assert holds("subject: {empty: true}", envelope=envelope) is empty
    assert holds("subject: {empty: false}", envelope=envelope) is not empty


# --- roles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "role"),
    [
        (SUPPLIER, None),
        ("jane.smith84@gmail.com", None),
        ("pat.jones@gmail.com", None),
        (JANE, "staff"),
        ("office@elt.example", "shared"),
        ("22bjones@northfield.elt.example", "pupil"),
        ("gov.pat@gmail.com", "governor"),
    ],
)
def test_a_role_is_the_directorys_word_about_the_very_address(address: str, role: str | None) -> None:
    for asked in ("staff", "pupil", "governor", "contractor", "shared"):
        assert holds(f"sender_role: [{asked}]", envelope=mail(address)) is (asked == role)
        assert holds(f"recipient_role: [{asked}]", envelope=mail(JANE, [SUPPLIER, address])) is (asked == role)


def test_a_parent_is_a_contact_and_a_stranger_or_a_mail_without_sender_is_nothing() -> None:
    assert not holds("recipient_role: [contact]", envelope=mail(JANE, [SUPPLIER, "gov.pat@gmail.com"]))
    assert not holds("sender_role: [staff]", envelope=mail(""))
    assert holds("recipient_role: [pupil, contact]", envelope=mail(JANE, [SUPPLIER], cc=["pat.jones@gmail.com"]))


# --- all, any, none -------------------------------------------------------------------------------------------------

YES, NO = "{labels: {any: [nino]}}", "{labels: {any: [nhs]}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"all: [{YES}, {NO}]", False),
        (f"all: [{NO}]", False),
        (f"any: [{NO}, {NO}]", False),
        (f"none: [{NO}, {YES}]", False),
        (f"{{labels: {{any: [nino]}}, none: [{YES}]}}", False),
        (f"all: [{YES}, {YES}]", True),
        (f"any: [{NO}, {YES}]", True),
        (f"none: [{NO}]", True),
        (f"all: [{YES}, {{any: [{NO}, {{none: [{NO}]}}]}}]", True),
    ],
)
def test_conditions_combine(text: str, expected: bool) -> None:
    assert holds(text, hit("nino")) is expected


def test_all_and_any_keep_the_evidence_of_all_that_hold_and_none_gives_none() -> None:
    nino, nhs = hit("nino"), hit("nhs", 20)
    assert ask("all: [{labels: {any: [nino]}}, {labels: {any: [nhs]}}]", nino, nhs).hits == (nino, nhs)
    assert ask("any: [{labels: {any: [nino]}}, {labels: {any: [sen]}}, {labels: {any: [nhs]}}]", nino, nhs).hits == (
        nino,
        nhs,
    )
    assert ask("none: [{labels: {any: [sen]}}]", nino).hits == ()


def test_the_first_missing_thing_of_a_list_is_the_reason() -> None:
    answer = ask("all: [{labels: {any: [nino]}}, {direction: [internal]}]", hit("nino"))
    assert answer.reason == "the direction is outbound, not internal"


def test_every_key_of_the_language_is_documented() -> None:
    assert all(key.says for key in KEYS.values())
    assert all(says for key in KEYS.values() for says in key.settings.values())


def test_near_can_ask_for_several_hits_of_the_other_side() -> None:
    def hold(phones: int) -> bool:
        people = [
            Hit("person", 40 * number, 40 * number + 9, f"P {number}", 0.8, part="body", subject=number)
            for number in range(3)
        ]
        numbers = [Hit("phone", 40 * number + 15, 40 * number + 26, "0", 0.8, part="body") for number in range(phones)]
        scene = Scene(OUTSIDER, "outbound", "sender", tuple(people + numbers), (), DIRECTORY)
        return Near(("person",), ("phone",), count=3, subjects=3, to_count=3).ask(scene).holds

    assert hold(3)
    assert not hold(2)


# --- who can open a document, and what kind of item it is -------------------------------------------------------------


def test_sharing_asks_who_can_open_a_document() -> None:
    directory = Directory(People(domains=("elt.example",), trusted_domains=("nhs.net.example",)))
    empty = Scene(Envelope(source="document", kind="document"), "stored", "sender", (), (), directory)

    def open_to(*shares: Share) -> Scene:
        return replace(empty, envelope=replace(empty.envelope, audience=shares))

    nurse, parent = Share("person", "a@nhs.net.example"), Share("person", "p@outside.example", may_edit=True)
    assert not Sharing(("anyone", "outside")).ask(empty).holds
    assert not Sharing(("anyone", "outside")).ask(open_to()).holds
    assert not Sharing(("anyone", "outside")).ask(open_to(nurse, Share("organisation"), Share("unknown"))).holds
    assert Sharing(("trusted",)).ask(open_to(nurse)).holds
    assert Sharing(("outside",)).ask(open_to(nurse, parent)).holds
    assert Sharing(("anyone",)).ask(open_to(Share("anyone"))).holds
    assert not Sharing(("anyone",)).ask(open_to(parent)).holds
    assert Sharing(("outside",), edit=True).ask(open_to(parent)).holds
    assert not Sharing(("outside",), edit=False).ask(open_to(parent)).holds
    assert not Sharing(("outside",), ends=True).ask(open_to(parent)).holds
    assert open_to(nurse).audience == {"trusted"}
    assert open_to().audience == {"ours"}
    assert empty.audience == {"outside"}
    assert KindIs(("document",)).ask(empty).holds
    assert not KindIs(("message", "mailbox_rule")).ask(empty).holds


def test_what_alternatives_miss_is_said_once_each_and_with_or() -> None:
    answer = ask("any: [{direction: inbound}, {direction: inbound}, {direction: stored}]", direction="internal")
    assert answer.reason == "the direction is internal, not inbound; or the direction is internal, not stored"
