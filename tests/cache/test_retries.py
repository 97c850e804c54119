"""A failure that may pass is tried again by itself; until the last attempt it is no result."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from pycurrent.cache import Builder, ResultCache, Retry, Schedule, builder, cause_of, publisher
from pycurrent.cache.cause import Asked, Cause, Expired, MachineFailed, Retried, ValueChanged
from pycurrent.cache.retry import DEFAULT
from pycurrent.engine import Job, Level
from pycurrent.errors import UsageError, WrongKind
from pycurrent.store import JobEnd, JobRecord
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Failure,
    FailureKind,
    Metadata,
    Ok,
    Stats,
    Var,
    component,
    constant,
    metadata,
    pair,
)
from pycurrent.testing import Harness

from .workshop import SECOND, OpenEngine, Put, PutLatched, Workshop, check, put

READY = Active(Activity.READY)
INFRA = Failure("502 from the registry", kind=FailureKind.INFRA)
SLOW = Failure("slow", kind=FailureKind.TIMEOUT)
REAL = Failure("2 tests failed")
TWICE = Retry(infra=2, backoff=10 * SECOND)


class Shaky(Builder[str, str]):
    """Work that does what its next entry says."""

    id = "shaky"
    retry: ClassVar[Retry] = TWICE

    def __init__(self, *ends: BaseException | str, level: Level = Level.AVERAGE) -> None:
        self.ends = list(ends)
        self.level = level
        self.jobs: list[Job] = []

    async def build(self, job: Job, key: str) -> str:
        self.jobs.append(job)
        await job.start(level=self.level)
        end = self.ends.pop(0)
        if isinstance(end, BaseException):
            raise end
        return end


def shaky(op: Shaky, schedule: Schedule | None = None, retry: Retry | None = None) -> Current[str]:
    return component("shaky", lambda: op.get("a", schedule=schedule, retry=retry))


def while_wanted(wanted: Var[bool], op: Shaky) -> Callable[[], Current[str]]:
    return lambda: wanted.get().bind(lambda yes: shaky(op) if yes else constant("unwanted"))


def records(h: Harness) -> list[JobRecord]:
    """All jobs, in the order of their creation."""
    found = h.engine.service(ResultCache).store.history(ends={None, *JobEnd})
    return sorted(found, key=lambda job: (job.build, job.created, job.ended is None))


def causes(h: Harness) -> list[Cause | None]:
    return [cause_of(record) for record in records(h)]


def attempts(h: Harness) -> list[tuple[int, int] | None]:
    """Which attempt of how many each job was."""
    found = [cause_of(record) for record in records(h)]
    return [(c.attempt, c.of) if isinstance(c, Retried) else None for c in found]


async def test_a_failure_that_is_not_the_works_is_tried_again(engine: OpenEngine) -> None:
    """Each attempt is a job with its failure; meanwhile the stage is ready, not failed."""
    op = Shaky(INFRA, INFRA, "done")
    async with engine(lambda: shaky(op)) as h:
        await h.settle()
        assert (h.output, h.stats) == (READY, Stats(ready=1))
        check(h)
        await h.advance(10 * SECOND)
        assert (h.output, len(op.jobs)) == (READY, 2)
        await h.advance(19 * SECOND)
        assert len(op.jobs) == 2, "the second pause is twice as long"
        await h.advance(SECOND)
        assert h.output == Ok("done")
        ends = [JobEnd.FAILED, JobEnd.FAILED, JobEnd.OK]
        assert [record.ended for record in records(h)] == ends
        assert [record.build for record in records(h)] == [0, 1, 2]
        assert attempts(h) == [None, (2, 3), (3, 3)]
        why = f"Runs because job {op.jobs[1].id} failed: this is attempt 3 of 3"
        assert why in h.log("shaky a")
        check(h)


async def test_the_last_attempt_is_final(engine: OpenEngine) -> None:
    """Its failure is the result, until somebody asks for a rebuild."""
    op = Shaky(INFRA, INFRA, INFRA)
    async with engine(lambda: shaky(op)) as h:
        await h.settle()
        for _ in range(3):
            await h.advance(timedelta(minutes=10))
        assert (h.output, h.stats) == (Failed(str(INFRA)), Stats(failed=1))
        assert len(op.jobs) == 3
        check(h)


async def test_it_is_said_why_and_when(
    engine: OpenEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """On the terminal and in the metadata: which attempt comes, and of how many."""
    op = Shaky(INFRA, "done")

    def pipeline() -> Current[Any]:
        stage = shaky(op)
        return pair(stage.state(), metadata(stage))

    async with engine(pipeline) as h:
        await h.settle()
        note = "tried again at 00:00:10 UTC (attempt 2 of 3): 502 from the registry"
        assert h.output == Ok((READY, Metadata(op.jobs[0].id, note=note)))
        assert f"shaky a is {note}" in caplog.text
        assert not h.engine.idle


@pytest.mark.parametrize(
    ("retry", "failure", "runs"),
    [
        (Retry(), INFRA, 3),
        (Retry(), SLOW, 1),
        (Retry(), REAL, 1),
        (Retry(infra=0), INFRA, 1),
        (Retry(timeout=1), SLOW, 2),
        (Retry(real=3), REAL, 4),
        (Retry(real=3), INFRA, 3),
        (Retry(infra=5), Failure("by hand", kind=FailureKind.CANCELLED), 1),
    ],
)
async def test_each_kind_has_its_number_of_attempts(
    engine: OpenEngine, retry: Retry, failure: Failure, runs: int
) -> None:
    """By default only what is not the work's fault is tried again."""
    op = Shaky(*[failure] * 10)
    async with engine(lambda: shaky(op, retry=retry)) as h:
        await h.settle()
        for _ in range(10):
            await h.advance(timedelta(minutes=5))
        assert (len(op.jobs), h.output) == (runs, Failed(str(failure)))


