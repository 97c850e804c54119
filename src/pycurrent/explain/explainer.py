"""Why the stages and jobs of a running engine are as they are: from its living pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from pycurrent.cache import Instance, ResultCache, Use
from pycurrent.cache.cause import Retried, retry_of
from pycurrent.cache.states import Checking, Known, Making, Pausing, Unknown
from pycurrent.engine import Mute, MuteKind, MuteSubject
from pycurrent.engine.driven_job import DrivenJob
from pycurrent.engine.job_state import JobState
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.engine.pinnable import Pinnable
from pycurrent.engine.pool import AnyPool
from pycurrent.engine.problems import Effect
from pycurrent.explain.health import StageHealth, health_of, unknown_health
from pycurrent.explain.reasons import (
    Blocked,
    Failing,
    Given,
    InConflict,
    MadeAgain,
    Reason,
    Running,
    Says,
    TakenAsThere,
    WaitsForAnswer,
    WaitsForApproval,
    WaitsForConfirmation,
    WaitsForEnd,
    WaitsForRead,
    WaitsForRecords,
    WaitsForResume,
    WaitsForRun,
    WaitsForStep,
    WaitsInQueue,
    WaitsUntil,
)
from pycurrent.explain.why import (
    NAMED,
    UnknownSubject,
    Why,
    found_again,
    muted,
    pinned,
    ran,
    used,
    why_recorded,
)
from pycurrent.incr import Node, combine
from pycurrent.term import Active, Failed, Muted, Reading, Stage, State

_LOOKED_AT = 2000
"""How many nodes are looked at to find the stages that block another, and how many jobs to find
those that hold a resource.
"""


class Explainer:
    """Explains the stages and jobs of a running engine: a service of it."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._cache = engine.service(ResultCache)

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
        why = () if record is None else (ran(self._engine.store, record),)
        return Why(None, job.id, job.state.value, (self._progress(job), *why))

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
            yield pinned(source.pin)
        mute = self._mute(path, stage)
        if mute is not None:
            yield muted(mute)
        if stage.state is State.BLOCKED:
            yield from self._blocked(stage)
        elif isinstance(source, Use):
            yield from self._of_use(path, stage, source)
        elif followed is not None and followed.is_input:
            reading = followed.reading()
            if followed.is_held and isinstance(stage.absent, Failed):
                yield Failing(stage.absent.message)
            elif not followed.is_held and _is_behind(stage, reading):
                yield self._next_step()
                return
            yield self._of_input(reading, is_held=followed.is_held)
        elif followed is not None:
            if isinstance(stage.absent, Active):
                yield Says(stage.state.word, stage.status.note)
            elif isinstance(stage.absent, Failed):
                yield Failing(stage.absent.message)
        elif isinstance(stage.absent, Failed):
            yield Failing(stage.absent.message)

    def _mute(self, path: str, stage: Stage) -> Mute | None:
        """The mute of a stage, or of its failure."""
        if isinstance(stage.absent, Muted) and stage.state is State.MUTED:
            return self._engine.mutes.of_mark(stage.absent.mute)
        return self._engine.mutes.get(MuteSubject(MuteKind.PATH, path))

    def _blocked(self, stage: Stage) -> Iterator[Reason]:
        inputs = [*stage.inputs()]
        found = blocking(inputs)
        named = {str(source.stage): source for source in found[:NAMED]}
        if named:
            yield Blocked(tuple(named), len(found) - len(named))
        else:
            absent = combine(inputs)
            why = Failing(absent.message) if isinstance(absent, Failed) else None
            yield why or Says("not known yet")
        for path, source in named.items():
            mute = self._mute(path, source) if source.state is State.MUTED else None
            if mute is not None:
                yield muted(mute, path)

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
        if instance.conflict is not None and isinstance(stage.absent, Active):
            yield self._next_step()
        if instance.conflict is not None:
            yield InConflict(instance.conflict.message)
            return
        update = None if stage.metadata is None else stage.metadata.update
        if update is not None:
            yield MadeAgain(update.value)
        waiting = self._waiting(instance, use)
        if waiting is None and isinstance(stage.absent, Active):
            waiting = self._next_step()  # The step that takes the result.
        if waiting is not None and not use.is_held:
            yield waiting
        if isinstance(stage.absent, Failed):
            yield Failing(stage.absent.message)
        doubt = self._cache.still_there.doubt(instance)
        if doubt is not None:
            yield TakenAsThere(doubt.why, doubt.again)
        record = None if use.job_id is None else self._engine.store.job(use.job_id)
        if record is not None:
            yield used(self._engine.store, path, record)
            yield from found_again(self._engine.store, record)

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
            case Checking(result) if result.target == use.target.digest:
                return WaitsForAnswer(instance.job_id or "")
            case Known() | Checking() | Unknown():
                return self._next_step()

    def _next_step(self) -> Reason:
        if self._engine.commits.working:
            return WaitsForStep()
        held = (problem for problem in self._engine.problems if problem.effect is Effect.HELD)
        problem = next(held, None)
        return WaitsForRecords("it is being tried" if problem is None else problem.message)

    def _progress(self, job: DrivenJob) -> Reason:
        if job.waits_for_records:
            return self._next_step()
        match job.state:
            case JobState.WAITING_FOR_CONFIRMATION:
                return self._for_people(job)
            case JobState.PAUSED if job.pause is not None:
                pause = job.pause
                what = str(pause.what)
                return WaitsForResume(job.id, what, pause.by, pause.reason, pause.until)
            case JobState.QUEUED if job.pool is not None:
                return self._in_queue(job, job.pool)
            case JobState.RUNNING:
                stopped = None if job.stopped is None else str(job.stopped.outcome.message)
                return Running(job.id, job.started, stopped, job.waits)
            case _ if job.waits:
                return WaitsForEnd(job.id, job.waits)
            case _:
                return self._next_step()

    def _for_people(self, job: DrivenJob) -> Reason:
        unapproved, threshold = job.unapproved, self._engine.config.confirm
        if unapproved is not None:
            return WaitsForApproval(job.id, unapproved.commit, unapproved.source)
        return WaitsForConfirmation(job.id, str(job.confirmation_level), str(threshold))

    def _in_queue(self, job: DrivenJob, pool: AnyPool) -> Reason:
        place = waiting = share = None
        most = NAMED
        counts = pool.entry
        if counts is not None:
            place, waiting, share = counts.place(job), counts.queue_length, counts.share_of(job)
            most = min(counts.used, NAMED)
        # As a rule the oldest ones have it.
        oldest = islice(self._cache.runs.jobs(), _LOOKED_AT)
        holding = (j for j in oldest if j.pool is pool and j.holds_resource and j is not job)
        if share is not None and share.is_used_up:
            holding = (j for j in holding if j.label(share.label) == share.value)
        holders = tuple(j.id for j in islice(holding, most))
        return WaitsInQueue(job.id, pool.label, place, waiting, holders, share, job.waits)


def _is_behind(stage: Stage, reading: Reading) -> bool:
    """True if an input is known, and was not in the last step, or the other way round: the next
    step is due, or nothing can be recorded now.
    """
    return isinstance(stage.absent, Active) != isinstance(reading.output, Active)


def blocking(sources: Iterable[Node]) -> list[Stage]:
    """The nearest stages because of which none of a node's inputs has a value."""
    found: list[Stage] = []
    seen: set[Node] = set()
    stack = _at_fault(sources)
    while stack and len(seen) < _LOOKED_AT:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if not isinstance(node, Stage) or node.state is State.BLOCKED:
            stack.extend(_at_fault(node.inputs()))
        else:
            found.append(node)
    return found


def _at_fault(sources: Iterable[Node]) -> list[Node]:
    """The sources that lack a value; those whose failures are muted only if no other one does."""
    absent = [source for source in sources if source.absent is not None]
    return [source for source in absent if not _is_excused(source)] or absent


def _is_excused(node: Node) -> bool:
    return node.absent is not None and node.absent.is_excused
