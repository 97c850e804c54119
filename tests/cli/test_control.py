"""Stopping an engine, and starting its program again, from elsewhere."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import sys
from contextlib import closing
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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("def broken(:\n", "ci.py:1: SyntaxError: "),
        ("import nothing_of_this_name\n", "No module named 'nothing_of_this_name'"),
        ("raise SystemExit\n", "its program ends with status 0, and does not say why"),
    ],
    ids=["syntax", "module", "silent"],
)
def test_an_engine_whose_program_is_broken_goes_on(
    change: str, said: str, at_work: Child, pycurrent: Command, folder: Path
) -> None:
    """The command says why, and so does the engine; when it is mended the next upgrade works."""
    file = folder / "ci.py"
    good = file.read_text()
    file.write_text(change + good)
    refused = pycurrent("upgrade")
    assert refused.status == 1
    last = refused.err.splitlines()[-1]
    assert last.startswith("pycurrent: not upgraded, the engine goes on as it is: ")
    assert said in last
    assert said in at_work.await_line("not upgraded, this engine goes on: ")
    file.write_text(good)
    upgraded = pycurrent("upgrade")
    assert upgraded.status == 0, upgraded.err
    (folder / "go").write_bytes(b"")
    at_work.await_line("ok       build")
    assert (folder / "ran").read_text() == "ran\n"


def test_an_engine_is_not_upgraded_to_a_version_that_is_too_old(
    at_work: Child, pycurrent: Command, folder: Path
) -> None:
    """One that does not know the schema of the history."""
    database = folder / ".pycurrent" / "db" / "pycurrent.db"
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        (newest,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("PRAGMA user_version = 9999")
    refused = pycurrent("upgrade")
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        connection.execute(f"PRAGMA user_version = {newest}")
    assert refused.status == 1
    assert "is from a newer version of pycurrent" in refused.err
    assert pycurrent("upgrade").status == 0


def test_an_engine_that_is_told_to_stop_during_the_trial_stops(
    at_work: Child, pycurrent: Command, folder: Path
) -> None:
    """At once, and in order."""
    os.mkfifo(folder / "loading")
    file = folder / "ci.py"
    file.write_text(f"open('loading').read()\n{file.read_text()}")
    at_work.process.send_signal(signal.SIGUSR2)
    with (folder / "loading").open("w"):  # the trial is there
        stopped = pycurrent("stop")
    assert stopped.status == 0, stopped.err
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
