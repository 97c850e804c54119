"""Typed names for what an application, or a request, carries with it."""

from __future__ import annotations

from typing import Generic, TypeVar

from starlette.datastructures import State

T = TypeVar("T")


class StateKey(Generic[T]):
    """One attribute of a `State`: of `app.state`, or of `request.state`.

    Starlette's states hold anything under any name. Each attribute that we use has one key, which
    knows its type, in the module that the type belongs to.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def put(self, state: State, value: T) -> T:
        """Set the attribute; returns the value."""
        setattr(state, self._name, value)
        return value

    def get(self, state: State) -> T:
        """The value. Raises `AttributeError` if it was not set."""
        value: T = getattr(state, self._name)
        return value

    def find(self, state: State) -> T | None:
        """The value; None if it was not set."""
        value: T | None = getattr(state, self._name, None)
        return value
