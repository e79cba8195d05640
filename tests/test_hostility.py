"""The sentence model: what it reads, and that it stays a supporter of the word list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detectors.hostility import BITS, HEADS, MODEL, Hostility, features


@pytest.fixture(scope="module")
def model() -> Hostility:
    return Hostility.load()


def test_it_gives_each_head_a_probability_for_any_text(model: Hostility) -> None:
    for text in ("", " ", "!", "x", "é" * 2_000, "\udcff", "Year 9 visit the museum on Friday."):
        chances = model.probabilities(text)
        assert set(chances) == set(HEADS)
        assert all(0.0 <= chance <= 1.0 for chance in chances.values())


def test_features_are_distinct_bounded_and_blind_to_case_and_addresses() -> None:
    numbers = features("Please see https://elt.example/a and ask @jane")
    assert len(set(numbers.tolist())) == len(numbers)
    assert numbers.min() >= 0
    assert numbers.max() < 1 << BITS
    assert features("PLEASE SEE https://other.example/b and ask @sam").tolist() == numbers.tolist()


def test_it_tells_contempt_for_women_from_talk_of_a_team(model: Hostility) -> None:
    plain = model.probabilities("The girls won the netball match and the ladies from the office made tea.")
    contempt = model.probabilities("Women are all stupid lying whores.")
    assert plain["discrimination"] < 0.5 < 0.8 < contempt["discrimination"]


def test_a_file_that_is_no_such_model_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, weights=np.zeros((1, 8), dtype=np.int8), scales=np.ones(1), curve=np.ones((1, 2)))
    with pytest.raises(ValueError, match="holds no model"):
        Hostility.load(wrong)


def test_the_shipped_file_is_small() -> None:
    assert MODEL.stat().st_size < 1_000_000
