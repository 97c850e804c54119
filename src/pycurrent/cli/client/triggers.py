"""The triggers that people fire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.client.answers import FiredAnswer, FiringAnswer, TriggerAnswer, TriggersAnswer
from pycurrent.cli.client.formatting import moment
from pycurrent.cli.client.jobs import ReasonOption
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.output import one_line
from pycurrent.errors import UsageError


def triggers(*, session: Given) -> int:
    """`pycurrent client triggers`."""
    answer: TriggersAnswer = session.remote.get("/triggers")
    lines = [line for one in answer["triggers"] for line in _lines(one)]
    session.list(answer, lines, "the pipeline uses no trigger")
    return ClientExit.OK


def trigger(
    name: Annotated[str, Parameter(help="The name of the trigger.")],
    /,
    *params: Annotated[
        str,
        Parameter(
            name="KEY=VALUE",
            negative="",
            help="The parameters: a word or a number as it is, anything else as JSON; or all of"
            " them as one object in JSON.",
        ),
    ],
    reason: ReasonOption = None,
    session: Given,
) -> int:
    """`pycurrent client trigger`."""
    body = {"name": name, "reason": reason, **_params(params)}
    answer: FiredAnswer = session.remote.post("/triggers/fire", body)
    session.say(answer, [f"{one_line(name)} was fired: firing {answer['id']}"])
    return ClientExit.OK


def _params(given: tuple[str, ...]) -> dict[str, object]:
    if len(given) == 1 and given[0].lstrip().startswith("{"):
        try:
            return {"params": json.loads(given[0])}
        except ValueError as error:
            raise UsageError(f"{one_line(given[0])!r} is not JSON: {error}") from error
    pairs = [text.partition("=") for text in given]
    for key, equals, _ in pairs:
        if not equals:
            raise UsageError(f"parameters are KEY=VALUE, or one object in JSON; not {key!r}")
    return {"params": {key: value for key, _, value in pairs}, "as_typed": True}


def _lines(answer: TriggerAnswer) -> Iterator[str]:
    fields = (
        f"{one['name']}={'...' if one['default'] is None else one['default']}"
        for one in answer["fields"]
    )
    yield one_line(f"{answer['name']} {' '.join(fields)}")
    for firing in answer["pending"]:
        yield f"  {_firing(firing)}"
    newest = answer["newest"]
    if newest is not None and newest["done"] is not None:
        yield f"  {_firing(newest)}"


def _firing(firing: FiringAnswer) -> str:
    params = json.dumps(firing["params"], ensure_ascii=False)
    by = "" if firing["by"] is None else f" by {firing['by']}"
    why = "" if firing["reason"] is None else f": {firing['reason']}"
    state = "pending" if firing["done"] is None else "done"
    return one_line(f"{firing['id']} {state} {params} (fired{by} at {moment(firing['at'])}{why})")
