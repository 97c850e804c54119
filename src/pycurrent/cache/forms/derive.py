"""Derives the form of a type from its annotations: its fields, type arguments, alternatives."""

import inspect
import types
import typing
from collections import Counter, abc
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from msgspec import Struct

from pycurrent.cache.forms import alternatives, containers
from pycurrent.cache.forms.alternatives import NATIVE, Member
from pycurrent.cache.forms.containers import Field, made
from pycurrent.cache.forms.form import Form, MisfitError, later, no_stable_form, not_a
from pycurrent.cache.forms.hints import (
    Scope,
    bare,
    dataclass_fields,
    declarations,
    is_dataclass,
    is_named_tuple,
    is_typed_dict,
    module_scope,
    name_of,
)
from pycurrent.cache.forms.scalars import NONE, SCALARS, enumeration


def derive(tp: object, scope: Scope) -> tuple[Form, bool]:
    """The form of the values of `tp`, and whether it writes all that is in them: the fields of
    dataclasses that are not compared are left out.

    Raises MisfitError, with the path of what has none.
    """
    derivation = _Derivation()
    form = derivation.form(tp, scope)
    return form, derivation.is_whole


class _Derivation:
    """One derivation: it knows the types that it has met, so a type may contain itself."""

    def __init__(self) -> None:
        # By the type and the module whose names it uses; None while the form is being derived.
        self._forms: dict[tuple[object, object], Form | None] = {}
        self.is_whole = True

    def form(self, tp: object, scope: Scope) -> Form:
        plain = bare(tp, scope)
        if not isinstance(plain, abc.Hashable):
            raise no_stable_form(name_of(plain))
        known_as = plain, scope.get("__name__")
        if known_as not in self._forms:
            self._forms[known_as] = None
            self._forms[known_as] = self._derived(plain, scope)
        return self._forms[known_as] or later(lambda: self._finished(known_as))

    def _finished(self, known_as: tuple[object, object]) -> Form:
        form = self._forms[known_as]
        assert form is not None, "a value is written or read only when its type is derived"
        return form

    def _derived(self, tp: object, scope: Scope) -> Form:
        if tp is None:
            return NONE
        if _is_anything(tp):
            return alternatives.anything()
        if _is_union(tp) or get_origin(tp) is Literal:
            return self._union(tp, scope)
        cls = get_origin(tp) or tp
        if not isinstance(cls, type):
            raise no_stable_form(name_of(tp))
        custom = _by_methods(cls)
        if custom is not None:
            return custom
        if cls in SCALARS:
            return SCALARS[cls]
        if issubclass(cls, Enum):
            return enumeration(cls)
        if is_dataclass(cls) or is_named_tuple(cls) or is_typed_dict(cls):
            return self._record(cls, get_args(tp), scope)
        return self._container(tp, cls, scope)

    def _part(self, tp: object, step: str, scope: Scope) -> Form:
        try:
            return self.form(tp, scope)
        except MisfitError as error:
            raise error.under(step) from None

    def _record(self, cls: type, args: tuple[object, ...], scope: Scope) -> Form:
        own_scope = {**scope, **module_scope(cls)}
        if is_dataclass(cls):
            self.is_whole &= all(field.compare for field in dataclass_fields(cls))
        fields = [
            Field(d.name, self._part(d.type, f".{d.name}", own_scope), required=d.required)
            for d in declarations(cls, args, scope)
        ]
        if is_typed_dict(cls):
            return containers.typed_dict(cls, fields)
        return containers.record(cls, fields, version=_version(cls), make=_maker(cls, fields))

    def _container(self, tp: object, cls: type, scope: Scope) -> Form:
        args = get_args(tp)
        kind = _INTERFACES.get(cls, cls)
        if kind is tuple:
            return self._tuple(tp, args, scope)
        if kind is dict:
            key, value = args or (Any, Any)
            return containers.mapping(
                self._part(key, ".<key>", scope), self._part(value, "[...]", scope)
            )
        item = args[0] if args else Any
        if kind is list:
            return containers.sequence(list, self._part(item, "[...]", scope))
        if kind is set:
            return containers.unordered(set, self._part(item, "[...]", scope))
        if kind is frozenset:
            return containers.unordered(frozenset, self._part(item, "[...]", scope))
        if cls is abc.Sequence:
            raise MisfitError(f"has type {name_of(tp)}, which leaves open if it is list or tuple")
        raise no_stable_form(name_of(tp))

    def _tuple(self, tp: object, args: tuple[object, ...], scope: Scope) -> Form:
        if get_origin(tp) is None:
            args = (Any, ...)
        if len(args) == 2 and args[1] is ...:
            return containers.sequence(tuple, self._part(args[0], "[...]", scope))
        return containers.fixed_tuple(
            tuple(self._part(arg, f"[{place}]", scope) for place, arg in enumerate(args))
        )

    def _union(self, tp: object, scope: Scope) -> Form:
        flat = list(_flattened(tp, scope))
        if any(_is_anything(alternative.tp) for alternative in flat):
            return alternatives.anything()
        by_class: dict[type, _Alternative] = {}
        for alternative in flat:
            known = by_class.get(alternative.cls)
            by_class[alternative.cls] = (
                alternative if known is None else known.merged(alternative, name_of(tp))
            )
        return self._chosen(name_of(tp), by_class, scope)

    def _chosen(self, name: str, by_class: "dict[type, _Alternative]", scope: Scope) -> Form:
        forms = {cls: self._alternative(by_class[cls], scope) for cls in by_class}
        some = [cls for cls in by_class if cls is not types.NoneType]
        if len(some) == 1 and _by_methods(some[0]) is None:
            (form,) = (forms[cls] for cls in some)
            return form if len(forms) == 1 else alternatives.optional(form)
        tags = _tags(by_class)
        return alternatives.union(
            name, [Member(cls, form, tags.get(cls)) for cls, form in forms.items()]
        )

    def _alternative(self, alternative: "_Alternative", scope: Scope) -> Form:
        form = self.form(alternative.tp, scope)
        values = alternative.values
        return form if values is None else alternatives.literal(values, form)


