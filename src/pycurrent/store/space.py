"""Gives the space that nothing uses in the file of a database back to the disk.

A database is made so that it can do this a few pages at a time (`auto_vacuum`), each a short
transaction, also beside an engine. One that is older gets there by being written again, once: that
takes the place of all other use, and room for a copy, so it is done where no engine runs. SQLite
does both in transactions: a process that is killed leaves the file as it was, or smaller.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pycurrent.store.errors import StateDirLocked, is_full
from pycurrent.store.lock import StateLock
from pycurrent.store.state_dir import StateDir

# Pages in one transaction: a few milliseconds.
_PAGES = 64
# Less than this of a file, and of bytes, is not worth writing it again: it is used again.
_WORTH_PART = 0.1
_WORTH_BYTES = 1 << 20
# In steps of SQLite's machine: some milliseconds.
_STEPS_BETWEEN_LOOKS = 1_000_000
_MB = 1_000_000

_INCREMENTAL = 2


def _room(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def give_back(
    state_dir: StateDir,
    connection: sqlite3.Connection,
    progress: Callable[[str], None],
    room: Callable[[Path], int] = _room,
) -> tuple[int, str | None]:
    """Make the file of the database as small as what is in it.

    Returns the bytes that it has given back; and why it keeps a noteworthy part of its size, if it
    does. `connection` may write, and is in no transaction. `progress` is told in a line, often;
    `room` tells the free bytes of a disk by one of its folders.
    """
    before = size_of(connection)
    why = None
    if _pragma(connection, "auto_vacuum") == _INCREMENTAL:
        _step_by_step(state_dir, connection, progress)
    elif _is_worth_it(connection):
        why = _at_once(state_dir, connection, progress, room)
    # Meanwhile an engine may have made it larger.
    return max(0, before - size_of(connection)), why


def empty_log(connection: sqlite3.Connection) -> None:
    """Give the room of the log back to the disk, as far as nobody reads it."""
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def _step_by_step(
    state_dir: StateDir, connection: sqlite3.Connection, progress: Callable[[str], None]
) -> None:
    first = _pragma(connection, "freelist_count")
    page = _pragma(connection, "page_size")
    free, pages = first, _PAGES
    while free:
        began = time.monotonic()
        try:
            # As a script: `execute` would end the statement after the first page.
            connection.executescript(f"PRAGMA incremental_vacuum({pages})")
        except sqlite3.Error as error:
            if not is_full(error) or pages == 1:
                raise
            pages //= 4
            empty_log(connection)
            continue
        if pages < _PAGES:
            empty_log(connection)
        took = time.monotonic() - began
        left = _pragma(connection, "freelist_count")
        if left >= free:
            return  # Somebody else makes free pages as quickly, or has taken the rest.
        free = left
        progress(
            f"{(first - free) * page // _MB:,} of {first * page // _MB:,} MB of the database given"
            " back so far"
        )
        if state_dir.is_in_use:
            time.sleep(took)


def _at_once(
    state_dir: StateDir,
    connection: sqlite3.Connection,
    progress: Callable[[str], None],
    room: Callable[[Path], int],
) -> str | None:
    """Write the file again. Returns why that is not possible now, if it isn't."""
    size = size_of(connection)
    if min(room(state_dir.database.parent), room(_temporary_folder())) < 2 * size:
        return f"writing it again takes {2 * size // _MB:,} MB of room on the disk"
    try:
        lock = StateLock.take(state_dir.path, state_dir.sharing)
    except StateDirLocked:
        return "an engine is running: run gc once while none does"
    except OSError as error:
        return f"the state directory can't be locked: {error.strerror}"

    def look() -> int:
        progress(f"the database of {size // _MB:,} MB is being written again")
        return 0

    connection.set_progress_handler(look, _STEPS_BETWEEN_LOOKS)
    try:
        connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
        connection.execute("VACUUM")
    except sqlite3.Error as error:
        return f"it could not be written again: {error}"
    finally:
        connection.set_progress_handler(None, 0)
        lock.release()
    return None


def _is_worth_it(connection: sqlite3.Connection) -> bool:
    free = _pragma(connection, "freelist_count") * _pragma(connection, "page_size")
    return free >= max(_WORTH_BYTES, _WORTH_PART * size_of(connection))


def size_of(connection: sqlite3.Connection) -> int:
    """The size of the file of a database, in bytes."""
    return _pragma(connection, "page_count") * _pragma(connection, "page_size")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _temporary_folder() -> Path:
    """The folder in which SQLite writes the copy first."""
    named = [os.environ.get(name, "") for name in ("SQLITE_TMPDIR", "TMPDIR")]
    for folder in filter(None, (*named, "/var/tmp", "/usr/tmp", "/tmp")):  # noqa: S108
        if Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder)
    return Path.cwd()
