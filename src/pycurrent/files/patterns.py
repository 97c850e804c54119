"""Patterns of paths: `dist/**`, `*.whl`, `**/*.{xml,json}`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pycurrent.errors import UsageError, WrongKind

_PLAIN = re.compile(r"[^*?\[{\\]+")
"""A pattern that stands for itself."""


class Patterns:
    """Some patterns of paths within a folder; none of them mean all that is there.

    They are those of wcmatch: within a name, `*` and `?` stand for any text, `[ab]` for one of
    these characters and `{a,b}` for one of these texts, also where it begins with a dot; `**`
    stands for any folders. A pattern that matches a folder selects all that is in it. Raises
    `UsageError` for a pattern that leads out of the folder.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._texts = tuple(map(_checked, patterns))
        self._all = [_expressions(text) for text in self._texts]
        self._matched = [False] * len(self._all)

    @property
    def are_none(self) -> bool:
        """True if there is no pattern, so all is selected."""
        return not self._all

    def select(self, path: str) -> bool:
        """True if a path is selected by itself."""
        found = not self._all
        for number, expressions in enumerate(self._all):
            if any(one.match(path) is not None for one in expressions):
                self._matched[number] = found = True
        return found

    def select_within(self, path: str) -> bool:
        """True if a path is selected, by itself or with a folder that it is in."""
        parts = path.split("/")
        paths = ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]
        selected = [self.select(one) for one in paths]  # All of them: they count as matched.
        return any(selected)

    @property
    def unmatched(self) -> list[str]:
        """The patterns that have selected nothing so far."""
        return [
            text for text, matched in zip(self._texts, self._matched, strict=True) if not matched
        ]


def _checked(pattern: object) -> str:
    if not isinstance(pattern, str):
        raise WrongKind(f"a pattern of files is a text such as 'dist/**', not {pattern!r}")
    text = pattern.removeprefix("./").rstrip("/")
    if "\0" in text or {"", ".", ".."} & set(text.split("/")):
        raise UsageError(
            f"{pattern!r} is not a pattern of files within a folder: write one like 'dist/**'"
        )
    return text


def _expressions(pattern: str) -> list[re.Pattern[str]]:
    if _PLAIN.fullmatch(pattern):
        return [re.compile(f"{re.escape(pattern)}$")]
    from wcmatch import glob  # an engine that saves no files does not need it

    flags = glob.GLOBSTAR | glob.DOTMATCH | glob.BRACE | glob.FORCEUNIX
    return [re.compile(one) for one in glob.translate(pattern, flags=flags)[0]]
