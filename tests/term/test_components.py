"""Components: boxes made from primitives, which are followed while they are needed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pycurrent.errors import UsageError
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Failure,
    Fixed,
    Metadata,
    Ok,
    Output,
    Primitive,
    Runtime,
    Stats,
    Subscription,
    Var,
    active,
    all,
    component,
    constant,
    evaluate,
    fail,
    map,
    metadata,
    pair,
    seq,
)
from pycurrent.term.label import UnknownValue
from pycurrent.term.shape import Component

from .steps import Calls, Steps, Tap

READY = Active(Activity.READY)


def test_a_component_has_the_output_of_its_primitive() -> None:
    """Whatever that is, and it follows it."""
    tap: Tap[int] = Tap("tap", READY)
    steps = Steps(tap.current())
    outputs: list[Output[int]] = [Active(Activity.RUNNING), Ok(1), Failed("why"), Ok(2)]
    for output in outputs:
        tap.set(output)
        assert steps.step() == output
    steps.stop()
    assert tap.events == ["+tap", "-tap"]


def test_the_function_is_called_only_when_an_input_has_changed() -> None:
    """Not for news of its primitive, nor for an equal input."""
    taps = {name: Tap(name, Ok(name)) for name in "ab"}
    var = Var("v", ["a"])
    calls = Calls()
    follow = component("follow")(calls.of(lambda names: taps[names[0]]))
    steps = Steps(follow(var.get().map(list)))
    taps["a"].set(Ok("A"))
    assert steps.step() == Ok("A")
    var.set(["b"])
    assert steps.step() == Ok("b")
    assert calls == [["a"], ["b"]]
    steps.stop()


def test_the_new_source_is_followed_before_the_old_one_is_let_go() -> None:
    """So that what both use stays in use; each is closed exactly once."""
    events: list[str] = []
    taps = {name: Tap(name, Ok(name), events) for name in "ab"}
    var = Var("v", "a")
    steps = Steps(component("follow", lambda name: taps[name], var.get()))
    var.set("b")
    steps.step()
    assert events == ["+a", "+b", "-a"]
    steps.stop()
    assert events == ["+a", "+b", "-a", "-b"]


class Stuck(Primitive[str]):
    """A source that can't be let go."""

    def __init__(self, name: str) -> None:
        self.name = name

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[str]:
        return StuckSubscription(self.name)


class StuckSubscription(Subscription[str]):
    def __init__(self, name: str) -> None:
        self.name = name

    def read(self) -> tuple[Output[str], Metadata | None]:
        return Ok(self.name), None

    def close(self) -> None:
        raise OSError(f"{self.name} is stuck")


