"""Sign in with a local account, and sign out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Form, Request
from starlette.responses import RedirectResponse, Response

from scanner.store import Account
from scanner.web.access import AllSessions, Services, check_token, give_cookie, session_of
from scanner.web.pages import page
from scanner.web.services import WebServices
from scanner.web.session import Sessions, password_fits, totp_step
from scanner.web.wording import london

WRONG = "The account name, the password or the code is not right."


def safe_target(target: str) -> str:
    """A path of ours to go on to after signing in; anything else becomes the start page."""
    # Browsers read a backslash as a slash, and two slashes as another host.
    plain = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if plain and len(target) <= 500 else "/"


def _form(services: WebServices, csrf: str, next_: str, *, name: str = "", wrong: str = "", said: str = "") -> Response:
    values = {"policy": services.policy_title, "visitor": None, "csrf": csrf, "next": safe_target(next_)}
    return page("sign_in.html", {**values, "name": name, "wrong": wrong, "said": said}, 401 if wrong else 200)


def show_sign_in(
    request: Request, services: Services, sessions: AllSessions, next: str = "/", bye: str = ""  # noqa: A002
) -> Response:  # fmt: skip
    now = services.clock()
    session = session_of(request)
    if session is None or session.account:
        session = sessions.start(now)
    answer = _form(services, session.csrf, next, said="You are signed out." if bye else "")
    give_cookie(answer, sessions, session, now)
    return answer


def sign_in(
    request: Request,
    services: Services,
    sessions: AllSessions,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
    code: Annotated[str, Form(max_length=20)] = "",
    csrf: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    now = services.clock()
    session = session_of(request)
    check_token(session, csrf)
    account, wrong = _prove(services, sessions, name.strip(), password, code, now)
    if account is None:
        return _form(services, csrf, next, name=name.strip(), wrong=wrong)
    answer = RedirectResponse(safe_target(next), status_code=303)
    # A new session with a new id and token: one that somebody planted before signing in is worth nothing after.
    opened = sessions.start(now, account=account.name, password_hash=account.password_hash)
    give_cookie(answer, sessions, opened, now)
    return answer


def _prove(
    services: WebServices, sessions: Sessions, name: str, password: str, code: str, now: datetime
) -> tuple[Account | None, str]:
    """The account, or a sentence why not."""
    store = services.store
    with sessions.proving:
        account = store.account(name) if name.isprintable() else None
        if account is not None and account.locked_until is not None and account.locked_until > now:
            return None, _locked(account.locked_until)
        fits = password_fits(account.password_hash if account else None, password)
        if account is None:
            return None, WRONG
        if fits and account.totp_secret:
            step = totp_step(account.totp_secret, code, now)
            fits = step is not None and sessions.use_code(account.name, step, now)
        if not fits:
            until = store.sign_in_failed(account.name, now)
            return None, _locked(until) if until is not None and until > now else WRONG
        store.signed_in(account.name, now)
        return account, ""


def _locked(until: datetime) -> str:
    # The moment is rounded up to a whole minute, so that trying again at the minute named works.
    return (
        f"Too many wrong tries: this account is locked until {london(until + timedelta(seconds=59))}. "
        "Wait until then, or ask your administrator for a new password."
    )


def sign_out(
    request: Request, services: Services, sessions: AllSessions, csrf: Annotated[str, Form()] = ""
) -> Response:  # fmt: skip
    """Works without a valid session too: somebody whose session has run out wants the same."""
    session = session_of(request)
    if session is not None and session.account:
        check_token(session, csrf)
        sessions.end(session, services.clock())
    answer = RedirectResponse("/sign-in?bye=1", status_code=303)
    answer.delete_cookie(sessions.cookie, path="/", httponly=True, samesite="strict", secure=sessions.secure)
    return answer
