"""The help page: what the words mean, and what the product cannot see."""

from __future__ import annotations

from starlette.responses import Response

from scanner.labels import explanation
from scanner.web import wording
from scanner.web.access import Services, SignedIn
from scanner.web.frame import frame
from scanner.web.pages import page


def show_help(services: Services, visitor: SignedIn) -> Response:
    decided = {rule.topic for rule in services.rulebook.rules if rule.runs}
    values = {
        **frame(services, visitor, "/help"),
        "severities": wording.SEVERITIES,
        "states": wording.STATES,
        "topics": wording.TOPICS,
        "decided": decided,
        "labels": sorted(
            (
                (wording.capital(words), explanation(label))
                for label, words in {**wording.LABELS, **services.labels}.items()
            ),
            key=lambda item: item[0].casefold(),
        ),
        "problem_kinds": wording.PROBLEMS,
    }
    return page("help.html", values)
