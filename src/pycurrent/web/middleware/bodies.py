"""Limits the bodies of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pycurrent.service.routes import LARGEST_BODY
from pycurrent.web.middleware.render import Render

PATIENCE = timedelta(seconds=20)
"""How long a sender may pause in the middle of a body, and how long any body may take."""

SLOWEST = 4096
"""Bytes per second: a body may take longer by the time for the bytes that have come."""


class LimitedBodies:
    """Answers 413 to a body that is too large, at its announcement if there is one, and 408 to one
    that makes no progress.
    """

    def __init__(
        self,
        app: ASGIApp,
        render: Render,
        *,
        limit_of: Callable[[Scope], int] = lambda scope: LARGEST_BODY,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._app = app
        self._render = render
        self._limit_of = limit_of
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        announced = request.headers.get("content-length", "")
        largest = self._limit_of(scope)
        if announced.isdecimal() and int(announced) > largest:
            answer = await self._render(request, _too_large(largest))
            await answer(scope, receive, send)
            return
        await self._app(scope, self._limited(receive, largest), send)

    def _limited(self, receive: Receive, largest: int) -> Receive:
        received = 0
        whole = False
        patience = self._patience.total_seconds()
        begun: float | None = None

        async def receive_limited() -> Message:
            nonlocal received, whole, begun
            if whole:
                # Now wait for the client to go away, for as long as it takes.
                return await receive()
            now = asyncio.get_running_loop().time()
            begun = now if begun is None else begun
            end = begun + patience + received / SLOWEST
            try:
                async with asyncio.timeout(min(patience, max(0.0, end - now))):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "the rest of the request did not come") from None
            whole = not message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > largest:
                raise _too_large(largest)
            return message

        return receive_limited


def _too_large(largest: int) -> HTTPException:
    return HTTPException(413, f"the request is larger than {largest:,} bytes")
