"""The types that a type checker finds for terms: `mypy` checks this file, running it is free."""

from typing import Any, assert_type

from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Metadata,
    Ok,
    Output,
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
    metadata,
    option_seq,
    pair,
    seq,
)

NUMBER = constant(1)
TEXT = constant("x")
NUMBERS = constant([1, 2])


def option() -> int | None:
    return 1


OPTION = constant(None).map(lambda _: option())


@component("length {text}")
def length(text: str) -> Primitive[int]:
    return Primitive.constant(len(text))


def test_what_makes_currents_has_the_type_of_the_value() -> None:
    """From a value or an output; a failure fits anywhere."""
    assert_type(NUMBER, Current[int])
    output: Output[int] = Ok(1)
    assert_type(from_output(output), Current[int])
    assert_type(fail("why"), Current[Any])
    assert_type(active(Activity.READY), Current[Any])
    assert_type(Var("v", 1).get(), Current[int])
    assert_type(Var[int]("v", Failed("why")).get(), Current[int])
    assert_type(evaluate(NUMBER), Ok[int] | Failed | Active)


def test_methods_have_the_type_of_what_they_make() -> None:
    """As far as it follows from the function's."""
    assert_type(NUMBER.map(str), Current[str])
    assert_type(NUMBER.map_error(str.upper), Current[int])
    assert_type(NUMBER.bind(lambda x: TEXT), Current[str])
    assert_type(NUMBER.state(), Current[Ok[int] | Failed | Active])
    assert_type(NUMBER.catch(), Current[Ok[int] | Failed])
    assert_type(NUMBER.gate(on=TEXT), Current[int])
    assert_type(NUMBER.cutoff(lambda old, new: True), Current[int])
    assert_type(NUMBER.ignore(), Current[None])
    assert_type(NUMBER.collapse(key="k", value="v", input=TEXT), Current[int])


def test_lists_and_options_have_the_type_of_their_items() -> None:
    """The function gets a current of one, and its result is that of one."""
    assert_type(NUMBERS.list_map(lambda item: item.map(str)), Current[list[str]])
    assert_type(NUMBERS.list_map(lambda item: assert_type(item, Current[int])), Current[list[int]])
    assert_type(NUMBERS.list_iter(lambda item: item), Current[None])
    assert_type(OPTION.option_map(lambda x: x.map(str)), Current[str | None])
    assert_type(OPTION.option_iter(lambda x: x), Current[None])


def test_several_currents_have_the_types_of_all() -> None:
    """A pair of both, a list of each."""
    optional: Current[int] | None = NUMBER
    assert_type(map(lambda a, b: "c", NUMBER, TEXT), Current[str])
    assert_type(bind(lambda a, b: TEXT, NUMBER, TEXT), Current[str])
    assert_type(pair(NUMBER, TEXT), Current[tuple[int, str]])
    assert_type(seq([NUMBER, NUMBER]), Current[list[int]])
    assert_type(all([NUMBER, TEXT]), Current[None])
    assert_type(all({"A": NUMBER, "B": TEXT}), Current[None])
    assert_type(option_seq(optional), Current[int | None])
    assert_type(metadata(NUMBER), Current[Metadata | None])
    assert_type(
        collapse_list([NUMBER], key="k", value="v", input=TEXT),
        tuple[list[Current[int]], Current[None]],
    )


def test_components_have_the_type_of_their_primitives() -> None:
    """As a decorator, and inline."""
    assert_type(length(TEXT), Current[int])
    assert_type(length("plain"), Current[int])
    assert_type(component("c", lambda x: Primitive.constant("x"), NUMBER), Current[str])
    assert_type(Primitive.constant(1), Primitive[int])


def test_a_current_of_something_special_is_one_of_the_general() -> None:
    """Currents are covariant, as what is only read may be."""
    general: Current[object] = NUMBER
    assert_type(general, Current[object])
