"""The coverage of a job: on its page, by file on a page of its own; and of a stage."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI, Request, Response
from msgspec import Struct

from pycurrent.service import Service
from pycurrent.store import CoverageReport, CoverageTables, FileCoverage
from pycurrent.store.coverage import percent_text
from pycurrent.web.context import ServiceOf
from pycurrent.web.pages import routing
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.users import Role

AT_ONCE = 200
"""How many are on a page of them."""
LAST = 40
"""How many jobs the trend of a stage has."""
WIDTH = 400
HEIGHT = 60

_EDGE = 2
_LONGEST_SKIP = 10**9


class ShownCoverage(Struct, frozen=True):
    """The coverage of a job, and some of its files."""

    report: CoverageReport | None
    files: list[FileCoverage]
    count: int
    """The number of all files."""


class CoverageTrend(Struct, frozen=True):
    """The coverage of the last jobs of a stage as a line."""

    newest: CoverageReport
    points: str
    """The line, from the oldest on, as SVG has it."""
    text: str
    """The drawing in words."""
    width: int = WIDTH
    height: int = HEIGHT


def add_coverage_pages(app: FastAPI) -> None:
    """Before the page of the job, whose address could have any end."""
    routing.page(app, "/job/{job_id:path}/coverage", _coverage, Role.VIEWER)


async def coverage_of(service: Service, job_id: str) -> CoverageReport | None:
    """The coverage of a job; None if it has reported none."""
    return await service.archive.coverage(lambda tables: tables.of_job(job_id))


async def trend_of_stage(service: Service, path: str) -> CoverageTrend | None:
    """The coverage of the last jobs of a stage; None if none of them has any."""
    last = await service.archive.coverage(lambda tables: tables.of_stage(path, limit=LAST))
    return trend_of(last) if last else None


def trend_of(last: Sequence[CoverageReport]) -> CoverageTrend:
    """The line through the figures of some jobs, given with the newest first."""
    figures = [found.coverage.percent for found in reversed(last)]
    percents = [percent for percent in figures if percent is not None]
    if not percents:
        return CoverageTrend(last[0], "", "no lines")
    low, high = min(percents), max(percents)
    step = WIDTH / max(1, len(percents) - 1)
    room = HEIGHT - 2 * _EDGE
    points = [
        f"{place * step:.1f},{HEIGHT - _EDGE - room * _part(percent, low, high):.1f}"
        for place, percent in enumerate(percents)
    ]
    text = f"{len(percents)} jobs: {percent_text(low)} to {percent_text(high)}"
    return CoverageTrend(last[0], " ".join(points) if len(points) > 1 else "", text)


def _part(percent: float, low: float, high: float) -> float:
    """How high a figure is in the drawing, from 0 to 1."""
    return (percent - low) / (high - low) if high > low else 0.5


async def _coverage(request: Request, job_id: str, service: ServiceOf) -> Response:
    detail = service.jobs.detail(job_id)
    skip = _skip(request.query_params.get("skip", ""))

    def read(tables: CoverageTables) -> ShownCoverage:
        files = tables.files_of_job(job_id)
        return ShownCoverage(tables.of_job(job_id), files[skip : skip + AT_ONCE], len(files))

    shown = await service.archive.coverage(read)
    return pages_of(request).render(
        request,
        "coverage.html",
        job=detail,
        id=job_id,
        shown=shown,
        first=skip + 1,
        next=skip + AT_ONCE if shown.count > skip + AT_ONCE else None,
        before=max(0, skip - AT_ONCE) if skip else None,
    )


def _skip(text: str) -> int:
    return min(int(text), _LONGEST_SKIP) if text.isdecimal() and len(text) < 12 else 0
