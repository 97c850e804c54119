"""Telling when an event loop has nothing more to do by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class CountingExecutor(ThreadPoolExecutor):
    """Threads for `asyncio.to_thread`, and how many calls are under way."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix="pycurrent-test")
        self.pending = 0

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        self.pending += 1
        future = super().submit(fn, *args, **kwargs)
        # Called in the thread; whoever waits is on the loop, and looks again after a while.
        future.add_done_callback(self._ended)
        return future

    def _ended(self, future: Future[Any]) -> None:
        self.pending -= 1


async def drain() -> None:
    """Let everything run that can run at once, callbacks that follow from it included."""
    loop = asyncio.get_running_loop()
    # The queue of a loop of the standard library; others get a number of rounds.
    ready = getattr(loop, "_ready", None)
    quiet = 0
    for _ in range(100_000 if ready is not None else 50):
        await asyncio.sleep(0)
        quiet = quiet + 1 if not ready else 0
        if ready is not None and quiet >= 3:
            return
