"""The contract of the taker of reports that jobs' tools write, of their tests say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from pycurrent.store import AnnotationCounts, Coverage, TestCounts

if TYPE_CHECKING:
    from pycurrent.engine.job_work import WorkingJob


class Reported(Struct, frozen=True, kw_only=True):
    """The findings of the reports of one call, in short."""

    tests: TestCounts = TestCounts()
    """How many tests passed and failed; none if no reports of tests were asked for, or found."""
    coverage: Coverage | None = None
    """How much of the source was run, by all reports of the job so far; None if none was found."""
    annotations: AnnotationCounts = AnnotationCounts()
    """How many remarks on files there are in reports in SARIF."""


class JobReports(Protocol):
    """Reads reports, and records what they say."""

    async def take(
        self,
        job: WorkingJob,
        folder: str | PathLike[str],
        wanted: Mapping[str, str | Sequence[str] | None],
        *,
        required: bool,
        failing: BaseException | None,
    ) -> Reported:
        """Take the reports of a job, as `Job.report` says. `wanted` are the patterns by the kinds
        of reports, as the arguments are called there; `failing` is the exception with which its
        work fails, if it does.
        """
