"""Pauses: things that people have wait."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.client.answers import PauseAnswer, PausesAnswer
from pycurrent.cli.client.formatting import moment
from pycurrent.cli.client.jobs import ReasonOption, UntilOption
from pycurrent.cli.client.pins import nothing_held
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.output import one_line

_PathArgument = Annotated[
    str | None,
    Parameter(help="The path of a stage, or the beginning of one, as `client stages` lists them."),
]
_LevelOption = Annotated[
    str | None,
    Parameter(
        help="Jobs of exactly this level: harmless, mostly-harmless, average, above-average or"
        " dangerous."
    ),
]
_PoolOption = Annotated[str | None, Parameter(help="Jobs of the pool with this label.")]


def pauses(*, session: Given) -> int:
    """`pycurrent client pauses`."""
    answer: PausesAnswer = session.remote.get("/pauses")
    session.say(answer, _lines(answer))
    return ClientExit.OK


def pause(
    path: _PathArgument = None,
    /,
    *,
    level: _LevelOption = None,
    pool: _PoolOption = None,
    until: UntilOption = None,
    reason: ReasonOption = None,
    session: Given,
) -> int:
    """`pycurrent client pause`."""
    body = {"path": path, "level": level, "pool": pool, "reason": reason}
    end = None if until is None else until.isoformat()
    answer: PausesAnswer = session.remote.post("/pauses/pause", {**body, "until": end})
    session.say(answer, _lines(answer))
    return ClientExit.OK


def resume(
    path: _PathArgument = None,
    /,
    *,
    level: _LevelOption = None,
    pool: _PoolOption = None,
    reason: ReasonOption = None,
    session: Given,
) -> int:
    """`pycurrent client resume`."""
    body = {"path": path, "level": level, "pool": pool, "reason": reason}
    answer: PausesAnswer = session.remote.post("/pauses/resume", body)
    session.say(answer, _lines(answer))
    return ClientExit.OK


def _lines(answer: PausesAnswer) -> list[str]:
    return [_line(one) for one in answer["pauses"]] or ["nothing is paused"]


def _line(answer: PauseAnswer) -> str:
    """A pause, in a line."""
    by = "" if answer["by"] is None else f" by {answer['by']}"
    until = "" if answer["until"] is None else f", until {moment(answer['until'])}"
    why = "" if answer["reason"] is None else f": {answer['reason']}"
    idle = f"; {nothing_held(answer['alike'])}" if answer["alike"] else ""
    return one_line(f"{answer['what']} (paused{by} at {moment(answer['at'])}{until}{why}{idle})")
