"""Checks: what commits amount to by name, with all that explains it, as GitHub's check runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, assert_never

from pycurrent.plugins.forge.checks import one_line
from pycurrent.term import (
    Active,
    Activity,
    Failed,
    FailedStages,
    FailureKind,
    Metadata,
    Ok,
    Output,
)

TITLE = 140
"""The characters of a title: GitHub shows no more of it in its lists."""
MOST_STAGES = 10
"""How many failed stages are shown of a current that comes from several."""


class CheckState(Enum):
    """The state of a check. All but the first two are GitHub's conclusions."""

    QUEUED = "queued"
    RUNNING = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"

    @property
    def is_completed(self) -> bool:
        """True once there is nothing more to come, unless something changes."""
        return self not in (CheckState.QUEUED, CheckState.RUNNING)


_OF_KIND = {
    FailureKind.REAL: CheckState.FAILURE,
    FailureKind.INFRA: CheckState.FAILURE,
    FailureKind.TIMEOUT: CheckState.TIMED_OUT,
    FailureKind.CANCELLED: CheckState.CANCELLED,
}
_WORST_FIRST = (CheckState.FAILURE, CheckState.TIMED_OUT, CheckState.CANCELLED)


@dataclass(frozen=True, slots=True)
class CheckPart:
    """A current that a check tells of, by its name, and its output now."""

    name: str
    state: CheckState
    title: str
    """In a line."""
    job: str | None = None
    """The job by which it is so, or that is at work on it."""
    is_infra: bool = False
    """True for a failure of the infrastructure's."""
    is_stage: bool = False
    """True for a stage below another part: its name is its path."""
    below: tuple[CheckPart, ...] = ()
    """The stages that have failed, if it was not just its own job."""
    more: int = 0
    """How many more have failed than are told."""

    @classmethod
    def of(
        cls, name: str, output: Output[Any], metadata: Metadata | None, failed: FailedStages
    ) -> CheckPart:
        """The part for the output of a current, from the stages because of which it has failed."""
        job = None if metadata is None else metadata.job_id
        match output:
            case Ok():
                return cls(name, CheckState.SUCCESS, "ok", job)
            case Failed(message):
                stages = failed.first
                if [stage.job_id for stage in stages] == [job] or not stages:
                    return cls._failed(name, message, output.kind, job)
                told = [cls._failed(s.path, s.message, s.kind, s.job_id) for s in stages]
                below = tuple(replace(stage, is_stage=True) for stage in told)
                part = cls._failed(name, message, output.kind, None)
                return replace(part, below=below, more=failed.more)
            case Active(Activity.RUNNING):
                return cls(name, CheckState.RUNNING, "running", job)
            case Active(Activity.WAITING_FOR_CONFIRMATION):
                return cls(name, CheckState.QUEUED, "waits for confirmation", job)
            case Active():
                return cls(name, CheckState.QUEUED, "waits", job)
            case _:
                assert_never(output)

    @classmethod
    def _failed(cls, name: str, message: str, kind: FailureKind, job: str | None) -> CheckPart:
        told = next((line for line in message.splitlines() if line.strip()), "failed")
        is_infra = kind is FailureKind.INFRA
        if is_infra:
            told = f"the infrastructure has failed: {told}"
        return cls(name, _OF_KIND[kind], one_line(told, TITLE), job, is_infra)

    @property
    def infra(self) -> bool:
        """True if the infrastructure has failed it, or a stage below it."""
        return self.is_infra or any(part.is_infra for part in self.below)


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """The value of a check: the parts that it tells of, one or several."""

    parts: tuple[CheckPart, ...]
    is_summary: bool = False
    url: str | None = None
    """Where it leads people; None: to the page of its stage."""

    @property
    def state(self) -> CheckState:
        """Completed once all parts are; then the worst of them."""
        states = {part.state for part in self.parts}
        if any(not state.is_completed for state in states):
            begun = any(state is not CheckState.QUEUED for state in states)
            return CheckState.RUNNING if begun else CheckState.QUEUED
        return next((state for state in _WORST_FIRST if state in states), CheckState.SUCCESS)

    @property
    def failed(self) -> Sequence[CheckPart]:
        """The parts that have failed in whatever way."""
        return [part for part in self.parts if part.state in _WORST_FIRST]

    @property
    def title(self) -> str:
        """All in a line."""
        if not self.is_summary:
            return self.parts[0].title
        failed, all_of = self.failed, len(self.parts)
        active = sum(not part.state.is_completed for part in self.parts)
        rest = f", {active} to come" if active else ""
        if failed:
            names = ", ".join(part.name for part in failed)
            return one_line(f"{len(failed)} of {all_of} failed{rest}: {names}", TITLE)
        if active:
            return f"{all_of - active} of {all_of} passed{rest}"
        return "ok" if all_of == 1 else f"all {all_of} passed"
