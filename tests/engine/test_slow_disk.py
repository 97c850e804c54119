"""Commits that wait for the disk: the loop goes on, and nothing is seen before it is recorded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pycurrent.cache.cache import ResultCache
from pycurrent.cache.instance import START
from pycurrent.cache.runs import AT_ONCE
from pycurrent.engine import Job, Level, OpenEngine, Pool
from pycurrent.engine.commits import AT_ONCE as BEGIN_AT_ONCE
from pycurrent.engine.commits import MUCH
from pycurrent.facade import Engine
from pycurrent.store import DatabaseReader, JobEnd
from pycurrent.term import Current, Ok, Var, all, pair

from .doing import do

LONG = 30.0
"""Seconds after which a test fails rather than hangs."""
TICK = 0.001


class Disk:
    """The disk of an engine, on which a commit takes as long as a test wants."""

    def __init__(self, engine: OpenEngine) -> None:
        self._is_free = threading.Event()
        self._is_free.set()
        self._loop = asyncio.get_running_loop()
        self._met = asyncio.Event()
        engine.commits.moment = 0.0
        # SQLite calls it in the thread of a statement, before that is carried out.
        engine.store._connection.set_trace_callback(self._meet)

    def _meet(self, statement: str) -> None:
        if statement == "COMMIT" and not self._is_free.is_set():
            self._loop.call_soon_threadsafe(self._met.set)
            assert self._is_free.wait(LONG)

    @contextmanager
    def slow(self) -> Iterator[None]:
        """No commit comes to its end in the block."""
        self._met.clear()
        self._is_free.clear()
        try:
            yield
        finally:
            self._is_free.set()

    async def until_committing(self) -> None:
        """Wait until a commit waits for the disk."""
        await asyncio.wait_for(self._met.wait(), LONG)

    def free_after(self, seconds: float) -> None:
        threading.Timer(seconds, self._is_free.set).start()


@asynccontextmanager
async def running(
    pipeline: Callable[[], Current[Any]], folder: Path
) -> AsyncIterator[tuple[OpenEngine, Disk]]:
    async with Engine(pipeline, state_dir=folder) as engine:
        disk = Disk(engine.opened)
        yield engine.opened, disk


class Work:
    """The work of jobs that go on until it is done."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done = asyncio.Event()

    async def __call__(self, job: Job) -> str:
        await job.start(level=Level.HARMLESS)
        self.begun.append(job.description)
        await self.done.wait()
        return "done"


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def until_at_work(engine: OpenEngine, work: Work, jobs: int = 1) -> None:
    """Wait until so many jobs have begun, and all that is recorded."""
    async with asyncio.timeout(LONG):
        while len(work.begun) < jobs or engine.stepping.are_pending:  # noqa: ASYNC110
            await asyncio.sleep(TICK)


def wanted(name: Var[str], work: Work) -> Callable[[], Current[Any]]:
    """A pipeline with a job for the value of a variable, beside that value."""
    return lambda: pair(name.get(), name.get().bind(lambda key: do(work, key)))


async def test_the_loop_goes_on_while_a_result_is_written(tmp_path: Path) -> None:
    """The pipeline sees the result once it is."""
    work = Work()
    async with running(wanted(Var("name", "a"), work), tmp_path) as (engine, disk):
        await until_at_work(engine, work)
        with disk.slow():
            work.done.set()
            await disk.until_committing()
            await turns()
            assert engine.is_in_step
            assert not engine.idle
            assert not isinstance(engine.output, Ok)
        await engine.settled()
        assert engine.output == Ok(("a", "done"))


async def test_the_loop_goes_on_while_an_engine_ends(tmp_path: Path) -> None:
    """It has ended once all is written."""
    work, name = Work(), Var("name", "a")
    async with running(wanted(name, work), tmp_path) as (engine, disk):
        await until_at_work(engine, work)
        with disk.slow():
            closing = asyncio.create_task(engine.aclose())
            await disk.until_committing()
            await turns()
            assert not closing.done()
        await closing
        path = engine.state.database
    with DatabaseReader.open(path) as reader:
        assert {job.ended for job in reader.history()} == {JobEnd.INTERRUPTED}


