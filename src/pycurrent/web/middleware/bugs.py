"""Answers when our own code has failed, or has no time left."""

from __future__ import annotations

import asyncio
import logging

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pycurrent.web.middleware.render import Render

_log = logging.getLogger(__name__)


class BugsAnswered:
    """Logs an unexpected exception, and answers 500 without its details. A request is cancelled
    when the site ends and has waited for long enough: that is answered 503.

    An answer that has begun is cut off, so that nobody takes it for complete.
    """

    def __init__(self, app: ASGIApp, render: Render) -> None:
        self._app = app
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except ClientDisconnect:
            # The client has gone.
            return
        except (Exception, asyncio.CancelledError) as error:
            if begun or scope["type"] != "http":
                raise
            request = Request(scope, receive)
            answer = await self._render(request, _shown(error, request))
            await answer(scope, receive, send)


def _shown(error: BaseException, request: Request) -> HTTPException:
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        return HTTPException(503, "the site ends: try again later", {"Retry-After": "5"})
    if isinstance(error, HTTPException):
        # From a middleware, outside of where the application answers them.
        return error
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return HTTPException(500, "this failed: the log of the engine says why")
