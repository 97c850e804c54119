"""What a run gets and gives: what the pipeline sees of it is what is stored, and is its own."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pycurrent.cache import Builder, Publisher, codec_for
from pycurrent.engine import Job, Level
from pycurrent.term import Current, Failed, Ok, component, pair

from .workshop import OpenEngine


class Colour(IntEnum):
    RED = 1


class Name(StrEnum):
    ANN = "ann"


class Text(str):
    __slots__ = ()


class Items(list[int]):
    pass


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Release:
    name: str
    sizes: list[float]
    when: datetime | None = None
    note: str = field(default="none", compare=False)


Loose = namedtuple("Loose", "x")
SUMMER = timezone(timedelta(hours=2))

VALUES: list[tuple[object, object]] = [
    (dict[str, int], {"b": 1, "a": 2}),
    (object, {"b": 1, "a": [(1, 2), {3, 1, 2}]}),
    (dict[str, int], OrderedDict(b=1, a=2)),
    (set[int], {8, 0, 16}),
    (frozenset[int], {16, 8, 0}),
    (datetime, datetime(2026, 7, 1, 12, tzinfo=SUMMER)),
    (datetime, datetime(2026, 7, 1, 12, tzinfo=UTC)),
    (Decimal, Decimal("1.10")),
    (Decimal, Decimal("-0")),
    (int, Colour.RED),
    (int, True),
    (str, Name.ANN),
    (str, Text("text")),
    (float, 1),
    (float, -0.0),
    (list[int], Items([2, 1])),
    (list[float], [True, 2]),
    (tuple[int, int], Point(1, 2)),
    (Point, Point(True, Colour.RED)),
    (tuple[Any, ...], Loose(1)),
    (int | str | None, True),
    (dict[int, str], {True: "a", 0: "b"}),
    (Release, Release("a", [1, True], datetime(2026, 7, 1, tzinfo=SUMMER), note="mine")),
    (Path, Path("a//b/./c")),
    (None, None),
]


def told(value: object) -> str:
    """All that can be seen of a value: the types of its parts, their order, how they print."""
    if isinstance(value, Enum):
        return repr(value)
    if isinstance(value, dict):
        return f"{type(value)} {[(told(key), told(item)) for key, item in value.items()]}"
    if isinstance(value, list | tuple | set | frozenset):
        return f"{type(value)} {list(map(told, value))}"
    if isinstance(value, Release):
        return f"{type(value)} {list(map(told, vars(value).values()))}"
    return f"{type(value)} {value!r}"


def builder_of(key: object, outcome: object, fn: Callable[[Any], Any]) -> Builder[Any, Any]:
    class Make(Builder[Any, Any]):
        id = "make"

        async def build(self, job: Job, key: Any) -> Any:
            await job.start(level=Level.HARMLESS)
            return fn(key)

        @classmethod
        def types(cls) -> tuple[object, object | None, object]:
            return key, None, outcome

    return Make()


@pytest.mark.parametrize(("tp", "value"), VALUES)
async def test_a_result_looks_the_same_in_the_run_that_makes_it_as_after_a_restart(
    engine: OpenEngine, tp: object, value: object
) -> None:
    """To its last part: what follows from it must not be made again."""
    made: list[object] = []

    def make(key: str) -> object:
        made.append(key)
        return value

    seen: list[str] = []
    for _ in range(2):

        def pipeline() -> Current[Any]:
            return component("make", lambda: builder_of(str, tp, make).get("a"))

        async with engine(pipeline) as h:
            await h.settle()
            assert isinstance(h.output, Ok), h.output
            seen.append(told(h.output.value))
    assert seen[0] == seen[1]
    assert len(made) == 1


@pytest.mark.parametrize(("tp", "value"), [case for case in VALUES if case[0] is not Release])
async def test_equal_keys_look_the_same_to_a_run(
    engine: OpenEngine, tp: object, value: object
) -> None:
    """Whichever of them comes first: the result counts for all."""
    got: list[Any] = []

    def make(key: object) -> str:
        got.append(key)
        return "done"

    op = builder_of(tp, str, make)
    async with engine(lambda: component("make", lambda: op.get(value))) as h:
        await h.settle()
        assert h.output == Ok("done")
    (key,) = got
    codec = codec_for(tp, what="key")
    assert told(key) == told(codec.decode(codec.encode(value)))


async def test_what_a_run_gives_is_nobody_elses(engine: OpenEngine) -> None:
    """It may keep it, and go on changing it."""
    kept: list[list[int]] = []

    def make(key: str) -> list[int]:
        kept.append([1])
        return kept[-1]

    op = builder_of(str, list[int], make)
    async with engine(lambda: component("make", lambda: op.get("a"))) as h:
        await h.settle()
        kept[0].append(2)
        assert h.output == Ok([1])


async def test_what_a_run_gets_is_nobody_elses(engine: OpenEngine) -> None:
    """It may change it, and the pipeline may change what it was made from."""
    source = [2, 1]

    def change(key: list[int]) -> list[int]:
        key.sort()
        return key

    op = builder_of(list[int], list[int], change)
    async with engine(lambda: component("make", lambda: op.get(source))) as h:
        source.append(0)
        await h.settle()
        assert h.output == Ok([1, 2])
        assert source == [2, 1, 0]
        assert [build.key for build in h.history()] == ["[2,1]"]


class Put(Publisher[Any, Any, Any]):
    """Keeps what it gets."""

    id = "put"

    def __init__(self) -> None:
        self.got: list[Any] = []

    async def publish(self, job: Job, key: Any, value: Any) -> Any:
        await job.start(level=Level.HARMLESS)
        self.got.append((key, value))
        return value

    def describe(self, key: Any, value: Any) -> str:
        return "put"

    @classmethod
    def types(cls) -> tuple[object, object | None, object]:
        return dict[str, int], dict[str, int], dict[str, int]


async def test_so_is_it_with_a_value_to_set(engine: OpenEngine) -> None:
    """And with its outcome."""
    key, value = {"b": 1, "a": 2}, {"d": 1, "c": 2}
    op = Put()
    async with engine(lambda: component("put", lambda: op.set(key, value))) as h:
        await h.settle()
        ((got_key, got_value),) = op.got
        assert (list(got_key), list(got_value)) == (["a", "b"], ["c", "d"])
        got_value.clear()
        assert isinstance(h.output, Ok)
        assert list(h.output.value) == ["c", "d"]


async def test_a_key_that_has_more_than_is_stored_keeps_it(engine: OpenEngine) -> None:
    """Fields that are not compared: a run gets them as they were given."""
    op = builder_of(Release, str, lambda key: key.note)
    async with engine(lambda: component("make", lambda: op.get(Release("a", [], note="n")))) as h:
        await h.settle()
        assert h.output == Ok("n")


class Picky:
    """Can be stored, but not read back."""

    def to_json(self) -> object:
        return 1

    @classmethod
    def from_json(cls, data: object) -> Picky:
        raise ValueError("no such thing")


async def test_a_result_that_cant_be_read_back_is_a_failure(engine: OpenEngine) -> None:
    """At once, in the run that made it: the next engine could only make it again."""
    op = builder_of(str, Picky, lambda key: Picky())
    async with engine(lambda: component("make", lambda: op.get("a"))) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith("stored outcome of operation 'make'")
        assert "no such thing" in h.output.message


async def test_what_is_built_from_it_is_known_after_a_restart(engine: OpenEngine) -> None:
    """A key made of the order of a dictionary, for one."""
    runs: list[str] = []
    first = builder_of(str, dict[str, int], lambda key: {"b": 1, "a": 2})

    class Then(Builder[str, str]):
        id = "then"

        async def build(self, job: Job, key: str) -> str:
            await job.start(level=Level.HARMLESS)
            runs.append(key)
            return key

    def pipeline() -> Current[Any]:
        made = component("first", lambda: first.get("a"))
        return pair(made, component("then", Then().get, made.map(",".join)))

    for _ in range(2):
        async with engine(pipeline) as h:
            await h.settle()
            assert h.output == Ok(({"a": 2, "b": 1}, "a,b"))
    assert runs == ["a,b"]
