"""The states that a stage of a pipeline can be in, how many are in each, and how one is shown."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from msgspec import Struct

from pycurrent.incr import UNSET, Absent
from pycurrent.term.output import Active, Activity, Failed, Hold, Muted, Ok, Output


class State(IntEnum):
    """The state of a component or a named bind, in the order of `Stats`."""

    OK = 0
    WAITING_FOR_CONFIRMATION = 1
    READY = 2
    RUNNING = 3
    FAILED = 4
    BLOCKED = 5
    """It has no value only because an input failed or is not known yet."""
    MUTED = 6
    """It has failed, and people have muted that: it does not fail what is above."""

    @property
    def is_failure(self) -> bool:
        """True if it has failed by itself, muted or not."""
        return self is State.FAILED or self is State.MUTED

    @property
    def word(self) -> str:
        """The words that people read for it."""
        return _WORDS[self]

    @property
    def short_word(self) -> str:
        """The same where a column has no room for more."""
        return "waiting" if self is State.WAITING_FOR_CONFIRMATION else _WORDS[self]


_WORDS = {
    State.OK: "ok",
    State.WAITING_FOR_CONFIRMATION: "waiting for confirmation",
    State.READY: "queued",
    State.RUNNING: "running",
    State.FAILED: "failed",
    State.BLOCKED: "blocked",
    State.MUTED: "muted",
}

BY_CONCERN = (
    State.FAILED,
    State.WAITING_FOR_CONFIRMATION,
    State.RUNNING,
    State.READY,
    State.MUTED,
    State.BLOCKED,
    State.OK,
)
"""The states in the order in which they are shown: the one of most concern first."""


class Stats(Struct, frozen=True):
    """The number of a pipeline's stages in each state.

    They are `ok`, `waiting_for_confirmation`, `ready` (could start, and wait for a resource),
    `running`, `failed`, `blocked` by others, or `muted`.
    """

    ok: int = 0
    waiting_for_confirmation: int = 0
    ready: int = 0
    running: int = 0
    failed: int = 0
    blocked: int = 0
    muted: int = 0
    """The number of stages that have failed, and whose failures people have muted."""

    def of(self, state: State) -> int:
        """The number of stages in this state."""
        number: int = getattr(self, state.name.lower())
        return number

    @property
    def total(self) -> int:
        """The number of all stages."""
        return (
            self.ok
            + self.waiting_for_confirmation
            + self.ready
            + self.running
            + self.failed
            + self.blocked
            + self.muted
        )


_OF_ACTIVITY = {
    Activity.READY: State.READY,
    Activity.RUNNING: State.RUNNING,
    Activity.WAITING_FOR_CONFIRMATION: State.WAITING_FOR_CONFIRMATION,
}


def state_of_activity(activity: Activity) -> State:
    """The state of what is active in this way."""
    return _OF_ACTIVITY[activity]


def state_of(absent: Absent | None) -> State:
    """The state of what has this outcome by itself."""
    if absent is None:
        return State.OK
    if isinstance(absent, Active):
        return _OF_ACTIVITY[absent.activity]
    return State.MUTED if isinstance(absent, Muted) else State.FAILED


MAX_FAILURE = 4096
"""The characters of a failure's message that a node of the diagram carries."""


class Status(Struct, frozen=True):
    """How a box is drawn, besides its label."""

    state: State
    failure: str | None = None
    update: Activity | None = None
    job_id: str | None = None
    note: str | None = None
    hold: Hold | None = None


OK = Status(State.OK)
BLOCKED = Status(State.BLOCKED)


def status_of(absent: Absent | None) -> Status:
    """The status of what has this outcome by itself."""
    if absent is None:
        return OK
    if absent is UNSET:
        return BLOCKED
    note = absent.mute.words if isinstance(absent, Muted) else None
    return Status(state_of(absent), failure_of(absent), note=note)


def status_of_output(output: Output[Any]) -> Status:
    match output:
        case Ok():
            return OK
        case Failed() | Active() as absent:
            return status_of(absent)


def failure_of(absent: Absent | None) -> str | None:
    """The message of a failure as a node of the diagram carries it; None for anything else."""
    if not isinstance(absent, Failed):
        return None
    message = absent.message
    return message if len(message) <= MAX_FAILURE else message[: MAX_FAILURE - 1] + "…"
