"""The timeline of a change, or of stages: when their jobs waited, and when they were at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from pycurrent.service import (
    HistoryEntry,
    JobSelection,
    Service,
    critical_path,
    expected_end,
    jobs_of_stages,
)
from pycurrent.store import LabelFilter
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


async def _timeline(request: Request, service: ServiceOf) -> Response:
    query = request.query_params
    path, label = query.get("path", "").strip(), query.get("label", "").strip()
    number = query.get("change", "")
    change = int(number) if number.isascii() and number.isdigit() else None
    if change is not None and change <= LARGEST:
        title, entries = await _of_change(service, change)
    else:
        title = " ".join(filter(None, [path, label]))
        labels = tuple([LabelFilter.parse(one) for one in label.split()])
        selection = JobSelection(path or None, labels)
        entries = await jobs_of_stages(service.archive, selection, limit=MOST)
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
