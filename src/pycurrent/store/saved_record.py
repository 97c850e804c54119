"""The record of files that a job has saved, as a row of the table `saved`."""

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from pycurrent.store.records import Row, storable, time_text


class SavedRecord(Struct, frozen=True):
    """A job has saved a tree, or a file."""

    job_id: str
    digest: str
    """Of the tree's listing, or of the file."""
    name: str
    """The patterns, or the path of the file."""
    count: int | None
    """The number of files of a tree; None for a file."""
    size: int
    """In bytes."""
    mode: int | None
    """The permissions of a file; None for a tree."""
    at: datetime
    """Aware, in UTC."""

    @classmethod
    def of_row(cls, row: Row) -> "SavedRecord":
        """The record in a row. Raises ValueError or TypeError if it is damaged."""
        job_id, digest, name, count, size, mode, at = row
        return cls(job_id, digest, name, count, size, mode, datetime.fromisoformat(at))


def write(
    connection: sqlite3.Connection, queries: Mapping[str, str], records: Iterable[SavedRecord]
) -> None:
    """Write what was saved."""
    rows = (
        (r.job_id, r.digest, storable(r.name), r.count, r.size, r.mode, time_text(r.at))
        for r in records
    )
    connection.executemany(queries["add_saved"], rows)
