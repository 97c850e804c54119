"""When jobs waited, and when they were at work: those of a change, or of stages.

How jobs depend on each other is not recorded. The path that was critical is found by their times:
the job that ended last, before it the one that had ended last when that was created, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from msgspec import Struct

from pycurrent.explain.history import HistoryEntry
from pycurrent.service.archive import Archive
from pycurrent.service.history import Records
from pycurrent.service.job_selection import JobSelection
from pycurrent.store import SECONDS, HistoryFilter, JobEnd

COMPARED = 20
"""From how many good runs of a stage the length of another one is expected."""
_EXPECTED = 20
"""For how many jobs at work the end is expected."""
_FEWEST = 3
"""Of fewer good runs it is not said how long one usually takes."""
_SLOWER = 1.5
_NOTICED = timedelta(seconds=2)
"""A run is slower than usual if it takes so many times as long, and so much longer."""
_ENDS = frozenset[JobEnd | None]({None, *JobEnd}) - {JobEnd.SUPERSEDED}


class Pace(Struct, frozen=True):
    """How long the last run of a stage took, beside those before it."""

    took: timedelta
    usual: timedelta | None
    """The median of the last good ones before; None if there are too few."""

    @property
    def is_slow(self) -> bool:
        """True if it took notably longer than usual."""
        usual = self.usual
        return usual is not None and self.took > max(_SLOWER * usual, usual + _NOTICED)


async def jobs_of_stages(
    archive: Archive, selection: JobSelection, *, limit: int
) -> tuple[HistoryEntry, ...]:
    """The newest jobs of the stages that are selected, at most `limit`; of all stages if the
    selection lets all pass.
    """
    wanted = HistoryFilter(path=selection.path, labels=selection.labels, ends=_ENDS)
    page = await archive.page(wanted, limit=limit, seconds=SECONDS)
    return page.entries


def critical_path(entries: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """The jobs of which each was created when the one before it had ended, as far as times tell,
    up to the one that ended last; none while one has not ended.
    """
    ended = [(entry.finished, entry) for entry in entries if entry.finished is not None]
    if len(ended) < len(entries) or not ended:
        return []
    found: list[HistoryEntry] = []
    last: HistoryEntry | None = max(ended, key=lambda one: one[0])[1]
    while last is not None and len(found) < len(ended):
        found.append(last)
        created = last.created
        before = [(at, one) for at, one in ended if at <= created and one.created < created]
        last = max(before, key=lambda one: one[0])[1] if before else None
    return found


def expected_end(records: Records, entries: Sequence[HistoryEntry]) -> datetime | None:
    """When the jobs at work may have ended, by the median of the last good runs of their stages;
    None if there are none to tell.
    """
    ends = []
    at_work = [entry for entry in entries if entry.finished is None and entry.started is not None]
    for entry in at_work[:_EXPECTED]:
        path = entry.paths[0] if entry.paths else None
        wanted = HistoryFilter(op=entry.op, path=path, ends=frozenset({JobEnd.OK}))
        page = records.page(wanted, limit=COMPARED, seconds=SECONDS)
        lengths = [one.took.total_seconds() for one in page.entries if one.took is not None]
        if lengths and entry.started is not None:
            ends.append(entry.started + timedelta(seconds=median(lengths)))
    return max(ends, default=None)


def pace_of(records: Records, path: str) -> Pace | None:
    """The pace of the stage with a path; None if its last run has not been at work or not ended."""
    runs = {entry.job_id: entry for _, entry in records.stage_jobs(path, limit=COMPARED)}
    if not runs:
        return None
    last, *before = runs.values()
    if last.took is None or last.finished is None:
        return None
    good = [one.took.total_seconds() for one in before if one.end is JobEnd.OK and one.took]
    usual = timedelta(seconds=median(good)) if len(good) >= _FEWEST else None
    return Pace(last.took, usual)
