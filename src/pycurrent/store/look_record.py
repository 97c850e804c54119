"""The record of refreshes that have found nothing new, as a row of the table `look`."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from pycurrent.store.records import Row, time_text


class LookRecord(Struct, frozen=True):
    """The result of a lookup was looked up again, and had not changed."""

    at: datetime
    """When that was last. Aware, in UTC."""
    times: int
    """How often, since the job of the result."""

    @classmethod
    def of_row(cls, row: Row) -> "LookRecord":
        """The record in a row. Raises ValueError or TypeError if it is damaged."""
        at, times = row
        return cls(datetime.fromisoformat(at), times)


def write(
    connection: sqlite3.Connection, queries: Mapping[str, str], looks: Mapping[str, LookRecord]
) -> None:
    """Write the records, by the ids of the jobs of the results."""
    rows = ((time_text(look.at), look.times, job_id) for job_id, look in looks.items())
    connection.executemany(queries["set_look"], rows)
