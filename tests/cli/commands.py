"""Commands that tests run, and pipeline files for them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FROBS = """
    import pycurrent as current
    from pycurrent import Current, Job, Level, builder

    @builder("frob", level=Level.AVERAGE)
    async def frob(job: Job, key: str) -> str:
        job.log(f"frobbing {key}")
        if key.startswith("bad"):
            raise current.Failure("no good")
        return key.upper()

    def pipeline(keys: tuple[str, ...] = ("a", "b")) -> Current[None]:
        return current.all([frob(key) for key in keys])
"""
"""A pipeline file: each key is a job, and keys that begin with "bad" fail."""

NAPS = """
    import signal
    import pycurrent as current
    from pycurrent import Current, Job, Level, builder

    @builder("nap", level=Level.AVERAGE)
    async def nap(job: Job, stubborn: bool) -> None:
        script = "echo napping; exec 3<>fifo; read line <&3"
        await job.exec(["sh", "-c", script], cancellable=not stubborn)

    def pipeline(*, stubborn: bool = False) -> Current[None]:
        return nap(stubborn)
"""
"""A pipeline file: one job, which never ends by itself."""


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it said while it ran, without the times."""
        return [line[20:] for line in self.out.splitlines() if line[:2] == "20"]


Command = Callable[..., Ended]
Write = Callable[..., Path]


class Child:
    """A process of its own, ended with the test."""

    def __init__(self, arguments: list[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": ""},
        )

    def await_line(self, part: str) -> str:
        """Read its output up to a line with this in it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if part in line:
                return line
        raise AssertionError(f"it ended without saying {part!r}: {self.process.stderr}")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> Ended:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=20)
        return Ended(self.process.returncode, out, err)


Start = Callable[..., Child]
