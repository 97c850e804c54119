"""The files that jobs have saved in the store of contents: which job has saved which."""

from collections.abc import Callable

from pycurrent.store.records import Row
from pycurrent.store.saved_record import SavedRecord
from pycurrent.store.transactions import Transactions


class SavedFiles:
    """The table of saved files of an open database. All is written by its next commit."""

    def __init__(
        self, transactions: Transactions, read: Callable[[str, tuple[object, ...]], list[Row]]
    ) -> None:
        self._transactions = transactions
        self._read = read

    def add(self, record: SavedRecord) -> None:
        """Record that a job has saved something. The same again changes nothing."""
        self._transactions.unsaved.saved.append(record)

    def savers(self, digest: str) -> list[str]:
        """The ids of the jobs that have saved something with this digest, the newest first."""
        found = {job for (job,) in self._read("savers", (digest,))}
        for unsaved in self._transactions.newest_first:
            found |= {record.job_id for record in unsaved.saved if record.digest == digest}
        return sorted(found, reverse=True)

    def of_job(self, job_id: str) -> list[SavedRecord]:
        """The files that a job has saved, by name."""
        found = dict.fromkeys(map(SavedRecord.of_row, self._read("saved_by", (job_id,))))
        for unsaved in self._transactions.newest_first:
            found |= {record: None for record in unsaved.saved if record.job_id == job_id}
        return sorted(found, key=lambda record: (record.name, record.digest))
