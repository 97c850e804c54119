"""The site: first views in a real browser, changes until they are painted, many viewers.

The engine and its site run in this process, as `pycurrent run` has it; the browser, and the many
viewers, in others.
"""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from benchmarks.engine import Trivial, until_ok
from benchmarks.figures import Benchmark, Figure, NotMeasured, Samples
from benchmarks.places import Place, scratch

from pycurrent import (
    Active,
    Activity,
    Builder,
    Current,
    Engine,
    Failed,
    Job,
    Level,
    Pool,
    Var,
    all,
    component,
    constant,
)
from pycurrent.service import Service
from pycurrent.web.server import Address, Website, listening
from pycurrent.web.settings import WebSettings

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

CHANGES = 11
VIEWERS = 200
ROUNDS = 3
"""How often the jobs are run, without and with viewers in turn."""
LINE = b"%07d compiling module %d of 1000000, as ever\n"

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-renderer-backgrounding", "--no-first-run")

PAINTED = """(wanted) => new Promise((resolve) => {
    const look = () => {
        const found = document.querySelector(wanted);
        // The frame after the one in which it is there has been painted.
        if (found === null) requestAnimationFrame(look);
        else requestAnimationFrame(() => setTimeout(() =>
            resolve(performance.timeOrigin + performance.now())));
    };
    look();
})"""
"""Gives when what a selector finds has been painted, in milliseconds since 1970."""


@dataclass(frozen=True)
class Site:
    """A running engine with its site."""

    engine: Engine
    service: Service
    address: Address


@asynccontextmanager
async def serving(pipeline: Callable[[], Current[Any]], state_dir: Path) -> AsyncIterator[Site]:
    engine = Engine(pipeline, state_dir=state_dir)
    service, settings = Service(engine), WebSettings(port=0)
    with listening(settings) as listener:
        async with engine, Website(service, settings).serving(listener) as address:
            yield Site(engine, service, address)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    try:
        from playwright.async_api import async_playwright
    except ImportError as error:
        raise NotMeasured(str(error)) from error
    program = shutil.which("chromium")
    if program is None:
        raise NotMeasured("there is no chromium here")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=FLAGS, chromium_sandbox=False
        )
        try:
            # Its first page takes longer than others, whatever it is.
            await (await browser.new_page()).goto("about:blank")
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def opened(browser: Browser) -> AsyncIterator[Page]:
    """A tab of somebody who has not been here before."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def first_view(page: Page, url: str, wanted: str) -> float:
    """Milliseconds from when the address is asked for to when that is painted."""
    await page.goto(url, wait_until="commit")
    painted: float = await page.evaluate(PAINTED, wanted)
    began: float = await page.evaluate("performance.timeOrigin")
    return painted - began


# First views, and changes


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
            async with opened(browser) as other:
                again = await first_view(other, url, "[data-version] :is(.box, .closed)")
            changes = [await _change(page, watched, number) for number in range(CHANGES)]
    return {
        "view-first": first,
        "view": again,
        "change": median(changes),
        "change-slowest": max(changes),
    }


async def _change(page: Page, watched: Var[int], number: int) -> float:
    """Milliseconds from when a stage changes to when its box is painted so."""
    name = "failed" if number % 2 == 0 else "ok"
    waiting = asyncio.ensure_future(page.evaluate(PAINTED, f'.box.s-{name}[aria-label^="watched"]'))
    await asyncio.sleep(0.3)
    began = time() * 1e3
    watched.set(Failed("changed") if name == "failed" else number)
    painted: float = await waiting
    return painted - began


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
            (node,) = (n for n in site.service.pipeline.picture().graph.nodes if n.job_id)
            # The log ends with a line of the engine's, whatever it says.
            shown, total = f"{site.address.url}/job/{node.job_id}", await _total(site, node.job_id)
            wanted = f'.log-line[data-line="{total}"]:not(.is-loading)'
            took = []
            for _ in range(2):
                async with opened(browser) as page:
                    took.append(await first_view(page, shown, wanted))
    return {"log-first": took[0], "log": took[1]}


async def _total(site: Site, job_id: str | None) -> int:
    """Lines of a log, counted without the index that the site keeps."""
    assert job_id is not None
    data = await asyncio.to_thread(site.service.logs.path(job_id).read_bytes)
    return data.count(b"\n") + (not data.endswith(b"\n"))


# Many viewers


class Growing(Builder[str, None]):
    """Writes lines until it is told to end."""

    id = "growing"

    def __init__(self) -> None:
        self.begun: asyncio.Queue[Job] = asyncio.Queue()
        self.end = asyncio.Event()

    async def build(self, job: Job, key: str) -> None:
        await job.start(level=Level.HARMLESS)
        self.end.clear()
        self.begun.put_nowait(job)
        number = 0
        while not self.end.is_set():
            job.write(b"".join(LINE % (line, line) for line in range(number, number + 20)))
            number += 20
            await asyncio.sleep(0.02)


class Short(Builder[str, str]):
    """Works for a short while, as far as the pool has room."""

    id = "short"

    def __init__(self) -> None:
        self.pool = Pool("short", 50)
        self.done = asyncio.Semaphore(0)

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS, pool=self.pool)
        await asyncio.sleep(0.1)
        self.done.release()
        return key


@dataclass(frozen=True)
class Seen:
    """What all viewers have seen of a round."""

    lost: int
    megabytes: float


@dataclass(frozen=True)
class Round:
    """All jobs, run once."""

    seconds: float
    in_steps: float
    """Milliseconds."""
    memory: float
    """Of this process at its end, in MB."""
    seen: Seen | None


class Viewers:
    """The process of the viewers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def begin(cls, site: Site, job: Job) -> Viewers:
        """Gives them once all are there."""
        address = (site.address.host, str(site.address.port))
        after = (job.id, str(site.service.events.last), str(VIEWERS))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.viewers", *address, *after),
            cwd=Path(__file__).parent.parent,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        if await process.stdout.readline() != b"ready\n":
            raise NotMeasured("the viewers could not begin")
        return cls(process)

    async def end(self, site: Site, job: Job) -> Seen:
        """What they have seen, compared with what there was."""
        config = site.engine.config
        site.service.confirmation.set(Level.DANGEROUS if config.confirm is None else None)
        last, total = str(site.service.events.last), await _total(site, job.id)
        assert self._process.stdout is not None
        seen: dict[str, Any] = json.loads(await self._process.stdout.read())
        await self._process.wait()
        lost = seen["gaps"] + seen["lost_events"]
        lost += (seen["lines"] != [total]) + (seen["last"] != [last])
        return Seen(lost, seen["bytes"] / 1e6)


