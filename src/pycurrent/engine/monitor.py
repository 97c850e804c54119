"""Inputs from outside that are watched.

While some component needs a monitor, one task of the engine watches it:

    watch ──► read ──► show ──► wait for a refresh ──► read ...

It watches before it reads, so that no change is missed, and refreshes that come during a read
make one more read after it. One that is polled is refreshed by the engine's clock. Components that
use the same `Monitor` object share one task. How it watches, and how it ends, is told in
`monitor_task.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from pycurrent.engine.arguments import check_functions, check_paths, check_watching
from pycurrent.engine.changes import ChangeText
from pycurrent.engine.monitor_task import Leaving, MonitorTask
from pycurrent.engine.pinnable import Pinnable, RecordedValue
from pycurrent.engine.pins import Pins
from pycurrent.engine.tasks import failure_of
from pycurrent.engine.value_codec import ValueCodec, type_returned_by
from pycurrent.engine.watching import FileWatcher, Paths, file_watcher, watch_paths
from pycurrent.term import Metadata, Output, Primitive, Reading, Runtime, Subscription

if TYPE_CHECKING:
    from pycurrent.engine.open_engine import OpenEngine

T = TypeVar("T")

Watch = Callable[[Callable[[], None]], AbstractAsyncContextManager[object]]

_UNNAMED = "monitor"
_UNNAMED_FILES = "files"


class Monitor(Generic[T]):
    """Watches an external input.

    `read()`, async or not, gives the value now; what it raises is the failure of the input
    until the next refresh. One that isn't async must not block. `watch(refresh)` is an async
    context manager that calls `refresh()`, from any thread, whenever the value may have
    changed. It is left normally when nobody needs the input any more: the code after its
    `yield` runs, for up to ten seconds. Its exception is the failure of the input, too, and it is
    entered again after half a minute. `describe` is the name of the input, a text or a function
    that returns one.

    `every` has it read again so long after the last read has ended, up to a tenth earlier, so that
    many inputs don't all ask at once. While reads fail the pause doubles each time, up to ten
    minutes, or `every` if that is longer. It needs no `watch` then, but may have one as well.

    `type` is the type of the values, by default that which `read` is annotated to return. With a
    name, and a type whose values have a stable form, what it reads is kept, so that a stage can be
    held at an earlier value. Of other values only a short text is kept.
    """

    given_instead: ClassVar[str] = 'write component("name", monitor.get)'
    """The hint in the message when a monitor is given in the place of a current."""

    # The first two are what T can be told from; the third is for subclasses.
    @overload
    def __init__(
        self,
        *,
        read: Callable[[], Awaitable[T]],
        watch: Watch | None = ...,
        every: timedelta | None = ...,
        describe: str | Callable[[], str] = ...,
        type: object = ...,
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        read: Callable[[], T],
        watch: Watch | None = ...,
        every: timedelta | None = ...,
        describe: str | Callable[[], str] = ...,
        type: object = ...,
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        read: Callable[[], T | Awaitable[T]],
        watch: Watch | None = ...,
        every: timedelta | None = ...,
        describe: str | Callable[[], str] = ...,
        type: object = ...,
    ) -> None: ...
    def __init__(
        self,
        *,
        read: Callable[[], T | Awaitable[T]],
        watch: Watch | None = None,
        every: timedelta | None = None,
        describe: str | Callable[[], str] = _UNNAMED,
        type: object = None,
    ) -> None:
        check_functions("Monitor", read=read)
        check_watching("Monitor", watch, every)
        if not isinstance(describe, str):
            check_functions("Monitor", describe=describe)
        self.read = read
        self.watch = watch
        self.every = every
        self.describe = _given(describe) if isinstance(describe, str) else describe
        self._type = type
        self._is_named = describe != _UNNAMED

    def __repr__(self) -> str:
        try:
            return f"<Monitor {self.describe()}>"
        except BaseException as error:
            return f"<Monitor that can't be described: {failure_of(error, 'that').message}>"

    @property
    def identity(self) -> str | None:
        """The name of the input, the same in each run of the program: the `describe` of its author.

        Records and plans know the input by it, as after a restart it is another object. None if
        its author gave nothing, or if that raises: then nothing can be known of earlier runs.
        """
        if not self._is_named:
            return None
        try:
            return self.describe()
        except BaseException:
            return None

    @property
    def type(self) -> object:
        """The type of its values; None if it is not known."""
        return type_returned_by(self.read) if self._type is None else self._type

    def get(self) -> Primitive[T]:
        """The input. It is watched while a component needs it."""
        return _MonitorPrimitive(self)

    async def describe_change(self, old: T, new: T) -> ChangeText | None:
        """Tell more about a change than both values: who made it, and what it consists of. None:
        nothing more. Subclasses override it.

        Called beside all else, after what follows from the change was begun. If it raises, nothing
        more is told.
        """
        return None

    async def prepare(self, engine: OpenEngine, value: T) -> None:
        """Called with each value that was read, before it is shown: for what has to be known in the
        same step. Subclasses override it. If it raises, that is the failure of the input.
        """

    def note(self) -> str | None:
        """Tell more about the input than its value, as it is now: how old it is, say. Asked after
        each read. Subclasses override it.
        """
        return None

    def watching(
        self, engine: OpenEngine, refresh: Callable[[], None]
    ) -> AbstractAsyncContextManager[object]:
        """`watch` in an engine: kinds of monitors that share one of its services override it."""
        return nullcontext() if self.watch is None else self.watch(refresh)


def _given(text: str) -> Callable[[], str]:
    return lambda: text


class Monitors:
    """The monitors that an engine watches: a service of the engine."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._watched: dict[Monitor[Any], MonitorTask[Any]] = {}
        self._ending: dict[Monitor[Any], asyncio.Future[None]] = {}
        """Done when the last watch of a monitor has ended, or is waited for no longer."""
        self._unneeded: set[Monitor[Any]] = set()
        engine.on_close(self.aclose)
        engine.after_step(self._unwatch)

    def task_of(self, monitor: Monitor[Any]) -> MonitorTask[Any]:
        task = self._watched.get(monitor)
        if task is None:
            last = self._ending.get(monitor)
            task = self._watched[monitor] = MonitorTask(self._engine, monitor, after=last)
        return task

    def note_changed(self, monitor: Monitor[Any]) -> None:
        """Ask a monitor for its note again, and show it. Nothing, if it is not watched."""
        task = self._watched.get(monitor)
        if task is not None:
            self._engine.when_step_is_done(task.show_note)

    def leave(self, monitor: Monitor[Any], user: object) -> None:
        """A user of the monitor is gone. Without users it ends once the step is over: it may
        be needed again within it.
        """
        task = self._watched.get(monitor)
        if task is not None:
            task.users.pop(user, None)
            if not task.users:
                self._unneeded.add(monitor)

    def _unwatch(self) -> None:
        unneeded, self._unneeded = self._unneeded, set()
        for monitor in unneeded:
            if not self._watched[monitor].users:
                self._end(monitor, self._watched.pop(monitor))

    def _end(self, monitor: Monitor[Any], task: MonitorTask[Any]) -> None:
        leaving = Leaving(task, self._engine.stop_grace)
        ended = self._ending[monitor] = leaving.ended

        def forget(_: object) -> None:
            if self._ending.get(monitor) is ended:
                del self._ending[monitor]

        ended.add_done_callback(forget)

    async def aclose(self) -> None:
        for monitor, task in self._watched.items():
            self._end(monitor, task)
        self._watched.clear()
        if self._ending:
            await asyncio.wait(list(self._ending.values()))


