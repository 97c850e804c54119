"""Clocks: the system's and the one of tests keep the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from pycurrent.engine import Clock, SystemClock
from pycurrent.testing import VirtualClock

MOMENT = timedelta(milliseconds=5)


class Passing:
    """A clock, and how a test has time pass on it."""

    def __init__(self, clock: Clock, wait: Callable[[timedelta], Awaitable[None]]) -> None:
        self.clock = clock
        self.wait = wait


@pytest.fixture(params=["system", "virtual"])
def passing(request: pytest.FixtureRequest) -> Passing:
    if request.param == "system":

        async def wait(duration: timedelta) -> None:
            # A bit more, as timers are not exact.
            await asyncio.sleep(duration.total_seconds() * 2)

        return Passing(SystemClock(), wait)
    clock = VirtualClock()

    async def move(duration: timedelta) -> None:
        clock.move(duration)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    return Passing(clock, move)


async def test_now_is_aware_and_in_utc(passing: Passing) -> None:
    """Wherever the machine is."""
    assert passing.clock.now().tzinfo is UTC


async def test_calls_come_in_the_order_of_their_times(passing: Passing) -> None:
    """Those that are due already come soon, but not before `call_at` returns."""
    called: list[str] = []
    now = passing.clock.now()
    passing.clock.call_at(now + 2 * MOMENT, lambda: called.append("second"))
    passing.clock.call_at(now + MOMENT, lambda: called.append("first"))
    passing.clock.call_at(now - MOMENT, lambda: called.append("due"))
    assert called == []
    await passing.wait(timedelta())
    assert called == ["due"]
    await passing.wait(3 * MOMENT)
    assert called == ["due", "first", "second"]


async def test_a_cancelled_call_does_not_come(passing: Passing) -> None:
    """Cancelling twice, or later, does nothing."""
    called: list[str] = []
    now = passing.clock.now()
    future = passing.clock.call_at(now + MOMENT, lambda: called.append("future"))
    due = passing.clock.call_at(now - MOMENT, lambda: called.append("due"))
    kept = passing.clock.call_at(now - MOMENT, lambda: called.append("kept"))
    for timer in (future, due, future):
        timer.cancel()
    await passing.wait(2 * MOMENT)
    kept.cancel()
    assert called == ["kept"]


async def test_a_sleep_ends_in_time_and_can_be_cancelled(passing: Passing) -> None:
    """A cancelled one leaves no timer."""
    sleeping = asyncio.ensure_future(passing.clock.sleep(MOMENT))
    await asyncio.sleep(0)
    await passing.wait(2 * MOMENT)
    await sleeping
    sleeping = asyncio.ensure_future(passing.clock.sleep(timedelta(days=1)))
    await asyncio.sleep(0)
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    if isinstance(passing.clock, VirtualClock):
        assert passing.clock.next_timer is None


async def test_a_far_time_is_looked_at_again_and_again() -> None:
    """A laptop sleeps, and the loop's clock with it: what counts is the time of day."""

    class Jumping(SystemClock):
        _LONGEST = MOMENT
        offset = timedelta()

        def now(self) -> datetime:
            return super().now() + self.offset

    clock = Jumping()
    woken = asyncio.Event()
    clock.call_at(clock.now() + timedelta(days=1), woken.set)
    await asyncio.sleep(0)
    assert not woken.is_set()
    clock.offset = timedelta(days=2)
    await asyncio.wait_for(woken.wait(), 5)


def test_a_virtual_clock_does_not_go_back() -> None:
    """And keeps to UTC."""
    clock = VirtualClock()
    with pytest.raises(ValueError, match="forward"):
        clock.move(-MOMENT)
