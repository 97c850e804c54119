"""Runs by the thousand: the loop goes on while they are started, and while they are given up."""

import asyncio
from collections import Counter
from itertools import pairwise
from pathlib import Path

from pycurrent import Config, Current, Level, Pool, Var, all, builder, constant
from pycurrent.cache import ResultCache
from pycurrent.cache.cache import LOOKS
from pycurrent.cache.runs import TOGETHER
from pycurrent.engine import DrivenJob, Job
from pycurrent.store import Database, DatabaseReader, JobEnd
from pycurrent.store.unsaved import FEW
from pycurrent.testing import Harness

MANY = 450
AT_ONCE = 200
"""How many are started after one step, and as many again during each of its two commits."""
GIVEN_UP_AT_ONCE = 600
FORGOTTEN_AT_ONCE = GIVEN_UP_AT_ONCE // (TOGETHER // LOOKS) * TOGETHER


@builder("deploy", level=Level.DANGEROUS)
async def deploy(job: Job, part: int) -> int:
    return part


async def test_many_runs_are_started_by_and_by(tmp_path: Path) -> None:
    """With each step only so many, and all in the end; steps and other work come between."""
    begun: list[int] = []
    many = 4 * MANY

    def pipeline() -> Current[object]:
        return all([deploy(part) for part in range(many)])

    harness = Harness(pipeline, state_dir=tmp_path)
    harness.engine.listen(lambda step: begun.append(len(harness.engine.jobs)))
    async with harness as h:
        await h.settle()
        assert len(h.jobs) == many
        assert h.stats.ok == many
    assert max(growth(begun)) == 3 * AT_ONCE


async def test_many_runs_are_given_up_by_and_by(tmp_path: Path) -> None:
    """With each step only so many, and none of them is left over. One that is given up takes a
    third of the time of one that is started: the two count together.
    """
    many = 5 * MANY
    wanted = Var("wanted", True)

    def pipeline() -> Current[object]:
        old, new = (range(many), range(many, many + MANY))
        return wanted.get().bind(
            lambda first: all([deploy(part) for part in (old if first else new)])
        )

    config = Config(confirm=Level.DANGEROUS)
    ended: list[JobEnd] = []
    begun, given_up = [many], [0]
    async with Harness(pipeline, state_dir=tmp_path, config=config) as h:
        await h.settle()
        assert h.stats.waiting_for_confirmation == many
        cache = h.engine.service(ResultCache)
        cache.runs.on_ended(lambda some: ended.extend(end for _, end in some))

        def look(step: object) -> None:
            given_up.append(len(ended))
            begun.append(cache.runs.job_count + len(ended))

        h.engine.listen(look)
        wanted.set(False)
        await h.settle()
        assert h.stats.waiting_for_confirmation == MANY
        assert len(h.jobs) == MANY
        assert ended == [JobEnd.SUPERSEDED] * many
        records = h.engine.opened.store.history(ends=[None, *JobEnd], limit=3 * many)
        assert Counter(record.ended for record in records) == {
            JobEnd.SUPERSEDED: many,
            None: MANY,
        }
    took = [3 * a + b for a, b in zip(growth(begun), growth(given_up), strict=True)]
    assert max(growth(given_up)) == GIVEN_UP_AT_ONCE
    assert max(took) <= 3 * GIVEN_UP_AT_ONCE


async def test_many_known_results_are_forgotten_by_and_by(tmp_path: Path) -> None:
    """After each step only so many: that nobody needs them is soon known, to forget them is not."""
    many = 2 * FORGOTTEN_AT_ONCE + 1
    wanted = Var("wanted", True)

    @builder("known", level=Level.HARMLESS)
    async def known(job: Job, part: int) -> None:
        pass

    def pipeline() -> Current[object]:
        return wanted.get().bind(
            lambda yes: all([known(part) for part in range(many)]) if yes else constant(None)
        )

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
    left: list[int] = []
    harness = Harness(pipeline, state_dir=tmp_path)
    async with harness as h:
        await h.settle()
        cache = h.engine.service(ResultCache)
        assert (len(cache), cache.runs.job_count) == (many, 0)
        h.engine.listen(lambda step: left.append(len(cache)))
        wanted.set(False)
        await h.settle()
        assert len(h.jobs) == 0
    assert left == [many - FORGOTTEN_AT_ONCE, 1, 0]