def test_a_source_that_can_not_be_closed_is_told_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whether its input changes, fails or is needed no longer: nothing else is disturbed."""
    var: Var[str] = Var("v", "a")
    other: Tap[int] = Tap("other", Ok(1))
    steps = Steps(pair(component("follow", Stuck, var.get()), other.current()))
    var.set("b")
    assert steps.step() == Ok(("b", 1))
    var.set(Failed("why"))
    assert steps.step() == Failed("why")
    assert steps.stats == Stats(ok=1, failed=1, blocked=1)
    var.set("c")
    assert steps.step() == Ok(("c", 1))
    steps.stop()
    assert other.open == []
    assert caplog.messages == [
        f"a StuckSubscription can't be closed: OSError: {name} is stuck" for name in "abc"
    ]


@pytest.mark.parametrize("absent", [Failed("why"), READY])
def test_a_blocked_component_follows_nothing(absent: Failed | Active) -> None:
    """Without its inputs it lets its source go, and takes it up again with them."""
    tap: Tap[int] = Tap("tap", Ok(1))
    var = Var("v", 0)
    steps = Steps(component("follow", lambda _: tap, var.get()))
    var.set(absent)
    assert steps.step() == absent
    assert tap.events == ["+tap", "-tap"]
    tap.set(Ok(2))
    steps.step()
    assert tap.events == ["+tap", "-tap"]
    var.set(0)
    assert steps.step() == Ok(2)
    assert tap.events == ["+tap", "-tap", "+tap"]
    steps.stop()


def test_a_component_is_blocked_where_only_an_input_failed() -> None:
    """A failure belongs to the stage where it arose; what comes after is counted as blocked."""

    def follow(*_: Any) -> Primitive[int]:
        return Primitive.constant(1)

    first = component("first", lambda: Fixed[int](Failed("why")))
    second = component("second", follow, first.map(abs))
    third = component("third", follow, second, active(Activity.RUNNING))
    steps = Steps(pair(third, component("other", follow)))
    assert steps.output == Failed("why")
    assert steps.stats == Stats(ok=1, failed=1, blocked=2)
    steps.stop()


def test_a_function_that_raises_fails_the_component() -> None:
    """It lets the old source go, and takes up a new one when the function returns again."""
    tap: Tap[int] = Tap("tap", Ok(1))

    def follow(x: int) -> Primitive[int]:
        if x < 0:
            raise Failure("negative")
        return tap

    var = Var("v", 1)
    steps = Steps(component("follow", follow, var.get()))
    var.set(-1)
    assert steps.step() == Failed("negative")
    assert steps.stats == Stats(ok=1, failed=1)
    assert tap.events == ["+tap", "-tap"]
    var.set(1)
    assert steps.step() == Ok(1)
    steps.stop()
    assert tap.events == ["+tap", "-tap", "+tap", "-tap"]


def test_a_function_that_returns_no_primitive_fails_the_component() -> None:
    """It says what was returned."""

    def follow() -> Any:
        return 5

    output = evaluate(component("follow", follow))
    assert isinstance(output, Failed)
    assert output.message == (
        f"follow (test_components.py:{follow.__code__.co_firstlineno}) must return a Primitive, not"
        f" int: a plain function of values belongs in map; see Primitive.constant()"
    )


def test_a_source_that_cannot_be_followed_fails_the_component() -> None:
    """What `subscribe` raises is the failure; the old source is let go."""
    tap: Tap[int] = Tap("tap", Ok(1))

    class Broken(Primitive[int]):
        def subscribe(self, *_: Any) -> Any:
            raise Failure("cannot watch")

    var = Var("v", True)
    steps = Steps(component("follow", lambda ok: tap if ok else Broken(), var.get()))
    var.set(False)
    assert steps.step() == Failed("cannot watch")
    assert tap.events == ["+tap", "-tap"]
    steps.stop()


def test_late_news_does_not_bring_a_released_component_back() -> None:
    """A source may still tell of a change after it was let go: nothing happens."""
    tap: Tap[int] = Tap("tap", Ok(1))
    current = tap.current()
    var = Var("v", True)
    steps = Steps(var.get().bind(lambda yes: current if yes else constant(0)))
    var.set(False)
    steps.step()
    tap.set(Ok(2))
    assert steps.step() == Ok(0)
    assert steps.stats == Stats(ok=1)
    steps.stop()
    assert tap.events == ["+tap", "-tap"]


def test_news_and_release_in_one_step() -> None:
    """A source that is let go in the step of its own change is not read again."""
    tap: Tap[int] = Tap("tap", Ok(1))
    current = tap.current()
    calls = Calls()
    var = Var("v", True)
    steps = Steps(var.get().bind(lambda yes: current.map(calls.of(abs)) if yes else constant(0)))
    tap.set(Ok(2))
    var.set(False)
    assert steps.step() == Ok(0)
    assert calls == [1]
    steps.stop()


def test_equal_news_is_no_change() -> None:
    """A source that has the same to say again goes unheard."""
    tap: Tap[list[int]] = Tap("tap", Ok([1]))
    calls = Calls()
    steps = Steps(tap.current().map(calls.of(sum)))
    tap.set(Ok([1]))
    steps.step()
    tap.set(Failed("why"))
    steps.step()
    tap.set(Failed("why"))
    steps.step()
    tap.set(Ok([1]))
    steps.step()
    assert calls == [[1], [1]]
    steps.stop()


@component("add {a} {b}")
def add(a: int, b: int = 10, *more: int, c: int = 100) -> Primitive[int]:
    return Primitive.constant(a + b + sum(more) + c)


def test_each_argument_may_be_a_current_or_a_plain_value() -> None:
    """By position, by name, as a default, or among several."""
    one = constant(1)
    assert evaluate(add(one)) == Ok(111)
    assert evaluate(add(1, one)) == Ok(102)
    assert evaluate(add(one, one, one, 5, c=one)) == Ok(9)
    assert evaluate(add(b=one, a=2)) == Ok(103)


def test_wrong_arguments_are_refused_where_the_component_is_made() -> None:
    """Not when it is evaluated."""
    with pytest.raises(TypeError, match="missing a required argument: 'a'"):
        add()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        add(1, z=2)  # type: ignore[call-arg]


def test_a_component_keeps_the_name_and_the_docstring_of_its_function() -> None:
    """As decorators should."""
    assert add.__name__ == "add"


def test_a_component_calls_its_function_once_for_several_users() -> None:
    """It is one box."""
    tap: Tap[int] = Tap("tap", Ok(1))
    current = tap.current()
    steps = Steps(map(lambda *_: None, current, current.map(abs), current.state()))
    assert tap.events == ["+tap"]
    assert steps.stats.total == 1
    steps.stop()


# Labels


@dataclass(frozen=True)
class Commit:
    id: str
    tags: tuple[str, ...] = ()


def label_of(current: Current[Any], *values: Any) -> str:
    shape = current.shape
    assert isinstance(shape, Component)
    return shape.label.show(values or [UnknownValue()] * len(shape.sources))


def build(commit: Commit, tag: str = "latest") -> Primitive[None]:
    return Primitive.constant(None)


HEAD = constant(Commit("0123456789", ("v1",)))


@pytest.mark.parametrize(
    ("label", "unknown", "known"),
    [
        ("build", "build", "build"),
        ("build {tag}", "build latest", "build latest"),
        ("build {commit.id}", "build …", "build 0123456789"),
        ("build {commit.id:.7} as {tag!r}", "build … as 'latest'", "build 0123456 as 'latest'"),
        ("build {commit.tags[0]}", "build …", "build v1"),
        ("build {commit}", "build …", "build Commit(id='0123456789', tags=('v1',))"),
        ("{{literal}}", "{literal}", "{literal}"),
    ],
)
def test_a_label_shows_the_parameters_as_far_as_they_are_known(
    label: str, unknown: str, known: str
) -> None:
    """Plain values always, those of currents when they are there, with their attributes."""
    current = component(label)(build)(HEAD)
    assert label_of(current) == unknown
    assert label_of(current, Commit("0123456789", ("v1",))) == known


@pytest.mark.parametrize("label", ["build {nothing}", "build {nothing.hash}", "build {", "{}"])
def test_a_label_that_shows_no_parameter_is_refused(label: str) -> None:
    """Where the component is made, with what it could show."""
    with pytest.raises(UsageError, match=r"the label .* of build \(test_comp.*:\d+\)") as e:
        component(label)(build)
    if "nothing" in label:
        assert "shows {nothing}; it can show {commit}" in str(e.value)


def test_a_label_that_cannot_be_formatted_says_why() -> None:
    """It is only shown, and no reason to fail."""
    current = component("build {commit.nothing}")(build)(HEAD)
    shown = label_of(current, Commit("0"))
    assert shown.startswith("build {commit.nothing} (AttributeError: ")
    assert evaluate(current) == Ok(None)


def test_the_label_of_an_inline_component_is_taken_as_it_is() -> None:
    """Its function's parameters are not in it."""
    current = component("build {commit}", build, HEAD)
    assert label_of(current) == label_of(current, Commit("0")) == "build {commit}"


