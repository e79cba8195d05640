"""What goes round every answer: security headers, a limit on the size of what is sent to us, and the last safety net.

Plain ASGI and outermost, so that it also covers static files, error pages and anything a handler forgets.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger("mailwarden.web")
MAX_BODY = 64 * 1024
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)


class Shield:
    """Wraps the application.

    `https`: the public address is https, so browsers may be told to stay there. `say_broken` makes the page for an
    error that nobody foresaw.
    """

    def __init__(self, app: ASGIApp, *, https: bool, say_broken: Callable[[Request], Response]) -> None:
        self._app = app
        self._https = https
        self._say_broken = say_broken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False
        received = 0
        too_large = False

        async def counted() -> Message:
            nonlocal received, too_large
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                # Whoever reads sees the sender gone, and stops; what they answer then is not sent.
                too_large = True
                return {"type": "http.disconnect"}
            return message

        async def covered(message: Message) -> None:
            nonlocal started
            if too_large and not started:
                return
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
                headers["X-Frame-Options"] = "DENY"
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
                # Static files carry no data of anybody: they are kept but asked for again each time (ETag).
                static = scope["path"].startswith("/static/")
                headers["Cache-Control"] = "no-cache" if static else "no-store"
                if self._https:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        try:
            await self._app(scope, counted, covered)
        except Exception as error:
            if started:
                raise
            if not too_large:
                _note(error)
                await self._say_broken(Request(scope))(scope, receive, covered)
        if too_large and not started:
            too_large = False
            answer = PlainTextResponse("What was sent is too large for this page.", status_code=413)
            await answer(scope, receive, covered)


def _note(error: Exception) -> None:
    """What kind of error and where; never its message, which may hold what should not be in a log (principle 30)."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
    LOG.error("a page failed: %s at %s", type(error).__name__, places)
