"""Primitives that are made for the engine which needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from pycurrent.cache.cache import ResultCache
from pycurrent.cache.use import trust_of
from pycurrent.term import Primitive, Runtime, StageRef, Subscription, Trust

T = TypeVar("T")


class OfEngine(Primitive[T], Generic[T]):
    """The primitive that `make` gives for the cache of the engine that needs it, and the trust of
    the stage: for operations that need something of their engine, such as its folders or what is
    known already.
    """

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[ResultCache, Trust], Primitive[T]]) -> None:
        self._make = make

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T]:
        made = self._make(runtime.service(ResultCache), trust_of(runtime))
        return made.subscribe(runtime, changed)


class OfStage(Primitive[T], Generic[T]):
    """The same for the cache and the stage that needs it: for what is known elsewhere by the path
    of the stage.
    """

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[ResultCache, StageRef], Primitive[T]]) -> None:
        self._make = make

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T]:
        made = self._make(runtime.service(ResultCache), runtime.stage)
        return made.subscribe(runtime, changed)
