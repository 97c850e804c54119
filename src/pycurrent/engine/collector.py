"""Keeping the garbage collector out of the way of a step."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from pycurrent.engine.clock import Clock


@contextmanager
def paused_collector(*, stays: bool = False) -> Iterator[None]:
    """Collect no garbage in the block, which makes much that stays.

    The collector looks through all that is young whenever there is enough of it, and time and
    again through everything: with a pipeline of 100,000 items that was two thirds of the first
    step, and it found nothing. It is the process's, so the block must be short and synchronous;
    a block within a block, and a collector that somebody has turned off, are left alone.

    `stays`: as good as all that the block makes is there to stay. Then the collector takes it for
    old, and does not look through it at once either.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        # Frozen things and back: among the old ones, without a look at each. Where somebody has
        # frozen others, these would be thawed with them; counting them takes time for each, so that
        # is not done in a process of ours, where no full collection comes by itself.
        if stays and gc.get_threshold()[2] != _NEVER and not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
        gc.enable()


_NEVER = 1_000_000_000
_MINUTE = timedelta(minutes=1)
_HOUR = 3600.0
_DAY = 24 * _HOUR


def keep_all_that_is() -> None:
    """Have the collector leave alone what there is now, and begin no full collection by itself.

    For a process of ours whose pipeline has just been built: it stays. A full collection looks
    through everything, half a second with 100,000 items, and comes just when much is being made;
    `collect_at_rest` makes up for it. Jobs leave no cycles behind, so none may be needed for days.
    """
    gc.freeze()
    young, old, _ = gc.get_threshold()
    gc.set_threshold(young, old, _NEVER)
    gc.enable()


async def collect_at_rest(clock: Clock, is_idle: Callable[[], bool]) -> None:
    """Collect garbage in full once an hour, at a minute when the engine is idle, until cancelled.

    That looks only through what has been made since the last time; once a day through all.
    """
    hourly = daily = clock.monotonic()
    while True:
        await clock.sleep(_MINUTE)
        now = clock.monotonic()
        if now - hourly < _HOUR or not is_idle():
            continue
        hourly = now
        if now - daily >= _DAY:
            daily = now
            gc.unfreeze()
        gc.collect()
        gc.freeze()
