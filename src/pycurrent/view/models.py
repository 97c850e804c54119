"""Snapshots of jobs and stages, as values that do not change when the engine goes on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self, TypeAlias

from msgspec import Struct

from pycurrent.engine import JobState, Level, Pause, Problem
from pycurrent.term import NO_LABELS, Activity, Failed, Output, State, Stats


class ForConfirmation(Struct, frozen=True):
    """A job waits for a person to confirm it."""

    level: Level


class InQueue(Struct, frozen=True):
    """A job waits for a resource of a pool.

    `place` is 1 for the next one; None where the pool does not tell.
    """

    pool: str
    place: int | None


class ForResume(Struct, frozen=True):
    """A job waits until a pause ends."""

    what: str
    """The thing that is paused: `level average`, `pool builds`, `path web/build`."""
    by: str | None
    why: str | None
    until: datetime | None
    """The person who has paused it, the reason, and the end, as far as is known."""
    words: str
    """The same for people."""

    @classmethod
    def of(cls, pause: Pause) -> Self:
        return cls(str(pause.what), pause.by, pause.reason, pause.until, pause.words)


Wait: TypeAlias = ForConfirmation | ForResume | InQueue

_KIND_OF_UPDATE = {
    Activity.READY: State.READY,
    Activity.RUNNING: State.RUNNING,
    Activity.WAITING_FOR_CONFIRMATION: State.WAITING_FOR_CONFIRMATION,
}


def kind_of(state: State, update: Activity | None) -> State:
    """The state that a stage is listed under: an update behind an ok result counts."""
    if update is not None and state is State.OK:
        return _KIND_OF_UPDATE[update]
    return state


class JobView(Struct, frozen=True):
    """A job that has not ended."""

    id: str
    op: str
    description: str
    state: JobState
    created: datetime
    started: datetime | None
    """When its work began."""
    wait: Wait | None
    level: Level | None = None
    """How risky it is; None before it has said so."""
    pool: str | None = None
    """The pool of which it holds a resource, or waits for one."""
    cancelled: str | None = None
    """Why it was cancelled: it is coming to its end, then."""
    labels: Mapping[str, str] = NO_LABELS
    """The labels of the stages that want it."""
    is_lookup: bool = False
    """True if it leaves no record unless it finds something new."""
    runs_at: str | None = None
    """The place that its commands run at; None: the engine's machine, or it has none yet."""


class StageView(Struct, frozen=True):
    """A component or a named bind."""

    path: str
    """Its name for people and records, the same from run to run."""
    label: str
    """The text of its box, with the values that are known."""
    state: State
    update: Activity | None
    """The activity of the update behind the result that is still reported."""
    since: datetime
    """When it got into this state, or began to be updated; for a job that runs, its start."""
    job_id: str | None
    """The job that its result is from, or will be."""
    description: str | None
    """The operation's description of that job."""
    job: JobView | None
    """That job, until it has ended."""
    failure: Failed | None
    note: str | None = None
    """A note for people, such as why the stage waits."""
    others: int = 0
    """How many stages have failed by the same job, and are not listed beside this one."""

    @property
    def kind(self) -> State:
        """The state that it is listed under: see `kind_of`."""
        return kind_of(self.state, self.update)

    @property
    def wait(self) -> Wait | None:
        """The confirmation or the queue that its job waits for, if any."""
        return None if self.job is None else self.job.wait


class StageChange(Struct, frozen=True):
    """A change of a stage that is or was of interest, made by one step: see `EngineView`."""

    before: State | None
    """The state that it was listed under before. None if it was not listed, or ran without a job,
    as while an operation is asked whether a result is still there.
    """
    stage: StageView
    took: timedelta | None
    """How long its job's work took, if that has ended with this step."""


class Headline(Struct, frozen=True):
    """The failure to be told of first."""

    path: str | None
    """The stage that has failed last; None if the pipeline has failed without one."""
    message: str
    """Why, in a line."""
    more: int
    """How many other stages have failed."""


class Overview(Struct, frozen=True):
    """The pipeline as a whole."""

    result: Output[Any]
    counts: Stats
    stages: tuple[StageView, ...]
    """The stages of most interest, as many as were asked for, grouped by kind; of those that one
    job has failed only the first.
    """
    of_interest: Stats
    """How many of each kind there are of interest: `stages` may show fewer."""
    jobs: int
    """How many jobs have not ended, those that nobody needs any more included."""
    confirm: Level | None
    """Jobs at this level or above wait for confirmation."""
    paused: bool = False
    """True if a stage of interest waits for a pause that people have set to end."""
    pauses: int = 0
    """How much work the machine has failed, and is tried again after a pause."""
    problems: tuple[Problem, ...] = ()
    """The problems of the engine itself."""
