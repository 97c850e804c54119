"""Limits how many connections there are, and how long they wait."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0
"""How long the head of a request may take."""

STUCK_SECONDS = 60.0
"""How long a client may read nothing of an answer that is ready."""

KEPT_SECONDS = 650
"""How long an idle connection is kept: longer than proxies keep theirs, up to 10 minutes
(Google's), or they would send requests on a connection that is just being closed. Idle connections
make room when there are many.
"""

MOST = 1000
"""Connections at once, if there are enough descriptors besides those of the jobs."""
_FEWEST = 64
_SHARE = 4

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Retry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


def most_connections() -> int:
    """A share of the descriptors that this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else min(MOST, max(_FEWEST, soft // _SHARE))


class PatientProtocol(H11Protocol):
    """Closes connections on which the head of a request takes too long, or whose answer nobody
    reads.

    uvicorn waits as long as the client likes: with a few thousand such clients nobody else gets in.
    It limits the time between requests itself; bodies are limited further in. If there are too many
    connections, the client with the most loses one: the one that has been idle for the longest, or
    else the newest. So nobody keeps others out by having many.
    """

    head_seconds = HEAD_SECONDS
    stuck_seconds = STUCK_SECONDS
    most: int | None = None
    """Connections at once; None: the result of `most_connections`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._stuck_timer: asyncio.TimerHandle | None = None
        self._heard = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > (self.most or most_connections()):
            self._make_room()
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        super().data_received(data)
        if self._is_answering:
            self._forget_head()
        elif self._head_timer is None:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        self._forget_stuck()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._forget_stuck()
        self._stuck_timer = self.loop.call_later(self.stuck_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._forget_stuck()
        super().resume_writing()

    def _make_room(self) -> None:
        """Close one of the connections of the client with the most."""
        alive = [one for one in self._all if not one.transport.is_closing()]
        most, _ = Counter(one._peer for one in alive).most_common(1)[0]
        theirs = [one for one in alive if one._peer == most and one is not self]
        idle = [one for one in theirs if not one._is_answering]
        if idle or self._peer != most:
            min(idle or theirs, key=lambda one: one._heard).transport.abort()
        else:
            self.transport.write(_FULL)
            self.transport.close()

    @property
    def _all(self) -> list[PatientProtocol]:
        return [one for one in self.connections if isinstance(one, PatientProtocol)]

    @property
    def _peer(self) -> str:
        return "" if self.client is None else self.client[0]

    @property
    def _is_answering(self) -> bool:
        # None before the first request, whatever its type says.
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _expect_head(self) -> None:
        if not self.transport.is_closing():
            self._head_timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _forget_stuck(self) -> None:
        if self._stuck_timer is not None:
            self._stuck_timer.cancel()
            self._stuck_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if not self._is_answering and not self.transport.is_closing():
            self.transport.abort()
