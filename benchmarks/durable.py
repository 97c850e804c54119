"""Durable commands: their cost beside other commands in one run, and the next engine's start.

`durable-over` has the smallest command there is run by a job that is durable, and by one that is
not. `durable-spool` is a command that prints 200 MB, from its start to its last byte in the log.
`durable-attach` kills an engine with so many commands at work, and starts the next one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from benchmarks.figures import SMALL, Benchmark, Better, Figure, Samples
from benchmarks.lag import Lag
from benchmarks.places import Place, scratch

from pycurrent.cache import ResultCache, builder
from pycurrent.engine import Config, Job, Level, Pool
from pycurrent.facade import Engine
from pycurrent.term import Current, all

LEASE = timedelta(minutes=2)
_MEGABYTES = 200
_PRINTS = f"""
import os
lines = (b"a line of 64 bytes ".ljust(63, b".") + b"\\n") * 16384
for _ in range({_MEGABYTES}):
    os.write(1, lines)
"""


def _work(
    *, is_durable: bool, argv: list[str], pool: Pool | None = None
) -> Callable[..., Current[str]]:
    @builder("work", level=Level.HARMLESS, durable=is_durable, pool=pool)
    async def work(job: Job, key: str) -> str:
        await job.exec(argv)
        return key

    return work


async def _settled(pipeline: Callable[[], Current[None]], state: Path) -> float:
    """Run a pipeline to its end; gives the seconds from the first step on."""
    engine = Engine(pipeline, state_dir=state, config=Config(lease=LEASE))
    async with engine:
        began = perf_counter()
        await engine.settled()
        return perf_counter() - began


def _many(n: int, *, is_durable: bool) -> Callable[[], Current[None]]:
    work = _work(is_durable=is_durable, argv=["/bin/true"], pool=Pool("eight", 8))
    return lambda: all([work(f"{number}") for number in range(n)])


def over(n: int) -> Samples:
    """How much longer the smallest command takes if it is durable."""
    with scratch(Place.MEMORY) as place:
        plain = asyncio.run(_settled(_many(n, is_durable=False), place / "plain"))
        durable = asyncio.run(_settled(_many(n, is_durable=True), place / "durable"))
    return {
        "durable-command": durable / n * 1e3,
        "durable-plain-command": plain / n * 1e3,
        "durable-over": durable / plain,
    }


def spool(n: int) -> Samples:
    """How fast what a command prints comes to the log."""
    printing = [sys.executable, "-c", _PRINTS]

    def took(state: Path, *, is_durable: bool) -> float:
        work = _work(is_durable=is_durable, argv=printing)
        return asyncio.run(_settled(lambda: all([work("one")]), state))

    with scratch(Place.MEMORY) as place:
        plain = took(place / "plain", is_durable=False)
        durable = took(place / "durable", is_durable=True)
    return {"durable-spool": _MEGABYTES / durable, "durable-spool-plain": _MEGABYTES / plain}


def _sleeping(n: int) -> Current[None]:
    work = _work(is_durable=True, argv=["sleep", "300"])
    return all([work(f"{number}") for number in range(n)])


def _at_work(engine: Engine) -> int:
    """How many jobs have a command that runs."""
    return sum(bool(job.running_commands) for job in engine.service(ResultCache).runs.jobs())


async def _all_at_work(engine: Engine, n: int) -> None:
    while _at_work(engine) < n:  # noqa: ASYNC110 - nobody tells of commands
        await asyncio.sleep(0.01)


async def _attached(n: int, state: Path) -> Samples:
    engine = Engine(lambda: _sleeping(n), state_dir=state, config=Config(lease=LEASE, jobs=n))
    async with Lag.watched() as lag:
        began = perf_counter()
        async with engine:
            await _all_at_work(engine, n)
            took, lagged = perf_counter() - began, lag.worst
    return {"durable-attach": took, "durable-attach-lag": lagged}


async def _begin(n: int, state: Path) -> None:
    """Have all commands run, and be killed."""
    engine = Engine(lambda: _sleeping(n), state_dir=state, config=Config(lease=LEASE, jobs=n))
    async with engine:
        await _all_at_work(engine, n)
        os.kill(os.getpid(), signal.SIGKILL)


def attach(n: int) -> Samples:
    """How long the next engine takes to go on with all that a killed one has left."""
    with scratch(Place.MEMORY) as place:
        state = place / "state"
        begin = [sys.executable, "-m", "benchmarks.durable", f"{n}", str(state)]
        subprocess.run(begin, check=False)
        return asyncio.run(_attached(n, state))


_MORE = Better.HIGHER

BENCHMARKS = (
    Benchmark(
        "durable",
        over,
        (
            Figure("durable-command", "/bin/true, 8 at once, by durable jobs: each", "ms"),
            Figure("durable-plain-command", "  by jobs that are not, in this run", "ms"),
            Figure("durable-over", "    durable over not", "times", {SMALL: 1.2}),
        ),
        sizes=(SMALL,),
        runs={SMALL: 3},
    ),
    Benchmark(
        "durable-spool",
        spool,
        (
            Figure(
                "durable-spool",
                f"{_MEGABYTES} MB from a durable command to the log",
                "MB/s",
                {SMALL: 300},
                _MORE,
            ),
            Figure("durable-spool-plain", "  from one that is not", "MB/s", better=_MORE),
        ),
        sizes=(SMALL,),
        runs={SMALL: 3},
    ),
    Benchmark(
        "durable-attach",
        attach,
        (
            Figure("durable-attach", "the next engine goes on with n commands", "s", {SMALL: 2.0}),
            Figure("durable-attach-lag", "    the loop stands still", "ms", {SMALL: 50}),
        ),
        sizes=(SMALL,),
        runs={SMALL: 1},
    ),
)

if __name__ == "__main__":
    asyncio.run(_begin(int(sys.argv[1]), Path(sys.argv[2])))
