"""Pools whose jobs pass through another one, before a resource is asked for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pycurrent.cache import builder
from pycurrent.engine import Config, Job, Level
from pycurrent.explain.reasons import WaitsInQueue
from pycurrent.term import Current, Failed, Ok, Stats, Var, all
from pycurrent.testing import Harness

from .doing import do
from .machines import Machines, name_of


class World:
    """Jobs that need a machine: declared by their operation, or asked for in its function."""

    def __init__(self, folder: Path, *, is_declared: bool) -> None:
        self.machines = Machines()
        self.names = Var("names", ["a", "b", "c"])
        self.let_through = asyncio.Event()
        self.begun: list[str] = []
        machines = self.machines

        @builder("do", level=Level.AVERAGE, pool=machines)
        async def work(job: Job, name: str) -> str:
            return await self._work(job)

        async def started(job: Job) -> str:
            assert await job.start(level=Level.AVERAGE, pool=machines) == "m1"
            return await self._work(job)

        def each(name: str) -> Current[str]:
            return work(name) if is_declared else do(started, name)

        self.harness = Harness(
            lambda: self.names.get().bind(lambda names: all({name: each(name) for name in names})),
            state_dir=folder,
            config=Config(confirm=None),
        )

    async def _work(self, job: Job) -> str:
        self.begun.append(name_of(job))
        await self.let_through.wait()
        return "done"


@pytest.fixture(params=[True, False], ids=["declared", "started"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(tmp_path, is_declared=request.param)


def tasks() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks()}


async def test_they_are_asked_for_in_the_order_of_the_queue(world: World) -> None:
    """One after the other, and all end."""
    async with world.harness as h:
        await h.settle()
        assert (h.stats, world.machines.asked, world.begun) == (Stats(ok=1, ready=3), ["a"], [])
        world.machines.comes.set()
        await h.settle()
        assert (h.stats, world.machines.held, world.begun) == (
            Stats(ok=1, ready=2, running=1),
            ["a"],
            ["a"],
        )
        world.let_through.set()
        await h.settle()
        assert h.output == Ok(None)
        assert (world.begun, world.machines.held) == (["a", "b", "c"], [])
        assert (world.machines.turn.used, world.machines.turn.queue_length) == (0, 0)


async def test_declared_ones_wait_without_a_task(tmp_path: Path) -> None:
    """Only the one for which a resource is asked has one."""
    world = World(tmp_path, is_declared=True)
    async with world.harness as h:
        await h.settle()
        assert [job.description for job in h.jobs.values() if job.id in tasks()] == ["do a"]
        assert h.log("do b").count("Waiting for a resource of pool machines") == 1


async def test_why_says_the_place_in_the_queue(world: World) -> None:
    """As for a pool that counts its resources."""
    async with world.harness as h:
        await h.settle()
        reasons = h.engine.why("do c").reasons
        (reason,) = (one for one in reasons if isinstance(one, WaitsInQueue))
        assert (reason.place, reason.waiting) == (2, 2)


async def test_one_that_is_cancelled_in_the_queue_leaves_it(world: World) -> None:
    """Nothing is asked for it."""
    async with world.harness as h:
        await h.settle()
        h.find("do b").cancel("enough")
        world.machines.comes.set()
        world.let_through.set()
        await h.settle()
        assert h.output == Failed("b failed: Cancelled: enough")
        assert (world.machines.asked, world.machines.turn.used) == (["a", "c"], 0)


async def test_one_that_is_cancelled_while_it_is_asked_for_lets_the_next_one_come(
    world: World,
) -> None:
    """Its turn is given back once."""
    async with world.harness as h:
        await h.settle()
        h.find("do a").cancel("enough")
        await h.settle()
        assert (world.machines.asked, world.machines.turn.used) == (["a", "b"], 1)
        world.machines.comes.set()
        world.let_through.set()
        await h.settle()
        assert (world.begun, world.machines.turn.used) == (["b", "c"], 0)


async def test_a_turn_that_comes_to_one_that_is_cancelled_at_once_goes_on(world: World) -> None:
    """Between its turn and its first question nothing gets lost."""
    async with world.harness as h:
        await h.settle()
        h.find("do a").cancel("enough")
        while world.machines.turn.queue_length == 2:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        h.find("do b").cancel("you too")
        await h.settle()
        assert world.machines.asked == ["a", "c"]
        world.machines.comes.set()
        world.let_through.set()
        await h.settle()
        assert (world.begun, world.machines.turn.used) == (["c"], 0)


async def test_pauses_hold_them_in_the_queue_and_while_they_are_asked_for(world: World) -> None:
    """What has come meanwhile is given back; all are asked for again, in their order."""
    async with world.harness as h:
        await h.settle()
        h.engine.pause(pool="machines")
        world.machines.comes.set()
        await h.settle()
        assert (h.stats, world.machines.turn.used) == (Stats(ok=1, ready=3), 0)
        assert (world.begun, world.machines.held) == ([], [])
        h.engine.resume(pool="machines")
        world.let_through.set()
        await h.settle()
        assert h.output == Ok(None)
        assert world.begun == ["a", "b", "c"]


async def test_one_that_nobody_wants_any_more_leaves_the_queue(world: World) -> None:
    """The others go on."""
    async with world.harness as h:
        await h.settle()
        world.names.set(["a", "c"])
        await h.settle()
        assert world.machines.turn.queue_length == 1
        world.machines.comes.set()
        world.let_through.set()
        await h.settle()
        assert (h.output, world.machines.asked) == (Ok(None), ["a", "c"])


async def test_they_wait_for_people_before_they_queue(world: World) -> None:
    """A job that is not confirmed takes nobody's turn."""
    async with world.harness as h:
        await h.settle()
        h.engine.config.confirm = Level.HARMLESS
        world.names.set(["d", "a", "b", "c"])
        await h.settle()
        assert h.stats == Stats(ok=1, waiting_for_confirmation=1, ready=3)
        h.engine.config.confirm = None
        world.machines.comes.set()
        world.let_through.set()
        await h.settle()
        assert world.begun == ["a", "b", "c", "d"]


async def test_a_pool_that_has_none_fails_the_job_and_the_next_one_is_asked_for(
    world: World,
) -> None:
    """With its reason."""

    class Nothing(asyncio.Event):
        async def wait(self) -> Any:
            raise OSError("no machine is left")

    world.machines.comes = Nothing()
    async with world.harness as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert (world.machines.asked, world.machines.turn.used) == (["a", "b", "c"], 0)
