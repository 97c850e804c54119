"""Terms by themselves: built without an engine, evaluated without one, shared by several."""

import contextvars
import threading
from typing import Any

import pytest

from pycurrent.term import (
    Active,
    Activity,
    Current,
    Metadata,
    NoEngine,
    Ok,
    Output,
    Primitive,
    Runtime,
    Stats,
    Var,
    all,
    bind,
    collapse_list,
    component,
    constant,
    context,
    evaluate,
    map,
    metadata,
    pair,
    seq,
)
from pycurrent.term.shape import BindShape, ContextBlock, LabelBlock, Term

from .steps import Calls, Steps

READY = Active(Activity.READY)


class Service:
    """Stands for what an engine gives its operations."""

    def __init__(self, engine: Any) -> None:
        raise AssertionError("no engine, no service")


class Operation(Primitive[int]):
    """A primitive that needs a running engine."""

    def subscribe(self, runtime: Runtime, changed: Any) -> Any:
        runtime.service(Service)
        raise AssertionError("there is no engine")


NUMBER = Var("number", 1)
# Terms may stand at module level.
DOUBLE = NUMBER.get().map(lambda x: 2 * x)
LIST = DOUBLE.map(range).list_map(lambda item: item.map(lambda x: x + 1))
PIPELINE = pair(DOUBLE, LIST.map(sum))


def test_building_terms_calls_nothing() -> None:
    """What is given to the methods is called when it is evaluated, not before."""
    calls = Calls()
    fn = calls.of(constant)
    one = constant(1)
    many = constant([1])
    terms: list[Current[Any]] = [
        one.map(fn),
        one.bind(fn),
        many.list_map(fn),
        many.list_iter(fn, key=fn),
        one.option_map(fn),
        one.option_iter(fn),
        map(fn, one, one),
        bind(fn, one, one),
        component("c", calls.of(Primitive[int].constant), one),
        component("c")(calls.of(Primitive[int].constant))(one),
    ]
    all(terms)
    assert calls == []


def test_evaluate_needs_no_engine() -> None:
    """Constants and variables have their values, and what is made from them."""
    assert evaluate(PIPELINE) == Ok((2, 3))


def test_evaluate_starts_nothing() -> None:
    """Operations are ready, and what waits for them has no value."""
    operation = component("op", lambda x: Operation(), constant(1))
    assert evaluate(operation) == READY
    assert evaluate(operation.map(abs)) == READY
    assert evaluate(operation.state()) == Ok(READY)
    assert evaluate(metadata(operation)) == Ok(None)


def test_an_operation_without_an_engine_is_ready() -> None:
    """It is counted so; what comes after it is blocked."""
    first = component("first", Operation)
    second = component("second", lambda x: Operation(), first)
    steps = Steps(second)
    assert steps.stats == Stats(ready=1, blocked=1)
    steps.stop()


def test_no_engine_is_not_the_failure_of_the_pipeline() -> None:
    """A source of which an engine is wanted in vain lets go of the one it replaces."""
    var = Var("v", False)
    steps = Steps(
        component("c", lambda real: Operation() if real else Primitive.constant(0), var.get())
    )
    assert steps.output == Ok(0)
    var.set(True)
    assert steps.step() == READY
    var.set(False)
    assert steps.step() == Ok(0)
    assert issubclass(NoEngine, Exception)
    steps.stop()


def test_evaluate_leaves_nothing_behind() -> None:
    """A variable no longer knows of it, and it may be called again and again."""
    var = Var("v", 1)
    current = var.get()
    for value in range(3):
        var.set(value)
        assert evaluate(current) == Ok(value)
    assert var._listeners == {}


def test_an_interrupted_evaluation_leaves_nothing_behind() -> None:
    """The interrupt comes through, and sources are let go."""
    var = Var("v", 1)

    def interrupt(_: int) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(var.get().map(interrupt))
    assert var._listeners == {}


def test_two_engines_do_not_affect_each_other() -> None:
    """They share the terms, and nothing else."""
    one, two = Steps(PIPELINE), Steps(PIPELINE)
    NUMBER.set(2)
    assert one.step() == Ok((4, 10))
    assert two.output == Ok((2, 3))
    one.stop()
    assert two.step() == Ok((4, 10))
    NUMBER.set(1)
    assert two.step() == Ok((2, 3))
    two.stop()


def test_two_engines_call_functions_each_for_itself() -> None:
    """What one has computed is not the other's."""
    calls = Calls()
    var = Var("v", 1)
    term = var.get().bind(constant).map(calls.of(abs))
    one, two = Steps(term), Steps(term)
    assert calls.take() == [1, 1]
    var.set(2)
    one.step()
    assert calls.take() == [2]
    two.step()
    assert calls.take() == [2]
    one.stop()
    two.stop()