class Short:
    """Many short jobs, one by one, which have written much once they may end."""

    def __init__(self) -> None:
        self.count, self.ended = 3 * MUCH, 0
        self._pool, self._may_end = Pool("one by one", 1), asyncio.Event()

    async def work(self, job: Job) -> None:
        await job.start(pool=self._pool, level=Level.HARMLESS)
        await self._may_end.wait()
        self.ended += 1

    def pipeline(self) -> Current[Any]:
        return all([do(self.work, str(number)) for number in range(self.count)])

    async def until_queued(self) -> None:
        async with asyncio.timeout(LONG):
            while len(self._pool.waiting) < self.count - 1:  # noqa: ASYNC110
                await asyncio.sleep(TICK)

    async def until_much_waits(self, disk: Disk) -> None:
        """Have them go on, on a slow disk, until none begins any more."""
        self._may_end.set()
        await disk.until_committing()
        seen = 0
        while self.ended > seen:
            seen = self.ended
            await turns(100)


async def test_no_job_begins_while_much_waits_to_be_written(tmp_path: Path) -> None:
    """Else thousands of short ones would, and the next commit would hold the loop for them all."""
    short = Short()
    async with running(short.pipeline, tmp_path) as (engine, disk):
        await short.until_queued()
        with disk.slow():
            await short.until_much_waits(disk)
            assert MUCH / 2 <= short.ended <= 2 * MUCH
        await engine.settled()
        assert short.ended == short.count


async def test_jobs_that_wait_for_a_commit_begin_by_and_by(tmp_path: Path) -> None:
    """The first ones first, and not thousands in one turn of the loop; one that was cancelled
    meanwhile keeps nobody from going on, and one that comes later has its turn behind them.
    """
    short, begun = Short(), list[int]()
    async with running(short.pipeline, tmp_path) as (engine, disk):
        commits, count = engine.commits, 2 * BEGIN_AT_ONCE + 1
        late = partial(begun.append, count)

        def first() -> None:
            begun.append(0)
            assert not commits.lets_begin(late)

        await short.until_queued()
        with disk.slow():
            await short.until_much_waits(disk)
            assert not commits.lets_begin(first)
            for number in range(1, count):
                assert not commits.lets_begin(partial(begun.append, number))
            assert begun == []
        await engine.settled()
        assert begun == [*range(count), count]
        assert commits.lets_begin(late)


async def test_a_job_begins_when_its_record_is_written(tmp_path: Path) -> None:
    """Not before, however long that takes."""
    work, name = Work(), Var("name", "a")
    async with running(wanted(name, work), tmp_path) as (engine, disk):
        await until_at_work(engine, work)
        with disk.slow():
            name.set("b")
            await disk.until_committing()
            await turns()
            assert work.begun == ["do a"]
        await until_at_work(engine, work, 2)
        assert work.begun == ["do a", "do b"]


async def test_a_job_that_is_asked_for_meanwhile_begins_with_the_next_commit(
    tmp_path: Path,
) -> None:
    """Its record is not in the one that is at work."""
    done, work, name = Work(), Work(), Var("name", "a")
    done.done.set()

    def pipeline() -> Current[Any]:
        return pair(do(done, "done"), wanted(name, work)())

    async with running(pipeline, tmp_path) as (engine, disk):
        await until_at_work(engine, done)
        await until_at_work(engine, work)
        (handle,) = [job for job in engine.jobs.values() if job.description == "do done"]
        with disk.slow():
            name.set("b")
            await disk.until_committing()
            job_id = handle.rebuild()
            with DatabaseReader.open(engine.state.database) as reader:
                assert reader.job(job_id) is None
            await turns()
        await until_at_work(engine, done, 2)
        with DatabaseReader.open(engine.state.database) as reader:
            assert reader.job(job_id) is not None


