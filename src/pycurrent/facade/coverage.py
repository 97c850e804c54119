"""The coverage that jobs have reported, as an engine's author asks for it."""

from __future__ import annotations

from typing import Unpack

from pycurrent.facade.tests import TestedBy, filters_of
from pycurrent.store import CoverageReport, CoverageTables, FileCoverage


class CoverageRecords:
    """The recorded coverage of one engine."""

    def __init__(self, tables: CoverageTables) -> None:
        self._tables = tables

    def of_job(self, job_id: str) -> CoverageReport | None:
        """The coverage of a job, with that of the last Ok job before that its stage had used; None
        if it has reported none.
        """
        return self._tables.of_job(job_id)

    def files(self, job_id: str) -> list[FileCoverage]:
        """The coverage of each file, the ones with the most lines that were not run first."""
        return self._tables.files_of_job(job_id)

    def reports(self, *, limit: int = 100, **which: Unpack[TestedBy]) -> list[CoverageReport]:
        """The coverage of the jobs that have reported any, the newest first. The filters are those
        of `engine.tests`.
        """
        return self._tables.reports(limit=limit, **filters_of(which))
