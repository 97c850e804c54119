"""Selects changes from outside, in SQL."""

from datetime import datetime
from typing import TypedDict

from pycurrent.store.changes import ChangeKind
from pycurrent.store.label_filter import LabelFilter
from pycurrent.store.queries import CHANGE_CONDITIONS
from pycurrent.store.records import storable, time_text
from pycurrent.store.use_filter import UseFilter


class ChangeFilters(TypedDict, total=False):
    """Selects the changes that pass all of these."""

    kind: ChangeKind
    input: str
    """The name of the input."""
    by: str
    """The person or thing that made it."""
    since: datetime
    """At this time or later. Times are aware."""
    until: datetime
    """Earlier than this time."""
    before: int
    """Before the change with this number: the last one of a page, to get the next page."""
    path: str
    """A job that follows from it was used by a stage with this path, or a glob."""
    labels: tuple[LabelFilter, ...]
    """The labels that this stage had then."""


def conditions(filters: ChangeFilters) -> tuple[str, dict[str, object]]:
    """The condition of the changes that pass, with its parameters."""
    found, given = [], dict[str, object]()
    for name, value in filters.items():
        if name not in CHANGE_CONDITIONS:
            continue
        found.append(CHANGE_CONDITIONS[name])
        match value:
            case datetime():
                given[name] = time_text(value)
            case ChangeKind():
                given[name] = value.value
            case str():
                given[name] = storable(value)
            case _:
                given[name] = value
    uses = UseFilter(filters.get("path"), filters.get("labels", ()))
    used = uses.condition("job.seq")
    if used is not None:
        found.append(
            'EXISTS (SELECT 1 FROM change_set JOIN job ON job.changes = change_set."set"'
            f" WHERE change_set.change = change.id AND {used})"
        )
    return " AND ".join(found) or "TRUE", {**given, **uses.values}
