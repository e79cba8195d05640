"""What every page of a signed-in visitor has: menu, form token, and the count of what could not be scanned."""

from __future__ import annotations

from typing import Any

from scanner.web.access import Visitor
from scanner.web.services import WebServices


def frame(services: WebServices, visitor: Visitor, here: str) -> dict[str, Any]:
    """Values for `base.html`. `here` is the path of the menu entry that the page belongs to."""
    unread = services.store.messages_with_problems()
    menu = []
    if visitor.judges:
        menu.append(("/cases", "/cases?state=new", "Cases"))
    if visitor.sees_coverage:
        menu.append(("/problems", "/problems", f"Could not scan ({unread:,})"))
        menu.append(("/coverage", "/coverage", "Coverage"))
    if visitor.sees_coverage:
        menu.append(("/rules", "/rules", "Rules"))
    menu.append(("/help", "/help", "Help"))
    return {
        "policy": services.policy_title,
        "visitor": visitor,
        "rules_notice": services.rules_notice,
        "csrf": visitor.session.csrf,
        "unread": unread,
        "menu": [{"href": href, "text": text, "here": path == here} for path, href, text in menu],
    }
