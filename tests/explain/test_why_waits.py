"""Why a job that is at work does not get on: it waits for something besides its pool."""

from __future__ import annotations

import asyncio

import pycurrent as current
from pycurrent import Cache, Job, Level, builder
from pycurrent.explain.reasons import Running
from pycurrent.testing import Harness, HarnessFactory


def waits(h: Harness, stage: str) -> tuple[str, ...]:
    """What the job of a stage waits for, and what people are told of it."""
    found = h.engine.why(stage)
    running = found.reasons[0]
    assert isinstance(running, Running)
    assert all(f"it waits for {what}" in str(found) for what in running.waits)
    return running.waits


class Work:
    """A stage for each name, whose job has what `has` gives until it may end."""

    def __init__(self) -> None:
        self.ends: dict[str, asyncio.Event] = {}

    async def until_told(self, name: str) -> None:
        await self.ends.setdefault(name, asyncio.Event()).wait()

    def end(self, name: str) -> None:
        self.ends[name].set()


async def test_a_job_that_waits_for_a_cache_folder_says_who_has_it(
    harness: HarnessFactory,
) -> None:
    """In turn; once it has the folder it waits for nothing."""
    work = Work()

    @builder("install", level=Level.HARMLESS)
    async def install(job: Job, name: str) -> None:
        async with job.cache_folder(Cache("pip")):
            await work.until_told(name)

    async with harness(lambda: current.all([install(name) for name in "abc"])) as h:
        await h.until(lambda: "a" in work.ends and waits(h, "install c"))
        first = h.find("install a").id
        assert waits(h, "install a") == ()
        assert waits(h, "install b") == (f"the folder of cache pip: job {first} uses it",)
        work.end("a")
        await h.until(lambda: "b" in work.ends)
        assert waits(h, "install b") == ()
        second = h.find("install b").id
        assert waits(h, "install c") == (f"the folder of cache pip: job {second} uses it",)
        work.end("b")
        await h.until(lambda: "c" in work.ends)
        work.end("c")
        await h.settle()
        assert h.output == current.Ok(None)


async def test_a_job_that_waits_for_another_pool_says_so(harness: HarnessFactory) -> None:
    """Until it has a resource of it, or is cancelled."""
    work, disk = Work(), current.Pool("disk", 1)

    @builder("copy", level=Level.HARMLESS)
    async def copy(job: Job, name: str) -> None:
        async with job.use_pool(disk):
            await work.until_told(name)

    async with harness(lambda: current.all([copy("a"), copy("b"), copy("c")])) as h:
        await h.until(lambda: "a" in work.ends and waits(h, "copy c"))
        assert waits(h, "copy a") == ()
        assert waits(h, "copy b") == ("a resource of pool disk",)
        h.find("copy c").cancel("no more")
        work.end("a")
        await h.until(lambda: "b" in work.ends)
        assert waits(h, "copy b") == ()
        work.end("b")
        await h.settle()
        assert h.engine.opened.host.waits.of(h.find("copy c").id) == ()


async def test_an_operation_says_itself_what_it_waits_for(harness: HarnessFactory) -> None:
    """Several things at once, if it has tasks of its own; its log has them, too."""
    work = Work()

    async def ask(job: Job, server: str) -> None:
        with job.waiting_for(f"{server} to answer"):
            await work.until_told(server)

    @builder("ask", level=Level.HARMLESS)
    async def asked(job: Job) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ask(job, "one"))
            tasks.create_task(ask(job, "two"))

    async with harness(asked) as h:
        await h.until(lambda: len(work.ends) == 2)
        assert waits(h, "ask") == ("one to answer", "two to answer")
        work.end("one")
        await h.until(lambda: len(waits(h, "ask")) == 1)
        assert waits(h, "ask") == ("two to answer",)
        work.end("two")
        await h.settle()
        log = h.log("ask")
        assert "Waiting for one to answer" in log
