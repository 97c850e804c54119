"""What has not begun is replaced as soon as it is not wanted any more, and leaves its place."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pycurrent.cache import Builder, Publisher
from pycurrent.engine import Config, Job, Level, Limits, Pool
from pycurrent.term import Active, Activity, Current, Ok, Var, all, component, constant
from pycurrent.testing import Harness

from .workshop import Make, OpenEngine, Put, PutAuto, PutLatched, Workshop, make, put

WAITING = Active(Activity.WAITING_FOR_CONFIRMATION)


def careful(pipeline: Any, folder: Path) -> Harness:
    """Each run has to be confirmed."""
    return Harness(pipeline, state_dir=folder, config=Config(confirm=Level.AVERAGE))


@pytest.mark.parametrize("kind", [Put, PutAuto, PutLatched])
async def test_a_value_that_waits_for_confirmation_is_replaced_by_a_newer_one(
    tmp_path: Path, shop: Workshop, kind: type[Put | PutLatched]
) -> None:
    """One approval sets one value: the one that is wanted then; that of the old counts no more."""
    value = Var("value", "c4")
    async with careful(lambda: put(kind(shop), value.get()), tmp_path) as h:
        await h.settle()
        old = h.find(f"{kind.id} k c4")
        value.set("c5")
        await h.settle()
        assert h.output == WAITING
        old.approve()
        await h.settle()
        assert (h.output, shop.begun) == (WAITING, [])
        h.find(f"{kind.id} k c5").approve()
        await h.settle()
        assert shop.work.value == "c5"
        shop.work.succeed()
        await h.settle()
        assert h.output == Ok("done")
        assert [(b.value, b.ok) for b in h.history()] == [('"c5"', True)]


async def test_an_approval_that_crosses_with_the_change_does_not_count(
    tmp_path: Path, shop: Workshop
) -> None:
    """Both come before the next step."""
    value = Var("value", "c4")
    async with careful(lambda: put(Put(shop), value.get()), tmp_path) as h:
        await h.settle()
        value.set("c5")
        h.find("put k c4").approve()
        await h.settle()
        assert [work.value for work in shop.begun] in ([], ["c4"])
        if shop.begun:
            # It had begun before the step.
            shop.work.succeed()
            await h.settle()
        assert h.output == WAITING


async def test_work_that_waits_and_is_not_needed_any_more_is_cancelled(
    tmp_path: Path, shop: Workshop
) -> None:
    """Also without `auto_cancel`, which protects work that has begun."""
    wanted = Var("wanted", True)

    def pipeline() -> Current[str]:
        return wanted.get().bind(lambda yes: make(Make(shop)) if yes else constant("no"))

    async with careful(pipeline, tmp_path) as h:
        await h.settle()
        job = h.find("make a")
        wanted.set(False)
        await h.settle()
        assert (h.jobs, h.history()) == ({}, [])
        job.approve()
        await h.settle()
        assert shop.begun == []


async def test_what_never_began_has_changed_nothing(tmp_path: Path, shop: Workshop) -> None:
    """The value that was set before is known still, after a restart too: it isn't set again."""
    value = Var("value", "c4")

    def pipeline() -> Current[str]:
        return put(Put(shop), value.get())

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        shop.work.succeed("c4 is set")
        await h.settle()
        h.engine.config.confirm = Level.AVERAGE
        value.set("c5")
        await h.settle()
        assert h.output == WAITING
        value.set("c4")
        await h.settle()
        assert h.output == Ok("c4 is set")
    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Ok("c4 is set")
        assert len(shop.begun) == 1