# Primitives


def test_map_output_changes_what_a_primitive_says() -> None:
    """The function is called once for each output, whatever is asked in between."""
    tap: Tap[int] = Tap("tap", READY)
    calls = Calls()

    def known(output: Output[int]) -> Output[str]:
        return Ok(str(output.value)) if isinstance(output, Ok) else output

    mapped = tap.map_output(calls.of(known))
    steps = Steps(component("mapped", lambda: mapped))
    assert steps.output == READY
    tap.set(Ok(1))
    assert steps.step() == Ok("1")
    tap.set(tap.output, Metadata(job_id="job"))
    assert steps.step() == Ok("1")
    assert calls == [READY, Ok(1)]
    steps.stop()
    assert tap.events == ["+tap", "-tap"]


def test_map_output_keeps_the_metadata() -> None:
    """Which job it was is not up to the function."""
    job = Metadata(job_id="job")
    mapped = Fixed(Ok(1), job).map_output(lambda _: Ok(2))
    current = component("mapped", lambda: mapped)
    assert evaluate(pair(current, metadata(current))) == Ok((2, job))


def test_a_map_output_that_raises_or_returns_no_output_is_a_failure() -> None:
    """It says what went wrong."""

    def refuse(_: Output[int]) -> Output[int]:
        raise Failure("refused")

    def wrong(_: Output[int]) -> Any:
        return 5

    one = Primitive.constant(1)
    assert evaluate(component("c", lambda: one.map_output(refuse))) == Failed("refused")
    output = evaluate(component("c", lambda: one.map_output(wrong)))
    assert isinstance(output, Failed)
    assert output.message.startswith(
        f"wrong (test_components.py:{wrong.__code__.co_firstlineno}) returned int:"
    )


