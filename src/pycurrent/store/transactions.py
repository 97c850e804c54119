"""The transactions of the connection that writes: what waits for the next, and the one at work.

A commit is done by a thread, as it writes to the file, and waits where its disk is busy. Most take
less than a millisecond. But the first after a checkpoint waits until the disk has what it writes,
and so does each one on a disk that is far away or has too much to do.

The rows of jobs and their uses are put in by that thread, too: one statement does that for many of
them, while Python's lock is free. All other rows are few, and put in before, in the thread that has
them. The ends of 100,000 jobs that were given up before they had begun are put in *behind* those
that are given up meanwhile: nobody waits for such a commit who has nothing else to write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pycurrent.store.errors import StateDirError, StoreError, from_sqlite
from pycurrent.store.reader import DatabaseReader
from pycurrent.store.records import JobRecord
from pycurrent.store.unsaved import Unsaved

if TYPE_CHECKING:
    from pycurrent.store.changes import InputRecord
    from pycurrent.store.packed import Write


Afterwards = Callable[[sqlite3.Connection], None] | None


class Transactions:
    """The transactions of one connection, one at a time.

    While a commit is at work the connection is its thread's: `wait` before any other use. The
    records that it writes can still be found here.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, queries: Mapping[str, str]
    ) -> None:
        self._path = path
        self._connection = connection
        self._queries = queries
        self._thread = CommitThread(connection)
        self._committing: Future[None] | None = None
        self._writing = Unsaved()
        self._beside: DatabaseReader | None = None
        #: To be called with the connection after the next commit, by its thread.
        self.afterwards: Afterwards = None
        #: The changes for the next commit.
        self.unsaved = Unsaved()
        #: True while ends of jobs that had not begun are left to `begin_ends`.
        self.gathers_ends = False
        #: How many commits have written something.
        self.written = 0

    def close(self) -> None:
        """Wait for the commit that is at work. The connection stays open. Twice is fine."""
        self._thread.close()
        if self._beside is not None:
            self._beside.close()

    # The records that are not in the file yet

    @property
    def are_due(self) -> bool:
        """True if there is something to write, as far as is known."""
        return bool(self.unsaved or self._writing)

    def result(self, op: str, key_digest: str) -> JobRecord | None:
        """The last result of a key, if it differs from the one in the file."""
        key = (op, key_digest)
        return self.unsaved.results.get(key) or self._writing.results.get(key)

    def job(self, job_id: str) -> JobRecord | None:
        """The job with this id, if its row in the file is out of date."""
        return self.unsaved.job(job_id) or self._writing.job(job_id)

    @property
    def newest_first(self) -> tuple[Unsaved, Unsaved]:
        """The changes for the next commit, and those of the one at work."""
        return self.unsaved, self._writing

    def input(self, name: str) -> InputRecord | None:
        """The value of an input, if it differs from the one in the file."""
        return self.unsaved.inputs.get(name) or self._writing.inputs.get(name)

    # Writing

    def begin(self) -> Future[None] | None:
        """Begin to commit what is unsaved. None if nothing is; else `end` is to be called.

        Many ends of jobs that had not begun stay unsaved if anything else is, and so do all while
        they are gathered. Waits for a commit that is `in_the_way`. Lets go of the view that
        look-ups share. Raises `StoreError`; nothing is lost then.
        """
        if self.is_at_work and self.in_the_way is None:
            return None
        # Nobody may have waited for the end of the last one, which is tried again if it failed.
        with suppress(StoreError):
            self.end()
        return self._begin(*self._parted())

    def begin_ends(self) -> None:
        """Begin to commit the ends of jobs that had not begun, if they are many. Call `end` before,
        if no commit is at work; while one is, this does nothing. Raises `StoreError`.
        """
        if self._committing is None and self.unsaved.have_many_ends:
            self._begin(Unsaved(ended=self.unsaved.ended), replace(self.unsaved, ended={}))

    @property
    def in_the_way(self) -> Future[None] | None:
        """The commit at work, unless it writes ends that are gathered, and nothing else is to be
        written.
        """
        if self.gathers_ends and not self.unsaved.are_more_than_ends:
            return None
        return self._committing

    def _begin(self, writing: Unsaved, later: Unsaved) -> Future[None] | None:
        try:
            self.let_go()
            if not writing:
                return None
            self._connection.execute("BEGIN IMMEDIATE")
            rest = writing.write(self._connection, self._queries)
        except sqlite3.Error as error:
            self._roll_back()
            raise from_sqlite(self._path, error) from error
        self._writing, self.unsaved = writing, later
        put_in = [*rest, writing.write_ends]
        afterwards, self.afterwards = self.afterwards, None
        self._committing = self._thread.commit(
            put_in, self._queries, afterwards, at_once=writing.are_much
        )
        return self._committing

    def _parted(self) -> tuple[Unsaved, Unsaved]:
        """The part of what is unsaved that is to be written now, and the rest."""
        unsaved = self.unsaved
        if self.gathers_ends or (unsaved.have_many_ends and unsaved.are_more_than_ends):
            return replace(unsaved, ended={}), Unsaved(ended=unsaved.ended)
        return unsaved, Unsaved()

    def end(self) -> bool:
        """End the commit that was begun: wait for it, and raise `StoreError` if it failed; what it
        was to write is unsaved again then. False if there is none.
        """
        committing, self._committing = self._committing, None
        if committing is None:
            return False
        error = committing.exception()
        writing, self._writing = self._writing, Unsaved()
        if error is None:
            self.written += 1
            return True
        self.unsaved = writing.with_later(self.unsaved)
        self._roll_back()
        if isinstance(error, sqlite3.Error):
            raise from_sqlite(self._path, error) from error
        raise error

    def write(self, query: str, parameters: tuple[object, ...]) -> int:
        """Run one statement in a transaction of its own. Returns how many rows it changed."""
        with suppress(StoreError):
            self.end()
        try:
            self.let_go()
            return self._connection.execute(self._queries[query], parameters).rowcount
        except sqlite3.Error as error:
            raise from_sqlite(self._path, error) from error

    @property
    def is_at_work(self) -> bool:
        """True while a commit has the connection."""
        return self._committing is not None and not self._committing.done()

    @property
    def writes_much(self) -> bool:
        """True while a commit is at work that takes more than a moment, wherever the disk is."""
        return self.is_at_work and self._writing.are_much

    @property
    def writes_many_ends_only(self) -> bool:
        """True while a commit that writes many ends of jobs that had not begun has the connection,
        and nothing else is unsaved.
        """
        is_long = self.is_at_work and self._writing.have_many_ends
        return is_long and not self.unsaved.are_more_than_ends

    def beside(self) -> DatabaseReader | None:
        """A reader for the time of the commit that is at work; None if none is, or there can't be
        one.
        """
        if not self.is_at_work:
            return None
        if self._beside is None:
            with suppress(StateDirError, StoreError):
                self._beside = DatabaseReader.open(self._path)
        return self._beside

    def wait(self) -> None:
        """Wait until no commit has the connection."""
        if self._committing is not None:
            self._committing.exception()

    def let_go(self) -> None:
        """Let go of the view of the file that look-ups share. Not while a commit is at work."""
        if self._connection.in_transaction:
            self._connection.rollback()

    def _roll_back(self) -> None:
        """End a transaction that failed, unless SQLite has already done so."""
        # The error that led here is the one to report.
        with suppress(sqlite3.Error):
            self.let_go()


