"""Functions of one or several values: map, map_error, cutoff, ignore, state, catch."""

from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Failure,
    Ok,
    Output,
    Var,
    active,
    constant,
    evaluate,
    fail,
    from_output,
    map,
    pair,
)

from .steps import Calls, Steps, Tap

READY = Active(Activity.READY)


def boom(value: object) -> object:
    raise ValueError(value)


def refuse(value: object) -> object:
    raise Failure(f"refused {value}")


def test_map_applies_to_what_is_known() -> None:
    """The function gets the value, and its result is the value."""
    assert evaluate(constant(2).map(lambda x: x + 1)) == Ok(3)


def test_map_leaves_what_is_not_known_alone() -> None:
    """Failures and activities pass; the function isn't called."""
    calls = Calls()
    double = calls.of(lambda x: x * 2)
    assert evaluate(fail("why").map(double)) == Failed("why")
    assert evaluate(active(Activity.RUNNING).map(double)) == Active(Activity.RUNNING)
    assert calls == []


def test_a_function_that_raises_fails_the_term() -> None:
    """A `Failure` gives its message, anything else its type and message."""
    assert evaluate(constant(1).map(boom)) == Failed("ValueError: 1")
    assert evaluate(constant(1).map(refuse)) == Failed("refused 1")
    assert evaluate(map(lambda: boom(2))) == Failed("ValueError: 2")


def test_a_failure_says_where_it_was_raised() -> None:
    """The traceback begins in the user's code, and survives a change of the message."""
    for term in (constant(1).map(boom), constant(1).map(boom).map_error(str.upper)):
        output = evaluate(term)
        assert isinstance(output, Failed)
        assert output.traceback is not None
        assert "in boom" in output.traceback
        assert "pycurrent/incr" not in output.traceback


