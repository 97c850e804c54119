"""The garbage collector of a process in which an engine is open."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent import Engine, constant
from pycurrent.engine.collector import (
    full_collections_held,
    paused_collector,
    turn_on_collector,
)
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


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@contextmanager
def generations() -> Iterator[list[int]]:
    """The generations that are collected in the block."""
    seen: list[int] = []

    def told(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    gc.callbacks.append(told)
    try:
        yield seen
    finally:
        gc.callbacks.remove(told)


def made() -> list[list[list[int]]]:
    return [[[number]] for number in range(200_000)]


def test_no_full_collection_begins_by_itself(clock: VirtualClock) -> None:
    """However much is made; what is young is collected as ever."""
    with full_collections_held(clock, lambda: False), generations() as seen:
        kept = made()
    assert len(kept) == 200_000
    assert seen
    assert 2 not in seen


def test_no_full_collection_is_overdue_at_the_end(clock: VirtualClock) -> None:
    """Those that would have begun meanwhile are not made up for at once."""
    with full_collections_held(clock, lambda: False):
        kept = made()
    with generations() as seen:
        more = [[number] for number in range(2_000)]
    assert kept
    assert more
    assert seen
    assert 2 not in seen


async def passed(clock: VirtualClock, minutes: int) -> None:
    """Minutes go by, one by one."""
    for _ in range(minutes):
        clock.move(timedelta(minutes=1))
        await asyncio.sleep(0)


async def test_garbage_is_collected_once_the_engine_is_idle(clock: VirtualClock) -> None:
    """Not before an hour has passed, nor while it works."""
    idle = False
    with full_collections_held(clock, lambda: idle):
        ring = grown()
        await passed(clock, 70)
        assert ring() is not None
        idle = True
        await passed(clock, 1)
        assert ring() is None


async def test_what_is_frozen_is_looked_at_once_a_day(clock: VirtualClock) -> None:
    with full_collections_held(clock, lambda: True):
        with paused_collector(stays=True):
            ring = Ring()
        gone = weakref.ref(ring)
        del ring
        await passed(clock, 23 * 60 + 30)
        assert gone() is not None
        await passed(clock, 120)
        assert gone() is None


def test_the_collector_is_as_it_was_once_no_engine_holds_it(clock: VirtualClock) -> None:
    """Engines may overlap, and need not end in the order in which they began."""
    before = gc.get_threshold()
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(full_collections_held(clock, lambda: False))
        second.enter_context(full_collections_held(clock, lambda: False))
        with paused_collector(stays=True):
            ring = Ring()
        assert gc.get_freeze_count()
        first.close()
        assert gc.get_threshold() != before
    assert gc.get_threshold() == before
    assert not gc.get_freeze_count()
    gone = weakref.ref(ring)
    del ring
    gc.collect()
    assert gone() is None


def test_what_is_young_is_collected_less_often(clock: VirtualClock) -> None:
    """Unless a program has it collected even less often, or never."""
    for before, held in ((700, 2000), (5000, 5000), (0, 0)):
        gc.set_threshold(before, 10, 10)
        with full_collections_held(clock, lambda: False):
            assert gc.get_threshold()[:2] == (held, 10)
        assert gc.get_threshold() == (before, 10, 10)


def test_a_collector_that_is_off_is_left_alone(clock: VirtualClock) -> None:
    before = gc.get_threshold()
    gc.disable()
    with full_collections_held(clock, lambda: True):
        assert gc.get_threshold() == before
        with paused_collector(stays=True):
            assert not gc.isenabled()
    assert not gc.isenabled()
    assert not gc.get_freeze_count()


def test_nothing_is_frozen_beside_what_somebody_has_frozen(clock: VirtualClock) -> None:
    """It could not be thawed without that."""
    gc.collect()  # Of what is frozen nothing goes by itself then, as the last thresholds would.
    gc.freeze()
    frozen = gc.get_freeze_count()
    with full_collections_held(clock, lambda: True):
        with paused_collector(stays=True):
            ring = Ring()
        assert not is_frozen(ring)
    assert gc.get_freeze_count() >= frozen > 0


def is_frozen(thing: object) -> bool:
    return not any(found is thing for found in gc.get_objects())


def test_a_collector_that_is_turned_on_does_not_look_at_what_is_there() -> None:
    gc.disable()
    ring = Ring()
    turn_on_collector()
    assert gc.isenabled()
    assert is_old(ring)


@pytest.mark.parametrize("hold_gc", [True, False])
async def test_an_engine_holds_full_collections_while_it_is_open(
    tmp_path: Path, hold_gc: bool
) -> None:
    """Unless it is told not to."""
    before = gc.get_threshold()
    engine = Engine(lambda: constant(1), state_dir=tmp_path, hold_gc=hold_gc)
    async with engine:
        assert (gc.get_threshold() != before) is hold_gc
        assert bool(gc.get_freeze_count()) is hold_gc
    assert gc.get_threshold() == before
    assert not gc.get_freeze_count()


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
