"""The folder of the process, which no code of a pipeline may leave."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from pycurrent.engine import Job
from pycurrent.term import Current, Failed, Ok, constant
from pycurrent.testing import Harness

from .doing import ended, start

WHY = "os.chdir would move the whole process, with all other jobs: write"


async def test_the_work_of_a_job_can_not_leave_it(tmp_path: Path) -> None:
    """The line is named, and nothing has moved: other jobs go on where they are."""
    before = Path.cwd()

    async def work(job: Job) -> None:
        await start(job)
        os.chdir(tmp_path)

    output, _ = await ended(tmp_path / "state", work)
    assert isinstance(output, Failed)
    assert output.message.startswith(WHY)
    assert "(test_folder.py:" in output.message
    assert Path.cwd() == before


async def test_nor_in_a_thread_or_by_a_library(tmp_path: Path) -> None:
    """Whoever calls it."""

    def move() -> None:
        with contextlib.chdir(tmp_path):
            """Never got here."""

    async def work(job: Job) -> None:
        await start(job)
        await asyncio.to_thread(move)

    output, _ = await ended(tmp_path / "state", work)
    assert isinstance(output, Failed)
    assert output.message.startswith(WHY)


async def test_nor_can_a_function_of_the_pipeline(tmp_path: Path) -> None:
    """It would move what has begun already."""

    def move(folder: str) -> None:
        os.chdir(folder)

    def pipeline() -> Current[None]:
        return constant(str(tmp_path)).map(move)

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith(WHY)


async def test_commands_have_their_own(tmp_path: Path) -> None:
    """That is the way to work in another folder."""

    async def work(job: Job) -> str:
        await start(job)
        return (await job.check_output(["pwd"], cwd=tmp_path)).strip()

    output, _ = await ended(tmp_path / "state", work)
    assert output == Ok(str(tmp_path))


async def test_other_code_of_the_program_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beside an open engine: it is the program's own process."""
    async with Harness(lambda: constant(1), state_dir=tmp_path / "state") as h:
        await h.settle()
        monkeypatch.chdir(tmp_path)
        assert Path.cwd() == tmp_path
