"""The coverage that jobs have reported."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from pycurrent.web.api.models.model import Model, Text


class CoverageModel(Model):
    """How much of the source was run."""

    lines: int = Field(description="How many could be run.")
    covered: int = Field(description="How many of them were.")
    branches: int = Field(description="0 if they were not looked at.")
    branches_covered: int
    percent: float | None = Field(description="Of the lines; null: there are none.")
    branch_percent: float | None = Field(description="Of the branches; null: not looked at.")


class FileCoverageModel(Model):
    """The coverage of a file of the source."""

    path: Text
    coverage: CoverageModel


class CoverageReportModel(Model):
    """The coverage of one job."""

    job_id: str
    op: Text
    key: Text
    at: datetime = Field(description="When its last report was taken.")
    ok: bool = Field(description="True if the job has ended with an Ok result.")
    coverage: CoverageModel
    path: Text | None = Field(description="The first stage that has used the job.")
    before: CoverageModel | None = Field(
        description="Of the last Ok job with coverage that this stage had used before."
    )
    change: float | None = Field(description="Gained since that, or lost, in points of 100.")
