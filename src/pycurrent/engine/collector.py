"""Python's garbage collector, which looks through everything whenever it finds that due.

With 100,000 stages such a full collection takes half a second, in which the loop stands still, and
comes just when much is being made. So while an engine is open

- full collections begin when it is idle, and not by themselves (`full_collections_held`);
- what the pipeline is made of is *frozen*: no collection but the daily one looks at it;
- none begins in the middle of a step (`paused_collector`);
- those of what is young begin after three times as many new objects: jobs that end soon are gone by
  then, and need not be looked through.

Jobs and nodes leave no cycles behind, so they are freed without any. The collector is the
process's: a program that has turned it off, or has frozen things itself, is left alone as far as
that goes; and when the last engine is closed, all is as it was.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock

from pycurrent.engine.clock import Clock

_NEVER = 1_000_000_000
_YOUNG = 2000
"""New objects after which what is young is collected, unless it is more anyway, or never."""
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1).total_seconds()


class _Hold:
    """The hold that the open engines of this process have on full collections."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._engines = 0
        self._thresholds = (0, 0, 0)
        self.is_on = False
        self.freezes = False
        """False if somebody else has frozen things: ours could not be thawed without those."""

    def begin(self) -> None:
        with self._lock:
            self._engines += 1
            if self._engines == 1:
                self._thresholds = gc.get_threshold()
                self.freezes = not gc.get_freeze_count()
                self.is_on = True
                young, middle, _ = self._thresholds
                gc.set_threshold(young and max(young, _YOUNG), middle, _NEVER)

    def end(self) -> None:
        with self._lock:
            self._engines -= 1
            if self._engines == 0:
                self.is_on = False
                if self.freezes:
                    # Freezing also makes the collector forget that a full collection is overdue.
                    gc.freeze()
                    gc.unfreeze()
                gc.set_threshold(*self._thresholds)


# State of the module, as there is one collector in a process: engines share it.
_HOLD = _Hold()


@contextmanager
def paused_collector(*, stays: bool = False) -> Iterator[None]:
    """Collect no garbage in the block, which makes much that stays.

    The collector looks through all that is young whenever there is enough of it: with a pipeline
    of 100,000 items that was two thirds of the first step, and it found nothing. The block must be
    short and synchronous; a block within a block, and a collector that somebody has turned off, are
    left alone.

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
        if stays:
            _take_for_old()
        gc.enable()


def collect_young() -> None:
    """Collect what is young now, where full collections are held.

    By itself the collector begins when more things have come than have gone. Where 100,000 jobs end
    and their results come, none begins for long, and then one holds up the loop.
    """
    if _HOLD.is_on:
        gc.collect(1)


def turn_on_collector() -> None:
    """Turn the collector on; it takes all that there is now for old, without a look."""
    _take_for_old()
    gc.enable()


def _take_for_old() -> None:
    if _HOLD.is_on:
        if _HOLD.freezes:
            gc.freeze()
    elif not gc.get_freeze_count():
        # Frozen things and back: among the old ones. Things that somebody has frozen would be
        # thawed with them.
        gc.freeze()
        gc.unfreeze()


@contextmanager
def full_collections_held(clock: Clock, is_idle: Callable[[], bool]) -> Iterator[None]:
    """In the block, begin full collections only while `is_idle()`: see `Rest`. Leaves the collector
    alone if it is turned off. Several blocks may overlap.
    """
    if not gc.isenabled():
        yield
        return
    _HOLD.begin()
    rest = Rest(clock, is_idle)
    try:
        yield
    finally:
        rest.end()
        _HOLD.end()


class Rest:
    """Collects garbage in full once an hour, at a minute when the engine is idle, until `end`.

    That looks only through what has been made since the last time; once a day through all.
    """

    def __init__(self, clock: Clock, is_idle: Callable[[], bool]) -> None:
        self._clock = clock
        self._is_idle = is_idle
        self._daily = clock.monotonic()
        self._timer = clock.call_later(_HOUR, self._look)

    def _look(self) -> None:
        if self._is_idle():
            self._collect()
            self._timer = self._clock.call_later(_HOUR, self._look)
        else:
            self._timer = self._clock.call_later(_MINUTE, self._look)

    def _collect(self) -> None:
        now = self._clock.monotonic()
        if _HOLD.freezes and now - self._daily >= _DAY:
            self._daily = now
            gc.unfreeze()
        gc.collect()
        if _HOLD.freezes:
            gc.freeze()

    def end(self) -> None:
        """Collect no more. Twice is fine."""
        self._timer.cancel()
