"""When jobs waited, and when they were at work: those of a change, or of stages.

How jobs depend on each other is not recorded. The path that was critical is found by their times:
the job that ended last, before it the one that had ended last when that was created, and so on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from statistics import median

from msgspec import Struct

from pycurrent.explain.history import HistoryEntry
from pycurrent.service.archive import Archive
from pycurrent.service.history import Records
from pycurrent.service.job_selection import JobSelection
from pycurrent.store import SECONDS, HistoryFilter, JobEnd, RunLength

COMPARED = 20
"""From how many good runs of a stage the length of another one is expected."""
_EXPECTED = 20
"""For how many jobs at work the end is expected."""
_FEWEST = 3
"""Of fewer good runs it is not said how long one usually takes."""
_TIMES = 1.5
_NOTICED = timedelta(seconds=2)
"""A run is slower than usual if it takes so many times as long, and so much longer; faster if what
is usual is so much longer.
"""
_ENDS = frozenset[JobEnd | None]({None, *JobEnd}) - {JobEnd.SUPERSEDED}


class Trend(Enum):
    """How long a run took, beside those before it."""

    SLOWER = "slower"
    FASTER = "faster"
    USUAL = "usual"


class Pace(Struct, frozen=True):
    """How long the last run of a stage took, beside those before it."""

    job_id: str
    took: timedelta
    usual: timedelta | None
    """The median of the last good ones before; None if there are too few."""

    @property
    def trend(self) -> Trend | None:
        """How notably it differs from what is usual; None if that is not known."""
        took, usual = self.took, self.usual
        if usual is None:
            return None
        if took > max(_TIMES * usual, usual + _NOTICED):
            return Trend.SLOWER
        return Trend.FASTER if usual > max(_TIMES * took, took + _NOTICED) else Trend.USUAL

    @property
    def is_slow(self) -> bool:
        """True if it took notably longer than usual."""
        return self.trend is Trend.SLOWER


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


def paces_of(records: Records, paths: Iterable[str]) -> dict[str, Pace]:
    """The paces of stages, by their paths, in one look; not of those whose last run has not ended,
    or has not been at work.
    """
    found = records.lengths(paths, limit=COMPARED)
    paces = {path: _pace({run.job_id: run for run in runs}) for path, runs in found.items()}
    return {path: pace for path, pace in paces.items() if pace is not None}


def _pace(runs: Mapping[str, RunLength]) -> Pace | None:
    """The pace by the runs of a stage, the newest first."""
    last, *before = runs.values()
    if last.took is None:
        return None
    good = [one.took.total_seconds() for one in before if one.ended is JobEnd.OK and one.took]
    usual = timedelta(seconds=median(good)) if len(good) >= _FEWEST else None
    return Pace(last.job_id, last.took, usual)
