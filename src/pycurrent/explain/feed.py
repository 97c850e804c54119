"""The feed of the changes from outside: what came in, and what it has started."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import DecodeError, Struct, json

from pycurrent.explain.history import HistoryEntry, entry_in
from pycurrent.store import ChangeFilters, ChangeRecord, DatabaseReader

MOST_COUNTED = 10_000
"""Up to so many jobs of a change are counted."""


class FeedEntry(Struct, frozen=True):
    """A change, and how many jobs follow from it."""

    change: ChangeRecord
    jobs: int
    """Counted up to `MOST_COUNTED`."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Its parts, commits for example, each in a line."""
        try:
            return json.decode(self.change.details or "[]", type=tuple[str, ...])
        except DecodeError:  # of another version
            return ()


class ChangeStory(Struct, frozen=True):
    """A change with the jobs that follow from it."""

    entry: FeedEntry
    jobs: tuple[HistoryEntry, ...]
    """The newest first; not all if they are many."""


def feed(store: DatabaseReader, filters: ChangeFilters, *, limit: int) -> Iterator[FeedEntry]:
    """The changes that pass the filters, the newest first; at most `limit`."""
    for change in store.changes(limit=limit, **filters):
        yield _entry(store, change)


def story(store: DatabaseReader, number: int, *, limit: int) -> ChangeStory | None:
    """A change by its number, with at most `limit` of its jobs; None if there is none."""
    change = store.change(number)
    if change is None:
        return None
    jobs = [entry_in(store, job) for job in store.jobs_of_change(number, limit=limit)]
    return ChangeStory(_entry(store, change), tuple(jobs))


def _entry(store: DatabaseReader, change: ChangeRecord) -> FeedEntry:
    return FeedEntry(change, store.count_jobs_of_change(change.id, most=MOST_COUNTED))
