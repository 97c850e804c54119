"""Commits in a thread of their own: they write to the file, and wait where its disk is busy.

Most take less than a millisecond. But the first after a checkpoint waits until the disk has what it
writes, and so does each one on a disk that is far away or has too much to do.

Only the `COMMIT` itself is worth a thread. The rows are put in before it, in the thread that has
them: that is work for the processor, as they stay in memory until the commit.
"""

import sqlite3
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
        self._due: SimpleQueue[Future[None] | None] = SimpleQueue()

    def commit(self) -> Future[None]:
        """Commit the transaction that is open. The result has SQLite's error, if that fails."""
        committing: Future[None] = Future()
        if self._is_running():
            self._due.put(committing)
        else:
            self._commit(committing)
        return committing

    def close(self) -> None:
        """Wait for the commit that is at work, and end. Twice is fine."""
        if self.is_alive():
            self._due.put(None)
            self.join()

    def run(self) -> None:
        while (committing := self._due.get()) is not None:
            self._commit(committing)

    def _is_running(self) -> bool:
        if not self.is_alive():
            try:
                self.start()
            except RuntimeError:  # no more threads
                return False
        return True

    def _commit(self, committing: Future[None]) -> None:
        try:
            self._connection.execute("COMMIT")
        except BaseException as error:
            committing.set_exception(error)
        else:
            committing.set_result(None)
