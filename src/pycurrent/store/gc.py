"""Removes old logs, and the old history of keys that have newer results.

Jobs that have not ended and the last result of each key are kept whatever their age, each with
its log. This is safe beside a running engine: an engine only ever adds jobs and ends its own, so
what is garbage once stays garbage. Beside one the write lock is taken for a few milliseconds at a
time, and left alone for as long after that.

Jobs are read and removed in batches, in the order of the index that finds the results of a key:
memory stays flat, and the pages of the file that a batch changes are few. A row is removed before
its log. If the process is killed in between, the log has no row, and the next run removes it as
such. The space that this leaves in the file of the database is given back by `space.py`.
"""

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path

from msgspec import Struct, field

from pycurrent.errors import UsageError
from pycurrent.store.errors import from_sqlite, is_full
from pycurrent.store.queries import load_queries
from pycurrent.store.records import Row, time_text
from pycurrent.store.schema import open_for_reading, open_for_writing
from pycurrent.store.space import empty_log, give_back, size_of
from pycurrent.store.state_dir import StateDir

# Rows removed in one transaction: a few milliseconds beside an engine, and some tenths of a second
# where nobody waits.
_BATCH = 200
_BATCH_ALONE = 2000
# Nobody waits for this program, so it can wait for others.
_BUSY_SECONDS = 30.0
# So many files that can't be removed have one reason, and the rest has it, too.
_MOST_FAILURES = 1000

_DAY = re.compile(r"\d{4}-\d\d-\d\d")

# The queries that find garbage: rows of the job's id, the size of a log in its row,
# and its place in the order.
_GARBAGE = ("garbage_results", "garbage_without_result")

#: Told of the progress in a line, often.
Progress = Callable[[str], None]
#: Told of each thing that is removed: the id of a job, the path of a log or of a folder.
Found = Callable[[str | Path], None]


class GcMode(Enum):
    """The treatment of garbage."""

    DELETE = "delete"
    DRY_RUN = "dry run"


class GcReport(Struct):
    """The number of things that were removed, or in a dry run would be."""

    mode: GcMode
    jobs_of: Counter[str] = field(default_factory=Counter)
    """The rows, by the operations of their jobs."""
    logs: int = 0
    """The files of logs, those without a row among them."""
    log_bytes: int = 0
    """The size of all logs, those in rows too."""
    folders: int = 0
    """The days that are empty without these logs."""
    given_back: int = 0
    """The bytes by which the file of the database was made smaller."""
    still_free: str | None = None
    """Why the file keeps space that nothing uses now; None if it does not keep much."""
    failures: list[str] = field(default_factory=list)
    """A line for each file that could not be removed. With the thousandth it stops."""

    @property
    def jobs(self) -> int:
        return self.jobs_of.total()


class _TooManyFailures(Exception):
    pass


