"""The failures that an engine adds to its records."""

from pycurrent.store.failures import FailureRecord
from pycurrent.store.transactions import Transactions


class NewFailures:
    """Adds failures to an open database. All is written by its next commit."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def add(self, record: FailureRecord) -> None:
        """Record why a job has failed: before the commit that writes its end."""
        self._transactions.unsaved.failures.append(record)

    def set_kind(self, job_id: str, kind: str) -> None:
        """Record that the failure of a job that has ended is of another kind."""
        self._transactions.unsaved.kinds[job_id] = kind
