"""Reads the named statements of `queries.sql`."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from pycurrent.store.records import CHANGING, COLUMNS, ENDING, LastResult

_FILE = Path(__file__).with_name("queries.sql")
_NAME = "-- name:"


def _given(names: Sequence[str], first: int) -> str:
    """Columns that are set to what an array has from this place on."""
    return ", ".join(f"{name} = one.value ->> {at}" for at, name in enumerate(names, first))


_COLUMNS = {
    "{columns}": ", ".join(COLUMNS.names),
    "{result_columns}": ", ".join(LastResult._fields),
    "{places}": ", ".join("?" for _ in COLUMNS.names),
    "{given_columns}": ", ".join(f"one.value ->> {at}" for at, _ in enumerate(COLUMNS.names, 2)),
    "{given_changes}": _given(CHANGING.names, 3),
    "{given_ending}": _given(ENDING.names, 3),
    "{changes}": ", ".join(f"{name} = ?" for name in CHANGING.names),
    "{excluded}": ", ".join(f"{name} = excluded.{name}" for name in CHANGING.names),
}

CHANGE_CONDITIONS = {
    "kind": "change.kind = :kind",
    "input": "change.input = (SELECT id FROM input WHERE name = :input)",
    "by": "by = :by",
    "since": "at >= :since",
    "until": "at < :until",
    "before": "change.id < :before",
}
"""The conditions of the filters of changes."""
FAILURE_CONDITIONS = {
    "kind": "failure.kind = :kind",
    "fingerprint": "failure.fingerprint IN (SELECT id FROM fingerprint"
    " WHERE digest >= :fingerprint AND digest < :fingerprint || 'g')",
    "since": "failure.at >= :since",
}
"""The conditions of the filters of failures. A digest has hexadecimal digits: g is behind them."""
AUDIT_CONDITIONS = {
    "who": "who = :who",
    "what": "what = :what",
    "subject": "subject = :subject",
    "since": "at >= :since",
    "until": "at < :until",
    "before": "id < :before",
}
"""The conditions of the filters of the audit."""


@cache
def load_queries() -> Mapping[str, str]:
    """Each statement of `queries.sql` by its name, without its comments, with a job's columns."""
    text = _FILE.read_text(encoding="utf-8")
    for place, columns in _COLUMNS.items():
        text = text.replace(place, columns)
    # The text before the first name is the file's own comment.
    _, *parts = text.split(_NAME)
    queries = {}
    for part in parts:
        name, _, body = part.partition("\n")
        while body.startswith("--"):
            body = body.partition("\n")[2]
        queries[name.strip()] = body.strip()
    recent = queries["recent_tested"].rstrip(";")
    for name, query in queries.items():
        if "{recent_tested}" in query:
            queries[name] = query.replace("{recent_tested}", recent)
    return queries
