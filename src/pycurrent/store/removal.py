"""Removes rows in transactions that leave room for others: in time, and on the disk."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from pycurrent.store.errors import is_full
from pycurrent.store.records import Row
from pycurrent.store.space import empty_log, give_back, size_of
from pycurrent.store.state_dir import StateDir

# Rows removed in one transaction: a few milliseconds beside an engine, and some tenths of a second
# where nobody waits.
_BATCH = 200
_BATCH_ALONE = 2000


class Removal:
    """Removes rows from one database, which an engine may be using.

    Beside an engine the write lock is taken for a few milliseconds at a time, and left alone for as
    long after that.
    """

    def __init__(
        self,
        state_dir: StateDir,
        connection: sqlite3.Connection,
        progress: Callable[[str], None],
    ) -> None:
        self._state_dir = state_dir
        self._connection = connection
        self._progress = progress
        # Rows removed in one transaction, on the disk as it is.
        self._most = _BATCH_ALONE
        self._is_tight = False
        #: The bytes by which the file became smaller, as there was no room to remove more.
        self.given_back = 0

    @property
    def batch(self) -> int:
        """How many rows are removed in one transaction, if the disk has room."""
        return _BATCH if self._state_dir.is_in_use else _BATCH_ALONE

    def parts(
        self, statements: Sequence[str], rows: Sequence[Row]
    ) -> Iterator[tuple[Sequence[Row], int]]:
        """Run the statements, one after the other, for each of the rows, which are their
        parameters. Gives the rows in parts, each as soon as it is committed, with the number of
        rows of the database that the last statement removed.

        On a disk with hardly any room a part is as large as fits in it. It grows with the room.
        """
        while rows:
            most = min(self._most, self.batch)
            part, rest = rows[:most], rows[most:]
            began = time.monotonic()
            try:
                removed = self._remove(statements, part)
            except sqlite3.Error as error:
                if not is_full(error):
                    raise
                self._is_tight = True
                empty_log(self._connection)
                if len(part) == 1 and not self._makes_room():
                    raise
                self._most = len(part) // 4 or 1
                continue
            took = time.monotonic() - began
            if self._is_tight:
                empty_log(self._connection)
                self._most = min(2 * self._most, _BATCH_ALONE)
            yield part, removed
            rows = rest
            if self._state_dir.is_in_use:
                time.sleep(took)

    def _remove(self, statements: Sequence[str], rows: Sequence[Row]) -> int:
        connection, removed = self._connection, 0
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                removed = connection.executemany(statement, rows).rowcount
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise
        return removed

    def _makes_room(self) -> bool:
        """True if the file of the database has become smaller."""
        before = size_of(self._connection)
        with suppress(sqlite3.Error):
            give_back(self._state_dir, self._connection, self._progress)
        given = before - size_of(self._connection)
        self.given_back += max(0, given)
        return given > 0
