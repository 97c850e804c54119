"""Turns records into rows of the database, and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pycurrent.store.records import BuildRecord, JobRecord, JobState


@dataclass(slots=True)
class JobRow:
    """A job that this engine runs, as its row will be. The fields are those of `JobRecord`.

    Mutable, and turned into parameters only when it is written: a job has few microseconds.
    """

    job_id: str
    op: str
    key: str
    key_digest: str
    value: str | None
    value_digest: str | None
    build: int
    ready: datetime
    labels: str | None
    reason: str | None
    state: JobState = JobState.RUNNING
    level: str | None = None
    running: datetime | None = None
    finished: datetime | None = None
    ok: bool | None = None
    outcome: str | None = None
    kind: str | None = None

    def inserted(self) -> tuple[object, ...]:
        """The parameters of the query `insert_job`."""
        value, labels, reason = self.value, self.labels, self.reason
        return (
            storable(self.op),
            storable(self.key),
            self.key_digest,
            None if value is None else storable(value),
            self.value_digest,
            self.build,
            time_text(self.ready),
            None if labels is None else storable(labels),
            None if reason is None else storable(reason),
            *self.updated(),
        )

    def updated(self) -> tuple[object, ...]:
        """The parameters of the query `update_job`: what changes in the life of a job."""
        running, finished, outcome = self.running, self.finished, self.outcome
        return (
            self.level,
            self.state.value,
            None if running is None else time_text(running),
            None if finished is None else time_text(finished),
            self.ok,
            None if outcome is None else storable(outcome),
            self.kind,
            self.job_id,
        )

    def result(self) -> BuildRecord:
        """What a job that has finished made."""
        assert self.finished is not None
        assert self.ok is not None
        assert self.outcome is not None
        return BuildRecord(
            self.job_id,
            self.op,
            self.key,
            self.key_digest,
            self.value,
            self.value_digest,
            self.build,
            self.level,
            self.ready,
            self.running,
            self.finished,
            self.ok,
            self.outcome,
            kind=self.kind,
        )


def time_text(time: datetime) -> str:
    """`time` as the rows hold it: UTC, always of the same length, so that it sorts as text."""
    if time.tzinfo is not UTC:
        if time.tzinfo is None:
            raise ValueError(f"{time!r} has no time zone: the store keeps aware times only")
        time = time.astimezone(UTC)
    return time.isoformat("T", "microseconds")[:-6] + "Z"


def storable(text: str) -> str:
    r"""`text` with lone surrogates written as ``\udcff``.

    They come from file names and output that is not UTF-8. SQLite refuses them, and a record
    that is refused would keep everything behind it from being written.
    """
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


# Rows are typed by the schema, which mypy can't see.
Row = Sequence[Any]


def job_record(row: Row) -> JobRecord:
    """The record in a row of the queries `job` and `history`."""
    (job_id, op, key, key_digest, value, value_digest, build, level, state) = row[:9]
    (ready, running, finished, ok, outcome, labels, reason, rebuild, kind) = row[9:]
    return JobRecord(
        job_id,
        op,
        key,
        key_digest,
        value,
        value_digest,
        build,
        level,
        JobState(state),
        datetime.fromisoformat(ready),
        None if running is None else datetime.fromisoformat(running),
        None if finished is None else datetime.fromisoformat(finished),
        None if ok is None else bool(ok),
        outcome,
        labels,
        reason,
        bool(rebuild),
        kind,
    )


def build_record(op: str, key_digest: str, row: Row) -> BuildRecord:
    """The record in a row of the query `lookup`, which found it by `op` and `key_digest`."""
    (job_id, key, value, value_digest, build, level, ready, running, finished) = row[:9]
    (ok, outcome, rebuild, kind) = row[9:]
    return BuildRecord(
        job_id,
        op,
        key,
        key_digest,
        value,
        value_digest,
        build,
        level,
        datetime.fromisoformat(ready),
        None if running is None else datetime.fromisoformat(running),
        datetime.fromisoformat(finished),
        bool(ok),
        outcome,
        bool(rebuild),
        kind,
    )
