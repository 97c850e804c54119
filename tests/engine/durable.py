"""Pipelines of durable jobs. As a script it runs one, until it is killed.

durable.py PLAN FOLDER LEASE

The commands of all plans note in `FOLDER/ran` that they run. One that waits says so in the FIFO
`begun`, and goes on when something is written to the FIFO `go`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from pycurrent.cache import Builder, builder
from pycurrent.engine import AnyPool, Config, Job, Level
from pycurrent.engine.pool import Tickets, Urgency
from pycurrent.facade import Engine
from pycurrent.term import Current, Ok, Var, component

SECRET = "hunter2-hunter2"
QUICK = 'echo "$0" >> ran; echo "$0 prints"'
WAITS = f'{QUICK}; echo > begun; cat go; echo "{SECRET} after"'
LEASE = timedelta(seconds=30)
MANY = 20
LINE = "a-line-of-64-bytes".ljust(63, ".")
MUCH = 80_000_000

Plan = Callable[[Job, Path], Awaitable[str]]


async def one(job: Job, folder: Path) -> str:
    """A command that has ended, and one that waits."""
    job.secret(SECRET)
    job.log("begins")
    await job.exec(["sh", "-c", QUICK, "first"], cwd=folder)
    job.log("between")
    await job.exec(["sh", "-c", WAITS, "second"], cwd=folder)
    job.log("ends")
    return "done"


async def fails(job: Job, folder: Path) -> str:
    """A command that fails in the end."""
    await job.exec(["sh", "-c", f"{WAITS}; exit 3", "failing"], cwd=folder)
    return "done"


async def nothing(job: Job, folder: Path) -> str:
    """A command that can't be started."""
    await job.exec(["/no/such/program"], cwd=folder)
    return "done"


async def much(job: Job, folder: Path) -> str:
    """A command that prints much."""
    prints = f"echo $$ >> ran; echo > begun; yes {LINE} | head -c {MUCH}"
    await job.exec(["sh", "-c", prints], cwd=folder)
    return "done"


async def both(job: Job, folder: Path) -> str:
    """Two commands at the same time, of which one waits."""
    async with asyncio.TaskGroup() as group:
        group.create_task(job.exec(["sh", "-c", WAITS, "left"], cwd=folder))
        right = group.create_task(job.check_output(["sh", "-c", QUICK, "right"], cwd=folder))
    return right.result().strip()


async def output(job: Job, folder: Path) -> str:
    """The output of a command that waits."""
    return (await job.check_output(["sh", "-c", WAITS, "asked"], cwd=folder)).strip()


async def in_tempdir(job: Job, folder: Path) -> str:
    """A command that waits in a temporary folder, and finds it again afterwards."""
    async with job.tempdir("work-") as tmp:
        await job.exec(["sh", "-c", 'echo kept > "$1"/kept', "sh", tmp])
        await job.exec(["sh", "-c", WAITS, "inside"], cwd=folder)
        return await job.check_output(["cat", tmp / "kept"])


async def once(job: Job, folder: Path) -> str:
    """Something besides commands, which is not done again."""

    async def count() -> int:
        with (folder / "counted").open("a") as counted:
            counted.write("x")
        return len((folder / "counted").read_text())

    before = await job.once("count", count)
    await job.exec(["sh", "-c", WAITS, "sh"], cwd=folder)
    return f"{before} {await job.once('count', count)}"


async def otherwise(job: Job, folder: Path) -> str:
    """Another command each time."""
    again = (folder / "ran").exists()
    await job.exec(
        ["sh", "-c", QUICK if again else WAITS, "again" if again else "first"], cwd=folder
    )
    return "done"


async def crossed(job: Job, folder: Path) -> str:
    """Two commands at the same time, of which the next engine is asked first for the other one."""

    async def late() -> None:
        if not (folder / "again").exists():
            await asyncio.Event().wait()
        await job.exec(["sh", "-c", QUICK, "right"], cwd=folder)

    async with asyncio.TaskGroup() as group:
        group.create_task(late())
        group.create_task(job.exec(["sh", "-c", WAITS, "left"], cwd=folder))
    return "done"


async def many(job: Job, folder: Path) -> str:
    """Quick commands, and one that waits; gives how often the loop went on during the others."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    try:
        for number in range(MANY):
            await job.exec(["true", f"{number}"])
    finally:
        counting.cancel()
    await job.exec(["sh", "-c", WAITS, "sh"], cwd=folder)
    return f"{turns}"


async def files(job: Job, folder: Path) -> str:
    """Files that are saved, placed and reported around a command that waits."""
    async with job.tempdir() as made, job.tempdir() as placed:
        (made / "file").write_text("saved\n")
        (made / "junit.xml").write_text('<testsuite><testcase name="a" classname="b"/></testsuite>')
        tree = await job.save(made, "file")
        one = await job.save_file(made / "file")
        await job.put(tree, placed)
        reported = await job.report(made, junit="*.xml")
        await job.exec(["sh", "-c", WAITS, "sh"], cwd=folder)
        return f"{(placed / 'file').read_text().strip()} {one.size} {reported.tests.passed}"


PLANS: dict[str, Plan] = {
    plan.__name__: plan
    for plan in (
        one,
        fails,
        nothing,
        much,
        both,
        crossed,
        output,
        in_tempdir,
        once,
        otherwise,
        many,
        files,
    )
}


class Work(Builder[str, str]):
    """The work of a plan."""

    id = "work"
    durable = True
    auto_cancel = True

    def __init__(self, folder: Path, pool: AnyPool | None, timeout: timedelta | None) -> None:
        self.folder = folder
        self.pool = pool
        self.timeout = timeout

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS, pool=self.pool, timeout=self.timeout)
        return await PLANS[key](job, self.folder)


@builder("other", level=Level.HARMLESS)
async def other(job: Job) -> str:
    return "other"


def pipeline(
    plan: str, folder: Path, *, pool: AnyPool | None = None, timeout: timedelta | None = None
) -> Current[str]:
    return component("work", lambda: Work(folder, pool, timeout).get(plan))


class Holder:
    """Holds a resource of a pool."""

    description = "holder"
    priority = 0
    urgency = Urgency.HIGH
    tickets = Tickets()
    has_begun = True

    def label(self, name: str) -> str | None:
        return None


def wanted_later(plan: str, folder: Path, wanted: Var[bool]) -> Current[str]:
    """The work, if it is wanted."""
    return wanted.get().bind(lambda is_wanted: pipeline(plan, folder) if is_wanted else other())


async def main(plan: str, folder: Path, lease: float) -> None:
    engine = Engine(
        lambda: pipeline(plan, folder),
        state_dir=folder / "state",
        config=Config(lease=timedelta(seconds=lease) if lease else None, spool_max_size="40M"),
    )
    async with engine:
        await engine.settled()
        assert isinstance(engine.output, Ok)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
