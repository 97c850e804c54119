"""Deliveries over restarts and kills: none that was answered is lost, and nothing is done twice."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import pytest

import pycurrent as current
from pycurrent import Current
from pycurrent.engine.commits import RETRY
from pycurrent.engine.deliveries import Deliveries
from pycurrent.plugins.forge import Ref, Repository
from pycurrent.plugins.forge.values import Permission
from pycurrent.testing import Harness

from .conftest import World
from .model import FakeChange, Reply, hang_up, out_of_order, sha
from .test_deliveries import deliver
from .test_forge import known

FullDisk = Callable[[], AbstractContextManager[None]]


@current.builder("test", level=current.Level.AVERAGE)
async def test(job: current.Job, hash: str) -> str:
    raise current.Failure("it is broken")


test.__test__ = False  # type: ignore[attr-defined]


def broken(world: World) -> Current[object]:
    """The tests of each change fail."""

    def each(repository: Current[Repository]) -> Current[object]:
        return world.author.each_ref(repository, lambda ref: test(ref.map(_hash_of)), branches=None)

    return world.author.each_repository(each)


def _hash_of(ref: Ref) -> str:
    return ref.hash


def engine(world: World, folder: Path) -> Harness:
    return Harness(lambda: broken(world), state_dir=folder)


def opened(world: World, h: Harness) -> Deliveries:
    """The deliveries of an engine whose site was opened."""
    begin = world.author.webhook().on_open
    assert begin is not None
    begin(h.engine)
    return h.engine.service(Deliveries)


def a_change(world: World) -> FakeChange:
    world.forge.add("octo/web").members["ann"] = Permission.WRITE
    world.forge.person("ann")
    return world.forge.open("octo/web", sha(2))


def comment(world: World, text: str) -> tuple[dict[str, str], bytes]:
    return world.forge.deliver("comment", "octo/web", number=1, author="ann", text=text)


async def test_a_command_that_a_killed_engine_has_left_is_obeyed(
    world: World, tmp_path: Path
) -> None:
    """By the next one, once it has built the stages of the change."""
    change = a_change(world)
    async with engine(world, tmp_path / "whole") as h:
        await known(h)
        opened(world, h)
        answer = await deliver(h, world.author, *comment(world, "/rebuild\n/why"))
        assert answer.status == 202
        shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    assert change.comments == []
    async with engine(world, tmp_path / "killed") as h:
        deliveries = opened(world, h)
        await h.until(lambda: deliveries.unfinished == 0 and change.comments, timeout=20)
        assert "1 is built again" in change.comments[-1].body
        assert "> `/why`" in change.comments[-1].body
        assert [one.what for one in h.engine.audit(who="ann")] == ["rebuild"]
    async with engine(world, tmp_path / "killed") as h:
        assert opened(world, h).unfinished == 0
    assert len(change.comments) == 1


async def test_work_that_an_earlier_version_has_noted_is_done(world: World, tmp_path: Path) -> None:
    """It has noted commands only, and no kind of work."""
    change = a_change(world)
    async with engine(world, tmp_path / "whole") as h:
        await known(h)
        opened(world, h)
        await deliver(h, world.author, *comment(world, "/rebuild"))
        shutil.copytree(tmp_path / "whole", tmp_path / "earlier")
    path = tmp_path / "earlier" / "db" / "pycurrent.db"
    with closing(sqlite3.connect(path)) as database, database:
        renamed = """UPDATE delivery SET work = replace(work, '"kind":"commands",', '')"""
        assert database.execute(f"{renamed} WHERE work LIKE '%kind%'").rowcount == 1
    async with engine(world, tmp_path / "earlier") as h:
        deliveries = opened(world, h)
        await h.until(lambda: deliveries.unfinished == 0 and change.comments, timeout=20)
        assert "1 is built again" in change.comments[-1].body


async def test_a_command_that_was_obeyed_and_not_answered_is_only_answered(
    world: World, tmp_path: Path
) -> None:
    """By the next engine, if one is killed in between; also if the change has failed again."""
    change = a_change(world)
    async with engine(world, tmp_path / "whole") as h:
        await known(h)
        opened(world, h)
        world.forge.mischief = lambda _: hang_up if h.engine.audit(what="rebuild") else None
        await deliver(h, world.author, *comment(world, "/rebuild"))
        await h.until(lambda: h.clock.next_timer and len(h.engine.history(op="test")) == 2)
        shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    assert change.comments == []
    world.forge.mischief = lambda is_done: None
    async with engine(world, tmp_path / "killed") as h:
        deliveries = opened(world, h)
        await h.until(lambda: deliveries.unfinished == 0, timeout=20)
        assert ["1 is built again" in one.body for one in change.comments] == [True]
        assert len(h.engine.audit(what="rebuild")) == 1


async def test_on_a_full_disk_deliveries_are_to_be_sent_again(
    world: World, tmp_path: Path, full_disk: FullDisk
) -> None:
    """The repository is read all the same; the command is obeyed once."""
    change = a_change(world)
    async with engine(world, tmp_path) as h:
        await known(h)
        delivery = comment(world, "/why")
        with full_disk():
            answer = await deliver(h, world.author, *delivery)
            assert (answer.status, answer.headers) == (503, {"Retry-After": "60"})
        h.clock.move(RETRY)
        await h.until(lambda: h.engine.recorded, timeout=20)
        assert (await deliver(h, world.author, *delivery)).status in (200, 202)
        await h.until(lambda: change.comments, timeout=20)
        await h.until(lambda: h.engine.service(Deliveries).unfinished == 0, timeout=20)
    assert len(change.comments) == 1


async def on(h: Harness, by: timedelta, deliveries: Deliveries) -> None:
    """Move the clock on, with time for requests: until no work is left, or for a moment."""
    end = perf_counter() + 0.05
    await h.until(lambda: not deliveries.unfinished or perf_counter() > end, timeout=20)
    h.clock.move(by)


def trouble(chance: random.Random) -> Callable[[bool], Reply | None]:
    """A request may be refused, or be done without an answer."""

    def meet(is_done: bool) -> Reply | None:
        if chance.random() > 0.15:
            return None
        return hang_up if is_done else chance.choice([out_of_order, hang_up])

    return meet


@pytest.mark.parametrize("seed", range(4))
async def test_each_command_is_obeyed_exactly_once(world: World, tmp_path: Path, seed: int) -> None:
    """Deliveries are repeated and reordered; requests are refused and cut off; engines are killed
    at any moment, and those that were not answered are delivered again.
    """
    chance = random.Random(seed)
    change = a_change(world)
    late: list[tuple[dict[str, str], bytes]] = []
    state = tmp_path / "0"
    for number in range(1, 6):
        world.forge.mischief = trouble(chance)
        async with engine(world, state) as h:
            deliveries = opened(world, h)
            for _ in range(3):
                late.append(comment(world, chance.choice(["/rebuild", "/why", "/rebuild\n/why"])))
                chance.shuffle(late)
                for delivery in [*late]:
                    assert (await deliver(h, world.author, *delivery)).status < 300
                late = late[:2]
                await on(h, timedelta(seconds=chance.randrange(60)), deliveries)
            killed = tmp_path / str(number)
            # It can do nothing more from here on.
            world.forge.mischief = lambda is_done: None if is_done else hang_up
            shutil.copytree(state, killed, ignore=shutil.ignore_patterns("tmp", "*-shm"))
        state = killed
    world.forge.mischief = lambda is_done: None
    async with engine(world, state) as h:
        deliveries = opened(world, h)
        for delivery in late:
            await deliver(h, world.author, *delivery)
        while deliveries.unfinished:
            await on(h, timedelta(minutes=1), deliveries)
        answers = [one.body for one in change.comments if one.author == world.forge.us]
        marks = [body.splitlines()[-1] for body in answers]
        assert sorted(marks) == sorted(set(marks))
        assert len(marks) == 15
        told = sum("1 is built again" in body for body in answers)
        assert told == len(h.engine.audit(what="rebuild"))
