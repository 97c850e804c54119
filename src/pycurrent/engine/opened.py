"""What an engine has open while it runs: the state directory, the records, what jobs need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from pycurrent.engine.clock import Clock
from pycurrent.engine.commits import Commits
from pycurrent.engine.descriptors import Descriptors
from pycurrent.engine.forks import Forks
from pycurrent.engine.idle import Work
from pycurrent.engine.job_host import JobHost
from pycurrent.engine.leftovers import Leftovers, remove_leftover_folders
from pycurrent.engine.level import Config
from pycurrent.engine.logrules import LogRules
from pycurrent.engine.problems import Problems
from pycurrent.engine.process import Processes
from pycurrent.engine.tasks import cancelled
from pycurrent.engine.thread import LoopThread
from pycurrent.engine.threshold import Threshold
from pycurrent.engine.turns import Turns
from pycurrent.store import Database, Sharing, StateDir


class Opened:
    """Made in a running event loop. `closing` closes what is open, the last one first; what was
    opened before an error, too.
    """

    def __init__(
        self,
        closing: AsyncExitStack,
        path: Path,
        sharing: Sharing,
        config: Config,
        clock: Clock,
        problems: Problems,
        work: Work,
        thread: LoopThread,
        resumed: Callable[[], None],
    ) -> None:
        """`resumed` is called when records can be written again, where they could not be."""
        self._closing = closing
        self._sharing = sharing
        self._config = config
        self._clock = clock
        self._problems = problems
        self._loop = asyncio.get_running_loop()
        self.state = closing.enter_context(StateDir.open(path, sharing=sharing))
        self.forks = Forks()
        self.forks.keep_out(lambda: self.state.locks)
        closing.callback(self.forks.close)
        self._open_records(work, resumed)
        self.processes, self.host = self._open_host(thread)
        self.log_rules = LogRules(self.store)
        self.threshold = self._open_threshold()

    def _open_records(self, work: Work, resumed: Callable[[], None]) -> None:
        """The database, and what an engine that was killed has left."""
        self.store = Database.open(self.state.database, sharing=self._sharing)
        self.commits = Commits(self.store, self._clock, self._problems, work, resumed=resumed)
        self._closing.callback(self.commits.close)
        self._meanwhile(self.commits.look_through())
        self.leftovers = Leftovers.look(self.state, self.store)
        self._closing.callback(self.leftovers.close)
        self._meanwhile(remove_leftover_folders(self.leftovers, self.state.left_tmp()))

    def _open_host(self, thread: LoopThread) -> tuple[Processes, JobHost]:
        """What jobs need: processes, and the limits on them."""
        descriptors = Descriptors()
        self._closing.callback(descriptors.close)
        turns = Turns(self._config, descriptors)
        self._closing.callback(turns.close)
        processes = Processes(descriptors=descriptors.soft)
        self._closing.push_async_callback(processes.aclose)
        locks: set[int] = set()
        self.forks.keep_out(lambda: tuple(locks))
        host = JobHost(
            thread,
            self._clock,
            self._config,
            processes,
            self.state.tmp,
            self.state.runs,
            self.commits,
            turns,
            locks,
        )
        return processes, host

    def _open_threshold(self) -> Threshold:
        """The level from which on jobs wait for confirmation, as it was last recorded."""
        threshold = Threshold(
            self._config,
            self.store,
            self._clock,
            self._problems,
            lost=not self.store.has_jobs and self.state.has_logs,
            commit=self.commits.commit,
        )
        self._closing.callback(threshold.close)
        return threshold

    def _meanwhile(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it in a task, until the end."""
        self._closing.push_async_callback(cancelled, self._loop.create_task(work))
