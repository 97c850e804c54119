"""Tells followers which jobs there are."""

from __future__ import annotations

from itertools import islice
from time import perf_counter

from pycurrent.cache import ResultCache
from pycurrent.engine import DrivenJob, JobState, OpenEngine
from pycurrent.service.events import EventHub, JobsChanged
from pycurrent.service.throttled import Throttled
from pycurrent.view import show_job

TOLD_EVERY = 0.1
"""Seconds between two batches of jobs, at least."""
PART_OF_TIME = 0.05
"""How much of the time making them may take."""
AT_ONCE = 2000
"""How many jobs a batch tells of, at most: the rest come with the next ones."""
KEPT = 1000
"""How many changes are kept while nobody follows."""


class JobsFeed:
    """Tells of the jobs that have changed: the cost is that of the changes, however many wait.

    Places in queues are not told: with each job that ends, all those behind it have another one.
    While nobody follows, a bounded number of changes is kept for those who have just read the
    jobs. After more of them, the hub forgets what it has: who comes back reads everything again.
    """

    def __init__(self, engine: OpenEngine, hub: EventHub) -> None:
        self._hub = hub
        self._changed: dict[str, DrivenJob | None] = {}
        """None for a job that has ended."""
        self._telling = Throttled(self._tell)
        engine.service(ResultCache).runs.on_job(self._job_changed)
        hub.on_follow(self._telling.request)

    def close(self) -> None:
        """Nothing is told any more. Twice is fine."""
        self._telling.close()

    def _job_changed(self, job: DrivenJob) -> None:
        self._changed[job.id] = None if job.state is JobState.ENDED else job
        if self._hub.followers:
            self._telling.request()
        elif len(self._changed) > KEPT:
            self._changed.clear()
            self._hub.forget()

    def _tell(self) -> float:
        if not self._hub.followers or not self._changed:
            return TOLD_EVERY
        began = perf_counter()
        told = dict(islice(self._changed.items(), AT_ONCE))
        for id in told:
            del self._changed[id]
        self._hub.publish(
            JobsChanged(
                {
                    id: None if job is None else show_job(job, placed=False)
                    for id, job in told.items()
                }
            )
        )
        if self._changed:
            self._telling.request()
        return max(TOLD_EVERY, (perf_counter() - began) / PART_OF_TIME)
