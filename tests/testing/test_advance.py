"""How `Harness.advance` lets time pass."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Current, Job, Level, Schedule, builder
from pycurrent.testing import Harness
from pycurrent.testing.clock import START

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


async def test_advancing_goes_from_one_time_to_the_next(tmp_path: Path) -> None:
    """What is made each hour is made 24 times a day, each at its hour; a jump is one."""
    hours: list[int] = []

    @builder("hourly", level=Level.HARMLESS, schedule=Schedule(valid_for=HOUR))
    async def hourly(job: Job) -> None:
        hours.append(h.clock.now().hour)

    h = Harness(hourly, state_dir=tmp_path)
    async with h:
        await h.advance(24 * HOUR)
        assert hours == [*range(24), 0]
        assert h.clock.now() == START + 24 * HOUR
        h.clock.move(24 * HOUR)
        await h.settle()
        assert len(hours) == 26
        with pytest.raises(ValueError, match="forward"):
            await h.advance(-HOUR)


async def test_what_waits_for_times_of_both_kinds_comes_in_its_order(tmp_path: Path) -> None:
    """A job that sleeps on the clock, and one that times out in between."""
    events: list[str] = []

    @builder("sleeps", level=Level.HARMLESS)
    async def sleeps(job: Job) -> None:
        for minute in (1, 2, 3):
            await h.clock.sleep(MINUTE)
            events.append(f"{minute} min")

    @builder("times-out", level=Level.HARMLESS, timeout=90)
    async def times_out(job: Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            events.append("timed out")

    def pipeline() -> Current[None]:
        return current.all([sleeps(), times_out()])

    h = Harness(pipeline, state_dir=tmp_path)
    async with h:
        h.engine.clock.call_at(START + 2.5 * MINUTE, lambda: events.append("date"))
        await h.advance(10 * MINUTE)
        assert events == ["1 min", "timed out", "2 min", "date", "3 min"]
