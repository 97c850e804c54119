"""Finds out which file of the source a report means, so that several reports mean the same one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pycurrent.reports.errors import ReportError

LONGEST_PATH = 4096


class Sources:
    """The files of the source, as one report names them.

    Tools name them by their whole path, below one of the folders that the report lists, or below
    the folder in which they ran: as a rule that is the one with the report, or one above it. So the
    nearest of these is taken in which there is such a file. Nothing outside the job's folder is
    looked at.
    """

    def __init__(self, folder: Path, report: Path) -> None:
        self._folder = _normal(folder.absolute())
        self._real = folder.resolve()
        self._above = [
            path for path in _normal(report.absolute()).parents if path.is_relative_to(self._folder)
        ]

    def path(self, name: str, listed: Sequence[str] = ()) -> str:
        """The path of a file below the folder of the job, or else as the report has it.

        Raises `ReportError` if it is too long.
        """
        if len(name) > LONGEST_PATH or "\0" in name:
            raise ReportError(f"a file in it has a name of {len(name):,} characters")
        file = Path(name.replace("\\", "/"))
        roots = [Path(source) for source in listed if source and "\0" not in source]
        whole = [root / file for root in roots if root.is_absolute()]
        if file.is_absolute():
            return self._shown(file)
        for path in (*whole, *self._near(roots, file)):
            inside = self._inside(path)
            if inside is not None and (self._real / inside).is_file():
                return str(inside)
        return self._shown(whole[0] if len(whole) == 1 else file)

    def _near(self, roots: Sequence[Path], file: Path) -> Iterator[Path]:
        """The places of a file below the folders in which its tool may have run."""
        for at in self._above:
            yield from (at / root / file for root in roots if not root.is_absolute())
        for at in self._above:
            yield at / file

    def _shown(self, path: Path) -> str:
        return str(self._inside(path) or _normal(path))

    def _inside(self, path: Path) -> Path | None:
        """The path below the folder; None if it leads out."""
        whole = _normal(self._folder / path)
        for folder in (self._folder, self._real):
            if whole.is_relative_to(folder):
                return whole.relative_to(folder)
        return None


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path))
