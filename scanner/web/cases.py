"""The list of cases, one case, deciding it, and reading its message once."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, get_args
from urllib.parse import urlencode

from fastapi import Depends, Form, Path, Query
from starlette.responses import RedirectResponse, Response

from scanner.clauses import no_clause
from scanner.errors import ConnectorError
from scanner.evidence import places_words, span_of
from scanner.governance import NotAuthorisedError
from scanner.labels import explanation
from scanner.model import CaseState, Evidence, Part, Problem, SegmentOwner
from scanner.store import Action, CaseCounts, CaseDetail, CaseRow, DecisionRefused
from scanner.web import wording
from scanner.web.access import Judge, RefusedError, Services, Visitor, form_checked, not_yours
from scanner.web.frame import frame
from scanner.web.pages import page
from scanner.web.services import Explained, RevealResult, WebServices
from scanner.web.spread import names, outbreak_of, outbreak_view, written

PAGE_SIZE = 50
# Of the rules that stayed quiet so many are shown at once; the others are a click away.
NEAR_SHOWN = 5
MAX_NOTE = 2000
MIN_REASON = 8
MAX_REASON = 500
# What of one part is put on a page: a long document is no reason for a browser to stop.
MAX_SHOWN = 200_000
# A mail to 200 staff lies in 200 mailboxes; this many are tried before we say that it is gone.
MAX_PLACES_TRIED = 3

CaseId = Annotated[int, Path(ge=1, le=2**31 - 1)]
StateFilter = Literal["", "new", "open", "confirmed", "false_alarm", "excused", "closed"]
SeverityFilter = Literal["", "minor", "moderate", "severe"]
OrderChoice = Literal["newest", "severest"]

DONE: Final = {
    "confirm": "Recorded: you confirmed that this is a breach.",
    "false_alarm": "Recorded: you marked this a false alarm.",
    "note": "Your note was added.",
    "reopen": "The case is open again.",
    "close": "The case is closed.",
}
ORDERS: Final = {"severest": "Severest first", "newest": "Newest first"}
# The buttons of each state, the likeliest first; the store refuses every other step.
_CHOICES: Final[dict[str, tuple[tuple[Action, str], ...]]] = {
    "new": (("confirm", "Confirm"), ("false_alarm", "False alarm"), ("note", "Add note only")),
    "open": (("confirm", "Confirm"), ("false_alarm", "False alarm"), ("note", "Add note only")),
    "confirmed": (("close", "Close"), ("reopen", "Reopen"), ("note", "Add note only")),
    "false_alarm": (("close", "Close"), ("reopen", "Reopen"), ("note", "Add note only")),
    "excused": (("reopen", "Reopen"), ("note", "Add note only")),
    "closed": (("reopen", "Reopen"), ("note", "Add note only")),
}


def case_for(services: WebServices, visitor: Visitor, case_id: int) -> CaseDetail:
    """The case, where it is theirs to judge. Raises RefusedError with the same words for every other one."""
    detail = services.store.case(case_id, visitor.audience)
    if detail is None or not visitor.may_judge(detail.case):
        raise not_yours()
    return detail


def cases_for(
    services: WebServices,
    visitor: Visitor,
    *,
    state: StateFilter,
    severity: SeverityFilter,
    topic: str,
    route: str,
    order: OrderChoice,
    after: int | None,
) -> tuple[list[CaseRow], int | None]:
    """One page of cases and the id to go on after, None at the end."""
    if topic and topic not in wording.TOPICS:
        raise RefusedError("No such topic", "The filter names a topic that does not exist.", 422)
    if route and route not in wording.ROUTE_ROLES:
        raise RefusedError("No such role", "The filter names a role that does not exist.", 422)
    rows = services.store.cases(
        route_role=route or None,
        state=state or None,
        topic=topic or None,
        severity=severity or None,
        audience=visitor.audience,
        order=order,
        after=after,
        limit=PAGE_SIZE + 1,
    )
    shown = rows[:PAGE_SIZE]
    last = shown[-1].id if len(rows) > PAGE_SIZE else None
    return [row for row in shown if visitor.may_judge(row)], last


def label_words(services: WebServices, label: str) -> str:
    return services.labels.get(label) or wording.LABELS.get(label) or wording.spaced(label)


def _line(services: WebServices, row: CaseRow) -> str:
    """What and why in one line: `Personal data sent outside: NHS number, date of birth; about 12 people`."""
    named = [label_words(services, label) for label in row.labels[:4]]
    if len(row.labels) > 4:
        named.append(f"{len(row.labels) - 4} more")
    what = ", ".join(named) or row.why
    people = f"; about {wording.count_of(row.subjects, 'person', 'people')}" if row.subjects else ""
    return wording.topic_title(row.topic) + (f": {what}" if what else "") + people


def _row_view(services: WebServices, row: CaseRow, place: tuple[str, int] | None = None) -> dict[str, Any]:
    sent = f"sent {wording.london_day(row.sent_at)} · " if row.sent_at else ""
    where = ""
    if place is not None:
        mailbox, number = place
        where = mailbox + (
            f" and {wording.count_of(number - 1, 'more mailbox', 'more mailboxes')}" if number > 1 else ""
        )
    return {
        "where": where,
        "id": row.id,
        "title": row.title,
        "line": _line(services, row),
        "meta": f"Case {row.id} · {sent}found {wording.london_day(row.opened)} · for {wording.route_role(row.route.role)}",
        "severity": row.severity,
        "severity_words": wording.SEVERITIES[row.severity][0],
        "state": row.state,
        "state_words": wording.STATES[row.state][0],
    }


def show_cases(
    services: Services,
    visitor: Judge,
    state: StateFilter = "",
    severity: SeverityFilter = "",
    topic: str = "",
    route: str = "",
    order: OrderChoice = "severest",
    after: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    rows, last = cases_for(
        services, visitor, state=state, severity=severity, topic=topic, route=route, order=order, after=after
    )
    places = services.store.case_places([row.id for row in rows])
    counts = services.store.case_counts(visitor.audience)
    chosen = {"state": state, "severity": severity, "topic": topic, "route": route, "order": order}
    kept = {name: value for name, value in chosen.items() if value and (name, value) != ("order", "severest")}
    narrowing = {name for name in kept if name != "order"}
    values = {
        **frame(services, visitor, "/cases"),
        "who_sees_what": _who_sees_what(visitor),
        "may_see_problems": visitor.sees_coverage,
        "boxes": _boxes(counts, state, narrowing),
        "states": wording.STATES,
        "severities": wording.SEVERITIES,
        "topics": wording.TOPICS,
        "routes": {role: wording.capital(words) for role, words in wording.ROUTE_ROLES.items()}
        if visitor.is_dpo
        else {},
        "orders": ORDERS,
        "chosen": chosen,
        "filtered": bool(narrowing),
        "waiting": counts.waiting,
        "shown": f"{wording.count_of(len(rows), 'case', 'cases')} shown",
        "cases": [_row_view(services, row, places.get(row.id)) for row in rows],
        "older": f"/cases?{urlencode({**kept, 'after': last})}" if last else "",
        "page_size": PAGE_SIZE,
    }
    return page("cases.html", values)


def _who_sees_what(visitor: Visitor) -> str:
    if visitor.is_dpo:
        return "Cases for the data protection officer, and cases about data that went to others."
    return "Cases that were sent to you to judge. Cases about other people's staff, or about you, are not shown."


def _boxes(counts: CaseCounts, state: str, narrowing: set[str]) -> list[dict[str, Any]]:
    alone = narrowing == {"state"}
    return [
        {
            "href": f"/cases?state={name}",
            "count": counts.by_state.get(name, 0),
            "text": wording.STATES[name][0].lower(),
            "here": alone and state == name,
        }
        for name in get_args(CaseState)
        if name != "closed"
    ]


def show_case(services: Services, visitor: Judge, case_id: CaseId, done: str = "") -> Response:
    detail = case_for(services, visitor, case_id)
    return _case_page(services, visitor, detail, said=DONE.get(done, ""))


def _case_page(
    services: WebServices,
    visitor: Visitor,
    detail: CaseDetail,
    *,
    said: str = "",
    wrong: str = "",
    note: str = "",
    reason: str = "",
    status: int = 200,
) -> Response:
    choices = [
        {"action": action, "text": text, "second": position > 0}
        for position, (action, text) in enumerate(_CHOICES[detail.case.state])
    ]
    values = {
        **frame(services, visitor, "/cases"),
        "case": _case_view(services, detail),
        "spread": outbreak_view(services, visitor, detail.case.id),
        "choices": choices,
        "said": said,
        "wrong": wrong,
        "note": note,
        "reason": reason,
    }
    return page("case.html", values, status)


def _case_view(services: WebServices, detail: CaseDetail) -> dict[str, Any]:
    row = detail.case
    topic = wording.TOPICS.get(row.topic)
    facts = [("Direction", wording.DIRECTIONS[row.direction])]
    if row.sent_at:
        facts.append(("Sent", wording.london(row.sent_at)))
    if row.subjects:
        facts.append(("People concerned", f"about {row.subjects:,}"))
    facts.append(("Certainty", f"{wording.certainty(row.confidence)} ({row.confidence:.0%})"))
    facts.append(("Severity", f"{wording.SEVERITIES[row.severity][0]}. {wording.SEVERITIES[row.severity][1]}"))
    findings = detail.findings
    clauses = dict.fromkeys(clause for finding in findings for clause in finding.clauses)
    reasons = dict.fromkeys(reason for finding in findings for reason in finding.reasons)
    places = detail.appearances
    return {
        **_row_view(services, row),
        "opened": wording.london(row.opened),
        "topic_title": wording.topic_title(row.topic),
        "topic_meaning": topic.meaning if topic else "",
        "facts": facts,
        "advice": list(dict.fromkeys(finding.advice for finding in findings if finding.advice)),
        "evidence": _by_part(services, [item for finding in findings for item in finding.evidence]),
        "meanings": _meanings(services, [item for finding in findings for item in finding.evidence]),
        "reasons": [wording.reason_words(reason, {**wording.LABELS, **services.labels}) for reason in reasons],
        "owners": [
            wording.SEGMENT_OWNERS[owner] for owner in dict.fromkeys(f.owner for f in findings) if owner != "sender"
        ],
        "no_clause": wording.capital(no_clause(row.topic)) if findings and not clauses else "",
        "clauses": [(clause, services.clauses.get(clause, "")) for clause in clauses],
        "excuses": list(dict.fromkeys(f.exempted_by for f in findings if f.exempted_by)),
        "rules": [f"{f.rule} ({f.rule_version})" for f in findings],
        "route_role": wording.capital(wording.route_role(row.route.role)),
        "route_person": row.route.person,
        "because": row.route.because.rstrip("."),
        "fallback": row.route.fallback,
        "unread": [problem_view(problem) for problem in detail.problems if problem.kind != "skipped"],
        "appearances": list(dict.fromkeys(place.mailbox for place in places)),
        "appearance_words": f"It was seen in {wording.count_of(len(places), 'place', 'places')}."
        if places
        else "It is in no mailbox that we know of any more.",
        "history": [
            {
                "at": wording.london(entry.at),
                "actor": entry.actor,
                "did": wording.ACTIONS.get(entry.action, wording.spaced(entry.action)),
                "note": entry.note,
            }
            for entry in detail.decisions
        ],
    }


def problem_view(problem: Problem) -> dict[str, str]:
    words = wording.PROBLEMS[problem.kind]
    return {
        "part": wording.part_words(problem.part),
        "title": words.title,
        "meaning": words.meaning,
        "detail": problem.detail,
    }


def _by_part(services: WebServices, evidence: list[Evidence]) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for item in evidence:
        groups.setdefault(item.part, []).append(
            {
                "label": wording.capital(label_words(services, item.label)),
                "count": item.count,
                "mask": "" if item.mask.startswith(f"{item.label.replace('_', ' ')}, ") else item.mask,
                "certainty": wording.certainty(item.confidence),
                "where": places_words(item.places),
            }
        )
    return [{"part": wording.part_words(part), "rows": rows} for part, rows in groups.items()]


def spread_file(services: Services, visitor: Judge, case_id: CaseId) -> Response:
    """How the text of a case went round, for other programs (GraphML 1.0)."""
    case_for(services, visitor, case_id)
    found = outbreak_of(services, case_id)
    if found is None:
        raise RefusedError("Nothing went round", "No passing on is known of this case.", 404)
    headers = {
        "Content-Disposition": f'attachment; filename="outbreak-case-{case_id}.graphml"',
        "Cache-Control": "no-store",
    }
    graph = written(found, names(services, visitor, found))
    return Response(graph, media_type="application/graphml+xml", headers=headers)


def _meanings(services: WebServices, evidence: list[Evidence]) -> list[tuple[str, str]]:
    """What each kind of evidence in a case is, why it counts and what is often mistaken for it."""
    found = dict.fromkeys(item.label for item in evidence)
    return [
        (wording.capital(label_words(services, label)), explanation(label)) for label in found if explanation(label)
    ]


# --- acts -----------------------------------------------------------------------------------------------------------


def decide(
    services: Services,
    visitor: Judge,
    case_id: CaseId,
    _: Annotated[None, Depends(form_checked)],
    action: Annotated[Action, Form()],
    note: Annotated[str, Form()] = "",
) -> Response:
    case_for(services, visitor, case_id)
    try:
        take_step(services, visitor, case_id, action, note)
    except RefusedError as refused:
        fresh = case_for(services, visitor, case_id)
        return _case_page(services, visitor, fresh, wrong=refused.sentence, note=note[:MAX_NOTE], status=refused.status)
    return RedirectResponse(f"/cases/{case_id}?done={action}", status_code=303)


def take_step(services: WebServices, visitor: Visitor, case_id: int, action: Action, note: str) -> CaseState:
    """Takes the step for the visitor, or raises RefusedError with a sentence. The case was checked to be theirs."""
    text = typed(note)
    if action == "note" and not text:
        raise RefusedError("Nothing written", "Write a note first; nothing was changed.", 422)
    if len(text) > MAX_NOTE:
        raise RefusedError("Too long", f"A note has at most {MAX_NOTE:,} characters; nothing was changed.", 422)
    bare = action == "close" and services.must_pursue and not text
    if bare and case_for(services, visitor, case_id).case.state == "confirmed":
        sentence = "The policy wants every confirmed breach dealt with: say what was done. Nothing was changed."
        raise RefusedError("What was done?", sentence, 422)
    try:
        return services.store.decide(case_id, actor=visitor.name, action=action, note=text, now=services.clock())
    except DecisionRefused as refused:
        state = wording.STATES[case_for(services, visitor, case_id).case.state][0].lower()
        sentence = f"Nothing was changed: the state of this case is “{state}” by now, and that step does not follow it."
        raise RefusedError("That step is not possible", sentence, 409) from refused


def typed(text: str) -> str:
    """What somebody typed, without characters that are no text: PostgreSQL refuses NUL, screens obey the others."""
    return "".join(c for c in text.replace("\r\n", "\n") if c.isprintable() or c == "\n").strip()


def reveal(
    services: Services,
    visitor: Judge,
    case_id: CaseId,
    _: Annotated[None, Depends(form_checked)],
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Records first, then fetches: there is no way to have read a message that left no trace (D19)."""
    detail = case_for(services, visitor, case_id)
    _may_look(services, visitor)
    why = " ".join(typed(reason).split())
    if not MIN_REASON <= len(why) <= MAX_REASON:
        sentence = (
            f"Say in {MIN_REASON} to {MAX_REASON} characters why you need to read the message. Nothing was fetched."
        )
        return _case_page(services, visitor, detail, wrong=sentence, reason=why[:MAX_REASON], status=422)
    services.store.record_reveal(case_id, actor=visitor.name, reason=why, now=services.clock())
    result, trouble = _fetch(services, detail)
    if result is None:
        fresh = case_for(services, visitor, case_id)
        return _case_page(services, visitor, fresh, wrong=trouble, status=502)
    _no_party(services, visitor, case_id, result.parties, "reveal refused")
    seen = [item for finding in detail.findings for item in finding.evidence if item.places]
    values = {
        **frame(services, visitor, "/cases"),
        "case": _row_view(services, detail.case),
        "reason": why,
        "headings": result.headings,
        "parts": [
            _part_view(services, part, [item for item in seen if item.part == part.path]) for part in result.parts
        ],
        "not_shown": [problem_view(problem) for problem in result.problems],
    }
    return page("reveal.html", values)


