"""Writes the tests that a job reports, which may be 100,000, beside the engine at work.

It has a connection of its own, for a thread of its own. The lock is taken for a few milliseconds at
a time, and free while the next tests are read, so that the engine's commits find their turn. The
counts of the job are written last: a report without them was not taken to its end.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec

from pycurrent.store.errors import StoreError, from_sqlite
from pycurrent.store.queries import load_queries
from pycurrent.store.records import time_text
from pycurrent.store.schema import open_existing
from pycurrent.store.test_cases import TestCase, TestCounts, TestResult, state_of

_BUSY_SECONDS = 30.0
"""Nobody else waits for it."""
_BATCH = 500
"""Tests written in one transaction, in a few milliseconds: as long as an engine waits for the lock,
before it tries again.
"""

_encode = msgspec.json.Encoder().encode


class TestCaseWriter:
    """Adds the tests of one job, in the order of its reports. Belongs to one thread."""

    __test__ = False

    def __init__(self, path: Path, connection: sqlite3.Connection, job_id: str) -> None:
        """Raises `StoreError`, also if the job has no row."""
        self._path = path
        self._connection = connection
        self._queries = load_queries()
        self._waiting: list[TestCase] = []
        with self._told():
            row = connection.execute(self._queries["place_of_tests"], (job_id,)).fetchone()
        if row is None:
            raise StoreError(f"{path} has no record of job {job_id}, so its tests have no place")
        self._job, self._place = row

    @classmethod
    @contextmanager
    def open(cls, path: Path, job_id: str) -> Iterator[Self]:
        """Open the database at `path` for a block, while an engine has it."""
        connection = open_existing(path, busy_seconds=_BUSY_SECONDS)
        try:
            yield cls(path, connection, job_id)
        finally:
            connection.close()

    def add(self, cases: Sequence[TestCase]) -> None:
        """Add tests; written when there are enough of them. Raises `StoreError`."""
        self._waiting += cases
        while len(self._waiting) >= _BATCH:
            self._write()

    def end(self, counts: TestCounts, at: datetime) -> None:
        """Write what is left, and the counts of all that was added: beside those of the job's
        reports before. Raises `StoreError`.
        """
        while self._waiting:
            self._write()
        row = (
            self._job,
            time_text(at.astimezone(UTC)),
            counts.passed,
            counts.failed,
            counts.errors,
            counts.skipped,
            counts.flaky,
            round(counts.took * 1e6),
        )
        with self._told(), self._connection:
            self._connection.execute(self._queries["add_test_report"], row)

    def _write(self) -> None:
        """Write the first ones that wait, in one transaction of statements for all of them: these
        take a third of the time of statements for each, and Python's lock is free meanwhile.
        """
        cases, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
        rows = _encode([_row(place, case) for place, case in enumerate(cases, self._place)])
        given = {"job": self._job, "rows": rows.decode()}
        with self._told(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for statement in ("add_tests", "add_test_cases", "add_test_messages"):
                self._connection.execute(self._queries[statement], given)
        self._place += len(cases)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise from_sqlite(self._path, error) from error


def _row(place: int, case: TestCase) -> tuple[object, ...]:
    """A test as the statements take it, in JSON."""
    has_passed = case.result is TestResult.PASSED and not case.retries
    row = (
        place,
        case.suite,
        case.name,
        case.file,
        case.line,
        state_of(case),
        None if case.took is None else round(case.took * 1e6),
    )
    return row if has_passed else (*row, case.message, case.text, case.retries)
