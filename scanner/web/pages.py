"""Turning values into a page: one Jinja environment, escaping always on, unknown names an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

FOLDER = Path(__file__).parent
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# Characters that act on the display and not on the meaning: C0/C1 controls but tab and newline, and the bidirectional
# overrides and isolates of Unicode UAX #9, with which a mail can show other words than it holds.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]")


def plain(text: str) -> str:
    """Text of a stranger with every acting character made visible as U+FFFD."""
    return _ACTING.sub("�", text.replace("\r\n", "\n"))


_ENVIRONMENT.filters["plain"] = plain


def page(template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(values), status_code=status)
