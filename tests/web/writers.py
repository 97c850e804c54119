"""A pipeline whose jobs write what the test tells them to, and end when it does."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pycurrent as current
from pycurrent import Current, Job, Level

from .sites import RunningSite


@dataclass(frozen=True)
class Write(current.Builder[str, str]):
    """Hands its job to the test, and waits until it may end."""

    told: "Writers"
    id = "write"

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=self.told.levels.get(key, Level.AVERAGE))
        failure = await self.told.started(key, job)
        if failure is not None:
            raise current.Failure(failure)
        return key


@dataclass(eq=False)
class Writers:
    """The jobs of a pipeline, by their keys, and the means to end them."""

    keys: tuple[str, ...]
    levels: dict[str, Level] = field(default_factory=dict)
    teams: dict[str, str] = field(default_factory=dict)
    """The label `team` of the stages that have one."""
    _jobs: dict[str, Job] = field(default_factory=dict)
    _ends: dict[str, asyncio.Future[str | None]] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def pipeline(self) -> Current[Any]:
        return current.all([self._stage(key) for key in self.keys])

    def _stage(self, key: str) -> Current[str]:
        if key in self.teams:
            with current.labels(team=self.teams[key]):
                return self._component(key)
        return self._component(key)

    def _component(self, key: str) -> Current[str]:
        return current.component(f"write {key}", Write(self).get, current.constant(key))

    async def started(self, key: str, job: Job) -> str | None:
        """A job is at work, until the test ends it; gives why it fails, if it does."""
        self._jobs[key] = job
        end: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._ends[key] = end
        self._news.set()
        return await end

    async def job(self, key: str) -> Job:
        """The job with this key, once it is at work."""
        while key not in self._jobs or self._ends[key].done():
            self._news.clear()
            await self._news.wait()
        return self._jobs[key]

    def end(self, key: str, failure: str | None = None) -> None:
        """Have it succeed, or fail."""
        self._ends[key].set_result(failure)


async def until(site: RunningSite, condition: Callable[[], bool]) -> None:
    """Wait for a step of the engine after which it holds."""
    stepped = asyncio.Event()
    site.engine.listen(lambda step: stepped.set())
    while not condition():
        stepped.clear()
        await stepped.wait()


def job_of(site: RunningSite, key: str) -> str:
    """The id of the job for a key."""
    for job_id, job in site.engine.jobs.items():
        if job.description == f"write {key}":
            return job_id
    raise AssertionError(f"no job for {key!r}")
