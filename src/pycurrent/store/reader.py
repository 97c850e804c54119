"""Reads the records: the part of the database that needs no engine."""

import sqlite3
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, Unpack

from pycurrent.store.audit import AuditFilters, AuditRecord, Chain, check_chain, read
from pycurrent.store.changes import ChangeKind, ChangeRecord
from pycurrent.store.errors import StoreError, damaged, from_sqlite
from pycurrent.store.failure_tables import FailureTables, Parameters
from pycurrent.store.firings import FiringRecord
from pycurrent.store.overrides import OverrideRecord
from pycurrent.store.queries import (
    AUDIT_CONDITIONS,
    CHANGE_CONDITIONS,
    HISTORY_CONDITIONS,
    IS_OK,
    load_queries,
)
from pycurrent.store.records import (
    COLUMNS,
    BuildRecord,
    JobEnd,
    JobRecord,
    Record,
    Row,
    RuleRecord,
    storable,
    time_text,
)
from pycurrent.store.schema import open_for_reading
from pycurrent.store.uses import UseRecord

SHOWN = frozenset(JobEnd) - {JobEnd.SUPERSEDED}
"""The jobs that a history shows unless asked for others."""


class DatabaseReader:
    """The records of a state directory, read-only: an engine may be writing them meanwhile.

    Belongs to the thread that made it. All methods raise `StoreError` if the database can't be
    read, `StoreDamaged` among them.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._queries: Mapping[str, str] = load_queries()
        #: Why jobs have failed.
        self.failures = FailureTables(self._queries, self._run_up_to_date, self._damage_or)

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

    def lookup(self, op: str, key_digest: str) -> BuildRecord | None:
        """The last result of a key, a failure too; None if there has not been any."""
        rows = self._read("lookup", (op, key_digest))
        return self._record(rows[0], BuildRecord) if rows else None

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

    def ids(self, text: str) -> list[str]:
        """The ids of jobs that begin or end with a text, the oldest first."""
        self._catch_up()
        return [job_id for (job_id,) in self._read("ids", {"text": storable(text)})]

    def history(
        self,
        op: str | None = None,
        *,
        ok: bool | None = None,
        rebuild: bool | None = None,
        prefix: str | None = None,
        key: str | None = None,
        text: str | None = None,
        ends: Collection[JobEnd | None] = SHOWN,
        limit: int = 100,
        before: str | None = None,
    ) -> list[JobRecord]:
        """Jobs, the one created last first; at most `limit`.

        `prefix` is how the job's id starts, a day for example; `key` the whole readable key;
        `text` is found anywhere in the key, value or outcome, in any case (of ASCII letters);
        `ends` are those that count, None for jobs that have not ended.
        `before` is a job's id, to get the next page: only jobs created before it are listed.
        """
        self._catch_up()
        filters = {
            "before": before,
            "op": op,
            "rebuild": rebuild,
            "prefix": prefix,
            "key": None if key is None else storable(key),
            "text": None if text is None else f"%{_like_literal(storable(text))}%",
        }
        given = {name: value for name, value in filters.items() if value is not None}
        conditions = [_among(ends), *([] if ok is None else [IS_OK[ok]])]
        conditions += [HISTORY_CONDITIONS[name] for name in given]
        query = self._queries["history"].replace("{conditions}", " AND ".join(conditions))
        rows = self._run(query, {**given, "limit": limit})
        return [self._record(row, JobRecord) for row in rows]

    def uses_of_job(self, job_id: str, *, limit: int = 100) -> list[UseRecord]:
        """The uses of a job by stages, the newest first; at most `limit`."""
        self._catch_up()
        return self._uses("uses_of_job", job_id, limit)

    def uses_by_stage(self, path: str, *, limit: int = 100) -> list[UseRecord]:
        """The jobs that the stage with a path has used, the newest use first; at most `limit`."""
        self._catch_up()
        return self._uses("uses_by_stage", storable(path), limit)

    def _uses(self, query: str, subject: str, limit: int) -> list[UseRecord]:
        try:
            return [UseRecord.of_row(row) for row in self._read(query, (subject, limit))]
        except (ValueError, TypeError) as error:
            raise self._damage_or(error) from error

    def changes(
        self,
        *,
        kind: ChangeKind | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[ChangeRecord]:
        """The changes from outside, the newest first; at most `limit`.

        `since` is aware; `before` is the `id` of the last one of a page, to get the next page.
        """
        self._catch_up()
        filters = {
            "kind": None if kind is None else kind.value,
            "since": None if since is None else time_text(since),
            "before": before,
        }
        given = {name: value for name, value in filters.items() if value is not None}
        conditions = " AND ".join(CHANGE_CONDITIONS[name] for name in given) or "TRUE"
        query = self._queries["changes"].replace("{conditions}", conditions)
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

    def change(self, number: int) -> ChangeRecord | None:
        """One change; None if there is none with this number."""
        self._catch_up()
        return next(iter(self._changes_in(self._read("change", (number,)))), None)

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
        try:
            return [FiringRecord.of_row(row) for row in self._read("firings", ())]
        except (ValueError, TypeError) as error:
            raise self._damage_or(error) from error

    def check_audit(self, *, kept: str | None = None) -> Chain:
        """Follow the chain of the audit. `kept` is a hash that was noted earlier."""
        self._catch_up()
        try:
            rows = self._connection.execute(self._queries["whole_audit"])
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

    def _read(self, query: str, parameters: Parameters) -> list[Row]:
        return self._run(self._queries[query], parameters)

    def _run(self, sql: str, parameters: Parameters) -> list[Row]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
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


def _like_literal(text: str) -> str:
    """`text` without a meaning for LIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _among(ends: Collection[JobEnd | None]) -> str:
    """The condition that a job has one of these ends."""
    named = ", ".join(f"'{end.value}'" for end in ends if end is not None)
    return f"(ended IN ({named}){' OR ended IS NULL' if None in ends else ''})"
