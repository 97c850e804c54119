"""Answers that are the same for all who ask, until something changes."""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from collections.abc import Callable, Hashable

from fastapi import Request, Response

from pycurrent.web.middleware import takes_gzip

_LARGE = 10_000
"""In bytes: anything smaller is compressed again for each request."""


class KeptAnswers:
    """Keeps the last answers of a route, made once. Belongs to the event loop's thread."""

    def __init__(self, *, kept: int = 8) -> None:
        self._kept = kept
        self._plain: OrderedDict[Hashable, tuple[object, asyncio.Task[bytes]]] = OrderedDict()
        self._packed: dict[Hashable, tuple[bytes, asyncio.Task[bytes]]] = {}

    async def answer(
        self, request: Request, asked: Hashable, content: object, make: Callable[[], bytes]
    ) -> Response:
        """The answer, as JSON, to what was asked. `make()` encodes it, in a thread, unless the
        last one had an equal content.
        """
        body, headers = await self._body(asked, content, make), {"Vary": "Accept-Encoding"}
        if len(body) > _LARGE and takes_gzip(request.headers):
            body = await self._pack(asked, body)
            headers["Content-Encoding"] = "gzip"
        return Response(body, media_type="application/json", headers=headers)

    async def _body(self, asked: Hashable, content: object, make: Callable[[], bytes]) -> bytes:
        known = self._plain.get(asked)
        if known is None or known[0] != content or _failed(known[1]):
            known = self._plain[asked] = content, _in_thread(make)
            self._plain.move_to_end(asked)
            if len(self._plain) > self._kept:
                oldest, _ = self._plain.popitem(last=False)
                self._packed.pop(oldest, None)
        # Shared: who goes away must not take it from the others.
        return await asyncio.shield(known[1])

    async def _pack(self, asked: Hashable, body: bytes) -> bytes:
        packed = self._packed.get(asked)
        if packed is None or packed[0] is not body:
            packing = _in_thread(lambda: gzip.compress(body, 1, mtime=0))
            packed = self._packed[asked] = body, packing
        return await asyncio.shield(packed[1])


def _in_thread(make: Callable[[], bytes]) -> asyncio.Task[bytes]:
    return asyncio.create_task(asyncio.to_thread(make))


def _failed(task: asyncio.Task[bytes]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
