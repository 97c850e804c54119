"""The deliveries that an open database knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pycurrent.store.records import Row, storable
from pycurrent.store.transactions import Transactions

if TYPE_CHECKING:
    from pycurrent.store.deliveries import DeliveryKey, DeliveryRecord


class DeliveryTable:
    """The table of deliveries of an open database. All is written by its next commit."""

    def __init__(
        self, transactions: Transactions, read: Callable[[str, tuple[object, ...]], list[Row]]
    ) -> None:
        self._transactions = transactions
        self._read = read

    def set(self, record: DeliveryRecord) -> None:
        """Record a delivery, or the work that is left of one that is known."""
        self._transactions.unsaved.deliveries[record.key] = record

    def knows(self, key: DeliveryKey) -> bool:
        """True if there is one with this key, written or not."""
        if not self.is_written(key):
            return True
        sender, id = key
        return bool(self._read("knows_delivery", (storable(sender), storable(id))))

    def is_written(self, key: DeliveryKey) -> bool:
        """True unless the delivery with this key waits for a commit, or for the end of one."""
        return all(key not in unsaved.deliveries for unsaved in self._transactions.newest_first)

    def unfinished(self, sender: str) -> list[DeliveryRecord]:
        """The deliveries from a sender whose work is still to be done, the oldest first, as the
        file has them. Raises ValueError or TypeError if one is damaged.
        """
        from pycurrent.store.deliveries import DeliveryRecord  # few runs have any

        rows = self._read("unfinished_deliveries", (storable(sender),))
        return [DeliveryRecord.of_row(row) for row in rows]
