"""The deliveries of webhooks: what a sender has told, and the work that this asks for."""

import sqlite3
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from pycurrent.store.records import Row, storable, time_text

DeliveryKey = tuple[str, str]
"""The sender, and its own id for a delivery."""

KEPT = timedelta(days=7)
"""How long repeats of a delivery are known. GitHub delivers again for three days."""


class DeliveryRecord(Struct, frozen=True, kw_only=True):
    """A delivery. The fields are the columns of the table `delivery`. Times are aware, in UTC."""

    sender: str
    id: str
    """The sender's own."""
    event: str
    """The sender's name for its kind: `push`."""
    person: str | None = None
    """The person who has caused it, if the sender tells."""
    received: datetime
    work: str | None = None
    """The work that it asks for (JSON); None: none, or none any more."""
    done: datetime | None = None
    """When the work was done; None: it is still to be done."""

    @property
    def key(self) -> DeliveryKey:
        return self.sender, self.id

    @classmethod
    def of_row(cls, row: Row) -> "DeliveryRecord":
        """The record in a row. Raises ValueError or TypeError if it is damaged."""
        sender, id, event, person, received, work, done = row
        return cls(
            sender=sender,
            id=id,
            event=event,
            person=person,
            received=datetime.fromisoformat(received),
            work=work,
            done=None if done is None else datetime.fromisoformat(done),
        )


def write(
    connection: sqlite3.Connection,
    queries: Mapping[str, str],
    deliveries: Collection[DeliveryRecord],
) -> None:
    """Write deliveries, and remove the oldest ones whose time is over. In a transaction.

    Two may go for each that comes: so the table needs no cleaning, and no index for that.
    """
    connection.executemany(queries["set_delivery"], map(_row, deliveries))
    limit = time_text(max(delivery.received for delivery in deliveries) - KEPT)
    connection.execute(queries["drop_deliveries"], (2 * len(deliveries), limit))


def _row(record: DeliveryRecord) -> tuple[object, ...]:
    texts = record.sender, record.id, record.event, record.person
    done = None if record.done is None else time_text(record.done)
    stored = (None if text is None else storable(text) for text in texts)
    return *stored, time_text(record.received), record.work, done
