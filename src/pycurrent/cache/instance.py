"""All that the engine knows of one operation for one key.

Users (the components that need it) each *demand* that the key be at a target: a value, for
publishers, or nothing but to be made, for builders. The instance is in one of five states:

    Unknown ──start──► Making ──finish──► Known ◄──it is there── Checking
       ▲                 │                  │                      ▲  │
       └──── Pausing ◄───┘                  └─────── verify ───────┘  │
       └────────────────────────── it is lost ◄───────────────────────┘

They are described in `states.py`, with what follows from the end of a run.

`update` moves an instance on, after each step in which something about it has changed; it is
the only place where runs are started or abandoned, but for a rebuild that somebody asks for:

| state   | nobody wants it             | the target is wanted | another target is wanted        |
|---------|-----------------------------|----------------------|---------------------------------|
| Unknown | forgotten                   | start                | start                           |
| Pausing | forgotten                   | nothing              | start, unless the machine has   |
|         |                             |                      | failed the last run             |
| Known   | forgotten                   | nothing              | start                           |
| Checking| forgotten                   | ask                  | start                           |
| Making  | abandon, with `auto_cancel` | nothing              | abandon, with `auto_cancel`     |
|         | or if it has not begun      |                      | or if it has not begun          |

Only work that has begun is protected from being abandoned. The run that follows one which had not
begun takes its place in the queues, for another target of this key or for another key that the same
component wants instead; no approval of the old one counts for it.

A rebuild moves Known to Unknown, and so does the expiry of a schedule; but then the outcome is
*latched*: still reported, to those who want the target that it is for, while the next run is at
work. An operation that is `latched` keeps its outcome in the same way when its target changes,
and then everybody sees it.

A run that fails may be followed by further attempts, as the `Retry` of the latest demand says. Each
is a run of its own after a pause, whose cause is `Retried`. Until the last one has ended nothing is
known, so the outcome that is latched is reported, or that the key is active. Attempts are counted
for one target: a rebuild, an expiry and another target begin with a first one. (Back at the target
before the run for the other one has begun, the attempts go on.) Their number is in the causes of
the records, so it outlives the instance and the engine. The pause does not: if it is forgotten, the
next attempt begins as soon as somebody needs the key again.

A result that an earlier engine has left begins as Checking if its operation can tell whether it is
still there. The answer is awaited; where there is none the result is Known, and the question goes
on behind it (see `still_there.py`). A lost result is made again, and is not reported meanwhile.

Two users that want different targets are in conflict: both are told, and nothing is started.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pycurrent.cache.cause import (
    NEVER_BUILT,
    Cause,
    Expired,
    MachineFailed,
    ResultLost,
    Retried,
    ValueChanged,
    cause_of,
    for_target,
)
from pycurrent.cache.demands import NO_DEMANDS, Demand, Demands
from pycurrent.cache.instance_host import InstanceHost
from pycurrent.cache.operation_type import GONE, Key, OperationType
from pycurrent.cache.ownership import JobOwnership
from pycurrent.cache.pauses import BY_MACHINE
from pycurrent.cache.records import insert_job, last_value, record_end
from pycurrent.cache.states import (
    Abandoned,
    Checking,
    Known,
    Making,
    Pausing,
    Result,
    Run,
    State,
    Unknown,
    reported,
    stands_in,
    state_after,
)
from pycurrent.engine.changes import Ids
from pycurrent.engine.clock import instant
from pycurrent.engine.job_state import JobState
from pycurrent.engine.step import JobHandle
from pycurrent.store import Database, JobEnd, LastResult
from pycurrent.term import Failed, Metadata, Ok, Output

if TYPE_CHECKING:
    from pycurrent.cache.schedule import Expiry
    from pycurrent.engine.driven_job import DrivenJob
    from pycurrent.engine.left_runs import LeftRun
    from pycurrent.engine.pool import Tickets, Urgency

CAUSES = (MachineFailed, Retried)
"""Of a run that comes after a pause."""

START = 3
"""The time that the start of a run takes, in the ends of runs that had not begun."""
_GOING_ON = 15
"""The same of one that an earlier engine has begun, whose log is opened."""


# Longer than our classes are, as it is one state machine: all that changes `state` is here, and
# nothing else does.
class Instance(JobOwnership):
    """One operation for one key."""

    __slots__ = (
        "_expiry",
        "_host",
        "_tickets",
        "build",
        "conflict",
        "description",
        "job_id",
        "key",
        "op_type",
        "state",
        "users",
    )

    def __init__(
        self,
        host: InstanceHost[Instance],
        op_type: OperationType,
        key: Key,
        record: LastResult | None,
        state: Unknown | Known | Checking,
    ) -> None:
        """Begin with the last recorded result, and the state that follows from it."""
        self._host = host
        self.op_type = op_type
        self.key = key
        self.users: Demands = NO_DEMANDS
        self.state: State = state
        self.build = 0 if record is None else record.build + 1
        self.job_id = None if record is None else record.job_id
        self.description = ""
        """The title of its last job, or that of its first user, also when nobody needs it now."""
        self.conflict: Failed | None = None
        self._expiry: Expiry | None = None
        self._tickets: Tickets | None = None
        """The tickets of a run that was given up before it had begun, for the next one."""

    # Users

    def join(self, demand: Demand) -> None:
        """Somebody needs it. Within a step, so nothing is started before `update`."""
        self.users = self.users.and_also(demand)
        if not self.description:
            self.description = demand.title
        if self.job_id is not None:
            self._host.used(demand)
        if self.op_type.retires:
            self._host.joined(self, demand)
        match self.state:
            case Known(result) if result.target == demand.target.digest and demand.schedule is None:
                pass
            case _:
                self._host.touch(self)

    def leave(self, demand: Demand) -> None:
        """Somebody who joined no longer needs it."""
        self.users = self.users.without(demand)
        run = self.run
        if run is not None and not self.users and not run.has_begun:
            self._host.left_places[demand.changed] = run.job.tickets.copy()
        if self.op_type.retires:
            self._host.left(self, demand)
        self._host.touch(self)

    def relabelled(self, demand: Demand) -> None:
        """The stage of somebody who joined has other labels now, or another job."""
        if self.job_id is not None:
            self._host.used(demand)

    @property
    def store(self) -> Database:
        """The records of its engine."""
        return self._host.store

    @property
    def run(self) -> Run | None:
        """The run that has not ended."""
        return self.state.run if isinstance(self.state, Making) else None

    def handle(self, job_id: str) -> JobHandle:
        """A handle of one of its jobs."""
        return self._host.handle(self, job_id)

    def report(self, demand: Demand) -> tuple[Output[Any], Metadata | None]:
        """The output and the metadata that a user sees."""
        if self.conflict is not None:
            return self.conflict, Metadata(self.job_id)
        return reported(self.op_type, self.state, demand.target, self.job_id)

    def notify(self) -> None:
        """Tell all users that what they see may have changed."""
        for demand in self.users:
            demand.changed()

    def _check_conflict(self) -> None:
        """Look for users that want different targets. Not before the end of a step, as in the
        middle of one some users still want the last target.
        """
        values = self.users.different_values()
        conflict = None
        if values is not None:
            what = f"{self.op_type.id} {self.key.text}"
            conflict = Failed(
                f"{what} is set to two values at once: {' and '.join(values)}; give each a key of"
                " its own"
            )
        if conflict != self.conflict:
            self.conflict = conflict
            self.notify()

    # Moving on

    def update(self) -> int:
        """Do what the state and the users ask for: see the table above. After a step.

        Returns how long that took, in the ends of runs that had not begun.
        """
        before = self.state
        self._update()
        run = self.run
        if run is None:
            return int(self.state is not before)
        if run.abandoned is not None:
            return START if run.has_begun else 1
        if self.state is before:
            return 0
        return _GOING_ON if run.job.goes_on else START

    def _update(self) -> None:
        demand = self.users.latest
        if demand is None:
            self._update_unneeded()
            return
        self._check_conflict()
        if self.conflict is not None:
            self._cancel_expiry()
            return
        match self.state:
            case Known(result) if result.target == demand.target.digest:
                self._tickets = None
                self._set_expiry(result)
            case Known(result) as known:
                self._start_other(demand, result, before=known)
            case Checking(result) if result.target == demand.target.digest:
                self._host.still_there.ask(self, demand.operation, result)
            case Checking(result) as checking:
                self._start_other(demand, result, before=checking)
            case Unknown() as unknown:
                self._start(demand, unknown)
            case Pausing(cause=Retried(target=target), after=unknown) if (
                target != demand.target.digest
            ):
                self._end_pause()
                self._start(demand, unknown)
            case Pausing():
                pass
            case Making(run) if run.target.digest != demand.target.digest:
                self._give_up(run)
            case Making(run) if run.job.state is JobState.PAUSED or (
                self.key.source is not None and not run.has_begun
            ):
                # Others may want it now than those for which it is paused, or not approved.
                self._host.look_again(run.job)
            case Making():
                pass

    def _update_unneeded(self) -> None:
        if self._expiry is not None:
            self._cancel_expiry()
        self.conflict = None
        state = self.state
        if isinstance(state, Making):
            self._give_up(state.run)
            state = self.state
        if not isinstance(state, Making):
            self._end_pause()
            self._stop_asking()
            self._host.forget(self)

    def _give_up(self, run: Run) -> None:
        """Abandon the run, as far as that is allowed: its target is not wanted any more."""
        if self.op_type.auto_cancel or not run.has_begun:
            self.abandon(run, Abandoned.UNWANTED)

    def abandon(self, run: Run, why: Abandoned) -> None:
        """Tell a run that its result does not count. Twice is fine. One that holds nothing has
        ended when this returns.
        """
        if run.abandoned is None:
            run.abandoned = why
            run.job.stop(why.stopped)

    def _start_other(self, demand: Demand, result: Result, *, before: Known | Checking) -> None:
        """Begin a run, as the result is for another target."""
        if self.op_type.can_tell and self._host.still_there.doubt(self) is not None:
            before = Checking(result)
        after = Unknown(ValueChanged(result.target, demand.target.digest), result)
        self._start(demand, after, before=before)

    def _start(
        self, demand: Demand, unknown: Unknown, *, before: Known | Unknown | Checking | None = None
    ) -> None:
        """Begin a run. It is recorded with the step, and its first line runs after that."""
        from pycurrent.engine.pool import Urgency  # where all is known, nothing starts

        self._cancel_expiry()
        self._stop_asking()
        retires = demand.target.digest == GONE.digest
        if isinstance(unknown.cause, Retried) or retires:
            before = before or unknown
        self.description = demand.title
        latched = unknown.latched
        if latched is not None and not stands_in(self.op_type, latched, demand.target):
            latched = None
        urgency = Urgency.HIGH if latched is None and not retires else Urgency.LOW
        left = self._host.take_left(self.op_type.id, self.key.digest, demand.target.digest)
        if left is not None:
            self._go_on(left, demand, urgency, latched, before)
            return
        # The demand may have changed since the last run.
        cause = for_target(unknown.cause, demand.target.digest)
        job = self._host.new_job(
            self.op_type.id,
            demand.title,
            cause,
            urgency=urgency,
            owner=self,
            tickets=self._inherited(),
        )
        refreshes = self.job_id if self._is_lookup(cause, latched) else None
        changes: Ids = ()
        if refreshes is None:
            changes = unknown.changes if cause is unknown.cause else ()
            changes = changes or self._host.changes_of(demand, cause)
        first = next(iter(self.users))
        run = Run(job, demand.operation, demand.target, cause, changes, first, refreshes)
        insert_job(self._host.store, run, self.op_type, self.key, self.build)
        self._make(Making(run, latched, before))

    def _go_on(
        self,
        left: LeftRun,
        demand: Demand,
        urgency: Urgency,
        latched: Result | None,
        before: Known | Unknown | Checking | None,
    ) -> None:
        """Go on with a run that an earlier engine has begun."""
        job = self._host.left_job(left, demand.title, urgency=urgency, owner=self)
        cause, first = cause_of(left.record) or NEVER_BUILT, next(iter(self.users))
        run = Run(job, demand.operation, demand.target, cause, (), first)
        self._make(Making(run, latched, before))

    def _make(self, making: Making) -> None:
        run = making.run
        self._use_job(run.job.id)
        self.state = making
        if run.refreshes is None:
            self._note_uses()
        self._host.launch(self, run)
        self.notify()

    def _is_lookup(self, cause: Cause, latched: Result | None) -> bool:
        """True for a run that leaves no record if it finds what is known."""
        is_refresh = self.op_type.lookup and isinstance(cause, Expired)
        return is_refresh and latched is not None and isinstance(latched.outcome, Ok)

    def _note_uses(self) -> None:
        for user in self.users:
            self._host.used(user)

    def _inherited(self) -> Tickets | None:
        """The places in queues that a run which is given up leaves to the next one."""
        tickets, self._tickets = self._tickets, None
        if tickets is not None:
            return tickets
        left = self._host.left_places
        return next((left[d.changed] for d in self.users if d.changed in left), None)

    def _use_job(self, job_id: str) -> None:
        if self.job_id is not None:
            self._host.drop_job(self.job_id)
        self.job_id = job_id
        self._host.use_job(self, job_id)

    def job_changed(self, job: DrivenJob) -> None:
        """The owner of a job is told of its new state, or that it waits for something else."""
        self._host.job_changed(job)
        if job.state is JobState.WAITING_FOR_CONFIRMATION and self.run is not None:
            self.keep(self.run)
        if job.level is not None:
            self._host.store.start_job(job.id, started=job.started, level=str(job.level))
        self.notify()
        self._host.request_step()

    def job_queued(self, job: DrivenJob) -> None:
        """The owner of a job is told that it waits in a queue, and was new: nobody sees that."""
        self._host.job_changed(job)
        self._host.store.start_job(job.id, started=None, level=str(job.level))
        self._host.request_step()

    def job_has_more(self, job: DrivenJob) -> None:
        """The owner of a job is told that it leaves a record, whatever comes of it."""
        if self.run is not None and self.run.job is job:
            self.keep(self.run)

    def job_diverged(self, job: DrivenJob) -> None:
        """The owner of a job is told that it can't go on where an earlier engine has left it."""
        run = self.run
        if run is not None and run.job is job:
            self.abandon(run, Abandoned.DIVERGED)

    def job_waited(self, job: DrivenJob) -> None:
        """The owner of a job is told that it waits no longer."""
        run = self.run
        assert run is not None
        self._host.waited(self, run)

    def job_given_up(self, job: DrivenJob) -> None:
        """The owner of a job is told that it is to end, and holds nothing."""
        run = self.run
        assert run is not None
        self._host.given_up(self, run)

    def _pause(self, cause: MachineFailed | Retried, making: Making, why: str) -> None:
        """Wait before the next run, as the last one has failed."""
        what = f"{self.op_type.id} {self.key.text}"
        first = BY_MACHINE
        if isinstance(cause, Retried):
            assert self.users.latest is not None
            first = self.users.latest.retry.backoff
        after = Unknown(cause, making.latched, making.run.changes)
        self.state = self._host.pauses.begin(what, cause, why, after, first, self._pause_over)

    def _pause_over(self) -> None:
        if isinstance(self.state, Pausing):
            self._end_pause()
            self.state = self.state.after
            self._host.touch(self)

    def _end_pause(self) -> None:
        """End the pause, if there is one."""
        if isinstance(self.state, Pausing):
            self._host.pauses.end(self.state)

    # The end of a run

    def finish(
        self, run: Run, end: JobEnd, outcome: Ok[tuple[Any, str]] | Failed, now: datetime
    ) -> bool:
        """A run has ended; the value of one that succeeded comes with its text. False for a lookup
        that has found nothing new.
        """
        making = self.state
        assert isinstance(making, Making)
        assert making.run is run
        if run.refreshes is not None:
            if run.abandoned is not None or self._is_found_again(run.refreshes, end, outcome):
                self._end_lookup(making, run.refreshes, end, now)
                return end is not JobEnd.OK
            self.keep(run)
        before = self._compared(run) if self.build else None
        result = record_end(self._host.store, run, self.op_type, self.key, end, outcome, now)
        if end.has_result:
            self.build += 1
        elif not run.has_begun:
            self._tickets = run.job.tickets.copy()
        after = state_after(making, end, result, self.users)
        if isinstance(after, CAUSES):
            assert isinstance(result.outcome, Failed)
            self._pause(after, making, result.outcome.message)
        else:
            self.state = after
        self._host.touch(self)
        if self.users is not NO_DEMANDS:
            with self._host.following_from(self._passed_on(run, before, result.outcome)):
                self.notify()
        return True

    # The end of a lookup

    def keep(self, run: Run) -> None:
        """Have a lookup recorded as any other run: somebody has to do with it, or it has found
        something. Twice is fine.
        """
        if run.refreshes is not None:
            run.refreshes = None
            store = self._host.store
            run.changes = self._host.changes_of(run.wanted_by, run.cause)
            store.looks.keep(run.job.id, store.change_tables.set_of(run.changes))
            self._note_uses()

    def _is_found_again(
        self, refreshes: str, end: JobEnd, outcome: Ok[tuple[Any, str]] | Failed
    ) -> bool:
        """True if a lookup has found the recorded value: the text of it is the same."""
        if end is not JobEnd.OK or not isinstance(outcome, Ok):
            return False
        last = self._host.store.last_result(self.op_type.id, self.key.digest)
        return last is not None and (last.job_id, last.outcome) == (refreshes, outcome.value[1])

    def _end_lookup(self, making: Making, refreshes: str, end: JobEnd, now: datetime) -> None:
        """End a lookup that has found nothing new: what was known is known still."""
        run, latched = making.run, making.latched
        assert latched is not None
        self._host.store.drop_job(run.job.id)
        run.job.job_log.remove()
        self._use_job(refreshes)
        if end is JobEnd.OK:
            self._host.store.looks.again(refreshes, now)
            self.state = Known(replace(latched, finished=now))
        else:
            self.state = Unknown(run.cause, latched)
            if not run.has_begun:
                self._tickets = run.job.tickets.copy()
        self._host.touch(self)
        # Some may have come meanwhile.
        self._note_uses()
        self.notify()

    def _compared(self, run: Run) -> Ok[Any] | None:
        """The last value of an operation that looks at something outside, as it has a schedule or
        can describe a change. None if there is none for this target.
        """
        looks = self.op_type.describes or self.users.are_scheduled
        return last_value(self._host.store, self.op_type, self.key, run) if looks else None

    def _passed_on(self, run: Run, before: Ok[Any] | None, now: Ok[Any] | Failed) -> Ids:
        """The changes from which the effects of a result follow."""
        if before is None or not isinstance(now, Ok) or before == now:
            return run.changes
        return self._host.changed_outside(self.key, run, before.value, now.value)

    # Making it again

    def rebuild(self, cause: Cause) -> None:
        """Make it again, if it isn't being made: at once, unless nobody needs it or those who
        do are in conflict. Between steps: the run is recorded with the next one.
        """
        if isinstance(self.state, Making):
            self.keep(self.state.run)
            return
        self._host.store.set_rebuild(self.op_type.id, self.key.digest)
        self._end_pause()
        self._stop_asking()
        self.state = Unknown(cause)
        demand = self.users.latest
        if demand is not None and self.conflict is None:
            self._start(demand, self.state)

    # Whether it is still there

    def verify(self) -> bool:
        """Ask the operation whether the result is still there. Between steps. False if there is no
        result of which it can tell.
        """
        match self.state:
            case Known(result) if result.can_be_lost and self.op_type.can_tell:
                self._cancel_expiry()
                self.state = Checking(result)
                self._host.touch(self)
                self.notify()
                return True
            case Checking():
                return True
            case _:
                return False

    @property
    def has_result(self) -> bool:
        """True if there is a result that could be lost, and nothing is at work to make it again."""
        return isinstance(self.state, Known | Checking) and self.state.result.can_be_lost

    def found(self, *, is_there: bool) -> None:
        """The operation has told whether the result is there, or nobody knows, and it counts as
        there. Between steps.
        """
        match self.state:
            case Checking(result) if is_there:
                self.state = Known(result)
            case Checking(result) | Known(result) if not is_there:
                self._cancel_expiry()
                self.state = Unknown(ResultLost(f"the result of {instant(result.finished)}"))
            case _:
                return
        self._host.touch(self)
        self.notify()

    def lose(self, what: str) -> bool:
        """Make its result again, unless that is at work, as files that it has saved are lost. The
        result stands meanwhile. Between steps. False if there is no result to make again.
        """
        match self.state:
            case Known(result) | Checking(result):
                if not result.can_be_lost:
                    return False
                self._cancel_expiry()
                self._stop_asking()
                self.state = Unknown(ResultLost(f"{what}, which it had saved,"), result)
                self._host.touch(self)
                self.notify()
        return True

    def resume(self) -> None:
        """End the pause, if there is one: that for which it waits is there. Between steps."""
        self._pause_over()

    def _stop_asking(self) -> None:
        if self.op_type.can_tell:
            self._host.still_there.leave(self)

    def _set_expiry(self, result: Result) -> None:
        """Have the outcome expire when the first of the schedules says so."""
        if not self.users.are_scheduled:
            self._cancel_expiry()
            return
        clock = self._host.clock
        now = clock.now()
        if result.finished > now:
            # The clock has been set back since: it is as old as it can be.
            result = replace(result, finished=now)
            self.state = Known(result)
        deadline = self.users.deadline(result.finished)
        when = None if deadline is None else deadline.at
        if when == (None if self._expiry is None else self._expiry.at):
            return
        self._cancel_expiry()
        if deadline is not None and deadline.at <= now:
            self._expire()
        elif deadline is not None:
            from pycurrent.cache.schedule import Expiry

            self._expiry = Expiry.after(now, deadline, clock, self._expire)

    def _cancel_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _expire(self) -> None:
        """Have the outcome made again, as it is too old; meanwhile it is still reported."""
        if isinstance(self.state, Known):
            result = self.state.result
            self.state = Unknown(Expired(result.finished), result)
            self._host.touch(self)

    # For tests

    def check(self) -> None:
        """Assert what always holds between two steps."""
        match self.state:
            case Making(run):
                assert self.job_id == run.job.id
                assert self._expiry is None
            case Known(result):
                assert self.users
                targets = {demand.target.digest for demand in self.users}
                assert self.conflict is not None or targets == {result.target}
            case Checking():
                assert self.users
                assert self.op_type.can_tell
                assert self._expiry is None
            case Pausing() as pausing:
                assert self.users
                assert pausing in self._host.pauses
                assert self._expiry is None
            case Unknown():
                assert self.users
                assert self.conflict is not None
