"""Why a job was run: a closed union, recorded with each job.

The instance of a key carries the cause of its next run from the moment at which its last result
stopped counting (see `Unknown` in `states.py`). The first lines of the job's log tell it, but for
the first build of a key, which needs no reason; `cause_of` reads it back from a record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias, assert_never, get_args

from msgspec import Struct, ValidationError, convert, to_builtins
from msgspec.structs import replace

from pycurrent.cache.codec import UnreadableValue
from pycurrent.cache.operation_type import GONE
from pycurrent.store import JobRecord

if TYPE_CHECKING:
    from pycurrent.store import RunRecord


class NeverBuilt(Struct, frozen=True, forbid_unknown_fields=True):
    """The key has never had a result."""


class ValueChanged(Struct, frozen=True, forbid_unknown_fields=True):
    """Another value is wanted for the key. The values are given as their digests, which are
    readable if they are short; `old` is None if nobody knows what the key was set to.
    """

    old: str | None
    new: str | None


class Expired(Struct, frozen=True, forbid_unknown_fields=True):
    """The last result was older than a schedule allows."""

    finished: datetime


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody asked for a rebuild. Both are None if it was asked for in an earlier run of the
    engine, or by code.
    """

    by: str | None = None
    reason: str | None = None


class Interrupted(Struct, frozen=True, forbid_unknown_fields=True):
    """The last run was interrupted: its engine was stopped or killed."""

    job: str


class LeftUnsettled(Struct, frozen=True, forbid_unknown_fields=True):
    """The last run was cancelled after it had begun, so nobody knows to what it set the key."""

    job: str


class Retried(Struct, frozen=True, forbid_unknown_fields=True):
    """An earlier attempt has failed, or more of them, and that is not final (see `retry.py`)."""

    job: str
    """The attempt that failed last."""
    attempt: int
    """The number of this one. 1: all have failed, and an engine that has started since tries again.
    """
    of: int
    """The number of attempts after which a failure like the last one is final."""
    target: str | None = None
    """The digest of the value that the last attempt was to set."""


class MachineFailed(Struct, frozen=True, forbid_unknown_fields=True):
    """The last run says nothing about the work: a file, memory, space or a process was lacking."""

    why: str
    attempt: int
    """The number of this run, of those that the machine has failed in a row and this one."""
    retry: Retried | None = None
    """The retry that the machine failed, which is done again."""


class ResultLost(Struct, frozen=True, forbid_unknown_fields=True):
    """The result was recorded, but `what` it names is gone."""

    what: str


class Unreadable(Struct, frozen=True, forbid_unknown_fields=True):
    """The recorded result can't be read any more: its format changed."""

    error: str


class VersionChanged(Struct, frozen=True, forbid_unknown_fields=True):
    """The last result is of another version of its operation; None: of none."""

    old: str | None
    new: str | None


class Gone(Struct, frozen=True, forbid_unknown_fields=True):
    """The pipeline has what was set no longer: the run retires it."""


class Retired(Struct, frozen=True, forbid_unknown_fields=True):
    """The key was retired, or a run has begun to retire it, and is needed again."""


Cause: TypeAlias = (
    NeverBuilt
    | ValueChanged
    | Expired
    | Asked
    | Interrupted
    | LeftUnsettled
    | Retried
    | MachineFailed
    | ResultLost
    | Unreadable
    | VersionChanged
    | Gone
    | Retired
)

NEVER_BUILT = NeverBuilt()
ASKED = Asked()

CAUSES: Mapping[str, type[Cause]] = {
    re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower(): kind for kind in get_args(Cause)
}
"""The causes by the names by which people ask for them: never-built, expired, asked ..."""

_TAGGED: Mapping[str, type[Cause]] = {f"${kind.__name__}": kind for kind in get_args(Cause)}
"""The causes by the names in records."""

# It escapes all but ASCII: SQLite takes no lone surrogates, which come from names of files.
_json = json.JSONEncoder(separators=(",", ":")).encode
_NEVER_BUILT_TEXT = _json({"$NeverBuilt": {}})


