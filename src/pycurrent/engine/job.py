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
import inspect
import os
import shlex
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar

from pycurrent.engine.clock import Clock, Timer
from pycurrent.engine.joblog import JobLog
from pycurrent.engine.level import Config, Level
from pycurrent.engine.pool import AnyPool, Pool, Priority
from pycurrent.engine.process import Process, Processes
from pycurrent.errors import PycurrentError
from pycurrent.term import Activity, Failed, Failure, Ok, failed_by

T = TypeVar("T")
Hook = Callable[[str], object] | Callable[[], object]


class JobState(Enum):
    """Where a job is on its way."""

    CREATED = "created"
    WAITING_FOR_CONFIRMATION = "waiting for confirmation"
    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


class CommandFailed(PycurrentError):
    """A command ended with another status than 0."""

    def __init__(self, command: str, status: int) -> None:
        how = f"exited with status {status}" if status >= 0 else f"was killed by signal {-status}"
        super().__init__(f"{command} {how}")
        self.command = command
        self.status = status


@dataclass(frozen=True, slots=True)
class JobHost:
    """What the jobs of one engine share."""

    clock: Clock
    config: Config
    processes: Processes
    tmp: Path
    """Where temporary folders are made."""


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
    ) -> None:
        self.id = id
        self.op = op
        self.description = description
        self.priority = priority
        self.level: Level | None = None
        self.pool: AnyPool | None = None
        self.created: datetime = host.clock.now()
        self.started: datetime | None = None
        """When the work began."""
        self.cancelled: str | None = None
        """Why it was cancelled."""
        self.state = JobState.CREATED
        self._host = host
        self._log = log
        self._changed = changed
        self._approved = False
        self._may_start: asyncio.Future[None] | None = None
        self._hooks: list[Hook] | None = []
        """Those that have not been run; None once they have: later ones are run at once."""
        self._hook_tasks: list[asyncio.Future[Any]] = []
        self._commands: dict[Process, _Command] = {}
        """What runs now."""
        self._resources: AsyncExitStack | None = None
        self._timer: Timer | None = None
        self._task: asyncio.Task[Any] | None = None

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state.value}>"

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
            case JobState.RUNNING | JobState.ENDED:
                return Activity.RUNNING
            case _:
                return Activity.READY

    @property
    def is_stuck(self) -> bool:
        """Whether it waits for what does not come without a person: for confirmation, or for
        the end of other jobs in its pool, which may be stuck themselves.
        """
        if self.cancelled is not None:
            return False
        match self.state:
            case JobState.WAITING_FOR_CONFIRMATION:
                return self._may_start is not None and not self._may_start.done()
            case JobState.QUEUED:
                # What a custom pool waits for is not known: it may come at any time.
                return isinstance(self.pool, Pool) and self.pool.place(self) is not None
            case _:
                return False

    async def start(
        self,
        *,
        level: Level,
        pool: AnyPool | None = None,
        timeout: timedelta | float | None = None,
    ) -> None:
        """Wait until the work may begin. To be called once, before the work.

        Waits for confirmation at the level, then for a resource of the pool, which the job
        holds until it ends. A job that runs for longer than `timeout` (in seconds, if a
        number) is cancelled.
        """
        if self.level is not None or self.state is not JobState.CREATED:
            raise PycurrentError(f"job {self.id} was started twice: call job.start once")
        self.level = level
        self.pool = pool
        if not self._allowed():
            await self._confirmation()
        if pool is not None:
            await self._take(pool)
        self.started = self._host.clock.now()
        self._move(JobState.RUNNING)
        if timeout is not None:
            limit = timeout if isinstance(timeout, timedelta) else timedelta(seconds=timeout)
            self._timer = self._host.clock.call_at(
                self.started + limit, lambda: self.cancel(f"it ran for longer than {limit}")
            )

    def approve(self) -> None:
        """Let it start although its level asks for confirmation. Twice, or later, is fine."""
        if not self._approved and self.state is not JobState.ENDED:
            self._approved = True
            self._reconsider()

    def _allowed(self) -> bool:
        assert self.level is not None
        return self._approved or self._host.config.allows(self.level)

    async def _confirmation(self) -> None:
        self.log(f"Waiting for confirmation: the level is {self.level}")
        self._may_start = asyncio.get_running_loop().create_future()
        self._host.config.listen(self._reconsider)
        self._move(JobState.WAITING_FOR_CONFIRMATION)
        try:
            await self._may_start
        finally:
            self._host.config.forget(self._reconsider)
            self._may_start = None
        self.log("Confirmed")

    def _reconsider(self) -> None:
        waiter = self._may_start
        if waiter is not None and not waiter.done() and self._allowed():
            waiter.set_result(None)

    async def _take(self, pool: AnyPool) -> None:
        if not pool.free:
            self.log(f"Waiting for a resource of pool {pool.label}")
            self._move(JobState.QUEUED)
        await self._held().enter_async_context(pool.acquire(self))

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

    @asynccontextmanager
    async def use_pool(self, pool: AnyPool) -> AsyncIterator[None]:
        """Hold one more resource for the block, of another pool than the one of `start`."""
        if not pool.free:
            self.log(f"Waiting for a resource of pool {pool.label}")
        async with pool.acquire(self):
            yield

    # Cancelling

    def on_cancel(self, hook: Hook) -> None:
        """Have `hook(reason)` (or `hook()`) called when the job is cancelled or ends.

        It is called once, at once if that has happened. It may be async; the job's end waits
        for it. What it raises is logged.
        """
        if self._hooks is None:
            self._call(hook, self._why_over)
        else:
            self._hooks.append(hook)

    def cancel(self, reason: str) -> None:
        """Run the hooks, end the processes and cancel the work. Twice, or after the end, does
        nothing. The outcome is `Failed("Cancelled")`, and the reason is in the log.
        """
        if self.cancelled is not None or self.state is JobState.ENDED:
            return
        self.cancelled = reason
        self.log(f"Cancelling: {reason}")
        self._run_hooks()
        self._end_commands()
        if self._task is not None:
            self._task.cancel()

    @property
    def _why_over(self) -> str:
        return self.cancelled or "the job has ended"

    def _run_hooks(self) -> None:
        hooks, self._hooks = self._hooks, None
        for hook in reversed(hooks or ()):
            self._call(hook, self._why_over)

    def _end_commands(self) -> None:
        for process, command in self._commands.items():
            if command.cancellable:
                process.cancel()

    def _call(self, hook: Hook, reason: str) -> None:
        try:
            result = hook(*([reason] if _takes_argument(hook) else []))
            if inspect.isawaitable(result):
                self._hook_tasks.append(asyncio.ensure_future(result))
        except Exception as error:
            self.log(f"A cancel hook failed: {failed_by(error).message}")

    # Commands

    async def exec(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | bytes | None = None,
        cancellable: bool = True,
        show: str | Sequence[str] | None = None,
    ) -> None:
        """Run a command, its output going to the log. Raises `CommandFailed`.

        `env` adds to the engine's environment. `show` is how the command is printed, where it
        holds a secret. When the job is cancelled the command is ended with all that it has
        started (SIGTERM, and after a while SIGKILL); one that is not `cancellable` ends by
        itself first.
        """
        command = _Command(argv, cwd, env, stdin, cancellable=cancellable, show=show)
        await self._logged(command, stdout=None)

    async def check_output(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | bytes | None = None,
        cancellable: bool = True,
        show: str | Sequence[str] | None = None,
    ) -> str:
        """As `exec`, but give what the command writes to its standard output, as UTF-8."""
        command = _Command(argv, cwd, env, stdin, cancellable=cancellable, show=show)
        with tempfile.TemporaryFile(dir=self._host.tmp) as output:
            await self._logged(command, stdout=output.fileno())
            output.seek(0)
            return output.read().decode(errors="replace")

    async def _logged(self, command: _Command, *, stdout: int | None) -> None:
        """Run a command; what it writes goes to the log, but what it writes to `stdout`."""
        if self._hooks is None and self.cancelled is None:
            raise PycurrentError(f"job {self.id} has ended: it can't run {command.shown}")
        self.log(f"Exec: {command.shown}")
        reader, writer = os.pipe()
        pumping = asyncio.ensure_future(self._log.pump(reader))
        try:
            process = await self._begin(command, writer if stdout is None else stdout, writer)
            status = await self._end(process, command)
        finally:
            await _regardless(pumping)
        if status:
            raise CommandFailed(command.shown, status)

    async def _begin(self, command: _Command, stdout: int, stderr: int) -> Process:
        """Start a command, which gets the pipe `stderr` for itself."""
        try:
            with command.open_stdin(self._host.tmp) as stdin:
                return await self._host.processes.start(
                    command.argv,
                    cwd=command.cwd,
                    env=command.env,
                    stdin=stdin.fileno(),
                    stdout=stdout,
                    stderr=stderr,
                )
        finally:
            os.close(stderr)

    async def _end(self, process: Process, command: _Command) -> int:
        """Wait for a command, to its very end if cancelled."""
        self._commands[process] = command
        if self._hooks is None:
            # Cancelled while it was being started, by a task that is not the job's own.
            self._end_commands()
        try:
            return await process.wait()
        except asyncio.CancelledError:
            if command.cancellable:
                process.cancel()
            await _regardless(process.wait())
            raise
        finally:
            del self._commands[process]

    @asynccontextmanager
    async def tempdir(self, prefix: str = "") -> AsyncIterator[Path]:
        """A temporary folder, removed with all that is in it at the end of the block."""
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=self._host.tmp))
        try:
            yield path
        finally:
            await _regardless(asyncio.to_thread(_remove_tree, path))

    # The whole

    async def run(
        self,
        work: Callable[[], Awaitable[T]],
        explain: Callable[[Path], Awaitable[str | None]],
    ) -> Ok[T] | Failed:
        """Do the work, to the very end of the job, and give its outcome. Called once.

        `explain(log)` gives a better message for a failure, or None.
        """
        task = self._task = asyncio.current_task()
        assert task is not None
        outcome: Ok[T] | Failed
        try:
            if self.cancelled is not None:
                raise asyncio.CancelledError
            outcome = Ok(await work())
            if self.started is None:
                _not_started()
        except asyncio.CancelledError:
            outcome = Failed("Cancelled")
            self.cancelled = self.cancelled or "its work was cancelled"
        except (Exception, SystemExit) as error:
            outcome = failed_by(error)
        self._task = None
        if task.cancelling():
            await _take_cancellation(task)
        return await self._finish(outcome, explain)

    async def _finish(
        self, outcome: Ok[T] | Failed, explain: Callable[[Path], Awaitable[str | None]]
    ) -> Ok[T] | Failed:
        if self._timer is not None:
            self._timer.cancel()
        if self._commands:
            await self._outlive_commands()
        if self._hooks is not None:
            self._run_hooks()
        if self._hook_tasks:
            await self._end_hooks()
        if self._resources is not None:
            await self._give_back(self._resources)
            await self._end_hooks()
        if self.cancelled is not None:
            outcome = Failed("Cancelled")
        outcome = self._close_log(outcome)
        if isinstance(outcome, Failed) and self.cancelled is None and self._log.error is None:
            outcome = Failed(await explain(self._log.path) or outcome.message)
        self.state = JobState.ENDED
        return outcome

    async def _outlive_commands(self) -> None:
        """End what the work has left running."""
        self._end_commands()
        for process in list(self._commands):
            with suppress(PycurrentError):
                await _regardless(process.wait())

    async def _end_hooks(self) -> None:
        """Wait for the hooks that are async."""
        while self._hook_tasks:
            task = self._hook_tasks.pop(0)
            try:
                await _regardless(task)
            except Exception as error:
                self.log(f"A cancel hook failed: {failed_by(error).message}")
            except asyncio.CancelledError:
                if not task.cancelled():
                    raise
                self.log("A cancel hook was cancelled")

    async def _give_back(self, resources: AsyncExitStack) -> None:
        """Give back what the job holds. That this fails is not the work's failure."""
        try:
            await _regardless(resources.aclose())
        except Exception as error:
            pool = "a pool" if self.pool is None else f"pool {self.pool.label}"
            self.log(f"A resource of {pool} can't be given back: {failed_by(error).message}")

    def _close_log(self, outcome: Ok[T] | Failed) -> Ok[T] | Failed:
        """Say how it ended; a log that is not whole is a failure, too."""
        match outcome:
            case Ok():
                self.log("Job succeeded")
            case Failed(message):
                # The message leaves the log, which would have masked what is secret.
                masked = self._log.masked(message)
                if outcome.traceback is not None:
                    self.write(outcome.traceback)
                self.log(f"Job failed: {message}")
                outcome = Failed(masked, traceback=outcome.traceback)
        self._log.close()
        if self._log.error is not None and self.cancelled is None:
            return Failed(f"the log can't be written: {self._log.error.strerror}")
        return outcome


