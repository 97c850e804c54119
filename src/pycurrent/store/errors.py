"""The errors of a state directory and its database.

Each message is one line that says what is wrong, where, and what to do about it.
"""

import sqlite3
from pathlib import Path
from typing import ClassVar

from pycurrent.errors import PycurrentError, UsageError


class StateDirError(UsageError):
    """The state directory can't be used as it is."""


class StateDirLocked(StateDirError):
    """Another engine uses the state directory.

    `pid` is the process that holds it, None where it could not be found out.
    """

    def __init__(self, message: str, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


class NewerVersion(StateDirError):
    """The state directory was written by a version of pycurrent that is newer than this one."""


class BadJobId(UsageError):
    """A job id that names nothing below the job directory."""


class StoreError(PycurrentError):
    """The database can't do what it was asked to."""

    brief: ClassVar[str] = "the database can't be used"
    """The error in a few words, without a path."""


class StoreFull(StoreError):
    """The disk takes no more data. The records are kept, and the next commit tries again."""

    brief = "the disk of the database is full or failing"


class StoreBusy(StoreError):
    """Another program locks the database. The records are kept, as with `StoreFull`."""

    brief = "another program holds the lock of the database"


class StoreReadOnly(StoreError, UsageError):
    """The database can be read, but not written."""

    brief = "the database can't be written"


class StoreGone(StoreError):
    """The database's files were moved or removed while they were in use. The records are kept, as
    with `StoreFull`, and written if the files come back.
    """

    brief = "the database was moved or removed"


class StoreDamaged(StoreError, UsageError):
    """The file is damaged, or not a database at all. Nothing has been changed in it."""

    brief = "the database is damaged"


def damaged(path: Path, why: str) -> StoreDamaged:
    """The error for a database at `path` that is damaged: what was found, and the way out."""
    return StoreDamaged(
        f"the database {path} is damaged ({why}): it was left as it is; restore it from a backup, "
        f"or move the folder {path.parent} away to start without its history"
    )


def read_only(path: Path, why: str) -> StoreReadOnly:
    """The error for a database at `path` that can't be written."""
    return StoreReadOnly(
        f"the database {path} can't be written ({why}), so nothing could be recorded: let this user"
        f" write the files in {path.parent} (chown, chmod), mount their disk for writing, or use"
        " another --state-dir"
    )


def full(path: Path, why: str) -> StoreFull:
    """The error for a database at `path` whose disk takes nothing."""
    return StoreFull(
        f"the disk of the database {path} is full or failing ({why}): make room on it; "
        "what could not be written is kept in memory until then"
    )


def unreadable(path: Path, error: OSError) -> StateDirError:
    """The error for a database at `path` that the system does not let us read."""
    return StateDirError(
        f"the database {path} can't be read: {error.strerror}; let this user read the files in"
        f" {path.parent}"
    )


def kind_of(error: sqlite3.Error) -> int:
    """The kind of an error of SQLite, such as `sqlite3.SQLITE_FULL`."""
    # The low byte is the kind of error, the others its variants.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def is_full(error: sqlite3.Error) -> bool:
    """True if SQLite met a disk that takes no more, or fails."""
    return kind_of(error) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def from_sqlite(path: Path, error: sqlite3.Error) -> StoreError:
    """The error of ours that says what `error`, raised on the database at `path`, means."""
    if "Could not decode to UTF-8" in str(error):
        # Of Python's module, without a code: SQLite itself does not look at it.
        return damaged(path, "text that is not UTF-8")
    match kind_of(error):
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, str(error))
        case _ if is_full(error):
            return full(path, str(error))
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(
                f"the database {path} is locked by another program ({error}): end that program's "
                "transaction; what could not be written is kept in memory until then"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return read_only(path, str(error))
        case _:
            return StoreError(f"the database {path} can't be used: {error}")