def cause_name(cause: Cause) -> str:
    """The name of a cause, as in `CAUSES`."""
    return next(name for name, kind in CAUSES.items() if isinstance(cause, kind))


def because(cause: Cause) -> str:
    """The cause as the end of a sentence: "ann asked for a rebuild"."""
    match cause:
        case NeverBuilt():
            return "it has not been built yet"
        case ValueChanged(old, new):
            return f"the value changed to {new}" if old is None else f"{old} changed to {new}"
        case Expired(finished):
            return f"the result of {finished:%Y-%m-%d %H:%M:%S} UTC expired"
        case Asked(by, reason):
            asked = f"{by or 'somebody'} asked for a rebuild"
            return asked if reason is None else f"{asked}: {reason}"
        case Interrupted(job):
            return f"job {job} was interrupted"
        case LeftUnsettled(job):
            return f"job {job} was cancelled after it had begun"
        case Retried() | MachineFailed():
            return _because_of_failure(cause)
        case ResultLost(what):
            return f"{what} is gone"
        case Unreadable(error):
            return error
        case VersionChanged():
            return _because_of_version(cause)
        case Gone() | Retired():
            return _because_of_retirement(cause)
        case _:
            assert_never(cause)


def _because_of_version(cause: VersionChanged) -> str:
    match cause:
        case VersionChanged(None, new):
            return f"the operation is of version {new} now"
        case VersionChanged(old, None):
            return f"the operation has no version now, and the last result is of version {old}"
        case VersionChanged(old, new):
            return f"the operation is of version {new} now, and the last result of version {old}"


def _because_of_retirement(cause: Gone | Retired) -> str:
    if isinstance(cause, Gone):
        return "it has gone from the pipeline"
    return "it was retired, and is needed again"


def _because_of_failure(cause: Retried | MachineFailed) -> str:
    match cause:
        case Retried(job, 1):
            return f"job {job} failed, and not by its work: it is tried again after a restart"
        case Retried(job, attempt, of):
            return f"job {job} failed: this is attempt {attempt} of {of}"
        case MachineFailed(why, attempt):
            return f"the machine failed the last run ({why}): this is attempt {attempt}"
        case _:
            assert_never(cause)


def retry_of(cause: Cause | None) -> Retried | None:
    """The retry that a run with this cause is; None for a first attempt."""
    match cause:
        case Retried():
            return cause
        case MachineFailed(retry=retry):
            return retry
        case _:
            return None


def for_target(cause: Cause, target: str | None) -> Cause:
    """The cause if the run sets the key to this value: another one than that of which an attempt
    failed has a first attempt.
    """
    if target == GONE.digest:
        return _for_retirement(cause)
    match cause:
        case ValueChanged(old=GONE.digest) | Retried(target=GONE.digest):
            return Retired()
        case ValueChanged(old):
            return ValueChanged(old, target)
        case Retried(target=old) if old != target:
            return ValueChanged(old, target)
        case MachineFailed(retry=Retried(target=old)) if old != target:
            return replace(cause, retry=None)
        case _:
            return cause


def _for_retirement(cause: Cause) -> Cause:
    match cause:
        case Retried(target=GONE.digest) | Asked():
            return cause
        case MachineFailed(retry=retry):
            is_of_retirement = retry is None or retry.target == GONE.digest
            return cause if is_of_retirement else replace(cause, retry=None)
        case _:
            return Gone()


def cause_text(cause: Cause) -> str:
    """The cause as JSON, to be recorded."""
    if cause is NEVER_BUILT:
        return _NEVER_BUILT_TEXT
    return _json({f"${type(cause).__name__}": to_builtins(cause)})


def cause_of(record: JobRecord | RunRecord) -> Cause | None:
    """Why the job was run; None if it was recorded before there were causes.

    Raises `UnreadableValue` for a cause that this version does not know.
    """
    if record.cause is None:
        return None
    try:
        ((tag, fields),) = json.loads(record.cause).items()
        return convert(fields, _TAGGED[tag])
    except (ValueError, AttributeError, KeyError, ValidationError) as error:
        raise UnreadableValue(f"the cause {record.cause} is of another version") from error
