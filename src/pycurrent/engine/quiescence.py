"""Knowing when nothing more can happen in an engine without help from outside.

Something can happen while

- a *busy token* is held: by a monitor that reads, or a log that is looked through; or
- one of the *sources* says that something is pending: the cache, while a run goes on by itself.

An idle engine becomes busy only by an event from outside: a watch that reports a change, a
person, the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class BusyToken:
    """Keeps the engine from being idle from `acquire` to `release`.

    Acquiring it twice, or releasing it when it is not held, does nothing. After `close` it can't
    be acquired again.
    """

    __slots__ = ("_closed", "_quiescence")

    def __init__(self, quiescence: Quiescence) -> None:
        self._quiescence = quiescence
        self._closed = False

    def acquire(self) -> None:
        if not self._closed:
            self._quiescence.tokens.add(self)

    def release(self) -> None:
        if self in self._quiescence.tokens:
            self._quiescence.tokens.discard(self)
            self._quiescence.notify()

    def close(self) -> None:
        self._closed = True
        self.release()


class Quiescence:
    """Everything that is pending in one engine."""

    def __init__(self) -> None:
        self.tokens: set[BusyToken] = set()
        self._sources: list[Callable[[], bool]] = []
        self._waiting: set[asyncio.Future[None]] = set()

    def add_source(self, is_pending: Callable[[], bool]) -> None:
        """Ask `is_pending()`, too, whether something is pending.

        It is asked whenever that matters, so it should be cheap; and only after a step or the
        release of a token, so the end of anything pending has to bring one of these.
        """
        self._sources.append(is_pending)

    @property
    def is_pending(self) -> bool:
        return bool(self.tokens) or any(is_pending() for is_pending in self._sources)

    def notify(self) -> None:
        """Wake up those who wait: something may have ended."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def notified(self) -> asyncio.Future[None]:
        """Wait for the next `notify` from now on, not only from the first turn of the waiting."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        waiter.add_done_callback(self._waiting.discard)
        return waiter
