"""Patterns of paths: `dist/**`, `*.whl`, `**/*.{xml,json}`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pycurrent.errors import UsageError, WrongKind

_PLAIN = re.compile(r"[^*?\[{\\]+")
"""A pattern that stands for itself."""
_REPOSITORY = ".git"


class Patterns:
    """Some patterns of paths within a folder; none of them mean all that is there.

    They are those of wcmatch: within a name, `*` and `?` stand for any text, `[ab]` for one of
    these characters and `{a,b}` for one of these texts, also where it begins with a dot; `**`
    stands for any folders. A pattern that matches a folder selects all that is in it. Raises
    `UsageError` for a pattern that leads out of the folder.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.texts = tuple(map(_checked, patterns))
        """The patterns, without what means nothing in them."""
        self._all = [_expressions(text) for text in self.texts]
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
            text for text, matched in zip(self.texts, self._matched, strict=True) if not matched
        ]


def checked_patterns(given: Any, where: str) -> tuple[str, ...]:
    """The patterns that an author gives, one or several, `where` being the argument. Raises
    `UsageError` for what can't be any.
    """
    if not isinstance(given, str | Sequence):
        raise WrongKind(
            f"{where} takes a pattern of files such as 'dist/**', or a list of them, not {given!r}"
        )
    patterns = (given,) if isinstance(given, str) else tuple(given)
    if not patterns:
        raise UsageError(f"{where} takes a pattern, or several, not an empty list")
    try:
        Patterns(patterns)
    except UsageError as error:
        raise type(error)(f"{where}: {error}") from None
    return patterns


def find_files(folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
    """The files in a folder that the patterns select, those behind links within it too; each as
    often as patterns select it. Only folders in which files may be selected are listed. Blocks.

    The folder `.git` at the top is left out. Links to folders are gone through only where a pattern
    names them.
    """
    inside = folder.resolve(strict=True)
    for pattern in map(_checked, patterns):
        for path in _selected(folder, pattern):
            real = path.resolve()
            if real.is_relative_to(inside) and real.is_file():
                yield path


def fixed_folder(pattern: str) -> str:
    """The folder or file that a pattern names before its first sign for other text: all that it
    can select is there. "" if it begins with one.
    """
    fixed = []
    for part in pattern.removeprefix("./").rstrip("/").split("/"):
        if not _PLAIN.fullmatch(part):
            break
        fixed.append(part)
    return "/".join(fixed)


def outermost(folders: Iterable[str]) -> list[str]:
    """Return the folders that are in no other one of them, in order."""
    known = set(folders)
    return sorted(
        one for one in known if not any(one.startswith(f"{it}/") or not it for it in known - {one})
    )


def _selected(folder: Path, pattern: str) -> Iterator[Path]:
    from wcmatch import glob

    for found in glob.iglob(pattern, flags=_flags(), root_dir=str(folder)):
        path = folder / found
        if found.split("/", 1)[0] == _REPOSITORY:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from (Path(at, name) for at, _, names in os.walk(path) for name in names)
        else:
            yield path


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
    from wcmatch import _wcparse, glob  # an engine that saves no files does not need it

    try:
        texts = glob.translate(pattern, flags=_flags())[0]
    except _wcparse.PatternLimitException:
        raise UsageError(f"{pattern!r} stands for more than 1,000 patterns") from None
    return [re.compile(one) for one in texts]


def _flags() -> int:
    from wcmatch import glob

    return glob.GLOBSTAR | glob.DOTMATCH | glob.BRACE | glob.FORCEUNIX
