"""Variables: inputs that code sets."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pycurrent.errors import UsageError
from pycurrent.term import (
    Active,
    Activity,
    Failed,
    Ok,
    Output,
    Stats,
    Var,
    constant,
    evaluate,
    pair,
)

from .steps import Calls, Steps


def test_a_variable_has_the_value_it_was_given() -> None:
    """At first, and after each `set`."""
    var = Var("v", 1)
    steps = Steps(var.get())
    assert (var.output, steps.output) == (Ok(1), Ok(1))
    var.set(2)
    assert steps.is_due
    assert steps.step() == Ok(2)
    steps.stop()


def test_a_variable_is_known_by_its_name() -> None:
    """It is another object in each run."""
    assert Var("v", 1).identity == Var("v", 2).identity == "v"


def test_a_variable_may_be_given_any_output() -> None:
    """It can fail, and not be known yet, from the start or later."""
    outputs: list[Output[int]] = [Failed("why"), Active(Activity.RUNNING), Ok(1)]
    for output in outputs:
        assert evaluate(Var[int]("v", output).get()) == output
    var: Var[int] = Var("v", outputs[0])
    steps = Steps(var.get())
    for output in outputs:
        var.set(output)
        assert steps.step() == output
    steps.stop()


def test_setting_an_equal_value_changes_nothing() -> None:
    """No step is asked for."""
    var = Var("v", [1])
    steps = Steps(var.get())
    var.set([1])
    var.update(list)
    assert not steps.is_due
    steps.stop()


def test_several_changes_before_a_step_are_one() -> None:
    """Only the last value is seen."""
    var = Var("v", 0)
    calls = Calls()
    steps = Steps(var.get().map(calls.of(abs)))
    for value in range(1, 5):
        var.set(value)
    steps.step()
    assert calls == [0, 4]
    steps.stop()


def test_update_sets_the_function_of_the_value() -> None:
    """Which may be an output."""
    var: Var[int] = Var("v", 1)
    var.update(lambda x: x + 1)
    assert var.output == Ok(2)
    var.update(lambda x: Failed(f"was {x}"))
    assert var.output == Failed("was 2")


@pytest.mark.parametrize("output", [Failed("why"), Active(Activity.READY)])
def test_there_is_nothing_to_update_without_a_value(output: Failed | Active) -> None:
    """The error names the variable and what it is instead."""
    var: Var[int] = Var("v", output)
    with pytest.raises(UsageError) as raised:
        var.update(lambda x: x)
    assert str(raised.value) == f"variable 'v' has no value to update: it is {output!r}"
    assert var.output == output


def test_an_update_that_raises_leaves_the_value() -> None:
    """The exception is the caller's, and the variable can be set after that."""
    var = Var("v", 0)
    with pytest.raises(ZeroDivisionError):
        var.update(lambda x: 1 // x)
    var.set(1)
    assert var.output == Ok(1)


def test_several_engines_may_use_a_variable() -> None:
    """Each is told; one that has stopped is not."""
    var = Var("v", 1)
    current = var.get()
    one, two = Steps(current), Steps(current.map(lambda x: -x))
    var.set(2)
    assert (one.step(), two.step()) == (Ok(2), Ok(-2))
    one.stop()
    var.set(3)
    assert not one.is_due
    assert two.step() == Ok(-3)
    two.stop()


def test_a_variable_is_a_component_with_its_name() -> None:
    """It is a box of the diagram, for each `get`."""
    var = Var("branch", "main")
    steps = Steps(pair(var.get(), var.get()))
    assert steps.stats == Stats(ok=2)
    steps.stop()


def test_a_variable_that_is_no_longer_needed_is_forgotten() -> None:
    """Its changes ask for no step until it is needed again, and then its value is the new one."""
    var, on = Var("v", 1), Var("on", True)
    current = var.get()
    steps = Steps(on.get().bind(lambda yes: current if yes else constant(0)))
    on.set(False)
    steps.step()
    var.set(2)
    assert not steps.is_due
    on.set(True)
    assert steps.step() == Ok(2)
    steps.stop()


def test_a_variable_may_be_set_from_many_threads() -> None:
    """No update is lost, and all are seen in the end."""
    var = Var("v", 0)
    steps = Steps(var.get())
    start = threading.Barrier(8)

    def count() -> None:
        start.wait()
        for _ in range(500):
            var.update(lambda x: x + 1)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(count) for _ in range(8)]:
            future.result()
    assert steps.step() == Ok(4000)
    steps.stop()


def test_a_variable_shows_its_name_and_output() -> None:
    """For who debugs."""
    assert repr(Var("v", 1)) == "Var('v', Ok(value=1))"
