"""Values are planted wherever a mail can hold one; after a real inspection none of them is in anything that leaves it."""

from __future__ import annotations

import io
import logging
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import openpyxl
import pytest
from made_up import KEY, SHIPPED, mail
from rich.console import Console

import detectors
from connectors.people_file import load_people
from scanner.directory import Directory
from scanner.extract import Limits, read
from scanner.inspection import Instruments, Regime, Silence, inspect
from scanner.policy import load_policy
from scanner.ports import Detectors, RawItem
from scanner.report import Line, Summary, as_csv, as_html, as_json, print_line, print_summary
from scanner.routing import load_routing
from scanner.rulebook import load_rulebook

# Invented people; numbers from the ranges and examples that are kept free for such use.
PLANTED = {
    "number": ("QQ 12 34 56 C", "AB123456C", "943 476 5919", "9434765870"),
    "birth date": ("04/03/2014", "19 November 2013"),
    "telephone": ("07700 900123", "01632 960456"),
    "address": ("17 Orchard Lane", "LS1 4AB"),
    "mail address": ("callum.reid@pupils.example", "tina.oakes@mail.example"),
    "secret": ("Winter-Term-88", "Zebra!Crossing9"),
    "condition": ("epilepsy", "leukaemia", "rehab"),
    "bank": ("GB82 WEST 1234 5698 7654 32", "4111 1111 1111 1111"),
    "insult": ("wanker",),
}
NAMES = ("Callum", "Reid", "Tina", "Oakes", "Leila", "Haddad", "Amira", "Khan")

BODY = """Hello,

Callum Reid, date of birth 04/03/2014, NHS number 943 476 5919, lives at 17 Orchard Lane, Leeds LS1 4AB and has epilepsy.
His mum Tina Oakes (07700 900123, tina.oakes@mail.example) is in rehab; the other number is 01632 960456.
Leila Haddad was born on 19 November 2013. Her National Insurance number is AB123456C, the old one was QQ 12 34 56 C.
Pay into GB82 WEST 1234 5698 7654 32 or by card 4111 1111 1111 1111.
Log in with user callum.reid@pupils.example, password: Winter-Term-88. The zip opens with the password Zebra!Crossing9.
What a wanker he was about it.

Jane
"""


def workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Callum Reid"
    for row in (
        ("Name", "NHS", "Medical"),
        ("Amira Khan", "9434765870", "leukaemia"),
        ("Leila Haddad", "943 476 5919", "epilepsy"),
    ):
        sheet.append(row)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("Amira Khan leukaemia.txt", "Amira Khan, NHS number 9434765870, has leukaemia.")
        made.writestr("Callum_Reid_9434765919.bin", b"\x00\x01\x02\x03 AB123456C")
    return packed.getvalue()


SHEET = b"Name,NHS,Medical\nAmira Khan,9434765870,leukaemia\nCallum Reid,943 476 5919,epilepsy\nLeila Haddad,,asthma\n"
FULL = replace(
    mail(
        "jane.smith@elt.example",
        ["hello@rugbyclub.example"],
        subject="Callum Reid: NHS number 943 476 5919, epilepsy",
        body=BODY,
        files=[
            ("list.xlsx", workbook()),
            ("Callum Reid NHS 943 476 5919.csv", SHEET),
            ("Leila_Haddad_epilepsy.zip", archive()),
            ("AB123456C.pdf", b"%PDF-1.4 broken AB123456C"),
            ("unknown.bin", b"\x00\x01\x02 AB123456C"),
        ],
    ),
    headers=(("Subject", "Callum Reid"), ("X-Note", "AB123456C"), ("Thread-Topic", "epilepsy")),
)
TO_PRIVATE = mail(
    "jane.smith@elt.example",
    ["jane.smith84@gmail.com"],
    subject="Year 9: Callum Reid",
    body="Marking and assessment of Callum Reid, who has epilepsy. NHS number 943 476 5919. Text me on 07700 900123.",
)


@pytest.fixture(scope="module")
def built() -> Detectors:
    return detectors.load()


@pytest.fixture(scope="module")
def lines(built: Detectors) -> list[Line]:
    rulebook = load_rulebook(SHIPPED, built.labels)
    regime = Regime(rulebook, load_policy(SHIPPED, "base", rulebook), load_routing(SHIPPED))
    directory = Directory(load_people(SHIPPED / "examples.people.yml"))
    instruments = Instruments(built, Limits(), KEY)
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    logging.getLogger().addHandler(handler)
    before = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    made = []
    try:
        for number, envelope in enumerate((FULL, TO_PRIVATE)):
            silences: list[Silence] = []
            verdict = inspect(envelope, directory, regime, instruments, silences=silences)
            made.append(Line(f"mail/{number}.eml", verdict, tuple(silences)))
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(before)
    assert leaks(logged.getvalue()) == []
    return made


