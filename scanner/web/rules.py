"""The page of the rules: which set is in force, how right the reviewers find each rule, and who changed what why."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from scanner.backtest import rule_records
from scanner.web import wording
from scanner.web.access import Overseer, RefusedError, Services
from scanner.web.frame import frame
from scanner.web.pages import page

CHANGES_SHOWN = 50


def show_rules(services: Services, visitor: Overseer, tenant: Annotated[int, Query(ge=0, le=10_000)] = 0) -> Response:
    """Nothing can be changed here: a suggestion is a sentence, and rules are files. `tenant`: under whose pack, from 0."""
    policy = services.policy
    if tenant >= max(1, len(services.policies)):
        raise RefusedError("No such tenant", "There is no tenant of that number here.", 404)
    if services.policies:
        policy = services.policies[tenant][1]
    off = policy.off if policy is not None else frozenset()
    records = [
        {
            "rule": item.rule,
            "title": item.title,
            "state": "off under this policy" if item.rule in off and item.state != "off" else item.state,
            "off": item.rule in off or item.state == "off",
            "used": bool(item.cases or item.in_shadow or item.precision),
            "cases": item.cases,
            "in_shadow": item.in_shadow,
            "confirmed": item.precision.confirmed if item.precision else 0,
            "false_alarms": item.precision.false_alarms if item.precision else 0,
            "precision": (
                f"{item.precision.confirmed / item.precision.judged:.0%} "
                f"({item.precision.low:.0%} to {item.precision.high:.0%})"
            )
            if item.precision
            else "not judged yet",
            "suggestion": item.precision.suggestion if item.precision else "",
        }
        for item in rule_records(services.store, services.rulebook, policy)
    ]
    changes = [
        {
            "at": wording.london(change.at),
            "actor": change.actor,
            "what": change.what,
            "version": change.version,
            "why": change.why,
        }
        for change in reversed(services.rule_changes()[-CHANGES_SHOWN:])
    ]
    counts = services.store.excused_counts()
    today = services.clock().date()
    exceptions = [
        {
            "id": item.id,
            "rules": item.rules,
            "reason": item.reason,
            "owner": item.owner,
            "until": f"{item.until:%d %B %Y}".lstrip("0"),
            "ended": not item.counts_on(today),
            "excused": counts.get(item.id, 0),
        }
        for item in sorted(services.exemptions.items, key=lambda item: item.until)
    ]
    values = {
        **frame(services, visitor, "/rules"),
        "version": services.rulebook.version,
        "pack": f"{policy.title} ({policy.slug})" if policy is not None else "",
        "applying": policy.applying(services.rulebook) if policy is not None else "",
        "tenants": [(number, name or f"tenant {number + 1}") for number, (name, _) in enumerate(services.policies)],
        "tenant": tenant,
        "records": [record for record in records if record["used"]],
        "unused": [record for record in records if not (record["used"] or record["off"])],
        "off": [record for record in records if record["off"] and not record["used"]],
        "exceptions": exceptions,
        "changes": changes,
    }
    return page("rules.html", values)
