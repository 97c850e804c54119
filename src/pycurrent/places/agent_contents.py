"""The contents of files that were sent to a place, which are kept there by their digests.

A file that is sent again is taken from here, so only what the place lacks travels. A content is
compared with its digest when it is taken: whatever has become of its file, nobody is given another
one. The least recently used go first once all take too much room. A content is there as a whole or
not at all: it is written under another name, and renamed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

# ruff: noqa: PTH103, PTH105, PTH108, PTH110, PTH120, PTH123

_CHUNK = 1 << 20


class Contents:
    """The contents in one folder, which is made when the first of them is kept. Several agents may
    use it at the same time.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._has_more = False

    def has(self, digest: str) -> bool:
        """True if a content is there. It counts as used."""
        try:
            os.utime(self._path(digest))
        except OSError:
            return False
        return True

    def take(self, digest: str, size: int, target: str) -> bool:
        """Write a content to a file, which is not there yet. False if it is lacking: nothing is
        left of the file then.
        """
        try:
            descriptor = os.open(self._path(digest), os.O_RDONLY)
        except OSError:
            return False
        with open(descriptor, "rb") as source, open(target, "xb") as file:
            found = _copied(source, file)
        if found == (digest, size):
            return True
        os.unlink(target)
        with contextlib.suppress(OSError):
            os.unlink(self._path(digest))
        return False

    def keep(self, digest: str, source: str) -> None:
        """Keep the content of a file, if it has this digest. It is only for speed: no failure
        counts.
        """
        path = self._path(digest)
        if os.path.exists(path):
            return
        part = f"{path}.part-{os.getpid()}"
        try:
            os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(source, "rb") as read, open(descriptor, "wb") as file:
                found, _ = _copied(read, file)
            if found == digest:
                os.replace(part, path)
                self._has_more = True
        except OSError:
            """The disk is full, say."""
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part)

    def trim(self, most: int) -> None:
        """Have all take no more bytes than that, if something was kept."""
        if not self._has_more:
            return
        found = []
        for folder in _entries(self._folder):
            for entry in _entries(folder.path):
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime, status.st_size, entry.path))
        size = sum(size for _, size, _ in found)
        for _, bytes_of_one, path in sorted(found):
            if size <= most:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
            size -= bytes_of_one

    def _path(self, digest: str) -> str:
        return f"{self._folder}/{digest[:2]}/{digest[2:]}"


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _copied(source: BinaryIO, target: BinaryIO) -> tuple[str, int]:
    """The digest and the size of what was copied from one file to another."""
    hasher, size = hashlib.sha256(), 0
    while data := source.read(_CHUNK):
        hasher.update(data)
        target.write(data)
        size += len(data)
    return hasher.hexdigest(), size
