r"""The database of one engine: its jobs and their results, its log rules and settings.

Writes are gathered in memory and written by `commit`, which the engine calls once a step: a
transaction costs more than the rows in it, and one that is short leaves the file to others.
Until then they are seen by `last_result`, and lost if the process is killed; so an engine commits
before it tells anybody about a result. A commit that fails, because the disk is full for
example, loses nothing: the next one writes everything.

    insert_job ──► start_job ──► finish_job      its end; a result, if that is one, is the last one
        │              │                         of its key from then on
        └──────────────┴──killed──► interrupted  found by the next `open`: no result

A job can end without having been started. A commit writes the present state of a job: one that
began and ended between two commits is written once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Self

from pycurrent.store.change_tables import ChangeTables
from pycurrent.store.checkpoint import Checkpointer
from pycurrent.store.database_files import DatabaseFiles
from pycurrent.store.delivery_table import DeliveryTable
from pycurrent.store.errors import StoreDamaged, StoreError, from_sqlite
from pycurrent.store.keys_to_retire import KeysToRetire
from pycurrent.store.looks import Looks
from pycurrent.store.new_failures import NewFailures
from pycurrent.store.overrides import OverrideKey, OverrideRecord
from pycurrent.store.reader import DatabaseReader
from pycurrent.store.records import (
    BuildRecord,
    HeldLog,
    HeldText,
    JobEnd,
    JobRecord,
    LastResult,
    RuleRecord,
    copy_of,
    time_text,
)
from pycurrent.store.saved_files import SavedFiles
from pycurrent.store.schema import CHECKED_UP_TO, look_through, open_for_writing
from pycurrent.store.sharing import Sharing
from pycurrent.store.transactions import Transactions
from pycurrent.store.uses import UseRecord, as_json

if TYPE_CHECKING:
    from pycurrent.store.audit import AuditRecord
    from pycurrent.store.firings import FiringRecord
    from pycurrent.store.ran import RanRecord

# While it is opened, another program's transaction is waited for. Later it would stop the event
# loop for as long: then a commit is `StoreBusy`, to be tried again.
_BUSY_SECONDS = 2.0
_BUSY_MILLISECONDS = 5
_CHECKPOINT_BYTES = 8 << 20
_MOST_USES = 1000


# Longer than our classes are: all that it writes goes through one transaction, and until then
# through what is unsaved.
class Database(DatabaseReader):
    """The database of the engine that holds the state directory.

    Belongs to the thread that made it, and never writes before `commit`, log rules excepted,
    which are written at once. Reading jobs, their history or their operations first commits what
    is unsaved, if the disk takes it. Use it as a context manager, or call `close`.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        *,
        checkpoint_bytes: int,
        now: datetime | None = None,
    ) -> None:
        super().__init__(path, connection)
        self._last_result = self._queries["last_result"]
        self._cursor = connection.cursor()
        self._running: dict[str, JobRecord] = {}
        self._transactions = Transactions(path, connection, self._queries)
        #: Where it is recorded why jobs have failed.
        self.new_failures = NewFailures(self._transactions)
        #: The changes from outside, to be added to.
        self.change_tables = ChangeTables(self._transactions, self._read)
        #: The keys that are set, and to be retired.
        self.to_retire = KeysToRetire(self._transactions, self._read)
        #: The lookups: which results still hold, and the jobs that look.
        self.looks = Looks(self._transactions, self._read)
        #: The files that jobs have saved.
        self.saved_files = SavedFiles(self._transactions, self._read)
        #: The deliveries of webhooks.
        self.deliveries = DeliveryTable(self._transactions, self._read)
        self._checkpointer = Checkpointer(path, threshold_bytes=checkpoint_bytes)
        self._checkpointer.prepare(connection)
        self._files: DatabaseFiles | None = None
        #: Damage that was met. Nothing is built on such a database any more.
        self.damage: StoreDamaged | None = None
        # The changes that this engine adds are its own until it ends: see `garbage_changes.py`.
        earlier = self.change_tables.last
        opened = time_text(now or datetime.now(UTC))
        self._write("inputs_had_until", (opened,))
        self._write("opened", (opened, *map(str, earlier)))
        # The jobs of an engine that was killed.
        self._write("interrupt_unended", ())
        self._has_unsettled = bool(self._read("has_unsettled", ()))
        newest = self._read("newest_id", ())
        self._newest_id = str(newest[0][0]) if newest else ""
        self._last_seq = int(self._read("last_seq", ())[0][0])
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        self._files = DatabaseFiles.of(path)
        self._closed = False
        self._has_new_jobs = False

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        checkpoint_bytes: int = _CHECKPOINT_BYTES,
        sharing: Sharing = Sharing.OWNER,
        now: datetime | None = None,
    ) -> Self:
        """The database at `path`, an absolute path: made, or migrated, where needed.

        `sharing` says who may read it if it is made. `now` is the time; by default the clock's.
        Only for the process that holds the lock of the state directory, since the jobs that have
        no end are marked as interrupted. Raises `NewerVersion`, `StoreDamaged`, `StoreFull`,
        `StoreBusy` or `StoreReadOnly`; the file is then as it was.
        """
        connection = open_for_writing(
            path, busy_seconds=_BUSY_SECONDS, sharing=sharing, of_one_thread=False
        )
        try:
            return cls(path, connection, checkpoint_bytes=checkpoint_bytes, now=now)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise from_sqlite(path, error) from error
            raise

    def close(self) -> None:
        """Commits, waits for a checkpoint that runs, and tidies up. Closing twice does nothing.

        Raises what `commit` raises; the database is closed then, too, and what could not be
        written is lost.
        """
        if self._closed:
            return
        self._closed = True
        try:
            # Also to files that were moved away: their new owner may still want the records.
            self.gathers_ends = False
            while self._transactions.begin() is not None:
                self._transactions.end()
            self.check()
        finally:
            self._transactions.close()
            self._checkpointer.wait()
            # Where this fails, all that was committed is in the log, and the next `open` finds it.
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()

    # Jobs

    def insert_job(self, job: JobRecord) -> None:
        """Records a job that was created. From then on the record is the database's, which
        changes it: keep no other use of it.
        """
        self._has_new_jobs = True
        self._running[job.job_id] = self._transactions.unsaved.inserted[job.job_id] = job

    def reopen_job(self, job: JobRecord) -> None:
        """Records that a job which counted as interrupted goes on. As with `insert_job`, the record
        is the database's from then on.
        """
        job.ended = None
        self._running[job.job_id] = self._transactions.unsaved.updated[job.job_id] = job

    def is_written(self, job_id: str) -> bool:
        """True if nothing of a job waits for the next commit."""
        return self._transactions.job(job_id) is None

    def hold_job(self, job: JobRecord) -> None:
        """Records a job only if it has something to tell: `finish_job` does, and `looks.keep`
        before that. Until then it is found by its id alone, and a kill leaves nothing of it.
        """
        self._has_new_jobs = True
        self._running[job.job_id] = self.looks.held[job.job_id] = job

    def drop_job(self, job_id: str) -> None:
        """Forgets a job that is held: it has ended, and leaves no record."""
        del self.looks.held[job_id]
        del self._running[job_id]

    def start_job(self, job_id: str, *, started: datetime | None, level: str) -> None:
        """Records how risky a job is, and when its work started: None if it waits for that.

        Raises ValueError if the job has ended, or was not inserted.
        """
        job, unsaved = self._unended(job_id), self._transactions.unsaved
        if job_id in self.looks.held or job_id in unsaved.inserted:
            """All of it is written."""
        elif started is None and job_id not in unsaved.updated:
            unsaved.waiting[job_id] = job
        else:
            unsaved.update(job)
        job.started = started
        job.level = level

    def finish_job(
        self,
        job_id: str,
        end: JobEnd,
        *,
        finished: datetime | None = None,
        outcome: str | None = None,
        started: datetime | None = None,
        kind: str | None = None,
    ) -> None:
        """Records how a job ended.

        An end that leaves a result comes with its `outcome`, and with when it `finished`: from
        now on it is the one that `last_result` finds. `kind` is that of a failure which is not the
        work's own. `started`, if given, is when its work started by the clock that tells
        `finished`: it may have been set since `start_job`.

        Raises ValueError if the job has ended, or was not inserted.
        """
        assert end.has_result == (outcome is not None)
        assert outcome is None or finished is not None
        job, unsaved = self._unended(job_id), self._transactions.unsaved
        del self._running[job_id]
        if self.looks.held and job_id in self.looks.held:
            self.looks.keep(job_id, job.changes)
        if job_id in unsaved.inserted:
            """All of it is written."""
        elif outcome is None and started is None and not unsaved.is_changed(job_id):
            # Most of those that are given up before they have begun: half as much to write.
            unsaved.ended[job_id] = job
        else:
            unsaved.update(job)
        job.ended = end
        job.started = started or job.started
        job.finished = finished
        job.outcome = outcome
        job.kind = kind
        if outcome is not None:
            unsaved.results[job.op, job.key_digest] = job
        else:
            self._has_unsettled = True

    def unsettled(
        self, op: str, key_digest: str, *, after: str | None
    ) -> tuple[str, JobEnd] | None:
        """The last run of a key, after a certain job, that began and left no result, and how it
        ended: then nobody knows to what the key is set.
        """
        if not self._has_unsettled:
            return None
        rows = self._read("unsettled", {"op": op, "digest": key_digest, "after": after})
        return None if not rows else (str(rows[0][0]), JobEnd(rows[0][1]))

    def set_rebuild(self, op: str, key_digest: str) -> BuildRecord | None:
        """Marks the last result of a key as to be rebuilt: `last_result` then says so.

        A newer result is not marked. Returns the marked result, None if the key has none.
        """
        last = self.lookup(op, key_digest)
        if last is not None and not last.rebuild:
            last.rebuild = True
            self._transactions.unsaved.results[op, key_digest] = last
            self._transactions.unsaved.rebuilds.add(last.job_id)
        return last

    # Reading

    def lookup(self, op: str, key_digest: str) -> BuildRecord | None:
        """The last result of a key, a failure too; None if there has not been any."""
        unsaved = self._transactions.result(op, key_digest)
        return super().lookup(op, key_digest) if unsaved is None else copy_of(unsaved, BuildRecord)

    def last_result(self, op: str, key_digest: str) -> LastResult | None:
        """The same as `lookup` finds, with what is needed to use it, in half the time.

        Look-ups between two commits share one view of the file, which halves their cost again.
        """
        unsaved = self._transactions.result(op, key_digest)
        if unsaved is not None:
            return LastResult.of_record(unsaved)
        try:
            if self._transactions.is_at_work:
                rows = self._run(self._last_result, (op, key_digest))
                return LastResult.of_row(rows[0]) if rows else None
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN")
            row = self._cursor.execute(self._last_result, (op, key_digest)).fetchone()
            return None if row is None else LastResult.of_row(row)
        except (sqlite3.Error, ValueError, TypeError, AttributeError) as error:
            raise self._damage_or(error) from error

    def job(self, job_id: str) -> JobRecord | None:
        """One job, ended or not; None if no job has this id. A job that can't be written yet is
        found, too.
        """
        found = super().job(job_id)
        unsaved = self._transactions.job(job_id) or self.looks.held.get(job_id)
        return found if unsaved is None else copy_of(unsaved, JobRecord)

    def held_log(self, job_id: str) -> HeldLog:
        """The log of a job, as far as it has no file: as it is now, if the job has not ended.

        Also after `close`.
        """
        if self._closed:
            with DatabaseReader.open(self._path) as reader:
                return HeldText(reader.log(job_id))
        job = self._running.get(job_id) or self._transactions.job(job_id)
        return HeldText(self.log(job_id)) if job is None or job.log is None else job.log

    def is_recorded(self, job_id: str) -> bool:
        """True unless a job was inserted since the last commit, or that has failed."""
        return job_id not in self._transactions.unsaved.inserted

    def is_new(self, job_id: str) -> bool:
        """True if no job had this id when the database was opened."""
        return job_id > self._newest_id or not self._read("has_job", (job_id,))

    def is_of_earlier_engine(self, job_id: str) -> bool:
        """True if a job that is recorded was there when the database was opened."""
        return not self._has_new_jobs or bool(self._read("has_job_until", (job_id, self._last_seq)))

    # Rules and settings

    def add_rule(self, rule: RuleRecord) -> None:
        """Adds a log rule, in place of one with the same pattern. Written at once."""
        self._write("add_rule", (rule.pattern, rule.report, rule.score, rule.kind))

    def remove_rule(self, pattern: str) -> bool:
        """Removes the log rule with a pattern. False if there is none. Written at once."""
        return self._write("remove_rule", (pattern,)) > 0

    def remember(self, name: str, value: str) -> None:
        """Remembers `value` under a name. Written by the next commit."""
        self._transactions.unsaved.settings[name] = value

    def set_override(self, record: OverrideRecord) -> None:
        """Records something that somebody has set. Written by the next commit."""
        self._transactions.unsaved.overrides[record.key] = record

    def remove_override(self, key: OverrideKey) -> None:
        """Forgets something that somebody has set. Written by the next commit."""
        self._transactions.unsaved.overrides[key] = None

    def set_firing(self, record: FiringRecord) -> None:
        """Records a firing, or that it is done. Written by the next commit."""
        self._transactions.unsaved.firings[record.id] = record

    def job_as_it_is(self, job_id: str) -> JobRecord | None:
        """The job with this id. Commits nothing, unlike `job`."""
        found = self._transactions.job(job_id) or self.looks.held.get(job_id)
        if found is not None:
            return copy_of(found, JobRecord)
        rows = self._read("job", (job_id,))
        return self._record(rows[0], JobRecord) if rows else None

    def committed_uses(self, job_id: str) -> list[UseRecord]:
        """The uses of a job by stages that are committed, the newest first; not all if they are
        very many. Commits nothing, unlike `uses_of_job`.
        """
        return self._uses("uses_of_job", job_id, _MOST_USES)

    def add_audit(self, record: AuditRecord) -> None:
        """Adds an act to the audit. Written by the next commit."""
        self._transactions.unsaved.audit.append(record)

    def add_ran(self, record: RanRecord) -> None:
        """Adds where a job has run, and what it has used. Written by the next commit."""
        self._transactions.unsaved.ran.append(record)

    def add_use(self, record: UseRecord) -> None:
        """Adds a use of a job by a stage, unless it is the stage's last one. Written by the next
        commit.
        """
        self._transactions.unsaved.uses.append(record)

    def unrecorded_uses(self, uses: Sequence[UseRecord]) -> Sequence[UseRecord]:
        """Return the uses that are not recorded as the last ones of their stages; all of them if
        that can't be told now. Commits nothing, and takes a third of the time of adding them.
        """
        if not uses or any(unsaved.uses for unsaved in self._transactions.newest_first):
            return uses
        try:
            places = self._read("unrecorded_uses", (as_json(uses),))
        except StoreError:
            return uses  # The commit says what is wrong.
        return [uses[place] for (place,) in places]

    @property
    def has_jobs(self) -> bool:
        """True if anything was ever run, as far as the records tell."""
        return bool(self._read("has_jobs", ()))

    # Transactions

    def commit(self, *, many_ends: bool = True) -> None:
        """Writes what is unsaved: from then on it survives the death of the process.

        Costs next to nothing when there is nothing to write. To be called at the end of each
        step, also of one that only looked up: it lets go of the view that the look-ups share.
        Raises `StoreFull`, `StoreBusy`, `StoreGone` or another `StoreError`; what is unsaved is
        kept, and the next commit tries again. Waits for another program's transaction no longer
        than a few milliseconds, and for the disk as long as that takes.

        Without `many_ends`, the ends of jobs that had not begun are left unsaved if they are many,
        or gathered: they take longer.
        """
        gathers = self.gathers_ends
        self.gathers_ends = not many_ends and (gathers or self._transactions.unsaved.have_many_ends)
        try:
            while self.begin_commit() is not None:
                self.end_commit()
        finally:
            self.gathers_ends = gathers

    def begin_commit(self) -> Future[None] | None:
        """Begins to write what is unsaved, as `commit` does, and raises what that raises. None if
        there is nothing to write; else `end_commit` is to be called once the future is done, or
        sooner, which waits for it.

        The changes that come meanwhile are written by the next one. Look-ups do not wait. Many ends
        of jobs that had not begun are left for the next one if there is anything else to write.
        """
        if self._transactions.are_due or self.damage is not None:
            self.check()
        return self._checkpointer.once_emptied(self._transactions.begin)

    def end_commit(self) -> None:
        """Ends the commit that was begun, unless another has: raises what it met."""
        if self._transactions.end():
            self._checkpointer.after_commit()
            if self._checkpointer.lags:
                self._transactions.afterwards = self._checkpointer.catch_up

    @property
    def gathers_ends(self) -> bool:
        """True while the ends of jobs that had not begun are left to `write_ends`: set it where
        thousands are given up, one after the other. If the process is killed before they are
        written such jobs count as interrupted, as if they had waited until then. `commit` writes
        them all the same, and so does `close`.
        """
        return self._transactions.gathers_ends

    @gathers_ends.setter
    def gathers_ends(self, gathers: bool) -> None:
        self._transactions.gathers_ends = gathers

    def write_ends(self) -> None:
        """Begins to write the ends that are gathered, if they are many and no commit is at work.
        Nobody need wait for that, or end it; what can't be written now is left to the next commit.
        """
        if self._transactions.is_at_work:
            return
        # The engine's own commit reports what is wrong.
        with suppress(StoreError):
            self.end_commit()
            self.check()
            self._checkpointer.once_emptied(self._transactions.begin_ends)

    @property
    def in_the_way(self) -> Future[None] | None:
        """The commit at work that `begin_commit` would wait for; None if there is none."""
        return self._transactions.in_the_way

    @property
    def writes_much(self) -> bool:
        """True while a commit is at work that takes more than a moment, wherever the disk is."""
        return self._transactions.writes_much

    @property
    def has_many_ends(self) -> bool:
        """True if the next `begin_commit` has many ends of jobs that had not begun to write."""
        return self._transactions.unsaved.have_many_ends and not self.gathers_ends

    @property
    def changed_jobs(self) -> int:
        """How many jobs the next commit has to write again, but for ends of those that had not
        begun.
        """
        return self._transactions.unsaved.changed_jobs

    @property
    def written(self) -> int:
        """How many commits have written something."""
        return self._transactions.written

    def _damage_or(self, error: Exception) -> StoreError:
        found = super()._damage_or(error)
        if isinstance(found, StoreDamaged):
            self.damage = found
        return found

    def check(self) -> None:
        """Raises `StoreGone` if the files were moved or removed meanwhile, and `StoreDamaged` if
        damage was met. Takes microseconds.
        """
        if self.damage is not None:
            raise self.damage
        if self._files is not None:
            self._files.check()

    @property
    def _readable(self) -> sqlite3.Connection:
        if (beside := self._transactions.beside()) is not None:
            return beside._readable
        self._transactions.wait()
        return self._connection

    @property
    def is_large(self) -> bool:
        """True if the file is too large to be looked through when it is opened."""
        return self._path.stat().st_size > CHECKED_UP_TO

    def look_through(self) -> StoreDamaged | None:
        """The damage that is anywhere in the file, if there is any. From any thread: it reads all
        of the file.
        """
        try:
            look_through(self._path)
        except StoreDamaged as error:
            return error
        except StoreError:
            pass  # The next use of the file meets it again.
        return None

    @property
    def has_long_log(self) -> bool:
        """True if `tidy`, or `close`, takes longer than a moment."""
        return self._checkpointer.is_long

    def tidy(self) -> Thread:
        """Starts moving what was committed from the log into the file of the database, in a
        thread, which is returned: then a copy of that one file is a backup. Never blocks.
        """
        return self._checkpointer.tidy()

    def _unended(self, job_id: str) -> JobRecord:
        job = self._running.get(job_id)
        if job is None:
            raise ValueError(f"job {job_id} is not running: it has ended, or was not inserted")
        return job

    def _catch_up(self) -> None:
        """Commits what is unsaved; while it can't be written, queries show the rest.

        Many ends of jobs that had not begun are not waited for: such jobs are seen as they were.
        """
        if self._transactions.writes_many_ends_only:
            return
        # The engine's own commit reports what is wrong.
        with suppress(StoreError):
            self.commit(many_ends=False)

    def _write(self, query: str, parameters: tuple[object, ...]) -> int:
        """Runs one statement in a transaction of its own. Returns how many rows it changed."""
        self.check()
        return self._checkpointer.once_emptied(partial(self._transactions.write, query, parameters))
