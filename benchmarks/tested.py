"""Reports of tests: taken by a job while the loop goes on, and shown page by page."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import perf_counter
from urllib.request import urlopen

from benchmarks.figures import LARGE, MIDDLE, SMALL, Benchmark, Figure, Samples
from benchmarks.lag import Lag
from benchmarks.places import Place, scratch
from benchmarks.site import serving

from pycurrent import Current, Engine, Failure, Job, Level, builder
from pycurrent.store import TestResult


def write_report(path: Path, tests: int) -> None:
    """Write a report as pytest does: each hundredth test has failed."""
    with path.open("w") as file:
        file.write('<testsuites><testsuite name="pytest">')
        for n in range(tests):
            place = f'classname="tests.m{n // 100}.T" name="test_{n}" file="tests/m{n // 100}.py"'
            failure = f'<failure message="assert {n} == 1">{"E  assert" * 60}</failure>'
            told = failure if n % 100 == 0 else ""
            file.write(f'<testcase {place} time="0.{n % 1000:03d}">{told}</testcase>\n')
        file.write("</testsuite></testsuites>")


async def _taken(folder: Path, tests: int) -> Samples:
    took: list[float] = []

    @builder("check", level=Level.HARMLESS)
    async def check(job: Job, key: str) -> None:
        async with Lag.watched() as lag:
            before = perf_counter()
            try:
                await job.report(folder / "reports", junit="*.xml")
            except Failure:
                took.append(perf_counter() - before)
        took.append(lag.worst)

    def pipeline() -> Current[None]:
        return check("all")

    async with Engine(pipeline, state_dir=folder / "state") as engine:
        await engine.settled()
        tables = engine.opened.store.tests
        job = tables.reports(limit=1)[0].job_id
        before = perf_counter()
        tables.of_job(job, limit=200, skip=max(0, tests - 200))
        tables.of_job(job, limit=200, results=(TestResult.FAILED,))
        slowest = tables.of_job(job, limit=200, slowest=True)
        read = (perf_counter() - before) / 3
    assert slowest
    async with serving(pipeline, folder / "state") as site:
        await site.engine.settled()
        shown = await _shown(f"http://{site.address.host}:{site.address.port}", job, tests)
    times = {"report-page": read * 1e3, "report-shown": shown}
    return {"report": took[0], "report-lag": took[1], **times}


async def _shown(site: str, job: str, tests: int) -> float:
    """Seconds for the slowest of the pages that show the tests of a job, each asked for once."""
    await asyncio.to_thread(_page, site)  # The first page of a site loads its templates.
    slowest = 0.0
    for page in ("", "/tests", f"/tests?skip={max(0, tests - 200)}", "/tests?show=failed"):
        before = perf_counter()
        assert b"test_" in await asyncio.to_thread(_page, f"{site}/job/{job}{page}")
        slowest = max(slowest, perf_counter() - before)
    return slowest


def _page(address: str) -> bytes:
    with urlopen(address) as answer:
        content: bytes = answer.read()
        return content


def report(tests: int) -> Samples:
    """Take a report of so many tests, and read pages of them."""
    with scratch(Place.DISK) as folder:
        (folder / "reports").mkdir()
        write_report(folder / "reports" / "a.xml", tests)
        return asyncio.run(_taken(folder, tests))


BENCHMARKS = (
    Benchmark(
        "report",
        report,
        (
            Figure("report", "report of n tests taken", "s", {LARGE: 3.0}),
            Figure("report-lag", "  loop held meanwhile, at most", "ms", {LARGE: 50.0}),
            Figure("report-page", "  a page of them read", "ms", {LARGE: 300.0}),
            Figure("report-shown", "  the slowest of their pages, by HTTP", "s", {LARGE: 0.3}),
        ),
        sizes=(SMALL, MIDDLE, LARGE),
    ),
)
