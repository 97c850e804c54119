"""The inputs that people set."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.client.answers import InputAnswer, InputsAnswer
from pycurrent.cli.client.formatting import moment
from pycurrent.cli.client.jobs import ReasonOption
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.output import one_line


def inputs(*, session: Given) -> int:
    """`pycurrent client inputs`."""
    answer: InputsAnswer = session.remote.get("/inputs")
    lines = [_line(one) for one in answer["inputs"]]
    session.list(answer, lines, "the pipeline uses no input that people set")
    return ClientExit.OK


def set_input(
    name: Annotated[str, Parameter(help="The name of the input.")],
    value: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="A value of its type: a word or a number as it is, anything else as JSON.",
        ),
    ],
    /,
    *,
    reason: ReasonOption = None,
    session: Given,
) -> int:
    """`pycurrent client set`."""
    body = {"name": name, "value": value, "as_typed": True, "reason": reason}
    answer: InputsAnswer = session.remote.post("/inputs/set", body)
    session.say(answer, [_line(one) for one in answer["inputs"] if one["name"] == name])
    return ClientExit.OK


def _line(answer: InputAnswer) -> str:
    """An input, in a line."""
    value = answer["value"]
    plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    about = [] if answer["failure"] is None else [f"failed: {answer['failure']}"]
    if answer["at"] is not None:
        by = "" if answer["by"] is None else f" by {answer['by']}"
        why = "" if answer["reason"] is None else f": {answer['reason']}"
        about.append(f"set{by} at {moment(answer['at'])}{why}")
    else:
        about.append("the default")
    return one_line(f"{answer['name']} = {plain} ({'; '.join(about)})")
