"""Where benchmarks write: in memory and on disk, as a disk adds noise that is not ours."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from benchmarks.figures import NotMeasured

MEMORY = Path("/dev/shm")
DISK = Path(os.environ.get("PYCURRENT_BENCH_DISK", tempfile.gettempdir()))


class Place(Enum):
    """A kind of file system."""

    MEMORY = "memory"
    DISK = "disk"

    @property
    def title(self) -> str:
        return "in memory (tmpfs)" if self is Place.MEMORY else "on disk"


def space(folder: Path) -> int:
    """The bytes that a folder takes, with all that is in it."""
    return sum(path.lstat().st_blocks * 512 for path in (folder, *folder.rglob("*")))


@contextmanager
def scratch(place: Place) -> Iterator[Path]:
    """A new folder, removed at the end."""
    parent = MEMORY if place is Place.MEMORY else DISK
    if not parent.is_dir():
        raise NotMeasured(f"there is no {parent} here")
    with tempfile.TemporaryDirectory(prefix="pycurrent-bench-", dir=parent) as folder:
        yield Path(folder)
