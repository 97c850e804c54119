"""Pools whose resources are not counted here: a function of the author gets them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pycurrent.errors import WrongKind
from pycurrent.term import shown

if TYPE_CHECKING:
    from pycurrent.engine.pool import Pool

R_co = TypeVar("R_co", covariant=True)


class CustomPool(Generic[R_co]):
    """A pool whose resources come from elsewhere."""

    lends_places: ClassVar[bool] = False
    """True if its resources are places: see `place.py`."""

    def __init__(
        self,
        label: str,
        acquire: Callable[..., AbstractAsyncContextManager[R_co]],
        restore: Callable[[Any, Any], AbstractAsyncContextManager[R_co]] | None = None,
    ) -> None:
        if not isinstance(label, str) or not callable(acquire):
            raise WrongKind(
                f"Pool.of takes a label and a function of the job, not {shown(label)} and"
                f" {shown(acquire)}"
            )
        if restore is not None and not callable(restore):
            raise WrongKind(
                "Pool.of takes as restore= a function of the job and of the resource that it has,"
                f" not {shown(restore)}"
            )
        self.label = label
        self.acquire = acquire
        self.restore = restore

    def told(self, resource: object) -> object:
        """A resource in what can be JSON, from which `restore` makes it again."""
        return resource

    @property
    def counting(self) -> Pool | None:
        """The pool that counts its resources and has the queue, if there is one here."""
        return None

    @property
    def entry(self) -> Pool | None:
        """The pool through which its jobs pass before they ask for a resource, if there is one:
        there they wait without a task. Then `acquire(job, lender)` is called with what that one has
        lent, to be given back with the resource, or as soon as the job need not hold it.
        """
        return None

    def __repr__(self) -> str:
        return f"Pool.of({self.label!r}, ...)"

    def has_room(self, job: object) -> bool:
        """It is not known before it has been asked for."""
        return False
