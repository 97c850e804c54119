"""Running the functions of dynamic terms: for a value, for an item, or to show an example."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from pycurrent.incr import materialize
from pycurrent.term.context import Context, within
from pycurrent.term.current import Current, fail
from pycurrent.term.given import called, wrong_current
from pycurrent.term.output import failed_by, text_of
from pycurrent.term.shape import (
    BindShape,
    Component,
    ItemOf,
    Itemwise,
    ListMap,
    Placeholder,
)

MAX_DEPTH = 8
"""How deep examples of lists within lists are shown."""


def build(fn: Callable[..., Any], context: Context | None, *args: Any) -> Current[Any]:
    """Run a function that decides on a part of a pipeline."""
    with within(context):
        term = fn(*args)
    if not isinstance(term, Current):
        raise wrong_current(term, f"{called(fn)} must return a current")
    return term


def build_for_item(parent: Current[Any], item: Current[Any]) -> Current[Any]:
    """What a list or an option does for an item."""
    shape = parent.shape
    assert isinstance(shape, Itemwise)
    term = build(shape.fn, parent.context, item)
    if isinstance(shape, ListMap) and shape.collapse_key is not None:
        with within(parent.context):
            return term.collapse(key=shape.collapse_key, value=item_label(item), input=item)
    return term


def item_label(item: Current[Any]) -> str:
    """How an item of a list is called: by its key, if it has one."""
    match item.shape:
        case ItemOf(parent=parent, item=node):
            by_key = isinstance(parent.shape, ListMap) and parent.shape.key is not None
            return text_of(node.key if by_key else materialize(node.item))
        case _:
            return "(each item)"


def example(parent: Current[Any]) -> Current[Any]:
    """What a list or an option would do for an item. Made once, when first asked for."""
    shape = parent.shape
    assert isinstance(shape, Itemwise)
    if shape.example is None:
        item: Current[Any] = Current(Placeholder(parent), parent.context)
        try:
            shape.example = build_for_item(parent, item)
        except BaseException as error:
            # It will be seen again, as a failure, as soon as there is an item.
            shape.example = fail(failed_by(error).message)
    return shape.example


@dataclass(frozen=True, slots=True)
class Illustration:
    """What an example shows besides what is alive."""

    stages: list[Current[Any]]
    border: list[Current[Any]]
    """The living terms that it leads into: when one of them dies, it shows more."""


def illustrate(parent: Current[Any], alive: Container[Current[Any]]) -> Illustration:
    """What the example of `parent`, with those of lists within it, shows."""
    stages: list[Current[Any]] = []
    border: list[Current[Any]] = []
    seen: set[Current[Any]] = set()
    stack: list[tuple[Current[Any], tuple[object, ...]]] = [(example(parent), (identity(parent),))]
    while stack:
        term, enclosing = stack.pop()
        if term in seen:
            continue
        seen.add(term)
        if term in alive:
            border.append(term)
            continue
        shape = term.shape
        match shape:
            case Component() | BindShape(name=str()):
                stages.append(term)
            case Itemwise() if shows_example(term, enclosing):
                stack.append((example(term), (*enclosing, identity(term))))
        stack.extend((source, enclosing) for source in shape.inputs())
    return Illustration(stages, border)


def identity(parent: Current[Any]) -> object:
    """What tells that a list is the same, one level deeper, as one around it."""
    fn = getattr(parent.shape, "fn", None)
    return getattr(fn, "__code__", fn)


def shows_example(parent: Current[Any], enclosing: tuple[object, ...]) -> bool:
    """Whether an example within examples is shown: not where a pipeline builds itself again."""
    return len(enclosing) < MAX_DEPTH and identity(parent) not in enclosing
