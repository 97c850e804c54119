"""For what takes as long as it takes."""

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
