"""Runs by the thousand: the loop goes on while they are started, and while they are given up."""

from collections import Counter
from pathlib import Path

from pycurrent import Config, Current, Level, Var, all, builder
from pycurrent.engine import Job
from pycurrent.store import JobEnd
from pycurrent.testing import Harness

MANY = 450
AT_ONCE = 200


@builder("deploy", level=Level.DANGEROUS)
async def deploy(job: Job, part: int) -> int:
    return part


async def test_many_runs_are_started_by_and_by(tmp_path: Path) -> None:
    """After each step only so many, and all in the end; steps and other work come between."""
    begun: list[int] = []

    def pipeline() -> Current[object]:
        return all([deploy(part) for part in range(MANY)])

    async with Harness(pipeline, state_dir=tmp_path) as h:
        h.engine.listen(lambda step: begun.append(len(h.engine.jobs)))
        await h.settle()
        assert len(h.jobs) == MANY
        assert h.stats.ok == MANY
    started = [after - before for before, after in zip([0, *begun], begun, strict=False)]
    assert max(started[1:]) <= AT_ONCE


async def test_many_runs_are_given_up_by_and_by(tmp_path: Path) -> None:
    """None of them is left over, and what is wanted instead is started."""
    wanted = Var("wanted", 0)

    def pipeline() -> Current[object]:
        return wanted.get().bind(
            lambda first: all([deploy(part) for part in range(first, first + MANY)])
        )

    config = Config(confirm=Level.DANGEROUS)
    async with Harness(pipeline, state_dir=tmp_path, config=config) as h:
        await h.settle()
        assert h.stats.waiting_for_confirmation == MANY
        before = h.engine.steps
        wanted.set(MANY)
        await h.settle()
        assert h.stats.waiting_for_confirmation == MANY
        assert h.engine.steps - before > 2 * MANY // AT_ONCE
        assert len(h.jobs) == MANY
        records = h.engine.opened.store.history(ends=[None, *JobEnd], limit=3 * MANY)
        assert Counter(record.ended for record in records) == {
            JobEnd.SUPERSEDED: MANY,
            None: MANY,
        }
