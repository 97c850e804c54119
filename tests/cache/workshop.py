"""Operations whose runs a test ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from pycurrent.cache import (
    AnyOperation,
    Builder,
    Operation,
    Publisher,
    ResultCache,
    Retry,
    Schedule,
)
from pycurrent.engine import Job, Level
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failure,
    FailureKind,
    Primitive,
    Var,
    component,
    constant,
)
from pycurrent.testing import Harness

RUNNING = Active(Activity.RUNNING)
SECOND = timedelta(seconds=1)

OpenEngine = Callable[[Callable[[], Current[Any]]], Harness]
"""Opens an engine on the test's state directory."""


class Work:
    """One run that is under way."""

    def __init__(self, job: Job, op: str, key: str, value: str | None, context: str) -> None:
        self.job = job
        self.op = op
        self.key = key
        self.value = value
        self.context = context
        self.ending: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.cancelled = False

    def __repr__(self) -> str:
        return f"<Work {self.op} {self.key} {self.value}>"

    def succeed(self, outcome: str = "done") -> None:
        self.ending.set_result(outcome)

    def fail(self, why: str = "why", kind: FailureKind = FailureKind.REAL) -> None:
        self.ending.set_exception(Failure(why, kind=kind))


class Workshop:
    """Keeps the runs of the operations that are made with it.

    A run goes on until the test ends it. While the workshop is `stubborn` it ignores that it
    is cancelled, until then.
    """

    def __init__(self) -> None:
        self.begun: list[Work] = []
        self.at_work: list[Work] = []
        self.stubborn = False
        self.lost = False
        """Whether what was made last is gone."""
        self.knows = True
        """Whether it can be told if it is."""

    async def tell(self) -> bool:
        """Whether what was made last is still there."""
        if not self.knows:
            raise OSError("no such device")
        return not self.lost

    @property
    def work(self) -> Work:
        """The only run that is under way."""
        assert len(self.at_work) == 1, self.at_work
        return self.at_work[0]

    def of(self, key: str) -> Work:
        """The only run for a key."""
        (work,) = [work for work in self.at_work if work.key == key]
        return work

    async def run(self, job: Job, op: str, key: str, value: str | None, context: str) -> str:
        await job.start(level=Level.AVERAGE)
        assert all((other.op, other.key) != (op, key) for other in self.at_work), "two at once"
        work = Work(job, op, key, value, context)
        self.begun.append(work)
        self.at_work.append(work)
        try:
            return await self._ending(work)
        finally:
            self.at_work.remove(work)

    async def _ending(self, work: Work) -> str:
        while True:
            try:
                return await asyncio.shield(work.ending)
            except asyncio.CancelledError:
                work.cancelled = True
                if not self.stubborn:
                    work.ending.cancel()
                    raise

    def close(self) -> None:
        """Let everything end that was ignoring its end."""
        self.stubborn = False
        for work in self.at_work:
            if work.cancelled and not work.ending.done():
                work.succeed("too late")


class Make(Builder[str, str]):
    id = "make"

    def __init__(self, shop: Workshop, context: str = "") -> None:
        self.shop = shop
        self.context = context

    async def build(self, job: Job, key: str) -> str:
        return await self.shop.run(job, self.id, key, None, self.context)


class MakeAuto(Make):
    id = "make-auto"
    auto_cancel = True


class Look(Make):
    id = "look"
    lookup = True


class LookAuto(MakeAuto):
    id = "look-auto"
    lookup = True


class Put(Publisher[str, str, str]):
    id = "put"

    def __init__(self, shop: Workshop, context: str = "") -> None:
        self.shop = shop
        self.context = context

    async def publish(self, job: Job, key: str, value: str) -> str:
        return await self.shop.run(job, self.id, key, value, self.context)


class PutAuto(Put):
    id = "put-auto"
    auto_cancel = True


class PutLatched(Operation[str, str, str]):
    id = "put-latched"
    latched = True

    def __init__(self, shop: Workshop, context: str = "") -> None:
        self.shop = shop
        self.context = context

    async def run(self, job: Job, key: str, value: str) -> str:
        return await self.shop.run(job, self.id, key, value, self.context)


class PutLatchedAuto(PutLatched):
    id = "put-latched-auto"
    auto_cancel = True


class MakeTelling(Make):
    id = "make-telling"

    async def still_there(self, key: str, outcome: str) -> bool:
        return await self.shop.tell()


class PutTelling(PutAuto):
    id = "put-telling"

    async def still_there(self, key: str, outcome: str) -> bool:
        return await self.shop.tell()


class PutLatchedTelling(PutLatched):
    id = "put-latched-telling"

    async def still_there_many(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        return [await self.shop.tell() for _ in pairs]


TELLING: tuple[type[AnyOperation], ...] = (MakeTelling, PutTelling, PutLatchedTelling)
"""They can tell whether their results are still there."""
PUBLISHERS: tuple[type[AnyOperation], ...] = (Put, PutAuto, PutLatched, PutLatchedAuto)
KINDS = (Make, MakeAuto, Look, LookAuto, *PUBLISHERS)


def want(
    op: AnyOperation,
    key: str,
    value: str,
    schedule: Schedule | None = None,
    retry: Retry | None = None,
) -> Primitive[Any]:
    """The primitive for the key, whatever kind of operation it is."""
    match op:
        case Builder():
            return op.get(key, schedule=schedule, retry=retry)
        case Publisher():
            return op.set(key, value, schedule=schedule, retry=retry)
        case Operation():
            return op.apply(key, value, schedule=schedule, retry=retry)
    raise AssertionError(op)


def make(op: Make, key: str = "a", schedule: Schedule | None = None) -> Current[str]:
    return component(f"make {key}", lambda: op.get(key, schedule=schedule))


def make_while(
    wanted: Var[bool], op: Make, schedule: Schedule | None = None
) -> Callable[[], Current[str]]:
    """A pipeline that needs the result as long as it is wanted."""

    def decide(yes: bool) -> Current[str]:
        return make(op, schedule=schedule) if yes else constant("unwanted")

    return lambda: wanted.get().bind(decide)


def put(op: Put | PutLatched, value: Current[str], key: str = "k") -> Current[str]:
    def primitive(value: str) -> Primitive[str]:
        return op.set(key, value) if isinstance(op, Put) else op.apply(key, value)

    return component(f"put {key}", primitive, value)


def check(h: Harness) -> None:
    """The invariants of all instances."""
    for instance in h.engine.service(ResultCache).instances:
        instance.check()
