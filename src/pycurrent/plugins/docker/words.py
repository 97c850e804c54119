"""Arguments of commands."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pycurrent.errors import UsageError
from pycurrent.term import Current

Words = Sequence[str] | Current[Sequence[str]]


def words_of(words: Sequence[str]) -> tuple[str, ...]:
    """Raises UsageError for a string, which is no list of words."""
    if isinstance(words, str):
        raise UsageError(f"arguments are a list of words, not {words!r}")
    return tuple(words)


def shown(words: Sequence[str]) -> str:
    """As in a shell."""
    return shlex.join(words_of(words))
