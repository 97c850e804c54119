"""Reads the tables of the tests that jobs have reported."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TypeAlias, TypeVar, Unpack

from pycurrent.store.errors import StoreError
from pycurrent.store.records import Row, storable
from pycurrent.store.report_filter import report_condition
from pycurrent.store.test_cases import (
    FLAKY,
    STATES,
    TestCase,
    TestCounts,
    TestFilters,
    TestReport,
    TestResult,
    TestRun,
    TestTrouble,
    case_of_row,
    counts_of_row,
    seconds,
)

Parameters: TypeAlias = tuple[object, ...] | Mapping[str, object]
T = TypeVar("T")

JOBS = 100
"""How many of the newest jobs with tests are looked at for those that are in trouble."""
JOBS_TIMED = 10
"""How many for those that are slow: there each test of each job counts."""


class TestTables:
    """The tests in a database. Raises what its reader does."""

    __test__ = False

    def __init__(
        self,
        queries: Mapping[str, str],
        run: Callable[[str, Parameters], list[Row]],
        damage: Callable[[Exception], StoreError],
    ) -> None:
        self._queries = queries
        self._run = run
        self._damage = damage

    # Of one job

    def counts(self, job_id: str) -> TestCounts | None:
        """How the tests of a job ended; None if it has reported none."""
        rows = self._run(self._queries["test_counts"], (job_id,))
        return self._read(counts_of_row, rows)[0] if rows else None

    def of_job(
        self,
        job_id: str,
        *,
        results: Iterable[TestResult] = (),
        flaky: bool = False,
        slowest: bool = False,
        limit: int = 100,
        skip: int = 0,
    ) -> list[TestCase]:
        """The tests of a job, in the order of its reports, or the slowest first: at most `limit`,
        after the first `skip`. Only those with one of the results, if any is given; and those that
        are flaky, if these are asked for.
        """
        states = {STATES.index(result) for result in results} | ({FLAKY} if flaky else set())
        if 0 in states:
            states.add(FLAKY)
        conditions = [f"state IN ({','.join(map(str, sorted(states)))})"] if states else []
        if states and 0 not in states:
            conditions.append("state <> 0")  # So that the index of these is used.
        query = self._queries["slowest_of_job" if slowest else "tests_of_job"]
        sql = query.replace("{conditions}", " AND ".join(conditions) or "TRUE")
        rows = self._run(sql, {"job": job_id, "limit": limit, "skip": skip})
        return self._read(case_of_row, rows)

    # Of many jobs

    def reports(self, *, limit: int = 100, **filters: Unpack[TestFilters]) -> list[TestReport]:
        """The jobs that have reported tests, the newest first; at most `limit`."""
        rows = self._filtered("test_reports", filters, {"limit": limit})
        return self._read(_report_of_row, rows)

    def newest(self, paths: Iterable[str]) -> TestCounts | None:
        """How the tests ended that the stages with these paths have reported last, together; None
        if they have reported none. Looks at the last 50 jobs of each stage.
        """
        asked = json.dumps([storable(path) for path in paths])
        found = self._read(counts_of_row, self._run(self._queries["newest_tests"], (asked,)))
        return sum(found, TestCounts()) if found else None

    def runs(
        self,
        name: str,
        *,
        suite: str | None = None,
        limit: int = 100,
        **filters: Unpack[TestFilters],
    ) -> list[TestRun]:
        """The runs of a test by jobs, the newest first; at most `limit`. `name` is its name or its
        full name, in any suite unless one is given.
        """
        given = {
            "name": storable(name),
            "suite": None if suite is None else storable(suite),
            "limit": limit,
        }
        return self._read(_run_of_row, self._filtered("test_runs", filters, given))

    def failed(
        self, *, jobs: int = JOBS, limit: int = 100, **filters: Unpack[TestFilters]
    ) -> list[TestTrouble]:
        """The tests that have failed in the newest `jobs` jobs with tests, the one that failed last
        first; at most `limit`.
        """
        return self._troubles("failed_tests", jobs, limit, filters)

    def flaky(
        self, *, jobs: int = JOBS, limit: int = 100, **filters: Unpack[TestFilters]
    ) -> list[TestTrouble]:
        """The tests that have failed in these jobs and passed for the same: when they were tried
        again in the same run, or in another job for the same operation, key and value.
        """
        return self._troubles("flaky_tests", jobs, limit, filters)

    def slow(
        self, *, jobs: int = JOBS_TIMED, limit: int = 100, **filters: Unpack[TestFilters]
    ) -> list[TestTrouble]:
        """The tests that take longest, in the mean over these jobs, the slowest first. `times` is
        how often they were run.
        """
        return self._troubles("slow_tests", jobs, limit, filters)

    def _troubles(
        self, query: str, jobs: int, limit: int, filters: TestFilters
    ) -> list[TestTrouble]:
        given = {"jobs": jobs, "limit": limit}
        return self._read(_trouble_of_row, self._filtered(query, filters, given))

    def _filtered(self, query: str, filters: TestFilters, given: Mapping[str, object]) -> list[Row]:
        condition, values = report_condition(filters, "test_report")
        sql = self._queries[query].replace("{conditions}", condition)
        return self._run(sql, {**values, **given})

    def _read(self, read: Callable[[Row], T], rows: list[Row]) -> list[T]:
        try:
            return [read(row) for row in rows]
        except (ValueError, TypeError, IndexError) as error:
            raise self._damage(error) from error


def _report_of_row(row: Row) -> TestReport:
    job_id, op, key, at, *counts = row
    return TestReport(
        job_id=job_id,
        op=op,
        key=key,
        at=datetime.fromisoformat(at),
        counts=counts_of_row(tuple(counts)),
    )


def _run_of_row(row: Row) -> TestRun:
    job_id, at, *case = row
    return TestRun(job_id=job_id, at=datetime.fromisoformat(at), case=case_of_row(tuple(case)))


def _trouble_of_row(row: Row) -> TestTrouble:
    suite, name, file, line, times, runs, newest, at, message, took = row
    return TestTrouble(
        suite=suite,
        name=name,
        file=file,
        line=line,
        times=times,
        runs=runs,
        newest=newest,
        at=datetime.fromisoformat(at),
        message=message,
        took=seconds(None if took is None else round(took)),
    )
