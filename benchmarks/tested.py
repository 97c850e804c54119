"""Reports of tests: taken by a job while the loop goes on, and shown page by page."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import perf_counter

from benchmarks.figures import LARGE, MIDDLE, SMALL, Benchmark, Figure, Samples
from benchmarks.lag import Lag
from benchmarks.places import Place, scratch

from pycurrent import Engine, Failure, Job, Level, builder
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

    async with Engine(lambda: check("all"), state_dir=folder / "state") as engine:
        await engine.settled()
        tables = engine.opened.store.tests
        job = tables.reports(limit=1)[0].job_id
        before = perf_counter()
        tables.of_job(job, limit=200, skip=max(0, tests - 200))
        tables.of_job(job, limit=200, results=(TestResult.FAILED,))
        slowest = tables.of_job(job, limit=200, slowest=True)
        shown = (perf_counter() - before) / 3
    assert slowest
    return {"report": took[0], "report-lag": took[1], "report-page": shown * 1e3}


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
        ),
        sizes=(SMALL, MIDDLE, LARGE),
    ),
)
