"""A monitor that is watched: one task, from when somebody needs it until it has been left.

    waits for the last watch of the monitor ──► enters ──► follows ──► leaves ──► ended
                                                  ▲           │
                                                  └── pauses ◄┘ it has failed

While it follows, it reads, shows the value, and waits for a refresh, or until it is polled. When
it is *released* it does so no longer: it leaves the watch normally, so that what its author wrote
after a `yield` runs. In any other state there is nothing to leave, and it is cancelled, unless it
waits for the last watch: the next one must not begin before that has ended.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pycurrent.engine.clock import Clock
from pycurrent.engine.machine import attributed, blame
from pycurrent.engine.tasks import failure_by, leave_alone, this_task
from pycurrent.engine.value_codec import ValueCodec, codec_or_none, text_or_none
from pycurrent.term import Active, Activity, Failed, Metadata, Ok, Output

if TYPE_CHECKING:
    from pycurrent.engine.monitor import Monitor
    from pycurrent.engine.open_engine import OpenEngine

T = TypeVar("T")

_log = logging.getLogger(__name__)

RETRY = timedelta(seconds=30)
"""How long after the watch itself has failed it is tried again."""

MANY = 10
"""Reads in a row during which the value may have changed, after which one takes it slower."""

SLOWER = timedelta(seconds=1)

LONGEST_POLL = timedelta(minutes=10)
"""The longest pause between polls that fail, unless it is polled less often anyway."""

HEEDS_WITHIN = 5.0
"""Seconds that a watch has to end once it is cancelled."""


class MonitorTask(Generic[T]):
    """A monitor that is watched now."""

    def __init__(
        self, engine: OpenEngine, monitor: Monitor[T], *, after: asyncio.Future[None] | None
    ) -> None:
        """Watches once the last watch of the monitor has ended, as `after` tells."""
        self.output: Output[T] = Active(Activity.RUNNING)
        self.metadata = _last_known(engine, monitor)
        """Until the first read: the value of the last run, which is shown and never used."""
        self.users: dict[object, Callable[[], None]] = {}
        self._engine = engine
        self._monitor = monitor
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._stale = asyncio.Event()
        self._released: asyncio.Future[None] = self._loop.create_future()
        self._may_be_cancelled = False
        """True while there is nothing to leave, and nobody to wait for."""
        # Taken until a value is shown that was read after the last refresh.
        self._reading = engine.busy_token()
        self._reading.acquire()
        self.task = self._loop.create_task(self._run(after), name=f"{monitor!r}")

    def release(self) -> None:
        """Nobody needs it any more: leave the watch. The engine is not idle before it is left.

        Twice does nothing more.
        """
        if not self._released.done():
            self._released.set_result(None)
            self._reading.acquire()
            self._stale.set()
            if self._may_be_cancelled:
                self.task.cancel()

    def close(self) -> None:
        """It has ended, or is waited for no longer."""
        self._reading.close()

    def __repr__(self) -> str:
        return repr(self._monitor)

    @cached_property
    def codec(self) -> ValueCodec | None:
        """Reads its values back; None if that can't be done."""
        what = f"value of {self._monitor.identity or 'a monitor'}"
        return codec_or_none(self._engine.codec_of, self._monitor.type, what=what)

    def text_of(self, value: T) -> str | None:
        """A text from which a value can be read back; None if it has none."""
        return None if self.codec is None else text_or_none(self.codec, value)

    # The task

    async def _run(self, after: asyncio.Future[None] | None) -> None:
        if after is not None:
            await asyncio.wait([after])
        owner = this_task()
        while not self._released.done():
            self._may_be_cancelled = True
            try:
                await self._watch()
            except BaseException as error:
                failure = attributed(failure_by(error, "its watch", owner), blame(error))
                if self._released.done():
                    _log.warning("%r: the end of the watch failed: %s", self._monitor, failure)
                    return
                await self._engine.between_steps()
                self._stale.clear()
                self._show(failure)
                self._may_be_cancelled = True
                await self._engine.clock.sleep(RETRY)

    async def _watch(self) -> None:
        async with self._monitor.watching(self._engine, self._refresh):
            self._may_be_cancelled = False
            await self._follow()

    async def _follow(self) -> None:
        """Read and show until released."""
        in_a_row = 0
        polling = _Polling(self._engine.clock, self._monitor.every, self._refresh)
        while not self._released.done():
            self._stale.clear()
            output = await self._read()
            await self._engine.between_steps()
            if self._released.done() or output is None:
                return
            self._show(output)
            in_a_row = in_a_row + 1 if self._stale.is_set() else 0
            if in_a_row >= MANY:
                await self._take_it_slower(first=in_a_row == MANY)
            # Others have their turn, even if it is refreshed all the time.
            await asyncio.sleep(0)
            with polling.after(output):
                await self._stale.wait()

    async def _take_it_slower(self, *, first: bool) -> None:
        if first:
            _log.warning(
                "%r is refreshed whenever it is read, so it is read once a second: does its read"
                " call refresh, or change what is watched?",
                self._monitor,
            )
        pause = asyncio.ensure_future(self._engine.clock.sleep(SLOWER))
        try:
            await asyncio.wait([pause, self._released], return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()

    async def _read(self) -> Output[T] | None:
        """The output of the input now; None if it was released meanwhile."""
        owner = this_task()
        try:
            value = self._monitor.read()
            if inspect.isawaitable(value):
                reading = asyncio.ensure_future(self._awaited(value))
                await self._unless_released(reading)
                return None if reading.cancelled() else reading.result()
            await self._monitor.prepare(self._engine, value)
            return Ok(value)
        except BaseException as error:
            return attributed(failure_by(error, "its read", owner), blame(error))

    async def _awaited(self, value: Awaitable[T]) -> Output[T]:
        owner = this_task()
        try:
            found = await value
            await self._monitor.prepare(self._engine, found)
            return Ok(found)
        except BaseException as error:
            return attributed(failure_by(error, "its read", owner), blame(error))

    async def _unless_released(self, reading: asyncio.Task[Output[T]]) -> None:
        """Wait for a read; once released, cancel it, and wait for it all the same."""
        awaited: list[asyncio.Future[Any]] = [reading, self._released]
        try:
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                reading.cancel()
                await asyncio.wait([reading])
        finally:
            reading.cancel()

    def _refresh(self) -> None:
        if threading.get_ident() == self._thread:
            self._read_again()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._read_again)

    def _read_again(self) -> None:
        self._stale.set()
        self._reading.acquire()

    def _show(self, output: Output[T]) -> None:
        self.output = output
        self.show_note()
        if not self._stale.is_set():
            self._reading.release()

    def show_note(self) -> None:
        """Show the output with the note of now."""
        note = self._monitor.note()
        self.metadata = None if note is None else Metadata(note=note)
        for changed in list(self.users.values()):
            changed()


