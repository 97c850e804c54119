"""The diagram of a running pipeline, and what is told of its changes."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pycurrent as current
from pycurrent import Current, Failed, Level, Ok, Pool, Var, component
from pycurrent.engine import Effect, Problem
from pycurrent.incr import Budget
from pycurrent.service import (
    Batch,
    EventHub,
    JobsChanged,
    OverviewChanged,
    PipelineFeed,
    Reset,
    StatesChanged,
    Window,
)
from pycurrent.service.jobs_feed import KEPT
from pycurrent.term import State, Stats
from pycurrent.term.primitive import Fixed
from pycurrent.view import Headline

from .live import Browser, Doors, seen


async def test_a_page_that_follows_shows_what_there_is(tmp_path: Path) -> None:
    """Without loading it again: what runs, what has ended and how."""
    doors = Doors()
    async with seen(lambda: current.all([doors.stage("a"), doors.stage("b")]), tmp_path) as s:
        page = await Browser.open(s.service)
        assert page.shown == {"door a": "RUNNING", "door b": "RUNNING"}
        doors.open("a")
        doors.shut("b")
        await page.follow_until(lambda page: page.shown["door b"] == "FAILED")
        await page.follow_until(lambda page: page.shown["door a"] == "OK")
        assert ("FAILED", "b is shut") in page.states.values()


async def test_boxes_that_are_no_stages_change_too(tmp_path: Path) -> None:
    """A gate opens: no step says so, a redraw finds it."""
    doors = Doors()
    async with seen(lambda: doors.stage("a").state().gate(on=doors.stage("b")), tmp_path) as s:
        page = await Browser.open(s.service)
        assert page.shown[""] == "BLOCKED"
        doors.open("b")
        await page.follow_until(lambda page: page.shown[""] == "OK")


async def test_new_items_make_a_new_structure(tmp_path: Path) -> None:
    """The page reads it anew; boxes that stay keep their ids, whatever comes before them."""
    doors = Doors()
    keys = Var("keys", ["b"])
    async with seen(lambda: keys.get().list_map(doors.stage), tmp_path) as s:
        page = await Browser.open(s.service)
        (b,) = [id for id, label in page.labels.items() if label == "door b"]
        keys.set(["a", "b"])
        await page.follow_until(lambda page: "door a" in page.shown)
        assert page.labels[b] == "door b"
        keys.set(["a"])
        await page.follow_until(lambda page: "door b" not in page.shown)


async def test_labels_that_become_known_are_shown(tmp_path: Path) -> None:
    """The name of a component may be made from what it is given."""
    doors = Doors()
    async with seen(lambda: doors.stage(doors.stage("a").map(str.upper)), tmp_path) as s:
        page = await Browser.open(s.service)
        assert page.shown == {"door a": "RUNNING", "door …": "BLOCKED"}
        doors.open("a")
        await page.follow_until(lambda page: page.shown.get("door THROUGH") == "RUNNING")


async def test_who_has_read_the_page_misses_nothing(tmp_path: Path) -> None:
    """What happens between reading it and following is told, though nobody followed then."""
    doors = Doors()
    async with seen(lambda: doors.stage("a"), tmp_path) as s:
        page = await Browser.open(s.service)
        doors.open("a")
        await s.settle()
        await page.follow_until(lambda page: page.shown["door a"] == "OK")


async def test_a_picture_is_up_to_date_though_nobody_follows(tmp_path: Path) -> None:
    """Also what has changed since the last one was drawn, and nobody was told of."""
    doors = Doors()
    gated = lambda: doors.stage("a").gate(on=doors.stage("b"))  # noqa: E731
    async with seen(gated, tmp_path) as s:
        assert (await Browser.open(s.service)).shown[""] == "BLOCKED"
        doors.open("a")
        doors.open("b")
        await s.settle()
        assert set((await Browser.open(s.service)).shown.values()) == {"OK"}


async def test_drawings_are_shared(tmp_path: Path) -> None:
    """While nothing changes all viewers get the same one."""
    doors = Doors()
    async with seen(lambda: doors.stage("a"), tmp_path) as s:
        first = await s.service.pipeline.snapshot()
        assert await s.service.pipeline.snapshot() is first
        doors.open("a")
        await s.settle()
        assert await s.service.pipeline.snapshot() is not first


async def test_all_who_ask_while_it_is_drawn_get_one_drawing(tmp_path: Path) -> None:
    """It is of one step: those that are due are taken after it."""
    doors = Doors()
    keys = Var("keys", ["a"])
    async with seen(lambda: keys.get().list_map(doors.stage), tmp_path) as s:
        engine = s.service.engine
        feed = PipelineFeed(engine, EventHub("test"), seconds=0)
        asked = [asyncio.ensure_future(feed.snapshot()) for _ in range(3)]
        await asyncio.sleep(0)
        async with engine.steps_held():
            steps = engine.steps
            keys.set(["a", "b"])
            first, *others = await asyncio.gather(*asked)
            assert engine.steps == steps
        assert all(other is first for other in others)
        assert "door b" not in {node.label for node in first.graph.nodes}
        await s.settle()
        after = await feed.snapshot()
        assert "door b" in {node.label for node in after.graph.nodes}
        assert after.version > first.version
        feed.close()


async def test_a_diagram_is_not_drawn_again_for_a_change_of_state(tmp_path: Path) -> None:
    """Its structure stays, whatever its stages do, and its unchanged boxes are the same ones."""
    doors = Doors()
    stages = [doors.stage("a"), doors.stage("b")]
    async with seen(lambda: current.all(stages), tmp_path) as s:
        before = await s.service.pipeline.snapshot()
        doors.open("a")
        await s.settle()
        after = await s.service.pipeline.snapshot()
        assert after.version == before.version
        assert after.graph.edges is before.graph.edges
        same = [new is old for new, old in zip(after.graph.nodes, before.graph.nodes, strict=True)]
        assert sorted(same) == [False, True]


async def test_folds_are_opened_by_who_looks(tmp_path: Path) -> None:
    """The boxes have the same ids in both snapshots, so both are told of changes."""
    doors = Doors()

    def pipeline() -> Current[str]:
        start = current.constant("a")
        return doors.stage(start).collapse(key="part", value="one", input=start)

    async with seen(pipeline, tmp_path) as s:
        page = await Browser.open(s.service)
        assert "door a" not in page.shown
        opened = (await s.service.pipeline.snapshot(Window.of({"part": ["one"]}))).graph
        (inside,) = [node for node in opened.nodes if node.label == "door a"]
        doors.open("a")
        async with asyncio.timeout(10):
            async for batch in s.service.events.follow(page.last):
                assert isinstance(batch, Batch)
                told = [event for event in batch.events if isinstance(event, StatesChanged)]
                if any(inside.id in event.nodes for event in told):
                    break
        await page.follow_until(lambda page: page.shown.get("+") == "OK")
        opened = (await s.service.pipeline.snapshot(Window.of({"part": ["one"]}))).graph
        assert {node.state for node in opened.nodes if node.id == inside.id} == {State.OK}


async def test_jobs_are_told_until_they_end(tmp_path: Path) -> None:
    """Those that nobody needs any more included."""
    doors = Doors()
    keys = Var("keys", ["a", "b"])
    async with seen(lambda: keys.get().list_map(doors.stage), tmp_path) as s:
        page = await Browser.open(s.service)
        a, b = s.job("door a"), s.job("door b")
        await page.follow_until(lambda page: page.jobs == {a: "running", b: "running"})
        keys.set(["b"])
        await s.settle()
        assert [job.id for job in s.service.jobs.active()] == [a, b]
        doors.open("a")
        await page.follow_until(lambda page: page.jobs[a] == "ended")


async def test_a_job_in_a_queue_is_told_when_its_own_state_changes(tmp_path: Path) -> None:
    """Those behind the one that leaves have other places, and are not told again."""
    doors = Doors(pool=Pool("machines", 1))
    stages = [doors.stage(key) for key in "abcd"]
    async with seen(lambda: current.all(stages), tmp_path) as s:
        page = await Browser.open(s.service)
        a, b = s.job("door a"), s.job("door b")
        await page.follow_until(lambda page: len(page.jobs) == 4)
        page.jobs.clear()
        doors.open("a")
        await page.follow_until(lambda page: page.jobs == {a: "ended", b: "running"})


async def test_a_job_that_is_told_to_end_is_told(tmp_path: Path) -> None:
    """Before it has ended, which may take a while."""
    go = asyncio.Event()

    @current.builder("slow", level=Level.HARMLESS)
    async def slow(job: current.Job, key: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await go.wait()

    async with seen(lambda: slow("a"), tmp_path) as s:
        follower = s.service.events.follow(s.service.events.last)
        job = s.job("slow a")
        s.service.jobs.cancel(job, by="ann")
        async with asyncio.timeout(10):
            async for batch in follower:
                assert isinstance(batch, Batch)
                told = [event.jobs for event in batch.events if isinstance(event, JobsChanged)]
                if any((view := jobs.get(job)) and view.cancelled == "by ann" for jobs in told):
                    break
        await follower.aclose()
        go.set()


async def test_many_changes_that_nobody_follows_are_forgotten(tmp_path: Path) -> None:
    """Who has read before reads again; who reads now misses nothing, and nothing piles up."""
    doors = Doors(pool=Pool("machines", 1))
    wanted = Var[tuple[str, ...]]("wanted", ())
    async with seen(lambda: wanted.get().list_map(doors.stage), tmp_path) as s:
        before = s.service.events.last
        wanted.set(tuple(str(number) for number in range(KEPT + 1)))
        await s.settle()
        follower = s.service.events.follow(before)
        assert isinstance(await anext(follower), Reset)
        await follower.aclose()
        page = await Browser.open(s.service)
        doors.open("0")
        await s.settle()
        await page.follow_until(lambda page: page.jobs.get(s.job("door 0")) == "ended")


async def test_many_changes_of_one_step_are_put_in_by_parts_and_told_together(
    tmp_path: Path,
) -> None:
    """Others have their turns meanwhile; the diagram has all of the step, or nothing."""
    number = Var("number", 1)

    def at(value: int) -> Fixed[int]:
        return Fixed(Failed("too much") if value > 2 else Ok(value))

    def pipeline() -> Current[object]:
        return current.all([component(f"s {n}", at, number.get()).catch() for n in range(20)])

    async with seen(pipeline, tmp_path) as s:
        engine, hub = s.service.engine, EventHub("test")
        feed = PipelineFeed(engine, hub, much=3)
        before = await feed.snapshot()
        engine.stepping.budget = Budget(0, lambda: 0.0, most=1)
        number.set(2)
        await s.settle()
        taken = engine.steps
        turns = 0
        number.set(3)
        reading = asyncio.create_task(feed.snapshot())
        while not reading.done():
            turns += engine.steps > taken
            await asyncio.sleep(0)
        states = {
            node.state for node in reading.result().graph.nodes if node.label.startswith("s ")
        }
        assert states == {State.FAILED}
        assert turns > 20 // 3
        assert hub.last != before.last_event
        feed.close()


async def test_the_whole_is_told_when_it_has_changed(tmp_path: Path) -> None:
    """Result, counts and the number of jobs, for what each page shows."""
    doors = Doors()
    async with seen(lambda: current.all([doors.stage("a"), doors.stage("b")]), tmp_path) as s:
        page = await Browser.open(s.service)
        doors.open("a")
        await page.follow_until(lambda page: page.whole is not None and page.whole.counts.ok == 1)
        doors.shut("b")
        await page.follow_until(lambda page: page.whole is not None and page.whole.jobs == 0)
        told = Headline("door b", "b is shut", 0)
        whole = OverviewChanged(State.FAILED, "b is shut", Stats(ok=1, failed=1), 0, (), told)
        assert page.whole == whole


async def test_problems_of_the_engine_are_told_when_no_step_is_taken(tmp_path: Path) -> None:
    """They come and go by themselves."""
    doors = Doors()
    problem = Problem("short", "long", Effect.HELD)
    async with seen(lambda: doors.stage("a"), tmp_path) as s:
        page = await Browser.open(s.service)
        s.harness.engine.problems.report("test", problem)
        await page.follow_until(lambda page: page.whole is not None and bool(page.whole.problems))
        assert page.whole is not None
        assert page.whole.problems == (problem,)
        s.harness.engine.problems.clear("test")
        await page.follow_until(lambda page: page.whole is not None and not page.whole.problems)


async def test_what_is_asked_for_during_a_step_is_told_once_that_ends(tmp_path: Path) -> None:
    """Nothing was told meanwhile, so there is no pause to keep."""
    value = Var("value", 0)
    async with seen(lambda: current.all([value.get() for _ in range(20)]), tmp_path) as s:
        engine = s.service.engine
        hub = EventHub("of another site")
        followed = hub.follow()
        first = asyncio.ensure_future(anext(followed))
        await asyncio.sleep(0)
        feed = PipelineFeed(engine, hub)
        # The loop gets a turn after each node.
        engine.stepping.budget = Budget(0, lambda: 0.0, most=1)
        value.set(1)
        await until(lambda: engine.is_in_step)
        engine.problems.report("test", Problem("short", "long", Effect.HELD))
        await until(lambda: not engine.is_in_step)
        assert not first.done()
        for _ in range(5):
            await asyncio.sleep(0)
        assert first.done()
        await followed.aclose()
        feed.close()


async def until(condition: Callable[[], bool]) -> None:
    """Give the loop turns until this holds, and none more."""
    while not condition():  # noqa: ASYNC110 - a turn at a time
        await asyncio.sleep(0)
