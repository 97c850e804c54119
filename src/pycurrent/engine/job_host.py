"""The parts of an engine that its jobs share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from pycurrent.engine.approvals import ApprovedCommits
from pycurrent.engine.clock import Clock
from pycurrent.engine.commits import Commits
from pycurrent.engine.leftovers import JobLock
from pycurrent.engine.level import NO_LEASE, Config, Confirmations
from pycurrent.engine.paused import PausedWork
from pycurrent.engine.tempdirs import Trash
from pycurrent.engine.thread import LoopThread
from pycurrent.engine.turns import Turn, Turns
from pycurrent.engine.waits import Told, Waits

if TYPE_CHECKING:
    from pycurrent.engine.cache_folder import FolderTurns
    from pycurrent.engine.commands import Commands
    from pycurrent.engine.durable_commands import DurableCommands
    from pycurrent.engine.job_files import JobFiles
    from pycurrent.engine.job_reports import JobReports
    from pycurrent.engine.joblog import JobLog
    from pycurrent.engine.kept_folders import KeptFolders
    from pycurrent.engine.leaving import Leaving
    from pycurrent.engine.left_runs import LeftRun
    from pycurrent.engine.place_commands import PlaceCommands
    from pycurrent.engine.process import Processes


class JobHost(Struct, frozen=True):
    """The parts of an engine that its jobs share."""

    thread: LoopThread
    clock: Clock
    config: Config
    confirmations: Confirmations
    paused: PausedWork
    approved: ApprovedCommits
    processes: Callable[[], Processes]
    """Gives the processes of the engine, which are made for the first command."""
    tmp: Path
    """Where temporary folders are made."""
    trash: Trash
    """Removes large ones behind their jobs."""
    runs: Path
    """Where the locks of jobs are."""
    folders: Callable[[], FolderTurns]
    """Gives the cache folders, and who has them."""
    files: Callable[[], JobFiles]
    """Gives the store of files."""
    commits: Commits
    """No work begins while they fail."""
    turns: Turns
    locks: set[int]
    """The open files that hold locks of jobs."""
    reports: Callable[[], JobReports]
    """Gives what takes the reports of jobs."""
    kept: Callable[[], KeptFolders]
    """Gives the folders of jobs that have failed."""
    leaving: Callable[[], Leaving]
    """Gives what tells places of the ends of jobs."""
    waits: Waits
    """The things for which jobs wait while they are at work."""

    def commands(self, job_id: str, log: JobLog) -> Commands:
        """The commands of a job, none yet."""
        from pycurrent.engine.commands import Commands  # many jobs have none

        lock = JobLock(self.runs, job_id, self.locks)
        return Commands(self.processes(), log, self.tmp, lock, Turn(self.turns))

    def place_commands(
        self,
        job_id: str,
        log: JobLog,
        diverged: Callable[[], None],
        waiting: Callable[[Told], AbstractContextManager[None]],
        *,
        goes_on: bool,
        left: LeftRun | None = None,
    ) -> PlaceCommands:
        """The commands of a job at another place; durable if the job `goes_on` under the next
        engine.
        """
        from pycurrent.engine.place_commands import PlaceCommands

        lock, turn = JobLock(self.runs, job_id, self.locks), Turn(self.turns)
        lease = self._lease if goes_on else 0.0
        processes = self.processes()
        return PlaceCommands(
            processes,
            log,
            self.tmp,
            lock,
            turn,
            lease,
            diverged,
            left,
            showing=partial(self.waits.waiting, job_id),
            waiting=waiting,
            trash=self.trash,
            leaving=self.leaving(),
        )

    @property
    def _lease(self) -> float:
        """The lease of durable commands, in seconds."""
        lease = NO_LEASE if self.config.lease is None else self.config.lease
        return lease.total_seconds()

    def durable_commands(
        self,
        job_id: str,
        log: JobLog,
        diverged: Callable[[], None],
        left: LeftRun | None = None,
    ) -> DurableCommands:
        """The commands of a durable job: none yet, or those that an earlier engine has left."""
        from pycurrent.engine.durable_commands import DurableCommands

        lock, turn = JobLock(self.runs, job_id, self.locks), Turn(self.turns)
        processes = self.processes()
        return DurableCommands(
            processes,
            log,
            self.tmp,
            lock,
            turn,
            self._lease,
            diverged,
            left,
            showing=partial(self.waits.waiting, job_id),
        )