def test_a_failure_ends_when_the_function_succeeds_again() -> None:
    """What raised for one value is called for the next."""
    var = Var("v", 0)
    steps = Steps(var.get().map(lambda x: 6 // x))
    assert steps.output == Failed("ZeroDivisionError: integer division or modulo by zero")
    var.set(2)
    assert steps.step() == Ok(3)
    steps.stop()


def test_map_of_several_inputs_takes_their_values_in_order() -> None:
    """The same input may be given twice, and none at all is fine."""
    two = constant(2)
    assert evaluate(map(lambda a, b, c: (a, b, c), two, constant(1), two)) == Ok((2, 1, 2))
    assert evaluate(map(lambda: 7)) == Ok(7)
    assert evaluate(pair(two, constant("x"))) == Ok((2, "x"))


def test_a_function_never_sees_inputs_of_different_steps() -> None:
    """Several paths from one change, and several changes of a step, arrive together."""
    var, other = Var("v", 1), Var("w", 10)
    source = var.get()
    long = source.map(lambda x: x).map(lambda x: x).map(lambda x: x)
    calls = Calls()
    steps = Steps(map(calls.of(lambda *values: values), source, long, other.get()))
    var.set(2)
    other.set(20)
    steps.step()
    assert calls == [(1, 1, 10), (2, 2, 20)]
    steps.stop()


def test_an_equal_result_stops_there() -> None:
    """What comes after is not computed where `==` says that nothing changed."""
    var = Var("v", 1)
    parity, calls = Calls(), Calls()
    steps = Steps(var.get().map(parity.of(lambda x: [x % 2])).map(calls.of(str)))
    var.set(3)
    steps.step()
    assert (parity, calls) == ([1, 3], [[1]])
    steps.stop()


def test_eq_says_what_is_equal() -> None:
    """With `eq` it decides instead: what it calls equal stops, and the old value stays."""
    var = Var("v", "a")

    def same(old: str, new: str) -> bool:
        return old.lower() == new.lower()

    source = var.get()
    terms = [
        source.map(str, eq=same),
        map(str, source, eq=same),
        source.bind(constant, eq=same),
        source.cutoff(same),
    ]
    calls = Calls()
    steps = Steps(map(lambda *_: None, *[term.map(calls.of(str)) for term in terms]))
    assert calls.take() == ["a"] * 4
    var.set("A")
    steps.step()
    assert calls.take() == []
    var.set("b")
    steps.step()
    assert calls.take() == ["b"] * 4
    steps.stop()


def test_eq_that_never_holds_lets_equal_values_pass() -> None:
    """A result that is equal counts as a change if `eq` says so."""
    var = Var("v", 1)
    calls = Calls()
    steps = Steps(var.get().map(lambda _: 0, eq=lambda old, new: False).map(calls.of(str)))
    var.set(2)
    steps.step()
    assert calls == [0, 0]
    steps.stop()


def test_a_comparison_that_raises_is_a_failure() -> None:
    """It is a function of the term like any other."""

    def refuse_to_compare(old: int, new: int) -> bool:
        raise Failure(f"{old} is beyond comparison with {new}")

    for build in (
        lambda source: source.map(abs, eq=refuse_to_compare),
        lambda source: map(abs, source, eq=refuse_to_compare),
        lambda source: source.cutoff(refuse_to_compare),
        lambda source: source.bind(constant, eq=refuse_to_compare),
    ):
        var = Var("v", 1)
        steps = Steps(build(var.get()))
        assert steps.output == Ok(1)
        var.set(2)
        assert steps.step() == Failed("1 is beyond comparison with 2")
        steps.stop()


def test_an_equal_failure_stops_there() -> None:
    """A failure with the same message is no change, wherever it comes from."""
    var = Var("v", 1)
    source = var.get()
    calls = Calls()

    def always(value: object) -> object:
        raise Failure("always")

    failures = [source.map(always), source.bind(lambda x: fail("always"))]
    shouted = [failure.map_error(calls.of(str.upper)) for failure in failures]
    steps = Steps(map(lambda *_: None, *shouted).state())
    assert calls.take() == ["always"] * 2
    var.set(2)
    steps.step()
    assert calls == []
    assert steps.value == Failed("ALWAYS")
    steps.stop()


def test_map_error_changes_only_the_message_of_a_failure() -> None:
    """Values and activities pass; the function isn't called for them."""
    calls = Calls()
    wrap = calls.of(lambda message: f"deploy: {message}")
    assert evaluate(fail("why").map_error(wrap)) == Failed("deploy: why")
    assert evaluate(constant(1).map_error(wrap)) == Ok(1)
    assert evaluate(active(Activity.READY).map_error(wrap)) == READY
    assert calls == ["why"]


def test_a_map_error_that_raises_is_the_failure() -> None:
    """Its own failure takes the place of the one it was given."""
    assert evaluate(fail("why").map_error(lambda m: str(refuse(m)))) == Failed("refused why")


def test_ignore_waits_but_has_no_value() -> None:
    """None once the value is known; a change of the value goes no further."""
    var: Var[int] = Var("v", READY)
    calls = Calls()
    steps = Steps(var.get().ignore().map(calls.of(lambda _: "done")))
    assert steps.output == READY
    var.set(1)
    assert steps.step() == Ok("done")
    var.set(2)
    steps.step()
    assert calls == [None]
    var.set(Failed("why"))
    assert steps.step() == Failed("why")
    steps.stop()


def test_state_makes_every_output_known() -> None:
    """It can report what is pending and what failed."""
    outputs: list[Output[int]] = [Ok(1), Failed("why"), READY, Active(Activity.RUNNING)]
    var: Var[int] = Var("v", outputs[0])
    steps = Steps(var.get().state())
    for output in outputs:
        var.set(output)
        assert steps.step() == Ok(output)
    steps.stop()


def test_catch_makes_failures_known_and_waits_for_the_rest() -> None:
    """What is not known yet stays so."""
    var: Var[int] = Var("v", Failed("why"))
    steps = Steps(var.get().catch())
    assert steps.output == Ok(Failed("why"))
    var.set(READY)
    assert steps.step() == READY
    var.set(3)
    assert steps.step() == Ok(Ok(3))
    steps.stop()


def test_state_and_catch_stop_equal_outputs() -> None:
    """Who reads them is called again only for an output that differs."""
    first, second = Var[int]("v", Failed("x")), Var[int]("w", Failed("x"))
    both = map(lambda a, b: a + b, first.get(), second.get())
    calls = Calls()
    steps = Steps(pair(both.state().map(calls.of(str)), both.catch().map(calls.of(str))))
    assert len(calls.take()) == 2
    first.set(1)
    steps.step()
    assert calls == []
    assert not steps.is_due
    steps.stop()


def test_from_output_has_just_that_output() -> None:
    """Whatever the output is."""
    outputs: list[Output[int]] = [Ok(1), Failed("why"), READY]
    assert [evaluate(from_output(output)) for output in outputs] == outputs


def test_a_shared_term_is_computed_once() -> None:
    """However many use it, in a step and from the start."""
    tap: Tap[int] = Tap("tap", Ok(1))
    calls = Calls()
    shared = tap.current().map(calls.of(lambda x: x + 1))
    users: list[Current[str]] = [shared.map(str) for _ in range(5)]
    steps = Steps(map(lambda *values: values, *users, shared))
    tap.set(Ok(2))
    steps.step()
    assert calls == [1, 2]
    assert tap.events == ["+tap"]
    steps.stop()
    assert tap.events == ["+tap", "-tap"]
