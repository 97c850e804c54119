"""One run of an operation: its log, its state, its resources, and how it ends.

A job goes through these states, never back:

    CREATED ──start()──► WAITING_FOR_CONFIRMATION ──► QUEUED ──► RUNNING ──► ENDED

It skips those in which there is nothing to wait for, and it can end in any of them. It counts
as READY before it is confirmed to need confirmation, and while it is queued.

`run` owns the job: it runs the operation's function and whatever way that ends, cancelled
included, it ends the processes, runs the hooks, gives back the resources and closes the log,
in this order, before the outcome is known to anybody.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, overload

from pycurrent.engine.arguments import check_start
from pycurrent.engine.clock import Moment
from pycurrent.engine.command import Command, Commands
from pycurrent.engine.confirmation import Confirmation
from pycurrent.engine.forgotten import Calls, to_be_awaited, to_be_entered
from pycurrent.engine.hooks import Hook, Hooks
from pycurrent.engine.job_end import explained, give_back, not_started, told_end, unwritten
from pycurrent.engine.job_host import JobHost
from pycurrent.engine.joblog import JobLog
from pycurrent.engine.leftovers import JobLock
from pycurrent.engine.level import Level
from pycurrent.engine.logrules import Explanation
from pycurrent.engine.machine import Blame, attributed, blame
from pycurrent.engine.pool import AnyPool, CustomPool, Pool, Priority, Tickets
from pycurrent.engine.scratch import scratch_folder
from pycurrent.engine.stopped import Cancelled, Stopped, TimedOut
from pycurrent.engine.tasks import failure_by, take_cancellation
from pycurrent.engine.timelimit import TimeLimit
from pycurrent.engine.turns import Turn
from pycurrent.errors import PycurrentError
from pycurrent.term import Activity, Failed, Ok

T = TypeVar("T")
R = TypeVar("R")


class JobState(Enum):
    """Where a job is on its way."""

    CREATED = "created"
    WAITING_FOR_CONFIRMATION = "waiting for confirmation"
    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


class Job:
    """One run of an operation. Operations get one, use it, and don't keep it.

    All of it belongs to the thread of the event loop, but `log`, `write` and `secret`.
    """

    def __init__(
        self,
        host: JobHost,
        log: JobLog,
        *,
        id: str,
        op: str,
        description: str,
        priority: Priority = Priority.HIGH,
        changed: Callable[[Job], None] = lambda job: None,
        tickets: Tickets | None = None,
    ) -> None:
        """`tickets`: those of a job whose place in the queues it takes."""
        self.id = id
        self.op = op
        self.description = description
        self.priority = priority
        self.level: Level | None = None
        self.pool: AnyPool | None = None
        self.tickets = Tickets() if tickets is None else tickets
        self.stopped: Stopped | None = None
        """Why it was told to end, if it was: it then ends as soon as it can."""
        self.begun: Moment | None = None
        """When the work began."""
        self.blame = Blame.WORK
        """Whose fault it is, if it has failed."""
        self.state = JobState.CREATED
        self._host = host
        self._log = log
        self._changed = changed
        self._confirmation = Confirmation(host.config)
        self._hooks = Hooks(log.line, host.clock)
        self._calls = Calls(log.line)
        self._commands = Commands(
            host.processes,
            log,
            host.tmp,
            JobLock(host.runs, id, host.locks),
            Turn(host.turns),
        )
        self._resources: AsyncExitStack | None = None
        self._created = Moment(host.clock)
        self._time_limit: TimeLimit | None = None
        self._task: asyncio.Task[Any] | None = None
        self._is_held = False

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state.value}>"

    @property
    def created(self) -> datetime:
        """When it was wanted. As `started`, it follows the clock if that is set meanwhile, so
        that what has passed since then is right.
        """
        return self._created.date

    @property
    def started(self) -> datetime | None:
        """When the work began."""
        return None if self.begun is None else self.begun.date

    @property
    def cancelled(self) -> str | None:
        """Why it was cancelled, or that it timed out; None if it was neither."""
        return None if self.stopped is None else self.stopped.reason

    # The log

    @property
    def log_path(self) -> Path:
        return self._log.path

    def log(self, line: str) -> None:
        """Add a line with the time to the log."""
        self._log.line(line)

    def write(self, data: str | bytes) -> None:
        """Add to the log as it is."""
        self._log.write(data)

    def secret(self, value: str) -> str:
        """Mask the value from here on in this job's log, whoever prints it; returns it.

        Raises `UsageError` for one so short that masking it would garble the log.
        """
        self._log.secret(value)
        return value

    def park(self) -> None:
        """Hold no descriptor of the log while there is nothing to write."""
        self._log.park()

    # Starting

    @property
    def activity(self) -> Activity:
        """What the job amounts to for those who wait for it."""
        match self.state:
            case JobState.WAITING_FOR_CONFIRMATION:
                return Activity.WAITING_FOR_CONFIRMATION
            case JobState.RUNNING if self._commands.are_waiting:
                return Activity.READY
            case JobState.RUNNING | JobState.ENDED:
                return Activity.RUNNING
            case _:
                return Activity.READY

    @property
    def is_stuck(self) -> bool:
        """Whether it waits for what does not come without a person: for confirmation, for a disk
        to record it on, or for the end of other jobs in its pool, which may be stuck themselves.
        """
        if self.stopped is not None:
            return False
        if self._is_held:
            return True
        match self.state:
            case JobState.WAITING_FOR_CONFIRMATION:
                return self._confirmation.is_awaited
            case JobState.QUEUED:
                # What a custom pool waits for is not known: it may come at any time.
                return isinstance(self.pool, Pool) and self.pool.place(self) is not None
            case _:
                return False

    # The decorator's own signature knows `self` by its place only.
    @overload
    async def start(
        self, *, level: Level, pool: CustomPool[R], timeout: timedelta | float | None = None
    ) -> R: ...
    @overload
    async def start(
        self,
        *,
        level: Level,
        pool: Pool | None = None,
        timeout: timedelta | float | None = None,
    ) -> None: ...
    @overload
    async def start(
        self, *, level: Level, pool: AnyPool | None, timeout: timedelta | float | None = None
    ) -> Any: ...
    @to_be_awaited  # type: ignore[misc]
    async def start(
        self,
        *,
        level: Level,
        pool: AnyPool | None = None,
        timeout: timedelta | float | None = None,
    ) -> Any:
        """Wait until the work may begin. To be called once, before the work.

        Waits for confirmation at the level, then for a resource of the pool, which the job
        holds until it ends, and gives it; those of a `Pool(label, capacity)` are None. A job that
        runs for longer than `timeout` (in seconds, if a number) is cancelled, and fails with
        "Timed out after 45 s".
        """
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
        self._move(JobState.RUNNING)
        if timeout is not None:
            limit = timeout if isinstance(timeout, timedelta) else timedelta(seconds=timeout)
            self._time_limit = TimeLimit(
                self._host.clock, limit, lambda: self._stop(TimedOut(limit))
            )
        return resource

    def approve(self) -> None:
        """Let it start although its level asks for confirmation. Twice, or later, is fine."""
        self._host.thread.check("job.approve")
        if self.state is not JobState.ENDED:
            self._confirmation.approve()

    async def _confirm(self, level: Level) -> None:
        self.log(f"Waiting for confirmation: the level is {level}")
        self._move(JobState.WAITING_FOR_CONFIRMATION)
        await self._confirmation.wait(level)
        self.log("Confirmed")

    async def _take(self, pool: AnyPool) -> Any:
        if not pool.free:
            self.log(f"Waiting for a resource of pool {pool.label}")
            self._move(JobState.QUEUED)
        return await self._held().enter_async_context(pool.acquire(self))

    async def _until_records(self) -> None:
        self.log("Waiting until what is done can be recorded")
        self._is_held = True
        try:
            await self._host.commits.work_again()
        finally:
            self._is_held = False

    def _held(self) -> AsyncExitStack:
        if self._resources is None:
            self._resources = AsyncExitStack()
        return self._resources

    def _move(self, state: JobState) -> None:
        if self.state is not state:
            self.state = state
            if state is not JobState.RUNNING:
                self.park()
            self._changed(self)

    @overload
    def use_pool(self, pool: CustomPool[R]) -> AbstractAsyncContextManager[R]: ...
    @overload
    def use_pool(self, pool: Pool) -> AbstractAsyncContextManager[None]: ...
    @to_be_entered  # type: ignore[misc]
    @asynccontextmanager
    async def use_pool(self, pool: AnyPool) -> AsyncIterator[Any]:
        """Hold one more resource for the block, which gets it, of another pool than the one of
        `start`.
        """
        if not pool.free:
            self.log(f"Waiting for a resource of pool {pool.label}")
        async with pool.acquire(self) as resource:
            yield resource

    # Cancelling

    def on_cancel(self, hook: Hook) -> Callable[[], None]:
        """Have `hook(reason)` (or `hook()`) called when the job is cancelled or ends.

        The hooks are called once, the last one first, and each when the one before has ended; one
        that is added after that at once. A hook may be async, and may run commands; the job's end
        waits for it, for up to five minutes. What it raises is logged. Call what is returned to
        take the hook back.
        """
        self._host.thread.check("job.on_cancel")
        return self._hooks.add(hook)

    def cancel(self, reason: str) -> None:
        """Run the hooks, end the processes and cancel the work. Twice, or after the end, does
        nothing. The outcome is `Failed("Cancelled: REASON")`.
        """
        self._host.thread.check("job.cancel")
        self._stop(Cancelled(reason))

    def hurry(self) -> None:
        """It takes too long to end: have its work cancelled once more, or the hook that runs."""
        self._hooks.hurry()
        if self._task is not None:
            self._task.cancel()

    def _stop(self, why: Stopped) -> None:
        if self.stopped is not None or self.state is JobState.ENDED:
            return
        self.stopped = why
        self.log(str(why))
        self._hooks.run(why.reason)
        self._commands.end()
        if self._task is not None:
            self._task.cancel()

    # Commands

    @to_be_awaited
    async def exec(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path | str | None = None,
        env: Mapping[str, str | None] | None = None,
        stdin: str | bytes | None = None,
        cancellable: bool = True,
        grace: float | None = None,
        show: str | Sequence[str] | None = None,
    ) -> None:
        """Run a command, its output going to the log. Raises `CommandFailed`.

        `env` adds to the engine's environment; a variable that it maps to None is removed from
        it. `show` is how the command is printed, where it holds a secret. When the job is
        cancelled, or the engine dies, the command is ended with all that it has started: SIGTERM,
        and `grace` seconds later (by default 5) SIGKILL. One that is not `cancellable` ends by
        itself first, and so does one that a cancel hook runs.
        """
        command = Command(argv, cwd, env, stdin, cancellable=cancellable, grace=grace, show=show)
        self._prepare(command)
        await self._commands.run(command, self._turn_waited)

    @to_be_awaited
    async def check_output(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path | str | None = None,
        env: Mapping[str, str | None] | None = None,
        stdin: str | bytes | None = None,
        cancellable: bool = True,
        grace: float | None = None,
        show: str | Sequence[str] | None = None,
    ) -> str:
        """As `exec`, but give what the command writes to its standard output, as UTF-8.

        That is not in the log, unless the command fails or is cancelled: then its end is, 64 KiB
        at most. Log what is worth it.
        """
        command = Command(argv, cwd, env, stdin, cancellable=cancellable, grace=grace, show=show)
        self._prepare(command)
        return await self._commands.output_of(command, self._turn_waited)

    @property
    def commands(self) -> frozenset[object]:
        """The commands that run now, as objects to be compared."""
        return self._commands.running

    def _prepare(self, command: Command) -> None:
        command.of_hook = self._hooks.run_here
        # A job that was cancelled may clean up, by commands that are not cancellable.
        ending = self._hooks.have_run and self.stopped is None and not command.of_hook
        if ending or self.state is JobState.ENDED:
            raise PycurrentError(f"job {self.id} has ended: it can't run {command.shown}")

    @to_be_entered
    def tempdir(self, prefix: str = "") -> AbstractAsyncContextManager[Path]:
        """A temporary folder, removed with all that is in it at the end of the block."""
        return scratch_folder(self._host.tmp, prefix)

    def locking(self, path: Path, what: str) -> AbstractAsyncContextManager[None]:
        """Hold the lock of a file for the block, as long as any command lives that began in it.

        For what must not be touched while a command is at work in it, whose engine may have been
        killed: then this waits, and the log says for `what`.
        """
        return self._commands.locking(path, what)

    def _turn_waited(self) -> None:
        """Its commands have to wait for their turn, or need not any more."""
        if self._time_limit is not None and self._commands.are_waiting:
            self._time_limit.pause()
        elif self._time_limit is not None:
            self._time_limit.go_on()
        self._changed(self)

    # The whole

    async def run(
        self,
        work: Callable[[], Awaitable[T]],
        explain: Callable[[Path], Awaitable[Explanation | None]],
    ) -> Ok[T] | Failed:
        """Do the work, to the very end of the job, and give its outcome. Called once.

        `explain(log)` gives a better message for a failure, and the rule that says so, or None.
        """
        task = self._task = asyncio.current_task()
        assert task is not None
        outcome: Ok[T] | Failed
        try:
            if self.stopped is not None:
                raise asyncio.CancelledError
            outcome = Ok(await self._calls.checked(work()))
            if self.begun is None:
                raise not_started()
        except BaseException as error:
            self.blame = blame(error)
            outcome = attributed(self._failure(error, task), self.blame)
        self._task = None
        if task.cancelling():
            await take_cancellation(task)
        return await self._finish(outcome, explain)

    def _failure(self, error: BaseException, task: asyncio.Task[Any]) -> Failed:
        """What an exception of the work amounts to, whatever its class."""
        if isinstance(error, asyncio.CancelledError):
            if self.stopped is None and task.cancelling():
                # Not by us: the event loop ends.
                self.stopped = Cancelled("its task was cancelled")
            if self.stopped is not None:
                return self.stopped.outcome
        return failure_by(error, "its work", task)

    async def _finish(
        self, outcome: Ok[T] | Failed, explain: Callable[[Path], Awaitable[Explanation | None]]
    ) -> Ok[T] | Failed:
        if self._time_limit is not None:
            self._time_limit.end()
        await self._commands.outlive()
        self._hooks.run(self.cancelled or "the job has ended")
        await self._hooks.ended()
        await self._commands.outlive()
        if self._resources is not None:
            await give_back(self._resources, self.pool, self._log)
            await self._hooks.ended()
        if self.stopped is not None:
            outcome = self.stopped.outcome
            self.blame = Blame.WORK
        await self._calls.tell()
        self._commands.close()
        await self._log.learn()
        outcome = told_end(outcome, self.blame, self._log)
        of_work = self.stopped is None and self.blame is Blame.WORK and self._log.error is None
        if isinstance(outcome, Failed) and of_work:
            outcome = explained(outcome, await explain(self._log.path), self._log)
        outcome = self._close_log(outcome)
        self.state = JobState.ENDED
        return outcome

    def _close_log(self, outcome: Ok[T] | Failed) -> Ok[T] | Failed:
        """A log that is not whole is a failure, too."""
        self._log.close()
        if self._log.error is not None and self.stopped is None:
            self.blame = max(Blame.BROKEN, blame(self._log.error))
            return unwritten(self._log.error)
        return outcome
