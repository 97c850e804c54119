"""Evaluating a current without an engine, and building the pipeline of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pycurrent.term.current import Current, fail
from pycurrent.term.example import build
from pycurrent.term.output import Output, failed_by
from pycurrent.term.primitive import NoEngine, Services
from pycurrent.term.term_graph import TermGraph
from pycurrent.term.unused import noting

T = TypeVar("T")


class OfflineRuntime(Services):
    """The runtime of a pipeline that is only evaluated: nothing runs."""

    def service(self, kind: Callable[[Any], T]) -> T:
        raise NoEngine


def evaluate(current: Current[T]) -> Output[T]:
    """What a current amounts to without an engine.

    Nothing is started: operations and monitors are ready, and what waits for them has no
    value. Constants and variables have theirs.
    """
    graph = TermGraph(OfflineRuntime(), lambda node: None)
    node = graph.expand(current)
    observer = graph.observe(node)
    try:
        graph.stabilise()
        return graph.output(node)
    finally:
        graph.drop(observer)


def build_pipeline(pipeline: Callable[[], Current[Any]]) -> tuple[Current[Any], list[str]]:
    """The term of a pipeline, and what it has built and does not use. One that raises while it
    is built is a failure that shows where.

    `sys.exit` leaves the program, as nothing runs yet that it could break off.
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
