"""Finding the processes of a test, whatever became of their parents: by a mark in their
environment, which what they start has, too."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def marked(mark: str) -> list[int]:
    """The living processes, this one apart, that have the mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_marked = mark.encode() in (folder / "environ").read_bytes()
            if is_marked and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found
