"""Operations that need something of the engine that runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pycurrent.cache import Cache
from pycurrent.term import Primitive, Runtime, Subscription

T_co = TypeVar("T_co", covariant=True)


class Within(Primitive[T_co]):
    """The primitive that `make` gives for the cache of the engine that needs it."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[Cache], Primitive[T_co]]) -> None:
        self._make = make

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T_co]:
        return self._make(runtime.service(Cache)).subscribe(runtime, changed)
