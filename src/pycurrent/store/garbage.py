"""Removes the records that explain jobs, once no job that is kept needs them.

Safe beside a running engine, since each row is looked at again in the transaction that removes it:

- An engine names a use, a stage, a set of labels or a test by its text, and finds or makes the row
  in the transaction that needs it.
- It keeps the numbers of changes, and of sets of them, but only of those that it has made itself.
  When it opens the database it records the highest ones that were there before. Only up to those
  rows are removed here.
- It loads the firings that are pending, and the newest one of each trigger: these stay.
- It ends deliveries, and writes to none that is done.
- It marks each input that it has. One that is not marked, by an earlier engine either since the
  limit, goes with its last value, unless somebody has set it, or a stage is held at a value of it.

The audit stays.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import ClassVar

from msgspec import Struct

from pycurrent.store.records import Row
from pycurrent.store.removal import Removal

# Uses looked at in one go: some milliseconds, for which no lock is taken.
_LOOKED_AT = 5000
# Beyond all numbers of rows.
_BEHIND_ALL = 2**63 - 1
_TABLES = (
    *("gone_jobs", "gone_files", "gone_uses", "gone_change_sets", "gone_changes"),
    "unused_inputs",
)
"""The statements that make the tables of one run."""


class GarbageKind(Struct, frozen=True):
    """One kind of records that explain, and the names of the statements that find and remove it."""

    name: str
    """One of them, for people."""
    names: str
    find: str
    remove: tuple[str, ...]
    forget: str | None = None
    """Takes one for removed, in a dry run."""


USES = GarbageKind("use of a job", "uses of jobs", "uses_by_job", ("remove_use",), "forget_use")
STAGES = GarbageKind("stage", "stages", "garbage_stages", ("remove_stage",))
LABEL_SETS = GarbageKind(
    "set of labels", "sets of labels", "garbage_label_sets", ("remove_labels", "remove_label_set")
)
TESTS = GarbageKind("test", "tests", "garbage_tests", ("remove_test",))
CHANGE_SETS = GarbageKind(
    "set of changes",
    "sets of changes",
    "garbage_change_sets",
    ("remove_change_set",),
    "forget_change_set",
)
CHANGES = GarbageKind("change", "changes", "garbage_changes", ("remove_change",), "forget_change")
INPUTS = GarbageKind("input", "inputs", "garbage_inputs", ("remove_input",))
FIRINGS = GarbageKind("firing", "firings", "garbage_firings", ("remove_firing",))
DELIVERIES = GarbageKind("delivery", "deliveries", "garbage_deliveries", ("remove_delivery",))


class Explanations:
    """The records that explain jobs in one database, for one run that removes what is older than
    `limit`, as text. Jobs go first.
    """

    # A kind comes after those that keep it.
    _BY_NUMBER: ClassVar = (
        *(STAGES, LABEL_SETS, TESTS),
        *(CHANGE_SETS, CHANGES, INPUTS, FIRINGS, DELIVERIES),
    )

    def __init__(
        self,
        connection: sqlite3.Connection,
        queries: Mapping[str, str],
        limit: str,
        removal: Removal | None,
    ) -> None:
        """Without a `removal` nothing is removed."""
        self._connection = connection
        self._queries = queries
        self._limit = limit
        self._removal = removal
        connection.execute("PRAGMA temp_store = MEMORY")  # The disk may be full.
        for table in _TABLES:
            connection.execute(queries[table])
        connection.execute(queries["find_unused_inputs"], {"limit": limit})

    def forget(self, jobs: list[int]) -> None:
        """Take jobs for removed, in a dry run, by their numbers in the order of creation."""
        self._run_for_each("forget_job", [(seq,) for seq in jobs])

    def collect(self) -> Iterator[tuple[GarbageKind, int]]:
        """Remove what no job needs; gives how many there were of each kind, part by part."""
        for uses in self._replaced_uses():
            yield from self._collect(USES, uses)
        for kind in self._BY_NUMBER:
            for rows in self._garbage(kind):
                yield from self._collect(kind, rows)

    def _collect(self, kind: GarbageKind, rows: list[Row]) -> Iterator[tuple[GarbageKind, int]]:
        if self._removal is None:
            if kind.forget is not None:
                self._run_for_each(kind.forget, [row[:1] for row in rows])
            yield kind, len(rows)
            return
        statements = [self._queries[name] for name in kind.remove]
        for _, removed in self._removal.parts(statements, rows):
            yield kind, removed

    def _replaced_uses(self) -> Iterator[list[Row]]:
        """The uses, with other labels perhaps, that began before another one of the same job by the
        same stage, which began before the limit, too.
        """
        place = {"job": _BEHIND_ALL, "id": _BEHIND_ALL}
        job, known = None, set[int]()
        while True:
            rows = self._read(USES.find, {**place, "size": _LOOKED_AT})
            found: list[Row] = []
            for id, of, stage, since in rows:
                if of != job:
                    job, known = of, set()
                if since >= self._limit:
                    continue
                if stage in known:
                    found.append((id, of, stage, since))
                known.add(stage)
            yield found
            if len(rows) < _LOOKED_AT:
                return
            place = {"job": rows[-1][1], "id": rows[-1][0]}

    def _garbage(self, kind: GarbageKind) -> Iterator[list[Row]]:
        after = 0
        while True:
            size = _LOOKED_AT if self._removal is None else self._removal.batch
            rows = self._read(kind.find, {"after": after, "limit": self._limit, "size": size})
            yield rows
            if len(rows) < size:
                return
            (after,) = rows[-1]

    def _read(self, query: str, parameters: Mapping[str, object]) -> list[Row]:
        return self._connection.execute(self._queries[query], parameters).fetchall()

    def _run_for_each(self, query: str, rows: list[Row]) -> None:
        self._connection.executemany(self._queries[query], rows)
