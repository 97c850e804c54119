"""Finds the reports below a folder: those that match a pattern, and lead nowhere else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pycurrent.files.patterns import find_files
from pycurrent.term import Failure

MOST = 10_000
"""So many files may match; a Java project has one for each class."""


def find_reports(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """The files below a folder that match any of the patterns, sorted, each once. Blocks.

    Raises `Failure` if there are too many, `OSError` if the folder can't be read.
    """
    found: set[Path] = set()
    for path in find_files(folder, patterns):
        found.add(path)
        if len(found) > MOST:
            named = ", ".join(patterns)
            raise Failure(f"more than {MOST:,} files match {named}: name a narrower pattern")
    return sorted(found)


def shown_path(path: Path, folder: Path) -> str:
    """A path as messages have it."""
    return os.fspath(path.relative_to(folder))
