"""What an operation under check finds around it, so that what it leaves there is seen."""

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
    """A mark that processes inherit, and the folders in which temporary things are made."""

    mark: str
    temporary: Path
    state_tmp: Path
    """In it each engine has a folder, and in that each job what is temporary."""

    def processes(self) -> list[str]:
        """The processes that are left, as people know them."""
        return [f"{pid}: {command}" for pid, command in processes_marked(MARK, self.mark).items()]

    def folders(self) -> list[str]:
        """The temporary files and folders that are left."""
        return [str(path) for path in (*self.temporary.glob("*"), *self.state_tmp.glob("*/*"))]


@contextmanager
def surroundings(folder: Path, state_dir: Path) -> Iterator[Surroundings]:
    """Have all that is started in the block marked, and temporary things made in `folder`.

    These are settings of the process: two such blocks must not be entered at the same time.
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
