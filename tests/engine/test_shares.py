"""Pools that are shared by a label: who is served, and how many one value may hold."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pycurrent.cache import Builder
from pycurrent.engine import Job, Level, Pool, Urgency
from pycurrent.engine.pool import Lender, QueuePlace, Tickets
from pycurrent.errors import UsageError
from pycurrent.term import Current, Stats, Var, component, labels
from pycurrent.term import all as all_of
from pycurrent.testing import Harness

from .doing import Gate, do, start


@dataclass(eq=False)
class Sharing:
    """A job of a value, as the pool and the model see it."""

    value: str | None
    at: int = 0
    priority: int = 0
    urgency: Urgency = Urgency.HIGH
    has_begun: bool = False
    tickets: Tickets = field(default_factory=Tickets)
    wants: bool = True
    lender: Lender | None = None
    place: Stands | None = None

    @property
    def description(self) -> str:
        return f"{self.value} {self.at}"

    @property
    def rank(self) -> tuple[int, bool]:
        return -self.priority, self.urgency is Urgency.LOW

    def label(self, name: str) -> str | None:
        assert name == "repo"
        return self.value


class Stands(QueuePlace):
    def __init__(self, job: Sharing) -> None:
        super().__init__()
        self._job = job

    @property
    def job(self) -> Sharing:
        return self._job

    def granted(self, lender: Lender) -> bool:
        if self._job.wants:
            self._job.lender = lender
        return self._job.wants


def come(pool: Pool, job: Sharing) -> Sharing:
    """Have the job hold a resource, or wait for one."""
    job.lender = pool.take(job)
    if job.lender is None:
        job.place = Stands(job)
        pool.queue(job.place, job.priority)
    return job


def end(job: Sharing) -> None:
    """Have the job give its resource back."""
    assert job.lender is not None
    lender, job.lender = job.lender, None
    lender.give_back()


VALUES: list[str | None] = ["web", "api", "docs", None]


class SharesMachine(RuleBasedStateMachine):
    """A pool that is shared, against lists that are searched through."""

    capacity = 3
    quota: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool("p", self.capacity, share_by="repo", quota=self.quota)
        self.waiting: list[Sharing] = []
        self.holding: list[Sharing] = []
        self.turns: list[str | None] = []
        """The values with jobs, the one that was served longest ago first."""
        self.passed = Counter[tuple[Any, str | None]]()
        """By rank and value: how many jobs of other values were served since it waits with none."""
        self.came = 0

    def held(self, value: str | None) -> int:
        return sum(job.value == value for job in self.holding)

    def has_room(self, value: str | None) -> bool:
        return self.quota is None or self.held(value) < self.quota

    def order(self, job: Sharing) -> tuple[Any, ...]:
        """Of those that wait the least is served first."""
        return job.rank, self.held(job.value), self.turns.index(job.value), job.at

    def next(self) -> Sharing | None:
        may = [job for job in self.waiting if self.has_room(job.value)]
        return min(may, key=self.order, default=None)

    def serve(self, job: Sharing) -> None:
        """In the model."""
        self.holding.append(job)
        self.turns.remove(job.value)
        self.turns.append(job.value)

    def forget(self) -> None:
        """The values without jobs."""
        used = {job.value for job in [*self.waiting, *self.holding]}
        self.turns = [value for value in self.turns if value in used]

    @rule(
        value=st.sampled_from(VALUES), priority=st.integers(0, 1), urgency=st.sampled_from(Urgency)
    )
    def comes(self, value: str | None, priority: int, urgency: Urgency) -> None:
        self.came += 1
        self.enter(Sharing(value, self.came, priority, urgency))

    def enter(self, job: Sharing) -> None:
        if job.value not in self.turns:
            self.turns.append(job.value)
        may = len(self.holding) < self.capacity and self.has_room(job.value)
        assert self.pool.has_room(job) is may
        come(self.pool, job)
        if may:
            assert job.lender is not None
            self.serve(job)
        else:
            self.waiting.append(job)

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 100))
    def leave(self, which: int) -> None:
        self.leaves(self.waiting[which % len(self.waiting)])

    def leaves(self, job: Sharing) -> None:
        self.waiting.remove(job)
        assert job.place is not None
        for _twice in range(2):
            self.pool.leave(job.place)
        self.forget()

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 100))
    def want_no_more(self, which: int) -> None:
        """It was cancelled, and has not left yet."""
        self.waiting[which % len(self.waiting)].wants = False

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 100), value=st.sampled_from(VALUES))
    def replace(self, which: int, value: str | None) -> None:
        """By a job of any value: among those of its own it stands where the old one would."""
        old = self.waiting[which % len(self.waiting)]
        self.leaves(old)
        self.enter(Sharing(value, old.at, old.priority, old.urgency, tickets=old.tickets))

    @precondition(lambda self: self.holding)
    @rule(which=st.integers(0, 100))
    def give_back(self, which: int) -> None:
        job = self.holding.pop(which % len(self.holding))
        # Its value keeps its turn until somebody is served.
        served = self.next()
        while served is not None and not served.wants:
            self.waiting.remove(served)
            served = self.next()
        if served is not None:
            self.waiting.remove(served)
            self.serve(served)
            self.passed.update({(each.rank, each.value) for each in self.waiting_beside(served)})
        end(job)
        self.forget()
        assert served is None or served.lender is not None

    @invariant()
    def holds_what_the_model_does(self) -> None:
        assert self.pool.used == len(self.holding) <= self.capacity
        assert not any(job.lender for job in self.waiting)
        assert all(job.lender is not None for job in self.holding)
        if self.quota is not None:
            assert all(self.held(job.value) <= self.quota for job in self.holding)

    def waiting_beside(self, served: Sharing) -> list[Sharing]:
        """Those of other values that might have been served instead."""
        return [w for w in self.waiting if w.rank == served.rank and w.value != served.value]

    @invariant()
    def starves_nobody(self) -> None:
        """What waits and holds nothing is served after one job of each of the others at most."""
        idle = {(w.rank, w.value) for w in self.waiting if not self.held(w.value)}
        self.passed = Counter({which: n for which, n in self.passed.items() if which in idle})
        assert all(n < len(VALUES) for n in self.passed.values())

    @invariant()
    def leaves_nothing_unused_that_somebody_may_have(self) -> None:
        assert not self.pool.free or self.next() is None

    @invariant()
    def tells_the_places(self) -> None:
        """As they are served, of each priority, while nothing is given back."""
        expected = list[Sharing]()
        for rank in sorted({job.rank for job in self.waiting}):
            holding, turns = [*self.holding], [*self.turns]
            waiting = [job for job in self.waiting if job.rank == rank]
            while waiting:
                first = min(waiting, key=self.order)
                waiting.remove(first)
                expected.append(first)
                self.serve(first)
            self.holding, self.turns = holding, turns
        assert self.pool.waiting == expected
        assert [self.pool.place(job) for job in expected] == [*range(1, len(expected) + 1)]
        assert self.pool.places(expected) == {job: n for n, job in enumerate(expected, 1)}
        assert all(self.pool.place(job) is None for job in self.holding)

    def teardown(self) -> None:
        """When all have ended nothing of them is left."""
        for job in self.waiting:
            assert job.place is not None
            self.pool.leave(job.place)
        for job in self.holding:
            end(job)
        assert (self.pool.used, self.pool.waiting) == (0, [])
        assert self.pool._shares is not None
        assert len(self.pool._shares) == 0


class QuotaMachine(SharesMachine):
    """The same with a quota."""

    quota = 2


TestSharesAgainstAModel = SharesMachine.TestCase
TestSharesAgainstAModel.__doc__ = (
    "By priority, then fewest held, then longest ago, then first come."
)
TestQuotasAgainstAModel = QuotaMachine.TestCase
TestQuotasAgainstAModel.__doc__ = "And never more than the quota, whoever waits."


def test_a_flood_of_one_value_starves_no_other() -> None:
    """Another value's push is served with the next resource, though thousands came before."""
    pool = Pool("builds", 3, share_by="repo")
    flood = [come(pool, Sharing("flood", n)) for n in range(5000)]
    push = [come(pool, Sharing("web", n)) for n in range(3)]
    end(flood[0])
    end(flood[1])
    assert [pool.place(job) for job in push] == [None, 1, 3]
    assert [job.lender is not None for job in push] == [True, False, False]