def explain(services: Services, visitor: Judge, case_id: CaseId, _: Annotated[None, Depends(form_checked)]) -> Response:
    """Judges the message again, with the reasons of every rule. It shows labels and counts, never text."""
    detail = case_for(services, visitor, case_id)
    _may_look(services, visitor)
    services.store.record(
        actor=visitor.name, action="rules explained", object=f"case/{case_id}", reason="", now=services.clock()
    )
    told: Explained | None = None
    shut = ""
    for place in detail.appearances[:MAX_PLACES_TRIED]:
        try:
            told = services.explain(place)
            break
        except NotAuthorisedError as refusal:
            shut = str(refusal)
        except ConnectorError:
            continue
    if told is None and shut:
        raise RefusedError("Not without leave", f"The message may not be read again: {shut}. Nothing was fetched.", 403)
    if told is None:
        sentence = "The message could not be fetched, so the rules could not be asked again. Nothing was changed."
        return _case_page(services, visitor, detail, wrong=sentence, status=502)
    _no_party(services, visitor, case_id, told.parties, "explanation refused")
    titles = {rule.id: rule.title for rule in services.rulebook.rules}
    known = {**wording.LABELS, **services.labels}
    values = {
        **frame(services, visitor, "/cases"),
        "case": _row_view(services, detail.case),
        "fired": [
            {
                "rule": item.rule,
                "title": item.title,
                "whose": wording.SEGMENT_OWNERS[item.owner],
                "excuse": item.exempted_by,
                "shadow": item.shadow,
                "reasons": [wording.reason_words(reason, known) for reason in item.reasons],
            }
            for item in told.findings
        ],
        "quiet": [
            {
                "rule": item.rule,
                "title": titles.get(item.rule, item.rule),
                "whose": wording.SEGMENT_OWNERS[item.owner],
                "met": item.met,
                "needed": item.needed,
                "missing": [wording.wish_words(wish, known) for wish in item.missing],
            }
            for item in told.silences
        ],
        "near": sum(item.told > 0 for item in told.silences[:NEAR_SHOWN]),
        "not_judged": told.not_judged,
    }
    return page("explain.html", values)


