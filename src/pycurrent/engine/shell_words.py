"""Words of commands that only a shell would read: `["ls", "|", "wc"]`, `["cat", "*.txt"]`.

A command gets its words as they are, and may well mean them: `find` takes patterns, `expr`
operators. So such words are refused only where they can't be meant, and else the log and the
message of a failure say that no shell has read them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePath

from pycurrent.errors import UsageError

_OPERATORS = frozenset(
    "| || |& && & ; > >> < << 2> 2>> &> 2>&1 >&2".split()  # noqa: SIM905 - they are words
)
_READ_THEM = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish", "ssh", "eval", "xargs"})
"""Programs that are shells, or pass words to one."""
_TAKE_PATTERNS = frozenset(
    "find fd grep egrep rg ag sed awk perl jq expr git tar zip unzip rsync docker psql".split()  # noqa: SIM905
)
_TO_EXPAND = re.compile(r"~/.*|[^\s'\"]*(?:[*?]|\$\{?[A-Za-z_])[^\s'\"]*", re.DOTALL)
"""A pattern of files, a variable, or a home."""
_LONGEST = 60
"""In characters: a longer command is not repeated."""


def check_words(argv: Sequence[str]) -> None:
    """Raise `UsageError` where a shell must have been meant: `echo` prints the same words if they
    are given as one.
    """
    if PurePath(argv[0]).name == "echo" and (found := _operator(argv)) is not None:
        raise UsageError(f"echo would print {found!r}, as no shell reads a command: {_write(argv)}")


def unread_operator(argv: Sequence[str]) -> str:
    """The note about an operator that no shell has read; empty if there is none."""
    found = _operator(argv)
    return "" if found is None else _note(f"{found!r} as it is", argv)


def unread(argv: Sequence[str]) -> str:
    """Likewise, also about a word that a shell would have replaced: the reason of some failures."""
    if note := unread_operator(argv):
        return note
    found = _expandable(argv)
    return "" if found is None else _note(f"{found!r} as it is", argv)


def _note(what: str, argv: Sequence[str]) -> str:
    return f"no shell reads a command, so {argv[0]} got {what}: {_write(argv)}"


def _write(argv: Sequence[str]) -> str:
    whole = " ".join(argv)
    script = (
        f'"{whole}"' if len(whole) <= 60 and whole.isprintable() and '"' not in whole else "..."
    )
    return f'for a shell write ["sh", "-c", {script}]'


def _operator(argv: Sequence[str]) -> str | None:
    if _OPERATORS.isdisjoint(argv) or PurePath(argv[0]).name in _READ_THEM:
        return None
    return next((word for word in argv[1:] if word in _OPERATORS), None)


def _expandable(argv: Sequence[str]) -> str | None:
    if PurePath(argv[0]).name in _READ_THEM | _TAKE_PATTERNS:
        return None
    for before, word in pairwise(argv):
        if before[:1] != "-" and _TO_EXPAND.fullmatch(word):
            return word
    return None
