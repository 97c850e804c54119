"""The results of operations, in one engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from pycurrent.cache.instance import Instance
from pycurrent.cache.operation_type import Key, OperationType
from pycurrent.cache.schedule import Schedule
from pycurrent.cache.states import Abandoned, Demand, Run, end_of
from pycurrent.cache.stopping import see_off
from pycurrent.engine.driven_job import DrivenJob, JobState
from pycurrent.engine.job_run import run_job
from pycurrent.engine.logrules import Explanation
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.engine.pool import Tickets
from pycurrent.engine.tasks import leave_alone
from pycurrent.errors import UsageError, WrongKind
from pycurrent.store import JobEnd
from pycurrent.term import Metadata, Output, Primitive, Runtime, Subscription, shown

if TYPE_CHECKING:
    from pycurrent.cache.operation import AnyOperation

T = TypeVar("T")
JobEnded: TypeAlias = "Callable[[DrivenJob, JobEnd], None]"

_log = logging.getLogger(__name__)


class Cache:
    """The instances that are needed, and the runs at work: a service of the engine."""

    def __init__(self, engine: OpenEngine) -> None:
        self.engine = engine
        self.instances: dict[tuple[str, str], Instance] = {}
        self._op_types: dict[str, OperationType] = {}
        self._known_classes: dict[type[AnyOperation], OperationType] = {}
        self._touched: dict[Instance, None] = {}
        self._to_launch: list[tuple[Instance, Run]] = []
        self._tasks: dict[asyncio.Task[None], tuple[Instance, Run]] = {}
        self._making: dict[Instance, None] = {}
        self.pausing: dict[Instance, None] = {}
        """Those that the machine has failed, and that are tried again after a pause."""
        self.left_places: dict[Callable[[], None], Tickets] = {}
        """Within a step: whose runs will be given up before they have begun, by who is told of
        changes, and their places in queues. What the same component wants instead takes them.
        """
        self._told_of_ends: list[JobEnded] = []
        engine.after_step(self.update)
        engine.after_commit(self._launch)
        engine.on_stop(self.aclose)
        engine.work.ask(self._goes_on)

    def op_type(self, cls: type[AnyOperation]) -> OperationType:
        """The operation of a class. Raises `UsageError` if another one has its id."""
        found = self._known_classes.get(cls)
        if found is not None:
            return found
        op_type = OperationType(cls)
        first = self._op_types.setdefault(op_type.id, op_type)
        if not first.same(cls):
            raise UsageError(
                f"two operations have the id {op_type.id!r}: {first.cls.__module__}."
                f"{first.cls.__qualname__} and {cls.__module__}.{cls.__qualname__}"
            )
        self._known_classes[cls] = op_type
        return op_type

    def find_op_type(self, op: str) -> OperationType | None:
        """The operation with an id, if it has been used."""
        return self._op_types.get(op)

    def runs(self) -> Iterator[Run]:
        """The runs that have not ended."""
        for instance in self._making:
            if instance.run is not None:
                yield instance.run

    def on_ended(self, told: JobEnded) -> None:
        """Have `told(job, end)` called for each job that ends, once its result is recorded."""
        self._told_of_ends.append(told)

    def _goes_on(self) -> bool:
        """Whether some run goes on without help from outside."""
        # As a rule some job runs; whether one in a queue is stuck takes longer to find out.
        return (
            any(run.job.state is JobState.RUNNING for run in self.runs())
            or any(not run.job.waits_for_person for run in self._launched())
            or (self.engine.releases_itself and bool(self._making))
            or any(instance.is_hopeful for instance in self.pausing)
        )

    def _launched(self) -> Iterator[Run]:
        """The runs that have begun, and not ended. Between steps the others are those that can't
        be recorded now.
        """
        waiting = {run for _, run in self._to_launch}
        return (run for run in self.runs() if run not in waiting)

    def demand(
        self, user: object, primitive: OperationPrimitive[Any], changed: Callable[[], None]
    ) -> tuple[Instance, Demand]:
        """Somebody needs a result, until they `leave` the instance."""
        work = primitive.work
        op_type = self.op_type(type(work))
        key, target = op_type.key(primitive.key), op_type.target(primitive.value)
        # All that a plugin's own code may refuse comes first: it leaves nothing behind, then.
        title = work.title(primitive.key, primitive.value)
        demand = Demand(work, target, title, primitive.schedule, changed)
        instance = self.instance(op_type, key)
        instance.join(user, demand)
        return instance, demand

    def instance(self, op_type: OperationType, key: Key) -> Instance:
        place = (op_type.id, key.digest)
        found = self.instances.get(place)
        if found is None:
            found = self.instances[place] = Instance(self, op_type, key)
            store = self.engine.store
            record = store.lookup(*place)
            sure = not op_type.has_value or record is None or not store.unsettled(record)
            found.load(record, sure=sure)
        return found

    def forget(self, instance: Instance) -> None:
        """Nobody needs it: what is known is in the database."""
        del self.instances[instance.op_type.id, instance.key.digest]
        if instance.job_id is not None:
            self.engine.drop_job(instance.job_id)

    def invalidate(self, work: AnyOperation, key: Any) -> None:
        """Make a result again if it is needed, or else once it is."""
        self.engine.thread.check(f"invalidate of operation {work.id!r}")
        op_type = self.op_type(type(work))
        digest = op_type.key(key).digest
        instance = self.instances.get((op_type.id, digest))
        if instance is not None and instance.users:
            instance.rebuild()
        else:
            self.engine.store.set_rebuild(op_type.id, digest)
        self.engine.request_step()

    # Around steps

    def touch(self, instance: Instance) -> None:
        """Something about it has changed: update it after the next step."""
        self._touched[instance] = None
        self.engine.request_step()

    def launch(self, instance: Instance, run: Run) -> None:
        """Have the run begin once it is recorded."""
        self._making[instance] = None
        self._to_launch.append((instance, run))
        self.engine.request_step()

    def update(self) -> None:
        """Move on what was touched. After a step; what is started begins once it is recorded."""
        while self._touched:
            touched, self._touched = self._touched, {}
            for instance in touched:
                instance.update()
        self.left_places.clear()

    def _launch(self) -> None:
        launching, self._to_launch = self._to_launch, []
        loop = asyncio.get_running_loop()
        for instance, run in launching:
            task = loop.create_task(self._drive(instance, run), name=run.job.id)
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
            await self.engine.leftovers.end_of(op_type.id, instance.key.digest, job.log)
            key, value = op_type.given_key(instance.key), op_type.given_value(run.target)
            outcome = await run.work.work(job, key, value)
            # Within the job, so that a value that can't be stored is seen in its log.
            return op_type.taken(outcome)

        outcome = await run_job(job, work, self._explain)
        del self._making[instance]
        end = end_of(run, outcome)
        instance.finish(run, end, outcome)
        self._tell_end(job, end)

    def _tell_end(self, job: DrivenJob, end: JobEnd) -> None:
        for told in self._told_of_ends:
            try:
                told(job, end)
            except Exception:
                # Who looks on can't stop what is looked at.
                _log.exception("%r failed to be told of the end of job %s", told, job.id)

    async def _explain(self, log: Path) -> Explanation | None:
        """What the log rules say of a failure."""
        rules = self.engine.log_rules
        if not rules.list():
            return None
        with self.engine.busy():
            try:
                return await asyncio.to_thread(rules.explain_file, log)
            except OSError as error:
                _log.warning("the log rules can't read %s: %s", log, error.strerror)
                return None

    async def aclose(self) -> None:
        """Cancel what runs. Its work is run again by the next engine that needs it.

        What does not end is left alone, and is in `OpenEngine.left_alone`.
        """
        for instance in list(self._making):
            run = instance.run
            # What a person has cancelled is to stay so.
            if run is not None and run.job.cancelled is None:
                instance.abandon(run, Abandoned.STOPPING)
        self._launch()
        jobs = {task: run.job for task, (_, run) in self._tasks.items()}
        for task in await see_off(jobs, self.engine.stop_grace):
            instance, run = self._tasks.pop(task)
            task.remove_done_callback(self._ended)
            leave_alone(task)
            self.engine.left_alone.append(run.job.id)
            assert run.job.stopped is not None
            outcome = run.job.stopped.outcome
            instance.finish(run, end_of(run, outcome), outcome)


class OperationPrimitive(Primitive[T], Generic[T]):
    """The result of an operation, made when it is needed and not known."""

    __slots__ = ("key", "schedule", "value", "work")

    def __init__(self, work: AnyOperation, key: Any, value: Any, schedule: Schedule | None) -> None:
        if schedule is not None and not isinstance(schedule, Schedule):
            raise WrongKind(
                f"operation {work.id!r}: schedule= takes a Schedule, not {shown(schedule)}: write"
                f" Schedule(valid_for=...)"
            )
        self.work = work
        self.key = key
        self.value = value
        self.schedule = schedule

    def __repr__(self) -> str:
        return f"<OperationPrimitive {self.work.id} {self.key!r}>"

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T]:
        return _Use(runtime.service(Cache), self, changed)


class _Use(Subscription[T]):
    __slots__ = ("_demand", "_instance")

    def __init__(
        self, cache: Cache, primitive: OperationPrimitive[T], changed: Callable[[], None]
    ) -> None:
        self._instance, self._demand = cache.demand(self, primitive, changed)

    def read(self) -> tuple[Output[T], Metadata | None]:
        return self._instance.report(self._demand)

    def close(self) -> None:
        self._instance.leave(self)