async def test_the_next_jobs_are_made_while_those_before_are_written(tmp_path: Path) -> None:
    """But none begins without a record of it."""
    count, unrecorded, begun = 5 * (AT_ONCE // START), 0, 0
    wanted = Var("wanted", False)

    async def work(job: Job) -> None:
        nonlocal unrecorded, begun
        await job.start(level=Level.HARMLESS)
        begun += 1
        with DatabaseReader.open(engine.state.database) as reader:
            unrecorded += reader.job(job.id) is None

    def pipeline() -> Current[Any]:
        jobs = [do(work, str(number)) for number in range(count)]
        return wanted.get().bind(lambda yes: all(jobs if yes else jobs[:1]))

    async with running(pipeline, tmp_path) as (engine, disk):
        await engine.settled()
        with disk.slow():
            wanted.set(True)
            await disk.until_committing()
            await turns()
            assert engine.service(ResultCache).runs.job_count == 2 * (AT_ONCE // START)
            assert begun == 1
        await engine.settled()
        assert (begun, unrecorded) == (count, 0)


async def test_the_loop_goes_on_at_once_while_much_is_written(tmp_path: Path) -> None:
    """It does not wait for a moment first, as it does where most commits are over by then."""
    wanted, begun = Var("wanted", False), 0

    async def work(job: Job) -> None:
        nonlocal begun
        await job.start(level=Level.HARMLESS)
        begun += 1

    def pipeline() -> Current[Any]:
        jobs = [do(work, str(number)) for number in range(2 * MUCH)]
        return wanted.get().bind(lambda yes: all(jobs if yes else jobs[:1]))

    async with running(pipeline, tmp_path) as (engine, disk):
        await engine.settled()
        engine.commits.moment = LONG
        with disk.slow():
            wanted.set(True)
            await disk.until_committing()
            await turns()
            assert engine.is_in_step
            assert begun == 1
        engine.commits.moment = 0.0
        await engine.settled()
        assert begun == 2 * MUCH


async def test_a_change_that_comes_meanwhile_is_in_the_next_step(tmp_path: Path) -> None:
    """It is neither lost, nor seen by half of the step that waits."""
    work, name = Work(), Var("name", "a")
    async with running(wanted(name, work), tmp_path) as (engine, disk):
        await until_at_work(engine, work)
        with disk.slow():
            work.done.set()
            await disk.until_committing()
            name.set("b")
            await turns()
        await engine.settled()
        assert engine.output == Ok(("b", "done"))


async def test_who_cannot_wait_finishes_the_step(tmp_path: Path) -> None:
    """The diagram is that of the step whose commit was at work."""
    work, name = Work(), Var("name", "a")
    async with running(wanted(name, work), tmp_path) as (engine, disk):
        await until_at_work(engine, work)
        with disk.slow():
            work.done.set()
            await disk.until_committing()
            disk.free_after(0.05)
            engine.graph()
            assert not engine.is_in_step
            assert engine.output == Ok(("a", "done"))
        name.set("b")
        await engine.settled()
        assert engine.output == Ok(("b", "done"))


async def test_an_engine_that_is_closed_meanwhile_has_written_all(tmp_path: Path) -> None:
    """It waits for the commit that is at work."""
    work = Work()
    async with running(wanted(Var("name", "a"), work), tmp_path) as (engine, disk):
        await until_at_work(engine, work)
        with disk.slow():
            work.done.set()
            await disk.until_committing()
            disk.free_after(0.05)
            await engine.aclose()
        path = engine.state.database
        assert engine.recorded
    with DatabaseReader.open(path) as reader:
        assert [job.outcome for job in reader.history()] == ['"done"']


async def test_a_commit_that_fails_late_holds_what_is_new(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    """As if it had failed at once; and its records are in the next one."""
    work = Work()
    async with running(wanted(Var("name", "a"), work), tmp_path) as (engine, disk):
        await until_at_work(engine, work)
        with full_disk():
            with disk.slow():
                work.done.set()
                await disk.until_committing()
            await engine.between_steps()
            assert not engine.recorded
            assert engine.problems.held
            assert not isinstance(engine.output, Ok)
        assert engine.commits.commit()
        await engine.settled()
        assert engine.output == Ok(("a", "done"))
        with DatabaseReader.open(engine.state.database) as reader:
            assert [job.outcome for job in reader.history()] == ['"done"']