def growth(counts: list[int]) -> list[int]:
    """By how much each is more than the one before."""
    return [after - before for before, after in pairwise(counts)]


async def test_jobs_that_wait_have_no_tasks_and_end_without_any(tmp_path: Path) -> None:
    """Whether they wait for a pool or for a person, and whoever gives them up."""
    pool = Pool("p", 1)
    wanted = Var("wanted", True)

    @builder("queued", level=Level.HARMLESS, pool=pool, auto_cancel=True)
    async def queued(job: Job, part: int) -> None:
        await asyncio.Event().wait()

    def all_of_them() -> Current[object]:
        return all([stage(part) for part in range(MANY) for stage in (queued, deploy)])

    def pipeline() -> Current[object]:
        return wanted.get().bind(lambda yes: all_of_them() if yes else constant(None))

    config = Config(confirm=Level.DANGEROUS)
    before = len(asyncio.all_tasks())
    async with Harness(pipeline, state_dir=tmp_path, config=config) as h:
        await h.settle()
        assert (len(pool.waiting), h.stats.waiting_for_confirmation) == (MANY - 1, MANY)
        assert len(asyncio.all_tasks()) < before + 20
        job = h.find("queued 7")
        job.cancel("not this one")
        assert "Job failed: Cancelled: not this one" in h.log("queued 7")
        assert len(pool.waiting) == MANY - 2
        wanted.set(False)
        await h.settle()
        assert (pool.waiting, pool.used, len(h.jobs)) == ([], 0, 0)
        store = h.engine.opened.store
        ends = Counter(record.ended for record in store.history(ends=[*JobEnd], limit=3 * MANY))
        assert ends == {JobEnd.SUPERSEDED: 2 * MANY - 1, JobEnd.CANCELLED: 1}
        wanted.set(True)
        await h.settle()
        waiting = [job.id for job in pool.waiting if isinstance(job, DrivenJob)]
    assert (pool.waiting, pool.used) == ([], 0)
    with Database.open(tmp_path / "db" / "pycurrent.db") as store:
        assert {store.job(job_id).ended for job_id in waiting} == {JobEnd.INTERRUPTED}  # type: ignore[union-attr]


async def test_many_runs_that_have_not_begun_end_in_few_transactions(tmp_path: Path) -> None:
    """Given up in parts, with steps between, and recorded by the thousand behind that; when the
    engine stops, too.
    """
    many = 5 * MANY
    pool = Pool("p", 1)
    wanted = Var("wanted", True)

    @builder("queued", level=Level.HARMLESS, pool=pool, auto_cancel=True)
    async def queued(job: Job, part: int) -> None:
        await asyncio.Event().wait()

    def pipeline() -> Current[object]:
        return wanted.get().bind(
            lambda yes: all([queued(part) for part in range(many)]) if yes else constant(None)
        )

    steps: list[object] = []
    statements: list[str] = []

    def ends_written() -> list[int]:
        """How many ends each transaction has written that has written any, since the last call."""
        counts = [0]
        for statement in statements:
            if statement == "COMMIT":
                counts.append(0)
            elif statement.startswith("UPDATE job") and "level =" not in statement:
                counts[-1] += statement.count("-queued-")
        statements.clear()
        return [count for count in counts if count]

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        forget = h.engine.listen(steps.append)
        h.engine.opened.store._connection.set_trace_callback(statements.append)
        wanted.set(False)
        await h.settle()
        forget()
        assert len(steps) > many / GIVEN_UP_AT_ONCE
        written = ends_written()
        assert sum(written) == many - 1
        assert min(written[:-1]) > FEW
        wanted.set(True)
        await h.settle()
        statements.clear()
    *written, last = ends_written()
    assert sum(written) + last == many
    assert min(written[:-1]) > FEW
    # The one that was running has a task, which ends later; so may another that was launched
    # before that one had its resource.
    assert last in {1, 2}
    with DatabaseReader.open(tmp_path / "db" / "pycurrent.db") as reader:
        ends = Counter(record.ended for record in reader.history(ends=[None, *JobEnd], limit=9999))
    assert ends == {JobEnd.SUPERSEDED: many, JobEnd.INTERRUPTED: many}