class _MonitorPrimitive(Primitive[T]):
    __slots__ = ("_monitor",)

    def __init__(self, monitor: Monitor[T]) -> None:
        self._monitor = monitor

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T]:
        return _MonitorSubscription(self._monitor, runtime, changed)


class _MonitorSubscription(Pinnable[T]):
    def __init__(self, monitor: Monitor[T], runtime: Runtime, changed: Callable[[], None]) -> None:
        self.changed = changed
        self._monitors = runtime.service(Monitors)
        self._monitor = monitor
        self._task: MonitorTask[T] = self._monitors.task_of(monitor)
        self._task.users[self] = changed
        self._pins = runtime.service(Pins)
        self._pins.begin(self, runtime)

    def read(self) -> tuple[Output[T], Metadata | None]:
        return self.held() or (self._task.output, self._task.metadata)

    @property
    def is_input(self) -> bool:
        return True

    def reading(self) -> Reading:
        task = self._task
        return Reading(self._monitor.identity, task.output, self._monitor, text_of=task.text_of)

    @property
    def codec(self) -> ValueCodec | None:
        return self._task.codec

    def present(self) -> tuple[Output[Any], str | None]:
        return self._task.output, None

    def recorded(self) -> Iterator[RecordedValue]:
        return self._pins.recorded_of(self._monitor.identity)

    def pin_changed(self) -> None:
        """Nothing else depends on it."""

    def close(self) -> None:
        self._pins.end(self)
        self._monitors.leave(self._monitor, self)


def engine_files(engine: OpenEngine) -> FileWatcher:
    """The watcher that all of an engine's inputs share: a service of the engine."""
    if engine.config.once:
        from pycurrent.engine.watching.looking import LookingWatcher

        looking = LookingWatcher()
        engine.before_settled(looking.look)
        watcher: FileWatcher = looking
    else:
        watcher = file_watcher()

    async def close() -> None:
        watcher.close()

    engine.on_close(close)
    return watcher


class FileMonitor(Monitor[T]):
    """Watches an input that is read from files.

    `read` gives the value now, and is called again whenever one of `paths()` has changed; they
    need not exist. A file changes when it is made, written, replaced or removed, or its
    permissions change; a folder also when that happens to one of its entries, but not further
    down: give the folders below it, too, if they matter. A file system of another machine may not
    tell of changes that are made over there: have it read `every` so often as well. `describe` is
    its name, or a function that gives it, and `type` that of the value, as with `Monitor`.
    """

    def __init__(
        self,
        *,
        read: Callable[[], T | Awaitable[T]],
        paths: Paths,
        every: timedelta | None = None,
        describe: str | Callable[[], str] = _UNNAMED_FILES,
        type: object = None,
    ) -> None:
        check_functions("FileMonitor", read=read, paths=paths)
        super().__init__(
            read=read,
            watch=lambda refresh: watch_paths(self.paths, refresh),
            every=every,
            describe=describe,
            type=type,
        )
        self.paths: Paths = lambda: check_paths("FileMonitor", paths())
        self._is_named = describe != _UNNAMED_FILES

    @property
    def identity(self) -> str | None:
        """As for each monitor; without a name, what it watches: its paths."""
        if self._is_named:
            return super().identity
        try:
            return ", ".join(sorted(map(str, self.paths()))) or None
        except BaseException:
            return None

    def watching(
        self, engine: OpenEngine, refresh: Callable[[], None]
    ) -> AbstractAsyncContextManager[object]:
        return engine.service(engine_files).watch(self.paths, refresh)
