"""Pipelines that keep things up to date.

`import pycurrent as current` is the idiom of the documentation.

The names stand in `pycurrent.public`. They are imported when one of them is first used, since a
command line that prints its help or a log needs neither an engine nor asyncio.
"""

import gc
import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from pycurrent.public import *  # noqa: F403
    from pycurrent.public import __all__ as __all__


if not TYPE_CHECKING:  # type checkers would take any name

    def __getattr__(name: str) -> object:
        # Tools ask modules for many special names, such as `__wrapped__`; only one of them is ours.
        if not name.startswith("__") or name == "__all__":
            public = _import_public()
            if name == "__all__" or name in public.__all__:
                value: object = getattr(public, name)
                globals()[name] = value
                return value
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__]
        )


def __dir__() -> list[str]:
    return sorted({*globals(), *_import_public().__all__})


def _import_public() -> "ModuleType":
    """Import the public names.

    All that this makes stays: the garbage collector, which would look through it many times, is off
    meanwhile, and takes it for old afterwards.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        return import_module("pycurrent.public")
    finally:
        if was_on:
            # Things that somebody has frozen would be thawed; Python 3.12 has some from the start.
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
