"""Functions that jobs call in processes of their own."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pycurrent.term import Failure, FailureKind


@dataclass(frozen=True)
class Point:
    x: int
    y: int


def moved(point: Point, *, by: int = 1) -> tuple[Point, int]:
    """A point elsewhere, and the process that has moved it."""
    sys.stdout.write(f"moving {point}\n")
    sys.stderr.write("a warning\n")
    return Point(point.x + by, point.y), os.getpid()


def wait_for_ever(started: Path) -> None:
    written = started.with_suffix(".new")
    written.write_text(str(os.getpid()))
    written.rename(started)  # so that it is there as a whole
    time.sleep(1000)


def fail() -> None:
    raise Failure("the oracle is silent", kind=FailureKind.INFRA)


class OddError(Exception):
    """Can't be made again from its arguments."""

    def __init__(self, code: int, *, text: str) -> None:
        super().__init__(f"{code}: {text}")


def fail_oddly() -> None:
    raise OddError(7, text="odd")


def return_a_lock() -> object:
    import threading

    return threading.Lock()


def end_the_process(status: int) -> None:
    os._exit(status)
