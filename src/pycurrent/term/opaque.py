"""Refusing the use of a current as if it were its value.

Python would silently do something else (any object is true, has a text, and differs from 3), or
only half explain the mistake. We add the methods after the class is made: type checkers don't see
them, and so find such mistakes themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

from pycurrent.errors import WrongKind

C = TypeVar("C", bound=type)

_TRUTH = (
    "is neither true nor false: decide in a function, as in"
    " x.bind(lambda value: one if value else other)"
)
_ITEMS = (
    "can't be iterated over, indexed or measured: see list_map, or write"
    " x.map(lambda value: len(value)), value[0] ..."
)
_TEXT = 'has no text: write x.map(lambda value: f"... {value}"), or give the current itself'
_COMPARE = (
    "can't be compared: write map(lambda a, b: a == b, x, y), or x.map(lambda value: value == 3);"
    " whether two currents are the same one is asked by `is`"
)
_NUMBER = "can't be calculated with: write x.map(lambda value: value + 1)"
_AWAIT = "can't be awaited: what comes after it goes into x.bind(lambda value: ...)"
_ENTER = "can't be entered: see context(), or write x.map(lambda value: ...)"

_TWO_SIDED = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor"


def _uses() -> Iterator[tuple[str, str]]:
    """Yield the special methods, each with the advice for its callers."""
    for advice, names in (
        (_TRUTH, "bool"),
        (_ITEMS, "iter aiter reversed len getitem setitem delitem contains"),
        (_TEXT, "str format bytes fspath"),
        (_COMPARE, "lt le gt ge"),
        (_NUMBER, "neg pos abs invert int float complex index round trunc floor ceil"),
        (_NUMBER, f"{_TWO_SIDED} r{_TWO_SIDED.replace(' ', ' r')}"),
        (_AWAIT, "await"),
        (_ENTER, "enter exit aenter aexit"),
    ):
        for name in names.split():
            yield f"__{name}__", advice


class UnknownAttribute(WrongKind, AttributeError):
    """A pipeline asks a current for an attribute of its value."""


def opaque(cls: C) -> C:
    """Make objects of the class refuse to be used as their values."""
    for name, advice in _uses():
        setattr(cls, name, _refusal(name, advice))
    cls.__eq__ = _equal  # type: ignore[assignment]
    cls.__hash__ = object.__hash__  # type: ignore[assignment]
    cls.__getattr__ = _unknown  # type: ignore[attr-defined]
    return cls


def _refusal(name: str, advice: str) -> Callable[..., NoReturn]:
    def refuse(self: object, *args: object) -> NoReturn:
        raise WrongKind(f"a current {advice}")

    refuse.__name__ = refuse.__qualname__ = name
    return refuse


def _equal(self: object, other: object) -> bool:
    # Python asks for itself only where it has not looked for identity, as collections do.
    if self is other:
        return True
    raise WrongKind(f"a current {_COMPARE}")


def _unknown(self: object, name: str) -> Any:
    if name.startswith("_"):
        # Somebody looks for what objects can do.
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
    raise UnknownAttribute(
        f"a current has no attribute {name!r}: write x.map(lambda value: value.{name}) for that of"
        f" its value"
    )
