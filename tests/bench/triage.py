"""How long the first page of the case list takes with 100,000 cases stored (budget: 300 ms). Run it by hand.

Prints one line per question that the triage page asks, each the median of nine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from scanner.model import SEVERITIES, Evidence, Finding, Route, Verdict, Versions
from scanner.store import Audience, Committed, Store

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
TOPICS = ("personal_data", "chain_mail", "inappropriate_language", "weak_protection", "personal_address")
PAGE = 1_000
BUDGET_MS = 300


def result(number: int) -> Committed:
    """One message with one case; roles, topics and severities in turn."""
    topic = TOPICS[number % len(TOPICS)]
    role = ("dpo", "dpo@elt.example") if topic in TOPICS[::3] else ("line_manager", f"head{number % 40}@elt.example")
    finding = Finding(
        key=f"key-{number}",
        rule=topic,
        rule_version="1",
        title=topic.replace("_", " "),
        topic=topic,
        category="personal_data",
        severity=SEVERITIES[number % 3],
        confidence=0.9,
        owner="sender",
        subjects=1,
        evidence=(Evidence("nhs", "body", "••••••••15", 1, 0.9, "1:00"),),
        reasons=("check digit right",),
        clauses=("partnership:4.5/s2",),
        route=Route(*role, "as the routing says"),
    )
    verdict = Verdict(
        message_id=f"<{number}@elt.example>",
        direction="outbound",
        findings=(finding,),
        problems=(),
        complete=True,
        unread_protected=0,
        facts=(),
        versions=Versions("1", "1", "1"),
        content_hash=f"content-{number}",
        sent_at=NOW,
        parts=2,
    )
    return Committed(f"id-{number}", verdict.message_id, f"m{number % 500}@elt.example", "sent", verdict)


def fill(store: Store, cases: int) -> None:
    for first in range(0, cases, PAGE):
        results = [result(number) for number in range(first, min(first + PAGE, cases))]
        store.commit_page(
            source="m365",
            mailbox="m@elt.example",
            folder="sent",
            token=str(first),
            results=results,
            now=NOW + timedelta(seconds=first),
        )


def milliseconds(question: Callable[[], object]) -> float:
    times = []
    for _ in range(9):
        start = time.perf_counter()
        question()
        times.append(1_000 * (time.perf_counter() - start))
    return median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--url", help="another database than a temporary SQLite file; it must be empty")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(arguments.url or f"sqlite:///{Path(folder) / 'bench.db'}")
        start = time.perf_counter()
        fill(store, arguments.cases)
        took = time.perf_counter() - start
        print(f"{arguments.cases:,} cases stored in {took:.1f} s ({arguments.cases / took:,.0f} a second)")
        head = Audience(persons=("head7@elt.example",))
        dpo = Audience(persons=("dpo@elt.example",), roles=("dpo",), topics=("personal_data", "weak_protection"))
        middle = store.cases(limit=1)[0].id - arguments.cases // 2
        questions: dict[str, Callable[[], object]] = {
            "cases(limit=50)": lambda: store.cases(limit=50),
            "cases(limit=50), severest first": lambda: store.cases(limit=50, order="severest"),
            "… for the DPO": lambda: store.cases(limit=50, audience=dpo),
            "… for one line manager": lambda: store.cases(limit=50, audience=head),
            "… new and severe, of one topic": lambda: store.cases(
                limit=50, state="new", severity="severe", topic="chain_mail"
            ),
            "… that finds nothing": lambda: store.cases(limit=50, state="closed", audience=dpo),
            "… from the middle on": lambda: store.cases(limit=50, order="severest", after=middle),
            "case_counts()": store.case_counts,
            "case_counts() for the DPO": lambda: store.case_counts(dpo),
            "case()": lambda: store.case(middle),
            "messages_with_problems()": store.messages_with_problems,
        }
        slowest = 0.0
        for name, question in questions.items():
            took = milliseconds(question)
            slowest = max(slowest, took)
            print(f"{took:8.1f} ms  {name}")
        store.close()
    print(f"budget {BUDGET_MS} ms: {'kept' if slowest <= BUDGET_MS else 'MISSED'}")
    return 0 if slowest <= BUDGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
