"""The states of a job; `job_start.py` says what leads from one to the next."""

from __future__ import annotations

from enum import Enum


class JobState(Enum):
    """Where a job is on its way."""

    CREATED = "created"
    WAITING_FOR_CONFIRMATION = "waiting for confirmation"
    PAUSED = "paused"
    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"