def test_each_value_holds_an_equal_part_while_it_has_jobs_that_wait() -> None:
    """However many of its jobs come first, or end sooner."""
    pool = Pool("builds", 6, share_by="repo")
    jobs = [come(pool, Sharing(value, n)) for value in ("slow", "quick") for n in range(30)]
    for value in ["slow"] * 3 + ["quick"] * 20:
        ended = next(job for job in jobs if job.lender is not None and job.value == value)
        end(ended)
        jobs.remove(ended)
    held = Counter(job.value for job in jobs if job.lender is not None)
    assert held == {"slow": 3, "quick": 3}


def test_one_value_alone_may_hold_all() -> None:
    """What nobody else wants is not kept free."""
    pool = Pool("builds", 4, share_by="repo")
    jobs = [come(pool, Sharing("web", n)) for n in range(6)]
    assert sum(job.lender is not None for job in jobs) == pool.used == 4


def test_with_a_quota_no_value_holds_more() -> None:
    """Not even alone; its next job follows as soon as one of its own has ended."""
    pool = Pool("builds", 4, share_by="repo", quota=2)
    web = [come(pool, Sharing("web", n, priority=n)) for n in range(4)]
    api = come(pool, Sharing("api"))
    assert [job.lender is not None for job in web] == [True, True, False, False]
    assert api.lender is not None
    assert (pool.used, pool.free) == (3, True)
    end(api)
    assert pool.used == 2
    end(web[0])
    assert [job.lender is not None for job in web] == [False, True, False, True]


