"""Steps that take long: they let the loop have turns, and nobody sees half of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pycurrent.cache import Builder, ResultCache
from pycurrent.engine import Job, Level, Monitor, OpenEngine, Step
from pycurrent.facade import Engine
from pycurrent.incr import Budget
from pycurrent.term import Current, Ok, Stats, Var, component, constant, pair, seq

MANY = 20


class Echo(Builder[str, str]):
    """Gives its key, once it is let through."""

    id = "echo"

    def __init__(self) -> None:
        self.is_open = asyncio.Event()
        self.begun = asyncio.Event()

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS)
        self.begun.set()
        await self.is_open.wait()
        return key

    def of(self, key: Current[str]) -> Current[str]:
        return component("echo", self.get, key)


def node_by_node(engine: OpenEngine) -> None:
    """Have the loop get a turn after each node."""
    engine.stepping.budget = Budget(0, lambda: 0.0, most=1)


@asynccontextmanager
async def running(pipeline: Callable[[], Current[Any]], folder: Path) -> AsyncIterator[OpenEngine]:
    engine = Engine(pipeline, state_dir=folder)
    engine.on_open(node_by_node)
    async with engine:
        yield engine.opened


async def until_in_step(engine: OpenEngine) -> None:
    """Wait until the step that is due has gone through its first slices."""
    for _ in range(6):
        await asyncio.sleep(0)
    assert engine.is_in_step


def _plus(var: Var[int], n: int) -> Current[int]:
    return var.get().map(lambda x: x + n)


def wide(var: Var[int]) -> Current[list[int]]:
    return seq([_plus(var, n) for n in range(MANY)])


def numbers(start: int) -> Ok[list[int]]:
    return Ok([start + n for n in range(MANY)])


async def test_the_loop_has_turns_in_a_step_and_readers_see_the_last_one(tmp_path: Path) -> None:
    """Output, counts and jobs stay, and listeners are told at the end; then all is new at once."""
    var, shown, echo = Var("v", 0), Var("shown", 0), Echo()
    echo.is_open.set()

    def pipeline() -> Current[Any]:
        stages = shown.get().map(lambda n: [f"stage {i}" for i in range(n)])
        return pair(wide(var), stages.list_map(echo.of))

    async with running(pipeline, tmp_path) as engine:
        assert engine.output == Ok((numbers(0).value, []))
        before = engine.stats
        told: list[Step] = []
        engine.listen(told.append)
        var.set(100)
        shown.set(3)
        await until_in_step(engine)
        seen: list[tuple[Any, Stats, int, int]] = []
        while engine.is_in_step:
            seen.append((engine.output, engine.stats, len(engine.jobs), len(told)))
            assert not engine.idle
            await asyncio.sleep(0)
        assert len(seen) > MANY
        assert seen[0] == (Ok((numbers(0).value, [])), before, 0, 0)
        assert seen == [seen[0]] * len(seen)
        assert [step.number for step in told] == [2]
        await engine.settled()
        assert engine.output == Ok((numbers(100).value, ["stage 0", "stage 1", "stage 2"]))
        assert len(engine.jobs) == 3


async def test_a_variable_that_is_set_in_the_middle_changes_the_next_step(tmp_path: Path) -> None:
    """No function sees both values, though some stages of the variable are made after that."""
    var, shown = Var("v", 0), Var("shown", 1)
    sums: list[tuple[int, int]] = []

    def pipeline() -> Current[Any]:
        late = shown.get().map(lambda n: list(range(n))).list_map(lambda _: var.get())
        return pair(var.get(), late).map(lambda both: sums.append((both[0], sum(both[1]))))

    async with running(pipeline, tmp_path) as engine:
        shown.set(MANY)
        await until_in_step(engine)
        var.set(1)
        assert var.output == Ok(1)
        steps = engine.steps
        await engine.between_steps()
        assert engine.steps == steps + 1
        assert sums == [(0, 0), (0, 0)], "there are more stages, and all have the old value"
        await engine.settled()
        assert sums == [(0, 0), (0, 0), (1, MANY)]


async def test_a_job_that_ends_in_the_middle_brings_its_result_to_the_next_step(
    tmp_path: Path,
) -> None:
    """It is recorded before the pipeline sees it: the step had begun before that."""
    echo, var, later = Echo(), Var("v", 0), Var("later", 0)

    def pipeline() -> Current[Any]:
        # Made after the job has ended, in the same step.
        second = later.get().bind(lambda n: echo.of(constant("x")) if n else constant("y"))
        return pair(wide(var), pair(echo.of(constant("x")), second).catch())

    async with running(pipeline, tmp_path) as engine:
        await echo.begun.wait()
        later.set(1)
        var.set(1)
        await until_in_step(engine)
        echo.is_open.set()
        await engine.between_steps()
        assert not isinstance(engine.output, Ok)
        await engine.settled()
        assert engine.output == Ok((numbers(1).value, Ok(("x", "x"))))


async def test_a_monitor_that_reads_in_the_middle_shows_it_in_the_next_step(tmp_path: Path) -> None:
    """All its stages have the same value in each step."""
    refreshes: list[Callable[[], None]] = []
    value = 0

    @asynccontextmanager
    async def watch(refresh: Callable[[], None]) -> AsyncIterator[None]:
        refreshes.append(refresh)
        yield

    monitor = Monitor(read=lambda: value, watch=watch)
    var, seen = Var("v", 0), list[set[int]]()

    def pipeline() -> Current[Any]:
        stages = [var.get().map(lambda x: x), *[component("m", monitor.get) for _ in range(MANY)]]
        return seq(stages).map(lambda values: seen.append(set(values[1:])))

    async with running(pipeline, tmp_path) as engine:
        await engine.settled()
        var.set(1)
        await until_in_step(engine)
        value = 1
        refreshes[0]()
        await engine.settled()
        assert seen == [{0}, {0}, {1}]


async def test_the_diagram_is_of_a_whole_step(tmp_path: Path) -> None:
    """Asked for in the middle of one, it ends the step first: listeners are told, and once."""
    var = Var("v", 0)
    told: list[Step] = []
    async with running(
        lambda: var.get().map(lambda n: list(range(n))).list_map(lambda n: n.map(str)), tmp_path
    ) as engine:
        engine.listen(told.append)
        var.set(MANY)
        await until_in_step(engine)
        engine.graph()
        assert not engine.is_in_step
        assert engine.output == Ok([str(n) for n in range(MANY)])
        await engine.settled()
        assert [step.number for step in told] == [2]


async def test_no_step_begins_or_goes_on_while_steps_are_held(tmp_path: Path) -> None:
    """The block waits for the end of the step that has begun."""
    var = Var("v", 0)
    async with running(lambda: wide(var), tmp_path) as engine:
        var.set(1)
        await until_in_step(engine)
        async with engine.steps_held():
            assert engine.output == numbers(1)
            var.set(2)
            for _ in range(10):
                await asyncio.sleep(0)
            assert engine.output == numbers(1)
            assert not engine.is_in_step
        await engine.settled()
        assert engine.output == numbers(2)


async def test_an_engine_that_is_closed_in_the_middle_of_a_step_drops_all(tmp_path: Path) -> None:
    """What it shows stays as it was after the last whole step."""
    keys = Var("keys", list[int]())
    async with running(lambda: keys.get().list_map(lambda n: n.map(str)), tmp_path) as engine:
        before = engine.stats
        keys.set(list(range(MANY)))
        await until_in_step(engine)
    assert engine.live.nodes == {}
    assert not engine.is_in_step
    assert (engine.output, engine.stats, engine.steps) == (Ok([]), before, 1)
    await engine.between_steps()


async def test_a_bug_in_the_middle_of_a_step_stops_the_engine(tmp_path: Path) -> None:
    """Those who wait for the end of the step are told, and the engine can be closed."""
    var = Var("v", 0)
    async with running(lambda: wide(var), tmp_path) as engine:
        var.set(1)
        await until_in_step(engine)
        engine.crash(RuntimeError("a bug"))
        await engine.between_steps()
        assert engine.output == numbers(0)
        with pytest.raises(RuntimeError, match="a bug"):
            await engine.failed()
    assert engine.live.nodes == {}


async def test_entering_waits_for_the_whole_first_step(tmp_path: Path) -> None:
    """However many slices it takes, and other tasks go on meanwhile."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count())
    async with running(lambda: wide(Var("v", 0)), tmp_path) as engine:
        assert engine.output == numbers(0)
        assert turns > MANY
    counting.cancel()


