"""A job from the first line of its work to its outcome.

`run_job` owns the job: it runs the operation's function, and whichever way that ends, cancelled
included, it ends the processes, runs the hooks, gives back the resources and closes the log, in
this order, before anybody knows the outcome. `end_unbegun` ends one of which nothing has begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from pycurrent.engine.clock import instant
from pycurrent.engine.driven_job import DrivenJob
from pycurrent.engine.job_state import JobState
from pycurrent.engine.joblog import JobLog
from pycurrent.engine.logrules import Explanation
from pycurrent.engine.machine import Blame, attributed, blame
from pycurrent.engine.other_names import name_members
from pycurrent.engine.printing import print_to
from pycurrent.engine.stopped import Cancelled, TimedOut
from pycurrent.engine.tasks import failure_by, take_cancellation, uncancellable
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
"""The words in the log after the message of a failure."""


class Explained(Struct, frozen=True):
    """A failure, by the log of its job."""

    kind: FailureKind
    by_rule: Explanation | None = None
    """The log rule that gives it another message."""


class Explain(Protocol):
    """Looks for the reason of a failure in the log of its job, where nothing else is written
    meanwhile. `job.stopped` says that the job was too slow, rather than wrong.
    """

    def __call__(self, job: DrivenJob, failed: Failed, /) -> Awaitable[Explained]: ...


async def run_job(
    job: DrivenJob, work: Callable[[], Awaitable[T]], explain: Explain
) -> Ok[T] | Failed:
    """Do the work of a job, to the very end of the job, and return its outcome. Called once, in
    the job's own task.

    `explain` is asked about a failure of the work, and about a timeout.
    """
    task = job.task = asyncio.current_task()
    assert task is not None
    printed = print_to(job.job_log)
    outcome: Ok[T] | Failed
    try:
        if job.stopped is not None:
            raise asyncio.CancelledError
        outcome = Ok(await job.calls.checked(work()))
        if not job.has_begun:
            raise PycurrentError(
                "the operation succeeded without having called job.start: write"
                " `await job.start(level=Level.HARMLESS)`, say, or give its decorator a level"
            )
    except BaseException as error:
        job.blame = blame(error)
        outcome = attributed(_failure(job, error, task), job.blame)
    job.task = None
    if task.cancelling():
        await take_cancellation(task)
    await _wind_up(job)
    printed.flush()
    if job.stopped is not None:
        outcome = job.stopped.outcome
        job.blame = Blame.WORK
    outcome = await _told(job, outcome, explain)
    job.state = JobState.ENDED
    return outcome


def end_unbegun(jobs: Iterable[DrivenJob], now: str, *, is_told: bool) -> list[Failed]:
    """End jobs that were told to before their work began, and that hold nothing: at once, and
    without a task. Gives their outcomes. Called once, instead of `run_job`. `now` is the time as
    their logs have it; `is_told` if these say already that they are to end.
    """
    outcomes = []
    for job in jobs:
        stopped = job.stopped
        assert stopped is not None
        job.job_log.end(stopped.last_words[is_told:], now)
        job.state = JobState.ENDED
        outcomes.append(stopped.outcome)
    return outcomes


def _failure(job: DrivenJob, error: BaseException, task: asyncio.Task[Any]) -> Failed:
    """The failure that an exception of the work amounts to, whatever its class."""
    if isinstance(error, asyncio.CancelledError):
        if job.stopped is None and task.cancelling():
            # Not by us: the event loop ends.
            job.stopped = Cancelled("its task was cancelled")
        if job.stopped is not None:
            return job.stopped.outcome
    name_members(error)
    return failure_by(error, "its work", task)


async def _wind_up(job: DrivenJob) -> None:
    """End what the work has left: processes first, then the hooks, then the resources."""
    if job.time_limit is not None:
        job.time_limit.end()
    if job.has_commands:
        await job.commands.outlive()
    job.hooks.run(job.cancelled or "the job has ended")
    await job.hooks.ended()
    if job.has_commands:
        await job.commands.outlive()
        await _left(job)
    await job.resources.give_back(job.pool, job.note)
    # Giving back may have added some.
    await job.hooks.ended()


async def _left(job: DrivenJob) -> None:
    """Have it leave the place where it was at work. Anything that stays there does no harm."""
    try:
        kept = await uncancellable(job.commands.leave())
        if kept is not None:
            until = job.host.kept().keep(job.id, *kept)
            job.note(f"Its folders are kept until {instant(until)}: pycurrent shell {job.id}")
    except (OSError, PycurrentError) as error:
        job.note(f"Its folders at {job.place} are removed later: {error}")


async def _told(job: DrivenJob, outcome: Ok[T] | Failed, explain: Explain) -> Ok[T] | Failed:
    """Have the log say how it ended, and close it. Gives the outcome as others may see it."""
    log = job.job_log
    await job.calls.tell()
    if job.has_commands:
        job.commands.close()
    await log.learn()
    outcome = _logged(outcome, job.blame, log)
    if isinstance(outcome, Failed) and _is_of_work(job) and log.error is None:
        await log.written()
        outcome = _explained(outcome, await explain(job, outcome), log)
    await log.written()
    log.close()
    if log.error is not None and job.stopped is None:
        # A log that is not whole is a failure, too.
        job.blame = max(Blame.BROKEN, blame(log.error))
        return Failed(f"the log can't be written: {log.error.strerror}", kind=FailureKind.INFRA)
    return outcome


def _logged(outcome: Ok[T] | Failed, blame: Blame, log: JobLog) -> Ok[T] | Failed:
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


def _is_of_work(job: DrivenJob) -> bool:
    """True if the work has failed, or was too slow: no person and no machine has ended it."""
    if job.stopped is None:
        return job.blame is Blame.WORK
    return isinstance(job.stopped, TimedOut)


def _explained(failed: Failed, found: Explained, log: JobLog) -> Failed:
    """The failure with the kind that was found, and the report of the log rule if one was."""
    rule = found.by_rule
    if rule is not None:
        log.line(f"Shown as: {rule.report} (log rule {rule.rule.pattern!r})")
        return Failed(rule.report, kind=found.kind)
    if found.kind is failed.kind:
        return failed
    return Failed(failed.message, kind=found.kind, traceback=failed.traceback)
