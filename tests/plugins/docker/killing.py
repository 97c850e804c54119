"""What happens when an engine of ours is killed: by SIGKILL, so it can't do anything about it."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL
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


async def kill_at_work(folder: Path, engine: DockerEngine, work: str, mark: str) -> None:
    """Have an engine of its own do a work, until a process in the engine has the mark."""
    text = PIPELINE.format(host=engine.host, config=str(engine.config), work=work)
    (folder / "pipeline.py").write_text(text)
    command = (sys.executable, "-m", "pycurrent", "run", "pipeline.py", "--no-web")
    ours = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        await until(lambda: engine.processes(mark))
    finally:
        ours.kill()
        await ours.wait()
