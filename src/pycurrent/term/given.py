"""Checking what authors give to the graph, once, where it enters.

A value is known: one may compare it, keep it, read it twice. A stand-in for a value (a current, a
coroutine, a generator) is refused, with what to write instead, and so is a function that would
return one. The members of a collection are checked too, but not what is in them.
"""

from __future__ import annotations

import functools
import inspect
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from types import FunctionType, MethodType
from typing import Any, ClassVar, NamedTuple

from pycurrent.errors import WrongKind
from pycurrent.incr import SCALARS, LazyList


class Remedy(NamedTuple):
    """Describes something that is not a value, and says what to write instead."""

    what: str
    returned: str
    """The advice if a function returned it."""
    given: str
    """The advice if it was given."""


class Stand:
    """A stand-in for a value that only a running engine has."""

    __slots__ = ()
    remedy: ClassVar[Remedy]


_COROUTINE = Remedy(
    "a coroutine",
    "nothing would await it: work that takes time is an operation, see @builder",
    "give what it returns, or make an operation of it, see @builder",
)
_ASYNC_ITERATOR = Remedy(
    "an async generator",
    "nothing would read it: work that takes time is an operation, see @builder",
    "give a list of what it yields",
)
_LOOKED_INTO = (list, tuple, set, frozenset)
LAZY = (
    inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ITERABLE_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)
"""The code flags of functions that do not return a value when called."""


def check_value(value: Any, giver: Callable[..., Any] | str | None = None) -> None:
    """Raise `WrongKind` for something that can't be a value. `giver` is the function that returned
    it, or the name of the function that it was given to.
    """
    remedy = unfit(value)
    if remedy is None:
        return
    if giver is None or isinstance(giver, str):
        where = giver or "a current"
        raise WrongKind(f"{where} takes a value, not {remedy.what}: {remedy.given}")
    raise WrongKind(f"{called(giver)} returned {remedy.what}: {remedy.returned}")


def unfit(value: Any) -> Remedy | None:
    """Return the remedy for something that can't be a value; None if it can. Closes a coroutine,
    as that would complain that it was never awaited.
    """
    kind = type(value)
    if kind in SCALARS or kind is LazyList:
        return None
    remedy = _remedy(kind, value)
    if remedy is None and kind in _LOOKED_INTO:
        return _remedy_of_members(value, kind)
    if remedy is None and kind is dict:
        return _remedy_of_members(value.values(), kind) or _remedy_of_members(value, kind)
    return remedy


def _remedy_of_members(members: Any, kind: type) -> Remedy | None:
    # Their number may be large, but they are of few types: one of each will do.
    for member_kind in set(map(type, members)) - SCALARS:
        member = next(member for member in members if type(member) is member_kind)
        remedy = _remedy(member_kind, member)
        if remedy is None:
            continue
        what = f"a {kind.__name__} that holds {remedy.what}"
        if isinstance(member, Stand):
            made = "make one current of it, see seq() and map()"
            return Remedy(what, f"{made}, in bind instead of map", made)
        return remedy._replace(what=what)
    return None


def _remedy(kind: type, value: Any) -> Remedy | None:
    """Return the remedy for an object that is not a value."""
    if issubclass(kind, Stand):
        return kind.remedy
    if hasattr(kind, "__await__"):
        if inspect.iscoroutine(value):
            value.close()
            return _COROUTINE
        return _COROUTINE._replace(what=f"an awaitable ({kind.__name__})")
    if hasattr(kind, "__anext__") and inspect.isasyncgen(value):
        return _ASYNC_ITERATOR
    if hasattr(kind, "__next__") and _is_read_once(value):
        if isinstance(value, io.IOBase):
            how = "it is open only here: {} its path, or its text"
            return Remedy("an open file", how.format("return"), how.format("give"))
        what = "a generator" if inspect.isgenerator(value) else f"an iterator ({kind.__name__})"
        return Remedy(
            what,
            "it can be read only once: make it a list",
            "it can be read only once: give a list",
        )
    if issubclass(kind, BaseException):
        return Remedy(f"an exception ({kind.__name__})", "raise it", "see fail()")
    if issubclass(kind, type) and issubclass(value, BaseException):
        what = f"the exception class {value.__name__}"
        return Remedy(what, "raise it", "see fail()")
    return None


def _is_read_once(value: Any) -> bool:
    try:
        return iter(value) is value
    except Exception:
        return False


def check_function(fn: Any, where: str) -> None:
    """Raise `WrongKind` unless it is a function that returns a value when called: an async
    function or a generator does not.
    """
    # Quickly for functions and methods, which most are; calling a class again, say, is for below.
    inner = fn.__func__ if type(fn) is MethodType else fn
    if type(inner) is FunctionType and not inner.__code__.co_flags & LAZY:
        return
    if isinstance(fn, Stand):
        raise WrongKind(f"{where} takes a function of the value, not {fn.remedy.what}")
    if not callable(fn):
        raise WrongKind(f"{where} takes a function, not {shown(fn)}")
    flags = _flags(fn)
    if flags & inspect.CO_GENERATOR:
        raise WrongKind(
            f"{where} takes a plain function, and {called(fn)} is a generator: have it return"
            f" a list"
        )
    if flags & LAZY:
        raise WrongKind(
            f"{where} takes a plain function, and {called(fn)} is async: nothing would await it;"
            f" work that takes time is an operation, see @builder"
        )


