"""The estimate of a run, by earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

from pycurrent.store import JobEnd

if TYPE_CHECKING:
    from pycurrent.explain.history import HistoryEntry
    from pycurrent.service.archive import Archive
    from pycurrent.service.jobs import JobDetail

_RUNS = 20
"""The uses of a stage that are looked at."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The middle of earlier good runs. None stands for what none of them tells."""

    took: timedelta | None
    cpu: timedelta | None
    memory: int | None
    """In bytes, of the largest process."""


async def estimate_of(
    archive: Archive, job: JobDetail, same_work: Sequence[HistoryEntry]
) -> Estimate | None:
    """By the runs of the same work, or else by those of its stage, which may have had another
    commit, say. None if there is no good one. Raises `StoreError`.
    """
    found = _middle_of(job, same_work)
    paths = job.stages or tuple(job.entry.paths[:1])
    if found is None and paths:
        uses = await archive.stage_jobs(paths[0], limit=_RUNS)
        found = _middle_of(job, [entry for _, entry in uses])
    return found


def _middle_of(job: JobDetail, entries: Sequence[HistoryEntry]) -> Estimate | None:
    good = [
        entry
        for entry in entries
        if entry.end is JobEnd.OK and entry.job_id != job.entry.job_id and entry.took is not None
    ]
    if not good:
        return None
    sizes = [entry.memory for entry in good if entry.memory is not None]
    return Estimate(
        _time([entry.took for entry in good]),
        _time([entry.cpu for entry in good]),
        round(median(sizes)) if sizes else None,
    )


def _time(times: Sequence[timedelta | None]) -> timedelta | None:
    seconds = [time.total_seconds() for time in times if time is not None]
    return timedelta(seconds=median(seconds)) if seconds else None
