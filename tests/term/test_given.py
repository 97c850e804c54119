"""What can't be a value, or a function of values, is refused where it enters."""

import asyncio
import functools
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from pycurrent.errors import UsageError
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Failure,
    Ok,
    Primitive,
    Var,
    active,
    all,
    bind,
    collapse_list,
    component,
    constant,
    evaluate,
    fail,
    from_output,
    map,
    option_seq,
    pair,
    seq,
)

from .steps import Calls, Steps


@component("check {x}")
def check_it(x: object) -> Primitive[object]:
    return Primitive.constant(x)


async def later(*_: object) -> int:
    return 1


def yields(*_: object) -> Iterator[int]:
    yield 1


async def yields_later(*_: object) -> Any:
    yield 1


class Later:
    async def __call__(self, *_: object) -> int:
        return 1

    async def method(self, *_: object) -> int:
        return 1


STANDS: dict[str, tuple[Callable[[], Any], str]] = {
    "current": (lambda: constant(1), "a current"),
    "component": (lambda: check_it(1), "a current"),
    "primitive": (lambda: Primitive.constant(1), "a primitive"),
    "var": (lambda: Var("v", 1), "a Var"),
    "coroutine": (later, "a coroutine"),
    "generator": (yields, "a generator"),
    "async generator": (yields_later, "an async generator"),
    "zip": (lambda: zip([1], [2], strict=True), "an iterator (zip)"),
    "filter": (lambda: filter(None, [1]), "an iterator (filter)"),
    "iter": (lambda: iter([1]), "an iterator (list_iterator)"),
    "exception": (lambda: ValueError("x"), "an exception (ValueError)"),
    "exception class": (lambda: KeyError, "the exception class KeyError"),
    "list": (lambda: [1, constant(1)], "a list that holds a current"),
    "tuple": (lambda: ("a", 2, constant(1)), "a tuple that holds a current"),
    "dict": (lambda: {"a": constant(1)}, "a dict that holds a current"),
    "set": (lambda: {constant(1)}, "a set that holds a current"),
    "coroutines": (lambda: [later(), later()][1:], "a list that holds a coroutine"),
}


@pytest.fixture(params=list(STANDS))
def stand(request: pytest.FixtureRequest) -> tuple[Callable[[], Any], str]:
    return STANDS[request.param]


