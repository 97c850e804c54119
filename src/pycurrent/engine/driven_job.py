"""A job as its engine drives it: its state, and all that its operation can ask of it.

A job goes through these states, never back:

    CREATED ──start()──► WAITING_FOR_CONFIRMATION ──► QUEUED ──► RUNNING ──► ENDED

It skips those in which there is nothing to wait for, and it can end in any of them. It counts
as READY before it is confirmed to need confirmation, and while it is queued.

`job.py` has the contract of what operations may use; `job_run.py` runs the work and ends the job.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, Unpack

from pycurrent.engine.arguments import check_priority, check_start
from pycurrent.engine.clock import Clock, Moment
from pycurrent.engine.command import Command, CommandOptions, Commands
from pycurrent.engine.commits import Commits
from pycurrent.engine.forgotten import Calls, to_be_awaited, to_be_entered
from pycurrent.engine.hooks import Hook, Hooks
from pycurrent.engine.job import Job
from pycurrent.engine.joblog import JobLog
from pycurrent.engine.leftovers import JobLock
from pycurrent.engine.level import Config, Confirmations, Level
from pycurrent.engine.limits import Limits
from pycurrent.engine.machine import Blame
from pycurrent.engine.pool import AnyPool, CustomPool, Pool, QueuePlace, Resources, Tickets, Urgency
from pycurrent.engine.process import Processes
from pycurrent.engine.stopped import Cancelled, Stopped, TimedOut, TimeLimit
from pycurrent.engine.tempdirs import Trash, temporary_folder
from pycurrent.engine.thread import LoopThread
from pycurrent.engine.turns import Turn, Turns
from pycurrent.errors import PycurrentError
from pycurrent.term import Activity


class JobState(Enum):
    """Where a job is on its way."""

    CREATED = "created"
    WAITING_FOR_CONFIRMATION = "waiting for confirmation"
    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class JobHost:
    """The parts of an engine that its jobs share."""

    thread: LoopThread
    clock: Clock
    config: Config
    confirmations: Confirmations
    processes: Processes
    tmp: Path
    """Where temporary folders are made."""
    trash: Trash
    """Removes large ones behind their jobs."""
    runs: Path
    """Where the locks of jobs are."""
    commits: Commits
    """No work begins while they fail."""
    turns: Turns
    locks: set[int]
    """The open files that hold locks of jobs."""

    def commands(self, job_id: str, log: JobLog) -> Commands:
        """The commands of a job, none yet."""
        lock = JobLock(self.runs, job_id, self.locks)
        return Commands(self.processes, log, self.tmp, lock, Turn(self.turns))


class JobOwner(Protocol):
    """The one that has a job made, and is told of it."""

    def job_changed(self, job: DrivenJob, /) -> None:
        """It has another state, or was told to end while its work goes on."""

    def job_waited(self, job: DrivenJob, /) -> None:
        """It was set off, and waits no longer: its work may begin (`has_begun`), or it was told to
        end.
        """


class DrivenJob(Job):
    """A job, with what its engine needs to drive it."""

    __slots__ = (
        "__weakref__",
        "_calls",
        "_commands",
        "_created",
        "_hooks",
        "_host",
        "_is_approved",
        "_is_confirmed",
        "_is_held",
        "_is_set_off",
        "_limits",
        "_owner",
        "_place",
        "_resources",
        "_woken",
        "begun",
        "blame",
        "description",
        "id",
        "job_log",
        "op",
        "state",
        "stopped",
        "task",
        "tickets",
        "time_limit",
        "urgency",
    )

    id: str
    op: str
    description: str
    urgency: Urgency

    def __init__(
        self,
        host: JobHost,
        log: JobLog,
        *,
        id: str,
        op: str,
        description: str,
        urgency: Urgency,
        owner: JobOwner,
        tickets: Tickets | None = None,
    ) -> None:
        """`tickets` are those of a job whose place it takes."""
        self.id = id
        self.op = op
        self.description = description
        self.urgency = urgency
        self.tickets = Tickets() if tickets is None else tickets
        self.stopped: Stopped | None = None
        """The reason to end, if it was told to: it then ends as soon as it can."""
        self.begun: Moment | None = None
        self.blame = Blame.WORK
        """The one to blame if it has failed."""
        self.state = JobState.CREATED
        self.job_log = log
        self.time_limit: TimeLimit | None = None
        self.task: asyncio.Task[Any] | None = None
        """The task of the work, while it runs."""
        self._host = host
        self._owner = owner
        self._created = Moment(host.clock)
        self._limits: Limits | None = None
        self._is_approved = False
        self._is_confirmed = False
        self._is_held = False
        self._is_set_off = False
        """True while it waits without a task."""
        self._place: QueuePlace | None = None
        """Its place in the queue of its pool, while it waits there to begin."""
        self._woken: asyncio.Future[None] | None = None
        """Done when the task that waits for its start may go on."""
        # Made when they are first needed: thousands of jobs may wait that need none of them.
        self._hooks: Hooks | None = None
        self._calls: Calls | None = None
        self._commands: Commands | None = None
        self._resources: Resources | None = None

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state.value}>"

    @property
    def created(self) -> datetime:
        return self._created.date

    @property
    def started(self) -> datetime | None:
        return None if self.begun is None else self.begun.date

    @property
    def has_begun(self) -> bool:
        return self.begun is not None

    @property
    def cancelled(self) -> str | None:
        return None if self.stopped is None else self.stopped.reason

    @property
    def level(self) -> Level | None:
        return None if self._limits is None else self._limits.level

    @property
    def pool(self) -> AnyPool | None:
        return None if self._limits is None else self._limits.pool

    @property
    def priority(self) -> int:
        return 0 if self._limits is None else self._limits.priority

    # Its parts

    @property
    def hooks(self) -> Hooks:
        if self._hooks is None:
            self._hooks = Hooks(self.job_log.line, self._host.clock)
            if self.stopped is not None:
                self._hooks.run(self.stopped.reason)
        return self._hooks

    @property
    def calls(self) -> Calls:
        if self._calls is None:
            self._calls = Calls(self.job_log.line)
        return self._calls

    @property
    def commands(self) -> Commands:
        if self._commands is None:
            self._commands = self._host.commands(self.id, self.job_log)
            if self.stopped is not None:
                self._commands.end()
        return self._commands

    @property
    def resources(self) -> Resources:
        if self._resources is None:
            self._resources = Resources()
        return self._resources

    @property
    def holds_nothing(self) -> bool:
        """True if nothing has to be wound up at its end."""
        holds = self._resources is not None and self._resources.are_held
        return self.task is None and self._hooks is None and self._commands is None and not holds

    # The log

    @property
    def log_path(self) -> Path:
        return self.job_log.to_file().path

    def log(self, line: str) -> None:
        self.job_log.to_file().line(line)

    def note(self, line: str) -> None:
        """Add a line of the engine's own to the log, which alone makes no file of it."""
        self.job_log.line(line)

    def write(self, data: str | bytes) -> None:
        self.job_log.to_file().write(data)

    def secret(self, value: str) -> str:
        self.job_log.secret(value)
        return value

    # Starting

    @property
    def activity(self) -> Activity:
        """The activity of the job, for those who wait for it."""
        match self.state:
            case JobState.WAITING_FOR_CONFIRMATION:
                return Activity.WAITING_FOR_CONFIRMATION
            case JobState.RUNNING if self._commands is not None and self._commands.are_waiting:
                return Activity.READY
            case JobState.RUNNING | JobState.ENDED:
                return Activity.RUNNING
            case _:
                return Activity.READY

    @property
    def waits_for_person(self) -> bool:
        """True if nothing but a person may bring it on: it waits for confirmation, for a disk to
        record it on, or for the end of other jobs in its pool, which may wait for a person too.
        """
        if self.stopped is not None:
            return False
        if self._is_held:
            return True
        match self.state:
            case JobState.WAITING_FOR_CONFIRMATION:
                return not (self._is_confirmed or self._may_be_confirmed)
            case JobState.QUEUED:
                # A custom pool may get its resource at any time: nobody here knows.
                return self._place is not None
            case _:
                return False

    @to_be_awaited
    async def start(
        self,
        *,
        level: Level,
        pool: AnyPool | None = None,
        timeout: timedelta | float | None = None,
        priority: int = 0,
    ) -> Any:
        check_start(level, pool, timeout, priority)
        self._take_on(Limits(level, pool, timeout, priority))
        resource = None
        if isinstance(pool, CustomPool):
            while not self._passes_confirmation():
                await self._wake_up()
            self._say_that_it_waits(pool)
            resource = await self.resources.take(pool, self)
        while not self._may_begin():
            await self._wake_up()
        self._begin()
        return resource

    def set_off(self, limits: Limits) -> bool:
        """Start it as `start` does, but without a task that waits; not with a custom pool.

        True if its work may begin at once. Else its owner is told when it waits no longer.
        """
        self._take_on(limits)
        if not self._may_begin():
            self._is_set_off = True
            return False
        self._begin()
        return True

    def _take_on(self, limits: Limits) -> None:
        if self._limits is not None or self.state is not JobState.CREATED:
            raise PycurrentError(f"job {self.id} was started twice: call job.start once")
        self._limits = limits

    def _may_begin(self) -> bool:
        """True if nothing holds its work back any more. Else it is woken up once that may be."""
        return self._passes_confirmation() and self._gets_resource() and self._passes_records()

    def _begin(self) -> None:
        assert self._limits is not None
        timeout = self._limits.timeout
        self.begun = Moment(self._host.clock)
        self._transition(JobState.RUNNING)
        if timeout is not None:
            limit = timeout if isinstance(timeout, timedelta) else timedelta(seconds=timeout)
            self.time_limit = TimeLimit(
                self._host.clock, limit, lambda: self._stop(TimedOut(limit))
            )

    def approve(self) -> None:
        self._host.thread.check("job.approve")
        if self.state is not JobState.ENDED:
            self._is_approved = True
            if self.state is JobState.WAITING_FOR_CONFIRMATION:
                self._wake()

    @property
    def _may_be_confirmed(self) -> bool:
        assert self._limits is not None
        return self._is_approved or self._host.config.allows(self._limits.level)

    def _passes_confirmation(self) -> bool:
        assert self._limits is not None
        if self._is_confirmed:
            return True
        waits = self.state is JobState.WAITING_FOR_CONFIRMATION
        if self._may_be_confirmed:
            self._is_confirmed = True
            if waits:
                self._host.confirmations.forget(self._limits.level, self._wake)
                self.note("Confirmed")
            return True
        if not waits:
            self.note(f"Waiting for confirmation: the level is {self._limits.level}")
            self._transition(JobState.WAITING_FOR_CONFIRMATION)
        self._host.confirmations.wait(self._limits.level, self._wake)
        return False

    def _gets_resource(self) -> bool:
        assert self._limits is not None
        pool = self._limits.pool
        if not isinstance(pool, Pool) or (self._resources is not None and self.resources.are_held):
            return True
        if self._place is not None:
            return False
        if pool.take():
            self.resources.hold(pool)
            return True
        self._say_that_it_waits(pool)
        self._place = _OwnPlace(self)
        pool.queue(self._place, self.priority)
        return False

    def _say_that_it_waits(self, pool: AnyPool) -> None:
        if not pool.free:
            self.note(f"Waiting for a resource of pool {pool.label}")
            self._transition(JobState.QUEUED)

    def served(self) -> None:
        """Its pool has handed a resource to it."""
        self._place = None
        assert isinstance(self.pool, Pool)
        self.resources.hold(self.pool)
        self._wake()

    def _passes_records(self) -> bool:
        if self._host.commits.working:
            self._is_held = False
            return True
        if not self._is_held:
            self._is_held = True
            self.note("Waiting until what is done can be recorded")
            self._host.commits.once_working(self._wake)
        return False

    async def _wake_up(self) -> None:
        """Wait until it is woken up."""
        self._woken = asyncio.get_running_loop().create_future()
        try:
            await self._woken
        except asyncio.CancelledError:
            self._wait_no_longer()
            raise
        finally:
            self._woken = None

    def _wake(self) -> None:
        """One of those that it waited for lets it pass."""
        if self._woken is not None:
            if not self._woken.done():
                self._woken.set_result(None)
        elif self._is_set_off:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._is_set_off and self._may_begin():
            self._is_set_off = False
            self._begin()
            self._owner.job_waited(self)

    def _wait_no_longer(self) -> None:
        """Leave the queues in which it waits to begin, and what it has got there."""
        self._is_held = False
        if self._limits is not None:
            self._host.confirmations.forget(self._limits.level, self._wake)
        if self._place is not None:
            assert isinstance(self.pool, Pool)
            place, self._place = self._place, None
            self.pool.leave(place)
        if self._resources is not None:
            self._resources.drop()

    def _transition(self, state: JobState) -> None:
        if self.state is not state:
            self.state = state
            if state is not JobState.RUNNING:
                self.job_log.park()
            self._owner.job_changed(self)

    @to_be_entered
    @asynccontextmanager
    async def use_pool(self, pool: AnyPool, *, priority: int | None = None) -> AsyncIterator[Any]:
        if priority is not None:
            check_priority(priority, "job.use_pool")
        if not pool.free:
            self.note(f"Waiting for a resource of pool {pool.label}")
        if isinstance(pool, Pool):
            async with pool.acquire(self, priority):
                yield None
        else:
            async with pool.acquire(self) as resource:
                yield resource

    # Cancelling

    def on_cancel(self, hook: Hook) -> Callable[[], None]:
        self._host.thread.check("job.on_cancel")
        return self.hooks.add(hook)

    def cancel(self, reason: str) -> None:
        self._host.thread.check("job.cancel")
        self._stop(Cancelled(reason))

    def hurry(self) -> None:
        """It takes too long to end: have its work cancelled once more, or the hook that runs."""
        self.hooks.hurry()
        if self.task is not None:
            self.task.cancel()

    def _stop(self, why: Stopped) -> None:
        if self.stopped is not None or self.state is JobState.ENDED:
            return
        self.stopped = why
        self.note(str(why))
        if self._hooks is not None:
            self._hooks.run(why.reason)
        if self._commands is not None:
            self._commands.end()
        if self.task is not None:
            self.task.cancel()
        if self.begun is None:
            self._wait_no_longer()
        if self.state is JobState.RUNNING:
            # Its work may take a while to end; a job that waits ends at once.
            self._owner.job_changed(self)
        elif self._is_set_off:
            self._is_set_off = False
            self._owner.job_waited(self)

    # Commands

    @to_be_awaited
    async def exec(
        self, argv: Sequence[str | os.PathLike[str]], **options: Unpack[CommandOptions]
    ) -> None:
        await self.commands.run(self._command(argv, options), self._turn_waited)

    @to_be_awaited
    async def check_output(
        self, argv: Sequence[str | os.PathLike[str]], **options: Unpack[CommandOptions]
    ) -> str:
        return await self.commands.output_of(self._command(argv, options), self._turn_waited)

    def _command(self, argv: Sequence[str | os.PathLike[str]], options: CommandOptions) -> Command:
        command = Command(argv, **options)
        command.of_hook = self._hooks is not None and self._hooks.run_here
        # A job that was cancelled may clean up, by commands that are not cancellable.
        have_run = self._hooks is not None and self._hooks.have_run
        ending = have_run and self.stopped is None and not command.of_hook
        if ending or self.state is JobState.ENDED:
            raise PycurrentError(f"job {self.id} has ended: it can't run {command.shown}")
        return command

    @to_be_entered
    def tempdir(self, prefix: str = "") -> AbstractAsyncContextManager[Path]:
        return temporary_folder(self._host.tmp, prefix, self._host.trash)

    def locking(self, path: Path, what: str) -> AbstractAsyncContextManager[None]:
        return self.commands.locking(path, what)

    def _turn_waited(self) -> None:
        """Its commands have to wait for their turn, or need not any more."""
        if self.time_limit is not None and self.commands.are_waiting:
            self.time_limit.pause()
        elif self.time_limit is not None:
            self.time_limit.go_on()
        self._owner.job_changed(self)


class _OwnPlace(QueuePlace):
    """The place of a job in the queue of its pool, before its work begins."""

    __slots__ = ("_job",)

    def __init__(self, job: DrivenJob) -> None:
        super().__init__()
        self._job = job

    @property
    def job(self) -> DrivenJob:
        return self._job

    def granted(self) -> bool:
        self._job.served()
        return True
