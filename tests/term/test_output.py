"""Outputs: what a current amounts to, as values."""

import copy
import pickle
from datetime import timedelta
from typing import Any

import pytest

from pycurrent.cache import builder
from pycurrent.engine import Job, Monitor
from pycurrent.errors import UsageError
from pycurrent.term import (
    Active,
    Activity,
    Failed,
    Failure,
    Ok,
    Output,
    all,
    component,
    constant,
    evaluate,
    fail,
    failed_by,
)
from pycurrent.testing import HarnessFactory

OUTPUTS: list[Output[Any]] = [
    Ok(1),
    Ok(None),
    Failed("why"),
    Active(Activity.READY),
    Active(Activity.RUNNING),
    Active(Activity.WAITING_FOR_CONFIRMATION),
]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("field", ["value", "message", "activity", "other"])
def test_outputs_are_immutable(output: Output[Any], field: str) -> None:
    """No attribute can be set, or added."""
    with pytest.raises((AttributeError, TypeError)):
        setattr(output, field, "x")
    assert output in OUTPUTS


def test_a_failures_message_cannot_be_deleted() -> None:
    """Deleting is a change, too."""
    with pytest.raises(AttributeError, match="Failed is immutable"):
        del Failed("why").message


def test_outputs_are_equal_by_what_they_say() -> None:
    """Equal ones are equal and hash alike; those of different kinds never are."""
    assert Ok([1]) == Ok([1])
    assert Ok(1) != Ok(2)
    assert Failed("a") == Failed("a", traceback="somewhere")
    assert Failed("a") != Failed("b")
    assert Failed("a") != "a"
    assert len({*OUTPUTS, *(copy.deepcopy(output) for output in OUTPUTS)}) == len(OUTPUTS)


@pytest.mark.parametrize("output", OUTPUTS)
def test_match_tells_outputs_apart(output: Output[Any]) -> None:
    """Each is matched by its own pattern, with its one field by position."""
    match output:
        case Ok(value):
            assert output == Ok(value)
        case Failed(message):
            assert output == Failed(message)
        case Active(activity):
            assert output == Active(activity)


@pytest.mark.parametrize("output", OUTPUTS)
def test_outputs_survive_copying_and_pickling(output: Output[Any]) -> None:
    """A copy is equal, looks the same, and is still immutable."""
    for twin in (
        copy.copy(output),
        copy.deepcopy(output),
        pickle.loads(pickle.dumps(output)),
    ):
        assert twin == output
        assert repr(twin) == repr(output)
        assert type(twin) is type(output)


def test_a_copied_failure_knows_where_it_came_from() -> None:
    """The traceback is copied with it."""
    failure = Failed("why", traceback="somewhere")
    assert copy.deepcopy(failure).traceback == "somewhere"
    assert pickle.loads(pickle.dumps(failure)).traceback == "somewhere"


def test_a_failure_of_several_inputs_is_pickled_in_words() -> None:
    """What is stored or sent is the message, not the parts it was made from."""
    output = evaluate(all({"A": fail("x"), "B": fail("x")}))
    twin = pickle.loads(pickle.dumps(output))
    assert type(twin) is Failed
    assert twin == output == Failed("A, B failed: x")


def test_the_type_of_a_value_may_be_given() -> None:
    """`Ok[int](1)` is `Ok(1)`, for who wants to tell the type checker."""
    assert Ok[int](1) == Ok(1)


def test_outputs_show_what_they_are() -> None:
    """Their representations read like the code that makes them."""
    assert repr(Ok(1)) == "Ok(value=1)"
    assert repr(Failed("why")) == "Failed('why')"
    assert repr(Active(Activity.READY)) == "Active(READY)"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Failure("no such branch"), "no such branch"),
        (UsageError("not a repository: /x"), "not a repository: /x"),
        (ValueError("bad"), "ValueError: bad"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (KeyError("k"), "KeyError: 'k'"),
    ],
)
def test_an_exception_becomes_a_failure(error: Exception, message: str) -> None:
    """Our own exceptions say it themselves; others are named by their type."""
    assert failed_by(error) == Failed(message)


class Kindless(Failure):
    """Its kind can't be asked."""

    @property
    def kind(self) -> Any:
        raise ValueError("no kind")

    @kind.setter
    def kind(self, kind: Any) -> None:
        pass


def _raise(error: BaseException) -> None:
    raise error


def _noted() -> Exception:
    error = ValueError("bad")
    error.__notes__ = Unshown()  # type: ignore[assignment]
    return error


class Unshown:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Textless(Exception):
    def __str__(self) -> str:
        raise SystemExit("no text")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(
            SyntaxError("bad", ("f", 1, 2, 5)),  # type: ignore[arg-type]
            "SyntaxError: bad (f, line 1)",
            id="line that is no text",
        ),
        pytest.param(Kindless("odd"), "odd", id="kind"),
        pytest.param(_noted(), "ValueError: bad", id="notes"),
        pytest.param(Textless(), "Textless: <Textless without a text: SystemExit>", id="text"),
    ],
)
def test_an_exception_that_python_can_not_show_is_a_failure_like_any_other(
    error: BaseException, message: str
) -> None:
    """With the places that it came by."""
    with pytest.raises(type(error)) as raised:
        _raise(error)
    failed = failed_by(raised.value)
    assert failed.message == message
    assert isinstance(error, Failure) or "in _raise" in (failed.traceback or "")


def test_code_without_a_module_has_a_traceback() -> None:
    """Such as that of `exec`."""
    fn: dict[str, Any] = {"__name__": None}
    exec("def fail(): 1 / 0", fn)
    with pytest.raises(ZeroDivisionError) as raised:
        fn["fail"]()
    assert "in fail" in (failed_by(raised.value).traceback or "")


async def test_the_engine_lives_whatever_is_raised(harness: HarnessFactory) -> None:
    """By a function, an operation, or a monitor."""
    error = SyntaxError("bad", ("f", 1, 2, 5))  # type: ignore[arg-type]

    @builder("b")
    async def build(job: Job, key: str) -> None:
        raise error

    async def read() -> int:
        raise error

    source = Monitor(read=read, every=timedelta(days=1), describe="m")
    stages = {
        "map": constant(1).map(lambda _: _raise(error)),
        "build": build("a"),
        "read": component("read", source.get),
    }
    async with harness(lambda: all(stages)) as h:
        await h.settle()
        why = "map, build, read failed: SyntaxError: bad (f, line 1)"
        assert h.output == Failed(why)
