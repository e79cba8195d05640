"""A chain letter that goes round: recognised without its text, traced from one to the other, one case for all of it."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import web_cases
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from made_up import SHIPPED

from scanner import correlate
from scanner.extract.segments import segments
from scanner.model import Finding, Hit, Part, Reached, Route, Spread, SpreadAct, Verdict, Versions
from scanner.rulebook import load_rulebook
from scanner.sketch import LEAST_WITHOUT_SIGN, MOST_WORDS, SAME, agreement, bands, handed_on, passed_on, sketch
from scanner.store import Appearance, Committed, Passing, Store
from scanner.web import Explained, WebServices, create_app
from scanner.web.spread import written

KEY = b"k" * 32
NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
LETTER = (
    "This lantern has been round the world eight times and must not go out in our town. Send it to nine people before the\n"
    "moon is full and you will hear good news within four days. A baker in Ghent kept it in a drawer and lost his shop;\n"
    "when he sent it on at last he won a boat in a raffle. Please do not break the chain."
)
FOOTER = "This email is confidential and intended only for the addressee. Opinions are those of the author and not of the trust."


def body(text: str, subject: str = "") -> Part:
    return Part("body", "text/plain", text=text, segments=segments(text, subject))


def words_of(text: str, subject: str = "") -> tuple[str, ...]:
    part = body(text, subject)
    at = text.index("Send it to") if "Send it to" in text else text.index("Send it\n")
    return passed_on([part], [Hit("chain_letter", at, at + 10, "", 0.9, part="body")])


def tale(first: int, last: int) -> str:
    return "Send it to all. " + " ".join(f"word{number}" for number in range(first, last))


def forwarded(text: str, hops: int) -> str:
    for hop in range(hops):
        head = (
            f"From: p{hop}@elsewhere.example\nSent: 3 March 2026 10:1{hop}\nTo: Q{hop} R; S T\nSubject: FW: lantern\n\n"
        )
        text = f"Ooh look at this one, number {hop}!\n\n-----Original Message-----\n{head}{text}\n\n{FOOTER}"
    return text


def same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return agreement(sketch(one, KEY), sketch(other, KEY)) >= SAME


@pytest.mark.parametrize("hops", [1, 2, 5])
def test_survives_forwarding_with_comments_headers_and_footers(hops: int) -> None:
    assert same(words_of(LETTER), words_of(forwarded(LETTER, hops), "FW: lantern"))


def test_survives_quotation_marks_and_another_line_length() -> None:
    rewrapped = LETTER.replace("\n", " ").replace(". ", ".\n")
    quoted = "\n".join("> > " + line for line in rewrapped.split("\n"))
    assert same(words_of(LETTER), words_of(quoted))


def test_survives_small_changes() -> None:
    changed = LETTER.replace("Ghent", "Leeds").replace("nine people", "twelve women").replace("a boat", "a car")
    assert same(words_of(LETTER), words_of(changed.replace("Send it to", "Send it to")))


def test_two_letters_with_one_footer_are_two() -> None:
    other = "If this rabbit hops to your desk you have a friend. Send it to six good friends by Sunday or your garden dries up."
    assert not same(words_of(f"{LETTER}\n\n{FOOTER}"), words_of(f"{other}\n\n{FOOTER}"))


def test_another_key_makes_another_sketch() -> None:
    one, other = (sketch(words_of(LETTER), key) for key in (KEY, b"x" * 32))
    assert agreement(one, other) < 0.1
    assert not set(bands(one)) & set(bands(other))


def test_no_sign_and_too_few_words_leave_nothing() -> None:
    assert passed_on([body(LETTER)], []) == ()
    assert passed_on([body("Send it to ten people!")], [Hit("chain_letter", 0, 7, "", 0.9, part="body")]) == ()


def test_what_was_forwarded_counts_and_not_the_comment_on_it() -> None:
    comment = "Has anybody else had this one? It came to me on Friday and I could not help but smile at the boat, " * 3
    assert set(words_of(f"{comment}\n\n{forwarded(LETTER, 1)}")) == set(words_of(forwarded(LETTER, 1)))


def test_the_comment_counts_where_the_sign_is_in_it() -> None:
    text = LETTER + "\n\nOn 3 March 2026, A B wrote:\n" + "> Shall we have lunch at one, and where? " * 9
    assert "lunch" not in words_of(text)


@pytest.mark.parametrize("tail", ["\n>\n", "confidential viruses. ", "\n\nword", "a"])
def test_of_a_long_text_the_beginning_is_read(tail: str) -> None:
    part = Part("body", "text/plain", text="word and other word again, " * 20 + ".\n\n" + tail * 30_000)
    assert LEAST_WITHOUT_SIGN <= len(handed_on([part])) <= MOST_WORDS


def test_a_short_text_without_a_sign_is_not_remembered() -> None:
    assert handed_on([body("Lunch at one? The usual place, I will bring the car round to the back.")]) == ()
    assert handed_on([]) == ()


@given(st.text(max_size=400))
def test_any_text_gives_a_sketch_or_none(text: str) -> None:
    words = handed_on([body(text)])
    assert not words or len(words) >= LEAST_WITHOUT_SIGN
    assert len(sketch(words or ("a",), KEY)) == 256


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60))
def test_every_sketch_has_sixteen_bands_and_agrees_with_itself(words: list[str]) -> None:
    made = sketch(words, KEY)
    assert len(bands(made)) == 16
    assert agreement(made, made) == 1.0


@given(st.lists(st.sampled_from("abcdefgh"), min_size=3, max_size=60), st.randoms(use_true_random=False))
def test_agreement_is_about_the_share_of_runs(words: list[str], shuffle: random.Random) -> None:
    other = [*words, *(shuffle.choice("stuvwxyz") for _ in range(10))]
    runs = [{tuple(text[at : at + 3]) for at in range(max(1, len(text) - 2))} for text in (words, other)]
    true = len(runs[0] & runs[1]) / len(runs[0] | runs[1])
    assert abs(agreement(sketch(words, KEY), sketch(other, KEY)) - true) < 0.35


# --- the store ------------------------------------------------------------------------------------------------------


def passing(
    number: int, sender: str, to: str, act: SpreadAct = "passed", *, text: str = LETTER, topic: str = "chain_mail"
) -> Verdict:
    finding = Finding(
        f"key{number}", "chain_mail", "1", "Chain mail", topic, "chain_mail", "minor", 0.9, "sender", 0, (), ("why",),
        route=Route("line_manager", "head@elt.example", "the rule says so"),
    )  # fmt: skip
    reached = tuple(Reached(one, one.startswith("out")) for one in to.split())
    return Verdict(
        "", "inbound" if act == "received" else "internal", (finding,) if topic and act != "received" else (), (), True, 0,
        (), Versions("r", "p", "d"), f"hash{number}", sent_at=NOW - timedelta(hours=50 - number),
        spread=Spread(sketch(words_of(text), KEY), sender, reached, number, act),
    )  # fmt: skip


def commit(store: Store, *verdicts: Verdict, mailbox: str = "m") -> list[int]:
    opened: list[int] = []
    for verdict in verdicts:
        item = Committed(verdict.content_hash, "", mailbox, "f", verdict)
        opened += store.commit_page(source="s", mailbox=mailbox, folder="f", token="t", results=[item], now=NOW)
    return opened


def test_one_case_for_an_outbreak_across_pages_and_mailboxes(store: Store) -> None:
    assert commit(store, passing(1, "anna", "ben cleo", "started")) == [1]
    assert commit(store, passing(2, "ben", "dora out1", text=forwarded(LETTER, 2)), mailbox="n") == []
    other = "If this rabbit hops to your desk you have a friend. Send it to six good friends by Sunday or your garden dries up."
    assert commit(store, passing(3, "emil", "anna", text=other)) == [2]
    found = correlate.trace(store.outbreak(1), NOW)
    assert found is not None
    assert {walker.address for walker in found.walkers} == {"anna", "ben", "cleo", "dora", "out1"}
    assert len(store.outbreak(2)) == 1


def test_a_text_that_joins_two_outbreaks_makes_them_one(store: Store) -> None:
    commit(store, passing(1, "anna", "ben", text=tale(0, 100)), passing(2, "cleo", "dora", text=tale(60, 160)))
    assert len(store.outbreak(1)) == len(store.outbreak(2)) == 1
    commit(store, passing(3, "emil", "finn", text=tale(20, 140)))
    assert len(store.outbreak(1)) == 3


def test_two_outbreaks_become_one_whichever_of_them_agrees_best(store: Store) -> None:
    commit(store, passing(1, "anna", "ben", text=tale(0, 100)), passing(2, "cleo", "dora", text=tale(60, 160)))
    commit(store, passing(3, "emil", "finn", text=tale(24, 144)))  # nearer to the second
    assert len(store.outbreak(1)) == len(store.outbreak(2)) == 3


def test_two_letters_in_one_mail_stay_two(store: Store) -> None:
    commit(store, passing(1, "anna", "ben", text=tale(0, 60)), passing(2, "cleo", "dora", text=tale(60, 120)))
    commit(store, passing(3, "emil", "finn", text=tale(0, 120)))
    assert sorted((len(store.outbreak(1)), len(store.outbreak(2)))) == [1, 2]


def test_a_copy_without_a_sign_belongs_to_the_outbreak_and_accuses_nobody(store: Store) -> None:
    unsigned = passing(2, "ben", "dora", topic="")
    assert unsigned.spread is not None
    unsigned = replace(unsigned, spread=replace(unsigned.spread, signed=False))
    commit(store, unsigned)
    assert commit(store, passing(1, "anna", "ben", "started"), passing(3, "dora", "cleo")) == [1]
    found = correlate.trace(store.outbreak(1), NOW)
    assert found is not None
    assert found.unsigned == 1
    part = {walker.address: walker.part for walker in found.walkers}
    assert part == {"anna": "started", "ben": "only received", "dora": "passed on", "cleo": "only received"}


def test_what_never_showed_a_sign_is_forgotten_early(store: Store) -> None:
    lone = passing(1, "anna", "ben", topic="")
    assert lone.spread is not None
    commit(store, replace(lone, spread=replace(lone.spread, signed=False)))
    commit(store, passing(2, "cleo", "dora", text=tale(0, 60)))
    store.forget_outbreaks(NOW - timedelta(days=180), NOW)
    commit(store, passing(3, "emil", "finn"), passing(4, "gina", "hal", text=tale(0, 60)))
    assert [len(store.outbreak(case)) for case in (1, 2)] == [2, 1]


def test_who_passes_a_text_on_after_it_was_confirmed_is_no_repeat_offender(store: Store) -> None:
    commit(store, replace(passing(1, "anna", "ben"), sender="anna"))
    store.decide(1, actor="head", action="confirm", note="", now=NOW)
    late = replace(passing(2, "ben", "cleo", text=forwarded(LETTER, 2)), sender="ben")
    item = Committed(late.content_hash, "", "n", "f", late)
    later = NOW + timedelta(hours=1)
    assert store.commit_page(source="s", mailbox="n", folder="f", token="t", results=[item], now=later) == []
    assert [store.confirmed(who, "minor", None) for who in ("anna", "ben")] == [1, 0]
    store.decide(1, actor="head", action="reopen", note="", now=later)
    store.decide(1, actor="head", action="confirm", note="", now=later)
    assert [store.confirmed(who, "minor", None) for who in ("anna", "ben")] == [1, 1]


def test_a_text_judged_harmless_stays_so_in_a_further_copy_and_a_closed_one_comes_back(store: Store) -> None:
    commit(store, passing(1, "anna", "ben"))
    store.decide(1, actor="dpo", action="false_alarm", note="a poem", now=NOW)
    commit(store, passing(2, "ben", "cleo"))
    assert store.cases()[0].state == "false_alarm"
    store.decide(1, actor="dpo", action="close", note="", now=NOW)
    commit(store, passing(3, "cleo", "dora"))
    assert store.cases()[0].state == "open"


def test_judged_again_a_message_counts_once(store: Store) -> None:
    first = passing(1, "anna", "ben")
    commit(store, first, replace(first, versions=Versions("r2", "p", "d")))
    assert len(store.outbreak(1)) == 1
    commit(store, replace(first, versions=Versions("r3", "p", "d"), spread=None))
    assert store.outbreak(1) == []


def test_outbreaks_are_forgotten(store: Store) -> None:
    commit(store, passing(1, "anna", "ben"), passing(2, "ben", "cleo"))
    store.forget_outbreaks(NOW - timedelta(days=30), NOW)
    assert len(store.outbreak(1)) == 2
    store.forget_outbreaks(NOW, NOW)
    assert store.outbreak(1) == []


# --- tracing --------------------------------------------------------------------------------------------------------


def went(sender: str, to: str, hours: int, act: SpreadAct = "passed", *, accused: bool = True) -> Passing:
    reached = tuple((one, one.startswith("out")) for one in to.split())
    return Passing(sender, reached, NOW - timedelta(hours=hours), act, 1, accused=accused)


def test_trace_names_first_sender_hops_and_what_leaves() -> None:
    found = correlate.trace(
        [
            went("out0", "anna", 40, "received", accused=False),
            went("anna", "ben cleo", 30),
            went("ben", "dora out1 out2", 20),
            went("cleo", "it", 10, accused=False),
        ],
        NOW,
    )
    assert found is not None
    assert (found.first, found.hops, found.leaving, found.growing) == ("out0", 3, 2, True)
    part = {walker.address: (walker.part, walker.hop) for walker in found.walkers}
    assert part["anna"] == ("passed on", 1)
    assert part["cleo"] == ("only received", 2)  # a report is no passing on
    assert part["dora"] == ("only received", 3)
    assert "it" not in part


def test_nobody_here_passed_it_on() -> None:
    assert correlate.trace([went("out0", "anna ben", 4, "received", accused=False)], NOW) is None


def test_an_old_outbreak_does_not_grow() -> None:
    found = correlate.trace([went("anna", "ben", 24 * 9)], NOW)
    assert found is not None
    assert not found.growing


@given(st.text(max_size=40))
def test_graphml_holds_a_hostile_name_as_text(name: str) -> None:
    found = correlate.trace([went("anna", "ben", 4)], NOW)
    assert found is not None
    read = ET.fromstring(written(found, {"anna": f'"/><node id="x">&{name}', "ben": "Ben"}))  # noqa: S314 our own file
    space = "{http://graphml.graphdrawing.org/xmlns}"
    assert [node.get("id") for node in read.iter(f"{space}node")] == ["n0", "n1"]
    assert [(edge.get("source"), edge.get("target")) for edge in read.iter(f"{space}edge")] == [("n0", "n1")]


# --- the page -------------------------------------------------------------------------------------------------------


class Desk:
    """A store with one outbreak, judged by the head; the DPO sees it as well. Names of two people are known."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(f"sqlite:///{folder / 'page.db'}")
        dpo = replace(passing(1, "anna", "ben cleo", "started").findings[0], route=Route("dpo", web_cases.DPO, "so"))
        head = replace(dpo, key="h", route=Route("line_manager", web_cases.HEAD, "so"))
        first = replace(passing(1, "anna", "ben cleo", "started"), findings=(dpo,))
        commit(self.store, first, replace(passing(2, "ben", "dora out1"), findings=(head,)))
        lone = replace(passing(3, "emil", "finn", text=LETTER.replace("lantern", "kettle") + " tail" * 90), spread=None)
        commit(self.store, lone)
        web_cases.add_account(self.store, "dana", "dpo", web_cases.DPO, now=NOW)
        web_cases.add_account(self.store, "hal", "manager", web_cases.HEAD, now=NOW)

    def known_as(self, wanted: Collection[str]) -> Mapping[str, str]:
        names = {"anna": "Anna <script>alert(1)</script>", "ben": "Ben & Co"}
        return {one: names[one] for one in wanted if one in names}

    def explain(self, place: Appearance) -> Explained:
        raise AssertionError("not asked for here")

    def browser(self, name: str) -> TestClient:
        services = WebServices(
            store=self.store, clock=lambda: NOW, session_key=KEY, public_url="http://127.0.0.1", policy_title="Example",
            reveal=web_cases.revealed, known_as=self.known_as, explain=self.explain, rulebook=load_rulebook(SHIPPED),
        )  # fmt: skip
        browser = TestClient(create_app(lambda: services), follow_redirects=False)
        page = browser.get("/sign-in").text
        token = page.split('name="csrf" value="')[1].split('"')[0]
        form = {"csrf": token, "name": name, "password": web_cases.PASSWORD, "code": "", "next": "/"}
        assert browser.post("/sign-in", data=form).status_code == 303
        return browser


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path)
    yield opened
    opened.store.close()


