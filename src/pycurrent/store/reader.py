"""Reads the records: the part of the database that needs no engine."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias, Unpack

from msgspec import Struct

from pycurrent.store.errors import StoreError, damaged, from_sqlite
from pycurrent.store.overrides import OverrideRecord
from pycurrent.store.queries import AUDIT_CONDITIONS, load_queries
from pycurrent.store.records import (
    COLUMNS,
    BuildRecord,
    JobEnd,
    JobRecord,
    LastResult,
    Record,
    Row,
    RuleRecord,
    storable,
    time_text,
)
from pycurrent.store.saved_reader import SavedFilesReader
from pycurrent.store.schema import open_for_reading
from pycurrent.store.uses import UseRecord

if TYPE_CHECKING:
    from pycurrent.store.annotations import AnnotationTable
    from pycurrent.store.audit import AuditFilters, AuditRecord, Chain
    from pycurrent.store.change_filter import ChangeFilters
    from pycurrent.store.changes import ChangeRecord, InputValue
    from pycurrent.store.coverage_tables import CoverageTables
    from pycurrent.store.failure_tables import FailureTables
    from pycurrent.store.firings import FiringRecord
    from pycurrent.store.history_filter import HistoryFilter, HistoryFilters
    from pycurrent.store.look_record import LookRecord
    from pycurrent.store.ran import RanRecord
    from pycurrent.store.removed import RemovedPart
    from pycurrent.store.runs import RunLength, RunRecord
    from pycurrent.store.search import SearchTables
    from pycurrent.store.test_tables import TestTables

# A run in which nothing happens reads few tables: the modules of the others are imported where
# these are read.

Parameters: TypeAlias = tuple[object, ...] | Mapping[str, object]
"""The values of a statement."""


class HistoryRecords(Struct, frozen=True):
    """Some jobs, in the order of a history."""

    records: list[JobRecord]
    next: str | None
    """The place behind which the next page begins; None on the last page."""
    is_complete: bool
    """False if the time was up before the page was full: there may be more on the next one."""


class DatabaseReader:
    """The records of a state directory, read-only: an engine may be writing them meanwhile.

    Belongs to the thread that made it. All methods raise `StoreError` if the database can't be
    read, `StoreDamaged` among them.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._queries: Mapping[str, str] = load_queries()

    @cached_property
    def tests(self) -> TestTables:
        """The tests that jobs have reported."""
        from pycurrent.store.test_tables import TestTables

        return TestTables(self._queries, self._run_up_to_date, self._damage_or)

    @cached_property
    def annotations(self) -> AnnotationTable:
        """The annotations from the reports of jobs."""
        from pycurrent.store.annotations import AnnotationTable

        return AnnotationTable(self._queries, self._run_up_to_date, self._damage_or)

    @cached_property
    def coverage(self) -> CoverageTables:
        """The coverage that jobs have reported."""
        from pycurrent.store.coverage_tables import CoverageTables

        return CoverageTables(self._queries, self._run_up_to_date, self._damage_or)

    @cached_property
    def searching(self) -> SearchTables:
        """A search for texts."""
        from pycurrent.store.search import SearchTables

        return SearchTables(self._queries, self._run_up_to_date, self._damage_or)

    @cached_property
    def saved(self) -> SavedFilesReader:
        """The files that jobs have saved."""
        return SavedFilesReader(self._read)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The database at `path`, an absolute path. It has to be there."""
        return cls(path, open_for_reading(path))

    def close(self) -> None:
        """Lets go of the file. Closing twice does nothing."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def failures(self) -> FailureTables:
        """The reasons for which jobs have failed."""
        from pycurrent.store.failure_tables import FailureTables

        return FailureTables(self._queries, self._run_up_to_date, self._damage_or)

    def lookup(self, op: str, key_digest: str) -> BuildRecord | None:
        """The last result of a key, a failure too; None if there has not been any."""
        rows = self._read("lookup", (op, key_digest))
        return self._record(rows[0], BuildRecord) if rows else None

    def last_good_result(self, op: str, key_digest: str) -> LastResult | None:
        """The last result of a key, in the file, that is not a failure; None if there is none."""
        rows = self._read("last_good_result", (op, key_digest))
        try:
            return LastResult.of_row(rows[0]) if rows else None
        except (ValueError, TypeError, AttributeError) as error:
            raise self._damage_or(error) from error

    def job(self, job_id: str) -> JobRecord | None:
        """One job, ended or not; None if no job has this id."""
        self._catch_up()
        rows = self._read("job", (job_id,))
        return self._record(rows[0], JobRecord) if rows else None

    def log(self, job_id: str) -> bytes | None:
        """The log of a job that has written no more than its first lines; None if it has a file,
        or the job is unknown.
        """
        rows = self._read("log", (job_id,))
        return bytes(rows[0][0]) if rows else None

    def removed(self, job_id: str) -> list[RemovedPart]:
        """The parts of a job that retention has removed."""
        rows = self._read("removed_parts", (job_id,))
        if not rows:
            return []
        from pycurrent.store.removed import RemovedPart  # of few jobs

        try:
            return [RemovedPart.of_row(row) for row in rows]
        except (ValueError, TypeError) as error:
            raise self._damage_or(error) from error

    def ran(self, job_id: str) -> RanRecord | None:
        """Where a job has run, and what it has used; None if it has run no command and had no
        place, or has not ended.
        """
        rows = self._read("ran", (job_id,))
        if not rows:
            return None
        from pycurrent.store.ran import RanRecord

        return RanRecord.of_row(rows[0])

    def look(self, job_id: str) -> LookRecord | None:
        """When the result of a job was last looked up again without a change; None: never."""
        from pycurrent.store.look_record import LookRecord

        self._catch_up()
        rows = self._read("look", (job_id,))
        try:
            return LookRecord.of_row(rows[0]) if rows else None
        except (ValueError, TypeError) as error:
            raise self._damage_or(error) from error

    def newest_job(self) -> str | None:
        """The id of the job that was created last; None if there is no job."""
        self._catch_up()
        rows = self._read("last_job", ())
        return rows[0][0] if rows else None

    def ids(self, text: str) -> list[str]:
        """The ids of jobs that begin or end with a text, the oldest first."""
        self._catch_up()
        return [job_id for (job_id,) in self._read("ids", {"text": storable(text)})]

    def history(
        self,
        op: str | None = None,
        *,
        ends: Collection[JobEnd | None] = (),
        limit: int = 100,
        before: str | None = None,
        **filters: Unpack[HistoryFilters],
    ) -> list[JobRecord]:
        """Jobs that pass the filters, in the order of a history; at most `limit`.

        `before` is the place of the last job of a page, to get the next one.
        """
        from pycurrent.store.history_filter import HistoryFilter

        wanted = HistoryFilter(op=op, ends=frozenset(ends), **filters)
        return self.history_page(wanted, limit=limit, before=before).records

    def history_page(
        self,
        wanted: HistoryFilter,
        *,
        limit: int = 100,
        before: str | None = None,
        seconds: float | None = None,
    ) -> HistoryRecords:
        """A page of a history, behind a place: see `store/history.py`.

        Looks for jobs for about so many seconds, or until the page is full. Raises `UsageError` if
        `before` is not a place.
        """
        from pycurrent.store.history import HistoryQuery
        from pycurrent.store.history_filter import HistoryCursor

        self._catch_up()
        place = None if before is None else HistoryCursor.parse(before)
        try:
            query = HistoryQuery(self._readable, wanted)
            found = query.page(limit=limit, before=place, seconds=seconds)
        except (sqlite3.Error, UnicodeError) as error:
            raise self._damage_or(error) from error
        records = [self._record(row, JobRecord) for row in found.rows]
        return HistoryRecords(
            records, None if found.next is None else str(found.next), found.is_complete
        )

    def uses_of_job(self, job_id: str, *, limit: int = 100) -> list[UseRecord]:
        """The uses of a job by stages, the newest first; at most `limit`."""
        self._catch_up()
        return self._uses("uses_of_job", job_id, limit)

    def uses_of_unended(self) -> list[UseRecord]:
        """The uses of the jobs that have not ended, the newest first."""
        self._catch_up()
        return self._uses("uses_of_unended")

    def uses_by_stage(self, path: str, *, limit: int = 100) -> list[UseRecord]:
        """The jobs that the stage with a path has used, the newest use first; at most `limit`."""
        self._catch_up()
        return self._uses("uses_by_stage", storable(path), limit)

    def lengths_of_stages(self, paths: Iterable[str], *, limit: int) -> list[RunLength]:
        """How long the runs took that stages have used, stage by stage, the newest use first; at
        most `limit` of each. It is one look, however many stages.
        """
        from pycurrent.store.runs import RunLength

        self._catch_up()
        asked = json.dumps([storable(path) for path in paths])
        rows = self._read("lengths_of_stages", {"paths": asked, "limit": limit})
        try:
            return [RunLength.of_row(row) for row in rows]
        except (ValueError, TypeError) as error:
            raise self._damage_or(error) from error

    def newest_good(self, path: str) -> str | None:
        """The id of the job whose good result the stage with a path has used last."""
        self._catch_up()
        rows = self._read("newest_good", (storable(path),))
        return str(rows[0][0]) if rows else None

    def _uses(self, query: str, *parameters: object) -> list[UseRecord]:
        try:
            return [UseRecord.of_row(row) for row in self._read(query, parameters)]
        except (ValueError, TypeError) as error:
            raise self._damage_or(error) from error

    def runs_of_stage(self, path: str, *, limit: int) -> list[RunRecord]:
        """The runs that the stage with a path has used, the newest use first; at most `limit`. One
        comes again where the stage has used it again, or with other labels.
        """
        self._catch_up()
        return self._runs(self._read("runs_of_stage", (storable(path), limit)))

    def runs_of_key(self, op: str, key_digest: str, *, limit: int) -> list[RunRecord]:
        """The runs of a key that have ended, the newest first; at most `limit`."""
        self._catch_up()
        values = {"op": op, "digest": key_digest, "limit": limit}
        return self._runs(self._read("runs_of_key", values))

    def _runs(self, rows: list[Row]) -> list[RunRecord]:
        from pycurrent.store.runs import RunRecord

        try:
            return [RunRecord.of_row(row) for row in rows]
        except (ValueError, TypeError) as error:
            raise self._damage_or(error) from error

    def changes(self, *, limit: int = 100, **filters: Unpack[ChangeFilters]) -> list[ChangeRecord]:
        """The changes from outside that pass the filters, the newest first; at most `limit`."""
        from pycurrent.store.change_filter import conditions

        self._catch_up()
        passing, given = conditions(filters)
        query = self._queries["changes"].replace("{conditions}", passing)
        return self._changes_in(self._run(query, {**given, "limit": limit}))

    def changes_of_job(self, job_id: str) -> list[ChangeRecord]:
        """The changes that a job follows from, the newest first."""
        self._catch_up()
        return self._changes_in(self._read("changes_of_job", (job_id,)))

    def jobs_of_change(self, change: int, *, limit: int = 100) -> list[JobRecord]:
        """The jobs that follow from a change, the newest first; at most `limit`."""
        self._catch_up()
        rows = self._read("jobs_of_change", (change, limit))
        return [self._record(row, JobRecord) for row in rows]

    def count_jobs_of_change(self, change: int, *, most: int) -> int:
        """How many jobs follow from a change, counted up to `most`."""
        self._catch_up()
        return int(self._read("count_jobs_of_change", (change, most))[0][0])

    def change(self, number: int) -> ChangeRecord | None:
        """One change; None if there is none with this number."""
        self._catch_up()
        return next(iter(self._changes_in(self._read("change", (number,)))), None)

    def input_values(self, name: str, *, limit: int = 100) -> list[InputValue]:
        """The values of the input with a name that can be read back, the newest first; at most
        `limit`. One that it has had again is there again.
        """
        from pycurrent.store.changes import InputValue

        self._catch_up()
        try:
            rows = self._read("input_values", (storable(name), limit))
            return [InputValue.of_row(row) for row in rows]
        except (ValueError, TypeError) as error:
            raise self._damage_or(error) from error

    def key_values(
        self, op: str, key_digest: str, *, limit: int = 100
    ) -> list[tuple[str, str, datetime]]:
        """The values among the newest 20,000 results of a key, as JSON, each once, with the newest
        job that has made it, and when; the newest first, at most `limit`.
        """
        self._catch_up()
        try:
            rows = self._read("key_values", (op, key_digest, limit))
            return [(text, job, datetime.fromisoformat(at)) for text, job, at, _ in rows]
        except (ValueError, TypeError) as error:
            raise self._damage_or(error) from error

    def runs_since(self, since: datetime) -> tuple[int, list[tuple[ChangeRecord, int]]]:
        """How many jobs were created from a time on, and how many of them follow from each change,
        the one with the most first. `since` is aware.
        """
        self._catch_up()
        # The ids of jobs begin with the time.
        first = (f"{since.astimezone(UTC):%Y-%m-%d/%H%M%S}",)
        rows = self._read("runs_by_change", first)
        changes = self._changes_in([row[:-1] for row in rows])
        counts = [int(row[-1]) for row in rows]
        return int(self._read("count_runs", first)[0][0]), list(zip(changes, counts, strict=True))

    def _changes_in(self, rows: list[Row]) -> list[ChangeRecord]:
        from pycurrent.store.changes import ChangeRecord

        try:
            return [ChangeRecord.of_row(row) for row in rows]
        except (ValueError, TypeError) as error:
            raise self._damage_or(error) from error

    def ops(self) -> list[str]:
        """The ids of the operations that have results, sorted."""
        self._catch_up()
        return [op for (op,) in self._read("ops", ())]

    def rules(self) -> list[RuleRecord]:
        """The log rules, the best score first."""
        return [RuleRecord(*row) for row in self._read("rules", ())]

    def audit(self, **filters: Unpack[AuditFilters]) -> list[AuditRecord]:
        """The acts of people and programs that pass the filters, the newest first."""
        from pycurrent.store.audit import read

        self._catch_up()
        given: dict[str, object] = {"limit": 100}
        for name, value in filters.items():
            match value:
                case datetime():
                    given[name] = time_text(value)
                case str():
                    given[name] = storable(value)
                case _:
                    given[name] = value
        conditions = [AUDIT_CONDITIONS[name] for name in filters if name != "limit"]
        query = self._queries["audit"].replace("{conditions}", " AND ".join(conditions) or "TRUE")
        try:
            return [read(row) for row in self._run(query, given)]
        except (ValueError, TypeError) as error:
            raise self._damage_or(error) from error

    def overrides(self) -> list[OverrideRecord]:
        """All that people have set, the oldest first, as the file has it."""
        try:
            return [OverrideRecord.of_row(row) for row in self._read("overrides", ())]
        except (ValueError, TypeError) as error:
            raise self._damage_or(error) from error

    def firings(self) -> list[FiringRecord]:
        """The firings that are not done, and the newest one of each trigger, the oldest first, as
        the file has them.
        """
        from pycurrent.store.firings import FiringRecord

        try:
            return [FiringRecord.of_row(row) for row in self._read("firings", ())]
        except (ValueError, TypeError) as error:
            raise self._damage_or(error) from error

    def check_audit(self, *, kept: str | None = None) -> Chain:
        """Follow the chain of the audit. `kept` is a hash that was noted earlier."""
        from pycurrent.store.audit import check_chain

        self._catch_up()
        try:
            rows = self._readable.execute(self._queries["whole_audit"])
            return check_chain(rows, kept=kept)
        except (sqlite3.Error, UnicodeError) as error:
            raise self._damage_or(error) from error

    def setting(self, name: str) -> str | None:
        """The value that is remembered under a name; None if there is none."""
        rows = self._read("setting", (name,))
        return str(rows[0][0]) if rows else None

    def _catch_up(self) -> None:
        """Called before jobs are shown: a writer of the database may have some that are not in
        the file yet.
        """

    @property
    def _readable(self) -> sqlite3.Connection:
        """The connection for the next query."""
        return self._connection

    def _read(self, query: str, parameters: Parameters) -> list[Row]:
        return self._run(self._queries[query], parameters)

    def _run(self, sql: str, parameters: Parameters) -> list[Row]:
        try:
            return self._readable.execute(sql, parameters).fetchall()
        except (sqlite3.Error, UnicodeError) as error:
            raise self._damage_or(error) from error

    def _run_up_to_date(self, sql: str, parameters: Parameters) -> list[Row]:
        self._catch_up()
        return self._run(sql, parameters)

    def _record(self, row: Row, kind: type[Record]) -> Record:
        """The record in a row. A row that no engine can have written is damage."""
        try:
            return COLUMNS.record(row, kind)
        except (ValueError, TypeError, AttributeError) as error:
            raise self._damage_or(error) from error

    def _damage_or(self, error: Exception) -> StoreError:
        if isinstance(error, sqlite3.Error):
            return from_sqlite(self._path, error)
        return damaged(self._path, f"a record can't be read: {error}")
