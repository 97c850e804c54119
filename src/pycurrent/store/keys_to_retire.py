"""The keys that an engine has set, and has to retire once nobody needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pycurrent.store.records import Row
from pycurrent.store.transactions import Transactions

if TYPE_CHECKING:
    from pycurrent.store.to_retire import SetKey


class KeysToRetire:
    """The table of keys to retire of an open database. All is written by its next commit."""

    def __init__(
        self, transactions: Transactions, read: Callable[[str, tuple[object, ...]], list[Row]]
    ) -> None:
        self._transactions = transactions
        self._read = read

    def set(self, key: SetKey, job_id: str | None) -> None:
        """Record that a job has set a key; None: it is retired."""
        self._transactions.unsaved.to_retire[key] = job_id

    def all(self) -> dict[SetKey, str]:
        """The keys that are set and not retired, with the jobs that have set them."""
        found = {(op, digest): job_id for op, digest, job_id in self._read("to_retire", ())}
        later, earlier = self._transactions.newest_first
        now = found | earlier.to_retire | later.to_retire
        return {key: job_id for key, job_id in now.items() if job_id is not None}

    def setter(self, key: SetKey) -> str | None:
        """The id of the job that has set a key which is not retired; None if there is none."""
        for unsaved in self._transactions.newest_first:
            if key in unsaved.to_retire:
                return unsaved.to_retire[key]
        rows = self._read("setter", key)
        return rows[0][0] if rows else None
