"""Notices that the code of an operation has changed while its version has not.

The results of the old code are kept, as most changes don't matter to them: only the author knows.
So people are told, once for each operation, and nothing is made again.

A digest of the functions that do the work is recorded with the version when an operation is first
used, and compared after that. It covers the byte code, also of the functions inside them: no
comments, no docstrings, no line numbers, and no other functions that they call. Another version of
Python compiles in another way: then the digest is replaced, and nothing is said.
"""

from __future__ import annotations

import dis
import hashlib
import inspect
import json
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from pycurrent.cache.operation_type import OperationType
from pycurrent.engine.problems import Effect, Problem, Problems
from pycurrent.engine.rebuilds import Rebuilds
from pycurrent.store import Database

_ASIDE = frozenset({"describe", "describe_change", "labels", "labels_of", "title"}) | frozenset(
    {"retire", "started_with", "still_there", "still_there_many", "types"}
)
"""Methods on which no result depends."""
_SILENT = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "RESUME"})
"""Instructions that do nothing, or only stretch the next one."""
_ABOUT_SOURCE = frozenset({"__doc__", "__firstlineno__"})
"""Names that a class in a function sets to what depends on comments and lines."""
_DOCSTRING = 0x4000000
"""The flag of code that has a docstring, from Python 3.13 on."""
_PYTHON = f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}"


class CodeNotices:
    """Compares the code of the operations of one engine with that of earlier engines."""

    def __init__(self, store: Database, problems: Problems, rebuilds: Rebuilds) -> None:
        self._store = store
        self._problems = problems
        self._rebuilds = rebuilds

    def look(self, op_type: OperationType) -> None:
        """Look at an operation that is used for the first time. Nothing is said of those of
        pycurrent's own plugins, whose versions are kept with their code.
        """
        digest = digest_of(op_type.cls)
        if digest is None:
            return
        name = f"code {op_type.id}"
        now = [op_type.version, f"{_PYTHON} -O{sys.flags.optimize}", digest]
        text = self._store.setting(name)
        before = None if text is None else json.loads(text)
        if before == now:
            return
        if before is None or before[:2] != now[:2] or self._rebuilds.has_all_of(op_type.id):
            self._store.remember(name, json.dumps(now))
        else:
            self._problems.report(name, _notice(op_type))


def _notice(op_type: OperationType) -> Problem:
    op, version = op_type.id, op_type.version
    brief = f"the code of operation {op!r} has changed"
    of = "without a version" if version is None else f"version {version}"
    message = (
        f"{brief} since its results were made ({of}): results are kept; give it a new version, or"
        f" run with --rebuild {op}, if they should be made again"
    )
    return Problem(brief, message, Effect.TOLD)


def _functions(cls: type) -> Iterator[tuple[str, FunctionType]]:
    """The functions on which the results of an operation depend, by names."""
    for ancestor in cls.__mro__:
        for name, value in vars(ancestor).items():
            if name in _ASIDE or (name.startswith("__") and name.endswith("__")):
                continue
            fn = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            for depth, one in enumerate(_wrapped(fn)):
                yield f"{ancestor.__qualname__}.{name} {depth}", one


def _wrapped(fn: Any) -> Iterator[FunctionType]:
    """A function, and those around which it is wrapped; but for ours."""
    while fn is not None:
        if inspect.isfunction(fn) and (fn.__module__ or "").partition(".")[0] != "pycurrent":
            yield fn
        fn = getattr(fn, "__wrapped__", None)


def digest_of(cls: type) -> str | None:
    """The digest of the code of a class of operations; None if it is all ours."""
    functions = dict(_functions(cls))
    if not functions:
        return None
    forms = [[name, _form(fn.__code__)] for name, fn in sorted(functions.items())]
    return hashlib.sha256(json.dumps(forms).encode()).hexdigest()


def _form(code: CodeType) -> list[object]:
    """Code as data that is the same in each process of one version of Python."""
    arguments = code.co_argcount + code.co_kwonlyargcount
    instructions: list[object] = []
    for one in dis.get_instructions(code):
        if one.opname.startswith("STORE_") and one.argval in _ABOUT_SOURCE:
            instructions.pop()
        elif one.opcode in dis.hasconst:
            instructions.append([one.opname, _constant(one.argval)])
        elif one.opcode in dis.hasname:
            instructions.append([one.opname, one.argrepr])
        elif one.opname not in _SILENT:
            instructions.append([one.opname, one.arg])
    return [
        [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount],
        code.co_flags & ~_DOCSTRING,
        code.co_varnames[:arguments],
        code.co_exceptiontable.hex(),
        instructions,
    ]


def _constant(value: object) -> object:
    match value:
        case CodeType():
            return _form(value)
        case tuple():
            return ["tuple", *map(_constant, value)]
        case frozenset():
            return ["frozenset", *sorted(json.dumps(_constant(one)) for one in value)]
        case _:
            return [type(value).__name__, repr(value)]
