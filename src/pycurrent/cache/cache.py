"""The results of operations, in one engine."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from pycurrent.cache.acts import Acts, Instances
from pycurrent.cache.cause import ASKED, Cause
from pycurrent.cache.handle import Handle
from pycurrent.cache.instance import Instance
from pycurrent.cache.operation_type import (
    AnyOperation,
    Key,
    OperationType,
    OperationTypes,
)
from pycurrent.cache.pauses import Pauses
from pycurrent.cache.records import load, new_job, recorded
from pycurrent.cache.schedule import Schedule
from pycurrent.cache.states import Abandoned, Demand, Result, Run, end_of
from pycurrent.cache.stopping import see_off
from pycurrent.engine.driven_job import DrivenJob, JobOwner
from pycurrent.engine.follow import LogSource
from pycurrent.engine.job_run import end_unbegun, run_job
from pycurrent.engine.job_start import JobState
from pycurrent.engine.limits import Limits
from pycurrent.engine.logrules import Explanation
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.engine.pool import AnyPool, CustomPool, Pool, Tickets, Urgency
from pycurrent.engine.tasks import leave_alone
from pycurrent.errors import WrongKind
from pycurrent.store import JobEnd, JobRecord, LastResult
from pycurrent.term import (
    Failed,
    Metadata,
    Ok,
    Output,
    Primitive,
    Runtime,
    Subscription,
    shown,
)

T = TypeVar("T")
Changed: TypeAlias = Callable[[], None]
JobEnded: TypeAlias = "Callable[[DrivenJob, JobEnd], None]"

_AT_ONCE = 200
"""How many runs are started or given up after one step: that takes some 20 ms."""

_log = logging.getLogger(__name__)


class Cache:
    """The instances that are needed, and the runs at work: a service of the engine."""

    def __init__(self, engine: OpenEngine) -> None:
        self.engine = engine
        self.instances = Instances()
        self.op_types = OperationTypes()
        self._touched: dict[Instance, None] = {}
        self._left: deque[Instance] = deque()
        """Touched before, and put off to the next step."""
        self._to_launch: list[tuple[Instance, Run]] = []
        self._is_closing = False
        self._tasks: dict[asyncio.Task[None], tuple[Instance, Run]] = {}
        self._making: dict[str, Instance] = {}
        """By the ids of the jobs that have not ended, the oldest first."""
        self.clock = engine.clock
        self.store = engine.store
        self.pauses = Pauses(engine.clock)
        self.acts = Acts(
            self.instances,
            engine.store,
            engine.log,
            engine.thread,
            engine.audit,
            engine.live.stages_of,
            engine.request_step,
        )
        self.left_places: dict[Callable[[], None], Tickets] = {}
        self._told_of_ends: list[JobEnded] = []
        self._told_of_jobs: list[Callable[[DrivenJob], None]] = []
        engine.after_step(self.update)
        engine.after_commit(self._launch)
        engine.on_stop(self.aclose)
        engine.quiescence.add_source(self._is_pending)

    def op_type(self, cls: type[AnyOperation]) -> OperationType:
        """The operation of a class. Raises `UsageError` if another one has its id."""
        return self.op_types.of(cls)

    def runs(self) -> Iterator[Run]:
        """The runs that have not ended."""
        for instance in self._making.values():
            if instance.run is not None:
                yield instance.run

    def jobs(self) -> Iterator[DrivenJob]:
        """The jobs that have not ended."""
        return (run.job for run in self.runs())

    def job(self, job_id: str) -> DrivenJob | None:
        """The job with this id, until it has ended."""
        instance = self._making.get(job_id)
        return None if instance is None or instance.run is None else instance.run.job

    def job_ids(self) -> list[str]:
        """The ids of the jobs that have not ended, the oldest first."""
        return list(self._making)

    @property
    def job_count(self) -> int:
        """The number of jobs that have not ended."""
        return len(self._making)

    def job_at_work(self, op: str, digest: str) -> DrivenJob | None:
        """The job that makes the result for a key now."""
        instance = self.instances.get(op, digest)
        return None if instance is None or instance.run is None else instance.run.job

    def last_job(self, op: str, digest: str) -> str | None:
        """The id of the last job for a key, as long as somebody needs the result."""
        instance = self.instances.get(op, digest)
        return None if instance is None else instance.job_id

    def __len__(self) -> int:
        """The number of results that are kept in memory or are being made."""
        return len(self.instances)

    def on_ended(self, told: JobEnded) -> None:
        """Have `told(job, end)` called for each job that ends, once its result is recorded."""
        self._told_of_ends.append(told)

    def on_job(self, told: Callable[[DrivenJob], None]) -> None:
        """Have `told(job)` called for each job that is new, has another state, or has ended.

        Called often, and within steps: `told` must be quick, and must not raise.
        """
        self._told_of_jobs.append(told)

    def _is_pending(self) -> bool:
        """True if some run goes on without help from outside."""
        # As a rule some job runs; whether one in a queue is stuck takes longer to find out.
        return (
            any(run.job.state is JobState.RUNNING for run in self.runs())
            or any(not run.job.waits_for_person for run in self._launched())
            or (self.engine.releases_itself and bool(self._making))
            or self.pauses.are_hopeful
        )

    def _launched(self) -> Iterator[Run]:
        """The runs that have begun, and not ended. Between steps the others are those that can't
        be recorded now.
        """
        waiting = {run for _, run in self._to_launch}
        return (run for run in self.runs() if run not in waiting)

    def subscribe(self, primitive: OperationPrimitive[T], changed: Changed) -> Subscription[T]:
        """Need the result of an operation, until the subscription is closed."""
        operation = primitive.operation
        op_type = self.op_type(type(operation))
        key, target = op_type.key(primitive.key), op_type.target(primitive.value)
        # Code of plugins runs first: where it refuses something, nothing is left behind.
        title = operation.title(primitive.key, primitive.value)
        use = _Use(operation, target, title, primitive.schedule, changed)
        use.instance = self.instance(op_type, key)
        use.instance.join(use)
        return use

    def instance(self, op_type: OperationType, key: Key) -> Instance:
        found = self.instances.get(op_type.id, key.digest)
        if found is None:
            found = Instance(self, op_type, key, *load(self.store, op_type, key))
            self.instances.add(found)
            if found.job_id is not None:
                self.engine.use_job(found.job_id, found)
        return found

    def forget(self, instance: Instance) -> None:
        """Nobody needs it: what is known is in the database."""
        self.instances.remove(instance)
        if instance.job_id is not None:
            self.engine.drop_job(instance.job_id)

    def known(
        self, operation: AnyOperation, key: Any, *, ok: bool | None = None
    ) -> Ok[Any] | Failed | None:
        """The last result that is recorded for a key; None if there is none that can be read.

        With `ok` it is the last value, or failure, whatever was recorded since. That may look
        through the history of the operation.
        """
        op_type = self.op_type(type(operation))
        found = op_type.key(key)
        record: LastResult | JobRecord | None = self.store.last_result(op_type.id, found.digest)
        if record is not None and ok not in (None, record.ok):
            # Not asked for at once: without an index this takes long where there is none.
            history = self.store.history(op_type.id, ok=ok, key=found.text, limit=1)
            record = next(iter(history), None)
        result = None if record is None else recorded(op_type, found, record)
        return result.outcome if isinstance(result, Result) else None

    def invalidate(self, operation: AnyOperation, key: Any, cause: Cause = ASKED) -> None:
        """Make a result again if it is needed, or else once it is."""
        self.engine.thread.check(f"invalidate of operation {operation.id!r}")
        op_type = self.op_type(type(operation))
        self.acts.invalidate(op_type.id, op_type.key(key).digest, cause)

    # For instances: see `instance_host.py`

    def new_job(
        self,
        op: str,
        description: str,
        cause: Cause,
        *,
        urgency: Urgency,
        owner: JobOwner,
        tickets: Tickets | None,
    ) -> DrivenJob:
        return new_job(self.engine, op, description, cause, urgency, owner, tickets)

    def use_job(self, instance: Instance, job_id: str) -> None:
        self.engine.use_job(job_id, instance)

    def handle(self, instance: Instance, job_id: str) -> Handle:
        return Handle(job_id, self.acts, instance.op_type.id, instance.key.digest)

    def drop_job(self, job_id: str) -> None:
        self.engine.drop_job(job_id)

    def job_changed(self, job: DrivenJob) -> None:
        for told in self._told_of_jobs:
            told(job)

    def request_step(self) -> None:
        self.engine.request_step()

    # Around steps

    def touch(self, instance: Instance) -> None:
        """Something about it has changed: update it after the next step."""
        self._touched[instance] = None
        self.engine.request_step()

    def launch(self, instance: Instance, run: Run) -> None:
        """Have the run begin once it is recorded."""
        self._making[run.job.id] = instance
        self._to_launch.append((instance, run))
        self.job_changed(run.job)
        self.engine.request_step()

    def update(self) -> None:
        """Move on what was touched. After a step; what is started begins once it is recorded.

        Starting a run takes long, and so does giving one up: no more than `_AT_ONCE` of them are
        done now, the rest after the next step. So the loop goes on while 100,000 are started.
        """
        moved = 0
        while self._left or self._touched:
            if not self._left:
                self._left.extend(self._touched)
                self._touched.clear()
            instance = self._left.popleft()
            self._touched.pop(instance, None)
            moved += instance.update()
            if moved == _AT_ONCE:
                self.engine.request_step()
                return
        self.left_places.clear()

    def _launch(self) -> None:
        launching, self._to_launch = self._to_launch, []
        if launching:
            self.engine.state.mark_run()
        context = copy_context()
        taken: Counter[AnyPool] = Counter()
        for instance, run in launching:
            run.context = context
            limits = self._limits(instance, run)
            if limits is None or self._may_begin_at_once(limits, taken):
                self._begin(instance, run)
            else:
                # In the next turn of the loop, as tasks begin: among those that are launched
                # together nobody comes first who was launched last.
                self.engine.loop.call_soon(self._set_off, instance, run, limits)

    def _may_begin_at_once(self, limits: Limits, taken: Counter[AnyPool]) -> bool:
        """True if a run has nothing to wait for, as far as is known; `taken` counts the resources
        for those that are launched with it.
        """
        pool = limits.pool
        if not self.engine.config.allows(limits.level):
            return False
        if not isinstance(pool, Pool):
            return True
        taken[pool] += 1
        return taken[pool] <= pool.capacity - pool.used

    def _set_off(self, instance: Instance, run: Run, limits: Limits) -> None:
        """Start a run without a task that waits for that."""
        if run.job.stopped is not None:
            self.waited(instance, run)
        elif run.job.set_off(limits):
            self._begin(instance, run)

    def _limits(self, instance: Instance, run: Run) -> Limits | None:
        """The limits within which a run can be started without a task that waits for that."""
        if self.engine.leftovers:
            return None
        try:
            limits = run.operation.started_with(instance.key.value)
        except Exception:
            return None  # Raised again in the job, whose failure it is.
        return None if limits is None or isinstance(limits.pool, CustomPool) else limits

    def waited(self, instance: Instance, run: Run) -> None:
        """A job that was set off waits no longer: its work may begin, or it was told to end."""
        job = run.job
        if job.stopped is not None and job.holds_nothing:
            self.engine.when_step_is_done(partial(self._end, instance, run, end_unbegun(job)))
            return
        if self._is_closing:
            instance.abandon(run, Abandoned.STOPPING)
        self._begin(instance, run)

    def _begin(self, instance: Instance, run: Run) -> None:
        """Have a task do the work of a run."""
        work = self._drive(instance, run)
        # So that others don't see a change that one job makes to its context.
        context = None if run.context is None else run.context.copy()
        task = self.engine.loop.create_task(work, name=run.job.id, context=context)
        self._tasks[task] = instance, run
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.engine.crash(error)

    async def _drive(self, instance: Instance, run: Run) -> None:
        """One run, from its first line to its record."""
        op_type, job = instance.op_type, run.job

        async def work() -> tuple[Any, str]:
            await self.engine.leftovers.end_of(op_type.id, instance.key.digest, job.note)
            limits = None
            if not job.has_begun:
                limits = run.operation.started_with(instance.key.value)
            key, value = op_type.given_key(instance.key), op_type.given_value(run.target)
            if limits is not None:
                await limits.start(job)
            outcome = await run.operation.work(job, key, value)
            # Within the job, so that a value that can't be stored is seen in its log.
            return op_type.taken(outcome)

        outcome = await run_job(job, work, self._explain)
        await self.engine.between_steps()
        self._end(instance, run, outcome)

    def _end(self, instance: Instance, run: Run, outcome: Ok[tuple[Any, str]] | Failed) -> None:
        """A job has ended: record how, and say so."""
        job = run.job
        del self._making[job.id]
        self.job_changed(job)
        end = end_of(run, outcome)
        instance.finish(run, end, outcome)
        self._tell_end(job, end)

    def _tell_end(self, job: DrivenJob, end: JobEnd) -> None:
        for told in self._told_of_ends:
            try:
                told(job, end)
            except Exception:
                # A listener's error must not stop the engine.
                _log.exception("%r failed to be told of the end of job %s", told, job.id)

    async def _explain(self, log: LogSource) -> Explanation | None:
        """The log rule that explains a failure, if one does."""
        rules = self.engine.log_rules
        if not rules.list():
            return None
        with self.engine.busy():
            try:
                return await asyncio.to_thread(rules.explain, log)
            except OSError as error:
                _log.warning("the log rules can't read %s: %s", log.path, error.strerror)
                return None

    async def aclose(self) -> None:
        """Cancel what runs. Its work is run again by the next engine that needs it.

        A job that does not end is left alone, and is in `OpenEngine.left_alone`.
        """
        self._is_closing = True
        self._launch()
        # Waiting jobs came last. They go first, so nobody takes the places that the others leave.
        for number, instance in enumerate(reversed(list(self._making.values())), 1):
            run = instance.run
            # A job that a person has cancelled stays so.
            if run is not None and run.job.cancelled is None:
                instance.abandon(run, Abandoned.STOPPING)
            if number % _AT_ONCE == 0:
                self.engine.commits.commit()
                await asyncio.sleep(0)
        await asyncio.sleep(0)  # Jobs that were launched just now end without a task.
        jobs = {task: run.job for task, (_, run) in self._tasks.items()}
        for task in await see_off(jobs, self.engine.stop_grace):
            instance, run = self._tasks.pop(task)
            task.remove_done_callback(self._ended)
            leave_alone(task)
            self.engine.left_alone.append(run.job.id)
            assert run.job.stopped is not None
            outcome = run.job.stopped.outcome
            instance.finish(run, end_of(run, outcome), outcome)


class Results(Protocol):
    """The source of results: the cache, or an object that stands in for it where nothing runs."""

    def subscribe(self, primitive: OperationPrimitive[T], changed: Changed) -> Subscription[T]:
        """Follow the result that the primitive asks for; see `Primitive.subscribe`."""


def results(engine: OpenEngine) -> Results:
    """The service that operations ask for. A runtime may give another object for this key."""
    return engine.service(Cache)


class OperationPrimitive(Primitive[T], Generic[T]):
    """The result of an operation, made when it is needed and not known."""

    __slots__ = ("key", "operation", "schedule", "value")

    def __init__(
        self, operation: AnyOperation, key: Any, value: Any, schedule: Schedule | None
    ) -> None:
        if schedule is not None and not isinstance(schedule, Schedule):
            raise WrongKind(
                f"operation {operation.id!r}: schedule= takes a Schedule, not {shown(schedule)}:"
                " write Schedule(valid_for=...)"
            )
        self.operation = operation
        self.key = key
        self.value = value
        self.schedule = schedule

    def __repr__(self) -> str:
        return f"<OperationPrimitive {self.operation.id} {self.key!r}>"

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T]:
        return runtime.service(results).subscribe(self, changed)


class _Use(Demand, Subscription[Any]):
    """The demand of one component, which is its subscription as well."""

    __slots__ = ("instance",)
    instance: Instance

    def read(self) -> tuple[Output[Any], Metadata | None]:
        return self.instance.report(self)

    def close(self) -> None:
        self.instance.leave(self)


class OfEngine(Primitive[T], Generic[T]):
    """The primitive that `make` gives for the cache of the engine that needs it: for operations
    that need something of their engine, such as its folders or what is known already.
    """

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[Cache], Primitive[T]]) -> None:
        self._make = make

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T]:
        return self._make(runtime.service(Cache)).subscribe(runtime, changed)
