"""Where Microsoft Graph says that a mailbox has changed. No sign-in: the notification's own state proves who sent it."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import PlainTextResponse, Response

from scanner.web.services import WebServices

_MAX_TOKEN = 4096


async def notified(request: Request) -> Response:
    """Answers a validation with its token as plain text, a notification with 202; the work is done later, by the cursors."""
    services: WebServices = request.app.state.services()
    if services.notified is None:
        return PlainTextResponse("not in use", status_code=404)
    token = request.query_params.get("validationToken")
    if token is not None:
        return PlainTextResponse(
            token if len(token) <= _MAX_TOKEN else "", status_code=200 if len(token) <= _MAX_TOKEN else 400
        )
    return Response(status_code=202 if services.notified(await request.body()) else 400)