def check_count(fn: Any, count: int, where: str) -> None:
    """Raise `WrongKind` if a plain function can't be called with so many values."""
    if type(fn) is not FunctionType or (code := fn.__code__).co_argcount == count:
        return
    most, least = code.co_argcount, code.co_argcount - len(fn.__defaults__ or ())
    is_open = code.co_flags & inspect.CO_VARARGS
    if (count > most and not is_open) or count < least:
        values = "1 value" if count == 1 else f"{count} values"
        raise WrongKind(
            f"{where} gives {values} to {called(fn)}, which takes {most if count > most else least}"
        )


def _flags(fn: Any) -> int:
    """The flags of the code of a function, or of an object that can be called."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    if not isinstance(fn, type) and not inspect.isroutine(fn):
        fn = getattr(type(fn), "__call__", None)  # noqa: B004
    if isinstance(fn, MethodType):
        fn = fn.__func__
    return fn.__code__.co_flags if isinstance(fn, FunctionType) else 0


def check_text(text: Any, where: str) -> None:
    """Raise `WrongKind` unless it is a text."""
    if type(text) is not str and not isinstance(text, str):
        what = text.remedy.what if isinstance(text, Stand) else shown(text)
        raise WrongKind(f"{where} takes a text, not {what}")


def called(fn: Callable[..., Any]) -> str:
    """`test (pipeline.py:12)`: the name of a function, and where its author finds it."""
    inner = _inner(fn)
    return f"{str(inner.__qualname__).rpartition('<locals>.')[2]}{place_of(inner)}"


def place_of(fn: Callable[..., Any]) -> str:
    """` (pipeline.py:12)`: where its author finds a function; empty if nobody knows."""
    code = getattr(_inner(fn), "__code__", None)
    return "" if code is None else f" ({PurePath(code.co_filename).name}:{code.co_firstlineno})"


def _inner(fn: Callable[..., Any]) -> Any:
    """The function as it is written, or the class of an object that can be called."""
    inner: Any = fn
    while isinstance(inner, functools.partial):
        inner = inner.func
    inner = inspect.unwrap(inner)
    if isinstance(inner, MethodType):
        inner = inner.__func__
    return inner if hasattr(inner, "__qualname__") else type(inner)


def shown(value: object) -> str:
    """A wrong argument, in a message: itself if it is short and simple, or else its type."""
    if value is None or isinstance(value, str | int | float | bool):
        text = repr(value)
        if len(text) <= 40:
            return text
    return type(value).__name__


def wrong_current(value: Any, where: str) -> WrongKind:
    """The error for something that was given in the place of a current."""
    if isinstance(value, Stand):
        # A current can only be wrong in the place of a list of them.
        hint = "write [x]" if hasattr(type(value), "list_map") else value.remedy.given
        return WrongKind(f"{where}, not {value.remedy.what}: {hint}")
    if inspect.iscoroutine(value):
        value.close()
        return WrongKind(f"{where}, not a coroutine: work that takes time is a @builder")
    if inspect.isroutine(value):
        return WrongKind(f"{where}, not the function {called(value)}: call it")
    if isinstance(value, list | tuple):
        hint = "make one current of several by seq([...]) or all([...])"
        return WrongKind(f"{where}, not a {type(value).__name__}: {hint}")
    if isinstance(instead := getattr(type(value), "given_instead", None), str):
        return WrongKind(f"{where}, not {type(value).__name__}: {instead}")
    if value is None:
        return WrongKind(
            f"{where}, not None: return one (is a `return` missing?), or see constant()"
        )
    return WrongKind(f"{where}, not {type(value).__name__}: see constant()")


def check_list(value: Any, where: str) -> None:
    """Raise `WrongKind` unless it is a list of items: a text is one only by accident."""
    if isinstance(value, str | bytes | bytearray):
        raise WrongKind(
            f"{where} takes a list, not {shown(value)}: split it, as in"
            f" x.map(lambda text: text.split())"
        )
    if isinstance(value, Mapping):
        raise WrongKind(
            f"{where} takes a list, not a {type(value).__name__}: say what of it, as in"
            f" x.map(lambda d: list(d.items()))"
        )
    if not isinstance(value, Iterable):
        raise WrongKind(f"{where} takes a list, not {shown(value)}")


def wrong_primitive(value: Any, fn: Callable[..., Any]) -> WrongKind:
    """The error for something that the function of a component returned."""
    match value:
        case Stand(remedy=remedy) if hasattr(value, "shape"):
            hint = "it works on currents already, so call it without component(), or in bind"
        case Stand(remedy=remedy):
            hint = remedy.returned
        case _ if inspect.iscoroutine(value):
            value.close()
            hint = "work that takes time is an operation, see @builder"
        case _:
            hint = "a plain function of values belongs in map; see Primitive.constant()"
    what = value.remedy.what if isinstance(value, Stand) else type(value).__name__
    return WrongKind(f"{called(fn)} must return a Primitive, not {what}: {hint}")
