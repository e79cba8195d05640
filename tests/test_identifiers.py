"""The arithmetic of the identifiers, against published values and against one change in any place."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path

import pytest
from bench.vectors import FOUND, REPORTED, VECTORS, confidence
from bench.vectors import vectors as published
from hypothesis import given, settings
from hypothesis import strategies as st

import detectors
from detectors.base import PatternDetector, Reading
from detectors.email_address import _NO_MAILBOX, WrittenOutAddress
from detectors.iban import Iban
from detectors.nhs import NhsNumber, OldNhsNumber, residue
from detectors.passport import Passport
from detectors.payment_card import PaymentCard, luhn
from detectors.uci import UniqueCandidateIdentifier
from detectors.uln import UniqueLearnerNumber
from detectors.upn import UniquePupilNumber
from detectors.utr import UniqueTaxpayerReference

SURE = 0.5


def reading(detector: PatternDetector, text: str) -> Reading | None:
    for pattern in detector.patterns:
        match = re.search(pattern, text)
        if match is not None:
            return detector.read(match)
    return None


def passes(detector: PatternDetector, text: str) -> bool:
    """The value's own check is right, whatever stands around it."""
    seen = reading(detector, text)
    return seen is not None and max(seen.ladder) > SURE


@pytest.mark.parametrize(
    ("detector", "value"),
    [
        (NhsNumber(), "9434765919"),
        (UniqueLearnerNumber(), "9276308686"),
        (PaymentCard(), "4242424242424242"),
        (UniquePupilNumber(), "B801200005001"),
        (UniqueCandidateIdentifier(), "681990012058G"),
        (Iban(), "GB82WEST12345698765432"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, PatternDetector) else "",
)
def test_one_wrong_digit_anywhere_is_noticed(detector: PatternDetector, value: str) -> None:
    assert passes(detector, value)
    for place, character in enumerate(value):
        if character.isdigit():
            for other in "0123456789".replace(character, ""):
                changed = value[:place] + other + value[place + 1 :]
                assert not passes(detector, changed), f"digit {place} changed to {other} passes"


@given(st.text("0123456789", min_size=10, max_size=10))
@settings(max_examples=500, deadline=None)
def test_no_number_is_both_an_nhs_and_a_learner_number(digits: str) -> None:
    assert not (passes(NhsNumber(), digits) and passes(UniqueLearnerNumber(), digits))
    assert (residue(digits) == 10) + (residue(digits) == 0) <= 1


@given(st.text("0123456789", min_size=11, max_size=18))
@settings(max_examples=300, deadline=None)
def test_exactly_one_last_digit_satisfies_luhn(body: str) -> None:
    assert sum(luhn(body + last) for last in "0123456789") == 1


@given(st.text("0123456789", min_size=9, max_size=9))
@settings(max_examples=300, deadline=None)
def test_exactly_one_first_digit_makes_a_tax_reference(body: str) -> None:
    firsts = [first for first in "0123456789" if passes(UniqueTaxpayerReference(), first + body)]
    assert len(firsts) == 1 or (not firsts and len(set(body)) == 1)


@pytest.mark.parametrize("digits", ["0000000000", "1111111111", "5555555555"])
def test_all_equal_digits_are_never_a_number(digits: str) -> None:
    for detector in (NhsNumber(), UniqueLearnerNumber(), UniqueTaxpayerReference()):
        assert reading(detector, digits) is None


def test_the_machine_readable_zone_is_believed_only_with_its_three_check_digits() -> None:
    # Specimen layout of ICAO Doc 9303; number, birth date and expiry carry the digits 7-3-1 gives them.
    zone = "3216549873GBR1109014F3009015<<<<<<<<<<<<<<04"
    assert len(zone) == 44
    seen = reading(Passport(), zone)
    assert seen is not None
    assert seen.value == "321654987"
    for place in (0, 9, 13, 19, 21, 27):
        changed = zone[:place] + str((int(zone[place]) + 1) % 10) + zone[place + 1 :]
        wrong = reading(Passport(), changed)
        assert wrong is None, f"character {place} changed"


@given(st.text(max_size=120))
@settings(max_examples=200, deadline=None)
def test_no_text_makes_a_pattern_detector_fail(text: str) -> None:
    for detector in _PATTERN_DETECTORS:
        for pattern in detector.patterns:
            for match in re.finditer(pattern, text):
                detector.read(match)


_PATTERN_DETECTORS = [each for each in detectors.walk().values() if isinstance(each, PatternDetector)]


@cache
def loaded() -> detectors.Detectors:
    return detectors.load()


needs_vectors = pytest.mark.skipif(not VECTORS.is_file(), reason="the published vectors are not beside the project")


@needs_vectors
def test_every_published_valid_value_is_found() -> None:
    missed = [
        (label, value) for label, value, valid in published() if valid and confidence(loaded(), label, value) < FOUND
    ]
    assert not missed


@needs_vectors
def test_at_most_two_published_invalid_values_are_reportable() -> None:
    false = [
        (label, value)
        for label, value, valid in published()
        if not valid and confidence(loaded(), label, value) >= REPORTED
    ]
    assert len(false) <= 2, false


@needs_vectors
def test_the_vectors_are_all_there() -> None:
    with Path(VECTORS).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (sum(row["valid"] == "yes" for row in rows), sum(row["valid"] == "no" for row in rows)) == (69, 66)


@given(
    st.text("ABCDEFGHJKLMNPQRTUVWXYZ0123456789<", min_size=9, max_size=9), st.sampled_from(["GBR", "POL", "ROU", "D<<"])
)
@settings(max_examples=200, deadline=None)
def test_exactly_one_check_digit_lets_a_machine_readable_zone_through(number: str, nation: str) -> None:
    # Birth date and expiry with their own digits, 7-3-1 over the two of them checked elsewhere.
    rest = f"{nation}1109014F3009015<<<<<<<<<<<<<<04"
    seen = [
        digit
        for digit in "0123456789"
        if (found := reading(Passport(), number + digit + rest)) and max(found.ladder) > 0.9
    ]
    assert len(seen) == 1


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 /", min_size=1, max_size=16))
@settings(max_examples=300, deadline=None)
def test_an_old_nhs_number_has_letters_and_digits_and_at_most_fifteen_characters(text: str) -> None:
    seen = reading(OldNhsNumber(), text)
    if seen is not None:
        assert len(seen.value) <= 15
        assert any(map(str.isdigit, seen.value))
        assert any(map(str.isalpha, seen.value))


@given(
    st.from_regex(r"[a-z][a-z0-9]{2,9}(?:\.[a-z]{2,9})?", fullmatch=True),
    st.sampled_from(["example.org", "mail.example.co.uk", "school.example.com"]),
    st.sampled_from([("[at]", "."), ("(at)", "[dot]"), (" [at] ", " [dot] "), (" at ", " dot "), (" AT ", " DOT ")]),
)
@settings(max_examples=200, deadline=None)
def test_an_address_written_out_reads_as_the_address(local: str, domain: str, written: tuple[str, str]) -> None:
    at, dot = written
    spoken = " " in dot
    text = (local.replace(".", dot) if spoken else local) + at + domain.replace(".", dot)
    seen = reading(WrittenOutAddress(), text)
    if local not in _NO_MAILBOX or "[" in at or "(" in at:
        assert seen is not None, text
        assert seen.value == f"{local}@{domain}"
