"""Explains each failure when its job ends: by its log, once, for all who ask later.

A thread looks through the log while the job waits for it. It finds the log rule of the author that
matches best, the error lines, and with them the kind of the failure and its fingerprint. They are
recorded in the same commit as the end of the job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pycurrent.cache import ResultCache
from pycurrent.engine import OpenEngine
from pycurrent.store import JobEnd
from pycurrent.term import Failed

if TYPE_CHECKING:
    from pycurrent.engine import DrivenJob, LogRules, LogSource
    from pycurrent.engine.job_run import Explained
    from pycurrent.explain.findings import Findings


class FailureRecorder:
    """A service of the engine. Make it before the first step."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._found: dict[str, Findings] = {}
        """By the ids of jobs that are about to end."""
        runs = engine.service(ResultCache).runs
        runs.explain_by(self._explain)
        runs.on_ended(self._ended)

    async def _explain(self, job: DrivenJob, failed: Failed) -> Explained:
        from pycurrent.engine.job_run import Explained  # few jobs fail

        # The rules are for what a job has found wrong, and not for one that was too slow.
        rules = self._engine.log_rules if job.stopped is None else None
        with self._engine.busy():
            found = await asyncio.to_thread(_look_into, job.job_log.source, failed, rules)
        self._found[job.id] = found
        return Explained(found.kind, found.by_rule)

    def _ended(self, ended: Sequence[tuple[DrivenJob, JobEnd]]) -> None:
        for job, end in ended if self._found else ():
            self._record(job, end)

    def _record(self, job: DrivenJob, end: JobEnd) -> None:
        found = self._found.pop(job.id, None)
        if found is not None and end in {JobEnd.FAILED, JobEnd.TIMED_OUT}:
            from pycurrent.store import FailureRecord

            self._engine.store.new_failures.add(
                FailureRecord(
                    job_id=job.id,
                    kind=found.kind.value,
                    fingerprint=found.fingerprint.digest,
                    form=found.fingerprint.text,
                    at=self._engine.clock.now(),
                    lines=found.lines_text,
                )
            )


def _look_into(log: LogSource, failed: Failed, rules: LogRules | None) -> Findings:
    # Imported here, as most programs that import pycurrent have no job that fails.
    from pycurrent.explain.findings import look_into

    return look_into(log, failed, rules)
