"""An engine and its records on disk, for its pages, its API and what follows them.

The names stand in `pycurrent.service.names`. They are imported when one of them is first used, so
that plugins and authors get `pycurrent.service.login` and `pycurrent.service.routes` without the
rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycurrent.service.names import *  # noqa: F403
    from pycurrent.service.names import __all__ as __all__


if not TYPE_CHECKING:  # type checkers would take any name

    def __getattr__(name: str) -> object:
        if not name.startswith("__") or name == "__all__":
            names = import_module("pycurrent.service.names")
            if name == "__all__" or name in names.__all__:
                value = globals()[name] = getattr(names, name)
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
