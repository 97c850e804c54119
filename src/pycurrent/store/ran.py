"""Where a job has run, and what its commands have used, as a row of the table `ran`."""

import sqlite3
from collections.abc import Iterable, Mapping

from msgspec import Struct

from pycurrent.store.records import Row, storable


class RanRecord(Struct, frozen=True):
    """A job has run a command, or has had a place."""

    job_id: str
    pool: str | None
    """The label of the pool whose resource it had."""
    place: str | None
    """The place that its pool has lent it; None: the engine's machine."""
    cpu: float | None
    """Seconds of all processors together; None: not known."""
    memory: int | None
    """The bytes that the largest process of its commands had; None: not known."""

    @classmethod
    def of_row(cls, row: Row) -> "RanRecord":
        """The record in a row."""
        job_id, pool, place, cpu, memory = row
        return cls(job_id, pool, place, cpu, memory)


def adding(
    records: Iterable[RanRecord], connection: sqlite3.Connection, queries: Mapping[str, str]
) -> None:
    """Put in the records of jobs that have rows."""
    rows = ((_text(one.pool), _text(one.place), one.cpu, one.memory, one.job_id) for one in records)
    connection.executemany(queries["add_ran"], rows)


def _text(name: str | None) -> str | None:
    return None if name is None else storable(name)
