"""What an engine lends to its jobs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pycurrent.engine.clock import Clock
from pycurrent.engine.commits import Commits
from pycurrent.engine.level import Config
from pycurrent.engine.process import Processes
from pycurrent.engine.thread import LoopThread
from pycurrent.engine.turns import Turns


@dataclass(frozen=True, slots=True)
class JobHost:
    """What the jobs of one engine share."""

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
