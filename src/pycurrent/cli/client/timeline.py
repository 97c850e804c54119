"""When jobs waited, and when they were at work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from cyclopts import Parameter, validators

from pycurrent.cli.client.answers import TimelineAnswer, TimelineJobAnswer
from pycurrent.cli.client.formatting import end_word, moment
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.job_filter import ALL_STAGES, UsedBy
from pycurrent.cli.output import one_line
from pycurrent.errors import UsageError
from pycurrent.view.formatting import duration


def timeline(
    *,
    change: Annotated[
        int | None,
        Parameter(
            metavar="NUMBER",
            validator=validators.Number(gte=1),
            help="Only the jobs that follow from this change.",
        ),
    ] = None,
    which: UsedBy = ALL_STAGES,
    limit: Annotated[
        int,
        Parameter(validator=validators.Number(gte=1, lte=1000), help="How many of the newest."),
    ] = 50,
    session: Given,
) -> int:
    """`pycurrent client timeline`."""
    fields = which.fields()
    if change is not None and fields:
        raise UsageError("a change has its own jobs: leave out --path and --label")
    answer: TimelineAnswer = session.remote.get("/timeline", **fields, change=change, limit=limit)
    begin = answer["begin"]
    lines = [] if begin is None else [_line(one, begin) for one in answer["jobs"]]
    is_filtered = bool(fields) or change is not None
    session.list(answer, lines, "no job matches" if is_filtered else "no job has been run")
    if answer["expected_end"] is not None:
        session.hint(f"those at work may end at {moment(answer['expected_end'])}")
    return ClientExit.OK


def _line(one: TimelineJobAnswer, begin: str) -> str:
    job = one["job"]
    after = datetime.fromisoformat(job["created"]) - datetime.fromisoformat(begin)
    mark = "*" if one["critical"] else " "
    waited = duration(timedelta(seconds=one["waited"]))
    what = f"{one_line(job['op'])} {one_line(job['key'])}"
    work = _work(job["started"], job["took"])
    return (
        f"{mark} +{duration(after):<12}  waited {waited:>12}  {work:>17}"
        f"  {end_word(job):<11}  {job['id']}  {what}"
    )


def _work(started: str | None, took: float | None) -> str:
    if started is None:
        return "not begun"
    if took is None:
        return f"at work {duration(datetime.now(UTC) - datetime.fromisoformat(started))}"
    return f"took {duration(timedelta(seconds=took))}"
