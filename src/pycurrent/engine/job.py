"""A job as the operation that runs in it sees it. The engine's side of it is `driven_job.py`."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, overload

from pycurrent.engine.level import Level
from pycurrent.engine.waits import Told
from pycurrent.term import Trust

if TYPE_CHECKING:
    from pycurrent.engine.cache_folder import Cache
    from pycurrent.engine.command import CommandOptions
    from pycurrent.engine.custom_pool import CustomPool
    from pycurrent.engine.hooks import Hook
    from pycurrent.engine.job_reports import Reported
    from pycurrent.engine.place import JobPath, Place
    from pycurrent.engine.pool import AnyPool, Pool, Urgency
    from pycurrent.files import File, Tree

P = ParamSpec("P")
R = TypeVar("R")


class Job(ABC):
    """One run of an operation: its log, its commands, its resources.

    Operations get one, use it, and don't keep it. It belongs to the thread of the event loop,
    except for `log`, `write` and `secret`, which any thread may call.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def id(self) -> str:
        """The path of its log as a file, below the folder `job/` of the state directory and without
        `.log`.
        """

    @property
    @abstractmethod
    def op(self) -> str:
        """The id of its operation."""

    @property
    @abstractmethod
    def description(self) -> str:
        """Its work in a line."""

    @property
    @abstractmethod
    def urgency(self) -> Urgency:
        """HIGH if somebody waits for the first result, LOW if it refreshes one."""

    @property
    @abstractmethod
    def level(self) -> Level | None:
        """The level that `start` was given; None before."""

    @property
    @abstractmethod
    def pool(self) -> AnyPool | None:
        """The pool that `start` was given; None before, and for a job without one."""

    @property
    @abstractmethod
    def place(self) -> Place | None:
        """The other machine where its commands run, as its pool has lent it; None: the engine's."""

    @property
    @abstractmethod
    def priority(self) -> int:
        """The priority that `start` was given; 0 before."""

    @property
    @abstractmethod
    def created(self) -> datetime:
        """When it was wanted. Like `started`, this follows the clock if that is set meanwhile, so
        that the time since then is right.
        """

    @property
    @abstractmethod
    def started(self) -> datetime | None:
        """When its work began; None before."""

    @property
    @abstractmethod
    def cancelled(self) -> str | None:
        """Why it was cancelled, or that it timed out; None if neither has happened."""

    @property
    @abstractmethod
    def trust(self) -> Trust:
        """The trust of the stage for which it works: see `untrusted`."""

    @property
    @abstractmethod
    def is_trusted(self) -> bool:
        """False if it may run the code of a stranger: it works for a stage within `untrusted`, and
        its operation does not say `for_untrusted`.
        """

    @property
    @abstractmethod
    def needs_sandbox(self) -> bool:
        """True if code that it runs has to be in a sandbox: it is untrusted, and its pipeline says
        nothing else.
        """

    @abstractmethod
    def refuse_untrusted(self, what: str) -> None:
        """Raise `Failure` with what is refused, and the commit, unless the job is trusted."""

    # The log

    @property
    @abstractmethod
    def log_path(self) -> Path:
        """The file of the log. A job that has written nothing has none: asking for the path makes
        it.
        """

    @abstractmethod
    def log(self, line: str) -> None:
        """Add a line to the log, with the time."""

    @abstractmethod
    def write(self, data: str | bytes) -> None:
        """Add text to the log as it is."""

    @abstractmethod
    def secret(self, value: str) -> str:
        """Mask the value in this job's log from here on, and return it.

        Raises `Failure` if the job is not trusted, as that gets no secrets, and `UsageError` for a
        value so short that masking it would garble the log.
        """

    # Its start

    @overload
    async def start(
        self,
        *,
        level: Level,
        pool: CustomPool[R],
        timeout: timedelta | float | None = None,
        priority: int = 0,
    ) -> R: ...
    @overload
    async def start(
        self,
        *,
        level: Level,
        pool: Pool | None = None,
        timeout: timedelta | float | None = None,
        priority: int = 0,
    ) -> None: ...
    @overload
    async def start(
        self,
        *,
        level: Level,
        pool: AnyPool | None,
        timeout: timedelta | float | None = None,
        priority: int = 0,
    ) -> Any: ...
    @abstractmethod
    async def start(
        self,
        *,
        level: Level,
        pool: AnyPool | None = None,
        timeout: timedelta | float | None = None,
        priority: int = 0,
    ) -> Any:
        """Wait until the work may begin. Call it once, before the work.

        Waits for confirmation at the level, then for a resource of the pool, which the job
        holds until it ends. Returns the resource; those of a `Pool(label, capacity)` are None.
        A job that runs for longer than `timeout` (in seconds, if a number) is cancelled, and
        fails with "Timed out after 45 s". The pool serves the jobs of the highest `priority`
        first.
        """

    @abstractmethod
    def approve(self) -> None:
        """Let it start although its level asks for confirmation. Twice, or later, is fine."""

    @overload
    def use_pool(
        self, pool: CustomPool[R], *, priority: int | None = None
    ) -> AbstractAsyncContextManager[R]: ...
    @overload
    def use_pool(
        self, pool: Pool, *, priority: int | None = None
    ) -> AbstractAsyncContextManager[None]: ...
    @abstractmethod
    def use_pool(
        self, pool: AnyPool, *, priority: int | None = None
    ) -> AbstractAsyncContextManager[Any]:
        """Hold a resource of another pool than that of `start` for the block, which gets it.

        It waits at the job's priority, unless another one is given.
        """

    @abstractmethod
    def waiting_for(self, what: Told) -> AbstractContextManager[None]:
        """Say that the job waits for this during the block: in its log, once, and meanwhile in what
        `why` says of it. `what` completes "it waits for": words, or a function that gives those
        of now. The job keeps its place in its pool, and its timeout goes on.
        """

    # Its end

    @abstractmethod
    def on_cancel(self, hook: Hook) -> Callable[[], None]:
        """Have `hook(reason)` (or `hook()`) called when the job is cancelled or ends.

        Each hook is called once, the last one first, when the one before has ended; a hook that
        is added after that is called at once. A hook may be async, and may run commands; the
        job's end waits for it, for up to five minutes. Its exceptions are logged. Call the
        returned function to take the hook back.
        """

    @abstractmethod
    def cancel(self, reason: str) -> None:
        """Run the hooks, end the processes and cancel the work. Twice, or after the end, does
        nothing. The outcome is `Failed("Cancelled: REASON")`.
        """

    # Commands and folders

    @abstractmethod
    async def exec(
        self, argv: Sequence[str | os.PathLike[str]], **options: Unpack[CommandOptions]
    ) -> None:
        """Run a command, with its output going to the log. Raises `CommandFailed`.

        The options are `cwd`, `env`, `stdin`, `cancellable`, `grace`, `show`, `trusted` and `here`.
        `env` adds to the engine's environment; a variable mapped to None is removed from it. `show`
        is how the command is printed, where it holds a secret. `trusted` says of a command that it
        runs none of the code of strangers: else a job that `needs_sandbox` refuses it. With `here`
        it runs on the engine's machine, whatever the place of the job is, and is not durable then.

        When the job is cancelled, or the engine dies, the command is ended with everything it has
        started: SIGTERM, and `grace` seconds later (5 by default) SIGKILL. A command that is not
        `cancellable` is waited for instead, and so is one that a cancel hook runs.
        """

    @abstractmethod
    async def check_output(
        self, argv: Sequence[str | os.PathLike[str]], **options: Unpack[CommandOptions]
    ) -> str:
        """Run a command as `exec` does, and return its standard output, decoded as UTF-8.

        The log does not get that output, unless the command fails or is cancelled: then it gets
        the last 64 KiB. Log what is worth it.
        """

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in a process of its own, and return its result: for what would hold up
        the event loop, and can't be cancelled in a thread.

        The process imports the module of the function, which stands at its top, so arguments,
        result and exceptions are passed on by `pickle`. The log gets its output. An exception is
        raised here, too, and its traceback is in the log. The process ends with the job, as a
        command does; one that ends without a result raises `RuntimeError`, or `CommandFailed` with
        its status. Raises `UsageError` for a function that can't be passed on.
        """
        from pycurrent.engine.calling import call_in_process

        result: R = await call_in_process(self, function, args, kwargs)
        return result

    @abstractmethod
    async def report(
        self,
        folder: str | os.PathLike[str],
        *,
        junit: str | Sequence[str] | None = None,
        coverage: str | Sequence[str] | None = None,
        sarif: str | Sequence[str] | None = None,
        required: bool = False,
    ) -> Reported:
        """Record what reports below a folder say, and return it in short. Each kind is given as a
        pattern such as `**/*.xml`, or several: `junit` are reports of tests in JUnit's XML,
        `coverage` those of the source that these run, in Cobertura's XML or in the form of lcov,
        `sarif` those of tools that look through code, in SARIF.

        Raises `Failure` if tests have failed: it names the first of them. So await it in a
        `finally` behind the command that writes them: then that is said in place of the command's
        status, and tests are recorded whether or not it fails. It also raises one for a report
        that can't be read, and, if they are `required`, where there are none; but while the work
        fails for another reason, this is only logged. Called again, it adds to
        the reports of before. A job that was cancelled takes none, and one whose time is up does.
        """

    @abstractmethod
    def tempdir(
        self, prefix: str = "", *, here: bool = False, keep: timedelta | None = None
    ) -> AbstractAsyncContextManager[JobPath]:
        """A temporary folder, removed with all that is in it at the end of the block. In a durable
        job that goes on it is the one that was there before, as the commands have left it.

        If the block raises, or the job takes longer than it may, it stays for the time `keep`, and
        `pycurrent shell` opens a terminal there. Let no secrets be in it then.

        It is where the commands run. Where that is another place, no function that reads or writes
        files takes its path: use `read_file`, `write_file` and `glob`, which work everywhere. With
        `here` it is on the engine's machine, and a new one.
        """

    @property
    @abstractmethod
    def keep_failed(self) -> timedelta | None:
        """For how long the folders stay in which the work of a job that fails was done, as
        `Config(keep_failed=)` says: a `keep` for `tempdir`. None: no longer than the job.
        """

    @abstractmethod
    async def send(self, folder: Path | str, target: Path | str) -> None:
        """Copy all that is in a folder of the engine's machine into one where the job's commands
        run, which is made where it is missing. Links stay links. Raises OSError.
        """

    @abstractmethod
    async def read_file(self, path: Path | str) -> bytes:
        """The content of a file, where the job's commands run. Raises OSError."""

    @abstractmethod
    async def write_file(self, path: Path | str, data: bytes | str) -> None:
        """Write a file where the job's commands run, as a whole or not at all; a text as UTF-8. One
        that is there is replaced, and its permissions stay. Raises OSError.
        """

    @abstractmethod
    async def glob(self, folder: Path | str, pattern: str) -> list[JobPath]:
        """The paths below a folder, where the job's commands run, that match a pattern such as
        `*.xml` or `**/*.xml`, sorted; none if there is no such folder.
        """

    @property
    @abstractmethod
    def is_durable(self) -> bool:
        """True if its commands go on when the engine is killed, and the next one with the job."""

    @abstractmethod
    async def once(self, name: str, function: Callable[[], Awaitable[R]]) -> R:
        """Return what the async function gives. It is called once for each name of the job: where a
        durable job goes on after its engine was killed, what it gave then is given again.

        Use it for what a durable job does besides its commands, which it may not run there. It may
        be called twice if the engine is killed right after it. The result is kept as JSON, and read
        as its annotation says. Raises `WrongKind` for what can't be kept, `UsageError` for a
        command of a durable job, and what the function raises.
        """

    @abstractmethod
    def cache_folder(self, cache: Cache) -> AbstractAsyncContextManager[Path]:
        """Hold the folder of a cache for the block, which gets its path, always the same one at
        the place of the job.

        Its jobs come one after the other, unless the cache is `shared`: until it is free this
        waits, and the job's timeout stands still. Commands that begin in the block hold it, too,
        even if the engine is killed. Take several in the order of their names, so that no two
        jobs wait for each other. The files of a job that fails are kept. Raises `UsageError`
        if the job has the folder already, `OSError` if it can't be made, `PlaceLost`.
        """

    # Files

    @abstractmethod
    async def save(self, folder: Path | str, *patterns: str, required: bool = False) -> Tree:
        """Save what the patterns select in a folder, or all of it without any, and return it as a
        value: a key, a value or a result, from which other jobs `put` it.

        In a pattern `*` and `?` stand for any text within a name, `**` for any folders, `{a,b}` for
        one of these; a pattern that matches a folder selects all that is in it. Links are kept as
        links, and the folder `.git` at the top is left out. The log says which pattern matches
        nothing; with `required` that is a failure.

        The files are kept for as long as the job has a record. Raises `Failure` for a link that
        leads out of the folder, for a name that is not UTF-8, and for a file that can't be read or
        changes meanwhile.
        """

    @abstractmethod
    async def save_file(self, path: Path | str) -> File:
        """Save one file as `save` does, and return it as a value."""

    @abstractmethod
    async def put(self, what: Tree | File, target: Path | str) -> None:
        """Place what was saved: a tree in a folder, which is made where it is missing, a file at a
        path. Files that are in the way are replaced, and what else is in the folder stays.

        The files belong to the job, which may change them: that changes nothing of what was saved.
        If it is lost, the job ends, the one that had saved it runs again, and this one follows it.
        Raises `Failure` if a folder is in the way of a file, or a file in the way of a folder.
        """

    @abstractmethod
    def locking(self, path: Path, what: str) -> AbstractAsyncContextManager[None]:
        """Hold the lock of a file for the block, and for as long as any command lives that began
        in it.

        Use it for a folder that nothing else may touch while a command is at work there, even
        one whose engine was killed: then this waits, and the log says that it waits for `what`.
        """
