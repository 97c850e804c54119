"""Opens database files: checks what is there, and brings it to the schema of this version.

The schema's version is SQLite's `user_version`: the number of the last migration that was
applied. A migration and its number are written in one transaction, so a process that is killed
leaves the old schema or the new one. A new database is made in one go, from a script that holds
what all migrations make: that takes a quarter of the time.

Nothing here writes to a file that is damaged or from a newer version. That is why an existing
file is looked at through a read-only connection first: closing one that may write would move
what is in the write-ahead log into it.
"""

import errno
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from stat import S_ISREG
from time import monotonic

from pycurrent.store.errors import (
    NewerVersion,
    StateDirError,
    StoreError,
    damaged,
    from_sqlite,
    full,
    kind_of,
    read_only,
    unreadable,
)
from pycurrent.store.sharing import Sharing

_MIGRATIONS = Path(__file__).with_name("migrations")
NEWEST = Path(__file__).with_name("newest.sql")
"""The script that makes a new database. See `tools/newest_schema.py`."""
# The check reads the whole file: about 3 ms a megabyte. A larger file is looked through by the
# engine, once it has started, in a thread.
CHECKED_UP_TO = 1 << 20
# Nobody locks readers out of a database in WAL mode, unless it is repaired or converted.
_READING_BUSY_SECONDS = 2.0
# Kept in memory of the database's pages, in KiB. The system has them as well, and more is not
# quicker: it only counts as memory of the engine.
_CACHE_KIB = 4 * 1024
# A person who waits longer than this for a start wants to know why.
_QUIET_SECONDS = 2.0
# In steps of SQLite's machine: a few milliseconds.
_STEPS_BETWEEN_LOOKS = 100_000

_log = logging.getLogger(__name__)


@cache
def migrations() -> tuple[Path, ...]:
    """The scripts that make the schema, in order; the first makes version 1."""
    files = sorted(file for file in _MIGRATIONS.iterdir() if file.suffix == ".sql")
    numbers = [int(file.name.partition("_")[0]) for file in files]
    assert numbers == list(range(1, len(files) + 1)), numbers
    return tuple(files)


@cache
def _statements(script: Path) -> str:
    """Of a script: most processes read none."""
    return script.read_text(encoding="utf-8")


def open_for_writing(
    path: Path,
    *,
    busy_seconds: float,
    sharing: Sharing = Sharing.OWNER,
    quiet_seconds: float = _QUIET_SECONDS,
    of_one_thread: bool = True,
) -> sqlite3.Connection:
    """A connection to the database at `path`, which is made or migrated where needed.

    `sharing` says who may read it if it is made; SQLite gives its other files the same mode.
    Waits up to `busy_seconds` for a lock that another program holds. A migration that takes
    longer than `quiet_seconds` is logged. A connection that is not `of_one_thread` may go from one
    thread to another, which use it in turn. Raises `NewerVersion`, `StoreDamaged`, or another
    `StoreError`.
    """
    scripts = migrations()
    if _is_there(path):
        with closing(_connect_read_only(path)) as connection:
            version = _check(path, connection, newest=len(scripts))
    else:
        version = 0
        _make(path, sharing)
    connection = _connect(path, path.as_uri(), busy_seconds, of_one_thread=of_one_thread)
    try:
        if not version:
            # Only a database that is empty takes it. See `space.py`.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _prepare(connection)
        if not version:
            _apply(connection, NEWEST, version=len(scripts))
        else:
            with _logged(path, connection, quiet_seconds):
                for number, script in enumerate(scripts[version:], start=version + 1):
                    _apply(connection, script, version=number)
    except sqlite3.Error as error:
        connection.close()
        raise _not_written(path, error) from error
    return connection


def _apply(connection: sqlite3.Connection, script: Path, *, version: int) -> None:
    """Run a script that makes the schema of this version, in one transaction."""
    connection.executescript(
        f"BEGIN IMMEDIATE;\n{_statements(script)}\nPRAGMA user_version = {version};\nCOMMIT;"
    )


@contextmanager
def _logged(path: Path, connection: sqlite3.Connection, quiet_seconds: float) -> Iterator[None]:
    """If a migration in the block takes long, log that it runs, and when it is over."""
    began = monotonic()
    is_said = False

    def look() -> int:
        nonlocal is_said
        if not is_said and monotonic() - began > quiet_seconds:
            is_said = True
            size = path.stat().st_size / (1 << 20)
            _log.warning(
                "the database %s (%.0f MB) is being brought to the schema of this version; if this"
                " is stopped, nothing is lost and it begins again",
                path,
                size,
            )
        return 0

    connection.set_progress_handler(look, _STEPS_BETWEEN_LOOKS)
    yield
    connection.set_progress_handler(None, 0)
    if is_said:
        _log.warning("the database is up to date after %.0f s", monotonic() - began)