async def test_all_attempts_in_a_row_count(engine: OpenEngine) -> None:
    """Whatever the kinds of their failures."""
    op = Shaky(INFRA, SLOW, INFRA, "never")
    retry = Retry(infra=2, timeout=2, backoff=SECOND)
    async with engine(lambda: shaky(op, retry=retry)) as h:
        await h.settle()
        for _ in range(5):
            await h.advance(timedelta(minutes=5))
        assert (len(op.jobs), h.output) == (3, Failed(str(INFRA)))


@pytest.mark.parametrize("level", list(Level))
async def test_nothing_risky_is_done_again_by_itself(engine: OpenEngine, level: Level) -> None:
    """What is above the level average fails at once, and stays so after a restart."""
    op = Shaky(INFRA, "done", level=level)
    async with engine(lambda: shaky(op)) as h:
        await h.settle()
        await h.advance(10 * SECOND)
        assert h.output == (Ok("done") if level <= Level.AVERAGE else Failed(str(INFRA)))
        count = len(op.jobs)
    async with engine(lambda: shaky(op)) as h:
        await h.settle()
        assert len(op.jobs) == count


async def test_pauses_grow_to_five_minutes(engine: OpenEngine) -> None:
    """A first one that is longer stays as long."""
    for backoff, pauses in ((100, [100, 200, 300, 300]), (400, [400, 400])):
        op = Shaky(*[INFRA] * 10)
        retry = Retry(infra=len(pauses), backoff=timedelta(seconds=backoff))
        async with engine(lambda op=op, retry=retry: shaky(op, retry=retry)) as h:  # type: ignore[misc]
            h.find("shaky").rebuild() if len(h.history()) else None
            await h.settle()
            for pause in pauses:
                count = len(op.jobs)
                await h.advance(timedelta(seconds=pause) - timedelta(milliseconds=1))
                assert len(op.jobs) == count
                await h.advance(timedelta(milliseconds=1))
                assert len(op.jobs) == count + 1


async def test_no_pause_is_none(engine: OpenEngine) -> None:
    """With a backoff of nothing the next attempt follows at once."""
    op = Shaky(INFRA, INFRA, "done")
    async with engine(lambda: shaky(op, retry=Retry(backoff=timedelta(0)))) as h:
        await h.advance(timedelta(0))
        await h.settle()
        assert h.output == Ok("done")


# What happens meanwhile


async def test_a_result_is_reported_while_its_refresh_is_tried_again(engine: OpenEngine) -> None:
    """It is only older than it should be; the last failure replaces it."""
    op = Shaky("first", INFRA, INFRA, INFRA, "second")
    schedule = Schedule(timedelta(minutes=1))
    async with engine(lambda: shaky(op, schedule)) as h:
        await h.settle()
        await h.advance(timedelta(minutes=1))
        await h.advance(10 * SECOND)
        assert (h.output, len(op.jobs), h.stats) == (Ok("first"), 3, Stats(ok=1))
        await h.advance(20 * SECOND)
        assert (h.output, len(op.jobs)) == (Failed(str(INFRA)), 4)
        await h.advance(timedelta(minutes=1))
        assert h.output == Ok("second")
        assert isinstance(causes(h)[-1], Expired)


async def test_a_rebuild_begins_with_a_first_attempt(engine: OpenEngine) -> None:
    """At once, and with all attempts before it."""
    op = Shaky(*[INFRA] * 4, "done")
    async with engine(lambda: shaky(op)) as h:
        await h.settle()
        await h.advance(10 * SECOND)
        h.find("shaky a").rebuild(by="ann")
        await h.settle()
        assert (len(op.jobs), causes(h)[-1]) == (3, Asked("ann"))
        await h.advance(10 * SECOND)
        assert attempts(h) == [None, (2, 3), None, (2, 3)]
        await h.advance(20 * SECOND)
        assert h.output == Ok("done")
        check(h)


