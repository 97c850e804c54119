"""Tells followers which jobs there are."""

from __future__ import annotations

from time import perf_counter

from pycurrent.engine import OpenEngine, Step
from pycurrent.service.events import EventHub, JobsChanged
from pycurrent.service.jobs import Jobs
from pycurrent.service.models import JobView
from pycurrent.service.throttled import Throttled

TOLD_EVERY = 0.1
"""Seconds between two looks at the jobs, at least."""
PART_OF_TIME = 0.05
"""How much of the time the looks may take."""


class JobsFeed:
    """Compares the jobs with those that were told last, while somebody follows.

    No step says which jobs have changed: a place in a queue changes by itself, and nobody needs
    some of the jobs any more.
    """

    def __init__(self, engine: OpenEngine, jobs: Jobs, hub: EventHub) -> None:
        self._jobs = jobs
        self._hub = hub
        self._told: dict[str, JobView] = {}
        self._looking = Throttled(self._look)
        engine.listen(self._stepped)
        hub.on_follow(self._looking.request)

    def close(self) -> None:
        """Nothing is told any more. Twice is fine."""
        self._looking.close()

    def _stepped(self, step: Step) -> None:
        if self._hub.followers:
            self._looking.request()

    def _look(self) -> float:
        if not self._hub.followers:
            return TOLD_EVERY
        began = perf_counter()
        now = {job.id: job for job in self._jobs.active()}
        changed: dict[str, JobView | None] = {
            id: job for id, job in now.items() if self._told.get(id) != job
        }
        changed.update(dict.fromkeys(self._told.keys() - now.keys()))
        self._told = now
        if changed:
            self._hub.publish(JobsChanged(changed))
        return max(TOLD_EVERY, (perf_counter() - began) / PART_OF_TIME)
