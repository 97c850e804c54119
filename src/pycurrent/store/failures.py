"""The failures of jobs: their kinds, their fingerprints, and the lines of the logs that tell why.

A row each, written in the same transaction as the job's end. The normal form of a message is kept
once, however many failures have it.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypedDict

from msgspec import Struct

from pycurrent.store.label_filter import LabelFilter
from pycurrent.store.records import Row, storable, time_text


class FailureRecord(Struct, frozen=True, kw_only=True):
    """Why a job has failed."""

    job_id: str
    kind: str
    """The value of a `FailureKind`."""
    fingerprint: str
    """The digest of the normal form of its message."""
    form: str
    """The normal form: the message without numbers, hashes and paths."""
    at: datetime
    """When the job ended. Aware, in UTC."""
    lines: str | None = None
    """The lines of its log that tell why, as JSON; None if the log could not be read."""

    @classmethod
    def of_row(cls, row: Row) -> "FailureRecord":
        """The record in a row. Raises ValueError or TypeError if it is damaged."""
        job_id, kind, fingerprint, form, at, lines = row
        return cls(
            job_id=job_id,
            kind=kind,
            fingerprint=fingerprint,
            form=form,
            at=datetime.fromisoformat(at),
            lines=lines,
        )


class FailureGroup(Struct, frozen=True):
    """The failures with one kind and one fingerprint."""

    kind: str
    fingerprint: str
    form: str
    count: int
    first: datetime
    """When the first of them that is recorded ended. Aware, in UTC."""
    last: datetime
    newest: str
    """The id of the job of the newest one."""
    message: str
    """Its message."""
    stages: tuple[str, ...] = ()
    """The paths of stages that have used some of the newest ones."""
    muted: str | None = None
    """For people: by whom this fingerprint is muted, until when and why; None if it is not."""

    @classmethod
    def of_row(cls, row: Row, stages: tuple[str, ...]) -> "FailureGroup":
        """The group in a row, but for its id. Raises ValueError or TypeError if it is damaged."""
        kind, fingerprint, form, count, first, last, newest, message = row
        first, last = datetime.fromisoformat(first), datetime.fromisoformat(last)
        return cls(kind, fingerprint, form, count, first, last, newest, message, stages)


class FailureFilters(TypedDict, total=False):
    """Selects the failures to which all of these apply."""

    kind: str
    fingerprint: str
    """The digest, or its beginning."""
    since: datetime
    """At this time or later. Aware."""
    path: str
    """The path of a stage that has used the job, or a glob."""
    labels: tuple[LabelFilter, ...]
    """Conditions on the labels of that stage, which all hold."""


class StageFailing(Struct, frozen=True):
    """Since when a stage has failed, seen from one of its failures."""

    since_job: str
    """The first job that failed after the last good one."""
    since: datetime
    """When that ended."""
    last_ok: str | None
    """The last job before it that was fine; None if there was none."""
    fixed_by: str | None
    """The first job after it that was fine; None if there was none."""


class LaterFinding(Struct, frozen=True):
    """The kind of a failure and its message, as they were found after its job had ended."""

    kind: str
    message: str
    fingerprint: str
    """The digest for the message."""
    form: str
    lines: str | None
    """The lines of the log that tell it, as JSON; None: as before."""


def amend(
    connection: sqlite3.Connection,
    queries: Mapping[str, str],
    found: Mapping[str, LaterFinding],
) -> None:
    """Write what was found later of the failures of these jobs. To be called in a transaction."""
    run = connection.executemany
    run(
        queries["add_fingerprint"],
        {f.fingerprint: (f.fingerprint, storable(f.form)) for f in found.values()}.values(),
    )
    run(
        queries["amend_job"],
        ((f.kind, storable(f.message), job_id) for job_id, f in found.items()),
    )
    run(
        queries["amend_failure"],
        (
            (f.kind, f.fingerprint, None if f.lines is None else storable(f.lines), job_id)
            for job_id, f in found.items()
        ),
    )


def append(
    connection: sqlite3.Connection, queries: Mapping[str, str], failures: Iterable[FailureRecord]
) -> None:
    """Add the failures of jobs that have rows; in place of earlier ones of the same jobs. To be
    called in a transaction, after the jobs are written.
    """
    failures = tuple(failures)
    connection.executemany(
        queries["add_fingerprint"],
        {f.fingerprint: (f.fingerprint, storable(f.form)) for f in failures}.values(),
    )
    connection.executemany(
        queries["add_failure"],
        (
            (
                f.kind,
                time_text(f.at),
                None if f.lines is None else storable(f.lines),
                f.job_id,
                f.fingerprint,
            )
            for f in failures
        ),
    )
