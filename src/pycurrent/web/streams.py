"""Server-sent events (HTML Living Standard, 9.2): streams that may last for days."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from anyio import CancelScope
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Send

T = TypeVar("T")

RECONNECT = 1000
"""Milliseconds after which a browser comes back when the connection was cut."""

OPENAPI: dict[str, Any] = {
    "description": "A stream of server-sent events.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}
"""How a stream is described as an answer."""


class EventStream(StreamingResponse):
    """Sends frames as they come, and something else when none do.

    The frames are closed when the client goes away, at once and not by the garbage collector.
    Nothing is queued: the next frame is asked for when the client has taken the last one.
    """

    def __init__(self, frames: AsyncGenerator[bytes, None], *, keep_alive: float) -> None:
        self._frames = _kept_alive(frames, keep_alive)
        super().__init__(
            self._frames,
            media_type="text/event-stream",
            # A proxy must neither keep the stream nor hold it up.
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._frames):
            await super().stream_response(send)


def frame(event: str, data: str, *, id: str | None = None) -> bytes:
    """One event; `data` is JSON."""
    return format_sse_event(event=event, data_str=data, id=id)


def preamble(id: str | None) -> bytes:
    """The beginning of a stream: nothing of it is shown, but a browser remembers the id, and
    goes on after it even if the connection is cut before the first event.
    """
    return format_sse_event(id=id, retry=RECONNECT)


async def _kept_alive(
    frames: AsyncGenerator[bytes, None], seconds: float
) -> AsyncGenerator[bytes, None]:
    async def following() -> bytes | None:
        return await anext(frames, None)

    async with aclosing(frames):
        while True:
            pending = asyncio.ensure_future(following())
            try:
                while not (await asyncio.wait({pending}, timeout=seconds))[0]:
                    yield KEEPALIVE_COMMENT
            finally:
                if not pending.done():
                    pending.cancel()
                    # The server cancels again and again until this has ended.
                    with CancelScope(shield=True):
                        await asyncio.wait({pending})
            found = pending.result()
            if found is None:
                return
            yield found


class Encoded(Generic[T]):
    """Encodes what many followers are sent once, not once for each."""

    def __init__(self, encode: Callable[[T], bytes], *, kept: int = 32) -> None:
        self._encode = encode
        self._kept = kept
        # Each with what it is of, so that its identity stays its own.
        self._known: OrderedDict[int, tuple[T, bytes]] = OrderedDict()

    def __call__(self, value: T) -> bytes:
        found = self._known.get(id(value))
        if found is None:
            found = self._known[id(value)] = value, self._encode(value)
            if len(self._known) > self._kept:
                self._known.popitem(last=False)
        return found[1]
