"""Who watches over jobs is told how each of them ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TypeAlias

import pytest

from pycurrent.cache import ResultCache, builder
from pycurrent.cache.runs import TOGETHER
from pycurrent.engine import DrivenJob, Job, Level, Pool
from pycurrent.store import JobEnd
from pycurrent.term import Current, Ok, Var, all, constant
from pycurrent.testing import Harness

from .workshop import Make, MakeAuto, OpenEngine, Workshop, make, make_while

Ended: TypeAlias = Sequence[tuple[DrivenJob, JobEnd]]


def told_by(h: Harness) -> list[JobEnd]:
    """The ends of the jobs that end from now on."""
    ends: list[JobEnd] = []
    h.engine.service(ResultCache).runs.on_ended(lambda ended: ends.extend(end for _, end in ended))
    return ends


async def test_each_end_is_told_once(engine: OpenEngine, shop: Workshop) -> None:
    """A value, a failure, and a cancellation by somebody, which is a failure in the history."""

    def pipeline() -> Current[object]:
        return all([make(Make(shop), key) for key in "abc"])

    async with engine(pipeline) as h:
        await h.settle()
        ends = told_by(h)
        shop.of("a").succeed()
        shop.of("b").fail()
        h.find("make c").cancel("by hand")
        await h.settle()
        assert sorted(end.value for end in ends) == ["cancelled", "failed", "ok"]


async def test_the_result_is_recorded_when_the_end_is_told(
    engine: OpenEngine, shop: Workshop
) -> None:
    """So that who is told can look it up."""
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        seen: list[tuple[str, str]] = []

        def told(ended: Ended) -> None:
            ((job, _),) = ended
            (instance,) = h.engine.service(ResultCache).instances
            record = h.engine.opened.store.lookup("make", instance.key.digest)
            seen.append((job.id, record.outcome if record else ""))

        h.engine.service(ResultCache).runs.on_ended(told)
        job = shop.work.job
        shop.work.succeed("done")
        await h.settle()
        assert seen == [(job.id, '"done"')]


async def test_what_nobody_needs_is_told_as_superseded(engine: OpenEngine, shop: Workshop) -> None:
    """Also where its work had been done before it took note of that."""
    wanted = Var("wanted", True)
    async with engine(make_while(wanted, MakeAuto(shop))) as h:
        await h.settle()
        ends = told_by(h)
        shop.stubborn = True
        wanted.set(False)
        await h.settle()
        assert ends == []
        shop.work.succeed()
        await h.settle()
        assert ends == [JobEnd.SUPERSEDED]


async def test_what_the_end_of_the_engine_stops_is_told_as_interrupted(
    engine: OpenEngine, shop: Workshop
) -> None:
    """It has no result; one that a person cancelled before that has."""

    def pipeline() -> Current[object]:
        return all([make(Make(shop), key) for key in "ab"])

    async with engine(pipeline) as h:
        await h.settle()
        ends = told_by(h)
        h.find("make a").cancel("by hand")
        stopped = shop.of("b").job
    assert sorted(end.value for end in ends) == ["cancelled", "interrupted"]
    assert "Cancelling: the engine is stopping" in stopped.log_path.read_text()


async def test_who_is_told_can_not_break_the_cache(
    engine: OpenEngine, shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    """What it raises is logged; others are told, and the result counts."""

    def broken(ended: Ended) -> None:
        raise RuntimeError("a bug")

    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        h.engine.service(ResultCache).runs.on_ended(broken)
        ends = told_by(h)
        shop.work.succeed("done")
        with caplog.at_level(logging.ERROR):
            await h.settle()
        assert (h.output, ends) == (Ok("done"), [JobEnd.OK])
        assert "failed to be told of the end of job" in caplog.text


async def test_jobs_that_are_given_up_together_are_told_together(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Each of them once, in few calls: there may be 100,000 of them."""
    wanted, pool, many = Var("wanted", True), Pool("p", 1), 3 * TOGETHER

    @builder("queued", level=Level.HARMLESS, pool=pool, auto_cancel=True)
    async def queued(job: Job, part: int) -> None:
        await asyncio.Event().wait()

    def pipeline() -> Current[object]:
        return wanted.get().bind(
            lambda yes: all([queued(part) for part in range(many)]) if yes else constant(None)
        )

    async with engine(pipeline) as h:
        await h.settle()
        told: list[Ended] = []
        h.engine.service(ResultCache).runs.on_ended(told.append)
        ids = {job.id for job in pool.waiting if isinstance(job, DrivenJob)}
        wanted.set(False)
        await h.settle()
        ends = {job.id: end for ended in told for job, end in ended}
        assert len(told) <= 1 + many / TOGETHER
        assert sum(map(len, told)) == len(ends) == many
        assert {ends[job_id] for job_id in ids} == {JobEnd.SUPERSEDED}