async def test_what_a_person_has_cancelled_is_not_tried_again(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Whatever its end raises; not after a restart either."""
    shop.stubborn = True
    value = Var("value", "1")
    async with engine(lambda: put(Put(shop), value.get())) as h:
        await h.settle()
        h.find("put k 1").cancel("by hand")
        await h.settle()
        shop.work.ending.set_exception(INFRA)
        await h.settle()
        await h.advance(timedelta(minutes=5))
        assert len(shop.begun) == 1
    async with engine(lambda: put(Put(shop), value.get())) as h:
        await h.settle()
        assert (len(shop.begun), h.output) == (1, Failed("Cancelled: by hand"))


class PutAgain(Put):
    retry: ClassVar[Retry] = Retry()


class PutLatchedAgain(PutLatched):
    retry: ClassVar[Retry] = Retry()


@pytest.mark.parametrize("kind", [PutAgain, PutLatchedAgain])
async def test_another_value_does_not_wait(
    engine: OpenEngine, shop: Workshop, kind: type[PutAgain | PutLatchedAgain]
) -> None:
    """It has attempts of its own; a latched operation goes on reporting its last outcome."""
    value = Var("value", "0")
    async with engine(lambda: put(kind(shop), value.get())) as h:
        await h.settle()
        shop.work.succeed("zero")
        await h.settle()
        value.set("1")
        await h.settle()
        shop.work.ending.set_exception(INFRA)
        await h.settle()
        assert h.output == (Ok("zero") if kind is PutLatchedAgain else READY)
        value.set("2")
        await h.settle()
        assert shop.work.value == "2"
        assert causes(h)[-1] == ValueChanged('"1"', '"2"')
        shop.work.ending.set_exception(INFRA)
        await h.settle()
        await h.advance(timedelta(seconds=30))
        assert attempts(h)[-1] == (2, 3)
        check(h)


async def test_back_at_the_value_its_attempts_go_on(engine: OpenEngine, shop: Workshop) -> None:
    """If the run for the other value has not begun: nothing was set meanwhile."""
    value = Var("value", "1")
    async with engine(lambda: put(PutAgain(shop), value.get())) as h:
        await h.settle()
        shop.work.ending.set_exception(INFRA)
        await h.settle()
        h.engine.config.confirm = Level.AVERAGE
        value.set("2")
        await h.settle()
        value.set("1")
        await h.settle()
        h.engine.config.confirm = None
        await h.settle()
        assert (shop.work.value, attempts(h)[-1]) == ("1", (2, 3))


async def test_a_retry_that_the_machine_fails_is_done_again(engine: OpenEngine) -> None:
    """As the same attempt."""
    op = Shaky(INFRA, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), INFRA, "done")
    async with engine(lambda: shaky(op)) as h:
        await h.settle()
        await h.advance(10 * SECOND)
        await h.advance(SECOND)
        again = causes(h)[2]
        assert isinstance(again, MachineFailed)
        assert again.retry == Retried(op.jobs[0].id, 2, 3)
        await h.advance(20 * SECOND)
        assert (attempts(h)[-1], h.output) == ((3, 3), Ok("done"))


async def test_an_attempt_follows_from_the_changes_of_the_first(engine: OpenEngine) -> None:
    """So one finds from which of them the retry came."""
    op = Shaky(INFRA, "done")
    async with engine(lambda: shaky(op)) as h:
        await h.settle()
        await h.advance(10 * SECOND)
        first, second = records(h)
        assert first.changes is not None
        assert first.changes == second.changes


# Over restarts, and for those who come back


@pytest.mark.parametrize("failure", [INFRA, REAL])
async def test_the_number_of_the_attempt_outlives_the_engine(
    engine: OpenEngine, failure: Failure
) -> None:
    """Whatever the kind: the causes of the records tell it."""
    op = Shaky(failure, failure, "done")
    retry = Retry(infra=2, real=2)
    for attempt in (1, 2, 3):
        async with engine(lambda: shaky(op, retry=retry)) as h:
            await h.settle()
            assert len(op.jobs) == attempt
            assert attempts(h)[1:] == [(n, 3) for n in range(2, attempt + 1)]
    assert op.ends == []


async def test_the_machinerys_failure_is_tried_again_after_a_restart(engine: OpenEngine) -> None:
    """With all attempts once more."""
    op = Shaky(*[INFRA] * 4, "done")
    retry = Retry(infra=1, backoff=10 * SECOND)
    for _ in range(2):
        async with engine(lambda: shaky(op, retry=retry)) as h:
            await h.settle()
            await h.advance(10 * SECOND)
            assert h.output == Failed(str(INFRA))
    async with engine(lambda: shaky(op, retry=retry)) as h:
        await h.settle()
        assert h.output == Ok("done")
        assert attempts(h) == [None, (2, 2), (1, 2), (2, 2), (1, 2)]
        assert "failed, and not by its work: it is tried again after a restart" in h.log("shaky a")


class Unsaid(Shaky):
    retry: ClassVar[Retry] = DEFAULT


async def test_without_a_retry_one_engine_tries_once_and_the_next_one_again(
    engine: OpenEngine,
) -> None:
    """If the work is not to blame; one that must not be done twice says so."""
    op, once = Unsaid(INFRA, INFRA, "done"), Shaky(INFRA, "never")
    for jobs in (1, 2):
        async with engine(lambda: shaky(op)) as h:
            await h.settle()
            await h.advance(timedelta(hours=1))
            assert (h.output, len(op.jobs)) == (Failed(str(INFRA)), jobs)
    async with engine(lambda: shaky(op)) as h:
        await h.settle()
        assert h.output == Ok("done")
    for _ in range(2):
        async with engine(
            lambda: component("once", lambda: once.get("b", retry=Retry(infra=0)))
        ) as h:
            await h.settle()
            assert (h.output, len(once.jobs)) == (Failed(str(INFRA)), 1)


async def test_the_works_own_failure_stays_after_a_restart(engine: OpenEngine) -> None:
    """Also once it was tried as often as it may."""
    op = Shaky(REAL, REAL, "never")
    for _ in range(2):
        async with engine(lambda: shaky(op, retry=Retry(real=1, backoff=SECOND))) as h:
            await h.settle()
            await h.advance(SECOND)
            assert (h.output, len(op.jobs)) == (Failed(str(REAL)), 2)


async def test_what_nobody_needs_is_not_tried_again(engine: OpenEngine) -> None:
    """Needed again, the next attempt begins at once; after the last one the failure stands."""
    op = Shaky(INFRA, INFRA, INFRA, "never")
    wanted = Var("wanted", True)
    async with engine(while_wanted(wanted, op)) as h:
        await h.settle()
        for attempt in (1, 2, 3, 3):
            assert len(op.jobs) == attempt
            wanted.set(False)
            await h.settle()
            await h.advance(timedelta(minutes=5))
            assert (len(op.jobs), len(h.engine.service(ResultCache).pauses)) == (attempt, 0)
            wanted.set(True)
            await h.settle()
        assert h.output == Failed(str(INFRA))


async def test_a_failure_can_be_final_for_one_use(engine: OpenEngine) -> None:
    """The `Retry` of the use counts, not that of the class."""
    op = Shaky(INFRA, "never")
    async with engine(lambda: shaky(op, retry=Retry(infra=0))) as h:
        await h.settle()
        assert h.output == Failed(str(INFRA))


# As authors write it


async def test_the_short_forms_have_it(engine: OpenEngine) -> None:
    """A builder and a publisher take `retry=`."""
    failing = [INFRA, INFRA]

    @builder("make", level=Level.AVERAGE, retry=Retry(infra=1, backoff=SECOND))
    async def make(job: Job, key: str) -> str:
        if failing:
            raise failing.pop()
        return "made"

    @publisher("set", level=Level.AVERAGE, retry=Retry(infra=1, backoff=SECOND))
    async def set_to(job: Job, key: str, *, value: str) -> str:
        if failing:
            raise failing.pop()
        return "set"

    async with engine(lambda: pair(make("a"), set_to("a", value="b"))) as h:
        await h.settle()
        await h.advance(SECOND)
        assert h.output == Ok(("made", "set"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Retry(infra=-1), "infra= takes 0 or more further attempts, not -1"),
        (lambda: Retry(real=True), "real= takes the number of further attempts, not True"),
        (lambda: Retry(timeout="2"), "timeout= takes the number of further attempts, not '2'"),  # type: ignore[arg-type]
        (lambda: Retry(backoff=30), "backoff= takes a timedelta, not 30: write timedelta"),  # type: ignore[arg-type]
        (lambda: Retry(backoff=-SECOND), "backoff= takes 0 seconds or more"),
        (lambda: Shaky().get("a", retry=3), "operation 'shaky': retry= takes a Retry, not 3"),  # type: ignore[arg-type]
        (lambda: builder("x", retry=3), "builder 'x': retry= takes a Retry, not 3"),  # type: ignore[arg-type]
        (lambda: type("Odd", (Shaky,), {"retry": 3}), "Odd: retry is a Retry, not 3"),
    ],
)
def test_mistakes_are_told_where_they_are_made(wrong: Callable[[], object], message: str) -> None:
    """With what to write instead."""
    with pytest.raises((UsageError, WrongKind), match=message):
        wrong()
