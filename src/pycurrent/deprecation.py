"""Old names of public things, which go on working for a while.

A renamed public name stays for at least one minor version. Python code that uses it gets a
`DeprecationWarning`, people see the same message, and both name the new one and the version that
removes the old one. See "Versions" in CONTRIBUTING.md.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Renamed:
    """A public name that has changed: in Python, on the command line, or in the API."""

    old: str
    new: str
    removed_in: str
    """The version that no longer has the old name."""

    def __str__(self) -> str:
        return f"{self.old} is now {self.new}: the old name will be removed in {self.removed_in}"

    def warn(self, *, stacklevel: int = 2) -> None:
        """Warn the caller of the function that calls this one, or one further up the stack."""
        warnings.warn(str(self), DeprecationWarning, stacklevel=stacklevel + 1)


def old_names(module: str, names: Sequence[Renamed]) -> Callable[[str], object]:
    """A module's `__getattr__` that still finds its old names, with a warning.

    Both names of each are those within the module, without a point::

        __getattr__ = old_names(__name__, [Renamed("File", "Content", removed_in="0.3")])
    """
    known = {name.old: name for name in names}

    def find(name: str) -> object:
        if name not in known:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        known[name].warn()
        found: object = getattr(sys.modules[module], known[name].new)
        return found

    return find
