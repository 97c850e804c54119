"""The parts of an instance: its runs and its states, and what users see of them.

An instance is in one of five states:

- Unknown: nothing is known, or what is known must be made again; it has the *cause* of that.
- Pausing: the last run has failed, and it is not the last attempt: the machine has failed it, which
  says nothing about the work, or the operation's `Retry` allows for another one. That comes after a
  pause (see `pauses.py`).
- Making: a run is at work on a target, or waits for its beginning: for confirmation, or in the
  queue of a pool. The only way out is the end of that run, however much one would like it to end
  sooner; it may have been told that it is *abandoned*.
- Known: the last run has an outcome, a value or a failure, for a target.
- Checking: it has a value, but the operation is asked whether that is still there.

When a run finishes:

- a lookup that refreshes a value: if it has found the same, nothing is recorded but that; Known. If
  it was abandoned, nothing is; Unknown, as before. Otherwise as any other run.
- abandoned before its work has begun: what was known before is known still; else Unknown.
- abandoned later: its result is not recorded; Unknown.
- succeeded: recorded; Known.
- failed by a shortage of the machine: recorded as interrupted; Pausing.
- failed by something of the machine that is missing: recorded as interrupted; Known, until it is
  forgotten, as the next engine, or a rebuild, is to try again.
- failed, and another target is wanted: recorded in the history, but dropped; Unknown.
- failed, its target is still wanted, and the `Retry` of the latest demand allows for another
  attempt: recorded; Pausing.
- failed otherwise: recorded; Known.

The other ways from one state to another are told in `instance.py`.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, assert_never

from msgspec import Struct

from pycurrent.cache.cause import (
    NEVER_BUILT,
    Cause,
    Interrupted,
    LeftUnsettled,
    MachineFailed,
    Retried,
    ValueChanged,
    retry_of,
)
from pycurrent.cache.demands import Demand, Demands
from pycurrent.cache.operation_type import GONE, AnyOperation, OperationType, TargetValue
from pycurrent.cache.retry import HIGHEST, Retry
from pycurrent.engine.approvals import waiting_for_approval
from pycurrent.engine.changes import Ids
from pycurrent.engine.clock import Timer
from pycurrent.engine.level import Level
from pycurrent.engine.machine import Blame
from pycurrent.engine.stopped import Cancelled, TimedOut
from pycurrent.store import JobEnd
from pycurrent.term import Active, Activity, Failed, FailureKind, Hold, Metadata, Ok, Output

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob

# Nothing that `Result` and `Known` refer to refers to them, so the garbage collector need not know
# them: that saves 16 bytes each.


class Result(Struct, frozen=True, gc=False):
    """The outcome of a run that was recorded."""

    outcome: Ok[Any] | Failed
    target: str | None
    """The digest of the target that was set."""
    finished: datetime

    @property
    def can_be_lost(self) -> bool:
        """True if it is a value, and not that of retiring the key."""
        return isinstance(self.outcome, Ok) and self.target != GONE.digest


class Abandoned(Enum):
    """The reason for which the result of a run does not count."""

    UNWANTED = "it is no longer needed", JobEnd.SUPERSEDED
    STOPPING = "the engine is stopping", JobEnd.INTERRUPTED
    DIVERGED = "it does not do again what it did before its engine ended", JobEnd.INTERRUPTED

    def __init__(self, reason: str, end: JobEnd) -> None:
        self.stopped = Cancelled(reason)
        """The reason as the job is told it."""
        self.end = end
        """How the run ends."""


class Run:
    """One run of the operation."""

    __slots__ = (
        "abandoned",
        "cause",
        "changes",
        "job",
        "operation",
        "refreshes",
        "target",
        "wanted_by",
    )

    def __init__(
        self,
        job: DrivenJob,
        operation: AnyOperation,
        target: TargetValue,
        cause: Cause,
        changes: Ids,
        wanted_by: Demand,
        refreshes: str | None = None,
    ) -> None:
        self.job = job
        self.operation = operation
        self.target = target
        self.cause = cause
        self.changes = changes
        """The changes from outside that it follows from."""
        self.wanted_by = wanted_by
        """The first of those who wanted it when it began."""
        self.refreshes = refreshes
        """The job whose result a lookup looks up again; None for an ordinary run, and as soon as
        the lookup is to have a record.
        """
        self.abandoned: Abandoned | None = None

    @property
    def has_begun(self) -> bool:
        """True if its work may have had an effect."""
        return self.job.begun is not None


class Unknown(Struct, frozen=True):
    """Nothing is known, or what is known must be made again."""

    cause: Cause
    """Why the next run is needed."""
    latched: Result | None = None
    """The last outcome, as long as it may be reported."""
    changes: Ids = ()
    """The changes from outside that the next run follows from, as the one before it did."""


NOTHING_KNOWN = Unknown(NEVER_BUILT)


class Pausing(Struct, frozen=True, eq=False):
    """The last run has failed; the next one begins at `until`."""

    until: datetime
    timer: Timer
    cause: MachineFailed | Retried
    """The cause of the next run."""
    why: str
    """The message of the failure."""
    after: Unknown
    """The state at the end of the pause."""

    @property
    def note(self) -> str:
        again = f"tried again at {self.until:%H:%M:%S} UTC"
        if isinstance(self.cause, Retried):
            again += f" (attempt {self.cause.attempt} of {self.cause.of})"
        return f"{again}: {self.why}"


class Making(Struct, frozen=True):
    """A run is at work, or waits for its beginning."""

    run: Run
    latched: Result | None = None
    """The last outcome, as long as it may be reported."""
    before: Known | Unknown | Checking | None = None
    """The earlier state, which counts again if the run is given up before its work has begun."""


class Known(Struct, frozen=True, gc=False):
    """The last run has an outcome."""

    result: Result


class Checking(Struct, frozen=True, gc=False):
    """The last run has a value, and its operation is asked whether that is still there."""

    result: Result


State = Unknown | Pausing | Making | Known | Checking


def reported(
    op_type: OperationType, state: State, target: TargetValue, job_id: str | None
) -> tuple[Output[Any], Metadata | None]:
    """The outcome for the target, or the last one as long as it stands in for that; with the job
    that it is from.
    """
    note: str | None = None
    hold: Hold | None = None
    match state:
        case Known(result) if result.target == target.digest:
            return result.outcome, Metadata(job_id)
        case Checking(result) if result.target == target.digest:
            return _ACTIVE[Activity.RUNNING], Metadata(job_id, note=_CHECKING)
        case Known(latched) | Checking(latched):
            activity = Activity.READY
        case Making(run, latched):
            activity, pause = run.job.activity, run.job.pause
            if pause is not None:
                note, hold = str(pause), Hold.PAUSED
            elif activity is Activity.WAITING_FOR_CONFIRMATION:
                unapproved = run.job.unapproved
                note = None if unapproved is None else waiting_for_approval(unapproved)
        case Pausing(after=Unknown(latched=latched)):
            activity, note = Activity.READY, state.note
        case Unknown(latched=latched):
            activity = Activity.READY
        case _:
            assert_never(state)
    if latched is not None and stands_in(op_type, latched, target):
        return latched.outcome, Metadata(job_id, activity, note, hold)
    bare = job_id is None and note is None
    return _ACTIVE[activity], None if bare else Metadata(job_id, note=note, hold=hold)


_CHECKING = "the operation is asked whether the result is still there"

_ACTIVE = MappingProxyType({activity: Active(activity) for activity in Activity})
"""One for all who wait."""


def stands_in(op_type: OperationType, latched: Result, target: TargetValue) -> bool:
    """True if an outcome is reported while the target is being made. No outcome is once it is
    being retired.
    """
    if GONE.digest in (latched.target, target.digest):
        return False
    return op_type.latched or latched.target == target.digest


def end_of(run: Run, outcome: Ok[Any] | Failed) -> JobEnd:
    """How a run ended that had this outcome."""
    if run.abandoned is not None:
        return run.abandoned.end
    match outcome:
        case Ok():
            return JobEnd.OK
        case Failed() if run.job.blame is not Blame.WORK:
            return JobEnd.INTERRUPTED
        case Failed():
            match run.job.stopped:
                case None:
                    return JobEnd.FAILED
                case Cancelled():
                    return JobEnd.CANCELLED
                case TimedOut():
                    return JobEnd.TIMED_OUT
        case unreachable:
            assert_never(unreachable)


def state_after(
    making: Making, end: JobEnd, result: Result, users: Demands
) -> Unknown | Known | Checking | MachineFailed | Retried:
    """The state after a run that ended like this. A cause instead: it is that of the next run,
    which comes after a pause.
    """
    run, latched = making.run, making.latched
    match end:
        case JobEnd.SUPERSEDED if not run.has_begun:
            return Unknown(run.cause, latched) if making.before is None else making.before
        case JobEnd.SUPERSEDED:
            is_stale = users.want_other_than(run.target)
            cause = _other_value(run, users) if is_stale else LeftUnsettled(run.job.id)
            return Unknown(cause, latched)
        case JobEnd.INTERRUPTED:
            if run.abandoned is not None or not isinstance(result.outcome, Failed):
                return Unknown(Interrupted(run.job.id), latched)
            if run.job.blame is Blame.SHORTAGE:
                failed = run.cause.attempt if isinstance(run.cause, MachineFailed) else 1
                return MachineFailed(result.outcome.message, failed + 1, retry_of(run.cause))
            return Known(result)
        case JobEnd.OK | JobEnd.FAILED | JobEnd.CANCELLED | JobEnd.TIMED_OUT:
            if isinstance(result.outcome, Failed) and users.want_other_than(run.target):
                return Unknown(_other_value(run, users), latched)
            return _attempt_after(run, end, result, users) or Known(result)
        case _:
            assert_never(end)


def _attempt_after(run: Run, end: JobEnd, result: Result, users: Demands) -> Retried | None:
    demand = users.latest
    if demand is None or not isinstance(result.outcome, Failed):
        return None
    failed = Attempt(run.job.id, run.cause, end, result.outcome.kind, run.job.level, result.target)
    return failed.next(demand.retry)


class Attempt(Struct, frozen=True):
    """A job that has failed, as far as it counts for the next attempt."""

    job: str
    cause: Cause | None
    end: JobEnd
    kind: FailureKind
    level: Level | None
    """The level at which it was started; None if it was not, so that nothing has been done."""
    target: str | None

    def next(self, retry: Retry) -> Retried | None:
        """The cause of the attempt that follows; None if the failure is final."""
        of = self._most(retry)
        before = retry_of(self.cause)
        attempt = 2 if before is None else before.attempt + 1
        return Retried(self.job, attempt, of, self.target) if attempt <= of else None

    def anew(self, retry: Retry) -> Retried | None:
        """The cause of the first attempt by an engine that has started after all have failed."""
        if self._is_final or self.kind is not FailureKind.INFRA or not retry.tries_anew:
            return None
        return Retried(self.job, 1, self._most(retry), self.target)

    @property
    def _is_final(self) -> bool:
        """True if it is not tried again by itself, whatever its author says."""
        return self.end is JobEnd.CANCELLED or (self.level is not None and self.level > HIGHEST)

    def _most(self, retry: Retry) -> int:
        return 1 if self._is_final else retry.attempts(self.kind)


def _other_value(run: Run, users: Demands) -> ValueChanged:
    demand = users.latest
    return ValueChanged(run.target.digest, None if demand is None else demand.target.digest)
