"""The end of a job: what it gives back, and what its log says of how it went."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import MappingProxyType
from typing import TypeVar

from pycurrent.engine.joblog import JobLog
from pycurrent.engine.logrules import Explanation
from pycurrent.engine.machine import Blame
from pycurrent.engine.pool import AnyPool
from pycurrent.engine.tasks import failure_by, regardless, this_task
from pycurrent.errors import PycurrentError
from pycurrent.term import Failed, FailureKind, Ok

T = TypeVar("T")

_AFTERWARDS = MappingProxyType(
    {
        Blame.WORK: "",
        Blame.BROKEN: " (not recorded as a result: it is run again after a restart, or a rebuild)",
        Blame.SHORTAGE: " (this is not its work's fault: it is run again after a pause)",
    }
)
"""What the log says after the message of a failure."""


def not_started() -> PycurrentError:
    return PycurrentError("the operation succeeded without having called job.start")


async def give_back(resources: AsyncExitStack, pool: AnyPool | None, log: JobLog) -> None:
    """Give back what the job holds. That this fails is not the work's failure."""
    owner = this_task()
    try:
        await regardless(resources.aclose())
    except BaseException as error:
        where = "a pool" if pool is None else f"pool {pool.label}"
        why = failure_by(error, "that", owner).message
        log.line(f"A resource of {where} can't be given back: {why}")


def told_end(outcome: Ok[T] | Failed, blame: Blame, log: JobLog) -> Ok[T] | Failed:
    """Have the log say how it ended. Gives the outcome as others may see it."""
    log.end_text()
    match outcome:
        case Ok():
            log.line("Job succeeded")
        case Failed(message):
            # The message leaves the log, which would have masked what is secret.
            masked = log.masked(message)
            trace = outcome.traceback
            if trace is not None:
                trace = log.masked(trace)
                log.write(trace)
                log.end_text()
            log.line(f"Job failed: {message}{_AFTERWARDS[blame]}")
            outcome = Failed(masked, kind=outcome.kind, traceback=trace)
    return outcome


def explained(failed: Failed, found: Explanation | None, log: JobLog) -> Failed:
    """The failure by the report of the log rule that was found for it, if one was."""
    if found is None:
        return failed
    log.line(f"Shown as: {found.report} (log rule {found.rule.pattern!r})")
    return Failed(found.report, kind=failed.kind)


def unwritten(error: OSError) -> Failed:
    """What it amounts to that a log is not whole."""
    return Failed(f"the log can't be written: {error.strerror}", kind=FailureKind.INFRA)
