"""Inputs from outside that are watched.

While some component needs a monitor, one task of the engine watches it:

    watch ──► read ──► show ──► wait for a refresh ──► read ...

It watches before it reads, so that no change is missed, and refreshes that come during a read
make one more read after it. When nobody needs it any more the task is cancelled, and the watch
ends. Components that use the same `Monitor` object share one task.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from pycurrent.engine.machine import attributed, blame
from pycurrent.term import (
    Active,
    Activity,
    Metadata,
    Ok,
    Output,
    Primitive,
    Runtime,
    Subscription,
    failed_by,
)

if TYPE_CHECKING:
    from pycurrent.engine.engine import Engine

T = TypeVar("T")

_log = logging.getLogger(__name__)

RETRY = timedelta(seconds=30)
"""How long after the watch itself has failed it is tried again."""


class Monitor(Generic[T]):
    """Watches an external input.

    `read()`, async or not, gives the value now; what it raises is the failure of the input
    until the next refresh. One that isn't async must not block. `watch(refresh)` is an async
    context manager that calls `refresh()`, from any thread, whenever the value may have
    changed. `describe()` is how it is called.
    """

    # The first two are what T can be told from; the third is for subclasses.
    @overload
    def __init__(
        self,
        *,
        read: Callable[[], Awaitable[T]],
        watch: Callable[[Callable[[], None]], AbstractAsyncContextManager[object]],
        describe: Callable[[], str] = ...,
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        read: Callable[[], T],
        watch: Callable[[Callable[[], None]], AbstractAsyncContextManager[object]],
        describe: Callable[[], str] = ...,
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        read: Callable[[], T | Awaitable[T]],
        watch: Callable[[Callable[[], None]], AbstractAsyncContextManager[object]],
        describe: Callable[[], str] = ...,
    ) -> None: ...
    def __init__(
        self,
        *,
        read: Callable[[], T | Awaitable[T]],
        watch: Callable[[Callable[[], None]], AbstractAsyncContextManager[object]],
        describe: Callable[[], str] = lambda: "monitor",
    ) -> None:
        self.read = read
        self.watch = watch
        self.describe = describe

    def __repr__(self) -> str:
        return f"<Monitor {self.describe()}>"

    def get(self) -> Primitive[T]:
        """The input. It is watched while a component needs it."""
        return _Monitored(self)

    def watching(
        self, engine: Engine, refresh: Callable[[], None]
    ) -> AbstractAsyncContextManager[object]:
        """`watch` in an engine: kinds of monitors that share one of its services override it."""
        return self.watch(refresh)


class Watcher(Generic[T]):
    """A monitor that is watched now."""

    def __init__(
        self, engine: Engine, monitor: Monitor[T], *, after: asyncio.Task[None] | None
    ) -> None:
        """Watches once the last watch of the monitor, `after`, has ended."""
        self.output: Output[T] = Active(Activity.RUNNING)
        self.users: dict[object, Callable[[], None]] = {}
        self._engine = engine
        self._monitor = monitor
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._stale = asyncio.Event()
        # Taken until a value is shown that was read after the last refresh.
        self._reading = engine.hold()
        self._reading.take()
        self.task = self._loop.create_task(self._run(after), name=f"monitor {monitor.describe()}")

    async def _run(self, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.wait([after])
        task = asyncio.current_task()
        assert task is not None
        while True:
            try:
                async with self._monitor.watching(self._engine, self._refresh):
                    await self._follow()
            except Exception as error:
                if task.cancelling():
                    _log.warning("%s: the end of the watch failed: %s", self._monitor, error)
                    return
                self._stale.clear()
                self._show(attributed(failed_by(error), blame(error)))
                await self._engine.clock.sleep(RETRY)
            else:
                # Only a watch that hides the cancellation gets here.
                return

    async def _follow(self) -> None:
        while True:
            self._stale.clear()
            self._show(await self._read())
            await self._stale.wait()

    async def _read(self) -> Output[T]:
        try:
            value = self._monitor.read()
            if inspect.isawaitable(value):
                value = await value
            return Ok(value)
        except Exception as error:
            return attributed(failed_by(error), blame(error))

    def _refresh(self) -> None:
        if threading.get_ident() == self._thread:
            self._read_again()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._read_again)

    def _read_again(self) -> None:
        self._stale.set()
        self._reading.take()

    def closed(self, _: object) -> None:
        """The task has ended."""
        self._reading.close()

    def _show(self, output: Output[T]) -> None:
        self.output = output
        for changed in list(self.users.values()):
            changed()
        if not self._stale.is_set():
            self._reading.drop()


class Monitors:
    """The monitors that an engine watches: a service of the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._watched: dict[Monitor[Any], Watcher[Any]] = {}
        self._ending: dict[Monitor[Any], asyncio.Task[None]] = {}
        self._unneeded: set[Monitor[Any]] = set()
        engine.on_close(self.aclose)
        engine.after_step(self._unwatch)

    def watcher(self, monitor: Monitor[Any]) -> Watcher[Any]:
        watcher = self._watched.get(monitor)
        if watcher is None:
            last = self._ending.get(monitor)
            watcher = self._watched[monitor] = Watcher(self._engine, monitor, after=last)
        return watcher

    def leave(self, monitor: Monitor[Any], user: object) -> None:
        """A user of the monitor is gone. Without users it ends once the step is over: it may
        be needed again within it.
        """
        watcher = self._watched.get(monitor)
        if watcher is not None:
            watcher.users.pop(user, None)
            if not watcher.users:
                self._unneeded.add(monitor)

    def _unwatch(self) -> None:
        unneeded, self._unneeded = self._unneeded, set()
        for monitor in unneeded:
            if not self._watched[monitor].users:
                self._end(monitor, self._watched.pop(monitor))

    def _end(self, monitor: Monitor[Any], watcher: Watcher[Any]) -> None:
        task = watcher.task
        last, self._ending[monitor] = self._ending.get(monitor), task

        def ended(_: object) -> None:
            if self._ending.get(monitor) is task:
                del self._ending[monitor]

        task.add_done_callback(ended)
        task.add_done_callback(watcher.closed)
        if last is None or last.done():
            task.cancel()
        else:
            # It has not begun to watch: it waits for the last one, and then has nothing to do.
            last.add_done_callback(lambda _: task.cancel())

    async def aclose(self) -> None:
        for monitor, watcher in self._watched.items():
            self._end(monitor, watcher)
        self._watched.clear()
        while self._ending:
            await asyncio.wait(list(self._ending.values()))


class _Monitored(Primitive[T]):
    __slots__ = ("_monitor",)

    def __init__(self, monitor: Monitor[T]) -> None:
        self._monitor = monitor

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T]:
        return _Watch(runtime.service(Monitors), self._monitor, changed)


class _Watch(Subscription[T]):
    def __init__(
        self, monitors: Monitors, monitor: Monitor[T], changed: Callable[[], None]
    ) -> None:
        self._monitors = monitors
        self._monitor = monitor
        self._watcher: Watcher[T] = monitors.watcher(monitor)
        self._watcher.users[self] = changed

    def read(self) -> tuple[Output[T], Metadata | None]:
        return self._watcher.output, None

    def close(self) -> None:
        self._monitors.leave(self._monitor, self)
