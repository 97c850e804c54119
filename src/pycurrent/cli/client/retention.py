"""Retention: the rules of the engine, what it has removed, and what it would remove now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.client.answers import RemovalAnswer, RetentionAnswer
from pycurrent.cli.client.formatting import moment
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.output import one_line
from pycurrent.cli.text import size
from pycurrent.view.formatting import plural


def retention(
    *,
    dry_run: Annotated[
        bool, Parameter(negative="", help="Say what would be removed now, by rule and operation.")
    ] = False,
    session: Given,
) -> int:
    """`pycurrent client retention`."""
    if dry_run:
        would: RemovalAnswer = session.remote.get("/retention/next")
        session.say(would, list(_removal(would)))
        return ClientExit.OK
    answer: RetentionAnswer = session.remote.get("/retention")
    session.say(answer, list(_lines(answer)))
    return ClientExit.OK


def _lines(answer: RetentionAnswer) -> Iterator[str]:
    yield from map(one_line, answer["rules"])
    if answer["files_max_size"] is not None:
        yield f"saved files may take {size(answer['files_max_size'])}"
    if not answer["rules"] and answer["files_max_size"] is None:
        yield "the pipeline has no rules of retention: nothing goes by itself"
    if answer["at_work"]:
        yield "it is at work now"
    if answer["ran"] is not None and answer["removed"] is not None:
        yield f"last removal at {moment(answer['ran'])}:"
        yield from _removal(answer["removed"])
    if answer["next"] is not None:
        yield f"next removal at {moment(answer['next'])}"


def _removal(answer: RemovalAnswer) -> Iterator[str]:
    for one in answer["taken"]:
        bytes = f" ({size(one['bytes'])})" if one["bytes"] else ""
        what = f"the {one['part']} of {plural(one['jobs'], 'job')} of {one['op']}{bytes}"
        yield "  " + one_line(f"{what}: {one['rule']}")
    if answer["files"]:
        yield f"  {plural(answer['files'], 'saved file')}; {size(answer['file_bytes'])}"
    if not answer["taken"] and not answer["files"]:
        yield "  nothing"
    for rule in answer["unmatched"]:
        yield "  " + one_line(f"no job of an operation in {rule} is recorded")
    for failure in answer["failures"]:
        yield "  " + one_line(f"can't be removed: {failure}")
