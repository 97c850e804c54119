"""The surroundings of an operation under check, in which its leftovers are found."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pycurrent.testing.processes import processes_marked

MARK = "PYCURRENT_CHECK"


@dataclass(frozen=True)
class Surroundings:
    """A mark that processes inherit, and the folders for temporary files."""

    mark: str
    temporary: Path
    state_tmp: Path
    """In it each engine has a folder, with the temporary files of each job."""

    def processes(self) -> list[str]:
        """The processes that are left, as text for people."""
        return [f"{pid}: {command}" for pid, command in processes_marked(MARK, self.mark).items()]

    def folders(self) -> list[str]:
        """The temporary files and folders that are left."""
        left = (*self.temporary.glob("*"), *self.state_tmp.glob("*/*"))
        return [str(path) for path in left]


@contextmanager
def surroundings(folder: Path, state_dir: Path) -> Iterator[Surroundings]:
    """Mark all processes that start in the block, and put temporary files into `folder`.

    These are settings of the whole process: two such blocks must not overlap.
    """
    folder.mkdir()
    before = {name: os.environ.get(name) for name in (MARK, "TMPDIR")}
    default = tempfile.tempdir
    os.environ.update({MARK: str(folder), "TMPDIR": str(folder)})
    tempfile.tempdir = str(folder)
    try:
        yield Surroundings(str(folder), folder, state_dir / "tmp")
    finally:
        tempfile.tempdir = default
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
