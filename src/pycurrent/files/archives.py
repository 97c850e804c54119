"""Archives of trees: made as they are read, of the same bytes for the same tree.

No time is in them but the first one that their form knows, and no owner: a tree has none. Their
entries are in the order of the tree. In memory at once is a piece of a file, and for a zip the
names.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from enum import Enum
from typing import TypeAlias

from pycurrent.files.content import BLOCK, Stop, never
from pycurrent.files.listing import Entry, FileEntry, FolderEntry, LinkEntry
from pycurrent.files.store import FileStore
from pycurrent.files.values import File

_PIECE = 256 * 1024
"""In bytes, about: what is handed on at once."""
_LEVEL = 6
_RECORD = 512
_GZIP = 31
"""As `wbits` of zlib: the largest window, in the form of gzip, with no name and no time."""
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_LARGE = 1 << 31


_Content: TypeAlias = Callable[[FileEntry], Iterator[bytes]]
"""Reads a file in pieces."""


class ArchiveForm(Enum):
    """The form of an archive, by the end of its name."""

    TAR = "tar.gz"
    ZIP = "zip"

    @property
    def media_type(self) -> str:
        return "application/gzip" if self is ArchiveForm.TAR else "application/zip"


def archive(
    store: FileStore, entries: Iterable[Entry], form: ArchiveForm, stop: Stop = never
) -> Generator[bytes, None, None]:
    """The pieces of an archive. Blocks, and raises `FilesLost` or `Stopped`, while they are asked
    for.
    """
    pack = _tar if form is ArchiveForm.TAR else _zip
    made = pack(entries, lambda entry: _content(store, entry, stop))
    waiting: list[bytes] = []
    size = 0
    for piece in made:
        waiting.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _content(store: FileStore, entry: FileEntry, stop: Stop) -> Iterator[bytes]:
    source = store.open(File(entry.digest, entry.size, entry.mode), entry.path, stop)
    try:
        while piece := os.read(source, BLOCK):
            yield piece
    finally:
        os.close(source)


def _tar(entries: Iterable[Entry], content: _Content) -> Iterator[bytes]:
    import zlib

    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for entry in entries:
        yield packer.compress(_tar_head(entry))
        if isinstance(entry, FileEntry):
            for piece in content(entry):
                yield packer.compress(piece)
            yield packer.compress(bytes(-entry.size % _RECORD))
    yield packer.compress(bytes(2 * _RECORD))
    yield packer.flush()


def _tar_head(entry: Entry) -> bytes:
    import tarfile

    info = tarfile.TarInfo(entry.path)
    match entry:
        case FileEntry(_, mode, size):
            info.mode, info.size = mode, size
        case LinkEntry(_, target):
            info.mode, info.type, info.linkname = 0o777, tarfile.SYMTYPE, target
        case FolderEntry(_, mode):
            info.mode, info.type = mode, tarfile.DIRTYPE
    return info.tobuf(tarfile.PAX_FORMAT)


class _Taken:
    """A file without places, of which the writer of a zip is told no more than that it grows."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """All is there already."""

    def close(self) -> None:
        """It holds nothing open."""

    def take(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _zip(entries: Iterable[Entry], content: _Content) -> Iterator[bytes]:
    import zipfile

    taken = _Taken()
    with zipfile.ZipFile(taken, "w") as writer:
        for entry in entries:
            info = zipfile.ZipInfo(entry.path, _FIRST_DAY)
            info.create_system = _UNIX
            match entry:
                case FileEntry(_, mode, size):
                    info.external_attr = (stat.S_IFREG | mode) << 16
                    info.compress_type = zipfile.ZIP_DEFLATED
                    with writer.open(info, "w", force_zip64=size >= _LARGE) as target:
                        for piece in content(entry):
                            target.write(piece)
                            yield taken.take()
                case LinkEntry(_, target_path):
                    info.external_attr = (stat.S_IFLNK | 0o777) << 16
                    writer.writestr(info, target_path)
                case FolderEntry(path, mode):
                    info.filename = f"{path}/"
                    info.external_attr = (stat.S_IFDIR | mode) << 16 | 0x10
                    writer.writestr(info, b"")
            yield taken.take()
    yield taken.take()
