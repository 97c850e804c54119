"""The uses of jobs by stages, with the labels that the stages had: a row each.

A stage is recorded once, under its path, and so is each set of labels.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from pycurrent.store.records import Row, storable, time_text

_encode = msgspec.json.Encoder(order="sorted").encode


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
    def of_row(cls, row: Row) -> "UseRecord":
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
    return _encode([(use.job_id, storable(use.stage), use.labels) for use in uses]).decode()


def append(
    connection: sqlite3.Connection, queries: Mapping[str, str], uses: Iterable[UseRecord]
) -> None:
    """Add the uses of jobs that have rows; not those that are the last of their stages already.

    To be called in a transaction, after the jobs are written.
    """
    sets: dict[str | None, int | None] = {None: None}
    rows: list[tuple[object, ...]] = []
    # All uses that are recorded together have one time.
    since, text = None, ""
    for use in uses:
        if use.labels not in sets:
            assert use.labels is not None
            sets[use.labels] = _label_set(connection, queries, use.labels)
        labels = sets[use.labels]
        if use.since is not since:
            since, text = use.since, time_text(use.since)
        rows.append((labels, text, use.job_id, storable(use.stage), labels))
    connection.executemany(queries["add_stage"], ((row[3],) for row in rows))
    connection.executemany(queries["add_use"], rows)


def _label_set(connection: sqlite3.Connection, queries: Mapping[str, str], labels: str) -> int:
    found = connection.execute(queries["label_set"], (labels,)).fetchone()
    if found is not None:
        return int(found[0])
    number = connection.execute(queries["add_label_set"], (labels,)).lastrowid
    assert number is not None
    pairs = json.loads(labels).items()
    connection.executemany(queries["add_label"], ((*pair, number) for pair in pairs))
    return number
