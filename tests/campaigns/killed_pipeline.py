"""The pipeline of the kill campaign (`kills.py`): work that notes when it begins and ends.

Each piece of work holds a lock of its own for as long as anything of it lives, and says so in
`violations` if somebody else has it. One of them takes its time to end when it is told to.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

from pycurrent import Builder, Current, Job, Level, Pool, all, builder, component

SCRIPT = """
exec 9>> "$1.lock"
flock -n 9 || echo "ran twice at once: $1" >> violations
echo "begin $1 $$" >> journal
if [ "$3" != 0 ]; then
    trap 'echo tidying; sleep "$3"; echo tidied; echo "end $1 $$" >> journal; exit 1' TERM
fi
head -c 20000 /dev/zero
sleep "$2"
echo "end $1 $$" >> journal
echo "value of $1"
"""


@dataclass(frozen=True)
class Work(Builder[str, str]):
    """Takes a moment; `linger` seconds more if it is told to end."""

    id = "work"

    folder: Path
    linger: float

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS)
        seconds = 0.02 + hashlib.sha256(key.encode()).digest()[0] / 500
        if self.linger:
            seconds += 1
        said = await job.check_output(
            ["sh", "-c", SCRIPT, "sh", key, str(seconds), f"{self.linger:g}"],
            cwd=self.folder,
            grace=self.linger + 20,
        )
        return said.lstrip("\0").strip()


def piece(folder: Path, key: str, linger: float) -> Current[str]:
    def check(value: str) -> str:
        if value != f"value of {key}":
            with (folder / "violations").open("a") as file:
                file.write(f"a wrong value: {value[:80]!r} for {key}\n")
        return value

    return component(f"work {key}", lambda: Work(folder, linger).get(key)).map(check)


@builder("queued", level=Level.HARMLESS, pool=Pool("narrow", 10))
async def queued(job: Job, key: str) -> str:
    """Waits in a long queue, and runs no command."""
    await asyncio.sleep(0.01)
    return f"value of {key}"


def pipeline(*, folder: Path, round: int, size: int, linger: float, queue: int) -> Current[None]:
    """One round of work: `size` pieces, one that takes `linger` seconds to end, and a `queue`."""
    pieces = [piece(folder, f"{round}-{number}", 0) for number in range(size)]
    waiting = [queued(f"{round}-q{number}") for number in range(queue)]
    return all([piece(folder, f"{round}-lingering", linger), *pieces, *waiting])
