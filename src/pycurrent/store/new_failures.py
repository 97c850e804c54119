"""The failures that an engine adds to its records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurrent.store.transactions import Transactions

if TYPE_CHECKING:
    from pycurrent.store.failures import FailureRecord, LaterFinding


class NewFailures:
    """Adds failures to an open database. All is written by its next commit."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def add(self, record: FailureRecord) -> None:
        """Record why a job has failed: before the commit that writes its end."""
        self._transactions.unsaved.failures.append(record)

    def amend(self, job_id: str, found: LaterFinding) -> None:
        """Record what was found later of the failure of a job that has ended."""
        self._transactions.unsaved.amended[job_id] = found

    def fingerprint_of(self, job_id: str) -> str | None:
        """The fingerprint of a job's failure that is not written yet; None if there is none."""
        new = reversed(self._transactions.unsaved.failures)
        return next((failure.fingerprint for failure in new if failure.job_id == job_id), None)