def _make(path: Path, sharing: Sharing) -> None:
    """Makes an empty file, unless there is one."""
    try:
        os.close(sharing.make_file(path, os.O_RDWR | os.O_EXCL))
    except FileExistsError:
        pass
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise read_only(path, why) from error
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
            raise full(path, why) from error
        raise StateDirError(f"the database {path} can't be made: {why}") from error


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that only reads the database at `path`, also while an engine writes to it."""
    if not _is_there(path):
        raise _nothing_there(path)
    connection = _connect_read_only(path)
    _require_newest(path, connection)
    return connection


def open_to_copy(path: Path) -> sqlite3.Connection:
    """A connection that only reads the database at `path`, of whatever version."""
    if not _is_there(path):
        raise _nothing_there(path)
    return _connect_read_only(path)


def _nothing_there(path: Path) -> StateDirError:
    return StateDirError(
        f"no database at {path}: nothing has been run with this state directory yet"
    )


def open_existing(path: Path, *, busy_seconds: float) -> sqlite3.Connection:
    """A connection that writes to the database at `path`, also while an engine does.

    It is not made or migrated. Waits up to `busy_seconds` for a lock, as `open_for_writing`.
    """
    open_for_reading(path).close()
    connection = _connect(path, f"{path.as_uri()}?mode=rw", busy_seconds)
    try:
        _prepare(connection)
    except sqlite3.Error as error:
        connection.close()
        raise from_sqlite(path, error) from error
    return connection


def _not_written(path: Path, error: sqlite3.Error) -> StoreError:
    """The error for a database that could not be opened to be written."""
    # SQLite only says that it can't open some file.
    if kind_of(error) == sqlite3.SQLITE_CANTOPEN and not os.access(path.parent, os.W_OK | os.X_OK):
        return read_only(path, f"its folder can't be written; {error}")
    return from_sqlite(path, error)


def check_known(path: Path) -> None:
    """Raise `NewerVersion` if the database at `path`, which need not be there, is from a newer
    version; one from an older version can be migrated. Raises `StoreError` if it can't be read.
    """
    if _is_there(path):
        with closing(_connect_read_only(path)) as connection:
            _check(path, connection, newest=len(migrations()))


def look_through(path: Path) -> None:
    """Raises `StoreDamaged` if anything in the database at `path` is, or another `StoreError`.

    Reads all of it: some milliseconds a megabyte, while others read and write.
    """
    with closing(_connect_read_only(path)) as connection:
        try:
            _quick_check(path, connection)
        except sqlite3.Error as error:
            raise from_sqlite(path, error) from error


def _quick_check(path: Path, connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        # SQLite's report has one finding a line, below a heading.
        raise damaged(path, str(verdict).splitlines()[-1])


def _require_newest(path: Path, connection: sqlite3.Connection) -> None:
    """Close the connection, and raise, unless the schema is that of this version."""
    newest = len(migrations())
    try:
        if _check(path, connection, newest=newest) < newest:
            raise StateDirError(
                f"the database {path} is from an older version of pycurrent: "
                "run a pipeline with this state directory to bring it up to date"
            )
    except BaseException:
        connection.close()
        raise


def _is_there(path: Path) -> bool:
    """True if there is a database. SQLite makes an empty file before it writes to it.

    The file is not opened here: closing it again would end the locks that other connections of
    this process have on it (POSIX), and with them what keeps the database whole.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unreadable(path, error) from error
    if not S_ISREG(status.st_mode):
        raise StateDirError(f"the database {path} is not a file: move it away to make room for one")
    return status.st_size > 0


def _check(path: Path, connection: sqlite3.Connection, *, newest: int) -> int:
    """The version of the schema. Raises if it is newer than `newest`, or the file is damaged."""
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        assert isinstance(version, int)
        if version > newest:
            raise NewerVersion(
                f"the database {path} is from a newer version of pycurrent (its schema is "
                f"{version}, this one knows up to {newest}): update pycurrent, "
                "or use another --state-dir"
            )
        if path.stat().st_size <= CHECKED_UP_TO:
            _quick_check(path, connection)
    except sqlite3.Error as error:
        raise from_sqlite(path, error) from error
    return version


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that only reads, where the right to read is all that there is, too.

    SQLite makes files beside a database in WAL mode even to read it. If it can't, nobody else
    writes now, and the content of the log decides how to read without these files.
    """
    if not os.access(path, os.R_OK):
        raise unreadable(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    connection = _connect(path, f"{path.as_uri()}?mode=ro", _READING_BUSY_SECONDS)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return connection
    except sqlite3.Error as error:
        connection.close()
        if kind_of(error) not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
            raise from_sqlite(path, error) from error
    log = Path(f"{path}-wal")
    try:
        if log.exists() and log.stat().st_size:
            return _connect_to_copy(path, log)
    except OSError as error:
        raise unreadable(path, error) from error
    return _connect(path, f"{path.as_uri()}?immutable=1", _READING_BUSY_SECONDS)


def _connect_to_copy(path: Path, log: Path) -> sqlite3.Connection:
    """A connection to a copy of a database and its log, which are gone from their folder again
    when this returns: the open files are all that is needed.
    """
    # Only here: it is rare, and they take a while to import.
    import shutil
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="pycurrent-") as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(log, f"{copy}-wal")
        connection = _connect(copy, f"{copy.as_uri()}?mode=rw", _READING_BUSY_SECONDS)
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            connection.execute("PRAGMA query_only = 1")
        except sqlite3.Error as error:
            connection.close()
            raise from_sqlite(path, error) from error
        return connection


def _connect(
    path: Path, uri: str, busy_seconds: float, *, of_one_thread: bool = True
) -> sqlite3.Connection:
    """A connection that begins no transactions by itself."""
    try:
        return sqlite3.connect(
            uri,
            uri=True,
            isolation_level=None,
            timeout=busy_seconds,
            check_same_thread=of_one_thread,
        )
    except sqlite3.Error as error:
        raise _not_written(path, error) from error


def _prepare(connection: sqlite3.Connection) -> None:
    """Sets what a connection that writes needs."""
    connection.execute("PRAGMA journal_mode = WAL")
    # A commit is safe from a killed process without waiting for the disk; power loss can cost
    # the last commits, but never damages the file.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