# Unions


class _Alternative(Struct, frozen=True):
    """One type of a union, or (if `values` is not None) only those values of it."""

    tp: object
    values: tuple[object, ...] | None = None

    @property
    def cls(self) -> type:
        """The class of which its values are instances."""
        origin = get_origin(self.tp) or self.tp
        if self.tp is None:
            return types.NoneType
        if not isinstance(origin, type):
            raise no_stable_form(name_of(self.tp))
        return dict if is_typed_dict(origin) else _INTERFACES.get(origin, origin)

    def merged(self, other: "_Alternative", union: str) -> "_Alternative":
        """Both, if they are of the same class: a literal is part of its type.

        Raises MisfitError if their values can't be told apart.
        """
        if self.tp != other.tp:
            names = f"{name_of(self.tp)} and {name_of(other.tp)}"
            raise MisfitError(
                f"has type {union}, but the values of {names} can't be told apart: "
                "give one of them a class of its own"
            )
        if self.values is None or other.values is None:
            return _Alternative(self.tp)
        return _Alternative(self.tp, (*self.values, *other.values))


def _flattened(tp: object, scope: Scope) -> Iterator[_Alternative]:
    plain = bare(tp, scope)
    if _is_union(plain):
        for member in get_args(plain):
            yield from _flattened(member, scope)
    elif get_origin(plain) is Literal:
        for value in get_args(plain):
            yield _Alternative(bare(type(value), scope), (value,))
    else:
        yield _Alternative(plain)


def _is_union(tp: object) -> bool:
    return get_origin(tp) in (typing.Union, types.UnionType)


def _is_anything(tp: object) -> bool:
    return tp is Any or tp is object


def _tags(classes: Iterable[type]) -> dict[type, str]:
    """Names that differ, for all classes but JSON's own."""
    tagged = [cls for cls in classes if cls not in NATIVE]
    names = Counter(cls.__qualname__ for cls in tagged)
    return {
        cls: cls.__qualname__ if names[cls.__qualname__] == 1 else _full_name(cls) for cls in tagged
    }


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


_INTERFACES: Mapping[type, type] = types.MappingProxyType(
    {
        abc.Mapping: dict,
        abc.MutableMapping: dict,
        abc.Set: frozenset,
        abc.MutableSet: set,
        abc.MutableSequence: list,
    }
)
"""Where an interface is declared: the one class that is written, and read back."""


# Classes


def _by_methods(cls: type) -> Form | None:
    """The form of a class that has to_json and from_json."""
    to_json, from_json = getattr(cls, "to_json", None), getattr(cls, "from_json", None)
    if to_json is None and from_json is None:
        return None
    if to_json is None or from_json is None:
        missing = "to_json" if to_json is None else "from_json"
        raise MisfitError(f"has type {cls.__qualname__}, which has no {missing} method")
    data = alternatives.anything()

    def write(value: Any) -> str:
        if not isinstance(value, cls):
            raise not_a(cls.__qualname__, value)
        return data.write(to_json(value))

    return Form(write, lambda tree: made(cls, from_json, data.read(tree)))


def _version(cls: type) -> int | None:
    version: object = getattr(cls, "__codec_version__", None)
    if version is not None and type(version) is not int:
        raise MisfitError(f"has type {cls.__qualname__}, whose __codec_version__ is not an int")
    return version


def _maker(cls: type, fields: list[Field]) -> Callable[[dict[str, Any]], object]:
    """Makes an object of `cls` from its fields by calling it, so that it can check them.

    Fields that are not parameters are set afterwards. Raises MisfitError if other parameters
    have no default.
    """
    not_parameters = {
        field.name
        for field in (dataclass_fields(cls) if is_dataclass(cls) else ())
        if not field.init
    }
    names = [field.name for field in fields if field.name not in not_parameters]
    try:
        inspect.signature(cls).bind(**dict.fromkeys(names))
    except TypeError as error:
        raise MisfitError(
            f"has type {cls.__qualname__}, which can't be made from its compared fields "
            f"({error}): give it to_json/from_json methods"
        ) from error
    if not not_parameters:
        return lambda values: cls(**values)

    def make(values: dict[str, Any]) -> object:
        instance: object = cls(**{name: values[name] for name in names if name in values})
        for name in values.keys() & not_parameters:
            object.__setattr__(instance, name, values[name])
        return instance

    return make
