"""Arguments of commands."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pycurrent.plugins.words import checked_words
from pycurrent.term import Current

Words = Sequence[str] | Current[Sequence[str]]


def words_of(words: Sequence[str]) -> tuple[str, ...]:
    """Raises UsageError for what is no list of words."""
    return checked_words(words, "arguments are a list of words")


def shown(words: Sequence[str]) -> str:
    """As in a shell."""
    return shlex.join(words_of(words))
