"""Many viewers of a site: whether they lose something, and what they cost the engine.

The engine and its site run in this process, the viewers in another: see `benchmarks.viewers`.
"""

from __future__ import annotations

import asyncio
import gc
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.engine import until_ok
from benchmarks.figures import Benchmark, Figure, NotMeasured, Samples
from benchmarks.places import Place, scratch
from benchmarks.site import LINE, Site, begin_viewers, lines_of, serving, tell_the_end

from pycurrent import Active, Activity, Builder, Current, Job, Level, Pool, Var, all, component

VIEWERS = 200
ROUNDS = 3
"""How often the jobs are run, without and with viewers in turn."""


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
    """The part of a round that all viewers have seen."""

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
        after = (job.id, str(site.service.events.last), str(VIEWERS))
        return cls(await begin_viewers(site, *after))

    async def end(self, site: Site, job: Job) -> Seen:
        """Compare what the viewers have seen with the events and lines that there were."""
        tell_the_end(site)
        last, total = str(site.service.events.last), await lines_of(site, job.id)
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
        return Round(seconds, sum(steps) * 1e3, resident(), seen)


def resident() -> float:
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


BENCHMARKS = (
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
