"""Turns to have commands at work, as there can't be any number of them at once.

A turn is a job's: while it has one it may run any number of commands, and it gives the turn back
with the end of the last. A job with a turn waits for nothing that another job has (nothing waits
for pools or locks in the middle of a command), so jobs can't wait for each other in a circle.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from pycurrent.engine.descriptors import Descriptors
from pycurrent.engine.level import Config


class Turns:
    """The turns of one engine: `Config.jobs` of them, but no more than its open files allow.

    One can be had in any case. Jobs that wait are served in the order in which they came.
    """

    def __init__(self, config: Config, descriptors: Descriptors) -> None:
        self._config = config
        self._descriptors = descriptors
        self._taken = 0
        self._queue: OrderedDict[asyncio.Event, None] = OrderedDict()
        config.listen(self._serve)

    def close(self) -> None:
        """Follow the settings no more. Twice is fine."""
        self._config.forget(self._serve)

    def ask(self, granted: asyncio.Event) -> str | None:
        """Have the event set when it is its turn; gives why that is not now."""
        before = len(self._queue)
        why = f"after {before} others that wait" if before else self._why_not()
        if why is None:
            self._grant(granted)
        else:
            self._queue[granted] = None
        return why

    def hurry(self, granted: asyncio.Event) -> None:
        """Give one who waits a turn beyond all limits: for tidying up."""
        if granted in self._queue:
            del self._queue[granted]
            self._grant(granted)

    def take_back(self, granted: asyncio.Event) -> None:
        """It is not needed any more, or not waited for."""
        if granted in self._queue:
            del self._queue[granted]
        else:
            self._taken -= 1
            self._serve()

    def _serve(self) -> None:
        while self._queue and self._why_not() is None:
            granted, _ = self._queue.popitem(last=False)
            self._grant(granted)

    def _grant(self, granted: asyncio.Event) -> None:
        self._taken += 1
        granted.set()

    def _why_not(self) -> str | None:
        """None: one more can be had, and is taken now."""
        if self._taken and self._taken >= self._config.jobs:
            return f"{self._taken} jobs have commands at work (--jobs {self._config.jobs})"
        if self._taken and not self._descriptors.allow(self._taken):
            return f"{self._descriptors}, and {self._taken} jobs have commands at work"
        return None


class Turn:
    """The turn of one job, which it has while any of its commands uses it."""

    __slots__ = ("_granted", "_turns", "_users")

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._users = 0
        self._granted: asyncio.Event | None = None

    @property
    def is_waited_for(self) -> bool:
        return self._granted is not None and not self._granted.is_set()

    async def take(self, wait: Callable[[str], None]) -> None:
        """Use it for one command, until `give_back`. `wait(why)` is called if it has to wait."""
        self._users += 1
        if self._granted is None:
            self._granted = asyncio.Event()
            why = self._turns.ask(self._granted)
            if why is not None:
                wait(why)
        try:
            await self._granted.wait()
        except asyncio.CancelledError:
            self.give_back()
            raise

    def give_back(self) -> None:
        """Once for each `take` that has returned."""
        self._users -= 1
        if self._users == 0 and self._granted is not None:
            granted, self._granted = self._granted, None
            self._turns.take_back(granted)

    def hurry(self) -> None:
        """Wait no longer, if it is waited for: the job is ending."""
        if self._granted is not None:
            self._turns.hurry(self._granted)
