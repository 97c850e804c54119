"""The version of an operation is part of what is known."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import pytest

from pycurrent.cache import Builder, Operation, ResultCache, builder, cause_of, publisher
from pycurrent.cache.cause import NeverBuilt, VersionChanged, because
from pycurrent.engine import Job, Level
from pycurrent.errors import WrongKind
from pycurrent.term import Active, Activity, Current, Failed, Failure, Ok, component
from pycurrent.testing import Harness, HarnessFactory


class Tool:
    """Work whose author changes it from run to run."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.fails = False

    def of(self, number: str | int | None, latched: bool = False) -> Current[str]:
        """A stage that uses it in this version."""
        tool = self

        class Use(Operation[str, None, str]):
            id = "tool"
            version: ClassVar[str | int | None] = number

            async def run(self, job: Job, key: str, value: None) -> str:
                await job.start(level=Level.HARMLESS)
                tool.runs.append(f"{key} {number}")
                if tool.fails:
                    raise Failure(f"fails in {number}")
                return f"made by {number}"

        Use.latched = latched
        return component("tool", lambda: Use().apply("a", None))


def last_cause(h: Harness) -> object:
    return cause_of(next(iter(h.engine.opened.store.history("tool", limit=1))))


async def test_a_new_version_makes_results_of_the_old_one_again(harness: HarnessFactory) -> None:
    """Once, for that reason; with the same version nothing is made again."""
    tool = Tool()
    async with harness(lambda: tool.of(1)) as h:
        await h.settle()
        assert isinstance(last_cause(h), NeverBuilt)
    async with harness(lambda: tool.of("1")) as h:
        await h.settle()
        assert (h.output, tool.runs) == (Ok("made by 1"), ["a 1"])
    async with harness(lambda: tool.of(2)) as h:
        assert h.output == Active(Activity.READY)
        await h.settle()
        made: object = h.output
        assert (made, tool.runs) == (Ok("made by 2"), ["a 1", "a 2"])
        assert last_cause(h) == VersionChanged("1", "2")
    async with harness(lambda: tool.of(2)) as h:
        await h.settle()
        assert len(tool.runs) == 2


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (None, 1, "the operation is of version 1 now"),
        (1, None, "the operation has no version now, and the last result is of version 1"),
        (2, 1, "the operation is of version 1 now, and the last result of version 2"),
    ],
)
async def test_any_other_version_is_a_new_one(
    harness: HarnessFactory, old: int | None, new: int | None, why: str
) -> None:
    """A first one, none, and an older one, too: nobody knows which is better."""
    tool = Tool()
    async with harness(lambda: tool.of(old)) as h:
        await h.settle()
    async with harness(lambda: tool.of(new)) as h:
        await h.settle()
        assert tool.runs == [f"a {old}", f"a {new}"]
        assert h.output == Ok(f"made by {new}")
        cause = last_cause(h)
        assert isinstance(cause, VersionChanged)
        assert because(cause) == why


async def test_a_failure_of_an_old_version_does_not_hold(harness: HarnessFactory) -> None:
    """That is how an author mends an operation."""
    tool = Tool()
    tool.fails = True
    async with harness(lambda: tool.of(1)) as h:
        await h.settle()
        assert h.output == Failed("fails in 1")
    tool.fails = False
    async with harness(lambda: tool.of(2)) as h:
        await h.settle()
        assert h.output == Ok("made by 2")


async def test_a_latched_operation_reports_the_old_outcome_meanwhile(
    harness: HarnessFactory,
) -> None:
    """As it does when its value changes."""
    tool = Tool()
    async with harness(lambda: tool.of(1, latched=True)) as h:
        await h.settle()
    async with harness(lambda: tool.of(2, latched=True)) as h:
        assert h.output == Ok("made by 1")
        await h.settle()
        assert h.output == Ok("made by 2")


async def test_what_is_known_of_a_key_is_of_the_version(harness: HarnessFactory) -> None:
    """Also for plugins that ask for it."""

    def made(number: int) -> type[Builder[str, str]]:
        class Frob(Builder[str, str]):
            id = "frob"
            version = number

            async def build(self, job: Job, key: str) -> str:
                await job.start(level=Level.HARMLESS)
                return key

        return Frob

    one, two = made(1), made(2)
    async with harness(lambda: component("frob", lambda: one().get("a"))) as h:
        await h.settle()
        assert h.engine.service(ResultCache).known(one(), "a") == Ok("a")
    async with harness(lambda: component("other", lambda: two().get("b"))) as h:
        await h.settle()
        assert h.engine.service(ResultCache).known(two(), "a") is None


async def test_the_short_forms_take_a_version(harness: HarnessFactory) -> None:
    """A publisher's values may be called so, too."""
    runs: list[str] = []

    def pipeline(number: int) -> Current[Any]:
        @builder("frob", level=Level.HARMLESS, version=number)
        async def frob(job: Job, key: str) -> str:
            runs.append(f"frob {number}")
            return key

        @publisher("put", level=Level.HARMLESS, version=number)
        async def put(job: Job, key: str, *, version: str) -> None:
            runs.append(f"put {version} {number}")

        return put("here", version=frob("a"))

    for number in (1, 1, 2):
        async with harness(partial(pipeline, number)) as h:
            await h.settle()
            assert h.output == Ok(None)
    assert runs == ["frob 1", "put a 1", "frob 2", "put a 2"]


@pytest.mark.parametrize("number", ["", 1.5, True, ("1", "2"), b"1"])
def test_a_version_is_a_text_or_a_whole_number(number: Any) -> None:
    """It is written into the records as a text."""
    with pytest.raises(WrongKind, match="version is a text or a whole number, not "):

        class Frob(Builder[str, str]):
            id = "frob"
            version = number

    with pytest.raises(WrongKind, match="builder 'frob': version is a text or a whole number"):
        builder("frob", level=Level.HARMLESS, version=number)
