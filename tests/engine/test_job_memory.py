"""What is left of a job once it has ended."""

from __future__ import annotations

import gc
from pathlib import Path
from weakref import ref

from pycurrent.engine import Job

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
