"""Labels of stages: texts such as repo=web, by which people find stages and jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pycurrent.errors import WrongKind
from pycurrent.term.context import CONTEXT
from pycurrent.term.current import Current
from pycurrent.term.given import Stand, shown
from pycurrent.term.shape import Component, Context, ContextBlock, LabelBlock, Labelling, Term


@contextmanager
def labels(**labels: str | Current[str]) -> Iterator[None]:
    """Give labels to all stages that are built inside the block.

    A label that is a current has its value once that is known, and follows it; no stage waits for
    that. A block inside has the labels of the block around it, too, and its own win. They change
    nothing else: history, jobs and acts are found by them.

    Raises `WrongKind` for something else than a text or a current, or without any label.
    """
    if not labels:
        raise WrongKind('labels takes names with texts: labels(repo="web")')
    for name, value in labels.items():
        check_label_value(name, value)
    token = CONTEXT.set(_block(labels, CONTEXT.get()))
    try:
        yield
    finally:
        CONTEXT.reset(token)


def check_label_value(name: str, value: object) -> None:
    """Raise `WrongKind` for something that is neither a text nor a current."""
    if isinstance(value, str | Current):
        return
    what = value.remedy.what if isinstance(value, Stand) else shown(value)
    raise WrongKind(f"labels({name}=...) takes a text or a current of one, not {what}")


def _block(labels: Mapping[str, str | Current[str]], outer: Context) -> LabelBlock:
    own = {name: value for name, value in labels.items() if isinstance(value, str)}
    currents = {name: value for name, value in labels.items() if isinstance(value, Current)}
    around = label_block(outer)
    fixed = own
    if around is not None:
        fixed = {**around.fixed, **own}
        for name in currents:
            fixed.pop(name, None)
    names: list[str | None] = [*currents]
    sources: list[Term] = [*currents.values()]
    if around is not None and around.term is not None:
        names.insert(0, None)
        sources.insert(0, around.term)
    else:
        own = fixed
    term = _labelling(Labelling(tuple(sources), tuple(names), own)) if sources else None
    return LabelBlock(fixed, term, outer, None if around is None else around.guard)


def _labelling(shape: Labelling) -> Term:
    term: Current[Any] = Current(shape, None)
    return term


def label_block(context: Context) -> LabelBlock | None:
    """The innermost block with labels, or a trust, around what is built in this context."""
    here = context
    while here is not None:
        match here:
            case LabelBlock():
                return here
            case ContextBlock():
                here = here.outer
            case _:
                here = here.context
    return None


def needed_terms(term: Term) -> Sequence[Term]:
    """The terms that need nodes before it gets one."""
    inputs = term.shape.inputs()
    if term.context is None:
        return inputs
    block = block_to_follow(term)
    return inputs if block is None else (*inputs, *block.followed)


def block_to_follow(term: Term) -> LabelBlock | None:
    """The block around a component, if some of its labels are currents, or it has a trust."""
    if term.context is None or not isinstance(term.shape, Component):
        return None
    block = label_block(term.context)
    return block if block is not None and block.followed else None
