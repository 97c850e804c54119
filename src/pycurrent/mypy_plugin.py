"""A plugin for mypy: functions on currents as exact as mypy can say.

Without it mypy knows what every type checker knows: an argument by position may be a value or a
current of it, one by keyword is a value. With it each argument may be either, and is checked:

    [tool.mypy]
    plugins = ["pycurrent.mypy_plugin"]
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.nodes import ARG_NAMED_OPT, ARG_STAR2, ArgKind
from mypy.plugin import MethodContext, Plugin
from mypy.types import (
    CallableType,
    Instance,
    NoneType,
    Overloaded,
    Type,
    UnionType,
    get_proper_type,
)

_FORMS = {
    "pycurrent.cache.work_types.BuilderForm.__call__": 1,
    "pycurrent.cache.work_types.PublisherForm.__call__": 1,
    "pycurrent.term.on_currents.ComponentForm.__call__": 0,
}
"""The decorators, and how many of the function's parameters are not the author's: the job."""


class _CurrentsPlugin(Plugin):
    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        first = _FORMS.get(fullname)
        return None if first is None else lambda context: _on_currents(context, first)


def _on_currents(context: MethodContext, first: int) -> Type:
    """The type of the decorated function."""
    fn = get_proper_type(context.arg_types[0][0])
    made = get_proper_type(context.default_return_type)
    if not (isinstance(fn, CallableType) and isinstance(made, Instance)) or fn.is_ellipsis_args:
        return context.default_return_type
    result = made.args[-1]
    current = _current_of(made).copy_modified(args=[result])
    types = [
        UnionType.make_union([type_, current.copy_modified(args=[type_])])
        for type_ in fn.arg_types[first:]
    ]
    kinds: list[ArgKind] = fn.arg_kinds[first:]
    names = fn.arg_names[first:]
    if "name" not in names and ARG_STAR2 not in kinds:
        text = context.api.named_generic_type("builtins.str", [])
        types.append(UnionType.make_union([text, NoneType()]))
        kinds = [*kinds, ARG_NAMED_OPT]
        names = [*names, "name"]
    return fn.copy_modified(types, kinds, names, current)


def _current_of(made: Instance) -> Instance:
    """`Current[...]`, as a function on currents returns it."""
    method = made.type.names["__call__"].type
    assert method is not None
    form = get_proper_type(method)
    assert isinstance(form, Overloaded)
    returned = get_proper_type(form.items[0].ret_type)
    assert isinstance(returned, Instance)
    return returned


def plugin(version: str) -> type[Plugin]:
    """The entry point that mypy calls with its version."""
    return _CurrentsPlugin
