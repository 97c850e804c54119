"""What people see of an engine, and of what it has left on disk: one typed view for all faces."""

from pycurrent.service.history import Ending, HistoryEntry, Records
from pycurrent.service.view import EngineView
from pycurrent.service.views import (
    ForConfirmation,
    InQueue,
    JobView,
    Overview,
    StageChange,
    StageView,
    Wait,
)

__all__ = [
    "Ending",
    "EngineView",
    "ForConfirmation",
    "HistoryEntry",
    "InQueue",
    "JobView",
    "Overview",
    "Records",
    "StageChange",
    "StageView",
    "Wait",
]
