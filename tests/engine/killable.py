"""A pipeline whose engine is killed. As a script it runs it, and tells when a moment has come.

killable.py STATE_DIRECTORY MOMENT FIFO
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from pycurrent.cache import Builder
from pycurrent.engine import Config, Job, Level
from pycurrent.facade import Engine
from pycurrent.term import Active, Activity, Current, Ok, component

MOMENTS = ("created", "waiting", "started", "running", "returned", "recorded")


class Known(Builder[str, str]):
    """What is known before the work begins."""

    id = "known"

    def __init__(self, reached: Callable[[str], None]) -> None:
        self.reached = reached

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS)
        self.reached("known")
        return "known"


class Work(Builder[str, str]):
    """Starts processes that do not end by themselves, if it is to be killed in it."""

    id = "work"

    def __init__(self, reached: Callable[[str], None], fifo: Path | None, moment: str) -> None:
        self.reached = reached
        self.fifo = fifo
        self.moment = moment

    async def build(self, job: Job, key: str) -> str:
        self.reached("created")
        risky = self.moment == "waiting" and self.fifo is not None
        await job.start(level=Level.DANGEROUS if risky else Level.HARMLESS)
        self.reached("started")
        if self.moment == "running" and self.fifo is not None:
            script = 'setsid sleep 1000 & (sleep 1000 &); echo output; echo > "$1"; sleep 1000'
            await job.exec(["sh", "-c", script, "sh", self.fifo])
        self.reached("returned")
        return "worked"


def pipeline(reached: Callable[[str], None], fifo: Path | None, moment: str) -> Current[str]:
    known = component("known", lambda: Known(reached).get("k"))
    return known.bind(lambda _: component("work", lambda: Work(reached, fifo, moment).get("w")))


async def main(state: Path, moment: str, fifo: Path) -> None:
    def reached(name: str) -> None:
        if name == moment:
            # Blocks until the test reads it.
            fifo.write_text(name)
            signal.pause()

    engine = Engine(
        lambda: pipeline(reached, fifo, moment),
        state_dir=state,
        config=Config(confirm=Level.DANGEROUS),
    )

    def look(step: object) -> None:
        if engine.output == Active(Activity.WAITING_FOR_CONFIRMATION):
            reached("waiting")
        if isinstance(engine.output, Ok):
            reached("recorded")

    engine.listen(look)
    await engine.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
