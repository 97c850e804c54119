"""An engine that is killed at any moment loses nothing and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from pycurrent.facade import Engine
from pycurrent.store import StateDirLocked
from pycurrent.term import Failed, Ok, constant
from pycurrent.testing import Harness

from . import killable, lingering
from .marks import marked

pytestmark = pytest.mark.timeout(30)


@asynccontextmanager
async def engine_at(moment: str, folder: Path, mark: str) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A process with an engine that has come to the moment, and goes no further."""
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, killable.__file__, str(folder / "state"), moment, str(fifo)],
        env={**os.environ, "MARK": mark},
    )
    try:
        await asyncio.to_thread(fifo.read_bytes)
        yield process
    finally:
        process.kill()
        process.wait()


async def gone(mark: str) -> None:
    """Returns once no process with the mark lives; their supervisors see to that."""
    await all_gone(marked(mark))


async def all_gone(pids: Iterable[int]) -> None:
    """Returns once none of these processes lives."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, ended.set)
        await ended.wait()
        loop.remove_reader(descriptor)
        os.close(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("moment", killable.MOMENTS)
async def test_what_was_recorded_is_known_and_the_rest_is_done_again(
    tmp_path: Path, moment: str
) -> None:
    """The interrupted job is in the history with its log, and its processes are gone."""
    mark = uuid.uuid4().hex
    async with engine_at(moment, tmp_path, mark) as process:
        assert len(marked(mark)) >= (4 if moment == "running" else 1)
        process.kill()
        process.wait()
    await gone(mark)
    assert marked(mark) == []

    ran: list[str] = []
    async with Harness(
        lambda: killable.pipeline(ran.append, None, moment), state_dir=tmp_path / "state"
    ) as h:
        await h.settle()
        assert h.output == Ok("worked")
        # The killed engine had another clock, so their order tells nothing.
        history = {(b.op, b.build, b.ok) for b in h.history()}
        if moment == "recorded":
            assert ran == []
            assert history == {("known", 0, True), ("work", 0, True)}
            return
        assert ran == ["created", "started", "returned"], "what is known is not made again"
        assert history == {("known", 0, True), ("work", 0, None), ("work", 0, True)}
        (interrupted,) = [build for build in h.history("work") if build.ok is None]
        log = h.engine.opened.log(interrupted.job_id).text()
        assert "New job: work w" in log
        assert ("output" in log) == (moment == "running")
        assert (interrupted.running is not None) == (moment in ("running",))


async def test_a_state_directory_that_is_in_use_is_refused_with_the_holders_pid(
    tmp_path: Path,
) -> None:
    """Until the holder has ended, however that came."""
    state = tmp_path / "state"
    async with engine_at("started", tmp_path, "") as process:
        with pytest.raises(StateDirLocked, match=f"{process.pid}") as refused:
            async with Engine(lambda: constant(1), state_dir=state):
                pass
        assert refused.value.pid == process.pid
        process.kill()
        process.wait()
    async with Engine(lambda: constant(1), state_dir=state) as engine:
        assert engine.output == Ok(1)


@asynccontextmanager
async def lingering_after(folder: Path) -> AsyncIterator[None]:
    """An engine was killed, and a command of it is still tidying up: see `lingering.py`."""
    for name in ("begun", "go"):
        os.mkfifo(folder / name)
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, lingering.__file__, str(folder / "state"), str(folder)]
    )
    try:
        await asyncio.to_thread((folder / "begun").read_bytes)
    finally:
        process.kill()
        process.wait()
    try:
        yield
    finally:
        # Whatever happened, it ends: it may have done so already.
        with suppress(OSError):
            os.close(os.open(folder / "go", os.O_WRONLY | os.O_NONBLOCK))


async def until(condition: Callable[[], bool]) -> None:
    """Looks until it holds: what a log says tells nobody."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="needs subreapers")
@pytest.mark.parametrize("locking", [False, True])
async def test_work_waits_for_the_end_of_what_a_killed_engine_was_doing(
    tmp_path: Path, locking: bool
) -> None:
    """The same work, and other work that needs what it has locked; all else is done at once. What
    ends may print as much as it likes, and keeps its temporary folder.
    """
    async with (
        lingering_after(tmp_path),
        Harness(
            lambda: lingering.pipeline(tmp_path, locking=locking), state_dir=tmp_path / "state"
        ) as h,
    ):
        name = "locking" if locking else "linger"
        await until(lambda: "Waiting for" in h.log(name))
        # The step that shows it comes after the line in the log.
        running, ready = (1, 0) if locking else (0, 1)
        await until(lambda: (h.stats.ok, h.stats.running, h.stats.ready) == (1, running, ready))
        assert (tmp_path / "marks").read_text() == "first\n"
        kept = list((tmp_path / "state" / "tmp").glob("*/*/kept"))
        assert len(kept) == 1
        await asyncio.to_thread((tmp_path / "go").write_bytes, b"")
        await h.settle()
        second = "locking" if locking else "second"
        assert (tmp_path / "marks").read_text() == f"first\nfirst ended\n{second}\n"
        assert isinstance(h.output, Ok)
        await until(lambda: not kept[0].exists())
        if not locking:
            (interrupted,) = [b.job_id for b in h.history("linger") if b.ok is None]
            assert f"Waiting for the end of job {interrupted}: " in h.log("linger")
    assert list((tmp_path / "state" / "run").glob("*/*")) == []


async def test_work_that_waits_for_a_killed_engine_can_be_cancelled(tmp_path: Path) -> None:
    """It has not begun."""
    async with (
        lingering_after(tmp_path),
        Harness(lambda: lingering.pipeline(tmp_path), state_dir=tmp_path / "state") as h,
    ):
        await until(lambda: "Waiting for" in h.log("linger"))
        h.find("linger").cancel("enough")
        await h.settle()
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith("Cancelled")
