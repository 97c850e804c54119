"""The contract of the taker of reports that jobs' tools write of their tests."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Protocol

from pycurrent.store import TestCounts

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob


class TestReports(Protocol):
    """Reads reports, and records the tests in them."""

    async def take(
        self,
        job: DrivenJob,
        folder: str | PathLike[str],
        patterns: str | Sequence[str],
        *,
        required: bool,
        failing: BaseException | None,
    ) -> TestCounts:
        """Take the reports of a job, as `Job.report` says; `failing` is the exception with which
        its work fails, if it does.
        """
