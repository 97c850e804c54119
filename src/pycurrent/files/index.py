"""The files of a folder as they were saved last, so that unchanged ones are not read again.

A file is unchanged if its number, size, mode and times are those of the last time, as for the index
of git. One that had changed so recently then that a further change could have left its time as it
was is read again. If all are unchanged, the tree is the last one.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from pycurrent.files.listing import Entry
from pycurrent.files.store import FileStore
from pycurrent.files.values import File, Tree

_COARSE = 2_000_000_000
"""Nanoseconds: the coarsest times of files that file systems keep."""
_MOST = 256
"""The number of folders whose files are kept in mind."""
_WORTH = 64
"""Folders with fewer files are read in no time."""

Stamp = tuple[int, int, int, int, int]
"""The number, size, mode, and times of a file, which tell whether it has changed."""


class Seen(Struct, frozen=True, array_like=True, gc=False):
    """A file, as it was when it was read."""

    stamp: Stamp
    digest: str


class _Form(Struct, array_like=True):
    losses: bytes
    at: int
    seen: dict[str, Seen]
    others: list[Entry]
    tree: tuple[str, int, int] | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Form)


class FolderIndex:
    """The files of one folder, as they were. Made by `read`."""

    def __init__(self, store: FileStore, path: Path, last: _Form) -> None:
        self._store = store
        self._path = path
        self._last = last
        self._is_sure = last.losses == store.losses
        self._before = last.at - _COARSE
        self._began = time.time_ns()
        self._has_read = False
        self.now: dict[str, Seen] = {}
        """The files that were found now."""

    @classmethod
    def read(cls, store: FileStore, folder: Path) -> FolderIndex:
        """Read the index of a folder; an empty one if there is none."""
        name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
        path = store.root / "seen" / name
        last = _Form(b"", 0, {}, [], None)
        with suppress(OSError, msgspec.DecodeError):
            last = _decoder.decode(path.read_bytes())
        return cls(store, path, last)

    def knows(self, path: str, status: os.stat_result) -> bool:
        """True if the file at a path is as it was, and its content is kept."""
        seen = self._last.seen.get(path)
        if seen is None or seen.stamp != stamp_of(status):
            return False
        if status.st_ctime_ns > self._before or status.st_mtime_ns > self._before:
            return False
        if not (self._is_sure or self._store.has(seen.digest, seen.stamp[1])):
            return False
        self.now[path] = seen
        return True

    def note(self, path: str, status: os.stat_result, file: File) -> None:
        """The file at a path was read."""
        self.now[path] = Seen(stamp_of(status), file.digest)
        self._has_read = True

    def unchanged(self, others: list[Entry]) -> Tree | None:
        """The last tree, if it is the same again: all files are known, and no other ones were
        there; `others` are the links and folders.
        """
        last = self._last
        is_same = self._is_sure and not self._has_read and len(self.now) == len(last.seen)
        if not is_same or last.tree is None or others != last.others:
            return None
        return Tree(*last.tree)

    def write(self, others: list[Entry], tree: Tree) -> None:
        """Keep what the folder holds now. It is only for speed, so no failure counts."""
        if len(self.now) < _WORTH:
            return
        known = tree.digest, tree.count, tree.size
        form = _Form(self._store.losses, self._began, self.now, others, known)
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self._make_room()
            part.write_bytes(_encoder.encode(form))
            part.replace(self._path)

    def _make_room(self) -> None:
        with os.scandir(self._path.parent) as entries:
            found = [(entry.stat().st_mtime_ns, entry.path) for entry in entries]
        for _, path in sorted(found)[: max(0, len(found) - _MOST + 1)]:
            Path(path).unlink()


def stamp_of(status: os.stat_result) -> Stamp:
    """The stamp of a file with this status."""
    return (
        status.st_ino,
        status.st_size,
        status.st_mode,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
