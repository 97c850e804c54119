"""The values that people have set while an engine runs, in place of the pipeline's own."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from enum import Enum

from msgspec import Struct

from pycurrent.store.records import Row, storable, time_text

OverrideKey = tuple["OverrideKind", str]


class OverrideKind(Enum):
    """The kind of a value that is set."""

    INPUT = "input"
    """The value of an input, in place of its default."""
    PIN = "pin"
    """The value at which a stage that is an input is held."""
    PAUSE = "pause"
    """A pause of a level, a pool, or all below a path."""
    MUTE = "mute"
    """A mute of the failures of a stage, or of those with a fingerprint."""
    APPROVAL = "approval"
    """The approval of a commit, whose hash is the subject."""


class OverrideRecord(Struct, frozen=True, kw_only=True):
    """Something that somebody has set. The fields are the columns of the table `override`."""

    kind: OverrideKind
    subject: str
    """The thing that it is set for: the name of an input, the path of a stage, `level average`."""
    value: str | None = None
    """The value (JSON)."""
    by: str | None = None
    """The person who has set it; None if code has, and did not say for whom."""
    at: datetime
    """When it was set; aware, in UTC."""
    reason: str | None = None
    """The reason that was given."""
    until: datetime | None = None
    """When it ends by itself; None: never."""
    shown: str | None = None
    """The value for people, where `value` is not."""
    job: str | None = None
    """The job whose result the value is."""
    owner: str | None = None
    """The person who is to fix what is muted."""
    passes: int | None = None
    """How often in a row what is muted has passed since then; None for anything but a mute."""
    stage: str | None = None
    """The full path of the stage that the subject is the path of, or begins with: it has that also
    when twins of it come and go.
    """

    @property
    def key(self) -> OverrideKey:
        return self.kind, self.subject

    @classmethod
    def of_row(cls, row: Row) -> "OverrideRecord":
        """The record in a row. Raises ValueError or TypeError if it is damaged."""
        kind, subject, value, by, at, reason, until, shown, job, owner, passes, stage = row
        return cls(
            kind=OverrideKind(kind),
            subject=subject,
            value=value,
            by=by,
            at=datetime.fromisoformat(at),
            reason=reason,
            until=None if until is None else datetime.fromisoformat(until),
            shown=shown,
            job=job,
            owner=owner,
            passes=passes,
            stage=stage,
        )


def write(
    connection: sqlite3.Connection,
    queries: Mapping[str, str],
    overrides: Mapping[OverrideKey, OverrideRecord | None],
) -> None:
    """Write overrides, and remove those that are None. In a transaction."""
    for (kind, subject), record in overrides.items():
        if record is None:
            connection.execute(queries["remove_override"], (kind.value, storable(subject)))
        else:
            connection.execute(queries["set_override"], _row(record))


def _row(record: OverrideRecord) -> tuple[object, ...]:
    until = None if record.until is None else time_text(record.until)
    value, by, reason, shown, owner, stage = (
        None if text is None else storable(text)
        for text in (
            *(record.value, record.by, record.reason),
            *(record.shown, record.owner, record.stage),
        )
    )
    at, subject = time_text(record.at), storable(record.subject)
    what = record.kind.value, subject, value, by, at, reason, until
    return (*what, shown, record.job, owner, record.passes, stage)
