"""Durable jobs go on when their engine is killed, and the next one goes on with them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pycurrent.cache import Builder, builder
from pycurrent.engine import Config, Job, Level, Pool
from pycurrent.engine.journal import Entry
from pycurrent.engine.left_runs import end_reached, reach
from pycurrent.engine.spool import COPIERS
from pycurrent.engine.supervisor import REPORT, Report
from pycurrent.errors import UsageError
from pycurrent.term import Active, Activity, Current, Failed, Ok, Var, component
from pycurrent.testing import Harness

from . import durable
from .marks import marked
from .test_killed import gone, until

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform != "linux", reason="durable commands need Linux"),
]


@asynccontextmanager
async def killed(plan: str, folder: Path, *, lease: float = 30.0) -> AsyncIterator[str]:
    """An engine was killed while a command of its job waits; gives the mark of its processes."""
    for name in ("begun", "go"):
        os.mkfifo(folder / name)
    mark = uuid.uuid4().hex
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, durable.__file__, plan, str(folder), str(lease)],
        env={**os.environ, "MARK": mark},
    )
    try:
        await asyncio.to_thread((folder / "begun").read_bytes)
    finally:
        process.kill()
        process.wait()
    try:
        yield mark
    finally:
        for pid in marked(mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def go(folder: Path) -> None:
    """Let the command that waits go on."""
    await asyncio.to_thread((folder / "go").write_bytes, b"")


def next_engine(
    plan: str | Current[str], folder: Path, *, lease: timedelta | None = durable.LEASE
) -> Harness:
    def pipeline() -> Current[str]:
        return durable.pipeline(plan, folder) if isinstance(plan, str) else plan

    return Harness(
        pipeline,
        state_dir=folder / "state",
        config=Config(lease=lease),
        start=datetime.now(UTC),
    )


async def done(h: Harness) -> None:
    """Wait for the result: nobody tells the harness of what another engine has begun."""
    await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=30)
    await h.settle()


def said(h: Harness) -> list[str]:
    """The lines of the log, without their times."""
    return [line.partition(": ")[2] or line for line in h.log("work").splitlines()]


def ran(folder: Path) -> list[str]:
    """The commands that have run."""
    return (folder / "ran").read_text().split()


@pytest.mark.parametrize("ended_meanwhile", [False, True])
async def test_a_job_goes_on_where_it_was(tmp_path: Path, ended_meanwhile: bool) -> None:
    """It is the same job, with one log that has each byte once, masked, and nothing runs twice;
    also where a command came to its end while no engine was there.
    """
    async with killed("one", tmp_path) as mark:
        if ended_meanwhile:
            await go(tmp_path)
            await gone(mark)
        async with next_engine("one", tmp_path) as h:
            if not ended_meanwhile:
                await h.until(lambda: h.stats.running == 1)
                await go(tmp_path)
            await done(h)
            assert h.output == Ok("done")
            assert ran(tmp_path) == ["first", "second"]
            (job,) = h.engine.history()
            assert job.end is not None
            assert job.end.value == "ok"
            assert job.cpu is not None
            assert job.memory is not None
            assert job.memory > 1 << 20
            lines = said(h)
    quick, waits = (line for line in lines if line.startswith("Exec: "))
    assert quick.endswith("first")
    assert [line for line in lines if line not in (quick, waits)] == [
        "New job: work one",
        "begins",
        "first prints",
        "between",
        "second prints",
        "**** after",
        "ends",
        "Job succeeded",
    ]
    assert list((tmp_path / "state" / "run").glob("*/*")) == []


async def test_a_status_that_came_meanwhile_counts(tmp_path: Path) -> None:
    """A command that failed while no engine was there has failed."""
    async with killed("fails", tmp_path) as mark:
        await go(tmp_path)
        await gone(mark)
        async with next_engine("fails", tmp_path) as h:
            await done(h)
            assert isinstance(h.output, Failed)
            assert "exited with status 3" in h.output.message
            assert ran(tmp_path) == ["failing"]


async def test_what_holds_the_lock_of_a_job_is_not_inherited(tmp_path: Path) -> None:
    """An engine that starts its program again would hold it, and begin no other command."""
    async with killed("one", tmp_path):
        (folder,) = (tmp_path / "state" / "run").glob("*/*/1-*")
        reached = reach(Entry(str(folder), 1, ""))
        assert reached is not None
        sock, locks = reached
        assert locks
        assert not any(map(os.get_inheritable, [sock.fileno(), *locks]))
        end_reached({Entry(str(folder), 1, ""): reached})


async def test_a_command_waits_when_nobody_reads_what_it_prints(tmp_path: Path) -> None:
    """It takes no more of the disk than it may, goes on with the next engine, and nothing is
    lost.
    """
    async with killed("much", tmp_path):
        (folder,) = (tmp_path / "state" / "run").glob("*/*/0-*")
        sock, locks = reach(Entry(str(folder), 0, "")) or pytest.fail("it has gone")
        # Nobody listens meanwhile: there is no room for more of what it says.
        await until(lambda: (folder / "spool").stat().st_blocks * 512 >= 40_000_000)
        said = b""
        while REPORT.pack(Report.HELD, 0, 0) not in said:
            said += await asyncio.get_running_loop().sock_recv(sock, 1 << 16)
        taken = (folder / "spool").stat().st_blocks * 512
        assert 40_000_000 <= taken < 50_000_000
        for held in (sock.detach(), *locks):
            os.close(held)
        async with next_engine("much", tmp_path) as h:
            await done(h)
            assert h.output == Ok("done")
            log = h.log("work")
    assert log.count(f"{durable.LINE}\n") == durable.MUCH // 64
    assert log.count("It waits with what it prints until this log has it") == 1
    assert len(ran(tmp_path)) == 1


async def test_what_a_command_waits_for_that_prints_too_much_is_shown(tmp_path: Path) -> None:
    """By `why`, with what its spool takes, for as long as it has to wait."""

    held_up = asyncio.Event()

    async def work(job: Job) -> str:
        await job.start(level=Level.HARMLESS)
        await held_up.wait()
        await job.exec(["sh", "-c", f"yes {durable.LINE} | head -c {durable.MUCH}"])
        return "done"

    config = Config(lease=durable.LEASE, spool_max_size="40M")
    stage = component("work", lambda: Does(work).get("a"))
    async with Harness(lambda: stage, state_dir=tmp_path / "state", config=config) as h:
        turns = h.engine.opened.processes.spool_turns
        async with AsyncExitStack() as nobody_copies:
            for _ in range(COPIERS):
                await nobody_copies.enter_async_context(turns)
            held_up.set()
            await h.until(lambda: " takes 4" in str(h.engine.why("work")), timeout=30)
            assert "it waits for the log to have what a command has" in str(h.engine.why("work"))
            assert h.log("does a").count("It waits with what it prints until this log") == 1
        await done(h)
        assert h.output == Ok("done")
        (job_id,) = h.jobs
        assert h.engine.opened.host.waits.of(job_id) == ()
        assert h.log("does a").count(f"{durable.LINE}\n") == durable.MUCH // 64


class Does(Builder[str, str]):
    id = "does"
    durable = True

    def __init__(self, fn: Callable[[Job], Awaitable[str]]) -> None:
        self.fn = fn

    async def build(self, job: Job, key: str) -> str:
        return await self.fn(job)


async def test_a_command_that_can_not_be_started_says_why(tmp_path: Path) -> None:
    """As that of any other job does."""
    async with next_engine("nothing", tmp_path) as h:
        await done(h)
        assert isinstance(h.output, Failed)
        assert "/no/such/program" in h.output.message
        assert "no such file or directory" in h.output.message


async def test_commands_that_ran_at_the_same_time_are_told_apart(tmp_path: Path) -> None:
    """By what they are, not by their order."""
    async with killed("both", tmp_path), next_engine("both", tmp_path) as h:
        await go(tmp_path)
        await done(h)
        assert h.output == Ok("right prints")
        assert sorted(ran(tmp_path)) == ["left", "right"]


async def test_the_loop_goes_on_while_many_commands_are_replayed(tmp_path: Path) -> None:
    """A job that has run thousands of them does not have the rest of the engine wait for it."""
    async with killed("many", tmp_path), next_engine("many", tmp_path) as h:
        await go(tmp_path)
        await done(h)
        assert isinstance(h.output, Ok)
        assert int(h.output.value) >= durable.MANY


async def test_a_new_command_waits_only_until_the_others_are_asked_for(tmp_path: Path) -> None:
    """Not until they have ended."""
    async with killed("crossed", tmp_path):
        (tmp_path / "again").touch()
        async with next_engine("crossed", tmp_path) as h:
            await h.until(lambda: ran(tmp_path) == ["left", "right"], timeout=20)
            assert h.stats.running == 1
            await go(tmp_path)
            await done(h)
            assert h.output == Ok("done")
            assert [build.ok for build in h.history("work")] == [True]


async def test_files_are_saved_placed_and_reported_once(tmp_path: Path) -> None:
    """A job that goes on has them from its journal, and says so once."""
    async with killed("files", tmp_path), next_engine("files", tmp_path) as h:
        await go(tmp_path)
        await done(h)
        assert h.output == Ok("saved 6 1")
        lines = said(h)
    for words in ("Saved file: ", "Saved /", "Placed ", "junit.xml"):
        assert len([line for line in lines if words in line]) == 1, words


async def test_the_output_of_a_command_outlives_the_engine(tmp_path: Path) -> None:
    """All that was asked for is there, also what was written before the kill."""
    async with killed("output", tmp_path), next_engine("output", tmp_path) as h:
        await go(tmp_path)
        await done(h)
        assert h.output == Ok(f"asked prints\n{durable.SECRET} after")
        assert ran(tmp_path) == ["asked"]


async def test_the_output_of_a_command_is_as_it_was_written(tmp_path: Path) -> None:
    """As that of any other job is: the ends of its lines too."""

    async def work(job: Job) -> str:
        await job.start(level=Level.HARMLESS)
        return await job.check_output(["printf", r"a\r\nb\rc\377\n"])

    stage = component("work", lambda: Does(work).get("a"))
    async with next_engine(stage, tmp_path) as h:
        await done(h)
        assert h.output == Ok("a\r\nb\rc\N{REPLACEMENT CHARACTER}\n")


async def test_a_temporary_folder_is_found_again(tmp_path: Path) -> None:
    """With what was in it; afterwards it is gone."""
    async with killed("in_tempdir", tmp_path), next_engine("in_tempdir", tmp_path) as h:
        await go(tmp_path)
        await done(h)
        assert h.output == Ok("kept\n")
    assert list((tmp_path / "state" / "run").glob("*/*")) == []


async def test_a_command_is_not_run_within_once(tmp_path: Path) -> None:
    """The next engine would wait for it. Beside it, in another task, commands are run."""

    @builder("work", level=Level.HARMLESS, durable=True)
    async def work(job: Job, key: str) -> str:
        begun, may_end = asyncio.Event(), asyncio.Event()

        async def waits() -> str:
            begun.set()
            await may_end.wait()
            return "waited"

        async def runs() -> str:
            return await job.check_output(["echo", "hello"])

        waiting = asyncio.create_task(job.once("waits", waits))
        await begun.wait()
        said = await runs()
        may_end.set()
        await waiting
        with pytest.raises(UsageError, match=r"echo hello is run within job\.once"):
            await job.once("runs", runs)
        return said

    config = Config(lease=durable.LEASE)
    async with Harness(lambda: work("a"), state_dir=tmp_path, config=config) as h:
        await h.settle()
        assert h.output == Ok("hello\n")


async def test_what_is_done_once_is_not_done_again(tmp_path: Path) -> None:
    """By the next engine neither: it gets what was given."""
    async with killed("once", tmp_path), next_engine("once", tmp_path) as h:
        await go(tmp_path)
        await done(h)
        assert h.output == Ok("1 1")


async def test_a_job_that_does_something_else_is_run_afresh(tmp_path: Path) -> None:
    """Its commands are ended before that; the first job is in the history as interrupted."""
    async with killed("otherwise", tmp_path) as mark, next_engine("otherwise", tmp_path) as h:
        await done(h)
        assert h.output == Ok("done")
        assert marked(mark) == []
        assert ran(tmp_path) == ["first", "again"]
        assert [build.ok for build in h.history("work")] == [None, True]


async def test_a_job_that_nobody_wants_any_more_is_ended(tmp_path: Path) -> None:
    """But not before it is certain: the input that decides has been read."""
    wanted = Var[bool]("wanted", Active(Activity.READY))
    async with (
        killed("one", tmp_path) as mark,
        next_engine(durable.wanted_later("one", tmp_path, wanted), tmp_path) as h,
    ):
        await h.settle()
        assert len(marked(mark)) > 0
        wanted.set(False)
        await done(h)
        assert h.output == Ok("other")
        await gone(mark)
    assert ran(tmp_path) == ["first", "second"]


async def test_a_job_that_is_wanted_later_goes_on_then(tmp_path: Path) -> None:
    """Its commands run meanwhile."""
    wanted = Var[bool]("wanted", Active(Activity.READY))
    async with (
        killed("one", tmp_path),
        next_engine(durable.wanted_later("one", tmp_path, wanted), tmp_path) as h,
    ):
        await h.settle()
        wanted.set(True)
        await go(tmp_path)
        await done(h)
        assert h.output == Ok("done")
    assert ran(tmp_path) == ["first", "second"]


async def test_the_lease_does_not_run_while_nobody_knows_whether_a_job_is_wanted(
    tmp_path: Path,
) -> None:
    """The next engine is attached to its commands from its start on."""
    wanted = Var[bool]("wanted", Active(Activity.READY))
    pipeline = durable.wanted_later("one", tmp_path, wanted)
    async with killed("one", tmp_path, lease=5.0) as mark, next_engine(pipeline, tmp_path) as h:
        with pytest.raises(TimeoutError):
            await h.until(lambda: not marked(mark), timeout=5.5)
        wanted.set(True)
        await go(tmp_path)
        await done(h)
        assert h.output == Ok("done")
    assert ran(tmp_path) == ["first", "second"]


async def test_commands_end_with_their_lease(tmp_path: Path) -> None:
    """Then nothing of them is left, and the work is run afresh."""
    async with killed("one", tmp_path, lease=0.2) as mark:
        await gone(mark)
        async with next_engine("one", tmp_path) as h:
            assert await asyncio.to_thread((tmp_path / "begun").read_bytes) == b"\n"
            await go(tmp_path)
            await done(h)
            assert h.output == Ok("done")
            assert [build.ok for build in h.history("work")] == [None, True]
    assert ran(tmp_path) == ["first", "second", "first", "second"]


async def test_an_engine_that_is_closed_ends_what_it_went_on_with(tmp_path: Path) -> None:
    """In order, as any other job: nothing is left."""
    async with killed("one", tmp_path) as mark:
        async with next_engine("one", tmp_path) as h:
            await h.until(lambda: h.stats.running == 1)
        await gone(mark)
    assert list((tmp_path / "state" / "run").glob("*/*")) == []


@pytest.mark.parametrize("turns", [0, 4, 16])
async def test_an_engine_that_is_closed_at_its_start_ends_them_too(
    tmp_path: Path, turns: int
) -> None:
    """Whether the job was asked for, is about to go on, or has gone on."""
    async with killed("one", tmp_path) as mark:
        async with next_engine("one", tmp_path):
            for _ in range(turns):
                await asyncio.sleep(0)
        await gone(mark)


async def test_a_job_that_goes_on_holds_its_resource_above_the_capacity(tmp_path: Path) -> None:
    """Another one that needs it waits meanwhile."""
    pool = Pool("p", 1)
    async with (
        killed("one", tmp_path),
        pool.acquire(durable.Holder()),
        next_engine(durable.pipeline("one", tmp_path, pool=pool), tmp_path) as h,
    ):
        await h.until(lambda: h.stats.running == 1)
        assert pool.used == 2
        await go(tmp_path)
        await done(h)
        assert h.output == Ok("done")
        assert pool.used == 1


async def test_a_timeout_counts_from_the_first_start(tmp_path: Path) -> None:
    """Not from the start of the engine that goes on with the job."""
    hour = timedelta(hours=1)
    timed = durable.pipeline("one", tmp_path, timeout=hour)
    async with killed("one", tmp_path):
        config = Config(lease=durable.LEASE)
        start = datetime.now(UTC) + hour - timedelta(seconds=60)
        later = Harness(lambda: timed, state_dir=tmp_path / "state", config=config, start=start)
        async with later as h:
            await h.until(lambda: h.stats.running == 1)
            await h.advance(timedelta(seconds=61))
            assert h.output == Failed("Timed out after 1 h")


async def test_without_a_lease_commands_end_with_the_engine(tmp_path: Path) -> None:
    """As those of jobs that are not durable do."""
    async with killed("one", tmp_path, lease=0) as mark:
        await gone(mark)
