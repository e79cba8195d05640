"""The same cases as JSON, with the same checks. Signed in by the same cookie; a POST sends the token as X-CSRF-Token."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict

from scanner.evidence import places_words
from scanner.store import Action, CaseRow
from scanner.web.access import Judge, Services, SignedIn, header_checked
from scanner.web.cases import CaseId, OrderChoice, SeverityFilter, StateFilter, case_for, cases_for, take_step


class Step(BaseModel):
    """The body of a decision."""

    model_config = ConfigDict(extra="forbid")
    action: Action
    note: str = ""


def me(services: Services, visitor: SignedIn) -> dict[str, Any]:
    return {
        "name": visitor.name,
        "roles": sorted(visitor.account.roles),
        "csrf": visitor.session.csrf,
        "could_not_scan": services.store.messages_with_problems(),
    }


def list_cases(
    services: Services,
    visitor: Judge,
    state: StateFilter = "",
    severity: SeverityFilter = "",
    topic: str = "",
    route: str = "",
    order: OrderChoice = "severest",
    after: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> dict[str, Any]:
    """One page of cases; `next` is the `after` of the next page, null at the end."""
    rows, last = cases_for(
        services, visitor, state=state, severity=severity, topic=topic, route=route, order=order, after=after
    )
    return {
        "cases": [_row(row) for row in rows],
        "next": last,
        "could_not_scan": services.store.messages_with_problems(),
    }


def one_case(services: Services, visitor: Judge, case_id: CaseId) -> dict[str, Any]:
    detail = case_for(services, visitor, case_id)
    return {
        **_row(detail.case),
        "findings": [
            {
                **{name: value for name, value in asdict(finding).items() if name not in {"evidence", "route"}},
                # Fingerprints stay inside: they are for joining, not for reading.
                "evidence": [
                    {
                        "label": e.label,
                        "part": e.part,
                        "mask": e.mask,
                        "count": e.count,
                        "confidence": e.confidence,
                        "where": places_words(e.places),
                    }
                    for e in finding.evidence
                ],
            }
            for finding in detail.findings
        ],
        "problems": [asdict(problem) for problem in detail.problems],
        "complete": detail.complete,
        "unread_protected": detail.unread_protected,
        "appearances": len(detail.appearances),
        "history": [asdict(decision) for decision in detail.decisions],
    }


def decide_case(
    services: Services, visitor: Judge, case_id: CaseId, _: Annotated[None, Depends(header_checked)], step: Step
) -> dict[str, Any]:
    case_for(services, visitor, case_id)
    return {"state": take_step(services, visitor, case_id, step.action, step.note)}


def _row(row: CaseRow) -> dict[str, Any]:
    return asdict(row)
