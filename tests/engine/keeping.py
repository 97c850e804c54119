"""An engine whose job has a cache folder when it is killed; its command ends when it is told.

keeping.py STATE_DIRECTORY FOLDER: the folder has the FIFOs `begun` and `go`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pycurrent.cache import Builder
from pycurrent.engine import Cache, Job, Level
from pycurrent.facade import Engine
from pycurrent.term import Current, component

CACHE = Cache("pip", "k")

SCRIPT = """
trap '' TERM
touch "$1/left"
echo > "$2/begun"
read line < "$2/go"
"""


class Keep(Builder[str, str]):
    id = "keep"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS)
        async with job.cache_folder(CACHE) as kept:
            await job.exec(["sh", "-c", SCRIPT, "sh", kept, self.folder], grace=60)
        return "kept"


def pipeline(folder: Path) -> Current[str]:
    return component("keep", lambda: Keep(folder).get("k"))


if __name__ == "__main__":
    engine = Engine(lambda: pipeline(Path(sys.argv[2])), state_dir=sys.argv[1])
    asyncio.run(engine.run())
