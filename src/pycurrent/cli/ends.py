"""The option `--end`: how jobs ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from pycurrent.errors import UsageError
from pycurrent.store import JobEnd

_NAMES = {end.value.replace(" ", "-"): end for end in JobEnd}
_LISTED = ", ".join(_NAMES)

EndsOption: TypeAlias = Annotated[
    tuple[str, ...],
    Parameter(
        metavar="END",
        negative="",
        help=f"Only jobs that ended in this way: {_LISTED}. Can be given several times.",
    ),
]


def ends_of(names: Iterable[str]) -> frozenset[JobEnd]:
    """The ends with these names. Raises `UsageError` for an unknown name."""
    for name in names:
        if name not in _NAMES:
            raise UsageError(f"--end takes one of {_LISTED}; not {name!r}")
    return frozenset(_NAMES[name] for name in names)
