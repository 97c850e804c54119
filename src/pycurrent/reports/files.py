"""Finds the reports below a folder: those that match a pattern, and lead nowhere else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pycurrent.term import Failure

MOST = 10_000
"""So many files may match; a Java project has one for each class."""


def find_files(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """The files below a folder that match any of the patterns, sorted, each once. Blocks.

    Links are followed as long as they stay below the folder. Raises `Failure` if there are too
    many, `OSError` if the folder can't be read.
    """
    whole = folder.resolve(strict=True)
    found: dict[Path, None] = {}
    for pattern in patterns:
        for path in folder.glob(pattern):
            real = path.resolve()
            if real.is_file() and real.is_relative_to(whole):
                found[path] = None
            if len(found) > MOST:
                raise Failure(f"more than {MOST:,} files match {pattern!r}: name a narrower one")
    return sorted(found)


def shown_path(path: Path, folder: Path) -> str:
    """A path as messages have it."""
    return os.fspath(path.relative_to(folder))
