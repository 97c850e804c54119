"""The options of the commands on pipelines, as data.

The library that reads command lines takes 50 ms to import, too much for a run with nothing to do.
So these options are defined without it: `library.py` translates them for it, and `plain.py` reads
the command lines that need no library.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

DEFAULT_STATE_DIR = Path(".pycurrent")
STATE_DIR_VARIABLE = "PYCURRENT_STATE_DIR"
STATE_DIR_HELP = "The folder with the history, the logs and all else that is kept on disk."

SITE = "Options of the site"
"""The group of the options for the site."""


class Option:
    """An option that is a field of a struct: the metadata of its annotation.

    Without `read` its value is read by the type of the field; a bool is then a flag, which has
    a `--no-` form where its default is None. `at_least` and `at_most` bound a number.
    """

    __slots__ = ("at_least", "at_most", "env", "group", "help", "metavar", "read")

    def __init__(
        self,
        help: str,
        *,
        metavar: str | None = None,
        env: str | None = None,
        group: str | None = None,
        read: Callable[[str], Any] | None = None,
        at_least: int | None = None,
        at_most: int | None = None,
    ) -> None:
        self.help = help
        self.metavar = metavar
        self.env = env
        self.group = group
        self.read = read
        self.at_least = at_least
        self.at_most = at_most
