"""The reasons that `why` gives: a closed union. Their sentences are in `sentences.py`."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from pycurrent.cache import Cause
from pycurrent.engine.shares import ShareView
from pycurrent.store import ChangeRecord, JobEnd, JobRecord


class Difference(Struct, frozen=True):
    """A field of a key or a value that differs from the stage's last job."""

    field: str
    """Its name, with that of a member if it has some: `env MODE`, `tree packages/a`; `key` or
    `value` if that has no fields.
    """
    old: str | None
    """As JSON, or a plain text; None if it was not there."""
    new: str | None


class Phase(Enum):
    """How far a job has come, by its record."""

    WAITS = "waits"
    """Its work has not begun."""
    RUNS = "runs"
    """Its work has begun, and has not ended. The records of an engine that was killed say so until
    the next one opens them.
    """
    RAN = "ran"
    DROPPED = "dropped"
    """It ended before its work had begun."""

    @classmethod
    def of(cls, record: JobRecord) -> Phase:
        if record.ended is None:
            return cls.WAITS if record.started is None else cls.RUNS
        # A function that fails before it has started its job has run.
        has_run = record.started is not None or record.ended is JobEnd.FAILED
        return cls.RAN if has_run else cls.DROPPED

    @property
    def words(self) -> str:
        """The phase as a predicate, for "because" to follow."""
        match self:
            case Phase.WAITS:
                return "is to run"
            case Phase.RUNS:
                return "runs"
            case Phase.RAN:
                return "was run"
            case Phase.DROPPED:
                return "was to run"


class Ran(Struct, frozen=True, tag="ran"):
    """A job was run for it, is, or is to be."""

    job: str
    phase: Phase
    cause: Cause | None
    """None if it was recorded before there were causes."""
    changes: tuple[ChangeRecord, ...]
    """The changes from outside that it follows from, the newest first."""
    last: str | None
    """The last job of the same stage; None if there was none, or none is known."""
    differences: tuple[Difference, ...]
    """The fields in which it differs from that one."""


class Reused(Struct, frozen=True, tag="reused"):
    """The result was known already when the stage came to need it."""

    job: str
    finished: datetime


class FoundAgain(Struct, frozen=True, tag="found again"):
    """The result of a lookup was looked up again since, and had not changed."""

    job: str
    at: datetime
    """When that was last."""
    times: int


class Running(Struct, frozen=True, tag="running"):
    """Its job is at work."""

    job: str
    since: datetime | None
    stopped: str | None
    """Why it is to end, if it is."""
    waits: tuple[str, ...] = ()
    """The things that it waits for in the middle of its work."""


class WaitsForConfirmation(Struct, frozen=True, tag="waits for confirmation"):
    """Its job has a level that somebody has to approve."""

    job: str
    level: str
    threshold: str
    """Jobs of this level, or above it, wait."""


class WaitsForApproval(Struct, frozen=True, tag="waits for approval"):
    """Its job is to run untrusted code, of a commit that somebody has to approve."""

    job: str
    commit: str
    source: str
    """Where the commit is from."""


class WaitsForResume(Struct, frozen=True, tag="waits for resume"):
    """Its job is paused."""

    job: str
    what: str
    """The thing that is paused: `level average`, `pool builds`, `path web/build`."""
    by: str | None
    """The person who has paused it, if that is known."""
    why: str | None
    until: datetime | None
    """When the pause ends by itself; None: never."""


class WaitsInQueue(Struct, frozen=True, tag="waits in queue"):
    """Its job waits for a resource."""

    job: str
    pool: str
    place: int | None
    """1 is next; None if the pool does not say."""
    waiting: int | None
    """How many wait for the same pool, this one too; None if the pool does not say."""
    holders: tuple[str, ...]
    """Jobs that hold a resource of it, the oldest first; not all if they are many. If the quota of
    its share is used up, only jobs of that share.
    """
    share: ShareView | None = None
    """The share that it belongs to; None if the pool is not shared by a label."""
    waits_for: tuple[str, ...] = ()
    """In words for people, for hosts, say, or for Slurm: the waits of the pool itself."""


