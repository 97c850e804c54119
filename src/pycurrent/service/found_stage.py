"""A stage of the running pipeline, as it is now."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from pycurrent.term import Activity, Failed, Stage, StageRef, State, Status


class FoundStage(Struct, frozen=True):
    """A living stage, as it is now."""

    path: str
    label: str
    labels: Mapping[str, str]
    state: State
    update: Activity | None
    job_id: str | None
    failure: str | None
    note: str | None
    """A note for people, such as that it is pinned."""
    is_excused: bool
    """Its failure is muted, or else that because of which it has no value."""
    is_final: bool
    """It has succeeded or failed, or can't be made as something else has failed; and nothing is at
    work to change that.
    """


def found_stage(stage: Stage, ref: StageRef) -> FoundStage:
    """A living stage with its reference, as it is after the last step."""
    status = stage.status
    return FoundStage(
        path=str(ref),
        label=stage.label,
        labels=ref.labels,
        state=stage.state,
        update=status.update,
        job_id=status.job_id,
        failure=status.failure,
        note=status.note,
        is_excused=stage.absent is not None and stage.absent.is_excused,
        is_final=_is_final(stage, status),
    )


def _is_final(stage: Stage, status: Status) -> bool:
    return status.update is None and (stage.absent is None or isinstance(stage.absent, Failed))
