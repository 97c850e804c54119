"""Reads the details of jobs from the records and the logs of a running engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pycurrent.engine import OpenEngine
from pycurrent.engine.job_details import JobDetails, LogLine

if TYPE_CHECKING:
    from pycurrent.engine import LogRules, LogSource
    from pycurrent.explain.by_hand import ByHand
    from pycurrent.explain.error_lines import ErrorLines
    from pycurrent.explain.markers import Markers
    from pycurrent.store import Annotation


class JobExplainer:
    """Gives the details of the jobs of one engine: a service of it."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine

    async def details(self, job_id: str) -> JobDetails | None:
        """The details of a job, ended or not; None if it has no record."""
        # Imported here, as few runs tell of their jobs elsewhere.
        from pycurrent.explain.annotations import MOST, job_annotations, of_failed_tests
        from pycurrent.explain.explanation import explain_job

        record = self._engine.store.job(job_id)
        if record is None:
            return None
        log, rules = self._engine.log(job_id), self._engine.log_rules
        by_hand, markers, by_rules = await asyncio.to_thread(
            _in_log, log, None if record.ok else rules
        )
        store = self._engine.store
        job = explain_job(store, record, None)
        found = [
            *of_failed_tests(store, job_id),
            *job_annotations(store, job_id, markers, limit=MOST).first,
            *by_rules,
        ]
        return JobDetails(
            job=job_id,
            cause=tuple(job.cause_lines),
            failure=job.failure,
            lines=() if job.lines is None else tuple(_log_lines(job.lines)),
            context=tuple(job.context_lines),
            by_hand=(*by_hand.files, *by_hand.commands),
            tests=tuple(job.test_lines),
            annotations=tuple(dict.fromkeys(found))[:MOST],
        )


def _in_log(
    log: LogSource, rules: LogRules | None
) -> tuple[ByHand, Markers | None, tuple[Annotation, ...]]:
    from pycurrent.explain.annotations import find_annotations, markers_of
    from pycurrent.explain.by_hand import ByHand, by_hand

    try:
        with log.open() as file:
            found = by_hand(file)
        return found, markers_of(log), () if rules is None else find_annotations(log, rules)
    except OSError:
        return ByHand((), ()), None, ()  # It was removed.


def _log_lines(lines: ErrorLines) -> list[tuple[LogLine, ...]]:
    return [
        tuple(
            LogLine(None if part.number is None else part.number + place, line.text, line.tells)
            for place, line in enumerate(part.lines)
        )
        for part in lines.excerpts
    ]
