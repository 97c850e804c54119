"""Processes that the code of a pipeline forks from the engine."""

import os
import select
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pycurrent.store import StateDir

from .commands import Start, Write

FORKS = """
    import asyncio, multiprocessing, os, threading, time
    from concurrent.futures import ProcessPoolExecutor
    from pathlib import Path
    import pycurrent as current
    from pycurrent import Current, Job, Level, builder

    def rest(name):
        Path(f"{name}.new").write_text(str(os.getpid()))
        Path(f"{name}.new").rename(f"{name}.pid")
        time.sleep(1000)

    def fork(name):
        if os.fork() == 0:
            rest(name)

    def grandchild():
        if os.fork() == 0:
            fork("grandchild")
            os._exit(0)

    @builder("work", level=Level.HARMLESS)
    async def work(job: Job) -> None:
        async with job.locking(Path("shared"), "it"):
            await job.exec(["true"])
            fork("locked")
        async with job.locking(Path("shared"), "it"):
            pass
        pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
        pool.submit(rest, "pool")
        fork("plain")
        thread = threading.Thread(target=fork, args=["thread"])
        thread.start()
        thread.join()
        grandchild()
        while len(list(Path().glob("*.pid"))) < 5:
            await asyncio.sleep(0.01)
        os.write(1, b"forked\\n")
        await asyncio.sleep(1000)

    def pipeline() -> Current[None]:
        return work()
"""


def open_files(pid: int) -> set[str]:
    folder = Path(f"/proc/{pid}/fd")
    return {str(file.readlink()) for file in folder.iterdir()}


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_fork_holds_neither_lock_nor_port_and_ends_with_the_engine(
    pipeline_file: Write, child: Start, folder: Path
) -> None:
    """Of whatever thread, and a fork of a fork; by SIGKILL, too."""
    pipeline_file(FORKS)
    run = child("-W", "ignore", "-m", "pycurrent", "run", "ci.py")
    address = urlsplit(run.await_line("serving").split()[-1])
    run.await_line("forked")
    state = (folder / ".pycurrent").resolve()
    engine = open_files(run.process.pid)
    assert {str(state), str(state / "lock")} <= engine
    forks = {int(file.read_text()) for file in folder.glob("*.pid")}
    assert len(forks) == 5
    descriptors = [os.pidfd_open(pid) for pid in forks]
    listening = {line.split()[9] for line in _listening(address.port or 0)}
    assert len(listening) == 1
    for pid in forks:
        assert not [name for name in open_files(pid) if name.endswith(("/lock", "/shared"))]
        assert str(state) not in open_files(pid)
        assert not open_files(pid) & {f"socket:[{inode}]" for inode in listening}

    run.send(signal.SIGKILL)
    run.process.wait()
    with StateDir.open(state), socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind((address.hostname, address.port))
    for descriptor in descriptors:
        assert select.select([descriptor], [], [], 20)[0], "it lives on"
        os.close(descriptor)


def _listening(port: int) -> list[str]:
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [line for line in lines if line.split()[1].endswith(f":{port:04X}")]
