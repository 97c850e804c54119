"""Finds out when an engine in a test has settled: nothing more can happen without outside help.

The engine knows its own pending work exactly. For anything else (a command that sleeps may wait for
a second or forever) there is a *patience*: we wait as long as there are signs of life, and a while
longer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from pycurrent.cache import ResultCache
from pycurrent.engine import JobState, OpenEngine
from pycurrent.testing.idle import SOON, Lookout, Prospect, drain
from pycurrent.testing.processes import (
    PROC,
    ProcessActivity,
    is_resident,
    processes_under,
    threads_of_ours,
)
from pycurrent.testing.threads import CountingExecutor

PATIENCE = 5.0
"""How many seconds a command or a thread may go without a sign of life."""

TICK = 0.001
LOOK = 0.05
"""Seconds between two looks at the processes, which cost some milliseconds each."""


class Settling:
    """Watches one engine, from before its start."""

    def __init__(self) -> None:
        self._threads = CountingExecutor.of_running_loop()
        self._lookout = Lookout()
        self._bystanders = {process.pid for process in processes_under(os.getpid())}

    async def settle(self, engine: OpenEngine, patience: float) -> None:
        """Return when nothing more can happen; raise the bug that stopped the engine, if any."""
        vigil = _Vigil(patience)
        while True:
            await drain()
            engine.raise_if_crashed()
            prospect = self._prospect(engine)
            if prospect is Prospect.NOTHING:
                return
            if vigil.gives_up(prospect, lambda: self._signs(engine)):
                return
            await asyncio.sleep(TICK)

    def _prospect(self, engine: OpenEngine) -> Prospect:
        at_work = self._threads.pending or engine.commits.awaited
        if engine.is_in_step or engine.processes.running or at_work:
            return Prospect.WORK
        if not (engine.is_busy or _jobs_at_work(engine)):
            return Prospect.NOTHING
        prospect = self._lookout.prospect(self._threads.threads)
        if prospect is Prospect.INPUT and self._children(engine):
            # They may wait for one of their own processes.
            return Prospect.WORK
        return prospect

    def _children(self, engine: OpenEngine) -> list[ProcessActivity]:
        """The processes at work for this one: a command that serves others never ends."""
        serving = {pid for one in engine.processes.serving for pid in _family(one)}
        return [
            process
            for process in processes_under(os.getpid())
            if process.pid not in self._bystanders | serving and not is_resident(process.pid)
        ]

    def _signs(self, engine: OpenEngine) -> tuple[object, ...]:
        """The activity so far. Equal ones show that nothing has happened in between."""
        numbers = [thread.native_id for thread in self._threads.threads if thread.native_id]
        life = [*self._children(engine), *threads_of_ours(numbers)]
        if not all(activity.is_at_rest for activity in life):
            return (object(),)
        return (engine.steps, _log_sizes(engine), frozenset(life))


def _family(pid: int) -> set[int]:
    """A process and all below it."""
    return {pid, *(process.pid for process in processes_under(pid))}


class _Vigil:
    """The time since the last sign of life."""

    def __init__(self, patience: float) -> None:
        self._limits = {
            Prospect.INPUT: min(LOOK, patience),
            Prospect.TIMER: min(SOON, patience),
            # On systems that hide processes, only their output shows that they live.
            Prospect.WORK: patience if PROC.is_dir() else 4 * patience,
        }
        self._signs: tuple[object, ...] | None = None
        self._since = monotonic()
        # Most waits are over before that.
        self._next_look = self._since + 10 * TICK

    def gives_up(self, prospect: Prospect, look: Callable[[], tuple[object, ...]]) -> bool:
        """True if it has been quiet for too long. Looks now and then."""
        now = monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK
        signs = look()
        if signs != self._signs:
            self._signs = signs
            self._since = now
            return False
        return now - self._since >= self._limits[prospect]


def _jobs_at_work(engine: OpenEngine) -> bool:
    """True if there are jobs that may go on by themselves.

    Queued jobs wait for others; but the pool of a plugin may be waiting for anything.
    """
    for_people = (JobState.WAITING_FOR_CONFIRMATION, JobState.PAUSED)
    return any(run.job.state not in for_people for run in engine.service(ResultCache).runs)


def _log_sizes(engine: OpenEngine) -> int:
    size = 0
    for run in engine.service(ResultCache).runs:
        with suppress(OSError):
            size += engine.log(run.job.id).size
    return size
