"""Monitors: what is watched, when, and for how long."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from pycurrent.engine import FileMonitor, Monitor
from pycurrent.engine.clock import SystemClock
from pycurrent.engine.monitor_task import HEEDS_WITHIN, MANY, RETRY, SLOWER
from pycurrent.errors import UsageError
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Failure,
    Ok,
    Stats,
    Var,
    component,
    constant,
    pair,
)
from pycurrent.testing import Harness

RUNNING = Active(Activity.RUNNING)


class Input:
    """Something outside that changes."""

    def __init__(self, value: str = "first") -> None:
        self.value: str | Exception = value
        self.events: list[str] = []
        self.refresh: Callable[[], None] = lambda: None
        self.watch_error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.reading = asyncio.Event()
        self.monitor = Monitor(read=self.read, watch=self.watch, describe=lambda: "input")

    async def read(self) -> str:
        self.events.append("read")
        self.reading.set()
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    @asynccontextmanager
    async def watch(self, refresh: Callable[[], None]) -> AsyncIterator[None]:
        self.events.append("watch")
        if self.watch_error is not None:
            raise self.watch_error
        self.refresh = refresh
        try:
            yield
        finally:
            self.events.append("unwatch")

    def take(self) -> list[str]:
        events, self.events = self.events, []
        return events

    def get(self) -> Current[str]:
        return component("input", self.monitor.get)


async def test_it_is_watched_before_it_is_read_and_read_after_each_refresh(tmp_path: Path) -> None:
    """So no change is missed; and unwatched when the engine ends."""
    source = Input()
    async with Harness(source.get, state_dir=tmp_path) as h:
        assert (h.output, h.stats) == (RUNNING, Stats(running=1))
        await h.settle()
        assert (h.output, source.take()) == (Ok("first"), ["watch", "read"])
        source.value = "second"
        await h.settle()
        assert h.output == Ok("first")
        source.refresh()
        await h.settle()
        assert (h.output, source.take()) == (Ok("second"), ["read"])
    assert source.take() == ["unwatch"]


async def test_refreshes_during_a_read_make_one_more_read(tmp_path: Path) -> None:
    """However many there are."""
    source = Input()
    source.gate = asyncio.Event()
    async with Harness(source.get, state_dir=tmp_path) as h:
        await source.reading.wait()
        for _ in range(3):
            source.refresh()
        source.gate.set()
        await h.settle()
        assert source.take() == ["watch", "read", "read"]
        for _ in range(3):
            source.refresh()
        await h.settle()
        assert source.take() == ["read"]


async def test_a_read_that_fails_is_the_failure_until_the_next_refresh(tmp_path: Path) -> None:
    """The watch goes on."""
    source = Input()
    source.value = Failure("no network")
    async with Harness(source.get, state_dir=tmp_path) as h:
        await h.settle()
        assert (h.output, h.stats) == (Failed("no network"), Stats(failed=1))
        source.value = ValueError("odd")
        source.refresh()
        await h.settle()
        assert h.output == Failed("ValueError: odd")
        source.value = "back"
        source.refresh()
        await h.settle()
        assert h.output == Ok("back")
        assert source.take() == ["watch", "read", "read", "read"]


async def test_a_watch_that_fails_is_shown_and_tried_again_after_a_while(tmp_path: Path) -> None:
    """On the engine's clock."""
    source = Input()
    source.watch_error = Failure("too many watches")
    async with Harness(source.get, state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Failed("too many watches")
        await h.advance(RETRY - timedelta(seconds=1))
        assert source.take() == ["watch"]
        source.watch_error = None
        await h.advance(timedelta(seconds=1))
        assert (h.output, source.take()) == (Ok("first"), ["watch", "read"])


async def test_an_equal_value_changes_nothing(tmp_path: Path) -> None:
    """What depends on it is not computed again."""
    source = Input()
    calls: list[str] = []
    async with Harness(lambda: source.get().map(calls.append), state_dir=tmp_path) as h:
        await h.settle()
        source.refresh()
        await h.settle()
        assert calls == ["first"]


async def test_a_monitor_may_be_synchronous(tmp_path: Path) -> None:
    """Its `read`, that is."""

    @asynccontextmanager
    async def watch(refresh: Callable[[], None]) -> AsyncIterator[None]:
        yield

    monitor = Monitor(read=lambda: 7, watch=watch)
    async with Harness(lambda: component("m", monitor.get), state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Ok(7)


async def test_it_is_released_when_nobody_needs_it_and_watched_again(tmp_path: Path) -> None:
    """The last value is not taken for the new one."""
    source = Input()
    needed = Var("needed", True)

    def pipeline() -> Current[str]:
        return needed.get().bind(lambda yes: source.get() if yes else constant("none"))

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        needed.set(False)
        await h.settle()
        assert (h.output, source.take()) == (Ok("none"), ["watch", "read", "unwatch"])
        source.refresh()
        source.value = "second"
        needed.set(True)
        await h.settle()
        assert (h.output, source.take()) == (Ok("second"), ["watch", "read"])


async def test_a_new_watch_begins_when_the_old_one_has_ended(tmp_path: Path) -> None:
    """However long that takes: a port or a lock can be held by one of them only."""
    source = Input()
    needed = Var("needed", True)
    let_go = asyncio.Event()
    held: list[str] = []

    @asynccontextmanager
    async def watch(refresh: Callable[[], None]) -> AsyncIterator[None]:
        assert not held
        held.append("port")
        try:
            yield
        finally:
            await let_go.wait()
            held.pop()

    monitor = Monitor(read=source.read, watch=watch)

    def pipeline() -> Current[str]:
        return needed.get().bind(
            lambda yes: component("m", monitor.get) if yes else constant("none")
        )

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        for value in (False, True, False, True):
            needed.set(value)
            for _ in range(10):
                await asyncio.sleep(0)
        assert held == ["port"]
        let_go.set()
        await h.settle()
        assert (h.output, held) == (Ok("first"), ["port"])
    assert held == []


async def test_what_goes_and_comes_in_one_step_is_not_released(tmp_path: Path) -> None:
    """One user takes it over from another."""
    source = Input()
    which = Var("which", 0)

    def pipeline() -> Current[Any]:
        return which.get().bind(lambda n: pair(constant(n), source.get()))

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        which.set(1)
        await h.settle()
        assert (h.output, source.take()) == (Ok((1, "first")), ["watch", "read"])


async def test_two_components_share_one_watch(tmp_path: Path) -> None:
    """Of the same monitor."""
    source = Input()
    async with Harness(lambda: pair(source.get(), source.get()), state_dir=tmp_path) as h:
        await h.settle()
        assert (h.output, source.take()) == (Ok(("first", "first")), ["watch", "read"])


async def test_two_engines_watch_for_themselves(tmp_path: Path) -> None:
    """One that ends leaves the other one's watch alone."""
    source = Input()
    async with Harness(source.get, state_dir=tmp_path / "1") as one:
        await one.settle()
        async with Harness(source.get, state_dir=tmp_path / "2") as two:
            await two.settle()
            assert (one.output, two.output) == (Ok("first"), Ok("first"))
            assert source.take() == ["watch", "read"] * 2
        assert source.take() == ["unwatch"]


async def test_a_refresh_may_come_from_a_thread_and_after_the_end(tmp_path: Path) -> None:
    """Then it does nothing."""
    source = Input()
    async with Harness(source.get, state_dir=tmp_path) as h:
        await h.settle()
        source.value = "second"
        await asyncio.to_thread(source.refresh)
        await h.settle()
        assert h.output == Ok("second")
    thread = threading.Thread(target=source.refresh)
    thread.start()
    thread.join()
    source.refresh()


@pytest.mark.parametrize("how", ["raises", "hides"])
async def test_a_watch_that_resists_its_end_ends(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether it turns the cancellation into an error, or hides it."""
    source = Input()

    class Watch:
        async def __aenter__(self) -> None:
            source.events.append("watch")

        async def __aexit__(self, *error: object) -> bool:
            source.events.append("unwatch")
            if how == "raises":
                raise OSError("already gone")
            return True

    monitor = Monitor(read=source.read, watch=lambda refresh: Watch(), describe=lambda: "odd")
    async with Harness(lambda: component("m", monitor.get), state_dir=tmp_path) as h:
        await h.settle()
    assert source.take() == ["watch", "read", "unwatch"]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert ("already gone" in caplog.text) == (how == "raises")


class Watched:
    """A monitor that is needed as long as a variable says so, and what its watch does."""

    def __init__(self, leave: Callable[[], Awaitable[object]]) -> None:
        self.events: list[str] = []
        self.needed = Var("needed", True)
        self._leave = leave
        self.monitor: Monitor[int] = Monitor(read=lambda: 1, watch=self._watch, describe="the lamp")

    @asynccontextmanager
    async def _watch(self, refresh: Callable[[], None]) -> AsyncIterator[None]:
        yield
        # A plain yield: what stands here is run only if the watch is left normally.
        self.events.append("leaving")
        await self._leave()
        self.events.append("left")

    def pipeline(self) -> Current[int]:
        return self.needed.get().bind(
            lambda yes: component("m", self.monitor.get) if yes else constant(0)
        )


@pytest.mark.parametrize("how", ["not needed", "the engine ends"])
async def test_a_watch_is_left_normally(tmp_path: Path, how: str) -> None:
    """What stands after its `yield` runs, and `settle` waits for it, as it does for commands."""
    watched = Watched(lambda: asyncio.to_thread(lambda: None))
    async with Harness(watched.pipeline, state_dir=tmp_path) as h:
        await h.settle()
        if how == "not needed":
            watched.needed.set(False)
            await h.settle()
            assert watched.events == ["leaving", "left"]
    assert watched.events == ["leaving", "left"]


async def test_a_class_that_watches_is_left_without_an_error(tmp_path: Path) -> None:
    """Its `__aexit__` gets None three times, also while a read is under way, which is cancelled."""
    got: list[tuple[object, ...]] = []
    reads: list[str] = []

    class Watch:
        async def __aenter__(self) -> None:
            pass

        async def __aexit__(self, *error: object) -> None:
            got.append(error)

    async def read() -> int:
        reads.append("begun")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            reads.append("cancelled")
            raise
        return 1

    monitor: Monitor[int] = Monitor(read=read, watch=lambda refresh: Watch())
    async with Harness(lambda: component("m", monitor.get), state_dir=tmp_path) as h:
        await h.settle()
    assert (got, reads) == ([(None, None, None)], ["begun", "cancelled"])


@pytest.mark.parametrize("resists", [False, True])
async def test_a_watch_that_hangs_when_it_is_left_is_cancelled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, resists: bool
) -> None:
    """After a while; one that does not heed that is left alone. Both are said, by name."""
    go = asyncio.Event()

    async def leave() -> None:
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                if not resists:
                    raise

    watched = Watched(leave)
    async with Harness(watched.pipeline, state_dir=tmp_path) as h:
        h.engine.opened.stop_grace = 0.05
        await h.settle()
        began = monotonic()
    assert monotonic() - began < HEEDS_WITHIN + 3
    assert "<Monitor the lamp> does not leave its watch: it is cancelled" in caplog.text
    assert ("<Monitor the lamp> does not end its watch: it is left alone" in caplog.text) == resists
    go.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


class Panic(BaseException):
    """As extensions raise them."""


@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), Panic("odd"), asyncio.CancelledError(), GeneratorExit()],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("where", ["read", "async read", "watch", "enter", "exit", "describe"])
async def test_whatever_a_monitor_raises_is_its_failure(
    tmp_path: Path, error: BaseException, where: str
) -> None:
    """The engine goes on, and the monitor is read and watched again."""
    bad = [True]

    def fail(here: str) -> None:
        if where == here and bad[0]:
            raise error

    async def read_later() -> int:
        await asyncio.sleep(0)
        fail("async read")
        return 1

    def read() -> int:
        fail("read")
        return 1

    class Watch:
        async def __aenter__(self) -> None:
            fail("enter")

        async def __aexit__(self, *error: object) -> None:
            fail("exit")

    def watch(refresh: Callable[[], None]) -> Watch:
        fail("watch")
        refreshes.append(refresh)
        return Watch()

    def describe() -> str:
        fail("describe")
        return "odd"

    refreshes: list[Callable[[], None]] = []
    monitor: Monitor[int] = Monitor(
        read=read_later if where == "async read" else read, watch=watch, describe=describe
    )
    async with Harness(lambda: component("m", monitor.get), state_dir=tmp_path) as h:
        await h.settle()
        fails = where not in ("exit", "describe")
        assert isinstance(h.output, Failed) == fails
        bad[0] = where == "exit"
        if refreshes:
            refreshes[0]()
        await h.advance(RETRY)
        assert h.output == Ok(1)


async def test_a_monitor_is_described_by_a_text_or_a_function(tmp_path: Path) -> None:
    """A monitor of files, too."""
    for describe in ("the lamp", lambda: "the lamp"):
        source = Input()
        assert "the lamp" in repr(Monitor(read=source.read, watch=source.watch, describe=describe))
        files: FileMonitor[int] = FileMonitor(
            read=lambda: 1, paths=lambda: [tmp_path], describe=describe
        )
        assert "the lamp" in repr(files)


def _unclear() -> str:
    raise OSError("no such repository")


def test_an_input_is_called_the_same_in_each_run(tmp_path: Path) -> None:
    """By what its author gave to describe it, or by the files that it is read from."""

    def watch(refresh: Callable[[], None]) -> Any:
        raise AssertionError("nobody needs it")

    def named(describe: Any) -> str | None:
        return Monitor(read=lambda: 1, watch=watch, describe=describe).identity

    assert named("the lamp") == named(lambda: "the lamp") == "the lamp"
    assert named(_unclear) is None
    assert Monitor(read=lambda: 1, watch=watch).identity is None
    paths = [tmp_path / "b", tmp_path / "a"]
    files = FileMonitor(read=lambda: 1, paths=lambda: paths)
    assert files.identity == f"{tmp_path}/a, {tmp_path}/b"
    assert FileMonitor(read=lambda: 1, paths=lambda: paths, describe="x").identity == "x"
    assert FileMonitor(read=lambda: 1, paths=list).identity is None


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_read_that_refreshes_itself_holds_up_nobody(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """After a few in a row it is read once a second, which is said once."""
    refresh: list[Callable[[], None]] = []
    reads = [0]

    @asynccontextmanager
    async def watch(told: Callable[[], None]) -> AsyncIterator[None]:
        refresh.append(told)
        yield

    def read() -> int:
        reads[0] += 1
        refresh[0]()
        return reads[0]

    async def read_later() -> int:
        await asyncio.sleep(0)
        return read()

    monitor: Monitor[int] = Monitor(
        read=read if kind == "sync" else read_later, watch=watch, describe="odd"
    )
    async with Harness(lambda: component("m", monitor.get), state_dir=tmp_path) as h:
        await h.settle()
        assert (reads[0], h.output) == (MANY, Ok(MANY))
        await h.advance(SLOWER)
        await h.advance(SLOWER)
        assert reads[0] == MANY + 2
    assert caplog.text.count("does its read call refresh, or change what is watched?") == 1


class Polled:
    """An input that nothing tells of: it is read every so often."""

    def __init__(self, every: timedelta = timedelta(minutes=5)) -> None:
        self.value: int | Exception = 1
        self.reads = 0
        self.monitor: Monitor[int] = Monitor(read=self.read, every=every, describe="the load")

    async def read(self) -> int:
        self.reads += 1
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def pipeline(self) -> Current[int]:
        return component("load", self.monitor.get)


async def test_a_polled_input_is_read_again_whenever_its_time_has_passed(tmp_path: Path) -> None:
    """It needs no watch, and what it has read between is what the pipeline sees."""
    load = Polled()
    async with Harness(load.pipeline, state_dir=tmp_path) as h:
        await h.settle()
        assert (load.reads, h.output) == (1, Ok(1))
        load.value = 2
        await h.advance(timedelta(minutes=4, seconds=59))
        assert (load.reads, h.output) == (1, Ok(1))
        await h.advance(timedelta(seconds=1))
        assert (load.reads, h.output) == (2, Ok(2))
        await h.advance(timedelta(minutes=50))
        assert load.reads == 12


def traces(folder: Path) -> dict[str, int]:
    """Every file of a state directory with its size, and every table with its rows."""
    found = {
        str(path): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and "db" not in path.parts
    }
    with closing(sqlite3.connect(folder / "db" / "pycurrent.db")) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in tables:
            (found[name],) = db.execute(f"SELECT count(*) FROM {name}").fetchone()
    return found


async def test_a_poll_that_finds_what_is_known_leaves_no_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No row, no log, no line: it may be asked every minute for years. Another value does."""
    load = Polled(every=timedelta(minutes=1))
    load.value = 7
    async with Harness(load.pipeline, state_dir=tmp_path) as h:
        await h.settle()
        changed: list[object] = []
        h.engine.opened.listen(lambda step: changed.extend(step.changed))
        before = traces(tmp_path)
        caplog.clear()
        reads = load.reads
        await h.advance(timedelta(hours=1))
        assert load.reads >= reads + 59
        assert traces(tmp_path) == before
        assert not changed
        assert not caplog.records
        load.value = 8
        await h.advance(timedelta(minutes=1))
        assert h.output == Ok(8)
        await h.engine.opened.commits.written()
        assert traces(tmp_path) != before


async def test_polls_that_fail_come_after_growing_pauses_until_one_succeeds(tmp_path: Path) -> None:
    """So a service that is down is not asked more and more; one that is back is asked as ever."""
    load = Polled(every=timedelta(minutes=2))
    load.value = Failure("no route to host")
    async with Harness(load.pipeline, state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Failed("no route to host")
        for pause in (4, 8, 10, 10):
            reads = load.reads
            await h.advance(timedelta(minutes=pause, seconds=-1))
            assert load.reads == reads
            await h.advance(timedelta(seconds=1))
            assert load.reads == reads + 1
        load.value = 3
        await h.advance(timedelta(minutes=10))
        assert h.output == Ok(3)
        reads = load.reads
        await h.advance(timedelta(minutes=20))
        assert load.reads == reads + 10


async def test_an_input_that_is_polled_less_often_than_pauses_grow_to_keeps_to_it(
    tmp_path: Path,
) -> None:
    """A failure never makes an hourly input be read more often."""
    load = Polled(every=timedelta(hours=1))
    load.value = Failure("down")
    async with Harness(load.pipeline, state_dir=tmp_path) as h:
        await h.settle()
        await h.advance(timedelta(hours=3))
        assert load.reads == 4


async def test_an_input_may_be_watched_and_polled(tmp_path: Path) -> None:
    """A refresh between two polls has it read at once, and puts the next poll off."""
    source = Input()
    monitor = Monitor(read=source.read, watch=source.watch, every=timedelta(minutes=1))
    async with Harness(lambda: component("m", monitor.get), state_dir=tmp_path) as h:
        await h.settle()
        await h.advance(timedelta(seconds=40))
        source.value = "second"
        source.refresh()
        await h.settle()
        assert h.output == Ok("second")
        await h.advance(timedelta(seconds=59))
        assert source.events.count("read") == 2
        await h.advance(timedelta(seconds=1))
        assert source.events.count("read") == 3


async def test_nothing_is_polled_that_nobody_needs(tmp_path: Path) -> None:
    """The last poll is the one before the last user went."""
    load = Polled()
    wanted = Var("wanted", True)
    pipeline = lambda: wanted.get().bind(  # noqa: E731
        lambda yes: load.pipeline() if yes else constant(0)
    )
    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        wanted.set(False)
        await h.settle()
        assert h.clock.next_timer is None
        await h.advance(timedelta(hours=1))
        assert load.reads == 1


def test_polls_are_spread_on_the_clock_of_the_machine() -> None:
    """Many inputs with one `every` don't all ask at once; none is asked late."""
    clock = SystemClock()
    spread = {clock.spread(timedelta(seconds=100)) for _ in range(100)}
    assert len(spread) > 50
    assert min(spread) >= timedelta(seconds=90)
    assert max(spread) <= timedelta(seconds=100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Monitor needs watch=, a function that tells of changes, or every="),
        ({"every": 5}, "every= takes a timedelta, not 5: write timedelta"),
        ({"every": timedelta(0)}, "every= must be longer than nothing, not 0:00:00"),
        ({"every": timedelta(days=-1)}, "every= must be longer than nothing"),
        ({"every": timedelta(days=99999)}, "every= is too long"),
        ({"watch": 5}, "watch= takes a function, not 5"),
    ],
)
def test_an_input_that_could_never_change_is_refused(options: dict[str, Any], message: str) -> None:
    """With what to write instead."""
    with pytest.raises(UsageError, match=message):
        Monitor(read=lambda: 1, **options)
