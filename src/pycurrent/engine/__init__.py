"""The engine: steps, jobs, pools, processes, monitors, log rules."""

from typing import TYPE_CHECKING

from pycurrent.deferred import deferred
from pycurrent.engine.audit import Asker, Audit
from pycurrent.engine.clock import Clock, Moment, SystemClock, Timer
from pycurrent.engine.job import Job
from pycurrent.engine.job_host import JobHost
from pycurrent.engine.job_logs import JobLogs
from pycurrent.engine.job_state import JobState
from pycurrent.engine.level import Config, Level
from pycurrent.engine.limits import Limits
from pycurrent.engine.logrules import LogRule, LogRules
from pycurrent.engine.machine import Blame
from pycurrent.engine.mutes import Mute, MuteKind, Mutes, MuteSubject, NotMuted
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.engine.open_resources import EngineParts
from pycurrent.engine.overrides import Overrides
from pycurrent.engine.paused import Pausable, Pause, PauseBoard, PausedWork, PauseKind
from pycurrent.engine.problems import Effect, Problem, Problems
from pycurrent.engine.step import JobHandle, Listeners, Step

if TYPE_CHECKING:
    from pycurrent.engine.cache_folder import Cache
    from pycurrent.engine.command import CommandFailed, CommandOptions
    from pycurrent.engine.driven_job import DrivenJob
    from pycurrent.engine.follow import LogSource
    from pycurrent.engine.joblog import JobLog
    from pycurrent.engine.monitor import FileMonitor, Monitor
    from pycurrent.engine.not_started import CommandNotStarted
    from pycurrent.engine.place import JobPath, Place, PlaceLost
    from pycurrent.engine.pool import AnyPool, Pool, Urgency, Waiter
    from pycurrent.engine.process import Processes, SupervisorLost
    from pycurrent.engine.secret import Secret
    from pycurrent.engine.watching import watch_paths
else:
    __getattr__ = deferred(
        __name__,
        {
            "pycurrent.engine.cache_folder": ["Cache"],
            "pycurrent.engine.command": ["CommandFailed", "CommandOptions"],
            "pycurrent.engine.driven_job": ["DrivenJob"],
            "pycurrent.engine.follow": ["LogSource"],
            "pycurrent.engine.joblog": ["JobLog"],
            "pycurrent.engine.monitor": ["FileMonitor", "Monitor"],
            "pycurrent.engine.place": ["JobPath", "Place", "PlaceLost"],
            "pycurrent.engine.pool": ["AnyPool", "Pool", "Urgency", "Waiter"],
            "pycurrent.engine.not_started": ["CommandNotStarted"],
            "pycurrent.engine.process": ["Processes", "SupervisorLost"],
            "pycurrent.engine.secret": ["Secret"],
            "pycurrent.engine.watching": ["watch_paths"],
        },
    )

__all__ = [
    "AnyPool",
    "Asker",
    "Audit",
    "Blame",
    "Cache",
    "Clock",
    "CommandFailed",
    "CommandNotStarted",
    "CommandOptions",
    "Config",
    "DrivenJob",
    "Effect",
    "EngineParts",
    "FileMonitor",
    "Job",
    "JobHandle",
    "JobHost",
    "JobLog",
    "JobLogs",
    "JobPath",
    "JobState",
    "Level",
    "Limits",
    "Listeners",
    "LogRule",
    "LogRules",
    "LogSource",
    "Moment",
    "Monitor",
    "Mute",
    "MuteKind",
    "MuteSubject",
    "Mutes",
    "NotMuted",
    "OpenEngine",
    "Overrides",
    "Pausable",
    "Pause",
    "PauseBoard",
    "PauseKind",
    "PausedWork",
    "Place",
    "PlaceLost",
    "Pool",
    "Problem",
    "Problems",
    "Processes",
    "Secret",
    "Step",
    "SupervisorLost",
    "SystemClock",
    "Timer",
    "Urgency",
    "Waiter",
    "watch_paths",
]
