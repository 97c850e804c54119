"""Results that an earlier engine has left, and that may be lost: the operation is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from pycurrent.cache import (
    Builder,
    NothingToVerify,
    Publisher,
    Schedule,
    builder,
    cause_of,
    publisher,
)
from pycurrent.cache.cause import Asked, ResultLost, ValueChanged
from pycurrent.cache.still_there import AT_ONCE, FIRST_PAUSE, PATIENCE
from pycurrent.engine import Config, Job, Level
from pycurrent.errors import UsageError
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Failure,
    Ok,
    Primitive,
    Var,
    all,
    component,
)
from pycurrent.testing import Harness, HarnessFactory

RUNNING = Active(Activity.RUNNING)


@dataclass
class World:
    """What is outside: the results that are there, and what operations are asked about them."""

    there: dict[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    together: list[list[str]] = field(default_factory=list)
    asking: int = 0
    most: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    breaks: Exception | None = None

    def __post_init__(self) -> None:
        self.answers.set()

    async def make(self, job: Job, key: str, value: str) -> str:
        await job.start(level=Level.HARMLESS)
        self.made.append(key)
        self.there[key] = value
        return value

    async def tell(self, key: str, outcome: str) -> bool:
        self.asked.append(key)
        self.asking += 1
        self.most = max(self.most, self.asking)
        try:
            await self.answers.wait()
            if self.breaks is not None:
                raise self.breaks
            return self.there.get(key) == outcome
        finally:
            self.asking -= 1


class Frob(Builder[str, str]):
    id = "frob"

    def __init__(self, world: World) -> None:
        self.world = world

    async def build(self, job: Job, key: str) -> str:
        return await self.world.make(job, key, f"frobbed {key}")

    async def still_there(self, key: str, outcome: str) -> bool:
        return await self.world.tell(key, outcome)


@dataclass(frozen=True)
class FrobMany(Builder[str, str]):
    """Its objects are equal: a question can be about the keys of all of them."""

    id = "frob-many"
    world: World = field(compare=False)

    async def build(self, job: Job, key: str) -> str:
        return await self.world.make(job, key, f"frobbed {key}")

    async def still_there_many(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        self.world.together.append([key for key, _ in pairs])
        return [await self.world.tell(*pair) for pair in pairs]


class Put(Publisher[str, str, str]):
    id = "put"

    def __init__(self, world: World) -> None:
        self.world = world

    async def publish(self, job: Job, key: str, value: str) -> str:
        return await self.world.make(job, key, value)

    async def still_there(self, key: str, outcome: str) -> bool:
        return await self.world.tell(key, outcome)


def frob(world: World, key: str = "a") -> Current[str]:
    return component(f"frob {key}", lambda: Frob(world).get(key))


def frobs(world: World, count: int, kind: type[Any] = Frob) -> Current[None]:
    return all(
        [component(f"frob {n}", lambda n=n: kind(world).get(str(n))).ignore() for n in range(count)]
    )


def last_cause(h: Harness) -> object:
    return cause_of(next(iter(h.engine.opened.store.history(limit=1))))


async def test_a_result_that_is_there_is_not_made_again(harness: HarnessFactory) -> None:
    """The operation is asked once, when it is first needed; meanwhile the stage is running."""
    world = World()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
        assert world.asked == []
    world.answers.clear()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
        assert h.output == RUNNING
        assert h.stats.running == 1
        assert "asked whether the result of job" in str(h.engine.why("frob a"))
        world.answers.set()
        await h.settle()
        made: object = h.output
        assert made == Ok("frobbed a")
        assert (world.made, world.asked) == (["a"], ["a"])


async def test_a_lost_result_is_made_again(harness: HarnessFactory) -> None:
    """For that reason, which the history and the log of the job tell; once."""
    world = World()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
    world.there.clear()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
        assert h.output == Ok("frobbed a")
        assert world.made == ["a", "a"]
        cause = last_cause(h)
        assert isinstance(cause, ResultLost)
        assert cause.what.startswith("the result of 20")
        assert "is gone" in h.find("frob a").log_text()
        assert "is gone" in str(h.engine.why("frob a"))
    async with harness(lambda: frob(world)) as h:
        await h.settle()
        assert len(world.made) == 2


async def test_a_failure_is_not_asked_about(harness: HarnessFactory) -> None:
    """There is nothing that could be lost."""
    asked: list[str] = []

    async def there(key: str, outcome: str) -> bool:
        asked.append(key)
        return False

    @builder("frob", level=Level.HARMLESS, still_there=there)
    async def failing(job: Job, key: str) -> str:
        raise Failure("it fails")

    for _ in range(2):
        async with harness(lambda: failing("a")) as h:
            await h.settle()
            assert h.output == Failed("it fails")
    assert asked == []


async def test_what_this_engine_has_made_is_not_asked_about(harness: HarnessFactory) -> None:
    """Nor is an answer asked for twice, if a result is not needed for a while."""
    world = World()
    wanted: Var[bool] = Var("wanted", Ok(True))

    def pipeline() -> Current[Any]:
        return wanted.get().bind(lambda yes: frob(world) if yes else component("no", lambda: NO))

    for asked in ([], ["a"]):
        async with harness(pipeline) as h:
            for value in (True, False, True):
                wanted.set(Ok(value))
                await h.settle()
            assert h.output == Ok("frobbed a")
            assert world.asked == asked


NO: Any = Primitive.constant("no")


async def test_no_more_than_some_are_asked_at_once(harness: HarnessFactory) -> None:
    """All of them get their answer."""
    world = World()
    async with harness(lambda: frobs(world, 40)) as h:
        await h.settle()
    world.answers.clear()
    async with harness(lambda: frobs(world, 40)) as h:
        await h.settle()
        assert world.asking == AT_ONCE
        assert h.stats.running == 40
        world.answers.set()
        await h.settle()
        assert h.stats.ok == 40
        assert (len(world.asked), world.most) == (40, AT_ONCE)


async def test_many_are_asked_about_at_once(harness: HarnessFactory) -> None:
    """All that equal operations ask about in a step; only what is lost is made again."""
    world = World()
    async with harness(lambda: frobs(world, 30, FrobMany)) as h:
        await h.settle()
    del world.there["7"]
    async with harness(lambda: frobs(world, 30, FrobMany)) as h:
        await h.settle()
        assert h.stats.ok == 30
    assert world.together == [[str(n) for n in range(30)]]
    assert world.made[30:] == ["7"]


@pytest.mark.parametrize("error", [OSError("no such device"), TimeoutError()])
async def test_an_error_counts_as_there(harness: HarnessFactory, error: Exception) -> None:
    """People are told, and it is asked again after growing pauses, behind the result."""
    world = World()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
    world.there.clear()
    world.breaks = error
    async with harness(lambda: frob(world)) as h:
        await h.settle()
        assert h.output == Ok("frobbed a")
        (problem,) = h.engine.opened.problems
        assert "operation 'frob' can't tell whether" in problem.message
        assert type(error).__name__ in problem.message
        assert "nobody knows whether its result is still there" in str(h.engine.why("frob a"))
        await h.advance(FIRST_PAUSE)
        await h.advance(FIRST_PAUSE)
        assert len(world.asked) == 2
        world.breaks = None
        await h.advance(FIRST_PAUSE)
        assert (len(world.asked), world.made) == (3, ["a", "a"])
        assert list(h.engine.opened.problems) == []
        assert "nobody knows" not in str(h.engine.why("frob a"))


async def test_no_answer_counts_as_there(harness: HarnessFactory) -> None:
    """After a minute."""
    world = World()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
    world.answers.clear()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
        h.clock.move(PATIENCE)
        await h.settle()
        assert h.output == Ok("frobbed a")
        (problem,) = h.engine.opened.problems
        assert problem.message.endswith("it does not answer within 60 seconds")


@pytest.mark.parametrize(
    ("kind", "answer", "why"),
    [
        (Frob, None, "still_there returned None, not True or False"),
        (FrobMany, [True, False], "not 1 times True or False"),
        (FrobMany, None, "TypeError"),
    ],
)
async def test_what_is_not_an_answer_counts_as_there(
    harness: HarnessFactory, kind: Any, answer: Any, why: str
) -> None:
    """A method that forgets to return anything must not make all again, for one."""
    world = World()

    class Odd(kind):  # type: ignore[misc]
        async def still_there(self, key: str, outcome: str) -> Any:
            return answer

        async def still_there_many(self, pairs: Any) -> Any:
            return answer

    if kind is Frob:
        del Odd.still_there_many
    for _ in range(2):
        async with harness(lambda: frobs(world, 1, Odd)) as h:
            await h.settle()
            problems = [problem.message for problem in h.engine.opened.problems]
    assert world.made == ["0"]
    assert why in problems[0]


async def test_another_value_does_not_wait_for_the_answer(harness: HarnessFactory) -> None:
    """The result is for the old one, so the question is of no interest any more."""
    world = World()
    value: Var[str] = Var("value", Ok("one"))

    def pipeline() -> Current[str]:
        return component("put", lambda value: Put(world).set("k", value), value.get())

    async with harness(pipeline) as h:
        await h.settle()
    world.answers.clear()
    async with harness(pipeline) as h:
        await h.settle()
        assert (h.output, world.asking) == (RUNNING, 1)
        value.set(Ok("two"))
        await h.settle()
        made: object = h.output
        assert made == Ok("two")
        assert world.asking == 0
        assert last_cause(h) == ValueChanged("one", "two")


async def test_a_question_ends_with_the_need(harness: HarnessFactory) -> None:
    """It is asked again when the result is needed again."""
    world = World()
    wanted: Var[bool] = Var("wanted", Ok(True))

    def pipeline() -> Current[Any]:
        return wanted.get().bind(lambda yes: frob(world) if yes else component("no", lambda: NO))

    async with harness(pipeline) as h:
        await h.settle()
    world.answers.clear()
    async with harness(pipeline) as h:
        await h.settle()
        wanted.set(Ok(False))
        await h.settle()
        assert (h.output, world.asking) == (Ok("no"), 0)
        world.answers.set()
        wanted.set(Ok(True))
        await h.settle()
        assert world.asked == ["a", "a"]
    assert world.made == ["a"]


async def test_a_rebuild_does_not_wait_for_the_answer(harness: HarnessFactory) -> None:
    """It is made again because somebody wants that."""
    world = World()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
    world.answers.clear()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
        h.find("frob a").rebuild(by="ann")
        await h.settle()
        assert (h.output, world.asking) == (Ok("frobbed a"), 0)
        assert last_cause(h) == Asked("ann")


async def test_an_engine_that_ends_does_not_wait_for_answers(harness: HarnessFactory) -> None:
    """The next one asks again."""
    world = World()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
    world.answers.clear()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
        assert world.asking == 1
    assert world.asking == 0
    world.answers.set()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
    assert (world.asked, world.made) == (["a", "a"], ["a"])


async def test_an_old_result_is_asked_about_before_it_is_shown(harness: HarnessFactory) -> None:
    """One that has expired is made again behind it, as ever."""
    world = World()

    def pipeline() -> Current[str]:
        schedule = Schedule(valid_for=timedelta(hours=1))
        return component("frob", lambda: Frob(world).get("a", schedule=schedule))

    async with harness(pipeline) as h:
        await h.settle()
        later = h.clock.now() + timedelta(hours=2)
    async with harness(pipeline, start=later) as h:
        await h.settle()
        assert (world.asked, world.made) == (["a"], ["a", "a"])


@pytest.mark.parametrize("subject", ["frob a", "frob", None])
async def test_verify_asks_about_what_is_known(
    harness: HarnessFactory, subject: str | None
) -> None:
    """By the stage, the operation or the job, also what this engine has made; what needs it waits.
    It is in the audit.
    """
    world = World()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
        (job,) = h.jobs
        world.there.clear()
        world.answers.clear()
        assert h.engine.verify(subject or job, by="ann", reason="pruned") == (job,)
        await h.settle()
        assert h.output == RUNNING
        world.answers.set()
        await h.settle()
        made: object = h.output
        assert (made, world.made) == (Ok("frobbed a"), ["a", "a"])
        assert isinstance(last_cause(h), ResultLost)
        (row,) = h.engine.audit()
        assert (row.who, row.what, row.subject) == ("ann", "verify", subject or job)
        assert (row.after, row.reason) == ("1 result", "pruned")


async def test_verify_asks_again_where_nobody_knew(harness: HarnessFactory) -> None:
    """At once, and the doubt is gone with the answer."""
    world = World()
    async with harness(lambda: frob(world)) as h:
        await h.settle()
    world.breaks = OSError("no such device")
    async with harness(lambda: frob(world)) as h:
        await h.settle()
        world.breaks = None
        h.engine.verify("frob a")
        await h.settle()
        assert h.output == Ok("frobbed a")
        assert list(h.engine.opened.problems) == []
        await h.advance(FIRST_PAUSE * 3)
        assert len(world.asked) == 2


async def test_verify_says_what_it_can_not_ask(harness: HarnessFactory) -> None:
    """Nothing of that name, or an operation that can't tell; and there is no result yet."""

    @builder("plain", level=Level.HARMLESS)
    async def plain(job: Job, key: str) -> str:
        return key

    async def there(key: str, outcome: str) -> bool:
        return True

    @builder("held", level=Level.DANGEROUS, still_there=there)
    async def held(job: Job, key: str) -> str:
        return key

    config = Config(confirm=Level.DANGEROUS)
    async with harness(lambda: all([plain("a"), held("a")]), config=config) as h:
        await h.settle()
        for subject in ("nope", "plain b", "2026-01-01/000000-nope-000000"):
            with pytest.raises(NothingToVerify, match="is neither a stage that uses an operation"):
                h.engine.verify(subject)
        for subject in ("plain a", "plain"):
            with pytest.raises(UsageError, match="operation 'plain' can't tell whether"):
                h.engine.verify(subject)
        assert h.engine.verify("held") == ()


