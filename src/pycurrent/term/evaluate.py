"""Evaluating a current without an engine, and building the pipeline of one."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

from pycurrent.term.current import Current, fail
from pycurrent.term.example import build
from pycurrent.term.output import Failed, Output, failed_by
from pycurrent.term.primitive import NoEngine, Services
from pycurrent.term.shape import Constant
from pycurrent.term.term_graph import TermGraph
from pycurrent.term.together import FailedTogether
from pycurrent.term.unused import noting

T = TypeVar("T")


class OfflineRuntime(Services):
    """The services of a pipeline that is only evaluated: none."""

    def service(self, kind: Callable[[Any], T]) -> T:
        raise NoEngine


def evaluate(current: Current[T]) -> Output[T]:
    """Return the output of a current without an engine.

    It starts nothing: operations and monitors are READY, and the terms that wait for them have no
    value. Constants and variables have theirs.
    """
    graph = TermGraph(OfflineRuntime(), lambda node: None)
    node = graph.expand(current)
    observer = graph.observe(node)
    try:
        graph.stabilise()
        output = graph.output(node)
        if isinstance(output, FailedTogether):
            output.tell()
        return output
    finally:
        graph.drop(observer)


def build_pipeline(pipeline: Callable[[], Current[Any]]) -> tuple[Current[Any], list[str]]:
    """Build a pipeline. Return its term, and the names of the terms that it does not use.

    If the function raises, the term is a failure with the traceback. `sys.exit` ends the program,
    as nothing runs yet.
    """
    try:
        with noting() as made:
            term = build(pipeline, None)
        return term, made.unused()
    except SystemExit:
        raise
    except BaseException as error:
        failure = failed_by(error)
        details = "" if failure.traceback is None else f"\n{failure.traceback}"
        return fail(f"{failure.message}{details}"), []


def docstring_of(pipeline: Callable[..., Current[Any]]) -> str:
    """The words of its author about a pipeline: the docstring of its function, if it has one."""
    # Other callables have that of their class.
    return (isinstance(pipeline, FunctionType) and pipeline.__doc__) or ""


def is_failure(current: Current[Any]) -> bool:
    """True if a current is nothing but a failure, as that of a pipeline that can't be built."""
    return isinstance(current.shape, Constant) and isinstance(current.shape.output, Failed)
