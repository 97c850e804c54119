"""The stages of a running engine that people want to see, kept up to date by its steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from pycurrent.cache import Handle, Instance, ResultCache
from pycurrent.engine import JobState, Moment, OpenEngine, Step
from pycurrent.term import BY_CONCERN, Activity, Failed, Stage, State, Stats, unmuted
from pycurrent.view.models import (
    ForConfirmation,
    ForResume,
    Headline,
    InQueue,
    JobView,
    Overview,
    StageChange,
    StageView,
    Wait,
    kind_of,
)

if TYPE_CHECKING:
    from pycurrent.engine import DrivenJob, Pool

_QUIET = frozenset({State.OK, State.BLOCKED})

ORDER = tuple([state for state in BY_CONCERN if state not in _QUIET])
"""The kinds of stages that are of interest, that of most interest first."""

_BRIEF = 300
"""The letters of a message in one line."""
_AT_ONCE = 500
"""How many changed stages are looked at before other things may happen: that takes 1 to 5 ms."""
_SCANNED = 100
"""How many failed stages are looked at for each that is shown."""

Changes = Callable[[tuple[StageChange, ...]], None]


class _Entry:
    """A stage of interest, as it was after the last step that changed it."""

    __slots__ = ("job", "path", "since", "stage", "state", "update")

    def __init__(self, stage: Stage, now: Moment) -> None:
        self.stage = stage
        self.path: str | None = None
        """Made when it is shown first: most of 100,000 that are queued never are."""
        self.state = State.BLOCKED
        self.update: Activity | None = None
        self.since = now
        self.job: DrivenJob | None = None

    @property
    def kind(self) -> State:
        return kind_of(self.state, self.update)

    @property
    def is_unseen(self) -> bool:
        """True if there is nothing to tell of it, unless it was told of before: it is ok, or it
        runs without a job, as while an operation is asked whether a result is still there.
        """
        return self.state is State.OK or (self.kind is State.RUNNING and self.job is None)

    @property
    def starts(self) -> Moment:
        begun = None if self.job is None else self.job.begun
        return self.since if begun is None else begun


class EngineView:
    """Follows the steps of an engine, for those who look on.

    Of interest is a stage that is neither ok nor blocked, or that is being updated. Only these
    are kept account of, by what each step says has changed: the cost of a step is that of its
    changes, however large the pipeline is. Made at any time while the engine is open: then it
    looks at all stages once. Belongs to the thread of the engine.
    """

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._entries: dict[Stage, _Entry] = {}
        # The same by their kinds, those first that have been of it for longest.
        self._kinds: dict[State, dict[Stage, _Entry]] = {kind: {} for kind in ORDER}
        self._listeners: dict[Changes, None] = {}
        deque(self._changes(engine.live.stages(), Moment(engine.clock)), maxlen=0)
        engine.listen_in_parts(self._stepped)

    def listen(self, listener: Changes) -> None:
        """Call `listener` after each step with the changes, even if there are none. Changes of
        stages that were of no interest, and are ok now or only looked at, are left out.
        """
        self._listeners[listener] = None

    async def between_steps(self) -> None:
        """Wait until no step is unfinished: what shows the stages would have to finish it, in one
        go.
        """
        await self._engine.between_steps()

    def overview(self, limit: int) -> Overview:
        """The whole, with the `limit` stages that are of most interest: the latest failures, but of
        everything else what has been so for longest. Stages that one job has failed are one.
        Costs O(limit).
        """
        engine, kinds = self._engine, self._kinds
        engine.finish_step()
        shares = share([len(kinds[kind]) for kind in ORDER], limit)
        shown = (
            self._show(entry, others)
            for kind, size in zip(ORDER, shares, strict=True)
            for entry, others in self._foremost(kind, size)
        )
        return Overview(
            result=engine.output,
            counts=engine.stats,
            stages=tuple(shown),
            of_interest=Stats(
                failed=len(kinds[State.FAILED]),
                running=len(kinds[State.RUNNING]),
                waiting_for_confirmation=len(kinds[State.WAITING_FOR_CONFIRMATION]),
                ready=len(kinds[State.READY]),
                muted=len(kinds[State.MUTED]),
            ),
            jobs=engine.service(ResultCache).runs.job_count,
            confirm=engine.config.confirm,
            paused=self._is_paused(),
            pauses=len(engine.service(ResultCache).pauses),
            problems=tuple(engine.problems),
        )

    def _is_paused(self) -> bool:
        ready = self._kinds[State.READY].values() if self._engine.host.paused.is_any else ()
        return any(e.job is not None and e.job.state is JobState.PAUSED for e in ready)

    @property
    def problems(self) -> int:
        """How many things are wrong with the engine itself."""
        return sum(1 for _ in self._engine.problems)

    def headline(self) -> Headline | None:
        """The last failure, also if the pipeline catches it, but nothing that is only blocked; None
        if nothing has failed. Costs O(1).
        """
        self._engine.finish_step()
        failed = self._kinds[State.FAILED]
        if failed:
            last = next(reversed(failed.values()))
            why = last.stage.absent
            message = why.message if isinstance(why, Failed) else ""
            return Headline(self._path(last), _brief(message), len(failed) - 1)
        match unmuted(self._engine.output):
            case Failed(message):
                return Headline(None, _brief(message), 0)
            case _:
                return None

    def failures(self) -> Iterator[tuple[str, Failed]]:
        """The path of each stage that has failed, and why."""
        self._engine.finish_step()
        for entry in self._kinds[State.FAILED].values():
            if isinstance(entry.stage.absent, Failed):
                yield self._path(entry), entry.stage.absent

    def failed(self, limit: int) -> list[Stage]:
        """The stages that have failed, the last one first; at most `limit`. Costs O(limit)."""
        self._engine.finish_step()
        return [*islice(reversed(self._kinds[State.FAILED]), limit)]

    def longest(self, kind: State, limit: int) -> Iterator[tuple[str, datetime]]:
        """The paths of the stages of a kind that have been so for longest, at most `limit`, and
        since when each has: as the overview shows it. Costs O(limit).
        """
        self._engine.finish_step()
        for entry in islice(self._kinds[kind].values(), limit):
            yield self._path(entry), entry.starts.date

    def _foremost(self, kind: State, size: int) -> Iterable[tuple[_Entry, int]]:
        """At most `size` stages of a kind; and of those that a job has failed together, which are
        told as one, how many others there are.
        """
        entries = self._kinds[kind].values()
        if not kind.is_failure:
            return [(entry, 0) for entry in islice(entries, size)]
        together: dict[object, tuple[_Entry, int]] = {}
        for entry in islice(reversed(entries), size * _SCANNED):
            cause = _job_id(entry.stage) or entry.stage
            _, others = together.get(cause, (entry, -1))
            if others >= 0 or len(together) < size:
                together[cause] = entry, others + 1
        return together.values()

    # Steps

    def _stepped(self, step: Step) -> Iterator[None]:
        """Take a step in, part by part; its end is told to those who listen."""
        now = Moment(self._engine.clock)
        for released in _parts(step.released):
            for stage in released:
                self._forget(stage)
            yield
        told: list[StageChange] = []
        for changed in _parts(step.changed):
            changes = self._changes(changed, now)
            if self._listeners:
                told += [
                    StageChange(before, self._show(entry), took)
                    for before, entry, took in changes
                    if before is not None or not entry.is_unseen
                ]
            else:
                deque(changes, maxlen=0)
            yield
        for listener in list(self._listeners):
            listener(tuple(told))

    def _changes(
        self, changed: Iterable[Stage], now: Moment
    ) -> Iterator[tuple[State | None, _Entry, timedelta | None]]:
        """Bring the entries up to date; give each as a `StageChange` tells of it."""
        for stage in changed:
            entry = self._entries.get(stage)
            state, update = stage.state, _update(stage)
            if entry is None and state in _QUIET and update is None:
                continue
            if entry is None:
                entry = _Entry(stage, now)
                before = None
            else:
                before = entry.kind
            ran_unseen = entry.job is None or _has_found_nothing(entry.job, stage)
            told = None if before is State.RUNNING and ran_unseen else before
            yield told, entry, self._change(entry, before, state, update, now)

    def _change(
        self,
        entry: _Entry,
        before: State | None,
        state: State,
        update: Activity | None,
        now: Moment,
    ) -> timedelta | None:
        """Returns how long the work of its job took, if that has ended."""
        is_new = state is not entry.state or (entry.update is None) is not (update is None)
        if is_new:
            entry.since = now
        if is_new or before is not kind_of(state, update):
            self._forget(entry.stage)
        entry.state, entry.update = state, update
        handle = self._handle(entry.stage)
        last, entry.job = entry.job, None if handle is None else handle.job
        took = None
        if last is not None and last is not entry.job and last.begun is not None:
            took = last.begun.age
        if state not in _QUIET or update is not None:
            self._entries[entry.stage] = self._kinds[entry.kind][entry.stage] = entry
        return took

    def _forget(self, stage: Stage) -> None:
        entry = self._entries.pop(stage, None)
        if entry is not None:
            self._kinds[entry.kind].pop(stage, None)

    def _handle(self, stage: Stage) -> Handle | None:
        """The job of a stage."""
        job_id = _job_id(stage)
        handle = None if job_id is None else self._engine.jobs.get(job_id)
        return handle if isinstance(handle, Handle) else None

    # Showing

    def _show(self, entry: _Entry, others: int = 0) -> StageView:
        stage, job, handle = entry.stage, entry.job, self._handle(entry.stage)
        absent = stage.absent if entry.state.is_failure else None
        return StageView(
            path=self._path(entry),
            label=stage.label,
            state=entry.state,
            update=entry.update,
            since=entry.starts.date,
            job_id=_job_id(stage),
            description=None if handle is None else handle.description,
            job=None if job is None or job.state is JobState.ENDED else show_job(job),
            failure=absent if isinstance(absent, Failed) else None,
            note=stage.note,
            others=others,
        )

    def _path(self, entry: _Entry) -> str:
        if entry.path is None:
            stage = entry.stage
            # A stage that is released while the engine closes has none any more.
            is_alive = stage.is_alive
            entry.path = str(self._engine.live.ref(stage)) if is_alive else stage.label
        return entry.path


def _parts(stages: tuple[Stage, ...]) -> Iterator[tuple[Stage, ...]]:
    return (stages[start : start + _AT_ONCE] for start in range(0, len(stages), _AT_ONCE))


def show_job(job: DrivenJob, *, placed: bool = True) -> JobView:
    """A job that has not ended; not `placed`: without its place in a queue."""
    if not placed or job.state is not JobState.QUEUED:
        return _show_job(job, None)
    queue = None if job.pool is None else job.pool.entry
    return _show_job(job, None if queue is None else queue.place(job))


def show_jobs(jobs: Iterable[DrivenJob]) -> tuple[JobView, ...]:
    """Several jobs that have not ended: each queue is looked through once, not for each job."""
    return tuple(one_by_one(jobs))


def one_by_one(jobs: Iterable[DrivenJob]) -> Iterator[JobView]:
    """As `show_jobs`, for those that let other things happen in between.

    Places in queues are those of the beginning; a job that has ended meanwhile is shown as ended.
    """
    shown = [*jobs]
    queued: dict[Pool, list[DrivenJob]] = {}
    for job in shown:
        queue = None if job.pool is None else job.pool.entry
        if job.state is JobState.QUEUED and queue is not None:
            queued.setdefault(queue, []).append(job)
    places: dict[object, int] = {
        job: place
        for pool, waiting in queued.items()
        for job, place in pool.places(waiting).items()
    }
    return (_show_job(job, places.get(job)) for job in shown)


def _show_job(job: DrivenJob, place: int | None) -> JobView:
    return JobView(
        id=job.id,
        op=job.op,
        description=job.description,
        state=job.state,
        created=job.created,
        started=job.started,
        wait=_wait(job, place),
        level=job.level,
        pool=None if job.pool is None else job.pool.label,
        cancelled=job.cancelled,
        labels=job.labels,
        is_lookup=isinstance(job.owner, Instance) and job.owner.looks_again(job),
        runs_at=None if job.place is None else str(job.place),
    )


def _wait(job: DrivenJob, place: int | None) -> Wait | None:
    if job.waits_for_records:
        return None  # The problem of the engine says why.
    match job.state:
        case JobState.WAITING_FOR_CONFIRMATION:
            assert job.level is not None
            return ForConfirmation(job.level)
        case JobState.PAUSED:
            return None if job.pause is None else ForResume.of(job.pause)
        case JobState.QUEUED:
            assert job.pool is not None
            return InQueue(job.pool.label, place)
        case _:
            return None


def _update(stage: Stage) -> Activity | None:
    return None if stage.metadata is None else stage.metadata.update


def _has_found_nothing(job: DrivenJob, stage: Stage) -> bool:
    """True if a refresh is over, and the result of another job is that of the stage still."""
    if job.state is not JobState.ENDED or _job_id(stage) == job.id:
        return False
    from pycurrent.engine import Urgency

    return job.urgency is Urgency.LOW


def _job_id(stage: Stage) -> str | None:
    return None if stage.metadata is None else stage.metadata.job_id


def _brief(message: str) -> str:
    return message.partition("\n")[0][:_BRIEF]


def share(wanted: list[int], limit: int) -> list[int]:
    """Share out `limit` places: to each an equal part, if it wants that many, and what is left
    to the first ones.
    """
    kinds = sum(1 for number in wanted if number)
    if not kinds:
        return [0] * len(wanted)
    shares = [min(number, limit // kinds) for number in wanted]
    for index, number in enumerate(wanted):
        shares[index] += min(number - shares[index], limit - sum(shares))
    return shares