def test_the_dpo_sees_a_picture_a_table_and_names_as_text(desk: Desk) -> None:
    page = desk.browser("dana").get("/cases/1").text
    assert "How it went round" in page
    assert page.count("<circle") == 5
    assert "<script>alert" not in page
    assert page.count("Anna &lt;script&gt;") >= 2  # picture and table
    assert "Outside 1" in page
    assert "still growing" in page
    assert "style=" not in page  # the page's own policy forbids it


def test_a_manager_sees_the_way_and_no_names(desk: Desk) -> None:
    page = desk.browser("hal").get("/cases/2").text
    assert "How it went round" in page
    assert "Ben &amp; Co" not in page
    assert "Member 1" in page


def test_the_file_is_for_whom_the_case_is(desk: Desk) -> None:
    file = desk.browser("dana").get("/cases/1/spread.graphml")
    assert file.status_code == 200
    assert file.headers["content-disposition"].startswith("attachment")
    nodes = ET.fromstring(file.content).iter("{http://graphml.graphdrawing.org/xmlns}node")  # noqa: S314 our own file
    assert len(list(nodes)) == 5
    assert desk.browser("hal").get("/cases/1/spread.graphml").status_code == 404


def test_a_case_that_went_nowhere_has_no_picture(desk: Desk) -> None:
    browser = desk.browser("hal")
    shown = browser.get("/cases/3")
    assert shown.status_code == 404 or "How it went round" not in shown.text
    assert browser.get("/cases/3/spread.graphml").status_code == 404
