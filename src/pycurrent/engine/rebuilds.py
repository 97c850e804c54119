"""Results of earlier runs of the engine that are made again: `pycurrent run --rebuild`."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import shown

FAILED = "failed"
"""Stands for all results that are failures."""


class Rebuilds:
    """Selects results by patterns: each is `failed`, the id of an operation, or a pattern with `*`
    and `?` for an id, or for an id with a key behind it, such as `test web*`.

    Raises `UsageError` for what is not a text, and for an empty one.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        if isinstance(patterns, str):
            raise WrongKind(f"rebuild= takes a list of texts: write [{patterns!r}]")
        self.patterns = tuple(patterns)
        for pattern in self.patterns:
            if not isinstance(pattern, str):
                raise WrongKind(f"rebuild= takes texts, not {shown(pattern)}")
            if not pattern.strip():
                raise UsageError("rebuild= takes failed, an operation or a pattern: one is empty")
        self.unmatched = set(self.patterns)
        """The patterns that have selected nothing so far."""

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def select(self, op: str, key: str, *, ok: bool) -> str | None:
        """The first pattern that selects a result; None if none does."""
        for pattern in self.patterns:
            if self._fits(pattern, op, key, ok):
                self.unmatched.discard(pattern)
                return pattern
        return None

    def has_all_of(self, op: str) -> bool:
        """True if all results of an operation are selected."""
        return any(fnmatchcase(op, pattern) for pattern in self.patterns if pattern != FAILED)

    def _fits(self, pattern: str, op: str, key: str, ok: bool) -> bool:
        if pattern == FAILED:
            return not ok
        return fnmatchcase(op, pattern) or fnmatchcase(f"{op} {key}", pattern)