async def test_a_run_that_was_killed_leaves_the_value_unknown(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Also of a latched operation: its last outcome is reported while it is set again."""
    value = Var("value", "1")

    def pipeline() -> Current[str]:
        return put(PutLatched(shop), value.get())

    async with engine(pipeline) as h:
        await h.settle()
        shop.work.succeed("one")
        await h.settle()
        value.set("2")
        await h.settle()
        assert shop.work.value == "2"
    value.set("1")
    async with engine(pipeline) as h:
        await h.settle()
        assert (h.output, shop.work.value) == (Ok("one"), "1")
        shop.work.succeed("one again")
        await h.settle()
        assert h.output == Ok("one again")


async def test_the_context_is_that_of_the_latest_user(engine: OpenEngine, shop: Workshop) -> None:
    """Who wanted it last; when that one has gone, of the one before."""
    others = Var("others", True)

    def pipeline() -> Current[Any]:
        first = component("first", Make(shop, "first").get, constant("a"))
        later = component("later", Make(shop, "later").get, constant("a"))
        return all([first, others.get().bind(lambda yes: later if yes else constant(""))])

    async with engine(pipeline) as h:
        await h.settle()
        assert shop.work.context == "later"
        shop.work.succeed()
        await h.settle()
        others.set(False)
        await h.settle()
        h.find("make a").rebuild()
        await h.settle()
        assert shop.work.context == "first"


# Places in queues


class Pooled(Publisher[str, int, None]):
    """Sets keys, one at a time, and each only when it is let through."""

    id = "pooled"
    auto_cancel = True

    def __init__(self) -> None:
        self.pool = Pool("p", 1)
        self.begun: list[str] = []
        self.go = asyncio.Event()

    async def publish(self, job: Job, key: str, value: int) -> None:
        await job.start(level=Level.HARMLESS, pool=self.pool)
        self.begun.append(key)
        await self.go.wait()
        self.go.clear()


async def test_a_value_that_changes_keeps_its_place_in_the_queue(engine: OpenEngine) -> None:
    """All keys are served in turn, however fast their values change."""
    op = Pooled()
    values = {f"k{n}": Var(f"k{n}", 0) for n in range(6)}

    def pipeline() -> Current[Any]:
        def one(key: str) -> Current[None]:
            return component(key, lambda value: op.set(key, value), values[key].get())

        return all([one(key) for key in values])

    async with engine(pipeline) as h:
        await h.settle()
        for turn in range(1, 7):
            for key in set(values) - set(op.begun):
                values[key].set(turn)
            await h.settle()
            waiting = [job.description for job in op.pool.waiting]
            assert waiting == [f"pooled k{n} {turn}" for n in range(turn, 6)]
            op.go.set()
            await h.settle()
        assert op.begun == list(values)
        assert op.pool.used == 0


async def test_a_place_that_was_given_up_is_not_kept(engine: OpenEngine) -> None:
    """If the value that is set already is wanted again, the next new value is the last in turn."""
    op = Pooled()
    value, other = Var("value", 0), Var("other", False)

    def pipeline() -> Current[Any]:
        a = component("a", lambda wanted: op.set("a", wanted), value.get())
        b = component("b", lambda: op.set("b", 0))
        return all([a, other.get().bind(lambda yes: b if yes else constant(None))])

    async with engine(pipeline) as h:
        await h.settle()
        op.go.set()
        await h.settle()
        op.pool.used = 1
        value.set(1)
        await h.settle()
        other.set(True)
        await h.settle()
        assert [job.description for job in op.pool.waiting] == ["pooled a 1", "pooled b 0"]
        value.set(0)
        await h.settle()
        value.set(2)
        await h.settle()
        assert [job.description for job in op.pool.waiting] == ["pooled b 0", "pooled a 2"]


class Fetch(Builder[str, None]):
    """Waits for a pool."""

    id = "fetch"

    def __init__(self, pool: Pool, begun: list[str]) -> None:
        self.pool = pool
        self.begun = begun

    async def build(self, job: Job, key: str) -> None:
        await job.start(level=Level.HARMLESS, pool=self.pool)
        self.begun.append(key)


async def test_what_a_stage_wants_instead_takes_its_place(engine: OpenEngine) -> None:
    """Another key of a builder, which is another instance."""
    pool = Pool("p", 1)
    pool.used = 1
    begun: list[str] = []
    op = Fetch(pool, begun)
    first, second = Var("first", "a1"), Var("second", "b1")

    def pipeline() -> Current[Any]:
        return all([component("x", op.get, first.get()), component("x", op.get, second.get())])

    async with engine(pipeline) as h:
        await h.settle()
        first.set("a2")
        await h.settle()
        assert [job.description for job in pool.waiting] == ["fetch a2", "fetch b1"]
        first.set("b1")
        await h.settle()
        assert [job.description for job in pool.waiting] == ["fetch b1"]
        first.set("a3")
        await h.settle()
        assert [job.description for job in pool.waiting] == ["fetch b1", "fetch a3"]
        pool.give_back()
        await h.settle()
        assert begun == ["b1", "a3"]
        assert pool.used == 0


class Ranked(Builder[str, None]):
    """Has a priority if its key says so."""

    id = "ranked"

    def __init__(self, pool: Pool, begun: list[str]) -> None:
        self.pool = pool
        self.begun = begun

    def started_with(self, key: str) -> Limits:
        return Limits(Level.HARMLESS, self.pool, priority=key.count("!"))

    async def build(self, job: Job, key: str) -> None:
        self.begun.append(key)


async def test_a_place_is_passed_on_to_a_job_of_another_priority(engine: OpenEngine) -> None:
    """Among the jobs of its own priority it stands where the old one would."""
    pool = Pool("p", 1)
    pool.used = 1
    op = Ranked(pool, [])
    keys = {key: Var(key, key) for key in "abcd"}

    def pipeline() -> Current[Any]:
        return all([component("x", op.get, key.get()) for key in keys.values()])

    async with engine(pipeline) as h:
        for change, order in (
            ("d!", "a b c d"),
            ("b!", "d! a b c"),
            ("b+", "b! d! a c"),
            ("d!!", "d! a b+ c"),
            ("", "d!! a b+ c"),
        ):
            await h.settle()
            assert [job.description for job in pool.waiting] == [
                f"ranked {k}" for k in order.split()
            ]
            if change:
                keys[change[0]].set(change)
        pool.give_back()
        await h.settle()
        assert (op.begun, pool.used) == (["d!!", "a", "b+", "c"], 0)


async def test_each_stage_has_a_place_of_its_own(engine: OpenEngine) -> None:
    """Of several that want other keys in one step, each gets the place that it has left."""
    pool = Pool("p", 1)
    pool.used = 1
    op = Fetch(pool, [])
    first, second, third = (Var(f"{key} key", f"{key}1") for key in "abc")

    def pipeline() -> Current[Any]:
        return all([component("x", op.get, key.get()) for key in (first, second, third)])

    async with engine(pipeline) as h:
        await h.settle()
        first.set("a2")
        third.set("c2")
        await h.settle()
        assert [job.description for job in pool.waiting] == ["fetch a2", "fetch b1", "fetch c2"]
        pool.give_back()
        await h.settle()


async def test_a_place_is_passed_on_once(engine: OpenEngine) -> None:
    """Once the run that has got it has begun, the next one of the key goes to the end."""
    op = Pooled()
    op.pool.used = 1
    values = {key: Var(key, 1) for key in "abc"}

    def pipeline() -> Current[Any]:
        def one(key: str) -> Current[None]:
            return component(key, lambda value: op.set(key, value), values[key].get())

        return all([one(key) for key in values])

    async with engine(pipeline) as h:
        await h.settle()
        values["a"].set(2)
        await h.settle()
        op.pool.give_back()
        await h.settle()
        assert op.begun == ["a"]
        values["a"].set(3)
        await h.settle()
        assert op.begun == ["a", "b"]
        assert [job.description for job in op.pool.waiting] == ["pooled c 1", "pooled a 3"]


async def test_a_run_that_others_still_need_keeps_its_place(engine: OpenEngine) -> None:
    """A stage that no longer wants it goes to the end of the queue."""
    pool = Pool("p", 1)
    pool.used = 1
    op = Fetch(pool, [])
    first = Var("first", "b1")

    def pipeline() -> Current[Any]:
        others = [component("x", op.get, constant(key)) for key in ("b1", "c1")]
        return all([component("x", op.get, first.get()), *others])

    async with engine(pipeline) as h:
        await h.settle()
        first.set("a2")
        await h.settle()
        assert [job.description for job in pool.waiting] == ["fetch b1", "fetch c1", "fetch a2"]
        pool.give_back()
        await h.settle()


@pytest.mark.parametrize("given_up", [True, False])
async def test_a_run_that_had_begun_leaves_no_place(engine: OpenEngine, given_up: bool) -> None:
    """It had its turn: what follows it comes after the others, whether the run goes on or not."""
    pool = Pool("p", 1)
    begun: list[str] = []

    class Slow(Fetch):
        id = "slow"
        auto_cancel = given_up

        async def build(self, job: Job, key: str) -> None:
            await super().build(job, key)
            await asyncio.Event().wait()

    op = Slow(pool, begun)
    first, second = Var("first", "a1"), Var("second", "b1")

    def pipeline() -> Current[Any]:
        return all([component("x", op.get, first.get()), component("x", op.get, second.get())])

    async with engine(pipeline) as h:
        await h.settle()
        assert begun == ["a1"]
        first.set("a2")
        await h.settle()
        waiting = [job.description for job in pool.waiting]
        if given_up:
            assert (begun, waiting) == (["a1", "b1"], ["slow a2"])
        else:
            assert (begun, waiting) == (["a1"], ["slow b1", "slow a2"])
