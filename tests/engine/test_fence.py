"""Jobs that have ended, and of which something may run on at a place."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pycurrent.engine.fence import Fence, FencedJob, is_at_work, is_fenced
from pycurrent.engine.process import Processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="places need Linux")

ALWAYS = 3600.0


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    made = Processes()
    yield made
    await made.aclose()


def job_with(folder: Path, script: str, bound: float) -> FencedJob:
    """A job of which something may be left, whose place is asked by a script."""
    (folder / "1-a").mkdir(parents=True)
    Fence("build1 (ssh)", ("sh", "-c", script), bound).write(folder)
    assert is_at_work(folder)
    return FencedJob("2026-11-28/120000-a-1", ("a", "digest"), folder)


async def see_to(job: FencedJob, processes: Processes, tmp_path: Path) -> None:
    await job.see_to(processes, tmp_path, asyncio.Semaphore(1))
    assert job.has_ended


@pytest.mark.parametrize("status", [0, 254])
async def test_it_ends_when_its_place_says_so(
    status: int, processes: Processes, tmp_path: Path
) -> None:
    """All has ended there, or the place has gone with all that ran there. Its folder goes, too."""
    job = job_with(tmp_path / "run", f"exit {status}", ALWAYS)
    await see_to(job, processes, tmp_path)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("script", ["echo unreachable >&2; exit 255", "exec sleep 1000"])
async def test_it_has_ended_when_its_lease_is_over(
    script: str, processes: Processes, tmp_path: Path
) -> None:
    """A place that does not answer is asked no longer than that."""
    await see_to(job_with(tmp_path / "run", script, 0.5), processes, tmp_path)
    assert not (tmp_path / "run").exists()


async def test_the_lease_runs_on_under_the_next_engine(
    processes: Processes, tmp_path: Path
) -> None:
    """Not anew for each engine; and no engine goes on with such a job."""
    folder = tmp_path / "run"
    assert not is_fenced(folder)
    job_with(folder, "exit 255", ALWAYS)
    assert is_fenced(folder)
    first = Fence.read(folder)
    assert first is not None
    assert first.found is not None
    FencedJob("a", None, folder)
    assert Fence.read(folder) == first
    # Of another run of the machine nothing is known.
    boot, since = first.found
    Fence(first.place, first.argv, first.bound, ("another", since)).write(folder)
    FencedJob("a", None, folder)
    again = Fence.read(folder)
    assert again is not None
    assert again.found is not None
    assert again.found[0] == boot
    assert again.found[1] >= since


def test_it_is_waited_for_though_the_disk_is_full(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    """The fence that its commands have stays whole: the next engine waits by that."""
    folder = tmp_path / "run"
    (folder / "1-a").mkdir(parents=True)
    fence = Fence("build1 (ssh)", ("true",), ALWAYS)
    fence.write(folder)
    with full_disk():
        job = FencedJob("a", None, folder)
    assert not job.has_ended
    assert Fence.read(folder) == fence


async def test_it_says_why_it_is_waited_for(processes: Processes, tmp_path: Path) -> None:
    job = job_with(tmp_path / "run", "echo no route >&2; exit 255", ALWAYS)
    seeing = asyncio.create_task(see_to(job, processes, tmp_path))
    while "no route" not in str(job):  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.01)
    assert "has left at build1 (ssh) (no route; else for " in str(job)
    seeing.cancel()
    await asyncio.gather(seeing, return_exceptions=True)
    assert (tmp_path / "run" / "fence").exists()


@pytest.mark.parametrize("name", ["1-a", "hook-1-x"])
def test_a_relay_that_has_told_of_its_end_has_left_nothing(name: str, tmp_path: Path) -> None:
    Fence("build1 (ssh)", ("true",), 1.0).write(tmp_path)
    (tmp_path / name).mkdir()
    (tmp_path / "tmp-a").mkdir()
    (tmp_path / "2-b.new").mkdir()
    assert is_at_work(tmp_path)
    (tmp_path / name / "end").touch()
    assert not is_at_work(tmp_path)


def test_a_job_that_ran_here_has_left_nothing(tmp_path: Path) -> None:
    (tmp_path / "1-a").mkdir()
    assert not is_at_work(tmp_path)
