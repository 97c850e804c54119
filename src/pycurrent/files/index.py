"""The files of a folder as they were saved last, so that unchanged ones are not read again.

A file is unchanged if its number, size, mode and times are those of the last time, as for the index
of git. One that had changed so recently then that a further change could have left its time as it
was is read again.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from pycurrent.files.store import FileStore
from pycurrent.files.values import File

_COARSE = 2_000_000_000
"""Nanoseconds: the coarsest times of files that file systems keep."""
_MOST = 256
"""Of so many folders is kept what they held."""
_WORTH = 64
"""Folders with fewer files are read in no time."""


class Seen(Struct, frozen=True, array_like=True, gc=False):
    """A file, as it was when it was read."""

    number: int
    size: int
    mode: int
    modified: int
    changed: int
    digest: str


class _Form(Struct, array_like=True):
    losses: bytes
    at: int
    seen: dict[str, Seen]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Form)


class FolderIndex:
    """The files of one folder, as they were. Made by `read`."""

    def __init__(self, store: FileStore, path: Path, last: _Form) -> None:
        self._store = store
        self._path = path
        self._last = last
        self._is_sure = last.losses == store.losses
        self._now: dict[str, Seen] = {}
        self._began = time.time_ns()
        self._has_read = False

    @classmethod
    def read(cls, store: FileStore, folder: Path) -> FolderIndex:
        """Read the index of a folder; an empty one if there is none."""
        name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
        path = store.root / "seen" / name
        last = _Form(b"", 0, {})
        with suppress(OSError, msgspec.DecodeError):
            last = _decoder.decode(path.read_bytes())
        return cls(store, path, last)

    def known(self, path: str, status: os.stat_result) -> Seen | None:
        """The file at a path, if it is as it was, and its content is kept."""
        seen = self._last.seen.get(path)
        if (
            seen is None
            or seen.changed != status.st_ctime_ns
            or seen.modified != status.st_mtime_ns
            or seen.number != status.st_ino
            or seen.size != status.st_size
            or seen.mode != status.st_mode & 0o777
            or max(seen.changed, seen.modified) > self._last.at - _COARSE
            or not (self._is_sure or self._store.has(seen.digest, seen.size))
        ):
            return None
        self._now[path] = seen
        return seen

    def note(self, path: str, status: os.stat_result, file: File) -> Seen:
        """The file at a path was read."""
        seen = Seen(
            status.st_ino,
            status.st_size,
            file.mode,
            status.st_mtime_ns,
            status.st_ctime_ns,
            file.digest,
        )
        self._now[path] = seen
        self._has_read = True
        return seen

    def write(self) -> None:
        """Keep what the folder holds now. It is only for speed, so no failure counts."""
        is_same = self._is_sure and not self._has_read and len(self._now) == len(self._last.seen)
        if is_same or len(self._now) < _WORTH:
            return
        form = _Form(self._store.losses, self._began, self._now)
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
