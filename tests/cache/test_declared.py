"""What the class of an operation may not say is refused where it is defined."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field, make_dataclass
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from pycurrent.cache import Builder, Operation, Publisher
from pycurrent.engine import Job
from pycurrent.errors import UsageError

T = TypeVar("T")
V = TypeVar("V")


@pytest.mark.parametrize("name", ["id", "version", "retry", "auto_cancel", "latched", "durable"])
@pytest.mark.parametrize("base", [Builder, Publisher, Operation])
def test_a_field_that_is_the_classs_is_refused(base: Any, name: str) -> None:
    """Each object would have its own, and the cache asks the class: the message names the class,
    the field and the remedy.
    """
    with pytest.raises(
        UsageError, match=rf"^Frob: the field '{name}' .* {name}: ClassVar\[\.\.\.\]"
    ):
        make_dataclass("Frob", [(name, object)], bases=(base,))


@pytest.mark.parametrize(
    "name", ["describe", "get", "build", "title", "types", "invalidate", "work"]
)
def test_a_field_with_the_name_of_a_method_is_refused(name: str) -> None:
    """It would hide the method."""
    with pytest.raises(UsageError, match=f"^Frob: the field '{name}' has the name of a method"):
        make_dataclass("Frob", [(name, str)], bases=(Builder,))


def test_fields_are_found_however_they_come() -> None:
    """Inherited, with a default, of a plain class, as what only `__init__` takes."""

    @dataclass(frozen=True)
    class Settings:
        id: str

    with pytest.raises(UsageError, match=r"^Frob: the field 'id'"):

        class Frob(Settings, Builder[str, str]):
            pass

    with pytest.raises(UsageError, match=r"^Plain: the field 'version'"):

        class Plain(Builder[str, str]):
            version: int = 3  # type: ignore[misc]

    with pytest.raises(UsageError, match=r"^Late: the field 'latched'"):

        @dataclass
        class Late(Builder[str, str]):
            latched: InitVar[bool] = field(default=False)


def test_what_the_class_says_is_of_the_right_kind() -> None:
    """A property, or a text where True or False is meant, would count as true."""
    with pytest.raises(UsageError, match=r"^Frob: auto_cancel is True or False, not 'no'"):

        class Frob(Builder[str, str]):
            auto_cancel: ClassVar[Any] = "no"

    with pytest.raises(UsageError, match=r"^Given: id is a text, not what gives one \(property\)"):

        class Given(Builder[str, str]):
            @property
            def id(self) -> str:  # type: ignore[override]
                return "given"


async def test_other_fields_and_those_of_the_class_are_taken() -> None:
    """Such as `run` of a builder, which has no such method; slots, too."""

    @dataclass(frozen=True, slots=True)
    class Frob(Builder[str, str]):
        id: ClassVar[str] = "frob"
        auto_cancel: ClassVar[bool] = True
        run: str
        level: int = 3

        async def build(self, job: Job, key: str) -> str:
            return key

    assert Frob("x").describe("y") == "frob y"


class Many(Builder[T, list[V]]):
    """What several operations have in common, but for their types."""


class Numbers(Many[str, int]):
    """Says which they are."""


class Anything(Many):  # type: ignore[type-arg]
    """Leaves them open."""


class Turned(Many[V, T], Generic[T, V]):
    """Has them in another order."""


class Texts(Turned[str, int]):
    """Says which they are, one further down."""


@pytest.mark.parametrize(
    ("cls", "types"),
    [
        (Numbers, (str, None, list[int])),
        (Anything, (object, None, list[object])),
        (Turned, (object, None, list[object])),
        (Texts, (int, None, list[str])),
    ],
)
def test_types_are_found_through_generic_classes(cls: type[Builder[Any, Any]], types: Any) -> None:
    """So that what they have in common can be written once."""
    assert cls.types() == types
