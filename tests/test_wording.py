"""The notation of word lists, the search for their entries, and the shipped lists as a whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from detectors import walk, wording
from detectors.base import Context, Waking
from detectors.conduct_signs import ConductSigns
from detectors.gate import Gate
from detectors.language import Language
from detectors.own_affairs import OwnAffairs
from detectors.wording import SignsDetector, WordList, has_somebody, read_list, sentence_around
from scanner.app import detect
from scanner.errors import ConfigError
from scanner.ports import NameBudget

LISTS = ("chain_mail", "confidential", "language", "own_affairs", "sensitive")
LOOKALIKES = Path(__file__).resolve().parents[2] / "shared" / "eval" / "wordlists" / "innocent_lookalikes.txt"


def a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *terms: str, slots: str = "", exact: bool = False
) -> WordList:
    quoted = ", ".join('"' + term + '"' for term in terms)
    text = f"{slots}groups:\n  - {{label: a, weight: b, exact: {str(exact).lower()}, terms: [{quoted}]}}\n"
    (tmp_path / "made.yml").write_text(text, "utf-8")
    monkeypatch.setattr(wording, "LISTS", tmp_path)
    return WordList(read_list("made", ("a",), ("b",)))


def found(words: WordList, text: str) -> list[str]:
    wakings = Gate({"made": words.wake}).scan(text).get("made", [])
    return [text[match.start : match.end] for match in words.matches(text, wakings)]


@pytest.mark.parametrize(
    ("term", "text", "expected"),
    [
        ("grape", "grapefruit", []),
        ("grape", "A grape.", ["grape"]),
        ("foster care", "foster\n  care", ["foster\n  care"]),
        ("self-harm", "selfharm self harm self-harm", ["selfharm", "self harm", "self-harm"]),
        ("colou?r", "color and colour", ["color", "colour"]),
        ("(red|green) apple", "a red apple, a blue apple", ["red apple"]),
        ("send … friends", "send this on to seven friends", ["send this on to seven friends"]),
        ("send … friends", "send this. My friends came", []),
        ("send … friends", "send this\n\nfriends", []),
        ("year #{1,2}", "year 9, year 123", ["year 9"]),
        ("~brick~", "redbricked", ["redbricked"]),
        ("pa[ty]", "pat pay pad", ["pat", "pay"]),
    ],
)
def test_a_term_means_what_its_notation_says(
    term: str, text: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(a_list(tmp_path, monkeypatch, term), text) == expected


def test_exact_terms_keep_their_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(a_list(tmp_path, monkeypatch, "LAC", exact=True), "LAC lac Lac") == ["LAC"]


def test_slots_stand_for_their_alternatives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = a_list(tmp_path, monkeypatch, "a <fruit> cake", slots="slots:\n  fruit: [plum, pear]\n")
    assert found(words, "a pear cake, a nut cake, a plum cake") == ["a pear cake", "a plum cake"]


_LISTED = [
    (words, gate, entry)
    for words, gate in (
        (words, Gate({"made": words.wake}))
        for words in (getattr(detector, "_words", None) for detector in walk().values())
        if words is not None
    )
    for entry in words.entries
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.data())
def test_every_form_of_a_listed_term_wakes_its_entry(data: st.DataObject) -> None:
    words, gate, entry = data.draw(st.sampled_from(_LISTED))
    text = f"Then: {data.draw(st.from_regex(entry.pattern, fullmatch=True))}, and so on."
    assume(entry.pattern.search(text))
    wakings = gate.scan(text).get("made", [])
    assert any(match.entry is entry for match in words.matches(text, wakings))


@pytest.mark.parametrize("term", ["a*", "(open", "a|b", r"\w", "(a … b)", "<nobody>", "x{1,200}", "[^a]", "", "?"])
def test_a_wrong_term_is_refused_with_its_place(term: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"rules/lists/made\.yml"):
        a_list(tmp_path, monkeypatch, term.replace("\\", "\\\\"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("groups: [{label: z, weight: b, terms: [x]}]", "unknown label 'z'"),
        ("groups: [{label: a, weight: z, terms: [x]}]", "unknown weight 'z'"),
        ("groups: [{label: a, weight: b, wieght: b, terms: [x]}]", "unknown key 'wieght'"),
        ("groups: [{label: a, weight: b}]", "needs terms"),
        ("groups: [{label: a, weight: b, terms: [tree, tree]}]", "stands in the list twice"),
        ("[]", "needs a list `groups`"),
        ("groups: [", "is not YAML"),
    ],
)
def test_a_wrong_list_is_refused_in_words(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made.yml").write_text(text, "utf-8")
    monkeypatch.setattr(wording, "LISTS", tmp_path)
    with pytest.raises(ConfigError, match=re.escape(says)):
        read_list("made", ("a",), ("b",))


@given(st.text(alphabet=st.sampled_from("aze .!?\n\t'“”\"-*1é"), max_size=300), st.integers(0, 299), st.integers(0, 20))
def test_a_sentence_always_holds_its_match(text: str, start: int, length: int) -> None:
    start = min(start, len(text))
    end = min(start + length, len(text))
    first, last = sentence_around(text, start, end)
    assert 0 <= first <= start
    assert end <= last <= len(text)


@given(st.text(max_size=400))
def test_no_text_makes_the_language_detector_stumble(text: str) -> None:
    detector = Language()
    wakings = [Waking(index, end) for index in range(0, len(detector.wake), 97) for end in range(0, len(text) + 1, 50)]
    for hit in detector.detect(text, wakings, Context()):
        assert text[hit.start : hit.end] == hit.value
        assert 0 < hit.confidence <= 1


@pytest.mark.parametrize(
    ("text", "somebody"),
    [
        ("The policy is reviewed every year.", False),
        ("On Monday the English department meets.", False),
        ("Pupils are asked to bring their own lunch.", False),
        ("She was away on Monday.", True),
        ("Please ring Callum at home.", True),
        ("Callum was away.", True),
        ("the Year 10 girl from the bus", True),
    ],
)
def test_somebody_is_one_person_and_not_everybody(text: str, somebody: bool) -> None:
    assert has_somebody(text, 0, len(text)) is somebody


def test_no_innocent_lookalike_is_called_strong() -> None:
    if not LOOKALIKES.is_file():
        pytest.skip("shared/eval is not beside this repository")
    detector = Language()
    gate = Gate({"language": detector.wake})
    flagged = []
    words = [line.strip() for line in LOOKALIKES.read_text("utf-8", "replace").splitlines() if line.strip()]
    for word in words:
        wakings = gate.scan(word).get("language", [])
        if any(hit.confidence >= 0.5 for hit in detector.detect(word, wakings, Context())):
            flagged.append(word)
    assert len(flagged) <= len(words) // 1000, f"{len(flagged)} of {len(words)} flagged"


def test_a_text_made_of_one_word_costs_a_bounded_number_of_hits() -> None:
    detector = Language()
    text = "bollocks " * 20_000
    wakings = Gate({"language": detector.wake}).scan(text)["language"]
    assert len(list(detector.detect(text, wakings, Context()))) <= wording.MOST_PER_TEXT


def test_a_text_of_which_only_a_part_was_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Language()
    text = "bollocks and wank, " * 50
    wakings = Gate({"language": detector.wake}).scan(text)["language"]
    budget = NameBudget(0)
    list(detector.detect(text, wakings, Context(budget=budget)))
    assert budget.texts_cut == 0
    monkeypatch.setattr(wording, "MOST_READ", 100)
    list(detector.detect(text, wakings, Context(budget=budget)))
    assert budget.texts_cut == 1


def test_every_label_is_explained_in_the_help() -> None:
    readme = (Path(__file__).resolve().parents[1] / "rules" / "README.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in readme.splitlines() if line.startswith("| `") and line.count("|") == 5]
    explained = {label for row in rows for label in re.findall(r"`([a-z_]+)`", row)}
    labels = {label for each in walk().values() for label in each.labels}
    assert labels <= explained, sorted(labels - explained)


@pytest.mark.parametrize("detector", [ConductSigns(), OwnAffairs()], ids=["conduct_signs", "own_affairs"])
def test_every_part_of_a_recipe_is_in_the_list_and_every_part_in_a_recipe(detector: SignsDetector) -> None:
    listed = {(each.label, each.group) for each in detector._words.entries if each.weight == "part"}
    named = {
        (label, part)
        for recipes in (detector.recipes, detector.hints)
        for label, ways in recipes.items()
        for way in ways
        for part in way
    }
    assert listed == named


def test_parts_count_only_together_in_words_of_their_own_and_near_each_other() -> None:
    detector = OwnAffairs()

    def surest(text: str) -> float:
        wakings = Gate({"own_affairs": detector.wake}).scan(text).get("own_affairs", ())
        hits = detector.detect(text, wakings, Context())
        return max((hit.confidence for hit in hits if hit.label == "gambling"), default=0.0)

    stake, wager = "A fiver each by noon.", "We had a flutter on Sunday."
    assert surest(stake) == surest(wager) == 0.0
    assert surest(f"{stake} {wager}") >= 0.75
    assert surest(f"{stake} {'Nothing else is new. ' * 60}{wager}") == 0.0
    # What speaks against it counts close by, and not in the small print a page further down.
    assert surest(f"{stake} {wager} It is for the lesson on probability.") < 0.5
    assert surest(f"{stake} {wager} {'So much for now. ' * 12} A copy of the policy is on the website.") >= 0.75


def test_parts_are_named_and_not_counted() -> None:
    text = "Who is in for the Grand National sweepstake? Two pounds each in the pot, winner takes all."
    hits = [hit for hit in detect("x", text, by_line=False) if hit["label"] == "gambling"]
    assert any(reason.endswith(" stand together") for hit in hits for reason in hit["reasons"])
    assert not any("1 " in reason or " part" in reason for hit in hits for reason in hit["reasons"])
