"""Jobs whose work is a function of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pycurrent.cache import Builder, Schedule
from pycurrent.engine import Config, Job, Level
from pycurrent.term import Current, Failed, component
from pycurrent.testing import Harness

Function = Callable[[Job], Awaitable[str | None]]


def cancelled(reason: str) -> Failed:
    """The outcome of a job that was cancelled."""
    return Failed(f"Cancelled: {reason}")


class Do(Builder[str, str]):
    id = "do"

    def __init__(self, fn: Function) -> None:
        self.fn = fn

    async def build(self, job: Job, key: str) -> str:
        return await self.fn(job) or "done"


def do(fn: Function, key: str = "a", schedule: Schedule | None = None) -> Current[str]:
    """A stage that does the work of the function in its job."""
    return component(f"do {key}", lambda: Do(fn).get(key, schedule=schedule))


def one(folder: Path, fn: Function, config: Config | None = None) -> Harness:
    """An engine with one job."""
    return Harness(lambda: do(fn), state_dir=folder, config=config)


async def ended(folder: Path, fn: Function) -> tuple[object, str]:
    """The outcome and the log of a job that ends by itself."""
    async with one(folder, fn) as h:
        await h.settle()
        return h.output, h.log("do a")


class Gate:
    """Work that goes on until it is let through."""

    def __init__(self, level: Level = Level.HARMLESS, **start: Any) -> None:
        self.jobs: list[Job] = []
        """Those that are at work, in the order in which they began."""
        self.begun: list[str] = []
        self._level = level
        self._start = start
        self._open: dict[Job, asyncio.Future[None]] = {}

    async def __call__(self, job: Job) -> str:
        await job.start(level=self._level, **self._start)
        self.jobs.append(job)
        self.begun.append(job.description)
        self._open[job] = asyncio.get_running_loop().create_future()
        try:
            await self._open[job]
        finally:
            self.jobs.remove(job)
        return "done"

    def let_through(self, *jobs: Job) -> None:
        for job in jobs or tuple(self.jobs):
            self._open[job].set_result(None)


async def start(job: Job) -> None:
    """Only start the job."""
    await job.start(level=Level.HARMLESS)
