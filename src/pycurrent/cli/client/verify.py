"""Having operations asked whether their results are still there."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.client.answers import VerificationAnswer
from pycurrent.cli.client.jobs import ReasonOption
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit


def verify(
    subject: Annotated[
        str,
        Parameter(
            help="The path of a stage, the id of a job, or that of an operation: all its results"
            " that the pipeline uses now."
        ),
    ],
    /,
    *,
    reason: ReasonOption = None,
    session: Given,
) -> int:
    """`pycurrent client verify`."""
    asked = {"subject": subject, "reason": reason}
    answer: VerificationAnswer = session.remote.post("/verify", asked)
    lines = [f"the result of {job} is asked about" for job in answer["jobs"]]
    session.list(answer, lines, "there is no result to ask about")
    return ClientExit.OK
