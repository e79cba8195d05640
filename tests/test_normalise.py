"""Texts put right for the detectors: what is joined and what is not, and that every offset leads back."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import detectors
from detectors import normalise
from detectors.gate import Gate
from detectors.normalise import WAKE, View, view
from scanner.model import Table
from scanner.ports import Detectors, NameBudget

ALL = frozenset(range(len(WAKE)))
LONG = "Please note that the child we spoke about this morning has the "


@cache
def gate() -> Gate:
    return Gate({"normalise": WAKE})


@cache
def loaded() -> Detectors:
    return detectors.load()


def seen(text: str, *, tabular: bool = False) -> str:
    """As the detectors read it: only what the gate saw is looked at."""
    woken = frozenset(waking.index for waking in gate().scan(text).get("normalise", ()))
    found = view(text, woken, tabular=tabular)
    return text if found is None else found.text


@pytest.mark.parametrize(
    ("given_text", "read"),
    [
        ("943\u00a0476\u20095919", "943 476 5919"),
        ("943\u2011476\u22125919", "943-476-5919"),
        ("AB\u00ad12\u200b34\ufeff56C", "AB123456C"),
        ("ＡＢ１２３４５６Ｃ", "AB123456C"),
        ("\u0660\u0661\u0662 and \U0001d7d8\U0001d400", "012 and 0A"),
        ("\u0410\u0412 12 34 56 \u0421", "AB 12 34 56 C"),
        ("\u0391\u039212345\u039a", "AB12345K"),
        ("943&nbsp;476&#8209;5919&#xA0;now", "943 476-5919 now"),
        ("Tom &amp; Ann", "Tom & Ann"),
        ("ring O7700 9OO123", "ring 07700 900123"),
        ("943 476 59l9", "943 476 5919"),
        (LONG + "number 943 476\n5919 now.", LONG + "number 943 476 5919 now."),
        ("> " + LONG + "number 943-476-\n> 5919 now.", "> " + LONG + "number 943-476-5919 now."),
        (LONG + "AB 12 34\n56 C now.", LONG + "AB 12 34 56 C now."),
        (LONG + "postcode LS1\n4AB now.", LONG + "postcode LS1 4AB now."),
        (LONG + "birthday on 4\nMarch 2012.", LONG + "birthday on 4 March 2012."),
    ],
)
def test_it_reads_what_was_meant(given_text: str, read: str) -> None:
    assert seen(given_text) == read


@pytest.mark.parametrize(
    "text",
    [
        "a plain mail about the picnic on 4 March at 10:30",
        "Привет, дети. В 2020 году нас было 12.",
        "Καλημέρα στα παιδιά της τάξης 3",
        "naïve café, £12.50 … Zoë’s",
        "AT&T; R&D; fish&chips;",
        "BOLLO 10 IO OIl",
        "room O1 and level l2",
        # Lists of numbers stay lines, however long the lines are.
        "0161 496 0000\n0161 496 0001\n0161 496 0002",
        "The number of the office in the north building is this one: 0161 496 0000\n0161 496 0001 is the other",
        "We handed in the forms that the council wants from us on 2026-01-05\n943 476 5919 is the number",
        "The trip leaves from the gate of the upper school with all on 12\n04 is the number of the bus",
        "Numbers of the candidates who sat the paper this week: 1201\n1202\n1203\n1204",
        "Score of the first half of the match between the two houses: 12\n14 was the score of the second",
        "short line 943 476\n5919",
        "The order that we sent you last week has the number 943 476\n5919/2 on it",
    ],
)
def test_it_leaves_alone_what_is_plain(text: str) -> None:
    assert seen(text) == text


def test_rows_of_tables_are_never_joined() -> None:
    text = LONG + "number 943 476\n5919 now."
    assert seen(text, tabular=True) == text


def test_a_plain_text_costs_nothing_but_the_look() -> None:
    assert view("plain text\n12 34", frozenset()) is None
    assert view("café", frozenset()) is None


PIECES = st.sampled_from(
    [
        *(
            "a",
            "Z",
            "7",
            "0",
            " ",
            "-",
            "\n",
            "> ",
            "943 476",
            "5919",
            "AB",
            "LS1",
            "4AB",
            "12 34",
            "O",
            "l",
            "March 2012",
        ),
        *("\u00a0", "\u200b", "\u00ad", "\u2011", "１", "Ａ", "\u0410", "\u0421", "\u0663", "&nbsp;", "&#49;", "&amp;"),
        *("&hellip;", "é", "𝟙", "\ufe0f", "word ", LONG),
    ]
)


def check_offsets(text: str, found: View) -> None:
    last = (0, 0)
    for place, character in enumerate(found.text):
        start, end = found.original(place, place + 1)
        assert last[0] <= start <= end <= len(text)
        assert last[1] <= end
        last = (start, end)
        if character.isalpha() and character.isascii() and end - start == 1 and text[start].isascii():
            assert text[start] == character
    assert found.original(0, len(found.text))[1] <= len(text)


@given(st.lists(PIECES, max_size=40).map("".join))
@settings(max_examples=300, deadline=None)
def test_every_offset_leads_back_in_order(text: str) -> None:
    found = view(text, ALL)
    if found is not None:
        check_offsets(text, found)


DISGUISES = {" ": [" ", "\u00a0", "\u2007", "&nbsp;", " \u200b", "&#32;"], "-": ["-", "\u2011", "\u2013", "&ndash;"]}


@given(st.data(), st.sampled_from(["943 476 5919", "943-476-5919", "AB 12 34 56 C", "M801200005001"]))
@settings(max_examples=120, deadline=None)
def test_a_disguised_number_is_found_where_it_stands(data: st.DataObject, plain: str) -> None:
    disguised = "".join(data.draw(st.sampled_from(DISGUISES.get(each, [each]))) for each in plain)
    wide = data.draw(st.booleans())
    if wide:
        disguised = "".join(
            chr(ord(each) + 0xFEE0) if each.isdigit() and "&" not in disguised else each for each in disguised
        )
    before = data.draw(
        st.sampled_from(["NHS number and NI number and UPN: ", "Zoë\u00a0 &amp; co, NHS number, NI number, UPN "])
    )
    text = before + disguised + " for the trip"
    hits = [hit for hit in loaded().content(text, names_near=()) if hit.label in ("nhs", "nino", "upn")]
    assert [text[hit.start : hit.end] for hit in hits if hit.confidence >= 0.3] == [disguised]


def test_what_is_too_much_to_put_right_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normalise, "MOST_CHANGES", 2)
    budget = NameBudget(0)
    loaded().content("1&nbsp;2&nbsp;3&nbsp;4", names_near=(), budget=budget)
    assert budget.texts_cut == 1


def test_cells_keep_their_text() -> None:
    cells = ["Amy\u00a0Lee", "943&nbsp;476 5919", "", "９Ｂ"]
    text, spans = "NHS no\t\n", []
    for cell in cells:
        spans.append((len(text), len(text) + len(cell)))
        text += cell + "\t"
    found = view(text, ALL, tabular=True)
    assert found is not None
    (table,) = found.moved((Table((tuple(spans),)),))
    assert [found.text[slice(*span)] for span in table.rows[0]] == ["Amy Lee", "943 476 5919", "", "9B"]