def test_engines_may_run_in_threads() -> None:
    """The same terms at the same time."""
    outputs: list[Output[Any]] = []
    threads = [
        threading.Thread(target=lambda: outputs.append(evaluate(PIPELINE))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs == [Ok((2, 3))] * 4


# What shows only in the diagram


def test_context_changes_no_output() -> None:
    """Terms inside neither wait for it nor make it needed."""
    calls = Calls()
    with context(constant(1).map(calls.of(abs))):
        term = constant([1, 2]).list_map(lambda item: item.bind(constant))
    assert evaluate(term) == Ok([1, 2])
    assert calls == []


def context_of(term: Term) -> list[Term]:
    found: list[Term] = []
    here = term.context
    while here is not None:
        if isinstance(here, ContextBlock):
            found.append(here.term)
            here = here.outer
        elif isinstance(here, LabelBlock):
            here = here.outer
        else:
            if isinstance(here.shape, BindShape):
                found.append(here)
                break
            here = here.context
    return found


def test_context_is_known_to_all_that_is_built_inside() -> None:
    """Nested ones too, the innermost first; not to what is built after the block."""
    outer, inner = constant("outer"), constant("inner")
    with context(outer):
        before = constant(1)
        with context(inner):
            nested = before.map(abs)
        after = seq([before, nested])
    outside = after.ignore()
    assert context_of(before) == [outer]
    assert context_of(nested) == [inner, outer]
    assert context_of(after) == [outer]
    assert context_of(outside) == []


def test_context_ends_with_an_exception() -> None:
    """The block is left like any other."""
    with pytest.raises(ZeroDivisionError), context(constant(1)):
        raise ZeroDivisionError
    assert context_of(constant(1)) == []


def test_items_stand_in_the_context_of_their_list() -> None:
    """What is built for them later is built as if there."""
    around = constant("around")
    seen: list[list[Term]] = []

    def each(item: Current[int]) -> Current[int]:
        seen.append(context_of(item.map(abs)))
        return item

    with context(around):
        term = constant([1]).list_map(each)
    evaluate(term)
    assert seen == [[around]]


def test_what_a_bind_makes_stands_in_the_context_of_the_bind() -> None:
    """Not in that of whoever runs the step."""
    seen: list[Current[int]] = []

    def decide(x: int) -> Current[int]:
        seen.append(constant(x))
        return seen[-1]

    with context(constant("around")):
        term = constant(1).bind(decide)
    with context(constant("of the step")):
        evaluate(term)
    assert context_of(seen[0]) == [term]


def test_each_thread_has_its_own_context() -> None:
    """A context is not seen by what is built elsewhere at the same time."""
    seen: list[list[Term]] = []
    with context(constant(1)):
        thread = threading.Thread(
            target=lambda: contextvars.Context().run(lambda: seen.append(context_of(constant(2))))
        )
        thread.start()
        thread.join()
    assert seen == [[]]


def test_collapse_changes_no_output() -> None:
    """A fold passes on what it hides."""
    var: Var[int] = Var("v", 1)
    steps = Steps(var.get().collapse(key="k", value="v", input=constant(1)))
    assert steps.output == Ok(1)
    var.set(READY)
    assert steps.step() == READY
    steps.stop()


def test_collapse_list_gives_the_currents_and_the_whole() -> None:
    """Each has its own value; the whole is known once all are."""
    variables: list[Var[int]] = [Var("a", 1), Var("b", READY)]
    folded, whole = collapse_list(
        (var.get() for var in variables), key="k", value="v", input=constant(1)
    )
    steps = Steps(pair(seq([term.state() for term in folded]), whole.state()))
    assert steps.output == Ok(([Ok(1), READY], READY))
    variables[1].set(2)
    assert steps.step() == Ok(([Ok(1), Ok(2)], Ok(None)))
    steps.stop()


def test_collapse_list_of_nothing_is_known() -> None:
    """There is nothing to wait for."""
    nothing: list[Current[int]] = []
    folded, whole = collapse_list(nothing, key="k", value="v", input=constant(1))
    assert folded == []
    assert evaluate(whole) == Ok(None)


def test_metadata_of_a_folded_current_is_that_of_its_component() -> None:
    """Folds only show in the diagram."""
    folded, _ = collapse_list([NUMBER.get()], key="k", value="v", input=constant(1))
    value: Output[Metadata | None] = evaluate(metadata(folded[0]))
    assert value == Ok(None)


def test_a_current_shows_what_it_is() -> None:
    """For who debugs: its kind, and which one."""
    assert repr(constant(1)).startswith("<Current Constant at 0x")