async def test_a_step_that_has_started_much_pauses_before_it_records_that(tmp_path: Path) -> None:
    """However quick its terms were: nothing that was started has begun then."""
    echo, wanted, now = Echo(), Var("wanted", False), 0.0
    started = asyncio.Event()

    def pipeline() -> Current[Any]:
        return wanted.get().bind(lambda yes: echo.of(constant("a" if yes else "b")))

    def clocked(engine: OpenEngine) -> None:
        engine.stepping.budget = Budget(1, lambda: now)

    def take_long(job: object) -> None:
        nonlocal now
        now += 2
        started.set()

    engine = Engine(pipeline, state_dir=tmp_path)
    engine.on_open(clocked)
    async with engine:
        await echo.begun.wait()
        echo.begun.clear()
        opened = engine.opened
        runs = opened.service(ResultCache).runs
        runs.on_job(take_long)
        wanted.set(True)
        await started.wait()
        *_, job = runs.jobs()
        assert opened.is_in_step
        assert not opened.store.is_recorded(job.id)
        assert not echo.begun.is_set()
        await echo.begun.wait()
        assert opened.store.is_recorded(job.id)


async def test_a_listener_is_told_in_parts_and_others_have_turns_between(tmp_path: Path) -> None:
    """What it sees is of the step, and no other step begins before it has seen all."""
    var = Var("v", 0)
    parts: list[Any] = []

    async with running(var.get, tmp_path) as engine:

        def listener(step: Step) -> Iterator[None]:
            for part in range(MANY):
                parts.append((step.number, part, engine.output))
                yield

        forget = engine.listen_in_parts(listener)
        var.set(1)
        await until_in_step(engine)
        turns = 0
        while engine.is_in_step:
            turns += 1
            assert not engine.idle
            if len(parts) == 2:
                var.set(2)
            await asyncio.sleep(0)
        assert turns >= MANY - 2
        assert parts == [(2, part, Ok(1)) for part in range(MANY)]
        await engine.settled()
        assert parts[MANY:] == [(3, part, Ok(2)) for part in range(MANY)]
        forget()
        forget()
        var.set(3)
        await engine.settled()
        assert len(parts) == 2 * MANY


async def test_an_engine_that_is_closed_while_it_tells_of_a_step_tells_the_rest(
    tmp_path: Path,
) -> None:
    """All else of the step is done, and what follows it shows how things ended."""
    var = Var("v", 0)
    told: list[Any] = []

    def listener(step: Step) -> Iterator[None]:
        for part in range(MANY):
            told.append((step.output, part))
            yield

    async with running(var.get, tmp_path) as engine:
        engine.listen_in_parts(listener)
        var.set(1)
        await until_in_step(engine)
        assert 0 < len(told) < MANY
    assert told == [(Ok(1), part) for part in range(MANY)]


async def test_a_listener_that_fails_in_a_part_is_logged_and_the_others_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the parts to come it is asked no more, in the next step it is."""
    var = Var("v", 0)
    told: list[str] = []

    def listener(step: Step) -> Iterator[None]:
        told.append("begun")
        yield
        raise ValueError("no more")

    async with running(var.get, tmp_path) as engine:
        engine.listen_in_parts(listener)
        engine.listen(lambda step: told.append("told"))
        for value in (1, 2):
            var.set(value)
            await engine.settled()
        assert engine.output == Ok(2)
    assert told == ["begun", "told"] * 2
    assert caplog.text.count("a listener of the engine failed") == 2
