"""A pipeline with a command that takes its time to end. As a script it runs it for ever.

lingering.py STATE_DIRECTORY FOLDER

In the folder the first run writes `begun` (a FIFO), tidies up when it is told to end until `go`
(another one) is written to, and then adds to `marks`; a second run only adds to `marks`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pycurrent.cache import Builder, builder
from pycurrent.engine import Job, Level
from pycurrent.facade import Engine
from pycurrent.term import Current, component, pair

SCRIPT = """
tidy() {
    head -c 1000000 /dev/zero    # more than a pipe holds
    echo tidying
    cat go
    echo first ended >> marks
    exit 0
}
if [ -e marks ]; then echo second >> marks; exit; fi
trap tidy TERM
echo first > marks
touch "$1/kept"
echo > begun
while :; do sleep 0.05; done
"""


class Linger(Builder[str, str]):
    id = "linger"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.DANGEROUS)
        async with job.tempdir() as tmp, job.locking(self.folder / "lock", "the folder"):
            await job.exec(["sh", "-c", SCRIPT, "sh", tmp], cwd=self.folder, grace=60)
        return "lingered"


@builder("other", level=Level.HARMLESS)
async def other(job: Job) -> str:
    return "other"


class Locking(Builder[str, str]):
    """Other work, in the same folder."""

    id = "locking"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS)
        async with job.locking(self.folder / "lock", "the folder"):
            with (self.folder / "marks").open("a") as marks:
                marks.write("locking\n")
        return "locked"


def pipeline(folder: Path, *, locking: bool = False) -> Current[object]:
    """The work that lingers, or other work in its folder; and what has nothing to do with it."""
    if locking:
        return pair(component("locking", lambda: Locking(folder).get("w")), other())
    return pair(component("linger", lambda: Linger(folder).get("w")), other())


if __name__ == "__main__":
    engine = Engine(lambda: pipeline(Path(sys.argv[2])), state_dir=sys.argv[1])
    asyncio.run(engine.run())
