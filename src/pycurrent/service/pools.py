"""The pools of an engine: who holds their resources since when, and who waits, in which place.

A job holds the resource of its own pool while it is at work, and those of other pools, and cache
folders, as long as it uses them. Pools that nobody uses now are shown if jobs of them have run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from msgspec import Struct

from pycurrent.cache import ResultCache
from pycurrent.engine import AnyPool, DrivenJob, JobState, OpenEngine
from pycurrent.service.metrics import Metrics

_REMEMBERED = 50
"""From how many of the last uses of a pool the wait for it is estimated."""


class Holder(Struct, frozen=True):
    """A job that holds a resource of a pool."""

    job: str
    description: str
    since: datetime
    runs_at: str | None = None
    """The place that it was lent, if the pool lends places."""


class AtWork(Struct, frozen=True):
    """A job that waits in the middle of its work."""

    job: str
    description: str
    waits: tuple[str, ...]
    """The things that it waits for, in words."""


class Queued(Struct, frozen=True):
    """A job in the queue of a pool."""

    job: str
    description: str
    place: int
    """1 is next."""
    since: datetime | None
    """None where it is not known: the job waits in the middle of its work."""
    expected: timedelta | None
    """How long it may still take, if uses are as long as the last ones were; None: not known."""


class PoolView(Struct, frozen=True):
    """A pool as it is now. Parts that are not known are None: only `Pool` counts its resources."""

    label: str
    capacity: int | None
    used: int | None
    share_by: str | None
    """The label by whose values it is shared."""
    quota: int | None
    queue: int
    """How many jobs wait."""
    held_for: timedelta | None
    """How long the last uses were, in the middle."""
    holding: int
    """How many jobs hold a resource of it."""
    holders: tuple[Holder, ...]
    """The ones that have held it longest; not all if they are many."""
    waiting: tuple[Queued, ...]
    """The next ones, as many as were asked for."""


class Pools:
    """The pools of one engine. Belongs to the thread of the event loop."""

    def __init__(self, engine: OpenEngine, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics
        self._runs = engine.service(ResultCache).runs
        # The jobs at work that have a pool, the oldest first, and since when they hold it.
        self._holding: dict[str, tuple[AnyPool, datetime]] = {}
        self._lengths: dict[AnyPool, deque[timedelta]] = {}
        for job in self._runs.jobs():
            self._noted(job)
        self._runs.on_job(self._noted)

    def _noted(self, job: DrivenJob) -> None:
        if job.state is JobState.RUNNING:
            if job.pool is not None and job.id not in self._holding:
                since = job.started or self._engine.clock.now()
                self._holding[job.id] = job.pool, since
        elif job.state is JobState.ENDED and (held := self._holding.pop(job.id, None)) is not None:
            pool, since = held
            lengths = self._lengths.setdefault(pool, deque(maxlen=_REMEMBERED))
            lengths.append(self._engine.clock.now() - since)

    def show(self, *, holders: int, waiting: int) -> list[PoolView]:
        """All pools, those with the longest queues first; of each at most so many jobs."""
        held: dict[AnyPool, dict[str, datetime]] = {
            pool: {} for pool in self._metrics.pools.values()
        }
        for pool, jobs in self._engine.host.waits.visits.items():
            held.setdefault(pool, {}).update(jobs)
        for job_id, (pool, since) in self._holding.items():
            held.setdefault(pool, {})[job_id] = since
        queues = {pool.label: pool.queue for pool in self._metrics.read().pools}
        views = [
            self._view(pool, jobs, queues, holders=holders, waiting=waiting)
            for pool, jobs in held.items()
        ]
        return sorted(views, key=lambda view: (-view.queue, view.label))

    def queue(self, label: str, *, skip: int, limit: int) -> tuple[int, tuple[Queued, ...]] | None:
        """How many jobs wait for the pool with a label, and a part of them, the next one first;
        None if there is no such pool whose queue is here.
        """
        named = self._metrics.pools.get(label)
        pools = [named, *self._engine.host.waits.visits]
        pool = next((one for one in pools if one is not None and one.label == label), None)
        if pool is None or pool.entry is None:
            return None
        return pool.entry.queue_length, tuple(self._queued(pool, skip, limit))

    def waiting_at_work(self, limit: int) -> list[AtWork]:
        """At most `limit` of the jobs that wait in the middle of their work."""
        found = self._engine.host.waits.first(limit)
        return [AtWork(job_id, self._description(job_id), words) for job_id, words in found]

    def _view(
        self,
        pool: AnyPool,
        jobs: dict[str, datetime],
        queues: dict[str, int],
        *,
        holders: int,
        waiting: int,
    ) -> PoolView:
        counts = pool.counting
        return PoolView(
            label=pool.label,
            capacity=None if counts is None else counts.capacity,
            used=None if counts is None else counts.used,
            share_by=None if counts is None else counts.share_by,
            quota=None if counts is None else counts.quota,
            queue=queues.get(pool.label, 0) if counts is None else counts.queue_length,
            held_for=self._length(pool),
            holding=len(jobs),
            holders=tuple(
                [self._holder(job_id, since) for job_id, since in islice(jobs.items(), holders)]
            ),
            waiting=tuple(self._queued(pool, 0, waiting)),
        )

    def _holder(self, job_id: str, since: datetime) -> Holder:
        job = self._runs.job(job_id)
        place = None if job is None else job.place
        return Holder(
            job_id, self._description(job_id), since, None if place is None else str(place)
        )

    def _description(self, job_id: str) -> str:
        job = self._runs.job(job_id)
        return job_id if job is None else job.description

    def _length(self, pool: AnyPool) -> timedelta | None:
        """The median of the last uses."""
        lengths = self._lengths.get(pool)
        return None if not lengths else sorted(lengths)[len(lengths) // 2]

    def _queued(self, pool: AnyPool, skip: int, limit: int) -> Iterator[Queued]:
        """The jobs in its queue, if it has one here."""
        counts, entry = pool.counting, pool.entry
        if entry is None:
            return
        by_turn = counts is not None and counts.share_by is None
        length = self._length(pool) if by_turn else None
        for number, job in enumerate(islice(entry.in_queue(), skip, skip + limit), skip + 1):
            assert isinstance(job, DrivenJob)
            yield Queued(
                job=job.id,
                description=job.description,
                place=number,
                since=self._metrics.ready_since(job.id),
                expected=None if length is None else length * number / entry.capacity,
            )
