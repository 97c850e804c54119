"""Names of a module that are imported when one of them is first used.

Each module takes 0.2 ms of the start of a run, which often has nothing to do. So a room shows what
few runs need by a `__getattr__`, and for type checkers by an import:

    if TYPE_CHECKING:
        from pycurrent.cache.triggers import Trigger
    else:
        __getattr__ = deferred(__name__, {"pycurrent.cache.triggers": ["Trigger"]})
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def deferred(module: str, names: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """Return the `__getattr__` of a module that has these names of others, given by the others."""
    sources = {name: source for source, given in names.items() for name in given}

    def get(name: str) -> object:
        if name not in sources:
            message = f"module {module!r} has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=sys.modules[module])
        value: object = getattr(import_module(sources[name]), name)
        setattr(sys.modules[module], name, value)
        return value

    return get
