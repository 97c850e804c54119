"""The files that jobs save in the store of contents, to be recorded."""

from collections.abc import Iterator, Sequence

from pycurrent.store.saved_reader import Read, SavedFilesReader
from pycurrent.store.saved_record import SavedRecord
from pycurrent.store.transactions import Transactions


class SavedFiles(SavedFilesReader):
    """The table of an open database. All is written by its next commit."""

    def __init__(self, transactions: Transactions, read: Read) -> None:
        super().__init__(read)
        self._transactions = transactions

    def _unsaved(self) -> Iterator[Sequence[SavedRecord]]:
        return (unsaved.saved for unsaved in self._transactions.newest_first)

    def add(self, record: SavedRecord) -> None:
        """Record that a job has saved something. The same again changes nothing."""
        self._transactions.unsaved.saved.append(record)
