"""The contents of files: copied, hashed and compared, with flat memory and holes kept."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress

from pycurrent.files.errors import Stopped

BLOCK = 1 << 20
"""Bytes that are in memory at once. A file of no more is read whole."""

_ZEROS = bytes(BLOCK)
_CLONE = 0x40049409
"""The number of FICLONE: to have a file share the blocks of another one."""

Stop = Callable[[], bool]
"""True once nobody wants the work any more."""


def never() -> bool:
    """Nobody stops the work."""
    return False


def digest_of(data: bytes) -> str:
    """The digest of a content."""
    return hashlib.sha256(data).hexdigest()


def digest_of_file(source: int, stop: Stop = never) -> tuple[str, int]:
    """The digest and the size of an open file, from its beginning on."""
    return _through(source, None, stop)


def copy_content(source: int, target: int, stop: Stop = never) -> tuple[str, int]:
    """Copy an open file to another one, which is empty, and give the digest and the size of what
    was copied. Its holes stay holes, where the file system knows them.
    """
    return _through(source, target, stop)


def write_all(target: int, data: bytes) -> None:
    """Write to an open file, however many calls that takes."""
    written = os.write(target, data)
    while written < len(data):
        written += os.write(target, memoryview(data)[written:])


def clone(source: int, target: int) -> bool:
    """Have an open, empty file share the blocks of another one; False where that can't be."""
    import fcntl

    try:
        fcntl.ioctl(target, _CLONE, source)
    except OSError:
        return False
    return True


def copy_quickly(source: int, target: int, size: int, stop: Stop) -> None:
    """Copy an open file, whose content is known, to an empty one, in the kernel where it can."""
    copied = 0
    with suppress(OSError):
        while copied < size:
            _check(stop)
            moved = os.sendfile(target, source, copied, 64 * BLOCK)
            if not moved:
                break
            copied += moved
    if copied < size:
        os.lseek(target, 0, os.SEEK_SET)
        os.ftruncate(target, 0)
        copy_content(source, target, stop)


def is_sparse(status: os.stat_result) -> bool:
    """True if a file has holes that are worth keeping."""
    return status.st_size - status.st_blocks * 512 > BLOCK


def _through(source: int, target: int | None, stop: Stop) -> tuple[str, int]:
    hasher = hashlib.sha256()
    at = 0
    for start, end in _extents(source):
        for zeros in _zeros(start - at):
            hasher.update(zeros)
            _check(stop)
        at = start
        while at < end:
            _check(stop)
            data = os.pread(source, min(BLOCK, end - at), at)
            if not data:
                break
            hasher.update(data)
            if target is not None:
                _write(target, data, at)
            at += len(data)
    if target is not None:
        os.ftruncate(target, at)
    return hasher.hexdigest(), at


def _zeros(length: int) -> Iterator[memoryview]:
    """The zeros of a hole, in parts."""
    while length > 0:
        yield memoryview(_ZEROS)[:length]
        length -= BLOCK


def _extents(source: int) -> Iterator[tuple[int, int]]:
    """The parts of a file that hold data, in order; at its end an empty one. Between are holes."""
    size = os.fstat(source).st_size
    at = 0
    while at < size:
        try:
            start = os.lseek(source, at, os.SEEK_DATA)
            end = os.lseek(source, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break  # Nothing but a hole follows.
            start, end = at, size  # The file system does not know holes.
        yield start, min(end, size)
        at = end
    yield size, size


def _write(target: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(target, view, at)
        view, at = view[written:], at + written


def _check(stop: Stop) -> None:
    if stop():
        raise Stopped
