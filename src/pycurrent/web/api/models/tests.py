"""The tests that jobs have reported."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import Field

from pycurrent.store import TestResult
from pycurrent.web.api.models.model import Model, Text

ResultName: TypeAlias = Literal["passed", "failed", "error", "skipped"]


class TestCaseModel(Model):
    """One run of a test."""

    __test__ = False

    suite: Text = Field(description="The class, module or package; empty if it is not said.")
    name: Text
    result: TestResult
    took: float | None = Field(description="Seconds; null if it is not said.")
    file: Text | None
    line: int | None
    message: Text | None = Field(description="Why it failed, in short, or why it was skipped.")
    text: Text | None = Field(description="More of its tool's words: a traceback, as a rule.")
    retries: int = Field(description="How often it failed in the same run, before this result.")


class TestCountsModel(Model):
    """How many tests ended how."""

    __test__ = False

    passed: int
    failed: int
    errors: int
    skipped: int
    flaky: int = Field(description="How many of those that passed had failed before.")
    took: float = Field(description="Seconds, all tests together.")


class TestReportModel(Model):
    """The tests of one job, counted."""

    __test__ = False

    job_id: str
    op: Text
    key: Text
    at: datetime = Field(description="When its last report was taken.")
    counts: TestCountsModel


class TestRunModel(Model):
    """One run of a test, and the job that has run it."""

    __test__ = False

    job_id: str
    at: datetime
    case: TestCaseModel


class TestTroubleModel(Model):
    """A test that has failed lately, that is flaky, or that is slow."""

    __test__ = False

    suite: Text
    name: Text
    file: Text | None
    line: int | None
    times: int = Field(description="How often it was in trouble, in the jobs that were looked at.")
    runs: int = Field(description="How often these have run it.")
    newest: str = Field(description="The newest job in which it was.")
    at: datetime = Field(description="When that has reported it.")
    message: Text | None = Field(description="Its message there.")
    took: float | None = Field(description="Seconds, in the mean.")