def test_turns_go_by_the_priority_first() -> None:
    """A value that has had nothing yet waits behind more urgent jobs of one that has."""
    pool = Pool("builds", 1, share_by="repo")
    first = come(pool, Sharing("web", 1))
    high = come(pool, Sharing("web", 2, priority=1))
    other = come(pool, Sharing("api", 3))
    assert pool.waiting == [high, other]
    end(first)
    assert high.lender is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share_by": 1}, r"pool 'p': share_by= takes the name of a label, not 1"),
        ({"share_by": "repo", "quota": 0}, r"pool 'p' must have a quota of 1 or more, not 0"),
        ({"share_by": "repo", "quota": True}, r"pool 'p': quota= takes a whole number, not True"),
        ({"quota": 2}, r"pool 'p': quota= limits the values of a label: add share_by="),
    ],
)
def test_a_share_that_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    """Where it enters, in the author's words."""
    with pytest.raises(UsageError, match=message):
        Pool("p", 1, **options)


def test_a_pool_says_how_it_is_shared() -> None:
    """In its representation, as its author has written it."""
    assert repr(Pool("p", 20, share_by="repo")) == "Pool('p', 20, share_by='repo')"
    assert (
        repr(Pool("p", 20, share_by="repo", quota=3)) == "Pool('p', 20, share_by='repo', quota=3)"
    )


def of_repo(repo: str | Current[str], *stages: Any) -> list[Current[Any]]:
    """Stages with a label."""
    with labels(repo=repo):
        return [stage() for stage in stages]