async def test_the_short_forms_take_a_function(harness: HarnessFactory) -> None:
    """It gets the parts of the key, and the outcome."""
    asked: list[tuple[Any, ...]] = []

    async def made(left: str, right: int, outcome: str) -> bool:
        asked.append((left, right, outcome))
        return True

    async def put_there(place: str, outcome: int) -> bool:
        asked.append((place, outcome))
        return True

    @builder("frob", level=Level.HARMLESS, still_there=made)
    async def frob_it(job: Job, left: str, right: int) -> str:
        return left * right

    @publisher("put", level=Level.HARMLESS, still_there=put_there)
    async def put(job: Job, place: str, *, value: str) -> int:
        return len(value)

    for _ in range(2):
        async with harness(lambda: put("here", value=frob_it("ab", 2))) as h:
            await h.settle()
            assert h.output == Ok(4)
    assert asked == [("ab", 2, "abab"), ("here", 4)]


async def test_the_short_forms_take_a_function_for_many(harness: HarnessFactory) -> None:
    """It gets all of one step at once, and what it misses is made again."""
    asked: list[list[tuple[str, int, str]]] = []
    made: list[str] = []

    async def there(results: list[tuple[str, int, str]]) -> list[bool]:
        asked.append(results)
        return [left != "b" for left, _, _ in results]

    @builder("frob", level=Level.HARMLESS, still_there_many=there)
    async def frob_it(job: Job, left: str, right: int) -> str:
        made.append(left)
        return left * right

    for _ in range(2):
        async with harness(lambda: all([frob_it("a", 2), frob_it("b", 1)])) as h:
            await h.settle()
            assert isinstance(h.output, Ok)
    assert asked == [[("a", 2, "aa"), ("b", 1, "b")]]
    assert made == ["a", "b", "b"]


