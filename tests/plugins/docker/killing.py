"""What happens when an engine of ours is killed: by SIGKILL, so it can't do anything about it."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path

from .engine import DockerEngine
from .waiting import until

PIPELINE = """\
from pathlib import Path
from pycurrent import Current
from pycurrent.plugins import docker
def pipeline() -> Current[object]:
    engine = docker.Context({host!r}, Path({config!r}))
    return engine.{work}
"""
RUN = (sys.executable, "-m", "pycurrent", "run", "pipeline.py", "--no-web", "--lease")


async def go_on(folder: Path) -> str:
    """Have the next engine come to its end, and return the only log."""
    ours = await asyncio.create_subprocess_exec(
        *(*RUN, "10m", "--once"), cwd=folder, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await ours.communicate()
    assert ours.returncode == 0, said.decode()
    (log,) = (folder / ".pycurrent" / "job").glob("*/*.log")
    return log.read_text()


async def kill_at_work(
    folder: Path, engine: DockerEngine, work: str, mark: str, *, lease: str = "none"
) -> None:
    """Have an engine of its own do a work, until a process in the engine has the mark."""
    text = PIPELINE.format(host=engine.host, config=str(engine.config), work=work)
    (folder / "pipeline.py").write_text(text)
    ours = await asyncio.create_subprocess_exec(
        *(*RUN, lease), cwd=folder, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        await until(lambda: engine.processes(mark))
    finally:
        ours.kill()
        await ours.wait()
