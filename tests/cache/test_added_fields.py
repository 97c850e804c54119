"""A field with a default may be added to a type: what was stored is read with the default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, NotRequired, TypedDict

import pytest

from pycurrent.cache import Builder, Codec, UnreadableValue, codec_for
from pycurrent.term import Current, component

from .test_stored_values import builder_of
from .workshop import OpenEngine


@dataclass(frozen=True)
class Part:
    name: str
    size: int = 3
    tags: list[str] = field(default_factory=list)


@dataclass
class Counted:
    name: str
    count: int = field(default=7, init=False)


@dataclass(frozen=True, kw_only=True)
class Derived(Part):
    mode: int | None = None
    parts: dict[str, Derived] = field(default_factory=dict)


class Pair(NamedTuple):
    left: str
    right: int = 2


class Options(TypedDict):
    name: str
    size: NotRequired[int]


@dataclass
class Versioned:
    __codec_version__ = 2
    name: str
    size: int = 3


def codec(tp: object) -> Codec[Any]:
    return codec_for(tp, what="value")


@pytest.mark.parametrize(
    ("tp", "text", "value"),
    [
        (Part, '{"name":"a"}', Part("a")),
        (Part, '{"name":"a","size":1}', Part("a", 1)),
        (Counted, '{"name":"a"}', Counted("a")),
        (Derived, '{"name":"a"}', Derived("a")),
        (Pair, '{"left":"a"}', Pair("a")),
        (Options, '{"name":"a"}', {"name": "a"}),
        (Versioned, '{"$version":2,"name":"a"}', Versioned("a")),
        (list[Part], '[{"name":"a"},{"name":"b","size":1,"tags":["x"]}]', None),
        (Part | Pair, '{"$Part":{"name":"a"}}', Part("a")),
        (dict[str, Part | None], '{"x":{"name":"a"},"y":null}', {"x": Part("a"), "y": None}),
    ],
)
def test_what_was_stored_without_the_field_is_read_with_its_default(
    tp: object, text: str, value: object
) -> None:
    """Wherever the type stands."""
    read = codec(tp).decode(text)
    expected = [Part("a"), Part("b", 1, ["x"])] if value is None else value
    assert read == expected


def test_a_default_is_nobody_elses_object() -> None:
    """It is made anew for each that is read."""
    one, other = (codec(Part).decode('{"name":"a"}') for _ in range(2))
    assert one.tags is not other.tags


@pytest.mark.parametrize(
    ("tp", "text"),
    [
        (Part, '{"size":1}'),
        (Part, '{"name":"a","gone":1}'),
        (Pair, '{"right":1}'),
        (Versioned, '{"name":"a"}'),
        (Versioned, '{"$version":1,"name":"a"}'),
    ],
)
def test_anything_else_was_written_by_another_version(tp: object, text: str) -> None:
    """A field that is missing without a default, one that is not known, another version."""
    with pytest.raises(UnreadableValue):
        codec(tp).decode(text)


def test_a_field_that_was_added_makes_another_key() -> None:
    """Its default is part of it."""
    assert codec(Part).encode(Part("a")) == '{"name":"a","size":3,"tags":[]}'


async def test_a_result_is_known_after_its_type_has_got_a_field(engine: OpenEngine) -> None:
    """It is not made again."""
    made: list[str] = []

    @dataclass
    class Before:
        name: str

    @dataclass
    class After:
        name: str
        size: int = 3

    for tp in (Before, After):

        def make(key: str, tp: Any = tp) -> object:
            made.append(key)
            return tp("a")

        op = builder_of(str, tp, make)

        def pipeline(op: Builder[Any, Any] = op) -> Current[Any]:
            return component("make", lambda: op.get("a"))

        async with engine(pipeline) as h:
            await h.settle()
    assert made == ["a"]
    assert repr(h.output).endswith("After(name='a', size=3))")
