"""Whose failure it is lasts as long as the failure."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any, ClassVar

import pytest

from pycurrent.cache import Retry
from pycurrent.engine import CommandFailed, CommandNotStarted, Job, Level, Monitor
from pycurrent.term import Current, Failed, Failure, FailureKind, Stats, Var, component
from pycurrent.testing import Harness

from .workshop import SECOND, Make, MakeAuto, OpenEngine, Workshop, make

KINDS = [
    (Failure("502", kind=FailureKind.INFRA), FailureKind.INFRA),
    (Failure("slow", kind=FailureKind.TIMEOUT), FailureKind.TIMEOUT),
    (Failure("bad"), FailureKind.REAL),
    (CommandFailed("make", 2), FailureKind.REAL),
    (ValueError("bad"), FailureKind.REAL),
]


def kind_of(h: Harness) -> FailureKind:
    assert isinstance(h.output, Failed)
    return h.output.kind


class Once(Make):
    retry: ClassVar[Retry] = Retry(infra=0)


@pytest.mark.parametrize(("error", "kind"), KINDS)
async def test_the_kind_of_a_failure_survives_a_restart(
    engine: OpenEngine, shop: Workshop, error: Exception, kind: FailureKind
) -> None:
    """It is recorded with the result."""
    async with engine(lambda: make(Once(shop))) as h:
        await h.settle()
        shop.work.ending.set_exception(error)
        await h.settle()
        assert kind_of(h) is kind
    async with engine(lambda: make(Once(shop))) as h:
        assert kind_of(h) is kind
        assert len(shop.begun) == 1


async def test_what_a_person_cancels_is_cancelled(engine: OpenEngine, shop: Workshop) -> None:
    """After a restart, too."""
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        h.find("make a").cancel("enough")
        await h.settle()
        assert kind_of(h) is FailureKind.CANCELLED
    async with engine(lambda: make(Make(shop))) as h:
        assert kind_of(h) is FailureKind.CANCELLED


async def test_what_the_machine_cant_start_is_no_failure_of_the_work(
    engine: OpenEngine, shop: Workshop
) -> None:
    """It is the infrastructure's."""
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        shop.work.ending.set_exception(CommandNotStarted("can't start 'pip'"))
        await h.settle()
        assert kind_of(h) is FailureKind.INFRA


@pytest.mark.parametrize(("error", "kind"), [*KINDS, (MemoryError(), FailureKind.INFRA)])
async def test_a_monitor_passes_the_kind_on(
    engine: OpenEngine, error: Exception, kind: FailureKind
) -> None:
    """That of what its `read` raises."""

    async def read() -> str:
        raise error

    def pipeline() -> Current[Any]:
        monitor = Monitor(read=read, watch=lambda refresh: nullcontext(), describe=lambda: "it")
        return component("it", monitor.get)

    async with engine(pipeline) as h:
        await h.settle()
        assert kind_of(h) is kind


class Slow(Make):
    id = "slow"

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.AVERAGE, timeout=1)
        await asyncio.Event().wait()
        return "done"


async def test_what_takes_too_long_has_timed_out(engine: OpenEngine, shop: Workshop) -> None:
    """It is neither wrong nor cancelled."""
    async with engine(lambda: make(Slow(shop))) as h:
        await h.settle()
        await h.advance(SECOND)
        assert kind_of(h) is FailureKind.TIMEOUT
    async with engine(lambda: make(Slow(shop))) as h:
        assert kind_of(h) is FailureKind.TIMEOUT


async def test_runs_go_on_while_a_latched_list_cant_be_had(
    engine: OpenEngine, shop: Workshop
) -> None:
    """A server that does not answer for once is no reason to cancel what runs for its branches."""
    branches: Var[list[str]] = Var("branches", ["a", "b"])
    op = MakeAuto(shop)

    def pipeline() -> Current[Any]:
        listed = branches.get().latch(infra=True)
        return listed.list_iter(lambda branch: component("make", op.get, branch))

    async with engine(pipeline) as h:
        await h.settle()
        branches.set(Failed("502", kind=FailureKind.INFRA))
        await h.settle()
        assert (len(shop.at_work), h.stats) == (2, Stats(running=2, failed=1))
        branches.set(["a"])
        await h.settle()
        assert [work.key for work in shop.at_work] == ["a"]
        assert len(shop.begun) == 2
