"""The end of all jobs of an engine: waited for, hurried, and at last left alone.

A job that is cancelled as its engine stops has a *grace* to end in. One that is still there is
told again, each second, for half as long; then it is left alone, and named: a person or service
manager that stops an engine must get it stopped. The grace begins when the commands have
ended that the job was running: they have a grace of their own, or were said not to be cancellable.
Commands that clean up have six graces.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob

TIDYING = 6
"""How many graces the commands have that a job begins after it was cancelled."""

_LOOK = 1.0

_log = logging.getLogger(__name__)


async def see_off(
    jobs: Mapping[asyncio.Task[None], DrivenJob], grace: float
) -> list[asyncio.Task[None]]:
    """Wait for the ends of jobs that were cancelled just now. Gives those that were left alone."""
    ending = [_Ending(task, job, grace) for task, job in jobs.items()]
    left: list[asyncio.Task[None]] = []
    while ending:
        # Not one by one: each end would have all the others looked at.
        await asyncio.wait([one.task for one in ending], timeout=min(_LOOK, grace))
        ending = [one for one in ending if not one.task.done()]
        for one in list(ending):
            if one.is_hopeless():
                ending.remove(one)
                left.append(one.task)
    return left


class _Ending:
    """One job that is to end."""

    def __init__(self, task: asyncio.Task[None], job: DrivenJob, grace: float) -> None:
        self.task = task
        self.job = job
        self._grace = grace
        self._loop = asyncio.get_running_loop()
        self._began = self._waits_since = self._loop.time()
        self._commands = job.running_commands
        self._is_busy = bool(self._commands)
        self._said = False

    def is_hopeless(self) -> bool:
        """True if it was told again and again. Tells it, if it is time for that."""
        now = self._loop.time()
        was_busy, self._is_busy = self._is_busy, self._has_time_for_commands(now)
        if was_busy or self._is_busy:
            self._waits_since = now
        waited = now - self._waits_since
        if waited < self._grace:
            return False
        # On a machine that is too busy to look in time it is told once all the same.
        if waited < 1.5 * self._grace or not self._said:
            self._say(f"was cancelled {waited:.0f} s ago and has not ended: cancelling it again")
            self.job.hurry()
            return False
        self._said = False
        self._say("does not end although it was cancelled again and again: it is left alone")
        return True

    def _has_time_for_commands(self, now: float) -> bool:
        running = self.job.running_commands
        early = now - self._began < TIDYING * self._grace
        return bool(running & self._commands) or (early and bool(running))

    def _say(self, what: str) -> None:
        if not self._said:
            self._said = True
            _log.warning("job %s (%s) %s", self.job.id, self.job.description, what)
            self.job.log(f"The job {what}")
