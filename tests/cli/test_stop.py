"""Stopping `pycurrent run` by signals: cleanly, and at once."""

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from .commands import NAPS, Start, Write


@pytest.fixture
def fifo(folder: Path) -> Path:
    """What the job of `NAPS` waits for."""
    path = folder / "fifo"
    os.mkfifo(path)
    return path


@pytest.fixture
def napping(pipeline_file: Write, child: Start, fifo: Path) -> Start:
    """Starts a run of `NAPS`, and waits until its command is at work."""
    text = NAPS.replace("fifo", str(fifo))
    pipeline_file(text)

    def start(*arguments: str):  # type: ignore[no-untyped-def]
        run = child("-m", "pycurrent", "run", "ci.py", *arguments)
        run.await_line("running  nap")
        return run

    return start


def has_reader(fifo: Path) -> bool:
    """Whether some process holds the pipe open: the job's command does."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def ends(folder: Path) -> list[str | None]:
    """How each job ended, in the order of their creation."""
    with closing(sqlite3.connect(folder / ".pycurrent/db/pycurrent.db")) as database:
        return [end for (end,) in database.execute("SELECT ended FROM job ORDER BY seq")]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_stops_it_cleanly(
    number: signal.Signals, status: int, napping: Start, folder: Path, fifo: Path
) -> None:
    """Jobs are cancelled with their commands, and recorded as interrupted; then it ends."""
    run = napping("--once")
    run.send(number)
    ended = run.end()
    assert (ended.status, ended.err) == (status, "")
    assert "stopping: 1 job to cancel (nap False); once more, and it ends at once" in ended.out
    assert ends(folder) == ["interrupted"]
    assert not has_reader(fifo)


def test_a_second_signal_ends_it_at_once(napping: Start, folder: Path) -> None:
    """Though a command that can't be cancelled is still at work; nothing recorded is lost."""
    run = napping("--stubborn")
    run.send(signal.SIGINT)
    run.await_line("stopping")
    run.send(signal.SIGINT)
    assert run.end().status == -signal.SIGINT
    assert ends(folder) == [None]


def test_a_pipeline_that_never_comes_back_can_be_stopped(
    pipeline_file: Write, child: Start
) -> None:
    """Code that blocks while it is loaded is interrupted like any program."""
    pipeline_file("import time\nprint('blocking', flush=True)\ntime.sleep(60)")
    run = child("-m", "pycurrent", "run", "ci.py")
    run.await_line("blocking")
    run.send(signal.SIGINT)
    ended = run.end()
    assert (ended.status, ended.err) == (130, "")


def test_a_function_that_never_comes_back_can_be_killed(pipeline_file: Write, child: Start) -> None:
    """The first signal waits for the event loop; the second does not."""
    pipeline_file("""
        import time
        import pycurrent as current

        def block(_):
            print("blocking", flush=True)
            time.sleep(1)
            print("still", flush=True)
            time.sleep(60)

        def pipeline(): return current.constant(1).map(block)
    """)
    run = child("-m", "pycurrent", "run", "ci.py")
    run.await_line("blocking")
    run.send(signal.SIGINT)
    run.await_line("still")
    run.send(signal.SIGINT)
    assert run.end().status == -signal.SIGINT


def test_a_thread_that_never_ends_is_left(pipeline_file: Write, child: Start) -> None:
    """The job that waited for it is cancelled; the process ends after a while, and says so."""
    pipeline_file("""
        import asyncio, os, time
        import pycurrent as current

        @current.builder("nap", level=current.Level.HARMLESS)
        async def nap(job):
            os.write(1, b"napping\\n")
            await asyncio.to_thread(time.sleep, 60)

        def pipeline(): return nap()
    """)
    run = child("-m", "pycurrent", "run", "ci.py")
    run.await_line("napping")
    run.send(signal.SIGTERM)
    ended = run.end()
    assert ended.status == 143
    assert "some code of the pipeline does not end (threads: asyncio_0" in ended.err