def _may_look(services: WebServices, visitor: Visitor) -> None:
    """Whether the policy lets this account look into the message behind a case again; raises RefusedError."""
    if not services.may_reveal & set(visitor.account.roles):
        raise RefusedError(
            "Not for this account", "The policy in force lets others read the message behind a case.", 403
        )


def _no_party(
    services: WebServices,
    visitor: Visitor,
    case_id: int,
    parties: frozenset[str],
    action: Literal["reveal refused", "explanation refused"],
) -> None:
    """Nobody looks into a message that they take part in (Never 5); raises RefusedError, and records it."""
    if visitor.account.email.strip().lower() in parties:
        services.store.record(
            actor=visitor.name,
            action=action,
            object=f"case/{case_id}",
            reason="the reader is a party to the message",
            now=services.clock(),
        )
        raise RefusedError(
            "Not for you to read",
            "You are a party to this message, so somebody else has to judge it. This was recorded.",
            403,
        )


def _fetch(services: WebServices, detail: CaseDetail) -> tuple[RevealResult | None, str]:
    retry = False
    for place in detail.appearances[:MAX_PLACES_TRIED]:
        try:
            return services.reveal(place), ""
        except ConnectorError as error:
            retry = retry or not error.permanent
    if retry:
        return None, "The message could not be fetched just now. Your request was recorded; please try again later."
    return None, (
        "The message could not be fetched: it has probably been deleted or moved. Your request was recorded. "
        "The masked evidence is all there is."
    )


