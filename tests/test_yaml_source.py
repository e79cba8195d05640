"""YAML with places: each value knows its line, each mistake its place, and nothing but a ConfigError comes out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scanner.errors import ConfigError, ConfigErrors
from scanner.yaml_source import MAX_BYTES, Node, Reader, load, parse


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "file.yml")
    return str(caught.value)


# --- places ---------------------------------------------------------------------------------------------------------


def test_every_value_and_every_key_knows_its_line() -> None:
    root = parse("first: 1\n\nsecond:\n  - a\n  - inner: b\n", "file.yml")
    assert isinstance(root.value, dict)
    assert root.keys == {"first": "file.yml:1", "second": "file.yml:3"}
    items = root.value["second"].value
    assert isinstance(items, list)
    assert [item.place for item in items] == ["file.yml:4", "file.yml:5"]
    assert items[1].keys == {"inner": "file.yml:5"}


def test_a_file_is_shown_by_the_name_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "rule.yml"
    path.write_text("a: [1\nb: 2\n")
    with pytest.raises(ConfigError) as caught:
        load(path, "rules/rule.yml")
    assert caught.value.place == "rules/rule.yml:2"
    assert str(tmp_path) not in str(caught.value)


def test_an_empty_document_is_a_node_without_a_value() -> None:
    assert parse("", "file.yml") == Node(None, "file.yml:1")
    assert parse("# only a comment\n", "file.yml").value is None


# --- scalars the YAML 1.2 way ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("True", "True"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("Null", "Null"),
        ("7", 7),
        ("-7", -7),
        ("007", "007"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("0.75", 0.75),
        (".5", 0.5),
        ("1e3", "1e3"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("9434765919", 9434765919),
        ("99999999999999999999", "99999999999999999999"),
        ("2026-09-07", date(2026, 9, 7)),
        ("2026-9-7", "2026-9-7"),
        ('"2026-09-07"', "2026-09-07"),
        ("'7'", "7"),
        ('"true"', "true"),
        ('""', ""),
    ],
)
def test_a_scalar_is_read_as_it_is_written(written: str, value: object) -> None:
    node = parse(f"key: {written}\n", "file.yml")
    assert node.plain() == {"key": value}
    found = node.plain()
    assert isinstance(found, dict)
    assert type(found["key"]) is type(value)


def test_a_word_of_a_rule_file_stays_a_word() -> None:
    assert parse("state: on\n", "file.yml").plain() == {"state": "on"}


def test_a_date_that_no_calendar_has_is_refused_with_its_line() -> None:
    assert refusal("a: 1\nb: 2026-02-30\n") == "file.yml:2: 2026-02-30 is not a date of the calendar"


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "key 'a' is there twice"),
        ("top:\n  x: 1\n  x: 2\n", 3, "key 'x' is there twice"),
        ("a: &anchor [1]\nb: *anchor\n", 1, "aliases"),
        ("a: 1\n? [x, y]\n: 2\n", 2, "a key must be a plain word"),
        ("a: 1\n? {x: y}\n: 2\n", 2, "a key must be a plain word"),
        ("a: 1\nb: !secret x\n", 2, "tag !secret is not allowed"),
        ("a: [1, 2\n", 2, "is not valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "is not valid YAML"),
        ("a: b: c\n", 1, "is not valid YAML"),
        ("a: 1\n---\nb: 2\n", 2, "is not valid YAML"),
        ("a: *nowhere\n", 1, "is not valid YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, words: str) -> None:
    message = refusal(text)
    assert message.startswith(f"file.yml:{line}: ")
    assert words in message


def test_aliases_cannot_make_a_small_file_large() -> None:
    levels = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "aliases" in refusal("\n".join(levels))


def test_a_value_that_contains_itself_is_refused() -> None:
    assert "aliases" in refusal("a: &self [*self]\n")


@pytest.mark.parametrize("shape", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_and_not_followed(shape: str) -> None:
    assert "file.yml" in refusal(shape * 50_000)


@pytest.mark.parametrize("depth", [150, 300, 600, 900, 2_000, 10_000])
def test_well_formed_nesting_of_any_depth_is_read_or_refused(depth: int) -> None:
    for text in ("[" * depth + "]" * depth, "{a: " * depth + "1" + "}" * depth):
        try:
            assert isinstance(parse(text, "file.yml"), Node)
        except ConfigError as error:
            assert "is nested more than" in str(error)  # noqa: PT017  both answers are right, an exception of another kind is not


def test_a_file_that_is_not_utf_8_is_refused_with_the_line_of_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "rule.yml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        load(path, "rule.yml")
    assert str(caught.value) == "rule.yml:2: is not UTF-8 text"


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "rule.yml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert load(path).plain() == {"a": 1}


def test_a_file_that_is_missing_or_a_folder_is_a_plain_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.yml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load(path, "rule.yml")


def test_a_file_that_is_too_large_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "rule.yml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="is larger than"):
        load(path, "rule.yml")


# --- any text at all ------------------------------------------------------------------------------------------------

_PIECES = st.sampled_from(
    ["a", "b: ", "- ", "\n", "  ", "[", "]", "{", "}", ", ", ": ", "&x ", "*x", "!t ", "|\n", ">\n", "'", '"', "#", "? ", "\t",
     "---\n", "...\n", "%YAML 9.9\n", "2026-13-01", "0.5", "true", "~", "<<: ", "\\u", "é", "\x00", "\ud800", "\x85", "\u2028"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=60).map("".join)))
@example("a: !!int x")
@example("!!python/object/apply:os.system [x]")
@example("\ud800")
@example('"\\ud800"')
@example("a: 1\x00")
@example("=")
@example("<<: {a: 1}")
def test_any_text_gives_a_node_or_a_config_error(text: str) -> None:
    try:
        node = parse(text, "file.yml")
    except ConfigError as error:
        assert error.place.startswith("file.yml")  # noqa: PT017  either answer is right
    else:
        assert node.place.startswith("file.yml:")
        node.plain()


@given(st.binary(max_size=200))
def test_any_bytes_give_a_node_or_a_config_error(data: bytes) -> None:
    try:
        parse(data.decode("utf-8-sig"), "file.yml")
    except (ConfigError, UnicodeDecodeError):
        return


# --- the reader -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "take", "message"),
    [
        ("x: {b: 1}", lambda reader, node: reader.mapping(node, ("a",)), "unknown key 'b' (allowed: a)"),
        ("x: {a: 1}", lambda reader, node: reader.mapping(node, ("a", "b"), needed=("b",)), "key 'b' is missing"),
        ("x: word", lambda reader, node: reader.mapping(node, ("a", "b")), "must be a mapping with the keys a, b"),
        ("x: 7", lambda reader, node: reader.text(node), "must be text, not 7"),
        ("x: '  '", lambda reader, node: reader.text(node), "must be text, not '  '"),
        ("x:", lambda reader, node: reader.text(node), "must be text, not nothing"),
        ("x: [a, 7]", lambda reader, node: reader.texts(node), "must be text, not 7"),
        ("x: lo", lambda reader, node: reader.choice(node, ("low", "high"), "low"), "must be one of low, high, not 'lo'"),
        ("x: [lo]", lambda reader, node: reader.choice(node, ("low",), "low"), "must be one of low, not a list"),
        ("x: []", lambda reader, node: reader.choices(node, ("low", "high")), "must name at least one of low, high"),
        ("x: 2", lambda reader, node: reader.number(node, 0.5, 0, 1), "must be a number from 0 to 1, not 2"),
        ("x: true", lambda reader, node: reader.number(node, 0.5, 0, 1), "must be a number from 0 to 1, not True"),
        ("x: 1.5", lambda reader, node: reader.count(node, 1), "must be a whole number from 1 to 1000000, not 1.5"),
        ("x: 0", lambda reader, node: reader.count(node, 1), "must be a number from 1 to 1e+06, not 0"),
        ("x: on", lambda reader, node: reader.flag(node, True), "must be true or false, not 'on'"),
        ("x: {a: 1}", lambda reader, node: reader.flag(node, True), "must be true or false, not a mapping"),
    ],
)  # fmt: skip
def test_the_reader_says_what_is_wrong_and_what_is_allowed(
    written: str, take: Callable[[Reader, Node], object], message: str
) -> None:
    root = parse("first: 1\n" + written, "file.yml")
    assert isinstance(root.value, dict)
    reader = Reader()
    take(reader, root.value["x"])
    assert [str(error) for error in reader.errors] == [f"file.yml:2: {message}"]


def test_the_reader_collects_and_then_stops_once() -> None:
    reader = Reader()
    reader.stop_if_wrong()
    reader.wrong("a:1", "one")
    reader.wrong(Node(None, "b:2"), "two")
    with pytest.raises(ConfigErrors) as caught:
        reader.stop_if_wrong()
    assert str(caught.value) == "a:1: one\nb:2: two"


def test_the_reader_takes_right_values_without_a_word() -> None:
    root = parse("text: a\none: low\nmany: [low, high]\nnumber: 0.5\ncount: 3\nflag: false\nsingle: low\n", "file.yml")
    assert isinstance(root.value, dict)
    value, reader = root.value, Reader()
    assert reader.text(value["text"]) == "a"
    assert reader.choice(value["one"], ("low", "high"), "high") == "low"
    assert reader.choices(value["many"], ("low", "high")) == ("low", "high")
    assert reader.choices(value["single"], ("low", "high")) == ("low",)
    assert reader.number(value["number"], 1.0, 0, 1) == 0.5
    assert reader.count(value["count"], 1) == 3
    assert reader.flag(value["flag"], True) is False
    assert reader.text(None, "kept") == "kept"
    assert reader.texts(None) == ()
    assert reader.flag(None, True) is True
    assert reader.errors == []
