"""The pipeline of the campaign on durable jobs (`durable_kills.py`): work that goes on until the
campaign ends, and whose commands print lines with numbers.

Each command (`durable_step.py`) holds a lock of its job, and notes in `violations` if another one
has it.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from pycurrent import Builder, Current, Job, Level, Pool, all, component
from pycurrent.engine import AnyPool
from pycurrent.plugins import ssh

STEP = Path(__file__).with_name("durable_step.py")


@dataclass(frozen=True)
class Work(Builder[str, str]):
    """Commands one after the other, until there is a file `end` in the folder."""

    id = "work"
    durable = True

    folder: Path
    pool: AnyPool
    seconds: float
    burst: int

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS, pool=self.pool)
        async with job.tempdir() as folder:
            await job.exec(["sh", "-c", 'echo kept > "$0"/kept', folder])
            step, more = 0, "more"
            while more == "more":
                await self._step(job, key, step)
                more = await self._asked(job, step)
                step += 1
            kept = await job.check_output(["cat", folder / "kept"])
        return f"{key} {step} {kept.strip()}"

    async def _step(self, job: Job, key: str, step: int) -> None:
        seconds = self.seconds * (1 + hash_of(key, step)) / 2
        words = [str(self.folder), key, str(step), f"{seconds:g}", str(self.burst)]
        await job.exec([sys.executable, "-I", "-S", STEP, *words])

    async def _asked(self, job: Job, step: int) -> str:
        asks = '[ -e "$0/end" ] && echo end || echo more'
        said = await job.check_output(["sh", "-c", asks, self.folder, str(step)])
        await asyncio.sleep(0)
        return said.strip()


def hash_of(key: str, step: int) -> float:
    """Between 0 and 1, and the same each time."""
    return (int(key.partition("-")[2]) * 7919 + step * 104729) % 1000 / 1000


def pipeline(
    *, folder: Path, round: int, size: int, seconds: float, burst: int, at: str
) -> Current[None]:
    """`size` jobs. `seconds`: how long a command takes at most; `burst`: lines at once.

    `at` is empty, or a host by ssh: HOST USER PORT KEY KNOWN.
    """
    pool = pool_at(at, size)
    return all(
        [
            component(f"work {key}", lambda key=key: Work(folder, pool, seconds, burst).get(key))
            for key in (f"{round}-{number}" for number in range(size))
        ]
    )


def pool_at(at: str, size: int) -> AnyPool:
    if not at:
        return Pool("campaign", size)
    host, user, port, key, known = at.split()
    there = ssh.Host(host, user, int(port), Path(key), Path(known), connect_timeout=5)
    return ssh.Hosts([there], capacity=size)
