"""How long the loop keeps others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

_LOOK = 0.001
"""Seconds between two looks at the loop."""


class Lag:
    """The longest time for which the loop stood still, in milliseconds."""

    def __init__(self) -> None:
        self.worst = 0.0

    @classmethod
    @asynccontextmanager
    async def watched(cls) -> AsyncIterator[Lag]:
        lag = cls()
        watching = asyncio.create_task(lag._watch())
        try:
            yield lag
            await asyncio.sleep(2 * _LOOK)  # what came last is seen, too
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        while True:
            before = perf_counter()
            await asyncio.sleep(_LOOK)
            self.worst = max(self.worst, (perf_counter() - before - _LOOK) * 1e3)

    def taken(self) -> float:
        """The worst since this was asked for last."""
        worst, self.worst = self.worst, 0.0
        return worst
