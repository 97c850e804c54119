"""How many jobs have commands at work at once, and what becomes of the others."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent.cache import builder
from pycurrent.engine import Config, Job, Level
from pycurrent.engine.descriptors import Descriptors
from pycurrent.engine.turns import Turn, Turns
from pycurrent.errors import UsageError
from pycurrent.term import Current, Failed, Ok, all
from pycurrent.testing import Harness

from .doing import do, ended, start


async def until(condition: Callable[[], bool]) -> None:
    """Looks until it holds: a command tells nobody that it runs."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


def commands(folder: Path, count: int) -> Current[object]:
    """Jobs whose command is at work until a file is there."""

    @builder("command", level=Level.HARMLESS)
    async def command(job: Job, name: int) -> None:
        script = f"touch began-{name}; until [ -e go ]; do sleep 0.01; done; rm began-{name}"
        await job.exec(["sh", "-c", script], cwd=folder)

    return all([command(name) for name in range(count)])


async def test_no_more_jobs_have_commands_than_may(tmp_path: Path) -> None:
    """The others are ready, say why in their logs, and come in the order in which they asked."""
    config = Config(jobs=2)
    async with Harness(
        lambda: commands(tmp_path, 5), state_dir=tmp_path / "state", config=config
    ) as h:

        def at_work() -> list[str]:
            return sorted(file.name for file in tmp_path.glob("began-*"))

        await until(lambda: h.stats.ready == 3 and len(at_work()) == 2)
        assert h.stats.running == 2
        assert at_work() == ["began-0", "began-1"]
        reason = "Waiting for its turn: 2 jobs have commands at work (--jobs 2)\n"
        assert reason in h.log("command 2")
        assert "Waiting for its turn: after 2 others that wait\n" in h.log("command 4")
        config.jobs = 3
        await until(lambda: len(at_work()) == 3)
        assert at_work() == ["began-0", "began-1", "began-2"]
        (tmp_path / "go").touch()
        await h.settle()
        assert isinstance(h.output, Ok)


async def test_a_job_runs_any_number_of_commands_in_its_turn(tmp_path: Path) -> None:
    """They may well wait for each other; and the next one comes when all have ended."""
    os.mkfifo(tmp_path / "fifo")

    async def work(job: Job) -> None:
        await start(job)
        await asyncio.gather(
            job.exec(["sh", "-c", "cat fifo"], cwd=tmp_path),
            job.check_output(["sh", "-c", "echo > fifo"], cwd=tmp_path),
        )
        await job.exec(["true"])

    async with Harness(
        lambda: all([do(work, "a"), do(start, "b")]),
        state_dir=tmp_path / "s",
        config=Config(jobs=1),
    ) as h:
        await h.settle()
        assert isinstance(h.output, Ok)
        assert "Waiting" not in h.log("do a")


async def test_who_waits_can_be_cancelled_and_tidies_up_at_once(tmp_path: Path) -> None:
    """A hook's command does not wait for a turn, and nobody gets the one that was waited for."""
    hooked: list[str] = []

    async def waiting(job: Job) -> None:
        await start(job)

        async def hook() -> None:
            hooked.append(await job.check_output(["echo", "tidy"]))

        job.on_cancel(hook)
        await job.exec(["touch", "never"], cwd=tmp_path)

    async with Harness(
        lambda: all([commands(tmp_path, 1), do(waiting, "b")]),
        state_dir=tmp_path / "state",
        config=Config(jobs=1),
    ) as h:
        await until(lambda: h.stats.ready == 1 and (tmp_path / "began-0").exists())
        h.find("do b").cancel("enough")
        await until(lambda: hooked == ["tidy\n"])
        assert not (tmp_path / "never").exists()
        await until(lambda: h.stats.failed == 1)
        (tmp_path / "go").touch()
        await h.settle()
        assert h.stats.ok == 1


