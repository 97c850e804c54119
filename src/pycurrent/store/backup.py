"""Copies of the database, while an engine runs with it or not."""

import errno
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from pycurrent.errors import UsageError
from pycurrent.store.errors import StoreError, damaged, from_sqlite
from pycurrent.store.schema import open_to_copy


def back_up(database: Path, target: Path) -> int:
    """Copies a database, as it is at one moment, to a new file; gives the file's size.

    All that was committed is in it, in one file for its owner only, of any version. It appears
    under its name when it is whole, checked and on disk. Needs the right to read only. Raises
    `UsageError` if there is a file of that name or it can't be made, `StoreDamaged`, or another
    `StoreError`.
    """
    target = target.absolute()
    if os.path.lexists(target):
        raise _is_there(target)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    with closing(open_to_copy(database)) as source:
        try:
            os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            try:
                _copy(database, source, part)
                _give_name(part, target)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(
                f"the backup {target} can't be made: {error.strerror}; name a file in a folder"
                " that this user can write, on a disk that has room"
            ) from error
    return target.stat().st_size


def _copy(database: Path, source: sqlite3.Connection, part: Path) -> None:
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        try:
            source.backup(copy)
        except sqlite3.Error as error:
            raise _cause(database, part, error) from error
        try:
            # Of the database's log nothing is left in the copy, so it needs none.
            copy.execute("PRAGMA journal_mode = DELETE")
            (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            raise _cause(database, part, error) from error
    if verdict != "ok":
        raise damaged(database, str(verdict).splitlines()[-1])
    _sync(part)


def _cause(database: Path, part: Path, error: sqlite3.Error) -> StoreError | OSError:
    """Reading and writing fail with the same words: a full disk is the backup's."""
    found = from_sqlite(database, error)
    free = os.statvfs(part.parent)
    if "full" in str(error) and free.f_bavail * free.f_frsize < 1 << 20:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return found


def _give_name(part: Path, target: Path) -> None:
    """Unlike a renaming, a link never takes the place of a file."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise _is_there(target) from None
    except OSError:  # The file system has no links.
        if os.path.lexists(target):
            raise _is_there(target) from None
        part.rename(target)
    with suppress(OSError):
        _sync(target.parent)


def _is_there(target: Path) -> UsageError:
    return UsageError(f"there is a file {target} already: name another one for the backup")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
