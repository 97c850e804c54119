"""The end of a run: how it ended, and the state after it.

When a run finishes:

- abandoned before its work has begun: what was known before is known still; else Unknown.
- abandoned later: its result is not recorded; Unknown.
- succeeded: recorded; Known.
- failed by a shortage of the machine: recorded as interrupted; Pausing.
- failed by something of the machine that is missing: recorded as interrupted; Known, until it is
  forgotten, as the next engine, or a rebuild, is to try again.
- failed, and its target is still wanted or nobody wants any: recorded; Known.
- failed, and another target is wanted: recorded in the history, but dropped; Unknown.
"""

from __future__ import annotations

from typing import Any, assert_never

from pycurrent.cache.cause import Interrupted, LeftUnsettled, MachineFailed, ValueChanged
from pycurrent.cache.states import Abandoned, Demands, Known, Making, Result, Run, Unknown
from pycurrent.engine.machine import Blame
from pycurrent.engine.stopped import Cancelled, TimedOut
from pycurrent.store import JobEnd
from pycurrent.term import Failed, Ok


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


def state_after(
    making: Making, end: JobEnd, result: Result, users: Demands
) -> Unknown | Known | MachineFailed:
    """The state after a run that ended like this. A cause instead: the machine failed the run, and
    the work is to be run again after a pause.
    """
    run, latched = making.run, making.latched
    is_stale = users.want_other_than(run.target)
    match end:
        case JobEnd.SUPERSEDED if not run.has_begun:
            return Unknown(run.cause, latched) if making.before is None else Known(making.before)
        case JobEnd.SUPERSEDED:
            cause = _other_value(run, users) if is_stale else LeftUnsettled(run.job.id)
            return Unknown(cause, latched)
        case JobEnd.INTERRUPTED:
            if run.abandoned is not None or not isinstance(result.outcome, Failed):
                return Unknown(Interrupted(run.job.id), latched)
            if run.job.blame is Blame.SHORTAGE:
                return MachineFailed(result.outcome.message, run.attempt + 1)
            return Known(result)
        case JobEnd.OK | JobEnd.FAILED | JobEnd.CANCELLED | JobEnd.TIMED_OUT:
            if is_stale and isinstance(result.outcome, Failed):
                return Unknown(_other_value(run, users), latched)
            return Known(result)
        case _:
            assert_never(end)


def _other_value(run: Run, users: Demands) -> ValueChanged:
    demand = users.latest
    return ValueChanged(run.target.digest, None if demand is None else demand.target.digest)
