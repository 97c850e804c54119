"""Pools: who is served, and in which order."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, assert_type

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pycurrent.cache import Schedule, builder
from pycurrent.engine import Config, Job, Level, Pool, Urgency
from pycurrent.engine.pool import Lender, QueuePlace, Tickets
from pycurrent.engine.resources import Resources
from pycurrent.errors import UsageError
from pycurrent.term import Current, Failed, Failure, Ok, Stats, Var, all, constant
from pycurrent.testing import Harness

from .doing import Gate, do, start

SECOND = timedelta(seconds=1)


async def test_as_many_jobs_run_as_the_pool_has_resources(tmp_path: Path) -> None:
    """The others are ready, and follow in the order in which they came."""
    pool = Pool("builders", 2)
    gate = Gate(pool=pool)
    keys = ["a", "b", "c", "d", "e"]
    async with Harness(lambda: all([do(gate, k) for k in keys]), state_dir=tmp_path) as h:
        await h.settle()
        assert h.stats == Stats(running=2, ready=3)
        assert "Waiting for a resource of pool builders" in h.log("do c")
        assert [job.description for job in pool.waiting] == ["do c", "do d", "do e"]
        while gate.jobs:
            assert len(gate.jobs) <= pool.capacity
            gate.let_through(gate.jobs[0])
            await h.settle()
        assert gate.begun == [f"do {k}" for k in keys]
        assert (h.stats, pool.used) == (Stats(ok=5), 0)
        stamp = "2026-01-01 00:00.00: "
        assert h.log("do c") == (
            f"{stamp}New job: do c\n{stamp}Waiting for a resource of pool builders\n"
            f"{stamp}Job succeeded\n"
        )


def refreshed_and_new(gate: Gate, more: Var[bool]) -> Current[Any]:
    """Two results that expire after a second, and two that are wanted once there are `more`."""
    old = [do(gate, key, Schedule(SECOND)) for key in ("old1", "old2")]
    new = more.get().bind(
        lambda yes: all([do(gate, "new1"), do(gate, "new2")]) if yes else constant(None)
    )
    return all([*old, new])


async def test_each_job_has_a_place_in_the_queue(tmp_path: Path) -> None:
    """Refreshes come behind first results."""
    pool = Pool("p", 1)
    gate = Gate(pool=pool)
    more = Var("more", False)

    async with Harness(lambda: refreshed_and_new(gate, more), state_dir=tmp_path) as h:
        await h.settle()
        for _ in range(2):
            gate.let_through(gate.jobs[0])
            await h.settle()
        await h.advance(SECOND)
        more.set(True)
        await h.settle()
        assert [job.description for job in pool.waiting] == ["do new1", "do new2", "do old2"]
        assert [pool.place(job) for job in pool.waiting] == [1, 2, 3]


async def test_a_first_result_comes_before_a_refresh(tmp_path: Path) -> None:
    """Behind a result that is still reported there is time."""
    pool = Pool("p", 1)
    gate = Gate(pool=pool)
    more = Var("more", False)

    async with Harness(lambda: refreshed_and_new(gate, more), state_dir=tmp_path) as h:
        await h.settle()
        for _ in range(2):
            gate.let_through()
            await h.settle()
        gate.begun.clear()
        await h.advance(SECOND)
        assert [job.urgency for job in pool.waiting] == [Urgency.LOW]
        more.set(True)
        await h.settle()
        assert [job.description for job in pool.waiting] == ["do new1", "do new2", "do old2"]
        for _ in range(4):
            gate.let_through()
            await h.settle()
        assert gate.begun == ["do old1", "do new1", "do new2", "do old2"]


async def test_a_cancelled_job_leaves_the_queue(tmp_path: Path) -> None:
    """The next one takes its turn, and nothing is lost from the pool."""
    pool = Pool("p", 1)
    gate = Gate(pool=pool)
    keys = ["a", "b", "c"]
    pipe = lambda: all([do(gate, k).state() for k in keys])  # noqa: E731
    async with Harness(pipe, state_dir=tmp_path) as h:
        await h.settle()
        h.find("do b").cancel("not needed")
        await h.settle()
        assert [job.description for job in pool.waiting] == ["do c"]
        gate.let_through()
        await h.settle()
        assert gate.begun == ["do a", "do c"]
        gate.let_through()
        await h.settle()
        assert (pool.used, pool.waiting) == (0, [])


async def test_a_job_cancelled_as_its_turn_comes_hands_it_on(tmp_path: Path) -> None:
    """Between the moment in which the resource is given to it and the one in which it knows."""
    pool = Pool("p", 1)
    gate = Gate(pool=pool)
    go = asyncio.Event()

    async def first(job: Job) -> None:
        await start(job)
        async with job.use_pool(pool):
            await go.wait()
            next_one = pool.waiting[0]
            assert isinstance(next_one, Job)
        assert next_one not in pool.waiting
        next_one.cancel("just now")

    def pipeline() -> Current[Any]:
        return all([do(first, "a"), do(gate, "b").state(), do(gate, "c")])

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        go.set()
        await h.settle()
        assert gate.begun == ["do c"]
        gate.let_through()
        await h.settle()
        assert (pool.used, h.stats) == (0, Stats(ok=2, failed=1))


async def test_a_job_waits_for_confirmation_before_it_takes_a_resource(tmp_path: Path) -> None:
    """Else it would keep others from running."""
    pool = Pool("p", 1)
    careful, quick = Gate(Level.DANGEROUS, pool=pool), Gate(pool=pool)
    async with Harness(
        lambda: all([do(careful, "careful"), do(quick, "quick")]),
        state_dir=tmp_path,
        config=Config(confirm=Level.DANGEROUS),
    ) as h:
        await h.settle()
        assert quick.begun == ["do quick"]
        h.find("do careful").approve()
        await h.settle()
        assert h.stats == Stats(running=1, ready=1)


async def test_a_job_can_hold_more_resources_for_a_while(tmp_path: Path) -> None:
    """`use_pool` waits for one, and gives it back at the end of the block."""
    pool = Pool("disk", 1)
    inside: list[str] = []
    go = asyncio.Event()

    async def work(job: Job) -> None:
        await start(job)
        async with job.use_pool(pool):
            inside.append(job.description)
            await go.wait()
        async with job.use_pool(pool):
            inside.append("again")

    async with Harness(lambda: all([do(work, "a"), do(work, "b")]), state_dir=tmp_path) as h:
        await h.settle()
        assert inside == ["do a"]
        assert "Waiting for a resource of pool disk" in h.log("do b")
        go.set()
        await h.settle()
        assert sorted(inside) == ["again", "again", "do a", "do b"]
        assert (h.stats, pool.used) == (Stats(ok=2), 0)


async def test_a_failure_in_the_block_gives_the_resource_back(tmp_path: Path) -> None:
    """And so does a cancellation."""
    pool = Pool("disk", 1)

    async def fails(job: Job) -> None:
        await start(job)
        async with job.use_pool(pool):
            raise Failure("no")

    async def hangs(job: Job) -> None:
        await start(job)
        async with job.use_pool(pool):
            await asyncio.Event().wait()

    pipe = lambda: all([do(fails, "a").state(), do(hangs, "b").state()])  # noqa: E731
    async with Harness(pipe, state_dir=tmp_path) as h:
        await h.settle()
        assert pool.used == 1
        h.find("do b").cancel("enough")
        await h.settle()
        assert pool.used == 0


async def test_a_custom_pool_gets_and_gives_back_its_resources(tmp_path: Path) -> None:
    """It is given the job; the job is ready until it has the resource."""
    events: list[str] = []
    go = asyncio.Event()

    @asynccontextmanager
    async def worker(job: Job) -> AsyncIterator[None]:
        events.append(f"asked by {job.description}, {job.urgency.value}")
        await go.wait()
        try:
            yield
        finally:
            events.append("given back")

    gate = Gate(pool=Pool.of("workers", worker))
    async with Harness(lambda: do(gate), state_dir=tmp_path) as h:
        await h.settle()
        assert h.stats == Stats(ready=1)
        assert "Waiting for a resource of pool workers" in h.log("do a")
        go.set()
        await h.settle()
        assert h.stats == Stats(running=1)
        gate.let_through()
        await h.settle()
        assert events == ["asked by do a, high", "given back"]


async def test_a_custom_pool_that_has_none_fails_the_job(tmp_path: Path) -> None:
    """With its reason."""

    class NoWorker:
        async def __aenter__(self) -> None:
            raise Failure("no worker is left")

        async def __aexit__(self, *error: object) -> None:
            raise AssertionError

    gate = Gate(pool=Pool.of("workers", lambda job: NoWorker()))
    async with Harness(lambda: do(gate), state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Failed("no worker is left")


async def test_a_job_cancelled_while_a_custom_pool_looks_for_a_resource(tmp_path: Path) -> None:
    """The pool is told by the cancellation, and can tidy up."""
    tidied: list[str] = []

    @asynccontextmanager
    async def worker(job: Job) -> AsyncIterator[None]:
        try:
            await asyncio.Event().wait()
        finally:
            tidied.append(job.description)
        yield

    gate = Gate(pool=Pool.of("workers", worker))
    async with Harness(lambda: do(gate), state_dir=tmp_path) as h:
        await h.settle()
        h.find("do a").cancel("enough")
        await h.settle()
        assert (h.output, tidied, gate.begun) == (Failed("Cancelled: enough"), ["do a"], [])


async def test_one_pool_serves_two_engines(tmp_path: Path) -> None:
    """A pool belongs to whoever made it."""
    pool = Pool("p", 1)
    gate = Gate(pool=pool)
    async with (
        Harness(lambda: do(gate, "1"), state_dir=tmp_path / "1") as one,
        Harness(lambda: do(gate, "2"), state_dir=tmp_path / "2") as two,
    ):
        await one.settle()
        await two.settle()
        assert (one.stats, two.stats) == (Stats(running=1), Stats(ready=1))
        gate.let_through()
        await one.settle()
        await two.settle()
        assert (one.output, two.stats) == (Ok("done"), Stats(running=1))


def test_a_pool_without_resources_is_refused() -> None:
    """Nothing could ever run."""
    with pytest.raises(UsageError, match=r"'none'.*1 or more, not 0"):
        Pool("none", 0)


async def test_a_job_gets_the_resource_that_its_pool_lends(tmp_path: Path) -> None:
    """By `start` for as long as it runs, and by `use_pool` for a block."""
    lent: list[str] = []

    @asynccontextmanager
    async def worker(job: Job) -> AsyncIterator[str]:
        lent.append(f"worker {len(lent) + 1}")
        yield lent[-1]

    workers = Pool.of("workers", worker)
    got: list[str] = []

    async def work(job: Job) -> None:
        first = await job.start(level=Level.HARMLESS, pool=workers)
        assert_type(first, str)
        async with job.use_pool(workers) as second:
            assert_type(second, str)
            got.extend([first, second])

    async with Harness(lambda: do(work), state_dir=tmp_path) as h:
        await h.settle()
        assert got == lent == ["worker 1", "worker 2"]


async def test_a_pool_of_equal_resources_lends_none_that_could_be_told_apart(
    tmp_path: Path,
) -> None:
    """What is lent is the right to run."""
    pool = Pool("p", 2)
    got: list[object] = []

    async def work(job: Job) -> None:
        resource: object = await job.start(level=Level.HARMLESS, pool=pool)  # type: ignore[func-returns-value]
        got.append(resource)
        async with job.use_pool(pool) as other:
            got.append(other)

    async with Harness(lambda: do(work), state_dir=tmp_path) as h:
        await h.settle()
        assert (h.output, got) == (Ok("done"), [None, None])


async def test_a_resource_does_not_go_to_a_job_that_was_just_cancelled(tmp_path: Path) -> None:
    """It is in the queue until it knows of that itself."""
    pool = Pool("p", 1)
    gate = Gate(pool=pool)
    go = asyncio.Event()

    async def first(job: Job) -> None:
        await start(job)
        async with job.use_pool(pool):
            await go.wait()
            next_one = pool.waiting[0]
            assert isinstance(next_one, Job)
            next_one.cancel("just now")
            assert next_one not in pool.waiting
            assert pool.place(next_one) is None

    def pipeline() -> Current[Any]:
        return all([do(first, "a"), do(gate, "b").state(), do(gate, "c")])

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        go.set()
        await h.settle()
        assert gate.begun == ["do c"]
        gate.let_through()
        await h.settle()
        assert (pool.used, h.stats) == (0, Stats(ok=2, failed=1))


async def test_a_queue_keeps_nothing_of_a_job_that_has_left_it(tmp_path: Path) -> None:
    """However long the others hold what there is."""
    pool = Pool("p", 1)
    gate = Gate(pool=pool)
    wanted = Var("wanted", True)

    def pipeline() -> Current[Any]:
        return all(
            [do(gate, "a"), wanted.get().bind(lambda yes: do(gate, "b") if yes else constant(""))]
        )

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        (job,) = (weakref.ref(job) for job in pool.waiting)
        wanted.set(False)
        await h.settle()
        gc.collect()
        assert job() is None


async def test_a_queue_keeps_nothing_of_a_job_that_was_served(tmp_path: Path) -> None:
    """Once it has ended there is nothing left of it."""
    pool = Pool("p", 1)
    go = asyncio.Event()

    async def work(job: Job) -> None:
        await job.start(level=Level.HARMLESS, pool=pool)
        await go.wait()

    async with Harness(lambda: all([do(work, "a"), do(work, "b")]), state_dir=tmp_path) as h:
        await h.settle()
        assert [pool.place(job) for job in pool.waiting] == [1]
        (job,) = (weakref.ref(job) for job in pool.waiting)
        go.set()
        await h.settle()
        gc.collect()
        assert (h.stats, job()) == (Stats(ok=2), None)


async def test_a_job_that_has_begun_queues_behind_those_that_wait(tmp_path: Path) -> None:
    """Each time: the place that it once had in the queue is not its own for good."""
    pool = Pool("p", 1)
    order: list[str] = []
    go = {key: asyncio.Event() for key in ("first", "again", "second", "third")}

    async def work(job: Job) -> None:
        await start(job)
        key = job.description.removeprefix("do ")
        for _ in range(2 if key == "again" else 1):
            async with job.use_pool(pool):
                order.append(key)
                await go[key].wait()

    async with Harness(lambda: all([do(work, key) for key in go]), state_dir=tmp_path) as h:
        for event in go.values():
            await h.settle()
            event.set()
        await h.settle()
        assert order == ["first", "again", "second", "third", "again"]


@dataclass(eq=False)
class Waiting:
    """A job as far as a pool knows it, which gives the resource back at once."""

    description: str
    tickets: Tickets = field(default_factory=Tickets)
    priority: int = 0
    urgency: Urgency = Urgency.HIGH
    has_begun: bool = False

    def label(self, name: str) -> None:
        return None

    async def hold(self, pool: Pool, served: list[str]) -> None:
        async with pool.acquire(self):
            served.append(self.description)


def test_a_job_has_one_ticket_for_each_pool() -> None:
    """However many pools it waits for, one after the other."""
    tickets, pools = Tickets(), [Pool(name, 1) for name in ("a", "b", "c")]
    assert [tickets.drawn(pool) for pool in pools] == [None] * 3
    pools[1].draw()
    drawn = [tickets.draw(pool) for pool in pools]
    assert drawn[1] > drawn[0]
    assert [tickets.drawn(pool) for pool in pools] == drawn
    assert [tickets.draw(pool) for pool in pools] == drawn


async def test_a_job_with_the_tickets_of_another_takes_its_place() -> None:
    """It is served before the jobs that came after the one that was given up."""
    pool, served = Pool("p", 1), list[str]()
    old, other = Waiting("old"), Waiting("other")
    new = Waiting("new", old.tickets)
    async with asyncio.TaskGroup() as tasks, pool.acquire(Waiting("first")):
        given_up = tasks.create_task(old.hold(pool, served))
        tasks.create_task(other.hold(pool, served))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])
        tasks.create_task(new.hold(pool, served))
        await asyncio.sleep(0)
        assert pool.waiting == [new, other]
    assert served == ["new", "other"]
    assert pool.used == 0


async def test_of_two_jobs_with_one_ticket_only_the_cancelled_one_leaves() -> None:
    """The one that has passed its place on may leave the queue after the other."""
    pool, served = Pool("p", 1), list[str]()
    old = Waiting("old")
    new = Waiting("new", old.tickets)
    async with asyncio.TaskGroup() as tasks, pool.acquire(Waiting("first")):
        tasks.create_task(old.hold(pool, served))
        await asyncio.sleep(0)
        cancelled = tasks.create_task(new.hold(pool, served))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert pool.waiting == [old]
    assert served == ["old"]


async def test_a_job_takes_the_place_of_another_in_each_pool_that_it_was_queued_in() -> None:
    """It may be started with a pool of its own: what was drawn for one is no place in another."""
    one, two, served = Pool("one", 1), Pool("two", 1), list[str]()
    old, other, last = Waiting("old"), Waiting("other"), Waiting("last")
    new = Waiting("new", old.tickets)
    async with asyncio.TaskGroup() as tasks, one.acquire(last), two.acquire(last):
        queued = [(old, one), (other, one), (last, two), (old, two), (other, two)]
        waits = [tasks.create_task(job.hold(pool, served)) for job, pool in queued]
        await asyncio.sleep(0)
        for task, (job, _) in zip(waits, queued, strict=True):
            if job is old:
                task.cancel()
        for pool in (two, one):
            tasks.create_task(new.hold(pool, served))
        await asyncio.sleep(0)
        assert one.waiting == [new, other]
        assert two.waiting == [last, new, other]
        assert (one.place(new), two.place(new)) == (1, 2)


@pytest.mark.parametrize("has_its_turn", [True, False])
async def test_a_turn_that_comes_as_its_job_is_cancelled_goes_to_the_next(
    has_its_turn: bool,
) -> None:
    """Whichever came first, while the job does not know yet: the resource is not lost."""
    pool, served = Pool("p", 1), list[str]()
    async with asyncio.TaskGroup() as tasks:
        async with pool.acquire(Waiting("first")):
            cancelled = tasks.create_task(Waiting("cancelled").hold(pool, served))
            tasks.create_task(Waiting("next").hold(pool, served))
            await asyncio.sleep(0)
            if not has_its_turn:
                cancelled.cancel()
        if has_its_turn:
            cancelled.cancel()
        assert (pool.used, pool.free) == (1, False)
    assert (served, pool.used, pool.waiting) == (["next"], 0, [])


async def test_a_resource_is_given_back_even_if_that_is_cancelled() -> None:
    """The pool gets all of the time that it takes, as nobody else will give it back."""
    got_back: list[str] = []

    @asynccontextmanager
    async def acquire(job: Waiting) -> AsyncIterator[None]:
        yield
        await asyncio.sleep(0)
        got_back.append(job.description)

    resources, log = Resources(), list[str]()
    await resources.take(Pool.of("p", acquire), Waiting("a"))
    giving_back = asyncio.create_task(resources.give_back(None, log.append))
    await asyncio.sleep(0)
    giving_back.cancel()
    await asyncio.wait([giving_back])
    assert (got_back, log) == (["a"], [])


@dataclass(eq=False)
class Queued:
    """A job in the queue of a pool, whose work may have begun, as the model sees it."""

    description: str
    priority: int
    urgency: Urgency
    tickets: Tickets
    has_begun: bool
    at: int
    """When it, or the one whose place it has got, came to the queue."""
    waits_at: int
    """The priority that it waits at: its own, or another one."""
    place: QueuePlace | None = None
    wants: bool = True
    served: bool = False

    def label(self, name: str) -> None:
        return None

    @property
    def order(self) -> tuple[int, bool, int]:
        return -self.waits_at, self.urgency is Urgency.LOW, self.at


class Stands(QueuePlace):
    def __init__(self, job: Queued) -> None:
        super().__init__()
        self._job = job

    @property
    def job(self) -> Queued:
        return self._job

    def granted(self, lender: Lender) -> bool:
        self._job.served = self._job.wants
        return self._job.wants


PRIORITIES = st.integers(-2, 2)


class PoolMachine(RuleBasedStateMachine):
    """A pool of one resource that is taken, against a sorted list."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool("p", 1)
        self.first = Queued("", 0, Urgency.HIGH, Tickets(), False, 0, 0)
        assert self.pool.take(self.first)
        self.queue: list[Queued] = []
        self.gone: list[Queued] = []
        """Those that have left the queue."""
        self.came = 0

    @rule(
        priority=PRIORITIES,
        other=st.none() | PRIORITIES,
        urgency=st.sampled_from(Urgency),
        has_begun=st.booleans(),
    )
    def come(self, priority: int, other: int | None, urgency: Urgency, has_begun: bool) -> None:
        self.came += 1
        at = priority if other is None else other
        self._enter(Queued(f"{self.came}", priority, urgency, Tickets(), has_begun, self.came, at))

    def _enter(self, job: Queued) -> None:
        job.place = Stands(job)
        self.pool.queue(job.place, job.waits_at)
        self.queue.append(job)
        self.queue.sort(key=lambda job: job.order)

    @precondition(lambda self: self.queue)
    @rule(which=st.integers(0, 100))
    def leave(self, which: int) -> None:
        self._leave(self.queue[which % len(self.queue)])

    def _leave(self, job: Queued) -> None:
        self.queue.remove(job)
        self.gone.append(job)
        assert job.place is not None
        for _twice in range(2):
            self.pool.leave(job.place)

    @precondition(lambda self: self.queue)
    @rule(which=st.integers(0, 100))
    def want_no_more(self, which: int) -> None:
        """It was cancelled, and has not left yet."""
        self.queue[which % len(self.queue)].wants = False

    @precondition(lambda self: any(not job.has_begun for job in self.queue))
    @rule(which=st.integers(0, 100), priority=PRIORITIES)
    def replace(self, which: int, priority: int) -> None:
        """By a job of any priority: among those of its own it stands where the old one would."""
        waiting = [job for job in self.queue if not job.has_begun]
        old = waiting[which % len(waiting)]
        self._leave(old)
        name = f"{old.description}'"
        self._enter(Queued(name, priority, old.urgency, old.tickets, False, old.at, priority))

    @rule()
    def give_back(self) -> None:
        """To the first one that wants it; else it is free."""
        while self.queue:
            first = self.queue.pop(0)
            self.gone.append(first)
            if first.wants:
                break
        else:
            first = None
        self.pool.give_back()
        if first is None:
            assert (self.pool.used, self.pool.free) == (0, True)
            assert self.pool.take(self.first)
        else:
            assert first.served
            assert first.place is not None
            self.pool.leave(first.place)

    @invariant()
    def is_as_the_model(self) -> None:
        assert self.pool.waiting == self.queue
        assert self.pool.queue_length == len(self.queue)
        assert [self.pool.place(job) for job in self.queue] == [*range(1, len(self.queue) + 1)]
        assert {self.pool.place(job) for job in self.gone} <= {None}
        every = {job: place for place, job in enumerate(self.queue, 1)}
        assert self.pool.places([*self.queue, *self.gone]) == every
        assert self.pool.places(self.queue[1:2]) == dict.fromkeys(self.queue[1:2], 2)
        assert (self.pool.used, self.pool.free) == (1, False)
        assert not any(job.served for job in self.queue)


