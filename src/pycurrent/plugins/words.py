"""The words of commands: what the functions of plugins take."""

from __future__ import annotations

from collections.abc import Iterable

from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import shown, unfit


def checked_words(words: Iterable[str], rule: str) -> tuple[str, ...]:
    """Raises `UsageError` for what is no list of texts. `rule` begins the message."""
    if isinstance(words, str | bytes) or not isinstance(words, Iterable):
        raise UsageError(f"{rule}, not {words!r}")
    taken = tuple(words)
    if (remedy := unfit(taken)) is not None:
        raise WrongKind(f"{rule}, not {remedy.what}: {remedy.given}")
    for word in taken:
        if not isinstance(word, str):
            raise WrongKind(f"{rule}, each a text, not {shown(word)}: write str(...)")
    return taken