class _Polling:
    """The pauses after which an input is read again; none for one that is not polled."""

    def __init__(self, clock: Clock, every: timedelta | None, refresh: Callable[[], None]) -> None:
        self._clock = clock
        self._every = every
        self._pause = every
        self._refresh = refresh

    @contextmanager
    def after(self, output: Output[object]) -> Iterator[None]:
        """Refresh it when the pause after this output is over, unless the block ends before."""
        if self._every is None or self._pause is None:
            yield
            return
        if isinstance(output, Failed):
            self._pause = max(self._every, min(2 * self._pause, LONGEST_POLL))
        else:
            self._pause = self._every
        timer = self._clock.call_later(self._clock.spread(self._pause), self._refresh)
        try:
            yield
        finally:
            timer.cancel()


def _last_known(engine: OpenEngine, monitor: Monitor[Any]) -> Metadata | None:
    name = monitor.identity
    known = None if name is None else engine.store.change_tables.input(name)
    return None if known is None else Metadata(note=f"last known: {known.shown}")


class Leaving:
    """The end of a watch: one that takes too long is cancelled, and then left alone."""

    def __init__(self, watched: MonitorTask[Any], grace: float) -> None:
        """Releases it; `grace`: seconds before it is cancelled."""
        self._watched = watched
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        """Done when it has ended, or is waited for no longer."""
        self._timer = self._loop.call_later(grace, self._cancel)
        watched.task.add_done_callback(self._end)
        watched.release()

    def _cancel(self) -> None:
        _log.warning("%r does not leave its watch: it is cancelled", self._watched)
        self._watched.task.cancel()
        self._timer = self._loop.call_later(HEEDS_WITHIN, self._give_up)

    def _give_up(self) -> None:
        _log.error("%r does not end its watch: it is left alone", self._watched)
        leave_alone(self._watched.task)
        self._end(self._watched.task)

    def _end(self, _: object) -> None:
        self._timer.cancel()
        self._watched.close()
        if not self.ended.done():
            self.ended.set_result(None)
