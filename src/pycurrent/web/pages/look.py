"""How states look: a sign, a word, and (by the sign's name) a colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pycurrent.engine import JobState
from pycurrent.service import Ending, JobView
from pycurrent.term import Active, Activity, Failed, Ok, Output, State


@dataclass(frozen=True, slots=True)
class Look:
    """`sign` is one of ok, failed, running, waiting, ready, blocked."""

    sign: str
    word: str


OF_STATE = {
    State.OK: Look("ok", "ok"),
    State.FAILED: Look("failed", "failed"),
    State.RUNNING: Look("running", "running"),
    State.WAITING_FOR_CONFIRMATION: Look("waiting", "to confirm"),
    State.READY: Look("ready", "ready"),
    State.BLOCKED: Look("blocked", "blocked"),
}

OF_ACTIVITY = {
    Activity.READY: OF_STATE[State.READY],
    Activity.RUNNING: OF_STATE[State.RUNNING],
    Activity.WAITING_FOR_CONFIRMATION: OF_STATE[State.WAITING_FOR_CONFIRMATION],
}

OF_ENDING = {
    Ending.OK: Look("ok", "ok"),
    Ending.FAILED: Look("failed", "failed"),
    Ending.INTERRUPTED: Look("blocked", "interrupted"),
    Ending.DISCARDED: Look("blocked", "discarded"),
    Ending.RUNNING: Look("running", "not ended"),
}

_OF_JOB = {
    JobState.CREATED: Look("ready", "starting"),
    JobState.WAITING_FOR_CONFIRMATION: Look("waiting", "to confirm"),
    JobState.QUEUED: Look("ready", "queued"),
    JobState.RUNNING: Look("running", "running"),
    JobState.ENDED: Look("running", "ending"),
}

ORDER = (
    State.FAILED,
    State.WAITING_FOR_CONFIRMATION,
    State.RUNNING,
    State.READY,
    State.BLOCKED,
    State.OK,
)
"""That of most concern first."""


def of_job(job: JobView) -> Look:
    """A job that has not ended."""
    return Look("failed", "cancelling") if job.cancelled is not None else _OF_JOB[job.state]


def of_output(output: Output[Any]) -> Look:
    match output:
        case Ok():
            return Look("ok", "ok")
        case Failed():
            return Look("failed", "failed")
        case Active(activity):
            return OF_ACTIVITY[activity]
