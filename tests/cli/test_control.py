"""Stopping an engine, and starting its program again, from elsewhere."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from .commands import Child, Command, Start, Write

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(sys.platform != "linux", reason="durable commands need Linux"),
]

PIPELINE = """
    import pycurrent as current
    from pycurrent import Job, Level

    LINE = 'echo ran >> ran; echo > begun; cat go; echo "went on"'

    @current.builder("build", level=Level.HARMLESS, durable=True)
    async def build(job: Job) -> str:
        await job.exec(["sh", "-c", LINE])
        return "built"

    @current.builder("watch", level=Level.HARMLESS)
    async def watch(job: Job) -> str:
        await job.exec(["sh", "-c", "sleep 1000"])
        return "watched"

    def pipeline() -> current.Current[object]:
        return current.all({"build": build(), "watch": watch()})
"""


@pytest.fixture
def at_work(folder: Path, pipeline_file: Write, child: Start) -> Child:
    """A run whose durable job waits in its command."""
    for name in ("begun", "go"):
        os.mkfifo(folder / name)
    pipeline_file(PIPELINE)
    run = child("-m", "pycurrent", "run", "ci.py")
    (folder / "begun").read_bytes()
    return run


def log_of(folder: Path, op: str) -> str:
    (log,) = (folder / ".pycurrent" / "job").glob(f"*/*-{op}-*.log")
    return log.read_text()


def test_an_upgrade_takes_the_place_of_the_engine(
    at_work: Child, pycurrent: Command, folder: Path
) -> None:
    """In the same process, at the same address. Durable jobs go on, others run again."""
    address = re.search(r"http://\S+?(?=/\?)", at_work.await_line("serving "))
    assert address
    upgraded = pycurrent("upgrade")
    assert upgraded.status == 0, upgraded.err
    assert upgraded.out.startswith(f"process {at_work.process.pid} (")
    assert at_work.await_line("serving ").strip().count(address[0]) == 1
    with urlopen(f"{address[0]}/healthz", timeout=10) as answer:
        assert answer.status == 200
    (folder / "go").write_bytes(b"")
    at_work.await_line("ok       build")
    assert (folder / "ran").read_text() == "ran\n"
    assert log_of(folder, "build").count("went on\n") == 1
    stopped = pycurrent("stop")
    assert (stopped.status, stopped.err) == (0, "")
    assert at_work.end().status == 128 + signal.SIGTERM


def test_durable_jobs_are_kept_when_it_stops(
    at_work: Child, pycurrent: Command, child: Start, folder: Path
) -> None:
    """The next engine goes on with them; all other jobs are interrupted in order."""
    stopped = pycurrent("stop", "--keep-jobs")
    assert stopped.status == 0, stopped.err
    ended = at_work.end()
    assert ended.status == 0
    assert "1 durable job left at work" in ended.out
    watch = log_of(folder, "watch")
    assert "Cancelling: the engine is stopping" in watch
    (folder / "go").write_bytes(b"")
    again = child("-m", "pycurrent", "run", "ci.py")
    again.await_line("ok       build")
    assert (folder / "ran").read_text() == "ran\n"


@pytest.mark.parametrize("command", ["stop", "upgrade"])
def test_an_engine_that_is_not_there_can_not_be_told(
    command: str, pycurrent: Command, pipeline_file: Write, folder: Path
) -> None:
    """Nor is a process of the same number, which is something else."""
    pipeline_file(PIPELINE)
    nothing = pycurrent(command)
    assert nothing.status == 2
    assert "no state directory" in nothing.err
    (folder / ".pycurrent").mkdir()
    (folder / ".pycurrent" / "version").write_text("1\n")
    lock = folder / ".pycurrent" / "lock"
    lock.write_text(f'{{"pid": {os.getpid()}, "command": "another one", "since": "today"}}')
    other = pycurrent(command)
    assert (other.status, other.err) == (1, f"pycurrent: no engine uses {folder / '.pycurrent'}\n")
