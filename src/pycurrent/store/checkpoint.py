"""Moves what is in the write-ahead log into the database, beside the thread that writes.

SQLite would do this within a commit, every 1,000 pages, and wait for the disk; here the commit
is the event loop's. So a thread with a connection of its own does it. It blocks nobody: a
passive checkpoint moves what it can, and leaves the rest to the next one.

Where one commit follows the other there is always a rest, and the log starts over only when there
is none: it would grow for as long. Then the thread of the commits moves the rest, which is little,
between two of them.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from pycurrent.store.errors import StoreBusy

T = TypeVar("T")

_LONG = 1 << 20
"""Bytes of the log that are moved in some milliseconds."""


class Checkpointer:
    """Runs a checkpoint in the background when the log of the database at `path` is large.

    Not thread-safe: its methods are for the thread that writes.
    """

    def __init__(self, path: Path, *, threshold_bytes: int) -> None:
        self._path = path
        self._log = Path(f"{path}-wal")
        self._threshold = threshold_bytes
        # The size at which the next checkpoint is due.
        self._due = threshold_bytes
        self._thread: threading.Thread | None = None
        self._is_emptying = False
        """True while the log is emptied, for which the database is locked some moments."""
        self._emptied = 0
        """How often that was begun."""
        self.lags = False
        """True if a checkpoint has left a rest, which `catch_up` is to move."""

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Makes the connection that writes leave checkpoints to this object."""
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        # When the log starts over after a full checkpoint its file shrinks, too. Otherwise its
        # size would not tell how much is in it.
        connection.execute("PRAGMA journal_size_limit = 0")

    @property
    def is_long(self) -> bool:
        """True if it takes more than a moment to move what is in the log."""
        return self._size() > _LONG

    def _size(self) -> int:
        try:
            return self._log.stat().st_size
        except FileNotFoundError:
            return 0

    def after_commit(self) -> bool:
        """Starts a checkpoint if one is due and none is running; tells whether. Never blocks."""
        size = self._size()
        self.lags = False
        if size < self._threshold:
            self._due = self._threshold
        if size < self._due or (self._thread is not None and self._thread.is_alive()):
            return False
        # A reader can keep the log from being emptied; then it is not tried at each commit.
        self.lags = self._due > self._threshold
        self._due = size + self._threshold
        if self.lags:
            return False
        self._thread = threading.Thread(target=self._checkpoint, name="pycurrent checkpoint")
        self._thread.start()
        return True

    def catch_up(self, connection: sqlite3.Connection) -> None:
        """Moves what a checkpoint has left, by the connection that writes, in its thread, when it
        has committed: so nothing is left, and the next commit has the log start over, unless a
        reader still needs it. Waits for the disk.
        """
        # As in `_run`, data that can't be moved now stays safe in the log.
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def tidy(self) -> threading.Thread:
        """Starts moving all that there is into the database, so that its file alone is whole.

        Returns the thread that does it; if a checkpoint runs already, that one's. Never blocks; a
        commit that comes in the very moment in which the log is emptied finds the database locked:
        see `once_emptied`.
        """
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._tidy, name="pycurrent checkpoint")
            self._thread.start()
        return self._thread

    def once_emptied(self, write: Callable[[], T]) -> T:
        """Writes: once the log is emptied, if it is just then. That the database is locked for that
        is our own doing, and over in moments: nobody should see it.
        """
        before = self._emptied
        try:
            return write()
        except StoreBusy:
            if not self._is_emptying and self._emptied == before:
                raise
            self.wait()
            return write()

    def wait(self) -> None:
        """Returns when no checkpoint is running."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _checkpoint(self) -> None:
        self._run("PASSIVE")

    def _tidy(self) -> None:
        # The copying, which takes time, blocks nobody; the truncation then has nothing to copy.
        self._run("PASSIVE", "TRUNCATE")

    def _run(self, *modes: str) -> None:
        # Don't make the file again if somebody has removed it.
        uri = f"{self._path.as_uri()}?mode=rw"
        # Data that can't be moved now, because the disk is full for example, stays safe in the log.
        with (
            suppress(sqlite3.Error),
            closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0)) as connection,
        ):
            try:
                for mode in modes:
                    self._is_emptying = mode == "TRUNCATE"
                    self._emptied += self._is_emptying
                    connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            finally:
                self._is_emptying = False