class Rounds:
    """Runs all jobs again and again, with viewers or without."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._growing, self._short = Growing(), Short()
        unknown = Active(Activity.READY)
        self._round: Var[int] = Var("round", unknown)
        self._begun: Var[int] = Var("begun", unknown)

    def pipeline(self) -> Current[Any]:
        begun, short = self._begun.get(), self._short

        def work(index: int) -> Current[str]:
            return component(f"short {index}", lambda n: short.get(f"{n} {index}"), begun)

        growing = component("growing", lambda n: self._growing.get(f"{n}"), self._round.get())
        return all([growing, *map(work, range(self._jobs))])

    async def run(self, site: Site, number: int, *, watched: bool) -> Round:
        self._round.set(number)
        job = await self._growing.begun.get()
        viewers = await Viewers.begin(site, job) if watched else None
        steps: list[float] = []
        forget = site.engine.listen(lambda step: steps.append(step.seconds))
        gc.collect()
        began = perf_counter()
        self._begun.set(number)
        for _ in range(self._jobs):
            await self._short.done.acquire()
        seconds = perf_counter() - began
        self._growing.end.set()
        await asyncio.sleep(0)
        await until_ok(site.engine)
        forget()
        seen = None if viewers is None else await viewers.end(site, job)
        return Round(seconds, sum(steps) * 1e3, _memory(), seen)


def _memory() -> float:
    """Of this process, in MB: what is resident now."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError as error:
        raise NotMeasured(str(error)) from error
    return next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line) / 1024


def many(jobs: int) -> Samples:
    return asyncio.run(_many(jobs))


async def _many(jobs: int) -> Samples:
    rounds = Rounds(jobs)
    alone, watched = [], []
    with scratch(Place.MEMORY) as folder:
        async with serving(rounds.pipeline, folder) as site:
            await rounds.run(site, 1, watched=True)  # brings all that is needed into memory
            for number in range(ROUNDS):
                alone.append(await rounds.run(site, 2 * number + 2, watched=False))
                watched.append(await rounds.run(site, 2 * number + 3, watched=True))
    seen = [each.seen for each in watched if each.seen]
    without = median(each.in_steps for each in alone)
    with_viewers = median(each.in_steps for each in watched)
    return {
        "viewers-lost": sum(each.lost for each in seen),
        "viewers-slower": (with_viewers / without - 1) * 100,
        "viewers-steps": with_viewers,
        "viewers-without": without,
        "viewers-took": median(each.seconds for each in watched),
        "viewers-took-without": median(each.seconds for each in alone),
        "viewers-sent": median(each.megabytes for each in seen),
        "viewers-memory": watched[-1].memory - watched[0].memory,
    }


LARGEST = 9_997

BENCHMARKS = (
    Benchmark(
        "views",
        views,
        (
            Figure("view-first", "the pipeline is painted in a browser, first view", "ms"),
            Figure("view", "  of a second browser", "ms", {LARGEST: 500}),
            Figure("change", "  a stage changes -> it is painted", "ms", {LARGEST: 200}),
            Figure("change-slowest", "  the slowest of 11 such", "ms"),
        ),
        sizes=(501, 2_001, LARGEST),
        runs={501: 1, 2_001: 1, LARGEST: 1},
    ),
    Benchmark(
        "logs",
        long_log,
        (
            Figure("log-first", "the end of a log of n lines is painted, first view", "ms"),
            Figure("log", "  second view", "ms", {1_000_000: 300}),
        ),
        sizes=(1_000_000,),
        runs={1_000_000: 1},
    ),
    Benchmark(
        "viewers",
        many,
        (
            Figure("viewers-lost", "200 viewers of a log and of n jobs: lost", "", {1_000: 0}),
            Figure("viewers-slower", "  the engine's steps take longer", "%", {1_000: 10}),
            Figure("viewers-steps", "  all steps", "ms"),
            Figure("viewers-without", "  without viewers", "ms"),
            Figure("viewers-took", "  the jobs take", "s"),
            Figure("viewers-took-without", "  without viewers", "s"),
            Figure("viewers-sent", "  sent to all of them", "MB"),
            Figure("viewers-memory", "  growth from the 1st to the 3rd time", "MB", {1_000: 20}),
        ),
        sizes=(1_000,),
        runs={1_000: 1},
    ),
)
