"""The block in which a pipeline builds what runs the code of strangers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pycurrent.errors import WrongKind
from pycurrent.term.context import CONTEXT
from pycurrent.term.current import Current
from pycurrent.term.given import Stand, shown
from pycurrent.term.labels import label_block
from pycurrent.term.output import Ok
from pycurrent.term.primitive import NO_LABELS
from pycurrent.term.shape import Constant, Context, Guard, LabelBlock, Term
from pycurrent.term.trust import Trust, Trusted, Untrusted, trust_of_all


@contextmanager
def untrusted(trust: Trust | Current[Trust]) -> Iterator[None]:
    """Say of all stages that are built inside the block whether their work is trusted.

    `Trusted()` changes nothing, so one block can stand around what is done for all branches and
    pull requests. With `Untrusted(source, commit)` the stages share no results with others, wait
    until people have approved the commit, and get no secrets: see docs/untrusted.md. Of a current
    the stages wait for the value, and follow it.

    A block inside can't make anything trusted again, and two blocks of different commits, one in
    the other, are a failure of what is built in both. Raises `WrongKind` for anything else.
    """
    _check(trust)
    token = CONTEXT.set(_block(trust, CONTEXT.get()))
    try:
        yield
    finally:
        CONTEXT.reset(token)


def _check(trust: object) -> None:
    if not isinstance(trust, Trusted | Untrusted | Current):
        what = trust.remedy.what if isinstance(trust, Stand) else shown(trust)
        raise WrongKind(f"untrusted() takes Trusted(), Untrusted(...) or a current, not {what}")


def _block(trust: Trust | Current[Trust], outer: Context) -> LabelBlock:
    own = trust if isinstance(trust, Current) else _term(Constant(Ok(trust), None))
    around = label_block(outer)
    if around is None:
        return LabelBlock(NO_LABELS, None, outer, _term(Guard((own,), trust_of_all, None)))
    sources = (own,) if around.guard is None else (around.guard, own)
    return LabelBlock(around.fixed, around.term, outer, _term(Guard(sources, trust_of_all, None)))


def _term(shape: Any) -> Term:
    term: Current[Any] = Current(shape, None)
    return term
