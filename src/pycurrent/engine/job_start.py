"""The start of a job: what it waits for before its work begins.

A job goes through these states, never back:

    CREATED ──start──► WAITING_FOR_CONFIRMATION ──► QUEUED ──► RUNNING ──► ENDED

It skips those in which there is nothing to wait for, and it can end in any of them. It counts
as READY before it is confirmed to need confirmation, and while it is queued. Once it is confirmed
it is PAUSED while people have it wait; from there it goes on to QUEUED, even if it was queued
before, as nobody who is paused stands in the way of others.

A start asks for each thing in turn: that the job be confirmed, that nobody has paused it, for a
resource of its pool (of the entry of a custom pool, which the job's task asks afterwards), and for
a database that takes records. Where one is missing it is woken up once that may have come, and asks
again. Either a task waits for that (`passed`), or nobody does (`set_off`), and the job is told: so
100,000 jobs can be queued without a task each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from pycurrent.engine.job_host import JobHost
from pycurrent.engine.job_state import JobState
from pycurrent.engine.level import Level
from pycurrent.engine.limits import Limits
from pycurrent.engine.paused import Pause, StagePath
from pycurrent.engine.pool import Lender, Pool, QueuePlace, Waiter
from pycurrent.engine.resources import Resources
from pycurrent.term import Untrusted


class Starting(Waiter, Protocol):
    """A job, as far as its start needs to know it."""

    @property
    def host(self) -> JobHost: ...
    @property
    def state(self) -> JobState: ...
    @property
    def limits(self) -> Limits | None:
        """The limits within which it is started."""

    @property
    def is_approved(self) -> bool:
        """True if somebody has approved it, whatever its level."""

    @property
    def confirmation_level(self) -> Level | None:
        """The level at which it asks for confirmation."""

    @property
    def unapproved(self) -> Untrusted | None:
        """The commit that people have to approve first."""

    @property
    def stages(self) -> Iterable[StagePath]:
        """The paths of the stages that want it."""

    @property
    def resources(self) -> Resources: ...
    @property
    def holds_resource(self) -> bool:
        """True if it has the resource of its pool."""

    @property
    def goes_on(self) -> bool:
        """True if an earlier engine has begun it: it waits for nothing."""

    def note(self, line: str, /) -> None: ...
    def transition(self, state: JobState, /) -> None: ...
    def wait_changed(self) -> None:
        """It waits for something else, in the same state."""

    def begin_without_task(self) -> None:
        """It was set off, and nothing holds its work back any more."""


class JobStart(QueuePlace):
    """The start of one job, and its place in the queue of its pool meanwhile."""

    __slots__ = ("_is_confirmed", "_is_held", "_job", "_woken", "is_set_off", "pause")

    def __init__(self, job: Starting) -> None:
        super().__init__()
        self.is_set_off = False
        """True while it waits without a task."""
        self.pause: Pause | None = None
        """The pause for which it waits."""
        self._job = job
        self._is_confirmed = False
        self._is_held = False
        """True while it waits for a database that takes records."""
        self._woken: asyncio.Future[None] | None = None
        """Done when the task that waits may go on."""

    @property
    def job(self) -> Starting:
        return self._job

    @property
    def _limits(self) -> Limits:
        limits = self._job.limits
        assert limits is not None
        return limits

    @property
    def waits_for_person(self) -> bool:
        """True if nothing but a person may bring it on: see `DrivenJob.waits_for_person`."""
        if self._is_held:
            return True
        match self._job.state:
            case JobState.WAITING_FOR_CONFIRMATION:
                return not (self._is_confirmed or self._may_be_confirmed(self._level))
            case JobState.PAUSED:
                return True
            case JobState.QUEUED:
                # A custom pool may get its resource at any time: nobody here knows.
                return self.line is not None
            case _:
                return False

    @property
    def waits_for_records(self) -> bool:
        """True if it waits for nothing but a database that takes records."""
        pool = self._limits.pool
        has_resource = pool is None or self._job.holds_resource
        return self._is_confirmed and self.pause is None and has_resource

    # Waiting

    def set_off(self) -> bool:
        """True if the work may begin at once. Else the job is told once it may."""
        self.is_set_off = not self._may_begin()
        return not self.is_set_off

    async def passed(self) -> None:
        """Wait until the work may begin."""
        while not self._may_begin():
            await self._wake_up()

    async def _wake_up(self) -> None:
        """Wait until it is woken up."""
        self._woken = asyncio.get_running_loop().create_future()
        try:
            await self._woken
        except asyncio.CancelledError:
            self.give_up()
            raise
        finally:
            self._woken = None

    def wake(self) -> None:
        """One of those that it waited for lets it pass."""
        if self._woken is not None:
            if not self._woken.done():
                self._woken.set_result(None)
        elif self.is_set_off:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self.is_set_off and self._may_begin():
            self.is_set_off = False
            self._job.begin_without_task()

    def give_up(self) -> None:
        """Leave the queues in which it waits, and what it has got there."""
        self._is_held = False
        if self.line is not None:
            self._leave_line()
        elif self._job.state is JobState.WAITING_FOR_CONFIRMATION:
            self._job.host.confirmations.forget(self._level, self.wake)
            self._job.host.approved.forget(self.wake)
        if self._job.holds_resource:
            self._job.resources.drop()

    # The things that it waits for

    def _may_begin(self) -> bool:
        """True if nothing holds the work back any more. Else it is woken up once that may be."""
        if self._job.goes_on:
            self._take_over()
            return True
        return (
            self._passes_confirmation()
            and self.passes_pauses()
            and self._gets_resource()
            and self._passes_records()
        )

    @property
    def _level(self) -> Level:
        level = self._job.confirmation_level
        assert level is not None
        return level

    def _may_be_confirmed(self, level: Level) -> bool:
        job = self._job
        return (job.is_approved or job.host.config.allows(level)) and job.unapproved is None

    def _passes_confirmation(self) -> bool:
        if self._is_confirmed:
            return True
        job, level = self._job, self._level
        waits = job.state is JobState.WAITING_FOR_CONFIRMATION
        if self._may_be_confirmed(level):
            self._is_confirmed = True
            if waits:
                job.host.confirmations.forget(level, self.wake)
                job.host.approved.forget(self.wake)
                job.note("Confirmed")
            return True
        self._await_people(level, is_new=not waits)
        return False

    def _await_people(self, level: Level, *, is_new: bool) -> None:
        """Wait for the approval of the commit, if it has none, or else for confirmation."""
        job, unapproved = self._job, self._job.unapproved
        if unapproved is not None:
            what = f"approval: {unapproved}"
            job.host.approved.wait(self.wake)
        else:
            what = f"confirmation: the level is {level}"
            is_new = job.host.approved.forget(self.wake) or is_new
            job.host.confirmations.wait(level, self.wake)
        if is_new:
            job.note(f"Waiting for {what}")
            if job.state is JobState.WAITING_FOR_CONFIRMATION:
                job.wait_changed()
            job.transition(JobState.WAITING_FOR_CONFIRMATION)

    def passes_pauses(self) -> bool:
        """True if nobody has paused it. Else it is woken up when there are other pauses."""
        before = self.pause
        if before is None and not self._job.host.paused.is_any:
            return True  # Nearly always.
        self.pause = self._find_pause()
        if self.pause is None:
            return True
        job = self._job
        self._leave_line()
        job.resources.drop()
        if self.pause != before:
            job.note(f"Waiting: {self.pause}")
            if job.state is JobState.PAUSED:
                job.wait_changed()
        job.transition(JobState.PAUSED)
        return False

    def _find_pause(self) -> Pause | None:
        job, limits = self._job, self._limits
        paused = job.host.paused
        if not paused.is_any:
            return None
        pool = None if limits.pool is None else limits.pool.label
        return paused.of(limits.level, pool, lambda: job.stages)

    @property
    def _entry(self) -> Pool | None:
        """The pool in whose queue it waits."""
        pool = self._limits.pool
        return None if pool is None else pool.entry

    def _leave_line(self) -> None:
        if self.line is not None:
            entry = self._entry
            assert entry is not None
            entry.leave(self)

    def _gets_resource(self) -> bool:
        entry = self._entry
        if entry is None or self._job.holds_resource:
            return True
        if self.line is not None:
            return False
        lender = entry.take(self._job)
        if lender is not None:
            self._job.resources.hold(lender)
            return True
        self.say_that_it_waits()
        entry.queue(self, self._limits.priority)
        return False

    def _take_over(self) -> None:
        """Hold the resource that it has held since an earlier engine, be there room or not."""
        pool = self._limits.pool
        if isinstance(pool, Pool) and not self._job.holds_resource:
            self._job.resources.hold(pool.take_over(self._job))

    def say_that_it_waits(self) -> None:
        """It waits for a resource of its pool. Said twice is fine."""
        pool = self._limits.pool
        assert pool is not None
        if self._job.state is not JobState.QUEUED:
            self._job.note(f"Waiting for a resource of pool {pool.label}")
            self._job.transition(JobState.QUEUED)

    def granted(self, lender: Lender) -> bool:
        """The pool has handed a resource to the job."""
        if self._find_pause() is not None:
            # It is about to be told; the next one in the queue is served meanwhile.
            self.wake()
            return False
        self._job.resources.hold(lender)
        self.wake()
        return True

    def _passes_records(self) -> bool:
        commits = self._job.host.commits
        if commits.working:
            self._is_held = False
            return commits.lets_begin(self.wake)
        if not self._is_held:
            self._is_held = True
            self._job.note("Waiting until what is done can be recorded")
            commits.once_working(self.wake)
        return False
