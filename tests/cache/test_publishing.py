"""A key is set to one value: to the last one that is wanted."""

from __future__ import annotations

from typing import Any

import pytest

from pycurrent.cache import Schedule
from pycurrent.term import (
    Activity,
    Current,
    Failed,
    Metadata,
    Ok,
    Var,
    component,
    constant,
    metadata,
    pair,
    seq,
)

from .workshop import (
    RUNNING,
    SECOND,
    OpenEngine,
    Put,
    PutAuto,
    PutLatched,
    PutLatchedAuto,
    Workshop,
    check,
    put,
)


async def test_without_auto_cancel_the_old_value_is_set_before_the_new_one(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Of the values that came meanwhile only the last one follows."""
    value = Var("value", "1")
    async with engine(lambda: put(Put(shop), value.get())) as h:
        await h.settle()
        for new in ("2", "3"):
            value.set(new)
            await h.settle()
        assert shop.work.value == "1"
        shop.work.succeed()
        await h.settle()
        assert (h.output, shop.work.value) == (RUNNING, "3")
        shop.work.succeed()
        await h.settle()
        assert [(b.build, b.value) for b in h.history()] == [(0, '"1"'), (1, '"3"')]


async def test_with_auto_cancel_the_new_value_takes_the_place_of_the_old_one(
    engine: OpenEngine, shop: Workshop
) -> None:
    """The run for the old value is cancelled and not recorded."""
    value = Var("value", "1")
    async with engine(lambda: put(PutAuto(shop), value.get())) as h:
        await h.settle()
        value.set("2")
        await h.settle()
        assert shop.begun[0].cancelled
        assert shop.work.value == "2"
        shop.work.succeed()
        await h.settle()
        assert [(b.build, b.value) for b in h.history()] == [(0, '"2"')]
        h.find("put-auto k 2").rebuild()
        await h.settle()
        shop.work.succeed()
        await h.settle()
        assert h.output == Ok("done")


@pytest.mark.parametrize("kind", [Put, PutLatched])
async def test_an_error_from_setting_a_stale_value_is_dropped(
    engine: OpenEngine, shop: Workshop, kind: type[Put | PutLatched]
) -> None:
    """It is in the history, but nobody sees it, not even latched."""
    value = Var("value", "1")
    async with engine(lambda: put(kind(shop), value.get()).state()) as h:
        await h.settle()
        shop.work.succeed("first")
        await h.settle()
        value.set("2")
        await h.settle()
        value.set("3")
        await h.settle()
        shop.work.fail("too bad")
        await h.settle()
        assert h.output == Ok(Ok("first") if kind is PutLatched else RUNNING)
        shop.work.succeed("third")
        await h.settle()
        assert h.output == Ok(Ok("third"))
        assert [b.ok for b in h.history()] == [True, False, True]


async def test_a_value_that_comes_back_is_set_again(engine: OpenEngine, shop: Workshop) -> None:
    """What was published before the last time says nothing about now."""
    value = Var("value", "1")
    async with engine(lambda: put(Put(shop), value.get())) as h:
        for new in ("1", "2", "1"):
            value.set(new)
            await h.settle()
            shop.work.succeed()
            await h.settle()
        assert [work.value for work in shop.begun] == ["1", "2", "1"]


async def test_what_a_cancelled_run_has_left_is_not_taken_for_the_old_value(
    engine: OpenEngine, shop: Workshop
) -> None:
    """It may have been half set: the old value is set again, after a restart, too."""
    value = Var("value", "1")
    async with engine(lambda: put(PutAuto(shop), value.get())) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        value.set("2")
        await h.settle()
    value.set("1")
    async with engine(lambda: put(PutAuto(shop), value.get())) as h:
        await h.settle()
        assert (h.output, shop.work.value) == (RUNNING, "1")


async def test_a_new_value_clears_an_error(engine: OpenEngine, shop: Workshop) -> None:
    """A failure is one of key and value."""
    value = Var("value", "1")
    async with engine(lambda: put(Put(shop), value.get())) as h:
        await h.settle()
        shop.work.fail()
        await h.settle()
        assert h.output == Failed("why")
        value.set("2")
        await h.settle()
        assert h.output == RUNNING
        shop.work.succeed()
        await h.settle()
        assert h.output == Ok("done")


def conflict_of(one: str, other: str) -> Failed:
    values = f'"{one}" and "{other}"'
    return Failed(f"put k is set to two values at once: {values}; give each a key of its own")


async def test_two_values_for_one_key_are_an_error_that_names_both(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Nothing is started until they agree."""
    one, other = Var("one", "1"), Var("other", "2")
    op = Put(shop)

    def pipeline() -> Current[Any]:
        return pair(put(op, one.get()).state(), put(op, other.get()).state())

    async with engine(pipeline) as h:
        await h.settle()
        conflict = conflict_of("1", "2")
        assert h.output == Ok((conflict, conflict))
        assert shop.begun == []
        op.invalidate(h.engine, "k")
        await h.settle()
        assert shop.begun == []
        check(h)
        other.set("1")
        await h.settle()
        assert h.output == Ok((RUNNING, RUNNING))
        shop.work.succeed()
        await h.settle()
        one.set("3")
        await h.settle()
        assert h.output == Ok((conflict_of("1", "3"),) * 2)
        check(h)


async def test_nothing_expires_during_a_conflict(engine: OpenEngine, shop: Workshop) -> None:
    """The schedule of a user that has gone when it is over does not count any more."""
    wishes = {name: Var[str | None](name, "one") for name in ("scheduled", "plain", "other")}
    op = Put(shop)

    def user(name: str) -> Current[Any]:
        schedule = Schedule(5 * SECOND) if name == "scheduled" else None

        def wanted(value: str | None) -> Current[Any]:
            if value is None:
                return constant(None)
            return component(name, lambda: op.set("k", value, schedule=schedule))

        return wishes[name].get().bind(wanted).state()

    async with engine(lambda: seq([user(name) for name in wishes])) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        wishes["other"].set("two")
        await h.settle()
        await h.advance(6 * SECOND)
        wishes["other"].set(None)
        wishes["scheduled"].set(None)
        await h.settle()
        assert h.output == Ok([Ok(None), Ok("done"), Ok(None)])
        assert len(shop.begun) == 1


async def test_a_conflict_is_over_once_nobody_wants_anything(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Whoever comes later, while the old run goes on, does not see it for a moment."""
    wishes = [Var[str | None]("a", "one"), Var[str | None]("b", "two")]
    op, seen = Put(shop), list[Any]()

    def user(wish: Var[str | None]) -> Current[Any]:
        def wanted(value: str | None) -> Current[Any]:
            return constant(None) if value is None else put(op, constant(value))

        return wish.get().bind(wanted).state()

    wishes[1].set(None)
    async with engine(lambda: seq([user(wish) for wish in wishes]).map(seen.extend)) as h:
        await h.settle()
        wishes[1].set("two")
        await h.settle()
        assert any(isinstance(output, Failed) for output in seen)
        for wish in wishes:
            wish.set(None)
        await h.settle()
        seen.clear()
        wishes[0].set("one")
        await h.settle()
        assert RUNNING in seen
        assert not any(isinstance(output, Failed) for output in seen)


# Latched


@pytest.mark.parametrize("kind", [PutLatched, PutLatchedAuto])
async def test_a_latched_outcome_is_reported_while_a_new_value_is_set(
    engine: OpenEngine, shop: Workshop, kind: type[PutLatched]
) -> None:
    """The first time, and for another key, there is nothing to report."""
    value, key = Var("value", "3.10"), Var("key", "r1")

    def pipeline() -> Current[Any]:
        op = kind(shop)
        return component("build", op.apply, key.get(), value.get()).state()

    async with engine(pipeline) as h:
        await h.settle()
        assert h.output == Ok(RUNNING)
        shop.work.succeed("with 3.10")
        await h.settle()
        value.set("3.11")
        await h.settle()
        assert h.output == Ok(Ok("with 3.10"))
        shop.work.succeed("with 3.11")
        await h.settle()
        assert h.output == Ok(Ok("with 3.11"))
        key.set("r2")
        await h.settle()
        assert h.output == Ok(RUNNING)


async def test_a_failure_is_latched_too(engine: OpenEngine, shop: Workshop) -> None:
    """In a running engine, and across a restart."""
    value = Var("value", "bad")

    def pipeline() -> Current[Any]:
        return put(PutLatched(shop), value.get()).state()

    async with engine(pipeline) as h:
        await h.settle()
        shop.work.fail("bad base")
        await h.settle()
        value.set("good")
        await h.settle()
        assert h.output == Ok(Failed("bad base"))
        shop.work.succeed()
        await h.settle()
        value.set("bad")
        await h.settle()
        shop.work.fail("bad base")
        await h.settle()
    value.set("better")
    async with engine(pipeline) as h:
        assert h.output == Ok(Failed("bad base"))
        await h.settle()
        assert h.output == Ok(Failed("bad base"))
        shop.work.succeed("better")
        await h.settle()
        assert h.output == Ok(Ok("better"))


async def test_the_diagram_shows_the_update_behind_a_latched_outcome(
    engine: OpenEngine, shop: Workshop
) -> None:
    """In the metadata of the component; and it counts as ok."""
    value = Var("value", "1")

    def pipeline() -> Current[Any]:
        return metadata(put(PutLatched(shop), value.get()))

    async with engine(pipeline) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        value.set("2")
        await h.settle()
        assert h.output == Ok(Metadata(shop.work.job.id, update=Activity.RUNNING))


async def test_an_expired_value_does_not_stand_in_for_another_one(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Only a latched operation reports what is about another value."""
    value = Var("value", "1")

    def pipeline() -> Current[Any]:
        op = Put(shop)
        return component(
            "put", lambda v: op.set("k", v, schedule=Schedule(5 * SECOND)), value.get()
        )

    async with engine(pipeline) as h:
        await h.settle()
        shop.work.succeed("first")
        await h.settle()
        await h.advance(5 * SECOND)
        assert h.output == Ok("first")
        value.set("2")
        await h.settle()
        assert h.output == RUNNING
