"""The results of operations, in one engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

from pycurrent.cache.acts import Acts, Instances
from pycurrent.cache.cause import ASKED, Asked, Cause, Expired
from pycurrent.cache.code import CodeNotices
from pycurrent.cache.demands import NO_DEMANDS, Demand, Retirement
from pycurrent.cache.handle import Handle
from pycurrent.cache.instance import Instance
from pycurrent.cache.left_jobs import LeftJobs
from pycurrent.cache.makers import Makers
from pycurrent.cache.operation_type import (
    GONE,
    AnyOperation,
    Key,
    OperationType,
    OperationTypes,
)
from pycurrent.cache.pauses import Pauses
from pycurrent.cache.records import left_job, load, new_job, recorded
from pycurrent.cache.retirements import Retirements
from pycurrent.cache.retry import Retry, check_retry
from pycurrent.cache.runs import AT_ONCE, TOGETHER, Runs
from pycurrent.cache.states import Checking, Known, Result, Run, Unknown
from pycurrent.cache.still_there import StillThere
from pycurrent.cache.use import (
    Use,
    check_trust,
    checked_labels,
    new_use,
    trust_of,
)
from pycurrent.engine.changes import MOST, Ids
from pycurrent.engine.clock import Moment
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.store import JobRecord, LastResult
from pycurrent.term import (
    TRUSTED,
    Failed,
    Ok,
    Primitive,
    Runtime,
    Stage,
    Subscription,
    Trust,
)

if TYPE_CHECKING:
    from pycurrent.cache.schedule import Schedule
    from pycurrent.engine.driven_job import DrivenJob
    from pycurrent.engine.job_owner import JobOwner
    from pycurrent.engine.left_runs import LeftRun
    from pycurrent.engine.pool import Tickets, Urgency

LOOKS = 8
"""How many instances are looked at, or forgotten, in the time that it takes to give up a run."""

T = TypeVar("T")
Changed: TypeAlias = Callable[[], None]


class ResultCache:
    """The instances that are needed, and the runs at work: a service of the engine."""

    def __init__(self, engine: OpenEngine) -> None:
        self.engine = engine
        self.instances = Instances()
        notices = CodeNotices(engine.store, engine.problems, engine.config.rebuilds)
        self.op_types = OperationTypes(notices.look)
        self._touched: dict[Instance, None] = {}
        self._left: deque[Instance] = deque()
        """Touched before, and put off to the next step."""
        self._moment: Moment | None = None
        """The moment of all jobs that are created after one step, while they are: one for each
        would be a tenth of what a job in a queue takes.
        """
        self._roots = engine.changes.roots
        """The roots of the step in which they were touched."""
        self.clock = engine.clock
        self.store = engine.store
        self._rebuilds = engine.config.rebuilds
        self.pauses = Pauses(engine.clock)
        self.runs = Runs(engine, self.pauses)
        self.still_there = StillThere(engine)
        self._makers = Makers(engine, self.instances, self.runs)
        self.acts = Acts(
            self.instances,
            engine.store,
            engine.log,
            engine.thread,
            engine.audit,
            engine.changes,
            engine.live.stages_of,
            engine.request_step,
        )
        self.left_jobs = LeftJobs(engine)
        self.retirements = Retirements(engine, self.instances, self.op_types, self.instance)
        self.left_places: dict[Callable[[], None], Tickets] = {}
        self._told_of_uses: list[Callable[[Use], None]] = []
        engine.after_step(self.update)
        engine.during_commit(self._update_more)

    def op_type(self, cls: type[AnyOperation]) -> OperationType:
        """The operation of a class. Raises `UsageError` if another one has its id."""
        return self.op_types.of(cls)

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

    def on_use(self, told: Callable[[Use], None]) -> None:
        """Have `told(use)` called whenever a stage uses another job, one whose result was known
        too, or has other labels.

        Called often, and within steps: `told` must be quick, and must not raise.
        """
        self._told_of_uses.append(told)

    def subscribe(
        self, primitive: OperationPrimitive[T], runtime: Runtime, changed: Changed
    ) -> Subscription[T]:
        """Need the result of an operation, until the subscription is closed."""
        operation = primitive.operation
        op_type = self.op_type(type(operation))
        trust = trust_of(runtime)
        key, target = op_type.key(primitive.key, trust), op_type.target(primitive.value)
        # Code of plugins runs first: where it refuses something, nothing is left behind.
        title = operation.title(primitive.key, primitive.value)
        labels = checked_labels(operation, operation.labels_of(primitive.key, primitive.value))
        retry = operation.retry if primitive.retry is None else primitive.retry
        is_input = primitive.schedule is not None and not op_type.has_value
        demand = (operation, target, title, primitive.schedule, retry, changed)
        if trust is TRUSTED and not is_input:
            use = Use(*demand)  # Nearly all: there may be a million of them at a start.
        else:
            check_trust(op_type, title, trust)
            use = new_use(trust, is_input, *demand)
        use.runtime, use.own_labels, use.is_open = runtime, labels, True
        use.instance = self.instance(op_type, key, retry)
        use.begin()
        use.instance.join(use)
        return use

    def instance(self, op_type: OperationType, key: Key, retry: Retry) -> Instance:
        """The instance of a key. If there is none yet, `retry` says whether a failure is final that
        is recorded.
        """
        found = self.instances.get(op_type.id, key.digest)
        if found is None:
            state: Unknown | Known | Checking
            record, state = load(self.store, op_type, key, retry, self._rebuilds)
            if op_type.can_tell and record is not None and isinstance(state, Known):
                state = self.still_there.known(op_type, key, record.job_id, state)
            found = Instance(self, op_type, key, record, state)
            self.instances.add(found)
            if found.job_id is not None:
                self.engine.use_job(found.job_id, found)
            if op_type.retires:
                self.retirements.opened(found)
        return found

    def forget(self, instance: Instance) -> None:
        """Nobody needs it: what is known is in the database."""
        self._touched.pop(instance, None)
        self.instances.remove(instance)
        if instance.job_id is not None:
            self.engine.drop_job(instance.job_id)
        if instance.op_type.retires:
            self.retirements.forgotten(instance)

    def known(
        self, operation: AnyOperation, key: Any, *, ok: bool | None = None, trust: Trust = TRUSTED
    ) -> Ok[Any] | Failed | None:
        """The last result that is recorded for a key; None if there is none that can be read.

        With `ok` it is the last value, or failure, whatever was recorded since. That may look
        through the history of the operation.
        """
        op_type = self.op_type(type(operation))
        found = op_type.key(key, trust)
        record: LastResult | JobRecord | None = self.store.last_result(op_type.id, found.digest)
        if record is not None and ok not in (None, record.ok):
            # Not asked for at once: without an index this takes long where there is none.
            history = self.store.history(op_type.id, ok=ok, key=found.text, limit=1)
            record = next(iter(history), None)
        if record is None or record.version != op_type.version:
            return None
        result = recorded(op_type, found, record)
        is_set = isinstance(result, Result) and result.target != GONE.digest
        return result.outcome if isinstance(result, Result) and is_set else None

    def has_run(self, operation: AnyOperation, key: Any, trust: Trust | None = TRUSTED) -> bool:
        """True if a key was ever made or set, or is being so, also if that was broken off."""
        op_type = self.op_type(type(operation))
        digest = op_type.key(key, trust or TRUSTED).digest
        if self.instances.get(op_type.id, digest) is not None:
            return True
        store = self.store
        was_broken_off = store.unsettled(op_type.id, digest, after=None) is not None
        return was_broken_off or store.last_result(op_type.id, digest) is not None

    def invalidate(
        self, operation: AnyOperation, key: Any, cause: Cause = ASKED, *, trust: Trust = TRUSTED
    ) -> None:
        """Make a result again if it is needed, or else once it is."""
        self.engine.thread.check(f"invalidate of operation {operation.id!r}")
        op_type = self.op_type(type(operation))
        self.acts.invalidate(op_type.id, op_type.key(key, trust).digest, cause)

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
        created = self._moment or Moment(self.clock)
        return new_job(self.engine, op, description, cause, urgency, owner, created, tickets)

    def take_left(self, op: str, key_digest: str, target: str | None) -> LeftRun | None:
        return self.left_jobs.take(op, key_digest, target)

    def left_job(
        self, left: LeftRun, description: str, *, urgency: Urgency, owner: JobOwner
    ) -> DrivenJob:
        return left_job(self.engine, left, description, urgency, owner)

    def use_job(self, instance: Instance, job_id: str) -> None:
        self.engine.use_job(job_id, instance)

    def used(self, demand: Demand) -> None:
        if isinstance(demand, Use):
            for told in self._told_of_uses:
                told(demand)
        elif isinstance(demand, Retirement):
            self.retirements.used(demand)

    def joined(self, instance: Instance, demand: Demand) -> None:
        if isinstance(demand, Use) and isinstance(demand.runtime, Stage):
            self.retirements.joined(instance, demand, demand.runtime)

    def left(self, instance: Instance, demand: Demand) -> None:
        if isinstance(demand, Use) and isinstance(demand.runtime, Stage):
            others = instance.users
            # As a rule it only wants another value for the key now.
            if not (isinstance(others, Use) and others.runtime is demand.runtime):
                self.retirements.left(instance, demand.runtime, demand.own_labels)

    def changes_of(self, demand: Demand, cause: Cause) -> Ids:
        is_use = isinstance(demand, Use)  # Nearly always, and the quicker question.
        if not is_use and isinstance(demand, Retirement):
            return demand.changes
        changes = self.engine.changes
        if changes.present:
            return changes.present
        if isinstance(cause, Expired):
            return changes.of_timer()
        if isinstance(demand, Use) and isinstance(demand.runtime, Stage):
            return changes.leading_to(self._roots, demand.runtime)
        return ()

    def changed_outside(self, key: Key, run: Run, old: Any, new: Any) -> Ids:
        name, describe = run.job.description, getattr(run.operation, "describe_change", None)
        describing = None if describe is None else partial(describe, key.value)
        changes = self.engine.changes.of_look(name, old, new, describing)
        return (*run.changes, *changes)[-MOST:] if isinstance(run.cause, Asked) else changes

    def following_from(self, changes: Ids) -> AbstractContextManager[None]:
        return self.engine.changes.following_from(changes)

    def handle(self, instance: Instance, job_id: str) -> Handle:
        return Handle(job_id, self.acts, instance.op_type.id, instance.key.digest)

    def drop_job(self, job_id: str) -> None:
        self.engine.drop_job(job_id)

    def job_changed(self, job: DrivenJob) -> None:
        self.runs.job_changed(job)

    def look_again(self, job: DrivenJob) -> None:
        self.runs.look_again((job.id,))

    def request_step(self) -> None:
        self.engine.request_step()

    # Around steps

    def touch(self, instance: Instance) -> None:
        """Something about it has changed: update it after the next step."""
        self._touched[instance] = None
        if self._moment is None:  # Else `update` sees it.
            self.engine.request_step()

    def launch(self, instance: Instance, run: Run) -> None:
        """Have the run begin once it is recorded."""
        self.runs.launch(instance, run)

    def waited(self, instance: Instance, run: Run) -> None:
        self.runs.waited(instance, run)

    def given_up(self, instance: Instance, run: Run) -> None:
        self.runs.given_up(instance, run)

    def update(self) -> None:
        """Move on what was touched, and retire what has gone. After a step; what is started begins
        once it is recorded.

        Starting a run takes long, and so does giving one up: no more than `AT_ONCE` says is done
        now, the rest after the next step. So the loop goes on while 100,000 are started.
        """
        self._moment = Moment(self.clock)
        try:
            self._update()
            if not self._left:
                self.left_jobs.look()
                self.retirements.look()
            if self._touched:
                self.engine.request_step()
        finally:
            self._moment = None

    def _update_more(self) -> bool:
        """Go on with what was put off, while a commit is at work."""
        # Ends of runs that had not begun have commits of their own, behind the others.
        if not self._left or self._gives_up_more:
            return False
        self._moment, took = Moment(self.clock), 0
        try:
            while self._left and took < AT_ONCE:
                took += self._update_some()
        finally:
            self._moment = None
        return True

    def _update(self) -> None:
        took = 0
        while self._left or self._touched:
            if not self._left:
                self._take_touched()
            took += self._update_some()
            if took >= AT_ONCE:
                self.store.gathers_ends = self._gives_up_more
                if self.store.gathers_ends:
                    self.store.write_ends()
                self.engine.request_step()
                return
        self.still_there.flush()
        self.store.gathers_ends = False
        self.left_places.clear()

    def _update_some(self) -> int:
        """Move the next ones on. Returns how long that took, as `Instance.update` does."""
        left, touched, took, looks = self._left, self._touched, 0, 0
        given_up = []
        with self.runs.ended_together():
            for _ in range(min(TOGETHER, len(left))):
                instance = left.popleft()
                touched.pop(instance, None)
                work = instance.update()
                took += work
                looks += not work
                if instance.users is NO_DEMANDS:
                    given_up.append(instance)
        for instance in given_up:
            # Its run has ended, unless it had begun.
            if touched.pop(instance, instance) is None:
                instance.update()
        return took + looks // LOOKS

    @property
    def _gives_up_more(self) -> bool:
        """True if the next one to be updated has no users, as those have that come behind."""
        return bool(self._left) and self._left[0].users is NO_DEMANDS

    def _take_touched(self) -> None:
        """Put what was touched in the order in which it is updated.

        Instances without users come first, the last one before the others: as a rule it waits in a
        queue, and would get, for a moment, the places that the others leave.
        """
        left, needed = self._left, []
        self._roots = self.engine.changes.roots
        for instance in self._touched:
            # Not by its truth: there may be 100,000 of them, in one go.
            if instance.users is NO_DEMANDS:
                left.appendleft(instance)
            else:
                needed.append(instance)
        left.extend(needed)
        self._touched.clear()


class Results(Protocol):
    """The source of results: the cache, or an object that stands in for it where nothing runs."""

    def subscribe(
        self, primitive: OperationPrimitive[T], runtime: Runtime, changed: Changed
    ) -> Subscription[T]:
        """Follow the result that the primitive asks for; see `Primitive.subscribe`."""


def results(engine: OpenEngine) -> Results:
    """The service that operations ask for. A runtime may give another object for this key."""
    return engine.service(ResultCache)


class OperationPrimitive(Primitive[T], Generic[T]):
    """The result of an operation, made when it is needed and not known."""

    __slots__ = ("key", "operation", "retry", "schedule", "value")

    def __init__(
        self,
        operation: AnyOperation,
        key: Any,
        value: Any,
        schedule: Schedule | None,
        retry: Retry | None = None,
    ) -> None:
        if schedule is not None:
            from pycurrent.cache.schedule import check_schedule  # few operations have one

            check_schedule(schedule, f"operation {operation.id!r}")
        if retry is not None:
            check_retry(retry, f"operation {operation.id!r}")
        self.operation = operation
        self.retry = retry
        self.key = key
        self.value = value
        self.schedule = schedule

    def __repr__(self) -> str:
        return f"<OperationPrimitive {self.operation.id} {self.key!r}>"

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T]:
        return runtime.service(results).subscribe(self, runtime, changed)
