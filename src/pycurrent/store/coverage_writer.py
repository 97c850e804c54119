"""Writes the coverage that a job reports, beside the engine at work.

As with tests, it has a connection of its own, for a thread of its own. The lines of the reports
before are read and united with the new ones while no lock is held; the row is written only if no
other report of the job came in between, else all is done again.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pycurrent.store.coverage import Coverage
from pycurrent.store.covered_lines import CoveredLines
from pycurrent.store.errors import StoreError, damaged, from_sqlite
from pycurrent.store.queries import load_queries
from pycurrent.store.records import time_text
from pycurrent.store.schema import open_existing

_BUSY_SECONDS = 30.0
"""Nobody else waits for it."""


def add_coverage(path: Path, job_id: str, found: CoveredLines, at: datetime) -> Coverage:
    """Record the coverage of a job in the database at `path`, which an engine may have: united with
    that of its reports before. Returns the whole. Blocks.

    Raises `StoreError`, also if the job has no row; `ValueError` if all together is too large.
    """
    queries = load_queries()
    with closing(open_existing(path, busy_seconds=_BUSY_SECONDS)) as connection:
        while True:
            with _told(path):
                row = connection.execute(queries["coverage_so_far"], (job_id,)).fetchone()
            if row is None:
                raise StoreError(
                    f"{path} has no record of job {job_id}, so its coverage has no place"
                )
            job, reports, files = row
            whole = CoveredLines() if files is None else _read(path, files)
            whole.unite(found)
            figure = whole.figure()
            given = {
                "job": job,
                "reports": reports,
                "at": time_text(at.astimezone(UTC)),
                "lines": figure.lines,
                "covered": figure.covered,
                "branches": figure.branches,
                "branches_covered": figure.branches_covered,
                "files": bytes(whole),
            }
            with _told(path), connection:
                if connection.execute(queries["set_coverage"], given).rowcount:
                    return figure


def _read(path: Path, files: bytes) -> CoveredLines:
    try:
        return CoveredLines.of_bytes(files)
    except ValueError as error:
        raise damaged(path, str(error)) from error


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise from_sqlite(path, error) from error
