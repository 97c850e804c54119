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
from typing import Any, Unpack

from pycurrent.engine.arguments import check_start
from pycurrent.engine.clock import Clock, Moment
from pycurrent.engine.command import Command, CommandOptions, Commands
from pycurrent.engine.commits import Commits
from pycurrent.engine.forgotten import Calls, to_be_awaited, to_be_entered
from pycurrent.engine.hooks import Hook, Hooks
from pycurrent.engine.job import Job
from pycurrent.engine.joblog import JobLog
from pycurrent.engine.leftovers import JobLock
from pycurrent.engine.level import Config, JobConfirmation, Level
from pycurrent.engine.machine import Blame
from pycurrent.engine.pool import AnyPool, Pool, Priority, Resources, Tickets
from pycurrent.engine.process import Processes
from pycurrent.engine.stopped import Cancelled, Stopped, TimedOut, TimeLimit
from pycurrent.engine.tempdirs import temporary_folder
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
    processes: Processes
    tmp: Path
    """Where temporary folders are made."""
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


class DrivenJob(Job):
    """A job, with what its engine needs to drive it."""

    __slots__ = (
        "__weakref__",
        "_changed",
        "_confirmation",
        "_created",
        "_host",
        "_is_held",
        "begun",
        "blame",
        "calls",
        "commands",
        "description",
        "hooks",
        "id",
        "level",
        "log_file",
        "op",
        "pool",
        "priority",
        "resources",
        "state",
        "stopped",
        "task",
        "tickets",
        "time_limit",
    )

    id: str
    op: str
    description: str
    priority: Priority
    level: Level | None
    pool: AnyPool | None

    def __init__(
        self,
        host: JobHost,
        log: JobLog,
        *,
        id: str,
        op: str,
        description: str,
        priority: Priority,
        changed: Callable[[DrivenJob], None],
        tickets: Tickets | None = None,
    ) -> None:
        """`changed` is called for each new state; `tickets` are of a job whose place it takes."""
        self.id = id
        self.op = op
        self.description = description
        self.priority = priority
        self.level = None
        self.pool = None
        self.tickets = Tickets() if tickets is None else tickets
        self.stopped: Stopped | None = None
        """The reason to end, if it was told to: it then ends as soon as it can."""
        self.begun: Moment | None = None
        self.blame = Blame.WORK
        """The one to blame if it has failed."""
        self.state = JobState.CREATED
        self.log_file = log
        self.hooks = Hooks(log.line, host.clock)
        self.calls = Calls(log.line)
        self.commands = host.commands(id, log)
        self.resources = Resources()
        self.time_limit: TimeLimit | None = None
        self.task: asyncio.Task[Any] | None = None
        """The task of the work, while it runs."""
        self._host = host
        self._changed = changed
        self._confirmation = JobConfirmation(host.config)
        self._created = Moment(host.clock)
        self._is_held = False

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

    # The log

    @property
    def log_path(self) -> Path:
        return self.log_file.path

    def log(self, line: str) -> None:
        self.log_file.line(line)

    def write(self, data: str | bytes) -> None:
        self.log_file.write(data)

    def secret(self, value: str) -> str:
        self.log_file.secret(value)
        return value

    def park(self) -> None:
        """Hold no descriptor of the log while there is nothing to write."""
        self.log_file.park()

    # Starting

    @property
    def activity(self) -> Activity:
        """The activity of the job, for those who wait for it."""
        match self.state:
            case JobState.WAITING_FOR_CONFIRMATION:
                return Activity.WAITING_FOR_CONFIRMATION
            case JobState.RUNNING if self.commands.are_waiting:
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
                return self._confirmation.is_awaited
            case JobState.QUEUED:
                # A custom pool may get its resource at any time: nobody here knows.
                return isinstance(self.pool, Pool) and self.pool.place(self) is not None
            case _:
                return False

    @to_be_awaited
    async def start(
        self,
        *,
        level: Level,
        pool: AnyPool | None = None,
        timeout: timedelta | float | None = None,
    ) -> Any:
        if self.level is not None or self.state is not JobState.CREATED:
            raise PycurrentError(f"job {self.id} was started twice: call job.start once")
        check_start(level, pool, timeout)
        self.level = level
        self.pool = pool
        if not self._confirmation.is_given(level):
            await self._confirm(level)
        resource = None if pool is None else await self._take(pool)
        if not self._host.commits.working:
            await self._until_records()
        self.begun = Moment(self._host.clock)
        self._transition(JobState.RUNNING)
        if timeout is not None:
            limit = timeout if isinstance(timeout, timedelta) else timedelta(seconds=timeout)
            self.time_limit = TimeLimit(
                self._host.clock, limit, lambda: self._stop(TimedOut(limit))
            )
        return resource

    def approve(self) -> None:
        self._host.thread.check("job.approve")
        if self.state is not JobState.ENDED:
            self._confirmation.approve()

    async def _confirm(self, level: Level) -> None:
        self.log(f"Waiting for confirmation: the level is {level}")
        self._transition(JobState.WAITING_FOR_CONFIRMATION)
        await self._confirmation.wait(level)
        self.log("Confirmed")

    async def _take(self, pool: AnyPool) -> Any:
        if not pool.free:
            self.log(f"Waiting for a resource of pool {pool.label}")
            self._transition(JobState.QUEUED)
        return await self.resources.take(pool, self)

    async def _until_records(self) -> None:
        self.log("Waiting until what is done can be recorded")
        self._is_held = True
        try:
            await self._host.commits.work_again()
        finally:
            self._is_held = False

    def _transition(self, state: JobState) -> None:
        if self.state is not state:
            self.state = state
            if state is not JobState.RUNNING:
                self.park()
            self._changed(self)

    @to_be_entered
    @asynccontextmanager
    async def use_pool(self, pool: AnyPool) -> AsyncIterator[Any]:
        if not pool.free:
            self.log(f"Waiting for a resource of pool {pool.label}")
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
        self.log(str(why))
        self.hooks.run(why.reason)
        self.commands.end()
        if self.task is not None:
            self.task.cancel()
        if self.state is JobState.RUNNING:
            # Its work may take a while to end; a job that waits ends at once.
            self._changed(self)

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
        command.of_hook = self.hooks.run_here
        # A job that was cancelled may clean up, by commands that are not cancellable.
        ending = self.hooks.have_run and self.stopped is None and not command.of_hook
        if ending or self.state is JobState.ENDED:
            raise PycurrentError(f"job {self.id} has ended: it can't run {command.shown}")
        return command

    @to_be_entered
    def tempdir(self, prefix: str = "") -> AbstractAsyncContextManager[Path]:
        return temporary_folder(self._host.tmp, prefix)

    def locking(self, path: Path, what: str) -> AbstractAsyncContextManager[None]:
        return self.commands.locking(path, what)

    def _turn_waited(self) -> None:
        """Its commands have to wait for their turn, or need not any more."""
        if self.time_limit is not None and self.commands.are_waiting:
            self.time_limit.pause()
        elif self.time_limit is not None:
            self.time_limit.go_on()
        self._changed(self)
