"""Who may see what. The one place of these rules: pages and the JSON API both ask here.

- manager: cases routed to their own address;
- dpo: the same, cases routed to the DPO, and every case about data unless its route passed somebody over;
- admin: coverage and problems, never a case and never a message.
Nobody opens a case about themselves (Never 5). The route sees to it; `Audience` leaves out what a route passed by,
a case handed to its own sender is not theirs to judge, and reveal looks at the parties of the mail once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Form, Header, Request
from starlette.responses import Response

from scanner.store import Account, Audience, CaseRow
from scanner.web.services import WebServices
from scanner.web.session import Session, Sessions, same_token
from scanner.web.wording import DATA_TOPICS


class SignInNeededError(Exception):
    """Nobody is signed in, or no longer."""


class RefusedError(Exception):
    """A sentence for a person, with the HTTP status that goes with it."""

    def __init__(self, heading: str, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.heading = heading
        self.sentence = sentence
        self.status = status


def not_yours() -> RefusedError:
    """The same answer whether the case does not exist or is somebody else's, so that numbers tell nothing."""
    return RefusedError(
        "No such case for you", "There is no case of this number, or it is for somebody else to judge.", 404
    )


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in."""

    account: Account
    session: Session

    @property
    def name(self) -> str:
        return self.account.name

    @property
    def is_dpo(self) -> bool:
        return "dpo" in self.account.roles

    @property
    def judges(self) -> bool:
        """Whether cases are any of their business."""
        return self.is_dpo or "manager" in self.account.roles

    @property
    def audience(self) -> Audience:
        """What the store may list for them. Without a role that judges it fits no case at all."""
        if not self.judges:
            return Audience()
        address = self.account.email.strip().lower()
        return Audience(
            persons=(address,) if address else (),
            roles=("dpo",) if self.is_dpo else (),
            topics=tuple(sorted(DATA_TOPICS)) if self.is_dpo else (),
        )

    def may_judge(self, case: CaseRow) -> bool:
        """A second look at what the store gave for `audience`, without asking it again."""
        mine = bool(self.account.email) and case.route.person.lower() == self.account.email.strip().lower()
        if mine:
            return self.judges and case.route.role != "sender"
        for_dpo = case.route.role == "dpo" and bool(case.route.person)
        return self.is_dpo and (for_dpo or (case.topic in DATA_TOPICS and not case.route.fallback))

    @property
    def sees_coverage(self) -> bool:
        return self.is_dpo or "admin" in self.account.roles


def services_of(request: Request) -> WebServices:
    services: WebServices = request.app.state.services()
    return services


def sessions_of(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


Services = Annotated[WebServices, Depends(services_of)]
AllSessions = Annotated[Sessions, Depends(sessions_of)]


def session_of(request: Request) -> Session | None:
    sessions = sessions_of(request)
    return sessions.read(request.cookies.get(sessions.cookie), services_of(request).clock())


def visitor_of(request: Request) -> Visitor:
    """The account behind the cookie, read from the store anew. Raises SignInNeededError."""
    session = session_of(request)
    if session is None or not session.account:
        raise SignInNeededError
    account = services_of(request).store.account(session.account)
    if account is None or not same_token(sessions_of(request).mark(account.password_hash), session.mark):
        raise SignInNeededError
    request.state.renew = session
    return Visitor(account, session)


SignedIn = Annotated[Visitor, Depends(visitor_of)]


def judge_of(visitor: SignedIn) -> Visitor:
    if not visitor.judges:
        raise RefusedError(
            "Not for this account", "An administrator's account sees coverage and problems, no cases.", 403
        )
    return visitor


def overseer_of(visitor: SignedIn) -> Visitor:
    if not visitor.sees_coverage:
        raise RefusedError(
            "Not for this account", "This page is for the data protection officer and administrators.", 403
        )
    return visitor


Judge = Annotated[Visitor, Depends(judge_of)]
Overseer = Annotated[Visitor, Depends(overseer_of)]


def check_token(session: Session | None, given: str) -> None:
    """Raises RefusedError unless the form came from a page of ours in this session."""
    if session is None or not same_token(session.csrf, given):
        raise RefusedError(
            "Please try again",
            "This form is out of date, perhaps because you signed in again in another window. Nothing was changed. "
            "Go back, reload the page and send it again.",
            403,
        )


def form_checked(visitor: SignedIn, csrf: Annotated[str, Form()] = "") -> None:
    check_token(visitor.session, csrf)


def header_checked(visitor: SignedIn, x_csrf_token: Annotated[str, Header()] = "") -> None:
    check_token(visitor.session, x_csrf_token)


def give_cookie(response: Response, sessions: Sessions, session: Session, now: datetime) -> None:
    """A session cookie that ends with the browser; how long it is good for is inside it, signed."""
    response.set_cookie(
        sessions.cookie,
        sessions.write(session, now),
        path="/",
        httponly=True,
        samesite="strict",
        secure=sessions.secure,
    )
