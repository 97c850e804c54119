"""What belongs to the thread of the event loop says so in any other one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pycurrent.engine import Level, LogRule
from pycurrent.errors import UsageError
from pycurrent.term import Current, Ok, Var, pair
from pycurrent.testing import Harness

from .workshop import Make, OpenEngine, Workshop, make

CALLS: dict[str, Callable[[Harness, Make], Any]] = {
    "handle.rebuild": lambda h, op: h.find("make a").rebuild(),
    "handle.cancel": lambda h, op: h.find("make a").cancel("enough"),
    "handle.approve": lambda h, op: h.find("make a").approve(),
    "job.cancel": lambda h, op: op.shop.work.job.cancel("enough"),
    "job.approve": lambda h, op: op.shop.work.job.approve(),
    "job.on_cancel": lambda h, op: op.shop.work.job.on_cancel(print),
    "invalidate of operation 'make'": lambda h, op: op.invalidate(h.engine, "a"),
    "setting Config.confirm": lambda h, op: setattr(h.engine.config, "confirm", Level.AVERAGE),
    "setting Config.jobs": lambda h, op: setattr(h.engine.config, "jobs", 3),
    "log_rules.add": lambda h, op: h.engine.log_rules.add(LogRule("a", "b", 1)),
    "log_rules.remove": lambda h, op: h.engine.log_rules.remove("a"),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_from_another_thread_is_refused_and_does_nothing(
    engine: OpenEngine, shop: Workshop, name: str
) -> None:
    """It is said what to do instead, and that works."""
    op = Make(shop)
    call = CALLS[name]
    async with engine(lambda: make(op).state()) as h:
        h.engine.log_rules.add(LogRule("a", "b", 1))
        await h.settle()
        with pytest.raises(UsageError, match=r"loop\.call_soon_threadsafe") as refused:
            await asyncio.to_thread(call, h, op)
        assert str(refused.value).startswith(name)
        await h.settle()
        assert [work.cancelled for work in shop.begun] == [False]
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(loop.call_soon_threadsafe, call, h, op)
        await h.settle()


async def test_a_variable_may_be_set_in_any_thread(engine: OpenEngine) -> None:
    """Inputs come from anywhere."""
    value = Var("value", 1)

    def pipeline() -> Current[Any]:
        return pair(value.get(), value.get())

    async with engine(pipeline) as h:
        await asyncio.to_thread(value.set, 2)
        await h.settle()
        await asyncio.to_thread(value.update, lambda old: old + 1)
        await h.settle()
        assert h.output == Ok((3, 3))
