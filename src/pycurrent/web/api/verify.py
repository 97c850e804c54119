"""Having operations asked whether their results are still there."""

from __future__ import annotations

from fastapi import Request
from pydantic import ConfigDict, Field

from pycurrent.web.api.models import Model
from pycurrent.web.api.routing import FOR_BUILDERS, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.problems import may_answer
from pycurrent.web.reasons import ReasonText, reason_for

router = api_router("jobs")


class NewVerification(Model):
    """The results to ask about."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(
        max_length=4000,
        description="The path of a stage, the id of the last job of one, or that of an operation:"
        " all its results that are used now.",
    )
    reason: ReasonText = None


class VerificationModel(Model):
    """The results that are asked about."""

    jobs: list[str] = Field(description="The ids of the jobs that have made them.")


@router.post("/verify", dependencies=FOR_BUILDERS, responses=may_answer(404))
async def verify(
    request: Request, service: ServiceOf, new: NewVerification, asker: AskerOf
) -> VerificationModel:
    """Have operations asked whether results are still there. A lost one is made again.

    The answer does not wait for theirs.
    """
    reason = reason_for(request, (), new.reason)
    await service.engine.between_steps()
    asked = service.jobs.verify(new.subject, by=asker, reason=reason)
    return VerificationModel(jobs=list(asked))
