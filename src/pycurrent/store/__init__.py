"""The state directory and the database of one engine."""

from pycurrent.store.database import Database
from pycurrent.store.errors import (
    BadJobId,
    NewerVersion,
    StateDirError,
    StateDirLocked,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
)
from pycurrent.store.gc import GcMode, GcReport, collect_garbage
from pycurrent.store.reader import DatabaseReader
from pycurrent.store.records import BuildRecord, JobRecord, JobState, RuleRecord
from pycurrent.store.state_dir import StateDir

__all__ = [
    "BadJobId",
    "BuildRecord",
    "Database",
    "DatabaseReader",
    "GcMode",
    "GcReport",
    "JobRecord",
    "JobState",
    "NewerVersion",
    "RuleRecord",
    "StateDir",
    "StateDirError",
    "StateDirLocked",
    "StoreBusy",
    "StoreDamaged",
    "StoreError",
    "StoreFull",
    "collect_garbage",
]
