"""Several currents as one: which output wins, labels, gates."""

from collections.abc import Callable
from typing import Any

import pytest

from pycurrent.errors import UsageError
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Ok,
    Output,
    Primitive,
    Var,
    active,
    all,
    bind,
    component,
    constant,
    evaluate,
    fail,
    inputs,
    map,
    option_seq,
    pair,
    seq,
)
from pycurrent.term.together import FailedTogether

from .steps import Calls, Steps

READY = active(Activity.READY)
RUNNING = active(Activity.RUNNING)

Combine = Callable[..., Current[Any]]

NOT_A_CURRENT: Any = 2

COMBINATIONS: dict[str, Combine] = {
    "map": lambda *inputs: map(lambda *_: None, *inputs),
    "bind": lambda *inputs: bind(lambda *_: constant(None), *inputs),
    "component": lambda *inputs: component("c", lambda *_: Primitive.constant(None), *inputs),
    "decorated component": component("c")(lambda *_: Primitive.constant(None)),
    "pairs": lambda a, b, c: pair(pair(a, b), c),
    "seq": lambda *inputs: seq(inputs),
    "all": lambda *inputs: all(inputs),
    "gates": lambda a, b, c: a.gate(on=b).gate(on=c),
}


@pytest.mark.parametrize("combine", COMBINATIONS.values(), ids=COMBINATIONS.keys())
@pytest.mark.parametrize(
    ("inputs", "output"),
    [
        ([constant(1), READY, fail("x")], Failed("x")),
        ([fail("x"), READY, fail("y")], Failed("x")),
        ([READY, fail("y"), fail("x")], Failed("y")),
        ([constant(1), RUNNING, READY], Active(Activity.RUNNING)),
        ([READY, constant(1), RUNNING], Active(Activity.READY)),
    ],
)
def test_failed_wins_over_active_and_then_the_leftmost(
    combine: Combine, inputs: list[Current[Any]], output: Output[Any]
) -> None:
    """The same order holds wherever inputs come together."""
    assert evaluate(combine(*inputs)) == output


@pytest.mark.parametrize("combine", COMBINATIONS.values(), ids=COMBINATIONS.keys())
def test_all_inputs_known_is_ok(combine: Combine) -> None:
    """Ok, once nothing is missing any more."""
    var: Var[int] = Var("v", Failed("x"))
    steps = Steps(combine(constant(1), var.get(), constant(3)))
    assert steps.output == Failed("x")
    var.set(2)
    assert isinstance(steps.step(), Ok)
    steps.stop()


def test_seq_and_all_have_the_values_or_none() -> None:
    """`seq` gives the list of the values, `all` nothing; both are known when empty."""
    terms = [constant(2), constant(1), constant(2)]
    assert evaluate(seq(terms)) == Ok([2, 1, 2])
    assert evaluate(all(terms)) == Ok(None)
    assert evaluate(seq([])) == Ok([])
    assert evaluate(all([])) == Ok(None)
    assert evaluate(all({})) == Ok(None)
    assert evaluate(all(term for term in terms)) == Ok(None)


def test_option_seq_is_none_where_there_is_no_current() -> None:
    """And that current where there is one."""
    assert evaluate(option_seq(None)) == Ok(None)
    assert evaluate(option_seq(constant(1))) == Ok(1)
    assert evaluate(option_seq(fail("x"))) == Failed("x")


@pytest.mark.parametrize(
    ("currents", "output"),
    [
        ({"A": constant(1), "B": constant(2)}, Ok(None)),
        ({"A": constant(1), "B": fail("why")}, Failed("B failed: why")),
        ({"A": fail("why"), "B": fail("why")}, Failed("A, B failed: why")),
        ({"A": fail("x"), "B": constant(1), "C": fail("y")}, Failed("A, C failed")),
        ({"A": READY, "B": fail("why")}, Failed("B failed: why")),
        ({"A": RUNNING, "B": READY}, Active(Activity.RUNNING)),
        ({"A": all({"x": fail("why")})}, Failed("A failed: x failed: why")),
    ],
)
def test_all_with_labels_names_what_failed(
    currents: dict[str, Current[Any]], output: Output[None]
) -> None:
    """With the reason where all have the same."""
    assert evaluate(all(currents)) == output


def test_the_same_current_may_have_several_labels() -> None:
    """Each is named."""
    why = fail("why")
    assert evaluate(all({"A": why, "B": why})) == Failed("A, B failed: why")


def test_the_names_of_what_failed_follow_the_changes() -> None:
    """What fails, recovers or fails differently is named anew."""
    one: Var[int] = Var("a", 1)
    two: Var[int] = Var("b", 1)
    steps = Steps(all({"A": one.get(), "B": two.get()}))
    expected: list[tuple[Var[int], int | Output[int], Output[None]]] = [
        (one, Failed("x"), Failed("A failed: x")),
        (two, Failed("x"), Failed("A, B failed: x")),
        (two, Failed("y"), Failed("A, B failed")),
        (one, 1, Failed("B failed: y")),
        (two, Active(Activity.READY), Active(Activity.READY)),
        (two, 2, Ok(None)),
    ]
    for var, value, output in expected:
        var.set(value)
        assert steps.step() == output
    steps.stop()


