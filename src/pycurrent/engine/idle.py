"""Whether anything more can happen in an engine without help from outside.

Something can while

- somebody *holds* the engine: a monitor that reads, a log that is looked through; or
- a service that is *asked* says so: the cache, while some run goes on by itself.

An engine that is idle becomes busy only by what comes from outside: a watch that tells of a
change, a person, the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Hold:
    """Keeps the engine from being idle while it is taken.

    Taking it twice, or dropping what is not taken, does nothing. Once closed it is not taken
    again.
    """

    __slots__ = ("_closed", "_work")

    def __init__(self, work: Work) -> None:
        self._work = work
        self._closed = False

    def take(self) -> None:
        if not self._closed:
            self._work.holds.add(self)

    def drop(self) -> None:
        if self in self._work.holds:
            self._work.holds.discard(self)
            self._work.stir()

    def close(self) -> None:
        self._closed = True
        self.drop()


class Work:
    """What is under way in one engine."""

    def __init__(self) -> None:
        self.holds: set[Hold] = set()
        self._asked: list[Callable[[], bool]] = []
        self._waiting: set[asyncio.Future[None]] = set()

    def ask(self, goes_on: Callable[[], bool]) -> None:
        """Have `goes_on()` asked whether there is something under way.

        It is asked whenever that matters, so it should be cheap; and only after a step or the
        end of a hold, so whatever ends has to bring one of these.
        """
        self._asked.append(goes_on)

    @property
    def goes_on(self) -> bool:
        return bool(self.holds) or any(goes_on() for goes_on in self._asked)

    def stir(self) -> None:
        """Something may have ended: those who wait for that look again."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def stirred(self) -> None:
        """Wait for the next `stir`."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await waiter
        finally:
            self._waiting.discard(waiter)
