"""Figures about an engine, for those who watch over many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

from pycurrent.cache import ResultCache
from pycurrent.engine import AnyPool, DrivenJob, Effect, JobState, OpenEngine, Step
from pycurrent.engine.deliveries import Deliveries
from pycurrent.store import JobEnd
from pycurrent.term import Stats


@dataclass(frozen=True, slots=True)
class PoolMetrics:
    """A pool that jobs have used. Capacity and use are None where the pool does not tell."""

    label: str
    capacity: int | None
    used: int | None
    queue: int


@dataclass(frozen=True, slots=True)
class RetentionMetrics:
    """The removals by rules of retention since the engine started."""

    removed: tuple[tuple[str, int], ...]
    """How many jobs have lost each part."""
    bytes: int
    """Of their logs and files."""
    last: float | None
    """When the last removal began, in seconds since 1970; None: there was none."""


@dataclass(frozen=True, slots=True)
class MetricsReading:
    """How an engine is now."""

    stages: Stats
    evaluations: int
    """How often the pipeline was evaluated."""
    jobs: tuple[tuple[JobState, int], ...]
    """How many jobs that have not ended are in each state."""
    ended: tuple[tuple[JobEnd, int], ...]
    """How many jobs have ended in each way since the engine started."""
    operations: tuple[tuple[str, JobEnd, int], ...]
    """How many jobs of each operation have ended in each way since the engine started."""
    processors: tuple[tuple[str, float], ...]
    """The seconds of processors that the commands of each operation's jobs have used, of those that
    have ended since the engine started.
    """
    places: tuple[tuple[str, JobEnd, int], ...]
    """How many jobs have ended at each place in each way since the engine started."""
    pools: tuple[PoolMetrics, ...]
    cache_items: int
    """How many results are kept in memory, those included that are being made."""
    deliveries: int
    """How many deliveries of webhooks ask for work that is still to be done."""
    retention: RetentionMetrics
    followers: int
    """How many connections follow the events."""
    problems: tuple[tuple[Effect, int], ...]
    """How many things are wrong with the engine itself, by what they do to it."""


_Kind: TypeAlias = tuple[JobState, str | None]
Evaluated = Callable[[float], None]
Waited = Callable[[str, float], None]
Worked = Callable[[str, float], None]

MOST_OPERATIONS = MOST_PLACES = 500
OTHER = "other"
"""The name of all operations beyond so many, as an author may make them of data; and of all places
beyond so many.
"""


class Metrics:
    """Measures an engine from now on."""

    def __init__(self, engine: OpenEngine, followers: Callable[[], int]) -> None:
        self._engine = engine
        self._followers = followers
        self._pools: dict[str, AnyPool] = {}
        # Since when jobs could have started, if there had been a resource.
        self._ready: dict[str, float] = {}
        self._evaluated: list[Evaluated] = []
        self._waited: list[Waited] = []
        self._worked: list[Worked] = []
        self._ended: Counter[JobEnd] = Counter()
        self._operations: dict[str, Counter[JobEnd]] = {}
        self._processors: dict[str, float] = {}
        self._places: dict[str, Counter[JobEnd]] = {}
        # The jobs that have not ended, with their state and, in a queue, the pool; and how many
        # there are of each. All jobs of one kind share its tuple.
        self._kinds: dict[str, _Kind] = {}
        self._counts: Counter[_Kind] = Counter()
        self._shared: dict[_Kind, _Kind] = {}
        for job in engine.service(ResultCache).runs.jobs():
            self._count_job(job)
        engine.service(ResultCache).runs.on_job(self._count_job)
        engine.service(ResultCache).runs.on_ended(self._count_ends)
        engine.listen(self._stepped)

    def on_evaluated(self, told: Evaluated) -> None:
        """Have `told(seconds)` called after each evaluation of the pipeline."""
        self._evaluated.append(told)

    def on_waited(self, told: Waited) -> None:
        """Have `told(pool, seconds)` called when a job gets a resource of a pool, with the time
        that it has waited for it.
        """
        self._waited.append(told)

    def on_worked(self, told: Worked) -> None:
        """Have `told(operation, seconds)` called when a job ends whose work had begun, with the
        time since then.
        """
        self._worked.append(told)

    def ready_since(self, job_id: str) -> datetime | None:
        """When a job could have started, if there had been a resource; None if it has no need to
        wait for one.
        """
        ready = self._ready.get(job_id)
        if ready is None:
            return None
        clock = self._engine.clock
        return clock.now() - timedelta(seconds=clock.monotonic() - ready)

    @property
    def pools(self) -> Mapping[str, AnyPool]:
        """The pools that jobs have used, by their labels."""
        return self._pools

    def read(self) -> MetricsReading:
        """How the engine is now. Takes as long for many jobs and stages as for few."""
        states: dict[JobState, int] = dict.fromkeys(JobState, 0)
        queues: Counter[str] = Counter()
        for (state, queue), number in self._counts.items():
            states[state] += number
            if queue is not None:
                queues[queue] += number
        cache = self._engine.service(ResultCache)
        return MetricsReading(
            stages=self._engine.stats,
            evaluations=self._engine.steps,
            jobs=tuple(item for item in states.items() if item[0] is not JobState.ENDED),
            ended=tuple((end, self._ended[end]) for end in JobEnd),
            operations=_by_end(self._operations),
            processors=tuple(self._processors.items()),
            places=_by_end(self._places),
            pools=tuple(
                _measures(pool, queues[label]) for label, pool in sorted(self._pools.items())
            ),
            cache_items=len(cache),
            deliveries=self._engine.service(Deliveries).unfinished,
            retention=_retention(self._engine),
            followers=self._followers(),
            problems=tuple(
                (effect, sum(problem.effect is effect for problem in self._engine.problems))
                for effect in Effect
            ),
        )

    def _count_job(self, job: DrivenJob) -> None:
        before = self._kinds.pop(job.id, None)
        if before is not None:
            self._counts[before] -= 1
        pool = job.pool
        if pool is not None:
            self._pools[pool.label] = pool
        self._time_wait(job)
        if job.state is JobState.ENDED:
            return
        queue = pool.label if pool is not None and job.state is JobState.QUEUED else None
        kind: _Kind = (job.state, queue)
        self._kinds[job.id] = kind = self._shared.setdefault(kind, kind)
        self._counts[kind] += 1

    def _time_wait(self, job: DrivenJob) -> None:
        match job.state:
            case JobState.CREATED | JobState.QUEUED:
                self._ready.setdefault(job.id, self._engine.clock.monotonic())
            case JobState.WAITING_FOR_CONFIRMATION | JobState.PAUSED | JobState.ENDED:
                self._ready.pop(job.id, None)
            case JobState.RUNNING:
                ready = self._ready.pop(job.id, None)
                if ready is not None and job.pool is not None:
                    waited = self._engine.clock.monotonic() - ready
                    for told in self._waited:
                        told(job.pool.label, waited)
            case unreachable:
                assert_never(unreachable)

    def _count_ends(self, ended: Sequence[tuple[DrivenJob, JobEnd]]) -> None:
        for job, end in ended:
            self._count_end(job, end)

    def _count_end(self, job: DrivenJob, end: JobEnd) -> None:
        self._ended[end] += 1
        operation = _count(self._operations, MOST_OPERATIONS, job.op, end)
        ran = job.ran
        if ran is not None and ran.cpu is not None:
            self._processors[operation] = self._processors.get(operation, 0.0) + ran.cpu
        if job.place is not None:
            _count(self._places, MOST_PLACES, job.place.name, end)
        if job.begun is not None:
            seconds = job.begun.age.total_seconds()
            for told in self._worked:
                told(operation, seconds)

    def _stepped(self, step: Step) -> None:
        for told in self._evaluated:
            told(step.seconds)


def _count(counts: dict[str, Counter[JobEnd]], most: int, name: str, end: JobEnd) -> str:
    """Count an end under a name, or under `OTHER` if there are so many. The name is returned."""
    ends = counts.get(name)
    if ends is None:
        name = name if len(counts) < most else OTHER
        ends = counts.setdefault(name, Counter())
    ends[end] += 1
    return name


def _by_end(counts: Mapping[str, Counter[JobEnd]]) -> tuple[tuple[str, JobEnd, int], ...]:
    return tuple(
        (name, end, number) for name, ends in counts.items() for end, number in ends.items()
    )


def _measures(pool: AnyPool, queue: int) -> PoolMetrics:
    counts = pool.counting
    if counts is None:
        return PoolMetrics(pool.label, None, None, queue)
    return PoolMetrics(pool.label, counts.capacity, counts.used, queue)


def _retention(engine: OpenEngine) -> RetentionMetrics:
    if engine.config.retention is None:
        return RetentionMetrics((), 0, None)
    from pycurrent.facade.upkeep import Upkeep  # few engines have rules
    from pycurrent.store.keep import Part

    upkeep = engine.service(Upkeep)
    return RetentionMetrics(
        removed=tuple((part.value, upkeep.removed[part]) for part in Part),
        bytes=upkeep.removed_bytes,
        last=None if upkeep.last is None else upkeep.last.at.timestamp(),
    )
