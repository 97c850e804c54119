"""Another source of results may stand in for the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from pycurrent import Builder, Job
from pycurrent.cache import OperationPrimitive, results
from pycurrent.term import Fixed, Ok, Runtime, StageRef, Subscription

T = TypeVar("T")


class Length(Builder[str, int]):
    id = "length"

    async def build(self, job: Job, key: str) -> int:
        raise AssertionError("nothing is run")


class Guesses(Runtime):
    """Runs nothing, and gives results of its own."""

    stage = StageRef(("length",))

    def service(self, kind: Callable[[Any], T]) -> T:
        assert kind is results
        return cast("T", self)

    def subscribe(
        self, primitive: OperationPrimitive[Any], runtime: Runtime, changed: Callable[[], None]
    ) -> Subscription[Any]:
        return Fixed(Ok(len(primitive.key))).subscribe(self, changed)


def test_a_runtime_may_give_other_results_than_the_cache() -> None:
    """Operations ask for the service that gives results, not for the cache."""
    subscription = Length().get("abc").subscribe(Guesses(), lambda: None)
    assert subscription.read() == (Ok(3), None)
