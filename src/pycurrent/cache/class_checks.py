"""The check of a class of operations, where it is defined: it does what it says."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from pycurrent.cache.retry import Retry
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import called, shown

OF_THE_CLASS = (
    "id",
    "version",
    "retry",
    "auto_cancel",
    "latched",
    "lookup",
    "durable",
    "local",
    "for_untrusted",
)
"""The names of what a class of operations says once for all its objects."""
RETIRE, STILL_THERE, STILL_THERE_MANY = "retire", "still_there", "still_there_many"
"""The names of methods that operations may have: see `Retiring`, `CanTell` and `CanTellOfMany`."""
_FLAGS = ("auto_cancel", "latched", "lookup", "durable", "local", "for_untrusted")
OURS = frozenset({"pycurrent.cache.operation", "pycurrent.cache.operation_type"})
"""The modules of the classes from which operations derive."""


def check_class(cls: type) -> None:
    """Raise `UsageError` for a class of operations that would do something else than it says."""
    _check_methods(cls)
    methods = {
        name
        for ancestor in cls.__mro__
        if ancestor.__module__ in OURS
        for name in vars(ancestor)
        if not name.startswith("_")
    }
    methods.update((RETIRE, STILL_THERE, STILL_THERE_MANY))
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
    for name in ("build", "publish", "run", RETIRE, STILL_THERE, STILL_THERE_MANY):
        fn = vars(cls).get(name)
        if inspect.isfunction(fn) and not inspect.iscoroutinefunction(inspect.unwrap(fn)):
            raise UsageError(
                f"{cls.__name__}: {called(fn)} must be an async method: write async def {name}"
            )


def _check_attributes(cls: type) -> None:
    given = vars(cls)
    if "id" in given and not isinstance(given["id"], str):
        raise WrongKind(f"{cls.__name__}: id is a text, not {_told(given['id'])}")
    if "version" in given:
        check_version(given["version"], cls.__name__)
    for name in _FLAGS:
        if name in given and not isinstance(given[name], bool):
            raise WrongKind(f"{cls.__name__}: {name} is True or False, not {_told(given[name])}")
    if "retry" in given and not isinstance(given["retry"], Retry):
        raise WrongKind(f"{cls.__name__}: retry is a Retry, not {_told(given['retry'])}")


def check_version(version: Any, where: str) -> None:
    """Raise `WrongKind` for what can't be the version of an operation."""
    is_number = isinstance(version, int) and not isinstance(version, bool)
    if version is None or is_number or (isinstance(version, str) and version):
        return
    raise WrongKind(
        f"{where}: version is a text or a whole number, not {_told(version)}: write, say,"
        f' version = "2"'
    )


def _told(value: Any) -> str:
    if isinstance(value, property) or inspect.isroutine(value):
        return f"what gives one ({type(value).__name__})"
    return shown(value)


def _fields(cls: type) -> Iterator[str]:
    """The names of the fields of a class, by its annotations and those that it has inherited."""
    for ancestor in cls.__mro__:
        if ancestor.__module__ in OURS:
            continue
        for name, annotation in inspect.get_annotations(ancestor).items():
            if "ClassVar" not in str(annotation):
                yield name
