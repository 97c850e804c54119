"""What the work of a job prints, and what other code prints meanwhile."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import pytest

from pycurrent.engine import Job
from pycurrent.engine.printing import jobs_print_to_logs
from pycurrent.term import Current, Failed, Ok
from pycurrent.testing import Harness

from .doing import Function, do, ended, start

STAMP = "2026-01-01 00:00.00: "


async def logged(folder: Path, fn: Function) -> tuple[object, str]:
    """The outcome and the log of a job, with the streams as they are on the command line."""
    with jobs_print_to_logs():
        return await ended(folder, fn)


async def test_its_work_prints_to_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both streams, also from threads and tasks, before its start, and from hooks at its end."""

    async def work(job: Job) -> None:
        print("before the start")
        job.on_cancel(lambda: print("from a hook"))
        await start(job)
        print("an error", file=sys.stderr)
        await asyncio.to_thread(print, "in a thread")
        await asyncio.create_task(printing())
        sys.stdout.buffer.write(b"bytes\n")

    async def printing() -> None:
        print("in a task")

    output, log = await logged(tmp_path, work)
    assert output == Ok("done")
    said = "before the start\nan error\nin a thread\nin a task\nbytes\nfrom a hook\n"
    assert log.endswith(f"New job: do a\n{said}{STAMP}Job succeeded\n")
    assert capsys.readouterr() == ("", "")


async def test_a_log_gets_whole_lines(tmp_path: Path) -> None:
    """Those that end, are flushed, or are the last; a line of the log does not come in between."""

    async def work(job: Job) -> None:
        await start(job)
        print("one", end=" ")
        job.log("a line of the log")
        print("line")
        print("...", end="", flush=True)
        job.log("another one")
        print("the last", end="")

    _, log = await logged(tmp_path, work)
    said = f"{STAMP}a line of the log\none line\n...\n{STAMP}another one\nthe last\n"
    assert log.endswith(f"{said}{STAMP}Job succeeded\n")


async def test_a_long_line_is_not_held_back(tmp_path: Path) -> None:
    """A progress bar that never ends its line takes no memory."""
    size = 0

    async def work(job: Job) -> None:
        nonlocal size
        await start(job)
        print("." * 10_000, end="")
        await asyncio.sleep(0)
        size = job.log_path.stat().st_size

    await logged(tmp_path, work)
    assert size > 10_000


async def test_secrets_are_masked(tmp_path: Path) -> None:
    """As in all that a log gets."""

    async def work(job: Job) -> None:
        await start(job)
        print(f"the token is {job.secret('correct horse')}")

    _, log = await logged(tmp_path, work)
    assert "the token is ****\n" in log


async def test_a_log_is_no_terminal(tmp_path: Path) -> None:
    """Libraries ask, before they draw progress bars and colours."""
    asked: list[bool] = []

    async def work(job: Job) -> None:
        await start(job)
        asked.append(sys.stdout.isatty())

    await logged(tmp_path, work)
    assert asked == [False]


async def test_other_code_prints_as_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A function of the pipeline, even if the start of a job has its step taken."""
    begun = asyncio.Event()

    async def work(job: Job) -> None:
        await start(job)
        begun.set()
        await asyncio.sleep(0)
        print("of the job")

    def tell(_: object) -> object:
        print("of the pipeline")
        return None

    def pipeline() -> Current[object]:
        return do(work).state().map(tell)

    with jobs_print_to_logs():
        async with Harness(pipeline, state_dir=tmp_path) as h:
            await h.settle()
            assert begun.is_set()
            log = h.log("do a")
    assert "of the job\n" in log
    assert "of the pipeline" not in log
    assert set(capsys.readouterr().out.split("\n")) == {"of the pipeline", ""}


async def test_a_job_that_has_ended_prints_as_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A task that it has left behind: its log is closed, and the text is not lost."""
    left: list[asyncio.Task[None]] = []
    goes_on = asyncio.Event()

    async def linger() -> None:
        await goes_on.wait()
        print("too late")

    async def work(job: Job) -> None:
        await start(job)
        left.append(asyncio.create_task(linger()))

    _, log = await logged(tmp_path, work)
    with jobs_print_to_logs():
        goes_on.set()
        await left[0]
    assert "too late" not in log
    assert capsys.readouterr().out == "too late\n"


async def test_what_libraries_log_is_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From warnings on, if the program has no handlers; not what the engine logs."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    boto, ours = logging.getLogger("boto"), logging.getLogger("pycurrent.engine")

    async def work(job: Job) -> None:
        await start(job)
        boto.info("all is well")
        boto.warning("slow down")
        ours.warning("the engine has a problem")

    _, log = await logged(tmp_path, work)
    with jobs_print_to_logs():
        boto.warning("outside")
    assert f"{STAMP}New job: do a\nWARNING boto: slow down\n{STAMP}Job succeeded\n" == log
    assert capsys.readouterr().err == "the engine has a problem\noutside\n"


async def test_print_with_something_else_than_text(tmp_path: Path) -> None:
    """The stream refuses it, as Python's own does."""

    async def work(job: Job) -> None:
        await start(job)
        sys.stdout.write(b"bytes")  # type: ignore[arg-type]

    output, _ = await logged(tmp_path, work)
    assert isinstance(output, Failed)
    assert output.message == "TypeError: write() argument must be str, not bytes"
