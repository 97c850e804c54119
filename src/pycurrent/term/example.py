"""Building the part of a pipeline that depends on a value: for it, or as an example without it."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any
from weakref import WeakKeyDictionary

from msgspec import Struct

from pycurrent.incr import materialize
from pycurrent.term.context import within
from pycurrent.term.current import Current, fail
from pycurrent.term.given import called, wrong_current
from pycurrent.term.output import failed_by, text_of
from pycurrent.term.shape import (
    BindShape,
    Component,
    Context,
    ItemOf,
    Itemwise,
    ListMap,
    Placeholder,
    Term,
)

MAX_DEPTH = 8
"""How deep examples of lists within lists are shown."""


def build(fn: Callable[..., Any], context: Context, *args: Any) -> Current[Any]:
    """Run a function that decides on a part of a pipeline."""
    with within(context):
        term = fn(*args)
    if not isinstance(term, Current):
        raise wrong_current(term, f"{called(fn)} must return a current")
    return term


def build_for_item(parent: Term, item: Current[Any]) -> Current[Any]:
    """Build the part of a list or an option for an item."""
    shape = parent.shape
    assert isinstance(shape, Itemwise)
    term = build(shape.fn, item, item)
    if isinstance(shape, ListMap) and shape.collapse_key is not None:
        with within(parent.context):
            return term.collapse(key=shape.collapse_key, value=item_label(item), input=item)
    return term


def item_label(item: Term) -> str:
    """The name of an item of a list: its key, if it has one, as text."""
    match item.shape:
        case ItemOf(parent=parent, item=node):
            by_key = isinstance(parent.shape, ListMap) and parent.shape.key is not None
            return text_of(node.key if by_key else materialize(node.item))
        case _:
            return "(each item)"


class Example(Struct, frozen=True):
    """The part that a list or an option would build for an item."""

    item: Term
    """Stands for the item."""
    part: Term


class ExampleStages(Struct, frozen=True):
    """The stages in an example that do not live anyway."""

    stages: list[Term]
    border: list[Term]
    """The living terms that it leads into: when one of them dies, it shows more."""


class Examples:
    """The examples of lists and options, each built when it is first asked for.

    They belong to one engine or drawing: terms themselves are shared, and never written to.
    """

    def __init__(self) -> None:
        # Weak, as lists come and go inside of binds.
        self._built: WeakKeyDictionary[Term, Example] = WeakKeyDictionary()

    def of(self, parent: Term) -> Example:
        example = self._built.get(parent)
        if example is None:
            shape = parent.shape
            assert isinstance(shape, Itemwise)
            item: Current[Any] = Current(Placeholder(shape), parent.context)
            try:
                part = build_for_item(parent, item)
            except BaseException as error:
                # It will be seen again, as a failure, as soon as there is an item.
                part = fail(failed_by(error).message)
            example = self._built[parent] = Example(item, part)
        return example

    def stages_of(self, parent: Term, alive: Container[Term]) -> ExampleStages:
        """The stages in the example of `parent`, and in those of lists within it."""
        stages: list[Term] = []
        border: list[Term] = []
        seen: set[Term] = set()
        stack: list[tuple[Term, tuple[object, ...]]] = [(self.of(parent).part, (identity(parent),))]
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
                    stack.append((self.of(term).part, (*enclosing, identity(term))))
            stack.extend((source, enclosing) for source in shape.inputs())
        return ExampleStages(stages, border)


def identity(parent: Term) -> object:
    """Return a value that equal lists share: one and the same list within itself, for example."""
    fn = getattr(parent.shape, "fn", None)
    return getattr(fn, "__code__", fn)


def shows_example(parent: Term, enclosing: tuple[object, ...]) -> bool:
    """True if an example within examples is shown: not where a pipeline builds itself again."""
    return len(enclosing) < MAX_DEPTH and identity(parent) not in enclosing