@pytest.mark.parametrize("combine", [seq, all], ids=["seq", "all"])
def test_the_order_holds_for_very_many_inputs(combine: Combine) -> None:
    """Leftmost and failed first, wherever in 10,000 inputs they are."""
    variables: list[Var[int]] = [Var(str(i), i) for i in range(10_000)]
    steps = Steps(combine([var.get() for var in variables]))
    variables[7_777].set(Active(Activity.RUNNING))
    assert steps.step() == Active(Activity.RUNNING)
    variables[3_333].set(Active(Activity.READY))
    assert steps.step() == Active(Activity.READY)
    variables[9_999].set(Failed("last"))
    assert steps.step() == Failed("last")
    variables[5_000].set(Failed("middle"))
    assert steps.step() == Failed("middle")
    for index in (3_333, 5_000, 7_777, 9_999):
        variables[index].set(-index)
    values = [-i if i in (3_333, 5_000, 7_777, 9_999) else i for i in range(10_000)]
    assert steps.step() == Ok(values if combine is seq else None)
    steps.stop()


def test_labels_hold_for_very_many_inputs() -> None:
    """Of 10,000 those that failed are named, in the order of the labels."""
    variables: list[Var[int]] = [Var(str(i), i) for i in range(10_000)]
    steps = Steps(all({var.name: var.get() for var in variables}))
    for index in (9_999, 0, 5_000):
        variables[index].set(Failed("why"))
    assert steps.step() == Failed("0, 5000, 9999 failed: why")
    variables[0].set(0)
    assert steps.step() == Failed("5000, 9999 failed: why")
    steps.stop()


def test_a_failure_of_many_is_put_into_words_only_when_asked_for() -> None:
    """A step in which one of 5,000 failures changes builds no message of 5,000 names."""
    variables = [Var[int](str(i), Failed("why")) for i in range(5_000)]
    everything = all({var.name: var.get() for var in variables})
    steps = Steps(map(lambda *_: None, everything, everything.ignore()))
    output = steps.output
    assert isinstance(output, FailedTogether)
    variables[17].set(Failed("another"))
    steps.step()
    variables[17].set(3)
    later = steps.step()
    assert isinstance(later, FailedTogether)
    assert (output._message, later._message) == ("", "")
    assert output.message.startswith("0, 1, 2, 3, ")
    assert output.message.endswith(" and 4968 more failed: why")
    assert ", 17, " not in later.message
    steps.stop()


def test_a_gate_delays_what_comes_after_it() -> None:
    """The value passes once the gate has succeeded; what comes before doesn't wait for it."""
    tests: Var[None] = Var("tests", Active(Activity.RUNNING))
    before, after = Calls(), Calls()
    built = Var("source", "a").get().map(before.of(str.upper))
    steps = Steps(built.gate(on=tests.get()).map(after.of(str)))
    assert (before.take(), after.take()) == (["A".lower()], [])
    assert steps.output == Active(Activity.RUNNING)
    tests.set(Failed("broken"))
    assert steps.step() == Failed("broken")
    tests.set(None)
    assert steps.step() == Ok("A")
    assert (before.take(), after.take()) == ([], ["A"])
    steps.stop()


def test_a_change_of_the_gates_value_is_no_change_behind_it() -> None:
    """Only whether it has succeeded matters."""
    gate = Var("gate", 1)
    calls = Calls()
    steps = Steps(constant("x").gate(on=gate.get()).map(calls.of(str)))
    gate.set(2)
    steps.step()
    assert calls == ["x"]
    steps.stop()


def test_a_term_may_be_its_own_gate() -> None:
    """It waits for itself, which is no waiting."""
    one = constant(1)
    assert evaluate(one.gate(on=one)) == Ok(1)


@pytest.mark.parametrize(
    ("build", "where"),
    [
        (lambda: seq([constant(1), NOT_A_CURRENT]), "seq"),
        (lambda: all({"A": NOT_A_CURRENT}), "all"),
        (lambda: map(abs, NOT_A_CURRENT), "map"),
        (lambda: bind(constant, NOT_A_CURRENT), "bind"),
        (lambda: constant(1).gate(on=NOT_A_CURRENT), "gate(on=)"),
    ],
)
def test_a_plain_value_in_the_place_of_a_current_is_refused(
    build: Callable[[], object], where: str
) -> None:
    """With a message that says where, what was given, and what to do."""
    with pytest.raises(TypeError) as raised:
        build()
    assert str(raised.value) == f"{where} takes a current, not int: see constant()"


def test_a_function_of_several_inputs_gets_all_values() -> None:
    """In their order; so does one that decides on the rest."""
    number, text = constant(2), constant("ab")
    assert evaluate(inputs(number, text).map(lambda n, t: n * t)) == Ok("abab")
    assert evaluate(inputs(text, number).bind(lambda t, n: constant(t * n), name="x")) == Ok("abab")
    assert evaluate(inputs(number, fail("no")).map(lambda a, b: a)) == Failed("no")


def test_several_inputs_must_be_currents() -> None:
    """A value among them is named, with what makes a current of it."""
    with pytest.raises(UsageError, match=r"takes a current, not str: see constant"):
        inputs(constant(1), "text").map(lambda a, b: a)  # type: ignore[call-overload]
