"""Reads the tables that tell why jobs have failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Unpack

from pycurrent.store.errors import StoreError
from pycurrent.store.failures import FailureFilters, FailureGroup, FailureRecord, StageFailing
from pycurrent.store.queries import FAILURE_CONDITIONS
from pycurrent.store.records import Row, storable, time_text
from pycurrent.store.use_filter import UseFilter

if TYPE_CHECKING:
    from pycurrent.store.reader import Parameters


class FailureTables:
    """The failures in a database. Raises what its reader does."""

    def __init__(
        self,
        queries: Mapping[str, str],
        run: Callable[[str, Parameters], list[Row]],
        damage: Callable[[Exception], StoreError],
    ) -> None:
        self._queries = queries
        self._run = run
        self._damage = damage

    def of_job(self, job_id: str) -> FailureRecord | None:
        """Why a job has failed; None if it has not, or nothing was recorded about it."""
        rows = self._run(self._queries["failure"], (job_id,))
        try:
            return FailureRecord.of_row(rows[0]) if rows else None
        except (ValueError, TypeError) as error:
            raise self._damage(error) from error

    def groups(
        self, *, limit: int = 100, stages: int = 10, **filters: Unpack[FailureFilters]
    ) -> list[FailureGroup]:
        """The failures by kind and fingerprint, the group with the newest one first; at most
        `limit` groups, with at most `stages` paths each.
        """
        groups = []
        for number, kind, *row in self._filtered("failure_groups", filters, limit):
            paths = self._run(self._queries["stages_of_group"], (number, kind, stages))
            try:
                groups.append(FailureGroup.of_row((kind, *row), tuple(path for (path,) in paths)))
            except (ValueError, TypeError) as error:
                raise self._damage(error) from error
        return groups

    def standing(self, *, limit: int = 100, **filters: Unpack[FailureFilters]) -> list[str]:
        """The ids of failed jobs that are the last ones of their keys, the newest first; at most
        `limit`.
        """
        return [job_id for (job_id,) in self._filtered("standing_failures", filters, limit)]

    def _filtered(self, query: str, filters: FailureFilters, limit: int) -> list[Row]:
        uses = UseFilter(filters.get("path"), filters.get("labels", ()))
        conditions = [FAILURE_CONDITIONS[name] for name in filters if name in FAILURE_CONDITIONS]
        used = uses.condition("failure.job")
        if used is not None:
            conditions.append(used)
        given: dict[str, object] = {**uses.values, "limit": limit}
        for name, value in filters.items():
            if name in FAILURE_CONDITIONS:
                given[name] = time_text(value) if isinstance(value, datetime) else value
        sql = self._queries[query].replace("{conditions}", " AND ".join(conditions) or "TRUE")
        return self._run(sql, given)

    def failing_since(self, job_id: str, path: str) -> StageFailing | None:
        """Since when a stage has failed, seen from its use of a job that failed; None if that is
        not recorded.
        """
        found = self._run(self._queries["failing_since"], (job_id, storable(path)))
        if not found:
            return None
        last_ok, fixed_by, since_job, since = found[0]
        try:
            return StageFailing(since_job, datetime.fromisoformat(since), last_ok, fixed_by)
        except (ValueError, TypeError) as error:
            raise self._damage(error) from error
