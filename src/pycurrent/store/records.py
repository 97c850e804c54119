"""The records of the store.

A job has a record from its creation on. It ends in one of three ways: *finished*, with a result
that holds for its key from then on; *interrupted*, because its engine was killed; *discarded*,
because nobody wanted it any more and it was cancelled: such a run has no result.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class JobState(Enum):
    """How far a job is, as the store knows it. Its value is what the rows hold."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job, in any state.

    `ready`, `running` and `finished` are when it was created, when its work started (None: not
    yet, or never) and when it ended (None: not yet, or interrupted); all aware, in UTC.
    `ok` and `outcome` are the result, set exactly when `state` is FINISHED: the JSON of what was
    made, or the failure's message; its `kind` is None if it is the work's own. `rebuild` tells that
    somebody asked to have it made again.
    """

    job_id: str
    op: str
    key: str
    key_digest: str
    value: str | None
    value_digest: str | None
    build: int
    level: str | None
    state: JobState
    ready: datetime
    running: datetime | None
    finished: datetime | None
    ok: bool | None
    outcome: str | None
    labels: str | None
    reason: str | None
    rebuild: bool = False
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """One result: a finished job, seen from its key. The fields are those of `JobRecord`."""

    job_id: str
    op: str
    key: str
    key_digest: str
    value: str | None
    value_digest: str | None
    build: int
    level: str | None
    ready: datetime
    running: datetime | None
    finished: datetime
    ok: bool
    outcome: str
    rebuild: bool = False
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """A log rule: where `pattern` matches, `report` may be the failure's message.

    Of several that match, the one with the highest `score` is taken.
    """

    pattern: str
    report: str
    score: int