async def test_jobs_share_by_the_labels_of_their_stages(tmp_path: Path) -> None:
    """Those of the code around, and a label that is a current too."""
    gate = Gate(pool=Pool("p", 1, share_by="repo"))
    name = Var("name", "api")

    def pipeline() -> Current[Any]:
        web = of_repo("web", *[lambda n=n: do(gate, f"web {n}") for n in range(3)])
        api = of_repo(name.get(), *[lambda n=n: do(gate, f"api {n}") for n in range(2)])
        return all_of([*web, *api, do(gate, "none")])

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        while gate.jobs:
            gate.let_through(gate.jobs[0])
            await h.settle()
        # What has a label that is a current is built last.
        order = ["web 0", "web 1", "none", "api 0", "web 2", "api 1"]
        assert gate.begun == [f"do {key}" for key in order]
        assert h.stats == Stats(ok=7)


class Read(Builder[str, None]):
    """Whose label is the first letter of its key."""

    id = "read"

    def __init__(self, pool: Pool, read: list[str], go: asyncio.Event) -> None:
        self.pool = pool
        self.read = read
        self.go = go

    def labels(self, key: str) -> dict[str, str]:
        return {"shelf": key[0]}

    async def build(self, job: Job, key: str) -> None:
        await job.start(level=Level.HARMLESS, pool=self.pool)
        self.read.append(key)
        await self.go.wait()

    def of(self, key: str) -> Current[None]:
        return component(f"read {key}", lambda: self.get(key))


async def test_jobs_share_by_the_labels_of_their_operations(tmp_path: Path) -> None:
    """Those of the code around a stage win."""
    read, go = list[str](), asyncio.Event()
    reader = Read(Pool("p", 1, share_by="shelf"), read, go)

    def pipeline() -> Current[Any]:
        books = [reader.of(key) for key in ("a1", "a2", "a3", "b1")]
        with labels(shelf="c"):
            return all_of([*books, reader.of("a4")])

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        go.set()
        await h.settle()
        assert read == ["a1", "a2", "b1", "a4", "a3"]


async def test_a_job_counts_by_the_stage_that_wanted_it_first(tmp_path: Path) -> None:
    """Of several that want the same result, also once that one has gone."""
    pool = Pool("p", 1, share_by="repo")
    gate = Gate(pool=pool)
    users = Var[tuple[str, ...]]("users", ())
    go = asyncio.Event()

    async def later(job: Job) -> None:
        await start(job)
        await go.wait()
        async with job.use_pool(pool):
            pass

    def all_users(repos: tuple[str, ...]) -> Current[Any]:
        return all_of([all_of(of_repo(repo, lambda: do(later, "both"))) for repo in repos])

    def pipeline() -> Current[Any]:
        web = of_repo("web", lambda: do(gate, "web"))
        api = of_repo("api", *[lambda n=n: do(gate, f"api {n}") for n in range(2)])
        return all_of([do(gate, "first"), *web, *api, users.get().bind(all_users)])

    async with Harness(pipeline, state_dir=tmp_path) as h:
        for repos in (("web",), ("web", "api"), ("api",)):
            users.set(repos)
            await h.settle()
        go.set()
        await h.settle()
        waiting = [job.description for job in pool.waiting]
        assert waiting == ["do web", "do api 0", "do both", "do api 1"]


async def test_a_job_holds_more_of_a_shared_pool_in_the_middle_of_its_work(tmp_path: Path) -> None:
    """By the same turns and quotas as at its start; the log says that it waits."""
    pool = Pool("disk", 3, share_by="repo", quota=1)
    order: list[str] = []
    go = asyncio.Event()

    async def work(job: Job) -> None:
        await start(job)
        async with job.use_pool(pool):
            order.append(job.description.removeprefix("do "))
            await go.wait()

    def pipeline() -> Current[Any]:
        web = of_repo("web", *[lambda n=n: do(work, f"web {n}") for n in range(2)])
        return all_of([*web, *of_repo("api", lambda: do(work, "api"))])

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        assert (order, pool.used) == (["web 0", "api"], 2)
        assert "Waiting for a resource of pool disk" in h.log("do web 1")
        assert "Waiting" not in h.log("do api")
        go.set()
        await h.settle()
        assert (order[2:], h.stats, pool.used) == (["web 1"], Stats(ok=3), 0)
