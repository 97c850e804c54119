"""Making the job of a run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pycurrent.engine.driven_job import DrivenJob
from pycurrent.engine.joblog import JobLog
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.engine.pool import Priority, Tickets


def new_job(
    engine: OpenEngine,
    *,
    op: str,
    description: str,
    priority: Priority,
    changed: Callable[[DrivenJob], None],
    tickets: Tickets | None,
) -> DrivenJob:
    """A job of the engine with a new log, which says what it is. Nothing of it is recorded yet.

    Raises OSError if the log can't be made.
    """
    job_id, log = _new_log(engine, op, engine.clock.now())
    job = DrivenJob(
        engine.host,
        log,
        id=job_id,
        op=op,
        description=description,
        priority=priority,
        changed=changed,
        tickets=tickets,
    )
    job.log(f"New job: {description}")
    job.park()
    return job


def _new_log(engine: OpenEngine, op: str, now: datetime) -> tuple[str, JobLog]:
    while True:
        job_id = engine.state.new_job_id(op, now)
        try:
            return job_id, JobLog(
                engine.state.job_path(job_id), now=engine.clock.now, sharing=engine.state.sharing
            )
        except FileExistsError:
            continue
