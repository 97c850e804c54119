"""Pins: stages that are inputs, held at values that they have had."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.client.answers import PinAnswer, PinsAnswer, ValueAnswer, ValuesAnswer
from pycurrent.cli.client.formatting import moment
from pycurrent.cli.client.jobs import ReasonOption, UntilOption
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.output import one_line

_PathArgument = Annotated[
    str, Parameter(help="The path of the stage, as `client stages` lists them.")
]


def pins(*, session: Given) -> int:
    """`pycurrent client pins`."""
    answer: PinsAnswer = session.remote.get("/pins")
    session.say(answer, [_line(one) for one in answer["pins"]] or ["nothing is pinned"])
    return ClientExit.OK


def values(
    path: _PathArgument,
    /,
    *,
    limit: Annotated[int, Parameter(help="How many at most.")] = 20,
    session: Given,
) -> int:
    """`pycurrent client values`."""
    answer: ValuesAnswer = session.remote.get("/pins/values", path=path, limit=limit)
    lines = [_value_line(one) for one in answer["values"]]
    session.list(answer, lines, f"{one_line(path)} has had no value that is recorded")
    return ClientExit.OK


def pin(
    path: _PathArgument,
    value: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True,
            help="A value that it has had, as `client values` lists them, or the beginning of one,"
            " such as a commit's hash; without it, the present one.",
        ),
    ] = None,
    /,
    *,
    change: Annotated[
        int | None, Parameter(help="Instead: the value that came by the change with this number.")
    ] = None,
    job: Annotated[
        str | None, Parameter(help="Instead: the value that the job with this id has made.")
    ] = None,
    until: UntilOption = None,
    reason: ReasonOption = None,
    session: Given,
) -> int:
    """`pycurrent client pin`."""
    body = {"path": path, "to": value, "change": change, "job": job, "reason": reason}
    end = None if until is None else until.isoformat()
    answer: PinsAnswer = session.remote.post("/pins/set", {**body, "until": end})
    session.say(answer, [_line(one) for one in answer["pins"] if one["path"] == path])
    return ClientExit.OK


def unpin(path: _PathArgument, /, *, reason: ReasonOption = None, session: Given) -> int:
    """`pycurrent client unpin`."""
    answer: PinsAnswer = session.remote.post("/pins/remove", {"path": path, "reason": reason})
    session.say(answer, [f"{one_line(path)} is pinned no longer"])
    return ClientExit.OK


def _line(answer: PinAnswer) -> str:
    """A pin, in a line."""
    by = "" if answer["by"] is None else f" by {answer['by']}"
    until = "" if answer["until"] is None else f", until {moment(answer['until'])}"
    why = "" if answer["reason"] is None else f": {answer['reason']}"
    idle = "" if answer["in_force"] else f"; {nothing_held(answer['alike'])}"
    about = f"pinned{by} at {moment(answer['at'])}{until}{why}{idle}"
    return one_line(f"{answer['path']} = {answer['value']} ({about})")


def nothing_held(alike: list[str]) -> str:
    """Say that the stage that something was set for is not there, and which ones look like it."""
    looks = f", but {', '.join(alike)} {'looks' if len(alike) == 1 else 'look'} like it"
    return f"no stage has this path now{looks if alike else ''}"


def _value_line(answer: ValueAnswer) -> str:
    """A value, in a line: when it came, by which change or job."""
    at = "" if answer["at"] is None else f"{moment(answer['at'])} "
    by = f"change {answer['change']}" if answer["job"] is None else f"job {answer['job']}"
    return one_line(f"{at}{answer['value']} ({by})")
