"""Runs by the thousand: the loop goes on while they are started, and while they are given up."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

from pycurrent import Config, Current, Level, Var, all, builder
from pycurrent.cache import Cache
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

    harness = Harness(pipeline, state_dir=tmp_path)
    harness.engine.listen(lambda step: begun.append(len(harness.engine.jobs)))
    async with harness as h:
        await h.settle()
        assert len(h.jobs) == MANY
        assert h.stats.ok == MANY
    assert max(growth(begun)) == AT_ONCE


async def test_many_runs_are_given_up_by_and_by(tmp_path: Path) -> None:
    """None of them is left over, and what is wanted instead is started."""
    wanted = Var("wanted", 0)

    def pipeline() -> Current[object]:
        return wanted.get().bind(
            lambda first: all([deploy(part) for part in range(first, first + MANY)])
        )

    config = Config(confirm=Level.DANGEROUS)
    ended: list[JobEnd] = []
    begun, given_up = [MANY], [0]
    async with Harness(pipeline, state_dir=tmp_path, config=config) as h:
        await h.settle()
        assert h.stats.waiting_for_confirmation == MANY
        cache = h.engine.service(Cache)
        cache.on_ended(lambda job, end: ended.append(end))

        def look(step: object) -> None:
            cancelled = sum(job.cancelled is not None for job in cache.jobs())
            given_up.append(cancelled + len(ended))
            begun.append(cache.job_count + len(ended))

        h.engine.listen(look)
        wanted.set(MANY)
        await h.settle()
        assert h.stats.waiting_for_confirmation == MANY
        assert len(h.jobs) == MANY
        assert ended == [JobEnd.SUPERSEDED] * MANY
        records = h.engine.opened.store.history(ends=[None, *JobEnd], limit=3 * MANY)
        assert Counter(record.ended for record in records) == {
            JobEnd.SUPERSEDED: MANY,
            None: MANY,
        }
    # Those that are started and those that are given up count together.
    both = [a + b for a, b in zip(begun, given_up, strict=True)]
    assert max(growth(both)) == AT_ONCE


def growth(counts: list[int]) -> list[int]:
    """By how much each is more than the one before."""
    return [after - before for before, after in pairwise(counts)]
