"""The timeline of a change, or of stages: when their jobs waited, and when they were at work.

How jobs depend on each other is not recorded. The path that was critical is found by their times:
the job that ended last, before it the one that had ended last when that was created, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from pycurrent.service import HistoryEntry, Records, Service
from pycurrent.store import SECONDS, HistoryFilter, JobEnd, LabelFilter
from pycurrent.web.api.changes import LARGEST
from pycurrent.web.context import ServiceOf
from pycurrent.web.pages import routing, state_badges
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.pages.state_badges import Badge
from pycurrent.web.users import Role

MOST = 200
"""So many jobs are drawn: the newest ones."""
WIDTH = 1000
_NARROWEST = 2.0
_COMPARED = 20
"""From how many good runs of a stage the length of another one is expected."""
_EXPECTED = 20
"""For how many jobs at work the end is expected."""
_ENDS = frozenset[JobEnd | None]({None, *JobEnd}) - {JobEnd.SUPERSEDED}


@dataclass(frozen=True, slots=True)
class Row:
    """A job: its bars, in the units of the drawing, and its times."""

    entry: HistoryEntry
    shown: Badge
    queued: tuple[float, float]
    """Where the bar of its waiting begins, and how wide it is."""
    ran: tuple[float, float] | None
    waited: timedelta
    took: timedelta | None
    """So far, if it has not ended."""
    is_critical: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """Jobs, the one that was created first at the top."""

    rows: tuple[Row, ...]
    begin: datetime
    end: datetime


def add_timeline_page(app: FastAPI) -> None:
    routing.page(app, "/timeline", _timeline, Role.VIEWER)


def timeline_of(entries: Sequence[HistoryEntry], now: datetime) -> Timeline | None:
    """The timeline of some jobs; None without any. Jobs that have not ended go on until `now`."""
    if not entries:
        return None
    ordered = sorted(entries, key=lambda entry: (entry.created, entry.job_id))
    begin = ordered[0].created
    end = max((entry.finished or now for entry in ordered), default=now)
    critical = {entry.job_id for entry in critical_path(ordered)}
    length = (end - begin).total_seconds() or 1.0

    def bar(start: datetime, stop: datetime) -> tuple[float, float]:
        x = (start - begin).total_seconds() / length * WIDTH
        width = max((stop - start).total_seconds() / length * WIDTH, _NARROWEST)
        return round(min(x, WIDTH - _NARROWEST), 1), round(min(width, WIDTH - x), 1)

    rows = []
    for entry in ordered:
        stop = entry.finished or now
        start = entry.started or stop
        rows.append(
            Row(
                entry=entry,
                shown=state_badges.of_entry(entry),
                queued=bar(entry.created, start),
                ran=None if entry.started is None else bar(start, stop),
                waited=start - entry.created,
                took=None if entry.started is None else stop - start,
                is_critical=entry.job_id in critical,
            )
        )
    return Timeline(tuple(rows), begin, end)


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
        page = records.page(wanted, limit=_COMPARED, seconds=SECONDS)
        lengths = [one.took.total_seconds() for one in page.entries if one.took is not None]
        if lengths and entry.started is not None:
            ends.append(entry.started + timedelta(seconds=median(lengths)))
    return max(ends, default=None)


async def _timeline(request: Request, service: ServiceOf) -> Response:
    query = request.query_params
    path, label = query.get("path", "").strip(), query.get("label", "").strip()
    number = query.get("change", "")
    change = int(number) if number.isascii() and number.isdigit() else None
    if change is not None and change <= LARGEST:
        title, entries = await _of_change(service, change)
    else:
        title, entries = " ".join(filter(None, [path, label])), await _of(service, path, label)
    expected = await service.archive.read(lambda records: expected_end(records, entries))
    return pages_of(request).render(
        request,
        "timeline.html",
        title=title,
        change=change,
        path=path,
        label=label,
        line=timeline_of(entries, service.engine.clock.now()),
        expected=expected,
        width=WIDTH,
        most=MOST,
    )


async def _of_change(service: Service, number: int) -> tuple[str, Sequence[HistoryEntry]]:
    story = await service.archive.change(number, limit=MOST)
    if story is None:
        raise HTTPException(404, f"no change has the number {number}, or not any more")
    return story.entry.change.summary, story.jobs


async def _of(service: Service, path: str, label: str) -> Sequence[HistoryEntry]:
    """The newest jobs of the stages with a path and labels; of all stages without these."""
    labels = tuple([LabelFilter.parse(one) for one in label.split()])
    wanted = HistoryFilter(path=path or None, labels=labels, ends=_ENDS)
    page = await service.archive.page(wanted, limit=MOST, seconds=SECONDS)
    return page.entries
