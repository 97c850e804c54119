"""The resources that an engine has open while it runs: records, processes, what jobs need."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from pycurrent.engine.approvals import ApprovedCommits
from pycurrent.engine.clock import Clock
from pycurrent.engine.commits import Commits
from pycurrent.engine.descriptors import Descriptors
from pycurrent.engine.forks import Forks
from pycurrent.engine.job_host import JobHost
from pycurrent.engine.job_logs import JobLogs
from pycurrent.engine.leftovers import Leftovers, remove_leftover_folders
from pycurrent.engine.level import Config, Confirmations
from pycurrent.engine.logrules import LogRules
from pycurrent.engine.losses import Losses
from pycurrent.engine.paused import PausedWork
from pycurrent.engine.problems import Problems
from pycurrent.engine.quiescence import Quiescence
from pycurrent.engine.tasks import cancelled, in_thread
from pycurrent.engine.tempdirs import Trash
from pycurrent.engine.thread import LoopThread
from pycurrent.engine.threshold import Threshold
from pycurrent.engine.turns import Turns
from pycurrent.engine.waits import Waits
from pycurrent.store import Database, StateDir, StoreError

if TYPE_CHECKING:
    from pycurrent.engine.cache_folder import FolderTurns
    from pycurrent.engine.driven_job import DrivenJob
    from pycurrent.engine.follow import LogSource
    from pycurrent.engine.job_files import JobFiles
    from pycurrent.engine.job_reports import JobReports
    from pycurrent.engine.kept_folders import KeptFolders
    from pycurrent.engine.leaving import Leaving
    from pycurrent.engine.left_runs import LeftRun
    from pycurrent.engine.process import Processes
    from pycurrent.engine.value_codec import CodecOf

_GATHERED_FOR = 0.2
"""Seconds for which folders that are to be removed are gathered."""


class EngineParts(Struct, frozen=True):
    """The parts that are passed to an engine: it makes none of them itself."""

    state: StateDir
    store: Database
    processes: Callable[[], Processes]
    """Makes what starts commands, for the first one."""
    descriptors: Descriptors
    clock: Clock
    config: Config
    problems: Problems
    codec_of: CodecOf
    reports: Callable[[], JobReports]
    """Makes what takes the reports of jobs, for the first one."""


class OpenResources(ABC):
    """All that an engine has open, whatever its pipeline is. Made in a running event loop.

    It owns the database and the processes from then on. `closing` closes everything that is open,
    the last one first; also after an error midway.
    """

    def __init__(self, parts: EngineParts, closing: AsyncExitStack) -> None:
        self.state = state = parts.state
        self.store = store = parts.store
        self._make_processes = parts.processes
        self._reports = cache(parts.reports)
        self.clock = clock = parts.clock
        self.config = parts.config
        self.problems = problems = parts.problems
        self.codec_of = parts.codec_of
        """Gives the codec for the values of a type."""
        self.loop = asyncio.get_running_loop()
        self.thread = LoopThread()
        self.quiescence = Quiescence()
        self._closing = closing
        self.forks = Forks()
        self.forks.keep_out(lambda: state.locks)
        closing.callback(self.forks.close)
        self.commits = Commits(store, clock, problems, self.quiescence)
        closing.push_async_callback(self.commits.aclose)
        self.meanwhile(self.commits.look_through())
        self.leftovers = Leftovers.look(state, store)
        closing.callback(self.leftovers.close)
        self.left_runs, to_be_told = _left_runs(state, store, self.leftovers)
        """The durable jobs that go on as soon as somebody wants their results."""
        self.meanwhile(remove_leftover_folders(self.leftovers, state.left_tmp()))
        self.losses = Losses()
        """How files that are lost are made again."""
        self.job_logs = JobLogs(state, clock.now)
        closing.callback(self.job_logs.writer.close)
        self._to_remove: dict[Path, bool] = {}
        self._removal: asyncio.Task[None] | None = None
        self._removals_end = asyncio.Event()
        closing.push_async_callback(self._end_of_removals)
        self.host = self._open_host(parts.descriptors)
        for folder in to_be_told:
            self.remove_run(folder, is_over=False)
        if state.kept.exists():
            self._kept.tidy()
        for fenced in self.leftovers.fenced:
            self.meanwhile(self.leftovers.see_to(fenced, self.processes, state.tmp))
        self.log_rules = LogRules(store)
        self.threshold = self._open_threshold()

    def log(self, job_id: str) -> LogSource:
        """The log of a job, which need not exist. Raises `BadJobId`."""
        from pycurrent.engine.follow import LogSource  # few logs are read

        path = self.state.job_path(job_id)
        held = None
        # Files are there, whatever has become of the records.
        with suppress(StoreError):
            held = self.store.held_log(job_id)
        return LogSource(path, held)

    @cached_property
    def processes(self) -> Processes:
        """The processes of the commands of jobs."""
        processes = self._make_processes()
        processes.spool_most = self.config.spool_max_size or 0
        return processes

    @cached_property
    def _kept(self) -> KeptFolders:
        from pycurrent.engine.kept_folders import KeptFolders  # few jobs have any

        state = self.state
        kept = KeptFolders(state.kept, state.runs, self.clock, self.host.trash)
        self._closing.callback(kept.close)
        return kept

    @cached_property
    def _leaving(self) -> Leaving:
        from pycurrent.engine.leaving import Leaving  # few jobs are at places

        state = self.state
        leaving = Leaving(lambda: self.processes, state.tmp, state.runs, state.kept, self.clock)
        self._closing.push_async_callback(leaving.aclose)
        # Places are told of all that have ended by then.
        self._closing.push_async_callback(self._end_of_removals)
        return leaving

    @cached_property
    def _folders(self) -> FolderTurns:
        from pycurrent.engine.cache_folder import FolderTurns  # few jobs have any
        from pycurrent.store.cache_folders import CacheFolders

        return FolderTurns(CacheFolders(self.state.cache, self.state.sharing))

    @cached_property
    def files(self) -> JobFiles:
        """The files that jobs save and place."""
        from pycurrent.engine.job_files import JobFiles  # few pipelines keep any
        from pycurrent.files import FileStore

        store = FileStore(self.state.files, self.state.sharing)
        return JobFiles(
            store, self.store.saved_files, self.commits, self.clock, self.losses, self.between_steps
        )

    @abstractmethod
    async def between_steps(self) -> None:
        """Wait until no step is unfinished."""

    async def _close_processes(self) -> None:
        if "processes" in vars(self):
            await self.processes.aclose()

    def _open_host(self, descriptors: Descriptors) -> JobHost:
        """The processes that jobs need, and the limits on them."""
        turns = Turns(self.config, descriptors)
        self._closing.callback(turns.close)
        self._closing.push_async_callback(self._close_processes)
        confirmations = Confirmations(self.config)
        self._closing.callback(confirmations.close)
        trash = Trash()
        self._closing.push_async_callback(trash.aclose)
        locks: set[int] = set()
        self.forks.keep_out(lambda: tuple(locks))
        return JobHost(
            self.thread,
            self.clock,
            self.config,
            confirmations,
            PausedWork(),
            ApprovedCommits(),
            lambda: self.processes,
            self.state.tmp,
            trash,
            self.state.runs,
            lambda: self._folders,
            lambda: self.files,
            self.commits,
            turns,
            locks,
            self._reports,
            lambda: self._kept,
            lambda: self._leaving,
            Waits(),
        )

    def _open_threshold(self) -> Threshold:
        """The level from which on jobs wait for confirmation, as it was last recorded."""
        threshold = Threshold(
            self.config,
            self.store,
            self.clock,
            self.problems,
            lost=not self.store.has_jobs and self.state.has_run,
            commit=self.commits.commit,
        )
        self._closing.callback(threshold.close)
        return threshold

    def fence(self, job: DrivenJob, key_digest: str) -> bool:
        """Have the same work wait for what a job that has ended may have left at its place. False
        if it has left nothing: then its run folder is needed no more.
        """
        if not job.has_left_something:
            return False
        from pycurrent.engine.fence import FencedJob  # few relays get lost

        try:
            fenced = FencedJob(job.id, (job.op, key_digest), self.state.runs / job.id)
        except LookupError:
            return False  # Somebody has damaged it.
        self.leftovers.fence(fenced)
        self.meanwhile(self.leftovers.see_to(fenced, self.processes, self.state.tmp))
        return True

    def remove_run(self, folder: Path, *, is_over: bool = True) -> None:
        """Remove the run folder of a job whose end is recorded, behind what goes on meanwhile, and
        when its place has been told. `is_over` if nothing of it runs any more.
        """
        self._to_remove[folder] = is_over
        if self._removal is None or self._removal.done():
            self._removal = self.loop.create_task(self._remove_folders())

    async def _remove_folders(self) -> None:
        """All that there are after a while at once: a thread for each would take longer."""
        from pycurrent.engine.journal import remove_runs  # few jobs are durable

        while self._to_remove:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GATHERED_FOR):
                    await self._removals_end.wait()
            found, self._to_remove = self._to_remove, {}
            folders = list(found)
            if "_leaving" in vars(self) or not all(found.values()):
                folders = await self._leaving.take(found)
            await in_thread(remove_runs, folders)

    async def _end_of_removals(self) -> None:
        self._removals_end.set()
        if self._removal is not None:
            await asyncio.gather(self._removal, return_exceptions=True)

    def meanwhile(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it in a task, which is done or cancelled at the end."""
        self._closing.push_async_callback(cancelled, self.loop.create_task(work))


def _left_runs(
    state: StateDir, store: Database, leftovers: Leftovers
) -> tuple[list[LeftRun], list[Path]]:
    """The durable jobs that a killed engine has left at work, and the run folders of others that
    have ended, and whose places are to be told that. The end of those that may have left something
    at another place is one of the `leftovers`.
    """
    if next(state.runs.glob("*/*"), None) is None:
        return [], []
    from pycurrent.engine.left_runs import look_for_left_runs  # few engines were killed

    return look_for_left_runs(state, store, leftovers)
