"""The garbage collector of a process of ours."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from datetime import timedelta

import pytest

from pycurrent.engine.collector import collect_at_rest, keep_all_that_is, paused_collector
from pycurrent.engine.tasks import cancelled
from pycurrent.testing import VirtualClock


class Ring:
    """Refers to itself, so only the collector can remove it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """The collector as Python sets it up, whatever earlier tests have left; and as it was."""
    thresholds = gc.get_threshold()
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    gc.enable()


def grown() -> weakref.ref[Ring]:
    """A ring that is in the oldest generation."""
    ring = Ring()
    gc.collect(1)
    gc.collect(1)
    return weakref.ref(ring)


async def test_no_full_collection_begins_by_itself() -> None:
    """However much is made; what is young is collected as ever."""
    keep_all_that_is()
    full: list[int] = []

    def told(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            full.append(info["generation"])

    gc.callbacks.append(told)
    try:
        kept = [[[number]] for number in range(200_000)]
    finally:
        gc.callbacks.remove(told)
    assert len(kept) == 200_000
    assert full
    assert 2 not in full


async def test_garbage_is_collected_once_the_engine_is_idle() -> None:
    """Not before an hour has passed, nor while it works."""
    clock = VirtualClock()
    idle = False
    keep_all_that_is()
    ring = grown()
    collecting = asyncio.create_task(collect_at_rest(clock, lambda: idle))

    async def pass_by(minutes: int) -> None:
        for _ in range(minutes):
            await asyncio.sleep(0)
            clock.move(timedelta(minutes=1))
        await asyncio.sleep(0)

    await pass_by(70)
    assert ring() is not None
    idle = True
    await pass_by(1)
    await asyncio.sleep(0)
    assert ring() is None
    await cancelled(collecting)


def is_old(thing: object) -> bool:
    return any(old is thing for old in gc.get_objects(2))


def test_a_block_whose_things_stay_makes_old_ones() -> None:
    """So no collection of young things looks through them; a full one still finds their garbage."""
    with paused_collector(stays=True):
        ring = Ring()
    assert gc.isenabled()
    assert is_old(ring)
    gone = weakref.ref(ring)
    del ring
    gc.collect(1)
    assert gone() is not None
    gc.collect()
    assert gone() is None


def test_things_that_somebody_has_frozen_stay_frozen() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    with paused_collector(stays=True):
        ring = Ring()
    assert gc.get_freeze_count() >= frozen > 0
    assert not is_old(ring)
