"""The diagram that a page makes of what it was told, in random pipelines."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pycurrent.engine import OpenEngine
from pycurrent.service import Batch, EventHub, PipelineFeed, StatesChanged, StructureChanged
from pycurrent.term import Current
from pycurrent.term.diagram import graph_of
from pycurrent.testing import Harness

from ..effort import examples
from ..term.drawn_programs import Program

Shown = tuple[list[tuple[str, ...]], set[tuple[str, str, str]]]


class Page:
    """What a page shows: what it has read, and was told since."""

    def __init__(self, feed: PipelineFeed, hub: EventHub) -> None:
        self._feed = feed
        self._hub = hub
        self.boxes: dict[str, tuple[object, ...]] = {}
        self.edges: set[tuple[str, str, str]] = set()

    async def read(self) -> None:
        snapshot = await self._feed.snapshot()
        graph = snapshot.graph
        self.last = snapshot.last_event
        label = {node.id: node.label for node in graph.nodes}
        self.labels = label
        self.boxes = {
            node.id: (node.state, node.update, node.failure, node.failed_inside)
            for node in graph.nodes
        }
        self.edges = {
            (label[edge.source], label[edge.target], edge.kind.value) for edge in graph.edges
        }

    async def listen_until(self, condition: Callable[[], bool]) -> None:
        follower = self._hub.follow(self.last)
        try:
            async with asyncio.timeout(10):
                while not condition():
                    await self._take(await anext(follower))
        finally:
            await follower.aclose()

    async def _take(self, batch: object) -> None:
        assert isinstance(batch, Batch)
        self.last = self._hub.id_of(batch)
        for event in batch.events:
            match event:
                case StatesChanged(nodes):
                    for id, now in nodes.items():
                        if id in self.boxes:
                            self.boxes[id] = (now.state, now.update, now.failure, now.failed_inside)
                case StructureChanged():
                    await self.read()
                case _:
                    pass

    @property
    def all(self) -> Shown:
        boxes = ((self.labels[id], *map(str, box)) for id, box in self.boxes.items())
        return sorted(boxes, key=str), self.edges


def whole(root: Current[Any], engine: OpenEngine) -> Shown:
    """What a new drawing shows."""
    graph = graph_of(root, engine.live)
    label = {node.id: node.label for node in graph.nodes}
    boxes = [
        (node.label, *map(str, (node.state, node.update, node.failure, node.failed_inside)))
        for node in graph.nodes
    ]
    edges = {(label[edge.source], label[edge.target], edge.kind.value) for edge in graph.edges}
    return sorted(boxes, key=str), edges


@settings(deadline=None, max_examples=examples(15), phases=set(Phase) - {Phase.explain})
@given(st.data())
def test_a_page_shows_the_whole_after_each_step(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Though it is drawn in slices, between which things change, and told of differences."""
    program = Program(data.draw)  # type: ignore[arg-type]
    rounds = data.draw(st.integers(0, 4))
    asyncio.run(_look_on(program, rounds, tmp_path_factory.mktemp("state")))


async def _look_on(program: Program, rounds: int, path: Path) -> None:
    harness = Harness(lambda: program.root, state_dir=path)
    opened: list[OpenEngine] = []
    harness.engine.on_open(opened.append)
    async with harness:
        (engine,) = opened
        hub = EventHub("test")
        feed = PipelineFeed(engine, hub, seconds=0)
        page = Page(feed, hub)
        await read_while(page, program.change)
        for _ in range(rounds):
            await harness.settle()
            program.change()
            await harness.settle()
            await page.listen_until(lambda: page.all == whole(program.root, engine))
        feed.close()


async def read_while(page: Page, change: Callable[[], None]) -> None:
    """Something changes after the page was asked for, and before it is there."""
    reading = asyncio.ensure_future(page.read())
    await asyncio.sleep(0)
    change()
    await reading
