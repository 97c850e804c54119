"""What an instance is made of: what is wanted of it, and what is known.

How it goes from one state to another is told in `instance.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, assert_never

from pycurrent.cache.operation_type import TargetValue
from pycurrent.engine.clock import Timer
from pycurrent.engine.driven_job import DrivenJob
from pycurrent.engine.machine import Blame
from pycurrent.engine.stopped import Cancelled, TimedOut
from pycurrent.store import JobEnd
from pycurrent.term import Failed, Ok

if TYPE_CHECKING:
    from pycurrent.cache.operation import AnyOperation
    from pycurrent.cache.schedule import Schedule

_log = logging.getLogger(__name__)


class Demand:
    """What one user wants."""

    __slots__ = ("changed", "schedule", "target", "title", "work")

    def __init__(
        self,
        work: AnyOperation,
        target: TargetValue,
        title: str,
        schedule: Schedule | None,
        changed: Callable[[], None],
    ) -> None:
        self.work = work
        self.target = target
        self.title = title
        self.schedule = schedule
        self.changed = changed

    @property
    def valid_for(self) -> timedelta | None:
        return None if self.schedule is None else self.schedule.valid_for


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a run that was recorded."""

    outcome: Ok[Any] | Failed
    target: str | None
    """The digest of the target that was set."""
    finished: datetime


class Abandoned(Enum):
    """Why the result of a run does not count."""

    UNWANTED = "no longer needed"
    STOPPING = "the engine is stopping"


class Run:
    """One run of the operation."""

    __slots__ = ("abandoned", "attempt", "job", "target", "work")

    def __init__(
        self, job: DrivenJob, work: AnyOperation, target: TargetValue, attempt: int
    ) -> None:
        self.job = job
        self.work = work
        self.target = target
        self.attempt = attempt
        self.abandoned: Abandoned | None = None

    @property
    def has_begun(self) -> bool:
        """Whether its work may have had an effect."""
        return self.job.begun is not None


def end_of(run: Run, outcome: Ok[Any] | Failed) -> JobEnd:
    """How a run ended that had this outcome."""
    match run.abandoned, outcome:
        case Abandoned.UNWANTED, _:
            return JobEnd.SUPERSEDED
        case Abandoned.STOPPING, _:
            return JobEnd.INTERRUPTED
        case None, Ok():
            return JobEnd.OK
        case None, Failed() if run.job.blame is not Blame.WORK:
            return JobEnd.INTERRUPTED
        case None, Failed():
            match run.job.stopped:
                case None:
                    return JobEnd.FAILED
                case Cancelled():
                    return JobEnd.CANCELLED
                case TimedOut():
                    return JobEnd.TIMED_OUT
        case unreachable:
            assert_never(unreachable)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing is known, or what is known must be made again."""

    latched: Result | None = None
    """The last outcome, as long as it may be reported."""
    attempt: int = 1
    """The number of the next run, of those that the machine has failed and this one."""


@dataclass(frozen=True, slots=True)
class Pausing:
    """The machine has failed the last run; the next one begins at `until`."""

    until: datetime
    timer: Timer
    reason: str
    latched: Result | None
    attempt: int
    """The number of the next run."""

    @property
    def note(self) -> str:
        return f"tried again at {self.until:%H:%M:%S} UTC: {self.reason}"


@dataclass(frozen=True, slots=True)
class Making:
    """A run is at work, or waits for its beginning."""

    run: Run
    latched: Result | None = None
    """The last outcome, as long as it may be reported."""
    before: Result | None = None
    """What was known, and still is if the run is given up before its work has begun."""


@dataclass(frozen=True, slots=True)
class Known:
    """The last run has an outcome."""

    result: Result


State = Unknown | Pausing | Making | Known

_LONGEST_PAUSE = timedelta(minutes=5)


def pause_before(attempt: int) -> timedelta:
    """How long is waited before a run of this number: a second, then twice as long each time."""
    return min(timedelta(seconds=2 ** min(attempt - 2, 20)), _LONGEST_PAUSE)
