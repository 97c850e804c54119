"""The refreshes of lookups that have found nothing new: of each result, when and how many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from pycurrent.store.records import JobRecord, Row
from pycurrent.store.transactions import Transactions

if TYPE_CHECKING:
    from pycurrent.store.look_record import LookRecord


class Looks:
    """The lookups of an open database: the results that still hold, and the jobs at work, which are
    recorded only if they have something to tell.
    """

    def __init__(
        self, transactions: Transactions, read: Callable[[str, tuple[object, ...]], list[Row]]
    ) -> None:
        self._transactions = transactions
        self._read = read
        self.held: dict[str, JobRecord] = {}
        """The jobs at work that may leave no record, by their ids."""

    def of(self, job_id: str) -> LookRecord | None:
        """When the result of a job was last found unchanged, and how often; None: never."""
        for unsaved in self._transactions.newest_first:
            if job_id in unsaved.looks:
                return unsaved.looks[job_id]
        from pycurrent.store.look_record import LookRecord  # few results are looked up again

        rows = self._read("look", (job_id,))
        return LookRecord.of_row(rows[0]) if rows else None

    def again(self, job_id: str, at: datetime) -> None:
        """Record that the result of a job was looked up again, and is the same. Written by the
        next commit: one row.
        """
        from pycurrent.store.look_record import LookRecord

        before = self.of(job_id)
        times = 1 if before is None else before.times + 1
        self._transactions.unsaved.looks[job_id] = LookRecord(at, times)

    def keep(self, job_id: str, changes: int | None) -> None:
        """Record a held job as any other, with the number of the set of changes that it follows
        from.
        """
        job = self.held.pop(job_id)
        job.changes = changes
        self._transactions.unsaved.inserted[job_id] = job
