"""The sentence model: its tokens are BERT's, its sentences cover a text, its cost is bounded, and it is asked about few."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import detectors
from detectors.meaning import (
    CLASSES,
    LONGEST,
    MOST_ASKED,
    NETWORK,
    PER_ASKED,
    TABLE,
    TOKENS,
    Meaning,
    Model,
    WordTable,
    confidence,
    passages,
)
from detectors.wording import sentences
from scanner.ports import Detectors, NameBudget


@cache
def model() -> Model:
    return Model.load()


@cache
def seen() -> Detectors:
    return detectors.load()


# Numbers that the tokenizers library (0.23) gives for all-MiniLM-L6-v2.
@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Café naïve, Zoë!", [101, 7668, 15743, 1010, 11199, 999, 102]),
        ("it's £20 – 50% off", [101, 2009, 1005, 1055, 21853, 2692, 1516, 2753, 1003, 2125, 102]),
        ("f*** you_all @jo", [101, 1042, 1008, 1008, 1008, 2017, 1035, 2035, 1030, 8183, 102]),
        ("日本 word", [101, 1864, 1876, 2773, 102]),
        (
            "x" * 120,
            [101, 100, 102],
        ),
        ("don’t", [101, 2123, 1521, 1056, 102]),
        ("a\xadb \u200bc", [101, 11113, 1039, 102]),
        ("co-op's #1", [101, 2522, 1011, 6728, 1005, 1055, 1001, 1015, 102]),
        ("unbelievablenesses", [101, 23653, 2791, 2229, 102]),
    ],
)
def test_tokens_are_those_of_bert(text: str, numbers: list[int]) -> None:
    assert model().tokeniser.numbers(text) == numbers


@given(st.text(max_size=300))
def test_any_text_has_tokens_and_never_too_many(text: str) -> None:
    numbers = model().tokeniser.numbers(text)
    assert (numbers[0], numbers[-1]) == (101, 102)
    assert len(numbers) <= LONGEST
    assert all(0 <= number < 30_522 for number in numbers)


@given(st.text(alphabet="ab .!?\n\t-•", max_size=400), st.integers(20, 80))
def test_sentences_cover_every_letter_once_and_in_order(text: str, longest: int) -> None:
    spans = list(sentences(text, longest))
    assert all(end - start <= longest for start, end in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    assert "".join(re.findall("[ab]", "".join(text[start:end] for start, end in spans))) == "".join(
        re.findall("[ab]", text)
    )


@given(
    st.text(alphabet="ab .!?\n\t-•", max_size=1500),
    st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 400)), max_size=4),
)
def test_passages_cover_the_writers_own_letters_once_and_no_letter_of_others(
    text: str, given: list[tuple[int, int]]
) -> None:
    others = tuple((start, min(start + length, len(text))) for start, length in sorted(given) if start < len(text))
    spans = list(passages(text, others))
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    assert not any(start < last and first < end for start, end in spans for first, last in others if first < last)
    theirs = {place for first, last in others for place in range(first, last)}
    own = [place for place, letter in enumerate(text) if letter in "ab" and place not in theirs]
    covered = [place for start, end in spans for place in range(start, end) if text[place] in "ab"]
    # Cells too short for four words are left out: letters that stand between tabs or others' words without six more signs.
    stretches = re.split("\t", "".join("\t" if place in theirs else letter for place, letter in enumerate(text)))
    short = sum(len(re.findall("[ab]", stretch)) for stretch in stretches if len(stretch) < 7)
    assert len(covered) == len(own) - short
    assert set(covered) <= set(own)
    assert not any("\t" in text[start:end] for start, end in spans)


def test_a_short_mail_is_one_passage_and_a_long_one_has_no_small_rest() -> None:
    sentence = "The bus for the museum leaves at nine from the front gate. "
    assert len(list(passages(sentence * 6))) == 1
    lengths = [end - start for start, end in passages(sentence * 41)]
    assert max(lengths) < 500
    assert min(lengths) > 200


def test_a_batch_says_what_each_sentence_says_alone() -> None:
    """In 8 bits the scale of a batch depends on all of it: scores move a little, and no class changes."""
    texts = [
        "See you at nine.",
        "Tell anyone what you saw in my office and I will end your career.",
        "ok",
        "Who wants a kitten?",
    ]
    together = model().scores(texts)
    for text, row in zip(texts, together, strict=True):
        alone = model().scores([text])[0]
        assert np.abs(alone - row).mean() < 0.3
        # Where nothing is heard, which class is the least unlikely means nothing.
        assert alone.argmax() == row.argmax() or max(alone.max(), row.max()) < -2


def test_a_long_text_costs_no_more_than_its_promising_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = Model.scores

    def counted(self: Model, texts: list[str]) -> np.ndarray:
        asked.append(len(texts))
        return real(self, texts)

    monkeypatch.setattr(Model, "scores", counted)
    text = "Tell anyone what you saw in my office and I will end your career.\n\n" * 400
    budget = NameBudget(10_000)
    hits = seen().content(text, budget=budget)
    assert asked[0] == MOST_ASKED + len(text) // PER_ASKED
    # Of each of the first that read as one, a few sentences more.
    assert sum(asked[1:]) <= 3 * 12
    assert budget.texts_cut == 1
    assert any(hit.label == "reads_as_threat" for hit in hits)


def test_only_passages_that_promise_what_is_wanted_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def silent(_: Model, texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return np.full((len(texts), len(CLASSES)), -9.0)

    monkeypatch.setattr(Model, "scores", silent)
    weights = np.zeros((3, len(CLASSES)), np.float32)
    weights[0, CLASSES.index("threat")] = weights[1, CLASSES.index("auction")] = 50.0
    table = WordTable({"career": 0, "kitchen table": 1}, weights, np.full(len(CLASSES), -3.0, np.float32), 0.0)
    judge = Meaning()
    judge.__dict__["model"] = replace(model(), table=table)
    threat = "Tell anyone what you saw in my office and I'll end your career, understood?"
    for_sale = "I am selling my old kitchen table and two chairs for forty pounds, who wants them?"
    text = f"{threat}\tSee you at nine, and thank you for the cake.\t{for_sale}"
    for wanted, expected in (
        (None, [threat, for_sale]),
        (frozenset({"reads_as_threat"}), [threat]),
        (frozenset({"reads_as_auction"}), [for_sale]),
        (frozenset({"reads_as_chain"}), []),
        (frozenset(), []),
    ):
        asked.clear()
        assert not list(judge.detect(text, (), detectors.Context(wanted=wanted)))
        assert asked == expected


def test_words_of_others_are_not_judged() -> None:
    mine = "See you at nine, and thank you for the cake.\n\n"
    text = mine + "Tell anyone what you saw in my office and I'll end your career, understood?"
    assert "reads_as_threat" in {hit.label for hit in seen().content(text)}
    assert "reads_as_threat" not in {hit.label for hit in seen().content(text, others=((len(mine), len(text)),))}


@pytest.mark.parametrize("text", ["a" * 200_000, "- \n" * 50_000, "🙂" * 20_000, "\0" * 9_000, "i will " * 30_000])
def test_odd_texts_are_read_without_a_hit(text: str) -> None:
    assert not [hit for hit in Meaning().detect(text, (), detectors.Context()) if hit.confidence >= 0.75]


def test_confidence_meets_the_bands_of_the_contract() -> None:
    assert confidence(1.0, (1.0, 3.0), 2.0) == pytest.approx(0.5)
    assert confidence(2.999, (1.0, 3.0), 2.0) < 0.75 <= confidence(3.0, (1.0, 3.0), 2.0) + 1e-12
    # Three to one where the class is high, and e times as many for each half more: odds of 3e to 1.
    assert confidence(3.5, (1.0, 3.0), 2.0) == pytest.approx(3 * math.e / (1 + 3 * math.e))
    assert confidence(99.0, (1.0, 3.0), 2.0) == 0.97
    assert confidence(-99.0, (1.0, 3.0), 2.0) == 0.0


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_a_higher_score_is_never_less_sure(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert confidence(low, (0.3, 1.1), 2.2) <= confidence(high, (0.3, 1.1), 2.2)


def test_a_hit_shows_no_word_of_the_sentence() -> None:
    text = "Tell anyone what you saw in my office and I'll end your career, understood?"
    (hit,) = [hit for hit in seen().content(text) if hit.label == "reads_as_threat"]
    assert hit.value not in repr(hit)
    assert not {"anyone", "office", "career"} & set(" ".join(hit.reasons).split())


def test_the_shipped_files_are_those_of_the_card() -> None:
    card = (NETWORK.parent / "meaning.md").read_text("utf-8")
    for file in (NETWORK, TOKENS, TABLE):
        assert hashlib.sha256(file.read_bytes()).hexdigest() in card
    assert len(model().bands) == len(CLASSES)
