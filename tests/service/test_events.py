"""Batches of events, and those who follow them."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.engine import Level
from pycurrent.service import (
    Batch,
    ConfirmChanged,
    EventHub,
    EventId,
    JobsChanged,
    Reset,
    StructureChanged,
)

Follower = AsyncGenerator[Batch | Reset, None]


async def next_of(follower: Follower) -> int | str:
    """What comes next, which is there already: its version, or `reset`."""
    batch = await asyncio.wait_for(anext(follower), 5)
    if isinstance(batch, Reset):
        return "reset"
    (event,) = batch.events
    assert isinstance(event, StructureChanged)
    return event.version


def publish(hub: EventHub, *versions: int) -> None:
    for version in versions:
        hub.publish(StructureChanged(version))


async def test_a_follower_sees_what_comes() -> None:
    """In its order, also what came while nobody waited; and nothing of what was before."""
    hub = EventHub("start")
    publish(hub, 1)
    follower = hub.follow()
    waiting = asyncio.ensure_future(anext(follower))
    await asyncio.sleep(0)
    publish(hub, 2, 3)
    assert (await waiting).number == 2
    assert await next_of(follower) == 3
    await follower.aclose()
    assert hub.followers == 0


async def test_who_comes_back_goes_on_where_it_was() -> None:
    """Without a gap."""
    hub = EventHub("start")
    publish(hub, 1)
    seen = hub.last
    publish(hub, 2, 3)
    follower = hub.follow(seen)
    assert [await next_of(follower) for _ in range(2)] == [2, 3]


@pytest.mark.parametrize(
    "id", [EventId("start", 1), EventId("another", 5), EventId("start", 99), EventId.parse("x-y")]
)
async def test_what_can_not_be_told_is_a_reset(id: EventId) -> None:
    """Too long ago, of another engine, of the future, nonsense. From there on all is told."""
    hub = EventHub("start", batches=3)
    publish(hub, 1, 2, 3, 4, 5)
    follower = hub.follow(id)
    assert await next_of(follower) == "reset"
    publish(hub, 6)
    assert await next_of(follower) == 6


async def test_a_slow_follower_is_told_to_read_anew() -> None:
    """It holds up nobody, and takes no memory."""
    hub = EventHub("start", batches=3)
    slow = hub.follow()
    waiting = asyncio.ensure_future(anext(slow))
    await asyncio.sleep(0)
    publish(hub, 1)
    assert (await waiting).number == 1
    publish(hub, *range(2, 9))
    assert await next_of(slow) == "reset"
    publish(hub, 9)
    assert await next_of(slow) == 9


async def test_large_batches_fill_the_ring_sooner() -> None:
    """What is kept is bounded by what is in it; one that is too large is told by a reset."""
    hub = EventHub("start", entries=10)
    start = hub.last
    hub.publish(JobsChanged(dict.fromkeys(map(str, range(8)))))
    hub.publish(JobsChanged(dict.fromkeys(map(str, range(8)))))
    assert await next_of(hub.follow(start)) == "reset"
    last = hub.last
    hub.publish(JobsChanged(dict.fromkeys(map(str, range(11)))))
    assert await next_of(hub.follow(last)) == "reset"


async def test_what_was_forgotten_is_told_by_a_reset() -> None:
    """Also to who had seen the last batch, as there may have been changes since."""
    hub = EventHub("start")
    publish(hub, 1)
    seen = hub.last
    hub.forget()
    follower = hub.follow(seen)
    assert await next_of(follower) == "reset"
    publish(hub, 2)
    assert await next_of(follower) == 2


async def test_the_end_lets_followers_go() -> None:
    """After what there still is; what is published later is for nobody."""
    hub = EventHub("start")
    follower = hub.follow(hub.last)
    publish(hub, 1)
    hub.close()
    hub.close()
    publish(hub, 2)
    assert await next_of(follower) == 1
    assert [batch async for batch in follower] == []


@given(st.lists(st.integers(0, 5), max_size=20), st.integers(1, 6))
async def test_nothing_is_lost_or_told_twice(bursts: list[int], kept: int) -> None:
    """A follower sees each batch once and in order, or a reset in place of those it missed."""
    hub = EventHub("start", batches=kept)
    follower = hub.follow(hub.last)
    number = seen = 0
    for burst in bursts:
        for _ in range(burst):
            number += 1
            publish(hub, number)
        if number == seen:
            continue
        news = await next_of(follower)
        if news == "reset":
            assert number - seen > kept
            seen = number
        else:
            assert news == seen + 1
            seen += 1
    await follower.aclose()


@given(st.text(max_size=30))
def test_any_text_is_an_id(text: str) -> None:
    """Of this engine only if this engine has made it."""
    hub = EventHub("20261122T084703.000000Z")
    assert EventId.parse(str(hub.last)) == hub.last
    assert EventId.parse(text).start != hub.last.start


def test_an_event_that_says_nothing_is_none() -> None:
    """A batch has at least one."""
    hub = EventHub("start")
    hub.publish()
    assert hub.last.number == 0
    hub.publish(ConfirmChanged(Level.AVERAGE), ConfirmChanged(None))
    assert hub.last.number == 1
