"""What could not be scanned, and the ledger of what was."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Annotated, Final, cast
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import Response

from scanner.model import ProblemKind
from scanner.store.rows import LEFT_ALONE
from scanner.web import wording
from scanner.web.access import Overseer, RefusedError, Services
from scanner.web.frame import frame
from scanner.web.pages import page

PAGE_SIZE: Final = 100
LEDGER_DAYS: Final = 14


def show_problems(
    services: Services,
    visitor: Overseer,
    kind: str = "",
    after: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    if kind and kind not in wording.PROBLEMS:
        raise RefusedError("No such kind", "There is no kind of problem of that name.", 422)
    counts = services.store.problem_counts()
    wanted = cast(ProblemKind, kind) if kind else None
    rows = services.store.problems(kind=wanted, after=after, limit=PAGE_SIZE + 1)
    kept = {"kind": kind} if kind else {}
    more = f"/problems?{urlencode({**kept, 'after': rows[PAGE_SIZE - 1].id})}" if len(rows) > PAGE_SIZE else ""
    values = {
        **frame(services, visitor, "/problems"),
        "kinds": [
            {"href": f"/problems?kind={name}", "count": counts[name], "title": words.title, "here": name == kind}
            for name, words in ((cast(ProblemKind, name), words) for name, words in wording.PROBLEMS.items())
            if counts.get(name)
        ],
        "chosen": wording.PROBLEMS[kind] if kind else None,
        "caption": wording.PROBLEMS[kind].title
        if kind
        else "Every kind but what was left out on purpose, newest first",
        "rows": [
            {
                "title": wording.PROBLEMS[row.kind].title,
                "detail": row.detail,
                "part": wording.part_words(row.part),
                "mailbox": row.mailbox,
                "seen": wording.london_day(row.seen_at),
                "what_to_do": wording.PROBLEMS[row.kind].what_to_do,
            }
            for row in rows[:PAGE_SIZE]
        ],
        "more": more,
        "orphans": len(services.store.cases(person="", limit=PAGE_SIZE)),
        "page_size": PAGE_SIZE,
        "parked": [
            {"mailbox": place.mailbox, "since": wording.london(place.since), "reason": place.reason}
            for place in services.store.parked()
        ],
    }
    return page("problems.html", values)


def show_coverage(services: Services, visitor: Overseer) -> Response:
    since = services.clock().date() - timedelta(days=LEDGER_DAYS - 1)
    rows = services.store.coverage(since)
    total: Counter[str] = Counter()
    for row in rows:
        total.update(seen=row.seen, read=row.read, partly=row.partly, locked=row.locked, not_read=row.not_read)
        total.update(not_judged=row.not_judged)
    words = {
        "seen": "messages seen",
        "read": "read to the end",
        "partly": "read in part",
        "locked": "with locked parts",
        "not_read": "not read",
        "not_judged": "not judged",
    }
    values = {
        **frame(services, visitor, "/coverage"),
        "gaps": services.gaps,
        "days": LEDGER_DAYS,
        "totals": [{"count": total[name], "text": text} for name, text in words.items()],
        "rows": [
            {
                "day": f"{row.day.day} {row.day:%b %Y}",
                "mailbox": row.mailbox,
                "seen": row.seen,
                "read": row.read,
                "partly": row.partly,
                "locked": row.locked,
                "not_read": row.not_read,
                "not_judged": row.not_judged,
                "why": ", ".join(
                    f"{_why_words(kind)} ({count:,})"
                    for kind, count in sorted(row.why.items(), key=lambda item: -item[1])
                    if kind in wording.PROBLEMS or kind.startswith(LEFT_ALONE)
                ),
            }
            for row in rows
        ],
    }
    return page("coverage.html", values)


def _why_words(kind: str) -> str:
    """A reason of the ledger: the title of a problem's kind, or why a message was not judged, as `scan` says it."""
    words = wording.PROBLEMS.get(cast(ProblemKind, kind))
    return words.title.lower() if words else kind
