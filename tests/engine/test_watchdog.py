"""What holds up the event loop is noticed, and named."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine import Job, Monitor
from pycurrent.engine.watchdog import HELD, LOOK, Watchdog
from pycurrent.term import Current, component, constant
from pycurrent.testing import Harness

from .doing import do, start

LONG = HELD + 3 * LOOK


@asynccontextmanager
async def unwatched(refresh: Callable[[], None]) -> AsyncIterator[None]:
    yield


def sleeps() -> None:
    time.sleep(LONG)


def runs_a_command() -> None:
    subprocess.run(["sleep", str(LONG)], check=True, capture_output=True)


def computes() -> None:
    end = time.thread_time() + LONG
    while time.thread_time() < end:
        pass


@pytest.mark.parametrize("block", [sleeps, runs_a_command, computes])
@pytest.mark.parametrize("where", ["job", "map", "monitor"])
async def test_what_holds_up_the_loop_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, block: Callable[[], None], where: str
) -> None:
    """Once, with the line of the author's code; and how long it took when it is over."""

    def hold(_: object = None) -> int:
        block()
        return 1

    async def work(job: Job) -> None:
        await start(job)
        hold()

    def pipeline() -> Current[Any]:
        match where:
            case "job":
                return do(work)
            case "map":
                return constant(1).map(hold)
            case _:
                monitor: Monitor[int] = Monitor(read=hold, watch=unwatched, describe="lamp")
                return component("m", monitor.get)

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        await asyncio.to_thread(time.sleep, LOOK)
        job = next(iter(h.jobs), None)
    (first, second) = [r.getMessage() for r in caplog.records if "event loop" in r.getMessage()]
    assert "the event loop stands still" in first
    assert "asyncio.to_thread" in first
    assert f'test_watchdog.py", line {hold.__code__.co_firstlineno + 1}, in hold' in first
    assert "_run_once" not in first
    assert "it stood still for" in second
    if where == "job":
        assert job is not None
        assert f"stands still in {job}" in first
    if where == "monitor":
        assert "stands still in <Monitor lamp>" in first


async def test_a_loop_that_is_busy_but_goes_on_is_nothing_to_tell(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nor is one that is idle. Nothing is left of a watchdog that was stopped."""
    dog = Watchdog()
    before = threading.active_count()
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        for _ in range(1000):
            sum(range(100))
        await asyncio.sleep(0)
    await asyncio.sleep(3 * LOOK)
    dog.stop()
    dog.stop()
    assert threading.active_count() == before - 1
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
