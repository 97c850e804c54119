"""Trees: files by their paths within a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from pycurrent.files import Tree as SavedTree
from pycurrent.files.listing import Entry, FileEntry, FolderEntry, LinkEntry
from pycurrent.plugins.fs.content import Content, Digest, Link, Staged
from pycurrent.term import Failure


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a folder. Only their number, their size and a digest of all are recorded."""

    count: int
    size: int
    sha256: str
    files: Mapping[str, Content | Staged | Link] = field(
        default_factory=dict, compare=False, repr=False
    )
    """By their paths within the folder."""
    modes: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    """The permissions of folders: of all that are empty, and of others that have some to keep."""
    saved: SavedTree | None = field(default=None, compare=False, repr=False)
    """The tree that a job has saved, whose files are not known before they are placed."""

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

    @classmethod
    def of_saved(cls, tree: SavedTree) -> Tree:
        return cls(tree.count, tree.size, tree.digest, saved=tree)

    def placed_in(self, folder: Path, entries: Iterable[Entry]) -> Tree:
        """The same tree, with the files of a folder in which it was placed."""
        files: dict[str, Content | Staged | Link] = {}
        modes: dict[str, int] = {}
        for entry in entries:
            match entry:
                case FileEntry(path, mode):
                    files[path] = Staged(folder / path, mode)
                case LinkEntry(path, target):
                    files[path] = Link(target)
                case FolderEntry(path, mode):
                    modes[path] = mode
        return replace(self, files=files, modes=modes)

    def __str__(self) -> str:
        return f"{self.count} files, {self.size} bytes"

    @property
    def folders(self) -> frozenset[str]:
        """The folders that the files are in, and empty ones."""
        known = (folder for name in (*self.files, *self.modes) for folder in _above(name))
        return frozenset(known) | self.modes.keys()


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
