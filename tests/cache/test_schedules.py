"""Results that expire, and how they are made again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pycurrent.cache import Builder, Schedule
from pycurrent.engine import Job, Level
from pycurrent.errors import UsageError
from pycurrent.facade import Engine
from pycurrent.term import (
    Activity,
    Current,
    Failed,
    Metadata,
    Ok,
    Stats,
    Var,
    all,
    component,
    constant,
    metadata,
    pair,
)
from pycurrent.testing import Harness
from pycurrent.testing.clock import START

from .workshop import (
    SECOND,
    Make,
    OpenEngine,
    Workshop,
    check,
    make,
    make_while,
)


async def test_the_shorter_schedule_holds_and_the_old_result_is_reported_meanwhile(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Nobody sees that it is made again but in the metadata, and its job is a refresh."""
    op = Make(shop)

    def pipeline() -> Current[Any]:
        slow = make(op, schedule=Schedule(10 * SECOND))
        fast = make(op, schedule=Schedule(5 * SECOND))
        return pair(pair(slow, fast), metadata(fast))

    async with engine(pipeline) as h:
        await h.settle()
        await h.advance(SECOND)
        shop.work.succeed("old")
        await h.settle()
        await h.advance(5 * SECOND - timedelta(microseconds=1))
        assert len(shop.begun) == 1
        await h.advance(timedelta(microseconds=1))
        assert len(shop.begun) == 2
        job_id = h.find("make a").id
        seen = Metadata(job_id, update=Activity.RUNNING)
        assert h.output == Ok((("old", "old"), seen))
        assert h.stats == Stats(ok=2)
        await h.advance(2 * SECOND)
        shop.work.succeed("new")
        await h.settle()
        assert h.output == Ok((("new", "new"), Metadata(job_id)))
        times = [(b.build, b.ready, b.finished) for b in h.history()]
        assert times == [
            (0, START, START + SECOND),
            (1, START + 6 * SECOND, START + 8 * SECOND),
        ]
        check(h)


async def test_when_the_shorter_schedule_goes_the_longer_one_holds(
    engine: OpenEngine, shop: Workshop
) -> None:
    """A result lives as long as those who are left allow."""
    op = Make(shop)
    hurried = Var("hurried", True)

    def pipeline() -> Current[Any]:
        def other(yes: bool) -> Current[str]:
            return make(op, schedule=Schedule(5 * SECOND)) if yes else constant("")

        return pair(make(op, schedule=Schedule(10 * SECOND)), hurried.get().bind(other))

    async with engine(pipeline) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        hurried.set(False)
        await h.advance(9 * SECOND)
        assert len(shop.begun) == 1
        hurried.set(True)
        await h.settle()
        assert len(shop.begun) == 2, "for the newcomer it is too old"


@pytest.mark.parametrize("later", [5 * SECOND, timedelta(days=1)])
async def test_what_expired_while_no_engine_ran_is_reported_and_refreshed(
    engine: OpenEngine, shop: Workshop, tmp_path: Path, later: timedelta
) -> None:
    """The next engine shows the old result at once, also if it starts when that expires."""

    def pipeline() -> Current[str]:
        return make(Make(shop), schedule=Schedule(5 * SECOND))

    async with engine(pipeline) as h:
        await h.settle()
        shop.work.succeed("old")
        await h.settle()
    async with Harness(pipeline, state_dir=tmp_path, start=START + later) as h:
        assert h.output == Ok("old")
        await h.settle()
        assert (h.output, len(shop.begun)) == (Ok("old"), 2)


async def test_a_failure_expires_too(engine: OpenEngine, shop: Workshop) -> None:
    """A schedule tries again what has failed, and the failure is reported meanwhile."""
    async with engine(lambda: make(Make(shop), schedule=Schedule(5 * SECOND))) as h:
        await h.settle()
        shop.work.fail("why")
        await h.settle()
        await h.advance(5 * SECOND)
        assert h.output == Failed("why")
        shop.work.succeed()
        await h.settle()
        assert h.output == Ok("done")


async def test_nothing_expires_that_nobody_needs(engine: OpenEngine, shop: Workshop) -> None:
    """No timer is left, and nothing runs."""
    wanted = Var("wanted", True)
    async with engine(make_while(wanted, Make(shop), Schedule(5 * SECOND))) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        wanted.set(False)
        await h.settle()
        assert h.clock.next_timer is None
        await h.advance(6 * SECOND)
        assert len(shop.begun) == 1


async def test_a_result_of_the_future_counts_as_made_now(
    engine: OpenEngine, shop: Workshop, tmp_path: Path
) -> None:
    """The clock was ahead when it was made: it does not hold for longer than one that is new."""

    def pipeline() -> Current[str]:
        return make(Make(shop), schedule=Schedule(5 * SECOND))

    ahead = START + timedelta(days=365)
    async with Harness(pipeline, state_dir=tmp_path, start=ahead) as h:
        await h.settle()
        shop.work.succeed("old")
        await h.settle()
    async with engine(pipeline) as h:
        await h.settle()
        assert (h.output, len(shop.begun)) == (Ok("old"), 1)
        await h.advance(4 * SECOND)
        assert len(shop.begun) == 1
        await h.advance(SECOND)
        assert (h.output, len(shop.begun)) == (Ok("old"), 2)
        shop.work.succeed("new")
        await h.settle()
        assert h.output == Ok("new")
        check(h)


@pytest.mark.parametrize("age", [timedelta.max, timedelta(days=365 * 9000)])
async def test_a_result_may_hold_for_ever(
    engine: OpenEngine, shop: Workshop, age: timedelta
) -> None:
    """Beyond all dates."""
    async with engine(lambda: make(Make(shop), schedule=Schedule(age))) as h:
        await h.settle()
        shop.work.succeed("done")
        await h.settle()
        await h.advance(timedelta(days=1000))
        assert (h.output, len(shop.begun)) == (Ok("done"), 1)
        check(h)


async def test_so_may_it_by_the_clock_of_the_machine(shop: Workshop, tmp_path: Path) -> None:
    """Nor does a timer that is set for thousands of years."""
    ages = [timedelta.max, timedelta(days=365 * 5000)]

    def pipeline() -> Current[Any]:
        return all([quick(age) for age in ages])

    async with Engine(pipeline, state_dir=tmp_path) as engine:
        await engine.settled()
        assert engine.output == Ok(None)
        engine.raise_if_crashed()


def quick(age: timedelta) -> Current[str]:
    return component("quick", lambda: Quick().get(str(age), schedule=Schedule(age)))


class Quick(Builder[str, str]):
    id = "quick"

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS)
        return key


@pytest.mark.parametrize("age", [timedelta(0), -SECOND, timedelta.min, 3600, 1.5, "1 h", True])
def test_what_is_no_age_is_refused_where_it_is_made(age: Any) -> None:
    """Not once a result is there."""
    with pytest.raises(UsageError, match="valid_for"):
        Schedule(valid_for=age)
