"""Command lines as the functions of plugins take them: the words of a command, or its arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import Current, map, shown, unfit

Argv = Sequence[str] | Current[Sequence[str]]


def checked_words(words: Iterable[str], rule: str) -> tuple[str, ...]:
    """Return the words of a list of texts. Anything else raises `UsageError`, with the rule."""
    if isinstance(words, str | bytes) or not isinstance(words, Iterable):
        write = f": write {words.split()}" if isinstance(words, str) and words.strip() else ""
        raise UsageError(f"{rule}, not {words!r}{write}")
    taken = tuple(words)
    if (remedy := unfit(taken)) is not None:
        raise WrongKind(f"{rule}, not {remedy.what}: {remedy.given}")
    for word in taken:
        if not isinstance(word, str):
            raise WrongKind(f"{rule}, each a text, not {shown(word)}: write str(...)")
    return taken


def as_text(argv: Argv, show: Callable[[Sequence[str]], str]) -> str | Current[str]:
    """Return the command line as people read it, for a label."""
    return map(show, argv) if isinstance(argv, Current) else show(argv)
