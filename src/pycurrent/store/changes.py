"""The changes from outside, a row each: an input with another value, an act, a timer, a start.

The effects of a change, even 10,000 jobs, have no rows here: each job names the set of
changes that it follows from, and jobs that follow from the same ones share a set.
"""

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from enum import Enum

from msgspec import Struct

from pycurrent.store.records import Row, storable, time_text


class ChangeKind(Enum):
    """The kind of an event from outside. The value is what the rows hold."""

    INPUT = "input"
    """An input has another value."""
    PERSON = "person"
    """Somebody has asked for something."""
    TIMER = "timer"
    """A result has expired."""
    START = "start"
    """The engine was started."""


class ChangeRecord(Struct, frozen=True, kw_only=True):
    """One change. The fields are the columns of the table `change`."""

    id: int
    at: datetime
    """Aware, in UTC."""
    kind: ChangeKind
    input: str | None = None
    """The name of the input; None for another kind of change, or an input without a name."""
    old: str | None = None
    new: str | None = None
    """The values of the input, as people read them; `old` is None if there was none."""
    by: str | None = None
    """The person or thing that made it, as far as is known."""
    summary: str
    """The event in a line."""
    details: str | None = None
    """Its parts (JSON), commits for example."""
    value: str | None = None
    """The value of the input after it (JSON), to be kept. It is not read with the change, as it may
    be long: see `InputValue`.
    """

    @classmethod
    def of_row(cls, row: Row) -> "ChangeRecord":
        """The record in a row. Raises ValueError or TypeError if it is damaged."""
        id, at, kind, input, old, new, by, summary, details = row
        return cls(
            id=id,
            at=datetime.fromisoformat(at),
            kind=ChangeKind(kind),
            input=input,
            old=old,
            new=new,
            by=by,
            summary=summary,
            details=details,
        )


class InputValue(Struct, frozen=True):
    """A value that an input has had, and that can be read back."""

    change: int
    """The number of the change by which it came."""
    at: datetime
    """Aware, in UTC."""
    shown: str | None
    """The value as people read it, shortened."""
    text: str
    """The value (JSON)."""

    @classmethod
    def of_row(cls, row: Row) -> "InputValue":
        """The value in a row. Raises ValueError or TypeError if it is damaged."""
        change, at, shown, text = row
        return cls(change, datetime.fromisoformat(at), shown, text)


class InputRecord(Struct, frozen=True):
    """The last known value of an input."""

    name: str
    """Its identity, the same in each run."""
    shown: str
    """The value as people read it, shortened."""
    digest: str
    """The same for values that count as equal."""
    since: datetime
    """Aware, in UTC."""


def write(
    connection: sqlite3.Connection,
    queries: Mapping[str, str],
    inputs: Mapping[str, InputRecord],
    changes: Mapping[int, ChangeRecord],
    sets: Mapping[int, tuple[int, ...]],
) -> None:
    """Write inputs by their names, and changes and sets of them by their numbers. In a
    transaction.
    """
    connection.executemany(
        queries["set_input"],
        (
            (storable(i.name), storable(i.shown), i.digest, time_text(i.since))
            for i in inputs.values()
        ),
    )
    connection.executemany(queries["set_change"], map(_row, changes.values()))
    members = ((number, change) for number, of in sets.items() for change in of)
    connection.executemany(queries["add_to_change_set"], members)


def _row(change: ChangeRecord) -> tuple[object, ...]:
    texts = [
        change.input,
        change.old,
        change.new,
        change.by,
        change.summary,
        change.details,
        change.value,
    ]
    return (
        change.id,
        time_text(change.at),
        change.kind.value,
        *(None if text is None else storable(text) for text in texts),
    )
