"""Applying the log rules to what has failed already."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter, validators

from pycurrent.cli.client.answers import AppliedAnswer
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.view.formatting import applied


def apply_rules(
    *,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=10_000), help="How many at most.")
    ] = 1000,
    session: Given,
) -> int:
    """`pycurrent client apply-rules`."""
    answer: AppliedAnswer = session.remote.post(f"/rules/apply?limit={limit}")
    session.say(answer, [applied(answer["looked_at"], answer["changed"], answer["reworded"])])
    if not answer["complete"]:
        session.hint("not all of their logs could be looked at")
    return ClientExit.OK
