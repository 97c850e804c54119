"""The jobs of runs, with their logs, and their records in the database."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pycurrent.cache.cause import (
    ASKED,
    Asked,
    Cause,
    Interrupted,
    LeftUnsettled,
    NeverBuilt,
    Retried,
    Unreadable,
    VersionChanged,
    because,
    cause_of,
    cause_text,
)
from pycurrent.cache.codec import UnreadableValue
from pycurrent.cache.operation_type import GONE, Key, OperationType
from pycurrent.cache.retry import Retry
from pycurrent.cache.states import NOTHING_KNOWN, Attempt, Known, Result, Run, Unknown
from pycurrent.engine.clock import Moment
from pycurrent.engine.level import Level
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.engine.rebuilds import Rebuilds
from pycurrent.errors import UsageError
from pycurrent.store import Database, JobEnd, JobRecord, LastResult
from pycurrent.term import Failed, FailureKind, Ok

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob
    from pycurrent.engine.job_owner import JobOwner
    from pycurrent.engine.left_runs import LeftRun
    from pycurrent.engine.pool import Tickets, Urgency

_log = logging.getLogger(__name__)


def recorded(
    op_type: OperationType, key: Key, record: LastResult | JobRecord
) -> Result | Unreadable:
    """The result in the record of a job that left one. One that can't be read is logged."""
    assert record.outcome is not None
    assert record.finished is not None
    outcome: Ok[Any] | Failed
    if record.value_digest == GONE.digest and record.ok:
        outcome = Ok(None)
    elif record.ok:
        try:
            outcome = Ok(op_type.outcome.decode(record.outcome))
        except UnreadableValue as error:
            _log.warning("%s %s is made again: %s", op_type.id, key.text, error)
            return Unreadable(str(error))
    else:
        kind = FailureKind.REAL if record.kind is None else FailureKind(record.kind)
        outcome = Failed(record.outcome, kind=kind)
    return Result(outcome, record.value_digest, record.finished)


def last_value(store: Database, op_type: OperationType, key: Key, run: Run) -> Ok[Any] | None:
    """The last value of a key that was recorded for the target of a run; None if there is none, or
    it can't be read.
    """
    record = store.last_good_result(op_type.id, key.digest)
    if record is None or record.value_digest != run.target.digest:
        return None
    result = recorded(op_type, key, record)
    return result.outcome if isinstance(result, Result) and isinstance(result.outcome, Ok) else None


def load(
    store: Database, op_type: OperationType, key: Key, retry: Retry, rebuilds: Rebuilds
) -> tuple[LastResult | None, Unknown | Known]:
    """The last recorded result of a key, and the state that an instance begins with."""
    record = store.last_result(op_type.id, key.digest)
    doubt = None
    if record is None or op_type.has_value or op_type.retires:
        doubt = _doubt(store, op_type, key, record)
    if record is None:
        return None, NOTHING_KNOWN if doubt is None else Unknown(doubt)
    if record.rebuild:
        return record, Unknown(ASKED)
    if rebuilds and (asked := _asked_for(store, op_type, key, record, rebuilds)) is not None:
        return record, Unknown(asked)
    if record.version != op_type.version:
        return record, _of_another_version(op_type, key, record)
    if not record.ok and (again := _next_attempt(store, op_type, key, record, retry)) is not None:
        return record, Unknown(again)
    if doubt is not None and not op_type.latched:
        return record, Unknown(doubt)
    result = recorded(op_type, key, record)
    if isinstance(result, Unreadable):
        return record, Unknown(result)
    if op_type.lookup and (look := store.looks.of(record.job_id)) is not None:
        result = replace(result, finished=look.at)
    return record, Known(result) if doubt is None else Unknown(doubt, result)


def _asked_for(
    store: Database, op_type: OperationType, key: Key, record: LastResult, rebuilds: Rebuilds
) -> Asked | None:
    """The cause if this run of the engine makes a result again that an earlier one has left."""
    pattern = rebuilds.select(op_type.id, key.text, ok=record.ok)
    if pattern is None or not store.is_of_earlier_engine(record.job_id):
        return None
    return Asked(reason=f"run --rebuild {pattern}")


def _of_another_version(op_type: OperationType, key: Key, record: LastResult) -> Unknown:
    """The state of a key whose result is of another version of its operation: that holds no longer,
    and is reported only where an operation reports the last outcome while a new one is made.
    """
    cause = VersionChanged(record.version, op_type.version)
    result = recorded(op_type, key, record) if op_type.latched else None
    return Unknown(cause, result if isinstance(result, Result) else None)


def _next_attempt(
    store: Database, op_type: OperationType, key: Key, last: LastResult, retry: Retry
) -> Retried | None:
    """The cause of the next attempt, if the last result is a failure that is not final, or one of
    the kind INFRA that an earlier engine has left.
    """
    kind = FailureKind.REAL if last.kind is None else FailureKind(last.kind)
    if retry.attempts(kind) == 1 and not (kind is FailureKind.INFRA and retry.tries_anew):
        return None
    record = store.lookup(op_type.id, key.digest)
    assert record is not None
    try:
        cause = cause_of(record)
        level = None if record.level is None else Level.parse(record.level)
    except (UnreadableValue, UsageError) as error:
        _log.warning("%s %s is not tried again: %s", op_type.id, key.text, error)
        return None
    failed = Attempt(last.job_id, cause, last.ended, kind, level, last.value_digest)
    again = failed.next(retry)
    if again is None and store.is_of_earlier_engine(last.job_id):
        again = failed.anew(retry)
    return again