TestPoolAgainstAModel = PoolMachine.TestCase
TestPoolAgainstAModel.__doc__ = "By priority, then those that are waited for, then who came first."


async def test_the_highest_priority_is_served_first(tmp_path: Path) -> None:
    """Whether the engine starts the job or its own work does, and whoever came before."""
    pool = Pool("p", 1)
    order: list[str] = []
    go = asyncio.Event()

    @builder("first", level=Level.HARMLESS, pool=pool)
    async def first(job: Job, name: str) -> None:
        await go.wait()

    @builder("urgent", level=Level.HARMLESS, pool=pool, priority=5)
    async def urgent(job: Job, name: str) -> None:
        order.append(name)

    async def by_itself(job: Job) -> None:
        priority = int(job.description.removeprefix("do "))
        await job.start(level=Level.HARMLESS, pool=pool, priority=priority)
        assert job.priority == priority
        order.append(job.description)

    def pipeline() -> Current[Any]:
        named = [do(by_itself, key) for key in ("-1", "0", "7")]
        return all([first("holds it"), *named, urgent("urgent")])

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        go.set()
        await h.settle()
        assert order == ["do 7", "urgent", "do 0", "do -1"]


async def test_a_resource_may_be_waited_for_at_another_priority(tmp_path: Path) -> None:
    """Without one, the job's own counts."""
    pool = Pool("p", 1)
    order: list[str] = []
    go = asyncio.Event()

    async def work(job: Job) -> None:
        kind = job.description.removeprefix("do ")
        await job.start(level=Level.HARMLESS, priority=3 if kind == "own" else 0)
        more = {"given": 4, "low": -1}.get(kind)
        async with job.use_pool(pool, priority=more):
            order.append(kind)
            await go.wait()

    keys = ["first", "low", "plain", "own", "given"]
    async with Harness(lambda: all([do(work, k) for k in keys]), state_dir=tmp_path) as h:
        await h.settle()
        go.set()
        await h.settle()
        assert order == ["first", "given", "own", "plain", "low"]


@pytest.mark.parametrize("wrong", [True, 1.5, "high", None])
async def test_a_priority_is_a_whole_number(tmp_path: Path, wrong: Any) -> None:
    """Refused where it enters, in the author's words."""
    with pytest.raises(UsageError, match=r"builder 'x': priority= takes a whole number, not"):
        builder("x", level=Level.HARMLESS, priority=wrong)

    async def starts(job: Job) -> None:
        await job.start(level=Level.HARMLESS, priority=wrong)

    async def holds(job: Job) -> None:
        await start(job)
        other: Any = "high" if wrong is None else wrong
        async with job.use_pool(Pool("p", 1), priority=other):
            pass

    for work, call in ((starts, "job.start"), (holds, "job.use_pool")):
        async with Harness(lambda work=work: do(work), state_dir=tmp_path / call) as h:  # type: ignore[misc]
            await h.settle()
            assert isinstance(h.output, Failed)
            assert h.output.message.startswith(f"{call}: priority= takes a whole number, not ")
