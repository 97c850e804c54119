"""Pipelines that keep things up to date.

`import pycurrent as current` is the idiom of the documentation.

The names stand in `pycurrent.public`. They are imported when one of them is first used, since a
command line that prints its help or a log needs neither an engine nor asyncio.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycurrent.public import *  # noqa: F403
    from pycurrent.public import __all__ as __all__


if not TYPE_CHECKING:  # type checkers would take any name

    def __getattr__(name: str) -> object:
        # Tools ask modules for many special names, such as `__wrapped__`; only one of them is ours.
        if not name.startswith("__") or name == "__all__":
            public = import_module("pycurrent.public")
            if name == "__all__" or name in public.__all__:
                value: object = getattr(public, name)
                globals()[name] = value
                return value
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__]
        )


def __dir__() -> list[str]:
    return sorted({*globals(), *import_module("pycurrent.public").__all__})
