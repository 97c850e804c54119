"""The names of the room: `pycurrent.service` gives them, imported when one is first used."""

from pycurrent.engine.pinnable import Pin, RecordedValue
from pycurrent.engine.pins import NoSuchStage, NotPinned
from pycurrent.explain.comparison import Comparison, DiffLine, Hunk
from pycurrent.explain.feed import MOST_COUNTED, ChangeStory, FeedEntry
from pycurrent.explain.health import Flip, HealthState, StageHealth
from pycurrent.explain.history import HistoryEntry, HistoryPage, attempts_of
from pycurrent.explain.reasons import (
    Blocked,
    Difference,
    Failing,
    Ran,
    Reason,
    WaitsForConfirmation,
    WaitsForResume,
    WaitsInQueue,
    WaitsUntil,
)
from pycurrent.explain.sentences import sentences, told
from pycurrent.explain.why import UnknownSubject, Why
from pycurrent.service.archive import Archive
from pycurrent.service.confirmation import Confirmation, ConfirmationLevel
from pycurrent.service.errors import BadPattern, FilesRemoved, NoSuchFile, NoSuchJob, NoSuchRule
from pycurrent.service.estimate import Estimate, estimate_of
from pycurrent.service.events import (
    Batch,
    ConfirmChanged,
    Event,
    EventHub,
    EventId,
    JobsChanged,
    NodeState,
    OverviewChanged,
    Reset,
    StatesChanged,
    StructureChanged,
)
from pycurrent.service.failing import FailingStage, telling_line, telling_lines
from pycurrent.service.found_stage import FoundStage
from pycurrent.service.history import Records
from pycurrent.service.items import Below, Item, ItemStages, Labelled
from pycurrent.service.job_selection import JobSelection
from pycurrent.service.jobs import (
    Action,
    ActivePage,
    Done,
    JobDetail,
    Jobs,
    Rebuild,
    Rebuilding,
    RebuiltOnceNeeded,
    Refused,
    Would,
)
from pycurrent.service.kept_files import Kept, KeptFiles, OpenFile
from pycurrent.service.latest_files import LatestFile, SeveralFiles
from pycurrent.service.log_following import LogEnd
from pycurrent.service.log_index import LogLine, LogWindow
from pycurrent.service.log_search import LogMatch, LogMatches, LogQuery, Syntax
from pycurrent.service.logs import LogPart, Logs
from pycurrent.service.many_mutes import mute_stages
from pycurrent.service.metrics import Metrics, MetricsReading, PoolMetrics
from pycurrent.service.pipeline import PipelineFeed, Snapshot
from pycurrent.service.rules import (
    Applied,
    Rules,
    Trial,
    TriedOn,
    kind_named,
    rules_from_csv,
    rules_to_csv,
)
from pycurrent.service.service import Health, Service
from pycurrent.service.timeline import (
    Pace,
    Trend,
    critical_path,
    expected_end,
    jobs_of_stages,
    paces_of,
)
from pycurrent.service.untrusted_commits import UntrustedCommit
from pycurrent.service.window import WHOLE, Window

__all__ = [
    "MOST_COUNTED",
    "WHOLE",
    "Action",
    "ActivePage",
    "Applied",
    "Archive",
    "BadPattern",
    "Batch",
    "Below",
    "Blocked",
    "ChangeStory",
    "Comparison",
    "ConfirmChanged",
    "Confirmation",
    "ConfirmationLevel",
    "DiffLine",
    "Difference",
    "Done",
    "Estimate",
    "Event",
    "EventHub",
    "EventId",
    "Failing",
    "FailingStage",
    "FeedEntry",
    "FilesRemoved",
    "Flip",
    "FoundStage",
    "Health",
    "HealthState",
    "HistoryEntry",
    "HistoryPage",
    "Hunk",
    "Item",
    "ItemStages",
    "JobDetail",
    "JobSelection",
    "Jobs",
    "JobsChanged",
    "Kept",
    "KeptFiles",
    "Labelled",
    "LatestFile",
    "LogEnd",
    "LogLine",
    "LogMatch",
    "LogMatches",
    "LogPart",
    "LogQuery",
    "LogWindow",
    "Logs",
    "Metrics",
    "MetricsReading",
    "NoSuchFile",
    "NoSuchJob",
    "NoSuchRule",
    "NoSuchStage",
    "NodeState",
    "NotPinned",
    "OpenFile",
    "OverviewChanged",
    "Pace",
    "Pin",
    "PipelineFeed",
    "PoolMetrics",
    "Ran",
    "Reason",
    "Rebuild",
    "Rebuilding",
    "RebuiltOnceNeeded",
    "RecordedValue",
    "Records",
    "Refused",
    "Reset",
    "Rules",
    "Service",
    "SeveralFiles",
    "Snapshot",
    "StageHealth",
    "StatesChanged",
    "StructureChanged",
    "Syntax",
    "Trend",
    "Trial",
    "TriedOn",
    "UnknownSubject",
    "UntrustedCommit",
    "WaitsForConfirmation",
    "WaitsForResume",
    "WaitsInQueue",
    "WaitsUntil",
    "Why",
    "Window",
    "Would",
    "attempts_of",
    "critical_path",
    "estimate_of",
    "expected_end",
    "jobs_of_stages",
    "kind_named",
    "mute_stages",
    "paces_of",
    "rules_from_csv",
    "rules_to_csv",
    "sentences",
    "telling_line",
    "telling_lines",
    "told",
]
