"""`pycurrent check`: looks for mistakes in a pipeline, and runs nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from pycurrent.cache.cache import OperationPrimitive, Results, results
from pycurrent.cache.operation_type import OperationTypes
from pycurrent.cache.use import checked_labels
from pycurrent.cli.load import BrokenPipeline
from pycurrent.cli.output import one_line
from pycurrent.cli.pipeline_command import Call
from pycurrent.errors import UsageError
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Fixed,
    NoEngine,
    Runtime,
    Services,
    Subscription,
    TermGraph,
    UsageFailure,
    told,
)

T = TypeVar("T")


def check_pipeline(call: Call) -> int:
    """Write what is wrong to stdout; return 1 if anything is."""
    found = list(mistakes(call.term))
    if (unused := told(call.unused)) is not None:
        found.append(unused)
    for mistake in found:
        sys.stdout.write(f"{call.name}: {mistake}\n")
    if not found:
        sys.stdout.write(f"{call.name}: nothing is wrong, as far as is seen without running it\n")
    return 1 if found else 0


def tell_broken(error: UsageError) -> int:
    """Write why a pipeline can't be built to stdout; return 1."""
    frames = error.frames if isinstance(error, BrokenPipeline) else ""
    sys.stdout.write(f"{frames}{error}\n")
    return 1


def mistakes(term: Current[Any]) -> Iterator[str]:
    """The mistakes in a pipeline that show without running it, a line each.

    Stages whose inputs are constants are built to the point at which the engine would begin to
    work: so operations with one id, keys without a stable form, and arguments that don't fit are
    found as the engine finds them.
    """
    graph = TermGraph(_Unengaged(), lambda node: None)
    node = graph.expand(term)
    observer = graph.observe(node)
    try:
        graph.stabilise()
        said = set[str]()
        for stage in graph.stages():
            ref, failure = graph.ref(stage), stage.status.failure
            if isinstance(stage.absent, UsageFailure) and failure is not None:
                said.add(stage.absent.message)
                yield f"{ref}: {one_line(stage.absent.message)}"
            if not ref.is_stable:
                yield (
                    f"{ref}: another stage differs from it only by the order of building, so"
                    " nobody can pin, pause or mute it: give it a name="
                )
        output = graph.output(node)
        if isinstance(output, UsageFailure) and output.message not in said:
            yield one_line(output.message)
    finally:
        graph.drop(observer)


class _Unengaged(Services, Results):
    """The services of a pipeline that is looked at: operations are taken in, and not run."""

    def __init__(self) -> None:
        self._types = OperationTypes()

    def service(self, kind: Callable[[Any], T]) -> T:
        if kind is not results:
            raise NoEngine
        return cast("T", self)

    def subscribe(
        self, primitive: OperationPrimitive[T], runtime: Runtime, changed: Callable[[], None]
    ) -> Subscription[T]:
        """Look at the use of an operation as the cache does."""
        operation = primitive.operation
        try:
            op_type = self._types.of(type(operation))
            op_type.key(primitive.key)
            op_type.target(primitive.value)
            operation.title(primitive.key, primitive.value)
            checked_labels(operation, operation.labels_of(primitive.key, primitive.value))
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(f"{type(error).__name__}: {error}") from error
        ready: Fixed[T] = Fixed(Active(Activity.READY))
        return ready.subscribe(runtime, changed)
