"""Clocks: the system's and the one of tests keep the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from pycurrent.engine import Clock, Moment, SystemClock
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


async def test_a_delay_passes_whatever_the_date_is_set_to() -> None:
    """Forward, back: neither calls it sooner or later."""
    clock = VirtualClock()
    called: list[str] = []
    clock.call_later(2 * MOMENT, lambda: called.append("delay"))
    clock.call_later(timedelta(seconds=-1), lambda: called.append("due"))
    clock.call_at(clock.now() + timedelta(hours=1), lambda: called.append("date"))
    clock.set(clock.now() + timedelta(hours=2))
    await asyncio.sleep(0)
    assert called == ["due", "date"]
    clock.set(clock.now() - timedelta(days=2))
    clock.move(2 * MOMENT)
    await asyncio.sleep(0)
    assert called == ["due", "date", "delay"]


async def test_delays_of_the_system_clock_do_not_ask_for_the_date() -> None:
    """Nor does a sleep."""

    class Broken(SystemClock):
        def now(self) -> datetime:
            raise AssertionError("nobody asks")

    clock = Broken()
    called = asyncio.Event()
    clock.call_later(MOMENT, called.set)
    await asyncio.wait_for(called.wait(), 5)
    await asyncio.wait_for(clock.sleep(MOMENT), 5)


async def test_many_dates_that_are_cancelled_leave_nothing() -> None:
    """And one timer of the loop is enough for those that are left."""
    clock = SystemClock()
    far = clock.now() + timedelta(days=1)
    timers = [clock.call_at(far, lambda: None) for _ in range(1000)]
    for timer in timers:
        timer.cancel()
    (dates,) = clock._dates.values()
    assert len(dates._agenda._entries) <= 201
    called = asyncio.Event()
    clock.call_at(clock.now() + MOMENT, called.set)
    await asyncio.wait_for(called.wait(), 5)


def test_the_date_of_a_moment_follows_the_clock() -> None:
    """So the time between two of them, and from one until now, is what has passed."""
    clock = VirtualClock()
    first = Moment(clock)
    date = first.date
    clock.move(timedelta(minutes=5))
    assert (first.date, first.age) == (date, timedelta(minutes=5))
    clock.set(clock.now() + timedelta(hours=1))
    clock.move(timedelta(minutes=5))
    second = Moment(clock)
    clock.set(clock.now() - timedelta(days=400))
    assert second.date - first.date == timedelta(minutes=10)
    assert clock.now() - first.date == first.age == timedelta(minutes=10)
