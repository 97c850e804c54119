"""The audit: what people and programs have asked for, a row each, only ever appended to.

Each row has a hash of its contents and of the hash before it, so that a row which is changed, put
in or removed later breaks the chain from there on (`first_break`). The chain can't show that its
newest rows were cut off, or that all of it was written again: for that, keep the hash of the newest
row elsewhere from time to time.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import TypedDict

from msgspec import Struct

from pycurrent.store.records import Row, storable, time_text


class AuditRecord(Struct, frozen=True, kw_only=True):
    """An act, done or refused. The fields are the columns of the table `audit`."""

    at: datetime
    """Aware, in UTC."""
    who: str
    role: str | None
    """The asker's role; None if it is not known."""
    via: str
    """The way: `dashboard`, `api`, `command line`, `code`."""
    what: str
    """The act: `cancel`, `set level` ..."""
    subject: str
    """The job, rule, setting, user or token that it was done to."""
    before: str | None = None
    after: str | None = None
    """The change, as people read it."""
    reason: str | None = None
    """Why it was asked for, as the asker put it."""
    refused: str | None = None
    """Why it was not done; None if it was."""
    id: int = 0
    """Its number, from 1 on; 0 until it is written."""
    hash: str = ""
    """The hash of the chain up to it, in hexadecimal digits; empty until it is written."""


class AuditFilters(TypedDict, total=False):
    """Selects the acts to which all of these apply."""

    who: str
    what: str
    subject: str
    since: datetime
    """At this time or later. Times are aware."""
    until: datetime
    """Earlier than this time."""
    before: int
    """Before the row with this number: the last one of a page, to get the next page."""
    limit: int
    """How many at most; 100 if it is not said."""


_CONTENT = tuple(name for name in AuditRecord.__struct_fields__ if name not in {"id", "hash"})


def append(
    connection: sqlite3.Connection, queries: Mapping[str, str], records: Iterable[AuditRecord]
) -> None:
    """Adds rows behind the last one. To be called in a transaction that may write, as the last row
    must stay the last.
    """
    last = connection.execute(queries["last_audit"]).fetchone()
    number, previous = last or (0, "")
    for record in records:
        number += 1
        content = _content(record)
        previous = _hash(previous, number, content)
        connection.execute(queries["add_audit"], (number, *content, previous))


def read(row: Row) -> AuditRecord:
    """The record in a row. Raises ValueError or TypeError if no one of ours has written it."""
    number, at, *content, digest = row
    known = dict(zip(_CONTENT[1:], content, strict=True))
    return AuditRecord(at=datetime.fromisoformat(at), id=number, hash=digest, **known)


class Chain(Struct, frozen=True):
    """The state of the chain: how many rows were looked at, and the hash of the newest one."""

    rows: int
    head: str
    broken_at: int | None
    """The number of the first row that doesn't fit, or is missing; None if all do."""
    has_kept: bool
    """True if a row has the hash that was asked for."""


def check_chain(rows: Iterator[Row], *, kept: str | None = None) -> Chain:
    """Follow the chain through all rows, which come in their order, up to the first break."""
    number, previous, has_kept = 0, "", False
    for row in rows:
        number += 1
        id, *content, digest = row
        if id != number or digest != _hash(previous, number, content):
            return Chain(number - 1, previous, number, has_kept)
        previous = digest
        has_kept = has_kept or digest == kept
    return Chain(number, previous, None, has_kept)


def _content(record: AuditRecord) -> list[object]:
    texts = [getattr(record, name) for name in _CONTENT[1:]]
    return [time_text(record.at), *(None if t is None else storable(t) for t in texts)]


def _hash(previous: str, number: int, content: Iterable[object]) -> str:
    text = json.dumps([previous, number, *content], ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()
