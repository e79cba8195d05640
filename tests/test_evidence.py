"""Masks show what contract section 2 allows and not a character more; fingerprints are keyed; nothing prints a value."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from made_up import KEY, hit

from scanner.evidence import (
    DOT,
    GROUPS_SHOWN,
    FingerprintKey,
    evidence_of,
    fact_of,
    mask,
    place_of,
    places_words,
    span_of,
    strength,
)
from scanner.model import Evidence, Hit

NUMBERS = (
    "nino", "temporary_nino", "nhs", "chi", "upn", "uln", "uci", "candidate_number", "trn", "dbs_certificate", "utr", "vat",
    "uk_passport", "brp", "driving_licence", "sort_code_account", "iban", "payment_card", "phone", "vrn", "ip_address",
    "elector_number", "crime_reference", "pnc_id", "case_number", "urn_school", "laestab",
)  # fmt: skip
SILENT = (
    "password", "login_secret", "file_password", "health", "sen", "safeguarding", "ethnicity", "religion", "sexual_orientation",
    "union", "criminal", "care_status", "behaviour", "payroll", "profanity", "sexual", "threat", "harassment", "discrimination",
    "private_contact", "chain_letter", "class_list", "confidential", "a_label_of_tomorrow",
)  # fmt: skip
ANY_VALUE = st.text(max_size=60)
IDENTIFIER = st.text(st.sampled_from("ABCDEFGHJKLMNPRSTXYZ0123456789 -./"), min_size=1, max_size=40)


def masked(label: str, value: str, confidence: float = 0.9) -> str:
    return mask(hit(label, value=value or " ", confidence=confidence))


# --- masks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "value", "shown"),
    [
        ("nhs", "943 476 5919", "••••••••19"),
        ("nino", "AB 12 34 56 C", "•••••••6C"),
        ("nino", "A1B2", "••••••"),
        ("vrn", "AB1", "••••••"),
        ("person", "Jane Smith", "J.S."),
        ("person", "smith, jane", "S.J."),
        ("person", "Anne-Marie O'Neill", "A.M.O.N."),
        ("person", "1 2", "••••"),
        ("staff_name", "Hilary Moss", "H.M."),
        ("date_of_birth", "04/03/2014", "•••• 2014"),
        ("date_of_birth", "4 March 2014", "•••• 2014"),
        ("date_of_birth", "2014-03-04", "•••• 2014"),
        ("date_of_birth", "04/03/14", "••••••"),
        ("date_of_birth", "20/12/2013", "•••• 2013"),
        ("date_of_birth", "04032014", "••••••"),
        ("date_of_birth", "11192014", "••••••"),
        ("date_of_birth", "20140319", "••••••"),
        ("address", "12 High Street, Northfield, NF12 4AB", "NF••••"),
        ("address", "12 High Street, Northfield", "••••••"),
        ("postcode", "b1 1aa", "B••••"),
        ("email", "pat.jones@gmail.com", "p••••@gmail.com"),
        ("email", "not an address", "••••••"),
        ("address_self", "jane.smith84@gmail.com", "j••••@gmail.com"),
        ("password", "Winter2026!", "password, high"),
        ("health", "asthma", "health, high"),
        ("sexual_orientation", "a word", "sexual orientation, high"),
    ],
)
def test_a_mask_shows_what_the_contract_says(label: str, value: str, shown: str) -> None:
    assert masked(label, value) == shown


@given(st.sampled_from(NUMBERS), st.one_of(ANY_VALUE, IDENTIFIER))
def test_of_a_number_no_more_than_the_last_two_characters_are_shown(label: str, value: str) -> None:
    shown = masked(label, value)
    plain = re.sub(r"[\W_]+", "", value)
    rest = shown.lstrip(DOT)
    assert rest == "" or (rest == plain[-2:] and len(plain) > 4)
    assert len(shown) - len(rest) >= 4


@given(st.sampled_from(SILENT), st.floats(0, 1), ANY_VALUE)
@example("password", 0.9, "high")
def test_of_secrets_special_categories_and_language_nothing_but_label_and_strength_is_shown(
    label: str, confidence: float, value: str
) -> None:
    shown = masked(label, value, confidence)
    assert shown == masked(label, "something else", confidence)
    assert shown == f"{label.replace('_', ' ')}, {strength(confidence)}"


@given(st.sampled_from(["person", "staff_name"]), ANY_VALUE)
@example("person", "ß")
@example("person", "ﬃ Smith")
@example("person", "Smith\u2028Jane")
def test_of_a_person_only_initials_are_shown(label: str, value: str) -> None:
    shown = masked(label, value)
    if shown != DOT * 4:
        initials = shown.split(".")
        assert initials.pop() == ""
        assert len(initials) <= 4
        assert all(len(initial) == 1 for initial in initials)
        # No two initials are neighbours in the name: each begins a word of its own.
        words = [word for word in re.split(r"[\s,.'’-]+", value) if word]
        assert len(initials) <= len(words)


@given(st.dates(), st.sampled_from(["%d/%m/%Y", "%d.%m.%y", "%Y-%m-%d", "%d %B %Y", "%-d/%-m/%Y", "%d%m%Y", "%Y%m%d"]))
def test_of_a_birth_date_only_the_year_is_shown(born: object, form: str) -> None:
    shown = masked("date_of_birth", format(born, form))
    year = format(born, "%Y")
    assert shown in (f"{DOT * 4} {year}", DOT * 6)


@given(st.sampled_from(["address", "postcode"]), st.one_of(ANY_VALUE, IDENTIFIER))
@example("postcode", "SW1A1AA")
def test_of_a_place_only_the_postcode_area_is_shown(label: str, value: str) -> None:
    assert re.fullmatch(rf"[A-Z]{{1,2}}{DOT}{{4}}|{DOT}{{6}}", masked(label, value))


@given(st.sampled_from(["email", "address_self", "address_colleague"]), st.emails())
def test_of_a_mail_address_only_the_first_letter_and_the_domain_are_shown(label: str, value: str) -> None:
    local, _, domain = value.rpartition("@")
    assert masked(label, value) == f"{local[0]}{DOT * 4}@{domain}"


@pytest.mark.parametrize(
    ("confidence", "word"),
    [(0.0, "low"), (0.49, "low"), (0.5, "medium"), (0.74, "medium"), (0.75, "high"), (1.0, "high")],
)
def test_strength_has_the_three_bands_of_the_contract(confidence: float, word: str) -> None:
    assert strength(confidence) == word


# --- fingerprints ---------------------------------------------------------------------------------------------------


@given(ANY_VALUE)
@example("\ud800")
def test_a_fingerprint_tells_nothing_without_the_key(value: str) -> None:
    one, other = FingerprintKey(1, b"a" * 32), FingerprintKey(1, b"b" * 32)
    assert re.fullmatch(r"1:[0-9a-f]{32}", one.fingerprint("nhs", value))
    assert one.fingerprint("nhs", value) == one.fingerprint("nhs", value)
    assert one.fingerprint("nhs", value) != other.fingerprint("nhs", value)
    assert one.fingerprint("nhs", value) != one.fingerprint("uln", value)


def test_a_fingerprint_is_of_the_value_and_not_of_how_it_is_written() -> None:
    assert KEY.fingerprint("nhs", "943 476 5919") != KEY.fingerprint("nhs", "943 476 5918")
    assert KEY.fingerprint("nhs", "943 476 5919") == KEY.fingerprint("nhs", "943-476-5919")
    assert KEY.fingerprint("nino", "ab 12 34 56 c") == KEY.fingerprint("nino", "AB123456C")


def test_a_fingerprint_says_with_which_key_it_was_made() -> None:
    assert FingerprintKey(7, b"k" * 32).fingerprint("nhs", "1").startswith("7:")


@given(st.text("abcdef0123456789", min_size=8, max_size=64))
def test_no_key_and_no_value_is_in_any_repr(secret: str) -> None:
    key = FingerprintKey(3, secret.encode())
    seen = hit("password", value=secret)
    for thing in (key, seen, [seen], {"key": key}, evidence_of([seen], key), fact_of(seen, 0, key)):
        assert secret not in repr(thing)
        assert secret not in str(thing)
    assert repr(key) == "FingerprintKey(number=3)"


# --- evidence and facts ---------------------------------------------------------------------------------------------


def test_evidence_is_a_line_for_each_label_and_part_with_the_strongest_hit_shown() -> None:
    hits = [
        hit("nhs", 40, value="943 476 5919", confidence=0.6),
        hit("nhs", 0, value="943 476 5870", confidence=0.95),
        hit("nhs", 0, value="943 476 5870", confidence=0.95),
        hit("nhs", 0, value="943 476 5919", part="attachment/1/a.csv"),
        hit("health", 80, value="asthma"),
    ]
    assert evidence_of(hits, KEY) == (
        Evidence("nhs", "attachment/1/a.csv", "••••••••19", 1, 0.9, KEY.fingerprint("nhs", "9434765919")),
        Evidence("health", "body", "health, high", 1, 0.9, KEY.fingerprint("health", "asthma")),
        Evidence("nhs", "body", "••••••••70", 2, 0.95, KEY.fingerprint("nhs", "9434765870")),
    )


def test_a_hit_without_a_value_has_no_fingerprint() -> None:
    (line,) = evidence_of([Hit("file", 0, 0, "", 0.9, part="attachment/1/a.exe")], KEY)
    assert line.fingerprint == ""


def test_evidence_of_hundreds_of_parts_stays_a_page() -> None:
    hits = [hit("nhs", part=f"attachment/{number}/a.csv") for number in range(500)]
    assert len(evidence_of(hits, KEY)) == GROUPS_SHOWN


@given(st.sampled_from((*NUMBERS, *SILENT, "person", "email", "address", "date_of_birth")), IDENTIFIER)
@example("nhs", "943 476 5919")
def test_no_evidence_and_no_fact_holds_a_value_of_more_than_a_few_characters(label: str, value: str) -> None:
    seen = hit(label, value=value)
    shown = repr((evidence_of([seen], KEY), fact_of(seen, 0, KEY))).casefold()
    plain = re.sub(r"[\W_]+", "", value).casefold()
    if len(plain) >= 9:
        assert value.casefold() not in shown
        assert plain not in re.sub(r"[\W_]+", "", shown)


@pytest.mark.parametrize(("gap", "bucket"), [(-5, 0), (0, 0), (1, 1), (3, 2), (100, 7), (127, 7), (128, 8)])
def test_a_fact_keeps_a_bucket_of_the_distance_and_never_the_place(gap: int, bucket: int) -> None:
    fact = fact_of(hit("nhs", 1_000, row=(2, 7), subject=3, part="attachment/1/a.csv"), 1_000 - gap, KEY)
    assert (fact.distance, fact.row, fact.subject, fact.part_kind) == (bucket, 7, 3, "attachment")


# --- places ---------------------------------------------------------------------------------------------------------

TEXT = "Dear all,\n\nThe trip is on Friday. You will regret it, Mr. Moss! Bring a coat.\nYours, J.\n"


def test_a_sentence_is_named_by_line_and_number_and_found_again_by_them() -> None:
    threat = TEXT.index("You will")
    assert place_of(TEXT, threat) == (3, 2)
    start, end = span_of(TEXT, (3, 2)) or (0, 0)
    assert TEXT[start:end].strip() == "You will regret it, Mr. Moss!"
    # A line of one sentence needs no second number.
    assert place_of(TEXT, TEXT.index("Yours")) == (4, 0)
    assert span_of(TEXT, (4, 0)) == (TEXT.index("Yours"), len(TEXT) - 1)
    assert places_words(((3, 2), (4, 0))) == "line 3, sentence 2; line 4"


def test_a_place_that_is_not_there_is_none() -> None:
    assert span_of(TEXT, (99, 0)) is None
    assert span_of(TEXT, (3, 9)) is None
    assert span_of("", (2, 0)) is None


@given(st.text(alphabet="ab.!? \n", max_size=80), st.integers(0, 80))
def test_every_character_lies_in_the_place_that_it_is_said_to_lie_in(text: str, position: int) -> None:
    if position >= len(text):
        return
    span = span_of(text, place_of(text, position))
    assert span is not None
    start, end = span
    assert start <= position <= end
    assert "\n" not in text[start:end]


def test_only_what_a_mask_does_not_show_has_a_place_and_a_few_are_enough() -> None:
    body = "\n".join(f"{number} awful" for number in range(40))
    seen = [
        Hit("reads_as_threat", body.index(f"{number} awful"), body.index(f"{number} awful") + 7, "", 0.6, part="body")
        for number in range(30)
    ]
    numbers = [Hit("nino", 0, 3, "AB123456C", 0.9, part="body")]
    told = {line.label: line.places for line in evidence_of([*seen, *numbers], KEY, {"body": body})}
    assert told["nino"] == ()
    assert told["reads_as_threat"] == ((1, 0), (2, 0), (3, 0), (4, 0), (5, 0))
    assert all(line.places == () for line in evidence_of(seen, KEY))
