"""Functions that a job calls in a process of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine import Job
from pycurrent.term import Failed, FailureKind, Ok

from .callees import (
    Point,
    end_the_process,
    fail,
    fail_oddly,
    moved,
    return_a_lock,
    wait_for_ever,
)
from .doing import cancelled, ended, one, start


def wait_for(file: Path) -> None:
    while not file.exists():
        time.sleep(0.01)


def calling(function: Callable[..., Any], *args: Any) -> Callable[[Job], Any]:
    async def work(job: Job) -> object:
        await start(job)
        return await job.call(function, *args)

    return work


async def test_a_function_is_called_in_another_process(tmp_path: Path) -> None:
    """Arguments and result are passed on, and what it prints is in the log."""

    async def work(job: Job) -> str:
        await start(job)
        point, process = await job.call(moved, Point(1, 2), by=10)
        assert process != os.getpid()
        return str(point)

    output, log = await ended(tmp_path, work)
    assert output == Ok("Point(x=11, y=2)")
    assert "Exec: call moved\nmoving Point(x=1, y=2)\na warning\n" in log


async def test_a_failure_is_raised_with_its_kind(tmp_path: Path) -> None:
    """As if it had been raised here; where in the function, the log tells."""
    output, log = await ended(tmp_path, calling(fail))
    assert output == Failed("the oracle is silent")
    assert isinstance(output, Failed)
    assert output.kind is FailureKind.INFRA
    assert "callees.py" in log


@pytest.mark.parametrize(
    ("function", "args", "message"),
    [
        (fail_oddly, (), "RuntimeError: OddError: 7: odd"),
        (return_a_lock, (), "the result of the function can't be passed on: lock: "),
        (end_the_process, (0,), "the function has ended its process, and left no result"),
        (end_the_process, (3,), "call end_the_process exited with status 3"),
        (int, ("x",), "invalid literal for int"),
    ],
)
async def test_what_ends_otherwise_has_failed(
    tmp_path: Path, function: Callable[..., Any], args: tuple[Any, ...], message: str
) -> None:
    """With what has become of it."""
    output, _ = await ended(tmp_path, calling(function, *args))
    assert isinstance(output, Failed)
    assert message in output.message


async def test_the_process_ends_with_the_job(tmp_path: Path) -> None:
    """Unlike a thread, which would go on."""
    started = tmp_path / "started"
    begun = asyncio.Event()

    async def work(job: Job) -> None:
        await start(job)
        calls = asyncio.ensure_future(job.call(wait_for_ever, started))
        await asyncio.to_thread(wait_for, started)
        begun.set()
        await calls

    async with one(tmp_path / "state", work) as h:
        await begun.wait()
        h.find("do a").cancel("enough")
        await h.settle()
        assert h.output == cancelled("enough")
        with pytest.raises(ProcessLookupError):
            os.kill(int(started.read_text()), signal.SIG_DFL)


async def test_functions_that_no_other_process_can_find_are_refused(tmp_path: Path) -> None:
    """In words, before a process is made."""
    outside = 3

    async def awaited() -> None: ...

    wrong: list[tuple[Any, str]] = [
        (lambda: outside, "is not at the top of a module, where the other process finds it"),
        (awaited, "is async: await it, without job.call"),
        (7, "job.call takes a function, not 7"),
    ]
    for number, (function, message) in enumerate(wrong):
        output, log = await ended(tmp_path / str(number), calling(function))
        assert isinstance(output, Failed)
        assert message in output.message
        assert "Exec" not in log


_SCRIPT = """
import asyncio, sys
from pathlib import Path
from pycurrent import Job, Level, builder
from pycurrent.testing import Harness

def doubled(text):
    return text * 2

@builder("double", level=Level.HARMLESS)
async def double(job: Job, text: str) -> str:
    return await job.call(doubled, text)

async def run():
    async with Harness(lambda: double("ho"), state_dir=Path(sys.argv[1])) as h:
        await h.settle()
        print(h.output.value)

if __name__ == "__main__":
    asyncio.run(run())
"""


def test_functions_of_a_script_without_a_suffix_are_found(tmp_path: Path) -> None:
    """An executable pipeline need not be called .py."""
    script = tmp_path / "pipeline"
    script.write_text(_SCRIPT)
    done = subprocess.run(
        [sys.executable, script, tmp_path / "state"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "hoho\n"