class WaitsForRun(Struct, frozen=True, tag="waits for run"):
    """An earlier run of the same key has to end first."""

    job: str


class WaitsForEnd(Struct, frozen=True, tag="waits for end"):
    """Something of an earlier run of the same work has to end before its job begins."""

    job: str
    waits: tuple[str, ...]
    """The things that it waits for, in words for people."""


class WaitsUntil(Struct, frozen=True, tag="waits until"):
    """The last run has failed, and there is a pause before the next."""

    until: datetime
    why: str
    """The message of the failure."""
    attempt: int | None = None
    """The number of the next attempt, `of` so many; both None if the machine has failed the
    last one, which is tried again as often as it takes.
    """
    of: int | None = None


class WaitsForAnswer(Struct, frozen=True, tag="waits for answer"):
    """Its operation is asked whether the result is still there."""

    job: str


class TakenAsThere(Struct, frozen=True, tag="taken as there"):
    """Nobody knows whether its result is still there, so it counts as there."""

    why: str
    again: datetime
    """When the operation is asked again."""


class WaitsForRecords(Struct, frozen=True, tag="waits for records"):
    """The database can't be written now, and nothing is begun that can't be recorded."""

    why: str


class WaitsForStep(Struct, frozen=True, tag="waits for step"):
    """It goes on with the engine's next step, or in a moment."""


class WaitsForRead(Struct, frozen=True, tag="waits for read"):
    """It is an input that was not read yet, or is being read."""

    input: str | None
    last_known: str | None
    """Its value in the last run."""


class InConflict(Struct, frozen=True, tag="conflict"):
    """Two stages want different values for one key."""

    message: str


class Blocked(Struct, frozen=True, tag="blocked"):
    """Other stages have no value, and it needs theirs."""

    stages: tuple[str, ...]
    """The paths of the nearest ones."""
    more: int
    """How many more there are at least."""


class MadeAgain(Struct, frozen=True, tag="made again"):
    """It shows an old result while a new one is being made."""

    activity: str


class Failing(Struct, frozen=True, tag="failed"):
    """It has failed by itself."""

    message: str


class FailureMuted(Struct, frozen=True, tag="muted"):
    """A failure is muted: its own, or that of a stage which it needs."""

    stage: str | None
    """The path of that stage; None if it is its own."""
    what: str
    """The subject of the mute: `path web/test`, `fingerprint 3f2a1c0d9e8b`."""
    by: str | None
    """The person who has muted it; None if code has, and did not say for whom."""
    owner: str
    """The one who is to fix it."""
    at: datetime
    reason: str
    until: datetime
    """When that ends by itself, at the latest."""
    passes: int
    """How often it has passed in a row since then."""


class Given(Struct, frozen=True, tag="given"):
    """It has its value from outside: an input, say."""

    input: str | None
    change: ChangeRecord | None
    """The change by which it came, if it has changed since the engine was started."""
    by: str | None = None
    reason: str | None = None
    """The person who has set it, if one has, and why."""
    is_held: bool = False
    """True if the stage is pinned, and has another value all the same."""


class Pinned(Struct, frozen=True, tag="pinned"):
    """It is held at a value, whatever its input gives."""

    value: str
    """As people read it, shortened."""
    by: str | None
    """The person who has pinned it; None if code has, and did not say for whom."""
    at: datetime
    reason: str | None
    until: datetime | None
    """When that ends by itself; None: never."""


class Says(Struct, frozen=True, tag="says"):
    """Its source says so, and no more."""

    activity: str
    note: str | None = None
    """More that the source has to say: what it waits for, say."""


Reason: TypeAlias = (
    Ran
    | Reused
    | FoundAgain
    | Running
    | WaitsForConfirmation
    | WaitsForApproval
    | WaitsForResume
    | WaitsInQueue
    | WaitsForRun
    | WaitsForEnd
    | WaitsUntil
    | WaitsForAnswer
    | TakenAsThere
    | WaitsForRecords
    | WaitsForStep
    | WaitsForRead
    | InConflict
    | Blocked
    | MadeAgain
    | Failing
    | FailureMuted
    | Given
    | Pinned
    | Says
)