def leaks(text: str) -> list[str]:
    """What of the planted is in `text`, however it is spaced, cased or escaped."""
    plain = re.sub(r"[\W_]+", "", text).casefold()
    found = [
        f"{kind}: {value}"
        for kind, values in PLANTED.items()
        for value in values
        if re.sub(r"[\W_]+", "", value).casefold() in plain
    ]
    # A name as a word of its own, or in one word with another.
    return found + [f"name: {name}" for name in NAMES if re.search(rf"{name}(?![a-z])", text)]


def outputs(made: list[Line]) -> Iterator[tuple[str, str]]:
    summary = Summary()
    for line in made:
        summary.add(line)
    console = Console(file=io.StringIO(), width=200, soft_wrap=True)
    for line in made:
        print_line(console, line)
    print_summary(console, summary)
    yield "table", console.file.getvalue()  # type: ignore[attr-defined]
    yield "jsonl", "\n".join(as_json(line) for line in made)
    yield "csv", "\n".join(as_csv(made))
    yield "html", as_html(made, summary, "Report", datetime(2026, 9, 7, tzinfo=UTC))
    yield "repr", repr(made)
    yield "str", "\n".join(str(line.verdict) for line in made)
    yield "words", summary.words()


def test_the_search_finds_what_is_planted() -> None:
    everything = BODY + str(FULL.blobs) + FULL.subject + "leukaemia Amira Khan"
    assert leaks("The contract says nothing of the kind; ready to read on.") == []
    assert len(leaks(everything)) == sum(map(len, PLANTED.values())) - 1 + len(NAMES)  # 943… is written in one way only
    assert leaks("callum_reid") == []
    assert leaks("CallumReid@x: 94-34-76-59-19")


def test_the_inspection_saw_what_is_planted(lines: list[Line]) -> None:
    """Without this the rest would prove nothing."""
    full, private = (line.verdict for line in lines)
    assert {
        "nhs",
        "nino",
        "person",
        "date_of_birth",
        "health",
        "phone",
        "email",
        "payment_card",
        "iban",
        "postcode",
    } <= {fact.label for fact in full.facts}
    assert {"personal_data", "inappropriate_language", "credentials_in_mail"} <= {item.topic for item in full.findings}
    assert {"personal_data", "personal_address"} <= {item.topic for item in private.findings}
    places = {line.part for item in full.findings for line in item.evidence} | {item.part for item in full.problems}
    assert {
        "subject",
        "body",
        "attachment/1/list.xlsx",
        "attachment/2/[name withheld].csv",
        "attachment/4/[name withheld].pdf",
    } <= places
    assert any(place.startswith("attachment/3/[name withheld].zip/[name withheld].txt") for place in places)
    assert any(place.startswith("attachment/3/[name withheld].zip/[name withheld].bin") for place in places)


def test_no_planted_value_is_in_any_output(lines: list[Line]) -> None:
    for kind, text in outputs(lines):
        assert leaks(text) == [], kind
        assert kind == "words" or "personal_data" in text or "personal data" in text, f"{kind} is empty"


def test_a_mask_shows_and_the_rest_is_dots(lines: list[Line]) -> None:
    masks = {
        line.label: line.mask for item in lines[0].verdict.findings for line in item.evidence if line.part == "body"
    }
    assert masks["nhs"] == "••••••••19"
    assert masks["nino"] == "•••••••6C"
    assert masks["person"] in ("C.R.", "T.O.", "L.H.")
    assert masks["health"].startswith("health, ")


def test_what_was_read_keeps_quiet_in_a_log_line() -> None:
    reading = read(replace(FULL, blobs=FULL.blobs[:1]), Limits())
    assert any("943 476 5919" in part.text for part in reading.parts)
    for thing in (
        replace(FULL, blobs=()),
        FULL.bodies,
        FULL.blobs[0],
        reading,
        reading.parts[1],
        RawItem(BODY.encode(), "x"),
    ):
        assert leaks(repr(thing)) == []


def test_hits_keep_quiet_in_a_log_line(built: Detectors) -> None:
    hits = built.content(BODY)
    assert {"nhs", "person", "password"} & {hit.label for hit in hits}
    assert any("943 476 5919" in hit.value or "9434765919" in hit.value for hit in hits)
    assert leaks(repr(hits)) == []
    assert leaks("\n".join(reason for hit in hits for reason in hit.reasons)) == []
