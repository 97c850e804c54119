"""What can go wrong with a state directory and its database.

Each message is one line that says what is wrong, where, and what to do about it.
"""

import sqlite3
from pathlib import Path

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


class StoreFull(StoreError):
    """The disk takes no more data. What was to be written is kept; the next commit tries again."""


class StoreBusy(StoreError):
    """Another program locks the database. What was to be written is kept, as with `StoreFull`."""


class StoreDamaged(StoreError, UsageError):
    """The database file is no database, or a damaged one. Nothing has been changed in it."""


def damaged(path: Path, why: str) -> StoreDamaged:
    """The error for a database at `path` that is damaged: what was found, and the way out."""
    return StoreDamaged(
        f"the database {path} is damaged ({why}): it was left as it is; restore it from a backup, "
        f"or move the folder {path.parent} away to start without its history"
    )


def from_sqlite(path: Path, error: sqlite3.Error) -> StoreError:
    """The error of ours that says what `error`, raised on the database at `path`, means."""
    # The low byte is the kind of error, the others its variants.
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, str(error))
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return StoreFull(
                f"the disk of the database {path} is full or failing ({error}): make room on it; "
                "what could not be written is kept in memory until then"
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(
                f"the database {path} is locked by another program ({error}): end that program's "
                "transaction; what could not be written is kept in memory until then"
            )
        case _:
            return StoreError(f"the database {path} can't be used: {error}")
