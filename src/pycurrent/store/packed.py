"""The rows of many jobs as one statement takes them: a JSON array for each row.

That takes no longer than a statement for each row. But nearly all of it is SQLite's, while Python's
lock is free: in a thread it keeps nobody waiting. Logs may be any bytes, so they come in one text,
with the place of each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from operator import attrgetter

import msgspec

from pycurrent.store.records import CHANGING, COLUMNS, ENDING, WAITING, Columns, JobRecord

Write = Callable[[sqlite3.Connection, Mapping[str, str]], None]
"""Puts rows in, within a transaction. From any thread."""

FEW = 8
"""Rows that take less time one by one: a statement for many is long, and has to be prepared."""
_PART = 2000
_LONGEST = 1 << 26
"""Characters of rows that one statement takes: SQLite refuses a text of a billion."""
_job_id = attrgetter("job_id")
_encode = msgspec.json.Encoder().encode


def inserts(jobs: Iterable[JobRecord]) -> Iterator[Write]:
    """Write jobs for the first time, as they are now."""
    for part in _parts(jobs):
        yield _write("insert_job", part, COLUMNS.rows, COLUMNS.row, COLUMNS.row)


def updates(jobs: Iterable[JobRecord]) -> Iterator[Write]:
    """Write what has changed in jobs since they were inserted, as it is now."""
    for part in _parts(jobs):
        yield _write_changes("update_job", part, CHANGING)


def waits(jobs: Iterable[JobRecord]) -> Iterator[Write]:
    """The same of jobs that have not begun."""
    for part in _parts(jobs):
        yield _write_changes("wait_job", part, WAITING)


def ends(jobs: Iterable[JobRecord]) -> Iterator[Write]:
    """Write the ends of jobs that have left no result, as they are when they are asked for."""
    for part in _parts(jobs):
        # In the order of their rows, as a rule, which is a fifth quicker.
        part.sort(key=_job_id)
        together = _with_logs(_with_ids(ENDING, part), [job.held for job in part])
        yield partial(_write_all, "end_job", together)


def _with_ids(columns: Columns, jobs: Iterable[JobRecord]) -> list[list[object]]:
    rows = columns.rows(jobs)
    for job, row in zip(jobs, rows, strict=True):
        row.insert(0, job.job_id)
    return rows


def _write_changes(name: str, part: Sequence[JobRecord], columns: Columns) -> Write:
    def changed(job: JobRecord) -> list[object]:
        return [job.job_id, *columns.row(job)]

    def changed_alone(job: JobRecord) -> list[object]:
        return [*columns.row(job), job.job_id]

    return _write(name, part, partial(_with_ids, columns), changed, changed_alone)


def _parts(jobs: Iterable[JobRecord]) -> Iterator[list[JobRecord]]:
    """The jobs in lists of as many as one statement takes."""
    rest = iter(jobs)
    while part := list(islice(rest, _PART)):
        yield part


def _with_logs(rows: Sequence[Sequence[object]], logs: Iterable[bytes | None]) -> dict[str, object]:
    """The parameters of a statement: the rows, each behind the place of its log among all logs."""
    given: list[tuple[object, ...]] = []
    texts = [b"-"]  # Of no text at all SQLite gives no part, not even an empty one.
    at = 2
    for row, text in zip(rows, logs, strict=True):
        if text is None:
            given.append((None, None, *row))
        else:
            given.append((at, len(text), *row))
            texts.append(text)
            at += len(text)
    return {"rows": as_text(given), "logs": b"".join(texts)}


def as_text(rows: object) -> str:
    """The rows as JSON. Raises UnicodeEncodeError for what is not `storable`."""
    return _encode(rows).decode()


def has_nul(text: str) -> bool:
    """True if a string in this JSON may have a NUL, which SQLite takes for its end."""
    return "\\u0000" in text


def _write(
    name: str,
    jobs: Sequence[JobRecord],
    rows: Callable[[Sequence[JobRecord]], list[list[object]]],
    one: Callable[[JobRecord], list[object]],
    alone: Callable[[JobRecord], list[object]],
) -> Write:
    """`one` gives the row of a job with nothing in it that JSON can't hold, and `alone` that of the
    statement for one.
    """
    logs = [job.held for job in jobs]
    if len(jobs) > FEW:
        try:
            together = _with_logs(rows(jobs), logs)
        except UnicodeEncodeError:
            together = _with_logs([one(job) for job in jobs], logs)
        text = str(together["rows"])
        if not has_nul(text) and len(text) <= _LONGEST:
            return partial(_write_all, name, together)
    one_by_one = [[log, *alone(job)] for job, log in zip(jobs, logs, strict=True)]
    return partial(_write_each, name, one_by_one)


def _write_each(
    name: str,
    rows: Iterable[Sequence[object]],
    connection: sqlite3.Connection,
    queries: Mapping[str, str],
) -> None:
    connection.executemany(queries[name], rows)


def _write_all(
    name: str,
    given: Mapping[str, object],
    connection: sqlite3.Connection,
    queries: Mapping[str, str],
) -> None:
    connection.execute(queries[f"{name}s"], given)
