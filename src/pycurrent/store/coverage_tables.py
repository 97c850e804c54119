"""Reads the table of the coverage that jobs have reported."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeAlias, Unpack

from pycurrent.store.coverage import (
    CoverageReport,
    FileCoverage,
    coverage_of_row,
)
from pycurrent.store.covered_lines import CoveredLines
from pycurrent.store.errors import StoreError
from pycurrent.store.records import Row, storable
from pycurrent.store.report_filter import report_condition
from pycurrent.store.test_cases import TestFilters

Parameters: TypeAlias = tuple[object, ...] | Mapping[str, object]

_USED = (
    "coverage.job IN (SELECT job_use.job FROM job_use INDEXED BY job_use_stage"
    " JOIN stage ON stage.id = job_use.stage WHERE stage.path = :stage)"
)
"""The condition that a stage has used a job."""
_LAST_USED = (
    "(SELECT max(job_use.id) FROM job_use INDEXED BY job_use_job"
    " JOIN stage ON stage.id = job_use.stage"
    " WHERE job_use.job = coverage.job AND stage.path = :stage)"
)
"""It is higher, the later a stage has used a job for the last time."""


class CoverageTables:
    """The coverage in a database. Raises what its reader does."""

    def __init__(
        self,
        queries: Mapping[str, str],
        run: Callable[[str, Parameters], list[Row]],
        damage: Callable[[Exception], StoreError],
    ) -> None:
        self._queries = queries
        self._run = run
        self._damage = damage

    def of_job(self, job_id: str) -> CoverageReport | None:
        """The coverage of a job, with that before; None if it has reported none."""
        found = self._reports("job.job_id = :job", {"job": job_id}, limit=1)
        return found[0] if found else None

    def files_of_job(self, job_id: str) -> list[FileCoverage]:
        """The coverage of each file, the ones with the most lines that were not run first."""
        rows = self._run(self._queries["coverage_of_job"], (job_id,))
        try:
            files = [file for (data,) in rows for file in CoveredLines.of_bytes(data).files()]
        except ValueError as error:
            raise self._damage(error) from error
        return sorted(files, key=_missing_first)

    def reports(self, *, limit: int = 100, **filters: Unpack[TestFilters]) -> list[CoverageReport]:
        """The coverage of the jobs that have reported any, the newest first; at most `limit`."""
        condition, values = report_condition(filters, "coverage")
        return self._reports(condition, values, limit=limit)

    def of_stage(
        self, path: str, *, limit: int = 100, only_ok: bool = False
    ) -> list[CoverageReport]:
        """The coverage of the jobs that the stage with exactly this path has used, the one that it
        used last first: it may have gone back to a result that was known. At most `limit`; only of
        those with an Ok result if that is asked for.
        """
        return self._reports(
            f"{_USED} AND job.ended = 'ok'" if only_ok else _USED,
            {"stage": storable(path)},
            limit=limit,
            newness=_LAST_USED,
        )

    def _reports(
        self,
        condition: str,
        values: Mapping[str, object],
        *,
        limit: int,
        newness: str = "coverage.job",
    ) -> list[CoverageReport]:
        sql = self._queries["coverage_reports"]
        sql = sql.replace("{conditions}", condition).replace("{newness}", newness)
        rows = self._run(sql, {**values, "limit": limit})
        try:
            return [_report_of_row(row) for row in rows]
        except (ValueError, TypeError, IndexError) as error:
            raise self._damage(error) from error


def _report_of_row(row: Row) -> CoverageReport:
    job_id, op, key, at, ok, *figures = row
    coverage = coverage_of_row(tuple(figures[:4]))
    assert coverage is not None
    return CoverageReport(
        job_id=job_id,
        op=op,
        key=key,
        at=datetime.fromisoformat(at),
        ok=bool(ok),
        coverage=coverage,
        path=figures[4],
        before=coverage_of_row(tuple(figures[5:])),
    )


def _missing_first(file: FileCoverage) -> tuple[int, str]:
    return file.coverage.covered - file.coverage.lines, file.path
