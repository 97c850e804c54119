"""HEAD: the answer to GET, without its body (RFC 9110, 9.3.2)."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class _Answered(Exception):
    """The head of the answer has been sent: nobody needs the rest."""


class HeadsAnswered:
    """Answers HEAD wherever GET is answered, so that no route has to think of it. It stops an
    answer that would go on for long, such as a stream.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_head(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                await send(message)
            elif message["type"] == "http.response.body":
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                raise _Answered

        try:
            await self._app({**scope, "method": "GET"}, receive, send_head)
        except _Answered:
            return
        except BaseExceptionGroup as group:
            # A task group that sends the answer has wrapped it.
            if not begun or group.subgroup(lambda one: not isinstance(one, _Answered)) is not None:
                raise
