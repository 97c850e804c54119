"""Requests to the server of a test take as long as they take."""

from datetime import timedelta

from pycurrent import Active
from pycurrent.testing import Harness


async def over(h: Harness) -> None:
    """Wait until the pipeline has an outcome, and nothing goes on."""
    await h.settle()
    await h.until(lambda: not isinstance(h.output, Active) and not at_work(h), timeout=20)


async def over_in_time(h: Harness) -> list[float]:
    """The same, with the clock moved on to whatever is waited for; gives how far each time."""
    moved: list[float] = []
    while True:
        await h.until(lambda: not at_work(h) or h.clock.next_timer is not None, timeout=20)
        when = h.clock.next_timer
        if when is None:
            await over(h)
            return moved
        moved.append((when - h.clock.now()) / timedelta(seconds=1))
        h.clock.move(when - h.clock.now())
        # A timeout that is due cancels the job only later, and with it the next timer.
        await h.settle()


def at_work(h: Harness) -> bool:
    """Whether there is a job that has not ended."""
    return any(handle.job is not None for handle in h.jobs.values())
