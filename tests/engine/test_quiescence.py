"""When nothing more can happen in an engine by itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pycurrent as current
from pycurrent import Config, Engine, Job, Level, Monitor, Pool, Var, builder, component
from pycurrent.engine.quiescence import BusyToken, Quiescence


class Input:
    """A monitored value; the test says how far the watch and each read get."""

    def __init__(self) -> None:
        self.steps: asyncio.Queue[str] = asyncio.Queue()
        self.refresh: Callable[[], None] = lambda: None
        self.reads = 0
        self.monitor: Monitor[int] = Monitor(read=self.read, watch=self.watch)

    @asynccontextmanager
    async def watch(self, refresh: Callable[[], None]) -> AsyncIterator[None]:
        self.refresh = refresh
        await self.steps.get()
        yield

    async def read(self) -> int:
        self.reads += 1
        await self.steps.get()
        return self.reads


async def settled(engine: Engine) -> None:
    async with asyncio.timeout(10):
        await engine.settled()


async def test_a_monitor_that_comes_up_is_waited_for(tmp_path: Path) -> None:
    """From its beginning until a value is shown, and again from each refresh."""
    given = Input()
    async with Engine(lambda: component("input", given.monitor.get), state_dir=tmp_path) as engine:
        for _ in range(2):
            assert not engine.idle
            given.steps.put_nowait("on")
            await asyncio.sleep(0)
        await settled(engine)
        assert engine.output == current.Ok(1)

        given.refresh()
        assert not engine.idle
        given.steps.put_nowait("on")
        await settled(engine)
        assert engine.output == current.Ok(2)


async def test_a_monitor_that_is_given_up_is_not_waited_for(tmp_path: Path) -> None:
    """Its end counts, though no step follows."""
    given = Input()
    wanted = Var("wanted", True)

    def pipeline() -> current.Current[int]:
        return wanted.get().bind(
            lambda yes: component("input", given.monitor.get) if yes else current.constant(0)
        )

    async with Engine(pipeline, state_dir=tmp_path) as engine:
        wanted.set(False)
        await settled(engine)
        assert engine.output == current.Ok(0)


async def test_a_watch_that_fails_is_not_waited_for(tmp_path: Path) -> None:
    """It is tried again after a while, which may go on for ever."""

    def no_watch() -> None:
        raise OSError("no watch")

    @asynccontextmanager
    async def watch(refresh: Callable[[], None]) -> AsyncIterator[None]:
        refresh()
        no_watch()
        yield

    monitor = Monitor(read=lambda: 1, watch=watch)
    async with Engine(lambda: component("input", monitor.get), state_dir=tmp_path) as engine:
        await settled(engine)
        assert engine.output == current.Failed("OSError: no watch")


@builder("risky", level=Level.DANGEROUS)
async def risky(job: Job, key: int) -> int:
    return key


async def test_a_job_that_waits_for_a_person_does_not_go_on(tmp_path: Path) -> None:
    """Until it is approved; then it is waited for to its end."""
    config = Config(confirm=Level.DANGEROUS)
    async with Engine(lambda: risky(1), state_dir=tmp_path, config=config) as engine:
        await settled(engine)
        (job,) = engine.jobs.values()
        job.approve()
        assert not engine.idle
        await settled(engine)
        assert engine.output == current.Ok(1)


async def test_a_job_that_is_cancelled_while_it_waits_is_waited_for(tmp_path: Path) -> None:
    """It ends by itself."""
    config = Config(confirm=Level.DANGEROUS)
    async with Engine(lambda: risky(1), state_dir=tmp_path, config=config) as engine:
        await settled(engine)
        (job,) = engine.jobs.values()
        job.cancel("never mind")
        assert not engine.idle
        await settled(engine)
        assert engine.output == current.Failed("Cancelled: never mind")


async def test_a_release_that_will_come_is_waited_for(tmp_path: Path) -> None:
    """What waits for it goes on by itself then."""
    config = Config(confirm=Level.HARMLESS, auto_release=timedelta(milliseconds=50))
    async with Engine(lambda: risky(1), state_dir=tmp_path, config=config) as engine:
        await settled(engine)
        assert engine.output == current.Ok(1)


async def test_a_queue_moves_as_long_as_somebody_in_front_does(tmp_path: Path) -> None:
    """All in it are waited for; but not for what is behind a job that waits for a person."""
    pool = Pool("one", 1)

    @builder("queued", level=Level.HARMLESS, pool=pool)
    async def queued(job: Job, key: int) -> int:
        await asyncio.sleep(0)
        return key

    @builder("greedy")
    async def greedy(job: Job, key: int) -> int:
        async with job.use_pool(pool):
            await job.start(level=Level.DANGEROUS)
        return key

    moving = current.all([queued(key) for key in range(5)])
    async with Engine(lambda: moving, state_dir=tmp_path / "moving") as engine:
        await settled(engine)
        assert engine.output == current.Ok(None)

    stuck = current.all([greedy(0), queued(10), queued(11)])
    config = Config(confirm=Level.DANGEROUS)
    async with Engine(lambda: stuck, state_dir=tmp_path / "stuck", config=config) as engine:
        await settled(engine)
        assert engine.stats.ready == 2


async def test_a_custom_pool_may_give_at_any_time(tmp_path: Path) -> None:
    """What it waits for is not known, so it is waited for."""
    free = asyncio.Event()

    @asynccontextmanager
    async def acquire(job: Job) -> AsyncIterator[None]:
        await free.wait()
        yield

    @builder("queued", level=Level.HARMLESS, pool=Pool.of("elsewhere", acquire))
    async def queued(job: Job, key: int) -> int:
        return key

    async with Engine(lambda: queued(1), state_dir=tmp_path) as engine:
        for _ in range(10):
            await asyncio.sleep(0)
            assert not engine.idle
        free.set()
        await settled(engine)
        assert engine.output == current.Ok(1)


def test_a_busy_token_counts_once() -> None:
    """However often it is acquired; after its close it can't be acquired any more."""
    quiescence = Quiescence()
    token = BusyToken(quiescence)
    changes = [
        token.acquire,
        token.acquire,
        token.release,
        token.release,
        token.acquire,
        token.close,
        token.acquire,
    ]
    seen = []
    for change in changes:
        change()
        seen.append(quiescence.is_pending)
    assert seen == [True, True, False, False, True, False, False]


async def test_a_notice_that_comes_at_once_is_not_lost() -> None:
    """One who looks, and then waits for the next notice, misses none between the two."""
    quiescence = Quiescence()
    notified = quiescence.notified()
    quiescence.notify()
    async with asyncio.timeout(1):
        await notified
