"""Pipelines that fail, for the tests of checks."""

import pycurrent as current
from pycurrent import Job, Level, Ok
from pycurrent.testing import Harness


@current.builder("work", level=Level.HARMLESS)
async def work(job: Job, name: str, text: str) -> str:
    """Fails with a log of this text, unless that is ok."""
    job.write(f"{text}\n".encode())
    if text != "ok":
        raise current.Failure(f"{name} has failed")
    return text


async def shown(h: Harness) -> None:
    """Until all is shown."""
    await h.until(lambda: isinstance(h.output, Ok) and h.engine.idle, timeout=20)