# Metadata


def test_metadata_is_that_of_the_component() -> None:
    """Also through terms that only pass a value on."""
    job = Metadata(job_id="job", update=Activity.RUNNING)
    current = component("c", lambda: Fixed(Ok(1), job))
    passing = [
        current,
        current.map(abs).map_error(str).map(abs),
        current.cutoff(lambda a, b: True),
        current.gate(on=constant(1)),
        current.ignore(),
        current.collapse(key="k", value="v", input=current),
        current.map(abs).state(),
        current.catch(),
    ]
    for term in passing:
        assert evaluate(metadata(term)) == Ok(job)
    decided = constant(1).bind(lambda _: pair(current, metadata(current)))
    assert evaluate(decided) == Ok((1, job))


def test_what_comes_from_no_component_has_no_metadata() -> None:
    """Nor has what comes from several, or from a decision. It is None, and known."""
    current = component("c", lambda: Fixed(Ok(1), Metadata(job_id="job")))
    none: list[Current[Any]] = [constant(1), fail("why"), active(Activity.READY)]
    several: list[Current[Any]] = [pair(current, current), seq([current]), all([current])]
    decided = [constant(1).bind(lambda _: current), constant([1]).list_map(lambda _: current)]
    for term in (*none, *several, *decided):
        assert evaluate(metadata(term)) == Ok(None)


def test_metadata_is_known_while_the_value_is_not() -> None:
    """The job of a component can be shown while it runs, and when it failed."""
    tap: Tap[int] = Tap("tap", READY)
    var = Var("v", 1)
    current = component("c", lambda _: tap, var.get())
    steps = Steps(metadata(current))
    assert steps.output == Ok(None)
    tap.set(Active(Activity.RUNNING), Metadata(job_id="job"))
    assert steps.step() == Ok(Metadata(job_id="job"))
    tap.set(Failed("why"), Metadata(job_id="job"))
    assert steps.step() == Ok(Metadata(job_id="job"))
    var.set(Failed("blocked"))
    assert steps.step() == Ok(None)
    steps.stop()


def test_metadata_alone_changes_nothing_for_users_of_the_value() -> None:
    """They are not computed again."""
    tap: Tap[int] = Tap("tap", Ok(1))
    current = tap.current()
    calls, seen = Calls(), Calls()
    steps = Steps(pair(current.map(calls.of(abs)), metadata(current).map(seen.of(str))))
    tap.set(Ok(1), Metadata(update=Activity.READY))
    steps.step()
    tap.set(Ok(1), Metadata(update=Activity.RUNNING))
    steps.step()
    assert calls == [1]
    assert seen == [None, Metadata(update=Activity.READY), Metadata(update=Activity.RUNNING)]
    steps.stop()


def test_all_who_ask_for_metadata_are_told() -> None:
    """Also those who go on asking when others have stopped."""
    tap: Tap[int] = Tap("tap", Ok(1))
    current = tap.current()
    var = Var("v", True)
    passing = var.get().bind(lambda yes: metadata(current) if yes else constant(None))
    steps = Steps(pair(metadata(current), passing))
    first, second = Metadata(job_id="1"), Metadata(job_id="2")
    tap.set(Ok(1), first)
    assert steps.step() == Ok((first, first))
    var.set(False)
    steps.step()
    tap.set(Ok(1), second)
    assert steps.step() == Ok((second, None))
    steps.stop()


def test_arguments_behind_the_star_may_come_in_any_order() -> None:
    """As of any function: the label, the function and the order of the inputs are the same."""

    @component("{a} {b} {c}")
    def join(a: str, *, b: str, c: str = "z") -> Primitive[str]:
        return Fixed(Ok(a + b + c))

    one, other = join(Var("a", "x").get(), b="y", c="w"), join("x", c=constant("w"), b="y")
    assert evaluate(one) == evaluate(other) == Ok("xyw")
    assert evaluate(join("x", b="y")) == Ok("xyz")
    shapes = [join("x", b="1", c="2").shape, join("x", c="2", b="1").shape]
    labels = [shape.label.names for shape in shapes if isinstance(shape, Component)]
    assert labels == [("a", "b", "c")] * 2
