"""The changes from outside, and the jobs that follow from them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from cyclopts import Parameter, validators

from pycurrent.cli.client.answers import ChangeAnswer, ChangesAnswer, FollowedAnswer
from pycurrent.cli.client.formatting import entry_line, moment
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.job_filter import ALL_STAGES, UsedBy
from pycurrent.cli.options import DurationOption
from pycurrent.cli.output import one_line
from pycurrent.errors import UsageError
from pycurrent.view.formatting import plural


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ChangeFilter:
    """Selects the changes that pass all of these."""

    kind: Annotated[
        Literal["input", "person", "timer", "start"] | None,
        Parameter(help="Only changes of this kind."),
    ] = None
    input: Annotated[
        str | None, Parameter(name="--input", metavar="NAME", help="Only those of this input.")
    ] = None
    by: Annotated[
        str | None, Parameter(metavar="NAME", help="Only what this person or thing has made.")
    ] = None
    since: Annotated[
        DurationOption | None, Parameter(help="Only changes of the last 2h, 7d, 4w ...")
    ] = None
    used_by: UsedBy = ALL_STAGES

    def fields(self) -> dict[str, Any]:
        """The parameters for the API, those that were given. Raises `UsageError` as `UsedBy`."""
        fields = {**self.used_by.fields(), "kind": self.kind, "input": self.input, "by": self.by}
        if self.since is not None:
            # Longer ago than there are dates: then all of them count.
            with suppress(OverflowError):
                fields["since"] = f"{datetime.now(UTC) - self.since:%Y-%m-%dT%H:%M:%SZ}"
        return {name: value for name, value in fields.items() if value is not None}


ALL_CHANGES = ChangeFilter()


def changes(
    number: Annotated[
        int | None,
        Parameter(
            validator=validators.Number(gte=1), help="List the jobs that follow from this change."
        ),
    ] = None,
    /,
    *,
    which: ChangeFilter = ALL_CHANGES,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=1000), help="How many at most.")
    ] = 20,
    before: Annotated[
        int | None,
        Parameter(
            metavar="NUMBER",
            validator=validators.Number(gte=1),
            help="Go on before this change, which the last page ended with.",
        ),
    ] = None,
    session: Given,
) -> int:
    """`pycurrent client changes`."""
    fields = which.fields()
    if number is not None:
        if fields or before is not None:
            raise UsageError("one change is named by its number alone: leave the filters out")
        return _one(session, number, limit)
    answer: ChangesAnswer = session.remote.get("/changes", **fields, limit=limit, before=before)
    lines = [line for change in answer["changes"] for line in _lines(change)]
    session.list(answer, lines, "no change matches" if fields else "nothing has changed")
    if answer["next"] is not None:
        session.hint(f"there are more: --before {answer['next']}")
    return ClientExit.OK


def _one(session: Given, number: int, limit: int) -> int:
    answer: FollowedAnswer = session.remote.get(f"/changes/{number}", limit=limit)
    jobs = [f"  {entry_line(job)}" for job in answer["jobs"]]
    session.say(answer, [*_lines(answer["change"]), *jobs])
    return ClientExit.OK


def _lines(change: ChangeAnswer) -> list[str]:
    """A change and its parts."""
    by = "" if change["by"] is None or change["by"] in change["summary"] else f" by {change['by']}"
    head = f"{change['id']:>6}  {moment(change['at'])}  {plural(change['jobs'], 'job'):>9}"
    return [
        f"{head}  {one_line(change['summary'] + by)}",
        *[f"        {one_line(part)}" for part in change["parts"]],
    ]
