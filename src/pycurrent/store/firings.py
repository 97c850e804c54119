"""The firings of triggers: somebody has started something, with parameters."""

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from pycurrent.store.records import Row, storable, time_text


class FiringRecord(Struct, frozen=True, kw_only=True):
    """A firing. The fields are the columns of the table `firing`. Times are aware, in UTC."""

    id: int
    name: str
    """The trigger's."""
    params: str
    """The parameters (JSON)."""
    by: str | None
    """The person who has fired it; None if code has, and did not say for whom."""
    at: datetime
    reason: str | None
    done: datetime | None = None
    """When its stages were final; None: they are not yet."""

    @classmethod
    def of_row(cls, row: Row) -> "FiringRecord":
        """The record in a row. Raises ValueError or TypeError if it is damaged."""
        id, name, params, by, at, reason, done = row
        return cls(
            id=id,
            name=name,
            params=params,
            by=by,
            at=datetime.fromisoformat(at),
            reason=reason,
            done=None if done is None else datetime.fromisoformat(done),
        )


def write(
    connection: sqlite3.Connection, queries: Mapping[str, str], firings: Iterable[FiringRecord]
) -> None:
    """Write firings. In a transaction."""
    connection.executemany(queries["set_firing"], map(_row, firings))


def _row(record: FiringRecord) -> tuple[object, ...]:
    by, reason = (None if text is None else storable(text) for text in (record.by, record.reason))
    done = None if record.done is None else time_text(record.done)
    name, params = storable(record.name), storable(record.params)
    return record.id, name, params, by, time_text(record.at), reason, done
