"""Where benchmarks write: in memory and on disk, as a disk adds noise that is not ours."""

from __future__ import annotations

import os
import subprocess
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


@contextmanager
def sharing_blocks(megabytes: int) -> Iterator[Path]:
    """A new folder on a file system where files can share blocks: on disk, if that one can, or else
    in an image of XFS with so much room, which root can mount.
    """
    with scratch(Place.DISK) as folder:
        (folder / "one").write_bytes(b"x")
        if _done("cp", "--reflink=always", folder / "one", folder / "other"):
            yield folder
            return
        image, mounted = folder / "image", folder / "mounted"
        mounted.mkdir()
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        if not (_done("mkfs.xfs", "-q", image) and _done("mount", "-o", "loop", image, mounted)):
            raise NotMeasured(
                f"the disk of {DISK} can't share blocks, and no XFS can be mounted: set"
                " PYCURRENT_BENCH_DISK to a folder on a disk that can (XFS, btrfs)"
            )
        try:
            yield mounted
        finally:
            subprocess.run(["umount", mounted], check=True)


def _done(*command: str | Path) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
