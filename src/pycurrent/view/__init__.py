"""A typed view of a running engine: its stages of interest and its jobs, for all that show them."""

from pycurrent.view.engine_view import EngineView, one_by_one, share, show_job, show_jobs
from pycurrent.view.models import (
    ForConfirmation,
    ForResume,
    Headline,
    InQueue,
    JobView,
    Overview,
    StageChange,
    StageView,
    Wait,
)

__all__ = [
    "EngineView",
    "ForConfirmation",
    "ForResume",
    "Headline",
    "InQueue",
    "JobView",
    "Overview",
    "StageChange",
    "StageView",
    "Wait",
    "one_by_one",
    "share",
    "show_job",
    "show_jobs",
]
