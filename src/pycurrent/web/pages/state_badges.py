"""How states look: a sign, a word, and (by the sign's name) a colour."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pycurrent.engine import JobState
from pycurrent.service import HealthState, HistoryEntry
from pycurrent.store import JobEnd
from pycurrent.term import (
    BY_CONCERN,
    Active,
    Activity,
    Failed,
    Muted,
    Ok,
    Output,
    State,
    state_of_activity,
)
from pycurrent.view import JobView
from pycurrent.view.formatting import job_word
from pycurrent.web.api.names import name_of


@dataclass(frozen=True, slots=True)
class Badge:
    """`sign` is one of ok, failed, running, waiting, ready, blocked, muted."""

    sign: str
    word: str


_SIGNS = {
    State.OK: "ok",
    State.FAILED: "failed",
    State.RUNNING: "running",
    State.WAITING_FOR_CONFIRMATION: "waiting",
    State.READY: "ready",
    State.BLOCKED: "blocked",
    State.MUTED: "muted",
}

OF_STATE = {state: Badge(_SIGNS[state], state.short_word) for state in BY_CONCERN}
"""In the order of concern."""

OF_ACTIVITY = {activity: OF_STATE[state_of_activity(activity)] for activity in Activity}

OF_HEALTH = {
    HealthState.NEW: Badge("failed", "new"),
    HealthState.STILL: Badge("failed", "still failing"),
    HealthState.FIXED: Badge("ok", "fixed"),
    HealthState.FLAKY: Badge("waiting", "flaky"),
    HealthState.WELL: Badge("ok", "well"),
    HealthState.UNKNOWN: Badge("blocked", "unknown"),
}

_END_SIGNS = {
    JobEnd.OK: "ok",
    JobEnd.FAILED: "failed",
    JobEnd.TIMED_OUT: "failed",
    JobEnd.CANCELLED: "blocked",
    JobEnd.SUPERSEDED: "blocked",
    JobEnd.INTERRUPTED: "blocked",
}

_JOB_SIGNS = {
    JobState.CREATED: "ready",
    JobState.WAITING_FOR_CONFIRMATION: "waiting",
    JobState.PAUSED: "waiting",
    JobState.QUEUED: "ready",
    JobState.RUNNING: "running",
    JobState.ENDED: "running",
}

_OF_JOB = {state: Badge(sign, job_word(state)) for state, sign in _JOB_SIGNS.items()}


def for_scripts() -> dict[str, object]:
    """The looks of states, in the order of concern, as the scripts of the pages read them."""
    return {
        "stages": [{"name": name_of(state), **asdict(badge)} for state, badge in OF_STATE.items()],
        "jobs": {name_of(state): asdict(badge) for state, badge in _OF_JOB.items()},
    }


def of_entry(entry: HistoryEntry) -> Badge:
    """How a job that was recorded has ended."""
    sign = "running" if entry.end is None else _END_SIGNS[entry.end]
    return Badge(sign, entry.end_word)


def of_job(job: JobView) -> Badge:
    """A job that has not ended."""
    return Badge("failed", "cancelling") if job.cancelled is not None else _OF_JOB[job.state]


def of_output(output: Output[Any]) -> Badge:
    match output:
        case Ok():
            return Badge("ok", "ok")
        case Muted():
            return OF_STATE[State.MUTED]
        case Failed():
            return Badge("failed", "failed")
        case Active(activity):
            return OF_ACTIVITY[activity]
