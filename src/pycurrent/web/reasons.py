"""Reasons that people give for what they ask, and jobs for which the site asks for one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypeAlias

from fastapi import Request
from pydantic import ConfigDict, Field
from starlette.exceptions import HTTPException

from pycurrent.engine import Level
from pycurrent.service import NoSuchJob
from pycurrent.store import BadJobId
from pycurrent.web.api.models import Model
from pycurrent.web.auth import access_of
from pycurrent.web.context import SERVICE

LONGEST = 1000
"""In characters."""
ReasonText: TypeAlias = Annotated[
    str | None,
    Field(max_length=LONGEST, description="Why: for the audit and the job's log."),
]


class ReasonModel(Model):
    """Why somebody asks for something."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: ReasonText = None


class ReasonMissing(HTTPException):
    """The site asks for a reason, and none was given."""

    def __init__(self, detail: str) -> None:
        super().__init__(422, detail)


def asks_for_reason(request: Request, level: Level | None) -> bool:
    """True if who acts on a job at this level has to say why. So it is before a job has said it."""
    asked_from = access_of(request).settings.reason_from
    return asked_from is not None and (level is None or level >= asked_from)


def reason_for(request: Request, job_ids: Iterable[str], given: str | None) -> str | None:
    """The reason that was given for acting on these jobs; None if there is none.

    Raises `ReasonMissing` if the site asks for one.
    """
    reason = None if given is None else given.strip()[:LONGEST] or None
    if reason is not None or access_of(request).settings.reason_from is None:
        return reason
    jobs = SERVICE.get(request.app.state).jobs
    for job_id in job_ids:
        try:
            level = jobs.level(job_id)
        except (NoSuchJob, BadJobId):
            continue  # The act itself says so.
        if asks_for_reason(request, level):
            at = "before its level is known" if level is None else f"at the level {level}"
            raise ReasonMissing(f"give a reason: this site asks why, for job {job_id} {at}")
    return None
