"""An engine that runs, what is seen of it, and operations whose ends a test decides."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pycurrent as current
from pycurrent import Config, Current, Job, Level, Pool, builder
from pycurrent.service import (
    Batch,
    EventId,
    JobsChanged,
    NodeState,
    OverviewChanged,
    Service,
    StatesChanged,
    StructureChanged,
)
from pycurrent.testing import Harness


class Doors:
    """Builds that wait until the test opens their door, or shuts it for good."""

    def __init__(self, *, level: Level = Level.AVERAGE, pool: Pool | None = None) -> None:
        self._ends: dict[str, asyncio.Future[str]] = {}

        @builder("door", level=level, pool=pool)
        async def door(job: Job, key: str) -> str:
            self._ends[key] = asyncio.get_running_loop().create_future()
            return await self._ends[key]

        self.stage: Callable[[str | Current[str]], Current[str]] = door

    def open(self, key: str) -> None:
        self._ends[key].set_result("through")

    def shut(self, key: str) -> None:
        self._ends[key].set_exception(current.Failure(f"{key} is shut"))


class Seen:
    """A running engine, and its service."""

    def __init__(self, harness: Harness, service: Service) -> None:
        self.harness = harness
        self.service = service

    async def settle(self) -> None:
        await self.harness.settle()

    def job(self, description: str) -> str:
        """The id of the job with this description."""
        return self.harness.find(description).id


@asynccontextmanager
async def seen(
    pipeline: Callable[[], Current[Any]], path: Path, *, config: Config | None = None
) -> AsyncIterator[Seen]:
    """Run a pipeline until there is nothing more to do, and then look on."""
    harness = Harness(pipeline, state_dir=path, config=config)
    made: list[Service] = []
    harness.engine.on_open(lambda opened: made.append(Service(opened)))
    async with harness:
        service = made[0]
        await harness.settle()
        try:
            yield Seen(harness, service)
        finally:
            service.close()


class Browser:
    """What a page knows of the diagram: what it has read, and what it was told since."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.last = service.events.last
        self.labels: dict[str, str] = {}
        self.states: dict[str, tuple[str, str | None]] = {}
        self.jobs: dict[str, str] = {}
        self.whole: OverviewChanged | None = None

    @classmethod
    async def open(cls, service: Service) -> Self:
        page = cls(service)
        page.last = await page.read()
        return page

    async def read(self) -> EventId:
        """Read the diagram. Events that it has in it already do no harm."""
        snapshot = await self._service.pipeline.snapshot()
        self.labels = {node.id: node.label for node in snapshot.graph.nodes}
        self.states = {
            node.id: (node.state.name, node.failure)
            for node in snapshot.graph.nodes
            if node.state is not None
        }
        return snapshot.last_event

    @property
    def shown(self) -> dict[str, str]:
        """The state by the label."""
        return {self.labels[id]: state for id, (state, _) in self.states.items()}

    async def follow_until(self, condition: Callable[["Browser"], bool]) -> None:
        """Deal with events, as a page does, until there is what the test waits for."""
        follower = self._service.events.follow(self.last)
        try:
            async with asyncio.timeout(10):
                while not condition(self):
                    batch = await anext(follower)
                    assert isinstance(batch, Batch)
                    self.last = self._service.events.id_of(batch)
                    await self._take(batch)
        finally:
            await follower.aclose()

    async def _take(self, batch: Batch) -> None:
        for event in batch.events:
            match event:
                case StatesChanged(nodes):
                    self.states.update({id: _state(nodes[id]) for id in nodes if id in self.labels})
                case StructureChanged():
                    await self.read()
                case JobsChanged(jobs):
                    for id, job in jobs.items():
                        self.jobs[id] = "ended" if job is None else job.state.value
                case OverviewChanged():
                    self.whole = event
                case _:
                    pass


def _state(node: NodeState) -> tuple[str, str | None]:
    return node.state.name, node.failure
