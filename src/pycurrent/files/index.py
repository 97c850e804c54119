"""The files of a folder as they were saved last, so that unchanged ones are not read again.

A file is unchanged if its number, size, mode and times are those of the last time, as for the index
of git. One that had changed so recently then that a further change could have left its time as it
was is read again. If all are unchanged, the tree is the last one.

A large folder that was unchanged is looked at as a whole from then on (see `looking.py`): if the
look is that of the last time, so are all names and stamps, and the folder is not walked through.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import msgspec
from msgspec import Struct

from pycurrent.files.listing import Entry, slices_of
from pycurrent.files.looking import Stamp
from pycurrent.files.store import FileStore
from pycurrent.files.values import File, Tree

_COARSE = 2_000_000_000
"""Nanoseconds: the coarsest times of files that file systems keep."""
_MOST = 256
"""The number of folders whose files are kept in mind."""
_WORTH = 64
"""Folders with fewer files are read in no time."""


class Seen(Struct, frozen=True, array_like=True, gc=False):
    """A file, as it was when it was read."""

    stamp: Stamp
    digest: str


class _Head(Struct, array_like=True):
    """All that is needed of an index if a look at the folder is that of the last time."""

    tree: tuple[str, int, int]
    losses: bytes
    look: bytes
    """The digest of a look at the folder as it was saved; empty if there is none."""
    at: int


class _Body(Struct, array_like=True):
    others: bytes
    seen: list[bytes]
    """Some files each."""


_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(_Head).decode
_decode_body = msgspec.msgpack.Decoder(_Body).decode
_decode_seen = msgspec.msgpack.Decoder(dict[str, Seen]).decode

_NO_BODY = _Body(_encode([]), [])
_HEAD = 512
"""Bytes of a file that its head takes, with its length: the rest is read only if needed."""
_LENGTH = 2


class FolderIndex:
    """The files of one folder, as they were. Made by `read`."""

    def __init__(self, store: FileStore, path: Path, head: bytes, began: int) -> None:
        self._store = store
        self._path = path
        self._head_as_read = head
        self._head = None
        with suppress(msgspec.DecodeError):
            self._head = _decode_head(head[_LENGTH:][: int.from_bytes(head[:_LENGTH])])
        self._is_sure = self._head is not None and self._head.losses == store.losses
        self._before = 0 if self._head is None else self._head.at - _COARSE
        """When a file must have changed last for that its times tell that it is the same."""
        self._began = began
        self._has_read = False
        self.now: dict[str, Seen] = {}
        """The files that were found now."""

    @classmethod
    def read(cls, store: FileStore, folder: Path, now: int) -> FolderIndex:
        """Read the index of a folder; an empty one if there is none. `now` is in nanoseconds."""
        name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
        path = store.root / "seen" / name
        head = b""
        with suppress(OSError), path.open("rb", buffering=0) as file:
            head = file.read(_HEAD)
        return cls(store, path, head, now)

    @cached_property
    def _body(self) -> _Body:
        """The rest of the index; an empty one if another job has written it meanwhile."""
        with suppress(OSError, msgspec.DecodeError):
            data = self._path.read_bytes()
            if self._head is not None and data[:_HEAD] == self._head_as_read:
                return _decode_body(memoryview(data)[_HEAD:])
        self._head = None
        return _NO_BODY

    @cached_property
    def _seen(self) -> dict[str, Seen]:
        seen: dict[str, Seen] = {}
        try:
            for part in self._body.seen:
                seen |= _decode_seen(part)
        except msgspec.DecodeError:
            self._head = None
        return seen

    @property
    def count(self) -> int:
        """The number of files in the last tree, if that may be the same again; 0 if not."""
        return self._head.tree[1] if self._head is not None and self._is_sure else 0

    def looks_same(self, look: bytes) -> Tree | None:
        """The last tree, if a look with this digest is that of the last time."""
        head = self._head
        if head is None or not self._is_sure or head.look != look:
            return None
        return Tree(*head.tree)

    def knows(self, path: str, status: os.stat_result) -> bool:
        """True if the file at a path is as it was, and its content is kept."""
        seen = self._seen.get(path)
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
        is_same = self._is_sure and not self._has_read and len(self.now) == len(self._seen)
        head = self._head
        if not is_same or head is None or self._body.others != _encode(others):
            return None
        return Tree(*head.tree)

    def write(self, others: list[Entry], tree: Tree) -> None:
        """Keep what the folder holds now."""
        if len(self.now) >= _WORTH:
            known = tree.digest, tree.count, tree.size
            seen = [_encode(dict(part)) for part in slices_of([*self.now.items()])]
            head = _Head(known, self._store.losses, b"", self._began)
            self._write(head, _Body(_encode(others), seen))

    def note_look(self, look: bytes) -> None:
        """Keep the digest of a look at the folder, which is unchanged: no file in it is so young
        that a further change could look the same.
        """
        if self._head is not None:
            self._write(msgspec.structs.replace(self._head, look=look), self._body)

    def _write(self, head: _Head, body: _Body) -> None:
        """It is only for speed, so no failure counts."""
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self._make_room()
            first = _encode(head)
            block = (len(first).to_bytes(_LENGTH) + first).ljust(_HEAD, b"\0")
            part.write_bytes(block + _encode(body))
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