def _doubt(
    store: Database, op_type: OperationType, key: Key, record: LastResult | None
) -> Interrupted | LeftUnsettled | None:
    """A later run of the key that began and left no result: then nobody knows to what the key is
    set. (The last result of a builder holds in spite of such a run, unless that may have retired
    what it made.)
    """
    after = None if record is None else record.job_id
    match store.unsettled(op_type.id, key.digest, after=after):
        case None:
            return None
        case (job, JobEnd.INTERRUPTED):
            return Interrupted(job)
        case (job, _):
            return LeftUnsettled(job)


def new_job(
    engine: OpenEngine,
    op: str,
    description: str,
    cause: Cause,
    urgency: Urgency,
    owner: JobOwner,
    created: Moment,
    tickets: Tickets | None,
) -> DrivenJob:
    """A job of the engine with a new log, which says what it is and why it runs. Nothing of it is
    recorded yet.
    """
    from pycurrent.engine.driven_job import DrivenJob  # a run that knows all makes none
    from pycurrent.engine.joblog import JobLog

    now = created.date
    job_id = engine.state.new_job_id(op, now)
    while not engine.store.is_new(job_id):
        job_id = engine.state.new_job_id(op, now)
    job = DrivenJob(
        engine.host,
        JobLog(engine.job_logs, job_id),
        id=job_id,
        op=op,
        description=description,
        urgency=urgency,
        owner=owner,
        created=created,
        tickets=tickets,
    )
    # In one line of the log, if it is the first build: that needs no reason.
    why = "" if isinstance(cause, NeverBuilt) else f"\nRuns because {because(cause)}"
    job.note(f"New job: {description}{why}")
    job.job_log.park()
    return job


def left_job(
    engine: OpenEngine, left: LeftRun, description: str, urgency: Urgency, owner: JobOwner
) -> DrivenJob:
    """A job that goes on where an earlier engine has left it, with its log, and recorded as one
    that has not ended.
    """
    from pycurrent.engine.driven_job import DrivenJob
    from pycurrent.engine.joblog import JobLog

    record = left.record
    job = DrivenJob(
        engine.host,
        JobLog(engine.job_logs, record.job_id, left.journal.cursor),
        id=record.job_id,
        op=record.op,
        description=description,
        urgency=urgency,
        owner=owner,
        created=Moment(engine.clock, record.created),
    )
    job.go_on(left)
    engine.leftovers.taken_over(record.job_id)
    engine.store.reopen_job(record)
    return job


def insert_job(store: Database, run: Run, op_type: OperationType, key: Key, build: int) -> None:
    """Record that a run of this number begins; that of a lookup is held."""
    record = store.insert_job if run.refreshes is None else store.hold_job
    record(
        JobRecord(
            job_id=run.job.id,
            op=op_type.id,
            key=key.text,
            key_digest=key.digest,
            value=run.target.text,
            value_digest=run.target.digest,
            build=build,
            created=run.job.created,
            cause=cause_text(run.cause),
            log=run.job.job_log,
            changes=store.change_tables.set_of(run.changes),
            version=op_type.version,
        )
    )


def record_end(
    store: Database,
    run: Run,
    op_type: OperationType,
    key: Key,
    end: JobEnd,
    outcome: Ok[tuple[Any, str]] | Failed,
    now: datetime,
) -> Result:
    """Record how a run ended, with its result if that end leaves one; gives what came of it. Where
    what is set is to be retired, that is recorded with it.

    The value of a run that succeeded has its text.
    """
    job_id, started, target = run.job.id, run.job.started, run.target.digest
    result = Ok(outcome.value[0]) if isinstance(outcome, Ok) else outcome
    if end is JobEnd.INTERRUPTED:
        store.finish_job(job_id, end)
    elif end is JobEnd.SUPERSEDED:
        store.finish_job(job_id, end, finished=now, started=started)
    else:
        text, kind = _outcome_text(outcome)
        store.finish_job(job_id, end, finished=now, outcome=text, started=started, kind=kind)
    ran = run.job.ran
    if ran is not None:
        store.add_ran(ran)
    if op_type.retires and end is JobEnd.OK:
        retired = target == GONE.digest
        store.to_retire.set((op_type.id, key.digest), None if retired else job_id)
    return Result(result, target, now)


def _outcome_text(outcome: Ok[tuple[Any, str]] | Failed) -> tuple[str, str | None]:
    """The text of an outcome, and the kind of a failure that is not the work's own."""
    if isinstance(outcome, Ok):
        return outcome.value[1], None
    kind = outcome.kind
    return outcome.message, None if kind is FailureKind.REAL else kind.value