def _part_view(services: WebServices, part: Part, seen: list[Evidence]) -> dict[str, Any]:
    """The text by whose words it is, with the sentences marked that the evidence names without showing anything of them."""
    text = part.text[:MAX_SHOWN]
    segments: list[tuple[SegmentOwner, int, int]] = []
    position = 0
    for segment in sorted(part.segments, key=lambda item: item.start):
        if segment.start > position:
            segments.append(("sender", position, segment.start))
        segments.append((segment.owner, max(position, segment.start), segment.end))
        position = max(position, segment.end)
    segments.append(("sender", position, len(text)))
    segments = [(owner, first, last) for owner, first, last in segments if text[first:last].strip()]
    places = dict.fromkeys(place for item in seen for place in item.places)
    marks = sorted(span for place in places if (span := span_of(text, place)) is not None)
    return {
        "title": wording.part_words(part.path),
        "look": [
            f"{wording.capital(label_words(services, item.label))}: {places_words(item.places)}, marked below."
            for item in seen
        ],
        "segments": [
            {
                "owner": owner,
                "whose": wording.capital(wording.SEGMENT_OWNERS[owner]),
                "pieces": _pieces(text, first, last, marks),
            }
            for owner, first, last in segments
        ],
        "mixed": len({owner for owner, _, _ in segments}) > 1,
        "cut": len(part.text) > MAX_SHOWN,
        "limit": MAX_SHOWN,
    }


def _pieces(text: str, first: int, last: int, marks: list[tuple[int, int]]) -> list[tuple[str, bool]]:
    """The stretch of the text, without empty lines around it, cut where a mark begins or ends."""
    last = min(last, len(text))
    while first < last and text[first] == "\n":
        first += 1
    while last > first and text[last - 1] == "\n":
        last -= 1
    pieces: list[tuple[str, bool]] = []
    for begin, end in marks:
        begin, end = max(begin, first), min(end, last)
        if begin >= end:
            continue
        pieces += [(text[first:begin], False), (text[begin:end], True)]
        first = end
    return [piece for piece in (*pieces, (text[first:last], False)) if piece[0]]
