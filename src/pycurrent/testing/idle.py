"""Finds out whether an event loop can go on by itself, and what would wake it.

Four things move an event loop: callbacks that are ready, timers, file descriptors, and other
threads. `drain` runs everything that is ready. `Lookout` finds the others that could wake a task,
except those that were there before, and those that pycurrent itself keeps open at rest. So if tasks
wait only for each other, a virtual clock or the test, it knows without any waiting that nothing
will happen.

The loops of the standard library show all of this only in private; other loops are assumed to wait
for input or output.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from enum import IntEnum
from typing import Any
from weakref import WeakSet

from pycurrent.engine.watchdog import WatchdogThread
from pycurrent.store.transactions import CommitThread

_RESIDENT = (WatchdogThread, CommitThread)
"""Threads that an engine keeps at rest."""

SOON = 1.0
"""In seconds: nobody waits for tasks that sleep for longer than this."""


class Prospect(IntEnum):
    """The things that can wake waiting tasks; a higher one is worth a longer wait."""

    NOTHING = 0
    """Only a person, the test, or the virtual clock."""
    INPUT = 1
    """A file or socket: it reports within moments, or at an unknown time."""
    TIMER = 2
    """A task sleeps in real time, and wakes up soon."""
    WORK = 3
    """A command or a thread is at work."""


async def drain() -> None:
    """Run everything that can run at once, and everything that follows from it."""
    loop = asyncio.get_running_loop()
    # The queue of a loop of the standard library; others get a number of rounds.
    ready = getattr(loop, "_ready", None)
    quiet = 0
    # Each round looks at the file descriptors, too. One round is not enough: the callbacks for
    # what it has read run in the next.
    for _ in range(100_000 if ready is not None else 50):
        await asyncio.sleep(0)
        quiet = quiet + 1 if not ready else 0
        if ready is not None and quiet >= 3:
            return


class Lookout:
    """Looks for things in the running event loop that have come since it was made."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks = WeakSet(asyncio.all_tasks())
        self._threads = WeakSet(threading.enumerate())
        self._descriptors = {id(key.fileobj) for key in self._registered()}

    def prospect(self, known: Iterable[threading.Thread]) -> Prospect:
        """The highest thing that could wake a task; the `known` threads don't count."""
        if self._has_threads(known):
            return Prospect.WORK
        if self._has_timer():
            return Prospect.TIMER
        return Prospect.INPUT if self._has_input() else Prospect.NOTHING

    def _has_threads(self, known: Iterable[threading.Thread]) -> bool:
        new = set(threading.enumerate()) - set(self._threads) - set(known)
        return not all(isinstance(thread, _RESIDENT) for thread in new)

    def _has_timer(self) -> bool:
        """True if a task waits for a timer: it sleeps, or has a timeout."""
        tasks = asyncio.all_tasks() - set(self._tasks) - {asyncio.current_task()}
        awaited = {id(getattr(task, "_fut_waiter", None)) for task in tasks}
        until = self._loop.time() + SOON
        for handle in getattr(self._loop, "_scheduled", ()):
            if handle.cancelled() or handle.when() > until:
                continue
            callback, arguments = handle._callback, handle._args
            if any(id(argument) in awaited for argument in arguments):
                return True
            if getattr(getattr(callback, "__self__", None), "_task", None) in tasks:
                return True
        return False

    def _has_input(self) -> bool:
        if not hasattr(self._loop, "_selector"):
            return True
        return any(
            id(key.fileobj) not in self._descriptors and not _is_own(key.data)
            for key in self._registered()
        )

    def _registered(self) -> list[Any]:
        selector = getattr(self._loop, "_selector", None)
        return [] if selector is None else list(selector.get_map().values())


def _is_own(handles: Any) -> bool:
    """True for the reader and writer of pycurrent's own commands, which are counted elsewhere."""
    return all(
        handle is None
        or (getattr(handle._callback, "__module__", None) or "").startswith("pycurrent.engine.")
        for handle in handles
    )
