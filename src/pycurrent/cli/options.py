"""The options that several commands share, in the form of the library that reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token, validators

from pycurrent.cli.option import STATE_DIR_HELP, STATE_DIR_VARIABLE
from pycurrent.cli.values import byte_count, duration, folder_or_file, whole_number


def reading(read: Callable[[str], Any]) -> Callable[[object, Sequence[Token]], Any]:
    """A converter of the library that gives `read` the one text there is."""
    return lambda _, tokens: read(tokens[0].value)


StateDirOption = Annotated[
    Path,
    Parameter(
        converter=reading(folder_or_file),
        n_tokens=1,
        name="--state-dir",
        env_var=STATE_DIR_VARIABLE,
        help=STATE_DIR_HELP,
    ),
]

LimitOption = Annotated[
    int,
    Parameter(
        converter=reading(whole_number),
        n_tokens=1,
        validator=validators.Number(gte=1),
        help="How many at most.",
    ),
]

AsJsonOption = Annotated[
    bool, Parameter(name="--json", negative="", help="Print an object in JSON.")
]

SizeOption = Annotated[int, Parameter(metavar="SIZE", converter=reading(byte_count), n_tokens=1)]
"""A size in bytes, such as 500M or 50G."""

DurationOption = Annotated[
    timedelta, Parameter(metavar="TIME", converter=reading(duration), n_tokens=1)
]
"""A time such as 90d, 12h or 1d12h: weeks, days, hours, minutes, seconds."""
