"""`deploy/permissions.md` against the code: a row's calls are exactly those that the connectors make, and its permission opens them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from graph.contract import contract
from test_graph_fields import SCENES

from connectors.faketenant.exchange import Exchange
from connectors.faketenant.server import FakeTenant
from connectors.m365_doctor import _WANTED

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
# Permissions that add to a call which another one opens.
MORE = {"Sites.FullControl.All"}


def rows() -> dict[str, set[tuple[str, str]]]:
    """Permission → (method, path) of each call that its row names."""
    found: dict[str, set[tuple[str, str]]] = {}
    for line in (DEPLOY / "permissions.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.split(" | ")]
        name = re.fullmatch(r"\| `([A-Za-z.]+)`", cells[0])
        if name is not None:
            calls = re.findall(r"`(?:(GET|POST|PATCH|DELETE) )?(/[^` ]+)`", cells[1])
            found[name[1]] = {(method or "GET", path) for method, path in calls}
    return found


@pytest.fixture(scope="module")
def made() -> dict[tuple[str, str], dict[str, Any]]:
    """The calls that the connectors make in every scene, each with what the description says of its permissions."""
    seen: set[tuple[str, str]] = set()
    with pytest.MonkeyPatch.context() as patch:
        answer = FakeTenant.answer

        def watched(fake: FakeTenant, exchange: Exchange) -> Any:
            if exchange.is_graph:
                seen.add((exchange.method, contract().template(exchange.path)))
            return answer(fake, exchange)

        patch.setattr(FakeTenant, "answer", watched)
        for scene in SCENES.values():
            scene()
    return {
        (method, re.sub(r"\{[^}]+\}", "{id}", template)): contract()
        .document["paths"][template][method.lower()]
        .get("x-application-permissions", {})
        for method, template in seen
    }


def test_the_calls_in_the_table_are_those_that_the_connectors_make(made: dict[tuple[str, str], Any]) -> None:
    named = {call for permission, calls in rows().items() if permission not in MORE for call in calls}
    assert named == made.keys()
    assert len(named) > 20


def test_each_permission_opens_the_calls_of_its_row(made: dict[tuple[str, str], Any]) -> None:
    for permission, calls in rows().items():
        for call in calls - ({call for call in calls if permission in MORE}):
            opens = made[call].get("all", ())
            # The description lists no permissions for subscriptions: they need what reading the resource needs.
            assert permission in opens or "/subscriptions" in call[1], (permission, call)


def test_scripts_and_doctor_ask_for_nothing_that_has_no_row() -> None:
    known = rows().keys()
    for script in ("register.ps1", "register.sh", "scope.ps1"):
        asked = set(
            re.findall(
                r"\b(?:Mail|MailboxSettings|User|GroupMember|Files|Sites)\.[A-Za-z.]+\b",
                (DEPLOY / "entra" / script).read_text("utf-8"),
            )
        )
        asked = {name for name in asked if not name.endswith((".ps1", ".sh"))}
        assert asked <= known, script
    assert set(_WANTED) - {"Sites.Selected"} <= known
    written = (DEPLOY / "entra" / "register.ps1").read_text("utf-8")
    assert {name for name in known if f'"{name}"' in written} == known - {"Mail.Send"}


def test_the_shell_script_is_sound_to_a_shell() -> None:
    """Its calls cannot be made here; that it is a script can be said."""
    checked = subprocess.run(
        ["sh", "-n", str(DEPLOY / "entra" / "register.sh")], capture_output=True, text=True, timeout=20
    )
    assert (checked.returncode, checked.stderr) == (0, "")
