"""Notices say that there is a case, once, and never what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import web_cases

from scanner.errors import ConnectorError
from scanner.notify import MAX_LISTED, Told, notice_for, send_pending
from scanner.ports import Notice
from scanner.store import Store

NOW = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
URL = "https://mailwarden.elt.example"


@dataclass(frozen=True)
class Row:
    id: int
    case_id: int
    person: str
    title: str = "Personal data to an outsider"


@dataclass
class MemoryOutbox:
    rows: list[Row]
    outcomes: dict[int, str] = field(default_factory=dict)

    def pending_notices(self, limit: int, *, now: datetime) -> list[Row]:
        return [row for row in self.rows if row.id not in self.outcomes][:limit]

    def notice_sent(self, notice_id: int, outcome: str, now: datetime) -> None:
        self.outcomes[notice_id] = outcome


@dataclass
class MemorySender:
    answer: Literal["sent", "unsure"] | ConnectorError = "sent"
    sent: list[Notice] = field(default_factory=list)

    def send(self, notice: Notice) -> Literal["sent", "unsure"]:
        if isinstance(self.answer, ConnectorError):
            raise self.answer
        self.sent.append(notice)
        return self.answer


def tell(outbox: MemoryOutbox, sender: MemorySender, limit: int = 200) -> Told:
    return send_pending(outbox, sender, public_url=URL + "/", clock=lambda: NOW, limit=limit)


def test_it_sends_nothing_when_nothing_is_due() -> None:
    sender = MemorySender()
    assert tell(MemoryOutbox([]), sender) == Told()
    assert sender.sent == []


def test_it_keeps_quiet_about_a_case_that_names_nobody_and_counts_it() -> None:
    outbox, sender = MemoryOutbox([Row(1, 7, "")]), MemorySender()
    assert tell(outbox, sender) == Told(failed=1, nobody=1)
    assert sender.sent == []
    assert outbox.outcomes == {1: "failed"}


def test_one_case_is_one_neutral_notice() -> None:
    outbox, sender = MemoryOutbox([Row(1, 7, "dpo@elt.example")]), MemorySender()
    assert tell(outbox, sender) == Told(sent=1)
    (notice,) = sender.sent
    assert (notice.to, notice.subject) == ("dpo@elt.example", "Mailwarden: 1 case for you")
    assert "Personal data to an outsider" in notice.text
    assert f"{URL}/cases/7\n" in notice.text
    assert "//cases" not in notice.text


def test_cases_of_one_person_make_one_notice_and_other_people_get_their_own() -> None:
    rows = [Row(1, 7, "dpo@elt.example"), Row(2, 8, "head@elt.example", "Chain mail"), Row(3, 9, "DPO@elt.example")]
    outbox, sender = MemoryOutbox(rows), MemorySender()
    assert tell(outbox, sender) == Told(sent=3)
    assert [(notice.to, notice.subject) for notice in sender.sent] == [
        ("dpo@elt.example", "Mailwarden: 2 cases for you"),
        ("head@elt.example", "Mailwarden: 1 case for you"),
    ]
    assert "Chain mail" not in sender.sent[0].text
    assert "dpo@" not in sender.sent[1].text


def test_a_second_round_sends_nothing_again_whether_sent_or_unsure() -> None:
    for answer in ("sent", "unsure"):
        outbox, sender = MemoryOutbox([Row(1, 7, "dpo@elt.example")]), MemorySender(answer)  # type: ignore[arg-type]
        tell(outbox, sender)
        tell(outbox, sender)
        assert len(sender.sent) == 1
        assert outbox.outcomes == {1: answer}


def test_one_failed_send_does_not_stop_the_others() -> None:
    class OnlyHead(MemorySender):
        def send(self, notice: Notice) -> Literal["sent", "unsure"]:
            if notice.to.startswith("dpo"):
                raise ConnectorError("the mail host is away", permanent=False, status=503)
            return super().send(notice)

    outbox, sender = MemoryOutbox([Row(1, 7, "dpo@elt.example"), Row(2, 8, "head@elt.example")]), OnlyHead()
    assert tell(outbox, sender) == Told(sent=1, failed=1)
    assert outbox.outcomes == {1: "failed", 2: "sent"}


def test_a_round_is_bounded() -> None:
    outbox, sender = MemoryOutbox([Row(n, n, f"p{n}@elt.example") for n in range(1, 9)]), MemorySender()
    assert tell(outbox, sender, limit=3) == Told(sent=3)
    assert len(sender.sent) == 3


def test_a_long_list_ends_with_a_link_to_the_rest() -> None:
    notice = notice_for("dpo@elt.example", [Row(n, n, "dpo@elt.example") for n in range(1, 31)], URL)
    assert notice.subject == "Mailwarden: 30 cases for you"
    assert f"and {30 - MAX_LISTED} more" in notice.text
    assert notice.text.count("/cases/") == MAX_LISTED


def test_a_title_can_neither_add_a_line_nor_a_header() -> None:
    notice = notice_for(
        "dpo@elt.example", [Row(1, 7, "dpo@elt.example", "Chain\r\nBcc: x@y.example\n\nmail" + "x" * 500)], URL
    )
    assert "\nBcc" not in notice.text
    assert "\r" not in notice.text
    assert max(len(line) for line in notice.text.splitlines()) <= 125
    assert "\n" not in notice.subject


def test_the_store_hands_each_case_out_once_and_a_notice_holds_no_person_and_no_find(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'notices.db'}")
    cases = web_cases.commit(store, web_cases.sample_messages())
    sender = MemorySender()
    assert send_pending(store, sender, public_url=URL, clock=lambda: web_cases.NOW) == Told(sent=len(cases))
    assert {notice.to for notice in sender.sent} == {web_cases.DPO, web_cases.HEAD, "deputy@elt.example"}
    for notice in sender.sent:
        for word in ("••", "2016", "A.B.", "list.xlsx", "j.smith", "NHS", "ZZ9"):
            assert word not in notice.text + notice.subject
    assert send_pending(store, sender, public_url=URL, clock=lambda: web_cases.NOW) == Told()
    assert store.notice_counts()["sent"] == len(cases)
    store.close()
