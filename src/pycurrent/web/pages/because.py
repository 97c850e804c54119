"""Why a stage is as it is, or why a job was run, as pages show it under their titles: in a line,
with the difference to the last run, and the button that ends the wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pycurrent.engine.site_links import job_url
from pycurrent.service import (
    Blocked,
    Difference,
    Failing,
    Ran,
    Reason,
    WaitsForConfirmation,
    WaitsForResume,
    WaitsInQueue,
    WaitsUntil,
    Why,
    sentences,
)
from pycurrent.term import State
from pycurrent.web.users import Role


@dataclass(frozen=True, slots=True)
class Remedy:
    """A button that ends a wait, or a failure."""

    action: str
    text: str
    role: Role
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Because:
    """The reason, as it is shown."""

    line: str
    stages: tuple[str, ...] = ()
    """The stages that block it: then they stand in the place of the line."""
    more: int = 0
    """How many others do."""
    pool: bool = False
    """True if it waits for a pool."""
    last: str | None = None
    """The job that the differences are to."""
    differences: tuple[Difference, ...] = ()
    remedy: Remedy | None = None


def because_of(why: Why) -> Because | None:
    """Gives what is to be shown; None if there is no reason, as for constants."""
    # Pages show failures apart.
    first = next((reason for reason in why.reasons if not isinstance(reason, Failing)), None)
    if first is None:
        return None
    ran = next((reason for reason in why.reasons if isinstance(reason, Ran)), None)
    blocked = next((reason for reason in why.reasons if isinstance(reason, Blocked)), None)
    return Because(
        line=sentences(first)[0],
        stages=() if blocked is None else blocked.stages,
        more=0 if blocked is None else blocked.more,
        pool=isinstance(first, WaitsInQueue),
        last=None if ran is None else ran.last,
        differences=() if ran is None else ran.differences,
        remedy=_remedy(why, first),
    )


def _remedy(why: Why, reason: Reason) -> Remedy | None:
    match reason:
        case WaitsForConfirmation(job):
            return Remedy(f"{job_url(job)}/approve", "Approve", Role.ADMIN)
        case WaitsForResume(what=what):
            kind, _, name = what.partition(" ")
            fields = {"kind": kind, "name": name}
            return Remedy("/pauses/resume", f"Resume {what}", Role.ADMIN, fields)
        case WaitsUntil() if why.stage and why.job:
            return Remedy(f"{job_url(why.job)}/rebuild", "Run now", Role.BUILDER)
        case _ if why.state == State.FAILED.word and why.stage and why.job:
            return Remedy(f"{job_url(why.job)}/rebuild", "Rebuild", Role.BUILDER)
        case _:
            return None
