"""Remarks of jobs on lines of files."""

from __future__ import annotations

from pydantic import Field

from pycurrent.store import AnnotationLevel
from pycurrent.web.api.models.model import Model, Text


class AnnotationModel(Model):
    """A remark of a job on a line of a file."""

    path: Text | None = Field(description="Within the repository; null: not said, or outside.")
    line: int | None = Field(description="From 1; null for all of the file.")
    message: Text
    level: AnnotationLevel
    column: int | None
    end_line: int | None = Field(description="The last line, if it is on several.")
    title: Text | None = Field(description="The rule, or what else its tool calls it.")
    tool: Text | None = Field(description="The tool that says so; null in a log.")
    log_line: int | None = Field(description="The line of the log that it is from, from 1.")


class AnnotationCountsModel(Model):
    """How many annotations there are, by their levels."""

    errors: int
    warnings: int
    notices: int


class JobAnnotationsModel(Model):
    """The annotations of a job, the worst ones first."""

    counts: AnnotationCountsModel
    first: list[AnnotationModel]
