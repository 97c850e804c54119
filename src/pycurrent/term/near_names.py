"""The name that an author may have meant, where there is none of the name that was written.

Python guesses it too, but only where it prints a traceback, and not in each version.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import linecache
import pkgutil
import re
import sys
from collections.abc import Iterable
from itertools import islice
from types import FrameType, ModuleType, TracebackType

_NOT_IMPORTED = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")


def near(name: str, known: Iterable[str]) -> str | None:
    """The name that is most like another one, if one is; in other letters, too."""
    names = [one for one in known if isinstance(one, str)]
    if found := difflib.get_close_matches(name, names, 1):
        return found[0]
    by_letters = {one.lower(): one for one in names}
    found = difflib.get_close_matches(name.lower(), by_letters, 1)
    return by_letters[found[0]] if found else None


def meant(error: BaseException) -> str:
    """`. Did you mean: 'builder'?`, or what to write instead, or an empty text."""
    try:
        return _meant(error)
    except Exception:  # It is an author's own, or has an author's object.
        return ""


def _meant(error: BaseException) -> str:
    match error:
        case AttributeError(name=str(name), obj=ModuleType() as module):
            return _guess(name, _names_of(module, name)) or _all_of(module)
        case AttributeError(name=str(name)):
            return _guess(name, _public(dir(error.obj), name))
        case NameError(name=str(name)):
            guess = _guess(name, _in_scope(_frame_of(error.__traceback__)))
            is_module = not guess and name in sys.stdlib_module_names
            return f". Did you forget to import {name!r}?" if is_module else guess
        case ImportError() if (parts := _NOT_IMPORTED.match(str(error))) is not None:
            module = sys.modules[parts[2]]
            return _guess(parts[1], _names_of(module, parts[1])) or _all_of(module)
        case TypeError() if str(error).startswith("'module' object is not callable"):
            return _instead_of(_called_module(error.__traceback__))
        case _:
            return ""


def _guess(name: str, known: Iterable[str]) -> str:
    found = near(name, known)
    return "" if found is None else f". Did you mean: {found!r}?"


def _names_of(module: ModuleType, name: str) -> list[str]:
    """Without the modules in a package of ours, which are not for authors."""
    if not _is_ours(module):
        return _public(dir(module), name)
    known: list[str] | None = getattr(module, "__all__", None)
    if known is None:
        known = [found.name for found in pkgutil.iter_modules(getattr(module, "__path__", ()))]
    return _public(known, name)


def _all_of(module: ModuleType) -> str:
    """The names that a plugin has, which are few."""
    is_plugin = _is_ours(module) and module.__name__.count(".") > 1
    names: list[str] = getattr(module, "__all__", []) if is_plugin else []
    return f": it has {', '.join(names)}" if names else ""


def _is_ours(module: ModuleType) -> bool:
    return f"{module.__name__}.".startswith("pycurrent.")


def _public(names: Iterable[str], name: str) -> list[str]:
    return [one for one in names if not one.startswith("_") or name.startswith("_")]


def _frame_of(traceback: TracebackType | None) -> FrameType | None:
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_frame


def _in_scope(frame: FrameType | None) -> list[str]:
    return [] if frame is None else [*frame.f_locals, *frame.f_globals, *dir(builtins)]


# Modules that are called


def _instead_of(module: ModuleType | None) -> str:
    """The advice instead of a call of a module, which is in a package of ours by the same name as
    a method of what the package has, such as `docker.DEFAULT.build`.
    """
    if module is None or not _is_ours(module):
        return ""
    package, _, name = module.__name__.rpartition(".")
    parent = sys.modules[package]
    names: list[str] = getattr(parent, "__all__", [])
    short = package.rpartition(".")[2]
    for one in names:
        value = getattr(parent, one)
        if not isinstance(value, type) and callable(getattr(value, name, None)):
            return f": write {short}.{one}.{name}(...)"
    same = next((one for one in names if one.lower() == name.lower()), None)
    return f": write {short}.{same}" if same else _all_of(parent)


def _called_module(traceback: TracebackType | None) -> ModuleType | None:
    """The module that a line has called, by the line's text."""
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    frame, code = traceback.tb_frame, traceback.tb_frame.f_code
    place = next(islice(code.co_positions(), traceback.tb_lasti // 2, None))
    first, last, begin, end = place
    if first is None or last is None or begin is None or end is None:
        return None
    lines = linecache.getlines(code.co_filename)[first - 1 : last]
    text = "".join(lines).encode()
    text = text[begin : len(text) - len(lines[-1].encode()) + end]
    call = ast.parse(text.decode(), mode="eval").body
    if not isinstance(call, ast.Call):
        return None
    value = _value_of(call.func, {**vars(builtins), **frame.f_globals, **frame.f_locals})
    return value if isinstance(value, ModuleType) else None


def _value_of(expression: ast.expr, names: dict[str, object]) -> object:
    """The value of `name.name`, without running any code of authors."""
    match expression:
        case ast.Name(id=name):
            return names.get(name)
        case ast.Attribute(value=whole, attr=name):
            module = _value_of(whole, names)
            return vars(module).get(name) if isinstance(module, ModuleType) else None
        case _:
            return None
