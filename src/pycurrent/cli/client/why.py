"""Why a stage is as it is, and why a job was run."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.client.answers import WhyAnswer
from pycurrent.cli.client.find import find_job
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.errors import UsageError


def why(
    subject: Annotated[
        str,
        Parameter(
            help="The path of a stage, or a job: its id, the beginning or the end of it, or `last`."
        ),
    ],
    /,
    *,
    session: Given,
) -> int:
    """`pycurrent client why`."""
    try:
        answer: WhyAnswer = session.remote.get("/why", of=subject)
    except UsageError as unknown:
        try:
            answer = session.remote.get("/why", of=find_job(session.remote, subject))
        except UsageError:
            raise unknown from None
    session.say(answer, answer["text"])
    return ClientExit.OK
