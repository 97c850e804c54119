"""The types that annotations name, with everything resolved that only stands for a type.

Aliases, `NewType`, `Annotated`, forward references and the type variables of generic classes are
replaced by what they stand for. A type argument is an `object` here: it may be anything that an
annotation can hold.
"""

import inspect
import sys
import types
import typing
from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ForwardRef,
    NewType,
    TypeAlias,
    TypeVar,
    get_args,
    get_origin,
)

from msgspec import Struct

from pycurrent.cache.forms.form import MisfitError

if TYPE_CHECKING:
    from dataclasses import Field

Scope: TypeAlias = Mapping[str, object]
"""The names that forward references may use, besides those of the module they are written in."""

_QUALIFIERS = frozenset({"Annotated", "Final", "NotRequired", "ReadOnly", "Required"})


class Declaration(Struct, frozen=True):
    """A field as a class declares it."""

    name: str
    type: object
    required: bool = True
    """False: it may be missing, or has a default that stands in for it."""


def name_of(tp: object) -> str:
    """How messages name a type."""
    if isinstance(tp, type) and not get_args(tp):
        return tp.__qualname__
    return str(tp).replace("typing.", "")


def is_dataclass(cls: type) -> bool:
    """As `dataclasses` tells it, which is loaded only where there is one."""
    return hasattr(cls, "__dataclass_fields__")


def dataclass_fields(cls: Any) -> "tuple[Field[Any], ...]":
    from dataclasses import fields

    return fields(cls)


def is_typed_dict(cls: type) -> bool:
    return typing.is_typeddict(cls)


def is_named_tuple(cls: type) -> bool:
    return issubclass(cls, tuple) and hasattr(cls, "_fields")


def module_scope(cls: type) -> Scope:
    """The names of the module that a class is defined in."""
    return vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}


def bare(tp: Any, scope: Scope) -> object:
    """The type that `tp` stands for; None for the type of None.

    Raises MisfitError for a name that can't be found and for an open type variable.
    """
    while True:
        origin = get_origin(tp)
        if tp is types.NoneType:
            return None
        if isinstance(tp, (str, ForwardRef)):
            tp = _evaluate(tp, scope)
        elif isinstance(tp, NewType):
            tp = tp.__supertype__
        elif origin is Annotated or getattr(origin, "_name", None) in _QUALIFIERS:
            tp = get_args(tp)[0]
        elif _is_alias(tp):
            tp = tp.__value__
        elif _is_alias(origin):
            tp = get_origin(tp).__value__[get_args(tp)]
        elif isinstance(tp, TypeVar):
            raise MisfitError(f"has the type variable {tp}, which stands for no type here")
        else:
            return tp


def _is_alias(tp: object) -> bool:
    # The aliases of the `type` statement, and their backport.
    return type(tp).__name__ == "TypeAliasType"


def _evaluate(reference: str | ForwardRef, scope: Scope) -> object:
    holder = types.SimpleNamespace(__annotations__={"it": reference})
    try:
        return typing.get_type_hints(holder, dict(scope), include_extras=True)["it"]
    except NameError as error:
        raise _unknown_name(error) from error


def _unknown_name(error: NameError) -> MisfitError:
    return MisfitError(
        f"has a type that names {error.name!r}, which is not defined in its module: "
        "define it there, not in a function"
    )


# Fields


def declarations(cls: type, args: tuple[object, ...], scope: Scope) -> list[Declaration]:
    """The fields of a dataclass, a named tuple or a typed dictionary, in their order.

    `args` are the type arguments if the class is generic. Raises MisfitError.
    """
    hints = _hints(cls, scope)
    bindings = _bindings(cls, args)
    names = _field_names(cls, hints)
    if is_typed_dict(cls):
        required = _required_keys(cls, hints)
    else:
        required = frozenset(names) - _with_default(cls)
    return [
        Declaration(
            name,
            _substitute(hints.get(name, Any), bindings[_declarer(cls, name)]),
            name in required,
        )
        for name in names
    ]


def _field_names(cls: Any, hints: Mapping[str, object]) -> list[str]:
    if is_dataclass(cls):
        # Fields that don't count for equality can't count for the canonical text.
        return [field.name for field in dataclass_fields(cls) if field.compare]
    if is_named_tuple(cls):
        return list(cls._fields)
    return list(hints)


def _with_default(cls: Any) -> frozenset[str]:
    if is_named_tuple(cls):
        return frozenset(cls._field_defaults)
    from dataclasses import MISSING

    return frozenset(
        field.name
        for field in dataclass_fields(cls)
        if field.default is not MISSING or field.default_factory is not MISSING
    )


def _hints(cls: type, scope: Scope) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except NameError:
        # A class defined in a function is not among the names of its module, but may name itself.
        known = {**scope, **vars(cls), cls.__name__: cls}
    try:
        return typing.get_type_hints(cls, localns=known, include_extras=True)
    except NameError as error:
        raise _unknown_name(error) from error


def _required_keys(cls: Any, hints: Mapping[str, object]) -> frozenset[str]:
    # The class itself doesn't know of those that are marked within a string.
    marked = {name: getattr(get_origin(hint), "_name", None) for name, hint in hints.items()}
    required = {name for name, mark in marked.items() if mark == "Required"}
    optional = {name for name, mark in marked.items() if mark == "NotRequired"}
    return frozenset((cls.__required_keys__ | required) - optional)


# Generic classes

_Binding: TypeAlias = Mapping[object, object]


def _bindings(cls: type, args: tuple[object, ...]) -> dict[type, _Binding]:
    """For each class that `cls` inherits from: what its type variables stand for."""
    bindings: dict[type, _Binding] = {
        cls: dict(zip(getattr(cls, "__parameters__", ()), args, strict=False))
    }
    for child in cls.__mro__:
        binding = bindings.setdefault(child, {})
        for parent in vars(child).get("__orig_bases__", ()):
            origin = get_origin(parent)
            parameters = getattr(origin, "__parameters__", ())
            if isinstance(origin, type) and parameters:
                inherited = [_substitute(arg, binding) for arg in get_args(parent)]
                bindings[origin] = dict(zip(parameters, inherited, strict=False))
    return bindings


def _declarer(cls: type, name: str) -> type:
    return next((c for c in cls.__mro__ if name in inspect.get_annotations(c)), cls)


def _substitute(tp: Any, binding: _Binding) -> object:
    if isinstance(tp, TypeVar):
        return binding.get(tp, tp)
    open_variables = getattr(tp, "__parameters__", ())
    if not binding or not open_variables or isinstance(tp, type):
        return tp
    return tp[tuple(binding.get(variable, variable) for variable in open_variables)]
