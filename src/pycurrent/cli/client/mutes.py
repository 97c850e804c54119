"""Mutes: failures that people know of, and that do not fail what is above."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.client.answers import (
    MuteAnswer,
    MutesAnswer,
    StageOutcomeAnswer,
    StageOutcomesAnswer,
)
from pycurrent.cli.client.failures import ALL_FAILURES, FailureFilter
from pycurrent.cli.client.formatting import moment
from pycurrent.cli.client.jobs import DryRunOption, ReasonOption
from pycurrent.cli.client.session import Given, Session
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.options import reading
from pycurrent.cli.output import one_line
from pycurrent.cli.values import time_to_come
from pycurrent.errors import UsageError
from pycurrent.view.formatting import plural

_PathArgument = Annotated[
    str | None, Parameter(help="The path of a stage, as `client stages` lists them.")
]
_FingerprintOption = Annotated[
    str | None,
    Parameter(
        metavar="DIGITS",
        help="All failures with this fingerprint, as `client failures` lists them, or its"
        " beginning.",
    ),
]
_OwnerOption = Annotated[
    str | None, Parameter(help="The one who is to fix it; without it, the one who asks.")
]
_UntilOption = Annotated[
    datetime | None,
    Parameter(
        name="--until",
        metavar="TIME",
        converter=reading(time_to_come),
        n_tokens=1,
        help="When it ends by itself: 2h (from now), 2026-11-22T08:47; without it, and at the"
        " latest, in 30 days.",
    ),
]


def mutes(*, session: Given) -> int:
    """`pycurrent client mutes`."""
    answer: MutesAnswer = session.remote.get("/mutes")
    session.say(answer, _lines(answer))
    return ClientExit.OK


def mute(
    path: _PathArgument = None,
    /,
    *,
    failures: FailureFilter = ALL_FAILURES,
    owner: _OwnerOption = None,
    until: _UntilOption = None,
    dry_run: DryRunOption = False,
    reason: ReasonOption = None,
    session: Given,
) -> int:
    """`pycurrent client mute`."""
    wanted = failures.fields()
    end = None if until is None else until.isoformat()
    how = {"owner": owner, "until": end, "reason": reason}
    if path is not None and (dry_run or wanted.keys() - {"fingerprint"}):
        raise UsageError("give the path of one stage, or conditions for those that fail now")
    if dry_run or wanted.keys() - {"fingerprint"}:
        asked = {**wanted, **how, "dry_run": dry_run}
        return _tell(session, session.remote.post("/failures/mute", asked))
    # A fingerprint alone: failures that come later are muted as well.
    what = {"path": path, "fingerprint": failures.fingerprint}
    answer: MutesAnswer = session.remote.post("/mutes/set", {**what, **how})
    session.say(answer, _lines(answer))
    return ClientExit.OK


def _tell(session: Session, answer: StageOutcomesAnswer) -> int:
    """Print what was done about many stages."""
    outcomes = answer["outcomes"]
    session.list(
        answer, [_outcome_line(one) for one in outcomes], "no stage that fails now matches"
    )
    if not answer["complete"]:
        session.hint("more stages fail, and were not looked at")
    refused = any(outcome["outcome"] == "refused" for outcome in outcomes)
    return ClientExit.REFUSED if refused else ClientExit.OK


def _outcome_line(outcome: StageOutcomeAnswer) -> str:
    stage = one_line(outcome["stage"])
    match outcome["outcome"]:
        case "done":
            return f"{stage}  is muted"
        case "would-be-done":
            return f"{stage}  would be muted"
        case "refused":
            return f"{stage}  refused: {one_line(outcome['why'] or '')}"


def unmute(
    path: _PathArgument = None,
    /,
    *,
    fingerprint: _FingerprintOption = None,
    reason: ReasonOption = None,
    session: Given,
) -> int:
    """`pycurrent client unmute`."""
    body = {"path": path, "fingerprint": fingerprint, "reason": reason}
    answer: MutesAnswer = session.remote.post("/mutes/remove", body)
    session.say(answer, _lines(answer))
    return ClientExit.OK


def _lines(answer: MutesAnswer) -> list[str]:
    return [_line(one) for one in answer["mutes"]] or ["nothing is muted"]


def _line(answer: MuteAnswer) -> str:
    """A mute, in a line."""
    by = "" if answer["by"] is None else f" by {answer['by']}"
    owner = "" if answer["owner"] == answer["by"] else f" for {answer['owner']}"
    passes = f", has passed {plural(answer['passes'], 'time')}" if answer["passes"] else ""
    when = f"at {moment(answer['at'])}, until {moment(answer['until'])}"
    return one_line(f"{answer['what']} (muted{by}{owner} {when}{passes}: {answer['reason']})")
