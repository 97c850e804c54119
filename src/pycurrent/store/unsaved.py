"""The changes to a database that are in memory, and not in its file yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, field

from pycurrent.store import packed
from pycurrent.store.records import JobRecord, storable

if TYPE_CHECKING:
    from pycurrent.store.audit import AuditRecord
    from pycurrent.store.changes import ChangeRecord, InputRecord
    from pycurrent.store.deliveries import DeliveryKey, DeliveryRecord
    from pycurrent.store.failures import FailureRecord, LaterFinding
    from pycurrent.store.firings import FiringRecord
    from pycurrent.store.look_record import LookRecord
    from pycurrent.store.overrides import OverrideKey, OverrideRecord
    from pycurrent.store.packed import Write
    from pycurrent.store.ran import RanRecord
    from pycurrent.store.saved_record import SavedRecord
    from pycurrent.store.to_retire import SetKey
    from pycurrent.store.uses import UseRecord

MUCH = 50
"""Rows of jobs and uses that take some milliseconds to write."""
FEW = 1000
"""How many ends of jobs that had not begun are written with anything else: in some 5 ms."""


class Unsaved(Struct):
    """The changes that one commit writes."""

    # Jobs by their id: those that have no row yet, and those whose row is out of date.
    inserted: dict[str, JobRecord] = field(default_factory=dict)
    updated: dict[str, JobRecord] = field(default_factory=dict)
    # Jobs that have not begun, of whose rows only the level and the log are out of date.
    waiting: dict[str, JobRecord] = field(default_factory=dict)
    # Jobs that have ended without a result, while all else is in their rows: most of those that
    # are given up before they have begun.
    ended: dict[str, JobRecord] = field(default_factory=dict)
    # Ids of results that are to be rebuilt.
    rebuilds: set[str] = field(default_factory=set)
    settings: dict[str, str] = field(default_factory=dict)
    audit: list[AuditRecord] = field(default_factory=list)
    uses: list[UseRecord] = field(default_factory=list)
    failures: list[FailureRecord] = field(default_factory=list)
    # Later findings about failures that have rows, by job.
    amended: dict[str, LaterFinding] = field(default_factory=dict)
    changes: dict[int, ChangeRecord] = field(default_factory=dict)
    change_sets: dict[int, tuple[int, ...]] = field(default_factory=dict)
    inputs: dict[str, InputRecord] = field(default_factory=dict)
    # The names of those that the engine has, of which it has not recorded that yet.
    used_inputs: set[str] = field(default_factory=set)
    # The values that people have set; None: not any more.
    overrides: dict[OverrideKey, OverrideRecord | None] = field(default_factory=dict)
    firings: dict[int, FiringRecord] = field(default_factory=dict)
    deliveries: dict[DeliveryKey, DeliveryRecord] = field(default_factory=dict)
    # The jobs that have set keys which are to be retired; None: not any more.
    to_retire: dict[SetKey, str | None] = field(default_factory=dict)
    # The refreshes of results that have found nothing new, by the jobs of these.
    looks: dict[str, LookRecord] = field(default_factory=dict)
    # The files that jobs have saved.
    saved: list[SavedRecord] = field(default_factory=list)
    # Where jobs have run.
    ran: list[RanRecord] = field(default_factory=list)
    # The last result of each (op, key digest) that differs from the one in the file.
    results: dict[tuple[str, str], JobRecord] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.ended) or self.are_more_than_ends

    @property
    def are_more_than_ends(self) -> bool:
        """True if there is anything but ends of `ended`."""
        jobs = self.inserted or self.updated or self.waiting
        explained = self.uses or self.changes or self.change_sets or self.inputs or self.used_inputs
        failed = self.failures or self.amended
        asked = self.settings or self.overrides or self.firings or self.audit or self.deliveries
        results = self.rebuilds or self.to_retire or self.looks or self.saved or self.ran
        return bool(jobs or results or asked or explained or failed)

    @property
    def are_much(self) -> bool:
        """True if they take the thread of the commit so long that others should go on meanwhile."""
        return len(self.inserted) + self.changed_jobs + len(self.uses) > MUCH

    @property
    def changed_jobs(self) -> int:
        """How many jobs have rows that are out of date, but for the ends of `ended`."""
        return len(self.updated) + len(self.waiting)

    @property
    def have_many_ends(self) -> bool:
        """True if the ends of `ended` take so long to write that nothing else should wait."""
        return len(self.ended) > FEW

    def update(self, job: JobRecord) -> None:
        """Have all that may change in a job written, which has a row."""
        self.waiting.pop(job.job_id, None)
        self.updated[job.job_id] = job

    def is_changed(self, job_id: str) -> bool:
        """True if the row of a job is out of date in more than its end."""
        return job_id in self.updated or job_id in self.waiting

    def job(self, job_id: str) -> JobRecord | None:
        """The record of a job that is not written yet."""
        changed = self.updated.get(job_id) or self.waiting.get(job_id)
        return self.inserted.get(job_id) or changed or self.ended.get(job_id)

    def write(self, connection: sqlite3.Connection, queries: Mapping[str, str]) -> list[Write]:
        """Put in all rows but those that take long, and return what puts these in, as they are now,
        to be called in this order.
        """
        run = connection.executemany
        bulk = [*packed.inserts(self.inserted.values()), *packed.updates(self.updated.values())]
        bulk += packed.waits(self.waiting.values())
        if self.rebuilds or self.failures or self.amended or self.looks:
            # These change the rows of the jobs, or refer to them.
            for write in bulk:
                write(connection, queries)
            bulk = []
        run(queries["set_rebuild"], ((job_id,) for job_id in self.rebuilds))
        run(queries["set_setting"], self.settings.items())
        # Most commits have none of these, and many runs never have any.
        self._write_asked(connection, queries)
        self._write_explained(connection, queries)
        if self.uses:
            from pycurrent.store import uses

            bulk.append(uses.adding(connection, queries, self.uses))
        if self.ran:
            from pycurrent.store import ran

            bulk.append(partial(ran.adding, self.ran))
        return bulk

    def _write_asked(self, connection: sqlite3.Connection, queries: Mapping[str, str]) -> None:
        """Put in what people and programs ask for, and what follows from that."""
        if self.overrides:
            from pycurrent.store import overrides

            overrides.write(connection, queries, self.overrides)
        if self.firings:
            from pycurrent.store import firings

            firings.write(connection, queries, self.firings.values())
        if self.deliveries:
            from pycurrent.store import deliveries

            deliveries.write(connection, queries, self.deliveries.values())
        if self.audit:
            from pycurrent.store import audit

            audit.append(connection, queries, self.audit)

    def _write_explained(self, connection: sqlite3.Connection, queries: Mapping[str, str]) -> None:
        """Put in what is known of results, and what explains them."""
        if self.to_retire:
            from pycurrent.store import to_retire

            to_retire.write(connection, queries, self.to_retire)
        if self.looks:
            from pycurrent.store import look_record

            look_record.write(connection, queries, self.looks)
        if self.saved:
            from pycurrent.store import saved_record

            saved_record.write(connection, queries, self.saved)
        if self.inputs or self.changes or self.change_sets:
            from pycurrent.store import changes

            changes.write(connection, queries, self.inputs, self.changes, self.change_sets)
        if self.used_inputs:
            names = ((storable(name),) for name in self.used_inputs)
            connection.executemany(queries["use_input"], names)
        if self.failures or self.amended:
            from pycurrent.store import failures

            failures.append(connection, queries, self.failures)
            failures.amend(connection, queries, self.amended)

    def write_ends(self, connection: sqlite3.Connection, queries: Mapping[str, str]) -> None:
        """Put the ends of `ended` in. From any thread: only a fraction of it keeps others waiting,
        as most is done within SQLite.
        """
        for write in packed.ends(self.ended.values()):
            write(connection, queries)

    def with_later(self, later: Unsaved) -> Unsaved:
        """These changes and those that came after them, as one."""
        inserted = self.inserted | later.inserted
        updated = _without(self.updated | later.updated, inserted)
        return Unsaved(
            inserted,
            updated,
            # Before their ends, if they have ended since.
            _without(self.waiting | later.waiting, inserted | updated),
            _without(self.ended | later.ended, inserted | updated),
            self.rebuilds | later.rebuilds,
            self.settings | later.settings,
            self.audit + later.audit,
            self.uses + later.uses,
            self.failures + later.failures,
            self.amended | later.amended,
            self.changes | later.changes,
            self.change_sets | later.change_sets,
            self.inputs | later.inputs,
            self.used_inputs | later.used_inputs,
            self.overrides | later.overrides,
            self.firings | later.firings,
            self.deliveries | later.deliveries,
            self.to_retire | later.to_retire,
            self.looks | later.looks,
            self.saved + later.saved,
            self.ran + later.ran,
            self.results | later.results,
        )


def _without(jobs: dict[str, JobRecord], others: Mapping[str, JobRecord]) -> dict[str, JobRecord]:
    return {job_id: job for job_id, job in jobs.items() if job_id not in others}
