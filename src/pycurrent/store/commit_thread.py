"""Commits in a thread of their own: they write to the file, and wait where its disk is busy.

Most take less than a millisecond. But the first after a checkpoint waits until the disk has what it
writes, and so does each one on a disk that is far away or has too much to do.

Only the `COMMIT` itself is worth a thread, as a rule. The rows are put in before it, in the thread
that has them: that is work for the processor, as they stay in memory until the commit. The ends of
100,000 jobs that were given up before they had begun are put in here all the same: one statement
does that for hundreds of them, while Python's lock is free.
"""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread


class CommitThread(Thread):
    """Commits the transactions of one connection, which nobody else uses while one is at work.

    It begins with the first commit, and is a daemon: a commit is whole or never was.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(name="pycurrent commits", daemon=True)
        self._connection = connection
        connection.execute("PRAGMA cache_spill = OFF")
        self._due: SimpleQueue[tuple[Callable[[], None], Future[None]] | None] = SimpleQueue()

    def commit(self, last: Callable[[], None]) -> Future[None]:
        """Do what comes last in the transaction that is open, and commit it. The result has
        SQLite's error, if that fails.
        """
        committing: Future[None] = Future()
        if self._is_running():
            self._due.put((last, committing))
        else:
            self._commit(last, committing)
        return committing

    def close(self) -> None:
        """Wait for the commit that is at work, and end. Twice is fine."""
        if self.is_alive():
            self._due.put(None)
            self.join()

    def run(self) -> None:
        while (due := self._due.get()) is not None:
            self._commit(*due)

    def _is_running(self) -> bool:
        if not self.is_alive():
            try:
                self.start()
            except RuntimeError:  # no more threads
                return False
        return True

    def _commit(self, last: Callable[[], None], committing: Future[None]) -> None:
        try:
            last()
            self._connection.execute("COMMIT")
        except BaseException as error:
            committing.set_exception(error)
        else:
            committing.set_result(None)
