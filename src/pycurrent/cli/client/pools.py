"""The pools: who holds their resources, and who waits for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

from cyclopts import Parameter, validators

from pycurrent.cli.client.answers import PoolAnswer, PoolsAnswer, QueuedAnswer
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.output import one_line
from pycurrent.view.formatting import duration


def pools(
    *,
    limit: Annotated[
        int,
        Parameter(
            validator=validators.Number(gte=1, lte=1000), help="How many jobs of each pool at most."
        ),
    ] = 20,
    session: Given,
) -> int:
    """`pycurrent client pools`."""
    answer: PoolsAnswer = session.remote.get("/pools", limit=limit)
    lines = [line for pool in answer["pools"] for line in _lines(pool)]
    for one in answer["at_work"]:
        waits = one_line(", and ".join(one["waits"]))
        lines.append(f"{one['job']}  {one_line(one['description'])} waits for {waits}")
    session.list(answer, lines, "no job has used a pool")
    return ClientExit.OK


def _lines(pool: PoolAnswer) -> Iterator[str]:
    used = pool["holding"] if pool["used"] is None else pool["used"]
    of = "" if pool["capacity"] is None else f" of {pool['capacity']:,}"
    yield f"{one_line(pool['label'])}: {used:,}{of} in use, {pool['queue']:,} waiting"
    for one in pool["holders"]:
        at = "" if one["runs_at"] is None else f" at {one['runs_at']}"
        what = one_line(one["description"])
        yield f"  holds it  {_age(one['since']):>12}  {one['job']}  {what}{at}"
    if (more := pool["holding"] - len(pool["holders"])) > 0:
        yield f"  and {more:,} more hold one"
    for waiting in pool["waiting"]:
        yield _queued(waiting)
    if (more := pool["queue"] - len(pool["waiting"])) > 0:
        yield f"  and {more:,} more wait"


def _queued(waiting: QueuedAnswer) -> str:
    age = "" if waiting["since"] is None else _age(waiting["since"])
    expected = waiting["expected"]
    still = "" if expected is None else f" (about {duration(timedelta(seconds=expected))} more)"
    what = one_line(waiting["description"])
    return f"  {waiting['place']:<8}  {age:>12}  {waiting['job']}  {what}{still}"


def _age(since: str) -> str:
    return duration(datetime.now(UTC) - datetime.fromisoformat(since))
