"""Runs and their results in the database."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from pycurrent.cache.codec import UnreadableValue
from pycurrent.cache.operation_type import Key, OperationType, TargetValue
from pycurrent.cache.states import Result, Run
from pycurrent.engine.driven_job import DrivenJob
from pycurrent.store import BuildRecord, Database, JobEnd, JobRecord
from pycurrent.term import Failed, FailureKind, Ok

_log = logging.getLogger(__name__)


def recorded(op_type: OperationType, record: BuildRecord) -> Result | None:
    """The result in a record; None if it can't be read any more, which is logged."""
    outcome: Ok[Any] | Failed
    if record.ok:
        try:
            outcome = Ok(op_type.outcome.decode(record.outcome))
        except UnreadableValue as error:
            _log.warning("%s %s is made again: %s", op_type.id, record.key, error)
            return None
    else:
        kind = FailureKind.REAL if record.kind is None else FailureKind(record.kind)
        outcome = Failed(record.outcome, kind=kind)
    return Result(outcome, record.value_digest, record.finished)


def insert_job(
    store: Database,
    job: DrivenJob,
    op_type: OperationType,
    key: Key,
    target: TargetValue,
    build: int,
) -> None:
    """Record that a run of this number begins."""
    store.insert_job(
        JobRecord(
            job_id=job.id,
            op=op_type.id,
            key=key.text,
            key_digest=key.digest,
            value=target.text,
            value_digest=target.digest,
            build=build,
            created=job.created,
            cause=None,
        )
    )


def finish_job(
    store: Database, run: Run, end: JobEnd, outcome: Ok[tuple[Any, str]] | Failed, now: datetime
) -> Ok[Any] | Failed:
    """Record the result of a run, and give it; the value of one that succeeded has its text."""
    result: Ok[Any] | Failed
    kind: str | None = None
    match outcome:
        case Ok((value, text)):
            result = Ok(value)
        case Failed(message):
            result, text = outcome, message
            kind = None if outcome.kind is FailureKind.REAL else outcome.kind.value
    store.finish_job(
        run.job.id,
        end,
        finished=now,
        outcome=text,
        started=run.job.started,
        kind=kind,
    )
    return result
