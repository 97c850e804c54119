"""Finds a text in the records: in labels, ids of jobs, failures and changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from pycurrent.store.changes import ChangeRecord
from pycurrent.store.errors import StoreError
from pycurrent.store.records import Row, storable

if TYPE_CHECKING:
    from pycurrent.store.reader import Parameters


class FoundFailure(Struct, frozen=True):
    """A failed job whose message, or the lines of its log that tell why, hold the text."""

    job: str
    message: str
    at: datetime


class SearchTables:
    """Looks for a text in the tables of a database; the case of ASCII letters does not matter.

    Looks at the newest 10,000 failures and changes, and all the rest. Raises what its reader does.
    """

    def __init__(
        self,
        queries: Mapping[str, str],
        run: Callable[[str, Parameters], list[Row]],
        damage: Callable[[Exception], StoreError],
    ) -> None:
        self._queries = queries
        self._run = run
        self._damage = damage

    def labels(self, text: str, *, limit: int) -> list[tuple[str, str]]:
        """Labels with the text in their value, the shortest values first."""
        return [(name, value) for name, value in self._found("search_labels", text, limit)]

    def jobs(self, text: str, *, limit: int) -> list[str]:
        """The ids of jobs that hold the text, the newest first."""
        return [job_id for (job_id,) in self._found("search_ids", text, limit)]

    def failures(self, text: str, *, limit: int) -> list[FoundFailure]:
        """The failures that hold the text, the newest first."""
        rows = self._found("search_failures", text, limit)
        try:
            return [FoundFailure(job, why, datetime.fromisoformat(at)) for job, why, at in rows]
        except (ValueError, TypeError) as error:
            raise self._damage(error) from error

    def changes(self, text: str, *, limit: int) -> list[ChangeRecord]:
        """The changes with the text in their line, parts or author, the newest first."""
        try:
            return [ChangeRecord.of_row(row) for row in self._found("search_changes", text, limit)]
        except (ValueError, TypeError) as error:
            raise self._damage(error) from error

    def _found(self, query: str, text: str, limit: int) -> list[Row]:
        escaped = storable(text)
        for sign in "\\%_":
            escaped = escaped.replace(sign, f"\\{sign}")
        return self._run(self._queries[query], {"like": f"%{escaped}%", "limit": limit})