VALUES: list[Any] = [
    None,
    1,
    "text",
    b"",
    Decimal(1),
    [1, [2]],
    (),
    {"a": [1]},
    range(3),
    {1: 2}.items(),
    len,
    int,
    Ok(1),
    Failed("why"),
    Activity.READY,
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_of_all_kinds_pass(value: Any) -> None:
    """As what is given, and as what a function returns."""
    assert evaluate(constant(value)) == Ok(value)
    assert evaluate(constant(1).map(lambda _: value)) == Ok(value)


@pytest.mark.filterwarnings("ignore:coroutine 'later' was never awaited")
def test_what_only_stands_for_a_value_is_no_value(stand: tuple[Callable[[], Any], str]) -> None:
    """Whoever returns it: the failure names the function, and says what to do."""
    make, what = stand
    makes: dict[str, Callable[[Callable[..., Any]], Current[Any]]] = {
        "map": lambda fn: constant(1).map(fn),
        "map of several": lambda fn: map(fn, constant(1), constant(2)),
        "map with eq": lambda fn: constant(1).map(fn, eq=lambda a, b: True),
        "map_error": lambda fn: fail("why").map_error(fn),
        "key": lambda fn: constant([1]).list_map(lambda item: item, key=fn),
    }
    for name, wrap in makes.items():
        output = evaluate(wrap(lambda *_: make()))
        assert isinstance(output, Failed), name
        assert "lambda> (test_given.py:" in output.message, name
        assert f"returned {what}: " in output.message, name


@pytest.mark.filterwarnings("ignore:coroutine 'later' was never awaited")
def test_what_only_stands_for_a_value_is_not_taken_for_one(
    stand: tuple[Callable[[], Any], str],
) -> None:
    """Wherever a plain value is given."""
    make, what = stand
    var = Var("v", 1)
    for take in (
        constant,
        lambda value: Var("w", value),
        var.set,
        lambda value: var.update(lambda _: value),
        lambda value: from_output(Ok(value)),
        lambda value: var.set(Ok(value)),
        Primitive.constant,
    ):
        with pytest.raises(UsageError, match=r"takes a value, not|returned") as raised:
            take(make())
        assert what in str(raised.value)
    assert var.output == Ok(1)


@pytest.mark.parametrize("kind", ["primitive", "coroutine", "list", "var", "generator"])
def test_an_argument_of_a_component_is_a_current_or_a_value(kind: str) -> None:
    """Nothing that holds one, or only stands for one."""
    make, _ = STANDS[kind]
    calls: list[Callable[[Any], object]] = [
        check_it,
        lambda x: check_it(x=x),
        lambda x: component("c", check_it, x),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(UsageError, match=r"^check_it \(test_given.py:\d+\) takes values and"):
            call(make())


def test_an_inline_component_takes_plain_values() -> None:
    """As the decorated one does; it need not have any current."""
    add = component("add", lambda a, b: Primitive.constant(a + b), constant(1), 2)
    assert evaluate(add) == Ok(3)
    assert evaluate(component("fixed", Primitive.constant, "plain")) == Ok("plain")


def test_what_a_source_gives_is_looked_at_too() -> None:
    """A primitive's output, by whatever function it was made."""

    def given(value: Any) -> Current[Any]:
        return component("c", lambda: Primitive.constant(1).map_output(lambda _: Ok(value)))

    output = evaluate(given(constant(1)))
    assert isinstance(output, Failed)
    assert "a current takes a value, not a current" in output.message


LAZY = [
    later,
    yields,
    yields_later,
    Later(),
    Later().method,
    functools.partial(later, 1),
    functools.partial(yields, 1),
]

FUNCTIONS: dict[str, Callable[[Any], object]] = {
    "map": lambda fn: constant(1).map(fn),
    "map(eq=)": lambda fn: constant(1).map(abs, eq=fn),
    "map of several": lambda fn: map(fn, constant(1)),
    "map_error": lambda fn: constant(1).map_error(fn),
    "bind": lambda fn: constant(1).bind(fn),
    "bind of several": lambda fn: bind(fn, constant(1)),
    "bind(eq=)": lambda fn: constant(1).bind(constant, eq=fn),
    "cutoff": lambda fn: constant(1).cutoff(fn),
    "list_map": lambda fn: constant([1]).list_map(fn),
    "list_map(key=)": lambda fn: constant([1]).list_map(lambda x: x, key=fn),
    "list_iter": lambda fn: constant([1]).list_iter(fn),
    "list_iter(key=)": lambda fn: constant([1]).list_iter(lambda x: x, key=fn),
    "option_map": lambda fn: constant(1).option_map(fn),
    "option_iter": lambda fn: constant(1).option_iter(fn),
    "component": lambda fn: component("c", fn),
    "@component": component("c"),
    "map_output": lambda fn: Primitive.constant(1).map_output(fn),
    "update": lambda fn: Var("v", 1).update(fn),
}


@pytest.mark.parametrize("where", FUNCTIONS)
def test_functions_are_plain_functions(where: str) -> None:
    """An async one or a generator is refused where the term is made, by its name."""
    for fn in LAZY:
        with pytest.raises(UsageError, match=r"takes a plain function, and .* is (async|a gener)"):
            FUNCTIONS[where](fn)
    for wrong in (3, "text", [later], constant(1), Var("v", 1)):
        with pytest.raises(UsageError, match="takes a function"):
            FUNCTIONS[where](wrong)


def test_a_comparison_that_gives_no_truth_value_is_a_failure() -> None:
    """A coroutine is always true: nothing would ever change again."""
    comparisons: list[Any] = [lambda a, b: later(), lambda a, b: constant(True)]
    for eq in comparisons:
        var = Var("v", 1)
        steps = Steps(var.get().cutoff(eq))
        var.set(2)
        output = steps.step()
        assert isinstance(output, Failed)
        assert "lambda> (test_given.py:" in output.message
        steps.stop()


USES: dict[str, Callable[[Any], object]] = {
    "is neither true nor false": lambda x: 1 if x else 2,
    "can't be iterated over": lambda x: [y for y in x],  # noqa: C416
    "can't be iterated over, i": len,
    "can't be iterated over, in": lambda x: x[0],
    "can't be iterated over, ind": lambda x: 1 in x,
    "has no text": lambda x: f"{x}",
    "has no text:": str,
    "has no text: ": lambda x: "%s" % x,  # noqa: UP031
    "has no text: w": "{:>8}".format,
    "has no text: wr": open,
    "can't be compared": lambda x: x == 3,
    "can't be compared:": lambda x: x != "main",
    "can't be compared: ": lambda x: x < 3,
    "can't be compared: w": lambda x: x == constant(1),
    "can't be compared: wr": lambda x: 3 in [constant(1), x],
    "can't be calculated": lambda x: x + 1,
    "can't be calculated w": lambda x: "text" + x,
    "can't be calculated wi": lambda x: 2 * x,
    "can't be calculated wit": lambda x: -x,
    "can't be calculated with": int,
    "can't be entered": lambda x: x.__enter__(),
    "has no attribute 'hash'": lambda x: x.hash,
    "has no attribute 'mapp'": lambda x: x.mapp(abs),
}


@pytest.mark.parametrize("advice", USES)
def test_a_current_is_not_its_value(advice: str) -> None:
    """Each use as if it were says what to write; in a pipeline it says where."""
    use = USES[advice]
    with pytest.raises(UsageError, match=advice):
        use(constant(1))
    output = evaluate(constant(1).bind(lambda _: constant(use(constant(1)))))
    assert isinstance(output, Failed)
    assert f"a current {advice}" in output.message
    assert "test_given.py:" in output.message


async def test_a_current_is_not_awaited() -> None:
    """What comes after it goes into a bind."""
    current: Any = constant(1)
    with pytest.raises(UsageError, match="can't be awaited"):
        await current


def test_a_current_can_be_told_from_others_and_kept() -> None:
    """In sets and as a key; shown to who looks for a fault; asked for what it can do."""
    one, other = constant(1), constant(1)
    assert {one: 1, other: 2}[other] == 2
    assert len({one, other, one}) == 2
    assert one in {one}
    assert (one == one) is True
    assert repr(one).startswith("<Current Constant")
    assert f"{one!r}" == repr(one)
    assert not hasattr(one, "hash")
    assert not hasattr(one, "__array__")
    assert not callable(one)
    assert getattr(one, "nothing", None) is None


def test_two_comparisons_that_tell_nothing_are_changes() -> None:
    """By ==, as of arrays, whatever it raises; a function that is given is told of its error."""

    class Array:
        def __eq__(self, other: object) -> Any:
            raise asyncio.CancelledError

        __hash__ = None  # type: ignore[assignment]

    var = Var("v", 0)
    calls = Calls()
    arrays = var.get().map(lambda _: Array())
    steps = Steps(pair(arrays.map(calls.of(lambda a: type(a).__name__)), arrays.map(lambda a: [a])))
    for value in (1, 2, 3):
        var.set(value)
        assert isinstance(steps.step(), Ok)
    assert len(calls) == 4
    steps.stop()
    holder: Var[Any] = Var("array", Array())
    holder.set(Array())
    items = Steps(holder.get().map(lambda a: [a, Array()]).list_map(lambda x: x, key=id))
    holder.set(Array())
    assert isinstance(items.step(), Ok)
    items.stop()


def test_values_of_different_types_differ() -> None:
    """A key made of True is not that made of 1."""
    var: Var[Any] = Var("v", True)
    calls = Calls()
    steps = Steps(pair(var.get().map(calls.of(str)), var.get().map(lambda x: x).map(calls.of(str))))
    seen = [*calls.take()]
    for value in (1, 1.0, 1.0):
        var.set(value)
        steps.step()
        seen += calls.take()
    assert seen == [True, True, 1, 1, 1.0, 1.0]
    steps.stop()


class Panic(BaseException):
    """As foreign code raises, and frameworks of tests."""


RAISED = [Panic("boom"), SystemExit("boom"), GeneratorExit("boom"), asyncio.CancelledError("boom")]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_whatever_a_function_raises_is_its_failure(error: BaseException) -> None:
    """Of each kind of function; nothing else is harmed."""

    def boom(*_: Any) -> Any:
        raise error

    class Boom:
        def __eq__(self, other: object) -> bool:
            raise error

        def __hash__(self) -> int:
            raise error

        def __str__(self) -> str:
            raise error

    class Source(Primitive[int]):
        subscribe = boom  # type: ignore[assignment]

    terms: dict[str, Current[Any]] = {
        "map": constant(1).map(boom),
        "maps": map(boom, constant(1), constant(2)),
        "map_error": fail("x").map_error(boom),
        "bind": constant(1).bind(boom),
        "list_map": constant([1]).list_map(boom),
        "key": constant([1]).list_map(lambda x: x, key=boom),
        "hash": constant([Boom()]).list_map(lambda x: x),
        "option_map": constant(1).option_map(boom),
        "component": component("c", boom),
        "subscribe": component("c", Source),
        "map_output": component("c", lambda: Primitive.constant(1).map_output(boom)),
    }
    for name, term in terms.items():
        prefix = "1 failed: " if name == "list_map" else ""
        assert evaluate(term) == Failed(f"{prefix}{type(error).__name__}: boom"), name
    var = Var("v", 1)
    steps = Steps(pair(var.get().map(abs, eq=boom).state(), constant(5)))
    var.set(2)
    assert steps.step() == Ok((Failed(f"{type(error).__name__}: boom"), 5))
    steps.stop()
    labelled = constant([Boom()]).list_map(lambda x: x.map(lambda _: 1), key=lambda x: 1)
    assert evaluate(labelled) == Ok([1])


def test_an_exception_without_a_text_is_named_by_its_type() -> None:
    """What its `__str__` raises is not asked for."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def boom(_: int) -> int:
        raise Mute

    output = evaluate(constant(1).map(boom))
    assert isinstance(output, Failed)
    assert output.message.startswith("Mute: ")


def test_an_interrupt_is_for_the_program() -> None:
    """It comes out; the graph can go on."""
    strikes: list[BaseException] = [KeyboardInterrupt()]

    def struck(x: int) -> int:
        if strikes:
            raise strikes.pop()
        return x

    term = constant(1).map(struck)
    with pytest.raises(KeyboardInterrupt):
        evaluate(term)
    assert evaluate(term) == Ok(1)


def test_a_group_of_exceptions_says_what_is_inside() -> None:
    """Each once, ours by its message alone; one that is alone is as if it were no group."""

    def boom(*errors: Exception) -> Callable[[int], int]:
        def fn(_: int) -> int:
            raise ExceptionGroup("unhandled errors in a TaskGroup", errors)

        return fn

    for errors, message in (
        ((Failure("3 tests fail"),), "3 tests fail"),
        ((ExceptionGroup("inner", [Failure("deep")]),), "deep"),
        ((ValueError("x"),), "ValueError: x"),
        ((Failure("a"), ValueError("x"), Failure("a")), "a; ValueError: x"),
        ([ValueError(str(n)) for n in range(12)], None),
    ):
        output = evaluate(constant(1).map(boom(*errors)))
        assert isinstance(output, Failed)
        if message is None:
            assert output.message.endswith("ValueError: 9; and 2 more")
        else:
            assert output.message == message


@pytest.mark.parametrize(
    ("value", "hint"),
    [("abc", "split"), (b"abc", "split"), ({"a": 1}, "items"), (5, "not 5"), (None, "not None")],
)
def test_only_a_list_has_items(value: Any, hint: str) -> None:
    """A text would be its letters, a dictionary its keys."""
    for term in (constant(value).list_map(lambda x: x), constant(value).list_iter(lambda x: x)):
        output = evaluate(term)
        assert isinstance(output, Failed)
        assert "takes a list, not" in output.message
        assert hint in output.message


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: seq(constant(1)), r"seq takes a list of currents, not a current: write \[x\]"),  # type: ignore[arg-type]
        (lambda: all("abc"), "all takes a list of currents, not str"),  # type: ignore[arg-type]
        (lambda: seq([Var("v", 1)]), r"not a Var: give its current, x.get\(\)"),  # type: ignore[arg-type]
        (lambda: all([check_it]), r"not the function check_it \(test_given.py:\d+\): call it"),  # type: ignore[list-item]
        (lambda: constant(1).gate(on=Primitive.constant(1)), "not a primitive"),  # type: ignore[arg-type]
        (lambda: pair(constant(1), [constant(1)]), "not a list: make one current of several"),  # type: ignore[arg-type]
        (lambda: option_seq(5), "option_seq takes a current, not int"),  # type: ignore[arg-type]
        (lambda: collapse_list(5, key="", value="", input=constant(1)), "list of currents"),  # type: ignore[arg-type]
        (lambda: from_output(3), r"from_output takes Ok\(value\), .* not 3"),  # type: ignore[arg-type]
        (lambda: active("running"), "active takes an Activity, not 'running'"),  # type: ignore[arg-type]
        (lambda: fail(ValueError("x")), "fail takes a text, not ValueError"),  # type: ignore[arg-type]
        (lambda: constant(1, label=constant("x")), r"label=\) takes a text, not a current"),  # type: ignore[arg-type]
        (lambda: constant([1]).list_map(abs, label=str), "takes a text"),  # type: ignore[arg-type]
        (lambda: constant(1).bind(constant, name=3), r"bind\(name=\) takes a text, not 3"),  # type: ignore[arg-type]
        (lambda: Var(3, 1), "Var takes a text, not 3"),  # type: ignore[arg-type]
        (lambda: component(check_it), "component takes a label first"),  # type: ignore[call-overload]
    ],
)
def test_an_argument_of_the_wrong_kind_is_refused(call: Callable[[], object], message: str) -> None:
    """Where it is given, with what to write."""
    with pytest.raises(UsageError, match=message):
        call()


@pytest.mark.parametrize(
    ("returned", "hint"),
    [
        (None, "not None: return one"),
        (5, "not int: see constant"),
        (Primitive.constant(5), "not a primitive: make a current of it, see component"),
        ([constant(1)], r"not a list: make one current of several by seq\(\[...\]\)"),
        (Var("v", 1), "give its current"),
        (check_it, "call it"),
    ],
)
def test_a_function_that_has_to_return_a_current(returned: Any, hint: str) -> None:
    """Is told by its place, and what to write for what it returned."""
    output = evaluate(constant(1).bind(lambda _: returned))
    assert isinstance(output, Failed)
    assert "lambda> (test_given.py:" in output.message
    assert re.search(hint, output.message)


def test_active_and_failed_are_values_of_their_own() -> None:
    """An output that a function returns is its value, as `state` gives it."""
    assert evaluate(constant(1).map(lambda _: Active(Activity.READY)).map(repr)) == Ok(
        "Active(READY)"
    )
