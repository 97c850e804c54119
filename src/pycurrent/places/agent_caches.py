"""The cache folders at a place: what tools download or compile is kept there for the next jobs.

    ~/.cache/pycurrent/caches/<name>/   <digest>/      what commands see; the digest of the key
                                        <digest>.lock  held (flock) by commands that use the
                                                       folder, and says whose they are
                                        <digest>.size  the bytes after the last use, at its time
                                        gone-<digest>-.../   being removed
                                        .turn          held while any of these files is looked at
                                        .id            a name that no other folder of caches has
                        .looked         at its time unused folders were looked for

The lock is the kernel's: it ends with the last of the commands that hold it, whatever becomes of
the engine.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# ruff: noqa: PTH103, PTH104, PTH108, PTH112, PTH116, PTH118, PTH120, PTH123

LOOK = 0.2
"""Seconds between two attempts to get a folder that others use."""
_LOCK, _SIZE, _GONE = ".lock", ".size", "gone-"
_LOOKED = ".looked"
_DAY = 24 * 3600.0
_UNUSED = 60 * _DAY
"""Seconds after which a folder goes that nobody has used."""


@contextlib.contextmanager
def _turn(caches: str) -> Iterator[None]:
    """Nobody else looks at the files of a name in the block, which is short."""
    os.makedirs(caches, 0o700, exist_ok=True)
    file = os.open(os.path.join(caches, ".turn"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def identity(caches: str) -> str:
    """The name of a folder of caches, by which it is known from each machine that sees it."""
    path = os.path.join(caches, ".id")
    with _turn(caches):
        with contextlib.suppress(OSError), open(path) as file:
            return file.read()
        made = os.urandom(16).hex()
        with open(path, "w") as file:
            file.write(made)
        return made


def _is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take(folder: str, owner: str) -> int | None:
    """Make a cache folder where needed, and use it: gives its lock, an open file, which is held
    together with all that have the same owner. None if it has another one now.
    """
    with _turn(os.path.dirname(folder)):
        os.makedirs(folder, 0o700, exist_ok=True)
        lock = os.open(folder + _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        text = owner.encode()
        if _is_free(lock):
            os.ftruncate(lock, 0)
            os.pwrite(lock, text, 0)
        elif os.pread(lock, 4096, 0) != text:
            os.close(lock)
            return None
        fcntl.flock(lock, fcntl.LOCK_SH)
        return lock


def take_all(wanted: list[tuple[str, str]]) -> list[int] | None:
    """Take several folders, each with its owner; gives their locks. None if others use one of them:
    then none is held, so nobody waits in a circle.
    """
    locks: list[int] = []
    for folder, owner in wanted:
        lock = take(folder, owner)
        if lock is None:
            for taken in locks:
                os.close(taken)
            return None
        locks.append(lock)
    return locks


def end_use(folder: str, most: int) -> list[tuple[str, int]]:
    """Measure a folder after a use. Then set those of its name aside, to be removed, that were not
    used for the longest time, and are not used now, until all hold no more than `most` bytes. Gives
    the paths that they had, and their sizes.
    """
    caches = os.path.dirname(folder)
    if os.path.isdir(folder):
        _write_size(folder)
    found = {
        entry.path: _noted(entry.path)
        for entry in os.scandir(caches)
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(_GONE)
    }
    aside = []
    total = sum(size for _, size in found.values())
    for path in sorted(found, key=lambda path: found[path]):
        if total <= most:
            break
        with _turn(caches):
            is_aside = _set_aside(path)
        if is_aside:
            total -= found[path][1]
            aside.append((path, found[path][1]))
    return aside


def unused(top: str) -> list[str]:
    """Set aside the folders of all names that nobody has used for months: gives all that is to be
    removed. Each use bounds those of its own name, so nobody else would remove them when the name
    is used no more. Looks once a day.
    """
    looked, now = os.path.join(top, _LOOKED), time.time()
    with contextlib.suppress(OSError):
        if now - os.stat(looked).st_mtime < _DAY:
            return []
    aside = []
    with contextlib.suppress(OSError):
        open(looked, "w").close()
        for name in list(os.scandir(top)):
            for entry in list(os.scandir(name.path)) if name.is_dir() else ():
                if entry.name.startswith(_GONE) or not entry.is_dir(follow_symlinks=False):
                    continue
                if now - _last_use(entry.path) > _UNUSED:
                    with _turn(name.path):
                        _set_aside(entry.path)
            aside += set_aside(os.path.join(name.path, "")) if name.is_dir() else []
    return aside


def set_aside(folder: str) -> list[str]:
    """All that is beside a folder and to be removed, now or since somebody was killed at that."""
    caches = os.path.dirname(folder)
    return [entry.path for entry in os.scandir(caches) if entry.name.startswith(_GONE)]


def _write_size(folder: str) -> None:
    with open(folder + _SIZE, "w") as file:
        file.write(str(_size_of(folder)))


def _noted(folder: str) -> tuple[float, int]:
    """The time of the last use, in seconds since 1970, and the bytes after it."""
    try:
        with open(folder + _SIZE) as file:
            return os.fstat(file.fileno()).st_mtime, int(file.read())
    except (OSError, ValueError):
        return time.time(), _size_of(folder)  # Its first use has not ended, or just has.


def _last_use(folder: str) -> float:
    """Not later than the time of its last use, in seconds since 1970."""
    times = []
    for end in (_SIZE, _LOCK):
        with contextlib.suppress(OSError):
            times.append(os.stat(folder + end).st_mtime)
    return max(times, default=time.time())


def _set_aside(folder: str) -> bool:
    """Rename a folder that is to be removed: nobody works in half of one. False if it is used."""
    lock = os.open(folder + _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _is_free(lock):
            return False
        caches, digest = os.path.split(folder)
        gone = os.path.join(caches, f"{_GONE}{digest}-{os.getpid()}-{time.time_ns()}")
        try:
            os.rename(folder, gone)
        except FileNotFoundError:
            return False  # Others have just done that.
        for end in (_SIZE, _LOCK):
            with contextlib.suppress(OSError):
                os.unlink(folder + end)
        return True
    finally:
        os.close(lock)


def _size_of(folder: str) -> int:
    """The bytes of its files, where they can be read."""
    size = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(path, name)).st_size
    return size
