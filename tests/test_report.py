"""What `scan` prints: the contract's keys, nothing that a spreadsheet or a browser would run, and the right exit status."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from scanner.inspection import Silence
from scanner.model import Evidence, Finding, Problem, Route, Verdict, Versions
from scanner.report import (
    CSV_COLUMNS,
    PROBLEM_WORDS,
    Line,
    Summary,
    as_csv,
    as_html,
    as_json,
    print_explained,
    print_line,
    print_summary,
)

NOW = datetime(2026, 9, 7, 10, 0, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></table><iframe src='https://attacker.example'>",
    "{{ 7 * 7 }}{% include 'x' %}",
    "javascript:alert(1)",
    "&lt;b&gt;",
)


def finding(**changes: object) -> Finding:
    given: dict[str, object] = {
        "key": "k1", "rule": "number", "rule_version": "v1", "title": "Identifiers sent out", "topic": "personal_data",
        "category": "personal_data", "severity": "severe", "confidence": 0.93, "owner": "sender", "subjects": 12,
        "evidence": (Evidence("nhs", "attachment/1/list.xlsx", "••••••••19", 12, 0.95, "1:ffffffff"),),
        "reasons": ("nhs (12 times): check digit right",), "clauses": ("base:1.1",), "advice": "Send it another way.",
        "route": Route("dpo", "dpo@elt.example", "it may be a breach"),
    }  # fmt: skip
    return Finding(**{**given, **changes})  # type: ignore[arg-type]


def verdict(*findings: Finding, problems: tuple[Problem, ...] = (), **changes: object) -> Verdict:
    given: dict[str, object] = {
        "message_id": "<1@elt.example>", "direction": "outbound", "findings": findings, "problems": problems,
        "complete": not problems, "unread_protected": 0, "facts": (), "versions": Versions("r", "p", "d"),
        "content_hash": "c", "sent_at": NOW, "parts": 2, "elapsed_ms": 3.1,
    }  # fmt: skip
    return Verdict(**{**given, **changes})  # type: ignore[arg-type]


def line(*findings: Finding, path: str = "mail/001.eml", **changes: object) -> Line:
    return Line(path, verdict(*findings, **changes))  # type: ignore[arg-type]


LOST = Problem("attachment/1/report.doc", "extract", "corrupt", "none", "not a compound file")


def html(*lines: Line, title: str = "Report") -> str:
    summary = Summary()
    for each in lines:
        summary.add(each)
    return as_html(lines, summary, title, NOW)


def table(*lines: Line) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("\n".join(as_csv(lines)))))


def terminal(each: Line) -> str:
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None, soft_wrap=True)
    print_line(console, each)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(shown, str)
    return shown


# --- JSON Lines -----------------------------------------------------------------------------------------------------


def test_a_line_of_json_has_the_keys_of_the_contract() -> None:
    shown = json.loads(as_json(line(finding(), problems=(LOST,))))
    versions = shown.pop("versions")
    assert versions == {"rules": "r", "policy": "p", "detectors": "d"}
    (found,) = shown["findings"]
    assert {key: value for key, value in shown.items() if key != "findings"} == {
        "path": "mail/001.eml", "message_id": "<1@elt.example>", "direction": "outbound", "complete": False,
        "unread_protected": 0, "not_judged": None, "elapsed_ms": 3.1,
        "problems": [{"part": LOST.part, "kind": "corrupt", "read": "none", "detail": "not a compound file"}],
    }  # fmt: skip
    assert {key: found[key] for key in ("key", "rule", "topic", "category", "severity", "confidence", "clauses")} == {
        "key": "k1", "rule": "number", "topic": "personal_data", "category": "personal_data", "severity": "severe",
        "confidence": 0.93, "clauses": ["base:1.1"],
    }  # fmt: skip
    assert (found["subjects"], found["exempted_by"], found["shadow"]) == (12, None, False)
    assert found["route"] == {"role": "dpo", "person": "dpo@elt.example", "because": "it may be a breach"}
    (evidence,) = found["evidence"]
    assert {key: evidence[key] for key in ("label", "part", "count", "mask")} == {
        "label": "nhs", "part": "attachment/1/list.xlsx", "count": 12, "mask": "••••••••19",
    }  # fmt: skip
    assert found["reasons"] == ["nhs (12 times): check digit right"]


def test_a_fingerprint_is_not_printed() -> None:
    assert "1:ffffffff" not in as_json(line(finding()))


def test_findings_in_shadow_and_exempted_ones_are_printed_and_marked_but_not_counted() -> None:
    each = line(finding(shadow=True), finding(exempted_by="trip-2026"))
    shown = json.loads(as_json(each))["findings"]
    assert [found["shadow"] for found in shown] == [True, False]
    # Whoever reads `exempted_by` alone comes to the answer of the table and the exit status.
    assert shown[0]["exempted_by"].startswith("shadow: ")
    assert shown[1]["exempted_by"] == "trip-2026"
    assert each.found == ()


def test_silent_rules_are_there_only_when_asked_for() -> None:
    assert "silent_rules" not in json.loads(as_json(line()))
    explained = Line("a.eml", verdict(), (Silence("number", "sender", "no nino"),))
    assert json.loads(as_json(explained))["silent_rules"] == [
        {"rule": "number", "owner": "sender", "reason": "no nino", "met": 0, "needed": 1, "missing": [], "told": 0.0}
    ]


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=40))
def test_any_path_and_any_part_give_one_line_of_valid_json(name: str) -> None:
    text = as_json(line(finding(), path=name, problems=(Problem(name, "extract", "corrupt", "none", name),)))
    assert "\n" not in text
    assert "\r" not in text
    text.encode()
    path = json.loads(text)["path"]
    assert path == name or not name.isprintable()


# --- CSV ------------------------------------------------------------------------------------------------------------


def test_a_row_for_each_finding_and_for_each_message_that_was_not_read() -> None:
    rows = table(
        line(finding(), finding(topic="chain_mail", route=None)),
        line(path="lost.eml", problems=(LOST,)),
        line(path="clean.eml"),
        line(finding(shadow=True), path="shade.eml"),
    )
    assert [(row["path"], row["topic"], row["route_person"], row["complete"]) for row in rows] == [
        ("mail/001.eml", "personal_data", "dpo@elt.example", "yes"),
        ("mail/001.eml", "chain_mail", "", "yes"),
        ("lost.eml", "", "", "no"),
    ]
    assert rows[2]["problems"] == "attachment/1/report.doc: corrupt"
    assert rows[0]["evidence"] == "attachment/1/list.xlsx: NHS number ×12, ••••••••19"
    assert tuple(rows[0]) == CSV_COLUMNS


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", '=HYPERLINK("https://attacker.example")', "@SUM(1)", "-2+3|cmd"]
)
def test_no_cell_begins_like_a_formula(start: str) -> None:
    hostile = finding(title=start + "x", reasons=(start,), advice=start, route=Route(start, start + "y", start))
    for text in as_csv([line(hostile, path=start + ".eml", problems=(Problem(start, "x", "corrupt"),))]):
        for row in csv.reader(io.StringIO(text, newline="")):
            assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_quotes_commas_and_line_breaks_stay_in_their_cell() -> None:
    (row,) = csv.DictReader(
        io.StringIO("\n".join(as_csv([line(finding(title='a, "b"\nc'), path="x,y\n.eml")])), newline="")
    )
    assert row["title"] == 'a, "b"\nc'
    assert row["topic"] == "personal_data"


def test_a_line_break_or_an_escape_in_a_name_makes_no_row_and_no_colour() -> None:
    (text,) = list(as_csv([line(finding(), path="a\x1b[31mred\nnew\r.eml")]))[1:]
    (row,) = csv.reader(io.StringIO(text, newline=""))
    assert row[0] == "a\ufffd[31mred\nnew\ufffd.eml"
    assert len(row) == len(CSV_COLUMNS)


# --- HTML -----------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Collects tags with attributes, and the text that a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_are_text_and_nothing_else(hostile: str) -> None:
    each = line(
        finding(
            title=hostile, reasons=(hostile,), advice=hostile, clauses=(hostile,), route=Route("dpo", hostile, hostile),
            evidence=(Evidence(hostile, f"attachment/1/{hostile}", hostile, 1, 0.9),),
        ),
        path=f"{hostile}.eml",
        problems=(Problem(f"attachment/2/{hostile}", "extract", "corrupt", "none", hostile),),
    )  # fmt: skip
    tame = finding(evidence=(Evidence("unknown", "body", "", 1, 0.9),))
    page, plain = Page(html(each, title=hostile)), Page(html(line(tame, problems=(LOST,))))
    assert page.tags == plain.tags
    assert [name for name, _ in page.attributes] == [name for name, _ in plain.attributes]
    assert page.text.count(hostile.replace("_", " ")) >= 9


def test_the_page_has_no_script_and_asks_nobody_for_anything() -> None:
    page = Page(html(line(finding(), problems=(LOST,))))
    assert not {"script", "iframe", "img", "link", "form", "object", "embed", "a", "base"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href", "action")]
    policy = next(value for name, value in page.attributes if name == "content" and value and "default-src" in value)
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"url\(|@import|https?:", html(line(finding())))


def test_the_page_says_what_was_found_where_it_goes_and_what_was_not_read() -> None:
    text = Page(html(line(finding()), line(path="lost.eml", problems=(LOST,)))).text
    for words in (
        "2 looked at", "1 with findings", "1 not wholly read", "For the data protection officer: dpo@elt.example",
        "Identifiers sent out", "••••••••19",
        "about 12 people", "base:1.1", "it may be a breach", "Not read is not clean", PROBLEM_WORDS["corrupt"], "lost.eml",
    ):  # fmt: skip
        assert words in text


def test_findings_in_shadow_and_exempted_ones_are_not_on_the_page_and_an_empty_page_says_so() -> None:
    text = Page(html(line(finding(shadow=True)), line(finding(exempted_by="x")))).text
    assert "Identifiers" not in text
    assert "No findings." in text
    assert "Not read is not clean" not in text


def test_the_severest_of_a_route_comes_first() -> None:
    text = html(line(finding(title="Small", severity="minor")), line(finding(title="Grave"), path="z.eml"))
    assert text.index("Grave") < text.index("Small")


# --- a terminal -----------------------------------------------------------------------------------------------------


def test_nothing_is_said_about_a_message_that_is_clean_and_read() -> None:
    assert terminal(line()) == ""


def test_a_reader_at_a_terminal_sees_what_where_and_whom() -> None:
    text = terminal(line(finding(), problems=(LOST,)))
    for words in (
        "mail/001.eml",
        "severe",
        "Identifiers sent out",
        "dpo@elt.example",
        "×12",
        "••••••••19",
        "not read",
        "damaged",
    ):
        assert words in text


@pytest.mark.parametrize(
    "hostile", ["\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "a\x9b2Jb", "a\rb", "a\nb", "a\u202egpj.exe", "a\x00b"]
)
def test_a_hostile_name_cannot_move_the_cursor_or_turn_the_text_round(hostile: str) -> None:
    each = line(
        finding(
            evidence=(Evidence("nhs", f"attachment/1/{hostile}", "••19", 1, 0.9),), route=Route("dpo", hostile, hostile)
        ),
        path=hostile,
        problems=(Problem(hostile, "extract", "corrupt", "none", hostile),),
    )
    text = terminal(each)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert text.count("\n") == terminal(line(finding(), problems=(LOST,))).count("\n")


def test_square_brackets_in_a_name_are_no_markup() -> None:
    text = terminal(
        line(
            finding(),
            path="[bold red]x[/bold red].eml",
            problems=(Problem("attachment/1/[name withheld].zip", "x", "corrupt"),),
        )
    )
    assert "[bold red]x[/bold red].eml" in text
    assert "attachment/1/[name withheld].zip" in text


# --- the counts and the exit status ---------------------------------------------------------------------------------

LOCKED = Problem("attachment/1/a.zip", "extract", "encrypted")
CLEAN, FOUND = line(), line(finding())
PARTLY = line(problems=(LOST,))
SEALED = line(problems=(LOCKED,), complete=True, unread_protected=1)
SHADOW = line(finding(shadow=True))
EXEMPT = line(finding(exempted_by="trip-2026"))


@pytest.mark.parametrize(
    ("lines", "unreadable", "status"),
    [
        ((), False, 2),
        ((CLEAN,), False, 0),
        ((SHADOW,), False, 0),
        ((EXEMPT, CLEAN), False, 0),
        ((FOUND,), False, 1),
        ((FOUND, PARTLY), False, 1),
        ((CLEAN, FOUND, SHADOW), False, 1),
        ((PARTLY,), False, 2),
        ((SEALED,), False, 2),
        ((SEALED, FOUND), False, 1),
        ((CLEAN, PARTLY, EXEMPT), False, 2),
        ((), True, 2),
        ((FOUND,), True, 2),
        ((CLEAN,), True, 2),
    ],
)
def test_the_exit_status_says_found_before_unread_and_unreadable_before_all(
    lines: tuple[Line, ...], unreadable: bool, status: int
) -> None:
    summary = Summary(unread_arguments=["nowhere: there is no such file"] if unreadable else [])
    for each in lines:
        summary.add(each)
    assert summary.exit_status == status


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((CLEAN, CLEAN), "2 looked at, 0 with findings, 2 clean."),
        ((CLEAN, FOUND), "2 looked at, 1 with findings, 1 clean."),
        ((CLEAN, PARTLY), "2 looked at, 0 with findings, 1 not wholly read, 1 clean."),
        ((CLEAN, SEALED), "2 looked at, 0 with findings, 1 with locked parts, 1 clean."),
        ((), "Nothing was read."),
    ],
)
def test_what_was_not_read_is_never_called_clean(lines: tuple[Line, ...], words: str) -> None:
    summary = Summary()
    for each in lines:
        summary.add(each)
    assert summary.words() == words


def test_the_summary_counts_by_topic_and_by_problem() -> None:
    summary = Summary()
    for each in (FOUND, FOUND, PARTLY, line(finding(topic="chain_mail"))):
        summary.add(each)
    console = Console(file=io.StringIO(), width=120, color_system=None)
    print_summary(console, summary)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert re.search(r"personal data\W+2", text)
    assert re.search(r"chain mail\W+1", text)
    assert "1 corrupt. Not read is not clean." in text
    assert "\x1b" not in text


MISTAKEN = "ten-digit order, telephone and ISBN numbers"


def test_a_finding_explains_its_labels_where_it_was_asked_why() -> None:
    asked = replace(line(finding()), silences=(Silence("other", "sender", "no list"),))
    assert MISTAKEN in json.loads(as_json(asked))["findings"][0]["evidence"][0]["means"]
    assert "means" not in json.loads(as_json(line(finding())))["findings"][0]["evidence"][0]
    for each, expected in ((asked, True), (line(finding()), False)):
        screen = io.StringIO()
        print_line(Console(file=screen, width=400), each)
        assert (MISTAKEN in screen.getvalue()) == expected


def test_the_page_explains_each_label_of_a_finding_once() -> None:
    twice = finding(evidence=(Evidence("nhs", "body", "", 1, 0.9), Evidence("nhs", "subject", "", 1, 0.9)))
    assert html(line(twice)).count(MISTAKEN) == 1


# --- not judged -----------------------------------------------------------------------------------------------------

UNBOUND = "the policy does not bind the sender (pupil)"


def test_what_was_not_judged_is_said_in_every_format_and_never_called_clean() -> None:
    each = line(not_judged=UNBOUND)
    assert json.loads(as_json(each))["not_judged"] == UNBOUND
    assert f"not judged {UNBOUND}" in terminal(each)
    assert [row["not_judged"] for row in table(each)] == [UNBOUND]
    page = html(each)
    assert UNBOUND in page
    assert "<b>1</b> not judged" in page
    assert "<b>0</b> clean" in page
    assert "not judged" not in terminal(line())
    assert "not judged" not in html(line()).lower()
    assert table(line()) == []


def test_the_summary_counts_it_apart_and_the_status_stays_by_the_contract() -> None:
    summary = Summary()
    summary.add(line(not_judged=UNBOUND))
    summary.add(line())
    assert summary.words() == "2 looked at, 0 with findings, 1 not judged, 1 clean."
    assert summary.exit_status == 0  # nothing found, and everything was read
    summary.add(line(finding(), not_judged=UNBOUND))
    assert (summary.not_judged, summary.flagged, summary.clean, summary.exit_status) == (2, 1, 1, 1)
    adds_up = "3 looked at, 1 with findings, 2 not judged (1 of them for some topics only), 1 clean."
    assert summary.words() == adds_up
    assert f"not judged otherwise: {UNBOUND}" in terminal(line(finding(), not_judged=UNBOUND))
    assert f"not judged otherwise: {UNBOUND}" in Page(html(line(finding(), not_judged=UNBOUND))).text


def test_a_finding_that_no_clause_names_says_so() -> None:
    danger = line(finding(topic="threats", clauses=()))
    other = line(finding(clauses=()))
    for shown in (terminal, html):
        assert "no clause of the policy in force names it; reported because somebody may be in danger" in shown(danger)
        assert "somebody may be in danger" not in shown(other)
        assert "no clause of the policy in force names it" in shown(other)
        assert "no clause" not in shown(line(finding()))


def test_a_role_and_a_label_are_said_in_words_and_once() -> None:
    assert "goes to the data protection officer, dpo@elt.example" in terminal(line(finding()))
    everybody = Evidence("broadcast", "headers", "broadcast, high", 1, 0.9)
    row = table(line(finding(evidence=(everybody,))))[0]
    assert row["evidence"] == "headers: mail to everybody ×1, high"


def test_an_explanation_says_that_it_was_not_judged() -> None:
    console = Console(file=io.StringIO(), width=200, soft_wrap=True)
    print_explained(console, line(not_judged=UNBOUND), frozenset())
    assert f"not judged: {UNBOUND}" in console.file.getvalue()  # type: ignore[attr-defined]


# --- near misses ----------------------------------------------------------------------------------------------------


def test_only_what_came_near_is_shown_at_a_terminal_and_the_rest_is_counted() -> None:
    near = Silence("numbers", "sender", "2 hits, 3 needed", 1, 2, ("2 hits, 3 needed",), 0.5)
    far = Silence("gambling", "sender", "no gambling", 3, 4, ("no gambling",))
    both = terminal(replace(line(), silences=(far, near)))
    assert "quiet    numbers (sender): 2 hits, 3 needed" in both
    assert "quiet    1 more, further off" in both
    assert "gambling" not in both
    assert "quiet    1 in all, and none came near" in terminal(replace(line(), silences=(far,)))


def test_the_page_shows_no_name_of_a_label_for_a_mask() -> None:
    told = finding(evidence=(Evidence("reads_as_staff_pupil", "body", "reads as staff pupil, medium", 1, 0.6),))
    page = html(line(told))
    assert "reads as staff pupil" not in page
    assert "<td>not shown (medium)</td>" in page
    assert "••••••••19" in html(line(finding()))
