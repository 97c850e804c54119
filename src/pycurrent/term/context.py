"""What is an input, in the diagram, of everything built inside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pycurrent.term.current import Current


class Context:
    """A term that leads to what is built inside it, and the context it stands in."""

    __slots__ = ("outer", "term")

    def __init__(self, term: Current[Any], outer: Context | None = None) -> None:
        self.term = term
        self.outer = outer

    def terms(self) -> Iterator[Current[Any]]:
        """All terms that lead here, the innermost first."""
        here: Context | None = self
        while here is not None:
            yield here.term
            here = here.outer


# State of the running code, not of the module: each thread and task has its own.
CONTEXT: ContextVar[Context | None] = ContextVar("pycurrent_context", default=None)


@contextmanager
def context(current: Current[Any]) -> Iterator[None]:
    """Make `current` an input, in the diagram, of every term that is built inside the block.

    It changes nothing else: the terms don't wait for it, and it does not become needed.
    """
    token = CONTEXT.set(Context(current, CONTEXT.get()))
    try:
        yield
    finally:
        CONTEXT.reset(token)


@contextmanager
def within(outer: Context | None) -> Iterator[None]:
    """Build what follows as if it stood in that context."""
    token = CONTEXT.set(outer)
    try:
        yield
    finally:
        CONTEXT.reset(token)
