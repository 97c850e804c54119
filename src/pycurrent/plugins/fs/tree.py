"""Trees: files by their paths within a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pycurrent.plugins.fs.content import Content, Digest
from pycurrent.term import Failure


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a folder. Only their number, their size and a digest of all are recorded."""

    count: int
    size: int
    sha256: str
    files: Mapping[str, Content] = field(default_factory=dict, compare=False, repr=False)
    """By their paths within the folder."""

    @classmethod
    def of(cls, contents: Mapping[str, str | bytes | Content]) -> Tree:
        """Make a tree. Raises Failure for a path that leads out, or is both file and folder."""
        files = {
            name: file if isinstance(file, Content) else Content(file)
            for name, file in sorted(contents.items())
        }
        for name in files:
            _check(name)
        for name in files:
            for folder in _above(name):
                if folder in files:
                    raise Failure(f"{folder} can't be both a file and the folder of {name}")
        all_files = hashlib.sha256()
        size = 0
        for name, file in files.items():
            digest = Digest.of(file)
            size += digest.size
            all_files.update(json.dumps([name, digest.mode, digest.sha256]).encode())
        return cls(len(files), size, all_files.hexdigest(), files)

    def __str__(self) -> str:
        return f"{self.count} files, {self.size} bytes"

    @property
    def folders(self) -> frozenset[str]:
        """The folders that the files are in."""
        return frozenset(folder for name in self.files for folder in _above(name))


def _above(name: str) -> Iterator[str]:
    for folder in PurePosixPath(name).parents:
        if folder.name:
            yield str(folder)


def _check(name: str) -> None:
    is_within = not {"", ".", ".."} & set(name.split("/")) and "\0" not in name
    if not is_within or not _can_be_stored(name):
        raise Failure(f"{name!r} is not a path within a folder: write one like pages/a.html")


def _can_be_stored(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
