"""The failures, those with one cause together."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter, validators

from pycurrent.cli.client.answers import FailuresAnswer
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.failures import (
    FingerprintOption,
    KindOption,
    SinceOption,
    lines_of,
    nothing_found,
)
from pycurrent.cli.job_filter import ALL_STAGES, UsedBy
from pycurrent.store import FailureGroup


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FailureFilter:
    """A filter of failures: those that pass all conditions."""

    kind: KindOption = None
    fingerprint: FingerprintOption = None
    since: SinceOption = None
    used_by: UsedBy = ALL_STAGES

    def fields(self) -> dict[str, Any]:
        """The parameters for the API, those that were given. Raises `UsageError` as `UsedBy`."""
        fields = {**self.used_by.fields(), "kind": self.kind, "fingerprint": self.fingerprint}
        if self.since is not None:
            # Longer ago than there are dates: then all of them count.
            with suppress(OverflowError):
                fields["since"] = f"{datetime.now(UTC) - self.since:%Y-%m-%dT%H:%M:%SZ}"
        return {name: value for name, value in fields.items() if value is not None}


ALL_FAILURES = FailureFilter()


def failures(
    *,
    which: FailureFilter = ALL_FAILURES,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=1000), help="How many at most.")
    ] = 20,
    session: Given,
) -> int:
    """`pycurrent client failures`."""
    answer: FailuresAnswer = session.remote.get("/failures", **which.fields(), limit=limit)
    groups = [_group(group) for group in answer["groups"]]
    lines = [line for group in groups for line in lines_of(group)]
    session.list(answer, lines, nothing_found(bool(which.fields())))
    return ClientExit.OK


def _group(answer: dict[str, Any]) -> FailureGroup:
    times = {name: datetime.fromisoformat(answer[name]) for name in ("first", "last")}
    return FailureGroup(**{**answer, **times, "stages": tuple(answer["stages"])})
