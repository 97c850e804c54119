"""A forge's limit of requests."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from pycurrent.plugins.forge.limit import RequestLimit, Together, asking
from pycurrent.testing import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def limit(clock: VirtualClock) -> RequestLimit:
    return RequestLimit(clock, "https://example.org")


class Waiter:
    """Notes what it waits for."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @contextmanager
    def waiting_for(self, what: str, /) -> Iterator[None]:
        self.told.append(what)
        yield
        self.told.append("over")


def test_a_quota_is_waited_for_before_it_is_used_up(
    limit: RequestLimit, clock: VirtualClock
) -> None:
    """By sweeps when a twentieth is left, by others when hardly anything is; until it is filled."""
    reset = clock.now() + timedelta(minutes=40)
    for left, sparing, others in ((251, None, None), (250, reset, None), (20, reset, reset)):
        limit.count(left, 5000, reset)
        assert limit.until_for(is_sparing=True) == sparing
        assert limit.until == others
    clock.move(timedelta(minutes=40))
    assert limit.until_for(is_sparing=True) is None
    limit.count(4999, 5000, clock.now() + timedelta(hours=1))
    assert limit.until_for(is_sparing=True) is None


def test_answers_that_overtake_each_other_are_no_gain(
    limit: RequestLimit, clock: VirtualClock
) -> None:
    """A quota only grows when it is filled."""
    reset = clock.now() + timedelta(minutes=40)
    limit.count(10, 5000, reset)
    limit.count(300, 5000, reset)
    assert limit.until == reset


def test_nothing_is_waited_for_longer_than_an_hour(
    limit: RequestLimit, clock: VirtualClock
) -> None:
    """Clocks may differ."""
    limit.count(0, 5000, clock.now() + timedelta(days=3))
    assert limit.until == clock.now() + timedelta(hours=1)


async def test_all_who_share_a_request_say_what_they_wait_for(
    limit: RequestLimit, clock: VirtualClock
) -> None:
    """Each until it is over; one that nobody made waits, too."""
    first, second = Waiter(), Waiter()
    limit.pause("30")
    with asking(Together([first, None, second])):
        waiting = asyncio.create_task(limit.over())
    await asyncio.sleep(0)
    clock.move(timedelta(seconds=30))
    await waiting
    told = ["the limit of requests of example.org, until 00:00:30 UTC", "over"]
    assert first.told == second.told == told
