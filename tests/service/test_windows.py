"""Windows onto large pipelines: what is closed, and what their viewers are told."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pycurrent as current
from pycurrent import Current, Var
from pycurrent.service import (
    WHOLE,
    Batch,
    Event,
    EventHub,
    PipelineFeed,
    Reset,
    Snapshot,
    StatesChanged,
    StructureChanged,
    Window,
)
from pycurrent.term import State, Stats
from pycurrent.term.diagram import GraphNode, Inside, NodeKind

from .live import Doors, Seen, seen

FITTING = Window.of({}, fits=True)


def closed(snapshot: Snapshot) -> list[GraphNode]:
    return [node for node in snapshot.graph.nodes if node.kind is NodeKind.LIST]


def labels(snapshot: Snapshot) -> list[str]:
    return [node.label for node in snapshot.graph.nodes if node.label.startswith("door")]


def lists(doors: Doors, *names: Var[list[str]]) -> Callable[[], Current[None]]:
    """For each of these a list of doors."""
    return lambda: current.all(
        [name.get().list_map(doors.stage, label=name.name) for name in names]
    )


def feed_of(s: Seen, *, few: int) -> PipelineFeed:
    return PipelineFeed(s.service.engine, s.service.events, few=few)


async def test_lists_are_closed_until_the_diagram_fits(tmp_path: Path) -> None:
    """Those within others first; a small pipeline stays as it is."""
    doors = Doors()

    def pipeline() -> Current[object]:
        outer = current.constant(["a", "b"])

        def each(name: Current[str]) -> Current[object]:
            inner = name.map(lambda text: [f"{text}{number}" for number in range(3)])
            return inner.list_map(doors.stage, label="inner")

        return outer.list_map(each, label="outer")

    async with seen(pipeline, tmp_path) as s:
        for few, shown in [(100, []), (10, ["inner", "inner"]), (3, ["outer"])]:
            feed = feed_of(s, few=few)
            snapshot = await feed.snapshot(FITTING)
            assert [node.label for node in closed(snapshot)] == shown
            feed.close()


async def test_a_closed_list_says_what_it_hides(tmp_path: Path) -> None:
    """Its items, its stages by their states, the state of most concern, and a failure."""
    doors = Doors()
    names = Var("names", ["a", "b", "c"])
    async with seen(lists(doors, names), tmp_path) as s:
        doors.open("a")
        doors.shut("b")
        await s.settle()
        (box,) = closed(await s.service.pipeline.snapshot(Window.of({}, depth=0)))
        assert box.inside == Inside(3, Stats(ok=1, failed=1, running=1))
        assert box.state is State.FAILED
        assert box.failed_inside is not None
        assert (box.failed_inside.stages, box.failed_inside.failure) == (1, "b is shut")


async def test_changes_within_a_closed_list_draw_nothing_again(tmp_path: Path) -> None:
    """New items, and items that go, change its numbers only."""
    doors = Doors()
    names = Var("names", ["a"])
    window = Window.of({}, depth=0)
    async with seen(lists(doors, names), tmp_path) as s:
        before = await s.service.pipeline.snapshot(window)
        names.set(["b", "c"])
        await s.settle()
        after = await s.service.pipeline.snapshot(window)
        assert after.version == before.version
        (box,) = closed(after)
        assert box.inside == Inside(2, Stats(running=2))


async def test_opened_lists_stay_open_and_long_ones_come_in_ranges(tmp_path: Path) -> None:
    """A range stays open while one of its items is the one that it was opened by."""
    doors = Doors()
    names = Var("names", [f"{number:04}" for number in range(1200)])
    async with seen(lists(doors, names), tmp_path) as s:
        feed = s.service.pipeline
        (whole,) = closed(await feed.snapshot(Window.of({}, depth=0)))
        opened = Window.of({}, depth=0, opened=[whole.id])
        ranges = closed(await feed.snapshot(opened))
        assert [(box.label, box.inside and box.inside.items) for box in ranges] == [
            ("1–500", 500),  # noqa: RUF001
            ("501–1000", 500),  # noqa: RUF001
            ("1001–1200", 200),  # noqa: RUF001
        ]
        inner = Window.of({}, depth=0, opened=[whole.id, ranges[1].id])
        assert labels(await feed.snapshot(inner))[0] == "door 0500"
        names.set(["new", *(f"{number:04}" for number in range(1200))])
        await s.settle()
        assert labels(await feed.snapshot(inner))[0] == "door 0499"


async def test_what_was_opened_is_open_after_a_restart(tmp_path: Path) -> None:
    """As ids are the same then, also where other lists have come before it."""
    opened: Window | None = None
    for others in ([], [Var("before", ["x"])]):
        doors = Doors()
        names = Var("names", [f"{number:04}" for number in range(600)])
        async with seen(lists(doors, *others, names), tmp_path) as s:
            feed = s.service.pipeline
            if opened is None:
                (whole,) = closed(await feed.snapshot(Window.of({}, depth=0)))
                opened = Window.of({}, depth=0, opened=[whole.id])
                _, last = closed(await feed.snapshot(opened))
                opened = Window.of({}, depth=0, opened=[whole.id, last.id])
            assert labels(await feed.snapshot(opened)) == [
                f"door {number:04}" for number in range(500, 600)
            ]


async def test_stages_are_told_of_until_a_diagram_is_drawn_again(tmp_path: Path) -> None:
    """Though its shape is another one already, and followers were told; but not for ever."""
    doors = Doors()
    names = Var("names", ["a"])
    async with seen(lists(doors, names), tmp_path) as s:
        feed, hub = s.service.pipeline, s.service.events
        before = await feed.snapshot()
        follower = hub.follow(before.last_event)
        names.set(["a", "b"])
        await told(follower, lambda event: isinstance(event, StructureChanged))
        doors.open("a")
        await told(
            follower, lambda event: isinstance(event, StatesChanged) and "a/door" in event.nodes
        )
        assert feed.shown(WHOLE) is not None
        await feed.snapshot(Window.of({}, depth=1))
        for more in (["c"], ["d"]):
            names.set(more)
            await told(follower, lambda event: isinstance(event, StructureChanged))
            await feed.snapshot(Window.of({}, depth=1))
        assert feed.shown(WHOLE) is None
        await follower.aclose()


async def told(
    follower: AsyncGenerator[Batch | Reset, None], is_meant: Callable[[Event], bool]
) -> None:
    """Follow until there is such an event."""
    async with asyncio.timeout(20):
        async for batch in follower:
            assert isinstance(batch, Batch)
            if any(map(is_meant, batch.events)):
                return


async def test_a_viewer_is_told_of_what_it_sees(tmp_path: Path) -> None:
    """Not of the boxes that others see, and not of another shape of theirs."""
    doors = Doors()
    one, other = Var("one", ["a"]), Var("other", ["b"])
    async with seen(lists(doors, one, other), tmp_path) as s:
        feed, hub = s.service.pipeline, s.service.events
        folded = Window.of({}, depth=0)
        few = await feed.snapshot(folded)
        await feed.snapshot(WHOLE)
        told = asyncio.ensure_future(until_told(hub, few, feed, folded, "c is shut"))
        await asyncio.sleep(0)
        doors.open("a")
        await s.settle()
        other.set(["b", "c"])
        await s.settle()
        doors.shut("c")
        await s.settle()
        events = await told
        assert not any(isinstance(event, StructureChanged) for event in events)
        states = [event.nodes for event in events if isinstance(event, StatesChanged)]
        boxes = {node.label: node.id for node in closed(few)}
        assert {id for nodes in states for id in nodes} == set(boxes.values())
        assert states[-1][boxes["other"]].inside == Inside(2, Stats(running=1, failed=1))


async def until_told(
    hub: EventHub, after: Snapshot, feed: PipelineFeed, window: Window, failure: str
) -> list[Event]:
    """The events for a window, up to that in which a box hides this failure."""
    events: list[Event] = []
    async with asyncio.timeout(20):
        async for batch in hub.follow(after.last_event):
            assert isinstance(batch, Batch)
            events += batch.seen_through(window, feed.shown(window)).events
            for event in events:
                if isinstance(event, StatesChanged):
                    inside = [node.failed_inside for node in event.nodes.values()]
                    if any(one is not None and one.failure == failure for one in inside):
                        return events
    raise AssertionError("the stream has ended")