def collect_garbage(
    state_dir: StateDir,
    *,
    older_than: timedelta,
    now: datetime,
    mode: GcMode = GcMode.DELETE,
    progress: Progress = lambda line: None,
    found: Found = lambda thing: None,
) -> GcReport:
    """Removes what ended before `now - older_than` and is not needed.

    `state_dir` needs no lock: an engine may hold it. Raises `StateDirError` if the database is
    missing, or `StoreError` if it can't be used; files that can't be removed are in the report. If
    it is stopped half-way, running it again does the rest.
    """
    path = state_dir.database
    try:
        limit = now - older_than
    except OverflowError:
        raise UsageError(f"nothing is older than {older_than}: name a shorter time") from None
    report = GcReport(mode)
    collector = _Collector(state_dir, limit, report, progress, found)
    with closing(_connect(path, mode)) as connection:
        try:
            with suppress(_TooManyFailures):
                collector.collect_jobs(connection)
                collector.collect_folders(connection)
            if mode is GcMode.DELETE:
                given, report.still_free = give_back(state_dir, connection, progress)
                report.given_back += given
        except sqlite3.Error as error:
            raise from_sqlite(path, error) from error
    return report


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
        self,
        state_dir: StateDir,
        limit: datetime,
        report: GcReport,
        progress: Progress,
        found: Found,
    ) -> None:
        self._report = report
        self._state_dir = state_dir
        self._limit = limit
        self._progress = progress
        self._found = found
        self._queries = load_queries()
        # In a dry run: how many logs would be gone from each folder.
        self._gone: Counter[Path] = Counter()
        # Rows removed in one transaction, on the disk as it is.
        self._most = _BATCH_ALONE
        self._is_tight = False
        # Logs that can't be removed: their rows are gone, so they are met a second time.
        self._stuck: set[Path] = set()

    def collect_jobs(self, connection: sqlite3.Connection) -> None:
        """Removes the rows that are garbage, and their logs."""
        deletes = self._report.mode is GcMode.DELETE
        for query in _GARBAGE:
            for batch in self._batches(connection, self._queries[query]):
                for part in self._removed(connection, batch) if deletes else (batch,):
                    self._count(part)

    def _count(self, rows: Sequence[Row]) -> None:
        """Count rows that are gone, or would be, and remove their logs."""
        self._report.jobs_of.update(op for _, _, op, *_ in rows)
        self._report.log_bytes += sum(held for _, held, *_ in rows)
        for job_id, *_ in rows:
            self._found(job_id)
        for job_id, *_ in rows:
            self._remove_log(self._state_dir.job_path(job_id))
        self._tell()

    def collect_folders(self, connection: sqlite3.Connection) -> None:
        """Removes old logs that have no row, and folders that are empty then."""
        for folder, day in self._days():
            for log in folder.glob("*.log"):
                if log not in self._stuck and self._is_stray(connection, log):
                    self._remove_log(log)
            # An engine may be about to make a log in the folder of a newer day.
            if day < self._limit.astimezone(UTC).date():
                self._remove_if_empty(folder)
            self._tell()

    def _batches(self, connection: sqlite3.Connection, query: str) -> Iterator[list[Row]]:
        """The jobs that are garbage, a batch at a time, each found when it is asked for: no reader
        keeps the log of the database from being emptied meanwhile.
        """
        op, digest, build, seq = "", "", -1, -1
        while True:
            size = _BATCH if self._state_dir.is_in_use else _BATCH_ALONE
            place = {"op": op, "digest": digest, "build": build, "seq": seq}
            bounds = {"limit": time_text(self._limit), "size": size}
            batch = connection.execute(query, {**place, **bounds}).fetchall()
            if batch:
                yield batch
            if len(batch) < size:
                return
            _, _, op, digest, build, seq = batch[-1]

    def _removed(self, connection: sqlite3.Connection, batch: list[Row]) -> Iterator[list[Row]]:
        """Remove rows; gives them in parts, each as soon as it is gone.

        On a disk with hardly any room a part is as large as fits in it. It grows with the room.
        """
        while batch:
            part, rest = batch[: self._most], batch[self._most :]
            began = time.monotonic()
            try:
                self._delete_rows(connection, [job_id for job_id, *_ in part])
            except sqlite3.Error as error:
                if not is_full(error):
                    raise
                self._is_tight = True
                empty_log(connection)
                if len(part) == 1 and not self._makes_room(connection):
                    raise
                self._most = len(part) // 4 or 1
                continue
            took = time.monotonic() - began
            if self._is_tight:
                empty_log(connection)
                self._most = min(2 * self._most, _BATCH_ALONE)
            yield part
            batch = rest
            if self._state_dir.is_in_use:
                time.sleep(took)

    def _makes_room(self, connection: sqlite3.Connection) -> bool:
        """True if the file of the database has become smaller."""
        before = size_of(connection)
        with suppress(sqlite3.Error):
            give_back(self._state_dir, connection, self._progress)
        given = before - size_of(connection)
        self._report.given_back += max(0, given)
        return given > 0

    def _delete_rows(self, connection: sqlite3.Connection, job_ids: Sequence[str]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # By the job's id: the number of a row that is gone can be given to a new one.
            connection.executemany(self._queries["delete_job"], ((job_id,) for job_id in job_ids))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
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
        try:
            size = log.lstat().st_size
            if self._report.mode is GcMode.DELETE:
                log.unlink()
            else:
                self._gone[log.parent] += 1
        except FileNotFoundError:
            return
        except OSError as error:
            self._stuck.add(log)
            self._fail(log, error)
            return
        self._found(log)
        self._report.logs += 1
        self._report.log_bytes += size

    def _remove_if_empty(self, folder: Path) -> None:
        try:
            left = sum(1 for _ in folder.iterdir())
            if left > self._gone.pop(folder, 0):
                return
            if self._report.mode is GcMode.DELETE:
                folder.rmdir()
        except OSError as error:
            self._fail(folder, error)
            return
        self._found(folder)
        self._report.folders += 1

    def _fail(self, path: Path, error: OSError) -> None:
        self._report.failures.append(f"{path}: {error.strerror}")
        if len(self._report.failures) == _MOST_FAILURES:
            self._report.failures.append("and more, perhaps: it has stopped there")
            raise _TooManyFailures

    def _tell(self) -> None:
        self._progress(f"{self._report.jobs:,} jobs and {self._report.logs:,} logs so far")