class CommitThread(Thread):
    """Commits the transactions of one connection, which nobody else uses while one is at work.

    It begins with the first commit, and is a daemon: a commit is whole or never was.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(name="pycurrent commits", daemon=True)
        self._connection = connection
        connection.execute("PRAGMA cache_spill = OFF")
        self._due: SimpleQueue[tuple[Callable[[], None], Future[None]] | None] = SimpleQueue()

    def commit(
        self,
        rest: Sequence[Write],
        queries: Mapping[str, str],
        afterwards: Afterwards,
        *,
        at_once: bool,
    ) -> Future[None]:
        """Put in the rest of the transaction that is open, commit it, and do what is to be done
        afterwards. The result has SQLite's error, if that fails. Returns when that has begun, if it
        is to begin `at_once`: by itself the thread would get Python's lock only after some
        milliseconds, if the caller goes on.
        """
        committing: Future[None] = Future()
        begun = Lock()
        begun.acquire()

        def work() -> None:
            begun.release()
            for write in rest:
                write(self._connection, queries)
            self._connection.execute("COMMIT")
            if afterwards is not None:
                afterwards(self._connection)

        if self._is_running():
            self._due.put((work, committing))
            if at_once:
                begun.acquire()
        else:
            self._commit(work, committing)
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

    def _commit(self, work: Callable[[], None], committing: Future[None]) -> None:
        try:
            work()
        except BaseException as error:
            committing.set_exception(error)
        else:
            committing.set_result(None)
