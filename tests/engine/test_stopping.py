"""The end of an engine whose jobs don't end: it is bounded, and says which they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

from pycurrent.engine import Job, Level, Pool
from pycurrent.term import Failed
from pycurrent.testing import Harness

from .doing import Function, cancelled, do, one, start

GRACE = 0.2


class Stubborn:
    """Goes on until it is let go, however often it is cancelled."""

    def __init__(self) -> None:
        self.cancellations = 0
        self.let_go = asyncio.Event()

    async def __call__(self) -> None:
        while not self.let_go.is_set():
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                self.cancellations += 1


def in_its_work(stubborn: Stubborn) -> Function:
    async def work(job: Job) -> None:
        await start(job)
        await stubborn()

    return work


def in_a_hook(stubborn: Stubborn) -> Function:
    async def work(job: Job) -> None:
        await start(job)
        job.on_cancel(stubborn)
        await asyncio.Event().wait()

    return work


def in_its_pool(stubborn: Stubborn) -> Function:
    @asynccontextmanager
    async def acquire(job: Job) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await stubborn()

    async def work(job: Job) -> None:
        await job.start(level=Level.HARMLESS, pool=Pool.of("p", acquire))
        await asyncio.Event().wait()

    return work


@pytest.mark.parametrize("where", [in_its_work, in_a_hook, in_its_pool])
async def test_a_job_that_does_not_end_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, where: Callable[[Stubborn], Function]
) -> None:
    """It is named, recorded as interrupted, and not waited for by `asyncio.run` either."""
    stubborn = Stubborn()
    async with one(tmp_path, where(stubborn)) as h:
        h.engine.opened.stop_grace = GRACE
        await h.settle()
        job = h.find("do a").id
        log = h.engine.opened.state.job_path(job)
        began = monotonic()
    assert monotonic() - began < 20  # rather than for ever
    assert f"job {job} (do a) was cancelled" in caplog.text
    if where is not in_a_hook:
        # A hook is left alone first, and then the job ends.
        assert f"job {job} (do a) does not end" in caplog.text
        assert "does not end although it was cancelled again and again" in log.read_text()
        assert h.engine.opened.left_alone == [job]
    async with Harness(lambda: do(start), state_dir=tmp_path) as again:
        await again.settle()
        assert [build.outcome for build in again.history()] == [None, "done"]
    stubborn.let_go.set()
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_takes_its_time_to_tidy_up_is_not_disturbed(tmp_path: Path) -> None:
    """Within the grace; nor are commands, and what they began with may take long."""
    events: list[str] = []

    async def work(job: Job) -> None:
        await start(job)
        try:
            await job.exec(
                ["sh", "-c", "sleep 1000 & trap 'sleep 2.3; exit 0' TERM; echo ready; wait"]
            )
        finally:
            events.append("the command has ended")
            await asyncio.sleep(0.1)
            await job.exec(["sleep", "2.5"], cancellable=False)
            events.append("tidied up")

    async with one(tmp_path, work) as h:
        h.engine.opened.stop_grace = 2
        await h.until(lambda: "\nready" in h.log("do a"))
    assert events == ["the command has ended", "tidied up"]
    assert h.engine.opened.left_alone == []


async def test_what_a_person_had_cancelled_stays_so_if_it_is_left_alone(tmp_path: Path) -> None:
    """It is not run again by the next engine."""
    stubborn = Stubborn()
    async with one(tmp_path, in_its_work(stubborn)) as h:
        h.engine.opened.stop_grace = GRACE
        await h.settle()
        h.find("do a").cancel("by anna")
    async with one(tmp_path, start) as again:
        await again.settle()
        assert again.output == cancelled("by anna")
    stubborn.let_go.set()
    await asyncio.sleep(0)


def test_asyncio_does_not_wait_for_a_job_that_was_left_alone(tmp_path: Path) -> None:
    """Nor for a hook or a watch."""
    stubborn: list[Stubborn] = []

    async def main() -> None:
        stubborn.append(Stubborn())
        async with one(tmp_path, in_its_work(stubborn[0])) as h:
            h.engine.opened.stop_grace = GRACE
            await h.settle()

    began = monotonic()
    with suppress(RuntimeError):
        asyncio.run(main())
    assert monotonic() - began < 10
    assert stubborn[0].cancellations >= 2


async def test_a_cancelled_job_that_goes_on_is_no_result(tmp_path: Path) -> None:
    """While the engine runs it is waited for."""
    stubborn = Stubborn()
    async with one(tmp_path, in_its_work(stubborn)) as h:
        await h.settle()
        h.find("do a").cancel("enough")
        await h.settle()
        assert h.stats.running == 1
        stubborn.let_go.set()
        await h.settle()
        assert h.output == Failed("Cancelled: enough")
