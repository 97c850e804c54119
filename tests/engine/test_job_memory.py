"""The memory that a job takes while it waits, and what is left of it once it has ended."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path
from weakref import ref

from pycurrent import Current, Level, Pool, Var, all, builder
from pycurrent.engine import Job
from pycurrent.testing import Harness

from .doing import one, start


async def test_an_ended_job_goes_without_the_garbage_collector(tmp_path: Path) -> None:
    """Nothing of it leads back to it: with thousands of jobs a second, finding the circles would
    take a third of the time.
    """
    jobs: list[ref[Job]] = []

    async def work(job: Job) -> None:
        jobs.append(ref(job))
        await start(job)
        await job.exec(["true"])
        await job.check_output(["true"])

    gc.disable()
    try:
        async with one(tmp_path, work) as h:
            await h.settle()
            assert [job() for job in jobs] == [None]
    finally:
        gc.enable()


async def test_a_job_in_a_queue_takes_little_memory(tmp_path: Path) -> None:
    """With its stage, its record and its log no more than 2 kB, as 100,000 of them may wait."""
    pool, wanted, many = Pool("p", 1), Var("wanted", 0), 3000

    @builder("queued", level=Level.HARMLESS, pool=pool)
    async def queued(job: Job, number: int) -> None:
        await asyncio.Event().wait()

    terms = [queued(number) for number in range(many)]

    def pipeline() -> Current[None]:
        return wanted.get().bind(lambda number: all(terms[:number]))

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        # The first ones load modules.
        wanted.set(2)
        await h.settle()
        tracemalloc.start()
        try:
            wanted.set(many)
            await h.settle()
            gc.collect()
            taken = tracemalloc.take_snapshot()
        finally:
            tracemalloc.stop()
        assert pool.queue_length == many - 1
        sizes = [trace.size for trace in taken.traces]
        assert sum(size for size in sizes if size < TABLE) / many <= 2000


async def test_a_known_stage_takes_little_memory(tmp_path: Path) -> None:
    """With its term, its node and its result no more than 1.5 kB, as there may be a million."""
    many = 2000

    @builder("quick", level=Level.HARMLESS)
    async def quick(job: Job, number: int) -> int:
        return number

    def pipeline() -> Current[None]:
        return all([quick(number) for number in range(many)])

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
    tracemalloc.start()
    try:
        async with Harness(pipeline, state_dir=tmp_path) as h:
            await h.settle()
            gc.collect()
            taken = tracemalloc.take_snapshot()
            assert len(h.engine.jobs) == many
    finally:
        tracemalloc.stop()
    sizes = [trace.size for trace in taken.traces]
    assert sum(size for size in sizes if size < TABLE) / many <= 1500


TABLE = 512 << 10
"""Bytes of a thing that is no job's: Python's table of interned strings, say, doubles at times."""


async def test_the_tickets_of_a_job_do_not_keep_it(tmp_path: Path) -> None:
    """They stay for the next job of its key, for which it gives up its place."""
    pool, wanted = Pool("p", 1), Var("wanted", 0)
    jobs: list[ref[object]] = []

    @builder("queued", level=Level.HARMLESS, pool=pool, auto_cancel=True)
    async def queued(job: Job, number: int) -> None:
        await asyncio.Event().wait()

    def pipeline() -> Current[object]:
        return all([queued(-1), wanted.get().bind(queued)])

    gc.disable()
    try:
        async with Harness(pipeline, state_dir=tmp_path) as h:
            for number in range(1, 4):
                await h.settle()
                jobs += [ref(job) for job in pool.waiting]
                wanted.set(number)
            await h.settle()
            assert len(jobs) == 3
            assert [job() for job in jobs] == [None] * 3
    finally:
        gc.enable()
