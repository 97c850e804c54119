"""What an operation is identified by, and what its types are for."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from pycurrent.cache import Builder, Operation, Publisher, ResultCache
from pycurrent.engine import Job, Level
from pycurrent.term import (
    Current,
    Failed,
    Failure,
    Ok,
    Var,
    component,
    pair,
)

from .workshop import (
    Make,
    OpenEngine,
    Put,
    Workshop,
    make,
    put,
)


async def test_the_same_key_with_two_contexts_is_built_once(
    engine: OpenEngine, shop: Workshop
) -> None:
    """The context is no part of the key; both users get the one result."""

    def pipeline() -> Current[Any]:
        return pair(make(Make(shop, "one")), make(Make(shop, "other")))

    async with engine(pipeline) as h:
        await h.settle()
        assert shop.work.context in ("one", "other")
        shop.work.succeed()
        await h.settle()
        assert h.output == Ok(("done", "done"))


async def test_a_stored_result_that_cant_be_read_is_logged_and_made_again(
    engine: OpenEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """The type of the value has changed between two engines."""

    class Old(Builder[str, str]):
        id = "change"

        async def build(self, job: Job, key: str) -> str:
            await job.start(level=Level.HARMLESS)
            return "text"

    class New(Builder[str, int]):
        id = "change"

        async def build(self, job: Job, key: str) -> int:
            await job.start(level=Level.HARMLESS)
            return 7

    async with engine(lambda: component("c", lambda: Old().get("a"))) as h:
        await h.settle()
        assert h.output == Ok("text")
    with caplog.at_level(logging.WARNING):
        async with engine(lambda: component("c", lambda: New().get("a"))) as h:
            await h.settle()
            assert h.output == Ok(7)
            assert [b.build for b in h.history()] == [0, 1]
    assert "change a is made again" in caplog.text


async def test_a_value_that_does_not_fit_its_type_is_the_jobs_failure(engine: OpenEngine) -> None:
    """The log says so, too."""

    class Wrong(Builder[str, int]):
        id = "wrong"

        async def build(self, job: Job, key: str) -> int:
            await job.start(level=Level.HARMLESS)
            return "seven"  # type: ignore[return-value]

    async with engine(lambda: component("c", lambda: Wrong().get("a"))) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "outcome of operation 'wrong'" in h.output.message
        assert h.output.message in h.log("wrong a")
        assert "Job succeeded" not in h.log("wrong a")
        assert [b.ok for b in h.history()] == [False]


async def test_an_unstable_key_fails_the_component_and_names_the_field(engine: OpenEngine) -> None:
    """Nothing is started, and the rest of the pipeline goes on."""

    class Loose(Builder[tuple[str, object], str]):
        id = "loose"

        async def build(self, job: Job, key: tuple[str, object]) -> str:
            raise AssertionError

    async with engine(lambda: component("c", lambda: Loose().get(("a", object())))) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "loose" in h.output.message
        assert "[1]" in h.output.message
        assert h.jobs == {}


async def test_two_operations_with_one_id_are_refused(engine: OpenEngine) -> None:
    """The message names both classes."""

    class One(Builder[str, str]):
        id = "same"

        async def build(self, job: Job, key: str) -> str:
            await job.start(level=Level.HARMLESS)
            return "one"

    class Other(One):
        pass

    def pipeline() -> Current[Any]:
        first = component("1", lambda: One().get("a"))
        second = component("2", lambda: Other().get("a"))
        return pair(first.state(), second.state())

    async with engine(pipeline) as h:
        await h.settle()
        assert isinstance(h.output, Ok)
        one, other = h.output.value
        assert one == Ok("one")
        assert "two operations have the id 'same'" in other.message
        assert "One" in other.message
        assert "Other" in other.message


async def test_an_operation_without_an_id_is_refused(engine: OpenEngine) -> None:
    """The message says what is missing."""

    class Nameless(Builder[str, str]):
        async def build(self, job: Job, key: str) -> str:
            raise AssertionError

    async with engine(lambda: component("c", lambda: Nameless().get("a"))) as h:
        assert isinstance(h.output, Failed)
        assert "Nameless" in h.output.message
        assert "`id`" in h.output.message


async def test_a_description_that_raises_fails_the_component_only(
    engine: OpenEngine, shop: Workshop
) -> None:
    """And it leaves nothing behind: no instance, no user."""

    class Odd(Put):
        id = "odd"

        def describe(self, key: str, value: str) -> str:
            raise Failure(f"can't describe {value}")

    value = Var("value", "1")
    async with engine(lambda: put(Odd(shop), value.get())) as h:
        await h.settle()
        assert h.output == Failed("can't describe 1")
        assert not h.engine.service(ResultCache).instances


async def test_what_an_operation_without_types_is_given_is_stored_by_its_value(
    engine: OpenEngine,
) -> None:
    """A subclass that says more about a generic base is taken at its word."""

    class Any2(Operation[str, tuple[int, str], dict[str, int]]):
        id = "typed"

        async def run(self, job: Job, key: str, value: tuple[int, str]) -> dict[str, int]:
            await job.start(level=Level.HARMLESS)
            return {value[1]: value[0]}

    class Set(Publisher[str, int, None]):
        id = "none"

        async def publish(self, job: Job, key: str, value: int) -> None:
            await job.start(level=Level.HARMLESS)

    def pipeline() -> Current[Any]:
        return pair(
            component("c", lambda: Any2().apply("a", (1, "x"))),
            component("d", lambda: Set().set("a", 1)),
        )

    for _ in range(2):
        async with engine(pipeline) as h:
            await h.settle()
            assert h.output == Ok(({"x": 1}, None))
            assert len(h.history()) == 2
