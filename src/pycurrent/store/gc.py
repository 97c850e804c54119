"""Removes old logs, and the old history of keys that have newer results.

Jobs that have not ended and the last result of each key are kept whatever their age, each with
its log. This is safe beside a running engine: an engine only ever adds jobs and ends its own, so
what is garbage once stays garbage. It takes the write lock for a few milliseconds at a time.

A row is removed before its log. If the process is killed in between, the log has no row, and the
next run removes it as such.
"""

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path

from pycurrent.errors import UsageError
from pycurrent.store.errors import from_sqlite
from pycurrent.store.queries import load_queries
from pycurrent.store.records import time_text
from pycurrent.store.schema import open_for_reading, open_for_writing
from pycurrent.store.state_dir import StateDir

# Rows removed in one transaction: a few milliseconds.
_BATCH = 200
# Nobody waits for this program, so it can wait for others.
_BUSY_SECONDS = 30.0

_DAY = re.compile(r"\d{4}-\d\d-\d\d")

#: Told how many jobs and logs were removed so far.
Progress = Callable[[int], None]


class GcMode(Enum):
    """The treatment of garbage."""

    DELETE = "delete"
    DRY_RUN = "dry run"


@dataclass(slots=True)
class GcReport:
    """The things that were removed, or in a dry run would be.

    `jobs` are the ids of the rows; `logs` the log files, those without a row among them;
    `log_bytes` their size; `folders` the days that are empty without them; `failures` one line
    for each file that could not be removed.
    """

    mode: GcMode
    jobs: list[str] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)
    log_bytes: int = 0
    folders: list[Path] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def collect_garbage(
    state_dir: StateDir,
    *,
    older_than: timedelta,
    now: datetime,
    mode: GcMode = GcMode.DELETE,
    progress: Progress | None = None,
) -> GcReport:
    """Removes what ended before `now - older_than` and is not needed.

    `state_dir` needs no lock: an engine may hold it. `progress` is told how many jobs and logs
    were removed so far. Raises `StateDirError` if the database is missing, or `StoreError` if it
    can't be used; files that can't be removed are in the report. If it is stopped half-way,
    running it again does the rest.
    """
    path = state_dir.database
    try:
        limit = now - older_than
    except OverflowError:
        raise UsageError(f"nothing is older than {older_than}: name a shorter time") from None
    collector = _Collector(state_dir, limit, GcReport(mode), progress or _say_nothing)
    with closing(_connect(path, mode)) as connection:
        try:
            collector.collect_jobs(connection)
            collector.collect_folders(connection)
        except sqlite3.Error as error:
            raise from_sqlite(path, error) from error
    return collector.report


def _say_nothing(done: int) -> None:
    pass


def _connect(path: Path, mode: GcMode) -> sqlite3.Connection:
    """A connection for one run. Never migrates: an engine of an older version may be running."""
    connection = open_for_reading(path)
    if mode is GcMode.DRY_RUN:
        return connection
    connection.close()
    return open_for_writing(path, busy_seconds=_BUSY_SECONDS)


class _Collector:
    """One run of the garbage collector, for what ended before `limit`."""

    def __init__(
        self, state_dir: StateDir, limit: datetime, report: GcReport, progress: Progress
    ) -> None:
        self.report = report
        self._state_dir = state_dir
        self._limit = limit
        self._progress = progress
        self._queries = load_queries()
        # Files that are gone, or would be; and with them those that can't be removed.
        self._removed: set[Path] = set()
        self._dealt_with: set[Path] = set()

    def collect_jobs(self, connection: sqlite3.Connection) -> None:
        """Removes the rows that are garbage, and their logs."""
        rows = connection.execute(self._queries["garbage"], (time_text(self._limit),)).fetchall()
        job_ids = [job_id for (job_id,) in rows]
        for start in range(0, len(job_ids), _BATCH):
            batch = job_ids[start : start + _BATCH]
            if self.report.mode is GcMode.DELETE:
                self._delete_rows(connection, batch)
            for job_id in batch:
                self.report.jobs.append(job_id)
                self._remove_log(self._state_dir.job_path(job_id))
            self._tell()

    def collect_folders(self, connection: sqlite3.Connection) -> None:
        """Removes old logs that have no row, and folders that are empty then."""
        for folder, day in self._days():
            for log in sorted(folder.glob("*.log")):
                if log not in self._dealt_with and self._is_stray(connection, log):
                    self._remove_log(log)
            # An engine may be about to make a log in the folder of a newer day.
            if day < self._limit.astimezone(UTC).date():
                self._remove_if_empty(folder)
            self._tell()

    def _delete_rows(self, connection: sqlite3.Connection, job_ids: Sequence[str]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # By the job's id: the number of a row that is gone can be given to a new one.
            connection.executemany(self._queries["delete_job"], ((job_id,) for job_id in job_ids))
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise

    def _days(self) -> list[tuple[Path, date]]:
        """The folders of logs that can hold something old, by their day, in order."""
        last = self._limit.astimezone(UTC).date()
        days = []
        for folder in sorted(self._state_dir.jobs.iterdir()):
            if _DAY.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
                with suppress(ValueError):  # Not every such name is a date.
                    days.append((folder, date.fromisoformat(folder.name)))
        return [(folder, day) for folder, day in days if day <= last]

    def _is_stray(self, connection: sqlite3.Connection, log: Path) -> bool:
        """True if nothing was written to a log since the limit, and it belongs to no job."""
        try:
            changed = log.lstat().st_mtime
        except FileNotFoundError:
            return False
        if changed >= self._limit.timestamp():
            return False
        job_id = f"{log.parent.name}/{log.stem}"
        return connection.execute(self._queries["has_job"], (job_id,)).fetchone() is None

    def _remove_log(self, log: Path) -> None:
        self._dealt_with.add(log)
        try:
            size = log.lstat().st_size
            if self.report.mode is GcMode.DELETE:
                log.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            self.report.failures.append(f"{log}: {error.strerror}")
            return
        self._removed.add(log)
        self.report.logs.append(log)
        self.report.log_bytes += size

    def _remove_if_empty(self, folder: Path) -> None:
        if any(file not in self._removed for file in folder.iterdir()):
            return
        try:
            if self.report.mode is GcMode.DELETE:
                folder.rmdir()
        except OSError as error:
            self.report.failures.append(f"{folder}: {error.strerror}")
            return
        self.report.folders.append(folder)

    def _tell(self) -> None:
        self._progress(len(self.report.jobs) + len(self.report.logs))
