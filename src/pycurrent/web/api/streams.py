"""Several streams of events over one connection.

Each of them is answered as if it were asked for alone: by its own route, which checks what the
reader may see. Only what they send is put together.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from starlette.types import Message, Scope

from pycurrent.web.api.routing import api_router
from pycurrent.web.context import SettingsOf
from pycurrent.web.streams import OPENAPI, EventStream, frame

router = api_router("events")

_MOST = 100
_ADDRESS = r"^/(events|jobs/[^/?#]+/[^/?#]+/log/stream)(\?[^#]*)?$"
_OWN = "/streams"
_EVENTS = b"text/event-stream"
_COMMENT = b":"


@router.get(_OWN, response_class=Response, responses={200: OPENAPI})
async def streams(
    request: Request,
    settings: SettingsOf,
    of: Annotated[
        list[Annotated[str, Query(pattern=_ADDRESS, max_length=60_000)]],
        Query(
            description="The address of a stream below `/api/v1`, with its parameters.",
            min_length=1,
            max_length=_MOST,
        ),
    ],
) -> EventStream:
    """Several streams over one connection: a browser has only six of them for a site.

    `of` says which stream the events after it are of: its number in the request, from 0 on. An
    event without an id of its own has none, not that of another stream. `begun` tells with the id
    where a stream begins, and `over` that it has ended: with the `status` 200, or with that of its
    refusal.
    """
    frames = _merged(request.app, request.scope, of)
    return EventStream(frames, keep_alive=settings.keep_alive)


async def _merged(app: FastAPI, scope: Scope, addresses: list[str]) -> AsyncGenerator[bytes, None]:
    # Of one: a stream goes on when what it has sent before is taken, and each has its turn.
    sent: asyncio.Queue[bytes | None] = asyncio.Queue(1)
    tasks = [
        asyncio.create_task(_Part(number, sent).answer(app, _scope_of(scope, address)))
        for number, address in enumerate(addresses)
    ]
    try:
        for _ in tasks:
            while (data := await sent.get()) is not None:
                yield data
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _scope_of(scope: Scope, address: str) -> Scope:
    """The scope of a request by the same sender for another address."""
    path, _, query = address.partition("?")
    path = scope["path"].removesuffix(_OWN) + path
    return {
        **scope,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "path_params": {},
        # It is of this connection, whose client says by the addresses where each stream goes on.
        "headers": [one for one in scope["headers"] if one[0] != b"last-event-id"],
    }


class _Part:
    """One of the streams."""

    def __init__(self, number: int, sent: asyncio.Queue[bytes | None]) -> None:
        self._number = number
        self._sent = sent
        self._status = 0
        self._has_begun = False

    async def answer(self, app: FastAPI, scope: Scope) -> None:
        """Have it answered, and hand over what it sends; None at the end, unless it is cancelled:
        then nobody takes anything any more.
        """
        try:
            await app.router(scope, _nothing, self._take)
            over = json.dumps({"stream": self._number, "status": self._status})
            await self._sent.put(frame("over", over))
        except Exception:
            await self._sent.put(None)
            raise
        await self._sent.put(None)

    async def _take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            is_stream = headers.get(b"content-type", b"").startswith(_EVENTS)
            self._status = message["status"] if is_stream else max(message["status"], 400)
            return
        data: bytes = message.get("body", b"")
        if self._status >= 400 or not data or data.startswith(_COMMENT):
            return  # The connection is kept alive for all of them.
        mark = str(self._number)
        if self._has_begun:
            await self._sent.put(frame("of", mark, id="") + data)
            return
        # It has the id to begin after, and nothing else.
        self._has_begun = True
        await self._sent.put(data + frame("begun", mark))


async def _nothing() -> Message:
    """The sender has nothing to say; that it has gone is seen by the whole answer."""
    never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await never
