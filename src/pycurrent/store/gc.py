"""Removes old logs, old cache folders, and the old history of keys that have newer results.

Jobs that have not ended and the last result of each key are kept whatever their age, each with
its log and all that explains it. This is safe beside a running engine: an engine only ever adds
jobs and ends its own, so what is garbage once stays garbage.

Jobs are read and removed in batches (`removal.py`), in the order of the index that finds the
results of a key: memory stays flat, and the pages of the file that a batch changes are few. A row
is removed before its log. If the process is killed in between, the log has no row, and the next run
removes it as such. Of jobs whose rows stay, logs, files and tests go by the rules of retention
(`retaining.py`), then the records that explained only what is gone (`garbage.py`), and the space.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path

from msgspec import Struct, field

from pycurrent.errors import UsageError
from pycurrent.store.cache_folders import CacheFolders
from pycurrent.store.errors import from_sqlite
from pycurrent.store.garbage import Explanations, GarbageKind
from pycurrent.store.keep import NO_RETENTION, Part, Retention
from pycurrent.store.needs import Wanted
from pycurrent.store.queries import load_queries
from pycurrent.store.records import Row, time_text
from pycurrent.store.removal import Removal
from pycurrent.store.retaining import Retaining, Run, Taken, TakenBy, remove_tests
from pycurrent.store.schema import open_for_reading, open_for_writing
from pycurrent.store.space import give_back
from pycurrent.store.state_dir import StateDir
from pycurrent.store.sweep import Progress, Sweep

# Rows of a dry run.
_READ_AT_ONCE = 2000
# Nobody waits for this program, so it can wait for others.
_BUSY_SECONDS = 30.0
# So many files that can't be removed have one reason, and the rest has it, too.
_MOST_FAILURES = 1000

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
# An engine may be about to make a log in the folder of today, by its clock.
_DAY_BEFORE = timedelta(days=1)

# The queries that find garbage: rows of the job's id, the size of a log in its row,
# and its place in the order.
_GARBAGE = ("garbage_results", "garbage_without_result")

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
    explanations: Counter[GarbageKind] = field(default_factory=Counter)
    """The records that explained jobs, by their kinds, without those that go with their jobs."""
    cache_folders: int = 0
    """The cache folders."""
    cache_bytes: int = 0
    """Their size."""
    contents: int = 0
    """The contents of files that no job that is kept has saved."""
    content_bytes: int = 0
    """Their size."""
    taken: TakenBy = field(default_factory=dict)
    """The logs, files and tests of jobs whose rows stay."""
    unmatched: list[str] = field(default_factory=list)
    """The rules for an operation of which no job is recorded."""
    given_back: int = 0
    """The bytes by which the file of the database was made smaller."""
    still_free: str | None = None
    """Why the file keeps space that nothing uses now; None if it does not keep much."""
    failures: list[str] = field(default_factory=list)
    """A line for each file that could not be removed. With the thousandth it stops."""

    @property
    def jobs(self) -> int:
        return self.jobs_of.total()

    @property
    def parts(self) -> dict[Part, Taken]:
        """The logs, files and tests of jobs whose rows stay, those of all rules together."""
        found: dict[Part, Taken] = {}
        for (_, part, _), taken in self.taken.items():
            total = found.setdefault(part, Taken())
            total.jobs += taken.jobs
            total.bytes += taken.bytes
        return found


class _TooManyFailures(Exception):
    pass


def collect_garbage(
    state_dir: StateDir,
    *,
    older_than: timedelta | None = None,
    retention: Retention = NO_RETENTION,
    wanted: Wanted | None = None,
    now: datetime,
    mode: GcMode = GcMode.DELETE,
    progress: Progress = lambda line: None,
    found: Found = lambda thing: None,
    sweep: Sweep | None = None,
) -> GcReport:
    """Removes what ended before `now - older_than` and is not needed; and of the jobs that stay
    what `retention` does not keep. An engine says what is `wanted`.

    `state_dir` needs no lock: an engine may hold it. Raises `StateDirError` if the database is
    missing, or `StoreError` if it can't be used; files that can't be removed are in the report. If
    it is stopped half-way, running it again does the rest; `progress` may raise to stop it.
    `sweep`, if it is given, removes files that jobs have saved.
    """
    path = state_dir.database
    limit = _limit(now, older_than)
    report = GcReport(mode)
    with closing(_connect(path, mode)) as connection:
        removal = Removal(state_dir, connection, progress) if mode is GcMode.DELETE else None
        try:
            collector = _Collector(state_dir, connection, removal, limit, report, progress, found)
            with suppress(_TooManyFailures):
                collector.collect(sweep, retention, wanted, now)
            if removal is not None:
                given, report.still_free = give_back(state_dir, connection, progress)
                report.given_back = removal.given_back + given
        except sqlite3.Error as error:
            raise from_sqlite(path, error) from error
    return report


def _limit(now: datetime, older_than: timedelta | None) -> datetime:
    """The time before which jobs go."""
    if older_than is None:
        return datetime.min.replace(tzinfo=UTC)
    try:
        return now - older_than
    except OverflowError:
        raise UsageError(f"nothing is older than {older_than}: name a shorter time") from None


def _connect(path: Path, mode: GcMode) -> sqlite3.Connection:
    """A connection for one run. Never migrates: an engine of an older version may be running."""
    connection = open_for_reading(path)
    if mode is GcMode.DRY_RUN:
        # For tables in memory: the file itself is open for reading only, or a copy.
        connection.execute("PRAGMA query_only = 0")
        return connection
    connection.close()
    return open_for_writing(path, busy_seconds=_BUSY_SECONDS)


class _Collector:
    """One run of the garbage collector, for what ended before `limit`."""

    def __init__(
        self,
        state_dir: StateDir,
        connection: sqlite3.Connection,
        removal: Removal | None,
        limit: datetime,
        report: GcReport,
        progress: Progress,
        found: Found,
    ) -> None:
        self._report = report
        self._state_dir = state_dir
        self._connection = connection
        self._removal = removal
        self._limit = limit
        self._progress = progress
        self._found = found
        self._queries = load_queries()
        self._explanations = Explanations(connection, self._queries, time_text(limit), removal)
        # In a dry run: how many logs would be gone from each folder.
        self._gone: Counter[Path] = Counter()
        # Logs that can't be removed: their rows are gone, so they are met a second time.
        self._stuck: set[Path] = set()
        # The folders from which logs went.
        self._thinned: set[Path] = set()

    def collect(
        self, sweep: Sweep | None, retention: Retention, wanted: Wanted | None, now: datetime
    ) -> None:
        """Remove the jobs that are garbage, with their logs, and then all that only they needed."""
        run = Run(self._state_dir, self._connection, self._queries, self._removal, now, self._tell)
        for query in _GARBAGE:
            for batch in self._batches(self._queries[query]):
                self._collect_jobs(run, batch)
        self._retain(Retaining(run, retention, wanted, self._remove_log, self._report.taken), sweep)
        for kind, number in self._explanations.collect():
            self._report.explanations[kind] += number
            self._tell()
        self._collect_folders(now)
        self._collect_cache_folders()
        if sweep is not None:
            self._collect_contents(sweep)

    def _retain(self, retaining: Retaining, sweep: Sweep | None) -> None:
        """Remove what no rule keeps of jobs whose rows stay."""
        retaining.collect()
        self._report.unmatched = [str(rule) for rule in retaining.unmatched]
        if sweep is not None:
            try:
                retaining.bound(sweep.contents_of)
            except OSError as error:
                self._fail(self._state_dir.files, error)
        self._report.log_bytes += retaining.log_bytes

    def _collect_contents(self, sweep: Sweep) -> None:
        """Remove the contents that only jobs had saved which are gone."""
        if self._removal is not None:
            self._forget_strays(self._removal)
        try:
            self._report.contents, self._report.content_bytes = sweep(
                self._named, is_dry=self._removal is None, progress=self._progress
            )
        except OSError as error:
            self._fail(self._state_dir.files, error)

    def _forget_strays(self, removal: Removal) -> None:
        query, limit = self._queries["stray_saved"], time_text(self._limit)
        while rows := self._connection.execute(query, (limit, removal.batch)).fetchall():
            for _ in removal.parts([self._queries["remove_saved"]], rows):
                pass

    def _named(self, after: int) -> Iterator[tuple[int, str, bool]]:
        bounds = {"limit": time_text(self._limit), "size": _READ_AT_ONCE}
        while True:
            rows = self._connection.execute(
                self._queries["named_contents"], {**bounds, "after": after}
            ).fetchall()
            for number, digest, is_tree in rows:
                yield number, digest, bool(is_tree)
            if len(rows) < _READ_AT_ONCE:
                return
            after = rows[-1][0]

    def _collect_jobs(self, run: Run, batch: list[Row]) -> None:
        if self._removal is None:
            self._explanations.forget([seq for *_, seq in batch])
            self._count(batch)
            return
        # Before the jobs: a trigger would remove all tests of one at once.
        remove_tests(run, [seq for *_, seq in batch])
        of_jobs = {row[0]: row for row in batch}
        # By the job's id: the number of a row that is gone can be given to a new one.
        parts = self._removal.parts(
            [self._queries["delete_job"]], [(job_id,) for job_id in of_jobs]
        )
        for part, _ in parts:
            self._count([of_jobs[job_id] for (job_id,) in part])

    def _count(self, rows: Sequence[Row]) -> None:
        """Count rows that are gone, or would be, and remove their logs."""
        self._report.jobs_of.update(op for _, _, op, *_ in rows)
        self._report.log_bytes += sum(held for _, held, *_ in rows)
        for job_id, *_ in rows:
            self._found(job_id)
        for job_id, *_ in rows:
            self._remove_log(self._state_dir.job_path(job_id))
        self._tell()

    def _collect_folders(self, now: datetime) -> None:
        """Remove old logs that have no row, and folders that are empty then."""
        days = self._days()
        for folder, day in days:
            for log in folder.glob("*.log"):
                if log not in self._stuck and self._is_stray(log):
                    self._remove_log(log)
            # An engine may be about to make a log in the folder of a newer day.
            if day < self._limit.astimezone(UTC).date():
                self._remove_if_empty(folder)
            self._tell()
        for folder in sorted(self._thinned.difference(folder for folder, _ in days)):
            if folder.name < f"{now.astimezone(UTC) - _DAY_BEFORE:%Y-%m-%d}":
                self._remove_if_empty(folder)

    def _collect_cache_folders(self) -> None:
        """Remove the cache folders that were not used since the limit, none that is in use."""
        folders = CacheFolders(self._state_dir.cache)
        is_dry = self._report.mode is GcMode.DRY_RUN
        for folder in folders.all():
            if folder.last_used >= self._limit.timestamp():
                continue
            try:
                size = folder.size
                if folder.is_in_use if is_dry else not folder.remove():
                    continue
            except OSError as error:
                self._fail(folder.path, error)
                continue
            self._found(folder.path)
            self._report.cache_folders += 1
            self._report.cache_bytes += size
            self._tell()
        if not is_dry:
            folders.remove_leftovers()

    def _batches(self, query: str) -> Iterator[list[Row]]:
        """The jobs that are garbage, a batch at a time, each found when it is asked for: no reader
        keeps the log of the database from being emptied meanwhile.
        """
        op, digest, build, seq = "", "", -1, -1
        while True:
            size = _READ_AT_ONCE if self._removal is None else self._removal.batch
            place = {"op": op, "digest": digest, "build": build, "seq": seq}
            bounds = {"limit": time_text(self._limit), "size": size}
            batch = self._connection.execute(query, {**place, **bounds}).fetchall()
            if batch:
                yield batch
            if len(batch) < size:
                return
            _, _, op, digest, build, seq = batch[-1]

    def _days(self) -> list[tuple[Path, date]]:
        """The folders of logs that can hold something old, by their day, in order."""
        last = self._limit.astimezone(UTC).date()
        days = []
        for folder in sorted(self._state_dir.jobs.iterdir()):
            if _DAY.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
                with suppress(ValueError):  # Not every such name is a date.
                    days.append((folder, date.fromisoformat(folder.name)))
        return [(folder, day) for folder, day in days if day <= last]

    def _is_stray(self, log: Path) -> bool:
        """True if nothing was written to a log since the limit, and it belongs to no job."""
        try:
            changed = log.lstat().st_mtime
        except FileNotFoundError:
            return False
        if changed >= self._limit.timestamp():
            return False
        job_id = f"{log.parent.name}/{log.stem}"
        return self._connection.execute(self._queries["has_job"], (job_id,)).fetchone() is None

    def _remove_log(self, log: Path) -> bool:
        """False if it can't be removed."""
        try:
            size = log.lstat().st_size
            if self._report.mode is GcMode.DELETE:
                log.unlink()
            else:
                self._gone[log.parent] += 1
        except FileNotFoundError:
            return True
        except OSError as error:
            self._stuck.add(log)
            self._fail(log, error)
            return False
        self._thinned.add(log.parent)
        self._found(log)
        self._report.logs += 1
        self._report.log_bytes += size
        return True

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
