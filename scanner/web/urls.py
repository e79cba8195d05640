"""Every URL of the triage page, in one list, and the application made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scanner.web import api, cases, explain, problems, push, rules, sign_in
from scanner.web.access import RefusedError, SignedIn, SignInNeededError, give_cookie
from scanner.web.pages import FOLDER, page
from scanner.web.services import WebServices
from scanner.web.session import Sessions
from scanner.web.shield import Shield


@dataclass(frozen=True, slots=True)
class Url:
    method: str
    path: str
    does: Callable[..., Any]


def start_page(visitor: SignedIn) -> Response:
    return RedirectResponse("/cases?state=new" if visitor.judges else "/problems", status_code=303)


def health() -> Response:
    """For whoever starts us: the process answers. Says nothing about data."""
    return PlainTextResponse("ok")


URLS: Final = (
    Url("GET", "/", start_page),
    Url("GET", "/health", health),
    Url("POST", "/graph/notifications", push.notified),
    Url("GET", "/sign-in", sign_in.show_sign_in),
    Url("POST", "/sign-in", sign_in.sign_in),
    Url("POST", "/sign-out", sign_in.sign_out),
    Url("GET", "/cases", cases.show_cases),
    Url("GET", "/cases/{case_id}", cases.show_case),
    Url("POST", "/cases/{case_id}/decisions", cases.decide),
    Url("POST", "/cases/{case_id}/reveal", cases.reveal),
    Url("POST", "/cases/{case_id}/explain", cases.explain),
    Url("GET", "/cases/{case_id}/spread.graphml", cases.spread_file),
    Url("GET", "/problems", problems.show_problems),
    Url("GET", "/coverage", problems.show_coverage),
    Url("GET", "/rules", rules.show_rules),
    Url("GET", "/help", explain.show_help),
    Url("GET", "/api/me", api.me),
    Url("GET", "/api/cases", api.list_cases),
    Url("GET", "/api/cases/{case_id}", api.one_case),
    Url("POST", "/api/cases/{case_id}/decisions", api.decide_case),
)


def create_app(services: Callable[[], WebServices]) -> FastAPI:
    """The triage page. `services` is asked for each request, because rules may change while it runs.

    Raises ValueError where the session key is too short.
    """
    first = services()
    https = first.public_url.lower().startswith("https://")
    # The generated documentation pages load scripts from another host, so there are none.
    app = FastAPI(title="Mailwarden", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = services
    app.state.sessions = Sessions(first.session_key, secure=https)
    for url in URLS:
        app.add_api_route(url.path, url.does, methods=[url.method], response_model=None)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))
    app.add_exception_handler(SignInNeededError, _ask_to_sign_in)
    app.add_exception_handler(RefusedError, _say_refused)
    app.add_exception_handler(HTTPException, _say_http)
    app.add_exception_handler(RequestValidationError, _say_invalid)
    app.add_middleware(_Renewal, clock=first.clock, sessions=app.state.sessions)
    app.add_middleware(Shield, https=https, say_broken=_say_broken)
    return app


class _Renewal:
    """Prolongs the session that a request was made in, unless the answer sets the cookie itself."""

    def __init__(self, app: ASGIApp, clock: Callable[[], datetime], sessions: Sessions) -> None:
        self._app = app
        self._clock = clock
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def renewing(message: Message) -> None:
            session = scope.get("state", {}).get("renew")
            if message["type"] == "http.response.start" and session is not None:
                headers = MutableHeaders(scope=message)
                if "set-cookie" not in headers:
                    answer = Response()
                    give_cookie(answer, self._sessions, session, self._clock())
                    headers.append("set-cookie", answer.headers["set-cookie"])
            await send(message)

        await self._app(scope, receive, renewing)


# --- answers that are no page of their own --------------------------------------------------------------------------


def _say(request: Request, heading: str, sentence: str, status: int) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": sentence}, status_code=status)
    services: WebServices = request.app.state.services()
    values = {"policy": services.policy_title, "visitor": None, "heading": heading, "sentence": sentence}
    return page("message.html", values, status)


async def _ask_to_sign_in(request: Request, _: Exception) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": "Sign in first."}, status_code=401)
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET":
        target = "/"
    sign_in_url = f"/sign-in?next={quote(target, safe='')}"
    if request.headers.get("hx-request") == "true":
        return Response(status_code=401, headers={"HX-Redirect": sign_in_url})
    # A link in a mail comes without the cookie, which is SameSite=Strict; asked again from a page of ours it is there.
    sessions: Sessions = request.app.state.sessions
    if request.headers.get("sec-fetch-site") == "cross-site" and sessions.cookie not in request.cookies:
        return page("passing.html", {"target": target})
    return RedirectResponse(sign_in_url, status_code=303)


async def _say_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return _say(request, error.heading, error.sentence, error.status)


async def _say_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _say(request, "No such page", "There is nothing at this address.", 404)
    return _say(request, "That did not work", "This address does not take what was sent to it.", error.status_code)


async def _say_invalid(request: Request, _: Exception) -> Response:
    return _say(request, "That did not work", "Something in the address or the form is not allowed there.", 422)


def _say_broken(request: Request) -> Response:
    return _say(request, "Something broke", "This page failed; nothing was changed. Tell your administrator.", 500)
