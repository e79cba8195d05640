"""The gate: wakes what must be woken, at the right code point, quickly enough to build and never in silence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import gate as gate_module
from detectors.base import Phrase, Waking, as_words
from detectors.gate import Gate
from scanner.errors import ConfigError


def ends(gate: Gate, text: str, detector: str = "one") -> list[tuple[int, str]]:
    return [(waking.index, text[: waking.end]) for waking in gate.scan(text).get(detector, [])]


def test_it_is_silent_where_nothing_fires() -> None:
    assert Gate({"one": [r"\bnino\b"]}).scan("a plain mail about the picnic") == {}


def test_it_does_not_wake_inside_a_word() -> None:
    gate = Gate({"one": [r"\bass\b"]})
    assert gate.scan("the class passed, assess it") == {}
    assert ends(gate, "an ASS") == [(0, "an ASS")]


def test_a_top_level_alternative_is_never_lost() -> None:
    gate = Gate({"one": [r"\bfoo|bar\b"]})
    assert [text for _, text in ends(gate, "foot rebar")] == ["foo", "foot rebar"]


def test_ends_are_code_points_after_characters_of_many_bytes() -> None:
    gate = Gate({"one": [r"\bnino\b"], "two": ["café"]})
    text = "£££ – 𝒳 CAFÉ and NINO"
    assert gate.scan(text) == {"one": [Waking(0, len(text))], "two": [Waking(0, text.index("CAFÉ") + 4)]}


def test_each_detector_gets_its_own_wakings_with_the_number_of_the_expression() -> None:
    gate = Gate({"one": ["alpha", "beta"], "two": ["beta"]})
    assert gate.scan("beta alpha") == {"one": [Waking(1, 4), Waking(0, 10)], "two": [Waking(0, 4)]}


def test_a_lone_surrogate_does_not_stop_it() -> None:
    assert Gate({"one": ["nino"]}).scan("\ud800 nino") == {"one": [Waking(0, 6)]}


def test_a_bad_expression_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"detectors/two: wake expression '\(b' cannot be matched"):
        Gate({"one": ["a"], "two": ["a", "(b"]})


def test_an_empty_expression_is_refused() -> None:
    with pytest.raises(ConfigError, match="wake expression 0 is empty"):
        Gate({"one": [r"\b"]})


def test_five_thousand_words_are_one_database() -> None:
    words = [f"word{number:04}x" for number in range(5000)]
    gate = Gate({"list": [rf"\b{word}(?:s|ed)?\b" for word in words]})
    text = "nothing, word0042x and word4999xs and word4999xsy"
    assert gate.scan(text) == {"list": [Waking(42, 18), Waking(4999, 33)]}


WORDS = ["ni", "nino", "dob", "café", "date of birth", "a-b"]


@given(st.text(alphabet="nidob cafeé-.N_O\n𝒳", max_size=60))
@settings(max_examples=300, deadline=None)
def test_it_wakes_wherever_python_sees_the_whole_word(text: str) -> None:
    gate = _WORD_GATE
    seen = {(waking.index, waking.end) for waking in gate.scan(text).get("one", [])}
    for index, word in enumerate(WORDS):
        for match in re.finditer(rf"(?<![A-Za-z0-9_]){re.escape(word)}(?![A-Za-z0-9_])", text, re.IGNORECASE):
            assert (index, match.end()) in seen


_WORD_GATE = Gate({"one": [rf"\b{word}\b" for word in WORDS]})


def test_what_was_compiled_before_finds_the_same_and_rubbish_is_compiled_anew(tmp_path: Path) -> None:
    wakes = {"one": [r"\bnino\b", "café"], "two": ["alpha [0-9]{2}"]}
    text = "the nino of the Café, alpha 12"
    first = Gate(wakes, tmp_path)
    assert first.made is not None
    name, data = first.made
    for there, made in ((data, False), (b"rubbish", True), (data[: len(data) // 2], True)):
        (tmp_path / name).write_bytes(there)
        again = Gate(wakes, tmp_path)
        assert (again.made is not None) is made
        assert again.scan(text) == first.scan(text) != {}
    other = Gate({**wakes, "two": ["beta"]}, tmp_path).made
    assert other is not None
    assert other[0] != name  # other expressions are another database


@pytest.mark.parametrize("what", ["_FLAGS", "_FORMAT"])
def test_what_was_compiled_in_another_way_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    before = Gate({"one": ["beta"]}, tmp_path).made
    monkeypatch.setattr(gate_module, what, getattr(gate_module, what) ^ 8)
    after = Gate({"one": ["beta"]}, tmp_path).made
    assert before is not None
    assert after is not None
    assert before[0] != after[0]


# --- phrases --------------------------------------------------------------------------------------------------------


def phrase_ends(text: str, *phrases: str) -> list[str]:
    woken = Gate({"one": [Phrase(phrase) for phrase in phrases]}).scan(text).get("one", [])
    return [text[: waking.end] for waking in woken]


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        (" pass it on ", "Compass it on, pass it only", []),
        (" pass it on ", "Pass\n  it-on!", ["Pass\n  it-on"]),
        (" pass it on ", "£££ – 𝒳 PASS it… ON", ["£££ – 𝒳 PASS it… ON"]),
        (" pass", "bypass, the pass, passed", ["bypass, the pass", "bypass, the pass, pass"]),
        ("ing ", "singing", ["singing"]),
        (" don t ", "I don't, I don’t, I dont", ["I don't", "I don't, I don’t"]),
        (" year 00 ", "Year 10 and year 9", ["Year 10"]),
        (" kiss ", "\u212a\u0131\u017fs", ["\u212a\u0131\u017fs"]),
        (" (?:red|green) apple ", "a green apple, a blue apple", ["a green apple"]),
    ],
)
def test_a_phrase_is_found_in_the_words_of_a_text_and_told_by_its_end(
    phrase: str, text: str, expected: list[str]
) -> None:
    assert phrase_ends(text, phrase) == expected


def test_wakings_of_phrases_and_expressions_stand_in_one_order() -> None:
    gate = Gate({"one": ["n[0-9]", Phrase(" told you ")]})
    assert gate.scan("n1 told you n2") == {"one": [Waking(0, 2), Waking(1, 11), Waking(0, 14)]}


@given(st.text(alphabet="paswit on-.'_O0\n𝒳é", max_size=60))
@settings(max_examples=300, deadline=None)
def test_a_phrase_wakes_wherever_python_sees_its_words(text: str) -> None:
    seen = {waking.end for waking in _PHRASE_GATE.scan(text).get("one", [])}
    for match in re.finditer(r"(?<!\w)pass[\s\-.']+it[\s\-.']+on(?!\w)", text, re.IGNORECASE):
        assert match.end() in seen


_PHRASE_GATE = Gate({"one": [Phrase(" pass it on ")]})


@given(st.text())
def test_words_are_as_long_as_their_text(text: str) -> None:
    assert len(as_words(text)) == len(text)


def test_a_bad_phrase_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"detectors/two: wake expression '\(b' cannot be matched"):
        Gate({"one": [Phrase("a")], "two": [Phrase("(b")]})
