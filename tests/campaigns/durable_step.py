"""A command of the campaign on durable jobs: prints lines with numbers for so long, or until there
is a file `end`. So does a child in a session of its own, and another one stays behind.

durable_step.py FOLDER KEY STEP SECONDS BURST

Both note in `FOLDER/wrote` how many lines they have printed.
"""

from __future__ import annotations

import fcntl
import os
import random
import sys
import time
from collections.abc import Callable

# ruff: noqa: PTH110, PTH123
# Many of these begin at once: no pathlib, which takes long to import.


class Step:
    """One of them."""

    def __init__(self, folder: str, name: str, burst: int) -> None:
        self.folder = folder
        self.name = name
        self.burst = burst

    def note(self, file: str, line: str) -> None:
        with open(f"{self.folder}/{file}", "a") as noted:
            noted.write(f"{line}\n")

    def prints(self, who: str, goes_on: Callable[[], object]) -> None:
        """Print lines in bursts."""
        name, number = f"{self.name} {who}", 0
        chance = random.Random(name)
        while goes_on():
            for _ in range(chance.randrange(2 * self.burst)):
                os.write(1, f"{name} {number} {'x' * (number % 50)}\n".encode())
                number += 1
            time.sleep(chance.uniform(0.05, 0.55))
        os.write(1, f"{name} end\n".encode())
        self.note("wrote", f"{name} {number}")


def beside(step: Step, alive: int) -> None:
    """What a child does until the other end of a pipe is closed."""
    os.setsid()
    os.set_blocking(alive, False)

    def lives() -> bool:
        try:
            return bool(os.read(alive, 1))
        except BlockingIOError:
            return True

    step.prints("beside", lives)
    os._exit(0)


def main(folder: str, key: str, number: str, seconds: str, burst: str) -> None:
    step = Step(folder, f"{key} {number}", int(burst))
    lock = os.open(f"{folder}/{key}.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        step.note("violations", f"ran twice at once: {key} {number}")
    step.note("begun", f"{key} {number}")
    alive, tells = os.pipe()
    if os.fork() == 0:
        os.close(lock)
        os.close(tells)
        beside(step, alive)
    os.close(alive)
    if os.fork() == 0:
        os.setsid()
        os.close(lock)
        os.close(tells)
        time.sleep(3600)
    until = time.monotonic() + float(seconds)
    step.prints("main", lambda: time.monotonic() < until and not os.path.exists(f"{folder}/end"))
    os.close(tells)
    os.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
