"""The state directory and the database of one engine.

Backups and the removal of garbage are in `backup.py` and `gc.py`: an engine needs neither.
"""

from typing import TYPE_CHECKING

from pycurrent.deferred import deferred
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
    StoreGone,
    StoreReadOnly,
)
from pycurrent.store.overrides import OverrideKey, OverrideKind, OverrideRecord
from pycurrent.store.reader import DatabaseReader, HistoryRecords
from pycurrent.store.records import (
    BuildRecord,
    HeldLog,
    HeldText,
    JobEnd,
    JobRecord,
    LastResult,
    RuleRecord,
)
from pycurrent.store.saved_files import SavedFiles
from pycurrent.store.saved_reader import SavedFilesReader
from pycurrent.store.saved_record import SavedRecord
from pycurrent.store.sharing import Sharing
from pycurrent.store.state_dir import StateDir
from pycurrent.store.uses import UseRecord, labels_text

if TYPE_CHECKING:
    from pycurrent.store.access import AccessDatabase, SessionRecord, TokenRecord
    from pycurrent.store.annotations import (
        Annotation,
        AnnotationCounts,
        AnnotationLevel,
        AnnotationTable,
        add_annotations,
    )
    from pycurrent.store.audit import AuditFilters, AuditRecord, Chain
    from pycurrent.store.change_filter import ChangeFilters
    from pycurrent.store.changes import ChangeKind, ChangeRecord, InputRecord, InputValue
    from pycurrent.store.coverage import (
        Coverage,
        CoverageReport,
        FileCoverage,
    )
    from pycurrent.store.coverage_tables import CoverageTables
    from pycurrent.store.deliveries import DeliveryRecord
    from pycurrent.store.failures import (
        FailureFilters,
        FailureGroup,
        FailureRecord,
        LaterFinding,
        StageFailing,
    )
    from pycurrent.store.firings import FiringRecord
    from pycurrent.store.history import SECONDS
    from pycurrent.store.history_filter import CURSOR, SHOWN, HistoryFilter, HistoryFilters
    from pycurrent.store.label_filter import CONDITION, LabelFilter, all_pass, matches
    from pycurrent.store.ran import RanRecord
    from pycurrent.store.runs import RunLength, RunRecord
    from pycurrent.store.test_cases import (
        TestCase,
        TestCounts,
        TestFilters,
        TestReport,
        TestResult,
        TestRun,
        TestTrouble,
    )
    from pycurrent.store.test_tables import TestTables
    from pycurrent.store.to_retire import SetKey
    from pycurrent.store.use_filter import UseFilter
else:
    __getattr__ = deferred(
        __name__,
        {
            "pycurrent.store.access": ["AccessDatabase", "SessionRecord", "TokenRecord"],
            "pycurrent.store.annotations": [
                "Annotation",
                "AnnotationCounts",
                "AnnotationLevel",
                "AnnotationTable",
                "add_annotations",
            ],
            "pycurrent.store.audit": ["AuditFilters", "AuditRecord", "Chain"],
            "pycurrent.store.change_filter": ["ChangeFilters"],
            "pycurrent.store.changes": ["ChangeKind", "ChangeRecord", "InputRecord", "InputValue"],
            "pycurrent.store.coverage": [
                "Coverage",
                "CoverageReport",
                "FileCoverage",
            ],
            "pycurrent.store.coverage_tables": ["CoverageTables"],
            "pycurrent.store.deliveries": ["DeliveryRecord"],
            "pycurrent.store.failures": [
                "FailureFilters",
                "FailureGroup",
                "FailureRecord",
                "LaterFinding",
                "StageFailing",
            ],
            "pycurrent.store.firings": ["FiringRecord"],
            "pycurrent.store.history": ["SECONDS"],
            "pycurrent.store.history_filter": [
                "CURSOR",
                "SHOWN",
                "HistoryFilter",
                "HistoryFilters",
            ],
            "pycurrent.store.label_filter": ["CONDITION", "LabelFilter", "all_pass", "matches"],
            "pycurrent.store.ran": ["RanRecord"],
            "pycurrent.store.runs": ["RunLength", "RunRecord"],
            "pycurrent.store.test_cases": [
                "TestCase",
                "TestCounts",
                "TestFilters",
                "TestReport",
                "TestResult",
                "TestRun",
                "TestTrouble",
            ],
            "pycurrent.store.test_tables": ["TestTables"],
            "pycurrent.store.to_retire": ["SetKey"],
            "pycurrent.store.use_filter": ["UseFilter"],
        },
    )

__all__ = [
    "CONDITION",
    "CURSOR",
    "SECONDS",
    "SHOWN",
    "AccessDatabase",
    "Annotation",
    "AnnotationCounts",
    "AnnotationLevel",
    "AnnotationTable",
    "AuditFilters",
    "AuditRecord",
    "BadJobId",
    "BuildRecord",
    "Chain",
    "ChangeFilters",
    "ChangeKind",
    "ChangeRecord",
    "Coverage",
    "CoverageReport",
    "CoverageTables",
    "Database",
    "DatabaseReader",
    "DeliveryRecord",
    "FailureFilters",
    "FailureGroup",
    "FailureRecord",
    "FileCoverage",
    "FiringRecord",
    "HeldLog",
    "HeldText",
    "HistoryFilter",
    "HistoryFilters",
    "HistoryRecords",
    "InputRecord",
    "InputValue",
    "JobEnd",
    "JobRecord",
    "LabelFilter",
    "LastResult",
    "LaterFinding",
    "NewerVersion",
    "OverrideKey",
    "OverrideKind",
    "OverrideRecord",
    "RanRecord",
    "RuleRecord",
    "RunLength",
    "RunRecord",
    "SavedFiles",
    "SavedFilesReader",
    "SavedRecord",
    "SessionRecord",
    "SetKey",
    "Sharing",
    "StageFailing",
    "StateDir",
    "StateDirError",
    "StateDirLocked",
    "StoreBusy",
    "StoreDamaged",
    "StoreError",
    "StoreFull",
    "StoreGone",
    "StoreReadOnly",
    "TestCase",
    "TestCounts",
    "TestFilters",
    "TestReport",
    "TestResult",
    "TestRun",
    "TestTables",
    "TestTrouble",
    "TokenRecord",
    "UseFilter",
    "UseRecord",
    "add_annotations",
    "all_pass",
    "labels_text",
    "matches",
]
