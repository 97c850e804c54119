"""Why a stage is as it is, and why a job was run: from the living pipeline, and from the records.

`Explainer` answers for a running engine; `why_recorded` from the records alone, for jobs that have
ended and for the stages that used them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from msgspec import Struct

from pycurrent.cache import Cache, Instance, Use, cause_of
from pycurrent.cache.cause import Retried, retry_of
from pycurrent.cache.states import Known, Making, Pausing, Unknown
from pycurrent.engine.driven_job import DrivenJob
from pycurrent.engine.job_start import JobState
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.engine.pinnable import Pin, Pinnable
from pycurrent.engine.pool import AnyPool, Pool
from pycurrent.engine.problems import Effect
from pycurrent.errors import UsageError
from pycurrent.explain.health import StageHealth, health_of, unknown_health
from pycurrent.explain.reasons import (
    Blocked,
    Difference,
    Failing,
    Given,
    InConflict,
    MadeAgain,
    Pinned,
    Ran,
    Reason,
    Reused,
    Running,
    Says,
    WaitsForConfirmation,
    WaitsForRead,
    WaitsForRecords,
    WaitsForResume,
    WaitsForRun,
    WaitsForStep,
    WaitsInQueue,
    WaitsUntil,
    sentences,
    told,
)
from pycurrent.incr import Node, combine
from pycurrent.store import ChangeRecord, DatabaseReader, JobRecord, OverrideKind
from pycurrent.term import Active, Failed, Reading, Stage, State

NAMED = 10
"""How many stages, or jobs, are named at most."""
_LOOKED_AT = 2000
"""How many nodes are looked at to find the stages that block another, and how many jobs to find
those that hold a resource.
"""
_USES = 20
"""How many uses of a stage are looked at to find its last job before another."""

_JOB = re.compile(r"\d{4}-\d\d-\d\d/\d{6}-")


class Why(Struct, frozen=True):
    """Why a stage is as it is, or why a job was run."""

    stage: str | None
    """The path of the stage; None if a job was asked about."""
    job: str | None
    """The job that makes or has made its result, or the one that was asked about."""
    state: str
    """The word for the state of the stage, or for how the job ended."""
    reasons: tuple[Reason, ...]
    """At least one, but for a stage whose value is constant."""
    health: StageHealth | None = None
    """Since when the stage has been failing or well; None for a job."""

    def __str__(self) -> str:
        return "\n".join([f"{self.stage or self.job}: {self.state}", *self._lines()])

    def _lines(self) -> Iterator[str]:
        for reason in self.reasons:
            yield from (f"  {line}" for line in sentences(reason))
        if self.health is not None:
            # The changes behind its job are in the reasons.
            lines = self.health.lines(changes=self.health.job != self.job)
            yield from (f"  {line}" for line in lines)


class UnknownSubject(UsageError):
    """Neither a stage nor a job that is known."""

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"{subject!r} is neither a stage of the pipeline nor the id of a job: stages are"
            " listed by `pycurrent client stages`, jobs by `pycurrent history`"
        )


def is_job_id(subject: str) -> bool:
    """True if a text has the form of a job's id; paths of stages can't have it as a rule."""
    return _JOB.match(subject) is not None


# From the records


def why_recorded(store: DatabaseReader, subject: str) -> Why:
    """Why a job was run, or a stage last used one, as the records tell.

    Raises `UnknownSubject`.
    """
    record = store.job(subject) if is_job_id(subject) else None
    if record is not None:
        return Why(None, record.job_id, _end_of(record), (_ran(store, record),))
    pins = tuple(
        _pinned(Pin.of(override))
        for override in store.overrides()
        if (override.kind, override.subject) == (OverrideKind.PIN, subject)
    )
    uses = store.uses_by_stage(subject, limit=1)
    record = store.job(uses[0].job_id) if uses else None
    if record is not None:
        reasons = (*pins, used(store, subject, record))
        health = health_of(store, subject)
        return Why(subject, record.job_id, _end_of(record), reasons, health)
    if not pins:
        raise UnknownSubject(subject)
    return Why(subject, None, "pinned", pins, unknown_health(subject))


def _end_of(record: JobRecord) -> str:
    return "not ended" if record.ended is None else record.ended.value


def used(store: DatabaseReader, stage: str, record: JobRecord) -> Ran | Reused:
    """How a stage came to its job: it was run for it, or its result was known already."""
    finished = record.finished
    for use in store.uses_by_stage(stage, limit=1):
        if use.job_id == record.job_id and finished is not None and use.since > finished:
            return Reused(record.job_id, finished)
    return _ran(store, record, stage)


def _ran(store: DatabaseReader, record: JobRecord, stage: str | None = None) -> Ran:
    """Why a job was run: for a stage, or for the first one that has used it."""
    if stage is None:
        uses = store.uses_of_job(record.job_id)
        stage = uses[-1].stage if uses else None
    last = None if stage is None else _job_before(store, stage, record)
    return Ran(
        record.job_id,
        cause_of(record),
        tuple(store.changes_of_job(record.job_id)),
        None if last is None else last.job_id,
        () if last is None else tuple(differences(last, record)),
    )


def _job_before(store: DatabaseReader, stage: str, record: JobRecord) -> JobRecord | None:
    """The last job that the stage has used before this one."""
    is_before = False
    for use in store.uses_by_stage(stage, limit=_USES):
        if use.job_id == record.job_id:
            is_before = True
        elif is_before:
            return store.job(use.job_id)
    return None


def differences(old: JobRecord, new: JobRecord) -> Iterator[Difference]:
    """The fields in which the keys and values of two jobs differ."""
    if old.op != new.op:
        yield Difference("operation", old.op, new.op)
    yield from _differing("key", old.key, new.key)
    yield from _differing("value", old.value, new.value)


def _differing(name: str, old: str | None, new: str | None) -> Iterator[Difference]:
    if old == new:
        return
    before, after = _fields(old), _fields(new)
    if before is None or after is None:
        yield Difference(name, old, new)
        return
    for field in dict.fromkeys((*before, *after)):
        if before.get(field) != after.get(field):
            yield Difference(field, before.get(field), after.get(field))


def _fields(text: str | None) -> dict[str, str] | None:
    """The fields of a key that is an object or a list in JSON; None for anything else."""
    if text is None or not text.startswith(("{", "[")):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None  # A text that only looks like it.
    items = found.items() if isinstance(found, dict) else enumerate(found, 1)
    return {
        str(name): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in items
    }


class Recent(Struct, frozen=True):
    """The jobs of some time, by the changes that they follow from."""

    since: datetime
    runs: int
    """All of them."""
    changes: tuple[tuple[ChangeRecord, int], ...]
    """Each change with how many follow from it, the one with the most first. A job may follow from
    several; one that was recorded before there were changes follows from none.
    """

    def __str__(self) -> str:
        head = f"{_count(len(self.changes), 'change')} → {_count(self.runs, 'run')}"
        lines = [f"  {runs} by {told(change)}" for change, runs in self.changes]
        return "\n".join([f"{head}:" if lines else head, *lines])


class Followed(Struct, frozen=True):
    """A change, and the jobs that follow from it."""

    change: ChangeRecord
    jobs: tuple[str, ...]
    """The ids, the newest first; not all if they are many."""

    def __str__(self) -> str:
        return "\n".join([told(self.change), *(f"  job {job}" for job in self.jobs)])


def recent(store: DatabaseReader, since: datetime) -> Recent:
    """The jobs that were created from a time on, which is aware, by their changes."""
    runs, changes = store.runs_since(since)
    return Recent(since, runs, tuple(changes))


def followed(store: DatabaseReader, number: int, *, limit: int = 100) -> Followed:
    """A change by its number, and at most `limit` of the jobs that follow from it.

    Raises `UsageError` if there is none with this number.
    """
    change = store.change(number)
    if change is None:
        raise UsageError(f"no change has the number {number}: `pycurrent why --last 1d` lists them")
    return Followed(change, tuple(job.job_id for job in store.jobs_of_change(number, limit=limit)))


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


# From the living pipeline


class Explainer:
    """Explains the stages and jobs of a running engine: a service of it."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._cache = engine.service(Cache)

    def why(self, subject: str) -> Why:
        """Why a stage, given by its path, is as it is, or why a job was run.

        A step that is unfinished is finished first. Raises `UnknownSubject`.
        """
        self._engine.finish_step()
        stage = self._engine.live.find(subject)
        if stage is not None:
            return self._of_stage(subject, stage)
        job = self._cache.runs.job(subject)
        if job is not None:
            return self._of_job(job)
        return why_recorded(self._engine.store, subject)

    def health(self, path: str) -> StageHealth:
        """The health of the stage with a path. Raises `UnknownSubject`.

        A step that is unfinished is finished first.
        """
        self._engine.finish_step()
        stage = self._engine.live.find(path)
        found = health_of(self._engine.store, path) if stage is None else self._health(path, stage)
        if found is None:
            raise UnknownSubject(path)
        return found

    def _health(self, path: str, stage: Stage) -> StageHealth:
        retried = self.retried(stage)
        return health_of(self._engine.store, path, retried=retried) or unknown_health(path)

    def retried(self, stage: Stage) -> str | None:
        """The job of a stage that has failed while a pause lasts before the next attempt."""
        use = None if stage.subscription is None else stage.subscription.innermost
        if isinstance(use, Use) and isinstance(use.instance.state, Pausing):
            retry = retry_of(use.instance.state.cause)
            return None if retry is None else retry.job
        return None

    def _of_job(self, job: DrivenJob) -> Why:
        record = self._engine.store.job(job.id)
        ran = () if record is None else (_ran(self._engine.store, record),)
        return Why(None, job.id, job.state.value, (self._progress(job), *ran))

    def _of_stage(self, path: str, stage: Stage) -> Why:
        followed = stage.subscription
        use = None if followed is None else followed.innermost
        job = use.job_id if isinstance(use, Use) else None
        reasons = tuple(self._reasons(path, stage))
        return Why(path, job, stage.state.word, reasons, self._health(path, stage))

    def _reasons(self, path: str, stage: Stage) -> Iterator[Reason]:
        followed = stage.subscription
        source = None if followed is None else followed.innermost
        if isinstance(source, Pinnable) and source.pin is not None:
            yield _pinned(source.pin)
        if stage.state is State.BLOCKED:
            yield blocked(stage.inputs())
        elif isinstance(source, Use):
            yield from self._of_use(path, stage, source)
        elif followed is not None and followed.is_input:
            if followed.is_held and isinstance(stage.absent, Failed):
                yield Failing(stage.absent.message)
            yield self._of_input(followed.reading(), is_held=followed.is_held)
        elif followed is not None:
            if isinstance(stage.absent, Active):
                yield Says(stage.state.word)
            elif isinstance(stage.absent, Failed):
                yield Failing(stage.absent.message)
        elif isinstance(stage.absent, Failed):
            yield Failing(stage.absent.message)

    def _of_input(self, reading: Reading, *, is_held: bool) -> Reason:
        match reading.output:
            case Active():
                known = (
                    None
                    if reading.name is None
                    else self._engine.store.change_tables.input(reading.name)
                )
                return WaitsForRead(reading.name, None if known is None else known.shown)
            case Failed(message):
                return Failing(message)
            case _:
                number = self._engine.changes.newest_of(reading)
                found = () if number is None else self._engine.store.changes(before=number + 1)
                change = next(iter(found), None)
                return Given(reading.name, change, reading.by, reading.reason, is_held=is_held)

    def _of_use(self, path: str, stage: Stage, use: Use) -> Iterator[Reason]:
        instance = use.instance
        if instance.conflict is not None:
            yield InConflict(instance.conflict.message)
            return
        update = None if stage.metadata is None else stage.metadata.update
        if update is not None:
            yield MadeAgain(update.value)
        waiting = self._waiting(instance, use)
        if waiting is not None and not use.is_held:
            yield waiting
        if isinstance(stage.absent, Failed):
            yield Failing(stage.absent.message)
        record = None if use.job_id is None else self._engine.store.job(use.job_id)
        if record is not None:
            yield used(self._engine.store, path, record)

    def _waiting(self, instance: Instance, use: Use) -> Reason | None:
        """Why the result is not known yet; None if it is."""
        match instance.state:
            case Making(run) if run.target.digest != use.target.digest:
                return WaitsForRun(run.job.id)
            case Making(run):
                return self._progress(run.job)
            case Pausing(until=until, cause=Retried(attempt=attempt, of=of), why=why):
                return WaitsUntil(until, why, attempt, of)
            case Pausing(until=until, why=why):
                return WaitsUntil(until, why)
            case Known(result) if result.target == use.target.digest:
                return None
            case Known() | Unknown():
                return self._next_step()

    def _next_step(self) -> Reason:
        if self._engine.commits.working:
            return WaitsForStep()
        held = (problem for problem in self._engine.problems if problem.effect is Effect.HELD)
        problem = next(held, None)
        return WaitsForRecords("it is being tried" if problem is None else problem.message)

    def _progress(self, job: DrivenJob) -> Reason:
        match job.state:
            case JobState.WAITING_FOR_CONFIRMATION:
                threshold = self._engine.config.confirm
                return WaitsForConfirmation(job.id, str(job.level), str(threshold))
            case JobState.PAUSED if job.pause is not None:
                pause = job.pause
                what = str(pause.what)
                return WaitsForResume(job.id, what, pause.by, pause.reason, pause.until)
            case JobState.QUEUED if job.pool is not None:
                return self._in_queue(job, job.pool)
            case JobState.RUNNING:
                stopped = None if job.stopped is None else str(job.stopped.outcome.message)
                return Running(job.id, job.started, stopped)
            case _:
                return self._next_step()

    def _in_queue(self, job: DrivenJob, pool: AnyPool) -> Reason:
        place = waiting = share = None
        most = NAMED
        if isinstance(pool, Pool):
            place, waiting, share = pool.place(job), pool.queue_length, pool.share_of(job)
            most = min(pool.used, NAMED)
        # As a rule the oldest ones have it.
        oldest = islice(self._cache.runs.jobs(), _LOOKED_AT)
        holding = (j for j in oldest if j.pool is pool and j.holds_resource)
        if share is not None and share.is_used_up:
            holding = (j for j in holding if j.label(share.label) == share.value)
        holders = tuple(j.id for j in islice(holding, most))
        return WaitsInQueue(job.id, pool.label, place, waiting, holders, share)


def _pinned(pin: Pin) -> Pinned:
    return Pinned(pin.value, pin.by, pin.at, pin.reason, pin.until)


def blocked(sources: Iterable[Node]) -> Reason:
    """Why none of a node's inputs has a value: the nearest stages that have none, or what the
    inputs say if no stage leads to them.
    """
    found: dict[str, None] = {}
    seen: set[Node] = set()
    stack = list(sources)
    absent = combine(stack)
    more = 0
    while stack and len(seen) < _LOOKED_AT:
        node = stack.pop()
        if node in seen or node.absent is None:
            continue
        seen.add(node)
        if not isinstance(node, Stage) or node.state is State.BLOCKED:
            stack.extend(node.inputs())
        elif len(found) < NAMED:
            found[str(node.stage)] = None
        else:
            more += 1
    if found:
        return Blocked(tuple(found), more)
    return Failing(absent.message) if isinstance(absent, Failed) else Says("not known yet")
