"""The uses of jobs by stages, with the labels that the stages had: a row each.

A stage is recorded once, under its path, and so is each set of labels.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeAlias

import msgspec
from msgspec import Struct

from pycurrent.store.packed import FEW, Write, as_text, has_nul
from pycurrent.store.records import Row, storable, time_text

_encode = msgspec.json.Encoder(order="sorted").encode

_Added: TypeAlias = tuple[str, str, int | None, str]
"""The id of the job, the path of the stage, the number of its set of labels, and since when."""


class UseRecord(Struct, frozen=True):
    """A stage has used a job: one that was run for it, or one whose result was known."""

    job_id: str
    stage: str
    """The path of the stage, as text."""
    labels: str | None
    """The labels of the stage, as `labels_text` gives them; None if it has none."""
    since: datetime
    """Aware, in UTC."""

    @classmethod
    def of_row(cls, row: Row) -> UseRecord:
        """The record in a row. Raises ValueError or TypeError if it is damaged."""
        job_id, stage, labels, since = row
        return cls(job_id, stage, labels, datetime.fromisoformat(since))

    def read_labels(self) -> dict[str, str]:
        """The labels, by name."""
        return {} if self.labels is None else json.loads(self.labels)


def labels_text(labels: Mapping[str, str]) -> str | None:
    """The text of a set of labels: the same for equal ones. None for none."""
    if not labels:
        return None
    texts = {storable(name): storable(value) for name, value in labels.items()}
    return _encode(texts).decode()


def as_json(uses: Sequence[UseRecord]) -> str:
    """The uses as the query `unrecorded_uses` takes them."""
    return as_text([(use.job_id, storable(use.stage), use.labels) for use in uses])


def adding(
    connection: sqlite3.Connection, queries: Mapping[str, str], uses: Iterable[UseRecord]
) -> Write:
    """Begin to add uses, in the transaction that is open, and return the function that does the
    rest. It adds the uses of jobs that have rows then, but for those that are the last of their
    stages already.
    """
    sets: dict[str | None, int | None] = {None: None}
    rows: list[_Added] = []
    # All uses that are recorded together have one time.
    since, text = None, ""
    for use in uses:
        if use.labels not in sets:
            assert use.labels is not None
            sets[use.labels] = _label_set(connection, queries, use.labels)
        if use.since is not since:
            since, text = use.since, time_text(use.since)
        rows.append((use.job_id, storable(use.stage), sets[use.labels], text))
    # One statement doesn't see what it has added itself.
    if len(rows) > FEW and len({row[1] for row in rows}) == len(rows):
        together = as_text(rows)
        if not has_nul(together):
            return partial(_add_all, together)
    return partial(_add_each, rows)


def _add_each(
    rows: Sequence[_Added], connection: sqlite3.Connection, queries: Mapping[str, str]
) -> None:
    connection.executemany(queries["add_stage"], ((stage,) for _, stage, _, _ in rows))
    given = ((labels, since, job, stage, labels) for job, stage, labels, since in rows)
    connection.executemany(queries["add_use"], given)


def _add_all(together: str, connection: sqlite3.Connection, queries: Mapping[str, str]) -> None:
    connection.execute(queries["add_stages"], (together,))
    connection.execute(queries["add_uses"], (together,))


def _label_set(connection: sqlite3.Connection, queries: Mapping[str, str], labels: str) -> int:
    found = connection.execute(queries["label_set"], (labels,)).fetchone()
    if found is not None:
        return int(found[0])
    number = connection.execute(queries["add_label_set"], (labels,)).lastrowid
    assert number is not None
    pairs = json.loads(labels).items()
    connection.executemany(queries["add_label"], ((*pair, number) for pair in pairs))
    return number
