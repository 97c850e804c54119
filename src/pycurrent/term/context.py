"""The context of the code that builds a pipeline: what leads to all that it builds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pycurrent.term.shape import Context, ContextBlock, Term

# State of the running code, not of the module: each thread and task has its own.
CONTEXT: ContextVar[Context] = ContextVar("pycurrent_context", default=None)


@contextmanager
def context(current: Term) -> Iterator[None]:
    """Make `current` an input, in the diagram, of every term that is built inside the block.

    It changes nothing else: the terms don't wait for it, and it does not become needed.
    """
    token = CONTEXT.set(ContextBlock(current, CONTEXT.get()))
    try:
        yield
    finally:
        CONTEXT.reset(token)


@contextmanager
def within(outer: Context) -> Iterator[None]:
    """Build what follows as if it stood in that context."""
    token = CONTEXT.set(outer)
    try:
        yield
    finally:
        CONTEXT.reset(token)
