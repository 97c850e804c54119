"""For what takes as long as it takes."""

import asyncio
from collections.abc import Callable

from pycurrent import Active
from pycurrent.testing import Harness


async def over(h: Harness) -> None:
    """Wait until the pipeline has an outcome, and no job is at work."""
    await h.until(
        lambda: (
            not isinstance(h.output, Active) and all(job.job is None for job in h.jobs.values())
        ),
        timeout=40,
    )


async def until(true: Callable[[], object]) -> None:
    """Wait for what happens outside of this process."""
    async with asyncio.timeout(40):
        while not true():  # noqa: ASYNC110 - processes set no events
            await asyncio.sleep(0.05)
