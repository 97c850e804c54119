"""The options that select jobs by what they have reported: of `tests`, and of `coverage`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter

from pycurrent.cli.job_filter import ALL_STAGES, UsedBy
from pycurrent.cli.options import DurationOption
from pycurrent.store import TestFilters


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ReportedBy:
    """Selects the jobs that have reported."""

    op: Annotated[str | None, Parameter(help="Only jobs of this operation.")] = None
    since: Annotated[
        DurationOption | None, Parameter(help="Only reports of the last 2h, 7d, 4w ...")
    ] = None
    used_by: UsedBy = ALL_STAGES

    @property
    def is_any(self) -> bool:
        """True if no option is given."""
        used_by = self.used_by
        return self.op is None and self.since is None and used_by.path is None and not used_by.label

    def filters(self) -> TestFilters:
        """The filters of jobs that were given."""
        filters: TestFilters = {}
        if self.op is not None:
            filters["op"] = self.op
        if (since := self._since()) is not None:
            filters["since"] = since
        if self.used_by.path is not None:
            filters["path"] = self.used_by.path
        if self.used_by.label:
            filters["labels"] = self.used_by.labels()
        return filters

    def fields(self) -> dict[str, Any]:
        """The parameters for the API, those that were given."""
        since = self._since()
        fields = {
            **self.used_by.fields(),
            "op": self.op,
            "since": None if since is None else f"{since:%Y-%m-%dT%H:%M:%SZ}",
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _since(self) -> datetime | None:
        """The time from which on reports count."""
        if self.since is not None:
            # Longer ago than there are dates: then all of them count.
            with suppress(OverflowError):
                return datetime.now(UTC) - self.since
        return None


ALL_JOBS = ReportedBy()