def test_a_function_for_many_that_does_not_fit_is_refused() -> None:
    """As is one beside a function for one."""

    async def one(key: str, outcome: str) -> bool:
        return True

    async def many(results: list[tuple[str, str]]) -> list[bool]:
        return [True] * len(results)

    wrong: list[tuple[dict[str, Any], str]] = [
        (
            {"still_there_many": 3},
            r"still_there_many= takes .* list of \(key .*, outcome\), not 3",
        ),
        ({"still_there_many": one}, r"one \(test_still.*\) must be a function of \(results\)"),
        ({"still_there_many": many, "still_there": one}, "still_there= and still_there_many= say"),
    ]
    for given, message in wrong:
        with pytest.raises(UsageError, match=f"^builder 'x': {message}"):

            @builder("x", **given)
            async def frob_it(job: Job, key: str) -> str:
                return key


def test_a_function_that_does_not_fit_is_refused() -> None:
    """As `retire` is."""

    async def other(outcome: str) -> bool:
        return True

    wrong: list[tuple[Any, str]] = [
        (3, r"still_there= takes an async function of \(key ..., outcome\), not 3"),
        (lambda key, outcome: True, r".* must be an async function"),
        (other, r"other \(test_still.*\) must be a function of \(key, outcome\)"),
    ]
    for function, message in wrong:
        with pytest.raises(UsageError, match=f"^builder 'x': {message}"):

            @builder("x", still_there=function)
            async def frob_it(job: Job, key: str) -> str:
                return key


def test_a_method_is_async() -> None:
    """It is refused where the class is defined."""
    with pytest.raises(UsageError, match="must be an async method: write async def still_there"):

        class Odd(Builder[str, str]):
            def still_there(self, key: str, outcome: str) -> bool:
                return True
