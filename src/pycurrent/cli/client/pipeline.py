"""The pipeline: its state, its diagram, and its confirmation level."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter, validators

from pycurrent.cli.client.answers import ConfirmationAnswer, OverviewAnswer
from pycurrent.cli.client.formatting import job_line, stage_lines, state_word
from pycurrent.cli.client.jobs import ReasonOption
from pycurrent.cli.client.session import Format, Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.output import one_line
from pycurrent.cli.text import counts
from pycurrent.errors import UsageError
from pycurrent.term import Stats
from pycurrent.view.formatting import plural


def overview(
    *,
    limit: Annotated[
        int,
        Parameter(validator=validators.Number(gte=0, lte=1000), help="How many stages at most."),
    ] = 20,
    session: Given,
) -> int:
    """`pycurrent client overview`."""
    answer: OverviewAnswer = session.remote.get("/overview", limit=limit)
    session.say(answer, _overview_lines(answer))
    return _STATUS.get(answer["result"]["state"], ClientExit.UNKNOWN)


_STATUS = {"ok": ClientExit.OK, "failed": ClientExit.FAILED, "muted": ClientExit.OK}


def _overview_lines(answer: OverviewAnswer) -> list[str]:
    result = answer["result"]
    why = "" if result["failure"] is None else f": {one_line(result['failure'])}"
    lines = [f"{state_word(result['state'])}{why}", counts(Stats(**answer["counts"]))]
    lines += [f"problem: {one_line(problem['message'])}" for problem in answer["problems"]]
    lines += [line for stage in answer["stages"] for line in stage_lines(stage)]
    told = sum(1 + stage.get("others", 0) for stage in answer["stages"])
    left = sum(answer["of_interest"].values()) - told
    return [*lines, f"  ... and {left} more"] if left > 0 else lines


def dot(
    *,
    unfold: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="KEY=VALUE", negative="", help="Show what is inside a fold; all for each."
        ),
    ] = (),
    session: Given,
) -> int:
    """`pycurrent client dot`."""
    folds = [_fold(text) for text in unfold]
    if session.form is Format.JSON:
        session.say(session.remote.get("/pipeline", unfold=folds), ())
    else:
        for piece in session.remote.text("/pipeline.dot", unfold=folds):
            sys.stdout.buffer.write(piece)
    return ClientExit.OK


def _fold(text: str) -> str:
    if text == "all":
        return text
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--unfold takes KEY=VALUE, as the folds are named, or all; not {text!r}")
    return f"{key}:{value}"


def confirm(
    level: Annotated[
        str | None,
        Parameter(
            help="From now on have jobs at this level, or above it, wait for confirmation:"
            " harmless, mostly-harmless, average, above-average or dangerous; none for no jobs."
        ),
    ] = None,
    /,
    *,
    reason: ReasonOption = None,
    session: Given,
) -> int:
    """`pycurrent client confirm`."""
    answer: ConfirmationAnswer
    if level is None:
        answer = session.remote.get("/confirm")
        session.say(answer, _confirmation_lines(answer))
    else:
        wanted = None if level == "none" else level
        answer = session.remote.put("/confirm", {"level": wanted, "reason": reason})
        session.say(answer, [answer["level"] or "none"])
    return ClientExit.OK


def _confirmation_lines(answer: ConfirmationAnswer) -> list[str]:
    lines = [answer["level"] or "none"]
    lines += [job_line(job) for job in answer["waiting"]]
    if more := answer["total"] - len(answer["waiting"]):
        lines.append(f"and {more} more")
    starts = [
        f"{choice['level'] or 'none'} would start {plural(choice['starts'], 'job')}"
        for choice in answer["choices"]
        if choice["starts"]
    ]
    return lines + starts
