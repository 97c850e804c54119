"""What `help()` and editors show of functions on currents."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from pycurrent.cache import builder, publisher
from pycurrent.engine import Job, Level
from pycurrent.term import Primitive, component


@dataclass(frozen=True)
class Place:
    name: str


def shown(fn: object) -> str:
    text = str(inspect.signature(fn))  # type: ignore[arg-type]
    for module in ("pycurrent.term.current.", f"{__name__}."):
        text = text.replace(module, "")
    return text


def test_a_builder_takes_values_and_currents_and_gives_a_current() -> None:
    """Names, defaults and types stay; the job is not the caller's."""

    @builder("frob", level=Level.HARMLESS)
    async def frob(job: Job, place: Place, count: int = 3) -> bytes:
        """Frob it."""
        return b""

    either = "place: Union[Place, Current[Place]], count: Union[int, Current[int]] = 3"
    assert shown(frob) == f"({either}, *, name: str | None = None) -> Current[bytes]"
    assert frob.__doc__ == "Frob it."


def test_a_publisher_shows_the_values_that_it_sets() -> None:
    """After the star, as in the function."""

    @publisher("deploy", level=Level.HARMLESS)
    async def deploy(job: Job, place: str, *, version: str) -> None: ...

    parameters = inspect.signature(deploy).parameters
    assert list(parameters) == ["place", "version", "name"]
    assert parameters["version"].kind is inspect.Parameter.KEYWORD_ONLY
    assert shown(deploy).endswith("-> Current[NoneType]")


def test_a_component_shows_annotations_that_are_texts_as_texts() -> None:
    """They may be imported for the type checker only."""

    @component("z {a}")
    def source(a: Unknown, b=1) -> Primitive[list[Unknown]]:  # type: ignore  # noqa
        return Primitive.constant([a])

    expected = "(a: 'Unknown | Current[Unknown]', b=1, *, name: str | None = None)"
    assert shown(source) == f"{expected} -> 'Current[list[Unknown]]'"


def test_a_parameter_called_name_is_the_author_s() -> None:
    """Then a stage gets no name in the call."""

    @component("{name}")
    def source(name: str, **more: int) -> Primitive[str]:
        return Primitive.constant(name)

    assert list(inspect.signature(source).parameters) == ["name", "more"]
