"""The interface of operations of all kinds to the cache; their classes are checked where they are
defined.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from pycurrent.engine import Job
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import called, shown

OF_THE_CLASS = ("id", "version", "retry", "auto_cancel", "latched", "durable")
"""The names of what a class of operations says once for all its objects."""
_FLAGS = ("auto_cancel", "latched")
_OURS = frozenset({__name__, "pycurrent.cache.operation"})
"""The modules of the classes from which operations derive."""


class AnyOperation(ABC):
    """A builder, a publisher, or an operation of the general form. Authors derive from those."""

    id: ClassVar[str]
    """Names the operation in the database: never give it to another operation or change it."""
    auto_cancel: ClassVar[bool] = False
    """True to cancel a running job as soon as nobody needs its result."""
    latched: ClassVar[bool] = False
    """True to report the last outcome while a new value is being set."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _check_class(cls)

    @abstractmethod
    async def work(self, job: Job, key: Any, value: Any) -> Any:
        """Run it. `value` is None for an operation that has none."""

    @abstractmethod
    def title(self, key: Any, value: Any) -> str:
        """The work in a line, as people see it."""

    @classmethod
    @abstractmethod
    def types(cls) -> tuple[object, object | None, object]:
        """The types of key, value (None for no value), and outcome."""


def _check_class(cls: type) -> None:
    """Raise `UsageError` for a class of operations that would do something else than it says."""
    _check_methods(cls)
    methods = {
        name
        for ancestor in cls.__mro__
        if ancestor.__module__ in _OURS
        for name in vars(ancestor)
        if not name.startswith("_")
    }
    for name in _fields(cls):
        where = f"{cls.__name__}: the field {name!r}"
        if name in OF_THE_CLASS:
            raise UsageError(
                f"{where} would be one of each object, and is the class's: write"
                f" {name}: ClassVar[...] = ..., or give the field another name"
            )
        if name in methods:
            raise UsageError(
                f"{where} has the name of a method of operations: give it another name"
            )
    _check_attributes(cls)


def _check_methods(cls: type) -> None:
    for name in ("build", "publish", "run"):
        fn = vars(cls).get(name)
        if inspect.isfunction(fn) and not inspect.iscoroutinefunction(inspect.unwrap(fn)):
            raise UsageError(
                f"{cls.__name__}: {called(fn)} must be an async method: write async def {name}"
            )


def _check_attributes(cls: type) -> None:
    given = vars(cls)
    if "id" in given and not isinstance(given["id"], str):
        raise WrongKind(f"{cls.__name__}: id is a text, not {_told(given['id'])}")
    for name in _FLAGS:
        if name in given and not isinstance(given[name], bool):
            raise WrongKind(f"{cls.__name__}: {name} is True or False, not {_told(given[name])}")


def _told(value: Any) -> str:
    if isinstance(value, property) or inspect.isroutine(value):
        return f"what gives one ({type(value).__name__})"
    return shown(value)


def _fields(cls: type) -> Iterator[str]:
    """The names of the fields of a class, by its annotations and those that it has inherited."""
    for ancestor in cls.__mro__:
        if ancestor.__module__ in _OURS:
            continue
        for name, annotation in inspect.get_annotations(ancestor).items():
            if "ClassVar" not in str(annotation):
                yield name
