"""The changes and inputs that an engine adds to its records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pycurrent.store.changes import ChangeRecord, InputRecord
from pycurrent.store.records import Row, storable
from pycurrent.store.transactions import Transactions

_SETS_KEPT = 1000


class ChangeTables:
    """The tables of changes and inputs of an open database. All is written by its next commit."""

    def __init__(
        self, transactions: Transactions, read: Callable[[str, tuple[object, ...]], list[Row]]
    ) -> None:
        self._transactions = transactions
        self._read = read
        self._last_change: int
        self._last_set: int
        self._last_change, self._last_set = read("last_change", ())[0]
        # The numbers of the sets that were asked for last: as a rule the next job has the same.
        self._sets: dict[tuple[int, ...], int] = {}
        self._used: set[str] = set()
        """The inputs that were asked for."""

    @property
    def last(self) -> tuple[int, int]:
        """The highest numbers of changes and of sets of them, as far as they are given."""
        return self._last_change, self._last_set

    def new_id(self) -> int:
        """The number of the next change, which is used up."""
        self._last_change += 1
        return self._last_change

    def set(self, record: ChangeRecord) -> None:
        """Record a change, or in place of one with its number."""
        self._transactions.unsaved.changes[record.id] = record

    def set_of(self, changes: tuple[int, ...]) -> int | None:
        """The number of a set of changes, for the records of jobs; None for the empty one."""
        if not changes:
            return None
        number = self._sets.get(changes)
        if number is None:
            self._last_set += 1
            number = self._last_set
            if len(self._sets) >= _SETS_KEPT:
                self._sets.clear()
            self._sets[changes] = number
            self._transactions.unsaved.change_sets[number] = changes
        return number

    def set_input(self, record: InputRecord) -> None:
        """Record the value of an input."""
        self._transactions.unsaved.inputs[record.name] = record

    def input(self, name: str) -> InputRecord | None:
        """The last value of an input that was recorded; None if there was none.

        Only engines ask that have it in the pipeline: that is recorded, as other inputs are removed
        after some time.
        """
        if name not in self._used:
            self._used.add(name)
            self._transactions.unsaved.used_inputs.add(name)
        unsaved = self._transactions.input(name)
        if unsaved is not None:
            return unsaved
        rows = self._read("input", (storable(name),))
        if not rows:
            return None
        found, shown, digest, since = rows[0]
        return InputRecord(found, shown, digest, datetime.fromisoformat(since))
