"""The site in a real browser: first views, changes until they are painted, the ends of logs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from statistics import median
from time import time
from typing import TYPE_CHECKING, Any

from benchmarks.browser import PAINTED, SENT, chromium, first_view, opened, others
from benchmarks.engine import Trivial, until_ok
from benchmarks.figures import Benchmark, Figure, Samples
from benchmarks.places import Place, scratch
from benchmarks.site import LINE, lines_of, serving

from pycurrent import (
    Builder,
    Current,
    Failed,
    Job,
    Level,
    Pool,
    Var,
    all,
    builder,
    component,
    constant,
)

if TYPE_CHECKING:
    from playwright.async_api import Page

CHANGES = 11

# First views, and changes


ADDED = """(id) => {
    const added = document.createElement("i");
    added.id = id;
    document.body.append(added);
    return performance.timeOrigin + performance.now();
}"""
"""Adds an element with an id, and gives when, in milliseconds since 1970."""


TRIVIAL = Trivial()


def in_lists(size: int, watched: Var[int]) -> Callable[[], Current[Any]]:
    """A pipeline of so many stages: lists in a list, and one stage that a variable changes."""
    outer = next(n for n in range(int((size - 1) ** 0.5), 0, -1) if (size - 1) % n == 0)
    inner = (size - 1) // outer

    def row(of: int) -> Current[Any]:
        numbers = constant(list(range(of * inner, (of + 1) * inner)))
        return numbers.list_iter(lambda number: component("work", TRIVIAL.get, number))

    def pipeline() -> Current[Any]:
        return all([watched.get(), *[row(of) for of in range(outer)]])

    return pipeline


def views(size: int) -> Samples:
    return asyncio.run(_views(size))


async def _views(size: int) -> Samples:
    watched = Var("watched", 0)
    with scratch(Place.MEMORY) as folder:
        async with (
            serving(in_lists(size, watched), folder) as site,
            chromium() as browser,
            opened(browser) as page,
        ):
            await until_ok(site.engine)
            gc.collect()
            url = site.address.url
            first = await first_view(page, url, "[data-version] :is(.box, .closed)")
            sent: float = await page.evaluate(SENT)
            heap = await _heap(page)
            again = await others(browser, url, "[data-version] :is(.box, .closed)")
            empty = await others(browser, f"{url}/healthz", "pre")
            changes = [await _change(page, watched, number) for number in range(CHANGES)]
            own = [await _own_change(page, number) for number in range(CHANGES)]
    return {
        "view-first": first,
        "view": again,
        "view-empty": empty,
        "view-sent": sent / 1e3,
        "view-heap": heap / 1e6,
        "change": median(changes),
        "change-slowest": max(changes),
        "change-empty": median(own),
    }


async def _heap(page: Page) -> float:
    """The bytes of the heap of its scripts, without what is garbage."""
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    await session.send("Performance.enable")
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return next(float(one["value"]) for one in metrics if one["name"] == "JSHeapUsedSize")


async def _change(page: Page, watched: Var[int], number: int) -> float:
    """Milliseconds from when a stage changes to when its box is painted so."""
    name = "failed" if number % 2 == 0 else "ok"
    waiting = asyncio.ensure_future(page.evaluate(PAINTED, f'.box.s-{name}[aria-label^="watched"]'))
    await asyncio.sleep(0.3)
    began = time() * 1e3
    watched.set(Failed("changed") if name == "failed" else number)
    painted: float = await waiting
    return painted - began


async def _own_change(page: Page, number: int) -> float:
    """The same of an element that a script of the page adds: what frames take, and measuring."""
    waiting = asyncio.ensure_future(page.evaluate(PAINTED, f"#added-{number}"))
    await asyncio.sleep(0.3)
    began: float = await page.evaluate(ADDED, f"added-{number}")
    painted: float = await waiting
    return painted - began


# Many tabs of one browser


class Talking(Builder[int, int]):
    """Does not end, and writes what it is told to."""

    id = "talking"

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    async def build(self, job: Job, key: int) -> int:
        await job.start(level=Level.HARMLESS)
        self.jobs.append(job)
        await asyncio.Event().wait()
        return key


def tabs(count: int) -> Samples:
    return asyncio.run(_tabs(count))


async def _tabs(count: int) -> Samples:
    watched, talking, logs = Var("watched", 0), Talking(), count // 2
    talks = [component(f"talk {n}", talking.get, constant(n)) for n in range(logs)]
    lists = in_lists(501, watched)
    with scratch(Place.MEMORY) as folder:
        async with (
            serving(lambda: all([lists(), *talks]), folder) as site,
            chromium() as browser,
            opened(browser) as first,
        ):
            while len(talking.jobs) < logs or site.engine.stats.ready:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            pages = [first, *[await first.context.new_page() for _ in range(count - 1)]]
            addresses = [f"/job/{job.id}" for job in talking.jobs] + ["/jobs"] * (count - logs)
            for page, address in zip(pages, addresses, strict=True):
                await page.goto(f"{site.address.url}{address}", wait_until="domcontentloaded")
            for page in pages[:logs]:
                await page.get_by_text("· live").wait_for()

            def wrote() -> None:
                for job in talking.jobs:
                    job.write("a new line\n")

            told = '[data-live="counts"] [data-state="failed"]:not(.zero)'
            changed = await _painted_in(
                [(page, told) for page in pages], lambda: watched.set(Failed("changed"))
            )
            lines = [await lines_of(site, job.id) for job in talking.jobs]
            news = [f'.log-line[data-line="{number + 1}"]:not(.is-loading)' for number in lines]
            written = await _painted_in(list(zip(pages, news, strict=False)), wrote)
            streams = site.service.events.followers
    return {"tabs": changed, "tabs-logs": written, "tabs-streams": streams}


async def _painted_in(wanted: list[tuple[Page, str]], change: Callable[[], None]) -> float:
    """Milliseconds from a change to when what it brings is painted in all tabs."""
    waiting = [asyncio.ensure_future(page.evaluate(PAINTED, what)) for page, what in wanted]
    await asyncio.sleep(1)
    began = time() * 1e3
    change()
    painted: list[float] = await asyncio.wait_for(asyncio.gather(*waiting), 60)
    return max(painted) - began


# The end of a long log


class Long(Builder[int, int]):
    """Writes so many lines."""

    id = "long"

    async def build(self, job: Job, key: int) -> int:
        await job.start(level=Level.HARMLESS)
        for first in range(0, key, 10_000):
            lines = range(first, min(first + 10_000, key))
            job.write(b"".join(LINE % (number + 1, number) for number in lines))
            await asyncio.sleep(0)
        return key


def long_log(lines: int) -> Samples:
    return asyncio.run(_long_log(lines))


async def _long_log(lines: int) -> Samples:
    def pipeline() -> Current[Any]:
        return component("long", Long().get, constant(lines))

    with scratch(Place.MEMORY) as folder:
        async with serving(pipeline, folder) as site, chromium() as browser:
            await until_ok(site.engine)
            (node,) = (n for n in (await site.service.pipeline.snapshot()).graph.nodes if n.job_id)
            # The log ends with a line of the engine's, whatever it says.
            shown, total = (
                f"{site.address.url}/job/{node.job_id}",
                await lines_of(site, node.job_id),
            )
            wanted = f'.log-line[data-line="{total}"]:not(.is-loading)'
            async with opened(browser) as page:
                first = await first_view(page, shown, wanted)
            return {"log-first": first, "log": await others(browser, shown, wanted)}


# The page of many jobs that wait


IDS = "() => [...document.querySelectorAll('tr[data-job]')].map((row) => row.dataset.job)"


def waiting(count: int) -> Samples:
    return asyncio.run(_waiting(count))


async def _waiting(count: int) -> Samples:
    @builder("waits", level=Level.HARMLESS, pool=Pool("machines", 1))
    async def waits(job: Job, number: int) -> int:
        await asyncio.Event().wait()
        return number

    stages = [waits(number) for number in range(count)]
    with scratch(Place.MEMORY) as folder:
        async with serving(lambda: all(stages), folder) as site, chromium() as browser:
            while len(site.engine.jobs) < count:  # noqa: ASYNC110 - whatever takes long
                await asyncio.sleep(0.05)
            address = f"{site.address.url}/jobs"
            async with opened(browser) as page:
                first = await first_view(page, address, "tr[data-job]")
                sent: float = await page.evaluate(SENT)
                await page.wait_for_load_state()
                seen, began = set[str](), time()
                while True:
                    seen.update(await page.evaluate(IDS))
                    more = page.locator("[data-jobs-next]:not([hidden])")
                    if await more.count() == 0:
                        break
                    await page.goto(site.address.url + str(await more.get_attribute("href")))
            assert len(seen) == count, f"{len(seen)} of {count} jobs are reached"
            walked = (time() - began) * 1e3
            again = await others(browser, address, "tr[data-job]")
    return {
        "waiting-first": first,
        "waiting": again,
        "waiting-sent": sent / 1e3,
        "waiting-walk": walked,
    }


LARGEST = 9_997
HUGE = 100_002
"""In 11 long lists, beside which the watched stage is in view."""

BENCHMARKS = (
    Benchmark(
        "views",
        views,
        (
            Figure(
                "view-first",
                "the pipeline is painted in a browser, first view",
                "ms",
                {HUGE: 1_000},
            ),
            Figure("view", "  of others after it, the median", "ms", {LARGEST: 500, HUGE: 1_000}),
            Figure("view-empty", "  of a page with one word, for comparison", "ms"),
            Figure("view-sent", "  sent for it, compressed", "kB", {LARGEST: 400, HUGE: 1_000}),
            Figure("view-heap", "  the heap of its scripts", "MB", {HUGE: 60}),
            Figure("change", "  a stage changes -> it is painted", "ms", {LARGEST: 50, HUGE: 50}),
            Figure("change-slowest", "  the slowest of 11 such", "ms"),
            Figure("change-empty", "  a script of the page changes something -> that is", "ms"),
        ),
        sizes=(501, 2_001, LARGEST, HUGE),
        runs={501: 1, 2_001: 1, LARGEST: 1, HUGE: 1},
    ),
    Benchmark(
        "tabs",
        tabs,
        (
            Figure("tabs", "a stage changes -> it is painted in all of n tabs of a browser", "ms"),
            Figure("tabs-logs", "  a line in each of n/2 logs -> in all tabs of them", "ms"),
            Figure("tabs-streams", "  streams of events that they have", "", {50: 1}),
        ),
        sizes=(50,),
        runs={50: 1},
    ),
    Benchmark(
        "waiting",
        waiting,
        (
            Figure("waiting-first", "the page of n jobs that wait is painted, first view", "ms"),
            Figure("waiting", "  of others after it, the median", "ms", {10_000: 500}),
            Figure("waiting-sent", "  sent for it, compressed", "kB"),
            Figure("waiting-walk", "  all of them are walked through, page by page", "ms"),
        ),
        sizes=(10_000,),
        runs={10_000: 1},
    ),
    Benchmark(
        "logs",
        long_log,
        (
            Figure("log-first", "the end of a log of n lines is painted, first view", "ms"),
            Figure("log", "  of others after it, the median", "ms", {1_000_000: 300}),
        ),
        sizes=(1_000_000,),
        runs={1_000_000: 1},
    ),
)
