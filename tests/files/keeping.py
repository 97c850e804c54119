"""What tests of the store do: save a folder, place a tree, look at what is there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import time_ns
from typing import TypeVar

from pycurrent.files import File, FileStore, Saved, Tree, place, save, save_file
from pycurrent.files.store import Writer

T = TypeVar("T")


@dataclass
class Keeper:
    """Saves and places as jobs do, one after the other."""

    store: FileStore
    stop: Event
    now: Callable[[], int] = time_ns
    large: int = 1000

    def saved(self, folder: Path, *patterns: str) -> Saved:
        def saving(writer: Writer) -> Saved:
            return save(
                self.store, writer, folder, patterns, self.stop, large=self.large, now=self.now
            )

        return self._held(saving)

    def tree(self, folder: Path, *patterns: str) -> Tree:
        return self.saved(folder, *patterns).tree

    def file(self, path: Path) -> File:
        return self._held(lambda writer: save_file(writer, path, self.stop))

    def place(self, what: Tree | File, target: Path) -> Path:
        place(self.store, what, target, self.stop)
        return target

    def object(self, content: bytes) -> Path:
        """The file in the store that has this content."""
        (found,) = [path for path in self.objects if path.read_bytes() == content]
        return found

    @property
    def objects(self) -> list[Path]:
        return [Path(entry.path) for entry in self.store.contents()]

    def _held(self, work: Callable[[Writer], T]) -> T:
        lock = self.store.hold(Event())
        try:
            with self.store.writing() as writer:
                return work(writer)
        finally:
            os.close(lock)


Found = dict[str, tuple[int, bytes] | str | int]


def found_in(folder: Path) -> Found:
    """All that is in a folder: files with their modes, targets of links, modes of folders."""
    found: Found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_dir():
            found[name] = mode
        else:
            found[name] = (mode, path.read_bytes())
    return found
