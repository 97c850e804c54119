"""The stages of the pipeline by path and labels, and waiting for their end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.client.answers import FoundStageAnswer, StagesAnswer
from pycurrent.cli.client.formatting import moment, state_word
from pycurrent.cli.client.session import Given, Session
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.job_filter import LabelsOption, PathOption
from pycurrent.cli.options import DurationOption
from pycurrent.cli.output import one_line
from pycurrent.errors import UsageError
from pycurrent.store import LabelFilter
from pycurrent.view.formatting import duration

_MOST = 10_000
_SECONDS = 0.5
"""How long it waits before it asks again."""


def stages(
    *,
    path: PathOption = None,
    label: LabelsOption = (),
    health: Annotated[
        bool,
        Parameter(
            negative="",
            help="Also say since when each fails or is well, and whether it is flaky.",
        ),
    ] = False,
    session: Given,
) -> int:
    """`pycurrent client stages`."""
    answer = _find(session, path, label, health=health)
    nothing = "no stage matches" if path is not None or label else "the pipeline needs no stage"
    session.list(answer, [line for stage in answer["stages"] for line in _lines(stage)], nothing)
    if not answer["complete"]:
        session.hint(f"there are more: these are {_MOST:,}")
    return ClientExit.OK


def wait(
    *,
    path: PathOption = None,
    label: LabelsOption = (),
    timeout: Annotated[
        DurationOption, Parameter(help="How long it waits for a stage to appear: 30s, 5m.")
    ] = timedelta(minutes=1),
    session: Given,
) -> int:
    """`pycurrent client wait`."""
    if path is None and not label:
        raise UsageError("say which stages to wait for: --label NAME=VALUE, or --path PATH")
    wanted = ", ".join([*label, *([] if path is None else [f"the path {path}"])])
    deadline = time.monotonic() + timeout.total_seconds()
    is_told = False
    while True:
        answer = _find(session, path, label)
        found = answer["stages"]
        if found and all(stage["final"] for stage in found):
            break
        if not found and time.monotonic() >= deadline:
            raise UsageError(f"no stage has {wanted}: `pycurrent client stages` lists them")
        if not found and not is_told:
            is_told = True
            session.hint(f"no stage has {wanted} yet: waiting for one for {duration(timeout)}")
        time.sleep(_SECONDS)
    session.say(answer, [line for stage in found for line in _lines(stage)])
    is_ok = all(stage["state"] == "ok" or stage["muted"] for stage in found)
    return ClientExit.OK if is_ok else ClientExit.FAILED


def _find(
    session: Session, path: str | None, label: tuple[str, ...], *, health: bool = False
) -> StagesAnswer:
    for condition in label:
        LabelFilter.parse(condition)
    answer: StagesAnswer = session.remote.get(
        "/stages", path=path, label=list(label) or None, health=health or None, limit=_MOST
    )
    return answer


def _lines(stage: FoundStageAnswer) -> Iterator[str]:
    """A stage: its state, path and labels, why it failed, its job, and its health if given."""
    state = stage["update"] if stage["state"] == "ok" and stage["update"] else stage["state"]
    labels = "".join(f" {name}={value}" for name, value in stage["labels"].items())
    said = [text for text in (stage["failure"], stage["note"]) if text is not None]
    why = f": {one_line('; '.join(said))}" if said else ""
    yield f"{state_word(state):<8} {one_line(stage['path'] + labels)}{why}"
    if stage["job_id"] is not None:
        yield f"         {stage['job_id']}"
    if (health := stage["health"]) is not None and health["since"] is not None:
        now = "failing" if health["failing"] else "well"
        state = "" if health["state"] == now else f"{health['state']}, "
        yield f"         {state}{now} since {moment(health['since'])}, job {health['job']}"