class _Command:
    """A command, how it is run, and how it is shown."""

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        cwd: Path | str | None,
        env: Mapping[str, str] | None,
        stdin: str | bytes | None,
        *,
        cancellable: bool,
        show: str | Sequence[str] | None,
    ) -> None:
        if isinstance(argv, str) or not argv or not all(map(_is_word, argv)):
            raise Failure(f"a command is a list of its words, not {argv!r}")
        self.argv = [os.fspath(word) for word in argv]
        self.cwd = None if cwd is None else Path(cwd)
        self.env = None if env is None else {**os.environ, **env}
        self.cancellable = cancellable
        self.shown = (
            show if isinstance(show, str) else shlex.join(self.argv if show is None else show)
        )
        self._stdin = stdin.encode() if isinstance(stdin, str) else stdin

    def open_stdin(self, tmp: Path) -> IO[bytes]:
        """What the command reads: a file, so that nobody has to feed it."""
        if self._stdin is None:
            return Path(os.devnull).open("rb")
        with ExitStack() as closing:
            file = closing.enter_context(tempfile.TemporaryFile(dir=tmp))
            file.write(self._stdin)
            file.seek(0)
            closing.pop_all()
        return file


def _is_word(word: object) -> bool:
    return isinstance(word, str | os.PathLike)


async def _take_cancellation(task: asyncio.Task[Any]) -> None:
    """Have a cancellation come now that the work did not wait for: not in the midst of the end."""
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    task.uncancel()


def _not_started() -> NoReturn:
    raise PycurrentError("the operation succeeded without having called job.start")


def _takes_argument(hook: Callable[..., object]) -> bool:
    try:
        inspect.signature(hook).bind("")
    except TypeError:
        return False
    except ValueError:
        # A function of C that tells nothing about itself.
        return True
    return True


async def _regardless(awaitable: Awaitable[T]) -> T:
    """Wait to the end even if cancelled meanwhile: then the cancellation follows."""
    task = asyncio.ensure_future(awaitable)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        with suppress(Exception):
            task.result()
        raise asyncio.CancelledError
    return task.result()


def _remove_tree(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        # Tools make folders that can't be written, module caches for one.
        _make_writable(path)
        shutil.rmtree(path, ignore_errors=True)


def _make_writable(path: Path) -> None:
    """Folders only, and never through a link: what is in them need not be ours."""
    folders = [path]
    while folders:
        folder = folders.pop()
        with suppress(OSError):
            folder.chmod(0o700)
            with os.scandir(folder) as entries:
                folders += [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]
