"""The loop of an engine on a disk: how long it waits, also while another program writes much.

Many jobs print, and many builds are recorded meanwhile. The other program fills the cache of the
system, so that a write may have to wait until the disk has taken what is in it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.engine import until_ok
from benchmarks.figures import MIDDLE, Benchmark, Figure, Samples
from benchmarks.lag import Lag
from benchmarks.places import Place, scratch

from pycurrent import Current, Engine, Job, Level, all, builder

PRINTING = 100
LINES = 100
PAUSE = 0.02
"""Seconds between two lines of a job."""
MUCH = 4 << 30
"""Bytes that the other program writes at most."""
_WRITES = """
import sys
with open(sys.argv[1], "wb", buffering=0) as file:
    for _ in range(int(sys.argv[2]) >> 20):
        file.write(bytes(1 << 20))
"""


@builder("prints", level=Level.HARMLESS)
async def prints(job: Job, number: int) -> int:
    for line in range(LINES):
        job.log(f"line {line} of job {number}: {'x' * 80}")
        await asyncio.sleep(PAUSE)
    return number


@builder("trivial", level=Level.HARMLESS)
async def trivial(job: Job, number: int) -> int:
    return number


def pipeline(builds: int) -> Callable[[], Current[None]]:
    return lambda: all(
        [*map(prints, range(PRINTING)), *map(trivial, range(builds))],
    )


def disk(builds: int) -> Samples:
    samples: Samples = {}
    with scratch(Place.DISK) as folder:
        samples["disk-lag"] = asyncio.run(_lag(builds, folder / "quiet"))
        with _writer(folder / "filler"):
            samples["disk-lag-beside"] = asyncio.run(_lag(builds, folder / "beside"))
    return samples


async def _lag(builds: int, folder: Path) -> float:
    """The longest that the loop stood still, in milliseconds, once the terms were built."""
    async with Lag.watched() as lag, Engine(pipeline(builds), state_dir=folder) as engine:
        await asyncio.sleep(0)
        lag.taken()
        await until_ok(engine)
        return lag.taken()


@contextmanager
def _writer(path: Path) -> Iterator[None]:
    """Another program writes in the block."""
    with subprocess.Popen([sys.executable, "-c", _WRITES, str(path), str(MUCH)]) as process:
        try:
            yield
        finally:
            process.kill()
    path.unlink(missing_ok=True)


BENCHMARKS = (
    Benchmark(
        "disk",
        disk,
        (
            Figure(
                "disk-lag",
                f"n trivial builds and {PRINTING} jobs that print, on disk: the loop waits at most",
                "ms",
                {MIDDLE: 50.0},
            ),
            Figure("disk-lag-beside", "  beside a program that writes 4 GB", "ms", {MIDDLE: 50.0}),
        ),
        sizes=(MIDDLE,),
    ),
)
