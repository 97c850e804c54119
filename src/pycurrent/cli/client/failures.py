"""The failures, those with one cause together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter, validators

from pycurrent.cli.client.answers import FailingAnswer, FailingNowAnswer, FailuresAnswer
from pycurrent.cli.client.formatting import moment
from pycurrent.cli.client.session import Given, Session
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.failures import (
    FingerprintOption,
    KindOption,
    SinceOption,
    lines_of,
    nothing_found,
)
from pycurrent.cli.job_filter import ALL_STAGES, UsedBy
from pycurrent.cli.output import one_line
from pycurrent.store import FailureGroup
from pycurrent.view.formatting import plural


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


_MOST_NOW = 300
"""So many stages that fail the engine looks at, at most."""


def failures(
    *,
    now: Annotated[
        bool,
        Parameter(negative="", help="List the stages that fail now, since when, and why."),
    ] = False,
    which: FailureFilter = ALL_FAILURES,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=1000), help="How many at most.")
    ] = 20,
    session: Given,
) -> int:
    """`pycurrent client failures`."""
    if now:
        return _now(session, which, limit)
    answer: FailuresAnswer = session.remote.get("/failures", **which.fields(), limit=limit)
    groups = [_group(group) for group in answer["groups"]]
    lines = [line for group in groups for line in lines_of(group)]
    session.list(answer, lines, nothing_found(bool(which.fields())))
    return ClientExit.OK


def _now(session: Session, which: FailureFilter, limit: int) -> int:
    fields = which.fields()
    answer: FailingNowAnswer = session.remote.get("/failing", **fields, limit=_MOST_NOW)
    answer["complete"] = answer["complete"] and len(answer["stages"]) <= limit
    answer["stages"] = answer["stages"][:limit]
    lines = [line for one in answer["stages"] for line in _failing(one)]
    session.list(answer, lines, "no stage that fails now matches" if fields else "no stage fails")
    if not answer["complete"]:
        session.hint("there are more: give a filter, or a larger --limit")
    return ClientExit.OK


def _failing(one: FailingAnswer) -> Iterator[str]:
    health, behind = one["health"], one["behind"]
    since = "" if health is None or health["since"] is None else f" since {moment(health['since'])}"
    tried = f", tried {one['attempts']} times" if one["attempts"] > 1 else ""
    blocks = f", blocks {plural(behind, 'stage')}" if behind else ""
    yield f"{one['kind']:<8} {one_line(one['stage'])}{since}{tried}{blocks}"
    yield f"         {one_line(one['message'] or 'it has failed')}"
    if one["job"] is not None:
        yield f"         {one['job']}"
    yield from (f"           {one_line(line)}" for line in one["lines"])


def _group(answer: dict[str, Any]) -> FailureGroup:
    times = {name: datetime.fromisoformat(answer[name]) for name in ("first", "last")}
    return FailureGroup(**{**answer, **times, "stages": tuple(answer["stages"])})
