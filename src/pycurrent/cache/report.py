"""What those see who want a key to be at a target."""

from __future__ import annotations

from typing import Any, assert_never

from pycurrent.cache.operation_type import OperationType, TargetValue
from pycurrent.cache.states import Known, Making, Pausing, Result, State, Unknown
from pycurrent.term import Active, Activity, Metadata, Output


def reported(
    op_type: OperationType, state: State, target: TargetValue, job_id: str | None
) -> tuple[Output[Any], Metadata | None]:
    """The outcome for the target, or the last one as long as it stands in for that."""
    note: str | None = None
    match state:
        case Known(result) if result.target == target.digest:
            return result.outcome, Metadata(job_id)
        case Known(latched):
            activity = Activity.READY
        case Making(run, latched):
            activity = run.job.activity
        case Pausing(latched=latched):
            activity, note = Activity.READY, state.note
        case Unknown(latched):
            activity = Activity.READY
        case _:
            assert_never(state)
    if latched is not None and stands_in(op_type, latched, target):
        return latched.outcome, Metadata(job_id, update=activity, note=note)
    bare = job_id is None and note is None
    return Active(activity), None if bare else Metadata(job_id, note=note)


def stands_in(op_type: OperationType, latched: Result, target: TargetValue) -> bool:
    """Whether an outcome is reported while the target is being made."""
    return op_type.latched or latched.target == target.digest
