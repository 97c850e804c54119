"""The log of a job beside that of another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.client.answers import ComparisonAnswer, DiffLineAnswer
from pycurrent.cli.client.find import find_job
from pycurrent.cli.client.jobs import JobText
from pycurrent.cli.client.remote import job_path
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.output import one_line


def compare(
    job: JobText,
    /,
    *,
    other: Annotated[
        str | None,
        Parameter(
            name="--with",
            metavar="JOB",
            help="Compare with this job, in place of the last good run before.",
        ),
    ] = None,
    session: Given,
) -> int:
    """`pycurrent client compare`."""
    remote = session.remote
    path = job_path(find_job(remote, job), "/compare")
    given = None if other is None else find_job(remote, other)
    answer: ComparisonAnswer = remote.get(path, **{"with": given})
    session.list(answer, _lines(answer), "nothing differs")
    if not answer["whole"]:
        session.hint("only the ends of the logs were compared, as they are long")
    if answer["more"]:
        session.hint(f"{answer['more']:,} more lines are not shown")
    return ClientExit.OK


def _lines(answer: ComparisonAnswer) -> Iterator[str]:
    if answer["hunks"]:
        yield f"--- {answer['other']}"
        yield f"+++ {answer['job']}"
    for hunk in answer["hunks"]:
        old = next((line["old"] for line in hunk["lines"] if line["old"] is not None), 0)
        new = next((line["new"] for line in hunk["lines"] if line["new"] is not None), 0)
        yield f"@@ -{old} +{new} @@"
        for line in hunk["lines"]:
            yield f"{_sign(line)}{one_line(line['text'])}"


def _sign(line: DiffLineAnswer) -> str:
    if line["old"] is None:
        return "+"
    return "-" if line["new"] is None else " "