async def test_a_timeout_does_not_count_the_wait_for_a_turn(tmp_path: Path) -> None:
    """It is the engine's, not the work's; before and after it does count."""

    async def timed(job: Job) -> None:
        await job.start(level=Level.HARMLESS, timeout=60)
        await job.exec(["true"])
        await asyncio.Event().wait()

    async with Harness(
        lambda: all([commands(tmp_path, 1), do(timed, "b")]),
        state_dir=tmp_path / "state",
        config=Config(jobs=1),
    ) as h:
        await until(lambda: h.stats.ready == 1 and (tmp_path / "began-0").exists())
        h.clock.move(timedelta(hours=1))
        (tmp_path / "go").touch()
        await until(lambda: h.stats.running == 1 and h.stats.ok == 1)
        h.clock.move(timedelta(seconds=59))
        await asyncio.sleep(0)
        assert h.stats.running == 1
        await h.advance(timedelta(seconds=2))
        assert "Timed out after 1 min" in str(h.output)


@pytest.mark.parametrize("jobs", [0, -1, 1.5, "many", True])
def test_a_number_of_jobs_that_is_none_is_refused(jobs: int) -> None:
    """Also one that is set later."""
    with pytest.raises(UsageError, match="jobs is how many"):
        Config(jobs=jobs)
    config = Config()
    with pytest.raises(UsageError, match="jobs is how many"):
        config.jobs = jobs


async def test_a_turn_that_is_given_to_who_has_just_been_cancelled_goes_on(tmp_path: Path) -> None:
    """In one moment of the loop: the next one has it."""
    turns = Turns(Config(jobs=1), Descriptors())
    first, second, third = Turn(turns), Turn(turns), Turn(turns)
    await first.take(print)
    waiting = asyncio.create_task(second.take(lambda why: None))
    last = asyncio.create_task(third.take(lambda why: None))
    await asyncio.sleep(0)
    first.give_back()
    waiting.cancel()
    await last
    assert waiting.cancelled()
    third.give_back()


LIMITED = """
import resource, runpy, sys
soft, hard = map(int, sys.argv[1:3])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
sys.argv = ["pycurrent", *sys.argv[3:]]
runpy.run_module("pycurrent", run_name="__main__")
"""

MANY = """
import resource
import pycurrent as current
from pycurrent import Current, Job, Level, builder

@builder("work", level=Level.HARMLESS)
async def work(job: Job, name: int) -> str:
    await job.exec(["sleep", "0.2"])
    return await job.check_output(["sh", "-c", "ulimit -Sn; ulimit -Hn"])

def limits() -> str:
    return "engine {} {}".format(*resource.getrlimit(resource.RLIMIT_NOFILE))

def pipeline(*, count: int) -> Current[object]:
    jobs = current.all({str(name): work(name).map(print) for name in range(count)})
    return jobs.map(lambda _: print(limits(), flush=True))
"""


def run_limited(folder: Path, soft: int, hard: int, count: int) -> str:
    (folder / "many.py").write_text(MANY)
    arguments = ["run", "many.py", "--count", str(count), "--once", "--state-dir", "state"]
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(soft), str(hard), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def test_few_open_files_are_a_reason_to_wait(tmp_path: Path) -> None:
    """Not to fail; the log says so."""
    run_limited(tmp_path, 200, 200, 60)
    logs = [file.read_text() for file in (tmp_path / "state").glob("job/*/*.log")]
    assert len(logs) == 60, "none was run again"
    assert any("of 200 files are open, and " in log for log in logs)


def test_the_engine_may_open_more_files_than_its_commands(tmp_path: Path) -> None:
    """Its soft limit is raised; a command has the one that was there."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    said = run_limited(tmp_path, 300, hard, 1).splitlines()
    assert f"engine {hard} {hard}" in said
    assert said[said.index("300") + 1] == str(hard)


async def test_the_limit_is_as_it_was_when_the_engine_has_ended(tmp_path: Path) -> None:
    """The process is not always its own; unless somebody else has changed it meanwhile."""
    was = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = (min(1000, was[1]), was[1])
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, low)
        assert await ended(tmp_path / "1", start) != Failed("")
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == low
        async with Harness(lambda: do(start), state_dir=tmp_path / "2"):
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (was[1], was[1])
            resource.setrlimit(resource.RLIMIT_NOFILE, (2000, was[1]))
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (2000, was[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, was)
