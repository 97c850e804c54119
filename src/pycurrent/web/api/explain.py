"""All that explains a job, in one answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from pycurrent.web.api.failures import FailureGroupModel
from pycurrent.web.api.models import FlipModel, Model, StageHealthModel, Text
from pycurrent.web.api.models.annotations import JobAnnotationsModel
from pycurrent.web.api.models.tests import TestCaseModel, TestCountsModel
from pycurrent.web.api.routing import JobId, api_router
from pycurrent.web.context import ServiceOf
from pycurrent.web.problems import may_answer

router = api_router("jobs")


class ExcerptLineModel(Model):
    """A line of a log."""

    text: Text
    tells: bool = Field(description="Whether it tells why the job failed; false for one around.")


class ExcerptModel(Model):
    """Lines of a log that follow each other."""

    offset: int = Field(description="Where the first one begins in the log, in bytes.")
    number: int | None = Field(description="Of the first one, from 1; null if it is not known.")
    lines: list[ExcerptLineModel]


class ErrorLinesModel(Model):
    """The lines of a log that tell why its job failed."""

    excerpts: list[ExcerptModel]
    found_by: str = Field(description="rule, pattern or end.")
    kind: str | None = Field(description="The kind of failure that they tell of, if they do.")
    skipped: int = Field(description="How many bytes of a long log were not read.")


class StageFailingModel(Model):
    """Since when a stage has failed, seen from one of its failures."""

    since_job: str
    since: datetime
    last_ok: str | None = Field(description="The last job before it that was fine.")
    fixed_by: str | None = Field(description="The first job after it that was fine.")


class StageExplainedModel(Model):
    """A stage that has used the job."""

    path: Text
    labels: dict[str, str]
    failing: StageFailingModel | None
    health: StageHealthModel = Field(description="Its health by now.")


class JobTestsModel(Model):
    """The tests that the job has reported."""

    counts: TestCountsModel
    failed: list[TestCaseModel] = Field(description="The first ones that failed, in short.")


class ByHandModel(Model):
    """The commands by which a person does the same."""

    files: list[Text] = Field(description="They get the same files: a commit, say.")
    commands: list[Text] = Field(description="The last ones that the job itself has run.")


class ExplanationModel(Model):
    """All that explains a job."""

    job: str
    op: Text
    key: Text
    state: str = Field(description="How it ended, or `not ended`.")
    created: datetime
    started: datetime | None
    finished: datetime | None
    failure: Text | None
    kind: str | None = Field(description="The kind of its failure.")
    reasons: list[dict[str, Any]] = Field(description="Why it was run, as in `/why`.")
    lines: ErrorLinesModel | None
    stages: list[StageExplainedModel]
    flips: list[FlipModel] = Field(
        description="When its key failed and passed without a change: then it is flaky."
    )
    tests: JobTestsModel | None = Field(description="The tests that it has reported.")
    annotations: JobAnnotationsModel = Field(
        description="Its remarks on lines of files, the worst ones."
    )
    alike: FailureGroupModel | None = Field(
        description="All failures with the same cause, this one too."
    )
    mutes: list[dict[str, Any]] = Field(
        description="The mutes of its failure: of its fingerprint, and of its stages; as in `/why`."
    )
    by_hand: ByHandModel
    text: list[Text] = Field(description="All of it for people, in lines.")


@router.get("/jobs/{day}/{name}/explain", responses=may_answer(404))
async def explain(service: ServiceOf, job_id: JobId) -> ExplanationModel:
    """Explain a job: why it was run, why it failed, since when, what fails alike."""
    found = await service.archive.explain(job_id)
    return ExplanationModel.model_validate(found.as_builtins())
